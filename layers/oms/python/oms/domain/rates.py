"""Rate cards: what a carrier charges for a parcel, by service, zone, weight and surcharge, and when it works.

A card's prices become a `Tariff` for one service in one zone to one destination, which answers as often as it is asked.
Money is in minor units of the card's currency, weights are in grams; cards are checked when they are made.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import date
from itertools import pairwise
from typing import TYPE_CHECKING

from oms.domain.order import Capability, ShipTo
from oms.domain.surcharges import (
    MAX_GRAMS,
    NeedSurcharge,
    Surcharge,
    added_minor,
    added_per_kg_minor,
    rounded,
)
from oms.domain.zones import ZoneTable

if TYPE_CHECKING:
    from oms.domain.catalog import Location

PAR = 10_000
"""The rate of exchange between equals, in ten-thousandths."""

_GRAMS_PER_KG = 1000
_ALL_DAYS = frozenset(range(1, 8))


@dataclass(frozen=True, slots=True, kw_only=True)
class RateBand:
    """Prices of a parcel of at most `up_to_grams`; `prices_minor[0]` is zone 1, `[1]` zone 2, and so on."""

    up_to_grams: int
    prices_minor: tuple[int, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class CarrierService:
    """One service of a carrier. The price in a zone is that of the first band with grams <= up_to_grams; above the
    last band its price and `extra_kg_minor[zone - 1]` for every kilogram begun, or, where that is not given, none.

    `service_levels` are those of orders it may carry (none named: any). `transit_days` are working days of the carrier
    per zone; none: not known.
    """

    service: str
    service_levels: tuple[str, ...] = ()
    bands: tuple[RateBand, ...]
    extra_kg_minor: tuple[int, ...] = ()
    transit_days: tuple[int, ...] = ()
    surcharges: tuple[Surcharge, ...] = ()

    def __post_init__(self) -> None:
        if not self.service:
            raise ValueError("service must be given")
        self._check_bands()
        for name in ("extra_kg_minor", "transit_days"):
            per_zone = getattr(self, name)
            if per_zone and len(per_zone) != self.zones:
                raise ValueError(f"{self.service}: {name} must have one number per zone, or none at all")
            if min(per_zone, default=0) < 0:
                raise ValueError(f"{self.service}: {name} must not be negative")
        names = [one.name for one in self.surcharges]
        if len(set(names)) != len(names):
            raise ValueError(f"{self.service}: surcharges must differ in name")

    def _check_bands(self) -> None:
        limits = [band.up_to_grams for band in self.bands]
        if not limits or limits != sorted(set(limits)) or limits[0] <= 0 or limits[-1] > MAX_GRAMS:
            raise ValueError(f"{self.service}: bands must be given, up_to_grams must rise and stay within {MAX_GRAMS}")
        if any(len(band.prices_minor) != self.zones for band in self.bands) or not self.zones:
            raise ValueError(f"{self.service}: prices_minor must have one price per zone in every band")
        if min(min(band.prices_minor) for band in self.bands) < 0:
            raise ValueError(f"{self.service}: prices_minor must not be negative")
        for lighter, heavier in pairwise(self.bands):
            if any(less > more for less, more in zip(lighter.prices_minor, heavier.prices_minor, strict=True)):
                grams = heavier.up_to_grams
                raise ValueError(f"{self.service}: prices_minor must not fall with weight, and do at {grams} grams")

    @property
    def zones(self) -> int:
        """How many zones it has prices for."""
        return len(self.bands[0].prices_minor)

    def days_in(self, zone: int) -> int | None:
        """Working days in transit, None where the service does not say."""
        return self.transit_days[zone - 1] if self.transit_days else None

    def list_price_minor(self, zone: int, grams: int) -> int | None:
        """The price of so many billable grams without surcharges; None: too heavy."""
        for band in self.bands:
            if grams <= band.up_to_grams:
                return band.prices_minor[zone - 1]
        if not self.extra_kg_minor:
            return None
        last = self.bands[-1]
        extra_kg = -(-(grams - last.up_to_grams) // _GRAMS_PER_KG)
        return last.prices_minor[zone - 1] + extra_kg * self.extra_kg_minor[zone - 1]


@dataclass(frozen=True, slots=True, kw_only=True)
class RateCard:
    """One version of what a carrier charges, as stored in `settings`: kind `rate_card`, name `<name>#<version>`.

    Zone of a parcel: `international[destination country]` from another country; else what the table `zone_table`
    says; else `local_zone` (if given) within one region; else `zones[area of origin][area of destination]`, read in
    either direction, where `areas["US-NY"]` is the area of a region (ISO 3166-2). No zone found: not served. Where only
    the country is known yet, the farthest zone from there.

    In effect from `effective_from` until before `effective_to` (ISO dates; not given: open). `dim_cm3_per_kg` is the
    divisor of dimensional weight (0: volume does not count). `working_days` (1 Monday to 7 Sunday) and `holidays` are
    the carrier's.

        {"name": "ups", "version": 1, "currency": "USD", "carrier": "ups", "effective_from": "2026-01-01",
         "areas": {"US-NY": "EAST", "US-NJ": "EAST", "US-CA": "WEST"},
         "zones": {"EAST": {"EAST": 2, "WEST": 8}, "WEST": {"WEST": 2}},
         "local_zone": 1, "international": {"CA": 8}, "dim_cm3_per_kg": 5000, "working_days": [1, 2, 3, 4, 5],
         "services": [{"service": "GROUND", "service_levels": ["STANDARD"],
                       "bands": [{"up_to_grams": 500, "prices_minor": [499, 549, ...one per zone]}, ...],
                       "extra_kg_minor": [60, 75, ...], "transit_days": [1, 2, ...],
                       "surcharges": [{"name": "FUEL", "basis_points": 700},
                                      {"name": "ALASKA", "amount_minor": 900, "countries": ["US"],
                                       "postal_prefixes": ["995", "996"]}]}]}

    Raises ValueError naming the field for a card that could not price a parcel.
    """

    name: str
    version: int = 1
    currency: str
    carrier: str
    effective_from: str = ""
    effective_to: str = ""
    zone_table: str = ""
    areas: dict[str, str] = field(default_factory=dict)
    zones: dict[str, dict[str, int]] = field(default_factory=dict)
    local_zone: int | None = None
    international: dict[str, int] = field(default_factory=dict)
    dim_cm3_per_kg: int = 0
    working_days: tuple[int, ...] = ()
    holidays: tuple[str, ...] = ()
    services: tuple[CarrierService, ...]

    def __post_init__(self) -> None:
        if not self.name or "#" in self.name or not self.carrier:
            raise ValueError("name and carrier must be given, name without #")
        if self.version < 1:
            raise ValueError("version must be 1 or more")
        if not (len(self.currency) == 3 and self.currency.isascii() and self.currency.isupper()):
            raise ValueError("currency must be three capitals (ISO 4217)")
        if self.dim_cm3_per_kg < 0:
            raise ValueError("dim_cm3_per_kg must not be negative")
        self._check_days()
        self._check_services()

    def _check_days(self) -> None:
        for name in ("effective_from", "effective_to"):
            if getattr(self, name):
                _require_date(getattr(self, name), name)
        if self.effective_to and self.effective_from >= self.effective_to:
            raise ValueError("effective_from must be before effective_to")
        for day in self.holidays:
            _require_date(day, "holidays")
        if not _ALL_DAYS.issuperset(self.working_days) or len(set(self.working_days)) != len(self.working_days):
            raise ValueError("working_days must be from 1 (Monday) to 7 (Sunday), each once")

    def _check_services(self) -> None:
        names = [one.service for one in self.services]
        if not names or len(set(names)) != len(names):
            raise ValueError("services must be given and differ in service")
        if len({one.zones for one in self.services}) != 1:
            raise ValueError("services must all have prices for the same number of zones")
        used = [self.local_zone] if self.local_zone is not None else []
        used += [zone for row in (*self.zones.values(), self.international) for zone in row.values()]
        if any(not 1 <= zone <= self.services[0].zones for zone in used):
            raise ValueError("zones, local_zone and international must be numbered from 1, each with a price")

    def zone(self, origin: Location, ship_to: ShipTo, table: ZoneTable | None = None) -> int | None:
        """The zone of a parcel from here to there; None where the card does not serve."""
        if origin.country != ship_to.country:
            return self.international.get(ship_to.country)
        if not ship_to.region and not ship_to.postal_prefix:
            return self._farthest_zone(origin, table)
        if table is not None:
            zone = table.zone(origin.country, origin.postal_code, ship_to.postal_prefix)
            if zone is not None:
                return zone if zone <= self.services[0].zones else None
        if self.local_zone is not None and origin.region and origin.region == ship_to.region:
            return self.local_zone
        start = self.areas.get(f"{origin.country}-{origin.region}", "")
        end = self.areas.get(f"{ship_to.country}-{ship_to.region}", "")
        return self.zones.get(start, {}).get(end) or self.zones.get(end, {}).get(start)

    def _farthest_zone(self, origin: Location, table: ZoneTable | None) -> int | None:
        """What a parcel is reckoned with whose place in the country is not known yet: no zone costs more."""
        if table is not None:
            return self.services[0].zones
        start = self.areas.get(f"{origin.country}-{origin.region}", "")
        known = [*self.zones.get(start, {}).values(), *(row[start] for row in self.zones.values() if start in row)]
        return max(known, default=None) if start else None

    def is_in_effect(self, day: date) -> bool:
        """Whether the card holds on this day."""
        text = day.isoformat()
        return self.effective_from <= text and (not self.effective_to or text < self.effective_to)


def in_effect(cards: Iterable[RateCard], day: date) -> tuple[RateCard, ...]:
    """The cards to price by on this day, by name: of each name the newest version whose dates hold.

    Raises ValueError for two cards of one name and version.
    """
    newest: dict[str, RateCard] = {}
    known: set[tuple[str, int]] = set()
    for card in cards:
        if (card.name, card.version) in known:
            raise ValueError(f"rate card {card.name} has its version {card.version} twice")
        known.add((card.name, card.version))
        if card.is_in_effect(day) and (card.name not in newest or newest[card.name].version < card.version):
            newest[card.name] = card
    return tuple(newest[name] for name in sorted(newest))


@dataclass(frozen=True, slots=True, kw_only=True)
class Tariff:
    """One service in one zone to one destination, ready to price: up to `breaks[i]` billable grams cost `prices[i]`,
    which never fall; above the last break each kilogram begun costs `extra_kg_minor` more (None: not carried).

    Billable grams are the weight or, where it is more, the volume at `dim_cm3_per_kg`. No parcel costs less than
    `floor_minor + rise * max(0, grams - flat_grams)`.
    """

    breaks: tuple[int, ...]
    prices: tuple[int, ...]
    extra_kg_minor: int | None = None
    dim_cm3_per_kg: int = 0
    surcharges: tuple[NeedSurcharge, ...] = ()
    floor_minor: int = field(init=False)
    flat_grams: int = field(init=False)
    rise: float = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "floor_minor", self.prices[0])
        object.__setattr__(self, "flat_grams", self.breaks[0])
        object.__setattr__(self, "rise", _rise(self))

    def price_minor(self, grams: int, cm3: int, needs: frozenset[Capability]) -> int | None:
        """What a parcel of this weight and volume with these needs costs; None: too heavy."""
        if self.dim_cm3_per_kg and cm3 * _GRAMS_PER_KG > grams * self.dim_cm3_per_kg:
            grams = -(-cm3 * _GRAMS_PER_KG // self.dim_cm3_per_kg)
        step, extra_kg = bisect_left(self.breaks, grams), 0
        if step == len(self.breaks):
            if self.extra_kg_minor is None:
                return None
            step, extra_kg = step - 1, -(-(grams - self.breaks[-1]) // _GRAMS_PER_KG)
        price = self.prices[step] + (extra_kg * self.extra_kg_minor if extra_kg and self.extra_kg_minor else 0)
        if needs and self.surcharges:
            for one in self.surcharges:
                if one.needs <= needs:
                    price += one.amounts[step] + extra_kg * one.extra_kg_minor
        return price


def compile_tariff(service: CarrierService, zone: int, ship_to: ShipTo, card: RateCard, exchange: int = PAR) -> Tariff:
    """The tariff of a service in a zone to a destination, in minor units of a currency of which `exchange` are 10,000
    of the card's.

    Prices with their surcharges are exchanged and rounded once, half up; surcharges that ask for needs, and the price
    of a further kilogram, each by themselves.
    """
    charged = [one for one in service.surcharges if one.holds_for(ship_to)]
    always = [one for one in charged if not one.needs]
    breaks = _breaks(service, [one.over_grams for one in charged if one.over_grams is not None])
    listed = [(service.list_price_minor(zone, grams) or 0, grams) for grams in breaks]
    extra = service.extra_kg_minor[zone - 1] if service.extra_kg_minor else None
    return Tariff(
        breaks=breaks,
        prices=tuple(rounded((price + added_minor(always, price, grams)) * exchange) for price, grams in listed),
        extra_kg_minor=None if extra is None else rounded((extra + added_per_kg_minor(always, extra)) * exchange),
        dim_cm3_per_kg=card.dim_cm3_per_kg,
        surcharges=tuple(
            NeedSurcharge(
                needs=frozenset(one.needs),
                amounts=tuple(rounded(added_minor([one], price, grams) * exchange) for price, grams in listed),
                extra_kg_minor=rounded(added_per_kg_minor([one], extra or 0) * exchange),
            )
            for one in charged
            if one.needs
        ),
    )


def _breaks(service: CarrierService, over_grams: Sequence[int]) -> tuple[int, ...]:
    """The bands' limits and what surcharges begin above; up to the heaviest of those, kilogram by kilogram, and one
    further: on the last break every surcharge by weight is charged already."""
    limits = [band.up_to_grams for band in service.bands]
    last, heaviest = limits[-1], max(over_grams, default=-1)
    if service.extra_kg_minor and heaviest >= last:
        limits += range(last + _GRAMS_PER_KG, heaviest + _GRAMS_PER_KG + 1, _GRAMS_PER_KG)
    return tuple(sorted({*limits, *(grams for grams in over_grams if grams < limits[-1])}))


def _rise(tariff: Tariff) -> float:
    """The steepest line from the end of the first step that is nowhere above the prices."""
    start, floor = tariff.breaks[0], tariff.prices[0]
    rises = [
        (price - floor) / (grams - start) for grams, price in zip(tariff.breaks[1:], tariff.prices[1:], strict=True)
    ]
    if tariff.extra_kg_minor is not None:
        rises.append(tariff.extra_kg_minor / _GRAMS_PER_KG)
    return min(rises, default=0.0)


def _require_date(text: str, name: str) -> None:
    try:
        is_date = date.fromisoformat(text).isoformat() == text
    except ValueError:
        is_date = False
    if not is_date:
        raise ValueError(f"{name} must be an ISO date (2026-12-25), not {text!r}")
