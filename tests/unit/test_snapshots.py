"""Snapshots: a count becomes the truth as of its moment, row by row; too large a difference waits for a person."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from oms.domain import stock
from oms.domain.changes import StockChange
from oms.domain.counted_rows import CountedRow, FileFormat, RowOutcome, RowResult
from oms.domain.errors import IllegalTransition, InvalidMessage
from oms.domain.snapshot_parts import MAX_AGE, counted_moment, part, part_message, part_of, upload
from oms.domain.snapshots import (
    ChunkResult,
    Decision,
    Judgement,
    Reading,
    Snapshot,
    SnapshotStatus,
    StockPolicy,
    Terms,
    chunk_finished,
    decided,
    drop,
    judge,
    redecided,
    status_of,
    stepped,
    summary,
)
from oms.domain.stock import StockPosition, net
from oms.stores.movements import Booking, shared_row
from oms.stores.snapshots import moved_after

NOON = datetime(2026, 3, 2, 12, tzinfo=UTC)
SMALL = StockPolicy(approval_units=10, approval_percent=20)
AWAITING, BOOKED, UNCHANGED = RowOutcome.AWAITING_APPROVAL, RowOutcome.BOOKED, RowOutcome.UNCHANGED


def at(hours: float) -> datetime:
    return NOON + timedelta(hours=hours)


def head(**facts: Any) -> Snapshot:
    made: dict[str, Any] = {"snapshot_id": "S1", "version": 1, "location_id": "ny", "chunks": 1, "actor": "counter"}
    return Snapshot(**(made | {"as_of": NOON, "received_at": at(1)} | facts))


def position(on_hand: int, counted_at: datetime | None = None, **buckets: int) -> StockPosition:
    available = on_hand - sum(buckets.values())
    facts = {"on_hand": on_hand, "available": available, **buckets}
    return StockPosition(sku="MUG", location_id="ny", on_hand_version=7, snapshot_as_of=counted_at, **facts)


def judged(counted: int, reading: Reading, **terms: Any) -> Judgement:
    row = CountedRow(row=1, sku="MUG", on_hand=counted)
    return judge(head(), row, reading, Terms(**({"policy": SMALL, "now": at(2)} | terms)))


def after(reading: Reading, change: StockChange | None) -> StockPosition:
    assert change is not None
    return reading.position.after(net(change.moves))


@pytest.mark.parametrize(
    ("counted", "moved_after_count", "on_hand"),
    [
        pytest.param(8, 0, 8, id="nothing moved since: what was counted is there"),
        pytest.param(8, -3, 5, id="three left since"),
        pytest.param(8, 4, 12, id="four came since"),
        pytest.param(0, 0, 0, id="none were found"),
        pytest.param(1, -2, -1, id="more left since than were found: the truth is not bent"),
    ],
)
def test_on_hand_is_what_was_counted_and_what_moved_since(counted: int, moved_after_count: int, on_hand: int) -> None:
    reading = Reading(position=position(10, committed=4), moved_after=moved_after_count)
    made = judged(counted, reading, approved=True)
    assert (made.outcome, made.on_books) == (BOOKED, 10)
    assert after(reading, made.change) == position(on_hand, committed=4)


def test_a_count_that_agrees_moves_nothing_and_is_remembered() -> None:
    made = judged(12, Reading(position=position(10), moved_after=-2))
    assert made.outcome is UNCHANGED
    assert made.change is not None
    assert made.change.moves == ()
    assert made.change.count is not None
    assert (made.change.count.as_of, made.change.count.on_hand_version) == (NOON, 7)


@pytest.mark.parametrize(
    ("counted_at", "on_hand", "booked", "outcome"),
    [
        pytest.param(at(1), 10, False, RowOutcome.STALE, id="a later count stands"),
        pytest.param(at(1), 8, False, RowOutcome.STALE, id="a later count stands, though this one agrees"),
        pytest.param(NOON, 10, False, RowOutcome.STALE, id="another count of the same moment disagrees"),
        pytest.param(NOON, 8, False, UNCHANGED, id="this very row came before, and changed nothing"),
        pytest.param(NOON, 8, True, BOOKED, id="this very row came before, and was booked"),
        pytest.param(at(1), 5, True, BOOKED, id="this very row was booked, and a later count after it"),
    ],
)
def test_a_position_that_stands_on_as_new_a_count_is_left_alone(
    counted_at: datetime, on_hand: int, booked: bool, outcome: RowOutcome
) -> None:
    made = judged(8, Reading(position=position(on_hand, counted_at), booked=booked))
    assert (made.outcome, made.change) == (outcome, None)


def test_a_position_that_stands_on_an_older_count_is_counted_anew() -> None:
    assert judged(8, Reading(position=position(10, at(-1)))).outcome is BOOKED


@pytest.mark.parametrize(
    ("on_books", "counted", "waits"),
    [
        pytest.param(20, 10, False, id="ten units are half of the books, but only ten"),
        pytest.param(20, 9, True, id="more than ten units and more than a fifth"),
        pytest.param(100, 80, False, id="exactly a fifth"),
        pytest.param(100, 121, True, id="found instead of lost"),
        pytest.param(1_000, 850, False, id="many units, but not a fifth"),
        pytest.param(0, 11, True, id="the books know none"),
        pytest.param(-5, 6, True, id="the books are below none"),
    ],
)
def test_a_difference_waits_if_it_is_large_in_units_and_in_percent(on_books: int, counted: int, waits: bool) -> None:
    made = judged(counted, Reading(position=position(on_books)))
    assert made.outcome is (AWAITING if waits else BOOKED)
    assert (made.change is None) is waits


def test_what_a_person_approved_waits_no_more() -> None:
    assert judged(500, Reading(position=position(10)), approved=True).outcome is BOOKED


def test_the_first_count_of_a_position_needs_nobody() -> None:
    never = Reading(position=StockPosition(sku="MUG", location_id="ny"))
    assert judged(500, never).outcome is BOOKED
    sold_out = replace(never.position, on_hand_version=2)
    assert judged(500, Reading(position=sold_out)).outcome is AWAITING


def test_what_a_doubtful_chunk_says_waits_however_small() -> None:
    assert judged(0, Reading(position=position(1)), doubtful=True).outcome is AWAITING
    assert judged(1, Reading(position=position(1)), doubtful=True).outcome is UNCHANGED


def test_what_was_left_out_is_told_as_zeroed() -> None:
    made = judged(0, Reading(position=position(3)), left_out=True)
    assert made.outcome is RowOutcome.ZEROED
    assert made.change is not None
    assert made.change.reason_code == "LEFT_OUT"
    again = Reading(position=position(0, NOON), booked=True)
    assert judged(0, again, left_out=True).outcome is RowOutcome.ZEROED


def test_every_repeat_of_a_row_has_the_same_identity() -> None:
    first = judged(8, Reading(position=position(10))).change
    again = judged(8, Reading(position=position(9)), now=at(5)).change
    assert first is not None
    assert again is not None
    assert (first.change_id, first.effective_at) == (again.change_id, again.effective_at)


def _row(*moves: tuple[float, stock.StockMove]) -> dict[str, Any]:
    """The ledger row of moves that one transaction made, each so many hours after noon."""
    bookings = [
        Booking({"order_id": f"o-{place}", "version": 2}, [replace(move, effective_at=at(hours))])
        for place, (hours, move) in enumerate(moves)
    ]
    return shared_row(bookings, at(9))


SHIP, COMMIT = stock.ship("MUG", "ny", 2), stock.commit("MUG", "ny", 5)


@pytest.mark.parametrize(
    ("row", "units"),
    [
        pytest.param(_row((1, SHIP)), -2, id="shipped after the moment"),
        pytest.param(_row((0, SHIP)), 0, id="shipped at the moment: the count has it"),
        pytest.param(_row((-1, SHIP)), 0, id="shipped before"),
        pytest.param(_row((1, SHIP), (2, SHIP)), -4, id="two shipped after, booked together"),
        pytest.param(_row((-1, SHIP), (2, SHIP)), -2, id="one before and one after, booked together"),
        pytest.param(_row((-1, SHIP), (0, SHIP)), 0, id="none after, booked together"),
        pytest.param(_row((0, SHIP), (2, SHIP)), -2, id="one at the moment and one after, booked together"),
        pytest.param(_row((1, COMMIT)), 0, id="promised: nothing left"),
        pytest.param(_row((-2, SHIP), (1, COMMIT), (3, SHIP)), -2, id="promises between ships"),
        pytest.param(
            _row((-1, stock.after_count(replace(SHIP, effective_at=at(-1)), at(-0.5))), (1, SHIP)),
            -2,
            id="one that an older count had already changed nothing on hand",
        ),
    ],
)
def test_the_ledger_says_what_moved_after_the_moment(row: dict[str, Any], units: int) -> None:
    assert moved_after(row, "2026-03-02T12:00:00Z") == units


FINISHED = {"1": {BOOKED: 2}, "2": {BOOKED: 1, AWAITING: 1}}


@pytest.mark.parametrize(
    ("facts", "status"),
    [
        pytest.param({"chunks": None}, SnapshotStatus.UPLOADING, id="its file is awaited"),
        pytest.param({"chunks": None, "refusal": "NOT_TEXT"}, SnapshotStatus.REFUSED, id="its file can't be read"),
        pytest.param({"chunks": 2}, SnapshotStatus.RECEIVING, id="nothing is judged"),
        pytest.param({"chunks": 3, "finished": FINISHED}, SnapshotStatus.RECEIVING, id="a part is missing"),
        pytest.param({"finished": {"1": {BOOKED: 2}}}, SnapshotStatus.BOOKED, id="all is booked"),
        pytest.param(
            {"finished": {"1": {BOOKED: 2}}, "complete": True},
            SnapshotStatus.CLOSING,
            id="what it left out is not known yet",
        ),
        pytest.param(
            {"finished": {"1": {BOOKED: 2}}, "complete": True, "left_out_chunks": 1},
            SnapshotStatus.CLOSING,
            id="what it left out is not counted yet",
        ),
        pytest.param(
            {"finished": {"1": {BOOKED: 2}, "2": {}}, "complete": True, "left_out_chunks": 1},
            SnapshotStatus.BOOKED,
            id="what it left out is counted",
        ),
        pytest.param(
            {"finished": {"1": {BOOKED: 2}}, "complete": True, "left_out_chunks": 0},
            SnapshotStatus.BOOKED,
            id="it left nothing out",
        ),
        pytest.param({"chunks": 2, "finished": FINISHED}, SnapshotStatus.AWAITING_APPROVAL, id="a row waits"),
        pytest.param(
            {"chunks": 2, "finished": FINISHED, "decision": Decision.REJECT},
            SnapshotStatus.DECIDED,
            id="it is decided, not carried out",
        ),
        pytest.param(
            {"finished": {"1": {RowOutcome.REJECTED: 2}}, "decision": Decision.REJECT},
            SnapshotStatus.REJECTED,
            id="what waited was dropped",
        ),
        pytest.param(
            {"finished": {"1": {BOOKED: 2}}, "decision": Decision.APPROVE},
            SnapshotStatus.BOOKED,
            id="what waited was booked",
        ),
    ],
)
def test_where_a_snapshot_stands_follows_from_its_facts(facts: dict[str, Any], status: SnapshotStatus) -> None:
    assert status_of(head(**facts)) is status


def test_a_chunk_that_is_finished_twice_is_one_step() -> None:
    result = ChunkResult(snapshot_id="S1", number=1, counts={BOOKED: 2})
    once = chunk_finished(head(), result)
    assert (once.version, once.status) == (2, SnapshotStatus.BOOKED)
    assert chunk_finished(once, result) == once


def test_a_slow_worker_does_not_undo_what_was_decided_since() -> None:
    waiting = ChunkResult(snapshot_id="S1", number=1, counts={AWAITING: 1})
    settled = replace(waiting, counts={BOOKED: 1}, decided=True)
    told = decided(chunk_finished(head(), waiting), Decision.APPROVE, "api:boss", at(3))
    done = chunk_finished(told, settled)
    assert done.status is SnapshotStatus.BOOKED
    assert chunk_finished(done, waiting) == done


def test_only_rows_that_wait_can_be_decided_and_only_once() -> None:
    waiting = stepped(head(chunks=2), finished=FINISHED)
    told = decided(waiting, Decision.APPROVE, "api:boss", at(3))
    assert (told.status, told.decided_by, told.decided_at) == (SnapshotStatus.DECIDED, "api:boss", at(3))
    assert decided(told, Decision.APPROVE, "api:other", at(4)) == told
    for step in (told, head()):
        with pytest.raises(IllegalTransition):
            decided(step, Decision.REJECT, "api:boss", at(4))


def test_the_report_tells_of_what_is_not_simply_booked_and_counts_all() -> None:
    waiting = RowResult(row=3, outcome=AWAITING, sku="TEE", on_hand=500, on_books=2)
    bad = RowResult(row=2, outcome=RowOutcome.REFUSED, field="sku", reason="NOT_A_SKU")
    plain = RowResult(row=1, outcome=BOOKED, sku="MUG", on_hand=1, on_books=2)
    made = summary(head(), 1, [waiting, plain, bad])
    assert made.rows == (bad, waiting)
    assert made.counts == {AWAITING: 1, BOOKED: 1, RowOutcome.REFUSED: 1}
    approved = redecided(made, [replace(waiting, outcome=BOOKED)])
    assert (approved.rows, approved.counts) == ((bad,), {BOOKED: 2, RowOutcome.REFUSED: 1})
    rejected = redecided(made, [drop(waiting)])
    assert [row.outcome for row in rejected.rows] == [RowOutcome.REFUSED, RowOutcome.REJECTED]
    assert rejected.counts[RowOutcome.REJECTED] == 1


@pytest.mark.parametrize(
    ("hours", "reason"),
    [(0.1, "IN_THE_FUTURE"), (-24 * 367, "TOO_OLD")],
)
def test_a_count_of_no_likely_moment_is_refused(hours: float, reason: str) -> None:
    with pytest.raises(InvalidMessage) as refused:
        counted_moment(at(hours), NOON, field="data.as_of", max_age=MAX_AGE)
    assert (refused.value.field, refused.value.reason) == ("data.as_of", reason)


def test_a_location_may_tell_of_long_ago() -> None:
    assert counted_moment(at(-24 * 1_000), NOON) == at(-24 * 1_000)


def test_the_moment_is_kept_in_whole_seconds() -> None:
    assert counted_moment(at(-1) + timedelta(microseconds=999_999), NOON) == at(-1)


def test_a_part_survives_the_queue_and_keeps_its_identity() -> None:
    told = {"snapshot_id": "S1", "location_id": "ny", "as_of": NOON, "received_at": at(1), "actor": "ny"}
    told |= {"complete": True, "number": 2, "chunks": 3, "rows": [{"sku": "MUG", "on_hand": 3}, "nonsense"]}
    snapshot, chunk = part_of(part_message("m-1", **told))
    assert (snapshot, chunk) == part(**told)
    assert (snapshot.as_of, snapshot.complete, snapshot.chunks) == (NOON, True, 3)
    assert chunk.rows == (CountedRow(row=1, sku="MUG", on_hand=3),)
    assert [row.row for row in chunk.refused] == [2]
    assert part(**told | {"rows": [{"sku": "MUG", "on_hand": 4}]})[1].content_hash != chunk.content_hash


def test_there_is_no_fourth_part_of_three() -> None:
    told = {"snapshot_id": "S1", "location_id": "ny", "as_of": NOON, "received_at": at(1), "actor": "ny"}
    with pytest.raises(InvalidMessage):
        part(number=4, chunks=3, rows=[{}], **told)


@pytest.mark.parametrize(("kind", "ending"), [(FileFormat.CSV, "csv"), (FileFormat.JSON_LINES, "jsonl")])
def test_an_upload_has_one_file_named_after_the_snapshot(kind: FileFormat, ending: str) -> None:
    made = upload(kind, snapshot_id="S1", location_id="ny", as_of=NOON, received_at=at(1), actor="api:shop")
    assert (made.file_key, made.status) == (f"snapshots/S1.{ending}", SnapshotStatus.UPLOADING)
    assert status_of(made) is made.status
