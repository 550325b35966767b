"""What Amazon tells of one order over its days, in whatever sequence the answers of pulls and fetches reach us."""

from __future__ import annotations

from itertools import permutations
from typing import Any

import pytest

from oms.channels import amazon
from oms.domain.incoming import IncomingOrder
from oms.domain.order import OrderStatus
from tests.unit.amazon_bodies import fetched, order
from tests.unit.test_intake_orders_of_arrival import Desk

FIRST, SECOND = "orderItems__0__", "orderItems__1__"
SKUS = {FIRST + "product__sellerSku": "MUG", SECOND + "product__sellerSku": "TEE"}
NO_PRICES = {
    "proceeds": None,
    FIRST + "proceeds": None,
    SECOND + "proceeds": None,
    FIRST + "product__price": None,
    SECOND + "product__price": None,
}
PENDING = {"fulfillment__fulfillmentStatus": "PENDING", "recipient": None, "buyer": None, **NO_PRICES}
UNSHIPPED: dict[str, Any] = {}
ONE_TAKEN_OUT = {SECOND + "quantityOrdered": 0, "proceeds": None}
CANCELLED = {"fulfillment__fulfillmentStatus": "CANCELLED", "recipient": None}
CANCELLED_TO_NOTHING = {**CANCELLED, **NO_PRICES, FIRST + "quantityOrdered": 0, SECOND + "quantityOrdered": 0}
WITHOUT_LINES: dict[str, Any] = {**CANCELLED, "proceeds": None, "orderItems": []}


def told(minute: int, changes: dict[str, Any]) -> IncomingOrder:
    read = amazon.parse(fetched(order(**{**SKUS, "lastUpdatedTime": f"2026-11-22T17:{minute:02d}:00Z", **changes})))
    assert isinstance(read, IncomingOrder)
    return read


def history(*states: dict[str, Any]) -> list[IncomingOrder]:
    return [told(minute, changes) for minute, changes in enumerate(states, 1)]


def lived(messages: list[IncomingOrder], *, allocating: bool = False) -> Desk:
    desk = Desk()
    for one in messages:
        desk.take(one)
        desk.take(one)
        if allocating:
            desk.allocate()
    desk.allocate()
    return desk


LIVES = {
    "paid": history(PENDING, UNSHIPPED),
    "paid, and one line taken out": history(PENDING, UNSHIPPED, ONE_TAKEN_OUT),
    "paid, then cancelled": history(PENDING, UNSHIPPED, CANCELLED),
    "never paid": history(PENDING, CANCELLED_TO_NOTHING),
    "cancelled in parts": history(PENDING, UNSHIPPED, ONE_TAKEN_OUT, CANCELLED_TO_NOTHING),
}


@pytest.mark.parametrize("life", LIVES.values(), ids=LIVES)
@pytest.mark.parametrize("allocating", [False, True])
def test_an_order_ends_the_same_whatever_we_hear_of_first(life: list[IncomingOrder], allocating: bool) -> None:
    in_order = lived(life).ends_as()
    for messages in permutations(life):
        assert lived(list(messages), allocating=allocating).ends_as() == in_order


@pytest.mark.parametrize("cancelled", [CANCELLED, CANCELLED_TO_NOTHING, WITHOUT_LINES])
def test_an_order_that_was_cancelled_before_we_heard_of_it_stays_so(cancelled: dict[str, Any]) -> None:
    for messages in permutations(history(PENDING, UNSHIPPED, cancelled)):
        desk = lived(list(messages))
        assert desk.order is not None
        assert (desk.order.status, desk.order.waiting_for) == (OrderStatus.CANCELLED, None)
        assert not any(line.in_fulfillment for line in desk.order.lines)
