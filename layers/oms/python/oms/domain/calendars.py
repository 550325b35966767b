"""When a location works and when a carrier drives: time zones, opening times, working days, holidays.

What is not configured, or cannot be read, never stops an order: a default stands in for it and a warning says so.
Times of day are minutes since midnight on the wall (24:00 is 1440); every moment is aware, in UTC.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta, tzinfo
from enum import StrEnum
from functools import lru_cache
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

if TYPE_CHECKING:
    from oms.domain.catalog import Location
    from oms.domain.rates import RateCard

MAX_DAYS_AHEAD = 366
"""How many days a search for a working day looks ahead."""

END_OF_DAY = 24 * 60
MONDAY_TO_FRIDAY = frozenset(range(1, 6))
_EVERY_DAY = frozenset(range(1, 8))
_TIME = re.compile(r"(?P<hours>[01]\d|2[0-3]):(?P<minutes>[0-5]\d)|24:00")
_ONE_DAY = timedelta(days=1)
_CACHED = 4096
"""Calendars that are kept once read: more than a company has locations."""


class PromiseWarning(StrEnum):
    """What a promise was reckoned without, and what stood in for it."""

    TIME_ZONE_MISSING = "TIME_ZONE_MISSING"
    """UTC."""
    TIME_ZONE_UNKNOWN = "TIME_ZONE_UNKNOWN"
    """UTC."""
    CALENDAR_MISSING = "CALENDAR_MISSING"
    """No working days are named: Monday to Friday."""
    CALENDAR_INVALID = "CALENDAR_INVALID"
    """Weekdays outside 1 to 7 and holidays that are no dates are left out; no weekday left: Monday to Friday."""
    OPENING_HOURS_MISSING = "OPENING_HOURS_MISSING"
    """Open from 00:00, until 24:00."""
    OPENING_HOURS_INVALID = "OPENING_HOURS_INVALID"
    """No times of day, or closed before it is open (nights that run into the next day): 00:00 to 24:00."""
    CUT_OFF_MISSING = "CUT_OFF_MISSING"
    """Closing time."""
    CUT_OFF_INVALID = "CUT_OFF_INVALID"
    """Closing time."""
    PROCESSING_HOURS_INVALID = "PROCESSING_HOURS_INVALID"
    """Negative: none. More than fit into the days looked at: the last of these."""
    CAPACITY_FULL = "CAPACITY_FULL"
    """Every day looked at is full: the last of these."""
    PICKUP_TIMES_MISSING = "PICKUP_TIMES_MISSING"
    """Nobody said when the carrier collects: closing time."""
    PICKUP_TIMES_INVALID = "PICKUP_TIMES_INVALID"
    """What is no time of day is left out; no time left: closing time."""
    TRANSIT_DAYS_MISSING = "TRANSIT_DAYS_MISSING"
    """The policy's `default_transit_days`."""
    CARRIER_CALENDAR_MISSING = "CARRIER_CALENDAR_MISSING"
    """Monday to Friday. Told like any other gap: without a calendar Christmas Day counts as a day of transit."""
    NO_COMMON_WORKING_DAY = "NO_COMMON_WORKING_DAY"
    """The carrier never works on a day that the location does: the carrier's days alone."""
    NO_WORKING_DAY = "NO_WORKING_DAY"
    """Holidays without end: the last day looked at."""


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkingDays:
    """ISO weekdays (never none) without holidays. `named`: somebody said which; `readable`: all of it made sense."""

    weekdays: frozenset[int]
    holidays: frozenset[date] = frozenset()
    named: bool = True
    readable: bool = True

    def has(self, day: date) -> bool:
        """Whether work is done on this day."""
        return day.isoweekday() in self.weekdays and day not in self.holidays

    def on_or_after(self, day: date) -> date:
        """The first working day from this one on. Where MAX_DAYS_AHEAD days have none, the last of these."""
        for _ in range(MAX_DAYS_AHEAD):
            if self.has(day):
                break
            day += _ONE_DAY
        return day

    def after(self, day: date) -> date:
        """The first working day after this one, as `on_or_after` finds it."""
        return self.on_or_after(day + _ONE_DAY)

    def shared_with(self, other: WorkingDays) -> WorkingDays | None:
        """The days on which both work; None where their weekdays have none in common."""
        weekdays = self.weekdays & other.weekdays
        return WorkingDays(weekdays=weekdays, holidays=self.holidays | other.holidays) if weekdays else None


@dataclass(frozen=True, slots=True, kw_only=True)
class OpeningTimes:
    """When a location works: open from `opens` to `closes`, orders in by `cut_off` are begun that day."""

    zone: tzinfo
    days: WorkingDays
    opens: int
    closes: int
    cut_off: int
    warnings: tuple[PromiseWarning, ...]

    def day_of(self, moment: datetime) -> date:
        """The day the location's calendar shows at this moment."""
        return moment.astimezone(self.zone).date()

    def moment(self, day: date, minutes: int, seconds: int = 0) -> datetime:
        """When its clock shows this time on this day: the first time where it does so twice, and where clocks leap
        over it, as long after midnight as it would have been."""
        wall = datetime(day.year, day.month, day.day, tzinfo=self.zone)
        return (wall + timedelta(minutes=minutes, seconds=seconds)).astimezone(UTC)


def time_of_day(text: str) -> int | None:
    """Minutes since midnight of "HH:MM", "00:00" to "24:00"; None for anything else."""
    match = _TIME.fullmatch(text)
    if match is None:
        return None
    return END_OF_DAY if match["hours"] is None else int(match["hours"]) * 60 + int(match["minutes"])


def time_zone(name: str) -> tzinfo:
    """The zone of this name (IANA); UTC where there is none of it."""
    return _zone(name, [])


def is_time_zone(name: str) -> bool:
    """Whether there is a zone of this name."""
    warnings: list[PromiseWarning] = []
    _zone(name, warnings)
    return not warnings


def opening_times(location: Location) -> OpeningTimes:
    """When this location works, with a warning for each gap."""
    return _opening_times(
        location.time_zone,
        working_days(location.working_days, location.holidays),
        location.opens_at,
        location.closes_at,
        location.cut_off,
    )


@lru_cache(maxsize=_CACHED)
def working_days(weekdays: tuple[int, ...], holidays: tuple[str, ...]) -> WorkingDays:
    """The working days with these ISO weekdays and without these ISO dates; Monday to Friday where none is named."""
    usable = _EVERY_DAY.intersection(weekdays)
    dates = {day for text in holidays if (day := _date(text)) is not None}
    return WorkingDays(
        weekdays=usable or MONDAY_TO_FRIDAY,
        holidays=frozenset(dates),
        named=bool(weekdays),
        readable=usable.issuperset(weekdays) and len(dates) == len(set(holidays)),
    )


def carrier_days(card: RateCard) -> WorkingDays:
    """The days on which the carrier of this card works."""
    return working_days(card.working_days, card.holidays)


@lru_cache(maxsize=_CACHED)
def _opening_times(zone_name: str, days: WorkingDays, opens_at: str, closes_at: str, cut_off: str) -> OpeningTimes:
    warnings: list[PromiseWarning] = []
    zone = _zone(zone_name, warnings)
    if not days.named:
        warnings.append(PromiseWarning.CALENDAR_MISSING)
    if not days.readable:
        warnings.append(PromiseWarning.CALENDAR_INVALID)
    opens, closes = _opening_hours(opens_at, closes_at, warnings)
    last_order = time_of_day(cut_off)
    if last_order is None:
        last_order = closes
        warnings.append(PromiseWarning.CUT_OFF_INVALID if cut_off else PromiseWarning.CUT_OFF_MISSING)
    return OpeningTimes(zone=zone, days=days, opens=opens, closes=closes, cut_off=last_order, warnings=tuple(warnings))


def _zone(name: str, warnings: list[PromiseWarning]) -> tzinfo:
    if not name:
        warnings.append(PromiseWarning.TIME_ZONE_MISSING)
        return UTC
    try:
        return ZoneInfo(name)
    except (KeyError, ValueError, OSError):  # not in the data, not a name at all, the name of a folder of zones
        warnings.append(PromiseWarning.TIME_ZONE_UNKNOWN)
        return UTC


def _opening_hours(opens_at: str, closes_at: str, warnings: list[PromiseWarning]) -> tuple[int, int]:
    opens = time_of_day(opens_at or "00:00")
    closes = time_of_day(closes_at or "24:00")
    if opens is None or closes is None or closes <= opens:
        warnings.append(PromiseWarning.OPENING_HOURS_INVALID)
        return 0, END_OF_DAY
    if not (opens_at and closes_at):
        warnings.append(PromiseWarning.OPENING_HOURS_MISSING)
    return opens, closes


def _date(text: str) -> date | None:
    try:
        return date.fromisoformat(text)
    except ValueError:
        return None
