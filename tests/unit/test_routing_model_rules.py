"""What routing may do: who can handle what, segments, promises, splits, and what is given up when nothing fits."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from oms.domain.errors import NoRoute, OutOfStock
from oms.domain.network import Ineligible
from oms.domain.order import Capability, Line, Method, ShipTo
from oms.domain.routing import RoutingPlan, SplitReason
from oms.domain.routing_policy import (
    MAX_PARCELS_EVER,
    Constraints,
    Costs,
    Lateness,
    LineSplit,
    Relaxation,
    RoutingPolicy,
    Segment,
)
from tests.unit.builders import NOON, Candidate, candidate, line, location, order, routed, shipped

HAZMAT, OVERSIZED = Capability.HAZMAT, Capability.OVERSIZED
STRICT = RoutingPolicy(fallbacks=())


def place(location_id: str, region: str = "NY", stock: dict[str, int] | None = None, **facts: Any) -> Candidate:
    """A location that differs from others in these facts; one MUG lies there if nothing else is said."""
    return Candidate(location=location(location_id, region, **facts), available=stock or {"MUG": 1})


def end_of(day: int) -> datetime:
    """The end of a day of March 2026; orders come in on Monday the 2nd."""
    return datetime(2026, 3, day, 23, 59, 59, tzinfo=UTC)


def mug(**facts: Any) -> Line:
    return line("1", "MUG", **facts)


def reasons(refusal: pytest.ExceptionInfo[NoRoute]) -> dict[str, str]:
    return dict(refusal.value.reasons)


# --- what a location can handle


@pytest.mark.parametrize("needs", [(HAZMAT,), (OVERSIZED,), (HAZMAT, OVERSIZED)])
def test_goods_that_need_care_ship_only_from_where_they_can_be_handled(needs: tuple[Capability, ...]) -> None:
    able = place("far", "CA", capabilities=(HAZMAT, OVERSIZED))
    near = place("near", capabilities=(HAZMAT,) if OVERSIZED in needs else ())
    assert list(shipped(routed(order(mug(needs=needs)), [near, able]))) == ["far"]
    with pytest.raises(NoRoute) as refusal:
        routed(order(mug(needs=needs)), [near])
    assert reasons(refusal) == {"near": Ineligible.CANNOT_HANDLE}


def test_a_location_that_can_not_handle_one_line_still_ships_the_others() -> None:
    both = order(mug(needs=(HAZMAT,)), line("2", "TEE"))
    stock = {"MUG": 1, "TEE": 1}
    able = place("able", "CA", {"MUG": 1}, capabilities=(HAZMAT,))
    assert shipped(routed(both, [place("near", "NY", stock), able])) == {"able": {"1": 1}, "near": {"2": 1}}


def test_stock_where_it_can_not_be_handled_does_not_count() -> None:
    with pytest.raises(OutOfStock) as refusal:
        routed(
            order(line("1", "MUG", 3, needs=(HAZMAT,))),
            [place("a", "NY", {"MUG": 9}), place("b", "NY", {"MUG": 1}, capabilities=(HAZMAT,))],
        )
    assert refusal.value.shortages == {"MUG": 2}


# --- segments


@pytest.mark.parametrize(
    ("segment", "ships"),
    [
        pytest.param({"only_tags": ("boutique",)}, "far", id="only from some"),
        pytest.param({"never_tags": ("outlet",)}, "far", id="never from some"),
        pytest.param({"only_tags": ("boutique", "outlet")}, "near", id="one of several tags will do"),
        pytest.param({"only_tags": ("boutique",), "channels": ("shopify",)}, "far", id="of this channel"),
        pytest.param({"only_tags": ("boutique",), "channels": ("web",)}, "near", id="of another channel"),
        pytest.param({"only_tags": ("boutique",), "countries": ("US",)}, "far", id="to this country"),
        pytest.param({"only_tags": ("boutique",), "countries": ("CA",)}, "near", id="to another country"),
        pytest.param({"never_tags": ("outlet",), "service_levels": ("STANDARD",)}, "far", id="of this level"),
        pytest.param({"never_tags": ("outlet",), "service_levels": ("EXPRESS",)}, "near", id="of another level"),
    ],
)
def test_orders_of_a_segment_ship_only_from_its_locations(segment: dict[str, Any], ships: str) -> None:
    candidates = [place("near", "NY", tags=("outlet",)), place("far", "CA", tags=("boutique",))]
    plan = routed(order(mug()), candidates, segments=(Segment(name="fine goods", **segment),))
    assert list(shipped(plan)) == [ships]
    assert plan.eliminated == ({"near": Ineligible.SEGMENT} if ships == "far" else {})


def test_a_segment_without_stock_is_given_up_only_where_the_policy_says_so() -> None:
    boutiques = Constraints(segments=(Segment(name="fine goods", only_tags=("boutique",)),))
    candidates = [place("near", tags=("outlet",))]
    with pytest.raises(NoRoute) as refusal:
        routed(order(mug()), candidates, policy=RoutingPolicy(constraints=boutiques))
    assert reasons(refusal) == {"near": Ineligible.SEGMENT}
    generous = RoutingPolicy(constraints=boutiques, fallbacks=(Relaxation.ANY_SEGMENT,))
    plan = routed(order(mug()), candidates, policy=generous)
    assert (list(shipped(plan)), plan.relaxed) == (["near"], (Relaxation.ANY_SEGMENT,))


# --- in time


def test_a_plan_that_would_be_late_pays_for_each_day() -> None:
    plan = routed(order(mug(), promised_by=end_of(4)), [place("far", "CA")])
    assert (plan.deliver_by, plan.cost_minor) == (end_of(6), 900 + 2 * 500)


@pytest.mark.parametrize(
    ("late_day_minor", "ships", "cost_minor"),
    [pytest.param(500, "dear", 1100, id="too much"), pytest.param(300, "slow", 1000, id="less than speed costs")],
)
def test_what_a_day_late_costs_decides_between_speed_and_price(
    late_day_minor: int, ships: str, cost_minor: int
) -> None:
    candidates = [place("dear", "NY", handling_per_parcel_minor=600), place("slow", "NJ")]
    policy = RoutingPolicy(costs=Costs(late_day_minor=late_day_minor))
    plan = routed(order(mug(), promised_by=end_of(3)), candidates, policy=policy)
    assert (list(shipped(plan)), plan.cost_minor) == ([ships], cost_minor)


def test_a_late_location_is_passed_over_where_lateness_is_forbidden() -> None:
    candidates = [place("dear", "NY", handling_per_parcel_minor=900), place("slow", "NJ")]
    promised = order(mug(), promised_by=end_of(3))
    assert list(shipped(routed(promised, candidates))) == ["slow"]
    assert list(shipped(routed(promised, candidates, lateness=Lateness.FORBIDDEN))) == ["dear"]


def test_a_promise_that_nobody_can_keep_is_given_up_only_where_the_policy_says_so() -> None:
    promised, candidates = order(mug(), promised_by=end_of(4)), [place("far", "CA")]
    with pytest.raises(NoRoute) as refusal:
        routed(promised, candidates, policy=STRICT, lateness=Lateness.FORBIDDEN)
    assert reasons(refusal) == {"far": Ineligible.TOO_LATE}
    plan = routed(promised, candidates, lateness=Lateness.FORBIDDEN)
    assert (plan.relaxed, plan.cost_minor) == ((Relaxation.ALLOW_LATE,), 1900)


def test_without_a_promise_nothing_is_late() -> None:
    plan = routed(order(mug()), [place("far", "CA")], policy=STRICT, lateness=Lateness.FORBIDDEN)
    assert (plan.cost_minor, plan.relaxed) == (900, ())


# --- lines that stay together


def test_lines_that_stay_together_ship_from_one_location_even_where_two_would_be_cheaper() -> None:
    heavy = [line(str(n), sku, unit_grams=400, together="bed") for n, sku in enumerate(("MUG", "TEE"), 1)]
    loose = [line(str(n), sku, unit_grams=400) for n, sku in enumerate(("MUG", "TEE"), 1)]
    candidates = [candidate("a", MUG=1), candidate("b", TEE=1), candidate("c", "CA", MUG=1, TEE=1)]
    assert list(shipped(routed(order(*heavy), candidates))) == ["c"]
    assert list(shipped(routed(order(*loose), candidates))) == ["a", "b"]


def test_lines_that_stay_together_have_no_route_where_they_lie_apart() -> None:
    pair = order(line("1", "MUG", together="bed"), line("2", "TEE", together="bed"))
    with pytest.raises(NoRoute):
        routed(pair, [candidate("a", MUG=1), candidate("b", TEE=1)])


def test_lines_that_stay_together_are_never_split() -> None:
    candidates = [candidate("a", MUG=2), candidate("b", MUG=2)]
    assert len(routed(order(line("1", "MUG", 3)), candidates).assignments) == 2
    with pytest.raises(NoRoute):
        routed(order(line("1", "MUG", 3, together="bed")), candidates)


def test_each_mark_keeps_only_its_own_lines_together() -> None:
    lines = [
        line(str(n), sku, together=mark) for n, (sku, mark) in enumerate([("MUG", "a"), ("TEE", "a"), ("CAP", "b")])
    ]
    plan = routed(order(*lines), [candidate("x", MUG=1, TEE=1), candidate("y", CAP=1)])
    assert shipped(plan) == {"x": {"0": 1, "1": 1}, "y": {"2": 1}}


def test_where_one_line_of_those_that_stay_together_was_refused_none_of_them_ships() -> None:
    pair = order(line("1", "MUG", together="bed", excluded_locations=("near",)), line("2", "TEE", together="bed"))
    plan = routed(pair, [candidate("near", MUG=1, TEE=1), candidate("far", "CA", MUG=1, TEE=1)])
    assert list(shipped(plan)) == ["far"]


# --- stores


def test_an_order_to_be_collected_is_collected_where_the_customer_chose() -> None:
    stores = [place(name, methods=(Method.PICKUP, Method.SHIP)) for name in ("store-1", "store-2")]
    chosen = order(mug(), method=Method.PICKUP, pickup_location_id="store-2", ship_to=ShipTo())
    plan = routed(chosen, stores)
    assert (list(shipped(plan)), plan.cost_minor) == (["store-2"], 0)
    assert plan.eliminated == {"store-1": Ineligible.OTHER_PICKUP_LOCATION}
    assert (plan.assignments[0].carrier, plan.assignments[0].service) == ("", "")
    with pytest.raises(NoRoute) as refusal:
        routed(chosen, stores[:1])
    assert reasons(refusal) == {"store-1": Ineligible.OTHER_PICKUP_LOCATION}


def test_what_the_chosen_store_does_not_have_is_out_of_stock_though_others_have_it() -> None:
    stores = [
        place(name, stock=stock, methods=(Method.PICKUP,)) for name, stock in (("a", {"MUG": 9}), ("b", {"TEE": 1}))
    ]
    chosen = order(line("1", "MUG", 2), method=Method.PICKUP, pickup_location_id="b", ship_to=ShipTo())
    with pytest.raises(OutOfStock) as refusal:
        routed(chosen, stores)
    assert refusal.value.shortages == {"MUG": 2}


def test_an_order_to_be_collected_anywhere_costs_what_the_location_asks_for_its_work() -> None:
    work = [("a", 300), ("b", 200)]
    stores = [place(name, methods=(Method.PICKUP,), handling_per_parcel_minor=minor) for name, minor in work]
    plan = routed(order(mug(), method=Method.PICKUP, ship_to=ShipTo()), stores)
    assert (list(shipped(plan)), plan.cost_minor) == (["b"], 200)


@pytest.mark.parametrize(
    ("methods", "ships"),
    [
        pytest.param((Method.PICKUP, Method.SHIP), "store", id="a store that ships"),
        pytest.param((Method.PICKUP,), "warehouse", id="a store that does not"),
    ],
)
def test_a_store_ships_where_that_is_cheapest_and_it_does_ship(methods: tuple[Method, ...], ships: str) -> None:
    candidates = [place("warehouse", "NJ"), place("store", "NY", kind="STORE", methods=methods)]
    assert list(shipped(routed(order(mug()), candidates))) == [ships]


# --- splits, and what is given up


@pytest.mark.parametrize(
    ("split", "ships", "reason"),
    [
        pytest.param(LineSplit.NEVER, ["whole"], None, id="never"),
        pytest.param(LineSplit.WHEN_SHORT, ["whole"], None, id="when short"),
        pytest.param(LineSplit.ALWAYS, ["a", "b"], SplitReason.CHEAPER, id="always"),
    ],
)
def test_a_line_that_is_cheaper_in_two_parcels_is_split_only_where_the_policy_always_allows_it(
    split: LineSplit, ships: list[str], reason: SplitReason | None
) -> None:
    candidates = [candidate("a", MUG=1), candidate("b", MUG=1), candidate("whole", "CA", MUG=2)]
    plan = routed(order(line("1", "MUG", 2, unit_grams=400)), candidates, line_split=split)
    assert (list(shipped(plan)), plan.split_reason, plan.relaxed) == (ships, reason, ())


def test_a_line_that_may_never_be_split_has_no_route_where_nobody_has_it_whole() -> None:
    mugs, candidates = order(line("1", "MUG", 5)), [candidate("a", MUG=3), candidate("b", MUG=2)]
    with pytest.raises(NoRoute):
        routed(mugs, candidates, policy=STRICT, line_split=LineSplit.NEVER)
    plan = routed(mugs, candidates, line_split=LineSplit.NEVER)
    assert (shipped(plan), plan.relaxed) == ({"a": {"1": 3}, "b": {"1": 2}}, (Relaxation.SPLIT_LINES,))


def test_more_parcels_than_allowed_are_sent_only_where_the_policy_gives_that_up() -> None:
    mixed = order(line("1", "MUG"), line("2", "TEE"), line("3", "CAP"))
    candidates = [candidate("a", MUG=1), candidate("b", TEE=1), candidate("c", CAP=1)]
    with pytest.raises(NoRoute):
        routed(mixed, candidates, max_parcels=2)
    plan = routed(mixed, candidates, policy=RoutingPolicy(fallbacks=(Relaxation.MORE_PARCELS,)), max_parcels=2)
    assert (len(plan.assignments), plan.relaxed) == (3, (Relaxation.MORE_PARCELS,))


def test_no_order_ever_goes_in_more_parcels_than_anybody_could_follow() -> None:
    wanted = order(*(line(str(n), f"SKU-{n}") for n in range(MAX_PARCELS_EVER + 1)))
    candidates = [candidate(f"wh-{n}", **{f"SKU-{n}": 1}) for n in range(MAX_PARCELS_EVER + 1)]
    with pytest.raises(NoRoute) as refusal:
        routed(wanted, candidates, policy=RoutingPolicy(fallbacks=(Relaxation.MORE_PARCELS,)))
    assert set(reasons(refusal).values()) == {Ineligible.TOO_MANY_PARCELS}


@pytest.mark.parametrize(
    ("fallbacks", "relaxed"),
    [
        pytest.param(
            (Relaxation.MORE_PARCELS, Relaxation.SPLIT_LINES), (Relaxation.MORE_PARCELS,), id="the first will do"
        ),
        pytest.param(
            (Relaxation.ALLOW_LATE, Relaxation.MORE_PARCELS), (Relaxation.MORE_PARCELS,), id="no step for what holds"
        ),
        pytest.param(
            (Relaxation.SPLIT_LINES, Relaxation.MORE_PARCELS),
            (Relaxation.SPLIT_LINES, Relaxation.MORE_PARCELS),
            id="one after the other",
        ),
    ],
)
def test_what_was_given_up_is_told_in_the_order_of_the_policy(
    fallbacks: tuple[Relaxation, ...], relaxed: tuple[Relaxation, ...]
) -> None:
    pair = order(line("1", "MUG"), line("2", "TEE"))
    candidates = [candidate("a", MUG=1), candidate("b", TEE=1)]
    plan: RoutingPlan = routed(pair, candidates, policy=RoutingPolicy(fallbacks=fallbacks), max_parcels=1)
    assert plan.relaxed == relaxed


def test_nothing_is_given_up_where_something_fits_without() -> None:
    everything = RoutingPolicy(fallbacks=tuple(Relaxation))
    assert routed(order(mug()), [place("a")], policy=everything).relaxed == ()


def test_a_plan_says_why_it_is_split() -> None:
    apart = routed(order(mug(), line("2", "TEE")), [candidate("a", MUG=1), candidate("b", TEE=1)])
    assert apart.split_reason is SplitReason.NO_LOCATION_HAS_ALL
    assert routed(order(mug()), [place("a")]).split_reason is None


def test_a_location_that_makes_no_parcels_a_day_or_is_full_for_sixty_days_is_out() -> None:
    closed = Candidate(location=location("closed", daily_capacity=0), available={"MUG": 1})
    other = candidate("wh", "CA", MUG=1)
    plan = routed(order(line("1", "MUG")), [closed, other])
    assert (list(shipped(plan)), plan.eliminated) == (["wh"], {"closed": Ineligible.NO_CAPACITY})
    days = {("full", (NOON + timedelta(days=days)).date().isoformat()): 1 for days in range(200)}
    full = Candidate(location=location("full", daily_capacity=1), available={"MUG": 1})
    plan = routed(order(line("1", "MUG")), [full, other], planned=days)
    assert (list(shipped(plan)), plan.eliminated) == (["wh"], {"full": Ineligible.NO_CAPACITY})
