"""Whatever the cart and the stock: all or nothing is held, never what is not there, and a conversion loses no unit."""

from __future__ import annotations

from collections import Counter

from hypothesis import given, settings
from hypothesis import strategies as st

from oms.domain.changes import MAX_POSITIONS_PER_CHANGE, OrderChange
from oms.domain.conversion import convert, covered
from oms.domain.errors import NoRoute, OutOfStock
from oms.domain.holding import Shelves, held, hold_most, hold_named
from oms.domain.order import Component, Line
from oms.domain.reservations import ReservedLine, reserve
from oms.domain.routing import RoutingPlan
from oms.domain.stock import Bucket, by_position, net, required
from tests.unit.builders import NOON, Candidate, context, line, location, order, received, routed
from tests.unit.test_reservations import cart

LOCATIONS = ("EAST", "NORTH", "WEST")
SKUS = ("BOWL", "MUG")
SET = (Component(sku="MUG", quantity=2), Component(sku="BOWL", quantity=1))

Stock = dict[str, dict[str, int]]
STOCK = st.dictionaries(st.sampled_from(LOCATIONS), st.dictionaries(st.sampled_from(SKUS), st.integers(-2, 6)))
SPARE = st.dictionaries(st.sampled_from(SKUS), st.integers(0, 12))
WANTED = st.lists(
    st.tuples(st.sampled_from((*SKUS, "SET")), st.integers(1, 5), st.none() | st.sampled_from(LOCATIONS)), max_size=5
)


def lines_of(wanted: list[tuple[str, int, str | None]]) -> list[Line]:
    return [
        line(f"L{number}", sku, units, components=SET if sku == "SET" else ())
        for number, (sku, units, _) in enumerate(wanted)
    ]


def hold(wanted: list[tuple[str, int, str | None]], shelves: Shelves) -> Counter[tuple[str, str]]:
    """The units held by (sku, location_id). Raises OutOfStock."""
    meant = order(*lines_of(wanted))
    hold_most(hold_named(cart(*wanted), meant, shelves), shelves)
    return Counter({(one.sku, one.location_id): one.quantity for one in held(shelves)})


@given(WANTED, STOCK, SPARE)
@settings(max_examples=300)
def test_a_cart_holds_just_what_it_asks_for_of_what_is_there(
    wanted: list[tuple[str, int, str | None]], stock: Stock, spare: dict[str, int]
) -> None:
    asked: Counter[str] = Counter()
    for one in lines_of(wanted):
        asked.update(one.stock_units(one.unallocated))
    try:
        units = hold(wanted, Shelves(stock, spare))
    except OutOfStock as short:
        assert all(missing > 0 for missing in short.shortages.values())
        assert set(short.shortages) <= set(asked)
        return
    by_sku: Counter[str] = Counter()
    for (sku, location_id), quantity in units.items():
        assert 0 < quantity <= stock[location_id][sku]
        by_sku[sku] += quantity
    assert by_sku == asked
    assert all(by_sku[sku] <= units for sku, units in spare.items())
    for sku in SKUS:
        for location_id in LOCATIONS:
            named = sum(quantity for one, quantity, where in wanted if (one, where) == (sku, location_id))
            assert units[sku, location_id] >= named


@given(WANTED, STOCK, SPARE)
@settings(max_examples=300)
def test_a_cart_of_plain_products_is_refused_only_if_too_little_is_there(
    wanted: list[tuple[str, int, str | None]], stock: Stock, spare: dict[str, int]
) -> None:
    plain = [one for one in wanted if one[0] != "SET"]
    there = {sku: sum(max(0, here.get(sku, 0)) for here in stock.values()) for sku in SKUS}
    total, named = Counter[str](), Counter[tuple[str, str]]()
    for sku, units, where in plain:
        total[sku] += units
        if where:
            named[sku, where] += units
    enough = all(units <= min(there[sku], spare.get(sku, units)) for sku, units in total.items()) and all(
        units <= stock.get(where, {}).get(sku, 0) for (sku, where), units in named.items()
    )
    try:
        hold(plain, Shelves(stock, spare))
    except OutOfStock:
        assert not enough
    else:
        assert enough


@given(WANTED, STOCK)
@settings(max_examples=300)
def test_an_order_that_takes_a_hold_over_loses_no_unit_of_it_and_takes_no_other(
    wanted: list[tuple[str, int, str | None]], stock: Stock
) -> None:
    held_lines = tuple(
        ReservedLine(sku=sku, location_id=one, quantity=units)
        for one, here in sorted(stock.items())
        for sku, units in sorted(here.items())
        if units > 0
    )
    reservation = reserve("cart-1", held_lines, minutes=5, content_hash="", now=NOON)
    first = OrderChange(order=received(*(lines_of(wanted) or [line("L0", "PLATE", 1)])))
    plan = _plan(first, reservation.by_location())
    made = convert(first, reservation, plan, context())
    taken = {(one.sku, one.location_id): one.quantity for one in held_lines}
    moved = by_position(made.moves)
    assert moved.keys() == taken.keys()
    assert len(moved) <= MAX_POSITIONS_PER_CHANGE
    for position, moves in moved.items():
        deltas = net(moves)
        assert deltas[Bucket.RESERVED] == -taken[position]
        assert deltas.get(Bucket.COMMITTED, 0) + deltas.get(Bucket.AVAILABLE, 0) == taken[position]
        assert not required(moves)
    committed: Counter[str] = Counter()
    for one in made.order.lines:
        committed.update(one.stock_units(one.in_fulfillment))
    at_positions: Counter[str] = Counter()
    for (sku, _), moves in moved.items():
        at_positions[sku] += net(moves).get(Bucket.COMMITTED, 0)
    assert +committed == +at_positions


def _plan(first: OrderChange, units: Stock) -> RoutingPlan | None:
    candidates = [Candidate(location=location(one), available=units.get(one, {})) for one in LOCATIONS]
    try:
        return routed(covered(first.order, units), candidates)
    except (NoRoute, OutOfStock):
        return None


@given(WANTED, STOCK)
@settings(max_examples=300)
def test_what_a_hold_covers_can_be_sent_from_where_it_is_held(
    wanted: list[tuple[str, int, str | None]], stock: Stock
) -> None:
    """Else the order would lose a hold that is good for it."""
    units = {one: {sku: max(0, quantity) for sku, quantity in here.items()} for one, here in stock.items()}
    first = OrderChange(order=received(*(lines_of(wanted) or [line("L0", "PLATE", 1)])))
    assert _plan(first, units) is not None
