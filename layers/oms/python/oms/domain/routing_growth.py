"""For orders too large to list every load: a good plan, and how much cheaper any other could be.

A plan grows from each of several first sites by the site that adds most for its money; then parcels change their site
and items their parcel as long as that costs less. The bound is a dual ascent for the plant location problem
(Erlenkotter 1978), which opens a site at its floor and carries every piece at its lowest rate.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple

from oms.domain.routing_partition import Column

if TYPE_CHECKING:
    from oms.domain.routing_search import Search

MAX_STARTS = 6
"""Plans grown by each rule, each from another first site."""

MAX_MOVES = 60
"""Changes that make a plan cheaper."""

ROUNDS = 6
"""Times the price of every item is raised."""

ITEMS_PER_WORK = 3
"""Reading so many items of a load is work as pricing one is."""


class _Offered(NamedTuple):
    """A column with its goods, as the rules of growing compare it."""

    cost_per_unit: float
    goods: int
    column: Column


class Growth:
    """Grows plans for one search."""

    def __init__(self, search: Search) -> None:
        self._search = search
        self._loads = search.loads
        self._several = [
            mask for item, mask in zip(self._loads.items, self._loads.masks, strict=True) if item.pieces > 1
        ]
        self._single = self._loads.whole & ~sum(self._several)
        self._rooms = [self._room(at) for at in range(len(search.sites))]

    def grown(self) -> list[Column]:
        """The cheapest of the plans grown, nothing where none has everything."""
        firsts = self._offers(self._loads.whole, ())
        best: list[Column] = []
        for by_goods in (False, True):
            firsts.sort(
                key=lambda one: (-one.goods, one.cost_per_unit) if by_goods else (one.cost_per_unit, -one.goods)
            )
            for first in firsts[:MAX_STARTS]:
                plan = self._improved(self._grow(first.column, by_goods=by_goods))
                if plan and (not best or _cost(plan) < _cost(best)):
                    best = plan
                if self._search.work.is_over:
                    return best
        return best

    def _room(self, at: int) -> int:
        room, rank, items = self._search.sites[at].room, self._search.rank, self._loads.items
        return self._loads.code([min(room[number], item.pieces) for number, item in zip(rank, items, strict=True)])

    def _meet(self, room: int, rest: int) -> int:
        """As much of the rest as there is room for, item by item."""
        return (room & rest & self._single) + sum([min(room & mask, rest & mask) for mask in self._several])

    def _offers(self, rest: int, used: Sequence[int]) -> list[_Offered]:
        """What each site that is not used yet could take of the rest."""
        found = []
        for at, room in enumerate(self._rooms):
            code = self._meet(room, rest) if at not in used else 0
            column = self._column(code, at, shorten=True) if code else None
            if column is not None:
                goods = self._loads.load(column.code, self._search.having).goods
                found.append(_Offered(column.cost / max(1, goods), goods, column))
        return found

    def _column(self, code: int, at: int, *, shorten: bool = False) -> Column | None:
        """The load from the site; where the stock is short for all of it together None, or as much as there is."""
        self._search.work.spent += len(self._loads.items) // ITEMS_PER_WORK
        load = self._search.load(code)
        if not load.sites >> 8 * at & 1:
            kept = self._as_much_as_there_is(code, at) if shorten else 0
            if not kept:
                return None
            load = self._search.load(kept)
        cost = self._search.price(at, load)
        return Column(load.code, at, int(cost)) if cost < float("inf") else None

    def _as_much_as_there_is(self, code: int, at: int) -> int:
        """Of a load that shares stock, item after item as many pieces as are left."""
        kept = 0
        for number, pieces in self._loads.parts(code):
            for count in range(pieces, 0, -1):
                more = kept + (count << self._loads.shifts[number])
                if self._search.load(more).sites >> 8 * at & 1:
                    kept = more
                    break
        return kept

    def _grow(self, first: Column, *, by_goods: bool) -> list[Column]:
        """Adds sites until everything has one: the cheapest that ends it if one can, else by the rule."""
        plan, rest = [first], self._loads.whole - first.code
        while rest and len(plan) < self._search.max_parcels:
            offers = self._offers(rest, [column.site for column in plan])
            if not offers:
                break
            ending = [one.column for one in offers if one.column.code == rest]
            if ending:
                plan.append(min(ending, key=lambda column: column.cost))
            elif by_goods:
                plan.append(min(offers, key=lambda one: (-one.goods, one.cost_per_unit)).column)
            else:
                plan.append(min(offers, key=lambda one: one.cost_per_unit).column)
            rest -= plan[-1].code
        return [] if rest else plan

    def _improved(self, plan: list[Column]) -> list[Column]:
        for _ in range(MAX_MOVES):
            better = self._elsewhere(plan) or self._moved(plan)
            if not better:
                break
            plan = better
        return plan

    def _elsewhere(self, plan: list[Column]) -> list[Column]:
        """The plan with one parcel from a cheaper site, if there is one."""
        for number, column in enumerate(plan):
            free = ~sum(one.bit for one in plan)
            load = self._search.load(column.code)
            found = (
                None if self._search.work.is_over else self._search.cheapest_of(load, load.sites & free, column.cost)
            )
            if found is not None:
                return [*plan[:number], found, *plan[number + 1 :]]
        return []

    def _moved(self, plan: list[Column]) -> list[Column]:
        """The plan with one item, or all there is, moved from one parcel to another, where that costs less."""
        for giver in plan:
            for taker in plan:
                if giver is taker:
                    continue
                moves = [pieces << self._loads.shifts[number] for number, pieces in self._loads.parts(giver.code)]
                for code in (giver.code, *moves):
                    pair = [] if self._search.work.is_over else self._pair(giver, taker, code)
                    if pair:
                        return [column for column in plan if column is not giver and column is not taker] + pair
        return []

    def _pair(self, giver: Column, taker: Column, code: int) -> list[Column]:
        """Both parcels after the move, if together they cost less; an empty one is left out."""
        left, more = giver.code - code, taker.code + code
        if not self._loads.fits(more, self._rooms[taker.site]):
            return []
        after = [self._column(more, taker.site)] + ([self._column(left, giver.site)] if left else [])
        pair = [column for column in after if column is not None]
        return pair if len(pair) == len(after) and _cost(pair) < giver.cost + taker.cost else []


def plant_bound(search: Search) -> float:
    """No plan costs less than this. Prices of items rise in turns, as long as no site's floor is paid twice."""
    return max(_ascent(search, by_weight=False), _ascent(search, by_weight=True))


def _ascent(search: Search, *, by_weight: bool) -> float:
    lines = [_line(search, at, by_weight=by_weight) for at in range(len(search.sites))]
    left = [floor for floor, _ in lines]
    rates = []
    for item, sites in zip(search.loads.items, search.having.one, strict=True):
        asked = [(at, lines[at][1] * item.grams + search.sites[at].unit_minor * item.goods) for at in _places(sites)]
        rates.append(sorted(asked, key=lambda one: one[1]))
    prices = [asked[0][1] for asked in rates]
    for turn in range(ROUNDS):
        for number, item in enumerate(search.loads.items):
            price, highest = prices[number], float("inf")
            for at, rate in rates[number]:
                if rate >= highest:
                    break
                highest = min(highest, max(rate, price) + left[at] / item.pieces)
            prices[number] = price + (highest - price) / (ROUNDS - turn)
            for at, rate in rates[number]:
                if rate >= prices[number]:
                    break
                left[at] -= (prices[number] - max(rate, price)) * item.pieces
    return sum(price * item.pieces for price, item in zip(prices, search.loads.items, strict=True))


def _line(search: Search, at: int, *, by_weight: bool) -> tuple[float, float]:
    """(floor, price per gram) such that no parcel from the site costs less than floor + price * grams."""
    offers = search.sites[at].offers
    if not by_weight:
        return float(search.floors[at]), 0.0
    floors, rises = [], []
    for offer in offers:
        rise, flat = (offer.tariff.rise, offer.tariff.flat_grams) if offer.tariff else (0.0, 0)
        floors.append(max(0.0, offer.floor_minor - rise * flat))
        rises.append(rise if offer.floor_minor >= rise * flat else 0.0)
    return min(floors), min(rises)


def _places(sites: int) -> list[int]:
    found = []
    while sites:
        found.append((sites & -sites).bit_length() - 1 >> 3)
        sites &= sites - 1
    return found


def _cost(plan: Sequence[Column]) -> int:
    return sum(column.cost for column in plan)
