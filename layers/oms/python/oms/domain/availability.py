"""Availability: how much of a sku may be sold now, on a channel or on any, and why.

It is stock on the shelf that no order has and no rule holds back, less what waiting orders will take of it. It
promises nothing: only an order or a reservation takes units, under a condition of its own. `FORMULA` is how it is
counted; nothing else in the system counts it, and every answer carries its terms.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from enum import StrEnum

from oms.domain.availability_rules import AvailabilityRule, AvailabilityRules
from oms.domain.catalog import Location, LocationStatus, Product
from oms.domain.kits import components_of
from oms.domain.order import Method, ShipTo
from oms.domain.rates import RateCard
from oms.domain.stock import StockPosition
from oms.domain.zones import ZoneTable

FORMULA: Mapping[str, str] = {
    "available_to_sell": "raw, never below 0 and never above the network rule's max_published; 0 where it excludes",
    "raw": "sellable of all locations - oversold - backordered - unallocated - safety_stock - buffer",
    "sellable": "available - safety_stock - buffer, never below 0 and never above max_published; 0 where excluded",
    "buffer": "buffer_units + buffer_percent of available (network: of what is left of the sum), rounded up",
    "oversold": "units that locations have promised and do not have: their orders look for stock elsewhere",
    "backordered": "units that orders wait for, known to be short",
    "unallocated": "units of orders that have no location yet",
    "kit": "at each location as many as the sellable units of all its components make; their sum, but no more than"
    " components_make out of the raw of each component, takes the place of stock and demand in raw",
    "preorder": "raw + what is expected up to a day, where sale before arrival is allowed; never below 0",
}
"""The published formula, term by term. The rules it speaks of are those of `availability_rules`.

Excluded is a location that is not ACTIVE, does not ship, does not ship to where is asked about, or that a rule
excludes. A kit ships whole from one location (see `routing`), so its components are counted location by location;
what waits for the components is taken off their sum. A kit is never sold before its components have arrived.
"""


class Excluded(StrEnum):
    """Why nothing of a location's stock may be sold."""

    NOT_ACTIVE = "NOT_ACTIVE"
    METHOD_UNSUPPORTED = "METHOD_UNSUPPORTED"
    COUNTRY_NOT_SERVED = "COUNTRY_NOT_SERVED"
    NO_RATE = "NO_RATE"
    RULE = "RULE"
    UNKNOWN_LOCATION = "UNKNOWN_LOCATION"


@dataclass(frozen=True, slots=True, kw_only=True)
class Market:
    """What is asked: on which channel (None: whichever), for which destination (None: wherever), by which rules.

    `cards` are the rate cards in effect, `zone_tables` those that they name.
    """

    at: datetime
    channel: str | None = None
    ship_to: ShipTo | None = None
    rules: AvailabilityRules = field(default_factory=AvailabilityRules)
    locations: Mapping[str, Location] = field(default_factory=dict)
    cards: tuple[RateCard, ...] = ()
    zone_tables: Mapping[str, ZoneTable] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Demand:
    """Units of a sku that orders want and no location holds: known to be short, and not looked for yet."""

    backordered: int = 0
    unallocated: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class LocationFigures:
    """What of the stock of a location may be sold. `rule` names the rule that fitted.

    Of a kit, `on_hand` and `available` are the kits that the components here make, all and sellable.
    """

    location_id: str
    on_hand: int = 0
    available: int = 0
    safety_stock: int = 0
    buffer: int = 0
    sellable: int = 0
    rule: str | None = None
    excluded: Excluded | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class NetworkFigures:
    """The sum over all locations and what goes off it. `components_make` (kits only) bounds the sum."""

    sellable: int = 0
    components_make: int | None = None
    oversold: int = 0
    backordered: int = 0
    unallocated: int = 0
    safety_stock: int = 0
    buffer: int = 0
    raw: int = 0
    rule: str | None = None
    excluded: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class PreorderSupply:
    """Units on their way, and how many could be sold counting on all that are expected up to then."""

    expected_at: datetime
    location_id: str
    reference: str
    quantity: int
    available_to_sell: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Availability:
    """What may be sold of one sku, term by term; a kit names its components (sku → units in one kit)."""

    sku: str
    available_to_sell: int = 0
    network: NetworkFigures = field(default_factory=NetworkFigures)
    locations: tuple[LocationFigures, ...] = ()
    preorder: tuple[PreorderSupply, ...] = ()
    components: Mapping[str, int] = field(default_factory=dict)

    @property
    def unpromised(self) -> int:
        """Units that nobody waits for: what kits may draw on, however few of the sku itself are shown."""
        return max(0, self.network.raw)

    def at(self, location_id: str) -> LocationFigures:
        """The figures of a location; zeros where nothing was ever booked."""
        figures = (one for one in self.locations if one.location_id == location_id)
        return next(figures, LocationFigures(location_id=location_id))


def of_product(product: Product, positions: Iterable[StockPosition], demand: Demand, market: Market) -> Availability:
    """What may be sold of a stocked sku."""
    positions = sorted(positions, key=lambda one: one.location_id)
    locations = tuple(_at_location(product, one, market) for one in positions)
    sellable = sum(one.sellable for one in locations)
    oversold = sum(max(0, -one.available) for one in positions)
    rule = market.rules.of_network(product, market.channel, market.at)
    left = sellable - oversold - demand.backordered - demand.unallocated
    network = replace(
        _less_held_back(left, rule),
        sellable=sellable,
        oversold=oversold,
        backordered=demand.backordered,
        unallocated=demand.unallocated,
    )
    return Availability(
        sku=product.sku,
        available_to_sell=rule.published(network.raw),
        network=network,
        locations=locations,
        preorder=_preorder(product, positions, network.raw, market),
    )


def of_kit(product: Product, parts: Mapping[str, Availability], market: Market) -> Availability:
    """What may be sold of a kit, from the figures of its components: none where one has no figures, or where the
    kit can't be taken apart."""
    components = components_of(product)
    figures = [(parts.get(one.sku, Availability(sku=one.sku)), one.quantity) for one in components]
    if not figures:
        return Availability(sku=product.sku)
    shared = set.intersection(*({one.location_id for one in part.locations} for part, _ in figures))
    locations = tuple(_kits_at(product, location_id, figures, market) for location_id in sorted(shared))
    sellable = sum(one.sellable for one in locations)
    components_make = min(part.unpromised // units for part, units in figures)
    rule = market.rules.of_network(product, market.channel, market.at)
    network = replace(
        _less_held_back(min(sellable, components_make), rule), sellable=sellable, components_make=components_make
    )
    return Availability(
        sku=product.sku,
        available_to_sell=rule.published(network.raw),
        network=network,
        locations=locations,
        components={one.sku: one.quantity for one in components},
    )


def _at_location(product: Product, position: StockPosition, market: Market) -> LocationFigures:
    counted = LocationFigures(location_id=position.location_id, on_hand=position.on_hand, available=position.available)
    return _ruled(product, counted, market)


def _kits_at(
    product: Product, location_id: str, figures: Sequence[tuple[Availability, int]], market: Market
) -> LocationFigures:
    here = [(part.at(location_id), units) for part, units in figures]
    counted = LocationFigures(
        location_id=location_id,
        on_hand=min(one.on_hand // units for one, units in here),
        available=min(one.sellable // units for one, units in here),
    )
    return _ruled(product, counted, market)


def _ruled(product: Product, counted: LocationFigures, market: Market) -> LocationFigures:
    """The location's figures after the rule that fits there."""
    rule = market.rules.at_location(product, counted.location_id, market.channel, market.at)
    excluded = _excluded(counted.location_id, rule, market)
    buffer = rule.buffer(counted.available)
    sellable = 0 if excluded else rule.published(counted.available - rule.safety_stock - buffer)
    return replace(
        counted,
        safety_stock=rule.safety_stock,
        buffer=buffer,
        sellable=sellable,
        rule=rule.name or None,
        excluded=excluded,
    )


def _less_held_back(left: int, rule: AvailabilityRule) -> NetworkFigures:
    """What is left of the sum after the rule of scope NETWORK."""
    buffer = rule.buffer(left)
    return NetworkFigures(
        safety_stock=rule.safety_stock,
        buffer=buffer,
        raw=left - rule.safety_stock - buffer,
        rule=rule.name or None,
        excluded=rule.excluded,
    )


def _excluded(location_id: str, rule: AvailabilityRule, market: Market) -> Excluded | None:
    """Why nothing may be sold from here, or None. As routing decides: what it would refuse is not offered."""
    location = market.locations.get(location_id)
    if location is None:
        return Excluded.UNKNOWN_LOCATION
    if location.status is not LocationStatus.ACTIVE:
        return Excluded.NOT_ACTIVE
    if Method.SHIP not in location.methods:
        return Excluded.METHOD_UNSUPPORTED
    unserved = _unserved(location, market)
    if unserved:
        return unserved
    return Excluded.RULE if rule.excluded else None


def _unserved(location: Location, market: Market) -> Excluded | None:
    ship_to = market.ship_to
    if ship_to is None or not ship_to.country:
        return None
    if location.ships_to and ship_to.country not in location.ships_to:
        return Excluded.COUNTRY_NOT_SERVED
    can_be_told = ship_to.region or ship_to.country != location.country
    if can_be_told and not any(_serves(card, location, ship_to, market) for card in market.cards):
        return Excluded.NO_RATE
    return None


def _serves(card: RateCard, location: Location, ship_to: ShipTo, market: Market) -> bool:
    """Whether the location may use the card and it has a zone for the destination."""
    if location.carriers and card.carrier not in location.carriers:
        return False
    return card.zone(location, ship_to, market.zone_tables.get(card.zone_table)) is not None


def _preorder(
    product: Product, positions: Sequence[StockPosition], raw: int, market: Market
) -> tuple[PreorderSupply, ...]:
    """What is on its way, by day, to where it may be sold before it has arrived."""
    network_rule = market.rules.of_network(product, market.channel, market.at)
    expected = [
        (one.expected_at, position.location_id, one)
        for position in positions
        if _allows_preorder(product, position.location_id, network_rule, market)
        for one in position.incoming
        if one.quantity > 0
    ]
    supplies = []
    for expected_at, location_id, one in sorted(expected, key=lambda each: (each[0], each[1], each[2].reference)):
        raw += one.quantity
        supplies.append(
            PreorderSupply(
                expected_at=expected_at,
                location_id=location_id,
                reference=one.reference,
                quantity=one.quantity,
                available_to_sell=network_rule.published(raw),
            )
        )
    return tuple(supplies)


def _allows_preorder(product: Product, location_id: str, network_rule: AvailabilityRule, market: Market) -> bool:
    """The first that says so or not: the location's rule, the network's, the product."""
    rule = market.rules.at_location(product, location_id, market.channel, market.at)
    if _excluded(location_id, rule, market):
        return False
    said = (one.preorder for one in (rule, network_rule) if one.preorder is not None)
    return next(said, product.preorder)
