"""What is true of every routing plan, whatever the order and the stock."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any

from hypothesis import given
from hypothesis import strategies as st

from oms.domain.errors import NoRoute, OutOfStock
from oms.domain.routing import Candidate, Ineligible, RoutingPolicy, route
from tests.unit.builders import line, location, order
from tests.unit.rate_cards import small_card

if TYPE_CHECKING:
    from oms.domain.order import Order

SKUS = ("MUG", "TEE", "CAP")
PLACES = ("a", "b", "c", "d")


@st.composite
def problems(draw: st.DrawFn) -> tuple[Order, list[Candidate], RoutingPolicy]:
    lines = [
        line(
            str(number),
            draw(st.sampled_from(SKUS)),
            draw(st.integers(1, 4)),
            unit_grams=draw(st.integers(0, 900)),
            excluded_locations=tuple(draw(st.sets(st.sampled_from(PLACES), max_size=2))),
        )
        for number in range(draw(st.integers(1, 4)))
    ]
    candidates = [
        Candidate(
            location=location(place, draw(st.sampled_from(["NY", "NJ", "CA", "HI"]))),
            available=draw(st.dictionaries(st.sampled_from(SKUS), st.integers(-1, 6))),
        )
        for place in draw(st.lists(st.sampled_from(PLACES), unique=True))
    ]
    return (
        order(*lines),
        candidates,
        RoutingPolicy(rate_card=small_card(), max_parcels=draw(st.integers(1, 4))),
    )


@given(problems())
def test_a_plan_ships_exactly_what_was_ordered_from_stock_that_is_there_at_the_sum_of_the_prices(
    problem: tuple[Order, list[Candidate], RoutingPolicy],
) -> None:
    wanted, candidates, policy = problem
    try:
        plan = route(wanted, candidates, policy)
    except (OutOfStock, NoRoute):
        return
    known = {one.location.location_id: one for one in candidates}
    routed: Counter[str] = Counter()
    for one in plan.assignments:
        lines = {line_id: wanted.line(line_id) for line_id, _ in one.lines}
        used: Counter[str] = Counter()
        for line_id, quantity in one.lines:
            assert quantity > 0
            assert one.location_id not in lines[line_id].excluded_locations
            routed[line_id] += quantity
            used[lines[line_id].sku] += quantity
        assert all(known[one.location_id].available.get(sku, 0) >= units for sku, units in used.items())
        grams = sum(lines[line_id].unit_grams * quantity for line_id, quantity in one.lines)
        price = policy.rate_card.price_minor(known[one.location_id].location, wanted.ship_to, grams)
        assert one.cost_minor == price
    assert routed == {one.line_id: one.unallocated for one in wanted.lines}
    assert plan.cost_minor == sum(one.cost_minor for one in plan.assignments)
    assert len(plan.assignments) <= policy.max_parcels


@given(problems())
def test_a_plan_never_costs_more_than_a_single_location_that_could_do_it_all(
    problem: tuple[Order, list[Candidate], RoutingPolicy],
) -> None:
    wanted, candidates, policy = problem
    prices = [price for one in candidates if (price := _price_alone(wanted, one, policy)) is not None]
    if prices:
        plan = route(wanted, candidates, policy)
        assert (plan.cost_minor, len(plan.assignments)) == (min(prices), 1)


def _price_alone(wanted: Order, one: Candidate, policy: RoutingPolicy) -> int | None:
    needed: Counter[str] = Counter()
    for ordered in wanted.lines:
        needed[ordered.sku] += ordered.unallocated
        if one.location.location_id in ordered.excluded_locations:
            return None
    if any(one.available.get(sku, 0) < units for sku, units in needed.items()):
        return None
    grams = sum(ordered.unit_grams * ordered.unallocated for ordered in wanted.lines)
    return policy.rate_card.price_minor(one.location, wanted.ship_to, grams)


@given(problems())
def test_a_shortage_is_reported_only_where_no_share_out_of_the_stock_would_do(
    problem: tuple[Order, list[Candidate], RoutingPolicy],
) -> None:
    wanted, candidates, policy = problem
    shortages: dict[str, int] | None = {}
    try:
        route(wanted, candidates, policy)
    except OutOfStock as refusal:
        shortages = refusal.shortages
    except NoRoute as refusal:
        shortages = {} if Ineligible.TOO_MANY_PARCELS in refusal.reasons.values() else None
    if shortages is None:
        assert _someone_is_barred(wanted, candidates, policy)
    else:
        assert shortages == _least_shortages(wanted, candidates, policy)


def _least_shortages(wanted: Order, candidates: list[Candidate], policy: RoutingPolicy) -> dict[str, int]:
    """By Hall's theorem: over all sets of lines of a sku, what they need above what they may use."""
    serving = [one for one in candidates if policy.rate_card.zone(one.location, wanted.ship_to)]
    shortages: dict[str, int] = {}
    for chosen in range(1, 2 ** len(wanted.lines)):
        lines = [one for index, one in enumerate(wanted.lines) if chosen >> index & 1]
        for sku in {one.sku for one in lines} if len({one.sku for one in lines}) == 1 else ():
            usable = [
                max(0, one.available.get(sku, 0))
                for one in serving
                if any(one.location.location_id not in each.excluded_locations for each in lines)
            ]
            short = sum(each.unallocated for each in lines) - sum(usable)
            shortages[sku] = max(shortages.get(sku, 0), short)
    return {sku: units for sku, units in shortages.items() if units > 0}


def _someone_is_barred(wanted: Order, candidates: list[Candidate], policy: RoutingPolicy) -> bool:
    """Whether some line has no location that may ship it at all."""
    zone = policy.rate_card.zone
    serving = {one.location.location_id for one in candidates if zone(one.location, wanted.ship_to)}
    return any(serving <= set(one.excluded_locations) for one in wanted.lines)


@given(problems())
def test_a_line_is_split_only_if_no_location_that_may_ship_it_has_it_whole(
    problem: tuple[Order, list[Candidate], RoutingPolicy],
) -> None:
    wanted, candidates, policy = problem
    alone = {sku for sku, n in Counter(one.sku for one in wanted.lines).items() if n == 1}
    try:
        plan = route(wanted, candidates, policy)
    except (OutOfStock, NoRoute):
        return
    parcels = Counter(line_id for one in plan.assignments for line_id, _ in one.lines)
    for ordered in wanted.lines:
        if parcels[ordered.line_id] > 1 and ordered.sku in alone:
            assert not any(
                one.available.get(ordered.sku, 0) >= ordered.unallocated
                for one in candidates
                if one.location.location_id not in ordered.excluded_locations
                and policy.rate_card.zone(one.location, wanted.ship_to)
            )


@given(problems(), st.randoms())
def test_the_same_stock_in_another_order_gives_the_same_plan(
    problem: tuple[Order, list[Candidate], RoutingPolicy], random: Any
) -> None:
    wanted, candidates, policy = problem
    shuffled = random.sample(candidates, len(candidates))
    outcomes = []
    for given_order in (candidates, shuffled):
        try:
            outcomes.append(repr(route(wanted, given_order, policy)))
        except (OutOfStock, NoRoute) as refusal:
            outcomes.append(repr((refusal, refusal.details)))
    assert outcomes[0] == outcomes[1]
