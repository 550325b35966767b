"""What is true of every routing plan, whatever the order and the stock."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from itertools import product
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from oms.domain.errors import NoRoute, OutOfStock
from oms.domain.network import Ineligible
from oms.domain.routing_policy import LineSplit, Relaxation, RoutingPolicy
from tests.unit.builders import NEW_YORK, Candidate, line, location, order, routed, shipped
from tests.unit.rate_cards import small_card, small_service

if TYPE_CHECKING:
    from oms.domain.order import Order

SKUS = ("MUG", "TEE", "CAP")
PLACES = ("a", "b", "c", "d")
CARD, SERVICE = small_card(), small_service()

Problem = tuple["Order", list[Candidate], int]
"""An order, the stock, and the most parcels it may go in."""


@st.composite
def problems(draw: st.DrawFn, most_lines: int = 4, most_units: int = 4, most_places: int = len(PLACES)) -> Problem:
    places = PLACES[:most_places]
    lines = [
        line(
            str(number),
            draw(st.sampled_from(SKUS)),
            draw(st.integers(1, most_units)),
            unit_grams=draw(st.integers(0, 900)),
            excluded_locations=tuple(draw(st.sets(st.sampled_from(places), max_size=2))),
        )
        for number in range(draw(st.integers(1, most_lines)))
    ]
    candidates = [
        Candidate(
            location=location(place, draw(st.sampled_from(["NY", "NJ", "CA", "HI"]))),
            available=draw(st.dictionaries(st.sampled_from(SKUS), st.integers(-1, 6))),
        )
        for place in draw(st.lists(st.sampled_from(places), unique=True))
    ]
    return order(*lines), candidates, draw(st.integers(1, 4))


def price_minor(one: Candidate, grams: int) -> int | None:
    """What a parcel to New York costs from there, None if nothing goes."""
    zone = CARD.zone(one.location, NEW_YORK)
    return None if zone is None else SERVICE.list_price_minor(zone, grams)


@given(problems())
def test_a_plan_ships_exactly_what_was_ordered_from_stock_that_is_there_at_the_sum_of_the_prices(
    problem: Problem,
) -> None:
    wanted, candidates, most = problem
    try:
        plan = routed(wanted, candidates, max_parcels=most)
    except (OutOfStock, NoRoute):
        return
    known = {one.location.location_id: one for one in candidates}
    sent: Counter[str] = Counter()
    for one in plan.assignments:
        lines = {line_id: wanted.line(line_id) for line_id, _ in one.lines}
        used: Counter[str] = Counter()
        for line_id, quantity in one.lines:
            assert quantity > 0
            assert one.location_id not in lines[line_id].excluded_locations
            sent[line_id] += quantity
            used[lines[line_id].sku] += quantity
        assert all(known[one.location_id].available.get(sku, 0) >= units for sku, units in used.items())
        grams = sum(lines[line_id].unit_grams * quantity for line_id, quantity in one.lines)
        assert one.cost_minor == price_minor(known[one.location_id], grams)
    assert sent == {one.line_id: one.unallocated for one in wanted.lines}
    assert plan.cost_minor == sum(one.cost_minor for one in plan.assignments) == plan.bound_minor
    assert len({one.location_id for one in plan.assignments}) == len(plan.assignments) <= most


@given(problems())
def test_a_plan_never_costs_more_than_a_single_location_that_could_do_it_all(problem: Problem) -> None:
    wanted, candidates, most = problem
    prices = [price for one in candidates if (price := _price_alone(wanted, one)) is not None]
    if prices:
        assert routed(wanted, candidates, max_parcels=most).cost_minor <= min(prices)
        alone = routed(wanted, candidates, max_parcels=1)
        assert (alone.cost_minor, len(alone.assignments)) == (min(prices), 1)


def _price_alone(wanted: Order, one: Candidate) -> int | None:
    needed: Counter[str] = Counter()
    for ordered in wanted.lines:
        needed[ordered.sku] += ordered.unallocated
        if one.location.location_id in ordered.excluded_locations:
            return None
    if any(one.available.get(sku, 0) < units for sku, units in needed.items()):
        return None
    return price_minor(one, sum(ordered.unit_grams * ordered.unallocated for ordered in wanted.lines))


@settings(max_examples=400)
@given(problems(most_lines=2, most_units=3, most_places=3), st.sampled_from([LineSplit.NEVER, LineSplit.ALWAYS]))
def test_no_other_way_to_ship_an_order_costs_less(problem: Problem, split: LineSplit) -> None:
    wanted, candidates, most = problem
    costs = [cost for way in _ways(wanted, candidates, split) if (cost := _cost(wanted, candidates, way, most))]
    strict = replace(RoutingPolicy(), fallbacks=())
    if costs:
        plan = routed(wanted, candidates, policy=strict, line_split=split, max_parcels=most)
        assert plan.cost_minor == min(costs)
    else:
        with pytest.raises((NoRoute, OutOfStock)):
            routed(wanted, candidates, policy=strict, line_split=split, max_parcels=most)


Way = tuple[tuple[int, ...], ...]
"""Units of each line at each candidate."""


def _ways(wanted: Order, candidates: list[Candidate], split: LineSplit) -> list[Way]:
    """Every way to share the units of the lines out, whole lines only where they may not be split."""
    shares = []
    for ordered in wanted.lines:
        units = range(ordered.unallocated + 1) if split is LineSplit.ALWAYS else (0, ordered.unallocated)
        per_place = product(units, repeat=len(candidates))
        shares.append([share for share in per_place if sum(share) == ordered.unallocated])
    return list(product(*shares))


def _cost(wanted: Order, candidates: list[Candidate], way: Way, most: int) -> int | None:
    """What this way costs; None if it can't be done."""
    cost = parcels = 0
    for at, one in enumerate(candidates):
        here = [(ordered, share[at]) for ordered, share in zip(wanted.lines, way, strict=True) if share[at]]
        used: Counter[str] = Counter()
        for ordered, units in here:
            used[ordered.sku] += units
        excluded = any(one.location.location_id in ordered.excluded_locations for ordered, _ in here)
        if excluded or any(one.available.get(sku, 0) < units for sku, units in used.items()):
            return None
        if here:
            price = price_minor(one, sum(ordered.unit_grams * units for ordered, units in here))
            if price is None:
                return None
            cost, parcels = cost + price, parcels + 1
    return cost if parcels <= most else None


@given(problems())
def test_a_shortage_is_reported_only_where_no_share_out_of_the_stock_would_do(problem: Problem) -> None:
    wanted, candidates, most = problem
    shortages: dict[str, int] | None = {}
    try:
        routed(wanted, candidates, max_parcels=most)
    except OutOfStock as refusal:
        shortages = refusal.shortages
    except NoRoute as refusal:
        shortages = {} if Ineligible.TOO_MANY_PARCELS in refusal.reasons.values() else None
    if shortages is None:
        assert _someone_is_barred(wanted, candidates)
    else:
        assert shortages == _least_shortages(wanted, candidates)


def _serving(candidates: list[Candidate]) -> list[Candidate]:
    return [one for one in candidates if CARD.zone(one.location, NEW_YORK) is not None]


def _least_shortages(wanted: Order, candidates: list[Candidate]) -> dict[str, int]:
    """By Hall's theorem: over all sets of lines of a sku, what they need above what they may use."""
    shortages: dict[str, int] = {}
    for chosen in range(1, 2 ** len(wanted.lines)):
        lines = [one for index, one in enumerate(wanted.lines) if chosen >> index & 1]
        for sku in {one.sku for one in lines} if len({one.sku for one in lines}) == 1 else ():
            usable = [
                max(0, one.available.get(sku, 0))
                for one in _serving(candidates)
                if any(one.location.location_id not in each.excluded_locations for each in lines)
            ]
            short = sum(each.unallocated for each in lines) - sum(usable)
            shortages[sku] = max(shortages.get(sku, 0), short)
    return {sku: units for sku, units in shortages.items() if units > 0}


def _someone_is_barred(wanted: Order, candidates: list[Candidate]) -> bool:
    """Whether some line has no location that may ship it at all."""
    serving = {one.location.location_id for one in _serving(candidates)}
    return any(serving <= set(one.excluded_locations) for one in wanted.lines)


@given(problems())
def test_a_line_that_some_location_has_whole_is_split_only_after_all_else_failed(problem: Problem) -> None:
    wanted, candidates, most = problem
    try:
        plan = routed(wanted, candidates, max_parcels=most)
    except (OutOfStock, NoRoute):
        return
    parcels = Counter(line_id for one in plan.assignments for line_id, _ in one.lines)
    for ordered in wanted.lines:
        whole = any(
            one.available.get(ordered.sku, 0) >= ordered.unallocated
            for one in _serving(candidates)
            if one.location.location_id not in ordered.excluded_locations
        )
        if parcels[ordered.line_id] > 1 and whole:
            assert plan.relaxed == (Relaxation.SPLIT_LINES,)
            with pytest.raises(NoRoute):
                routed(wanted, candidates, policy=RoutingPolicy(fallbacks=()), max_parcels=most)


@given(problems(), st.randoms())
def test_the_same_stock_in_another_order_gives_the_same_plan(problem: Problem, random: Any) -> None:
    wanted, candidates, most = problem
    shuffled = random.sample(candidates, len(candidates))
    outcomes = []
    for given_order in (candidates, shuffled):
        try:
            outcomes.append(repr(replace(routed(wanted, given_order, max_parcels=most), problem=None)))
        except (OutOfStock, NoRoute) as refusal:
            outcomes.append(repr((refusal, refusal.details)))
    assert outcomes[0] == outcomes[1]


def test_of_two_plans_that_cost_the_same_the_one_by_the_locations_names_is_chosen() -> None:
    wanted = order(line("0", "MUG", 2), line("1", "MUG", 2))
    stocked = [
        Candidate(location=location("a", "NY"), available={"MUG": 2}),
        Candidate(location=location("b", "NY"), available={"MUG": 3}),
        Candidate(location=location("c", "NJ"), available={"MUG": 2}),
    ]
    plans = [shipped(routed(wanted, given, max_parcels=3)) for given in (stocked, stocked[::-1])]
    assert plans[0] == plans[1]
