"""Rate cards: what carriers charge for a parcel, by zone and weight."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from oms.domain.catalog import Location
    from oms.domain.order import ShipTo

_GRAMS_PER_KG = 1000


@dataclass(frozen=True, slots=True, kw_only=True)
class RateBand:
    """Prices of a parcel of at most `up_to_grams`; `prices_minor[0]` is zone 1, `[1]` zone 2, and so on."""

    up_to_grams: int
    prices_minor: tuple[int, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class RateCard:
    """What a parcel costs, by zone and weight, in minor units of `currency`.

    Zone of a parcel: `international[destination country]` from another country; `local_zone` (if given)
    within one region; else `zones[area of origin][area of destination]`, read in either direction, where
    `areas["US-NY"]` is the area of a region (ISO 3166-2). No zone found: not served.
    Price in a zone: that of the first band with grams <= up_to_grams; above the last band its price plus
    `extra_kg_minor[zone - 1]` for every kilogram begun.

    Stored as it is in `settings`:

        {"name": "ground", "version": 1, "currency": "USD", "carrier": "ups", "service": "GROUND",
         "areas": {"US-NY": "EAST", "US-NJ": "EAST", "US-CA": "WEST"},
         "zones": {"EAST": {"EAST": 2, "WEST": 8}, "WEST": {"WEST": 2}},
         "local_zone": 1, "international": {"CA": 8},
         "bands": [{"up_to_grams": 500, "prices_minor": [499, 549, ...one per zone]}, ...],
         "extra_kg_minor": [60, 75, ...one per zone]}

    Raises ValueError for a card that could not price a parcel: bands not rising, a zone without a price,
    a negative price.
    """

    name: str
    version: int = 1
    currency: str
    carrier: str
    service: str
    areas: dict[str, str]
    zones: dict[str, dict[str, int]]
    local_zone: int | None = None
    international: dict[str, int] = field(default_factory=dict)
    bands: tuple[RateBand, ...]
    extra_kg_minor: tuple[int, ...]

    def __post_init__(self) -> None:
        limits = [band.up_to_grams for band in self.bands]
        if not limits or limits != sorted(set(limits)) or limits[0] <= 0:
            raise ValueError("bands must be given and up_to_grams must rise from band to band")
        rows = [band.prices_minor for band in self.bands] + [self.extra_kg_minor]
        if any(len(row) != len(self.extra_kg_minor) or min(row, default=-1) < 0 for row in rows):
            raise ValueError("every band and extra_kg_minor must have one price, not negative, per zone")
        used = [self.local_zone] if self.local_zone is not None else []
        used += [zone for row in (*self.zones.values(), self.international) for zone in row.values()]
        if any(not 1 <= zone <= len(self.extra_kg_minor) for zone in used):
            raise ValueError("zones are numbered from 1 and each must have a price")

    def zone(self, origin: Location, ship_to: ShipTo) -> int | None:
        """The zone of a parcel from here to there; None where the card does not serve."""
        if origin.country != ship_to.country:
            return self.international.get(ship_to.country)
        if self.local_zone is not None and origin.region and origin.region == ship_to.region:
            return self.local_zone
        start = self.areas.get(f"{origin.country}-{origin.region}", "")
        end = self.areas.get(f"{ship_to.country}-{ship_to.region}", "")
        return self.zones.get(start, {}).get(end) or self.zones.get(end, {}).get(start)

    def zone_price_minor(self, zone: int, grams: int) -> int:
        """The price of a parcel of this weight in this zone."""
        for band in self.bands:
            if grams <= band.up_to_grams:
                return band.prices_minor[zone - 1]
        last = self.bands[-1]
        extra_kg = -(-(grams - last.up_to_grams) // _GRAMS_PER_KG)
        return last.prices_minor[zone - 1] + extra_kg * self.extra_kg_minor[zone - 1]

    def price_minor(self, origin: Location, ship_to: ShipTo, grams: int) -> int | None:
        """The price of a parcel of this weight from here to there; None where the card does not serve."""
        zone = self.zone(origin, ship_to)
        return None if zone is None else self.zone_price_minor(zone, grams)
