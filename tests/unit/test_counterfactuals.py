"""Why not that location, and what would have had to be true: exact, in figures, in words."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from itertools import product

import pytest

from oms.domain.catalog import LocationStatus
from oms.domain.counterfactuals import Counterfactual, Verdict, cheapest_with, why_not
from oms.domain.network import Ineligible
from oms.domain.order import Capability, Component, Method, Order
from oms.domain.routing_model import Instance, Site, contents, fits
from oms.domain.routing_policy import Constraints, Costs, Lateness, LineSplit, Relaxation, RoutingPolicy, Segment
from oms.domain.routing_terms import cost_of
from oms.domain.routing_words import REASONS
from tests.unit.builders import NOON, Candidate, line, location, order
from tests.unit.decisions import again, decided
from tests.unit.rate_cards import small_card, small_service
from tools.routing_instances import Shape, usual

MUGS = order(line("1", "MUG", 2))
TUESDAY_EVENING = datetime(2026, 3, 3, 23, 59, 59, tzinfo=UTC)
IN_TIME = RoutingPolicy(constraints=Constraints(lateness=Lateness.FORBIDDEN))


def place(location_id: str, region: str = "NY", stock: dict[str, int] | None = None, **facts: object) -> Candidate:
    return Candidate(location=location(location_id, region, **facts), available={"MUG": 9} if stock is None else stock)


def asked(
    about: str,
    wanted: Order,
    candidates: Sequence[Candidate],
    policy: RoutingPolicy | None = None,
    planned: dict[tuple[str, str], int] | None = None,
) -> Counterfactual:
    """The answer about a location, nothing having changed since."""
    decision = decided(wanted, candidates, policy=policy, planned=planned)
    found = why_not(again(decision, wanted, candidates, policy=policy), about)
    assert not found.reference_data_changed
    return found


def wishes(found: Counterfactual) -> dict[str, str]:
    return {one.code: one.text for one in found.wishes}


# --- candidates


def test_the_location_that_was_chosen_says_what_it_ships() -> None:
    found = asked("near", MUGS, [place("near"), place("far", "CA")])
    assert (found.verdict, found.cost_minor, found.text) == (
        Verdict.CHOSEN,
        500,
        "near was chosen: it ships 2 of line 1 for 5.00 USD.",
    )


def test_a_dearer_location_says_by_how_much_in_which_terms_and_what_it_must_cost_less() -> None:
    far = place("far", "CA", handling_per_parcel_minor=30)
    found = asked("far", MUGS, [place("near", handling_per_unit_minor=20), far])
    assert (found.verdict, found.cost_minor, found.difference_minor) == (Verdict.DEARER, 930, 390)
    assert found.differences == {"freight_minor": 400, "handling_minor": 30, "units_minor": -40}
    assert found.text == (
        "The cheapest plan with far costs 9.30 USD, 3.90 USD more"
        " (freight 4.00 USD more, handling of parcels 0.30 USD more, handling of units 0.40 USD less)."
    )
    assert wishes(found) == {"CHEAPER": "its parcel must cost 3.90 USD less"}


@pytest.mark.parametrize("name", ["first-by-name", "second-by-name"])
def test_so_much_less_would_indeed_have_made_it_ship_and_no_less(name: str) -> None:
    def dear(minor: int) -> list[Candidate]:
        return [place("near", "NJ"), place(name, handling_per_parcel_minor=minor)]

    (wish,) = asked(name, MUGS, dear(777)).wishes
    assert wish.amount_minor is not None
    assert asked(name, MUGS, dear(777 - wish.amount_minor)).verdict is Verdict.CHOSEN
    assert asked(name, MUGS, dear(778 - wish.amount_minor)).verdict is not Verdict.CHOSEN


def test_equal_costs_are_decided_by_name() -> None:
    found = asked("b", MUGS, [place("b"), place("a")])
    assert (found.verdict, found.difference_minor, wishes(found)) == (
        Verdict.AS_CHEAP,
        0,
        {"CHEAPER": "its parcel must cost 0.01 USD less"},
    )


def test_a_location_that_has_a_part_is_compared_by_the_cheapest_plan_that_uses_it() -> None:
    both = order(line("1", "MUG", 2), line("2", "TEE"))
    found = asked("part", both, [place("whole", "CA", {"MUG": 2, "TEE": 1}), place("part", stock={"MUG": 2, "TEE": 0})])
    assert (found.verdict, found.cost_minor, found.difference_minor) == (Verdict.DEARER, 1400, 500)
    assert {one.location_id: one.lines for one in found.parcels} == {"part": {"1": 2}, "whole": {"2": 1}}
    # Its parcel costs 5.00: even for nothing the plan would not win.
    assert [(one.code, one.sku, one.units) for one in found.wishes] == [("MORE_STOCK", "TEE", 1)]


def test_as_many_units_more_as_it_takes_and_no_more_are_asked_for() -> None:
    policy = RoutingPolicy(constraints=Constraints(line_split=LineSplit.ALWAYS, max_parcels=1))
    found = asked("near", order(line("1", "MUG", 7)), [place("far", "CA"), place("near", stock={"MUG": 2})], policy)
    assert found.verdict is Verdict.NO_PLAN
    assert [(one.sku, one.units) for one in found.wishes] == [("MUG", 5)]


def test_a_late_location_says_how_many_days_earlier_it_must_be() -> None:
    near, far = place("near", handling_per_parcel_minor=1_500), place("far", "CA")
    late = order(line("1", "MUG", 2), promised_by=TUESDAY_EVENING)
    found = asked("far", late, [near, far])
    assert found.differences == {"freight_minor": 400, "handling_minor": -1500, "late_minor": 1500}
    assert [(one.code, one.amount_minor, one.days) for one in found.wishes] == [
        ("CHEAPER", 400, None),
        ("EARLIER_DELIVERY", None, 1),
    ]


def test_a_kit_lacks_one_of_its_components() -> None:
    kit = line("1", "SET", components=(Component(sku="MUG", quantity=2), Component(sku="TEE", quantity=1)))
    found = asked("near", order(kit), [place("far", "CA", {"MUG": 9, "TEE": 9}), place("near", stock={"MUG": 2})])
    assert (found.verdict, found.reason) == (Verdict.ELIMINATED, "NO_STOCK")
    assert wishes(found) == {"MORE_STOCK": "it has 0 of TEE, needs 1: with all it needs it would have shipped"}


# --- locations that were left out


@pytest.mark.parametrize(
    ("facts", "reason", "text", "wish"),
    [
        ({"status": LocationStatus.CLOSED}, "NOT_ACTIVE", "it was not active", "status of the location must be ACTIVE"),
        (
            {"methods": (Method.PICKUP,)},
            "METHOD_UNSUPPORTED",
            "it does not do SHIP",
            "methods of the location must name SHIP",
        ),
        (
            {"ships_to": ("CA",)},
            "COUNTRY_NOT_SERVED",
            "it does not ship to US",
            "ships_to of the location must name US",
        ),
        (
            {"region": "HI"},
            "NO_RATE",
            "none of its carriers has a rate from there to US-NY",
            "a rate card of one of its carriers must have a zone for US-NY",
        ),
        (
            {"location_id": "refused"},
            "EXCLUDED",
            "it had refused the lines before, or was short of them",
            "the lines must be free to ship from it again",
        ),
        (
            {"capabilities": ()},
            "CANNOT_HANDLE",
            "it can't handle HAZMAT",
            "capabilities of the location must name HAZMAT",
        ),
    ],
)
def test_a_location_that_may_not_ship_says_why_and_what_had_to_be_set(
    facts: dict[str, object], reason: str, text: str, wish: str
) -> None:
    able: dict[str, object] = {"capabilities": (Capability.HAZMAT,)}
    known = {"location_id": "barred", "region": "NY"} | able | facts
    barred = Candidate(location=location(**known), available={"MUG": 9})  # type: ignore[arg-type]
    mug = line("1", "MUG", needs=(Capability.HAZMAT,), excluded_locations=("refused",))
    found = asked(barred.location.location_id, order(mug), [place("far", "CA", None, **able), barred])
    assert (found.verdict, found.reason) == (Verdict.ELIMINATED, reason)
    assert found.text == f"{barred.location.location_id} was left out: {text}."
    assert wishes(found) == {reason: wish}


def test_a_location_whose_carrier_has_no_such_service_says_so() -> None:
    slow = small_card(name="slow", carrier="slow", services=(small_service(service_levels=("STANDARD",)),))
    express = order(line("1", "MUG"), service_level="EXPRESS")
    candidates = [place("slow", carriers=("slow",)), place("fast", "CA", carriers=("ups",))]
    decision = decided(express, candidates, slow, small_card())
    found = why_not(again(decision, express, candidates, slow, small_card()), "slow")
    assert wishes(found) == {"NO_SERVICE": "a rate card of one of its carriers must have a service for EXPRESS"}


def test_an_empty_location_says_what_it_has_and_needs_and_whether_that_would_have_been_enough() -> None:
    near, dear = place("near", stock={"MUG": 1}), place("dear", "CA", {}, handling_per_parcel_minor=9_999)
    candidates = [place("far", "CA"), near, dear]
    assert wishes(asked("near", MUGS, candidates)) == {
        "MORE_STOCK": "it has 1 of MUG, needs 2: with all it needs it would have shipped"
    }
    assert wishes(asked("dear", MUGS, candidates)) == {
        "MORE_STOCK": "it has 0 of MUG, needs 2: even with all it needs it would have been dearer"
    }


def calendar(**facts: object) -> dict[str, object]:
    """Open from 8 to 18 o'clock in UTC, Monday to Friday, with a cut-off at 11; orders come in at 12."""
    known: dict[str, object] = {"time_zone": "UTC", "working_days": (1, 2, 3, 4, 5), "opens_at": "08:00"}
    return known | {"closes_at": "18:00", "cut_off": "11:00"} | facts


def test_a_late_location_says_when_it_would_arrive_and_by_when_the_order_had_to_be_there() -> None:
    promised = order(line("1", "MUG"), promised_by=TUESDAY_EVENING)
    strict = place("strict", "NY", None, **calendar())
    found = asked("strict", promised, [place("near"), strict], IN_TIME)
    assert (found.verdict, found.reason) == (Verdict.ELIMINATED, "TOO_LATE")
    assert wishes(found) == {
        "EARLIER_DELIVERY": "it would arrive 2026-03-04 23:59, promised 2026-03-03 23:59 (UTC)",
        "EARLIER_RELEASE": "released by 2026-03-02 11:00 (UTC), its cut-off, it would arrive in time",
    }


def test_the_hour_that_clocks_go_back_does_not_make_a_location_a_day_later() -> None:
    in_new_york = RoutingPolicy(time_zone="America/New_York", constraints=Constraints(lateness=Lateness.FORBIDDEN))
    friday = datetime(2026, 10, 31, 3, 59, 59, tzinfo=UTC)
    released = datetime(2026, 10, 29, 15, tzinfo=UTC)
    autumn = order(line("1", "MUG", 2), promised_by=friday, release_after=released)
    found = asked("far", autumn, [place("near"), place("far", "CA")], in_new_york)
    (wish, *_) = found.wishes
    assert (found.reason, wish.code) == ("TOO_LATE", "EARLIER_DELIVERY")
    assert "2026-11-05 04:59, promised 2026-10-31 03:59" in wish.text
    assert wish.days == 5


def test_a_location_that_would_win_by_now_needs_no_wish_of_no_days() -> None:
    policy = RoutingPolicy(costs=Costs(late_day_minor=0))
    late = order(line("1", "MUG", 2), promised_by=NOON)
    decision = decided(late, [place("b"), place("a", handling_per_parcel_minor=100)], policy=policy)
    found = why_not(again(decision, late, [place("b"), place("a")], policy=policy), "a")
    assert (found.verdict, found.wishes) == (Verdict.AS_CHEAP, ())


def test_a_location_whose_day_is_full_says_when_it_would_arrive_with_a_place() -> None:
    promised = order(line("1", "MUG"), promised_by=TUESDAY_EVENING)
    full = place("full", "NY", None, daily_capacity=3)
    found = asked("full", promised, [place("near"), full], IN_TIME, {("full", "2026-03-02"): 3})
    assert found.reason == "TOO_LATE"
    assert wishes(found)["CAPACITY"] == "its days are full: with a place it would arrive 2026-03-03 23:59 (UTC)"


def test_a_full_day_that_makes_a_location_dear_is_told_too() -> None:
    promised = order(line("1", "MUG"), promised_by=TUESDAY_EVENING)
    full = place("full", "NY", None, daily_capacity=3)
    found = asked("full", promised, [place("near"), full], None, {("full", "2026-03-02"): 3})
    assert (found.verdict, found.differences) == (Verdict.DEARER, {"late_minor": 500})
    assert set(wishes(found)) == {"CHEAPER", "EARLIER_DELIVERY", "CAPACITY"}


def test_a_segment_is_named_with_the_tags_it_asks_for_or_bars() -> None:
    premium = Segment(name="premium", channels=("shopify",), only_tags=("PREMIUM",), never_tags=("OUTLET",))
    policy = RoutingPolicy(constraints=Constraints(segments=(premium, Segment(name="web", channels=("web",)))))
    barred = place("barred", "NY", None, tags=("OUTLET",))
    found = asked("barred", MUGS, [place("able", "CA", None, tags=("PREMIUM",)), barred], policy)
    assert found.reason == "SEGMENT"
    assert [one.text for one in found.wishes] == [
        "segment premium of the routing policy asks for one of the tags PREMIUM",
        "segment premium of the routing policy bars the tags OUTLET",
    ]


def test_what_the_customer_chose_to_collect_elsewhere_can_not_be_collected_here() -> None:
    shops = [place(one, "NY", None, methods=(Method.PICKUP,)) for one in ("shop", "other")]
    found = asked("other", order(line("1", "MUG"), method=Method.PICKUP, pickup_location_id="shop"), shops)
    assert (found.text, wishes(found)) == (
        "other was left out: the customer chose to collect at shop.",
        {"OTHER_PICKUP_LOCATION": "the customer must choose it"},
    )


# --- what else can be


def test_stricter_rules_come_first_so_stock_that_makes_them_fit_would_have_won() -> None:
    policy = RoutingPolicy(
        constraints=Constraints(max_parcels=1, line_split=LineSplit.NEVER), fallbacks=(Relaxation.MORE_PARCELS,)
    )
    both = order(line("1", "MUG"), line("2", "TEE"))
    dear = {"handling_per_parcel_minor": 5_000}
    stock = [place("a", stock={"MUG": 1}), place("b", stock={"TEE": 1}), place("c", "CA", {"MUG": 1}, **dear)]
    found = asked("c", both, stock, policy)
    assert ("MORE_STOCK", "TEE", 1) in [(one.code, one.sku, one.units) for one in found.wishes]


def test_a_location_beyond_the_bounds_of_the_record_is_said_to_be() -> None:
    many = [place(f"wh-{number:03}", "CA") for number in range(80)]
    found = asked("wh-079", MUGS, [place("near"), *many])
    assert found.verdict is Verdict.NOT_TOLD
    assert "50 of 81" in found.text


def test_a_decision_that_would_be_another_today_says_so() -> None:
    then, today = (
        [place("near", handling_per_parcel_minor=900), place("far", "CA")],
        [place("near"), place("far", "CA")],
    )
    decision = decided(MUGS, then)
    found = why_not(again(decision, MUGS, today), "near")
    assert (found.verdict, found.difference_minor) == (Verdict.CHEAPER_ALONE, -400)
    assert found.wishes == ()
    changed = why_not(again(decision, MUGS, [place("near"), place("far", "CA", handling_per_unit_minor=1)]), "near")
    assert changed.reference_data_changed
    assert "have changed since" in changed.text


# --- exact


def plans(instance: Instance) -> Iterator[tuple[tuple[int, ...], ...]]:
    """Every way to share out the pieces: per item the pieces of each site."""
    ways = []
    for at, item in enumerate(instance.items):
        rooms = [range(site.room[at] + 1) for site in instance.sites]
        ways.append([way for way in product(*rooms) if sum(way) == item.pieces])
    yield from product(*ways)


def price(instance: Instance, site: Site, pieces: tuple[int, ...]) -> int | None:
    if not fits(instance.items, pieces, site.stock) and instance.shared:
        return None
    grams, cm3, goods, needs = contents(instance.items, pieces)
    costs = [one.price_minor(grams, cm3, needs) for one in site.offers]
    known = [cost for cost in costs if cost is not None]
    return min(known) + site.unit_minor * goods if known else None


def cheapest_by_counting(instance: Instance, must_use: int) -> int | None:
    best = None
    for plan in plans(instance):
        loads = list(zip(*plan, strict=True))
        used = [at for at, pieces in enumerate(loads) if any(pieces)]
        if must_use not in used or len(used) > instance.max_parcels:
            continue
        costs = [price(instance, instance.sites[at], loads[at]) for at in used]
        if None not in costs:
            total = sum(cost for cost in costs if cost is not None)
            best = total if best is None else min(best, total)
    return best


@pytest.mark.parametrize("seed", [*range(3, 7), *range(8, 22), *range(23, 35)])
def test_no_plan_that_uses_the_location_is_cheaper_than_the_one_that_is_told(seed: int) -> None:
    # Seeds whose plans are few enough to be counted, every one.
    instance = usual(seed, Shape(lines=2 + seed % 2, locations=4, scarce=0.0, split=0.5))
    for at, site in enumerate(instance.sites):
        found = cheapest_with(instance, site)
        assert (None if found is None else cost_of(found)) == cheapest_by_counting(instance, at), site.location_id


def test_every_reason_is_said_in_words() -> None:
    assert set(REASONS) == set(Ineligible)
