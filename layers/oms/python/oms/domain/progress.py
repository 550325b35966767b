"""What follows from an order's facts: its status, what it waits for, since when, until when.

`step` makes the next version of a document. It is the only place that raises `version`, appends events and
computes the derived fields, so that none of them can disagree with the facts.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any, NamedTuple

from oms.domain.changes import Context
from oms.domain.errors import InvariantBroken
from oms.domain.events import Event, EventType
from oms.domain.order import Fulfillment, Order, OrderStatus, Request, WaitingFor, Work
from oms.domain.shipments import ShipmentStatus

Happening = tuple[EventType, dict[str, Any]]

TERMINAL = frozenset({OrderStatus.DELIVERED, OrderStatus.CANCELLED})
_ENDED_WORK = frozenset({Work.SHIPPED, Work.DELIVERED, Work.COLLECTED, Work.INCOMPLETE, Work.CANCELLED})


def step(order: Order, context: Context, *happened: Happening, **facts: Any) -> Order:
    """The order's next version: new facts, the events that tell of them, and everything that follows.

    Raises InvariantBroken when the new facts break a quantity equation.
    """
    changed = replace(order, version=order.version + 1, updated_at=context.now, **facts)
    check(changed)
    return _with_events(_settled(changed, order, context), order, context, happened)


def first(order: Order, context: Context, *happened: Happening) -> Order:
    """Version 1 of a new order, from its facts."""
    return step(replace(order, version=0), context, *happened)


def derive_status(order: Order) -> OrderStatus:
    """How far the order is, from its lines and shipments alone."""
    live = sum(line.ordered - line.cancelled for line in order.lines)
    if live == 0:
        return OrderStatus.CANCELLED
    delivered, shipped = delivered_units(order), sum(line.shipped for line in order.lines)
    if delivered >= live:
        return OrderStatus.DELIVERED
    if delivered > digital_units(order):
        return OrderStatus.PARTIALLY_DELIVERED
    if shipped >= live:
        return OrderStatus.SHIPPED
    if shipped > digital_units(order):
        return OrderStatus.PARTIALLY_SHIPPED
    return _status_before_shipping(order)


def _status_before_shipping(order: Order) -> OrderStatus:
    if any(is_released(one) and one.work not in _ENDED_WORK for one in order.fulfillments):
        return OrderStatus.RELEASED
    if not unallocated_units(order):
        return OrderStatus.ALLOCATED
    if any(line.in_fulfillment for line in order.lines):
        return OrderStatus.PARTIALLY_ALLOCATED
    return OrderStatus.RECEIVED


def is_released(fulfillment: Fulfillment) -> bool:
    """Whether the location was ever asked to do this work."""
    return fulfillment.request is not Request.UNSUBMITTED


def was_released(order: Order) -> bool:
    """Whether any location was ever asked to work for this order."""
    return any(is_released(one) for one in order.fulfillments)


def unallocated_units(order: Order) -> int:
    """Units that no location was chosen for yet."""
    return sum(line.unallocated for line in order.lines)


def digital_units(order: Order) -> int:
    """Units that never needed shipping: shipped and delivered on receipt."""
    return sum(line.shipped for line in order.lines if not line.requires_shipping)


def delivered_units(order: Order) -> int:
    """Units that reached the customer; units sent beyond what was promised stand in for no others."""
    arrived: dict[str, int] = {}
    for one in order.fulfillments:
        for parcel in one.shipments:
            if parcel.status is ShipmentStatus.DELIVERED:
                for line in parcel.lines:
                    arrived[line.line_id] = arrived.get(line.line_id, 0) + line.quantity
    parcels = sum(min(line.shipped, arrived.get(line.line_id, 0)) for line in order.lines if line.requires_shipping)
    return parcels + digital_units(order)


class Waiting(NamedTuple):
    """What must happen next, why, and at which location."""

    for_: WaitingFor
    reason_code: str | None = None
    location_id: str | None = None


def derive_waiting(order: Order) -> Waiting | None:
    """What the order waits for: the first that applies, in the order of `WaitingFor`. None once it has ended.

    A review outlives the delivery: what was asked too late still wants a person's answer.
    """
    if order.review:
        return Waiting(WaitingFor.REVIEW, order.review.reason)
    if derive_status(order) in TERMINAL:
        return None
    if order.holds and _has_unreleased_work(order):
        return Waiting(WaitingFor.HOLD, order.holds[0].type)
    if unallocated_units(order):
        short = any(line.backordered for line in order.lines)
        if short:
            return Waiting(WaitingFor.STOCK, "OUT_OF_STOCK")
        return Waiting(WaitingFor.ALLOCATION, "NO_ROUTE" if order.unroutable_since else None)
    return _waiting_for_locations(order)


def _has_unreleased_work(order: Order) -> bool:
    return unallocated_units(order) > 0 or any(not is_released(one) for one in order.fulfillments)


def _waiting_for_locations(order: Order) -> Waiting:
    open_work = [one for one in order.fulfillments if one.work not in _ENDED_WORK]
    for waiting_for, applies in _LOCATION_QUESTIONS:
        location = next((one.location_id for one in open_work if applies(one)), None)
        if location is not None:
            return Waiting(waiting_for, None, location)
    return Waiting(WaitingFor.DELIVERY)


_LOCATION_QUESTIONS: tuple[tuple[WaitingFor, Callable[[Fulfillment], bool]], ...] = (
    (WaitingFor.CANCEL_WINDOW, lambda one: one.request is Request.UNSUBMITTED),
    (WaitingFor.LOCATION_ANSWER, lambda one: one.request is Request.SUBMITTED),
    (WaitingFor.PICK, lambda one: one.work in (Work.OPEN, Work.PICKING)),
    (WaitingFor.SHIP, lambda one: one.work is Work.PACKED),
    (WaitingFor.COLLECTION, lambda one: one.work is Work.READY_FOR_PICKUP),
)


def check(order: Order) -> None:
    """Raises InvariantBroken unless the quantity equations of `Line` and `FulfillmentLine` hold."""
    for line in order.lines:
        parts = (line.unallocated, line.in_fulfillment, line.shipped, line.cancelled)
        if line.ordered != sum(parts) or min(parts) < 0 or not 0 <= line.backordered <= line.unallocated:
            raise InvariantBroken(f"{order.order_id} line {line.line_id}: ordered {line.ordered}, parts {parts}")
    at_work: dict[str, int] = {}
    for one in order.fulfillments:
        for part in one.lines:
            units = (part.open, part.picked, part.shipped, part.shorted, part.cancelled)
            if part.assigned != sum(units) or min(units) < 0:
                raise InvariantBroken(f"{one.fulfillment_id} line {part.line_id}: assigned {part.assigned}, {units}")
            at_work[part.line_id] = at_work.get(part.line_id, 0) + part.open + part.picked
    for line in order.lines:
        if line.in_fulfillment != at_work.get(line.line_id, 0):
            raise InvariantBroken(f"{order.order_id} line {line.line_id}: locations hold {at_work}")


def _settled(changed: Order, before: Order, context: Context) -> Order:
    status, waiting = derive_status(changed), derive_waiting(changed)
    status_since = before.status_since if before.version and status is before.status else context.now
    derived: dict[str, Any] = {
        "status": status,
        "status_since": status_since,
        "account_day": f"{changed.channel}#{changed.account}#{changed.placed_at:%Y-%m-%d}",
        "unshipped_account": _unshipped_account(changed),
        "backordered_since": _backordered_since(changed, before, context),
    }
    changed = replace(changed, **derived)
    return replace(changed, **_waiting_fields(changed, before, waiting, context))


def _backordered_since(order: Order, before: Order, context: Context) -> datetime | None:
    """Since when units have been short; a new shortage after the last was served begins anew, and so does the wait
    of an order that a person has let go on."""
    if not any(line.backordered for line in order.lines):
        return None
    decided = before.review is not None and order.review is None
    return context.now if decided else before.backordered_since or context.now


def _unshipped_account(order: Order) -> str | None:
    """Where the order stands in `by_ship_by`, until nothing of it is left to ship."""
    left = any(line.unallocated + line.in_fulfillment for line in order.lines)
    return f"{order.channel}#{order.account}" if left and order.ship_by else None


def _waiting_fields(changed: Order, before: Order, waiting: Waiting | None, context: Context) -> dict[str, Any]:
    if waiting is None:
        names = ("waiting_for", "waiting_since", "due_at", "reason_code", "waiting_location_id", "work_queue")
        return dict.fromkeys(names)
    same = (before.waiting_for, before.waiting_location_id) == (waiting.for_, waiting.location_id)
    since = before.waiting_since if same and before.waiting_since else context.now
    return {
        "waiting_for": waiting.for_,
        "waiting_since": since,
        "due_at": _due_at(changed, waiting.for_, since, context),
        "reason_code": waiting.reason_code,
        "waiting_location_id": waiting.location_id,
        "work_queue": waiting.for_.value,
    }


def _due_at(order: Order, waiting_for: WaitingFor, since: datetime, context: Context) -> datetime:
    """Overdue after the state's budget; the cancel window's budget starts when the window ends.

    A wait for stock ends at its limit, and is looked at when what is there of the order may be released.
    """
    if waiting_for is WaitingFor.CANCEL_WINDOW and order.release_after:
        since = max(since, order.release_after)
    due_at = since + context.policy.budget(waiting_for)
    if waiting_for is WaitingFor.STOCK and order.backordered_since:
        due_at = min(due_at, order.backordered_since + timedelta(seconds=context.policy.backorder_limit_seconds))
        to_release = not order.ship_complete and any(not is_released(one) for one in order.fulfillments)
        if to_release and order.release_after:
            due_at = min(due_at, max(since, order.release_after))
    return due_at


def _with_events(changed: Order, before: Order, context: Context, happened: Iterable[Happening]) -> Order:
    news = list(happened)
    new_status = None if before.version and changed.status is before.status else changed.status.value
    events = [
        Event(
            version=changed.version,
            sequence=before.last_sequence + number,
            type=type_,
            at=context.now,
            actor=context.actor,
            status=new_status if number == len(news) else None,
            data=data,
        )
        for number, (type_, data) in enumerate(news, start=1)
    ]
    return replace(changed, events=(*before.events, *events))
