"""Expiry: a person's data goes 21 days after the order was delivered or cancelled."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import TYPE_CHECKING

from oms.domain.retention import next_look

if TYPE_CHECKING:
    from oms.stores.contacts import ContactsStore
    from oms.stores.orders import OrdersStore

LOOK_BACK_DAYS = 35
"""Days before today that are looked at again, should the function not have run for a while."""

PAGE = 100


@dataclass(frozen=True, slots=True)
class Expiry:
    """Purges contacts by `by_purge_day`: on its day each is deleted, or looked at again later."""

    orders: OrdersStore
    contacts: ContactsStore

    def purge(self, now: datetime, *, go_on: Callable[[], bool]) -> tuple[int, int]:
        """Looks at everyone due today or before, while `go_on` says there is time; (purged, postponed)."""
        purged = postponed = 0
        today = now.date()
        for back in range(LOOK_BACK_DAYS, -1, -1):
            day = today - timedelta(days=back)
            cursor: str | None = None
            while go_on():
                page = self.contacts.to_purge(day, limit=PAGE, cursor=cursor)
                for item in page.items:
                    gone = self._look_at(item["order_id"], day, today)
                    purged, postponed = purged + gone, postponed + (not gone)
                cursor = page.cursor
                if cursor is None:
                    break
        return purged, postponed

    def _look_at(self, order_id: str, day: date, today: date) -> bool:
        order = self.orders.get(order_id)
        due = next_look(order, today) if order else today
        if due > today:
            self.contacts.postpone(order_id, day, due)
            return False
        self.contacts.purge(order_id, day)
        return True
