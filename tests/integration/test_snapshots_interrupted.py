"""Counting among others who move stock, twice at once, and cut off anywhere: each row is booked once."""

from __future__ import annotations

import pytest

from oms.domain import stock as moves
from oms.domain.errors import Retryable
from oms.domain.snapshots import SnapshotStatus
from oms.usecases import counting as counting_module
from tests.integration.company import at, balance, everything, released, report, worker
from tests.integration.counting import (
    EAST,
    CountDesk,
    counts,
    happened,
    on_hand,
    snapshot_movements,
)
from tests.integration.faults import CrashedError, Faults
from tests.integration.stage import Stage

BOOKED = SnapshotStatus.BOOKED


@pytest.fixture
def desk(stage: Stage) -> CountDesk:
    return CountDesk()


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
