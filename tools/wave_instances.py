"""Seeded waves for the bench and the tests: orders of one batch that want the same stock.

Locations and customers lie on a map, most customers near a few towns; zones go by distance, prices by zone and weight.
Stock is there for everybody, but not where it is wanted: what lies near the towns runs out.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cache
from itertools import accumulate
from math import dist
from random import Random

from oms.domain.rates import Tariff
from oms.domain.routing_model import Instance, Item, Offer, Parcel, Site
from oms.domain.routing_search import solve
from oms.domain.waves import WaveOrder

ZONES = 8
STEP_GRAMS = 500
STEPS = 30
DAY = "2026-11-23"
TOWNS = 4
MAX_UNITS = 3

Point = tuple[float, float]


@dataclass(frozen=True, slots=True, kw_only=True)
class Kind:
    """What a wave is like. `plenty` is how much stock there is for a unit wanted; less than 1 leaves orders without.

    `spread` is the share of locations that stock a sku, `counted` the share that count the parcels of a day.
    """

    orders: int = 100
    locations: int = 15
    skus: int = 40
    plenty: float = 1.6
    spread: float = 0.5
    counted: float = 0.3


@dataclass(slots=True, kw_only=True)
class Wave:
    """Orders with the plans they get one after the other, and what there was before the first."""

    seed: int
    orders: list[WaveOrder]
    stock: dict[str, dict[str, int]]
    places: dict[tuple[str, str], int] = field(default_factory=dict)

    @property
    def greedy_minor(self) -> int:
        """What the plans cost together that are made one by one."""
        return sum(order.plan.cost_minor for order in self.orders)


@dataclass(frozen=True, slots=True, kw_only=True)
class Shop:
    """Where things lie and what they weigh: what several waves may have in common."""

    points: Mapping[str, Point]
    towns: Sequence[Point]
    skus: Sequence[str]
    grams: Mapping[str, int]
    handling: Mapping[str, int]


def make_shop(random: Random, kind: Kind) -> Shop:
    """A map, its locations and its products."""
    skus = [f"SKU-{number:03}" for number in range(kind.skus)]
    locations = [f"L{number:03}" for number in range(kind.locations)]
    return Shop(
        points={name: (random.random(), random.random()) for name in locations},
        towns=[(random.random(), random.random()) for _ in range(TOWNS)],
        skus=skus,
        grams={sku: random.choice((120, 300, 450, 800, 1500, 4000)) for sku in skus},
        handling={name: random.choice((60, 90, 120)) for name in locations},
    )


def make_wave(seed: int, kind: Kind) -> Wave:
    """The wave of this seed, routed one by one; orders nothing is left for are not in it."""
    random = Random(seed)
    shop = make_shop(random, kind)
    wanted = [make_items(random, shop) for _ in range(kind.orders)]
    stock = make_stock(random, shop, kind, [items for items, _ in wanted])
    places = {
        (name, DAY): max(1, round(kind.orders * random.uniform(0.6, 1.6) / kind.locations))
        for name in shop.points
        if random.random() < kind.counted
    }
    instances = [make_instance(shop, items, shared, customer(random, shop), stock, places) for items, shared in wanted]
    return Wave(seed=seed, orders=list(one_by_one(instances, stock, places)), stock=stock, places=places)


def one_by_one(
    instances: Sequence[Instance], stock: Mapping[str, Mapping[str, int]], places: Mapping[tuple[str, str], int]
) -> Iterable[WaveOrder]:
    """The orders routed in the queue's order, each on what those before it left."""
    left, days = {sku: dict(row) for sku, row in stock.items()}, dict(places)
    for number, instance in enumerate(instances):
        plan = solve(limited(instance, left, days))
        if plan is not None:
            left, days = left_after(instance.items, plan.parcels, left, days)
            yield WaveOrder(key=f"O{number:03}", instance=instance, plan=plan)


def customer(random: Random, shop: Shop) -> Point:
    """Somewhere near a town, the first being the largest; one in five anywhere."""
    if random.random() < 0.2:
        return random.random(), random.random()
    x, y = random.choices(shop.towns, weights=[8, 4, 2, 1])[0]
    return x + random.gauss(0, 0.06), y + random.gauss(0, 0.06)


def make_items(random: Random, shop: Shop) -> tuple[list[Item], bool]:
    """One to four lines, few skus being asked for most; sometimes two lines of one, a kit, a line that may be split."""
    weights = [1 / (place + 1) ** 0.8 for place in range(len(shop.skus))]
    chosen = _distinct(random, shop.skus, weights, random.choices((1, 2, 3, 4), weights=[40, 30, 20, 10])[0])
    items = [_line(random, shop, str(number), sku) for number, sku in enumerate(chosen)]
    shared = len(items) > 1 and random.random() < 0.1
    if shared:
        items.append(_line(random, shop, "again", chosen[0]))
    elif len(chosen) < len(shop.skus) and random.random() < 0.1:
        items.append(_kit(random, shop, [sku for sku in shop.skus if sku not in chosen]))
    return items, shared


def _distinct(random: Random, skus: Sequence[str], weights: Sequence[float], number: int) -> list[str]:
    chosen: dict[str, None] = {}
    running = list(accumulate(weights))
    while len(chosen) < number:
        chosen[random.choices(skus, cum_weights=running)[0]] = None
    return list(chosen)


def _line(random: Random, shop: Shop, line_id: str, sku: str) -> Item:
    units = random.choices(range(1, MAX_UNITS + 1), weights=[6, 2, 1])[0]
    grams = shop.grams[sku]
    if units > 1 and random.random() < 0.3:
        return Item(lines=((line_id, 1),), pieces=units, grams=grams, cm3=grams * 4, goods=1, stock={sku: 1})
    return Item(lines=((line_id, units),), grams=grams * units, cm3=grams * 4 * units, goods=units, stock={sku: units})


def _kit(random: Random, shop: Shop, others: Sequence[str]) -> Item:
    skus = random.sample(others, min(2, len(others)))
    grams = sum(shop.grams[sku] for sku in skus)
    return Item(lines=(("kit", 1),), grams=grams, cm3=grams * 5, goods=len(skus), stock=dict.fromkeys(skus, 1))


def make_stock(random: Random, shop: Shop, kind: Kind, wanted: Sequence[Sequence[Item]]) -> dict[str, dict[str, int]]:
    """`plenty` units of every sku for each that is wanted, spread over some locations."""
    demand = dict.fromkeys(shop.skus, 0)
    for items in wanted:
        for item in items:
            for sku, units in item.stock.items():
                demand[sku] += units * item.pieces
    stock: dict[str, dict[str, int]] = {}
    for sku, units in demand.items():
        having = [name for name in shop.points if random.random() < kind.spread] or [next(iter(shop.points))]
        row = stock[sku] = dict.fromkeys(having, 0)
        for _ in range(round(units * kind.plenty) + 1):
            row[random.choice(having)] += 1
    return stock


def make_instance(
    shop: Shop,
    items: Sequence[Item],
    shared: bool,
    goes_to: Point,
    stock: Mapping[str, Mapping[str, int]],
    places: Mapping[tuple[str, str], int],
) -> Instance:
    """The order as it would be routed if it were the only one."""
    sites = []
    for name, point in shop.points.items():
        zone = min(ZONES, 1 + int(dist(point, goes_to) * 8))
        day = DAY if (name, DAY) in places else None
        has = {sku: stock.get(sku, {}).get(name, 0) for item in items for sku in item.stock}
        room = tuple(min(item.pieces, *(has[sku] // units for sku, units in item.stock.items())) for item in items)
        offers = _offers(zone, shop.handling[name], day)
        sites.append(Site(location_id=name, offers=offers, unit_minor=20, room=room, stock=has))
    return Instance(items=items, sites=sites, max_parcels=4, shared=shared)


@cache
def _offers(zone: int, handling_minor: int, day: str | None) -> tuple[Offer, ...]:
    """A parcel service, and a postal one that is cheaper near and takes nothing heavy."""
    grounds = Offer(
        carrier="ups", service="GROUND", zone=zone, tariff=_tariff(750, 55, 70, zone, STEPS, 120),
        handling_minor=handling_minor, capacity_day=day,
    )  # fmt: skip
    post = Offer(
        carrier="usps", service="ADVANTAGE", zone=zone, tariff=_tariff(430, 70, 130, zone, 10, None),
        handling_minor=handling_minor, capacity_day=day,
    )  # fmt: skip
    return grounds, post


def _tariff(base: int, per_zone: int, per_step: int, zone: int, steps: int, extra_kg: int | None) -> Tariff:
    return Tariff(
        breaks=tuple(STEP_GRAMS * (step + 1) for step in range(steps)),
        prices=tuple(base + per_zone * zone + per_step * step * (4 + zone) // 10 for step in range(steps)),
        extra_kg_minor=extra_kg,
        dim_cm3_per_kg=5000,
    )


def limited(
    instance: Instance, stock: Mapping[str, Mapping[str, int]], places: Mapping[tuple[str, str], int]
) -> Instance:
    """The order as it reads when this is left."""
    sites = []
    for site in instance.sites:
        name = site.location_id
        has = {sku: min(there, stock.get(sku, {}).get(name, 0)) for sku, there in site.stock.items()}
        room = tuple(
            min(most, *(has[sku] // units for sku, units in item.stock.items()))
            for most, item in zip(site.room, instance.items, strict=True)
        )
        offers = tuple(offer for offer in site.offers if places.get((name, offer.capacity_day or ""), 1) > 0)
        if offers:
            sites.append(replace(site, room=room, stock=has, offers=offers))
    return replace(instance, sites=sites)


def left_after(
    items: Sequence[Item],
    parcels: Iterable[Parcel],
    stock: Mapping[str, Mapping[str, int]],
    places: Mapping[tuple[str, str], int],
) -> tuple[dict[str, dict[str, int]], dict[tuple[str, str], int]]:
    """What is left of stock and places when these parcels are taken from them."""
    left, days = {sku: dict(row) for sku, row in stock.items()}, dict(places)
    for parcel in parcels:
        name, day = parcel.site.location_id, parcel.offer.capacity_day
        for item, pieces in zip(items, parcel.pieces, strict=True):
            for sku, units in item.stock.items() if pieces else ():
                left[sku][name] -= units * pieces
        if day and (name, day) in days:
            days[name, day] -= 1
    return left, days
