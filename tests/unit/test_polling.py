"""Rounds of reading: no gap, no end without the cursor, and nothing left out that may have changed."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from oms.domain.catalog import ChannelAccount
from oms.domain.channel_messages import PulledOrder
from oms.domain.errors import InvalidMessage
from oms.domain.polling import (
    FIRST_PULL,
    MAX_NAMED,
    MAX_WINDOW,
    SETTLED,
    Comparison,
    Poll,
    Round,
    back_off_seconds,
    behind_seconds,
    compared,
    comparison_round,
    due_after,
    is_known,
    pull_round,
    read_on,
    restarted,
)

NOON = datetime(2026, 3, 2, 12, tzinfo=UTC)
ACCOUNT = ChannelAccount(poll_seconds=300, overlap_seconds=120)
NO_LAG = timedelta()


def at(seconds: float) -> datetime:
    return NOON + timedelta(seconds=seconds)


def windows(poll: Poll, pages: int = 1) -> Iterator[tuple[Poll, Round]]:
    """Reads a round to its end, each window in so many pages."""
    while poll.round:
        reading = poll.round
        for page in range(pages):
            poll = read_on(poll, str(page + 1) if page + 1 < pages else None)
            yield poll, reading


def test_the_first_round_looks_back_a_day() -> None:
    assert pull_round(Poll(name="a"), ACCOUNT, NOON, NO_LAG) == Round(since=NOON - FIRST_PULL, until=NOON, goal=NOON)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        pytest.param("yesterday", "INVALID_FIELD", id="no time"),
        pytest.param("2026-03-02T12:00:00", "INVALID_FIELD", id="no time zone"),
    ],
)
def test_a_beginning_nobody_understands_is_refused(text: str, reason: str) -> None:
    with pytest.raises(InvalidMessage) as told:
        pull_round(Poll(name="a"), replace(ACCOUNT, options={"pull_from": text}), NOON, NO_LAG)
    assert (told.value.field, told.value.reason) == ("pull_from", reason)


def test_a_round_ends_before_what_the_channel_does_not_show_yet() -> None:
    found = pull_round(Poll(name="a", cursor=at(-600)), ACCOUNT, NOON, timedelta(seconds=150))
    assert found == Round(since=at(-720), until=at(-150), goal=at(-150))


def test_there_is_nothing_to_read_before_the_beginning() -> None:
    account = replace(ACCOUNT, options={"pull_from": "2026-03-03T00:00:00Z"})
    assert pull_round(Poll(name="a"), account, NOON, NO_LAG) is None
    assert pull_round(Poll(name="a", cursor=at(500)), ACCOUNT, NOON, NO_LAG) is None
    assert comparison_round(0, NOON) is None


@given(days=st.floats(0.001, 30), pages=st.integers(1, 3), overlap=st.integers(0, 200_000), lag=st.integers(0, 600))
def test_windows_follow_each_other_without_a_gap_up_to_now(days: float, pages: int, overlap: int, lag: int) -> None:
    poll = Poll(name="a", cursor=NOON - timedelta(days=days))
    account = replace(ACCOUNT, overlap_seconds=overlap)
    began = pull_round(poll, account, NOON, timedelta(seconds=lag))
    if began is None:
        return
    assert began.since == poll.cursor - timedelta(seconds=overlap) if poll.cursor else False
    reached = began.since
    for after, reading in windows(replace(poll, round=began), pages):
        assert reading.since <= reached <= reading.until <= began.goal
        assert reading.until - reading.since <= MAX_WINDOW
        assert after.cursor is not None
        assert poll.cursor is not None
        assert after.cursor >= poll.cursor
        is_read_to_its_end = after.round is None or after.round.since == reading.until
        assert after.cursor <= max(poll.cursor, reading.until if is_read_to_its_end else reading.since)
        reached = reading.until if is_read_to_its_end else reached
        poll = after
    assert reached == began.goal
    assert poll.cursor == max(NOON - timedelta(days=days), began.goal)


def test_a_window_that_starts_over_does_so_from_its_first_page() -> None:
    reading = Round(since=at(0), until=at(9), goal=at(20), page_token="7")
    assert restarted(reading) == replace(reading, page_token="", restarted=True)
    assert read_on(Poll(name="a", round=restarted(reading)), None).round == Round(
        since=at(9), until=at(20), goal=at(20)
    )


@pytest.mark.parametrize(
    ("failures", "retry_after", "chance", "seconds"),
    [
        pytest.param(1, None, 0.0, 30, id="first"),
        pytest.param(1, None, 1.0, 15, id="half of it by chance"),
        pytest.param(4, None, 0.0, 240, id="twice as long each time"),
        pytest.param(500, None, 0.0, 3600, id="an hour at most"),
        pytest.param(1, 100.0, 1.0, 100, id="not before the channel wants"),
        pytest.param(6, 10.0, 0.0, 960, id="as long as we want, where the channel wants less"),
        pytest.param(1, 10.0**9, 0.0, 43_200, id="half a day at most"),
    ],
)
def test_how_long_an_account_rests(failures: int, retry_after: float | None, chance: float, seconds: float) -> None:
    assert back_off_seconds(failures, retry_after, chance) == seconds


def test_an_account_is_due_half_a_minute_before_its_time_since_the_schedule_looks_each_minute() -> None:
    assert due_after(ACCOUNT, NOON) == at(270)
    assert due_after(replace(ACCOUNT, poll_seconds=60), NOON) == at(30)
    assert due_after(replace(ACCOUNT, poll_seconds=1), NOON) == at(30)


def test_an_account_is_behind_by_what_it_should_have_been_read_since() -> None:
    assert behind_seconds(Poll(name="a", cursor=at(-3900)), ACCOUNT, NOON) == 3600
    assert behind_seconds(Poll(name="a", cursor=at(-100)), ACCOUNT, NOON) == 0
    assert behind_seconds(Poll(name="a"), ACCOUNT, NOON) == behind_seconds(None, ACCOUNT, NOON) == 0


@pytest.mark.parametrize(("minutes", "behind"), [(10, 0), (70, 0), (80, 600), (24 * 60, 24 * 3600 - 70 * 60)])
def test_a_comparison_is_behind_by_what_it_should_have_been_made_anew_since(minutes: int, behind: float) -> None:
    """Whether it is over, or goes on a page an hour because pulls use up what the channel allows."""
    made = Comparison(since=at(-999_999), until=at(-60 * minutes))
    poll = Poll(name="a", cursor=at(-60 * minutes), comparison=made)
    assert behind_seconds(poll, ACCOUNT, NOON) == behind


@given(
    gaps=st.lists(st.integers(1, 12), min_size=2, max_size=6),
    late=st.integers(0, 500),
    skew=st.integers(-40, 40),
    pauses=st.lists(st.integers(3, 30), min_size=3, max_size=12),
)
@settings(max_examples=500)
def test_no_change_is_left_out_whatever_the_moment_of_its_second_a_pull_came_at(
    gaps: list[int], late: int, skew: int, pauses: list[int]
) -> None:
    """An order changes several times, in tenths of a second; the channel tells whole seconds by a clock that is off by
    `skew`, and shows each change `late`. After some more pulls what it is at last is what was queued last."""
    changes = [10_000 + sum(gaps[:number]) for number in range(len(gaps))]
    poll, known, queued, now = Poll(name="a", cursor=at(900)), None, -1, 9_990
    for pause in [*pauses, *([100] * 10)]:
        now += pause
        shown = [number for number, change in enumerate(changes) if change + late <= now + skew]
        since, until = (poll.cursor or NOON) - timedelta(seconds=120), at(now // 10)
        if shown and since <= at(changes[shown[-1]] // 10) < until:
            updated_at = at(changes[shown[-1]] // 10)
            listed = PulledOrder(channel_order_id="1", updated_at=updated_at, body="{}")
            if not is_known(listed, known, poll.cursor):
                known, queued = updated_at, shown[-1]
        poll = replace(poll, cursor=until)
    assert queued == len(changes) - 1


def test_an_order_that_may_have_changed_again_within_its_second_is_looked_at_again() -> None:
    listed = PulledOrder(channel_order_id="1", updated_at=at(-SETTLED.total_seconds()), body="{}")
    assert not is_known(listed, listed.updated_at, NOON)
    assert is_known(listed, listed.updated_at, at(1))


def test_a_comparison_counts_what_is_missing_behind_and_refused() -> None:
    found = Comparison(since=at(-100), until=NOON, compared=2, missing=1, first_missing=("0",))
    listed = {"1": at(-1), "2": at(-2), "3": at(-3), "4": at(-4.5)}
    counted = compared(found, listed, {"2": at(-9), "4": at(-5)}, frozenset({"3"}))
    assert (counted.compared, counted.missing, counted.behind, counted.refused) == (6, 2, 1, 1)
    assert counted.first_missing == ("0", "1")


def test_a_comparison_names_the_first_missing_orders_only() -> None:
    found = Comparison(since=at(-100), until=NOON)
    counted = compared(found, {str(one): NOON for one in range(50)}, {}, frozenset())
    assert (counted.missing, len(counted.first_missing)) == (50, MAX_NAMED)
