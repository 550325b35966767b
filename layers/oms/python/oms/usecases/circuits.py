"""Circuits: an account that did not answer is called by nobody of this worker until its time is over.

So one channel's outage costs one call, not one for each message that waits for it, and others nothing. One that only
asks to be called less often is left alone with messages of that kind: each kind has a limit of its own at the channel.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from oms.domain.backing_off import LONGEST_SECONDS, seconds_to_wait
from oms.domain.errors import OutOfTime, Retryable, Throttled

MAX_OPEN = 1_000
"""Circuits that a worker remembers; beyond it starts over."""

EVERYTHING = ""
"""In the place of a kind of message: the account as a whole."""


@dataclass(frozen=True, slots=True)
class _Open:
    until: datetime
    failures: int


@dataclass(slots=True)
class Circuits:
    """What a worker knows of accounts that did not answer. `chance` is from 0 to 1."""

    chance: Callable[[], float] = random.random
    _open: dict[tuple[str, str], _Open] = field(default_factory=dict)

    def seconds_left(self, channel_account: str, kind: str, now: datetime) -> float:
        """How long the account is still left alone with messages of this kind; 0 where it may be called."""
        known = (self._open.get((channel_account, what)) for what in (EVERYTHING, kind))
        return max((0.0, *((one.until - now).total_seconds() for one in known if one)))

    def failed(self, channel_account: str, kind: str, error: Retryable, now: datetime) -> None:
        """The account did not answer a message of this kind: it is left alone ever longer. One that only asks to be
        called less often, and says from when on, is there again by then; where our time ran out, it did no wrong."""
        if isinstance(error, OutOfTime):
            return
        key = (channel_account, kind if isinstance(error, Throttled) else EVERYTHING)
        known = self._open.get(key)
        failures = known.failures if known else 0
        if isinstance(error, Throttled) and error.retry_after_seconds is not None:
            seconds = min(error.retry_after_seconds, LONGEST_SECONDS)
        else:
            failures += 1
            seconds = seconds_to_wait(failures, error.retry_after_seconds, self.chance())
        if len(self._open) >= MAX_OPEN:
            self._open.clear()
        self._open[key] = _Open(now + timedelta(seconds=seconds), failures)

    def worked(self, channel_account: str, kind: str) -> None:
        """The account answered a message of this kind."""
        for what in (EVERYTHING, kind):
            self._open.pop((channel_account, what), None)

    def seconds_to_wait(self, channel_account: str, kind: str, attempt: int, now: datetime) -> float:
        """When such a message that failed for the `attempt`-th time should come again, in seconds."""
        return seconds_to_wait(attempt, self.seconds_left(channel_account, kind, now), self.chance())
