"""Waking: stock came, or somebody left the queue for it; who can be served now is told to ask again.

Those woken are the longest prefix of a sku's queue that the stock there is now serves completely, and no more: the
queue and the stock are read once, and the plan of each order woken takes its units out of what is left for the next.
Whoever is woken in vain waits again; whoever was woken already hears nothing new.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING

from oms.domain.changes import Backorder
from oms.domain.errors import InvariantBroken, NoRoute, OutOfStock, Unavailable
from oms.domain.lifecycle import AWAIT_STOCK, Answer, Wait
from oms.domain.order import Order
from oms.domain.routing_items import needed_units
from oms.domain.unroutable import waits_for_route
from oms.usecases.sourcing import StockView

if TYPE_CHECKING:
    from oms.runtime.executions import Executions
    from oms.stores.orders import OrdersStore
    from oms.stores.waits import WaitsStore
    from oms.usecases.sourcing import Sourcing

AT_ONCE = 100
"""Orders that are read together."""

ANSWERERS = 8
"""Executions that are answered at the same time."""

GoOn = Callable[[], bool]


@dataclass(frozen=True, slots=True)
class Waking:
    """Answers executions that wait for stock. Every method raises Retryable: then it must be called again."""

    orders: OrdersStore
    waits: WaitsStore
    sourcing: Sourcing
    executions: Executions

    def wake(self, sku: str, now: datetime, *, go_on: GoOn) -> int:
        """There is more of a sku: wakes whoever it serves completely, oldest first; returns how many that are.

        Raises Unavailable when `go_on` ends it before all are woken.
        """
        left = self._look(sku, now)
        return self._wake(left.queue(sku), left, go_on)

    def close_up(self, sku: str, gone: Sequence[Backorder], now: datetime, *, go_on: GoOn) -> int:
        """These rows left the queue of a sku, or wait for fewer units than they did: `wake`, if others gain by it.

        An order that left with its stock took from what is there just what it stood for: nobody gains.
        """
        left = self._look(sku, now)
        queue = left.queue(sku)
        if not queue or not self._anyone_left_without(gone):
            return 0
        return self._wake(queue, left, go_on)

    def _look(self, sku: str, now: datetime) -> _Left:
        left = _Left(self.sourcing, self.sourcing.look([], now))
        left.look_at([sku])
        return left

    def _anyone_left_without(self, gone: Sequence[Backorder]) -> bool:
        found = self.orders.read_many(row.order_id for row in gone)
        return not all(took_its_stock(found.get(row.order_id), row.line_id) for row in gone)

    def _wake(self, queue: Sequence[str], left: _Left, go_on: GoOn) -> int:
        woken = 0
        for start in range(0, len(queue), AT_ONCE):
            if not go_on():
                raise Unavailable("more orders to wake than there is time for")
            served = self._served(queue[start : start + AT_ONCE], left)
            with ThreadPoolExecutor(ANSWERERS) as answerers:
                woken += len(list(answerers.map(self._answer, served)))
        return woken

    def _served(self, order_ids: Sequence[str], left: _Left) -> list[Wait]:
        """The waiting entries of those who are served; an entry is read before its order, so no change is missed."""
        waits = self.waits.get_many(order_ids)
        orders = self.orders.read_many(order_ids)
        served = [order_id for order_id in order_ids if left.serves(orders.get(order_id))]
        return [waits[one] for one in served if one in waits and waits[one].state == AWAIT_STOCK]

    def _answer(self, wait: Wait) -> None:
        self.executions.answer(wait.task_token, Answer())


@dataclass(slots=True)
class _Left:
    """What is left for the next in the queue."""

    sourcing: Sourcing
    view: StockView
    seen: set[str] = field(default_factory=set)

    def look_at(self, skus: Iterable[str]) -> None:
        """Reads the stock and the queues of skus that were not read yet."""
        unseen = set(skus) - self.seen
        if unseen:
            self.sourcing.look_again(self.view, unseen, hopeful=True)
            self.seen |= unseen

    def queue(self, sku: str) -> list[str]:
        """The orders that wait for the sku, first come first, until they would take all there is."""
        return list(dict.fromkeys(row.order_id for row in self.view.queues.get(sku, ())))

    def serves(self, order: Order | Exception | None) -> bool:
        """Whether the allocation worker would serve the order, whose units are then gone; one that is not served
        keeps its claim. That there is no route is the worker's answer to give, unless such orders just wait."""
        if not isinstance(order, Order):
            return False
        if order.review or not needed_units(order):
            self._forget(order)
            return False
        self.look_at(needed_units(order))
        try:
            self.view.consume(order, self.sourcing.route(order, self.view))
        except (OutOfStock, InvariantBroken):
            return False
        except NoRoute:
            return not waits_for_route(self.sourcing.settings.routing_policy())
        return True

    def _forget(self, order: Order) -> None:
        """The order left the queues since they were read, perhaps with its units: it claims no others."""
        for sku, rows in self.view.queues.items():
            self.view.queues[sku] = [row for row in rows if row.order_id != order.order_id]


def took_its_stock(order: Order | Exception | None, line_id: str) -> bool:
    """Whether a line that waits no more has got all it waited for."""
    line = order.line(line_id) if isinstance(order, Order) else None
    return line is not None and not line.unallocated and not line.cancelled
