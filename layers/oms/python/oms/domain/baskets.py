"""Baskets: whether everything in a basket can be had at once, not only each thing by itself."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from typing import NamedTuple

from oms.domain.availability import Availability


class Wanted(NamedTuple):
    """Units of a sku in a basket."""

    sku: str
    quantity: int


def missing(basket: Iterable[Wanted], figures: Mapping[str, Availability]) -> dict[str, int]:
    """Units that the basket lacks, by sku; empty when it can be had whole. A sku without figures has no units.

    Lines of one sku are added up, and so are the components of kits with each other and with lines of their own.
    Kits are set aside one after the other where all their components lie: when nothing is missing, that is a way
    to serve the basket. Of several kits that share scarce components, another order could serve more.
    """
    wanted: Counter[str] = Counter()
    for line in basket:
        wanted[line.sku] += line.quantity
    known = {sku: figures.get(sku, Availability(sku=sku)) for sku in wanted}
    short = {sku: units - known[sku].available_to_sell for sku, units in wanted.items()}
    for sku, units in _stocked(wanted, known).items():
        unpromised = figures.get(sku, Availability(sku=sku)).unpromised
        short[sku] = max(short.get(sku, 0), units - unpromised)
    short = {sku: units for sku, units in short.items() if units > 0}
    return short or _kits_without_a_place(wanted, known, figures)


def _stocked(wanted: Mapping[str, int], known: Mapping[str, Availability]) -> Counter[str]:
    """What the basket takes off the shelves, by stocked sku."""
    units: Counter[str] = Counter()
    for sku, quantity in wanted.items():
        for stocked, per_unit in (known[sku].components or {sku: 1}).items():
            units[stocked] += per_unit * quantity
    return units


def _kits_without_a_place(
    wanted: Mapping[str, int], known: Mapping[str, Availability], figures: Mapping[str, Availability]
) -> dict[str, int]:
    """Kits that no location can put together out of what the kits before them left there, fewest places first."""
    left = {(sku, at.location_id): at.sellable for sku, found in figures.items() for at in found.locations}
    without: dict[str, int] = {}
    for sku in sorted(
        (sku for sku in wanted if known[sku].components), key=lambda one: (len(known[one].locations), one)
    ):
        open_kits = wanted[sku]
        for place in known[sku].locations:
            parts = [((part, place.location_id), units) for part, units in known[sku].components.items()]
            made = min(open_kits, place.sellable, *(left.get(part, 0) // units for part, units in parts))
            open_kits -= made
            for part, units in parts:
                left[part] = left.get(part, 0) - made * units
        if open_kits:
            without[sku] = open_kits
    return without
