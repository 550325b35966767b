"""The routing problem of one order in numbers: what is to be shipped, from where it could be, and what that costs.

Minimise, over parcels p with one parcel per location at most,

    sum over p of  freight(offer, billable grams, needs)     the carrier's price, surcharges included
                 + handling_minor                            the location's work per parcel
                 + unit_minor * goods                        the location's work per unit
                 + capacity_minor                            what a place in a nearly full day costs
                 + late_minor                                days late x penalty per day
                 + preference_minor                          what the policy adds for the location's tags

    billable grams = max(grams, ceil(cm3 * 1000 / dim_cm3_per_kg)), summed over what lies in the parcel

so that every piece is in exactly one parcel, no parcel holds more than its location has, and there are at most
`max_parcels`. All money is in minor units of the policy's currency, per order. Which offers a location has (country,
calendar, cut-off, pickup, capacity of the day, forbidden lateness, segment) is decided before: see `network`. What
ships nothing (pickup, carry-out) has offers without a tariff and one parcel.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from oms.domain.order import Capability
from oms.domain.rates import Tariff


@dataclass(frozen=True, slots=True, kw_only=True)
class Offer:
    """One way for a parcel to leave a location for the destination, and what it costs beside what is in it."""

    carrier: str
    service: str
    zone: int | None = None
    tariff: Tariff | None = None
    deliver_by: datetime | None = None
    capacity_day: str | None = None
    late_days: int = 0
    handling_minor: int = 0
    capacity_minor: int = 0
    late_minor: int = 0
    preference_minor: int = 0
    fixed_minor: int = field(init=False)
    floor_minor: int = field(init=False)

    def __post_init__(self) -> None:
        fixed = self.handling_minor + self.capacity_minor + self.late_minor + self.preference_minor
        object.__setattr__(self, "fixed_minor", fixed)
        object.__setattr__(self, "floor_minor", fixed + (self.tariff.floor_minor if self.tariff else 0))

    def price_minor(self, grams: int, cm3: int, needs: frozenset[Capability]) -> int | None:
        """What a parcel of these contents costs, the work per unit apart; None where it is too heavy."""
        if self.tariff is None:
            return self.fixed_minor
        freight = self.tariff.price_minor(grams, cm3, needs)
        return None if freight is None else freight + self.fixed_minor


@dataclass(slots=True, kw_only=True)
class Item:
    """What is shipped in `pieces`: a whole line, lines that stay together, or the units of a line that may be split.

    `lines` are (line_id, units in one piece); weight, volume, `goods` (units to be picked) and `stock` (units of each
    stocked sku) are those of one piece. `excluded` locations ship none of it.
    """

    lines: tuple[tuple[str, int], ...]
    pieces: int = 1
    grams: int = 0
    cm3: int = 0
    goods: int = 1
    needs: frozenset[Capability] = frozenset()
    stock: Mapping[str, int] = field(default_factory=dict)
    excluded: frozenset[str] = frozenset()
    together: bool = False


@dataclass(slots=True, kw_only=True)
class Site:
    """A location that could ship something: `room` says how many pieces of each item, each taken alone.

    `stock` is what it has of each sku, needed where items share one. `scarcity`, where given, is what one more piece
    of each item costs other orders: see `waves`.
    """

    location_id: str
    offers: tuple[Offer, ...]
    unit_minor: int = 0
    room: tuple[int, ...]
    stock: Mapping[str, int] = field(default_factory=dict)
    scarcity: tuple[int, ...] | None = None


@dataclass(slots=True, kw_only=True)
class Instance:
    """One order to be routed. `shared` says whether items share a sku, so that a parcel's stock is counted whole."""

    items: Sequence[Item]
    sites: Sequence[Site]
    max_parcels: int
    shared: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Parcel:
    """What one location ships: pieces of each item, by the cheapest offer that carries them."""

    site: Site
    offer: Offer
    pieces: tuple[int, ...]
    cost_minor: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Solution:
    """The best plan found. No plan costs less than `bound_minor`; where that is the cost, the plan is `proven` best."""

    parcels: tuple[Parcel, ...]
    cost_minor: int
    bound_minor: int
    work: int = 0

    @property
    def proven(self) -> bool:
        """Whether no other plan can be cheaper."""
        return self.bound_minor >= self.cost_minor


def contents(items: Sequence[Item], pieces: Sequence[int]) -> tuple[int, int, int, frozenset[Capability]]:
    """Grams, cm3, goods and needs of so many pieces of each item together."""
    grams = cm3 = goods = 0
    needs: frozenset[Capability] = frozenset()
    for item, number in zip(items, pieces, strict=True):
        if number:
            grams += item.grams * number
            cm3 += item.cm3 * number
            goods += item.goods * number
            needs |= item.needs
    return grams, cm3, goods, needs


def fits(items: Sequence[Item], pieces: Sequence[int], stock: Mapping[str, int]) -> bool:
    """Whether this stock has what all these pieces take together."""
    taken: dict[str, int] = {}
    for item, number in zip(items, pieces, strict=True):
        if number:
            for sku, units in item.stock.items():
                taken[sku] = taken.get(sku, 0) + units * number
    return all(units <= stock.get(sku, 0) for sku, units in taken.items())
