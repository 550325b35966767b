"""Snapshots over the real stores: counts become the truth, whatever moved before and after their moment."""

from __future__ import annotations

import pytest

from oms.domain import stock as moves
from oms.domain.snapshots import SnapshotStatus
from oms.usecases.counting import take_snapshot
from tests.integration.company import NOON, at, balance, order_id, released, report, worker
from tests.integration.counting import (
    EAST,
    WEST,
    CountDesk,
    booking,
    counts,
    happened,
    on_hand,
    outcomes,
)
from tests.integration.faults import Faults
from tests.integration.stage import Stage

BOOKED = SnapshotStatus.BOOKED


@pytest.fixture
def desk(stage: Stage) -> CountDesk:
    return CountDesk()


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


# one count without a document


def test_a_parcel_that_left_within_the_second_of_the_count_is_in_the_count(stage: Stage, desk: CountDesk) -> None:
    made = worker()
    order = released(made, 1, {"MUG": 4}, placed_at=at(-2))
    desk.count({"MUG": 6})
    applied = made.report(report("shipped", order, occurred_at=NOON.replace(microsecond=500_000)), hours=2)
    assert applied.failed == {}
    position = stage.position("MUG", EAST)
    assert (position.on_hand, position.committed) == (6, 0)


def test_a_count_by_hand_sets_what_is_on_hand_each_time(stage: Stage) -> None:
    released(worker(), 1, {"BOWL": 3})
    assert take_snapshot(booking(), EAST, {"MUG": 500, "BOWL": 1}, at(3)) == 2
    assert take_snapshot(booking(), EAST, {"MUG": 3, "BOWL": 1}, at(3)) == 1
    assert (on_hand(stage, "MUG"), on_hand(stage, "BOWL")) == (3, 1)
    assert stage.position("BOWL", EAST).available == -2
    assert stage.order(order_id()).lines[0].in_fulfillment == 3
    balance(stage)
