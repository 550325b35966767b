"""Forgetting a person: the order remembers that it was asked to, so that nothing that is written later undoes it."""

from __future__ import annotations

from dataclasses import replace

from oms.domain.changes import Context, OrderChange
from oms.domain.order import Order
from oms.domain.progress import TERMINAL, step


def forget_person(order: Order, context: Context) -> OrderChange | None:
    """The change by which the person's data goes as soon as the order has ended; None if that was asked before."""
    if order.forget_person:
        return None
    return OrderChange(order=step(order, context, forget_person=True))


def forgotten_from_the_start(made: OrderChange) -> OrderChange:
    """The making of an order whose person was to be forgotten before it came: of one that has ended nobody is written
    down, and of an open one the data goes as soon as it has."""
    contact = None if made.order.status in TERMINAL else made.contact
    return replace(made, order=replace(made.order, forget_person=True), contact=contact)
