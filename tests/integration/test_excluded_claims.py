"""Who waits for stock keeps from others only what it may have: nothing at a location that sent its work back."""

from __future__ import annotations

from oms.domain.order import Order, OrderStatus
from oms.domain.stock import StockPosition
from tests.integration.company import Worker, incoming, order_id, released, report, worker
from tests.integration.stage import Stage


def sent_back(stage: Stage, made: Worker) -> Order:
    """An order for all mugs in the east, which the east sent back: it waits, and there is nothing in the west."""
    stage.put("stock", StockPosition(sku="MUG", location_id="WH-WEST"))
    order = released(made, lines={"MUG": 10})
    assert not made.report(report("rejected", order, reason_code="CLOSED_TODAY")).failed
    assert made.allocate(order.order_id, hours=2) == []
    assert stage.order(order.order_id).lines[0].backordered == 10
    return order


def test_what_lies_where_the_waiting_order_may_not_have_it_from_is_there_for_others(stage: Stage) -> None:
    made = worker()
    sent_back(stage, made)
    younger = made.take(incoming(2, {"MUG": 8}), hours=2).order.order_id
    assert made.allocate(younger, hours=2.1) == []
    assert stage.order(younger).status is OrderStatus.ALLOCATED
    assert stage.position("MUG", "WH-EAST").available == 2


def test_what_comes_where_the_waiting_order_may_have_it_from_is_kept_for_it(stage: Stage) -> None:
    made = worker()
    sent_back(stage, made)
    stage.put("stock", StockPosition(sku="MUG", location_id="WH-WEST", on_hand=3, available=3))
    younger = made.take(incoming(2, {"MUG": 11}), hours=2).order.order_id
    assert made.allocate(younger, hours=2.1) == []
    assert stage.order(younger).lines[0].backordered == 1
    assert stage.order(order_id()).lines[0].backordered == 10
