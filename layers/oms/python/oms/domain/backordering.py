"""Short of stock: which units an order waits for, what becomes of them, and when the wait is over."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime, timedelta

from oms.domain.catalog import Policy
from oms.domain.changes import Context, OrderChange, queue_rows
from oms.domain.events import EventType
from oms.domain.order import Line, Order
from oms.domain.progress import Happening, step

MAX_ROWS_PER_CHANGE = 90
"""A change puts or deletes no more rows of the queues; what is left goes in the next."""

BACKORDER_LIMIT = "BACKORDER_LIMIT"
OUT_OF_STOCK = "OUT_OF_STOCK"


def short_units(order: Order, shortages: Mapping[str, int]) -> dict[str, int]:
    """Units per line that are short, from missing units per stocked sku: the last lines of a sku go short first.

    A kit is short as often as its scarcest component is.
    """
    missing, short = dict(shortages), {}
    for line in reversed(order.lines):
        each = line.stock_units(1)
        units = max((-(-max(0, missing.get(sku, 0)) // per) for sku, per in each.items()), default=0)
        units = min(line.unallocated, units)
        for sku, per in each.items():
            missing[sku] = missing.get(sku, 0) - units * per
        if units:
            short[line.line_id] = units
    return short


def what_is_there(order: Order, short: Mapping[str, int]) -> Order:
    """The order as if it asked only for what is not short: for routing, never to be stored."""
    lines = (replace(line, unallocated=line.unallocated - short.get(line.line_id, 0)) for line in order.lines)
    return replace(order, lines=tuple(lines))


def record_shortage(order: Order, short: Mapping[str, int], context: Context) -> OrderChange | None:
    """The change that notes which units wait for stock, or its first part; None if the order says so already.

    Who waits for stock does not wait for a route any more.
    """
    wanted = {line.line_id: short.get(line.line_id, 0) for line in order.lines}
    differing = _first_rows([line for line in order.lines if line.backordered != wanted[line.line_id]])
    if not differing and order.unroutable_since is None:
        return None
    lines = tuple(
        replace(line, backordered=wanted[line.line_id]) if line.line_id in differing else line for line in order.lines
    )
    news = (EventType.ORDER_BACKORDERED, {"short": dict(short)})
    changed = step(order, context, news, lines=lines, unroutable_since=None)
    put, deleted = queue_rows(order, changed)
    return OrderChange(order=changed, backorders_added=put, backorders_removed=deleted)


def cancel_rest(order: Order, short: Mapping[str, int], context: Context, reason: str) -> OrderChange | None:
    """The change that cancels units no location was found for, or its first part; None when none are left.

    Works in any state of the order: nobody was promised these units, nobody works on them.
    """
    wanted = _first_rows([line for line in order.lines if min(short.get(line.line_id, 0), line.unallocated)])
    if not wanted:
        return None
    lines = tuple(_cancelled(line, short[line.line_id]) if line.line_id in wanted else line for line in order.lines)
    changed = step(order, context, _cancel_news(order, lines, reason), lines=lines)
    put, deleted = queue_rows(order, changed)
    return OrderChange(order=changed, backorders_added=put, backorders_removed=deleted)


def waits_only_for_stock(order: Order) -> bool:
    """Whether every unit without a location is known to be short."""
    return all(line.unallocated == line.backordered for line in order.lines)


def wait_is_over(order: Order, policy: Policy, now: datetime) -> bool:
    """Whether the order has waited for stock as long as the policy lets it."""
    if order.backordered_since is None or order.review:
        return False
    return now >= order.backordered_since + timedelta(seconds=policy.backorder_limit_seconds)


def backordered_units(order: Order) -> dict[str, int]:
    """Units per line that wait for stock."""
    return {line.line_id: line.backordered for line in order.lines if line.backordered}


def _first_rows(lines: list[Line]) -> set[str]:
    rows, taken = 0, set()
    for line in lines:
        rows += len(line.stock_units(1))
        if rows > MAX_ROWS_PER_CHANGE:
            break
        taken.add(line.line_id)
    return taken


def _cancelled(line: Line, units: int) -> Line:
    units = min(units, line.unallocated)
    return replace(
        line,
        unallocated=line.unallocated - units,
        cancelled=line.cancelled + units,
        backordered=max(0, line.backordered - units),
    )


def _cancel_news(order: Order, lines: tuple[Line, ...], reason: str) -> Happening:
    if all(line.cancelled == line.ordered for line in lines):
        return EventType.ORDER_CANCELLED, {"reason": reason}
    pairs = zip(order.lines, lines, strict=True)
    units = {line.line_id: line.cancelled - was.cancelled for was, line in pairs if line.cancelled > was.cancelled}
    return EventType.LINES_CANCELLED, {"reason": reason, "lines": units}
