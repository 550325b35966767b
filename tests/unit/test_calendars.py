"""When a location works: clocks, opening times, working days, and what stands in for what nobody wrote down."""

from __future__ import annotations

import zoneinfo
from datetime import UTC, date, datetime
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

import pytest

from oms.domain.calendars import MAX_DAYS_AHEAD, PromiseWarning, opening_times, time_of_day, working_days
from tests.unit.builders import location

if TYPE_CHECKING:
    from collections.abc import Iterator

    from oms.domain.catalog import Location

MONDAY_TO_FRIDAY = (1, 2, 3, 4, 5)
COMPLETE: dict[str, Any] = {
    "time_zone": "America/New_York",
    "working_days": MONDAY_TO_FRIDAY,
    "opens_at": "09:00",
    "closes_at": "17:00",
    "cut_off": "14:00",
}


def warehouse(**changes: Any) -> Location:
    return location("WH", **(COMPLETE | changes))


@pytest.fixture
def machine_without_time_zones() -> Iterator[None]:
    zoneinfo.reset_tzpath(())
    ZoneInfo.clear_cache()
    yield
    zoneinfo.reset_tzpath()


@pytest.mark.parametrize(
    ("text", "minutes"),
    [
        ("00:00", 0),
        ("09:30", 570),
        ("23:59", 1439),
        ("24:00", 1440),
        ("24:01", None),
        ("25:99", None),
        ("9:30", None),
        ("09:30 ", None),
        ("9 am", None),
        ("", None),
    ],
)
def test_a_time_of_day_is_read_as_it_is_written_on_the_door(text: str, minutes: int | None) -> None:
    assert time_of_day(text) == minutes


def test_a_location_that_says_everything_has_no_warnings() -> None:
    opening = opening_times(warehouse())
    assert (opening.opens, opening.closes, opening.cut_off) == (9 * 60, 17 * 60, 14 * 60)
    assert opening.days.weekdays == frozenset(MONDAY_TO_FRIDAY)
    assert opening.warnings == ()


def test_a_location_that_says_nothing_works_from_monday_to_friday_all_day_and_every_gap_is_told() -> None:
    opening = opening_times(location("WH"))
    assert (opening.zone, opening.opens, opening.closes, opening.cut_off) == (UTC, 0, 1440, 1440)
    assert opening.days.weekdays == frozenset(MONDAY_TO_FRIDAY)
    assert opening.warnings == (
        PromiseWarning.TIME_ZONE_MISSING,
        PromiseWarning.CALENDAR_MISSING,
        PromiseWarning.OPENING_HOURS_MISSING,
        PromiseWarning.CUT_OFF_MISSING,
    )


@pytest.mark.parametrize(
    "name",
    ["Mars/Olympus", "EST5EDT,M3.2.0", "America", "../../etc/passwd", "/etc/localtime", "America/New York", "\0"],
)
def test_a_time_zone_that_nobody_knows_is_told_and_utc_stands_in(name: str) -> None:
    opening = opening_times(warehouse(time_zone=name))
    assert (opening.zone, opening.warnings) == (UTC, (PromiseWarning.TIME_ZONE_UNKNOWN,))


@pytest.mark.usefixtures("machine_without_time_zones")
def test_time_zones_are_known_on_a_machine_that_has_none() -> None:
    opening = opening_times(warehouse(time_zone="Australia/Lord_Howe"))
    assert opening.warnings == ()
    assert opening.moment(date(2026, 7, 1), 12 * 60) == datetime(2026, 7, 1, 1, 30, tzinfo=UTC)


@pytest.mark.parametrize(
    ("opens_at", "closes_at", "hours", "warning"),
    [
        ("", "17:00", (0, 1020), "OPENING_HOURS_MISSING"),
        ("09:00", "", (540, 1440), "OPENING_HOURS_MISSING"),
        ("00:00", "24:00", (0, 1440), None),
        ("22:00", "06:00", (0, 1440), "OPENING_HOURS_INVALID"),
        ("09:00", "09:00", (0, 1440), "OPENING_HOURS_INVALID"),
        ("24:00", "", (0, 1440), "OPENING_HOURS_INVALID"),
        ("25:99", "17:00", (0, 1440), "OPENING_HOURS_INVALID"),
        ("09:00", "five", (0, 1440), "OPENING_HOURS_INVALID"),
    ],
)
def test_opening_hours_that_are_missing_or_make_no_sense_are_told(
    opens_at: str, closes_at: str, hours: tuple[int, int], warning: str | None
) -> None:
    opening = opening_times(warehouse(opens_at=opens_at, closes_at=closes_at))
    assert (opening.opens, opening.closes) == hours
    assert opening.warnings == ((warning,) if warning else ())


@pytest.mark.parametrize(("cut_off", "warning"), [("", "CUT_OFF_MISSING"), ("2 pm", "CUT_OFF_INVALID")])
def test_without_a_cut_off_orders_are_begun_that_day_until_closing_time(cut_off: str, warning: str) -> None:
    opening = opening_times(warehouse(cut_off=cut_off))
    assert (opening.cut_off, opening.warnings) == (17 * 60, (warning,))


@pytest.mark.parametrize(
    ("changes", "weekdays", "holidays"),
    [
        ({"working_days": (0, 6, 7)}, {6, 7}, set()),
        ({"working_days": (8,)}, {1, 2, 3, 4, 5}, set()),
        ({"holidays": ("Christmas", "2026-12-26")}, {1, 2, 3, 4, 5}, {date(2026, 12, 26)}),
        ({"holidays": ("2026-02-29",)}, {1, 2, 3, 4, 5}, set()),
    ],
)
def test_days_that_make_no_sense_are_left_out_and_told(
    changes: dict[str, Any], weekdays: set[int], holidays: set[date]
) -> None:
    opening = opening_times(warehouse(**changes))
    assert (opening.days.weekdays, opening.days.holidays) == (weekdays, holidays)
    assert opening.warnings == (PromiseWarning.CALENDAR_INVALID,)


@pytest.mark.parametrize(
    ("day", "next_day", "holidays"),
    [
        pytest.param("2026-03-02", "2026-03-03", (), id="Tuesday comes after Monday"),
        pytest.param("2026-03-06", "2026-03-09", (), id="Monday comes after Friday"),
        pytest.param("2026-05-22", "2026-05-26", ("2026-05-25",), id="a holiday on Monday makes a long weekend"),
        pytest.param("2026-12-24", "2026-12-28", ("2026-12-25",), id="so does one on Friday"),
        pytest.param("2026-04-02", "2026-04-07", ("2026-04-03", "2026-04-06"), id="and Easter has both"),
        pytest.param("2026-12-31", "2027-01-04", ("2027-01-01",), id="the year ends on the way"),
        pytest.param("2028-02-28", "2028-02-29", (), id="a leap year has a 29th of February"),
        pytest.param("2027-02-26", "2027-03-01", (), id="other years go from the 28th to the 1st"),
    ],
)
def test_the_next_working_day_is_neither_weekend_nor_holiday(
    day: str, next_day: str, holidays: tuple[str, ...]
) -> None:
    days = working_days(MONDAY_TO_FRIDAY, holidays)
    assert days.after(date.fromisoformat(day)) == date.fromisoformat(next_day)


def test_a_working_day_is_its_own_first_one() -> None:
    days = working_days(MONDAY_TO_FRIDAY, ())
    assert days.on_or_after(date(2026, 3, 6)) == date(2026, 3, 6)
    assert days.on_or_after(date(2026, 3, 7)) == date(2026, 3, 9)


def test_holidays_without_end_end_the_search_after_a_year() -> None:
    first = date(2026, 1, 5)
    mondays = tuple(date.fromordinal(first.toordinal() + 7 * week).isoformat() for week in range(200))
    days = working_days((1,), mondays)
    found = days.on_or_after(first)
    assert (found - first).days == MAX_DAYS_AHEAD
    assert not days.has(found)


def test_two_calendars_share_the_days_that_are_working_days_in_both() -> None:
    shared = working_days((5, 6), ("2026-03-07",)).shared_with(working_days((6, 7), ("2026-03-14",)))
    assert shared is not None
    assert shared.on_or_after(date(2026, 3, 6)) == date(2026, 3, 21)
    assert working_days((6, 7), ()).shared_with(working_days(MONDAY_TO_FRIDAY, ())) is None


@pytest.mark.parametrize(
    ("day", "time", "utc"),
    [
        pytest.param("2026-03-07", "14:00", "2026-03-07T19:00", id="two in the afternoon in winter"),
        pytest.param("2026-03-08", "14:00", "2026-03-08T18:00", id="and on the day clocks go forward"),
        pytest.param("2026-10-31", "14:00", "2026-10-31T18:00", id="two in the afternoon in summer"),
        pytest.param("2026-11-01", "14:00", "2026-11-01T19:00", id="and on the day clocks go back"),
        pytest.param("2026-03-08", "02:30", "2026-03-08T07:30", id="a time that clocks leap over comes an hour later"),
        pytest.param("2026-11-01", "01:30", "2026-11-01T05:30", id="of a time that comes twice the first counts"),
        pytest.param("2026-12-31", "24:00", "2027-01-01T05:00", id="the end of a day is the start of the next"),
    ],
)
def test_a_time_is_what_the_clock_on_the_wall_shows(day: str, time: str, utc: str) -> None:
    opening, minutes = opening_times(warehouse()), time_of_day(time)
    assert minutes is not None
    assert opening.moment(date.fromisoformat(day), minutes) == datetime.fromisoformat(utc + "Z")


def test_the_day_is_that_of_the_location_not_of_greenwich() -> None:
    late_on_sunday = datetime(2026, 3, 2, 4, 59, tzinfo=UTC)
    assert opening_times(warehouse()).day_of(late_on_sunday) == date(2026, 3, 1)
    assert opening_times(warehouse(time_zone="Asia/Tokyo")).day_of(late_on_sunday) == date(2026, 3, 2)
