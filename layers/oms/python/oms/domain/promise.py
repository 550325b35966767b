"""The promise: when an order is ready at a location, when a carrier collects it and by when it is at the door.

One engine for the product page, checkout, routing and the promise made anew. A location and a calendar go in,
moments come out; what had to be assumed is told as warnings, and nothing is left out because of a gap.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta, tzinfo
from typing import TYPE_CHECKING

from oms.domain.calendars import (
    END_OF_DAY,
    MAX_DAYS_AHEAD,
    OpeningTimes,
    PromiseWarning,
    WorkingDays,
    carrier_days,
    opening_times,
    time_of_day,
)

if TYPE_CHECKING:
    from collections.abc import Collection

    from oms.domain.catalog import Location
    from oms.domain.rates import RateCard

ANY_CARRIER = "*"
"""Names the pickups of every carrier that has none of its own."""

MAX_FULL_DAYS = 60
"""How many working days a search for one with capacity looks at."""

Warnings = tuple[PromiseWarning, ...]

_DAY = timedelta(days=1)
_CLOCK_CHANGE = timedelta(hours=1)
_NOTHING = timedelta(0)


@dataclass(frozen=True, slots=True, kw_only=True)
class Departure:
    """When an order is ready at a location. `day` (ISO date there) is the working day whose capacity it uses: it is
    ready by the end of it."""

    ready_at: datetime
    day: str
    warnings: Warnings = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Arrival:
    """When the carrier has it and by when it is delivered. The warnings are those of the way alone; what was assumed
    of the location is told by its departure."""

    handed_over_at: datetime
    deliver_by: datetime
    warnings: Warnings = ()


def departure(location: Location, earliest: datetime, full_days: Collection[str] = ()) -> Departure:
    """When an order that may be released at `earliest` is ready there.

    In by the cut-off of a working day, it is begun that day, else when the next working day opens, and takes
    `processing_hours` of opening hours; what does not fit into a day runs on into the next working day. Would it be
    ready on one of `full_days` (ISO dates), it is ready when the next working day opens that is not among them.
    """
    opening = opening_times(location)
    ready_at, day, warnings = _processed(opening, location.processing_hours, *_begun(opening, earliest))
    if full_days and day.isoformat() in full_days:
        day, more = _day_with_capacity(opening, day, full_days)
        ready_at, warnings = opening.moment(day, opening.opens), warnings + more
    if not opening.days.has(day):
        warnings += (PromiseWarning.NO_WORKING_DAY,)
    return Departure(ready_at=ready_at, day=day.isoformat(), warnings=opening.warnings + warnings)


def arrival(
    location: Location,
    departure: Departure,
    card: RateCard,
    transit_days: int | None,
    default_days: int,
    zone: tzinfo | None = None,
) -> Arrival:
    """When the carrier of this card has collected it and by when it is delivered.

    Collected at the first pickup, from `ready_at` on, of a day on which location and carrier work. Delivered by the
    end (23:59:59) of the day that is `transit_days` working days of the carrier later (0: the same day). The end of
    the day is that of `zone`, the company's, so that one day is one promise wherever a parcel comes from (without it
    the location's; that of the destination is not known). `default_days` counts where transit_days is None.
    """
    opening = opening_times(location)
    carrier = carrier_days(card)
    shared, warnings = _collection_days(opening.days, carrier)
    times, more = _pickup_times(location, card.carrier, opening)
    handed_over_at, day = _first_pickup(opening, shared, times, departure)
    found = shared.has(day)
    if transit_days is None:
        transit_days, more = default_days, (*more, PromiseWarning.TRANSIT_DAYS_MISSING)
    for _ in range(min(transit_days, MAX_DAYS_AHEAD)):
        day = carrier.after(day)
    if not (found and carrier.has(day)):
        more += (PromiseWarning.NO_WORKING_DAY,)
    # what is collected at 24:00 is handed over a second after its day has ended
    end = replace(opening, zone=zone) if zone else opening
    deliver_by = max(handed_over_at, end.moment(day, END_OF_DAY - 1, seconds=59))
    return Arrival(handed_over_at=handed_over_at, deliver_by=deliver_by, warnings=warnings + more)


def collection(departure: Departure) -> Arrival:
    """What customers collect or carry out does not travel: it is theirs as soon as it is ready."""
    return Arrival(handed_over_at=departure.ready_at, deliver_by=departure.ready_at)


def late_days(deliver_by: datetime, promised_by: datetime) -> int:
    """Days begun after `promised_by`; 0 if it is kept. The hour that a day is longer when clocks go back does not
    begin another."""
    late = deliver_by - promised_by
    return 0 if late <= _NOTHING else max(1, -(-(late - _CLOCK_CHANGE) // _DAY))


def _begun(opening: OpeningTimes, earliest: datetime) -> tuple[datetime, date]:
    """When work begins, and on which working day."""
    day = opening.day_of(earliest)
    if opening.days.has(day) and earliest <= opening.moment(day, opening.cut_off):
        return max(earliest, opening.moment(day, opening.opens)), day
    day = opening.days.after(day)
    return opening.moment(day, opening.opens), day


def _processed(opening: OpeningTimes, hours: int, begun_at: datetime, day: date) -> tuple[datetime, date, Warnings]:
    """When so many opening hours have passed since then, and on which working day."""
    warnings = (PromiseWarning.PROCESSING_HOURS_INVALID,) if hours < 0 else ()
    left = timedelta(hours=max(0, hours))
    for _ in range(MAX_DAYS_AHEAD):
        open_for = opening.moment(day, opening.closes) - begun_at
        if open_for >= left:
            return begun_at + left, day, warnings
        left -= max(open_for, _NOTHING)
        day = opening.days.after(day)
        begun_at = opening.moment(day, opening.opens)
    return begun_at, day, (*warnings, PromiseWarning.PROCESSING_HOURS_INVALID)


def _day_with_capacity(opening: OpeningTimes, day: date, full_days: Collection[str]) -> tuple[date, Warnings]:
    for _ in range(MAX_FULL_DAYS):
        day = opening.days.after(day)
        if day.isoformat() not in full_days:
            return day, ()
    return day, (PromiseWarning.CAPACITY_FULL,)


def _collection_days(location: WorkingDays, carrier: WorkingDays) -> tuple[WorkingDays, Warnings]:
    """The days on which the carrier can collect at the location."""
    warnings = () if carrier.named else (PromiseWarning.CARRIER_CALENDAR_MISSING,)
    shared = location.shared_with(carrier)
    return (shared, warnings) if shared else (carrier, (*warnings, PromiseWarning.NO_COMMON_WORKING_DAY))


def _first_pickup(
    opening: OpeningTimes, days: WorkingDays, times: tuple[int, ...], departure: Departure
) -> tuple[datetime, date]:
    """The first pickup that does not leave before it is ready, and its day."""
    day = days.on_or_after(date.fromisoformat(departure.day))
    pickups = [moment for time in times if (moment := opening.moment(day, time)) >= departure.ready_at]
    if not pickups:  # it is ready by the end of its day, so any pickup of a later one will do
        day = days.after(day)
        pickups = [opening.moment(day, time) for time in times]
    return min(pickups), day


def _pickup_times(location: Location, carrier: str, opening: OpeningTimes) -> tuple[tuple[int, ...], Warnings]:
    """When this carrier collects there (minutes since midnight)."""
    named = location.pickups.get(carrier) or location.pickups.get(ANY_CARRIER)
    if not named:
        return (opening.closes,), (PromiseWarning.PICKUP_TIMES_MISSING,)
    times = tuple(time for text in named if (time := time_of_day(text)) is not None)
    warnings = () if len(times) == len(named) else (PromiseWarning.PICKUP_TIMES_INVALID,)
    return times or (opening.closes,), warnings
