"""What routing reckons with beside the distance: work, full days, tags, services, currencies; and what a plan says."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest

from oms.domain.calendars import PromiseWarning
from oms.domain.errors import NoRoute
from oms.domain.network import ZONE_TABLE_MISSING, Ineligible
from oms.domain.order import Line, Method, ShipTo
from oms.domain.routing_policy import Costs, RoutingPolicy
from tests.unit.builders import NOON, Candidate, candidate, line, location, network, order, routed, shipped
from tests.unit.rate_cards import small_card, small_service

MONDAY, TUESDAY = "2026-03-02", "2026-03-03"
CALENDAR = {
    "time_zone": "UTC",
    "working_days": (1, 2, 3, 4, 5),
    "opens_at": "08:00",
    "closes_at": "18:00",
    "cut_off": "14:00",
    "pickups": {"ups": ("17:00",)},
}


def place(location_id: str, region: str = "NY", stock: dict[str, int] | None = None, **facts: Any) -> Candidate:
    """A location that differs from others in these facts; one MUG lies there if nothing else is said."""
    return Candidate(location=location(location_id, region, **facts), available=stock or {"MUG": 1})


def end_of(day: int) -> datetime:
    """The end of a day of March 2026; orders come in at noon of Monday the 2nd."""
    return datetime(2026, 3, day, 23, 59, 59, tzinfo=UTC)


def mug(quantity: int = 1, **facts: Any) -> Line:
    return line("1", "MUG", quantity, **facts)


# --- work, preferences


@pytest.mark.parametrize(
    ("work", "quantity", "ships", "cost_minor"),
    [
        pytest.param({}, 3, "near", 500, id="none"),
        pytest.param({"handling_per_parcel_minor": 150}, 3, "near", 650, id="a parcel, still cheaper"),
        pytest.param({"handling_per_parcel_minor": 250}, 3, "next", 700, id="a parcel, too dear"),
        pytest.param({"handling_per_unit_minor": 60}, 3, "near", 680, id="each unit, still cheaper"),
        pytest.param({"handling_per_unit_minor": 60}, 4, "next", 700, id="each unit, of too many"),
        pytest.param({"handling_per_parcel_minor": 100, "handling_per_unit_minor": 40}, 3, "next", 700, id="both"),
    ],
)
def test_the_work_at_a_location_decides_as_the_price_of_the_parcel_does(
    work: dict[str, int], quantity: int, ships: str, cost_minor: int
) -> None:
    stock = {"MUG": 9}
    plan = routed(order(mug(quantity)), [place("near", "NY", stock, **work), place("next", "NJ", stock)])
    assert (list(shipped(plan)), plan.cost_minor) == ([ships], cost_minor)


@pytest.mark.parametrize(
    ("preferences", "tags", "ships", "cost_minor"),
    [
        pytest.param({"3pl": 150}, ("3pl",), "near", 650, id="not by enough"),
        pytest.param({"3pl": 250}, ("3pl",), "next", 700, id="by enough"),
        pytest.param({"3pl": 150, "dear": 100}, ("3pl", "dear"), "next", 700, id="by all its tags"),
        pytest.param({"3pl": 250}, ("own",), "near", 500, id="by tags of others"),
    ],
)
def test_locations_with_a_tag_the_company_likes_less_ship_less(
    preferences: dict[str, int], tags: tuple[str, ...], ships: str, cost_minor: int
) -> None:
    policy = RoutingPolicy(costs=Costs(preferences_minor=preferences))
    plan = routed(order(mug()), [place("near", tags=tags), place("next", "NJ")], policy=policy)
    assert (list(shipped(plan)), plan.cost_minor) == ([ships], cost_minor)


# --- full days


@pytest.mark.parametrize(
    ("planned", "cost_minor", "day", "deliver_by"),
    [
        pytest.param(0, 500, MONDAY, end_of(3), id="an empty day"),
        pytest.param(7, 500, MONDAY, end_of(3), id="up to eight of ten"),
        pytest.param(8, 500 + 150, MONDAY, end_of(3), id="half way from there to full"),
        pytest.param(9, 500 + 300, MONDAY, end_of(3), id="the last place"),
        pytest.param(10, 500, TUESDAY, end_of(4), id="full: the next day"),
        pytest.param(11, 500, TUESDAY, end_of(4), id="more than full"),
    ],
)
def test_a_day_that_fills_up_costs_more_and_a_full_one_is_left_for_the_next(
    planned: int, cost_minor: int, day: str, deliver_by: datetime
) -> None:
    busy = place("busy", daily_capacity=10)
    (parcel,) = routed(order(mug()), [busy], planned={("busy", MONDAY): planned}).assignments
    assert (parcel.cost_minor, parcel.capacity_day, parcel.capacity_limit) == (cost_minor, day, 10)
    assert parcel.deliver_by == deliver_by


def test_an_order_moves_on_to_a_location_with_more_room() -> None:
    candidates = [place("busy", "NY", daily_capacity=10), place("idle", "NJ")]
    assert list(shipped(routed(order(mug()), candidates, planned={("busy", MONDAY): 8}))) == ["busy"]
    assert list(shipped(routed(order(mug()), candidates, planned={("busy", MONDAY): 9}))) == ["idle"]


def test_a_full_day_makes_late_what_would_have_been_in_time() -> None:
    candidates, promised = [place("busy", daily_capacity=1)], order(mug(), promised_by=end_of(3))
    policy = RoutingPolicy(costs=Costs(capacity_minor=0))
    assert routed(promised, candidates, policy=policy).cost_minor == 500
    late = routed(promised, candidates, policy=policy, planned={("busy", MONDAY): 1})
    assert late.cost_minor == 500 + policy.costs.late_day_minor


def test_where_days_are_not_counted_no_place_is_taken() -> None:
    (parcel,) = routed(order(mug()), [place("a")], planned={("a", MONDAY): 99}).assignments
    assert (parcel.capacity_day, parcel.capacity_limit, parcel.cost_minor) == (None, None, 500)


# --- services, currencies

GROUND = small_service(service_levels=("STANDARD",))
AIR = replace(
    small_service(service="AIR", service_levels=("STANDARD", "EXPRESS"), transit_days=(1, 1, 1)),
    bands=tuple(replace(band, prices_minor=tuple(price + 800 for price in band.prices_minor)) for band in GROUND.bands),
)


@pytest.mark.parametrize(
    ("level", "promised_by", "service", "cost_minor"),
    [
        pytest.param("STANDARD", None, "GROUND", 900, id="the cheapest that may"),
        pytest.param("EXPRESS", None, "AIR", 1700, id="the one for those in a hurry"),
        pytest.param("STANDARD", end_of(5), "GROUND", 900 + 500, id="a day late costs less than speed"),
        pytest.param("STANDARD", end_of(3), "AIR", 1700, id="three days late cost more than speed"),
    ],
)
def test_a_parcel_goes_by_the_cheapest_service_for_what_was_ordered_and_promised(
    level: str, promised_by: datetime | None, service: str, cost_minor: int
) -> None:
    wanted = order(mug(), service_level=level, promised_by=promised_by)
    (parcel,) = routed(wanted, [place("far", "CA")], small_card(services=(GROUND, AIR))).assignments
    assert (parcel.service, parcel.cost_minor) == (service, cost_minor)


def test_an_order_in_a_hurry_has_no_route_where_no_service_is_fast_enough() -> None:
    with pytest.raises(NoRoute) as refusal:
        routed(order(mug(), service_level="EXPRESS"), [place("a")], small_card(services=(GROUND,)))
    assert refusal.value.reasons == {"a": Ineligible.NO_SERVICE}


def test_a_location_without_a_service_for_those_in_a_hurry_is_passed_over() -> None:
    slow, fast = small_card(services=(GROUND,)), small_card(name="fast", carrier="fedex", services=(AIR,))
    candidates = [place("near", carriers=("ups",)), place("far", "CA", carriers=("fedex",))]
    plan = routed(order(mug(), service_level="EXPRESS"), candidates, slow, fast)
    assert (list(shipped(plan)), plan.eliminated) == (["far"], {"near": Ineligible.NO_SERVICE})


def test_prices_in_another_currency_are_exchanged_before_they_are_compared() -> None:
    euros = small_card(name="post", carrier="post", currency="EUR")
    candidates = [place("a", carriers=("post",)), place("b", "NJ", carriers=("ups",))]
    for rate, ships, cost_minor in ((11_000, "a", 550), (15_000, "b", 700)):
        policy = RoutingPolicy(currency="USD", costs=Costs(exchange_rates={"EUR": rate}))
        plan = routed(order(mug()), candidates, small_card(), euros, policy=policy)
        assert (list(shipped(plan)), plan.cost_minor, plan.currency) == ([ships], cost_minor, "USD")


def test_prices_in_a_currency_without_a_rate_of_exchange_can_not_be_reckoned_with() -> None:
    in_euros = RoutingPolicy(currency="EUR")
    with pytest.raises(NoRoute) as refusal:
        routed(order(mug()), [place("a")], small_card(), policy=in_euros)
    assert refusal.value.reasons == {"a": Ineligible.NO_EXCHANGE_RATE}


def test_without_a_currency_of_its_own_a_policy_reckons_in_that_of_the_rate_cards() -> None:
    assert routed(order(mug()), [place("a")], small_card(currency="CAD")).currency == "CAD"


def test_a_bulky_parcel_pays_for_its_volume() -> None:
    bulky = order(mug(unit_cm3=10_000))
    assert routed(bulky, [place("a")], small_card()).cost_minor == 500
    assert routed(bulky, [place("a")], small_card(dim_cm3_per_kg=5000)).cost_minor == 800


def test_no_parcel_is_heavier_than_the_carrier_takes() -> None:
    card = small_card(services=(small_service(extra_kg_minor=()),))
    two = order(mug(unit_grams=1500), line("2", "TEE", unit_grams=1500))
    plan = routed(two, [candidate("near", MUG=1, TEE=1), candidate("far", "CA", TEE=1)], card)
    assert shipped(plan) == {"far": {"2": 1}, "near": {"1": 1}}


# --- what the plan says


def test_an_order_arrives_when_its_last_parcel_does() -> None:
    plan = routed(order(mug(), line("2", "TEE")), [candidate("a", MUG=1), candidate("b", "CA", TEE=1)])
    assert [one.deliver_by for one in plan.assignments] == [end_of(3), end_of(6)]
    assert plan.deliver_by == end_of(6)


def test_what_is_collected_is_there_as_soon_as_it_is_ready() -> None:
    store = place("store", methods=(Method.PICKUP,), processing_hours=2)
    assert routed(order(mug(), method=Method.PICKUP, ship_to=ShipTo()), [store]).deliver_by == NOON.replace(hour=14)


def test_an_order_that_is_in_after_the_cut_off_leaves_a_day_later() -> None:
    cards = small_card(working_days=(1, 2, 3, 4, 5))
    early, late = NOON, NOON.replace(hour=15)
    arrives = [
        routed(order(mug(), release_after=moment), [place("a", **CALENDAR)], cards).deliver_by
        for moment in (early, late)
    ]
    assert arrives == [end_of(3), end_of(4)]


def test_what_had_to_be_assumed_is_told_of_the_locations_that_ship() -> None:
    told = place("told", "NY", **CALENDAR)
    card = small_card(working_days=(1, 2, 3, 4, 5))
    assert routed(order(mug()), [told, place("untold", "CA")], card).warnings == {}
    (warned,) = routed(order(mug()), [place("untold")], card).warnings.items()
    assert warned[0] == "untold"
    assert {PromiseWarning.TIME_ZONE_MISSING, PromiseWarning.CALENDAR_MISSING} < set(warned[1])


def test_a_zone_table_that_is_missing_is_told_and_excludes_nobody() -> None:
    card = small_card(working_days=(1, 2, 3, 4, 5), zone_table="by-mail")
    assert routed(order(mug()), [place("a", **CALENDAR)], card).warnings == {"a": (ZONE_TABLE_MISSING,)}


def test_a_plan_names_the_policy_that_made_it() -> None:
    assert routed(order(mug()), [place("a")], policy=RoutingPolicy(version=7)).policy_version == 7
    assert routed(order(mug()), [place("a")]).policy_version == 0


def test_a_plan_that_is_proved_best_has_its_own_cost_as_its_bound() -> None:
    plan = routed(order(mug(), line("2", "TEE")), [candidate("a", MUG=1), candidate("b", "CA", TEE=1)])
    assert plan.bound_minor == plan.cost_minor == 1400


def test_new_prices_begin_at_midnight_where_the_company_is() -> None:
    cards = (
        small_card(version=1),
        small_card(version=2, effective_from="2026-03-03", services=(small_service(extra_kg_minor=(9, 9, 9)),)),
    )
    policy = RoutingPolicy(time_zone="America/New_York")
    evening, night = (datetime(2026, 3, 3, hour, tzinfo=UTC) for hour in (4, 5))
    used = [
        network([location("wh")], *cards, policy=policy, now=moment).cards[0].version for moment in (evening, night)
    ]
    assert used == [1, 2]
