"""Which waiting orders are worth moving, together with whom, in which order; and what the move looks like."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from oms.domain.allocation import allocate
from oms.domain.capacity import by_day
from oms.domain.decisions import place_hold, request_review
from oms.domain.errors import NoRoute, OutOfStock
from oms.domain.network import Network
from oms.domain.order import Component, Hold, Line, Method, Order, ShipTo, Work
from oms.domain.progress import check, unallocated_units
from oms.domain.release import release
from oms.domain.rerouting import MAX_REROUTES, RELEASE_MARGIN, held_units, may_move, reopened, reroute
from oms.domain.rerouting_plans import Move, worthwhile
from oms.domain.routing import route
from oms.domain.routing_policy import Constraints, LineSplit, RoutingPolicy
from oms.domain.stock import Bucket
from tests.unit.builders import NOON, context, line, location, network, plan, received

EAST, WEST, SOUTH = location("EAST", "NY"), location("WEST", "CA"), location("SOUTH", "NJ")
NEW_YORK, CALIFORNIA = ShipTo(country="US", region="NY"), ShipTo(country="US", region="CA")
SET = (Component(sku="MUG", quantity=2), Component(sku="TRAY", quantity=1))
Stock = dict[str, dict[str, int]]


def allocated(number: int, to: ShipTo, *lines: Line, at: Mapping[str, Any], **facts: Any) -> Order:
    """An order whose lines were routed when only these locations had anything; its promise has room for any way."""
    facts = {"order_id": f"order-{number}", "ship_to": to, "promised_by": NOON + timedelta(days=30)} | facts
    made = received(*lines, **facts)
    return allocate(made, route(made, network([EAST, WEST, SOUTH]), at), context()).order


def mug(number: int, to: ShipTo, at: str, **facts: Any) -> Order:
    """One mug that lies there."""
    return allocated(number, to, line("L1", "MUG"), at={"MUG": {at: 1}}, **facts)


def moved(orders: list[Order], stock: Stock, **policy: Any) -> list[list[tuple[str, list[str], int]]]:
    """The groups: of each order its id, its new locations and what it saves."""
    groups = worthwhile(orders, _network(**policy), stock)
    return [
        [(one.order.order_id, [a.location_id for a in one.plan.assignments], one.saved_minor) for one in group]
        for group in groups
    ]


def _network(**policy: Any) -> Network:
    return network([EAST, WEST, SOUTH], policy=RoutingPolicy(**policy))


@pytest.mark.parametrize(
    ("orders", "free", "groups"),
    [
        pytest.param(
            [mug(1, NEW_YORK, "WEST")], {"EAST": 1}, [[("order-1", ["EAST"], 400)]], id="stock came in nearer"
        ),
        pytest.param([mug(1, NEW_YORK, "WEST")], {"EAST": 0}, [], id="nothing came in"),
        pytest.param([mug(1, NEW_YORK, "EAST")], {"WEST": 9, "SOUTH": 9}, [], id="it is where it is cheapest"),
        pytest.param(
            [mug(1, NEW_YORK, "WEST"), mug(2, NEW_YORK, "WEST")],
            {"EAST": 2},
            [[("order-1", ["EAST"], 400)], [("order-2", ["EAST"], 400)]],
            id="who needs nobody is moved alone",
        ),
        pytest.param(
            [mug(1, NEW_YORK, "WEST"), mug(2, CALIFORNIA, "EAST")],
            {"WEST": 1},
            [[("order-2", ["WEST"], 400), ("order-1", ["EAST"], 400)]],
            id="who gives back goes first",
        ),
        pytest.param(
            [mug(1, NEW_YORK, "WEST"), mug(2, CALIFORNIA, "EAST")], {}, [], id="two who wait for each other stay"
        ),
        pytest.param(
            [mug(1, NEW_YORK, "WEST"), mug(2, CALIFORNIA, "EAST"), mug(3, CALIFORNIA, "SOUTH")],
            {},
            [],
            id="so do they in a larger circle",
        ),
    ],
)
def test_orders_are_moved_where_that_saves(orders: list[Order], free: dict[str, int], groups: list[Any]) -> None:
    stock = {"MUG": {"EAST": 0, "WEST": 0, "SOUTH": 0} | free}
    assert moved(orders, stock) == groups


@pytest.mark.parametrize(("threshold", "moves"), [(0, 1), (399, 1), (400, 0), (401, 0)])
def test_a_move_must_save_more_than_the_threshold(threshold: int, moves: int) -> None:
    stock = {"MUG": {"EAST": 1, "WEST": 0}}
    assert len(moved([mug(1, NEW_YORK, "WEST")], stock, reroute_saving_minor=threshold)) == moves


@pytest.mark.parametrize(("threshold", "moves"), [(99, 2), (100, 0)])
def test_one_may_become_dearer_where_all_save_enough_for_each_of_them(threshold: int, moves: int) -> None:
    """Order 2 pays 2 dollars more from the south, so that order 1, which the south can't serve, saves 4."""
    only_east = line("L1", "MUG", excluded_locations=("SOUTH",))
    first = allocated(1, NEW_YORK, only_east, at={"MUG": {"WEST": 1}})
    stock = {"MUG": {"EAST": 0, "WEST": 0, "SOUTH": 1}}
    found = moved([first, mug(2, NEW_YORK, "EAST")], stock, reroute_saving_minor=threshold)
    expected = [[("order-2", ["SOUTH"], -200), ("order-1", ["EAST"], 400)]]
    assert found == (expected if moves else [])


def test_a_plan_that_comes_too_late_is_no_plan() -> None:
    """Since it was allocated, the west became 30 dollars dearer; the east takes three days longer than promised."""
    order = mug(1, CALIFORNIA, "WEST", promised_by=None)
    dearer = replace(WEST, handling_per_parcel_minor=3000)
    stock = {"MUG": {"EAST": 1, "WEST": 0}}
    assert worthwhile([order], network([EAST, dearer]), stock) == []
    patient = replace(order, promised_by=NOON + timedelta(days=30))
    assert len(worthwhile([patient], network([EAST, dearer]), stock)) == 1


def test_without_a_promise_the_present_day_is_kept() -> None:
    order = replace(mug(1, CALIFORNIA, "WEST"), promised_by=None)
    dearer = replace(WEST, handling_per_parcel_minor=3000)
    assert worthwhile([order], network([EAST, dearer]), {"MUG": {"EAST": 1, "WEST": 0}}) == []


def test_what_is_saved_is_reckoned_with_todays_prices() -> None:
    order = mug(1, NEW_YORK, "WEST")
    cheaper = [replace(work, cost_minor=1) for work in order.fulfillments]
    order = replace(order, fulfillments=tuple(cheaper))
    assert moved([order], {"MUG": {"EAST": 1, "WEST": 0}}) == [[("order-1", ["EAST"], 400)]]


def test_a_location_that_closed_since_keeps_what_it_holds() -> None:
    """Only what is still on offer is compared; who leaves a closed location is not a matter of saving."""
    closed = replace(WEST, carriers=("dhl",))
    assert worthwhile([mug(1, NEW_YORK, "WEST")], network([EAST, closed]), {"MUG": {"EAST": 1, "WEST": 0}}) == []


def test_a_split_order_is_put_together_again() -> None:
    two = (line("L1", "MUG", 2), line("L2", "BOWL"))
    order = allocated(1, NEW_YORK, *two, at={"MUG": {"EAST": 1, "WEST": 1}, "BOWL": {"WEST": 1}})
    assert len(order.fulfillments) == 2
    stock = {"MUG": {"EAST": 1, "WEST": 0}, "BOWL": {"EAST": 1, "WEST": 0}}
    (((name, to, saved),),) = moved([order], stock)
    assert (name, to) == ("order-1", ["EAST"])
    assert saved > 0


def test_what_one_order_keeps_no_other_takes() -> None:
    """Order 1 is late whatever is done, and keeps the mug that order 2 would like best."""
    late = replace(mug(1, NEW_YORK, "EAST"), promised_by=NOON)
    stock = {"MUG": {"EAST": 0, "WEST": 0, "SOUTH": 1}}
    assert moved([late, mug(2, NEW_YORK, "WEST")], stock) == [[("order-2", ["SOUTH"], 200)]]


# ------------------------------------------------------------------------------------------------ who may be moved


def on_hold(order: Order) -> Order:
    hold = Hold(hold_id="h", type="FRAUD", placed_by="test", placed_at=NOON)
    change = place_hold(order, hold, context())
    assert change is not None
    return change.order


def in_review(order: Order) -> Order:
    change = request_review(order, "CHANNEL_EDIT", "", context())
    assert change is not None
    return change.order


LATE = NOON + timedelta(hours=1)
"""When the builders' orders may be released."""


@pytest.mark.parametrize(
    ("order", "now", "may"),
    [
        pytest.param(mug(1, NEW_YORK, "WEST"), NOON, True, id="it waits in its cancel window"),
        pytest.param(mug(1, NEW_YORK, "WEST"), LATE - RELEASE_MARGIN, False, id="its release is at hand"),
        pytest.param(on_hold(mug(1, NEW_YORK, "WEST")), LATE, True, id="a hold keeps it for longer"),
        pytest.param(in_review(mug(1, NEW_YORK, "WEST")), NOON, False, id="a person decides"),
        pytest.param(release(mug(1, NEW_YORK, "WEST"), context()).order, NOON, False, id="a location works on it"),
        pytest.param(received(line("L1", "MUG")), NOON, False, id="it has no stock yet"),
        pytest.param(
            allocate(received(line("L1", "MUG", 2)), plan(EAST={"L1": 1}), context()).order,
            NOON,
            False,
            id="it is short",
        ),
        pytest.param(
            replace(mug(1, NEW_YORK, "WEST"), method=Method.PICKUP), NOON, False, id="the customer collects it there"
        ),
    ],
)
def test_who_may_be_moved(order: Order, now: datetime, *, may: bool) -> None:
    assert may_move(order, now) is may


def test_an_order_is_moved_so_many_times_and_no_more() -> None:
    order = mug(1, NEW_YORK, "WEST")
    for number in range(MAX_REROUTES):
        assert may_move(order, NOON)
        order = _moved_to(order, "EAST" if number % 2 == 0 else "WEST")
    assert not may_move(order, NOON)
    assert len({one.fulfillment_id for one in order.fulfillments}) == MAX_REROUTES + 1


def _moved_to(order: Order, location_id: str) -> Order:
    change = reroute(order, plan(**{location_id: {"L1": 1}}), 1, context())
    assert change is not None
    return change.order


# ------------------------------------------------------------------------------------------------ the change


def test_the_change_gives_back_and_takes_only_what_moves() -> None:
    lines = (line("L1", "SET", 2, components=SET), line("L2", "BOWL"))
    order = allocate(received(*lines), plan(EAST={"L1": 2}, WEST={"L2": 1}), context()).order
    change = reroute(order, plan(EAST={"L1": 1}, SOUTH={"L1": 1, "L2": 1}), 7, context())
    assert change is not None
    check(change.order)
    assert {(one.sku, one.location_id): one.deltas[Bucket.COMMITTED] for one in change.moves} == {
        ("MUG", "EAST"): -2,
        ("TRAY", "EAST"): -1,
        ("BOWL", "WEST"): -1,
        ("MUG", "SOUTH"): 2,
        ("TRAY", "SOUTH"): 1,
        ("BOWL", "SOUTH"): 1,
    }
    works = [(one.location_id, one.work) for one in change.order.fulfillments]
    assert works == [
        ("EAST", Work.CANCELLED),
        ("WEST", Work.CANCELLED),
        ("EAST", Work.OPEN),
        ("SOUTH", Work.OPEN),
    ]
    assert change.order.events[-2].data == {"from": ["EAST", "WEST"], "to": ["EAST", "SOUTH"], "saved_minor": 7}
    assert change.order.status_since == order.status_since


def test_a_place_in_a_day_that_is_kept_does_not_move() -> None:
    order = allocate(received(line("L1", "MUG")), _on_day("EAST", "2026-03-02"), context()).order
    kept = reroute(order, _on_day("EAST", "2026-03-02"), 1, context())
    other = reroute(order, _on_day("WEST", "2026-03-03"), 1, context())
    assert kept is not None
    assert other is not None
    assert by_day(kept.capacity) == {}
    assert {day: change.parcels for day, change in by_day(other.capacity).items()} == {
        ("EAST", "2026-03-02"): -1,
        ("WEST", "2026-03-03"): 1,
    }


def _on_day(location_id: str, day: str) -> Any:
    made = plan(**{location_id: {"L1": 1}})
    return replace(made, assignments=tuple(replace(one, capacity_day=day) for one in made.assignments))


def test_what_one_change_can_not_hold_is_not_moved() -> None:
    lines = tuple(line(f"L{number}", f"SKU-{number}") for number in range(21))
    units = {one.line_id: 1 for one in lines}
    order = allocate(received(*lines), plan(EAST=units), context()).order
    assert reroute(order, plan(WEST=units), 1, context()) is None


# ------------------------------------------------------------------------------------------------ whatever there is

SKUS = ("MUG", "BOWL", "TRAY")
baskets = st.dictionaries(st.sampled_from(SKUS), st.integers(1, 3), min_size=1)
shelves = st.fixed_dictionaries(
    {sku: st.fixed_dictionaries({one: st.integers(0, 3) for one in ("EAST", "WEST", "SOUTH")}) for sku in SKUS}
)


@settings(max_examples=150, deadline=None)
@given(
    st.lists(st.tuples(baskets, st.booleans()), min_size=1, max_size=6),
    shelves,
    shelves,
    st.sampled_from(LineSplit),
    st.integers(0, 150),
)
def test_groups_can_be_written_one_order_after_the_other_and_save(
    wanted: list[tuple[dict[str, int], bool]], first: Stock, later: Stock, split: LineSplit, threshold: int
) -> None:
    policy = RoutingPolicy(constraints=Constraints(line_split=split), reroute_saving_minor=threshold)
    stock: Stock = {sku: dict(there) for sku, there in first.items()}
    orders = _routed_one_by_one(wanted, stock, network([EAST, WEST, SOUTH], policy=policy))
    for sku, there in later.items():
        stock[sku] = {one: units + there[one] for one, units in stock[sku].items()}
    groups = worthwhile(orders, network([EAST, WEST, SOUTH], policy=policy), stock)
    for group in groups:
        assert sum(one.saved_minor for one in group) > threshold * len(group)
        for one in group:
            _write(one, stock)
    names = [one.order.order_id for group in groups for one in group]
    assert len(names) == len(set(names))


def _routed_one_by_one(wanted: list[tuple[dict[str, int], bool]], stock: Stock, known: Network) -> list[Order]:
    orders = []
    for number, (basket, far) in enumerate(wanted):
        lines = [line(f"L{place}", sku, units) for place, (sku, units) in enumerate(basket.items())]
        facts = {"order_id": f"order-{number}", "ship_to": CALIFORNIA if far else NEW_YORK}
        order = received(*lines, **facts)
        try:
            order = allocate(order, route(order, known, stock), context()).order
        except (OutOfStock, NoRoute):
            continue
        for (sku, location_id), units in held_units(order).items():
            stock[sku][location_id] -= units
        orders.append(order)
    return orders


def _write(move: Move, stock: Stock) -> None:
    """Writes the move as the ledger would, never more than is there; the order keeps all it had, and its promise."""
    change = reroute(move.order, move.plan, move.saved_minor, context())
    assert change is not None
    check(change.order)
    assert not unallocated_units(change.order)
    before, after = held_units(move.order), held_units(change.order)
    assert _by_sku(before) == _by_sku(after)
    for one in change.moves:
        stock[one.sku][one.location_id] += one.deltas[Bucket.AVAILABLE]
        assert stock[one.sku][one.location_id] >= 0
    assert change.order.promised_by == move.order.promised_by
    assert all(
        one.deliver_by <= move.order.promised_by
        for one in change.order.fulfillments
        if one.work is Work.OPEN and one.deliver_by and move.order.promised_by
    )
    assert unallocated_units(reopened(change.order)) == sum(one.in_fulfillment for one in move.order.lines)


def _by_sku(held: Mapping[tuple[str, str], int]) -> Counter[str]:
    units: Counter[str] = Counter()
    for (sku, _), number in held.items():
        units[sku] += number
    return units
