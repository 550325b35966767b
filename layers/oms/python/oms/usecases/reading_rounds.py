"""Reading a channel page by page, under a lease: the part that pulling and comparing have in common.

The order of writes carries it: what a page holds is on a queue before the row says that the page was read. Whoever dies
in between reads at most that page again; whoever lost the lease changes nothing any more.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import StrEnum
from typing import TYPE_CHECKING, Any, Protocol

from oms.domain.channel_messages import PulledOrder, PulledPage
from oms.domain.errors import OmsError, OutOfTime, Permanent, Retryable, Throttled, Unavailable
from oms.domain.polling import Poll, cut_short, failed, paused, read_on, released, restarted

if TYPE_CHECKING:
    from oms.stores.polls import PollsStore

MAX_PAGES = 200
"""Pages read by one invocation; a message makes the next go on."""

MAX_TOKEN_LENGTH = 20_000
"""The token of the next page is kept on the row, which must stay an item that DynamoDB takes."""


class Channels(Protocol):
    """How accounts are reached, by name (`amazon#us`)."""

    def can(self, channel_account: str, operation: str) -> bool:
        """Whether the account's channel offers the operation."""
        ...

    def run(self, channel_account: str, operation: str, *arguments: Any) -> Any:
        """Runs the operation on the account."""
        ...

    def constant(self, channel_account: str, name: str, default: int) -> int:
        """A number that the channel's file states about itself."""
        ...


class Ended(StrEnum):
    """How an invocation's reading ended. IDLE: not due, or another reads. GOES_ON: there is more to read, at once.
    PAUSED: the limit is used up for now, or our time was too short for a page. LOST: the lease went to another."""

    DONE = "DONE"
    IDLE = "IDLE"
    GOES_ON = "GOES_ON"
    PAUSED = "PAUSED"
    FAILED = "FAILED"
    LOST = "LOST"


@dataclass(slots=True)
class Reading:
    """What one invocation did for an account. `queued` counts orders put on a queue, `listed` those looked at."""

    name: str
    ended: Ended = Ended.IDLE
    pages: int = 0
    listed: int = 0
    queued: int = 0
    error: str = ""
    poll: Poll | None = None


class Work(Protocol):
    """What is done with the pages of an account."""

    def begin(self, poll: Poll, now: datetime) -> Poll:
        """The row with the round to read, or without one where there is nothing to read. Raises Permanent."""
        ...

    def take(self, poll: Poll, orders: tuple[PulledOrder, ...], reading: Reading) -> Poll:
        """Puts what must be taken in on a queue; returns the row with what was found. Raises Retryable."""
        ...

    def finish(self, poll: Poll, now: datetime) -> Poll:
        """The row after a round: free, and due again at its time."""
        ...


@dataclass(frozen=True, slots=True)
class RoundReader:
    """Reads accounts for `work`. `chance` is random, 0 to 1."""

    polls: PollsStore
    channels: Channels
    now: Callable[[], datetime]
    chance: Callable[[], float]

    def read(self, work: Work, name: str, owner: str, *, lease_seconds: float, go_on: Callable[[], bool]) -> Reading:
        """Reads what is due of an account, while `go_on` says there is time. `owner` is that of no other invocation,
        which ends for certain within `lease_seconds`. Raises Retryable when the row can't be read or written now."""
        now = self.now()
        reading = Reading(name)
        reading.poll = self.polls.take(name, owner, now, now + timedelta(seconds=lease_seconds))
        if reading.poll is None:
            return reading
        try:
            self._read(work, reading, reading.poll, owner, go_on)
        except OmsError as error:
            self._break_off(reading, owner, error)
        except Exception as error:
            self._break_off(reading, owner, error)
            raise  # a bug: the row waits, and the log shall tell
        return reading

    def _read(self, work: Work, reading: Reading, poll: Poll, owner: str, go_on: Callable[[], bool]) -> None:
        if poll.round is None:
            poll = reading.poll = work.begin(poll, self.now())
        while poll.round and reading.pages < MAX_PAGES and go_on():
            if reading.pages and not self._save(reading, poll, owner):
                return
            poll = reading.poll = self._page(work, reading, poll)
        reading.ended = Ended.GOES_ON if poll.round else Ended.DONE
        self._save(reading, released(poll) if poll.round else work.finish(poll, self.now()), owner)

    def _page(self, work: Work, reading: Reading, poll: Poll) -> Poll:
        """Reads a page of the round and puts what it holds on its queues; the row as it is after that."""
        if poll.round is None:
            return poll
        token = poll.round.page_token
        try:
            page: PulledPage = self.channels.run(poll.name, "pull", poll.round.window, token or None)
        except Permanent:  # refused there, or by the channel's file: tokens do not live long
            if not token or poll.round.restarted:
                raise
            return replace(poll, round=restarted(poll.round))
        if page.next_token and (page.next_token == token or len(page.next_token) > MAX_TOKEN_LENGTH):
            raise Unavailable("the channel names no page to go on with")
        reading.pages += 1
        taken = work.take(poll, page.orders, reading)
        reading.listed += len(page.orders)
        return read_on(taken, page.next_token)

    def _break_off(self, reading: Reading, owner: str, error: Exception) -> None:
        """The row rests after an error. A limit that is used up after some pages is the channel's pace, no failure; nor
        is it one when our own time is over.

        What can't heal by itself may lie in the page's token: then the window is read from its first page."""
        poll = reading.poll
        if poll is None:
            return
        reading.error = type(error).__name__
        if isinstance(error, OutOfTime):
            reading.ended = Ended.GOES_ON if reading.pages else Ended.PAUSED
            self._save(reading, cut_short(poll, self.now(), got_on=reading.pages > 0), owner)
            return
        wait = error.retry_after_seconds if isinstance(error, Retryable) else None
        if isinstance(error, Throttled) and wait and reading.pages:
            reading.ended = Ended.PAUSED
            self._save(reading, paused(poll, self.now(), wait), owner)
            return
        if poll.round and poll.round.page_token and not isinstance(error, Retryable):
            poll = replace(poll, round=restarted(poll.round))
        reading.ended = Ended.FAILED
        self._save(reading, failed(poll, self.now(), reading.error, wait, self.chance()), owner)

    def _save(self, reading: Reading, poll: Poll, owner: str) -> bool:
        reading.poll = poll
        if self.polls.save(poll, owner):
            return True
        reading.ended = Ended.LOST
        return False
