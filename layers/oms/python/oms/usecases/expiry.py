"""Expiry: a person's data goes 21 days after the order has ended, a cart's hold on stock when its time is over."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import TYPE_CHECKING, NamedTuple

from oms.domain.holding import booking
from oms.domain.reservations import expire, expiry_hour, giving_back
from oms.domain.retention import next_look

if TYPE_CHECKING:
    from oms.stores.contacts import ContactsStore
    from oms.stores.group_commit import GroupCommit
    from oms.stores.orders import OrdersStore
    from oms.stores.reservations import ReservationsStore

LOOK_BACK_DAYS = 35
"""Days before today that are looked at again, should the function not have run for a while."""

PAGE = 100
ACTOR = "expiry"


class Expired(NamedTuple):
    """Holds that were ended, and those whose end could not be written: the next run finds them."""

    expired: int
    failed: int


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


@dataclass(frozen=True, slots=True)
class ReservationExpiry:
    """Ends holds by `by_expiry` once their time is over. Whoever ends a hold first, has ended it: see the commit."""

    reservations: ReservationsStore
    commit: GroupCommit

    def end_overdue(self, now: datetime, *, hours_back: int, go_on: Callable[[], bool]) -> Expired:
        """Looks at holds that ended this hour or up to so many hours before, while `go_on` says there is time."""
        expired = failed = 0
        for back in range(hours_back, -1, -1):
            hour = expiry_hour(now - timedelta(hours=back))
            cursor: str | None = None
            while go_on():
                page = self.reservations.due(hour, now, limit=PAGE, cursor=cursor)
                ended = self._end([item["reservation_id"] for item in page.items], now)
                expired, failed = expired + ended.expired, failed + ended.failed
                cursor = page.cursor
                if cursor is None:
                    break
        return Expired(expired, failed)

    def _end(self, reservation_ids: list[str], now: datetime) -> Expired:
        """Ends those of these holds that nobody has ended, in as few writes as the commit packs them into."""
        overdue = [
            one for one in self.reservations.read_many(reservation_ids) if one.is_active and one.expires_at <= now
        ]
        results = self.commit.commit([booking(expire(one, now), giving_back(one), ACTOR, now) for one in overdue])
        committed, failed = sum(one.committed for one in results), sum(one.error is not None for one in results)
        return Expired(committed, failed)
