"""What people decide about an order: reviews, holds, notes, cancellations by hand."""

from __future__ import annotations

from dataclasses import replace

from oms.domain.changes import Backorder, Context, OrderChange, queue_rows
from oms.domain.errors import IllegalTransition, NotFound
from oms.domain.events import EventType
from oms.domain.order import Hold, Note, Order, Review
from oms.domain.progress import TERMINAL, step

MAX_HOLDS = 20
MAX_NOTES = 50
MAX_QUEUE_ROWS_LEFT = 60
"""An order that goes to review leaves the queues for stock if it has no more rows there; a row is one write."""


def put_in_review(order: Order, review: Review, room: int = MAX_QUEUE_ROWS_LEFT) -> tuple[Order, tuple[Backorder, ...]]:
    """The order in review, and the rows by which it leaves the queues for stock, where they are at most `room`.

    What waits for a person must not hold up those behind it. When the review ends the order is allocated again and
    gets back the place it had. With more rows it stays where it is.
    """
    lines = tuple(replace(line, backordered=0) if line.backordered else line for line in order.lines)
    in_review = replace(order, review=review)
    out_of_queues = replace(in_review, lines=lines)
    _, rows = queue_rows(in_review, out_of_queues)
    return (out_of_queues, rows) if len(rows) <= room else (in_review, ())


def request_review(order: Order, reason: str, detail: str, context: Context) -> OrderChange | None:
    """The change that asks a person to decide; None if someone was asked already or nothing is left to decide."""
    if order.review or order.status in TERMINAL:
        return None
    news = (EventType.REVIEW_REQUESTED, {"reason": reason})
    review = Review(reason=reason, since=context.now, detail=detail[:200])
    in_review, rows = put_in_review(order, review)
    return OrderChange(order=step(in_review, context, news), backorders_removed=rows)


def resolve_review(order: Order, context: Context) -> OrderChange:
    """The change that ends the review: the order goes on as it is. Raises IllegalTransition when there is none."""
    if order.review is None:
        raise IllegalTransition("the order is not in review", status=order.status.value)
    news = (EventType.REVIEW_RESOLVED, {"reason": order.review.reason})
    return OrderChange(order=step(order, context, news, review=None))


def place_hold(order: Order, hold: Hold, context: Context) -> OrderChange | None:
    """The change that stops the release until the hold is released; None if it is there already."""
    if any(known.hold_id == hold.hold_id for known in order.holds):
        return None
    if order.status in TERMINAL or len(order.holds) >= MAX_HOLDS:
        raise IllegalTransition(f"no hold can be placed: {order.status}", status=order.status.value)
    news = (EventType.HOLD_PLACED, {"hold_id": hold.hold_id, "type": hold.type})
    return OrderChange(order=step(order, context, news, holds=(*order.holds, hold)))


def release_hold(order: Order, hold_id: str, context: Context) -> OrderChange:
    """The change that takes one hold away. Raises NotFound when the order has no such hold."""
    held = next((hold for hold in order.holds if hold.hold_id == hold_id), None)
    if held is None:
        raise NotFound(f"{order.order_id} has no hold {hold_id}")
    news = (EventType.HOLD_RELEASED, {"hold_id": hold_id, "type": held.type})
    kept = tuple(hold for hold in order.holds if hold.hold_id != hold_id)
    return OrderChange(order=step(order, context, news, holds=kept))


def add_note(order: Order, text: str, context: Context) -> OrderChange:
    """The change that keeps a colleague's note; the oldest goes when there are MAX_NOTES."""
    note = Note(at=context.now, author=context.actor, text=text)
    notes = (*order.notes, note)[-MAX_NOTES:]
    return OrderChange(order=step(order, context, (EventType.NOTE_ADDED, {}), notes=notes))
