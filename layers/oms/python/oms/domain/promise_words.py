"""What a promise had to assume, in words: what is missing or wrong, what was used instead, and where to set it."""

from __future__ import annotations

from collections.abc import Mapping

from oms.domain.calendars import PromiseWarning
from oms.domain.network import ZONE_TABLE_MISSING

SAYS: Mapping[str, str] = {
    PromiseWarning.TIME_ZONE_MISSING: "no time zone, UTC is used: set time_zone of the location",
    PromiseWarning.TIME_ZONE_UNKNOWN: "its time zone is not known, UTC is used: correct time_zone of the location",
    PromiseWarning.CALENDAR_MISSING: "no working days, Monday to Friday are used: set working_days of the location",
    PromiseWarning.CALENDAR_INVALID: "working days or holidays can't be read and are left out: correct working_days"
    " (1 to 7) and holidays (ISO dates) of the location",
    PromiseWarning.OPENING_HOURS_MISSING: "no opening hours, the whole day is used: set opens_at and closes_at of the"
    " location",
    PromiseWarning.OPENING_HOURS_INVALID: "its opening hours can't be read, the whole day is used: correct opens_at and"
    " closes_at of the location (HH:MM)",
    PromiseWarning.CUT_OFF_MISSING: "no cut-off, closing time is used: set cut_off of the location",
    PromiseWarning.CUT_OFF_INVALID: "its cut-off can't be read, closing time is used: correct cut_off of the location"
    " (HH:MM)",
    PromiseWarning.PROCESSING_HOURS_INVALID: "its processing hours make no sense: correct processing_hours of the"
    " location",
    PromiseWarning.CAPACITY_FULL: "every day looked at is full, the last of them is used: raise daily_capacity of the"
    " location",
    PromiseWarning.PICKUP_TIMES_MISSING: "nobody said when the carrier collects, closing time is used: set pickups of"
    " the location",
    PromiseWarning.PICKUP_TIMES_INVALID: "some pickup times can't be read and are left out: correct pickups of the"
    " location (HH:MM)",
    PromiseWarning.TRANSIT_DAYS_MISSING: "the service names no days in transit, the routing policy's"
    " default_transit_days are used: set transit_days on the rate card",
    PromiseWarning.CARRIER_CALENDAR_MISSING: "the carrier's working days are not known, Monday to Friday are used: set"
    " working_days and holidays on the rate card",
    PromiseWarning.NO_COMMON_WORKING_DAY: "location and carrier share no working day, the carrier's are used:"
    " correct working_days of the location or on the rate card",
    PromiseWarning.NO_WORKING_DAY: "there is no working day in a year, the last day looked at is used: correct holidays"
    " of the location or on the rate card",
    ZONE_TABLE_MISSING: "a rate card names a zone table that is not there, its areas are used: import the zone table",
}
"""By warning. Each is said of a location."""
