"""Units that older orders wait for are theirs, however many ask for them at the same moment."""

from __future__ import annotations

import pytest

from oms.domain.catalog import LocationStatus
from oms.domain.changes import MAX_CLAIMS, Backorder, queue_place
from oms.domain.stock import StockPosition, commit
from oms.usecases.sourcing import StockView
from tests.integration.company import Worker, at, balance, incoming, order_id, received, worker
from tests.integration.faults import Faults
from tests.integration.stage import Stage
from tests.unit import builders


def waits_for_bowls(made: Worker, number: int, units: int) -> None:
    """An order from long ago that is short by so many bowls, once all there were are taken."""
    made.take(incoming(number, {"BOWL": units}, placed_at=at(number - 100)))
    made.allocate(order_id(number))


def gain(made: Worker, units: int, location_id: str = "WH-EAST", name: str = "gain") -> None:
    assert made.commit.commit_one(received("BOWL", location_id, units, change_id=f"{name}-{location_id}")).committed


def short(stage: Stage, *numbers: int) -> list[int]:
    return [sum(line.backordered for line in stage.order(order_id(number)).lines) for number in numbers]


@pytest.mark.parametrize("gains", [{"WH-EAST": 3}, {"WH-EAST": 1, "WH-WEST": 2}, {"WH-EAST": 2, "WH-WEST": 1}])
def test_two_newcomers_at_two_workers_never_both_take_the_one_unit_that_is_spare(
    stage: Stage, faults: Faults, gains: dict[str, int]
) -> None:
    made, rival = worker(), worker()
    waits_for_bowls(made, 1, 5)
    for location_id, units in gains.items():
        gain(made, units, location_id)
    for number in (2, 3):
        made.take(incoming(number, {"BOWL": 1}, placed_at=at(number)))
    faults.meanwhile("TransactWriteItems", lambda: rival.allocate(order_id(3)))
    made.allocate(order_id(2))
    assert faults.hits == 1
    assert sorted(short(stage, 2, 3)) == [0, 1]
    made.allocate(order_id(1), hours=1)
    assert short(stage, 1) == [0]
    balance(stage)


def test_many_newcomers_of_one_batch_leave_what_is_waited_for(stage: Stage) -> None:
    made = worker()
    waits_for_bowls(made, 1, 5)
    gain(made, 4)
    gain(made, 2, "WH-WEST")
    for number in range(2, 8):
        made.take(incoming(number, {"BOWL": 1}, placed_at=at(number)))
    made.allocate(*(order_id(number) for number in range(2, 8)))
    assert short(stage, *range(2, 8)) == [0, 0, 0, 0, 1, 1]
    made.allocate(order_id(1), hours=1)
    assert short(stage, 1) == [0]
    balance(stage)


def test_an_order_that_has_waited_takes_what_is_its_own(stage: Stage) -> None:
    made = worker()
    waits_for_bowls(made, 1, 5)
    waits_for_bowls(made, 2, 1)
    gain(made, 3)
    made.allocate(order_id(2), order_id(1), hours=1)
    assert short(stage, 1, 2) == [0, 0]
    balance(stage)


def row(number: int, units: int) -> Backorder:
    order = builders.order(order_id=order_id(number), placed_at=at(number))
    key = f"{queue_place(order)}#L1"
    return Backorder(sku="MUG", queue_key=key, order_id=order_id(number), line_id="L1", quantity=units)


def seen(*open_: str, **others: LocationStatus) -> StockView:
    """A view of these locations, with nothing on their shelves yet."""
    statuses = dict.fromkeys(open_, LocationStatus.ACTIVE) | others
    return StockView(builders.network(builders.location(one, status=status) for one, status in statuses.items()))


def test_what_is_to_be_left_is_left_where_units_are_taken_and_beyond_that_elsewhere() -> None:
    view = seen("NEAR", "FAR", "OTHER", SHUT=LocationStatus.CLOSED)
    units = {"NEAR": 2, "FAR": 1, "SHUT": 9, "OTHER": 4}
    view.see(
        StockPosition(sku="MUG", location_id=location_id, on_hand=left, available=left)
        for location_id, left in units.items()
    )
    view.join([row(1, 3), row(2, 2), row(9, 50)])
    claims = view.claims([commit("MUG", "NEAR", 1)], queue_place(builders.order(placed_at=at(5))))
    assert [(claim.location_id, claim.quantity) for claim in claims] == [("NEAR", 2), ("FAR", 1), ("OTHER", 2)]


def test_nobody_waits_so_nothing_is_to_be_left() -> None:
    view = seen("NEAR")
    view.see([StockPosition(sku="MUG", location_id="NEAR", on_hand=5, available=5)])
    assert view.claims([commit("MUG", "NEAR", 1)], queue_place(builders.order())) == ()


def test_a_write_checks_no_more_positions_than_fit_it() -> None:
    places = [f"L-{number:02}" for number in range(40)]
    view = seen(*places)
    view.see(StockPosition(sku="MUG", location_id=one, on_hand=1, available=1) for one in places)
    view.join([row(1, 40)])
    claims = view.claims([commit("MUG", "L-39", 1)], queue_place(builders.order(placed_at=at(5))))
    assert len(claims) == MAX_CLAIMS
    assert claims[0].location_id == "L-39"
