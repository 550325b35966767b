"""What a parcel costs, term by term, as `routing_model` adds it up."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from oms.domain.routing_model import Item, Parcel, contents

TERMS = ("freight_minor", "handling_minor", "units_minor", "capacity_minor", "late_minor", "preference_minor")
"""The terms of the cost: the carrier's price, work per parcel, work per unit, a place in a nearly full day, days late,
what the policy adds for the location's tags."""

_GRAMS_PER_KG = 1000


@dataclass(frozen=True, slots=True, kw_only=True)
class ParcelTerms:
    """A parcel of a plan: units by line_id, and every term of its cost in minor units of the policy's currency."""

    location_id: str
    carrier: str = ""
    service: str = ""
    zone: int | None = None
    lines: dict[str, int] = field(default_factory=dict)
    grams: int = 0
    billable_grams: int = 0
    cost_minor: int = 0
    freight_minor: int = 0
    handling_minor: int = 0
    units_minor: int = 0
    capacity_minor: int = 0
    late_minor: int = 0
    preference_minor: int = 0
    late_days: int = 0
    capacity_day: str | None = None
    deliver_by: datetime | None = None


def parcels_of(items: Sequence[Item], parcels: Iterable[Parcel]) -> tuple[ParcelTerms, ...]:
    """The parcels of a plan for these items, term by term."""
    return tuple(terms_of(items, parcel) for parcel in parcels)


def terms_of(items: Sequence[Item], parcel: Parcel) -> ParcelTerms:
    """One parcel, term by term."""
    offer, tariff = parcel.offer, parcel.offer.tariff
    grams, cm3, goods, needs = contents(items, parcel.pieces)
    freight = (tariff.price_minor(grams, cm3, needs) or 0) if tariff else 0
    units_minor = parcel.site.unit_minor * goods
    return ParcelTerms(
        location_id=parcel.site.location_id,
        carrier=offer.carrier,
        service=offer.service,
        zone=offer.zone,
        lines=units_of(items, parcel.pieces),
        grams=grams,
        billable_grams=billable(grams, cm3, tariff.dim_cm3_per_kg) if tariff else 0,
        cost_minor=freight + units_minor + offer.fixed_minor,
        freight_minor=freight,
        handling_minor=offer.handling_minor,
        units_minor=units_minor,
        capacity_minor=offer.capacity_minor,
        late_minor=offer.late_minor,
        preference_minor=offer.preference_minor,
        late_days=offer.late_days,
        capacity_day=offer.capacity_day,
        deliver_by=offer.deliver_by,
    )


def units_of(items: Sequence[Item], pieces: Sequence[int]) -> dict[str, int]:
    """Units of each line in so many pieces of each item."""
    units: dict[str, int] = {}
    for item, number in zip(items, pieces, strict=True):
        if number:
            for line_id, quantity in item.lines:
                units[line_id] = units.get(line_id, 0) + quantity * number
    return units


def billable(grams: int, cm3: int, dim_cm3_per_kg: int) -> int:
    """The grams that are paid for: the weight or, where it is more, the volume at so many cm3 per kilogram."""
    return max(grams, -(-cm3 * _GRAMS_PER_KG // dim_cm3_per_kg)) if dim_cm3_per_kg else grams


def cost_of(parcels: Iterable[ParcelTerms]) -> int:
    """What the parcels cost together."""
    return sum(one.cost_minor for one in parcels)


def arrival_of(parcels: Iterable[ParcelTerms]) -> datetime | None:
    """By when all of them have arrived."""
    return max((one.deliver_by for one in parcels if one.deliver_by), default=None)


def differences(chosen: Sequence[ParcelTerms], other: Sequence[ParcelTerms]) -> dict[str, int]:
    """How much more the other plan costs, by term (less: negative); terms that are equal are left out."""
    more = {term: _sum(other, term) - _sum(chosen, term) for term in TERMS}
    return {term: minor for term, minor in more.items() if minor}


def _sum(parcels: Iterable[ParcelTerms], term: str) -> int:
    return sum(getattr(one, term) for one in parcels)
