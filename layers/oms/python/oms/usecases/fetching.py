"""Fetching single orders that a channel told too little of: each goes to intake as it is now."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

from oms.domain.channel_messages import PulledOrder
from oms.domain.errors import InvalidMessage, NotFound, Permanent, Retryable
from oms.usecases.polling import FETCH, OrdersDoor, task
from oms.usecases.reading_rounds import Channels

if TYPE_CHECKING:
    from oms.runtime.queues import Queue
    from oms.stores.quarantine import QuarantineStore

GONE = "GONE_ON_CHANNEL"
QUARANTINE_SOURCE = "poll#"
"""What the sources of fetches begin with: replayed, they belong on the poll queue, not on the one for intake."""

MAX_FETCHES = 10
"""Orders fetched for one message; what it names beyond goes on as a message of its own."""


@dataclass(slots=True)
class Fetched:
    """What became of a message: orders on their way to intake, in quarantine, and left to a message of their own."""

    fetched: int = 0
    gone: int = 0
    refused: int = 0
    left: int = 0


@dataclass(frozen=True, slots=True)
class Fetching:
    """Fetches orders. Make one per worker."""

    channels: Channels
    queue: Queue
    door: OrdersDoor
    quarantine: QuarantineStore
    now: Callable[[], datetime]

    def fetch(
        self, channel_account: str, channel_order_ids: list[str], asked_at: datetime, go_on: Callable[[], bool]
    ) -> Fetched:
        """Puts each order on its way to intake as the channel has it now.

        One that the channel does not have (any more), or will not tell, waits in quarantine for a person; `asked_at` is
        when the message was sent, so that a repeat is the same row. When the channel can't be asked now, what is left
        goes on as a message of its own, or, when nothing was done, Retryable is raised: either way there is an end.
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
        except Permanent as error:
            done.gone += isinstance(error, NotFound)
            done.refused += not isinstance(error, NotFound)
            self._quarantine(channel_account, channel_order_id, asked_at, error)
            return
        self.door.take_in(channel_account, [order])
        done.fetched += 1

    def _leave(self, channel_account: str, left: list[str], done: Fetched) -> Fetched:
        self.queue.send(task(FETCH, channel_account, tuple(left)), group=channel_account)
        done.left = len(left)
        return done

    def _quarantine(self, channel_account: str, channel_order_id: str, asked_at: datetime, error: Permanent) -> None:
        reason = GONE if isinstance(error, NotFound) else type(error).__name__
        if isinstance(error, InvalidMessage):
            reason = error.reason
        cause = {"reason": reason, "field": error.field if isinstance(error, InvalidMessage) else ""}
        message = task(FETCH, channel_account, (channel_order_id,))
        source = QUARANTINE_SOURCE + channel_account
        self.quarantine.put(source, channel_order_id, asked_at, cause, message, self.now())
