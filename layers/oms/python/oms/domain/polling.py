"""Reading a channel's orders in rounds: what to read next, where to go on, when to come again.

A round reads from just before the cursor up to now, in windows of at most MAX_WINDOW, each page by page. The cursor
says that everything which changed before it was put on the intake queue; it moves when a window has been read to its
end, never before. A comparison with the channel is the same kind of round, over the last hours.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import StrEnum

from oms.domain.catalog import ChannelAccount
from oms.domain.channel_messages import PulledOrder, Window
from oms.domain.errors import InvalidMessage

MAX_WINDOW = timedelta(days=1)
"""Channels bound their windows, and a page token lives for a while only: what was missed for longer goes in slices."""

FIRST_PULL = timedelta(days=1)
"""How far back the first pull of an account looks, unless its option `pull_from` says since when."""

PULL_FROM = "pull_from"
TICK_SLACK = timedelta(seconds=30)
"""Half a minute less than the account's interval: the schedule looks each minute, and would come a minute too late."""

SETTLED = timedelta(minutes=1)
"""What a channel shows this long after a moment is all it will show of that second: its clock may be off by a little,
and it may show changes late."""

MAX_AHEAD = timedelta(minutes=5)
"""Clocks of workers differ by less. A cursor that lies further ahead of now was not written by reading."""

COMPARED_UNTIL = timedelta(minutes=10)
"""A comparison ends so long before now: what is still in a queue is not missing."""

COMPARED_AGAIN = timedelta(minutes=45)
COMPARED_EACH = timedelta(hours=1)
FIRST_BACK_OFF_SECONDS, MAX_BACK_OFF_SECONDS = 30.0, 3600.0
MAX_RETRY_AFTER_SECONDS = 12 * 3600.0
MAX_NAMED = 20
"""How many missing orders are named on the row; the others are counted."""


class PollStatus(StrEnum):
    """Whether the last round of an account came through."""

    OK = "OK"
    FAILING = "FAILING"


@dataclass(frozen=True, slots=True, kw_only=True)
class Round:
    """What is being read now: the page of `page_token` ("" is the first) of the window `since` to `until`, and then on
    to `goal`. `restarted`: the channel did not take a token of this window once already."""

    since: datetime
    until: datetime
    goal: datetime
    page_token: str = ""
    restarted: bool = False

    @property
    def window(self) -> Window:
        """The window as the channel's file wants it."""
        return Window(since=self.since, until=self.until)


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """What a comparison of a window found. MISSING here, BEHIND the channel, or REFUSED: they wait in quarantine."""

    since: datetime
    until: datetime
    finished_at: datetime | None = None
    compared: int = 0
    missing: int = 0
    behind: int = 0
    refused: int = 0
    first_missing: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Poll:
    """How far the reading of an account is, and who reads it: nobody else does while the lease lasts."""

    name: str
    cursor: datetime | None = None
    round: Round | None = None
    next_due_at: datetime | None = None
    finished_at: datetime | None = None
    status: PollStatus = PollStatus.OK
    failures: int = 0
    last_error: str = ""
    lease_owner: str = ""
    lease_until: datetime | None = None
    comparison: Comparison | None = None

    def is_due(self, now: datetime) -> bool:
        """Whether somebody should read the account now, and nobody does."""
        is_free = self.lease_until is None or self.lease_until < now
        return is_free and (self.next_due_at is None or self.next_due_at <= now)


def pull_round(poll: Poll, account: ChannelAccount, now: datetime, lag: timedelta) -> Round | None:
    """The round to read now, up to `lag` ago; None where there is nothing between. Raises InvalidMessage."""
    goal = now - lag
    if poll.cursor is None:
        return _round(_first(account, now), goal)
    return _round(poll.cursor - timedelta(seconds=account.overlap_seconds), goal)


def without_strange_cursor(poll: Poll, now: datetime) -> Poll:
    """As if it was never read, where its cursor lies in the future: or nothing would be read until then."""
    is_strange = poll.cursor is not None and poll.cursor > now + MAX_AHEAD
    return replace(poll, cursor=None) if is_strange else poll


def comparison_round(hours: int, now: datetime) -> Round | None:
    """The last hours, less what may still be on its way."""
    until = now - COMPARED_UNTIL
    return _round(until - timedelta(hours=hours), until)


def after_page(reading: Round, next_token: str | None) -> Round | None:
    """Where to go on after a page; None at the end of the round."""
    if next_token:
        return replace(reading, page_token=next_token)
    return _round(reading.until, reading.goal)


def restarted(reading: Round) -> Round:
    """The window from its first page on: the token of a later one is not taken any more."""
    return replace(reading, page_token="", restarted=True)


def read_on(poll: Poll, next_token: str | None) -> Poll:
    """After a page whose orders are all on the queue: the cursor moves when it was the last of its window.

    What failed before is forgotten, since it got on; not in a window begun again, whose pages were read before.
    """
    if poll.round is None:
        return poll
    until = poll.round.until
    moved = poll if next_token else replace(poll, cursor=max(poll.cursor or until, until))
    failures = poll.failures if poll.round.restarted else 0
    return replace(moved, round=after_page(poll.round, next_token), failures=failures)


def released(poll: Poll) -> Poll:
    """Free for whoever reads on."""
    return replace(poll, lease_owner="", lease_until=None)


def finished(poll: Poll, now: datetime, next_due_at: datetime) -> Poll:
    """The round came to its end: it worked."""
    done = replace(poll, finished_at=now, next_due_at=next_due_at, failures=0, last_error="", status=PollStatus.OK)
    return released(done)


def paused(poll: Poll, now: datetime, seconds: float) -> Poll:
    """The channel's limit is used up for now: no failure, it goes on in a while."""
    return released(replace(poll, failures=0, status=PollStatus.OK, last_error="", next_due_at=_later(now, seconds)))


def cut_short(poll: Poll, now: datetime, got_on: bool) -> Poll:
    """The invocation's own time was over: no failure of the account. It goes on at once if it `got_on`; otherwise a
    little later, since the same page would take as long again."""
    return released(poll if got_on else replace(poll, next_due_at=_later(now, FIRST_BACK_OFF_SECONDS)))


def failed(poll: Poll, now: datetime, error: str, retry_after_seconds: float | None, chance: float) -> Poll:
    """The round broke off with an error (its class): the account rests, longer each time, and goes on from there."""
    seconds = back_off_seconds(poll.failures + 1, retry_after_seconds, chance)
    broken = replace(poll, failures=poll.failures + 1, status=PollStatus.FAILING, last_error=error)
    return released(replace(broken, next_due_at=_later(now, seconds)))


def back_off_seconds(failures: int, retry_after_seconds: float | None, chance: float) -> float:
    """Twice as long after each failure, up to an hour, a random half of it off so that accounts do not come back
    together (`chance` 0 to 1); never before the channel wants to be asked again."""
    full = min(MAX_BACK_OFF_SECONDS, FIRST_BACK_OFF_SECONDS * 2.0 ** min(failures - 1, 20))
    return max(full * (1 - chance / 2), min(retry_after_seconds or 0.0, MAX_RETRY_AFTER_SECONDS))


def due_after(account: ChannelAccount, began_at: datetime) -> datetime:
    """When to pull again after a round that began then."""
    return began_at + max(TICK_SLACK, timedelta(seconds=account.poll_seconds) - TICK_SLACK)


def behind_seconds(poll: Poll | None, account: ChannelAccount, now: datetime) -> float:
    """How much later than its settings want an account is read, or than each hour compared: the last comparison may go
    on for days at a channel's pace, without failing. 0 for one that was never read."""
    if poll is not None and poll.comparison is not None:
        return max(0.0, (now - poll.comparison.until - COMPARED_UNTIL - COMPARED_EACH).total_seconds())
    if poll is None or poll.cursor is None:
        return 0.0
    return max(0.0, (now - poll.cursor).total_seconds() - account.poll_seconds)


def is_known(order: PulledOrder, known: datetime | None, cursor: datetime | None) -> bool:
    """Whether the order as listed needs no second look: an earlier round has queued it just so.

    The overlap is there for orders that a channel shows late; most of what it lists we have. An order whose last change
    is the one we have, and lies SETTLED before the cursor, was listed by a round that looked after that second was
    over: no other content can bear that time. One that changed later may have changed again within the same second
    since we looked, so it is queued again and intake decides by its content.
    """
    if known is None or cursor is None:
        return False
    return known >= whole_seconds(order.updated_at) and order.updated_at < cursor - SETTLED


def whole_seconds(moment: datetime) -> datetime:
    """As the documents hold times."""
    return moment.replace(microsecond=0)


def compared(
    found: Comparison, orders: Mapping[str, datetime], known: Mapping[str, datetime], refused: frozenset[str]
) -> Comparison:
    """The comparison after more orders: when each changed on the channel, and here; all by channel_order_id."""
    absent = [one for one in orders if one not in known]
    missing = [one for one in absent if one not in refused]
    behind = [one for one in orders if one in known and known[one] < whole_seconds(orders[one])]
    return replace(
        found,
        compared=found.compared + len(orders),
        missing=found.missing + len(missing),
        behind=found.behind + len(behind),
        refused=found.refused + len(absent) - len(missing),
        first_missing=(*found.first_missing, *missing)[:MAX_NAMED],
    )


def _first(account: ChannelAccount, now: datetime) -> datetime:
    text = account.options.get(PULL_FROM, "")
    if not text:
        return now - FIRST_PULL
    try:
        moment = datetime.fromisoformat(text)
    except ValueError as error:
        raise InvalidMessage(f"{PULL_FROM} is no time", field=PULL_FROM, reason="INVALID_FIELD") from error
    if moment.tzinfo is None:
        raise InvalidMessage(f"{PULL_FROM} names no time zone", field=PULL_FROM, reason="INVALID_FIELD")
    return moment


def _round(since: datetime, goal: datetime) -> Round | None:
    if since >= goal:
        return None
    return Round(since=since, until=min(goal, since + MAX_WINDOW), goal=goal)


def _later(now: datetime, seconds: float) -> datetime:
    return now + timedelta(seconds=round(min(seconds, MAX_RETRY_AFTER_SECONDS)))
