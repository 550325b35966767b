"""Orders routed in one batch: what is exchanged between them, and what never happens for a saving."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from oms.domain.routing_model import Instance, Item, Offer, Parcel, Site, Solution, contents
from oms.domain.waves import WaveOrder, WaveResult, improve
from tools.wave_instances import DAY, Kind, Wave, make_wave

if TYPE_CHECKING:
    from collections.abc import Iterator

Stock = Mapping[str, Mapping[str, int]]

NEAR, FAR = "NEAR", "FAR"


def order(key: str, near: int, far: int, gets: str, **changes: int | str | None) -> WaveOrder:
    """One mug, at these prices from two places, and where it would come from if nothing was exchanged."""
    sites = [site(NEAR, near, str(changes.get("day") or "")), site(FAR, far)]
    plan = next(one for one in sites if one.location_id == gets)
    parcel = Parcel(site=plan, offer=plan.offers[0], pieces=(1,), cost_minor=plan.offers[0].fixed_minor)
    cost = parcel.cost_minor
    return WaveOrder(
        key=key,
        instance=Instance(items=[Item(lines=(("1", 1),), stock={"MUG": 1})], sites=sites, max_parcels=2),
        plan=Solution(parcels=(parcel,), cost_minor=cost, bound_minor=cost),
    )


def site(location_id: str, price: int, day: str = "") -> Site:
    offer = Offer(carrier="ups", service="GROUND", preference_minor=price, capacity_day=day or None)
    return Site(location_id=location_id, offers=(offer,), room=(1,), stock={"MUG": 9})


def from_where(result: WaveResult) -> dict[str, str]:
    return {key: plan.parcels[0].site.location_id for key, plan in result.plans.items()}


def test_the_last_unit_goes_to_the_order_that_would_pay_most_for_another() -> None:
    orders = [order("early", 500, 550, NEAR), order("late", 500, 1900, FAR)]
    result = improve(orders, {"MUG": {NEAR: 1, FAR: 5}}, {})
    assert from_where(result) == {"early": FAR, "late": NEAR}
    assert (result.before_minor, result.after_minor, result.bound_minor) == (2400, 1050, 1050)
    assert result.changed == ("early", "late")


def test_the_last_place_of_a_day_goes_to_the_order_that_would_pay_most_for_another() -> None:
    orders = [order("early", 500, 550, NEAR, day=DAY), order("late", 500, 1900, FAR, day=DAY)]
    result = improve(orders, {"MUG": {NEAR: 9, FAR: 9}}, {(NEAR, DAY): 1})
    assert from_where(result) == {"early": FAR, "late": NEAR}


def test_a_day_that_counts_no_parcels_keeps_nobody_away() -> None:
    orders = [order("early", 500, 550, NEAR, day=DAY), order("late", 500, 1900, NEAR, day=DAY)]
    assert improve(orders, {"MUG": {NEAR: 9, FAR: 9}}, {}).changed == ()


def test_where_there_is_enough_for_all_nothing_is_even_looked_at() -> None:
    orders = [order(str(number), 500, 900, NEAR) for number in range(5)]
    result = improve(orders, {"MUG": {NEAR: 5, FAR: 5}}, {})
    assert (result.changed, result.work) == ((), 0)
    assert result.bound_minor == result.after_minor == result.before_minor == 2500
    assert all(result.plans[one.key] is one.plan for one in orders)


def test_where_everybody_has_what_is_best_for_them_nothing_is_exchanged() -> None:
    orders = [order("a", 500, 550, NEAR), order("b", 700, 550, FAR)]
    result = improve(orders, {"MUG": {NEAR: 1, FAR: 1}}, {})
    assert result.changed == ()
    assert result.bound_minor == result.after_minor


def test_a_plan_made_earlier_is_made_better_when_stock_has_come_since() -> None:
    old = order("a", 500, 900, FAR)
    old = replace(old, plan=replace(old.plan, bound_minor=0))
    result = improve([old], {"MUG": {NEAR: 4, FAR: 1}}, {})
    assert from_where(result) == {"a": NEAR}
    assert result.plans["a"].proven


def test_where_all_can_have_what_is_best_for_them_they_just_get_it() -> None:
    """Stock has come since their plans were made, though not so much that it could never run short."""
    came = [order(key, 500, 900, FAR) for key in ("a", "b")] + [order("c", 900, 500, FAR)]
    result = improve(came, {"MUG": {NEAR: 2, FAR: 3}}, {})
    assert from_where(result) == {"a": NEAR, "b": NEAR, "c": FAR}
    assert result.bound_minor == result.after_minor == 1500
    assert result.changed == ("a", "b")


def test_nobody_is_moved_who_would_pay_the_same() -> None:
    same = [order(str(number), 500, 500, (NEAR, FAR)[number % 2]) for number in range(4)]
    dear = order("dear", 500, 900, FAR)
    result = improve([*same, dear], {"MUG": {NEAR: 2, FAR: 9}}, {})
    assert result.after_minor == 2500
    assert len(result.changed) == 2


def test_a_saving_goes_through_several_hands() -> None:
    """a moves to where b was, b to where c was, c to where there is plenty."""
    prices = {"a": (500, 2000, 2500, 3000), "b": (600, 620, 2400, 3000), "c": (3000, 600, 640, 3000)}
    held = {"b": 0, "c": 1, "a": 3}
    orders = [four_places(key, prices[key], held[key]) for key in ("b", "c", "a")]
    result = improve(orders, {"MUG": {"P0": 1, "P1": 1, "P2": 1, "P3": 9}}, {})
    assert from_where(result) == {"a": "P0", "b": "P1", "c": "P2"}
    assert result.after_minor == 500 + 620 + 640


def four_places(key: str, prices: Sequence[int], gets: int) -> WaveOrder:
    sites = [site(f"P{place}", price) for place, price in enumerate(prices)]
    parcel = Parcel(site=sites[gets], offer=sites[gets].offers[0], pieces=(1,), cost_minor=prices[gets])
    return WaveOrder(
        key=key,
        instance=Instance(items=[Item(lines=(("1", 1),), stock={"MUG": 1})], sites=sites, max_parcels=1),
        plan=Solution(parcels=(parcel,), cost_minor=prices[gets], bound_minor=prices[gets]),
    )


@st.composite
def waves(draw: st.DrawFn) -> tuple[Wave, int]:
    kind = Kind(
        orders=draw(st.integers(1, 9)),
        locations=draw(st.integers(1, 6)),
        skus=draw(st.integers(4, 7)),
        plenty=draw(st.sampled_from([0.5, 1.0, 1.4])),
        counted=draw(st.sampled_from([0.0, 0.5, 1.0])),
    )
    wave = make_wave(draw(st.integers(0, 10_000)), kind)
    if draw(st.booleans()):
        forgotten = [replace(one, plan=replace(one.plan, bound_minor=0)) for one in wave.orders]
        wave = replace(wave, orders=forgotten)
    return wave, draw(st.sampled_from([0, 200, 3_000, 400_000]))


@settings(max_examples=60, deadline=None)
@given(waves())
def test_every_order_keeps_a_plan_of_its_own_offers_that_ships_each_piece_once(problem: tuple[Wave, int]) -> None:
    wave, limit = problem
    result = improve(wave.orders, wave.stock, wave.places, limit)
    assert list(result.plans) == [one.key for one in wave.orders]
    for one in wave.orders:
        plan = result.plans[one.key]
        assert len(plan.parcels) <= one.instance.max_parcels
        assert len({parcel.site.location_id for parcel in plan.parcels}) == len(plan.parcels)
        shipped = [sum(parcel.pieces[at] for parcel in plan.parcels) for at in range(len(one.instance.items))]
        assert shipped == [item.pieces for item in one.instance.items]
        assert plan.cost_minor == sum(cost_of(one.instance, parcel) for parcel in plan.parcels)
        assert plan.bound_minor <= plan.cost_minor


def cost_of(instance: Instance, parcel: Parcel) -> int:
    """The parcel by the formula, at one of the order's own offers; it must fit into the location's room."""
    own = next(one for one in instance.sites if one.location_id == parcel.site.location_id)
    assert parcel.offer in own.offers
    assert all(pieces <= room for pieces, room in zip(parcel.pieces, own.room, strict=True))
    grams, cm3, goods, needs = contents(instance.items, parcel.pieces)
    price = parcel.offer.price_minor(grams, cm3, needs)
    assert price is not None
    assert parcel.cost_minor == price + own.unit_minor * goods
    return parcel.cost_minor


@settings(max_examples=60, deadline=None)
@given(waves())
def test_all_plans_together_never_cost_more_and_never_use_what_is_not_there(problem: tuple[Wave, int]) -> None:
    wave, limit = problem
    result = improve(wave.orders, wave.stock, wave.places, limit)
    assert result.before_minor == wave.greedy_minor
    assert result.after_minor == sum(plan.cost_minor for plan in result.plans.values()) <= result.before_minor
    assert result.bound_minor <= result.after_minor
    units: Counter[tuple[str, str]] = Counter()
    parcels: Counter[tuple[str, str]] = Counter()
    for sku, location_id, number in used(wave, result):
        units[sku, location_id] += number
    for plan in result.plans.values():
        parcels.update((one.site.location_id, one.offer.capacity_day or "") for one in plan.parcels)
    assert all(number <= wave.stock[sku][location_id] for (sku, location_id), number in units.items())
    assert all(parcels[day] <= left for day, left in wave.places.items())


def used(wave: Wave, result: WaveResult) -> Iterator[tuple[str, str, int]]:
    for one in wave.orders:
        for parcel in result.plans[one.key].parcels:
            for item, pieces in zip(one.instance.items, parcel.pieces, strict=True):
                for sku, number in item.stock.items() if pieces else ():
                    yield sku, parcel.site.location_id, number * pieces


@settings(max_examples=30, deadline=None)
@given(waves())
def test_the_same_batch_gives_the_same_plans(problem: tuple[Wave, int]) -> None:
    wave, limit = problem
    assert improve(wave.orders, wave.stock, wave.places, limit) == improve(wave.orders, wave.stock, wave.places, limit)


@pytest.mark.parametrize("seed", range(3))
def test_the_work_ends_where_the_limit_says_and_is_no_less_safe(seed: int) -> None:
    wave = make_wave(seed, Kind(orders=40, locations=10, skus=12))
    full = improve(wave.orders, wave.stock, wave.places)
    for limit in (1, 5_000, 20_000):
        cut = improve(wave.orders, wave.stock, wave.places, limit)
        assert cut.work < full.work
        assert full.after_minor <= cut.after_minor <= wave.greedy_minor
    assert full.after_minor < wave.greedy_minor


def test_nothing_is_taken_from_those_who_ask_for_more_than_the_books_say_is_there() -> None:
    orders = [order("a", 500, 550, NEAR), order("b", 500, 1900, NEAR)]
    result = improve(orders, {"MUG": {NEAR: 1, FAR: 0}}, {})
    assert result.after_minor == result.before_minor == 1000
