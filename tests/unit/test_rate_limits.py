"""Turns are taken within burst and rate, whoever takes them, in whatever order, by whatever clock."""

from __future__ import annotations

from dataclasses import dataclass, replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from oms.domain.rate_limits import (
    MAX_CLOSED_SECONDS,
    MAX_INTERVAL_MS,
    Bucket,
    Move,
    Turn,
    closed_until,
    interval_ms,
    next_turn,
)

START_MS = 1_795_000_000_000


@dataclass(frozen=True)
class Limit:
    per_second: float
    burst: int


def taken(bucket: Bucket, turn: Turn) -> Bucket:
    """The row after the turn, as the store's update makes it."""
    start = turn.now_ms if turn.move is Move.RESTART else bucket.free_at_ms
    return replace(bucket, free_at_ms=start + turn.interval_ms)


def may_be_written(bucket: Bucket, turn: Turn) -> bool:
    """The condition of the store's update."""
    if turn.move is Move.RESTART:
        return bucket.free_at_ms <= turn.now_ms
    return turn.now_ms < bucket.free_at_ms <= turn.latest_ms


@pytest.mark.parametrize(
    ("per_second", "milliseconds"),
    [
        pytest.param(2, 500, id="twice a second"),
        pytest.param(3, 334, id="rounded up, never faster than allowed"),
        pytest.param(0.0167, 59_881, id="once a minute"),
        pytest.param(0.0000001, MAX_INTERVAL_MS, id="a rate that is next to nothing waits an hour"),
        pytest.param(1e-320, MAX_INTERVAL_MS, id="a rate that is hardly a number"),
        pytest.param(1_000_000, 1, id="a rate without end"),
    ],
)
def test_the_pause_between_two_calls_follows_from_the_rate(per_second: float, milliseconds: int) -> None:
    assert interval_ms(per_second) == milliseconds


def test_a_burst_may_be_called_at_once_and_then_one_at_a_time() -> None:
    limit, bucket = Limit(per_second=2, burst=3), Bucket()
    for _ in range(3):
        turn = next_turn(bucket, limit, START_MS)
        assert isinstance(turn, Turn)
        bucket = taken(bucket, turn)
    assert next_turn(bucket, limit, START_MS) == 0.5
    assert isinstance(next_turn(bucket, limit, START_MS + 500), Turn)


def test_a_rate_the_channel_told_takes_the_place_of_ours() -> None:
    bucket = Bucket(free_at_ms=START_MS + 10_000, interval_ms=10_000)
    assert next_turn(bucket, Limit(per_second=2, burst=1), START_MS) == 10.0


def test_nobody_calls_while_the_channel_wants_quiet() -> None:
    bucket = Bucket(closed_until_ms=closed_until(START_MS, 30))
    assert next_turn(bucket, Limit(per_second=2, burst=5), START_MS) == 30.0
    assert isinstance(next_turn(bucket, Limit(per_second=2, burst=5), START_MS + 30_000), Turn)


def test_a_pause_without_end_ends_after_an_hour() -> None:
    assert closed_until(START_MS, 10**9) == START_MS + 1000 * MAX_CLOSED_SECONDS
    assert closed_until(START_MS, -5) == START_MS


@given(
    burst=st.integers(1, 20),
    per_second=st.floats(0.05, 50),
    skew_ms=st.integers(0, 2_000),
    steps=st.lists(st.tuples(st.integers(0, 400), st.integers(0, 3), st.booleans()), max_size=120),
)
def test_workers_never_call_more_often_than_burst_and_rate_allow(
    burst: int, per_second: float, skew_ms: int, steps: list[tuple[int, int, bool]]
) -> None:
    """Four workers, their clocks apart by at most `skew_ms`; each decides by the row as it last saw it. What was
    called between any two moments stays within burst + rate x (time + skew)."""
    limit, row, elapsed = Limit(per_second=per_second, burst=burst), Bucket(), 0
    seen = [Bucket()] * 4
    called: list[int] = []
    for pause, worker, is_up_to_date in steps:
        elapsed += pause
        if is_up_to_date:
            seen[worker] = row
        turn = next_turn(seen[worker], limit, START_MS + elapsed + worker * skew_ms // 3)
        if isinstance(turn, Turn) and may_be_written(row, turn):
            row = taken(row, turn)
            called.append(elapsed)
        seen[worker] = row if isinstance(turn, Turn) else seen[worker]
    for first in range(len(called)):
        for last in range(first, len(called)):
            span = called[last] - called[first] + skew_ms
            assert last - first + 1 <= burst + span / interval_ms(per_second) + 1e-9


@given(free_at=st.integers(-5_000, 5_000), earlier=st.integers(0, 5_000), burst=st.integers(1, 5))
def test_what_a_worker_remembers_never_makes_it_wait_longer_than_it_must(
    free_at: int, earlier: int, burst: int
) -> None:
    limit = Limit(per_second=2, burst=burst)
    now, stale = (next_turn(Bucket(free_at_ms=START_MS + at), limit, START_MS) for at in (free_at, free_at - earlier))
    if not isinstance(stale, Turn):
        assert not isinstance(now, Turn)
        assert stale <= now
