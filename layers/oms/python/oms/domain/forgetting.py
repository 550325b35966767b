"""Forgetting a person: the order remembers that it was asked to, so that nothing that is written later undoes it."""

from __future__ import annotations

from oms.domain.changes import Context, OrderChange
from oms.domain.order import Order
from oms.domain.progress import step


def forget_person(order: Order, context: Context) -> OrderChange | None:
    """The change by which the person's data goes as soon as the order has ended; None if that was asked before."""
    if order.forget_person:
        return None
    return OrderChange(order=step(order, context, forget_person=True))
