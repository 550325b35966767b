"""How long a person's data is kept: 21 days after the order was delivered or cancelled, whatever is told later; not a
day longer than the order is open where the channel asked us to forget the person."""

from __future__ import annotations

from datetime import date, timedelta

from oms.domain.order import Order
from oms.domain.progress import TERMINAL

KEPT_DAYS = timedelta(days=21)
LOOK_AGAIN = timedelta(days=1)


def purge_day(order: Order) -> date | None:
    """The day the person's data of this order goes; None while the order is open."""
    if order.status not in TERMINAL or order.status_since is None:
        return None
    return order.status_since.date() if order.forget_person else (order.status_since + KEPT_DAYS).date()


def first_look(order: Order) -> date:
    """The day to look at data written now: no open order can have ended 21 days before it."""
    kept = LOOK_AGAIN if order.forget_person else KEPT_DAYS
    return purge_day(order) or (order.updated_at + kept).date()


def next_look(order: Order, today: date) -> date:
    """The day to look at the data again, when today was such a day: not later than today if it is to go now."""
    return purge_day(order) or today + LOOK_AGAIN
