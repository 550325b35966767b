"""Routing: which locations ship an order, at what price.

The cheapest location that has everything ships it alone. Where none has, the order is split: a split grows
from one location by the best next one, from each of several first locations, and the cheapest that results
wins. Equal prices are decided by location_id, so the same data always gives the same plan.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum

from oms.domain.catalog import Location, LocationStatus
from oms.domain.errors import NoRoute, OutOfStock
from oms.domain.order import Line, Method, Order
from oms.domain.rates import RateCard

# A split is grown from at most this many first locations, those with the lowest price per unit.
MAX_STARTS = 16


class Ineligible(StrEnum):
    """Why a location ships nothing of an order."""

    NOT_ACTIVE = "NOT_ACTIVE"
    METHOD_UNSUPPORTED = "METHOD_UNSUPPORTED"
    COUNTRY_NOT_SERVED = "COUNTRY_NOT_SERVED"
    NO_RATE = "NO_RATE"
    EXCLUDED = "EXCLUDED"
    TOO_MANY_PARCELS = "TOO_MANY_PARCELS"


@dataclass(frozen=True, slots=True, kw_only=True)
class Candidate:
    """A location with the units it could promise now, by sku; a sku it does not name has none."""

    location: Location
    available: Mapping[str, int]


@dataclass(frozen=True, slots=True, kw_only=True)
class Assignment:
    """One parcel from one location: `lines` are (line_id, quantity). Cost in the rate card's currency."""

    location_id: str
    carrier: str
    service: str
    cost_minor: int
    lines: tuple[tuple[str, int], ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class RoutingPlan:
    """Who ships what, at the sum of the prices; `eliminated` maps location_id to reason code."""

    assignments: tuple[Assignment, ...] = ()
    cost_minor: int = 0
    eliminated: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class RoutingPolicy:
    """By which prices to choose, and into how many parcels an order may be split at most."""

    rate_card: RateCard
    max_parcels: int = 4


def route(order: Order, candidates: Sequence[Candidate], policy: RoutingPolicy) -> RoutingPlan:
    """Choose locations for the unallocated units of the lines that need shipping.

    Nothing to ship gives an empty plan. A line is split across locations only when no location has it whole;
    lines of one sku share its stock. What is not shipped (pickup, carry-out) costs nothing and comes from one
    location.

    Raises NoRoute when no location may ship some line, or no split within `max_parcels` was found; OutOfStock
    when the locations that may ship have too little together.
    """
    lines = tuple(line for line in order.lines if line.requires_shipping and line.unallocated > 0)
    if not lines:
        return RoutingPlan()
    sites, eliminated = _eligible_sites(order, lines, candidates, policy.rate_card)
    if not all(any(site.may_ship(line) for site in sites) for line in lines):
        raise NoRoute(eliminated | {site.location_id: Ineligible.EXCLUDED for site in sites})
    draft = _cheapest_single(lines, sites)
    if draft is None:
        _require_stock(lines, sites)
        draft = _cheapest_split(lines, sites, policy.max_parcels if order.method is Method.SHIP else 1)
    if draft is None:
        raise NoRoute(eliminated | {site.location_id: Ineligible.TOO_MANY_PARCELS for site in sites})
    return _plan(draft, policy.rate_card, eliminated)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Site:
    """An eligible location; `zone` is None where nothing travels and nothing is paid."""

    location: Location
    available: Mapping[str, int]
    card: RateCard
    zone: int | None

    @property
    def location_id(self) -> str:
        return self.location.location_id

    def may_ship(self, line: Line) -> bool:
        return self.location_id not in line.excluded_locations

    def has_whole(self, line: Line) -> bool:
        return self.may_ship(line) and self.available.get(line.sku, 0) >= line.unallocated

    def price_minor(self, grams: int) -> int:
        return 0 if self.zone is None else self.card.zone_price_minor(self.zone, grams)


class _Draft:
    """A plan being made: what each location took (location_id → line_id → units), what is still open."""

    def __init__(self, lines: Sequence[Line], sites: Sequence[_Site]) -> None:
        self.lines = {line.line_id: line for line in lines}
        self.sites = {site.location_id: site for site in sites}
        self.open = {line.line_id: line.unallocated for line in lines}
        self.taken: dict[str, Counter[str]] = {}
        self._used: Counter[tuple[str, str]] = Counter()
        self._divisible = {line.line_id for line in lines if not any(site.has_whole(line) for site in sites)}

    @property
    def is_complete(self) -> bool:
        return not any(self.open.values())

    @property
    def cost_minor(self) -> int:
        return sum(self.price_minor(location_id, units) for location_id, units in self.taken.items())

    def price_minor(self, location_id: str, units: Mapping[str, int]) -> int:
        grams = sum(self.lines[line_id].unit_grams * quantity for line_id, quantity in units.items())
        return self.sites[location_id].price_minor(grams)

    def offer(self, site: _Site) -> dict[str, int]:
        """What the location can add: whole lines first, then parts of lines that no location has whole."""
        open_lines = [line for line in self.lines.values() if self.open[line.line_id] and site.may_ship(line)]
        left = {line.sku: self._left(site, line.sku) for line in open_lines}
        offered: dict[str, int] = {}
        for line in sorted(open_lines, key=lambda line: line.line_id in self._divisible):
            wanted = self.open[line.line_id]
            units = min(wanted, left[line.sku])
            if units and (units == wanted or line.line_id in self._divisible):
                offered[line.line_id] = units
                left[line.sku] -= units
        return offered

    def take(self, location_id: str, units: Mapping[str, int]) -> None:
        for line_id, quantity in units.items():
            self._move(location_id, line_id, quantity)
            self.open[line_id] -= quantity

    def complete_by_moving(self) -> None:
        """Place what is still open by moving units of the same sku aside, as far as there is stock at all.

        Needed only where several lines of one sku compete, perhaps with different excluded locations. This is
        the augmenting path method (Ford and Fulkerson), so what stays open afterwards is really short.
        """
        for line in self.lines.values():
            while self.open[line.line_id]:
                placed = self._place(line, self.open[line.line_id], {line.line_id})
                if not placed:
                    break
                self.open[line.line_id] -= placed

    def _place(self, line: Line, units: int, seen: set[str]) -> int:
        """Find room for up to `units` of the line, locations in use first; returns the units placed."""
        allowed = [site for site in self.sites.values() if site.may_ship(line)]
        allowed.sort(key=lambda site: (not self._left(site, line.sku), site.location_id not in self.taken))
        for site in allowed:
            placed = min(units, self._left(site, line.sku)) or self._displace(site, line, units, seen)
            if placed:
                self._move(site.location_id, line.line_id, placed)
                return placed
        return 0

    def _displace(self, site: _Site, line: Line, units: int, seen: set[str]) -> int:
        """Move another line of the sku from this location to elsewhere; returns the units freed here."""
        here = self.taken.get(site.location_id, Counter())
        rivals = [self.lines[one] for one, n in here.items() if n and one not in seen]
        for rival in [one for one in rivals if one.sku == line.sku]:
            seen.add(rival.line_id)
            freed = self._place(rival, min(units, here[rival.line_id]), seen)
            if freed:
                self._move(site.location_id, rival.line_id, -freed)
                return freed
        return 0

    def _left(self, site: _Site, sku: str) -> int:
        return max(0, site.available.get(sku, 0) - self._used[site.location_id, sku])

    def _move(self, location_id: str, line_id: str, quantity: int) -> None:
        self._used[location_id, self.lines[line_id].sku] += quantity
        here = self.taken.setdefault(location_id, Counter())
        here[line_id] += quantity
        if not here[line_id]:
            del here[line_id]
        if not here:
            del self.taken[location_id]


def _eligible_sites(
    order: Order, lines: Sequence[Line], candidates: Iterable[Candidate], card: RateCard
) -> tuple[list[_Site], dict[str, str]]:
    sites: list[_Site] = []
    eliminated: dict[str, str] = {}
    for candidate in sorted(candidates, key=lambda one: one.location.location_id):
        location = candidate.location
        zone = card.zone(location, order.ship_to) if order.method is Method.SHIP else None
        reason = _ineligible(order, lines, location, zone)
        if reason:
            eliminated[location.location_id] = reason
        else:
            sites.append(_Site(location=location, available=candidate.available, card=card, zone=zone))
    return sites, eliminated


def _ineligible(order: Order, lines: Sequence[Line], location: Location, zone: int | None) -> Ineligible | None:
    """Why the location may ship nothing of the order, or None. No country named in `ships_to`: any."""
    ships = order.method is Method.SHIP
    if location.status is not LocationStatus.ACTIVE:
        return Ineligible.NOT_ACTIVE
    if order.method not in location.methods:
        return Ineligible.METHOD_UNSUPPORTED
    if ships and location.ships_to and order.ship_to.country not in location.ships_to:
        return Ineligible.COUNTRY_NOT_SERVED
    if ships and zone is None:
        return Ineligible.NO_RATE
    if all(location.location_id in line.excluded_locations for line in lines):
        return Ineligible.EXCLUDED
    return None


def _cheapest_single(lines: Sequence[Line], sites: Sequence[_Site]) -> _Draft | None:
    wanted: Counter[str] = Counter()
    for line in lines:
        wanted[line.sku] += line.unallocated
    grams = sum(line.unit_grams * line.unallocated for line in lines)
    able = [
        site
        for site in sites
        if all(site.available.get(sku, 0) >= units for sku, units in wanted.items())
        and all(site.may_ship(line) for line in lines)
    ]
    if not able:
        return None
    best = min(able, key=lambda site: (site.price_minor(grams), site.location_id))
    draft = _Draft(lines, [best])
    draft.take(best.location_id, draft.open.copy())
    return draft


def _require_stock(lines: Sequence[Line], sites: Sequence[_Site]) -> None:
    draft = _Draft(lines, sites)
    draft.complete_by_moving()
    shortages: Counter[str] = Counter()
    for line in lines:
        shortages[line.sku] += draft.open[line.line_id]
    if not draft.is_complete:
        raise OutOfStock({sku: units for sku, units in shortages.items() if units})


def _cheapest_split(lines: Sequence[Line], sites: Sequence[_Site], max_parcels: int) -> _Draft | None:
    starts = sorted(_offers(_Draft(lines, sites)), key=lambda offer: offer[:2])[:MAX_STARTS]
    drafts = [_grow(_Draft(lines, sites), location_id, max_parcels) for _, location_id, _ in starts]
    good = [draft for draft in drafts if draft.is_complete and len(draft.taken) <= max_parcels]
    return min(good, key=_rank, default=None)


def _rank(draft: _Draft) -> tuple[int, int, list[str]]:
    return draft.cost_minor, len(draft.taken), sorted(draft.taken)


def _offers(draft: _Draft) -> list[tuple[float, str, dict[str, int]]]:
    """What each location could add: (price per unit, which only ranks; location_id; units by line_id)."""
    offers = ((site.location_id, draft.offer(site)) for site in draft.sites.values())
    return [(draft.price_minor(one, units) / sum(units.values()), one, units) for one, units in offers if units]


def _grow(draft: _Draft, first: str, max_parcels: int) -> _Draft:
    """Add location after location: the cheapest that ends it if one can, else the cheapest per unit."""
    draft.take(first, draft.offer(draft.sites[first]))
    for _ in range(max_parcels - 1):
        offers = _offers(draft)
        if not offers:
            break
        missing = sum(draft.open.values())
        ending = [offer for offer in offers if sum(offer[2].values()) == missing]
        _, location_id, units = min(ending or offers, key=lambda offer: offer[:2])
        draft.take(location_id, units)
    if not draft.is_complete and not _offers(draft):
        draft.complete_by_moving()
    return draft


def _plan(draft: _Draft, card: RateCard, eliminated: Mapping[str, str]) -> RoutingPlan:
    assignments = []
    for location_id, units in sorted(draft.taken.items()):
        location = draft.sites[location_id].location
        assignments.append(
            Assignment(
                location_id=location_id,
                carrier=location.carrier or card.carrier,
                service=location.service or card.service,
                cost_minor=draft.price_minor(location_id, units),
                lines=tuple((line_id, units[line_id]) for line_id in draft.lines if units.get(line_id)),
            )
        )
    return RoutingPlan(assignments=tuple(assignments), cost_minor=draft.cost_minor, eliminated=eliminated)
