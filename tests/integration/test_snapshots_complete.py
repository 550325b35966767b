"""What a complete snapshot leaves out is counted as zero, once; what differs too much waits for a person."""

from __future__ import annotations

from dataclasses import replace

import pytest

from oms.domain import stock as moves
from oms.domain.counted_rows import RowOutcome
from oms.domain.errors import IllegalTransition, Unavailable
from oms.domain.snapshots import ChunkResult, Decision, SnapshotStatus
from oms.domain.stock import StockPosition
from oms.runtime import clients
from oms.usecases import counting as counting_module
from tests.integration.company import at, balance, everything, worker
from tests.integration.counting import (
    EAST,
    WEST,
    CountDesk,
    counts,
    happened,
    on_hand,
    outcomes,
    snapshot_movements,
)
from tests.integration.faults import CrashedError, Faults
from tests.integration.stage import Stage

BOOKED, AWAITING = SnapshotStatus.BOOKED, SnapshotStatus.AWAITING_APPROVAL
PLENTY = {"MUG": 400, "BOWL": 2}


@pytest.fixture
def desk(stage: Stage) -> CountDesk:
    return CountDesk()


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


def test_what_was_left_out_is_zeroed_though_its_finder_died_before_he_told(
    stage: Stage, desk: CountDesk, monkeypatch: pytest.MonkeyPatch
) -> None:
    desk.send({"MUG": 10}, complete=True)
    told, send = list(desk.doubled.sent), desk.doubled.send
    monkeypatch.setattr(desk.doubled, "send", lambda *_, **__: (_ for _ in ()).throw(Unavailable("no queue")))
    with pytest.raises(Unavailable):
        desk.work()
    assert desk.report().head.status is SnapshotStatus.CLOSING
    monkeypatch.setattr(desk.doubled, "send", send)
    assert desk.doubled.sent == told
    desk.work()
    assert on_hand(stage, "BOWL") == 0
    assert desk.report().head.status is BOOKED


def test_what_became_of_a_chunk_is_said_once_and_once_more_by_who_decided(desk: CountDesk) -> None:
    first = ChunkResult(snapshot_id="S1", number=1, counts={RowOutcome.AWAITING_APPROVAL: 1})
    other = replace(first, counts={RowOutcome.BOOKED: 1})
    approved, rejected = replace(other, decided=True), replace(first, decided=True)
    assert [desk.store.keep_result(one) for one in (first, other, approved, rejected)] == [
        first, first, approved, approved,
    ]  # fmt: skip
    assert desk.store.result("S1", 1) == approved


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
