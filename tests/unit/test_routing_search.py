"""The search for the cheapest parcels: what it finds, what it says when it was cut short, and who wins a tie."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from itertools import product

import pytest
from hypothesis import given
from hypothesis import strategies as st

from oms.domain.rates import Tariff
from oms.domain.routing_model import Instance, Item, Offer, Parcel, Site
from oms.domain.routing_search import WORK_LIMIT, Search, Step, solve
from tools.routing_check import cost_minor, wrong
from tools.routing_instances import ODD, Shape, case, usual
from tools.routing_milp import solved


def flat(price: int, handling: int = 0) -> Offer:
    return Offer(
        carrier="ups",
        service="GROUND",
        handling_minor=handling,
        tariff=Tariff(breaks=(1_000,), prices=(price,), extra_kg_minor=100),
    )


def by_weight(*steps: tuple[int, int]) -> Offer:
    tariff = Tariff(breaks=tuple(grams for grams, _ in steps), prices=tuple(price for _, price in steps))
    return Offer(carrier="ups", service="GROUND", tariff=tariff)


def item(name: str, pieces: int = 1, grams: int = 400) -> Item:
    return Item(lines=((name, 1),), pieces=pieces, grams=grams, stock={name: 1})


def site(name: str, *offers: Offer, room: tuple[int, ...], stock: dict[str, int] | None = None) -> Site:
    return Site(location_id=name, offers=offers, room=room, stock=stock or {})


def instance(items: list[Item], sites: list[Site], max_parcels: int = 4, *, shared: bool = False) -> Instance:
    return Instance(items=items, sites=sites, max_parcels=max_parcels, shared=shared)


def cheapest_of_all(order: Instance) -> int | None:
    """The least cost of every way to hand out every piece, priced one by one."""
    costs = [sum(costs) for costs in _ways(order)]
    return min(costs, default=None)


def _ways(order: Instance) -> Iterator[list[int]]:
    per_item = [
        [split for split in product(range(item.pieces + 1), repeat=len(order.sites)) if sum(split) == item.pieces]
        for item in order.items
    ]
    for split in product(*per_item):
        loads = list(zip(*split, strict=True))
        used = [(one, pieces) for one, pieces in zip(order.sites, loads, strict=True) if any(pieces)]
        if len(used) > order.max_parcels:
            continue
        costs = [_least(order, one, pieces) for one, pieces in used]
        known = [cost for cost in costs if cost is not None]
        if len(known) == len(costs):
            yield known


def _least(order: Instance, one: Site, pieces: tuple[int, ...]) -> int | None:
    if any(number > room for number, room in zip(pieces, one.room, strict=True)):
        return None
    taken: dict[str, int] = {}
    for item, number in zip(order.items, pieces, strict=True):
        for sku, units in item.stock.items():
            taken[sku] = taken.get(sku, 0) + units * number
    if order.shared and any(units > one.stock.get(sku, 0) for sku, units in taken.items()):
        return None
    parcels = [Parcel(site=one, offer=offer, pieces=pieces, cost_minor=0) for offer in one.offers]
    costs = [cost_minor(order, parcel) for parcel in parcels]
    return min([cost for cost in costs if cost is not None], default=None)


@given(
    st.sampled_from([None, *ODD]),
    st.integers(0, 10_000),
    st.builds(Shape, lines=st.integers(1, 3), locations=st.integers(1, 3), split=st.just(0.4), shared=st.just(0.4)),
)
def test_search_and_solver_both_find_what_trying_everything_finds(kind: str | None, seed: int, shape: Shape) -> None:
    order = ODD[kind](seed, shape) if kind else usual(seed, shape)
    least, found = cheapest_of_all(order), solve(order)
    assert (found.cost_minor if found else None) == least
    assert solved(order).cost_minor == least


@pytest.mark.parametrize("seed", range(64, 128))
@pytest.mark.parametrize("limit", [0, 1, 7, 40, 300])
def test_a_search_cut_short_never_claims_more_than_is_so(seed: int, limit: int) -> None:
    order = case(seed).instance
    best, cut = solve(order), solve(order, limit)
    if cut is None:
        return
    assert best is not None
    assert wrong(order, cut) == []
    assert cut.bound_minor <= best.cost_minor <= cut.cost_minor


def test_one_parcel_goes_to_the_location_first_in_the_alphabet_where_all_ask_the_same() -> None:
    order = instance([item("MUG")], [site(name, flat(500), room=(1,)) for name in ("c", "a", "b")])
    found = solve(order)
    assert found is not None
    assert [parcel.site.location_id for parcel in found.parcels] == ["a"]


def test_equal_costs_go_to_fewer_parcels() -> None:
    sites = [site("a", flat(1_000), room=(1, 1)), site("b", flat(500), room=(1, 0)), site("c", flat(500), room=(0, 1))]
    found = solve(instance([item("MUG"), item("TEE")], sites))
    assert found is not None
    assert (found.cost_minor, len(found.parcels)) == (1_000, 1)


def test_a_location_sends_one_parcel_even_where_two_would_be_cheaper() -> None:
    offer = by_weight((400, 100), (800, 900))
    found = solve(instance([item("MUG"), item("TEE")], [site("a", offer, room=(1, 1))]))
    assert found is not None
    assert (found.cost_minor, found.proven) == (900, True)


def test_where_one_location_is_best_for_both_parts_one_part_goes_to_the_next_best() -> None:
    near, far = by_weight((400, 100), (800, 900)), by_weight((400, 300), (800, 950))
    order = instance([item("MUG"), item("TEE")], [site("near", near, room=(1, 1)), site("far", far, room=(1, 1))])
    found = solve(order)
    assert found is not None
    assert (found.cost_minor, found.proven) == (400, True)


def test_the_units_of_a_line_are_split_where_no_location_has_them_all() -> None:
    order = instance([item("MUG", pieces=5)], [site("a", flat(500), room=(3,)), site("b", flat(600), room=(2,))])
    found = solve(order)
    assert found is not None
    assert [(parcel.site.location_id, parcel.pieces) for parcel in found.parcels] == [("a", (3,)), ("b", (2,))]


def test_two_lines_of_one_sku_do_not_both_take_its_last_unit() -> None:
    items = [item("MUG"), item("MUG")]
    sites = [site("a", flat(500), room=(1, 1), stock={"MUG": 1}), site("b", flat(900), room=(1, 1), stock={"MUG": 1})]
    found = solve(instance(items, sites, shared=True))
    assert found is not None
    assert found.cost_minor == 1_400


def test_a_parcel_too_heavy_for_every_carrier_is_made_two() -> None:
    offer = by_weight((500, 400))
    order = instance([item("MUG"), item("TEE")], [site("a", offer, room=(1, 1)), site("b", offer, room=(1, 1))])
    found = solve(order)
    assert found is not None
    assert len(found.parcels) == 2


@pytest.mark.parametrize(
    "order",
    [
        instance([item("MUG")], []),
        instance([item("MUG")], [site("a", flat(500), room=(0,))]),
        instance([item("MUG")], [site("a", flat(500), room=(1,))], max_parcels=0),
        instance([item("MUG", grams=2_000)], [site("a", by_weight((500, 400)), room=(1,))]),
        instance([item("MUG"), item("TEE")], [site("a", flat(1), room=(1, 0)), site("b", flat(1), room=(0, 1))], 1),
    ],
)
def test_there_is_no_plan_where_something_can_come_from_nowhere(order: Instance) -> None:
    assert solve(order) is None


def test_an_order_is_shipped_the_same_way_every_time() -> None:
    order = usual(3, Shape(lines=6, locations=20))
    assert solve(order) == solve(replace(order))


@pytest.mark.parametrize(
    "shape",
    [
        Shape(lines=20, locations=60, stocked=0.9, tight=0.0),
        Shape(lines=30, locations=40, stocked=0.95, tight=0.0),
    ],
)
def test_an_order_too_large_to_prove_gets_a_plan_and_an_honest_bound(shape: Shape) -> None:
    for seed in range(4):
        order = replace(usual(seed, shape), max_parcels=8)
        search = Search(order, WORK_LIMIT)
        found = search.run()
        assert search.step is Step.GROWN
        if found is not None:
            assert wrong(order, found) == []
            assert 0 < found.bound_minor <= found.cost_minor


def test_the_bound_of_a_grown_plan_is_never_above_the_true_least_cost(monkeypatch: pytest.MonkeyPatch) -> None:
    orders = [case(seed).instance for seed in range(100, 200)]
    best = [solve(order) for order in orders]
    monkeypatch.setattr("oms.domain.routing_search.MANY_LOADS", 0)
    for order, known in zip(orders, best, strict=True):
        grown = solve(order)
        if grown is not None:
            assert known is not None
            assert wrong(order, grown) == []
            assert grown.bound_minor <= known.cost_minor <= grown.cost_minor
