"""The life of an order of Amazon's here: pending, paid, asked back, cancelled; each as its pull tells it."""

from __future__ import annotations

from typing import Any

import pytest

from oms.channels import amazon
from oms.domain.ids import order_id
from oms.domain.incoming import IncomingOrder
from oms.domain.order import OrderStatus
from oms.usecases.intake import Taken
from tests.integration.company import Worker, balance, worker
from tests.integration.stage import Stage
from tests.unit.amazon_bodies import fetched, order

NAME = order_id("amazon", "main", "114-5550001-2220001")
SKUS = {
    "orderItems__0__product__sellerSku": "MUG",
    "orderItems__1__product__sellerSku": "BOWL",
    "fulfillment__fulfillmentServiceLevel": "STANDARD",
    "recipient__deliveryAddress__stateOrRegion": "NY",
}
PENDING = {
    "fulfillment__fulfillmentStatus": "PENDING",
    "proceeds": None,
    "orderItems__0__proceeds": None,
    "orderItems__1__proceeds": None,
    "orderItems__0__product__price": None,
    "orderItems__1__product__price": None,
    "recipient": None,
    "buyer": None,
}


def told(minute: int, **changes: Any) -> IncomingOrder:
    times = {"createdTime": "2026-03-02T10:00:00Z", "lastUpdatedTime": f"2026-03-02T11:{minute:02d}:00Z"}
    body = order(**{**SKUS, **times, **changes})
    read = amazon.parse(fetched(body))
    assert isinstance(read, IncomingOrder)
    return read


@pytest.fixture
def made(stage: Stage) -> Worker:
    stage.put("settings", {"kind": "channel_account", "name": "amazon#main", "currencies": ["USD"]})
    return worker()


def test_a_pending_order_holds_its_stock_and_ships_to_the_address_that_comes_with_the_payment(
    stage: Stage, made: Worker
) -> None:
    assert made.take(told(1, **PENDING)).taken is Taken.CREATED
    made.allocate(NAME)
    pending = stage.order(NAME)
    assert pending.status is OrderStatus.ALLOCATED
    assert {hold.type for hold in pending.holds} == {"AWAITING_PAYMENT", "AWAITING_ADDRESS"}
    assert (pending.ship_to.country, pending.ship_to.region, pending.totals.total_minor) == ("US", "", 0)

    assert made.take(told(2)).taken is Taken.CHANGED
    paid = stage.order(NAME)
    assert paid.holds == ()
    assert paid.review is None
    assert (paid.ship_to.region, paid.totals.total_minor) == ("NY", 8344)
    assert [line.unit_price_minor for line in paid.lines] == [1899, 1899]
    assert paid.ship_by == told(2).ship_by
    balance(stage)


def test_an_order_that_amazon_cancels_gives_back_what_it_held(stage: Stage, made: Worker) -> None:
    made.take(told(1))
    made.allocate(NAME)
    cancelled = {"fulfillment__fulfillmentStatus": "CANCELLED"}
    made.take(told(2, **cancelled, orderItems__0__quantityOrdered=0, orderItems__1__quantityOrdered=0))
    assert stage.order(NAME).status is OrderStatus.CANCELLED
    assert stage.position("MUG", "WH-EAST").committed == 0
    balance(stage)


def test_the_same_pull_twice_and_an_older_one_change_nothing(stage: Stage, made: Worker) -> None:
    made.take(told(2))
    version = stage.order(NAME).version
    assert made.take(told(2)).taken is Taken.UNCHANGED
    assert made.take(told(1, **PENDING)).taken is Taken.STALE
    assert stage.order(NAME).version == version


def test_units_that_amazon_cancels_are_taken_off_and_the_rest_stays(stage: Stage, made: Worker) -> None:
    made.take(told(1))
    made.allocate(NAME)
    fewer = {
        "orderItems__0__fulfillment": {"quantityFulfilled": 0, "quantityUnfulfilled": 2},
        "orderItems__0__cancellation": {"cancellationExecution": {"cancelledBy": "MERCHANT"}},
    }
    made.take(told(2, **fewer))
    line = stage.order(NAME).lines[0]
    assert (line.cancelled, line.in_fulfillment) == (1, 2)
    balance(stage)
