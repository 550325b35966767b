"""Fetching single orders that a channel told too little of: each goes to intake as it is now."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

from oms.domain.channel_messages import PulledOrder
from oms.domain.errors import InvalidMessage, NotFound, Permanent, Retryable
from oms.domain.ids import order_id
from oms.domain.progress import TERMINAL
from oms.usecases.polling import FETCH, OrdersDoor, task
from oms.usecases.reading_rounds import Channels

if TYPE_CHECKING:
    from oms.runtime.queues import Queue
    from oms.stores.orders import OrdersStore
    from oms.stores.quarantine import QuarantineStore

GONE = "GONE_ON_CHANNEL"
QUARANTINE_SOURCE = "poll#"
"""What the sources of fetches begin with: replayed, they belong on the poll queue, not on the one for intake."""

MAX_FETCHES = 10
"""Orders fetched for one message; what it names beyond goes on as a message of its own."""


@dataclass(slots=True)
class Fetched:
    """What became of a message: orders on their way to intake, gone on their channel, put into quarantine, and left to
    a message of their own."""

    fetched: int = 0
    gone: int = 0
    quarantined: int = 0
    left: int = 0


@dataclass(frozen=True, slots=True)
class Fetching:
    """Fetches orders. Make one per worker."""

    channels: Channels
    queue: Queue
    door: OrdersDoor
    orders: OrdersStore
    quarantine: QuarantineStore
    now: Callable[[], datetime]

    def fetch(
        self, channel_account: str, channel_order_ids: list[str], asked_at: datetime, go_on: Callable[[], bool]
    ) -> Fetched:
        """Puts each order on its way to intake as the channel has it now.

        One that the channel will not tell, or does not have any more though it is open here, waits in quarantine for a
        person; `asked_at` is when the message was sent, so that a repeat is the same row. One that is gone and was
        never here, or is over, is only counted: shops empty their bins. When the channel can't be asked now, what is
        left goes on as a message of its own; when nothing was done, Retryable is raised: either way there is an end.
        """
        wanted, done = list(dict.fromkeys(channel_order_ids)), Fetched()
        for at, channel_order_id in enumerate(wanted):
            if at == MAX_FETCHES or (at and not go_on()):
                return self._leave(channel_account, wanted[at:], done)
            try:
                self._fetch(channel_account, channel_order_id, asked_at, done)
            except Retryable:
                if not at:
                    raise
                return self._leave(channel_account, wanted[at:], done)
        return done

    def _fetch(self, channel_account: str, channel_order_id: str, asked_at: datetime, done: Fetched) -> None:
        try:
            order: PulledOrder = self.channels.run(channel_account, "fetch", channel_order_id)
        except NotFound:
            cause = self._gone(channel_account, channel_order_id)
            done.gone += 1
        except Permanent as error:
            cause = _cause(error)
        else:
            self.door.take_in(channel_account, [order])
            done.fetched += 1
            return
        if cause:
            self._quarantine(channel_account, channel_order_id, asked_at, cause)
            done.quarantined += 1

    def _gone(self, channel_account: str, channel_order_id: str) -> dict[str, str] | None:
        """Why a person must look at an order that is gone on its channel; None where nobody need."""
        channel, _, account = channel_account.partition("#")
        known = order_id(channel, account, channel_order_id)
        status = self.orders.statuses([known]).get(known)
        if status is None or status in TERMINAL:
            return None
        return {"reason": GONE, "error": f"open here: {status}", "order_id": known}

    def _leave(self, channel_account: str, left: list[str], done: Fetched) -> Fetched:
        self.queue.send(task(FETCH, channel_account, tuple(left)), group=channel_account)
        done.left = len(left)
        return done

    def _quarantine(
        self, channel_account: str, channel_order_id: str, asked_at: datetime, cause: Mapping[str, str]
    ) -> None:
        message = task(FETCH, channel_account, (channel_order_id,))
        cause = {**cause, "channel_order_id": channel_order_id}
        source = QUARANTINE_SOURCE + channel_account
        self.quarantine.put(source, channel_order_id, asked_at, cause, message, self.now())


def _cause(error: Permanent) -> dict[str, str]:
    if isinstance(error, InvalidMessage):
        return {"reason": error.reason, "field": error.field}
    return {"reason": type(error).__name__}
