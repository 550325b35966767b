"""Taking turns: how often an operation may be called, decided from one moment in time that all workers share.

This is the generic cell rate algorithm: `free_at_ms` is when all turns would be there again if nobody called from now
on. A turn moves it on by one interval; it may lie ahead of now by what the burst allows. Times are milliseconds since
1970. A worker whose clock is ahead by d takes turns d too early, no more: calls stay within burst + rate x (time + d).
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol

MAX_CLOSED_SECONDS = 3600.0
"""A channel that asks for a longer pause is asked again after this: nobody stays silent for ever by one bad answer."""

MAX_INTERVAL_MS = 3_600_000


class Rate(Protocol):
    """How often an operation may be called: `per_second` on average, `burst` at once."""

    @property
    def per_second(self) -> float:
        """Turns in a second, on average."""
        ...

    @property
    def burst(self) -> int:
        """Turns at once."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Bucket:
    """What all workers know of an operation. `interval_ms` is what the channel told us; 0 where it told nothing."""

    free_at_ms: int = 0
    interval_ms: int = 0
    closed_until_ms: int = 0
    learnt_at: str = ""


class Move(StrEnum):
    """How a turn moves `free_at_ms`: RESTART at now, where nobody waits; ADD to it, where some of the burst is gone."""

    RESTART = "RESTART"
    ADD = "ADD"


@dataclass(frozen=True, slots=True, kw_only=True)
class Turn:
    """A turn that may be taken: `interval_ms` is what it costs, `latest_ms` how far ahead `free_at_ms` may lie."""

    move: Move
    now_ms: int
    interval_ms: int
    latest_ms: int


def interval_ms(per_second: float) -> int:
    """Milliseconds between two turns, rounded up: never faster than the rate, and never for ever."""
    return max(1, math.ceil(1000 / max(per_second, 1000 / MAX_INTERVAL_MS)))


def next_turn(bucket: Bucket, rate: Rate, now_ms: int) -> Turn | float:
    """The turn to take now, or the seconds until there is one."""
    if bucket.closed_until_ms > now_ms:
        return (bucket.closed_until_ms - now_ms) / 1000
    interval = bucket.interval_ms or interval_ms(rate.per_second)
    latest = now_ms + (max(1, rate.burst) - 1) * interval
    if bucket.free_at_ms > latest:
        return (bucket.free_at_ms - latest) / 1000
    move = Move.RESTART if bucket.free_at_ms <= now_ms else Move.ADD
    return Turn(move=move, now_ms=now_ms, interval_ms=interval, latest_ms=latest)


def closed_until(now_ms: int, seconds: float) -> int:
    """Until when nobody may call, if the channel asked for so many seconds."""
    return now_ms + math.ceil(1000 * min(max(seconds, 0.0), MAX_CLOSED_SECONDS))
