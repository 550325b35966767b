"""The cheapest parcels for one order, proved.

    1. One parcel: the cheapest site that has everything.
    2. If two parcels cost at least as much whatever is in them, that is the answer.
    3. Two parcels: every load with what it leaves over, each at its cheapest site.
    4. If three parcels cost at least as much as the best so far, that is the answer.
    5. Else every load that could still be part of a better plan gets its price at its cheapest site, and the loads
       that together are the order, each piece once, are searched: see `routing_partition`.

Step 5 lets a site send two parcels; where such a plan would win it is done again with as many sites for each load as
there may be parcels, for no load needs more to choose from. An order with too many loads to list gets a good plan and
a bound: see `routing_growth`. Work (prices and nodes) is bounded; a search that was cut short says how much cheaper an
unseen plan could be at most.

Relied on: no price falls when something is added to a parcel, and no money is less than nothing.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from enum import StrEnum
from math import ceil, inf

from oms.domain.routing_growth import Growth, plant_bound
from oms.domain.routing_loads import Having, Load, Loads, first_site
from oms.domain.routing_measures import floor_of, is_coverable, rarest_first, tariffs_of
from oms.domain.routing_model import Instance, Parcel, Site, Solution
from oms.domain.routing_partition import Column, Partition, Work

WORK_LIMIT = 150_000
"""Loads priced and nodes visited for one order at most; about a quarter of a second."""

GROWTH_WORK = 5_000
"""Work that a search which was cut short has left to grow a plan, lest an order that can be shipped gets none."""

MANY_LOADS = 20_000
"""With more loads than this they are not listed: a good plan is grown, and a bound says how good."""

_EPSILON = 1e-6


def solve(instance: Instance, work_limit: int = WORK_LIMIT) -> Solution | None:
    """The cheapest plan, or None where none of at most `max_parcels` was found.

    Equal costs go to fewer parcels, one parcel to the location first in the alphabet; the same instance always gives
    the same plan.
    """
    return Search(instance, work_limit).run()


class Step(StrEnum):
    """How far a search had to go."""

    ONE_PARCEL = "one parcel at most"
    TWO_FLOORS = "two-parcel bound"
    TWO_PARCELS = "every two parcels"
    PARTITION = "partition"
    MORE_SITES = "partition, more sites per load"
    GROWN = "grown"


class Search:
    """One search. Sites are taken by their lowest price, items in the order of `rank`, the rarest first."""

    def __init__(self, instance: Instance, work_limit: int) -> None:
        floors = [floor_of(site.offers) for site in instance.sites]
        by_floor = sorted(range(len(floors)), key=floors.__getitem__)
        self.sites = [instance.sites[at] for at in by_floor]
        self.floors = [floors[at] for at in by_floor]
        pieces = sum([item.pieces for item in instance.items])
        self.max_parcels = min(instance.max_parcels, len(floors), pieces)
        self._items = instance.items
        self.work = Work(work_limit)
        rooms = list(zip(*[site.room for site in self.sites], strict=True)) or [()] * len(instance.items)
        self.rank = rarest_first(rooms)
        self.having = Having([rooms[at] for at in self.rank])
        self.loads = Loads([instance.items[at] for at in self.rank])
        self._stocked: dict[tuple[str, int], int] = {}
        self._found: dict[int, Column] = {}
        self._dearer: dict[int, float] = {}
        self._floor_of: dict[int, tuple[float, float]] = {}
        self._sharing = self.loads.sharing() if instance.shared else []
        self.whole = self.load(self.loads.whole)
        self.plan: list[Column] = []
        self.cost: float = inf
        self.step = Step.ONE_PARCEL

    def run(self) -> Solution | None:
        """The best plan and its bound."""
        if self.max_parcels < 1 or not all(self.having.one):
            return None
        self._one_parcel()
        bound = self.cost
        if self.max_parcels > 1:
            self._measure()
            at_least = self.at_least(2)
            if at_least >= self.cost:
                self.step = Step.TWO_FLOORS
            else:
                bound = max(at_least, self._several_parcels())
                if self.work.is_over and self.step is not Step.GROWN:
                    self.work.limit = self.work.spent + GROWTH_WORK
                    self.keep(Growth(self).grown())
                    self.work.limit = 0
        return self._solution(min(bound, self.cost)) if self.plan else None

    def price(self, at: int, load: Load) -> float:
        """What the load costs as one parcel from the site; infinite where no offer carries it."""
        self.work.spent += 1
        site, best = self.sites[at], inf
        for offer in site.offers:
            if offer.floor_minor < best:
                tariff = offer.tariff
                freight = tariff.price_minor(load.grams, load.cm3, load.needs) if tariff else 0
                if freight is not None and freight + offer.fixed_minor < best:
                    best = freight + offer.fixed_minor
        return best + site.unit_minor * load.goods + (self._scarcity(site, load) if site.scarcity else 0)

    def keep(self, plan: Sequence[Column]) -> None:
        """Takes the plan over if it is better than the best so far."""
        cost = sum(column.cost for column in plan)
        if plan and cost < self.cost:
            self.plan, self.cost = list(plan), cost

    def floor_of(self, load: Load) -> tuple[float, float]:
        """(what the load costs at least, what it costs at least beyond the floor of any site)."""
        known = self._floor_of.get(load.code)
        if known is None:
            known = self._floor_of[load.code] = self._priced_floor(load)
        return known

    def _priced_floor(self, load: Load) -> tuple[float, float]:
        """With more sites than tariffs every tariff is asked, else the lowest rates have to do."""
        unit, first = self._unit * load.goods, self.floors[first_site(load.sites)]
        if len(self._tariffs) >= load.sites.bit_count():
            beyond = unit + (self._rise * (load.grams - self._flat) if load.grams > self._flat else 0)
            return first + beyond, beyond
        least = beyond = inf
        for tariff, fixed in self._tariffs:
            freight = tariff.price_minor(load.grams, load.cm3, load.needs)
            if freight is not None:
                least = min(least, freight + fixed)
                beyond = min(beyond, freight - tariff.floor_minor)
        return max(unit + least, first + unit + beyond), unit + beyond

    def at_least(self, parcels: int) -> float:
        """No plan of so many parcels or more costs less than this: the lowest floors, and the carriage."""
        whole, unit = self.whole, self._unit * self.whole.goods
        costs = [
            sum(self.lowest[:number]) + self._rise * max(0, whole.grams - number * self._flat)
            for number in range(parcels, len(self.lowest) + 1)
        ]
        return min(costs, default=inf) + unit

    def _scarcity(self, site: Site, load: Load) -> int:
        prices = site.scarcity or ()
        return sum(prices[self.rank[number]] * pieces for number, pieces in self.loads.parts(load.code))

    def _measure(self) -> None:
        """What every site asks at least: floors of the cheapest, and carriage by weight and unit."""
        useful = 0
        for sites in self.having.one:
            useful |= sites
        self.lowest = [self.floors[at] for at in _numbers(useful, self.max_parcels)]
        self._unit = min([site.unit_minor for site in self.sites])
        self._tariffs = tariffs_of(self.sites)
        self._rise = min([tariff.rise for tariff, _ in self._tariffs])
        self._flat = max([tariff.flat_grams for tariff, _ in self._tariffs])

    def _one_parcel(self) -> None:
        """The cheapest site that has everything; of equals the first in the alphabet."""
        whole, first = self.whole, ""
        for at in _numbers(whole.sites):
            if self.floors[at] > self.cost:
                break
            cost, name = self.price(at, whole), self.sites[at].location_id
            if cost < self.cost or (cost == self.cost < inf and name < first):
                self.plan, self.cost, first = [Column(whole.code, at, int(cost))], cost, name

    def _several_parcels(self) -> float:
        """Looks for a better plan of several parcels; returns what no plan of several costs less than."""
        if not self.plan and not is_coverable(self._items, self.sites, self.max_parcels):
            return self.cost
        loads = self.loads.listed(self.having, MANY_LOADS)
        if loads is None:
            self.step = Step.GROWN
            self.keep(Growth(self).grown())
            return plant_bound(self)
        if self._sharing:
            loads = [load for load in map(self._in_stock, loads) if load.sites]
        self.step = Step.TWO_PARCELS
        self._two_parcels(loads)
        if self.work.is_over:
            return 0
        at_least = max(self.at_least(3), self._by_item(loads))
        if at_least >= self.cost:
            return self.cost
        return max(at_least, self._partitions(loads))

    def _by_item(self, loads: Sequence[Load]) -> float:
        """No plan of three parcels or more costs less than this: the dearest item, and two of the cheapest."""
        by_code, two = {load.code: load for load in loads}, sum(self.lowest[:2])
        costs = []
        for item, shift in zip(self.loads.items, self.loads.shifts, strict=True):
            found = self.cheapest(by_code[1 << shift], self.cost - two)
            if found is None:
                return self.cost
            costs += [found.cost] * min(item.pieces, 3)
        costs.sort()
        self.lowest[:2] = [max(pair) for pair in zip(self.lowest, costs[:2], strict=False)]
        return costs[-1] + costs[0] + costs[1] if len(costs) > 2 else inf

    def load(self, code: int) -> Load:
        """The load with this code and the sites that have all of it."""
        load = self.loads.load(code, self.having)
        return self._in_stock(load) if self._sharing else load

    def _in_stock(self, load: Load) -> Load:
        """The load with only those sites whose stock suffices for all of it together."""
        sites = load.sites
        for sku, takers in self._sharing:
            units = [((load.code & mask) >> shift) * each for mask, shift, each in takers if load.code & mask]
            if len(units) > 1:
                sites &= self._with_stock(sku, sum(units))
        return load._replace(sites=sites) if sites != load.sites else load

    def _with_stock(self, sku: str, units: int) -> int:
        known = self._stocked.get((sku, units))
        if known is None:
            enough = bytes([site.stock.get(sku, 0) >= units for site in self.sites])
            known = self._stocked[sku, units] = int.from_bytes(enough, "little")
        return known

    def _two_parcels(self, loads: Sequence[Load]) -> None:
        """The cheapest plan of two parcels, those with the lowest floors first."""
        by_code, whole = {load.code: load for load in loads}, self.loads.whole
        paired = [load for load in loads if whole - load.code in by_code]
        floors = {load.code: self.floor_of(load)[0] for load in paired}
        pairs = [
            (floor + floors[whole - code], code, floors[whole - code])
            for code, floor in floors.items()
            if code <= whole - code
        ]
        for both, code, floor in sorted(pairs):
            if both >= self.cost or self.work.is_over:
                break
            self._pair(by_code[code], by_code[whole - code], floor)

    def _pair(self, load: Load, other: Load, floor: float) -> None:
        """The two loads, each at the cheapest site, one of them at its second where that is the same."""
        first = self.cheapest(load, self.cost - floor)
        second = self.cheapest(other, self.cost - first.cost) if first else None
        if first is None or second is None:
            return
        if first.site != second.site:
            self.keep([first, second])
            return
        again = self.cheapest_of(other, other.sites & ~first.bit, self.cost - first.cost)
        self.keep([first, again] if again else [])
        again = self.cheapest_of(load, load.sites & ~second.bit, self.cost - second.cost)
        self.keep([again, second] if again else [])

    def cheapest(self, load: Load, below: float) -> Column | None:
        """The load at its cheapest site, if that costs less than `below`."""
        found = self._found.get(load.code)
        if found is None:
            if self._dearer.get(load.code, -1) >= below or self.floor_of(load)[0] >= below:
                return None
            found = self.cheapest_of(load, load.sites, below)
            if found is None:
                self._dearer[load.code] = below
                return None
            self._found[load.code] = found
        return found if found.cost < below else None

    def cheapest_of(self, load: Load, sites: int, below: float) -> Column | None:
        """The load at the cheapest of these sites, if that costs less than `below`."""
        found, floors, (_, beyond) = None, self.floors, self.floor_of(load)
        while sites:
            last = sites & -sites
            at = last.bit_length() - 1 >> 3
            if floors[at] + beyond >= below:
                break
            cost = self.price(at, load)
            if cost < below:
                found, below = at, cost
            sites ^= last
        return None if found is None else Column(load.code, found, int(below))

    def _is_cut(self) -> bool:
        return self.work.is_over

    def _partitions(self, loads: Sequence[Load]) -> float:
        """Three parcels or more; returns what no plan of so many costs less than."""
        self.step = Step.PARTITION
        columns = self._columns(loads, 1)
        if self._is_cut():
            return 0
        found = self._partition(columns, distinct=False)
        if len({column.site for column in found.plan}) == len(found.plan):
            self.keep(found.plan)
            return found.bound if self._is_cut() else self.cost
        self.step = Step.MORE_SITES
        columns = self._columns(loads, self.max_parcels)
        if self._is_cut():
            return found.bound
        again = self._partition(columns, distinct=True)
        self.keep(again.plan)
        return max(found.bound, again.bound) if self._is_cut() else self.cost

    def _partition(self, columns: Sequence[Column], *, distinct: bool) -> Partition:
        return Partition(columns, self.loads, self.max_parcels, self.cost, self.work, distinct=distinct)

    def _columns(self, loads: Sequence[Load], sites_each: int) -> list[Column]:
        """Every load at its cheapest sites, where a plan with two parcels more could be better than the best so far."""
        columns, below = [], self.cost - sum(self.lowest[:2])
        for load in loads:
            found, sites = self.cheapest(load, below), load.sites
            for _ in range(sites_each - 1):
                if found is None:
                    break
                columns.append(found)
                sites &= ~found.bit
                found = self.cheapest_of(load, sites, below)
            columns += [found] if found else []
            if self.work.is_over:
                break
        return columns

    def _solution(self, bound: float) -> Solution:
        parcels = sorted((self._parcel(column) for column in self.plan), key=lambda one: one.site.location_id)
        return Solution(
            parcels=tuple(parcels),
            cost_minor=sum(column.cost for column in self.plan),
            bound_minor=ceil(bound - _EPSILON),
            work=self.work.spent,
        )

    def _parcel(self, column: Column) -> Parcel:
        site, load = self.sites[column.site], self.loads.load(column.code, self.having)
        priced = [(offer.price_minor(load.grams, load.cm3, load.needs), at) for at, offer in enumerate(site.offers)]
        _, at = min([(cost, at) for cost, at in priced if cost is not None])
        pieces = [0] * len(self.rank)
        for number, count in self.loads.parts(column.code):
            pieces[self.rank[number]] = count
        return Parcel(site=site, offer=site.offers[at], pieces=tuple(pieces), cost_minor=column.cost)


def _numbers(sites: int, most: int | None = None) -> Iterator[int]:
    """The numbers of these sites, the first `most` only."""
    while sites and most != 0:
        yield first_site(sites)
        sites &= sites - 1
        most = most - 1 if most is not None else None
