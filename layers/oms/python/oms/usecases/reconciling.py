"""Comparing an account's orders on its channel with ours, over the last hours: what is missing is taken in and told of.

Webhooks are the fast path and may fall silent; this is the proof that nothing was lost on any path.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime
from typing import TYPE_CHECKING

from oms.domain.channel_messages import PulledOrder
from oms.domain.errors import InvalidMessage, NotFound, Permanent, Retryable
from oms.domain.incoming import Envelope
from oms.domain.polling import (
    COMPARED_AGAIN,
    Comparison,
    Poll,
    compared,
    comparison_round,
    finished,
    whole_seconds,
)
from oms.usecases.polling import RECONCILE, OrdersDoor, envelope, known_times, task
from oms.usecases.reading_rounds import Channels, Ended, Reading, RoundReader

if TYPE_CHECKING:
    from oms.runtime.queues import Queue
    from oms.stores.orders import OrdersStore
    from oms.stores.quarantine import QuarantineStore
    from oms.stores.reference_data import SettingsStore

MAX_FETCHED = 20
"""Orders of a page that are fetched at once to see whether we follow them; the others are fetched by messages."""


@dataclass(frozen=True, slots=True)
class Reconciling:
    """Compares accounts. Make one per worker. `parse` tells what an order of a channel means, None: not followed."""

    settings: SettingsStore
    orders: OrdersStore
    quarantine: QuarantineStore
    reader: RoundReader
    channels: Channels
    queue: Queue
    door: OrdersDoor
    parse: Callable[[Envelope], object | None]

    def reconcile(self, name: str, owner: str, *, lease_seconds: float, go_on: Callable[[], bool]) -> Reading:
        """Compares what changed on an account within its `reconcile_hours`. As `RoundReader.read`."""
        channel, _, account_name = name.partition("#")
        account = self.settings.channel_account(channel, account_name)
        if account is None or account.reconcile_hours <= 0 or not self.channels.can(name, "pull"):
            return Reading(name)
        work = _Comparing(self, account.reconcile_hours)
        reading = self.reader.read(work, name, owner, lease_seconds=lease_seconds, go_on=go_on)
        if reading.ended is Ended.GOES_ON:
            self.queue.send(task(RECONCILE, name), group=name)
        return reading


@dataclass(frozen=True, slots=True)
class _Comparing:
    """The comparison of one account."""

    parts: Reconciling
    hours: int

    def begin(self, poll: Poll, now: datetime) -> Poll:
        """The last hours, counted anew."""
        reading = comparison_round(self.hours, now)
        found = Comparison(since=reading.since, until=reading.goal) if reading else None
        return replace(poll, round=reading, comparison=found)

    def take(self, poll: Poll, orders: tuple[PulledOrder, ...], reading: Reading) -> Poll:
        """Takes in what is missing here or behind. What waits in quarantine is not missing, but goes to intake again:
        what kept it from being understood may be mended by now. What is not followed is left alone."""
        if poll.comparison is None:
            return poll
        known = known_times(self.parts.orders, poll.name, orders)
        absent = [one for one in orders if one.channel_order_id not in known]
        refused = self._refused(poll.name, absent)
        waiting = [one for one in absent if one.channel_order_id in refused]
        missing, not_followed = self._missing(poll.name, [one for one in absent if one not in waiting])
        behind = [one for one in orders if _is_behind(one, known.get(one.channel_order_id))]
        to_take_in = [*missing, *behind, *waiting]
        self.parts.door.take_in(poll.name, to_take_in)
        reading.queued += len(to_take_in)
        times = {one.channel_order_id: one.updated_at for one in orders if one.channel_order_id not in not_followed}
        return replace(poll, comparison=compared(poll.comparison, times, known, refused))

    def finish(self, poll: Poll, now: datetime) -> Poll:
        """Compared again with the next hour's message, not with this one told twice."""
        found = replace(poll.comparison, finished_at=now) if poll.comparison else None
        return replace(finished(poll, now, now + COMPARED_AGAIN), comparison=found)

    def _refused(self, name: str, orders: list[PulledOrder]) -> frozenset[str]:
        """Those that intake could not understand, just so: a pull or an earlier comparison has brought them."""
        messages = {envelope(name, one).message_id: one for one in orders}
        waiting = self.parts.quarantine.holding(name, {key: one.updated_at for key, one in messages.items()})
        return frozenset(messages[key].channel_order_id for key in waiting)

    def _missing(self, name: str, orders: list[PulledOrder]) -> tuple[list[PulledOrder], set[str]]:
        """Those to take in, and the ids of those that we do not follow or that are gone by now."""
        missing, not_followed, asked = [], set(), 0
        for order in orders:
            found: PulledOrder | None = order
            if order.body is None and asked < MAX_FETCHED:
                asked += 1
                found = self._fetched(name, order)
            if found is None or (found.body is not None and not self._is_followed(name, found)):
                not_followed.add(order.channel_order_id)
            else:
                missing.append(found)
        return missing, not_followed

    def _fetched(self, name: str, order: PulledOrder) -> PulledOrder | None:
        """The whole order, None where it is gone. As it was listed where the channel can't tell it now, or never will:
        the message that fetches it puts it where a person sees it."""
        try:
            whole: PulledOrder = self.parts.channels.run(name, "fetch", order.channel_order_id)
        except NotFound:
            return None
        except (Permanent, Retryable):
            return order
        return whole

    def _is_followed(self, name: str, order: PulledOrder) -> bool:
        """Also when it can't be understood: then intake puts it where a person sees it."""
        try:
            return self.parts.parse(envelope(name, order)) is not None
        except InvalidMessage:
            return True


def _is_behind(order: PulledOrder, known: datetime | None) -> bool:
    return known is not None and known < whole_seconds(order.updated_at)
