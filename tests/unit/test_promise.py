"""The promise: in by the cut-off, ready in opening hours, collected at the next pickup, at the door some days later."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

import pytest

from oms.domain.calendars import PromiseWarning
from oms.domain.promise import MAX_FULL_DAYS, Arrival, Departure, arrival, collection, departure, late_days
from tests.unit.rate_cards import small_card
from tests.unit.test_calendars import MONDAY_TO_FRIDAY, warehouse

if TYPE_CHECKING:
    from oms.domain.catalog import Location

NEW_YORK = ZoneInfo("America/New_York")
EVERY_DAY = (1, 2, 3, 4, 5, 6, 7)
ALL_DAY = {"opens_at": "00:00", "closes_at": "24:00", "working_days": EVERY_DAY}
PICKUPS = {"ups": ("12:00", "16:30"), "*": ("18:00",)}


def at(text: str) -> datetime:
    """What the clock in New York shows, "2026-03-02 09:00", as a moment."""
    return datetime.fromisoformat(text).replace(tzinfo=NEW_YORK).astimezone(UTC)


def shown(moment: datetime) -> str:
    return moment.astimezone(NEW_YORK).strftime("%Y-%m-%d %H:%M")


def shipping(location: Location, earliest: str, transit_days: int | None = 2, **card: Any) -> Arrival:
    """How the carrier brings what may be released then, on a card with a calendar unless the test has another."""
    facts = {"carrier": "ups", "working_days": MONDAY_TO_FRIDAY} | card
    return arrival(location, departure(location, at(earliest)), small_card(**facts), transit_days, 5)


# 2 March 2026 is a Monday. The warehouse works Monday to Friday, 09:00 to 17:00, cut-off 14:00.
@pytest.mark.parametrize(
    ("earliest", "ready", "changes"),
    [
        pytest.param("2026-03-02 10:00", "2026-03-02 12:00", {}, id="in before noon, ready two hours later"),
        pytest.param("2026-03-02 06:00", "2026-03-02 11:00", {}, id="in before it opens, begun when it opens"),
        pytest.param("2026-03-02 14:00", "2026-03-02 16:00", {}, id="in at the cut-off is in time"),
        pytest.param("2026-03-02 14:01", "2026-03-03 11:00", {}, id="a minute later is the next day"),
        pytest.param("2026-03-06 14:01", "2026-03-09 11:00", {}, id="and on Friday it is Monday"),
        pytest.param("2026-03-07 10:00", "2026-03-09 11:00", {}, id="in on Saturday, begun on Monday"),
        pytest.param("2026-03-06 15:00", "2026-03-10 11:00", {"holidays": ("2026-03-09",)}, id="a holiday on Monday"),
        pytest.param("2026-03-02 10:00", "2026-03-03 11:00", {"holidays": ("2026-03-02",)}, id="in on a holiday"),
        pytest.param("2026-03-02 13:00", "2026-03-02 17:00", {"processing_hours": 4}, id="ready as it closes"),
        pytest.param("2026-03-02 13:30", "2026-03-03 09:30", {"processing_hours": 4}, id="the rest runs on next day"),
        pytest.param("2026-03-06 14:00", "2026-03-10 12:00", {"processing_hours": 14}, id="two days over a weekend"),
        pytest.param(
            "2026-03-02 10:00", "2026-03-02 10:00", {"processing_hours": 0}, id="nothing to do: ready at once"
        ),
        pytest.param("2026-03-02 18:00", "2026-03-03 11:00", {"cut_off": "20:00"}, id="in after it has closed"),
        pytest.param("2026-03-02 18:00", "2026-03-03 09:00", {"cut_off": "20:00", "processing_hours": 0}, id="idem"),
        pytest.param("2026-03-02 09:30", "2026-03-03 11:00", {"cut_off": "07:00"}, id="a cut-off before it opens"),
        pytest.param("2026-12-31 15:00", "2027-01-04 11:00", {"holidays": ("2027-01-01",)}, id="over the new year"),
        pytest.param("2028-02-28 15:00", "2028-02-29 11:00", {}, id="a leap day is a working day"),
        pytest.param("2026-03-08 13:59", "2026-03-08 15:59", {"working_days": EVERY_DAY}, id="clocks went forward"),
        pytest.param(
            "2026-03-08 14:01", "2026-03-09 11:00", {"working_days": EVERY_DAY}, id="its cut-off is on the wall"
        ),
        pytest.param("2026-11-01 13:59", "2026-11-01 15:59", {"working_days": EVERY_DAY}, id="clocks went back"),
        pytest.param("2026-11-01 14:01", "2026-11-02 11:00", {"working_days": EVERY_DAY}, id="the cut-off that day"),
        pytest.param(
            "2026-03-08 00:00", "2026-03-09 00:00", ALL_DAY | {"processing_hours": 23}, id="a day of 23 hours"
        ),
        pytest.param(
            "2026-11-01 00:00", "2026-11-02 00:00", ALL_DAY | {"processing_hours": 25}, id="a day of 25 hours"
        ),
    ],
)
def test_an_order_is_ready_after_so_many_opening_hours(earliest: str, ready: str, changes: dict[str, Any]) -> None:
    leaving = departure(warehouse(**({"processing_hours": 2} | changes)), at(earliest))
    assert shown(leaving.ready_at) == ready
    assert leaving.warnings == ()
    assert leaving.ready_at.tzinfo is UTC


def test_the_day_is_the_one_it_is_ready_on_as_the_location_counts() -> None:
    evening = warehouse(closes_at="24:00", cut_off="24:00", processing_hours=2)
    assert departure(evening, at("2026-03-02 21:00")).day == "2026-03-02"
    ready_at_midnight = departure(evening, at("2026-03-02 22:00"))
    assert (shown(ready_at_midnight.ready_at), ready_at_midnight.day) == ("2026-03-03 00:00", "2026-03-02")


@pytest.mark.parametrize(
    ("full_days", "ready"),
    [
        pytest.param({"2026-03-05"}, "2026-03-04 12:00", id="another day is full"),
        pytest.param({"2026-03-04"}, "2026-03-05 09:00", id="its day is full: the next one, as it opens"),
        pytest.param({"2026-03-04", "2026-03-05"}, "2026-03-06 09:00", id="so is the day after"),
        pytest.param({"2026-03-04", "2026-03-05", "2026-03-06"}, "2026-03-09 09:00", id="and all until the weekend"),
    ],
)
def test_a_full_day_gives_way_to_the_next_working_day(full_days: set[str], ready: str) -> None:
    leaving = departure(warehouse(processing_hours=2), at("2026-03-04 10:00"), full_days)
    assert (shown(leaving.ready_at), leaving.day) == (ready, ready[:10])
    assert leaving.warnings == ()


def test_where_every_day_is_full_the_last_one_looked_at_is_taken_and_told() -> None:
    full_days = {(at("2026-03-02 12:00") + timedelta(days=day)).date().isoformat() for day in range(400)}
    leaving = departure(warehouse(working_days=EVERY_DAY), at("2026-03-02 10:00"), full_days)
    assert leaving.ready_at == at("2026-03-02 09:00") + timedelta(days=MAX_FULL_DAYS, hours=-1)  # summer time by then
    assert leaving.warnings == (PromiseWarning.CAPACITY_FULL,)


@pytest.mark.parametrize(
    ("hours", "ready"),
    [pytest.param(-3, "2026-03-02 10:00", id="negative"), pytest.param(9000, "2027-07-27 09:00", id="long")],
)
def test_processing_hours_that_make_no_sense_are_told(hours: int, ready: str) -> None:
    leaving = departure(warehouse(processing_hours=hours), at("2026-03-02 10:00"))
    assert shown(leaving.ready_at) == ready
    assert leaving.warnings == (PromiseWarning.PROCESSING_HOURS_INVALID,)


def mondays(first: str) -> tuple[str, ...]:
    """Two hundred Mondays, this one the first."""
    return tuple((at(first) + timedelta(weeks=week)).date().isoformat() for week in range(200))


def test_holidays_without_end_are_told() -> None:
    never_open = warehouse(working_days=(1,), holidays=mondays("2026-03-02"), pickups=PICKUPS)
    leaving = departure(never_open, at("2026-03-02 10:00"))
    assert leaving.warnings == (PromiseWarning.NO_WORKING_DAY,)
    way = arrival(never_open, leaving, small_card(working_days=MONDAY_TO_FRIDAY), 1, 5)
    assert way.warnings == (PromiseWarning.NO_WORKING_DAY,)


def test_a_carrier_that_collects_and_never_drives_again_is_told() -> None:
    last_drive = {"working_days": (1,), "holidays": mondays("2026-03-09")}
    assert shipping(warehouse(pickups=PICKUPS), "2026-03-02 10:00", 0, **last_drive).warnings == ()
    way = shipping(warehouse(pickups=PICKUPS), "2026-03-02 10:00", 1, **last_drive)
    assert way.warnings == (PromiseWarning.NO_WORKING_DAY,)


# The carrier works Monday to Friday and collects at 12:00 and 16:30. Nothing to process.
@pytest.mark.parametrize(
    ("earliest", "handed_over", "changes", "card"),
    [
        pytest.param("2026-03-02 10:00", "2026-03-02 12:00", {}, {}, id="ready before noon, collected at noon"),
        pytest.param("2026-03-02 12:00", "2026-03-02 12:00", {}, {}, id="ready as the van comes"),
        pytest.param("2026-03-02 12:01", "2026-03-02 16:30", {}, {}, id="a minute later is the second van"),
        pytest.param("2026-03-02 16:31", "2026-03-03 12:00", {}, {}, id="after the last van, the next day"),
        pytest.param("2026-03-06 16:31", "2026-03-09 12:00", {}, {}, id="on Friday, Monday"),
        pytest.param("2026-03-02 10:00", "2026-03-02 18:00", {}, {"carrier": "dhl"}, id="another carrier's van"),
        pytest.param(
            "2026-03-02 10:00", "2026-03-02 12:00", {"pickups": {"ups": ("16:30", "12:00")}}, {}, id="any order"
        ),
        pytest.param("2026-03-02 13:00", "2026-03-02 18:00", {"pickups": {"ups": (), "*": ("18:00",)}}, {}, id="none"),
        pytest.param(
            "2026-03-07 10:00", "2026-03-09 12:00", {"working_days": EVERY_DAY}, {}, id="carrier off on Saturday"
        ),
        pytest.param(
            "2026-03-06 17:00", "2026-03-09 12:00", {}, {"working_days": EVERY_DAY}, id="location closed on Saturday"
        ),
        pytest.param("2026-03-02 10:00", "2026-03-03 12:00", {}, {"holidays": ("2026-03-02",)}, id="carrier's holiday"),
        pytest.param(
            "2026-03-08 11:00",
            "2026-03-08 12:00",
            {"working_days": EVERY_DAY},
            {"working_days": EVERY_DAY},
            id="the van comes by the clock on the wall when clocks went forward",
        ),
        pytest.param(
            "2026-03-02 17:00",
            "2026-03-03 00:00",
            {"closes_at": "24:00", "pickups": {"ups": ("24:00",)}},
            {},
            id="a van at midnight",
        ),
    ],
)
def test_the_carrier_collects_at_its_next_pickup_on_a_day_both_work(
    earliest: str, handed_over: str, changes: dict[str, Any], card: dict[str, Any]
) -> None:
    place = warehouse(**({"pickups": PICKUPS, "cut_off": "24:00"} | changes))
    way = shipping(place, earliest, **card)
    assert shown(way.handed_over_at) == handed_over
    assert way.warnings == ()


@pytest.mark.parametrize(
    ("transit_days", "earliest", "deliver_by", "holidays"),
    [
        pytest.param(0, "2026-03-02 10:00", "2026-03-02", (), id="no day on the way: today"),
        pytest.param(1, "2026-03-02 10:00", "2026-03-03", (), id="one day: tomorrow"),
        pytest.param(1, "2026-03-06 10:00", "2026-03-09", (), id="over a weekend"),
        pytest.param(3, "2026-03-05 10:00", "2026-03-10", (), id="three working days with a weekend between them"),
        pytest.param(1, "2026-03-06 10:00", "2026-03-10", ("2026-03-09",), id="over a long weekend"),
        pytest.param(2, "2026-12-30 10:00", "2027-01-04", ("2027-01-01",), id="over the new year"),
        pytest.param(1, "2028-02-28 10:00", "2028-02-29", (), id="to a leap day"),
        pytest.param(5, "2026-03-06 10:00", "2026-03-13", (), id="clocks go forward on the way"),
        pytest.param(5, "2026-10-30 10:00", "2026-11-06", (), id="clocks go back on the way"),
    ],
)
def test_it_is_delivered_by_the_end_of_the_day_so_many_working_days_of_the_carrier_later(
    transit_days: int, earliest: str, deliver_by: str, holidays: tuple[str, ...]
) -> None:
    way = shipping(warehouse(pickups=PICKUPS), earliest, transit_days, holidays=holidays)
    assert way.deliver_by == at(f"{deliver_by} 23:59:59")
    assert way.warnings == ()


def test_the_day_on_the_way_is_the_carriers_not_the_locations() -> None:
    closed_on_friday = warehouse(pickups=PICKUPS, holidays=("2026-03-06",))
    assert shipping(closed_on_friday, "2026-03-05 10:00", 1).deliver_by == at("2026-03-06 23:59:59")
    drives_on_saturday = shipping(warehouse(pickups=PICKUPS), "2026-03-06 10:00", 1, working_days=EVERY_DAY)
    assert drives_on_saturday.deliver_by == at("2026-03-07 23:59:59")


def test_what_is_collected_at_midnight_and_takes_no_day_is_there_at_midnight() -> None:
    way = shipping(warehouse(closes_at="24:00", pickups={"*": ("24:00",)}), "2026-03-02 10:00", 0)
    assert shown(way.deliver_by) == shown(way.handed_over_at) == "2026-03-03 00:00"


@pytest.mark.parametrize(
    ("changes", "transit_days", "card", "warnings", "handed_over", "deliver_by"),
    [
        ({}, 1, {}, ["PICKUP_TIMES_MISSING"], "2026-03-02 17:00", "2026-03-03"),
        ({"pickups": {"dhl": ("12:00",)}}, 1, {}, ["PICKUP_TIMES_MISSING"], "2026-03-02 17:00", "2026-03-03"),
        ({"pickups": {"ups": ("noon",)}}, 1, {}, ["PICKUP_TIMES_INVALID"], "2026-03-02 17:00", "2026-03-03"),
        ({"pickups": {"*": ("25:99", "13:00")}}, 1, {}, ["PICKUP_TIMES_INVALID"], "2026-03-02 13:00", "2026-03-03"),
        ({"pickups": PICKUPS}, None, {}, ["TRANSIT_DAYS_MISSING"], "2026-03-02 12:00", "2026-03-09"),
        ({"pickups": PICKUPS}, 1, {"working_days": ()}, ["CARRIER_CALENDAR_MISSING"], "2026-03-02 12:00", "2026-03-03"),
        (
            {"pickups": PICKUPS},
            1,
            {"working_days": (6, 7)},
            ["NO_COMMON_WORKING_DAY"],
            "2026-03-07 12:00",
            "2026-03-08",
        ),
        (
            {},
            None,
            {"working_days": ()},
            ["CARRIER_CALENDAR_MISSING", "PICKUP_TIMES_MISSING", "TRANSIT_DAYS_MISSING"],
            "2026-03-02 17:00",
            "2026-03-09",
        ),
    ],
)
def test_what_is_missing_on_the_way_is_told_and_something_stands_in_for_it(
    changes: dict[str, Any],
    transit_days: int | None,
    card: dict[str, Any],
    warnings: list[str],
    handed_over: str,
    deliver_by: str,
) -> None:
    way = shipping(warehouse(**changes), "2026-03-02 10:00", transit_days, **card)
    assert list(way.warnings) == warnings
    assert shown(way.handed_over_at) == handed_over
    assert way.deliver_by == at(f"{deliver_by} 23:59:59")


def test_warnings_of_a_location_come_with_its_departure() -> None:
    leaving = departure(warehouse(time_zone="", cut_off=""), at("2026-03-02 10:00"))
    assert leaving.warnings == (PromiseWarning.TIME_ZONE_MISSING, PromiseWarning.CUT_OFF_MISSING)


def test_what_customers_collect_is_promised_for_when_it_is_ready() -> None:
    ready_at = at("2026-03-02 12:00")
    way = collection(Departure(ready_at=ready_at, day="2026-03-02"))
    assert way == Arrival(handed_over_at=ready_at, deliver_by=ready_at, warnings=())


@pytest.mark.parametrize(
    ("deliver_by", "promised_by", "days"),
    [
        pytest.param("2026-03-04 23:59:59", "2026-03-04 23:59:59", 0, id="kept to the second"),
        pytest.param("2026-03-03 23:59:59", "2026-03-04 23:59:59", 0, id="early"),
        pytest.param("2026-03-05 00:00:00", "2026-03-04 23:59:59", 1, id="a second late begins a day"),
        pytest.param("2026-03-05 23:59:59", "2026-03-04 23:59:59", 1, id="the next day"),
        pytest.param("2026-03-06 23:59:59", "2026-03-04 23:59:59", 2, id="the day after"),
        pytest.param("2026-03-09 23:59:59", "2026-03-07 23:59:59", 2, id="with a day of 23 hours"),
        pytest.param("2026-03-08 23:59:59", "2026-03-07 23:59:59", 1, id="the day of 23 hours"),
        pytest.param("2026-11-01 23:59:59", "2026-10-31 23:59:59", 1, id="the day of 25 hours"),
        pytest.param("2026-11-02 23:59:59", "2026-10-31 23:59:59", 2, id="with a day of 25 hours"),
    ],
)
def test_every_day_begun_after_the_promise_is_a_day_late(deliver_by: str, promised_by: str, days: int) -> None:
    assert late_days(at(deliver_by), at(promised_by)) == days


def test_a_promised_day_ends_in_the_company_s_time_zone_wherever_the_parcel_comes_from() -> None:
    card = small_card(carrier="ups", working_days=MONDAY_TO_FRIDAY)
    ends = set()
    for home in ("America/New_York", "America/Los_Angeles"):
        place = warehouse(time_zone=home)
        leaving = departure(place, datetime(2026, 3, 2, 15, tzinfo=UTC))
        ends.add(shown(arrival(place, leaving, card, 2, 5, NEW_YORK).deliver_by))
    assert ends == {"2026-03-04 23:59"}
