"""Orders that no location may ship: what the routing policy does with them."""

from __future__ import annotations

from dataclasses import replace

import pytest

from oms.domain.errors import NoRoute, OutOfStock
from oms.domain.lifecycle import AWAIT_STOCK
from oms.domain.order import OrderStatus
from tests.integration.company import ADA, Notebook, Worker, activate_routing_policy, at, incoming, order_id, worker
from tests.integration.queueing import FOREVER, SKU, gain, made_with_nothing, waits
from tests.integration.stage import Stage


def told(made: Worker, token: str) -> str | None:
    answer = made.notebook.first(token)
    return answer.error if answer else None


def to_france(made: Worker) -> None:
    """An order to a country that no rate card serves."""
    made.take(incoming(contact=replace(ADA, ship_to=replace(ADA.ship_to, country="FR", region=""))))


def test_unless_the_policy_says_otherwise_a_person_decides(stage: Stage) -> None:
    made = worker()
    to_france(made)
    made.allocate(order_id())
    assert told(made, order_id()) == NoRoute.__name__


@pytest.mark.parametrize("outcome", ["BACKORDER", "CANCEL"])
def test_the_order_waits_and_says_since_when_and_why(stage: Stage, outcome: str) -> None:
    activate_routing_policy(stage, unroutable=outcome)
    made = worker()
    to_france(made)
    made.allocate(order_id())
    order = stage.order(order_id())
    assert told(made, order_id()) == OutOfStock.__name__
    assert (order.waiting_for, order.reason_code, order.version) == ("ALLOCATION", "NO_ROUTE", 2)
    assert order.events[-1].data["reasons"]["WH-EAST"] == "NO_RATE"


def test_asked_again_it_waits_on_without_another_word(stage: Stage) -> None:
    activate_routing_policy(stage, unroutable="BACKORDER")
    made = worker()
    to_france(made)
    for _ in range(2):
        made.allocate(order_id())
    assert stage.order(order_id()).version == 2


def test_while_there_is_no_route_its_wait_is_not_answered_and_once_there_is_it_goes_on(stage: Stage) -> None:
    activate_routing_policy(stage, unroutable="BACKORDER")
    notebook = Notebook()
    made = worker(notebook)
    to_france(made)
    made.allocate(order_id())
    made.wait(order_id(), AWAIT_STOCK, "waiting", hours=1)
    assert told(made, "waiting") is None
    assert notebook.first("waiting") is None
    card = next(row for row in stage.rows("settings") if row["kind"] == "rate_card")
    stage.put("settings", card | {"international": {"CA": 3, "FR": 3}})
    later = worker(notebook)
    later.lifecycle.evaluate(order_id(), at(2))
    assert notebook.first("waiting") is not None
    later.allocate(order_id(), hours=2)
    order = stage.order(order_id())
    assert (order.status, order.unroutable_since) == (OrderStatus.ALLOCATED, None)
    assert order.routing_policy_version == 3


def test_after_the_policy_s_hours_it_is_cancelled(stage: Stage) -> None:
    activate_routing_policy(stage, unroutable="CANCEL", cancel_after_hours=48)
    made = worker()
    to_france(made)
    made.allocate(order_id())
    made.wait(order_id(), AWAIT_STOCK, "waiting", hours=47)
    assert stage.order(order_id()).status is OrderStatus.RECEIVED
    made.lifecycle.evaluate(order_id(), at(48))
    order = stage.order(order_id())
    assert order.status is OrderStatus.CANCELLED
    assert order.events[-1].data == {"reason": "NO_ROUTE"}
    assert told(made, "waiting") == "Cancelled"


def test_what_is_only_postponed_is_never_cancelled(stage: Stage) -> None:
    activate_routing_policy(stage, unroutable="BACKORDER")
    made = worker()
    to_france(made)
    made.allocate(order_id())
    made.lifecycle.evaluate(order_id(), at(24 * 365))
    assert stage.order(order_id()).status is OrderStatus.RECEIVED


def test_once_there_is_a_way_but_no_stock_it_waits_for_stock_as_long_as_any_other(stage: Stage) -> None:
    activate_routing_policy(stage, unroutable="CANCEL", cancel_after_hours=48)
    made = worker()
    to_france(made)
    made.allocate(order_id())
    card = next(row for row in stage.rows("settings") if row["kind"] == "rate_card")
    stage.put("settings", card | {"international": {"CA": 3, "FR": 3}})
    for row in stage.rows("stock"):
        stage.put("stock", row | {"available": 0, "on_hand": 0})
    later = worker()
    later.allocate(order_id(), hours=1)
    order = stage.order(order_id())
    assert (order.waiting_for, order.unroutable_since) == ("STOCK", None)
    later.lifecycle.evaluate(order_id(), at(49))
    assert stage.order(order_id()).status is not OrderStatus.CANCELLED


@pytest.mark.parametrize(("outcome", "woken"), [("REVIEW", 1), ("BACKORDER", 0)])
def test_stock_that_comes_wakes_who_has_no_route_only_where_a_person_decides(
    stage: Stage, outcome: str, woken: int
) -> None:
    """Who waits for stock and lost its way to it meanwhile is not asked again with every unit that comes."""
    activate_routing_policy(stage, unroutable=outcome)
    made = made_with_nothing(stage)
    waits(made, 1, 1)
    card = next(row for row in stage.rows("settings") if row["kind"] == "rate_card")
    stage.put("settings", card | {"areas": {}, "zones": {}, "international": {"FR": 3}, "local_zone": None})
    gain(made, 5)
    assert worker().waking.wake(SKU, at(41), go_on=FOREVER) == woken


def test_an_order_that_has_a_route_by_then_is_not_cancelled_for_having_had_none(stage: Stage) -> None:
    activate_routing_policy(stage, unroutable="CANCEL", cancel_after_hours=48)
    made = worker()
    to_france(made)
    made.allocate(order_id())
    card = next(row for row in stage.rows("settings") if row["kind"] == "rate_card")
    stage.put("settings", card | {"international": {"CA": 3, "FR": 3}})
    worker().lifecycle.evaluate(order_id(), at(49))
    assert stage.order(order_id()).status is OrderStatus.RECEIVED
