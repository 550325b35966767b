"""What the customer carried out of the shop has left, whatever the books say."""

from __future__ import annotations

from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from oms.domain import progress
from oms.domain.handover import hand_over
from oms.domain.order import Component, Line, Method, Order, OrderStatus, Request, Review, Work
from oms.domain.shipments import ShipmentStatus
from oms.domain.stock import Bucket, MoveKind, net
from tests.unit.builders import NOON, context, line, received


def sold(*lines: Line, **facts: object) -> Order:
    """An order of the till as it was received."""
    told = {"method": Method.CARRY_OUT, "sold_at_location_id": "STORE-1", "placed_at": NOON - timedelta(minutes=5)}
    return received(*lines, **(told | facts))


def test_goods_carried_out_leave_the_stock_of_the_shop_and_the_order_is_done() -> None:
    change = hand_over(sold(line("1", "MUG", 2), line("2", "TEE")), context())
    assert change is not None
    order = change.order
    assert (order.status, order.waiting_for, order.unshipped_account) == (OrderStatus.DELIVERED, None, None)
    (work,) = order.fulfillments
    assert (work.location_id, work.method) == ("STORE-1", Method.CARRY_OUT)
    assert (work.work, work.request) == (Work.COLLECTED, Request.ACCEPTED)
    (parcel,) = work.shipments
    assert (parcel.status, parcel.delivered_at) == (ShipmentStatus.DELIVERED, NOON - timedelta(minutes=5))
    assert [(move.sku, move.location_id, move.kind, move.quantity) for move in change.moves] == [
        ("MUG", "STORE-1", MoveKind.OVERSHIP, 2),
        ("TEE", "STORE-1", MoveKind.OVERSHIP, 1),
    ]
    assert net(change.moves) == {Bucket.ON_HAND: -3, Bucket.AVAILABLE: -3}


def test_they_left_when_they_were_sold_and_never_later_than_now() -> None:
    moves = [hand_over(sold(line("1", "MUG"), placed_at=NOON + timedelta(days=shift)), context()) for shift in (-1, 1)]
    assert [move.moves[0].effective_at for move in moves if move] == [NOON - timedelta(days=1), NOON]


def test_a_kit_leaves_as_its_parts() -> None:
    kit = line("1", "SET", 3, components=(Component(sku="MUG", quantity=2), Component(sku="BOX", quantity=1)))
    change = hand_over(sold(kit), context())
    assert change is not None
    assert {move.sku: move.quantity for move in change.moves} == {"MUG": 6, "BOX": 3}


def test_goods_in_an_order_that_wants_a_review_have_left_all_the_same() -> None:
    review = Review(reason="TOTALS_MISMATCH", since=NOON)
    change = hand_over(sold(line("1", "MUG"), review=review), context())
    assert change is not None
    assert (change.order.status, change.order.review) == (OrderStatus.DELIVERED, review)


@pytest.mark.parametrize(
    "order",
    [
        pytest.param(sold(line("1", "MUG"), method=Method.SHIP), id="to be shipped"),
        pytest.param(sold(line("1", "MUG"), method=Method.PICKUP), id="to be collected"),
        pytest.param(sold(line("1", "MUG"), sold_at_location_id=""), id="nobody knows from where"),
        pytest.param(sold(line("1", "CARD", unallocated=0, shipped=1, requires_shipping=False)), id="a gift card only"),
    ],
)
def test_nothing_else_leaves_by_itself(order: Order) -> None:
    assert hand_over(order, context()) is None


def test_a_long_receipt_that_wants_a_review_keeps_it() -> None:
    review = Review(reason="TOTALS_MISMATCH", since=NOON)
    order = sold(*(line(str(number), f"SKU-{number}") for number in range(50)), review=review)
    for _ in range(2):
        change = hand_over(order, context())
        assert change is not None
        order = change.order
        assert order.review == review
    assert hand_over(order, context()) is None


def test_booked_once_is_booked_for_good() -> None:
    first = hand_over(sold(line("1", "MUG")), context())
    assert first is not None
    assert hand_over(first.order, context()) is None


@given(lines=st.integers(1, 100))
def test_however_long_the_receipt_every_unit_leaves_once_in_parts_that_fit_a_change(lines: int) -> None:
    order = sold(*(line(str(number), f"SKU-{number}", 1 + number % 3) for number in range(lines)))
    left: dict[str, int] = {}
    for _ in range(10):
        change = hand_over(order, context())
        if change is None:
            break
        assert len({move.sku for move in change.moves}) <= 40
        for move in change.moves:
            left[move.sku] = left.get(move.sku, 0) + move.quantity
        order = change.order
        assert order.review is None
    assert left == {f"SKU-{number}": 1 + number % 3 for number in range(lines)}
    assert order.status is OrderStatus.DELIVERED
    progress.check(order)
