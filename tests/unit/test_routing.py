"""Which locations ship an order."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from oms.domain.catalog import LocationStatus
from oms.domain.errors import NoRoute, OutOfStock
from oms.domain.network import Ineligible
from oms.domain.order import Method, ShipTo
from oms.domain.rates import RateBand
from oms.domain.routing import RoutingPlan
from oms.domain.routing_policy import Relaxation
from tests.unit.builders import Candidate, candidate, line, location, order, routed, shipped
from tests.unit.rate_cards import small_card, small_service

# --- one location


def test_the_cheapest_location_that_has_everything_ships_it_alone() -> None:
    plan = routed(
        order(line("1", "MUG", 2), line("2", "TEE")),
        [
            candidate("wh-ca", "CA", MUG=9, TEE=9),
            candidate("wh-nj", "NJ", MUG=9, TEE=9),
            candidate("wh-ny", "NY", MUG=9),
        ],
    )
    assert shipped(plan) == {"wh-nj": {"1": 2, "2": 1}}
    assert plan.cost_minor == 700
    assert (plan.assignments[0].carrier, plan.assignments[0].service) == ("ups", "GROUND")


@pytest.mark.parametrize(
    ("carriers", "carrier", "service", "cost_minor"),
    [
        pytest.param((), "ups", "GROUND", 500, id="the cheapest where it may use any"),
        pytest.param(("fedex",), "fedex", "HOME", 600, id="its own where it uses only one"),
        pytest.param(("fedex", "ups"), "ups", "GROUND", 500, id="the cheapest of those it uses"),
    ],
)
def test_a_location_ships_by_a_carrier_it_may_use(
    carriers: tuple[str, ...], carrier: str, service: str, cost_minor: int
) -> None:
    bands = (RateBand(up_to_grams=500, prices_minor=(600, 800, 1000)),)
    fedex = small_card(name="fedex", carrier="fedex", services=(small_service(service="HOME", bands=bands),))
    own = Candidate(location=location("wh", carriers=carriers), available={"MUG": 1})
    (parcel,) = routed(order(line("1", "MUG")), [own], small_card(), fedex).assignments
    assert (parcel.carrier, parcel.service, parcel.cost_minor) == (carrier, service, cost_minor)


def test_of_two_locations_at_the_same_price_the_first_by_id_ships() -> None:
    candidates = [candidate("b", MUG=1), candidate("a", MUG=1)]
    for given_order in (candidates, candidates[::-1]):
        assert list(shipped(routed(order(line("1", "MUG")), given_order))) == ["a"]


def test_one_expensive_parcel_is_preferred_to_two_cheap_ones() -> None:
    plan = routed(
        order(line("1", "MUG"), line("2", "TEE")),
        [candidate("a", "NY", MUG=1), candidate("b", "NY", TEE=1), candidate("c", "CA", MUG=1, TEE=1)],
    )
    assert (shipped(plan), plan.cost_minor) == ({"c": {"1": 1, "2": 1}}, 900)


def test_two_parcels_are_preferred_to_one_that_costs_more() -> None:
    plan = routed(
        order(line("1", "MUG", unit_grams=400), line("2", "TEE", unit_grams=400)),
        [candidate("a", "NY", MUG=1), candidate("b", "NY", TEE=1), candidate("c", "CA", MUG=1, TEE=1)],
    )
    assert (shipped(plan), plan.cost_minor) == ({"a": {"1": 1}, "b": {"2": 1}}, 1000)


def test_two_lines_of_one_sku_share_the_stock_of_a_location() -> None:
    plan = routed(
        order(line("1", "MUG", 2), line("2", "MUG", 2)),
        [candidate("near", "NY", MUG=3), candidate("far", "CA", MUG=4)],
    )
    assert shipped(plan) == {"far": {"1": 2, "2": 2}}


def test_only_what_is_unallocated_and_needs_shipping_is_routed() -> None:
    plan = routed(
        order(
            line("1", "MUG", 5, unallocated=2, in_fulfillment=3),
            line("2", "GIFT-CARD", requires_shipping=False),
            line("3", "TEE", 1, unallocated=0, cancelled=1),
        ),
        [candidate("wh", MUG=2)],
    )
    assert shipped(plan) == {"wh": {"1": 2}}


def test_an_order_with_nothing_to_ship_has_an_empty_plan() -> None:
    assert routed(order(line("1", "GIFT-CARD", requires_shipping=False)), []) == RoutingPlan()


# --- who may not ship


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"status": LocationStatus.SETUP}, Ineligible.NOT_ACTIVE),
        ({"status": LocationStatus.DRAINING}, Ineligible.NOT_ACTIVE),
        ({"status": LocationStatus.CLOSED}, Ineligible.NOT_ACTIVE),
        ({"methods": (Method.PICKUP,)}, Ineligible.METHOD_UNSUPPORTED),
        ({"ships_to": ("CA", "MX")}, Ineligible.COUNTRY_NOT_SERVED),
        ({"region": "HI"}, Ineligible.NO_RATE),
        ({"carriers": ("fedex",)}, Ineligible.NO_RATE),
    ],
)
def test_a_location_that_may_not_ship_is_passed_over_and_the_plan_says_why(
    changes: dict[str, Any], reason: Ineligible
) -> None:
    barred = Candidate(location=replace(location("barred"), **changes), available={"MUG": 9})
    mugs = order(line("1", "MUG"))
    plan = routed(mugs, [barred, candidate("far", "CA", MUG=9)])
    assert list(shipped(plan)) == ["far"]
    assert plan.eliminated == {"barred": reason}
    with pytest.raises(NoRoute) as refusal:
        routed(mugs, [barred])
    assert refusal.value.reasons == {"barred": reason}


def test_a_location_that_refused_a_line_is_passed_over_for_it() -> None:
    mugs = order(line("1", "MUG", excluded_locations=("near",)))
    assert list(shipped(routed(mugs, [candidate("near", MUG=9), candidate("far", "CA", MUG=9)]))) == ["far"]
    with pytest.raises(NoRoute) as refusal:
        routed(mugs, [candidate("near", MUG=9)])
    assert refusal.value.reasons == {"near": Ineligible.EXCLUDED}


def test_a_location_that_names_the_country_ships_there() -> None:
    near = Candidate(location=location("wh", ships_to=("US",)), available={"MUG": 1})
    assert list(shipped(routed(order(line("1", "MUG")), [near]))) == ["wh"]


def test_without_any_location_there_is_no_route() -> None:
    with pytest.raises(NoRoute):
        routed(order(line("1", "MUG")), [])


def test_an_order_to_a_country_nobody_serves_has_no_route_whatever_the_stock() -> None:
    with pytest.raises(NoRoute) as refusal:
        routed(order(line("1", "MUG"), ship_to=ShipTo(country="FR")), [candidate("wh", MUG=99)])
    assert refusal.value.reasons == {"wh": Ineligible.NO_RATE}


def test_a_line_that_every_location_is_excluded_for_has_no_route_even_if_the_others_have() -> None:
    with pytest.raises(NoRoute) as refusal:
        routed(
            order(line("1", "MUG"), line("2", "TEE", excluded_locations=("a",))),
            [candidate("a", MUG=1, TEE=1)],
        )
    assert refusal.value.reasons == {"a": Ineligible.EXCLUDED}


def test_a_location_excluded_for_one_line_still_ships_the_others() -> None:
    plan = routed(
        order(line("1", "MUG", excluded_locations=("a",)), line("2", "TEE")),
        [candidate("a", "NY", MUG=1, TEE=1), candidate("b", "NY", MUG=1)],
    )
    assert shipped(plan) == {"a": {"2": 1}, "b": {"1": 1}}


# --- splits


def test_an_order_that_no_location_has_whole_is_split_and_costs_the_sum_of_its_parcels() -> None:
    plan = routed(
        order(line("1", "MUG"), line("2", "TEE")),
        [candidate("wh-ca", "CA", TEE=1), candidate("wh-ny", "NY", MUG=1)],
    )
    assert shipped(plan) == {"wh-ca": {"2": 1}, "wh-ny": {"1": 1}}
    assert [one.cost_minor for one in plan.assignments] == [900, 500]
    assert plan.cost_minor == 1400


def test_a_split_uses_the_cheaper_of_two_pairs() -> None:
    plan = routed(
        order(line("1", "MUG"), line("2", "TEE")),
        [candidate("a", "CA", TEE=1), candidate("b", "NJ", TEE=1), candidate("c", "NY", MUG=1)],
    )
    assert shipped(plan) == {"b": {"2": 1}, "c": {"1": 1}}


def test_a_line_stays_whole_where_a_location_has_it_whole() -> None:
    plan = routed(
        order(line("1", "MUG", 4), line("2", "TEE")),
        [candidate("a", "NY", MUG=3, TEE=1), candidate("b", "CA", MUG=4)],
    )
    assert shipped(plan) == {"a": {"2": 1}, "b": {"1": 4}}


def test_a_line_that_no_location_has_whole_is_split() -> None:
    plan = routed(order(line("1", "MUG", 5)), [candidate("a", MUG=3), candidate("b", MUG=2)])
    assert shipped(plan) == {"a": {"1": 3}, "b": {"1": 2}}


def test_a_split_does_not_use_a_third_location_when_two_suffice() -> None:
    plan = routed(
        order(line("1", "MUG"), line("2", "TEE"), line("3", "CAP")),
        [
            candidate("a", "NY", MUG=1),
            candidate("b", "NJ", MUG=1, TEE=1),
            candidate("c", "NJ", CAP=1),
        ],
    )
    assert shipped(plan) == {"b": {"1": 1, "2": 1}, "c": {"3": 1}}


def test_an_order_that_would_need_more_parcels_than_allowed_has_no_route() -> None:
    mixed = order(line("1", "MUG"), line("2", "TEE"), line("3", "CAP"))
    candidates = [candidate("a", MUG=1), candidate("b", TEE=1), candidate("c", CAP=1)]
    assert len(routed(mixed, candidates, max_parcels=3).assignments) == 3
    with pytest.raises(NoRoute) as refusal:
        routed(mixed, candidates, max_parcels=2)
    assert set(refusal.value.reasons.values()) == {Ineligible.TOO_MANY_PARCELS}


def test_an_order_that_must_go_in_one_parcel_still_goes_if_one_location_has_it() -> None:
    plan = routed(order(line("1", "MUG")), [candidate("a", MUG=1)], max_parcels=1)
    assert len(plan.assignments) == 1


def test_a_pickup_costs_nothing_and_is_collected_in_one_place() -> None:
    store = Candidate(location=location("store", methods=(Method.PICKUP,)), available={"MUG": 1, "TEE": 1})
    both = order(line("1", "MUG"), line("2", "TEE"), method=Method.PICKUP, ship_to=ShipTo())
    plan = routed(both, [store])
    assert (shipped(plan), plan.cost_minor) == ({"store": {"1": 1, "2": 1}}, 0)
    other = replace(store, location=replace(store.location, location_id="other"), available={"TEE": 1})
    with pytest.raises(NoRoute):
        routed(both, [replace(store, available={"MUG": 1}), other])


# --- shortages


def test_a_shortage_names_the_missing_units_of_each_sku() -> None:
    with pytest.raises(OutOfStock) as refusal:
        routed(
            order(line("1", "MUG", 5), line("2", "MUG", 2), line("3", "TEE"), line("4", "CAP")),
            [candidate("a", MUG=3, CAP=1), candidate("b", MUG=1)],
        )
    assert refusal.value.shortages == {"MUG": 3, "TEE": 1}


def test_oversold_stock_counts_as_none_and_not_as_less_than_none() -> None:
    with pytest.raises(OutOfStock) as refusal:
        routed(order(line("1", "MUG", 2)), [candidate("a", MUG=-4), candidate("b", MUG=1)])
    assert refusal.value.shortages == {"MUG": 1}


def test_stock_at_a_location_that_may_not_ship_does_not_count() -> None:
    closed = Candidate(location=location("shut", status=LocationStatus.CLOSED), available={"MUG": 9})
    with pytest.raises(OutOfStock):
        routed(order(line("1", "MUG")), [closed, candidate("open")])


def test_stock_a_line_may_not_use_is_left_to_the_lines_that_may() -> None:
    plan = routed(
        order(
            line("1", "MUG", excluded_locations=("c",)),
            line("2", "MUG", excluded_locations=("a",)),
            line("3", "MUG", excluded_locations=("b",)),
        ),
        [candidate("a", "NY", MUG=1), candidate("b", "NJ", MUG=1), candidate("c", "CA", MUG=1)],
    )
    assert sum(sum(lines.values()) for lines in shipped(plan).values()) == 3


def test_lines_of_one_sku_that_fit_nowhere_whole_together_are_split_rather_than_refused() -> None:
    plan = routed(
        order(line("1", "MUG", 3), line("2", "MUG", 3)),
        [candidate("a", MUG=4), candidate("b", MUG=2)],
    )
    assert {place: sum(lines.values()) for place, lines in shipped(plan).items()} == {"a": 4, "b": 2}
    assert plan.relaxed == (Relaxation.SPLIT_LINES,)


def test_a_line_moves_aside_for_one_that_may_only_use_its_location() -> None:
    plan = routed(
        order(line("1", "MUG"), line("2", "MUG", excluded_locations=("b",))),
        [candidate("a", MUG=1), candidate("b", MUG=1)],
    )
    assert shipped(plan) == {"a": {"2": 1}, "b": {"1": 1}}


def test_lines_that_had_to_be_split_after_all_still_respect_the_number_of_parcels() -> None:
    pair = order(line("1", "MUG", 3), line("2", "MUG", 3))
    candidates = [candidate("a", MUG=4), candidate("b", MUG=1), candidate("c", MUG=1)]
    assert len(routed(pair, candidates, max_parcels=3).assignments) == 3
    with pytest.raises(NoRoute):
        routed(pair, candidates, max_parcels=2)


def test_a_line_that_can_stay_whole_goes_before_one_of_its_sku_that_must_be_split() -> None:
    plan = routed(
        order(line("1", "MUG", 6), line("2", "MUG", 4)),
        [candidate("a", MUG=4), candidate("b", MUG=3), candidate("c", MUG=3)],
    )
    assert shipped(plan) == {"a": {"2": 4}, "b": {"1": 3}, "c": {"1": 3}}


def test_a_split_need_not_start_where_a_unit_is_cheapest() -> None:
    plan = routed(
        order(line("1", "MUG"), line("2", "TEE"), line("3", "CAP"), line("4", "PEN")),
        [
            candidate("a", "NY", MUG=1, TEE=1),
            candidate("b", "NJ", MUG=1, CAP=1),
            candidate("c", "NJ", TEE=1, PEN=1),
        ],
    )
    assert shipped(plan) == {"b": {"1": 1, "3": 1}, "c": {"2": 1, "4": 1}}
