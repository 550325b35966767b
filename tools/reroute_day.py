"""A day of orders on a small map: each is routed with those that came in the same minutes and waits until it is
released; meanwhile stock goes and comes, and, in one of two ways to play the day, waiting orders are routed again.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from random import Random

from oms.domain.routing_model import Instance, Item, Parcel, Solution
from oms.domain.routing_search import solve
from oms.domain.waves import WaveOrder, improve
from tools.wave_instances import Kind, Point, Shop, customer, make_instance, make_items, make_shop, make_stock

Stock = dict[str, dict[str, int]]

LOOKING_WORK = 100_000
"""Work of routing the waiting orders again, once."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Day:
    """What a day is like. `arriving` is the share of the stock that comes in while the day goes on."""

    seed: int
    plenty: float
    window_minutes: int
    orders: int = 180
    minutes: int = 360
    every_minutes: int = 5
    threshold_minor: int = 100
    arriving: float = 0.2


@dataclass(slots=True, kw_only=True)
class Wanted:
    """An order of the day."""

    key: str
    at: int
    items: Sequence[Item]
    shared: bool
    goes_to: Point
    plan: Solution | None = None
    routed_at: int = 0


@dataclass(slots=True)
class Played:
    """What the routed orders cost by key, and how many were moved."""

    costs: dict[str, int] = field(default_factory=dict)
    moves: int = 0


def played(day: Day, *, looks_again: bool) -> Played:
    """The day from its first order to its last."""
    random = Random(day.seed)
    kind = Kind(orders=day.orders, plenty=day.plenty)
    shop = make_shop(random, kind)
    orders = [_wanted(random, shop, day, number) for number in range(day.orders)]
    stock = make_stock(random, shop, kind, [order.items for order in orders])
    coming = _held_back(random, stock, day)
    result = Played()
    for now in range(0, day.minutes + 1, day.every_minutes):
        for at, sku, location_id in coming:
            stock[sku][location_id] += now - day.every_minutes < at <= now
        _route_new(shop, stock, [one for one in orders if one.at <= now and one.plan is None], now)
        waiting = [one for one in orders if one.plan is not None and now < one.routed_at + day.window_minutes]
        if looks_again and waiting:
            result.moves += _look_again(shop, stock, waiting, day.threshold_minor)
    result.costs = {one.key: one.plan.cost_minor for one in orders if one.plan is not None}
    return result


def _wanted(random: Random, shop: Shop, day: Day, number: int) -> Wanted:
    items, shared = make_items(random, shop)
    at = random.randrange(day.minutes)
    return Wanted(key=f"O{number:03}", at=at, items=items, shared=shared, goes_to=customer(random, shop))


def _held_back(random: Random, stock: Stock, day: Day) -> list[tuple[int, str, str]]:
    """Takes what comes only later out of the stock: (minute, sku, location) of each unit."""
    coming = []
    for sku, row in stock.items():
        for location_id, units in row.items():
            late = sum(random.random() < day.arriving for _ in range(units))
            row[location_id] -= late
            coming += [(random.randrange(1, day.minutes), sku, location_id) for _ in range(late)]
    return coming


def _route_new(shop: Shop, stock: Stock, new: Sequence[Wanted], now: int) -> None:
    """One by one, then together; who gets nothing is tried again at the next turn."""
    before = {sku: dict(row) for sku, row in stock.items()}
    for order in new:
        plan = solve(_instance(shop, order, stock))
        if plan is not None:
            order.plan, order.routed_at = plan, now
            _take(stock, order.items, plan.parcels, 1)
    routed = [order for order in new if order.plan is not None]
    wave = [_in_wave(shop, order, before, is_new=True) for order in routed]
    _apply(stock, routed, improve(wave, before, {}).plans)


def _look_again(shop: Shop, stock: Stock, waiting: Sequence[Wanted], threshold_minor: int) -> int:
    """Routes the waiting orders again as if they held nothing; orders moved, none where it does not save enough."""
    free = {sku: dict(row) for sku, row in stock.items()}
    for order in waiting:
        if order.plan is not None:
            _take(free, order.items, order.plan.parcels, -1)
    wave = [_in_wave(shop, order, free, is_new=False) for order in waiting]
    result = improve(wave, free, {}, LOOKING_WORK)
    if result.before_minor - result.after_minor < max(1, threshold_minor * len(result.changed)):
        return 0
    _apply(stock, waiting, result.plans)
    return len(result.changed)


def _instance(shop: Shop, order: Wanted, stock: Mapping[str, Mapping[str, int]]) -> Instance:
    return make_instance(shop, order.items, order.shared, order.goes_to, stock, {})


def _in_wave(shop: Shop, order: Wanted, stock: Stock, *, is_new: bool) -> WaveOrder:
    """What an earlier plan's bound said of the stock of its time doesn't hold any more."""
    if order.plan is None:
        raise ValueError(f"{order.key} has no plan")
    plan = order.plan if is_new else replace(order.plan, bound_minor=0)
    return WaveOrder(key=order.key, instance=_instance(shop, order, stock), plan=plan)


def _apply(stock: Stock, orders: Sequence[Wanted], plans: Mapping[str, Solution]) -> None:
    """Gives the orders their new plans: first everything comes back, then it is taken."""
    for order in orders:
        _take(stock, order.items, order.plan.parcels if order.plan else (), -1)
    for order in orders:
        order.plan = plans[order.key]
        _take(stock, order.items, order.plan.parcels, 1)


def _take(stock: Stock, items: Sequence[Item], parcels: Sequence[Parcel], sign: int) -> None:
    for parcel in parcels:
        for item, pieces in zip(items, parcel.pieces, strict=True):
            for sku, units in item.stock.items() if pieces else ():
                stock[sku][parcel.site.location_id] -= sign * units * pieces
                if stock[sku][parcel.site.location_id] < 0:
                    raise ValueError(f"{sku} at {parcel.site.location_id} was taken twice")
