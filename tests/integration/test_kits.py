"""Kits on real tables: sold as one thing, promised, shipped and missed as what lies on shelves."""

from __future__ import annotations

import pytest

from oms.domain.catalog import KitComponent, Product
from oms.domain.order import OrderStatus, WaitingFor
from tests.integration.company import (
    at,
    balance,
    everything,
    incoming,
    order_id,
    received,
    released,
    report,
    worker,
)
from tests.integration.faults import CrashedError, Faults
from tests.integration.stage import Stage


def test_a_kit_is_promised_and_shipped_as_its_components(stage: Stage) -> None:
    made = worker()
    order = released(made, lines={"SET": 2, "MUG": 1})
    assert (order.lines[0].unit_grams, order.lines[0].components[0].sku) == (700, "MUG")
    assert stage.position("MUG", "WH-EAST").committed == 5
    assert not made.report(report("shipped", order)).failed
    assert stage.order(order_id()).status is OrderStatus.SHIPPED
    assert stage.position("MUG", "WH-EAST").on_hand == 5
    balance(stage)


def test_a_kit_stays_what_it_was_when_the_order_came_in(stage: Stage) -> None:
    made = worker()
    made.take(incoming(lines={"SET": 1}))
    stage.put("products", Product(sku="SET", kit_components=(KitComponent(sku="BOWL", quantity=1),)))
    assert worker().allocate(order_id()) == []
    assert stage.position("MUG", "WH-EAST").committed == 2
    assert stage.position("BOWL", "WH-EAST").committed == 0
    balance(stage)


def test_kits_and_lines_of_their_components_are_never_promised_the_same_unit(stage: Stage) -> None:
    """15 mugs in all: 7 kits and 2 mugs are 16, whatever order they are looked at in."""
    made = worker()
    made.take(incoming(lines={"SET": 7, "MUG": 2}))
    assert made.allocate(order_id()) == []
    assert stage.order(order_id()).waiting_for is WaitingFor.STOCK
    assert [(row["sku"], row["quantity"]) for row in stage.rows("backorders")] == [("MUG", 1)]
    assert stage.position("MUG", "WH-EAST").available + stage.position("MUG", "WH-WEST").available == 0
    balance(stage)


@pytest.mark.parametrize("fault", ["crash_before", "crash_after"])
def test_a_kit_shipped_while_the_worker_dies_leaves_the_shelves_once(stage: Stage, faults: Faults, fault: str) -> None:
    made = worker()
    order = released(made, lines={"SET": 2, "BOWL": 1})
    getattr(faults, fault)("TransactWriteItems")
    with pytest.raises(CrashedError):
        made.report(report("shipped", order))
    faults.mend()
    assert not worker().report(report("shipped", order)).failed
    before = everything(stage)
    assert not worker().report(report("shipped", order)).failed
    assert everything(stage) == before
    assert stage.position("MUG", "WH-EAST").on_hand == 6
    balance(stage)


def test_kits_that_a_location_does_not_find_are_looked_for_elsewhere(stage: Stage) -> None:
    made = worker()
    order = released(made, lines={"SET": 2})
    told = report("short_picked", order, message_id="m-1", lines={"L1": 1}, reason_code="NOT_IN_STOCK")
    assert not made.report(told, told).failed
    here = stage.position("MUG", "WH-EAST")
    assert (here.on_hand, here.committed) == (8, 2)
    assert made.allocate(order_id()) == []
    assert stage.position("MUG", "WH-WEST").committed == 2
    balance(stage)


def test_a_cancelled_kit_gives_its_components_back(stage: Stage) -> None:
    made = worker()
    made.take(incoming(lines={"SET": 3}))
    made.allocate(order_id())
    made.decisions.cancel(order_id(), "CUSTOMER", "ada", at(0.2))
    assert stage.position("MUG", "WH-EAST").available == 10
    balance(stage)


def test_an_order_in_review_holds_up_nobody_and_gets_its_old_place_back(stage: Stage) -> None:
    made = worker()
    made.take(incoming(lines={"BOWL": 4}))
    made.allocate(order_id())
    place = [row["queue_key"] for row in stage.rows("backorders")]
    assert len(place) == 1
    made.wait(order_id(), "Review", "t-1", hours=1, reason="States.Timeout")
    assert stage.order(order_id()).waiting_for is WaitingFor.REVIEW
    assert stage.rows("backorders") == []
    assert made.commit.commit_one(received("BOWL", "WH-EAST", 1, hours=1)).committed
    made.take(incoming(2, lines={"BOWL": 1}), hours=1)
    made.allocate(order_id(2), hours=1)
    assert stage.order(order_id(2)).status is OrderStatus.ALLOCATED
    made.decisions.resolve_review(order_id(), "ada", at(2))
    made.allocate(order_id(), hours=2)
    assert [row["queue_key"] for row in stage.rows("backorders")] == place
    balance(stage)


def test_two_workers_never_promise_the_same_component_twice(stage: Stage, faults: Faults) -> None:
    """10 and 5 mugs at two locations make 7 kits: of two orders of 4, one kit waits."""
    made, rival = worker(), worker()
    for number in (1, 2):
        made.take(incoming(number, lines={"SET": 4}))
    faults.meanwhile("TransactWriteItems", lambda: rival.allocate(order_id(2)))
    assert made.allocate(order_id(1)) == []
    assert faults.hits == 1
    lines = [stage.order(order_id(number)).lines[0] for number in (1, 2)]
    assert sorted(line.in_fulfillment for line in lines) == [3, 4]
    assert [(row["sku"], row["quantity"]) for row in stage.rows("backorders")] == [("MUG", 2)]
    balance(stage)
