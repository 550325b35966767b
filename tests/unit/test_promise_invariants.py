"""Whatever the calendars: a later start is never an earlier promise, and nothing happens outside working time."""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

from hypothesis import assume, given, settings
from hypothesis import strategies as st

from oms.domain.calendars import PromiseWarning, opening_times, time_of_day
from oms.domain.catalog import Location
from oms.domain.promise import Arrival, Departure, arrival, departure, late_days
from tests.unit.builders import location
from tests.unit.rate_cards import small_card

if TYPE_CHECKING:
    from oms.domain.rates import RateCard

STEP = timedelta(minutes=5)
ZONES = ("UTC", "America/New_York", "Europe/London", "Australia/Lord_Howe", "Asia/Kolkata", "Africa/Cairo", "")
# around the changes of clocks in these zones, a leap day, and a year's end
STARTS = tuple(datetime.fromisoformat(f"{day}T00:00Z") for day in ("2026-03-07", "2026-03-28", "2026-04-04"))
STARTS += tuple(datetime.fromisoformat(f"{day}T00:00Z") for day in ("2026-10-03", "2026-10-31", "2026-12-30"))
STARTS += tuple(datetime.fromisoformat(f"{day}T00:00Z") for day in ("2026-04-23", "2026-10-29", "2028-02-28"))
DAYS_AROUND = sorted({(start + timedelta(days=day)).date().isoformat() for start in STARTS for day in range(-2, 12)})

MOMENTS = st.builds(lambda start, steps: start + steps * STEP, st.sampled_from(STARTS), st.integers(0, 3 * 24 * 12))
WEEKDAYS = st.lists(st.integers(1, 7), max_size=7, unique=True).map(tuple)
HOLIDAYS = st.lists(st.sampled_from(DAYS_AROUND), max_size=6, unique=True).map(tuple)
TIMES = st.sampled_from(("", "00:00", "01:30", "02:30", "08:00", "12:00", "14:55", "18:00", "23:00", "24:00", "25:99"))
PICKUPS = st.dictionaries(st.sampled_from(("ups", "*")), st.lists(TIMES.filter(bool), max_size=3).map(tuple))
FULL_DAYS = st.frozensets(st.sampled_from(DAYS_AROUND), max_size=20)
TRANSIT = st.none() | st.integers(0, 6)


def places(**facts: Any) -> st.SearchStrategy[Location]:
    """Locations with any calendar, also one that makes no sense."""
    any_fact: dict[str, Any] = {
        "time_zone": st.sampled_from(ZONES),
        "working_days": WEEKDAYS,
        "holidays": HOLIDAYS,
        "opens_at": TIMES,
        "closes_at": TIMES,
        "cut_off": TIMES,
        "processing_hours": st.integers(-1, 40),
        "pickups": PICKUPS,
    }
    return st.builds(lambda **known: location("WH", **known), **(any_fact | facts))


CARDS = st.builds(lambda days, holidays: small_card(working_days=days, holidays=holidays), WEEKDAYS, HOLIDAYS)


def promised(
    place: Location, earliest: datetime, card: RateCard, full_days: frozenset[str], transit: int | None
) -> tuple[Departure, Arrival]:
    leaving = departure(place, earliest, full_days)
    return leaving, arrival(place, leaving, card, transit, 4)


@given(places(), MOMENTS, st.timedeltas(timedelta(0), timedelta(days=5)), CARDS, FULL_DAYS, TRANSIT)
@settings(max_examples=400)
def test_who_orders_later_is_never_promised_an_earlier_day(
    place: Location, earliest: datetime, wait: timedelta, card: RateCard, full_days: frozenset[str], transit: int | None
) -> None:
    first, first_way = promised(place, earliest, card, full_days, transit)
    later, later_way = promised(place, earliest + wait, card, full_days, transit)
    assert first.ready_at <= later.ready_at
    assert first.day <= later.day
    assert first_way.handed_over_at <= later_way.handed_over_at
    assert first_way.deliver_by <= later_way.deliver_by


@given(places(), MOMENTS, CARDS, FULL_DAYS, TRANSIT)
@settings(max_examples=400)
def test_first_it_is_released_then_ready_then_collected_then_delivered(
    place: Location, earliest: datetime, card: RateCard, full_days: frozenset[str], transit: int | None
) -> None:
    leaving, way = promised(place, earliest, card, full_days, transit)
    assert earliest <= leaving.ready_at <= way.handed_over_at <= way.deliver_by
    assert promised(place, earliest, card, full_days, transit) == (leaving, way)


@given(places(), MOMENTS, FULL_DAYS)
@settings(max_examples=400)
def test_it_is_ready_in_opening_hours_of_a_working_day_that_is_not_full(
    place: Location, earliest: datetime, full_days: frozenset[str]
) -> None:
    leaving, opening = departure(place, earliest, full_days), opening_times(place)
    day = date.fromisoformat(leaving.day)
    assert opening.days.has(day)
    assert day.isoformat() not in place.holidays
    assert opening.moment(day, opening.opens) <= leaving.ready_at
    assert leaving.ready_at <= max(opening.moment(day, opening.opens), opening.moment(day, opening.closes))
    assert leaving.day not in full_days
    assert PromiseWarning.CAPACITY_FULL not in leaving.warnings


@given(places(), MOMENTS, CARDS)
@settings(max_examples=400)
def test_it_is_collected_at_a_pickup_time_of_a_day_that_the_carrier_works(
    place: Location, earliest: datetime, card: RateCard
) -> None:
    _, way = promised(place, earliest, card, frozenset(), 1)
    opening = opening_times(place)
    named = place.pickups.get("ups") or place.pickups.get("*") or ()
    times = {minutes for text in named if (minutes := time_of_day(text)) is not None} or {opening.closes}
    around = [opening.day_of(way.handed_over_at) + timedelta(days=back) for back in (-1, 0)]
    days = [day for day in around if way.handed_over_at in {opening.moment(day, minutes) for minutes in times}]
    assert any(day.isoweekday() in (card.working_days or (1, 2, 3, 4, 5)) for day in days)
    assert any(day.isoformat() not in card.holidays for day in days)


@given(MOMENTS, st.timedeltas(timedelta(days=-3), timedelta(days=9)))
def test_days_late_are_counted_up_to_the_hour_that_clocks_change_by(promised_by: datetime, late: timedelta) -> None:
    days = late_days(promised_by + late, promised_by)
    assert (days == 0) == (late <= timedelta(0))
    if days:
        assert timedelta(days=days - 1) < late <= timedelta(days=days, hours=1)


def by_the_clock(place: Location, earliest: datetime) -> tuple[datetime, str] | None:
    """When the work is done, found by looking at the clock on the wall every five minutes; None: it takes too long."""
    zone = ZoneInfo(place.time_zone)
    closes = time.max if place.closes_at == "24:00" else time.fromisoformat(place.closes_at)
    start = earliest.astimezone(zone)
    in_time = start.timetz().replace(tzinfo=None) <= time.fromisoformat(place.cut_off)
    left = timedelta(hours=place.processing_hours)
    moment = earliest
    for _ in range(15 * 24 * 12):
        wall = moment.astimezone(zone)
        works = wall.isoweekday() in place.working_days and wall.date().isoformat() not in place.holidays
        begun = wall.date() > start.date() or in_time
        shows = wall.timetz().replace(tzinfo=None)
        if works and begun and time.fromisoformat(place.opens_at) <= shows <= closes:
            if left == timedelta(0):
                return moment, wall.date().isoformat()
            if shows < closes:
                left -= STEP
                if left == timedelta(0):
                    return moment + STEP, wall.date().isoformat()
        moment += STEP
    return None


@given(
    # opening, closing and cut-off where the clock shows each time once; what becomes of the others is told one by one
    places(
        time_zone=st.sampled_from(("UTC", "America/New_York", "Europe/London", "Asia/Kolkata")),
        working_days=WEEKDAYS.filter(bool),
        opens_at=st.sampled_from(("00:00", "06:00", "09:05")),
        closes_at=st.sampled_from(("12:00", "17:30", "23:55", "24:00")),
        cut_off=st.sampled_from(("05:00", "11:00", "14:30", "20:00")),
        processing_hours=st.integers(0, 30),
    ),
    MOMENTS,
)
@settings(max_examples=150, deadline=None)
def test_it_is_ready_when_a_clock_on_the_wall_says_so(place: Location, earliest: datetime) -> None:
    expected = by_the_clock(place, earliest)
    assume(expected is not None)
    leaving = departure(place, earliest.astimezone(UTC))
    assert (leaving.ready_at, leaving.day) == expected
