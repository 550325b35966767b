"""Pulling orders from channels: who is due, and what is put on the intake queue of what a channel lists.

The pull is the proof where webhooks are the fast path: it reads all that changed, from a little before the last round.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from oms.domain.catalog import ChannelAccount
from oms.domain.channel_messages import PulledOrder
from oms.domain.errors import Retryable
from oms.domain.ids import order_id
from oms.domain.incoming import FETCHED, Envelope
from oms.domain.polling import (
    Poll,
    PollStatus,
    behind_seconds,
    due_after,
    finished,
    is_known,
    pull_round,
    without_strange_cursor,
)
from oms.usecases.reading_rounds import Channels, Ended, Reading, RoundReader

if TYPE_CHECKING:
    from oms.runtime.intake_door import IntakeDoor
    from oms.runtime.queues import Queue
    from oms.stores.orders import OrdersStore
    from oms.stores.polls import PollsStore
    from oms.stores.reference_data import SettingsStore

FETCHES_PER_MESSAGE = 5
PULL, FETCH, RECONCILE = "pull", "fetch", "reconcile"
MANY_FAILURES = 3
"""So often in a row a pull fails before a person hears of it: a channel that is away for a minute comes back."""


def task(name: str, channel_account: str, channel_order_ids: tuple[str, ...] = ()) -> dict[str, Any]:
    """A message for the poll queue."""
    ids = {"channel_order_ids": list(channel_order_ids)} if channel_order_ids else {}
    return {"task": name, "channel_account": channel_account, **ids}


def envelope(channel_account: str, order: PulledOrder) -> Envelope:
    """An order that we asked for, on its way to intake.

    It counts as received when it last changed, not when it was read: read again, it is the same message, and if it is
    not understood the same row of quarantine.
    """
    channel, _, account = channel_account.partition("#")
    return Envelope(
        channel=channel,
        account=account,
        topic=FETCHED,
        message_id=f"{order.channel_order_id}@{order.updated_at.isoformat()}",
        received_at=order.updated_at,
        body=order.body or "",
    )


@dataclass(frozen=True, slots=True)
class OrdersDoor:
    """Puts orders that a channel listed on their way: whole ones to intake, others to be fetched."""

    door: IntakeDoor
    queue: Queue

    def take_in(self, channel_account: str, orders: list[PulledOrder]) -> None:
        """Queues all of them. Raises Retryable: then some are there."""
        self.door.put_many([envelope(channel_account, order) for order in orders if order.body is not None])
        thin = [order.channel_order_id for order in orders if order.body is None]
        parts = [tuple(thin[at : at + FETCHES_PER_MESSAGE]) for at in range(0, len(thin), FETCHES_PER_MESSAGE)]
        if parts:
            self.queue.send_many([task(FETCH, channel_account, part) for part in parts], group=channel_account)


@dataclass(slots=True)
class DueAccounts:
    """Which accounts were asked to be read, and how the others are. `unreadable`: their settings or row are not;
    `not_asked`: the queue did not take their message."""

    asked: list[str] = field(default_factory=list)
    failing: list[str] = field(default_factory=list)
    unreadable: list[str] = field(default_factory=list)
    not_asked: list[str] = field(default_factory=list)
    behind_seconds: float = 0.0

    @property
    def troubled(self) -> list[str]:
        """The accounts that somebody must look at."""
        return [*self.failing, *self.unreadable, *self.not_asked]


@dataclass(frozen=True, slots=True)
class Schedule:
    """Finds the accounts whose time has come and asks for them to be read. `can` tells what a channel offers."""

    settings: SettingsStore
    polls: PollsStore
    queue: Queue
    can: Callable[[str, str], bool]

    def ask(self, name: str, wanted: Callable[[ChannelAccount], bool], now: datetime) -> DueAccounts:
        """Puts one message of this task on the poll queue for each account that is due and not being read; one whose
        message is not taken is due again next time. Raises Retryable when nothing can be read, or nothing is taken."""
        polls, due = self.polls.all(), DueAccounts()
        for channel_account, account in self.settings.channel_accounts().items():
            poll = polls.get(channel_account)
            if not isinstance(account, ChannelAccount) or not isinstance(poll, Poll | None):
                due.unreadable.append(channel_account)
            elif wanted(account) and self.can(channel_account.partition("#")[0], "pull"):
                due.behind_seconds = max(due.behind_seconds, behind_seconds(poll, account, now))
                self._look_at(channel_account, poll, now, due)
        self._send(name, due)
        return due

    def _look_at(self, channel_account: str, poll: Poll | None, now: datetime, due: DueAccounts) -> None:
        if poll is None or poll.is_due(now):
            due.asked.append(channel_account)
        if poll and poll.status is PollStatus.FAILING and poll.failures >= MANY_FAILURES:
            due.failing.append(channel_account)

    def _send(self, name: str, due: DueAccounts) -> None:
        refused: Retryable | None = None
        wanted, due.asked = due.asked, []
        for channel_account in wanted:
            try:
                self.queue.send(task(name, channel_account), group=channel_account)
                due.asked.append(channel_account)
            except Retryable as error:
                refused = error
                due.not_asked.append(channel_account)
        if refused and not due.asked:
            raise refused


@dataclass(frozen=True, slots=True)
class Polling:
    """Pulls accounts. Make one per worker."""

    settings: SettingsStore
    orders: OrdersStore
    reader: RoundReader
    channels: Channels
    queue: Queue
    door: OrdersDoor

    def pull(self, name: str, owner: str, *, lease_seconds: float, go_on: Callable[[], bool]) -> Reading:
        """Pulls what changed on an account since the last pull, if it is due. As `RoundReader.read`."""
        channel, _, account_name = name.partition("#")
        account = self.settings.channel_account(channel, account_name)
        if account is None or account.poll_seconds <= 0 or not self.channels.can(name, "pull"):
            return Reading(name)
        lag = timedelta(seconds=self.channels.constant(name, "LAG_SECONDS", 0))
        work = _Pull(account, lag, self.orders, self.door)
        reading = self.reader.read(work, name, owner, lease_seconds=lease_seconds, go_on=go_on)
        if reading.ended is Ended.GOES_ON:
            self.queue.send(task(PULL, name), group=name)
        return reading


@dataclass(frozen=True, slots=True)
class _Pull:
    """A pull of one account."""

    account: ChannelAccount
    lag: timedelta
    orders: OrdersStore
    door: OrdersDoor

    def begin(self, poll: Poll, now: datetime) -> Poll:
        """From a little before the cursor up to now."""
        trusted = without_strange_cursor(poll, now)
        return replace(trusted, round=pull_round(trusted, self.account, now, self.lag))

    def take(self, poll: Poll, orders: tuple[PulledOrder, ...], reading: Reading) -> Poll:
        """Queues the orders that were not queued just so before."""
        known = known_times(self.orders, poll.name, orders)
        new = [one for one in orders if not is_known(one, known.get(one.channel_order_id), poll.cursor)]
        self.door.take_in(poll.name, new)
        reading.queued += len(new)
        return poll

    def finish(self, poll: Poll, now: datetime) -> Poll:
        """Due again after the account's interval, counted from when the round began."""
        began_at = min(poll.cursor + self.lag, now) if poll.cursor else now
        return finished(poll, now, due_after(self.account, began_at))


def known_times(store: OrdersStore, channel_account: str, orders: tuple[PulledOrder, ...]) -> dict[str, datetime]:
    """When the listed orders were last changed on their channel as we have them, by channel_order_id."""
    channel, _, account = channel_account.partition("#")
    ids = {order_id(channel, account, one.channel_order_id): one.channel_order_id for one in orders}
    return {ids[known]: at for known, at in store.channel_times(ids).items()}
