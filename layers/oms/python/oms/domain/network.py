"""The network: what each location may offer to a destination at a moment, and why others may not.

Locations, rate cards and the policy stay the same for a batch of orders; what follows from them for a location, a
zone or a destination is worked out once and kept.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum

from oms.domain.calendars import PromiseWarning, time_zone
from oms.domain.catalog import Location, LocationStatus
from oms.domain.order import Method, Order, ShipTo
from oms.domain.promise import Departure, arrival, collection, departure
from oms.domain.rates import PAR, CarrierService, RateCard, Tariff, compile_tariff, in_effect
from oms.domain.routing_model import Offer
from oms.domain.routing_policy import RoutingPolicy, Segment
from oms.domain.zones import ZoneTable

STEP = timedelta(minutes=5)
"""Moments are rounded up to this, so that orders of one batch share what is worked out for them."""

MAX_KEPT_DESTINATIONS = 2_000

ZONE_TABLE_MISSING = "ZONE_TABLE_MISSING"

Warnings = tuple[str, ...]
Lane = tuple[datetime, str, int, str, ShipTo | None]
"""Moment, card, zone, service level and, where prices depend on it, the destination."""


class Ineligible(StrEnum):
    """Why a location ships nothing of an order."""

    NOT_ACTIVE = "NOT_ACTIVE"
    METHOD_UNSUPPORTED = "METHOD_UNSUPPORTED"
    COUNTRY_NOT_SERVED = "COUNTRY_NOT_SERVED"
    OTHER_PICKUP_LOCATION = "OTHER_PICKUP_LOCATION"
    SEGMENT = "SEGMENT"
    NO_RATE = "NO_RATE"
    NO_SERVICE = "NO_SERVICE"
    NO_EXCHANGE_RATE = "NO_EXCHANGE_RATE"
    NO_CAPACITY = "NO_CAPACITY"
    EXCLUDED = "EXCLUDED"
    CANNOT_HANDLE = "CANNOT_HANDLE"
    TOO_LATE = "TOO_LATE"
    NO_STOCK = "NO_STOCK"
    NOT_TOGETHER = "NOT_TOGETHER"
    TOO_MANY_PARCELS = "TOO_MANY_PARCELS"


@dataclass(frozen=True, slots=True)
class Destination:
    """What of an order decides which offers there are for it."""

    ship_to: ShipTo
    method: Method = Method.SHIP
    service_level: str = "STANDARD"
    channel: str = ""
    pickup_location_id: str | None = None
    any_segment: bool = False

    @classmethod
    def of(cls, order: Order, any_segment: bool = False) -> Destination:
        """The order's."""
        return cls(
            ship_to=order.ship_to,
            method=order.method,
            service_level=order.service_level,
            channel=order.channel,
            pickup_location_id=order.pickup_location_id,
            any_segment=any_segment,
        )


@dataclass(frozen=True, slots=True)
class Reach:
    """The offers of each location to a destination, why the others have none, and what had to be assumed."""

    offers: dict[str, tuple[Offer, ...]] = field(default_factory=dict)
    eliminated: dict[str, str] = field(default_factory=dict)
    warnings: dict[str, tuple[str, ...]] = field(default_factory=dict)


class Network:
    """Locations, rate cards and policy as they were read at `now`.

    `planned` are the parcels of each (location_id, day) so far; the plans of a batch add theirs by `plan_parcels`.
    """

    def __init__(
        self,
        locations: Iterable[Location],
        cards: Iterable[RateCard],
        policy: RoutingPolicy,
        now: datetime,
        *,
        zone_tables: Mapping[str, ZoneTable] | None = None,
        planned: Mapping[tuple[str, str], int] | None = None,
    ) -> None:
        self.locations = {one.location_id: one for one in sorted(locations, key=lambda one: one.location_id)}
        self.unit_minor = {one: location.handling_per_unit_minor for one, location in self.locations.items()}
        self._zone = time_zone(policy.time_zone)
        self.cards = in_effect(cards, now.astimezone(self._zone).date())
        self.policy = policy
        self.now = now
        self.currency = policy.currency or (self.cards[0].currency if self.cards else "")
        self._zone_tables = zone_tables or {}
        self._planned: dict[str, dict[str, int]] = {}
        for (location_id, day), parcels in (planned or {}).items():
            self._planned.setdefault(location_id, {})[day] = parcels
        self._reaches: dict[tuple[Destination, datetime], Reach] = {}
        self._departures: dict[str, dict[datetime, Departure]] = {}
        self._lanes: dict[str, dict[Lane, tuple[tuple[Offer, ...], Warnings]]] = {}
        self._tariffs: dict[tuple[str, str, int, ShipTo | None], Tariff] = {}
        self._by_place = {card.name: _prices_by_place(card) for card in self.cards}

    def reach(self, destination: Destination, earliest: datetime | None) -> Reach:
        """What each location may offer to an order that may be released at `earliest` (None: at once)."""
        moment = self.moment(earliest)
        known = self._reaches.get((destination, moment))
        if known is None:
            if len(self._reaches) >= MAX_KEPT_DESTINATIONS:
                self._reaches.clear()
            known = self._reaches[destination, moment] = self._reach(destination, moment)
        return known

    def moment(self, earliest: datetime | None) -> datetime:
        """The moment that stands for this one (None: now): not before `now`, and rounded up."""
        return _rounded_up(max(earliest or self.now, self.now))

    def parcels_planned(self, location_id: str, day: str) -> int:
        """Parcels planned there that day so far."""
        return self._planned.get(location_id, {}).get(day, 0)

    def plan_parcels(self, location_id: str, day: str | None, parcels: int = 1) -> None:
        """More parcels are planned there that day, or less; offers change where days are counted."""
        if day is not None:
            days = self._planned.setdefault(location_id, {})
            days[day] = days.get(day, 0) + parcels
            self._forget(location_id)

    def see_planned(self, planned: Mapping[tuple[str, str], int]) -> None:
        """Takes over the parcels planned as they were read again."""
        for (location_id, day), parcels in planned.items():
            self._planned.setdefault(location_id, {})[day] = parcels
            self._forget(location_id)

    def _forget(self, location_id: str) -> None:
        """What was worked out with another load of the location's days."""
        self._departures.pop(location_id, None)
        self._lanes.pop(location_id, None)
        self._reaches.clear()

    def places_left(self) -> dict[tuple[str, str], int]:
        """Parcels that each counted day still holds, where some are planned already."""
        return {
            (one, day): max(0, limit - parcels)
            for one, days in self._planned.items()
            if one in self.locations and (limit := self.locations[one].daily_capacity) is not None
            for day, parcels in days.items()
        }

    def _reach(self, destination: Destination, moment: datetime) -> Reach:
        reach = Reach()
        segments = [] if destination.any_segment else segments_of(self.policy, destination)
        for location_id, location in self.locations.items():
            barred = _barred(location, destination, segments)
            if barred is not None:
                reach.eliminated[location_id] = barred
                continue
            offers, warnings = self._offers(location, destination, moment)
            if isinstance(offers, Ineligible):
                reach.eliminated[location_id] = offers
            else:
                reach.offers[location_id] = offers
            if warnings:
                reach.warnings[location_id] = warnings
        return reach

    def _offers(
        self, location: Location, destination: Destination, moment: datetime
    ) -> tuple[tuple[Offer, ...] | Ineligible, Warnings]:
        """What the location may offer, or why nothing; and what had to be assumed."""
        if location.daily_capacity is not None:
            told = self._departure(location, moment).warnings
            if location.daily_capacity < 1 or PromiseWarning.CAPACITY_FULL in told:
                return Ineligible.NO_CAPACITY, told
        if destination.method is not Method.SHIP:
            leaving = self._departure(location, moment)
            return (self._offer(location, leaving, deliver_by=collection(leaving).deliver_by),), leaving.warnings
        offers: tuple[Offer, ...] = ()
        warnings: Warnings = ()
        reason = Ineligible.NO_RATE
        for card in self.cards:
            if location.carriers and card.carrier not in location.carriers:
                continue
            table = self._zone_tables.get(card.zone_table) if card.zone_table else None
            if card.zone_table and table is None:
                warnings += (ZONE_TABLE_MISSING,)
            zone = card.zone(location, destination.ship_to, table)
            if zone is not None and self._exchange(card) is None:
                reason = Ineligible.NO_EXCHANGE_RATE
            elif zone is not None:
                lane = self._lane(location, card, zone, destination, moment)
                offers, warnings = offers + lane[0], warnings + lane[1]
                reason = Ineligible.NO_SERVICE
        return offers or reason, tuple(dict.fromkeys(warnings))

    def _lane(
        self, location: Location, card: RateCard, zone: int, destination: Destination, moment: datetime
    ) -> tuple[tuple[Offer, ...], Warnings]:
        """The offers of a carrier's services from a location in a zone."""
        place = destination.ship_to if self._by_place[card.name] else None
        key = (moment, card.name, zone, destination.service_level, place)
        lanes = self._lanes.setdefault(location.location_id, {})
        if key not in lanes:
            leaving = self._departure(location, moment)
            offers: list[Offer] = []
            warnings = leaving.warnings
            for service in card.services:
                if not service.service_levels or destination.service_level in service.service_levels:
                    days, default = service.days_in(zone), self.policy.default_transit_days
                    way = arrival(location, leaving, card, days, default, self._zone)
                    tariff = self._tariff(card, service, zone, destination.ship_to)
                    offers.append(
                        self._offer(location, leaving, way.deliver_by, card.carrier, service.service, zone, tariff)
                    )
                    warnings += way.warnings
            lanes[key] = tuple(offers), warnings
        return lanes[key]

    def _offer(
        self,
        location: Location,
        leaving: Departure,
        deliver_by: datetime,
        carrier: str = "",
        service: str = "",
        zone: int | None = None,
        tariff: Tariff | None = None,
    ) -> Offer:
        return Offer(
            carrier=carrier,
            service=service,
            zone=zone,
            tariff=tariff,
            deliver_by=deliver_by,
            capacity_day=leaving.day if location.daily_capacity is not None else None,
            handling_minor=location.handling_per_parcel_minor,
            capacity_minor=self._capacity_minor(location, leaving),
            preference_minor=self._preference_minor(location),
        )

    def _departure(self, location: Location, moment: datetime) -> Departure:
        known = self._departures.setdefault(location.location_id, {})
        if moment not in known:
            known[moment] = departure(location, moment, self._full_days(location))
        return known[moment]

    def _full_days(self, location: Location) -> frozenset[str]:
        limit = location.daily_capacity
        if limit is None:
            return frozenset()
        days = self._planned.get(location.location_id, {})
        return frozenset(day for day, parcels in days.items() if parcels >= limit)

    def _tariff(self, card: RateCard, service: CarrierService, zone: int, ship_to: ShipTo) -> Tariff:
        key = (card.name, service.service, zone, ship_to if self._by_place[card.name] else None)
        if key not in self._tariffs:
            self._tariffs[key] = compile_tariff(service, zone, ship_to, card, self._exchange(card) or PAR)
        return self._tariffs[key]

    def _exchange(self, card: RateCard) -> int | None:
        if card.currency == self.currency:
            return PAR
        return self.policy.costs.exchange_rates.get(card.currency)

    def _capacity_minor(self, location: Location, leaving: Departure) -> int:
        """What a place costs where the day is nearly full: a straight line from nothing to `costs.capacity_minor`."""
        limit, costs = location.daily_capacity, self.policy.costs
        if not limit:
            return 0
        planned = self.parcels_planned(location.location_id, leaving.day) + 1
        over = planned * 100 - costs.capacity_from_percent * limit
        room = (100 - costs.capacity_from_percent) * limit
        return 0 if over <= 0 else costs.capacity_minor * min(over, room) // room if room else costs.capacity_minor

    def _preference_minor(self, location: Location) -> int:
        prices = self.policy.costs.preferences_minor
        return sum(prices.get(tag, 0) for tag in location.tags) if prices else 0


def _prices_by_place(card: RateCard) -> bool:
    """Whether a surcharge of the card depends on where in its zone a parcel goes."""
    return any(one.countries or one.postal_prefixes for service in card.services for one in service.surcharges)


def _rounded_up(moment: datetime) -> datetime:
    over = (moment - datetime(2000, 1, 1, tzinfo=moment.tzinfo)) % STEP
    return moment + (STEP - over) if over else moment


def segments_of(policy: RoutingPolicy, destination: Destination) -> list[Segment]:
    """The segments an order to this destination is of."""
    return [
        one
        for one in policy.constraints.segments
        if (not one.channels or destination.channel in one.channels)
        and (not one.countries or destination.ship_to.country in one.countries)
        and (not one.service_levels or destination.service_level in one.service_levels)
    ]


def _barred(location: Location, destination: Destination, segments: Iterable[Segment]) -> Ineligible | None:
    """Why the location may ship nothing there whatever it costs, or None."""
    if location.status is not LocationStatus.ACTIVE:
        return Ineligible.NOT_ACTIVE
    if destination.method not in location.methods:
        return Ineligible.METHOD_UNSUPPORTED
    if destination.method is Method.SHIP:
        if location.ships_to and destination.ship_to.country not in location.ships_to:
            return Ineligible.COUNTRY_NOT_SERVED
    elif destination.pickup_location_id not in (None, location.location_id):
        return Ineligible.OTHER_PICKUP_LOCATION
    tags = set(location.tags)
    for one in segments:
        if (one.only_tags and tags.isdisjoint(one.only_tags)) or not tags.isdisjoint(one.never_tags):
            return Ineligible.SEGMENT
    return None
