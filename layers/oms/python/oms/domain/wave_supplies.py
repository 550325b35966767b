"""What the orders of a wave compete for: units of a sku at a location, and places in a location's day.

Only a supply that could run short is counted. What one order leaves another has no price in its own model; a price
per unit, told to the search as scarcity, makes it ask for something else where that costs less.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import NamedTuple

from oms.domain.routing_model import Instance, Item, Offer, Parcel, Site, contents

Uses = tuple[tuple[int, int], ...]
"""(number of a supply, units), each supply once, in the order of their numbers."""


class Supply(NamedTuple):
    """Units of a sku at a location, or places in its day; the other name is empty."""

    location_id: str
    sku: str = ""
    day: str = ""


def could_run_short(
    instances: Iterable[Instance], stock: Mapping[str, Mapping[str, int]], places: Mapping[tuple[str, str], int]
) -> dict[Supply, int]:
    """The supplies of which all the orders together could want more than there is, and how much there is."""
    wanted: dict[str, int] = {}
    days: dict[tuple[str, str], int] = {}
    for instance in instances:
        for item in instance.items:
            for sku, units in item.stock.items():
                wanted[sku] = wanted.get(sku, 0) + units * item.pieces
        for location_id, day in _days(instance.sites) if places else ():
            days[location_id, day] = days.get((location_id, day), 0) + 1
    short = {
        Supply(location_id, sku=sku): max(0, there)
        for sku, units in wanted.items()
        for location_id, there in stock.get(sku, {}).items()
        if there < units
    }
    for (location_id, day), orders in days.items():
        left = places.get((location_id, day))
        if left is not None and left < orders:
            short[Supply(location_id, day=day)] = max(0, left)
    return short


def _days(sites: Sequence[Site]) -> set[tuple[str, str]]:
    return {(site.location_id, offer.capacity_day) for site in sites for offer in site.offers if offer.capacity_day}


def uses_of(items: Sequence[Item], parcels: Iterable[Parcel], numbers: Mapping[Supply, int]) -> Uses:
    """What parcels use of the numbered supplies."""
    used: dict[int, int] = {}
    for parcel in parcels:
        location_id = parcel.site.location_id
        for item, pieces in zip(items, parcel.pieces, strict=True):
            for sku, units in item.stock.items() if pieces else ():
                number = numbers.get(Supply(location_id, sku=sku))
                if number is not None:
                    used[number] = used.get(number, 0) + units * pieces
        day = parcel.offer.capacity_day
        number = numbers.get(Supply(location_id, day=day)) if day else None
        if number is not None:
            used[number] = used.get(number, 0) + 1
    return tuple(sorted(used.items()))


class Reach:
    """Which supplies an order could use, and how its instance reads when they have prices, or when little is left.

    `_units` are (site, item, sku, units in a piece, supply), `_days` (site, offer, supply), all but the sku as numbers.
    """

    def __init__(self, instance: Instance, numbers: Mapping[Supply, int]) -> None:
        self.instance = instance
        self._units: list[tuple[int, int, str, int, int]] = []
        self._days: list[tuple[int, int, int]] = []
        self._places = {site.location_id: place for place, site in enumerate(instance.sites)}
        for place, site in enumerate(instance.sites):
            if any(site.room):
                self._read(place, site, numbers)
        self.supplies = tuple(sorted({one[-1] for one in self._units} | {one[-1] for one in self._days}))

    def _read(self, place: int, site: Site, numbers: Mapping[Supply, int]) -> None:
        for at, item in enumerate(self.instance.items):
            for sku, units in item.stock.items() if site.room[at] else ():
                supply = numbers.get(Supply(site.location_id, sku=sku))
                if supply is not None:
                    self._units.append((place, at, sku, units, supply))
        for at, offer in enumerate(site.offers):
            if offer.capacity_day:
                supply = numbers.get(Supply(site.location_id, day=offer.capacity_day))
                if supply is not None:
                    self._days.append((place, at, supply))

    def priced(self, prices: Sequence[int]) -> Instance:
        """The instance in which what it uses of the supplies is paid for as well."""
        extra: dict[int, list[int]] = {}
        for place, at, _, units, supply in self._units:
            if prices[supply]:
                extra.setdefault(place, [0] * len(self.instance.items))[at] += units * prices[supply]
        sites = list(self.instance.sites)
        for place, more in extra.items():
            sites[place] = replace(sites[place], scarcity=_sum(sites[place].scarcity, more))
        for place, at, supply in self._days:
            if prices[supply]:
                offers = list(sites[place].offers)
                offers[at] = replace(offers[at], preference_minor=offers[at].preference_minor + prices[supply])
                sites[place] = replace(sites[place], offers=tuple(offers))
        return replace(self.instance, sites=sites)

    def limited(self, left: Sequence[int]) -> Instance:
        """The instance in which there is no more than this left of the supplies."""
        sites = list(self.instance.sites)
        for place, at, sku, units, supply in self._units:
            site, there = sites[place], max(0, left[supply])
            most = there // units
            if most < site.room[at]:
                sites[place] = site = replace(site, room=(*site.room[:at], most, *site.room[at + 1 :]))
            if self.instance.shared and there < site.stock.get(sku, 0):
                sites[place] = replace(site, stock={**site.stock, sku: there})
        for place, at, supply in self._days:
            if left[supply] <= 0:
                full = self.instance.sites[place].offers[at]
                offers = tuple(offer for offer in sites[place].offers if offer is not full)
                sites[place] = replace(sites[place], offers=offers)
        return replace(self.instance, sites=[site for site in sites if site.offers])

    def as_given(self, parcels: Sequence[Parcel]) -> tuple[Parcel, ...]:
        """Parcels found with prices, or in what is left, as they are without: the order's own sites, offers, costs."""
        return tuple(self._as_given(parcel) for parcel in parcels)

    def _as_given(self, parcel: Parcel) -> Parcel:
        site = self.instance.sites[self._places[parcel.site.location_id]]
        known = [offer for offer in site.offers if offer is parcel.offer]
        offer = known[0] if known else site.offers[_place(parcel.site.offers, parcel.offer)]
        grams, cm3, goods, needs = contents(self.instance.items, parcel.pieces)
        price = offer.price_minor(grams, cm3, needs)
        if price is None:
            raise ValueError(f"{offer.service} does not carry what was found for {site.location_id}")
        price += site.unit_minor * goods
        for scarcity, pieces in zip(site.scarcity or (), parcel.pieces, strict=False):
            price += scarcity * pieces
        return Parcel(site=site, offer=offer, pieces=parcel.pieces, cost_minor=price)


def _place(offers: Sequence[Offer], offer: Offer) -> int:
    return next(place for place, one in enumerate(offers) if one is offer)


def _sum(base: Sequence[int] | None, more: Sequence[int]) -> tuple[int, ...]:
    return tuple(more) if base is None else tuple(one + other for one, other in zip(base, more, strict=True))
