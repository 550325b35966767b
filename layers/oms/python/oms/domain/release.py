"""Release: hand the work to the locations. Only what `may_release` allows is released."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime

from oms.domain.backordering import waits_only_for_stock
from oms.domain.changes import Context, Delivery, OrderChange
from oms.domain.events import EventType
from oms.domain.order import Fulfillment, Order, Request, Work
from oms.domain.progress import TERMINAL, step, unallocated_units

FULFILLMENT_REQUESTED = "fulfillment.requested"


def may_release(order: Order, now: datetime) -> bool:
    """Whether the work of the order may go to its locations now.

    Not while a person or a hold stops it, not before the customer's cancel window has passed, and only when
    every unit has a location, so that the order ships as it was promised; an order that need not ship complete
    goes without what waits for stock.
    """
    if order.status in TERMINAL or order.review or order.holds:
        return False
    if unallocated_units(order) and (order.ship_complete or not waits_only_for_stock(order)):
        return False
    if order.release_after and now < order.release_after:
        return False
    return any(_is_releasable(one) for one in order.fulfillments)


def release(order: Order, context: Context) -> OrderChange:
    """The change that submits every fulfillment not yet submitted and notes what is owed to each location."""
    released = [one.fulfillment_id for one in order.fulfillments if _is_releasable(one)]
    fulfillments = tuple(
        replace(one, request=Request.SUBMITTED, submitted_at=context.now) if one.fulfillment_id in released else one
        for one in order.fulfillments
    )
    changed = step(
        order, context, (EventType.ORDER_RELEASED, {"fulfillments": len(released)}), fulfillments=fulfillments
    )
    owed = tuple(request_delivery(changed, one) for one in changed.fulfillments if one.fulfillment_id in released)
    return OrderChange(order=changed, deliveries=owed)


def request_delivery(order: Order, fulfillment: Fulfillment) -> Delivery:
    """The message that asks a location for this fulfillment; the same message for the same request, always."""
    return Delivery(
        destination=f"location#{fulfillment.location_id}",
        message_key=f"{order.order_id}#{fulfillment.fulfillment_id}#{FULFILLMENT_REQUESTED}",
        kind=FULFILLMENT_REQUESTED,
        order_id=order.order_id,
        fulfillment_id=fulfillment.fulfillment_id,
    )


def unanswered(order: Order) -> list[Fulfillment]:
    """Fulfillments whose location has not said whether it will do the work."""
    return [one for one in order.fulfillments if one.request is Request.SUBMITTED and one.work is Work.OPEN]


def _is_releasable(fulfillment: Fulfillment) -> bool:
    has_work = any(line.open for line in fulfillment.lines)
    return fulfillment.request is Request.UNSUBMITTED and fulfillment.work is Work.OPEN and has_work
