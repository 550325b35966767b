"""The sweep: for whatever a lost, late or doubled message left behind, once a minute."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from oms.domain.errors import Retryable
from oms.domain.order import WaitingFor
from oms.domain.release import request_delivery, unanswered
from oms.usecases.outbound import trigger

if TYPE_CHECKING:
    from oms.runtime.queues import Queue
    from oms.stores.orders import Due, OrdersStore
    from oms.usecases.lifecycle import Lifecycle
    from oms.usecases.oversold import Oversold

ORDERS_PER_QUEUE = 200
"""Half of them the most overdue, half from a random moment on: no order is left out for ever behind older ones."""


@dataclass(slots=True)
class Swept:
    """What a sweep did; `replanned` counts positions to be planned anew. `failed` maps orders (and positions) that
    failed, and so stay due, to the class of the error."""

    evaluated: int = 0
    restarted: int = 0
    sent_again: int = 0
    replanned: int = 0
    failed: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Sweep:
    """Re-evaluates open orders past due, restarts their executions, asks unanswering locations again, and has
    positions that stay oversold planned anew."""

    orders: OrdersStore
    lifecycle: Lifecycle
    outbound: Queue
    oversold: Oversold
    pick: Callable[[], float] = random.random

    def run(self, now: datetime, due_before: datetime, *, go_on: Callable[[], bool]) -> Swept:
        """Works through every work queue while `go_on` says there is time. `due_before` is `now`, or later to
        look after orders that are not overdue yet, as after an outage."""
        swept = Swept()
        self._replan(swept, go_on)
        for queue in WaitingFor:
            for due in self._due(queue, due_before):
                if not go_on():
                    return swept
                self._look_after(due.order_id, now, swept)
        return swept

    def _replan(self, swept: Swept, go_on: Callable[[], bool]) -> None:
        """First, for it costs little and orders are many."""
        try:
            for seen in self.oversold.still():
                if not go_on():
                    return
                self.oversold.ask_to_replan(*seen)
                swept.replanned += 1
        except Retryable as error:
            swept.failed["oversold positions"] = type(error).__name__

    def _due(self, queue: WaitingFor, before: datetime) -> list[Due]:
        half = ORDERS_PER_QUEUE // 2
        oldest = self.orders.due(queue, before, limit=half)
        if len(oldest) < half:
            return oldest
        since = datetime.fromisoformat(oldest[-1].due_at)
        span = max(0.0, (before - since).total_seconds())
        start = since + timedelta(seconds=1 + span * self.pick())
        return oldest + self.orders.due(queue, before, after=start, limit=half)

    def _look_after(self, order_id: str, now: datetime, swept: Swept) -> None:
        try:
            order = self.lifecycle.evaluate(order_id, now)
            if order is None:
                return
            swept.evaluated += 1
            swept.restarted += self.lifecycle.keep_alive(order)
            for fulfillment in unanswered(order):
                self.outbound.send(*trigger(request_delivery(order, fulfillment)))
                swept.sent_again += 1
        except Exception as error:  # noqa: BLE001 - one order that fails must not keep the others from their turn
            swept.failed[order_id] = type(error).__name__
