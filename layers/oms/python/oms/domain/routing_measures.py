"""What a search asks of an order's sites before it begins."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import combinations
from math import comb

from oms.domain.rates import Tariff
from oms.domain.routing_model import Item, Offer, Site

MANY_CHOICES = 500
"""More ways to choose the sites of all parcels than this are not looked through for one that has room."""


_FREE = Tariff(breaks=(0,), prices=(0,), extra_kg_minor=0)
"""What ships nothing."""


def tariffs_of(sites: Sequence[Site]) -> list[tuple[Tariff, int]]:
    """The tariffs of all offers, each with the least that is added to it anywhere."""
    used: dict[int, tuple[Tariff, int]] = {}
    for site in sites:
        for offer in site.offers:
            tariff, fixed = offer.tariff, offer.fixed_minor
            key = id(tariff)
            if key not in used or fixed < used[key][1]:
                used[key] = tariff or _FREE, fixed
    return list(used.values())


def floor_of(offers: Sequence[Offer]) -> int:
    """The least that a parcel by any of these costs, whatever is in it."""
    return offers[0].floor_minor if len(offers) == 1 else min([offer.floor_minor for offer in offers])


def rarest_first(rooms: Sequence[Sequence[int]]) -> list[int]:
    """The places of the items, those that fewest sites have first."""
    missing = [-room.count(0) for room in rooms]
    return sorted(range(len(rooms)), key=missing.__getitem__)


def is_coverable(items: Sequence[Item], sites: Sequence[Site], parcels: int) -> bool:
    """Whether any so many sites have room for everything; not asked where there are too many to choose from."""
    if comb(len(sites), parcels) > MANY_CHOICES:
        return True
    pieces = [item.pieces for item in items]
    return any(
        all(sum(column) >= wanted for column, wanted in zip(zip(*chosen, strict=True), pieces, strict=True))
        for chosen in combinations([site.room for site in sites], parcels)
    )
