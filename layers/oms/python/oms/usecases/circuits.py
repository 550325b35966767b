"""Circuits: an account that did not answer is called by nobody of this worker until its time is over.

So one channel's outage costs one call, not one for each message that waits for it, and others nothing.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from oms.domain.backing_off import LONGEST_SECONDS, seconds_to_wait
from oms.domain.errors import Retryable, Throttled

MAX_OPEN = 1_000
"""Accounts that a worker remembers; beyond it starts over."""


@dataclass(frozen=True, slots=True)
class _Open:
    until: datetime
    failures: int


@dataclass(slots=True)
class Circuits:
    """What a worker knows of accounts that did not answer. `chance` is from 0 to 1."""

    chance: Callable[[], float] = random.random
    _open: dict[str, _Open] = field(default_factory=dict)

    def seconds_left(self, channel_account: str, now: datetime) -> float:
        """How long the account is still left alone; 0 where it may be called."""
        known = self._open.get(channel_account)
        return max(0.0, (known.until - now).total_seconds()) if known else 0.0

    def failed(self, channel_account: str, error: Retryable, now: datetime) -> None:
        """The account did not answer: it is left alone ever longer. One that only asks to be called less often, and
        says from when on, is there again by then."""
        known = self._open.get(channel_account)
        failures = known.failures if known else 0
        if isinstance(error, Throttled) and error.retry_after_seconds is not None:
            seconds = min(error.retry_after_seconds, LONGEST_SECONDS)
        else:
            failures += 1
            seconds = seconds_to_wait(failures, error.retry_after_seconds, self.chance())
        if len(self._open) >= MAX_OPEN:
            self._open.clear()
        self._open[channel_account] = _Open(now + timedelta(seconds=seconds), failures)

    def worked(self, channel_account: str) -> None:
        """The account answered."""
        self._open.pop(channel_account, None)

    def seconds_to_wait(self, channel_account: str, attempt: int, now: datetime) -> float:
        """When a message to the account that failed for the `attempt`-th time should come again, in seconds."""
        return seconds_to_wait(attempt, self.seconds_left(channel_account, now), self.chance())
