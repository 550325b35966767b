"""Orders to be routed, made from a seed: the same seed gives the same order everywhere.

A customer and locations lie at random on a map; the distance gives the zone, the zone and the weight the price. Every
sku lies at a location with some probability. `usual` orders look like a shop's, `ODD` ones are what a search stumbles
over: ties, prices of nothing, parcels that would be cheaper in two.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from math import hypot
from random import Random

from oms.domain.order import Capability
from oms.domain.rates import Tariff
from oms.domain.routing_model import Instance, Item, Offer, Site
from oms.domain.surcharges import NeedSurcharge

ZONES = 8
MAX_QUANTITY = 6
CARRIERS = ("swift", "parcelpost", "continental")
LATE_DAY_MINOR = 500
FULL_DAY_MINOR = 300
MAX_PIECES = 2_000
"""Loads of the lines that may be split, at most: a shop splits one line or two, not eight."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Shape:
    """What an order is to look like: how many lines and locations, how often a sku lies at one (`None`: 0.2 to 1),
    and the shares of orders and lines that have what makes routing hard."""

    lines: int
    locations: int
    stocked: float | None = None
    split: float = 0.25
    kits: float = 0.05
    shared: float = 0.1
    scarce: float = 0.1
    needy: float = 0.15
    tight: float = 0.1


def usual(seed: int, shape: Shape) -> Instance:
    """An order like a shop's."""
    rng = Random(f"{shape.lines}x{shape.locations}:{seed}")
    stocked = shape.stocked if shape.stocked is not None else rng.uniform(0.2, 1.0)
    shared = rng.random() < shape.shared
    skus = [f"SKU-{number}" for number in range(max(1, shape.lines - shared * rng.randint(1, 2)))]
    items = _items(rng, shape, skus)
    stocks = [_stock(rng, skus, stocked) for _ in range(shape.locations)]
    services = [_service(rng) for _ in range(rng.randint(1, len(CARRIERS)))]
    prices = [[service.tariff(zone) for zone in range(1, ZONES + 1)] for service in services]
    scarce = rng.random() < shape.scarce
    customer = (rng.random(), rng.random())
    sites = []
    for number, stock in enumerate(stocks):
        away = hypot(customer[0] - rng.random(), customer[1] - rng.random())
        zone = 1 + min(ZONES - 1, int(away * ZONES / 1.2))
        sites.append(
            Site(
                location_id=f"WH-{number:03}",
                offers=_offers(rng, prices, zone),
                unit_minor=rng.choice((0, 0, 20, 35)),
                room=tuple(_room(item, stock) for item in items),
                stock=stock,
                scarcity=tuple(rng.choice((0, 0, 0, 150, 400)) for _ in items) if scarce else None,
            )
        )
    most = 1 if rng.random() < shape.tight else rng.choice((2, 3, 4, 4))
    return Instance(items=items, sites=sites, max_parcels=most, shared=_is_shared(items))


def _items(rng: Random, shape: Shape, skus: list[str]) -> list[Item]:
    """One per line; the lines that may be split have one piece per unit."""
    items, loads = [], 1
    for number in range(shape.lines):
        quantity = rng.choice((1, 1, 1, 2, 2, 3, 4, 5, MAX_QUANTITY))
        stock = {skus[number % len(skus)]: 1}
        if rng.random() < shape.kits:
            stock = {sku: rng.randint(1, 2) for sku in rng.sample(skus, min(len(skus), rng.randint(1, 3)))}
        goods, grams = sum(stock.values()), int(rng.lognormvariate(5.8, 0.9)) + 20
        needs = [one for one in Capability if rng.random() < shape.needy]
        pieces = quantity if rng.random() < shape.split and loads * (quantity + 1) <= MAX_PIECES else 1
        loads *= pieces + 1
        each = quantity // pieces
        items.append(
            Item(
                lines=((f"line-{number}", each),),
                pieces=pieces,
                grams=grams * each,
                cm3=int(grams * rng.choice((1, 3, 5, 9))) * each,
                goods=goods * each,
                needs=frozenset(needs),
                stock={sku: units * each for sku, units in stock.items()},
            )
        )
    return items


def _stock(rng: Random, skus: list[str], stocked: float) -> dict[str, int]:
    return {sku: rng.choice((1, 3, 8, 20, 20)) for sku in skus if rng.random() < stocked}


def _room(item: Item, stock: dict[str, int]) -> int:
    return min(item.pieces, *(stock.get(sku, 0) // units for sku, units in item.stock.items()))


def _is_shared(items: list[Item]) -> bool:
    skus = [sku for item in items for sku in item.stock]
    return len(set(skus)) < len(skus)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Service:
    """A carrier's service and what it asks: by weight, more by zone, and for goods it handles with care."""

    base: int
    per_step: float
    by_zone: float
    steps: tuple[int, ...]
    dim: int
    further: int | None
    handled: int
    heavy: int

    def tariff(self, zone: int) -> Tariff:
        """Its prices in a zone."""
        rise = 1 + self.by_zone * (zone - 1)
        prices = [
            round((self.base + self.per_step * (grams / 500) ** 0.93) * rise) + (self.heavy if grams > 3_000 else 0)
            for grams in self.steps
        ]
        return Tariff(
            breaks=self.steps,
            prices=tuple(prices),
            extra_kg_minor=None if self.further is None else round(self.further * rise),
            dim_cm3_per_kg=self.dim,
            surcharges=_surcharges(self.handled, prices, self.steps) if self.handled else (),
        )


def _service(rng: Random) -> _Service:
    last = rng.choice((5_000, 10_000, 30_000))
    return _Service(
        base=rng.randint(350, 900),
        per_step=rng.uniform(15, 110),
        by_zone=rng.uniform(0.03, 0.16),
        steps=_breaks(last),
        dim=rng.choice((0, 4_000, 5_000, 6_000)),
        further=rng.choice((None, 40, 90)) if last < 30_000 else rng.choice((40, 90)),
        handled=rng.choice((0, 600, 1_400)),
        heavy=rng.choice((0, 0, 450)),
    )


def _breaks(last: int) -> tuple[int, ...]:
    return (250, *range(500, 5_001, 500), *range(6_000, last + 1, 1_000))


def _surcharges(handled: int, prices: list[int], steps: tuple[int, ...]) -> tuple[NeedSurcharge, ...]:
    """A flat one for hazardous goods; for oversized ones a tenth of the price, and more above ten kilograms."""
    oversized = [
        round(price * 0.1) + (handled if grams > 10_000 else 0) for price, grams in zip(prices, steps, strict=True)
    ]
    return (
        NeedSurcharge(needs=frozenset({Capability.HAZMAT}), amounts=(handled,) * len(steps)),
        NeedSurcharge(needs=frozenset({Capability.OVERSIZED}), amounts=tuple(oversized), extra_kg_minor=5),
        NeedSurcharge(needs=frozenset(Capability), amounts=(250,) * len(steps)),
    )


def _offers(rng: Random, prices: list[list[Tariff]], zone: int) -> tuple[Offer, ...]:
    """One per service the location works with; slow ones are late, near-full days cost more."""
    near_full = rng.choice((0, 0, 0, FULL_DAY_MINOR // 3, FULL_DAY_MINOR))
    handling, preference = rng.choice((0, 80, 120, 250)), rng.choice((0, 0, 0, 60, 150))
    used = rng.sample(range(len(prices)), rng.randint(1, len(prices)))
    offers = []
    for number in used:
        late_days = rng.choice((0, 0, 0, 1, 2)) if zone > 4 else 0
        offers.append(
            Offer(
                carrier=CARRIERS[number],
                service="GROUND",
                zone=zone,
                tariff=prices[number][zone - 1],
                late_days=late_days,
                handling_minor=handling,
                capacity_minor=near_full,
                late_minor=late_days * LATE_DAY_MINOR,
                preference_minor=preference,
            )
        )
    return tuple(offers)


def _flat(price_of: Callable[[int], int], extra_kg_minor: int | None = 50) -> Tariff:
    steps = _breaks(10_000)
    return Tariff(breaks=steps, prices=tuple(price_of(grams) for grams in steps), extra_kg_minor=extra_kg_minor)


def _with_tariffs(instance: Instance, tariff_of: Callable[[int, Offer], Tariff | None]) -> Instance:
    sites = [
        replace(site, offers=tuple(replace(offer, tariff=tariff_of(at, offer)) for offer in site.offers))
        for at, site in enumerate(instance.sites)
    ]
    return replace(instance, sites=sites)


def _bare(instance: Instance) -> Instance:
    """Nothing costs anything but what the carrier asks."""
    plain = [Offer(carrier=one.carrier, service=one.service, tariff=one.tariff) for one in _all_offers(instance)]
    offers = iter(plain)
    return replace(
        instance,
        sites=[
            replace(site, offers=tuple(next(offers) for _ in site.offers), unit_minor=0, scarcity=None)
            for site in instance.sites
        ],
    )


def _all_offers(instance: Instance) -> list[Offer]:
    return [offer for site in instance.sites for offer in site.offers]


def ties(seed: int, shape: Shape) -> Instance:
    """Every location asks the same."""
    same = _flat(lambda grams: 500 + grams // 10)
    return _bare(_with_tariffs(usual(seed, shape), lambda _at, _offer: same))


def free(seed: int, shape: Shape) -> Instance:
    """Nothing costs anything, or only some parcels do."""
    nothing, little = _flat(lambda _: 0, 0), _flat(lambda grams: 1 if grams > 1_000 else 0, 0)
    return _bare(_with_tariffs(usual(seed, shape), lambda at, _: None if at % 3 == 0 else (nothing, little)[at % 2]))


def dear_together(seed: int, shape: Shape) -> Instance:
    """Two light parcels cost less than a heavy one, but each location may send only one."""
    rng = Random(f"dear:{seed}")
    power = rng.uniform(1.2, 2.0)

    def tariff(at: int, _offer: Offer) -> Tariff:
        factor = 1 + 0.03 * (at % 7)
        return _flat(lambda grams: round((grams / 100) ** power * factor), 3_000)

    return _with_tariffs(usual(seed, shape), tariff)


def one_location(seed: int, shape: Shape) -> Instance:
    """There is only one location."""
    return usual(seed, replace(shape, locations=1))


def alike(seed: int, shape: Shape) -> Instance:
    """Every line is the same, every location has one of each and asks the same."""
    instance = ties(seed, replace(shape, kits=0.0, shared=0.0, split=0.0))
    items = [replace(item, grams=400, cm3=0, goods=1, needs=frozenset()) for item in instance.items]
    return replace(instance, items=items)


def short(seed: int, shape: Shape) -> Instance:
    """There is hardly anything anywhere: often no plan exists."""
    return usual(seed, replace(shape, stocked=0.08 + seed % 5 / 40, locations=min(shape.locations, 12), tight=0.4))


ODD: dict[str, Callable[[int, Shape], Instance]] = {
    "ties": ties,
    "free": free,
    "dear together": dear_together,
    "one location": one_location,
    "alike": alike,
    "short": short,
}
"""Orders as no shop has them; `usual` ones beside them."""

SIZES: tuple[tuple[int, int], ...] = tuple((lines, places) for places in (5, 10, 20, 50) for lines in range(1, 9))
"""Lines and locations of the orders that are proved."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """One order of the proof."""

    seed: int
    kind: str
    shape: Shape
    instance: Instance


def case(seed: int) -> Case:
    """The order with this seed: all sizes in turn, two thirds usual, the others odd in turn."""
    lines, places = SIZES[seed % len(SIZES)]
    shape = Shape(lines=lines, locations=places)
    odd = list(ODD)
    turn = seed // len(SIZES)
    if turn % 3:
        return Case(seed=seed, kind="usual", shape=shape, instance=usual(seed, shape))
    kind = odd[turn // 3 % len(odd)]
    return Case(seed=seed, kind=kind, shape=shape, instance=ODD[kind](seed, shape))
