"""Places in a location's day: each fulfillment of a location that counts its parcels per day holds one.

A place is taken with the allocation and given back once the fulfillment will make no parcel, whether its day has
passed or not. Who holds one follows from the documents alone; what is counted of a day is the sum of it.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from typing import NamedTuple

from oms.domain.order import Fulfillment, Order

LocationDay = tuple[str, str]
"""location_id and day (ISO date)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CapacityMove:
    """Parcels added to a location's day: +1 takes a place, -1 gives one back.

    `limit` is how many the day holds, beyond which nothing is taken; None: not known, and not asked.
    """

    location_id: str
    day: str
    parcels: int
    limit: int | None = None


class DayLoad(NamedTuple):
    """How many parcels a location has planned for a day."""

    location_id: str
    day: str
    parcels: int


class DayChange(NamedTuple):
    """What is added to one day all in all, and the limit under which; None where nothing is taken."""

    parcels: int
    limit: int | None = None

    def fits(self, planned: int) -> bool:
        """Whether a day with so many parcels bears it. Giving back always fits."""
        return self.parcels <= 0 or self.limit is None or planned + self.parcels <= self.limit


def holds_place(one: Fulfillment) -> bool:
    """Whether it is counted in its location's day: units of it are open, picked or shipped.

    Once that has ended it never begins again: a parcel sent by a location that had refused is not counted.
    """
    return one.capacity_day is not None and any(line.open or line.picked or line.shipped for line in one.lines)


def held_days(order: Order) -> Counter[LocationDay]:
    """The places that an order holds, by location and day."""
    held = ((one.location_id, one.capacity_day) for one in order.fulfillments if holds_place(one))
    return Counter((location_id, day) for location_id, day in held if day)


def taken(one: Fulfillment, limit: int | None) -> tuple[CapacityMove, ...]:
    """The move of a new fulfillment, at a location that makes `limit` parcels a day; none where it holds no place."""
    if one.capacity_day is None:
        return ()
    return (CapacityMove(location_id=one.location_id, day=one.capacity_day, parcels=1, limit=limit),)


def given_back(before: Order, after: Order) -> tuple[CapacityMove, ...]:
    """The moves of those fulfillments that hold a place in one version and none, or another, in the next."""
    now = {one.fulfillment_id: one for one in after.fulfillments}
    return tuple(
        CapacityMove(location_id=one.location_id, day=one.capacity_day, parcels=-1)
        for one in before.fulfillments
        if one.capacity_day and holds_place(one) and not _keeps_place(one, now.get(one.fulfillment_id))
    )


def _keeps_place(before: Fulfillment, after: Fulfillment | None) -> bool:
    return after is not None and holds_place(after) and after.capacity_day == before.capacity_day


def by_day(moves: Iterable[CapacityMove]) -> dict[LocationDay, DayChange]:
    """What the moves add to each day; days that come out even are left out."""
    grouped: dict[LocationDay, list[CapacityMove]] = {}
    for move in moves:
        grouped.setdefault((move.location_id, move.day), []).append(move)
    summed = {day: total(DayChange(one.parcels, one.limit) for one in grouped[day]) for day in sorted(grouped)}
    return {day: change for day, change in summed.items() if change.parcels}


def total(changes: Iterable[DayChange]) -> DayChange:
    """Changes of one day as one, under the lowest limit of those that take."""
    changes = list(changes)
    parcels = sum(one.parcels for one in changes)
    limits = [one.limit for one in changes if one.limit is not None and one.parcels > 0]
    return DayChange(parcels, min(limits, default=None) if parcels > 0 else None)
