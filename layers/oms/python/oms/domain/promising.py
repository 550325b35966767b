"""What the customer was promised, and every later change of it with its cause.

The first plan that has everything makes the promise where the channel made none. A later plan that can't keep it moves
it: nobody is told of a day that is known to be wrong. An earlier arrival changes nothing. `original_promised_by` stays.
"""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from typing import TYPE_CHECKING, Any

from oms.domain.events import EventType
from oms.domain.order import Order
from oms.domain.progress import Happening

if TYPE_CHECKING:  # intake tells of promises too, and starts faster without the search for a plan
    from oms.domain.routing import RoutingPlan


class PromiseCause(StrEnum):
    """Why a promise had to be moved."""

    REJECTED = "REJECTED"
    SHORT_PICK = "SHORT_PICK"
    OVERSOLD = "OVERSOLD"
    BACKORDER = "BACKORDER"
    NO_FASTER_ROUTE = "NO_FASTER_ROUTE"
    MARKETPLACE = "MARKETPLACE"


_CAUSES = {
    EventType.FULFILLMENT_REJECTED: PromiseCause.REJECTED,
    EventType.LINES_SHORTED: PromiseCause.SHORT_PICK,
    EventType.LINES_REPLANNED: PromiseCause.OVERSOLD,
    EventType.ORDER_BACKORDERED: PromiseCause.BACKORDER,
}


def promised(order: Order, plan: RoutingPlan) -> tuple[dict[str, Any], list[Happening]]:
    """The facts and news of what the plan means for the promise; nothing where it keeps it."""
    if plan.deliver_by is None:
        return {}, []
    if order.promised_by is None:
        last = max([plan.deliver_by, *_on_its_way(order)])
        return {"promised_by": last, "original_promised_by": order.original_promised_by or last}, []
    if plan.deliver_by <= order.promised_by:
        return {}, []
    original = order.original_promised_by or order.promised_by
    facts = {"promised_by": plan.deliver_by, "original_promised_by": original}
    return facts, promise_news(order, plan.deliver_by, _cause(order))


def promise_news(order: Order, promised_by: datetime | None, cause: PromiseCause) -> list[Happening]:
    """What is told where the promise moves to another moment; nothing of the first one an order gets."""
    if promised_by is None or order.promised_by is None or promised_by == order.promised_by:
        return []
    news = {"from": _text(order.promised_by), "to": _text(promised_by), "cause": cause.value}
    return [(EventType.PROMISE_CHANGED, news)]


def _on_its_way(order: Order) -> list[datetime]:
    """By when that arrives of the order which was given to locations before."""
    return [
        one.deliver_by
        for one in order.fulfillments
        if one.deliver_by and any(line.open or line.picked or line.shipped for line in one.lines)
    ]


def _cause(order: Order) -> PromiseCause:
    """What happened last that made it be routed again."""
    for event in reversed(order.events):
        if event.type in _CAUSES:
            return _CAUSES[event.type]
        if event.type is EventType.ORDER_ALLOCATED:
            break
    return PromiseCause.NO_FASTER_ROUTE


def _text(moment: datetime) -> str:
    return moment.strftime("%Y-%m-%dT%H:%M:%SZ")
