"""Projection: the rows of `open_lines` are made to say what the documents say.

An older look at a document may come late: it finds rows that are newer than it, or writes one that was left alone
because nothing in it had changed. So whoever wrote looks at the document once more, and starts over if it moved.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING, Any

from oms.domain.errors import InvalidMessage, InvariantBroken, Retryable
from oms.domain.order import Order
from oms.domain.projection import OpenLine, open_lines, outdated

if TYPE_CHECKING:
    from oms.stores.open_lines import OpenLinesStore
    from oms.stores.orders import OrdersStore

MAX_ROUNDS = 5
"""A document that moves on more often while its rows are written is looked at again later."""

KEPT_CHANGING = "the order kept changing"


@dataclass(slots=True)
class Projected:
    """What came of it: rows written, and per order that must come again, why."""

    written: int = 0
    failed: dict[str, str] = field(default_factory=dict)


def order_of(message: Any) -> str:
    """The id of the order that a message of the bus is about. Raises InvalidMessage."""
    detail = message.get("detail") if isinstance(message, Mapping) else None
    order_id = detail.get("order_id") if isinstance(detail, Mapping) else None
    if not isinstance(order_id, str) or not order_id:
        raise InvalidMessage("not an event of an order", field="detail.order_id")
    return order_id


@dataclass(frozen=True, slots=True)
class Projection:
    """Writes only rows whose content changed; run twice, late or by two workers at once it ends the same."""

    orders: OrdersStore
    open_lines: OpenLinesStore

    def project(self, order_ids: Iterable[str], now: datetime) -> Projected:
        """Brings the rows of these orders up to date, as their documents are now; an unreadable one fails alone."""
        wanted = list(dict.fromkeys(order_ids))
        try:
            found = self.orders.read_many(wanted)
        except Retryable as error:
            return Projected(failed=dict.fromkeys(wanted, type(error).__name__))
        result = self.project_orders([one for one in found.values() if isinstance(one, Order)], now)
        result.failed |= {name: type(one).__name__ for name, one in found.items() if isinstance(one, InvariantBroken)}
        return result

    def project_orders(self, orders: Sequence[Order], now: datetime) -> Projected:
        """Brings the rows of these orders up to date; documents that moved on meanwhile are read again."""
        result = Projected()
        for _ in range(MAX_ROUNDS):
            try:
                touched = self._write(self.stale(orders), now, result)
                orders = self._moved_on(orders, touched)
            except Retryable as error:
                result.failed |= {order.order_id: type(error).__name__ for order in orders}
                return result
            if not orders:
                return result
        result.failed |= {order.order_id: KEPT_CHANGING for order in orders}
        return result

    def stale(self, orders: Sequence[Order]) -> list[OpenLine]:
        """The rows that do not say what these documents say, as they should be. Raises Retryable."""
        present = by_order(self.open_lines.get_many(row.key for order in orders for row in open_lines(order)))
        return [row for order in orders for row in outdated(order, present.get(order.order_id, ()))]

    def strays(self, rows: Sequence[OpenLine]) -> tuple[list[OpenLine], list[OpenLine]]:
        """Of these rows, those that their order does not hold, closed, and those whose order there is not.

        Raises Retryable.
        """
        held = by_order(rows)
        orders = {order.order_id: order for order in self.orders.get_many(held)}
        closed = [
            row for order_id, order in orders.items() for row in outdated(order, held[order_id]) if not row.quantity
        ]
        return closed, [row for row in rows if row.order_id not in orders]

    def _write(self, rows: Sequence[OpenLine], now: datetime, result: Projected) -> set[str]:
        """Writes the rows; returns the orders that had one written."""
        touched = set()
        for row, outcome in zip(rows, self.open_lines.put_all(rows, now), strict=True):
            if isinstance(outcome, Retryable):
                result.failed[row.order_id] = type(outcome).__name__
            elif outcome:
                result.written += 1
                touched.add(row.order_id)
        return touched

    def _moved_on(self, orders: Sequence[Order], touched: set[str]) -> list[Order]:
        """Those of the touched orders whose documents are newer by now, as they are now."""
        if not touched:
            return []
        versions = {order.order_id: order.version for order in orders}
        return [order for order in self.orders.get_many(touched) if order.version > versions[order.order_id]]


def by_order(rows: Iterable[OpenLine]) -> dict[str, list[OpenLine]]:
    """Rows by the order they are of."""
    found: dict[str, list[OpenLine]] = {}
    for row in rows:
        found.setdefault(row.order_id, []).append(row)
    return found
