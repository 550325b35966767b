"""What could be promised: the fastest plan is the fastest there is, alternatives differ, and gaps are told in words."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta
from itertools import pairwise, product
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from oms.domain import promise_quotes
from oms.domain.calendars import PromiseWarning
from oms.domain.catalog import KitComponent, Product
from oms.domain.errors import NoRoute, OutOfStock
from oms.domain.incoming import Address
from oms.domain.network import ZONE_TABLE_MISSING, Destination, Network
from oms.domain.promise_quotes import (
    MAX_REASONS_TOLD,
    Question,
    alternatives,
    arriving_by,
    draft,
    fastest,
    in_time,
    told,
    why_not,
)
from oms.domain.promise_words import SAYS
from oms.domain.rates import RateBand
from oms.domain.routing import RoutingPlan, route
from oms.domain.routing_policy import Constraints, Costs, Lateness, LineSplit, Relaxation, RoutingPolicy
from tests.unit.builders import NOON, Candidate, context, line, location, network, order, stock_of
from tests.unit.rate_cards import small_card, small_service

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from oms.domain.order import Order
    from oms.domain.routing_model import Offer

AIR = small_service(
    service="AIR",
    bands=(RateBand(up_to_grams=2000, prices_minor=(1500, 2000, 2600)),),
    extra_kg_minor=(),
    transit_days=(1, 1, 2),
)
CARD = small_card(services=(small_service(), AIR))
LATE_IS_CHEAP = Costs(late_day_minor=1)


def at_place(location_id: str, region: str, /, processing_hours: int = 0, **available: int) -> Candidate:
    return Candidate(
        location=location(location_id, region, processing_hours=processing_hours), available=dict(available)
    )


def known(candidates: Sequence[Candidate], **policy: Any) -> Network:
    facts: dict[str, Any] = {"costs": LATE_IS_CHEAP} | policy
    return network((one.location for one in candidates), CARD, policy=RoutingPolicy(**facts))


def quoted(wanted: Order, candidates: Sequence[Candidate], **policy: Any) -> tuple[RoutingPlan, RoutingPlan | None]:
    """The plan while nothing is promised, and the fastest where it is another."""
    there, stock = known(candidates, **policy), stock_of(candidates)
    best = route(wanted, there, stock)
    return best, fastest(wanted, there, stock, best)


def day(plan: RoutingPlan | None) -> str:
    """The day of March 2026 on which all of it is there. NOON is a Monday, the 2nd."""
    assert plan is not None
    assert plan.deliver_by is not None
    return plan.deliver_by.strftime("%d")


# --- the fastest plan


def test_a_dearer_service_that_is_faster_is_found() -> None:
    best, faster = quoted(order(line("1", "MUG")), [at_place("ca", "CA", MUG=1)])
    assert (best.assignments[0].service, best.cost_minor, day(best)) == ("GROUND", 900, "06")
    assert faster is not None
    assert (faster.assignments[0].service, faster.cost_minor, day(faster)) == ("AIR", 2600, "04")


def test_a_dearer_location_that_is_faster_is_found() -> None:
    places = [at_place("ny", "NY", MUG=1, processing_hours=100), at_place("nj", "NJ", MUG=1)]
    best, faster = quoted(order(line("1", "MUG")), places)
    assert (best.assignments[0].location_id, day(best)) == ("ny", "09")
    assert faster is not None
    assert (faster.assignments[0].location_id, faster.assignments[0].service, day(faster)) == ("nj", "AIR", "03")


def test_nothing_is_said_of_a_faster_plan_where_the_cheapest_is_the_fastest() -> None:
    _, faster = quoted(order(line("1", "MUG")), [at_place("ny", "NY", MUG=1), at_place("ca", "CA", MUG=1)])
    assert faster is None


def test_of_equally_fast_plans_the_cheapest_is_named() -> None:
    places = [
        at_place("ny", "NY", MUG=1, processing_hours=100),
        at_place("ca", "CA", MUG=1),
        at_place("nv", "NV", MUG=1),
    ]
    places.append(at_place("nj", "NJ", MUG=1, processing_hours=20))
    _, faster = quoted(order(line("1", "MUG")), places)
    assert faster is not None
    assert (faster.assignments[0].location_id, faster.cost_minor, day(faster)) == ("nj", 2000, "04")


def test_an_order_is_as_fast_as_its_slowest_parcel() -> None:
    places = [at_place("ny", "NY", MUG=1), at_place("ca", "CA", TEE=1)]
    best, faster = quoted(order(line("1", "MUG"), line("2", "TEE")), places)
    assert (day(best), day(faster)) == ("06", "04")
    assert faster is not None
    assert {one.location_id: one.service for one in faster.assignments} == {"ca": "AIR", "ny": "GROUND"}


def test_a_line_is_not_split_to_be_faster_where_the_policy_keeps_it_whole() -> None:
    places = [
        at_place("ca", "CA", MUG=3, processing_hours=100),
        at_place("ny", "NY", MUG=2),
        at_place("nj", "NJ", MUG=1),
    ]
    wanted = order(line("1", "MUG", 3))
    best, faster = quoted(wanted, places)
    assert (day(best), day(faster)) == ("12", "10")
    assert faster is not None
    assert [one.location_id for one in faster.assignments] == ["ca"]
    _, faster = quoted(wanted, places, constraints=Constraints(line_split=LineSplit.ALWAYS))
    assert day(faster) == "03"


def test_where_lateness_is_forbidden_a_line_is_split_to_be_in_time_as_allocation_would() -> None:
    places = [
        at_place("ca", "CA", MUG=3, processing_hours=100),
        at_place("ny", "NY", MUG=2),
        at_place("nj", "NJ", MUG=1),
    ]
    strict = Constraints(lateness=Lateness.FORBIDDEN)
    _, faster = quoted(order(line("1", "MUG", 3)), places, constraints=strict)
    assert day(faster) == "03"
    promised = order(line("1", "MUG", 3), promised_by=faster.deliver_by if faster else None)
    assert in_time(route(promised, known(places, constraints=strict), stock_of(places)), promised.promised_by or NOON)


def test_what_is_given_up_only_when_nothing_fits_is_not_given_up_to_be_faster() -> None:
    places = [at_place("ca", "CA", MUG=1, TEE=1), at_place("ny", "NY", MUG=1), at_place("nj", "NJ", TEE=1)]
    wanted, alone = order(line("1", "MUG"), line("2", "TEE")), Constraints(max_parcels=1)
    _, faster = quoted(wanted, places, constraints=alone, fallbacks=(Relaxation.MORE_PARCELS,))
    assert (day(faster), len(faster.assignments) if faster else 0) == ("04", 1)
    _, faster = quoted(wanted, places)
    assert day(faster) == "03"


def test_no_more_arrivals_are_tried_than_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    tried: list[datetime] = []

    def none_by(_order: Order, _network: Network, _stock: Any, moment: datetime) -> None:
        tried.append(moment)

    monkeypatch.setattr(promise_quotes, "arriving_by", none_by)
    monkeypatch.setattr(promise_quotes, "MAX_DATES", 3)
    slow = [at_place(f"p{number}", "CA", MUG=1, processing_hours=24 * number) for number in range(1, 9)]
    cheap = Candidate(location=location("a", "NY", processing_hours=500), available={"MUG": 1})
    _, faster = quoted(order(line("1", "MUG")), [*slow, cheap])
    assert faster is None
    assert len(tried) == 3
    assert tried == sorted(tried)


# --- against every plan there is

PLACES, REGIONS = ("a", "b", "c"), ("NY", "NJ", "CA")
Problem = tuple["Order", list[Candidate], Constraints]


@st.composite
def problems(draw: st.DrawFn) -> Problem:
    lines = [
        line(str(number), draw(st.sampled_from(["MUG", "TEE"])), draw(st.integers(1, 2)), unit_grams=grams)
        for number, grams in enumerate(draw(st.lists(st.sampled_from([100, 400, 900, 1500]), min_size=1, max_size=2)))
    ]
    candidates = [
        Candidate(
            location=location(
                place,
                draw(st.sampled_from(REGIONS)),
                processing_hours=draw(st.sampled_from([0, 10, 30, 60])),
                handling_per_parcel_minor=draw(st.sampled_from([0, 100])),
                handling_per_unit_minor=draw(st.sampled_from([0, 30])),
            ),
            available=draw(st.dictionaries(st.sampled_from(["MUG", "TEE"]), st.integers(0, 4))),
        )
        for place in draw(st.lists(st.sampled_from(PLACES), unique=True, min_size=1))
    ]
    split = draw(st.sampled_from([LineSplit.NEVER, LineSplit.ALWAYS]))
    lateness = draw(st.sampled_from(list(Lateness)))
    rules = Constraints(max_parcels=draw(st.integers(1, 3)), line_split=split, lateness=lateness)
    return order(*lines), candidates, rules


Way = dict[str, dict[str, int]]
"""Location → line_id → units."""


def every_way(wanted: Order, candidates: Sequence[Candidate], rules: Constraints) -> Iterator[Way]:
    """Every way to send all of it from stock that is there, in so many parcels."""
    stock = stock_of(candidates)
    places = [one.location.location_id for one in candidates]
    pieces = [
        (one, units)
        for one in wanted.lines
        for units in ([1] * one.ordered if rules.line_split is LineSplit.ALWAYS else [one.ordered])
    ]
    for chosen in product(places, repeat=len(pieces)):
        way: Way = {}
        used: dict[tuple[str, str], int] = {}
        for (one, units), place in zip(pieces, chosen, strict=True):
            here = way.setdefault(place, {})
            here[one.line_id] = here.get(one.line_id, 0) + units
            used[one.sku, place] = used.get((one.sku, place), 0) + units
        enough = all(stock.get(sku, {}).get(place, 0) >= units for (sku, place), units in used.items())
        if enough and len(way) <= rules.max_parcels:
            yield way


def parcel_options(wanted: Order, way: Way, there: Network) -> list[list[tuple[datetime, int]]]:
    """For each parcel, when each offer that carries it arrives and what it costs."""
    offers = there.reach(Destination.of(wanted), NOON).offers
    return [_options(wanted, units, there, place, offers.get(place, ())) for place, units in way.items()]


def _options(
    wanted: Order, units: dict[str, int], there: Network, place: str, offers: Sequence[Offer]
) -> list[tuple[datetime, int]]:
    grams = sum(one.unit_grams * units.get(one.line_id, 0) for one in wanted.lines)
    handling = there.locations[place].handling_per_unit_minor * sum(units.values())
    return [
        (offer.deliver_by, price + handling)
        for offer in offers
        if (price := offer.price_minor(grams, 0, frozenset())) is not None and offer.deliver_by
    ]


def cheapest_by(moment: datetime, ways: list[list[list[tuple[datetime, int]]]]) -> int | None:
    """What the cheapest of all ways costs that arrives by then."""
    costs = []
    for options in ways:
        timely = [[price for arrives, price in one if arrives <= moment] for one in options]
        if all(timely):
            costs.append(sum(min(prices) for prices in timely))
    return min(costs, default=None)


@settings(max_examples=300)
@given(problems())
def test_no_plan_arrives_before_the_fastest_and_none_as_fast_costs_less(problem: Problem) -> None:
    wanted, candidates, rules = problem
    there, stock = known(candidates, constraints=rules, fallbacks=()), stock_of(candidates)
    ways = [parcel_options(wanted, way, there) for way in every_way(wanted, candidates, rules)]
    arrivals = sorted({arrives for options in ways for one in options for arrives, _ in one})
    costs = {moment: cheapest_by(moment, ways) for moment in arrivals}
    try:
        best = route(wanted, there, stock)
    except (NoRoute, OutOfStock):
        assert not any(cost is not None for cost in costs.values())
        return
    for moment, cost in costs.items():
        plan = arriving_by(wanted, there, stock, moment)
        assert (plan.cost_minor if plan else None) == cost
    soonest = min(moment for moment, cost in costs.items() if cost is not None)
    found = fastest(wanted, there, stock, best) or best
    assert found.deliver_by == soonest
    assert found is best or found.cost_minor == costs[soonest]


@given(problems())
def test_alternatives_come_later_and_each_is_cheaper_than_the_one_before(problem: Problem) -> None:
    wanted, candidates, rules = problem
    there, stock = known(candidates, constraints=rules), stock_of(candidates)
    try:
        best = route(wanted, there, stock)
    except (NoRoute, OutOfStock):
        return
    first = (fastest(wanted, there, stock, best) or best).deliver_by
    assert first is not None
    found = alternatives(wanted, there, stock, best, first - timedelta(seconds=1))
    assert 1 <= len(found) <= 3
    assert found[0].deliver_by == first
    assert min(plan.cost_minor for plan in found) <= best.cost_minor
    for sooner, later in pairwise(found):
        assert sooner.deliver_by is not None
        assert later.deliver_by is not None
        assert (sooner.deliver_by < later.deliver_by, sooner.cost_minor > later.cost_minor) == (True, True)


# --- a promise that can or can't be kept


def test_of_many_plans_that_come_too_late_the_fastest_the_next_and_the_cheapest_are_offered() -> None:
    places = [
        at_place("ny", "NY", MUG=1, processing_hours=24 * 10),
        at_place("nj", "NJ", MUG=1, processing_hours=24 * 2),
        at_place("ca", "CA", MUG=1),
    ]
    there, stock, wanted = known(places), stock_of(places), order(line("1", "MUG"))
    best = route(wanted, there, stock)
    assert arriving_by(wanted, there, stock, NOON + timedelta(hours=20)) is None
    found = alternatives(wanted, there, stock, best, NOON + timedelta(hours=20))
    assert [(day(plan), plan.cost_minor) for plan in found] == [("04", 2600), ("05", 2000), ("17", 500)]


def test_what_arrives_by_the_promise_costs_no_penalty() -> None:
    places = [at_place("ca", "CA", MUG=1)]
    there, stock, wanted = known(places), stock_of(places), order(line("1", "MUG"))
    plan = arriving_by(wanted, there, stock, NOON + timedelta(days=3))
    assert plan is not None
    assert (plan.cost_minor, plan.assignments[0].service) == (2600, "AIR")
    assert there.policy.costs == LATE_IS_CHEAP


def test_a_plan_is_told_by_its_last_parcel() -> None:
    places = [at_place("ny", "NY", MUG=1), at_place("ca", "CA", TEE=1)]
    _, faster = quoted(order(line("1", "MUG"), line("2", "TEE")), places)
    assert faster is not None
    assert told(faster) == {
        "deliver_by": "2026-03-04T23:59:59Z",
        "service": "AIR",
        "cost_minor": 3100,
        "currency": "USD",
    }


def test_an_order_with_nothing_to_send_keeps_every_promise() -> None:
    wanted = order(line("1", "GIFT-CARD", requires_shipping=False))
    there = known([])
    plan = route(wanted, there, {})
    assert in_time(plan, NOON)
    assert fastest(wanted, there, {}, plan) is None


# --- the order that is asked about, and words

MUG = Product(sku="MUG", grams=350)
PAIR = Product(sku="PAIR", kit_components=(KitComponent(sku="MUG", quantity=2),))
ALBANY = Address(country="US", region="NY", postal_code="12207")


def test_a_question_becomes_the_order_it_would_be_behind_all_that_wait() -> None:
    asked = Question(units={"MUG": 3}, ship_to=ALBANY, service_level="EXPRESS", channel="shopify")
    made = draft(asked, {"MUG": MUG}, context())
    assert [(one.sku, one.unallocated, one.unit_grams) for one in made.lines] == [("MUG", 3, 350)]
    assert (made.service_level, made.channel, made.promised_by) == ("EXPRESS", "shopify", None)
    assert (made.ship_to.region, made.ship_to.postal_prefix, made.placed_at.year) == ("NY", "122", 9999)
    assert made.release_after == NOON + timedelta(seconds=context().policy.cancel_window_seconds)


def test_a_basket_can_be_asked_about_sku_by_sku() -> None:
    asked = Question(units={"MUG": 3, "PAIR": 1}, ship_to=ALBANY)
    assert asked.alone("PAIR") == replace(asked, units={"PAIR": 1})


@pytest.mark.parametrize(
    ("product_", "reason"),
    [
        pytest.param(
            replace(PAIR, kit_components=(KitComponent(sku="GONE", quantity=1),)), "UNKNOWN_SKU", id="unknown"
        ),
        pytest.param(replace(PAIR, kit_components=(KitComponent(sku="PAIR", quantity=1),)), "KIT_ORDERED", id="nested"),
    ],
)
def test_what_we_would_not_take_as_an_order_is_in_review(product_: Product, reason: str) -> None:
    made = draft(Question(units={"PAIR": 1}, ship_to=ALBANY), {"PAIR": product_}, context())
    assert made.review is not None
    assert made.review.reason == reason


def test_why_nothing_can_be_promised_names_units_or_the_reason_of_each_location() -> None:
    assert why_not(OutOfStock({"TEE": 2, "MUG": 1})) == {"code": "OUT_OF_STOCK", "shortages": {"MUG": 1, "TEE": 2}}
    many = why_not(NoRoute({f"{number:03}": "NO_RATE" for number in range(100)}))
    assert (many["code"], len(many["reasons"]), many["reasons"]["000"]) == ("NO_ROUTE", MAX_REASONS_TOLD, "NO_RATE")


def test_every_gap_is_told_in_words_that_say_where_to_mend_it() -> None:
    assert set(SAYS) == {*PromiseWarning, ZONE_TABLE_MISSING}
    assert all(": " in words and len(words) < 160 for words in SAYS.values())
