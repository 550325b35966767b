"""The decision record: it tells what was chosen and why, has bounds, and can be put again."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from oms.domain.catalog import LocationStatus
from oms.domain.order import Capability, Component, Method, ShipTo
from oms.domain.routing import Assignment, RoutingPlan, SplitReason, route
from oms.domain.routing_account import account_of
from oms.domain.routing_policy import Constraints, Costs, Lateness, LineSplit, Relaxation, RoutingPolicy
from oms.domain.routing_record import (
    MAX_CANDIDATES_TOLD,
    MAX_ELIMINATED_TOLD,
    MAX_NEWS_BYTES,
    decision_id,
    record,
    routed_news,
)
from oms.domain.routing_terms import TERMS, cost_of
from oms.stores.attribute_values import to_item
from tests.unit.builders import NOON, Candidate, candidate, line, location, network, order, routed, stock_of
from tests.unit.decisions import again, decided
from tests.unit.rate_cards import small_card, small_service

MUGS = order(line("1", "MUG", 2))
BYTES_OF_TWO_LINES, BYTES_OF_FIVE_LINES = 1_536, 4_096


def item_bytes(value: dict[str, object]) -> int:
    """What DynamoDB counts for a typed value: names and text in UTF-8, two digits a byte, three for a collection and
    one for each of its elements."""
    ((kind, inner),) = value.items()
    match kind, inner:
        case "S", str():
            return len(inner.encode())
        case "N", str():
            return (len(inner.lstrip("-").strip("0")) + 1) // 2 + 1 + inner.startswith("-")
        case "M", dict():
            return 3 + sum(1 + len(name.encode()) + item_bytes(part) for name, part in inner.items())
        case "L", list():
            return 3 + sum(1 + item_bytes(part) for part in inner)
    return 1


def place(location_id: str, region: str = "NY", stock: dict[str, int] | None = None, **facts: object) -> Candidate:
    return Candidate(location=location(location_id, region, **facts), available=stock or {"MUG": 9})


def test_every_term_of_the_parcels_adds_up_to_the_cost_of_the_plan() -> None:
    near = place("near", handling_per_parcel_minor=40, handling_per_unit_minor=15, tags=("STORE",), daily_capacity=10)
    policy = RoutingPolicy(costs=Costs(preferences_minor={"STORE": 25}, capacity_from_percent=0, capacity_minor=100))
    late = order(line("1", "MUG", 2), promised_by=NOON)
    decision = decided(late, [near], policy=policy, planned={("near", "2026-03-02"): 4})
    (parcel,) = decision.parcels
    terms = {term: getattr(parcel, term) for term in TERMS}
    assert terms == {
        "freight_minor": 500,
        "handling_minor": 40,
        "units_minor": 30,
        "capacity_minor": 50,
        "late_minor": 500 * parcel.late_days,
        "preference_minor": 25,
    }
    assert sum(terms.values()) == parcel.cost_minor == cost_of(decision.parcels) == decision.cost_minor
    assert decision.places == {"2026-03-02": {"near": 4}}
    assert parcel.late_days > 0


def test_goods_that_are_large_for_their_weight_say_what_weight_was_paid_for() -> None:
    pillows = order(line("1", "MUG", 2, unit_grams=300, unit_cm3=5_000))
    (parcel,) = decided(pillows, [place("wh")], small_card(dim_cm3_per_kg=5_000)).parcels
    assert (parcel.grams, parcel.billable_grams) == (600, 2_000)


def test_the_record_tells_what_was_seen_of_every_candidate_and_why_others_were_left_out() -> None:
    decision = decided(
        order(line("1", "MUG", 2), line("2", "TEE", excluded_locations=("refused",))),
        [
            place("whole", stock={"MUG": 9, "TEE": 1}),
            place("part", stock={"MUG": 2}),
            place("short", stock={"MUG": 1}),
            place("refused", stock={"TEE": 9}),
            place("closed", status=LocationStatus.CLOSED),
            place("island", "HI"),
        ],
    )
    assert decision.skus == ("MUG", "TEE")
    assert decision.stock == {"part": "2 0", "whole": "9 1", "refused": "0 9", "short": "1 0"}
    assert (decision.candidates, decision.alone_minor) == (2, {"whole": 500})
    assert decision.eliminated == {
        "NO_STOCK": ("refused", "short"),
        "NOT_ACTIVE": ("closed",),
        "NO_RATE": ("island",),
    }
    assert decision.excluded == {"2": ("refused",)}
    assert (decision.lines, decision.cards, decision.proven) == ({"1": 2, "2": 1}, ("small#1",), True)


def test_a_location_that_could_handle_nothing_of_it_or_was_refused_all_of_it_is_not_called_empty() -> None:
    mug = line("1", "MUG", needs=(Capability.HAZMAT,), excluded_locations=("refused",))
    able = place("able", capabilities=(Capability.HAZMAT,))
    decision = decided(order(mug), [able, place("refused", capabilities=(Capability.HAZMAT,)), place("plain")])
    assert decision.eliminated == {"CANNOT_HANDLE": ("plain",), "EXCLUDED": ("refused",)}


def test_where_lateness_is_forbidden_who_would_be_late_is_named() -> None:
    policy = RoutingPolicy(constraints=Constraints(lateness=Lateness.FORBIDDEN))
    in_time = order(line("1", "MUG"), promised_by=datetime(2026, 3, 3, 23, 59, 59, tzinfo=UTC))
    decision = decided(in_time, [place("near"), place("far", "CA")], policy=policy)
    assert decision.eliminated == {"TOO_LATE": ("far",)}


def test_the_best_alternative_does_without_one_of_the_locations() -> None:
    decision = decided(MUGS, [place("near"), place("next", "NJ"), place("far", "CA")])
    other = decision.alternative
    assert other is not None
    assert (other.without, [one.location_id for one in other.parcels], other.cost_minor) == ("near", ["next"], 700)
    account = account_of(decision, [decision], None).alternative
    assert account is not None
    assert (account.difference_minor, account.differences, account.proven) == (200, {"freight_minor": 200}, True)


def test_where_there_is_no_other_way_there_is_no_alternative() -> None:
    assert decided(MUGS, [place("only")]).alternative is None


def test_a_split_plan_is_compared_with_the_best_that_does_without_either() -> None:
    both = order(line("1", "MUG"), line("2", "TEE"))
    stock = [place("a", stock={"MUG": 1}), place("b", stock={"TEE": 1}), place("c", "CA", {"TEE": 1})]
    decision = decided(both, stock)
    other = decision.alternative
    assert (decision.split_reason, [one.location_id for one in decision.parcels]) == (
        SplitReason.NO_LOCATION_HAS_ALL,
        ["a", "b"],
    )
    assert other is not None
    assert (other.without, [one.location_id for one in other.parcels], other.cost_minor) == ("b", ["a", "c"], 1400)


def test_units_of_a_line_that_was_split_are_told_by_parcel() -> None:
    policy = RoutingPolicy(constraints=Constraints(line_split=LineSplit.ALWAYS))
    decision = decided(
        order(line("1", "MUG", 3)), [place("a", stock={"MUG": 2}), place("b", stock={"MUG": 1})], policy=policy
    )
    assert [one.lines for one in decision.parcels] == [{"1": 2}, {"1": 1}]


def test_what_was_given_up_is_told() -> None:
    policy = RoutingPolicy(constraints=Constraints(lateness=Lateness.FORBIDDEN), fallbacks=(Relaxation.ALLOW_LATE,))
    late = order(line("1", "MUG"), promised_by=NOON)
    decision = decided(late, [place("wh")], policy=policy)
    assert decision.relaxed == (Relaxation.ALLOW_LATE,)
    assert "given up: being in time" in account_of(decision, [], None).text


def test_a_kit_is_told_by_what_lies_on_shelves() -> None:
    kit = line("1", "SET", 2, components=(Component(sku="MUG", quantity=2), Component(sku="TEE", quantity=1)))
    decision = decided(order(kit), [place("wh", stock={"MUG": 5, "TEE": 2}), place("short", stock={"MUG": 9})])
    assert (decision.skus, decision.stock) == (("MUG", "TEE"), {"wh": "5 2", "short": "9 0"})
    assert decision.eliminated == {"NO_STOCK": ("short",)}


def test_a_pickup_order_has_one_candidate_and_no_carrier() -> None:
    shops = [place(one, methods=(Method.PICKUP,)) for one in ("shop", "other")]
    decision = decided(order(line("1", "MUG"), method=Method.PICKUP, pickup_location_id="shop"), shops)
    assert [(one.location_id, one.carrier, one.cost_minor) for one in decision.parcels] == [("shop", "", 0)]
    assert decision.eliminated == {"OTHER_PICKUP_LOCATION": ("other",)}


def test_nothing_to_ship_makes_no_record() -> None:
    voucher = order(line("1", "GIFT-CARD", requires_shipping=False))
    known = network([])
    assert record(voucher, route(voucher, known, {}), known, {}) is None


def test_the_record_is_kept_for_as_many_days_as_the_policy_says() -> None:
    decision = decided(MUGS, [place("wh")], policy=RoutingPolicy(record_days=7))
    assert decision.expires_at == int((NOON + timedelta(days=7)).timestamp())


def test_its_lists_are_bounded_and_say_so() -> None:
    many = [place(f"wh-{number:03}", "CA") for number in range(MAX_CANDIDATES_TOLD + 20)]
    empty = [place(f"xx-{number:03}", stock={"CUP": 1}) for number in range(MAX_ELIMINATED_TOLD + 5)]
    decision = decided(MUGS, [*many, *empty, place("zz-cheapest")])
    assert len(decision.stock) == MAX_CANDIDATES_TOLD
    assert "zz-cheapest" in decision.stock
    assert decision.candidates == MAX_CANDIDATES_TOLD + 21
    assert len(decision.eliminated["NO_STOCK"]) == MAX_ELIMINATED_TOLD
    assert decision.eliminated_counts == {"NO_STOCK": MAX_ELIMINATED_TOLD + 5}


def test_a_location_that_had_too_little_is_never_told_as_a_candidate_however_many_had_too_little() -> None:
    empty = [place(f"xx-{number:03}", stock={"CUP": 1}) for number in range(MAX_ELIMINATED_TOLD)]
    decision = decided(MUGS, [place("near"), *empty, place("zz-short", stock={"MUG": 1})])
    assert decision.units_at("zz-short") == {"MUG": 1}
    assert decision.why_eliminated("zz-short") == "NO_STOCK"
    assert [one.location_id for one in account_of(decision, [decision], None).told] == ["near"]


def test_an_order_of_very_many_lines_keeps_the_stock_of_few_locations() -> None:
    skus = [f"SKU-{number:03}" for number in range(300)]
    large = order(*[line(sku, sku) for sku in skus])
    known = network([location(f"wh-{number:02}") for number in range(30)])
    stock = {sku: dict.fromkeys(known.locations, 5) for sku in skus}
    plan = route(large, known, stock)
    decision = record(large, plan, known, stock)
    assert decision is not None
    assert len(decision.stock) == 2_500 // 300
    assert {one.location_id for one in plan.assignments} <= decision.stock.keys()


@pytest.mark.parametrize(("lines", "places", "most"), [(2, 20, BYTES_OF_TWO_LINES), (5, 50, BYTES_OF_FIVE_LINES)])
def test_a_record_is_small(lines: int, places: int, most: int) -> None:
    skus = [f"SKU-{number:05}" for number in range(lines)]
    wanted = order(
        *[line(f"1400000000{number}", sku, 2) for number, sku in enumerate(skus)],
        order_id="shopify-main-street-goods-5001",
        ship_to=ShipTo(country="US", region="NY", postal_prefix="100"),
    )
    regions = ("NY", "NJ", "CA", "NV")
    candidates = [
        place(f"WH-{number:03}", regions[number % 4], dict.fromkeys(skus, 10 + number)) for number in range(places)
    ]
    assert item_bytes({"M": to_item(decided(wanted, candidates))}) <= most


def test_the_same_decision_has_the_same_id_and_another_one_another() -> None:
    known = [place("a"), place("b", "CA")]
    plan = routed(MUGS, known)
    assert decision_id(MUGS, plan) == decision_id(MUGS, routed(MUGS, known))
    assert decision_id(MUGS, plan) == decided(MUGS, known).decision_id
    assert decision_id(MUGS, plan).startswith("000002-")
    others = [routed(MUGS, known[1:]), plan]
    assert decision_id(MUGS, others[0]) != decision_id(MUGS, plan)
    assert decision_id(replace(MUGS, order_id="another"), plan) != decision_id(MUGS, plan)


def test_a_recorded_decision_put_again_is_the_same_problem() -> None:
    both = order(line("1", "MUG", 2), line("2", "TEE"))
    candidates = [candidate("a", "NY", MUG=2, TEE=3), candidate("b", "CA", MUG=9), candidate("c", "NJ", TEE=1)]
    decision = decided(both, candidates)
    later = replace(
        both,
        version=9,
        promised_by=NOON,
        release_after=NOON + timedelta(days=3),
        lines=tuple(replace(one, unallocated=0, in_fulfillment=one.ordered) for one in both.lines),
    )
    put_again = again(decision, later, candidates)
    assert put_again.stock == stock_of(candidates) | {"TEE": {"a": 3, "b": 0, "c": 1}, "MUG": {"a": 2, "b": 9, "c": 0}}
    assert not put_again.changed
    assert route(put_again.order, put_again.network, put_again.stock).cost_minor == decision.cost_minor


def test_it_is_told_when_what_the_decision_rests_on_has_changed() -> None:
    decision = decided(MUGS, [place("wh")])
    assert not again(decision, MUGS, [place("wh")]).changed
    assert again(decision, MUGS, [place("wh", handling_per_parcel_minor=1)]).changed
    assert again(decision, MUGS, [place("wh", handling_per_unit_minor=1)]).changed
    assert again(decision, MUGS, [place("elsewhere")]).changed
    assert again(decision, MUGS, [place("wh")], small_card(version=2)).changed
    dearer = small_card(services=(small_service(extra_kg_minor=(999, 999, 999)),))
    assert not again(decision, MUGS, [place("wh")], dearer).changed, "what was not used may change"


NAMES = st.text(min_size=1, max_size=60)
PLANS = st.builds(
    lambda names, cost, **facts: RoutingPlan(
        assignments=tuple(
            Assignment(location_id=one, carrier="ups", service="GROUND", cost_minor=cost, lines=(("1", 1),))
            for one in names
        ),
        cost_minor=cost,
        **facts,
    ),
    names=st.lists(NAMES, max_size=10),
    cost=st.integers(0, 10**12),
    policy_version=st.integers(0, 999_999),
    deliver_by=st.none() | st.integers(0, 10_000).map(lambda days: NOON + timedelta(days=days)),
    split_reason=st.none() | st.sampled_from(SplitReason),
    relaxed=st.lists(st.sampled_from(Relaxation), unique=True).map(tuple),
)


@given(PLANS, st.integers(1, 10**6))
def test_what_the_order_itself_keeps_of_a_decision_is_never_large(plan: RoutingPlan, version: int) -> None:
    news = routed_news(replace(MUGS, version=version), plan)
    assert len(json.dumps(news)) <= MAX_NEWS_BYTES
    names = [one.location_id for one in plan.assignments]
    assert news["locations"] == names[: len(news["locations"])]
    assert news.get("parcels", len(news["locations"])) == len(names)
