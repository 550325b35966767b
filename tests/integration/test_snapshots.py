"""Snapshots over the real stores: counts become the truth, whoever works on them, how often and how far he gets."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from oms.domain import stock as moves
from oms.domain.changes import StockChange
from oms.domain.counted_rows import FileFormat
from oms.domain.errors import IllegalTransition, InvalidMessage, NotFound, Retryable
from oms.domain.snapshot_parts import upload
from oms.domain.snapshots import Decision, SnapshotStatus
from oms.domain.stock import StockMove, StockPosition
from oms.runtime import clients
from oms.stores import reference_data
from oms.usecases import counting as counting_module
from oms.usecases.counting import take_snapshot
from tests.integration.company import NOON, Worker, at, balance, everything, order_id, released, report, worker
from tests.integration.counting import EAST, WEST, CountDesk, booking, counts, outcomes
from tests.integration.faults import CrashedError, Faults
from tests.integration.stage import SETTINGS, Stage

BOOKED, AWAITING = SnapshotStatus.BOOKED, SnapshotStatus.AWAITING_APPROVAL
PLENTY = {"MUG": 400, "BOWL": 2}


@pytest.fixture
def desk(stage: Stage) -> CountDesk:
    return CountDesk()


def on_hand(stage: Stage, sku: str, location_id: str = EAST) -> int:
    return stage.position(sku, location_id).on_hand


def happened(made: Worker, move: StockMove, hours: float, *, told: float, name: str = "fact") -> None:
    """Something moved at one hour and is booked at another."""
    move = replace(move, effective_at=at(hours))
    change = StockChange(change_id=name, effective_at=at(hours), at=at(told), actor="test", moves=(move,))
    result = made.commit.commit_one(change)
    assert result.committed, result


def snapshot_movements(stage: Stage) -> list[tuple[str, int]]:
    """(sku, units) of every count that changed a position."""
    rows = [row for row in stage.rows("stock_movements") if row["kinds"] == ["SNAPSHOT"]]
    return sorted((row["sku"], row["changes"]["on_hand"]) for row in rows)


# rows


def test_what_was_counted_is_on_hand_and_each_row_is_told_of(stage: Stage, desk: CountDesk) -> None:
    told = desk.count({"MUG": 12, "BOWL": 3, "KETTLE": 1, "NOPE": 4})
    assert (on_hand(stage, "MUG"), on_hand(stage, "BOWL"), on_hand(stage, "KETTLE")) == (12, 3, 1)
    assert told.head.status is BOOKED
    assert counts(told) == {"BOOKED": 2, "UNCHANGED": 1, "REFUSED": 1}
    assert [(row["row"], row["field"], row["reason"]) for row in told.rows] == [(4, "sku", "UNKNOWN_SKU")]
    balance(stage)


def test_a_count_that_agrees_writes_the_moment_and_no_movement(stage: Stage, desk: CountDesk) -> None:
    assert counts(desk.count({"BOWL": 3})) == {"UNCHANGED": 1}
    assert stage.position("BOWL", EAST).snapshot_as_of == NOON
    assert stage.rows("stock_movements") == []


def test_bad_rows_hold_up_no_good_one(stage: Stage, desk: CountDesk) -> None:
    rows = [{"sku": "MUG", "on_hand": 9}, "junk", {"sku": "BOWL", "on_hand": -1}, {"sku": "MUG", "on_hand": 8}]
    told = desk.count(*rows, {"sku": "KETTLE", "on_hand": 2})
    assert (on_hand(stage, "MUG"), on_hand(stage, "KETTLE"), on_hand(stage, "BOWL")) == (9, 2, 3)
    assert [row["reason"] for row in told.rows] == ["NOT_AN_OBJECT", "NEGATIVE", "DUPLICATE_SKU"]


def test_what_is_promised_stays_promised_though_less_was_counted(stage: Stage, desk: CountDesk) -> None:
    released(worker(), 1, {"BOWL": 3})
    desk.count({"BOWL": 1})
    position = stage.position("BOWL", EAST)
    assert (position.on_hand, position.available, position.committed) == (1, -2, 3)
    balance(stage)


def test_an_older_count_than_the_last_is_stale(stage: Stage, desk: CountDesk) -> None:
    desk.count({"MUG": 12})
    told = desk.count({"MUG": 7, "BOWL": 2}, snapshot_id="S0", as_of=at(-1))
    assert outcomes(told) == {"MUG": "STALE"}
    assert (on_hand(stage, "MUG"), on_hand(stage, "BOWL")) == (12, 2)


def test_only_the_location_that_was_counted_changes(stage: Stage, desk: CountDesk) -> None:
    desk.count({"MUG": 12}, complete=True)
    assert on_hand(stage, "MUG", WEST) == 5
    assert on_hand(stage, "KETTLE", WEST) == 4


# what moved before and after the moment


def test_what_came_and_went_after_the_moment_is_added(stage: Stage, desk: CountDesk) -> None:
    made = worker()
    happened(made, moves.receive("MUG", EAST, 20), 0.5, told=0.5, name="delivery")
    happened(made, moves.adjust("MUG", EAST, -3), 0.75, told=0.75, name="lost")
    happened(made, moves.receive("MUG", WEST, 50), 0.5, told=0.5, name="elsewhere")
    desk.count({"MUG": 8})
    assert on_hand(stage, "MUG") == 8 + 20 - 3


def test_what_came_and_went_before_the_moment_is_in_the_count(stage: Stage, desk: CountDesk) -> None:
    made = worker()
    happened(made, moves.receive("MUG", EAST, 20), -1, told=-1, name="delivery")
    happened(made, moves.receive("MUG", EAST, 5), 0, told=0.5, name="at the very moment")
    desk.count({"MUG": 30})
    assert on_hand(stage, "MUG") == 30


def test_only_of_what_was_written_since_is_the_ledger_read(stage: Stage, desk: CountDesk, faults: Faults) -> None:
    made, asked = worker(), Faults()
    happened(made, moves.receive("MUG", EAST, 1), -3, told=-3, name="long ago")
    happened(made, moves.receive("BOWL", EAST, 1), 0.02, told=-0.02, name="by a clock that is ahead")
    asked.before("Query", lambda _: None, times=100)
    desk.count({"MUG": 20, "BOWL": 4, "KETTLE": 2})
    asked.mend()
    assert (on_hand(stage, "MUG"), on_hand(stage, "BOWL"), on_hand(stage, "KETTLE")) == (20, 5, 2)
    assert asked.hits == 2  # the ledger of the bowls, and the report


def test_a_shipment_reported_late_leaves_on_hand_as_counted_and_frees_its_promise(
    stage: Stage, desk: CountDesk
) -> None:
    made = worker()
    order = released(made, 1, {"MUG": 4}, placed_at=at(-2))
    desk.count({"MUG": 6})  # the four are gone already, nobody has said so
    assert stage.position("MUG", EAST).available == 6 - 4
    made.report(report("shipped", order, occurred_at=at(-0.5)), hours=2)
    position = stage.position("MUG", EAST)
    assert (position.on_hand, position.committed, position.available) == (6, 0, 6)
    balance(stage)
    made.report(report("shipped", order, occurred_at=at(-0.5)), hours=3)
    assert stage.position("MUG", EAST) == position


def test_a_shipment_after_the_moment_is_taken_off_whether_told_before_or_after_the_count(
    stage: Stage, desk: CountDesk
) -> None:
    made = worker()
    early, late = released(made, 1, {"MUG": 2}, placed_at=at(-2)), released(made, 2, {"MUG": 3}, placed_at=at(-2))
    made.report(report("shipped", early, occurred_at=at(0.5)), hours=0.75)
    desk.count({"MUG": 10})
    assert on_hand(stage, "MUG") == 10 - 2
    made.report(report("shipped", late, occurred_at=at(0.25), shipment_id="parcel-2"), hours=2)
    assert on_hand(stage, "MUG") == 10 - 2 - 3
    balance(stage)


def test_shipments_booked_together_are_told_apart_by_when_they_left(stage: Stage, desk: CountDesk) -> None:
    made = worker()
    orders = [released(made, number, {"MUG": 1}, placed_at=at(-2)) for number in (1, 2, 3)]
    left = zip(orders, (-1, 0.5, 1), strict=True)
    told = [report("shipped", one, occurred_at=at(hours), shipment_id=one.order_id) for one, hours in left]
    assert made.report(*told, hours=1).failed == {}
    desk.count({"MUG": 9}, received_at=at(2))
    assert on_hand(stage, "MUG") == 9 - 2
    balance(stage)


def test_a_parcel_that_left_within_the_second_of_the_count_is_in_the_count(stage: Stage, desk: CountDesk) -> None:
    made = worker()
    order = released(made, 1, {"MUG": 4}, placed_at=at(-2))
    desk.count({"MUG": 6})
    applied = made.report(report("shipped", order, occurred_at=NOON.replace(microsecond=500_000)), hours=2)
    assert applied.failed == {}
    position = stage.position("MUG", EAST)
    assert (position.on_hand, position.committed) == (6, 0)


# others at the same time


def test_a_shipment_between_reading_and_writing_is_not_lost(stage: Stage, desk: CountDesk, faults: Faults) -> None:
    made, order = worker(), released(worker(), 1, {"MUG": 4}, placed_at=at(-2))
    desk.send({"MUG": 10})
    faults.meanwhile("TransactWriteItems", lambda: made.report(report("shipped", order, occurred_at=at(0.5))))
    desk.work()
    assert faults.hits == 1
    assert on_hand(stage, "MUG") == 10 - 4
    balance(stage)


def test_one_up_and_one_down_between_reading_and_writing_are_not_taken_for_nothing(
    stage: Stage, desk: CountDesk, faults: Faults
) -> None:
    made = worker()

    def meanwhile() -> None:
        happened(made, moves.adjust("MUG", EAST, -1), -1, told=1, name="lost before the count")
        happened(made, moves.receive("MUG", EAST, 1), 0.5, told=1, name="found after it")

    desk.send({"MUG": 7})
    faults.meanwhile("TransactWriteItems", meanwhile)
    desk.work()
    assert on_hand(stage, "MUG") == 7 + 1


def test_a_promise_between_reading_and_writing_needs_no_second_look(
    stage: Stage, desk: CountDesk, faults: Faults
) -> None:
    desk.send({"BOWL": 5})
    faults.meanwhile("TransactWriteItems", lambda: released(worker(), 1, {"BOWL": 2}, placed_at=at(-2)))
    desk.work()
    position = stage.position("BOWL", EAST)
    assert (position.on_hand, position.committed, position.available) == (5, 2, 3)
    balance(stage)


def test_two_workers_at_the_same_chunk_book_it_once(stage: Stage, desk: CountDesk, faults: Faults) -> None:
    desk.send({"MUG": 12, "BOWL": 5})
    faults.meanwhile("TransactWriteItems", lambda: CountDesk().chunk())
    desk.work()
    assert snapshot_movements(stage) == [("BOWL", 2), ("MUG", 2)]
    assert counts(desk.report()) == {"BOOKED": 2}
    balance(stage)


def test_a_chunk_that_comes_twice_changes_nothing_more(stage: Stage, desk: CountDesk) -> None:
    desk.count({"MUG": 12, "BOWL": 3}, complete=True)
    before = everything(stage)
    desk.chunk()
    desk.work()
    desk.count({"MUG": 12, "BOWL": 3}, complete=True)
    assert everything(stage) == before


@pytest.mark.parametrize("operation", ["TransactWriteItems", "PutItem"])
@pytest.mark.parametrize("nth", [1, 2, 3, 4])
@pytest.mark.parametrize("when", ["before", "after"])
def test_a_worker_who_dies_anywhere_leaves_nothing_half_done(
    stage: Stage, desk: CountDesk, faults: Faults, monkeypatch: pytest.MonkeyPatch,
    operation: str, nth: int, when: str,
) -> None:  # fmt: skip
    monkeypatch.setattr(counting_module, "ROWS_AT_ONCE", 1)
    desk.send({"MUG": 12, "BOWL": 3, "NOPE": 1}, complete=True)
    desk.send({"MUG": 12, "BOWL": 3, "NOPE": 1}, complete=True)
    crash = faults.crash_before if when == "before" else faults.crash_after
    crash(operation, nth=nth)
    for _ in range(3):
        try:
            desk.work()
        except CrashedError:
            continue
    assert desk.report().head.status is BOOKED
    assert counts(desk.report()) == {"BOOKED": 1, "UNCHANGED": 1, "REFUSED": 1}
    assert snapshot_movements(stage) == [("MUG", 2)]
    balance(stage)


def test_an_answer_that_never_came_is_found_out(stage: Stage, desk: CountDesk, faults: Faults) -> None:
    desk.send({"MUG": 12})
    faults.time_out_after("TransactWriteItems")
    desk.work()
    assert faults.hits == 1
    assert counts(desk.report()) == {"BOOKED": 1}
    assert snapshot_movements(stage) == [("MUG", 2)]


def test_a_worker_out_of_time_keeps_what_was_booked(
    stage: Stage, desk: CountDesk, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(counting_module, "ROWS_AT_ONCE", 1)
    desk.send({"BOWL": 4, "MUG": 12})
    time_left = iter([True, False])
    with pytest.raises(Retryable):
        desk.counting.chunk("S1", 1, at(2), lambda: next(time_left))
    assert (on_hand(stage, "BOWL"), on_hand(stage, "MUG")) == (4, 10)
    desk.work()
    assert counts(desk.report()) == {"BOOKED": 2}
    assert (on_hand(stage, "BOWL"), on_hand(stage, "MUG")) == (4, 12)


# complete snapshots


def test_what_a_complete_snapshot_leaves_out_is_counted_as_zero(stage: Stage, desk: CountDesk) -> None:
    happened(worker(), moves.receive("BOWL", EAST, 5), 0.5, told=0.5)
    told = desk.count({"MUG": 10}, complete=True)
    assert (on_hand(stage, "MUG"), on_hand(stage, "BOWL")) == (10, 5)
    assert outcomes(told) == {"BOWL": "ZEROED"}
    assert told.head.status is BOOKED
    assert on_hand(stage, "KETTLE", WEST) == 4


def test_what_a_snapshot_that_is_not_complete_leaves_out_stays(stage: Stage, desk: CountDesk) -> None:
    desk.count({"MUG": 10})
    assert on_hand(stage, "BOWL") == 3


def test_nothing_is_zero_before_the_last_part_is_booked(stage: Stage, desk: CountDesk) -> None:
    desk.send({"KETTLE": 1}, number=2, chunks=2, complete=True)
    desk.work()
    assert (desk.report().head.status, desk.report().head.missing_chunks) == (SnapshotStatus.RECEIVING, [1])
    assert (on_hand(stage, "BOWL"), on_hand(stage, "KETTLE")) == (3, 1)
    desk.send({"MUG": 10}, number=1, chunks=2, complete=True)
    desk.work()
    assert outcomes(desk.report()) == {"BOWL": "ZEROED"}
    assert desk.report().head.status is BOOKED


def test_two_workers_who_finish_the_last_two_parts_together_zero_once(
    stage: Stage, desk: CountDesk, faults: Faults
) -> None:
    other = CountDesk()
    desk.send({"MUG": 11}, number=1, chunks=2, complete=True)
    other.send({"KETTLE": 1}, number=2, chunks=2, complete=True)
    for nth in (1, 2, 3):  # just before each of the first worker's writes of a document
        faults.meanwhile("PutItem", other.work if nth == 1 else lambda: other.chunk(2), nth=nth)
    desk.work()
    faults.mend()
    desk.work()
    assert snapshot_movements(stage) == [("BOWL", -3), ("KETTLE", 1), ("MUG", 1)]
    assert desk.report().head.status is BOOKED
    balance(stage)


def test_what_was_named_but_not_booked_is_not_zeroed(stage: Stage, desk: CountDesk) -> None:
    told = desk.count({"sku": "MUG", "on_hand": 400}, {"sku": "BOWL", "on_hand": "three"}, complete=True)
    assert outcomes(told) == {"MUG": "AWAITING_APPROVAL", "BOWL": "REFUSED"}
    assert (on_hand(stage, "MUG"), on_hand(stage, "BOWL")) == (10, 3)


def test_where_a_row_names_no_sku_a_person_looks_at_every_zero(stage: Stage, desk: CountDesk) -> None:
    told = desk.count({"sku": "MUG", "on_hand": 10}, {"on_hand": 3}, complete=True)
    assert outcomes(told) == {"row 2": "REFUSED", "BOWL": "AWAITING_APPROVAL"}
    assert on_hand(stage, "BOWL") == 3
    desk.decide(Decision.APPROVE)
    assert on_hand(stage, "BOWL") == 0


def test_many_skus_that_were_left_out_are_counted_in_chunks(
    stage: Stage, desk: CountDesk, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(counting_module, "ROWS_A_CHUNK", 2)
    for number in range(5):
        stage.put("stock", StockPosition(sku=f"SKU-{number}", location_id=EAST, on_hand=number, available=number))
    told = desk.count({"MUG": 10, "BOWL": 3}, complete=True)
    assert told.head.left_out_chunks == 3
    assert counts(told) == {"UNCHANGED": 3, "ZEROED": 4}
    assert {row["sku"]: row["on_hand"] for row in stage.rows("stock")}["SKU-4"] == 0


# approval


def test_a_large_difference_waits_where_a_person_finds_it(stage: Stage, desk: CountDesk) -> None:
    told = desk.count(PLENTY)
    assert (told.head.status, outcomes(told)) == (AWAITING, {"MUG": "AWAITING_APPROVAL"})
    assert (on_hand(stage, "MUG"), on_hand(stage, "BOWL")) == (10, 2)
    answer = clients.client("dynamodb").query(
        TableName="oms-test-stock_documents",
        IndexName="by_open_status",
        KeyConditionExpression="open_status = :s",
        ExpressionAttributeValues={":s": {"S": "AWAITING_APPROVAL"}},
    )
    assert [item["location_id"]["S"] for item in answer["Items"]] == [EAST]


def test_what_was_approved_is_booked_on_the_stock_as_it_is_then(stage: Stage, desk: CountDesk) -> None:
    desk.count(PLENTY)
    happened(worker(), moves.receive("MUG", EAST, 7), 2.5, told=2.5)
    told = desk.decide(Decision.APPROVE)
    assert on_hand(stage, "MUG") == 400 + 7
    assert (told.head.status, counts(told), told.rows) == (BOOKED, {"BOOKED": 2}, [])
    assert "open_status" not in next(row for row in stage.rows("stock_documents") if row["part"] == "HEADER")
    balance(stage)


def test_what_was_rejected_is_dropped_and_told(stage: Stage, desk: CountDesk) -> None:
    desk.count(PLENTY)
    told = desk.decide(Decision.REJECT)
    assert on_hand(stage, "MUG") == 10
    assert (told.head.status, outcomes(told)) == (SnapshotStatus.REJECTED, {"MUG": "REJECTED"})


def test_what_was_approved_too_late_is_stale(stage: Stage, desk: CountDesk) -> None:
    desk.count(PLENTY)
    desk.count({"MUG": 11}, snapshot_id="S2", as_of=at(1))
    assert outcomes(desk.decide(Decision.APPROVE)) == {"MUG": "STALE"}
    assert on_hand(stage, "MUG") == 11


def test_a_decision_is_made_once_and_repeating_it_changes_nothing(stage: Stage, desk: CountDesk) -> None:
    desk.count(PLENTY)
    desk.decide(Decision.APPROVE)
    before = everything(stage)
    desk.decide(Decision.APPROVE)
    desk.chunk(now=at(5))
    assert everything(stage) == before
    with pytest.raises(IllegalTransition):
        desk.decide(Decision.REJECT)


def test_nobody_decides_while_parts_are_missing(desk: CountDesk) -> None:
    desk.count(PLENTY, chunks=2)
    with pytest.raises(IllegalTransition):
        desk.decide(Decision.APPROVE)


@pytest.mark.parametrize("operation", ["TransactWriteItems", "PutItem"])
@pytest.mark.parametrize("nth", [1, 2, 3])
def test_a_decision_that_is_cut_off_is_carried_out_once(
    stage: Stage, desk: CountDesk, faults: Faults, operation: str, nth: int
) -> None:
    desk.count(PLENTY, complete=True)
    faults.crash_after(operation, nth=nth)
    for _ in range(3):
        try:
            desk.decide(Decision.APPROVE)
        except CrashedError:
            continue
    assert snapshot_movements(stage) == [("BOWL", -1), ("MUG", 390)]
    assert counts(desk.report()) == {"BOOKED": 2}


def test_the_company_says_what_a_large_difference_is(stage: Stage, desk: CountDesk) -> None:
    stage.put("settings", {"approval_units": 1, "approval_percent": 0}, kind="stock_policy", name="active")
    assert outcomes(desk.count({"MUG": 12, "BOWL": 4})) == {"MUG": "AWAITING_APPROVAL"}


# parts


@pytest.mark.parametrize(
    ("changed", "field"),
    [
        pytest.param({"location_id": WEST}, "location_id", id="another location"),
        pytest.param({"as_of": at(-1)}, "as_of", id="another moment"),
        pytest.param({"complete": True}, "complete", id="complete now"),
        pytest.param({"chunks": 2}, "chunks", id="more parts"),
    ],
)
def test_a_snapshot_sent_again_as_another_is_refused(desk: CountDesk, changed: dict[str, Any], field: str) -> None:
    desk.send({"MUG": 12})
    with pytest.raises(InvalidMessage) as refused:
        desk.send({"MUG": 12}, **changed)
    assert (refused.value.field, refused.value.reason) == (field, "KEY_REUSED")


def test_a_part_sent_again_with_other_rows_is_refused(stage: Stage, desk: CountDesk) -> None:
    desk.count({"MUG": 12})
    with pytest.raises(InvalidMessage):
        desk.send({"MUG": 13})
    desk.send({"MUG": 12}, received_at=at(4), actor="somebody else")
    assert on_hand(stage, "MUG") == 12


def test_a_location_nobody_knows_is_refused(desk: CountDesk) -> None:
    with pytest.raises(InvalidMessage) as refused:
        desk.send({"MUG": 12}, location_id="WH-NOWHERE")
    assert refused.value.reason == "UNKNOWN_LOCATION"


def test_what_was_never_sent_is_not_found(desk: CountDesk) -> None:
    for ask in (desk.report, desk.chunk, lambda: desk.decide(Decision.APPROVE), lambda: desk.door.uploaded("S1")):
        with pytest.raises(NotFound):
            ask()


def test_more_skus_than_a_worker_remembers_are_all_known(
    stage: Stage, desk: CountDesk, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reference_data, "MAX_KEPT", 2)
    desk.count({"MUG": 11})
    told = desk.count({"MUG": 12, "BOWL": 4, "KETTLE": 1}, snapshot_id="S2", as_of=at(1))
    assert counts(told) == {"BOOKED": 3}


def test_a_report_is_read_page_by_page(stage: Stage, desk: CountDesk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("oms.usecases.snapshots.RESULTS_A_PAGE", 1)
    for number, rows in enumerate([{"X": 1}, {"MUG": 10}, {"Y": 1}], start=1):
        desk.send(rows, number=number, chunks=3)
    desk.work()
    seen, cursor = [], None
    for _ in range(4):
        page = desk.door.report("S1", cursor)
        seen += [(row["chunk"], row["sku"]) for row in page.rows]
        cursor = page.cursor
        if cursor is None:
            break
    assert seen == [(1, "X"), (3, "Y")]


# files


def put_file(desk: CountDesk, text: str | bytes, file_format: FileFormat = FileFormat.CSV, **facts: Any) -> str:
    """Asks for an upload and uploads; returns the file's key."""
    made = {"snapshot_id": "S1", "location_id": EAST, "as_of": NOON, "received_at": at(1), "actor": "api:shop"}
    head, address = desk.door.ask_for_upload(upload(file_format, **(made | facts)))
    assert "X-Amz-Signature" in address
    assert head.file_key in address
    body = text.encode() if isinstance(text, str) else text
    clients.client("s3").put_object(Bucket=SETTINGS["INBOX_BUCKET"], Key=head.file_key, Body=body)
    return head.file_key


def test_a_file_is_taken_apart_and_booked_row_by_row(
    stage: Stage, desk: CountDesk, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(counting_module, "ROWS_A_CHUNK", 2)
    put_file(desk, "sku,on_hand\nMUG,12\nBOWL,many\nKETTLE,2\nNOPE,1\nMUG,7\n", complete=True)
    assert desk.report().head.status is SnapshotStatus.UPLOADING
    desk.door.uploaded("S1")
    desk.work()
    told = desk.report()
    assert (told.head.status, told.head.chunks) == (BOOKED, 2)
    assert {(row["row"], row["reason"]) for row in told.rows} == {
        (2, "NOT_A_NUMBER"), (4, "UNKNOWN_SKU"), (5, "DUPLICATE_SKU"),
    }  # fmt: skip
    assert (on_hand(stage, "MUG"), on_hand(stage, "BOWL"), on_hand(stage, "KETTLE")) == (12, 3, 2)


@pytest.mark.parametrize("nth", [1, 2, 3, 4])
def test_a_file_whose_reader_dies_is_read_to_its_end(
    stage: Stage, desk: CountDesk, faults: Faults, monkeypatch: pytest.MonkeyPatch, nth: int
) -> None:
    monkeypatch.setattr(counting_module, "ROWS_A_CHUNK", 1)
    put_file(desk, '{"sku":"MUG","on_hand":12}\n{"sku":"BOWL","on_hand":4}\n', FileFormat.JSON_LINES)
    desk.door.uploaded("S1")
    faults.crash_after("PutItem", nth=nth)
    for _ in range(3):
        try:
            desk.work()
        except CrashedError:
            continue
    assert counts(desk.report()) == {"BOOKED": 2}
    assert snapshot_movements(stage) == [("BOWL", 1), ("MUG", 2)]


def test_the_first_file_that_was_read_stands(stage: Stage, desk: CountDesk) -> None:
    key = put_file(desk, "sku,on_hand\nMUG,12\n")
    desk.door.uploaded("S1")
    desk.work()
    clients.client("s3").put_object(Bucket=SETTINGS["INBOX_BUCKET"], Key=key, Body=b"sku,on_hand\nMUG,7\nBOWL,1\n")
    desk.door.uploaded("S1")
    desk.work()
    assert (on_hand(stage, "MUG"), on_hand(stage, "BOWL")) == (12, 3)
    with pytest.raises(IllegalTransition):
        put_file(desk, "sku,on_hand\nMUG,8\n")


@pytest.mark.parametrize(
    ("content", "refusal"),
    [
        pytest.param(b"\xff\xfe\x00", "NOT_TEXT", id="no text"),
        pytest.param(b"sku,on_hand\n", "ROWS_OUT_OF_BOUNDS", id="no rows"),
        pytest.param(b"sku,on_hand\n" + b"A,1\n" * 4, "ROWS_OUT_OF_BOUNDS", id="too many rows"),
        pytest.param(b"sku,on_hand\n" + b" " * 100, "TOO_LARGE", id="too large"),
    ],
)
def test_a_file_that_cannot_be_read_is_refused_and_another_may_follow(
    stage: Stage, desk: CountDesk, monkeypatch: pytest.MonkeyPatch, content: bytes, refusal: str
) -> None:
    monkeypatch.setattr(counting_module, "MAX_ROWS", 3)
    monkeypatch.setattr(counting_module, "MAX_FILE_BYTES", 60)
    put_file(desk, content)
    desk.door.uploaded("S1")
    desk.work()
    assert (desk.report().head.status, desk.report().head.refusal) == (SnapshotStatus.REFUSED, refusal)
    put_file(desk, "sku,on_hand\nMUG,12\n")
    desk.door.uploaded("S1")
    desk.work()
    assert on_hand(stage, "MUG") == 12
    assert desk.report().head.refusal == ""


def test_a_file_that_was_never_uploaded_is_asked_for_again(desk: CountDesk) -> None:
    facts = {"snapshot_id": "S1", "location_id": EAST, "as_of": NOON, "received_at": at(1), "actor": "api:shop"}
    desk.door.ask_for_upload(upload(FileFormat.CSV, **facts))
    desk.door.uploaded("S1")
    desk.work()
    assert desk.report().head.refusal == "NOT_UPLOADED"


def test_a_snapshot_sent_in_parts_has_no_file(desk: CountDesk) -> None:
    desk.send({"MUG": 12})
    with pytest.raises(IllegalTransition):
        desk.door.uploaded("S1")


# one count without a document


def test_a_count_by_hand_sets_what_is_on_hand_each_time(stage: Stage) -> None:
    released(worker(), 1, {"BOWL": 3})
    assert take_snapshot(booking(), EAST, {"MUG": 500, "BOWL": 1}, at(3)) == 2
    assert take_snapshot(booking(), EAST, {"MUG": 3, "BOWL": 1}, at(3)) == 1
    assert (on_hand(stage, "MUG"), on_hand(stage, "BOWL")) == (3, 1)
    assert stage.position("BOWL", EAST).available == -2
    assert stage.order(order_id()).lines[0].in_fulfillment == 3
    balance(stage)
