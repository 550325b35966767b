"""Turns in the table: shared by all workers, one write each, and what the channel says holds for everybody."""

from __future__ import annotations

import random
from dataclasses import dataclass

import pytest

from oms.channels.client import Limit
from oms.domain.errors import Throttled, Unavailable
from oms.runtime import clients
from oms.stores.rate_limits import BUSY_SECONDS, MAX_TRIES, RateLimits
from tests.integration.faults import Faults
from tests.integration.market import counted
from tests.integration.stage import PREFIX, Stage

BUCKET = "market#main#orders"
LIMIT = Limit("orders", per_second=2, burst=3)


@dataclass
class Clock:
    """The time of day of all workers, in seconds; each may be a little off."""

    seconds: float = 1_795_000_000.0


def worker(clock: Clock, ahead: float = 0.0) -> RateLimits:
    return RateLimits(clients.client("dynamodb"), PREFIX, lambda: clock.seconds + ahead)


def row(stage: Stage) -> dict[str, object]:
    (found,) = (one for one in stage.rows("settings") if one["kind"] == "rate_limit")
    return found


def test_a_burst_of_one_worker_leaves_none_for_the_next(stage: Stage) -> None:
    clock = Clock()
    one, other = worker(clock), worker(clock)
    assert [one.take(BUCKET, LIMIT) for _ in range(4)] == [0, 0, 0, 0.5]
    assert other.take(BUCKET, LIMIT) == 0.5
    clock.seconds += 0.5
    assert other.take(BUCKET, LIMIT) == 0
    assert one.take(BUCKET, LIMIT) == 0.5
    assert row(stage)["name"] == BUCKET


@pytest.mark.usefixtures("stage")
def test_a_turn_costs_one_write_and_waiting_costs_none() -> None:
    one = worker(Clock())
    with counted("dynamodb") as calls:
        for _ in range(3):
            assert one.take(BUCKET, LIMIT) == 0
        assert calls == {"UpdateItem": 3}
        for _ in range(10):
            assert one.take(BUCKET, LIMIT) > 0
        assert calls == {"UpdateItem": 3}


@pytest.mark.usefixtures("stage")
@pytest.mark.parametrize("seed", range(3))
def test_workers_with_clocks_that_differ_stay_within_the_limit_together(seed: int) -> None:
    """Five workers, half a second apart at most, ask at random: never more than burst + rate x (time + half a second)
    within any span of time."""
    rolls, clock, called = random.Random(seed), Clock(), []
    workers = [worker(clock, ahead=rolls.uniform(0, 0.5)) for _ in range(5)]
    for _ in range(150):
        clock.seconds += rolls.uniform(0, 0.2)
        if not rolls.choice(workers).take(BUCKET, LIMIT):
            called.append(clock.seconds)
    assert len(called) > 20
    for first in range(len(called)):
        for last in range(first, len(called)):
            assert last - first + 1 <= LIMIT.burst + LIMIT.per_second * (called[last] - called[first] + 0.5) + 1e-6


def test_a_rate_one_worker_was_told_is_kept_by_all(stage: Stage) -> None:
    clock = Clock()
    one, other = worker(clock), worker(clock)
    assert other.take(BUCKET, LIMIT) == 0
    one.learn(BUCKET, LIMIT, 0.1)
    assert row(stage)["interval_ms"] == 10_000
    assert row(stage)["learnt_at"]
    clock.seconds += 60
    assert [other.take(BUCKET, LIMIT) for _ in range(4)] == [0, 0, 0, 10.0]
    assert worker(clock).take(BUCKET, LIMIT) == 10.0


def test_a_rate_that_is_known_is_not_written_again(stage: Stage) -> None:
    clock = Clock()
    one = worker(clock)
    one.learn(BUCKET, LIMIT, LIMIT.per_second)
    assert [found for found in stage.rows("settings") if found["kind"] == "rate_limit"] == []
    one.learn(BUCKET, LIMIT, 5)
    stage.fail("dynamodb", "UpdateItem", "ThrottlingException")
    one.learn(BUCKET, LIMIT, 5)
    with pytest.raises(Throttled):
        one.learn(BUCKET, LIMIT, 6)


@pytest.mark.usefixtures("stage")
def test_a_channel_that_wants_quiet_is_left_alone_by_all_workers() -> None:
    clock = Clock()
    one, other = worker(clock), worker(clock)
    assert other.take(BUCKET, LIMIT) == 0
    one.close(BUCKET, LIMIT, 30)
    assert (one.take(BUCKET, LIMIT), other.take(BUCKET, LIMIT)) == (30, 30)
    clock.seconds += 30
    assert (one.take(BUCKET, LIMIT), other.take(BUCKET, LIMIT)) == (0, 0)


@pytest.mark.usefixtures("stage")
def test_a_pause_is_never_made_shorter() -> None:
    clock = Clock()
    one, other = worker(clock), worker(clock)
    one.close(BUCKET, LIMIT, 30)
    other.close(BUCKET, LIMIT, 5)
    assert (one.take(BUCKET, LIMIT), other.take(BUCKET, LIMIT)) == (30, 30)


@pytest.mark.usefixtures("stage")
def test_an_answer_that_is_lost_costs_a_turn_and_never_makes_one(faults: Faults) -> None:
    """The turn is gone and the worker does not know; the next ones are counted from there."""
    clock = Clock()
    one = worker(clock)
    faults.time_out_after("UpdateItem")
    with pytest.raises(Unavailable):
        one.take(BUCKET, LIMIT)
    assert [one.take(BUCKET, LIMIT) for _ in range(3)] == [0, 0, 0.5]


@pytest.mark.usefixtures("stage")
def test_who_is_always_overtaken_waits_a_moment(faults: Faults) -> None:
    clock = Clock()
    one, other = worker(clock), worker(clock)
    many = Limit("orders", per_second=2, burst=100)
    assert one.take(BUCKET, many) == 0
    for nth in range(1, 2 * MAX_TRIES, 2):
        faults.meanwhile("UpdateItem", lambda: advance(clock, other, many), nth=nth)
    assert one.take(BUCKET, many) in (0, BUSY_SECONDS)


def advance(clock: Clock, other: RateLimits, limit: Limit) -> None:
    clock.seconds += 1
    assert other.take(BUCKET, limit) == 0


@pytest.mark.usefixtures("stage")
def test_other_operations_and_accounts_have_turns_of_their_own() -> None:
    one = worker(Clock())
    for bucket in (BUCKET, "market#main#stock", "market#second#orders"):
        assert [one.take(bucket, LIMIT) for _ in range(4)] == [0, 0, 0, 0.5]
