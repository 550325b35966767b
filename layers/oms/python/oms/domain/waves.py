"""Orders routed in one batch share stock: one by one, an early order takes the last unit that a later one needs more.

`improve` takes the plans made one by one and makes them cheaper together: it finds prices for what is short, which
lead each order to the plans worth having, and exchanges plans within small groups as long as that saves.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import ceil

from oms.domain.routing_model import Instance, Solution
from oms.domain.routing_partition import Work
from oms.domain.wave_exchange import Exchange
from oms.domain.wave_prices import find_prices
from oms.domain.wave_seekers import Choice, Seeker
from oms.domain.wave_supplies import Supply, could_run_short

WORK_LIMIT = 500_000
"""Loads priced, nodes visited and plans compared for one wave at most; a second or two."""

_EPSILON = 1e-6

MAX_EXPLORED = 16
"""Plans an order is asked for beside its best, where there are few orders."""

ATTEMPTS = ((True, (8, 16, 24)), (False, (8, 16, 24)), (True, (12, 20)), (False, (12, 20)))
"""Whether the orders first settle where the prices say, and the sizes of the groups in which they exchange then."""

NEAR = 0.002
"""A plan this near to the bound is good enough."""

MAX_DEARER_MINOR = 400
"""How much dearer such a plan may be at the prices found."""

_ASKED = 100
"""Work of a plan asked for, roughly."""


@dataclass(frozen=True, slots=True, kw_only=True)
class WaveOrder:
    """An order of the wave. Its instance has all the stock there was before the wave.

    `plan` is what it got, in pieces of the instance's items. Its `bound_minor` is what no plan costs less than in what
    the orders before it left; 0 where that isn't known, as for a plan made earlier.
    """

    key: str
    instance: Instance
    plan: Solution


@dataclass(frozen=True, slots=True, kw_only=True)
class WaveResult:
    """Every order's plan by key, those that `changed`, and what all cost together before and after.

    No joint plan costs less than `bound_minor`.
    """

    plans: Mapping[str, Solution]
    changed: tuple[str, ...]
    before_minor: int
    after_minor: int
    bound_minor: int
    work: int


def improve(
    orders: Sequence[WaveOrder],
    stock: Mapping[str, Mapping[str, int]],
    places: Mapping[tuple[str, str], int],
    work_limit: int = WORK_LIMIT,
) -> WaveResult:
    """Plans for the same orders that together cost no more, and less where plans can be exchanged.

    `stock` is units by sku and location before the wave, `places` the parcels a location's day still takes (absent:
    any number). Every order keeps having a plan, none uses what is not there, and what lies outside the orders' own
    offers (a promise that must be kept) stays outside. The same wave always gives the same plans.
    """
    work = Work(work_limit)
    short = could_run_short([order.instance for order in orders], stock, places)
    seekers = _seekers(orders, {supply: number for number, supply in enumerate(short)})
    for seeker in seekers.values():
        seeker.bound = ceil(seeker.ask([0] * len(short), work) - _EPSILON)
    settled = sum(min(order.plan.bound_minor, order.plan.cost_minor) for order in orders if order.key not in seekers)
    bound, taken = _compete(seekers, list(short.values()), work)
    plans = {order.key: _plan(order, seekers.get(order.key), taken.get(order.key)) for order in orders}
    after = sum(plan.cost_minor for plan in plans.values())
    return WaveResult(
        plans=plans,
        changed=tuple(order.key for order in orders if plans[order.key] is not order.plan),
        before_minor=sum(order.plan.cost_minor for order in orders),
        after_minor=after,
        bound_minor=min(settled + bound, after),
        work=work.spent,
    )


def _seekers(orders: Sequence[WaveOrder], numbers: Mapping[Supply, int]) -> dict[str, Seeker]:
    """The orders that could have a better plan: those that could use what is short, and those whose plan is not known
    to be the best of what there was."""
    seekers = {order.key: Seeker(order.instance, order.plan.parcels, numbers) for order in orders}
    return {order.key: seekers[order.key] for order in orders if seekers[order.key].competes or not order.plan.proven}


def _compete(seekers: Mapping[str, Seeker], limits: Sequence[int], work: Work) -> tuple[int, dict[str, Choice]]:
    """What the plans of these orders cost at least together, and the plans they take."""
    rivals = list(seekers.values())
    bound = sum(seeker.bound for seeker in rivals)
    ceiling = sum(seeker.first.cost for seeker in rivals)
    if ceiling <= bound:
        return bound, {}
    best = [min(seeker.choices, key=lambda choice: choice.cost) for seeker in rivals]
    if not _is_there(best, limits):
        prices = find_prices(rivals, limits, ceiling, work)
        bound = ceil(prices.bound - _EPSILON)
        _explore(rivals, prices.of, ceiling - bound, work)
        best = _exchanged(Exchange(rivals, limits, prices.of, work), bound, work)
    return bound, {
        key: choice for key, seeker, choice in zip(seekers, rivals, best, strict=True) if choice is not seeker.first
    }


def _is_there(choices: Sequence[Choice], limits: Sequence[int]) -> bool:
    """Whether there is enough for all these plans."""
    left = list(limits)
    for choice in choices:
        for supply, units in choice.uses:
            left[supply] -= units
    return min(left, default=0) >= 0


def _explore(rivals: Sequence[Seeker], prices: Sequence[int], gap: int, work: Work) -> None:
    """Every order learns more plans, with no more than half of the work that is left."""
    most = min(MAX_EXPLORED, (work.limit - work.spent) // (2 * _ASKED * len(rivals)))
    for seeker in rivals:
        seeker.explore(prices, most, min(gap, MAX_DEARER_MINOR), work)


def _exchanged(exchange: Exchange, bound: int, work: Work) -> list[Choice]:
    """The best plans found from two places: the plans the orders came with, and those that the prices suggest."""
    first = list(exchange.has)
    best, cost = first, exchange.cost
    for settles, sizes in ATTEMPTS:
        exchange.start(first)
        if settles:
            exchange.settle()
        exchange.run(sizes)
        if exchange.cost < cost:
            best, cost = list(exchange.has), exchange.cost
        if work.is_over or cost - bound <= NEAR * bound:
            break
    exchange.start(best)
    exchange.undo_needless(first)
    return exchange.has


def _plan(order: WaveOrder, seeker: Seeker | None, taken: Choice | None) -> Solution:
    if seeker is None or taken is None:
        return order.plan
    bound = min(seeker.bound, taken.cost)
    return Solution(parcels=taken.parcels, cost_minor=taken.cost, bound_minor=bound, work=order.plan.work)
