"""Which locations ship kits: a unit of a kit takes units of all its components, from one location."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from itertools import product
from typing import TYPE_CHECKING

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from oms.domain.errors import NoRoute, OutOfStock
from oms.domain.order import Component, Line, Method, ShipTo
from oms.domain.routing_policy import Constraints, Relaxation, RoutingPolicy, Segment
from tests.unit.builders import Candidate, candidate, line, location, order, routed, shipped

if TYPE_CHECKING:
    from oms.domain.order import Order


def kit(line_id: str, quantity: int = 1, /, **components: int) -> Line:
    """A line of a kit; weighs 600 g a unit, so two weigh more than one price band."""
    made_of = tuple(Component(sku=sku, quantity=units) for sku, units in components.items())
    return line(line_id, "SET", quantity, components=made_of, unit_grams=600)


def shortages(wanted: Order, *candidates: Candidate) -> dict[str, int]:
    with pytest.raises(OutOfStock) as refusal:
        routed(wanted, candidates)
    return refusal.value.shortages


def test_a_kit_ships_from_the_location_that_has_all_its_components() -> None:
    plan = routed(
        order(kit("1", 2, MUG=2, LID=1)),
        [candidate("near", "NY", MUG=9, LID=1), candidate("far", "CA", MUG=4, LID=2), candidate("sets", "NY", SET=9)],
    )
    assert shipped(plan) == {"far": {"1": 2}}
    assert plan.cost_minor == 1600


def test_a_kit_and_a_line_of_its_component_never_count_the_same_unit_twice() -> None:
    both = order(kit("1", 1, MUG=2, LID=1), line("2", "MUG", 1))
    plan = routed(both, [candidate("near", "NY", MUG=2, LID=1), candidate("far", "CA", MUG=3, LID=1)])
    assert shipped(plan) == {"far": {"1": 1, "2": 1}}
    assert shortages(both, candidate("near", MUG=2, LID=1)) == {"MUG": 1}


def test_two_kits_that_share_a_component_never_count_the_same_unit_twice() -> None:
    both = order(kit("1", 1, MUG=2, LID=1), kit("2", 1, MUG=1, TRAY=1))
    assert shortages(both, candidate("near", MUG=2, LID=1, TRAY=1)) == {"MUG": 1}


def test_kits_are_split_by_whole_kits_only() -> None:
    plan = routed(order(kit("1", 3, MUG=2)), [candidate("a", MUG=5), candidate("b", MUG=3)])
    assert shipped(plan) == {"a": {"1": 2}, "b": {"1": 1}}


def test_a_shortage_of_a_kit_names_the_components_that_are_short() -> None:
    wanted = order(kit("1", 3, MUG=2, LID=1))
    assert shortages(wanted, candidate("a", MUG=3, LID=9), candidate("b", MUG=1)) == {"MUG": 2}
    assert shortages(wanted, candidate("a")) == {"MUG": 6, "LID": 3}


def test_a_kit_whose_components_lie_apart_waits_for_all_of_them() -> None:
    assert shortages(order(kit("1", 1, MUG=2, LID=1)), candidate("a", MUG=2), candidate("b", LID=1)) == {
        "MUG": 2,
        "LID": 1,
    }


def test_of_kits_that_can_not_all_be_put_together_only_the_rest_waits() -> None:
    wanted = order(kit("1", 3, MUG=2))
    assert shortages(wanted, candidate("a", MUG=3), candidate("b", MUG=3)) == {"MUG": 2}


def test_a_line_of_a_component_leaves_the_location_to_the_kit_that_needs_it() -> None:
    plan = routed(
        order(line("1", "MUG", 2), kit("2", 1, MUG=2, LID=1)),
        [candidate("a", "NY", MUG=2, LID=1), candidate("b", "CA", MUG=2)],
    )
    assert shipped(plan) == {"a": {"2": 1}, "b": {"1": 2}}


def test_a_kit_leaves_the_location_to_the_kit_that_needs_it() -> None:
    plan = routed(
        order(kit("1", 1, MUG=1, LID=1), kit("2", 1, MUG=1, TRAY=1)),
        [candidate("a", "NY", MUG=1, LID=1, TRAY=1), candidate("b", "CA", MUG=1, LID=1)],
    )
    assert shipped(plan) == {"a": {"2": 1}, "b": {"1": 1}}


def test_a_kit_is_never_given_to_a_location_that_did_not_find_it_however_few_others_there_are() -> None:
    refused = replace(kit("1", 1, MUG=2), excluded_locations=("a",))
    wanted = order(refused, kit("2", 1, MUG=2, LID=1))
    assert shortages(wanted, candidate("a", MUG=2), candidate("b", MUG=2, LID=1)) == {"MUG": 2, "LID": 1}


def test_kits_in_more_parcels_than_allowed_have_no_route() -> None:
    wanted = order(kit("1", 2, MUG=1))
    with pytest.raises(NoRoute):
        routed(wanted, [candidate("a", MUG=1), candidate("b", MUG=1)], max_parcels=1)


def test_kits_in_more_parcels_than_allowed_have_no_route_though_their_segment_was_given_up() -> None:
    segments = Constraints(max_parcels=1, segments=(Segment(name="fine goods", only_tags=("boutique",)),))
    policy = RoutingPolicy(constraints=segments, fallbacks=(Relaxation.ANY_SEGMENT,))
    with pytest.raises(NoRoute):
        routed(order(kit("1", 2, MUG=1)), [candidate("a", MUG=1), candidate("b", MUG=1)], policy=policy)


def test_kits_to_be_collected_that_no_store_has_together_have_no_route() -> None:
    stores = [
        Candidate(location=location(place, methods=(Method.PICKUP,)), available={"MUG": 1}) for place in ("a", "b")
    ]
    with pytest.raises(NoRoute):
        routed(order(kit("1", 2, MUG=1), method=Method.PICKUP, ship_to=ShipTo()), stores)


def test_many_kits_that_can_not_all_be_put_together_are_refused_though_not_every_way_was_tried() -> None:
    wanted = order(*(kit(str(n), 3, MUG=2, LID=1) for n in range(40)))
    candidates = [candidate(f"wh-{n}", MUG=13, LID=9) for n in range(19)]
    assert shortages(wanted, *candidates) == {"MUG": 12, "LID": 6}


SKUS = ("MUG", "LID")
PLACES = ("a", "b")
made_of = st.sampled_from([{}, {"MUG": 1, "LID": 1}, {"MUG": 2}, {"MUG": 2, "LID": 1}])


@st.composite
def problems(draw: st.DrawFn) -> tuple[Order, list[Candidate]]:
    lines = []
    for number in range(draw(st.integers(1, 3))):
        components = tuple(Component(sku=sku, quantity=n) for sku, n in draw(made_of).items())
        sku = "SET" if components else draw(st.sampled_from(SKUS))
        excluded = tuple(draw(st.sets(st.sampled_from(PLACES), max_size=1)))
        quantity = draw(st.integers(1, 2))
        lines.append(line(str(number), sku, quantity, components=components, excluded_locations=excluded))
    candidates = [
        Candidate(location=location(place), available={sku: draw(st.integers(-1, 6)) for sku in SKUS})
        for place in PLACES
    ]
    return order(*lines), candidates


@settings(max_examples=500)
@given(problems())
def test_an_order_with_kits_is_shipped_exactly_if_there_is_any_way_to_ship_it(
    problem: tuple[Order, list[Candidate]],
) -> None:
    wanted, candidates = problem
    try:
        plan = routed(wanted, candidates)
    except OutOfStock as refusal:
        assert refusal.shortages
        assert set(refusal.shortages) <= set(SKUS)
        assert min(refusal.shortages.values()) > 0
        assert not any(_fits(wanted, candidates, split) for split in _splits(wanted))
        return
    sent: Counter[str] = Counter()
    for one in plan.assignments:
        sent.update(dict(one.lines))
    assert sent == {one.line_id: one.unallocated for one in wanted.lines}
    assert _fits(wanted, candidates, [shipped(plan).get("a", {}).get(one.line_id, 0) for one in wanted.lines])


def _splits(wanted: Order) -> list[tuple[int, ...]]:
    """Every way to give units of the lines to location a; the rest goes to b."""
    return list(product(*(range(one.unallocated + 1) for one in wanted.lines)))


def _fits(wanted: Order, candidates: list[Candidate], at_a: list[int] | tuple[int, ...]) -> bool:
    for place, here in zip(PLACES, candidates, strict=True):
        used: Counter[str] = Counter()
        for one, units_at_a in zip(wanted.lines, at_a, strict=True):
            units = units_at_a if place == "a" else one.unallocated - units_at_a
            if units and place in one.excluded_locations:
                return False
            used.update(one.stock_units(units))
        if any(units > max(0, here.available.get(sku, 0)) for sku, units in used.items()):
            return False
    return True
