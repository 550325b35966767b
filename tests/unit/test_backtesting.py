"""Backtests: past orders decided again, each policy with what it would have left over."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from oms.domain.backtesting import Company, Outcome, PastDecision, replay
from oms.domain.errors import NoRoute, OutOfStock
from oms.domain.events import Event, EventType
from oms.domain.order import Component, OrderStatus, ShipTo
from oms.domain.rates import CarrierService, RateBand
from oms.domain.routing_policy import Constraints, Costs, Lateness, RoutingPolicy, Segment
from tests.unit.builders import NOON, line
from tests.unit.past_orders import COMPANY, EAST, WEST, Past, from_where, preferring, shelves, with_capacity
from tests.unit.rate_cards import small_card

WESTERNER = ShipTo(country="US", region="CA")


def again(past: Past, policy: RoutingPolicy) -> list[Outcome]:
    return list(replay(past.decisions(), policy, past.company))


def test_the_policy_of_the_time_decides_as_it_did() -> None:
    past = Past(shelves(MUG={"EAST": 2, "WEST": 3}))
    for minute in range(4):
        past.routed(minute)
    outcomes = again(past, RoutingPolicy())
    assert from_where(outcomes) == [["EAST"], ["EAST"], ["WEST"], ["WEST"]]
    assert [one.paid_minor for one in outcomes] == [decision.cost_minor for _, decision in past.kept]


def test_what_another_policy_leaves_on_a_shelf_is_there_for_later_orders() -> None:
    past = Past(shelves(MUG={"EAST": 1, "WEST": 2}))
    past.routed(0)
    past.routed(1)
    assert from_where(again(past, RoutingPolicy())) == [["EAST"], ["WEST"]]
    past.routed(2)
    assert from_where(again(past, preferring("west"))) == [["WEST"], ["WEST"], ["EAST"]]


def test_what_another_policy_took_is_gone_for_later_orders() -> None:
    past = Past(shelves(MUG={"EAST": 5, "WEST": 1}))
    past.routed(0)
    past.routed(1)
    past.routed(2, ship_to=WESTERNER)
    assert from_where(again(past, RoutingPolicy())) == [["EAST"], ["EAST"], ["WEST"]]
    assert from_where(again(past, preferring("west"))) == [["WEST"], ["EAST"], ["EAST"]]


def test_an_order_without_a_route_leaves_its_units_to_others() -> None:
    past = Past(shelves(MUG={"EAST": 1, "WEST": 1}))
    past.routed(0, line("L1", "MUG", 2))
    decisions = [*past.decisions(), replace(past.decisions()[0], decided_at=NOON + timedelta(hours=1))]
    decisions[1] = replace(decisions[1], stock={"MUG": {}}, taken={})
    single = RoutingPolicy(constraints=Constraints(max_parcels=1), fallbacks=())
    outcomes = list(replay(decisions, single, COMPANY))
    assert [one.is_routed for one in outcomes] == [False, False]
    assert outcomes[0].why_not == "NO_ROUTE"
    free = RoutingPolicy(constraints=Constraints(max_parcels=2))
    assert [one.is_routed for one in replay(decisions, free, COMPANY)] == [True, False]
    one_unit = replace(decisions[1].order, lines=(line("L1", "MUG"),))
    outcomes = list(replay([decisions[0], replace(decisions[1], order=one_unit)], single, COMPANY))
    assert from_where(outcomes) == [[], ["EAST"]]


def test_units_of_an_order_that_was_cancelled_come_back_to_where_the_policy_took_them() -> None:
    past = Past(shelves(MUG={"EAST": 1, "WEST": 1}))
    past.routed(0)
    first, decision = past.kept[0]
    cancelled = Event(version=9, sequence=9, type=EventType.ORDER_CANCELLED, at=NOON + timedelta(minutes=5), actor="x")
    past.kept[0] = (replace(first, status=OrderStatus.CANCELLED, events=(*first.events, cancelled)), decision)
    past.stock["MUG"]["EAST"] += 1
    past.routed(10, ship_to=WESTERNER)
    assert from_where(again(past, preferring("west"))) == [["WEST"], ["WEST"]]


def test_a_day_that_the_policy_filled_is_full_for_later_orders() -> None:
    past = Past(shelves(MUG={"EAST": 9, "WEST": 9}), company=with_capacity(1))
    past.routed(0)
    past.routed(1)
    outcomes = again(past, preferring("west"))
    assert from_where(outcomes) == [["WEST"], ["WEST"]]
    assert [one.parcels[0].capacity_day for one in outcomes] == ["2026-03-02", "2026-03-03"]
    assert [one.full for one in outcomes] == [(("WEST", "2026-03-02"),), (("WEST", "2026-03-03"),)]


def test_a_place_that_the_policy_left_is_there_for_later_orders() -> None:
    past = Past(shelves(MUG={"EAST": 9, "WEST": 1}), company=with_capacity(1))
    past.routed(0)
    past.routed(1)
    assert past.decisions()[1].planned == {("EAST", "2026-03-02"): 1}
    outcomes = again(past, preferring("west"))
    assert from_where(outcomes) == [["WEST"], ["EAST"]]
    assert outcomes[1].parcels[0].capacity_day == "2026-03-02"


def test_an_order_that_is_released_later_leaves_later() -> None:
    past = Past(shelves(MUG={"EAST": 9}), company=with_capacity(5))
    past.routed(11 * 60, release_after=NOON + timedelta(days=2))
    past.routed(11 * 60 + 59)  # moments are rounded up: the next day
    outcomes = again(past, RoutingPolicy())
    assert [one.parcels[0].capacity_day for one in outcomes] == ["2026-03-04", "2026-03-03"]
    assert [one.parcels for one in outcomes] == [decision.parcels for _, decision in past.kept]


def test_days_hold_what_they_held_then() -> None:
    past = Past(shelves(MUG={"EAST": 9, "WEST": 9}), company=with_capacity(2))
    past.planned["EAST", "2026-03-02"] = 2
    past.routed(0)
    first = past.decisions()[0]
    assert first.planned == {("EAST", "2026-03-02"): 2}
    assert from_where(again(past, RoutingPolicy())) == [[past.kept[0][1].parcels[0].location_id]]
    again_at_once = again(past, preferring("east"))
    assert again_at_once[0].parcels[0].capacity_day == "2026-03-03"


def test_prices_are_those_that_held_on_the_day() -> None:
    dearer = CarrierService(service="GROUND", bands=(RateBand(up_to_grams=5000, prices_minor=(600, 900, 1200)),))
    cards = (
        small_card(effective_to="2026-03-03"),
        small_card(version=2, effective_from="2026-03-03", services=(dearer,)),
    )
    past = Past(shelves(MUG={"EAST": 9}), company=Company(locations=(EAST,), cards=cards))
    past.routed(0)
    past.routed(24 * 60)
    assert [one.paid_minor for one in again(past, RoutingPolicy())] == [500, 600]


def test_weights_of_a_policy_are_no_money() -> None:
    past = Past(shelves(MUG={"EAST": 9, "WEST": 9}))
    past.routed(0)
    (outcome,) = again(past, RoutingPolicy(costs=Costs(preferences_minor={"east": 50})))
    assert outcome.parcels[0].cost_minor == 550
    assert outcome.paid_minor == 500


def test_a_draft_that_forbids_lateness_shows_in_what_is_late() -> None:
    slow = small_card(services=(replace(small_card().services[0], transit_days=(9, 9, 1)),))
    company = Company(locations=(EAST, WEST), cards=(slow,))
    past = Past(
        shelves(MUG={"EAST": 9, "WEST": 9}), company=company, policy=RoutingPolicy(costs=Costs(late_day_minor=0))
    )
    past.routed(0, promised_by=NOON + timedelta(days=5))
    forbidding = RoutingPolicy(constraints=Constraints(lateness=Lateness.FORBIDDEN))
    assert [one.is_late(one.promised_by) for one in again(past, past.policy)] == [True]
    assert [one.is_late(one.promised_by) for one in again(past, forbidding)] == [False]
    assert from_where(again(past, forbidding)) == [["WEST"]]


REGIONS = ("NY", "CA", "NJ")
HISTORY = st.lists(
    st.tuples(
        st.lists(st.tuples(st.sampled_from(("MUG", "BOWL", "SET")), st.integers(1, 3)), min_size=1, max_size=3),
        st.sampled_from(REGIONS),
        st.integers(0, 40),
        st.booleans(),
    ),
    min_size=1,
    max_size=8,
)
SHELF = st.fixed_dictionaries({"EAST": st.integers(0, 6), "WEST": st.integers(0, 6)})
POLICIES = st.sampled_from(
    (
        RoutingPolicy(),
        preferring("west"),
        RoutingPolicy(constraints=Constraints(max_parcels=1), fallbacks=()),
        RoutingPolicy(constraints=Constraints(segments=(Segment(name="all", never_tags=("east",)),))),
    )
)


def history(orders: list[Any], mug: dict[str, int], bowl: dict[str, int], capacity: int) -> Past:
    """What became of these orders; some are cancelled a little later, and those that had no route are not in it."""
    past = Past(shelves(MUG=mug, BOWL=bowl), company=with_capacity(capacity))
    at = 0
    for wanted, region, wait, is_cancelled in orders:
        lines = [
            line(f"L{number}", sku, units, components=(Component(sku="MUG", quantity=2),) if sku == "SET" else ())
            for number, (sku, units) in enumerate(wanted)
        ]
        at += wait
        try:
            past.routed(at, *lines, ship_to=ShipTo(country="US", region=region))
        except (NoRoute, OutOfStock):
            continue
        if is_cancelled:
            _cancel(past, at + 1)
            at += 1
    return past


def _cancel(past: Past, minutes: float) -> None:
    """The newest order is cancelled, and gives all back."""
    document, decision = past.kept[-1]
    at = NOON + timedelta(minutes=minutes)
    news = Event(version=9, sequence=9, type=EventType.ORDER_CANCELLED, at=at, actor="x")
    past.kept[-1] = (replace(document, status=OrderStatus.CANCELLED, events=(*document.events, news)), decision)
    got = past.decisions()[-1]
    for (sku, location_id), units in got.taken.items():
        past.stock[sku][location_id] += units
    past.planned.subtract(got.places)


@settings(max_examples=150, deadline=None)
@given(HISTORY, SHELF, SHELF, st.integers(1, 3))
def test_whatever_happened_the_policy_of_the_time_would_do_it_again(
    orders: list[Any], mug: dict[str, int], bowl: dict[str, int], capacity: int
) -> None:
    past = history(orders, mug, bowl, capacity)
    outcomes = again(past, RoutingPolicy())
    assert [one.parcels for one in outcomes] == [decision.parcels for _, decision in past.kept]


@settings(max_examples=150, deadline=None)
@given(HISTORY, SHELF, SHELF, st.integers(1, 3), POLICIES)
def test_no_policy_ever_takes_a_unit_or_a_place_that_was_not_there(
    orders: list[Any], mug: dict[str, int], bowl: dict[str, int], capacity: int, policy: RoutingPolicy
) -> None:
    past = history(orders, mug, bowl, capacity)
    there = {("MUG", one): units for one, units in mug.items()} | {("BOWL", one): units for one, units in bowl.items()}
    held: Counter[tuple[str, str]] = Counter()
    decisions = past.decisions()
    coming_back: list[tuple[datetime, Counter[tuple[str, str]]]] = []
    for one, outcome in zip(decisions, replay(decisions, policy, past.company), strict=True):
        for at, took in [back for back in coming_back if back[0] <= one.decided_at]:
            held.subtract(took)
            coming_back.remove((at, took))
        took = _taken(one, outcome)
        held.update(took)
        if one.given_back_at:
            coming_back.append((one.given_back_at, took))
        assert all(number <= there.get(place, capacity) for place, number in held.items())
        assert not outcome.over


def _taken(past: PastDecision, outcome: Outcome) -> Counter[tuple[str, str]]:
    """Units by sku and location, and places by location and day."""
    lines = {one.line_id: one for one in past.order.lines}
    took: Counter[tuple[str, str]] = Counter()
    for parcel in outcome.parcels:
        took[parcel.location_id, parcel.capacity_day or ""] += 1
        for line_id, quantity in parcel.lines.items():
            for sku, units in lines[line_id].stock_units(quantity).items():
                took[sku, parcel.location_id] += units
    return took
