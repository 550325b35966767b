"""Backtest: past orders routed again, as a policy would have routed them.

Each decision is made again at its time, on the stock and the capacity it saw, less what the policy has taken of them
that was not really taken, and more what really was and the policy left. All policies begin with the same truth and go
their own ways from there. Locations and rate cards are today's, a card as its dates say. Orders that were routed
together, because they shared stock, are made again one after the other.
"""

from __future__ import annotations

import heapq
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import NamedTuple

from oms.domain.calendars import time_zone
from oms.domain.capacity import LocationDay
from oms.domain.catalog import Location
from oms.domain.errors import NoRoute, OutOfStock
from oms.domain.network import Network
from oms.domain.order import Order
from oms.domain.promise import late_days
from oms.domain.rates import RateCard
from oms.domain.routing import RoutingPlan, route
from oms.domain.routing_items import Stock
from oms.domain.routing_policy import RoutingPolicy
from oms.domain.routing_terms import ParcelTerms, parcels_of
from oms.domain.wave_routing import Routed, taken
from oms.domain.zones import ZoneTable

Position = tuple[str, str]
"""sku and location_id."""

PAID = ("freight_minor", "handling_minor", "units_minor")
"""The terms that are money. The others are weights of a policy: they steer, and nobody pays them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PastDecision:
    """A decision to be made again.

    `order` is as it was then: `unallocated` is what was routed, `release_after` when it could be released. `stock`
    are the units that could have been promised, `planned` the parcels of days as they were known; `taken` and
    `places` are what the order really got, all of which came back at `given_back_at`, if ever.
    """

    order: Order
    decided_at: datetime
    stock: Stock
    planned: Mapping[LocationDay, int] = field(default_factory=dict)
    taken: Mapping[Position, int] = field(default_factory=dict)
    places: Mapping[LocationDay, int] = field(default_factory=dict)
    given_back_at: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Company:
    """What all policies route with: locations, every version of the rate cards, zone tables."""

    locations: tuple[Location, ...]
    cards: tuple[RateCard, ...]
    zone_tables: Mapping[str, ZoneTable] = field(default_factory=dict)

    def network(self, policy: RoutingPolicy, at: datetime, planned: Mapping[LocationDay, int]) -> Network:
        """The network under a policy as of a moment."""
        return Network(self.locations, self.cards, policy, at, zone_tables=self.zone_tables, planned=planned)


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What a policy makes of an order: its parcels, by when they arrive; no parcels where it finds no route, for
    the reason `why_not`. `full` are the days it used that had no place left then, `over` those with too many."""

    order_id: str
    promised_by: datetime | None
    currency: str
    parcels: tuple[ParcelTerms, ...] = ()
    deliver_by: datetime | None = None
    why_not: str = ""
    full: tuple[LocationDay, ...] = ()
    over: tuple[LocationDay, ...] = ()

    @property
    def is_routed(self) -> bool:
        """Whether it found a route."""
        return bool(self.parcels)

    @property
    def paid_minor(self) -> int:
        """What the parcels cost in money, the policy's weights left out."""
        return sum(getattr(one, term) for one in self.parcels for term in PAID)

    @property
    def places(self) -> tuple[str, ...]:
        """Where it ships from, as people read it: location and carrier service of each parcel."""
        return tuple(sorted(f"{one.location_id} {one.carrier} {one.service}".rstrip() for one in self.parcels))

    def is_late(self, promised_by: datetime | None) -> bool:
        """Whether something arrives after that day."""
        return bool(promised_by and self.deliver_by and late_days(self.deliver_by, promised_by))


class Taken(NamedTuple):
    """Units and places taken, more than really were (less: negative), and the `own` places taken in all."""

    units: Counter[Position]
    places: Counter[LocationDay]
    own: Counter[LocationDay]


def replay(past: Iterable[PastDecision], policy: RoutingPolicy, company: Company) -> Iterator[Outcome]:
    """What the policy makes of each decision; they must come in the order in which they were made."""
    replaying = _Replaying(policy, company)
    for one in past:
        yield replaying.decide(one)


class _Replaying:
    """The world as it would be, had the policy routed all orders so far: the real one, and what is different."""

    def __init__(self, policy: RoutingPolicy, company: Company) -> None:
        self._policy = policy
        self._company = company
        self._limits = {one.location_id: one.daily_capacity for one in company.locations}
        self._units: dict[str, Counter[str]] = {}
        self._places: Counter[LocationDay] = Counter()
        self._planned: dict[LocationDay, int] = {}
        self._network: Network | None = None
        self._to_come_back: list[tuple[datetime, int, Taken]] = []
        self._made = 0

    def decide(self, past: PastDecision) -> Outcome:
        """The policy's decision, which the world has followed afterwards."""
        while self._to_come_back and self._to_come_back[0][0] <= past.decided_at:
            self._add(heapq.heappop(self._to_come_back)[2], -1)  # what it really got too, so the difference goes
        network = self._network_at(past.decided_at)
        self._see_planned(network, past.planned)
        order, plan, why_not = past.order, RoutingPlan(), ""
        try:
            plan = route(order, network, self._stock(past.stock))
        except NoRoute:
            why_not = "NO_ROUTE"
        except OutOfStock:
            why_not = "OUT_OF_STOCK"
        self._book(past, plan)
        used = Counter((one.location_id, one.capacity_day) for one in plan.assignments if one.capacity_day)
        return Outcome(
            order_id=order.order_id,
            promised_by=order.promised_by,
            currency=network.currency,
            parcels=_parcels(plan),
            deliver_by=plan.deliver_by,
            why_not=why_not,
            full=tuple(day for day in used if self._places_left(day) == 0),
            over=tuple(day for day in used if self._places_left(day) < 0),
        )

    def _network_at(self, at: datetime) -> Network:
        """One network for all decisions of a company's day: on another day other rate cards may hold."""
        start = at.astimezone(time_zone(self._policy.time_zone)).replace(hour=0, minute=0, second=0, microsecond=0)
        if self._network is None or self._network.now != start:
            self._network = self._company.network(self._policy, start, self._planned)
        return self._network

    def _see_planned(self, network: Network, planned: Mapping[LocationDay, int]) -> None:
        """Takes over what the days really held then, with what is different here."""
        here = {day: max(0, parcels + self._places[day]) for day, parcels in planned.items()}
        changed = {day: parcels for day, parcels in here.items() if network.parcels_planned(*day) != parcels}
        if changed:
            self._planned |= changed
            network.see_planned(changed)

    def _stock(self, seen: Stock) -> Stock:
        """The stock that was seen, with what is different here."""
        return {sku: _less(shelf, self._units[sku]) if sku in self._units else shelf for sku, shelf in seen.items()}

    def _book(self, past: PastDecision, plan: RoutingPlan) -> None:
        units = Counter(taken(Routed(past.order, plan)))
        units.subtract(past.taken)
        own = Counter((one.location_id, one.capacity_day) for one in plan.assignments if one.capacity_day)
        places = own.copy()
        places.subtract(past.places)
        more = Taken(units, places, own)
        self._add(more, 1)
        if past.given_back_at is not None:
            self._made += 1
            heapq.heappush(self._to_come_back, (past.given_back_at, self._made, more))

    def _add(self, more: Taken, times: int) -> None:
        for (sku, location_id), units in more.units.items():
            if units:
                self._units.setdefault(sku, Counter())[location_id] += times * units
        for day, parcels in more.places.items():
            self._places[day] += times * parcels
        for day, parcels in more.own.items():
            self._plan_parcels(day, times * parcels)

    def _plan_parcels(self, day: LocationDay, parcels: int) -> None:
        self._planned[day] = max(0, self._planned.get(day, 0) + parcels)
        if self._network is not None:
            self._network.see_planned({day: self._planned[day]})

    def _places_left(self, day: LocationDay) -> int:
        limit = self._limits.get(day[0])
        return 1 if limit is None else limit - self._planned.get(day, 0)


def _less(shelf: Mapping[str, int], more: Counter[str]) -> dict[str, int]:
    """The shelf without what was taken in excess."""
    return {one: max(0, shelf.get(one, 0) - more[one]) for one in shelf.keys() | more.keys()}


def _parcels(plan: RoutingPlan) -> tuple[ParcelTerms, ...]:
    if plan.problem is None or plan.solution is None:
        return ()
    return parcels_of(plan.problem.instance.items, plan.solution.parcels)
