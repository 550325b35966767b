"""Holds of carts: where units are held, what ends a hold, and what becomes of them when an order takes over."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import timedelta

import pytest

from oms.domain.catalog import KitComponent, Product
from oms.domain.changes import OrderChange
from oms.domain.conversion import convert, covered
from oms.domain.errors import InvalidMessage, InvariantBroken, OutOfStock
from oms.domain.holding import Cart, CartLine, Shelves, booking, draft, held, hold_most, hold_named, hold_routed
from oms.domain.incoming import Address
from oms.domain.order import Component, Line, OrderStatus, WaitingFor
from oms.domain.reservations import (
    Reservation,
    ReservationStatus,
    ReservedLine,
    consume,
    expire,
    expiry_hour,
    giving_back,
    release,
    reserve,
    taking,
)
from oms.domain.stock import StockMove, by_position, net, required
from tests.unit.builders import NOON, context, line, order, plan, received

PRODUCTS = {
    "MUG": Product(sku="MUG", grams=350),
    "BOWL": Product(sku="BOWL", grams=480),
    "SET": Product(
        sku="SET",
        kit_components=(KitComponent(sku="MUG", quantity=2), KitComponent(sku="BOWL", quantity=1)),
    ),
}
SET = (Component(sku="MUG", quantity=2), Component(sku="BOWL", quantity=1))

Stock = dict[str, dict[str, int]]
Positions = dict[tuple[str, str], int]


def cart(*lines: tuple[str, int] | tuple[str, int, str], ship_to: Address | None = None) -> Cart:
    wanted = tuple(
        CartLine(sku=one[0], quantity=one[1], location_id=one[2] if len(one) == 3 else None) for one in lines
    )
    return Cart(reservation_id="cart-1", content_hash="h", minutes=30, lines=wanted, ship_to=ship_to)


def choose(made: Cart, available: Stock, spare: Mapping[str, int] | None = None) -> Positions:
    """The positions held for a cart of no known destination."""
    shelves = Shelves(available, spare)
    hold_most(hold_named(made, draft(made, PRODUCTS, context()), shelves), shelves)
    return {(one.sku, one.location_id): one.quantity for one in held(shelves)}


def hold(units: Positions | None = None) -> Reservation:
    """An active hold of (sku, location_id) → units for half an hour from NOON."""
    lines = tuple(
        ReservedLine(sku=sku, location_id=location_id, quantity=quantity)
        for (sku, location_id), quantity in (units or {}).items()
    )
    return reserve("cart-1", lines, minutes=30, content_hash="h", now=NOON)


def first_of(*lines: Line, **facts: object) -> OrderChange:
    return OrderChange(order=received(*lines, **facts))


def buckets(moves: tuple[StockMove, ...]) -> dict[tuple[str, str], dict[str, int]]:
    """What the moves change per position and bucket."""
    return {
        position: {bucket.value: units for bucket, units in net(here).items()}
        for position, here in by_position(moves).items()
    }


EAST_WEST = {"EAST": {"MUG": 5, "BOWL": 3}, "WEST": {"MUG": 8}}

CHOICES: list[tuple[str, Cart, Stock, Positions]] = [
    ("one line goes where most of it is", cart(("MUG", 4)), EAST_WEST, {("MUG", "WEST"): 4}),
    (
        "all from the one location that has all, though another has more of one line",
        cart(("MUG", 4), ("BOWL", 1)),
        EAST_WEST,
        {("MUG", "EAST"): 4, ("BOWL", "EAST"): 1},
    ),
    (
        "lines whole where they can be, when no location has all",
        cart(("MUG", 6), ("BOWL", 1)),
        EAST_WEST,
        {("MUG", "WEST"): 6, ("BOWL", "EAST"): 1},
    ),
    (
        "a line is split only if nobody has it whole",
        cart(("MUG", 13)),
        EAST_WEST,
        {("MUG", "WEST"): 8, ("MUG", "EAST"): 5},
    ),
    ("where the caller says", cart(("MUG", 2, "EAST")), EAST_WEST, {("MUG", "EAST"): 2}),
    (
        "lines of the same sku are held together",
        cart(("MUG", 2), ("MUG", 3)),
        EAST_WEST,
        {("MUG", "WEST"): 5},
    ),
    (
        "named lines first, the others share what is left",
        cart(("MUG", 4), ("MUG", 5, "WEST")),
        EAST_WEST,
        {("MUG", "EAST"): 4, ("MUG", "WEST"): 5},
    ),
    ("a kit as its components", cart(("SET", 2)), EAST_WEST, {("MUG", "EAST"): 4, ("BOWL", "EAST"): 2}),
    ("equals are decided by name", cart(("MUG", 1)), {"B": {"MUG": 2}, "A": {"MUG": 2}}, {("MUG", "A"): 1}),
]


@pytest.mark.parametrize(
    ("made", "available", "expected"), [one[1:] for one in CHOICES], ids=[one[0] for one in CHOICES]
)
def test_units_are_held(made: Cart, available: Stock, expected: Positions) -> None:
    assert choose(made, available) == expected


SHORTAGES: list[tuple[str, Cart, Stock, dict[str, int], dict[str, int]]] = [
    ("one line", cart(("MUG", 15)), EAST_WEST, {}, {"MUG": 2}),
    ("every line that is short is named", cart(("MUG", 14), ("BOWL", 4)), EAST_WEST, {}, {"BOWL": 1, "MUG": 1}),
    ("at the named location, whatever others have", cart(("MUG", 7, "EAST")), EAST_WEST, {}, {"MUG": 2}),
    ("two lines share the stock there is", cart(("MUG", 10), ("MUG", 4)), EAST_WEST, {}, {"MUG": 1}),
    ("the component that a kit lacks", cart(("SET", 3)), {"EAST": EAST_WEST["EAST"]}, {}, {"MUG": 1}),
    (
        "a kit and a line share a component",
        cart(("MUG", 4, "EAST"), ("SET", 1)),
        {"EAST": EAST_WEST["EAST"]},
        {},
        {"MUG": 1},
    ),
    (
        "a kit whose components lie apart",
        cart(("SET", 1)),
        {"EAST": {"BOWL": 1}, "WEST": {"MUG": 2}},
        {},
        {"BOWL": 1, "MUG": 2},
    ),
    ("what older orders wait for is not to be had", cart(("MUG", 4)), EAST_WEST, {"MUG": 3}, {"MUG": 1}),
    ("nor at a named location", cart(("MUG", 4, "EAST")), EAST_WEST, {"MUG": 3}, {"MUG": 1}),
    ("less than nothing counts as nothing", cart(("MUG", 1)), {"EAST": {"MUG": -4}}, {}, {"MUG": 1}),
    ("nothing anywhere", cart(("MUG", 1)), {}, {}, {"MUG": 1}),
]


@pytest.mark.parametrize(
    ("made", "available", "spare", "missing"), [one[1:] for one in SHORTAGES], ids=[one[0] for one in SHORTAGES]
)
def test_all_lines_are_held_or_none_and_what_is_missing_is_named(
    made: Cart, available: Stock, spare: dict[str, int], missing: dict[str, int]
) -> None:
    with pytest.raises(OutOfStock) as short:
        choose(made, available, spare)
    assert short.value.shortages == missing


def test_what_older_orders_leave_over_may_be_held() -> None:
    assert choose(cart(("MUG", 3)), EAST_WEST, {"MUG": 3}) == {("MUG", "WEST"): 3}


def test_a_cart_with_a_destination_holds_what_an_order_would_be_sent() -> None:
    made = cart(("SET", 1), ("MUG", 1), ship_to=Address(country="US", region="NY"))
    meant = draft(made, PRODUCTS, context())
    shelves = Shelves(EAST_WEST)
    hold_routed(meant, plan(EAST={"1": 1}, WEST={"2": 1}), shelves)
    assert {(one.sku, one.location_id): one.quantity for one in held(shelves)} == {
        ("BOWL", "EAST"): 1,
        ("MUG", "EAST"): 2,
        ("MUG", "WEST"): 1,
    }
    assert meant.ship_to.region == "NY"


def test_an_unknown_product_is_named_by_its_line() -> None:
    with pytest.raises(InvalidMessage) as error:
        draft(cart(("MUG", 1), ("NOTHING", 1)), PRODUCTS, context())
    assert (error.value.field, error.value.reason) == ("lines.1.sku", "UNKNOWN_SKU")


@pytest.mark.parametrize("count", [41, 100])
def test_a_cart_of_more_positions_than_one_write_holds_is_refused(count: int) -> None:
    products = {f"S{number}": Product(sku=f"S{number}") for number in range(count)}
    made = cart(*((sku, 1) for sku in products))
    with pytest.raises(InvalidMessage) as error:
        draft(made, products, context())
    assert (error.value.field, error.value.reason) == ("lines", "TOO_MANY_POSITIONS")


def test_positions_count_where_the_units_lie() -> None:
    shelves = Shelves({f"W{number}": {"MUG": 1} for number in range(41)})
    hold_most(draft(cart(("MUG", 41)), PRODUCTS, context()).lines, shelves)
    with pytest.raises(InvalidMessage, match="41 stock positions"):
        held(shelves)


def test_a_hold_stands_in_the_hour_in_which_it_ends() -> None:
    made = reserve("cart-1", (), minutes=90, content_hash="h", now=NOON)
    assert (made.expires_at, made.expiry_hour) == (NOON + timedelta(minutes=90), "2026-03-02T13")
    assert expiry_hour(NOON) == "2026-03-02T12"


ENDS: dict[ReservationStatus, Callable[[Reservation], Reservation]] = {
    ReservationStatus.CONSUMED: lambda one: consume(one, "order-1", NOON),
    ReservationStatus.RELEASED: lambda one: release(one, NOON),
    ReservationStatus.EXPIRED: lambda one: expire(one, NOON),
}


@pytest.mark.parametrize("status", ENDS)
def test_a_hold_that_ended_is_out_of_the_expiry_list_for_good(status: ReservationStatus) -> None:
    ended = ENDS[status](hold())
    assert (ended.status, ended.version, ended.expiry_hour, ended.ended_at) == (status, 2, None, NOON)
    for again in ENDS.values():
        with pytest.raises(InvariantBroken):
            again(ended)


def test_a_hold_gives_back_just_what_it_took() -> None:
    made = hold({("MUG", "EAST"): 4, ("BOWL", "WEST"): 1})
    assert required(taking(made)[:1]) == {"available": 4}
    assert all(not net(both) for both in by_position((*taking(made), *giving_back(made))).values())
    booked = booking(made, taking(made), "shop", NOON)
    assert (booked.reservation, booked.effective_at) == (made, NOON)


def test_an_order_takes_over_the_units_held_for_it_and_gives_back_the_rest() -> None:
    first = first_of(line("L1", "MUG", 2))
    made = convert(first, hold({("MUG", "EAST"): 3, ("BOWL", "EAST"): 1}), plan(EAST={"L1": 2}), context())
    assert buckets(made.moves) == {
        ("BOWL", "EAST"): {"available": 1, "reserved": -1},
        ("MUG", "EAST"): {"available": 1, "reserved": -3, "committed": 2},
    }
    assert all(not required(moves) for moves in by_position(made.moves).values())
    placed = made.order
    assert (placed.version, placed.status, placed.reservation_id) == (1, OrderStatus.ALLOCATED, "cart-1")
    assert [(event.version, event.sequence) for event in placed.events] == [(1, 1), (1, 2), (1, 3)]
    assert made.reservation is not None
    assert (made.reservation.status, made.reservation.order_id) == (ReservationStatus.CONSUMED, placed.order_id)


def test_an_order_that_cannot_use_the_hold_gives_all_of_it_back() -> None:
    made = convert(first_of(line("L1", "MUG", 2)), hold({("MUG", "EAST"): 3}), None, context())
    assert buckets(made.moves) == {("MUG", "EAST"): {"available": 3, "reserved": -3}}
    assert (made.order.version, made.order.waiting_for) == (1, WaitingFor.ALLOCATION)
    assert made.reservation is not None
    assert made.reservation.status is ReservationStatus.CONSUMED


def test_what_the_hold_does_not_cover_waits_for_allocation() -> None:
    made = convert(first_of(line("L1", "MUG", 5)), hold({("MUG", "EAST"): 2}), plan(EAST={"L1": 2}), context())
    (left,) = made.order.lines
    assert (left.in_fulfillment, left.unallocated) == (2, 3)
    assert (made.order.status, made.order.waiting_for) == (OrderStatus.PARTIALLY_ALLOCATED, WaitingFor.ALLOCATION)


COVERED: list[tuple[str, list[Line], Stock, dict[str, int]]] = [
    ("all of it", [line("L1", "MUG", 2)], EAST_WEST, {"L1": 2}),
    ("a part", [line("L1", "MUG", 20)], EAST_WEST, {"L1": 13}),
    ("nothing of another sku", [line("L1", "PLATE", 1)], EAST_WEST, {"L1": 0}),
    ("lines in their order", [line("L1", "BOWL", 2), line("L2", "BOWL", 2)], EAST_WEST, {"L1": 2, "L2": 1}),
    ("whole kits only", [line("L1", "SET", 3, components=SET)], EAST_WEST, {"L1": 2}),
    (
        "kits before what shares their components",
        [line("L1", "MUG", 10), line("L2", "SET", 2, components=SET)],
        EAST_WEST,
        {"L1": 9, "L2": 2},
    ),
    (
        "no kit of components that lie apart",
        [line("L1", "SET", 1, components=SET)],
        {"E": {"BOWL": 1}, "W": {"MUG": 2}},
        {"L1": 0},
    ),
    ("nothing that needs no shipping", [line("L1", "MUG", 2, requires_shipping=False)], EAST_WEST, {"L1": 0}),
]


@pytest.mark.parametrize(("lines", "units", "expected"), [one[1:] for one in COVERED], ids=[one[0] for one in COVERED])
def test_a_hold_covers(lines: list[Line], units: Stock, expected: dict[str, int]) -> None:
    shown = covered(order(*lines), units)
    assert {one.line_id: one.unallocated for one in shown.lines} == expected
