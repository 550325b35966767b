"""Routing: which locations ship an order, at what price.

The cheapest location that has everything ships it alone. Where none has, the order is split: a split grows
from one location by the best next one, from each of several first locations, and the cheapest that results
wins. A unit of a kit ships whole from one location. Equal prices are decided by location_id, so the same data
always gives the same plan.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum

from oms.domain.catalog import Location, LocationStatus
from oms.domain.drafts import Draft, Site, demand, fitted, parts, splittable
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
    lines of one sku share its stock, kits that of their components. What is not shipped (pickup, carry-out) costs
    nothing and comes from one location.

    Raises NoRoute when no location may ship some line, or no split within `max_parcels` was found; OutOfStock
    when the locations that may ship have too little together: it names what lies on shelves, so of a kit its
    components, all of them where each is there but never together.
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


def _eligible_sites(
    order: Order, lines: Sequence[Line], candidates: Iterable[Candidate], card: RateCard
) -> tuple[list[Site], dict[str, str]]:
    sites: list[Site] = []
    eliminated: dict[str, str] = {}
    for candidate in sorted(candidates, key=lambda one: one.location.location_id):
        location = candidate.location
        zone = card.zone(location, order.ship_to) if order.method is Method.SHIP else None
        reason = _ineligible(order, lines, location, zone)
        if reason:
            eliminated[location.location_id] = reason
        else:
            sites.append(Site(location=location, available=candidate.available, card=card, zone=zone))
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


def _cheapest_single(lines: Sequence[Line], sites: Sequence[Site]) -> Draft | None:
    wanted = demand(lines)
    grams = sum(line.unit_grams * line.unallocated for line in lines)
    able = [site for site in sites if site.has(wanted) and all(site.may_ship(line) for line in lines)]
    if not able:
        return None
    best = min(able, key=lambda site: (site.price_minor(grams), site.location_id))
    draft = Draft(lines, [best])
    draft.take(best.location_id, draft.open.copy())
    return draft


def _require_stock(lines: Sequence[Line], sites: Sequence[Site]) -> None:
    """Raises OutOfStock when there is too little of some sku in all; whether kits then fit together is not asked."""
    draft = Draft(parts(lines), sites)
    draft.complete_by_moving()
    if not draft.is_complete:
        raise OutOfStock(draft.missing)


def _with_kits(lines: Sequence[Line], sites: Sequence[Site]) -> Draft:
    """Any draft that is complete. Raises OutOfStock when the kits can't be put together anywhere."""
    draft = fitted(lines, sites)
    if draft is not None:
        return draft
    partial = Draft(lines, sites)
    partial.complete_by_moving()
    raise OutOfStock(partial.missing)


def _cheapest_split(lines: Sequence[Line], sites: Sequence[Site], max_parcels: int) -> Draft | None:
    split = splittable(lines, sites)
    starts = sorted(_offers(Draft(lines, sites, split)), key=lambda offer: offer[:2])[:MAX_STARTS]
    drafts = [_grow(Draft(lines, sites, split), location_id, max_parcels) for _, location_id, _ in starts]
    if not any(draft.is_complete for draft in drafts) and any(line.components for line in lines):
        drafts = [_with_kits(lines, sites)]
    good = [draft for draft in drafts if draft.is_complete and len(draft.taken) <= max_parcels]
    return min(good, key=_rank, default=None)


def _rank(draft: Draft) -> tuple[int, int, list[str]]:
    return draft.cost_minor, len(draft.taken), sorted(draft.taken)


def _offers(draft: Draft) -> list[tuple[float, str, dict[str, int]]]:
    """What each location could add: (price per unit, which only ranks; location_id; units by line_id)."""
    offers = ((site.location_id, draft.offer(site)) for site in draft.sites.values())
    return [(draft.price_minor(one, units) / sum(units.values()), one, units) for one, units in offers if units]


def _grow(draft: Draft, first: str, max_parcels: int) -> Draft:
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


def _plan(draft: Draft, card: RateCard, eliminated: Mapping[str, str]) -> RoutingPlan:
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
