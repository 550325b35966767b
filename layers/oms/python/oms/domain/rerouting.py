"""Rerouting: work that no location was asked to do yet goes to other locations, and the promise stays as it is.

One change gives back what the old locations hold and takes what the new ones are to hold. The old fulfillments are
cancelled and new ones added, so that an order is never without its stock and no fulfillment id means two things.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from datetime import datetime, timedelta

from oms.domain import stock
from oms.domain.allocation import allocate
from oms.domain.capacity import given_back
from oms.domain.changes import MAX_POSITIONS_PER_CHANGE, Context, OrderChange, touches
from oms.domain.events import EventType
from oms.domain.order import Fulfillment, Line, Method, Order, WaitingFor, Work
from oms.domain.progress import is_released, step, unallocated_units, was_released
from oms.domain.routing import RoutingPlan
from oms.domain.routing_record import routed_news
from oms.domain.stock import StockMove

RELEASE_MARGIN = timedelta(minutes=2)
"""Orders that may be released sooner than this stay where they are."""

MAX_REROUTES = 5
"""Times one order is moved: each leaves cancelled fulfillments in the document."""

WAITING_IN = (WaitingFor.CANCEL_WINDOW, WaitingFor.HOLD)
"""What orders that may be moved wait for."""


def may_move(order: Order, now: datetime) -> bool:
    """Whether the order has all its stock, nobody was asked to work on it, and its release is not at hand."""
    if order.waiting_for not in WAITING_IN or order.method is not Method.SHIP or order.review:
        return False
    if was_released(order) or unallocated_units(order) or not live_work(order):
        return False
    at_hand = order.release_after is None or order.release_after <= now + RELEASE_MARGIN
    if at_hand and not order.holds:
        return False
    return sum(event.type is EventType.ORDER_REROUTED for event in order.events) < MAX_REROUTES


def live_work(order: Order) -> list[Fulfillment]:
    """The fulfillments with open units that no location was asked for."""
    return [one for one in order.fulfillments if not is_released(one) and any(line.open for line in one.lines)]


def held_units(order: Order) -> dict[tuple[str, str], int]:
    """Units by sku and location that are promised to the order's work not released yet."""
    lines = {line.line_id: line for line in order.lines}
    held: Counter[tuple[str, str]] = Counter()
    for one in live_work(order):
        for part in one.lines:
            for sku, units in lines[part.line_id].stock_units(part.open).items():
                held[sku, one.location_id] += units
    return {position: units for position, units in held.items() if units}


def reopened(order: Order) -> Order:
    """The order as if its work not released yet had been given back: what is routed anew. It is never written."""
    back: Counter[str] = Counter()
    for one in live_work(order):
        back.update({part.line_id: part.open for part in one.lines})
    fulfillments = tuple(one if is_released(one) else _cancelled(one) for one in order.fulfillments)
    return replace(
        order, lines=tuple(_given(line, back[line.line_id]) for line in order.lines), fulfillments=fulfillments
    )


def reroute(order: Order, plan: RoutingPlan, saved_minor: int, context: Context) -> OrderChange | None:
    """The change that moves the order's work to where the plan says; None where one change can't hold it all.

    `saved_minor` is told with it; less than nothing where others save more by it.
    """
    opened = reopened(order)
    planned = allocate(opened, plan, context)
    if unallocated_units(planned.order):
        return None
    news = {
        "from": [one.location_id for one in live_work(order)],
        "to": [one.location_id for one in plan.assignments],
        "saved_minor": saved_minor,
    }
    changed = step(
        order,
        context,
        (EventType.ORDER_REROUTED, news),
        (EventType.ORDER_ROUTED, routed_news(order, plan)),
        lines=planned.order.lines,
        fulfillments=planned.order.fulfillments,
        routing_policy_version=plan.policy_version or None,
    )
    moves = _moves(held_units(order), held_units(changed))
    change = OrderChange(order=changed, moves=moves, capacity=given_back(order, changed) + planned.capacity)
    return change if touches(change) <= MAX_POSITIONS_PER_CHANGE else None


def _moves(before: dict[tuple[str, str], int], after: dict[tuple[str, str], int]) -> tuple[StockMove, ...]:
    """What is given back and taken per position; what stays there does not move."""
    moves = []
    for sku, location_id in sorted(before.keys() | after.keys()):
        more = after.get((sku, location_id), 0) - before.get((sku, location_id), 0)
        if more:
            moves.append((stock.commit if more > 0 else stock.release)(sku, location_id, abs(more)))
    return tuple(moves)


def _cancelled(one: Fulfillment) -> Fulfillment:
    lines = tuple(replace(line, open=0, cancelled=line.cancelled + line.open) for line in one.lines)
    return replace(one, lines=lines, work=Work.CANCELLED)


def _given(line: Line, units: int) -> Line:
    if not units:
        return line
    return replace(line, in_fulfillment=line.in_fulfillment - units, unallocated=line.unallocated + units)
