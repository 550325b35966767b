"""Orders that no location may ship, whatever is given up: what the routing policy does with them."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta

from oms.domain.changes import Context, OrderChange
from oms.domain.events import EventType
from oms.domain.order import Order
from oms.domain.progress import step, unallocated_units
from oms.domain.routing_policy import RoutingPolicy, Unroutable

NO_ROUTE = "NO_ROUTE"

MAX_REASONS_TOLD = 5


def note_unroutable(order: Order, reasons: Mapping[str, str], context: Context) -> OrderChange | None:
    """The change that notes since when there is no route; None if the order says so already."""
    if order.unroutable_since is not None:
        return None
    told = dict(sorted(reasons.items())[:MAX_REASONS_TOLD])
    news = (EventType.ORDER_UNROUTABLE, {"reasons": {one: str(reason) for one, reason in told.items()}})
    return OrderChange(order=step(order, context, news, unroutable_since=context.now))


def waits_for_route(policy: RoutingPolicy) -> bool:
    """Whether such orders wait and are tried again, instead of going to a person at once."""
    return policy.unroutable is not Unroutable.REVIEW


def cancel_is_due(order: Order, policy: RoutingPolicy, now: datetime) -> bool:
    """Whether the order has been without a route for as long as the policy waits before it cancels."""
    if policy.unroutable is not Unroutable.CANCEL or order.unroutable_since is None or order.review:
        return False
    waited = now - order.unroutable_since >= timedelta(hours=policy.cancel_after_hours)
    return waited and unallocated_units(order) > 0


def unrouted_units(order: Order) -> dict[str, int]:
    """Units per line that no location was found for."""
    return {line.line_id: line.unallocated for line in order.lines if line.unallocated}
