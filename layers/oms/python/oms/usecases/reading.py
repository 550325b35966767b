"""Reading: one order whole, why it waits, lists of orders by the questions people ask, the stock of a sku."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import TYPE_CHECKING, Any, NamedTuple

from oms.domain import ids
from oms.domain.errors import InvalidMessage, NotFound, OrderNotFound
from oms.domain.explanation import Explanation, explain
from oms.domain.incoming import Contact
from oms.domain.order import Order, WaitingFor
from oms.domain.stock import Bucket, StockPosition

if TYPE_CHECKING:
    from oms.stores.contacts import ContactsStore
    from oms.stores.orders import OrdersStore
    from oms.stores.stock import StockStore
    from oms.stores.table import Page

SUMMARY = (
    "order_id",
    "status",
    "waiting_for",
    "reason_code",
    "waiting_since",
    "due_at",
    "waiting_location_id",
    "channel",
    "account",
    "channel_order_id",
    "placed_at",
)
"""What a list shows of an order, as far as the list's index knows it."""

MAX_SKU_LENGTH = 100
_ORDER_ID = re.compile(rf"[a-z0-9-]{{1,{ids.MAX_ID_LENGTH}}}")
_OTHER_REFERENCES = ("TRACKING#", "RMA#", "ERP#")

Summary = dict[str, Any]


class OrderPage(NamedTuple):
    """Some orders of a list, and the opaque cursor of the next page; None on the last."""

    orders: list[Summary]
    cursor: str | None


class StockOfSku(NamedTuple):
    """Every position of a sku, and their sum per bucket."""

    positions: list[StockPosition]
    totals: dict[str, int]


@dataclass(frozen=True, slots=True)
class Paging:
    """How many orders a page may hold, and where it begins. A cursor is good for the question it came from only."""

    limit: int
    cursor: str | None = None

    def opened(self, question: str) -> str | None:
        """The store's cursor. Raises InvalidMessage when this one belongs to another question."""
        if self.cursor is None:
            return None
        mark, _, inner = self.cursor.partition(".")
        if mark != _mark(question) or not inner:
            raise InvalidMessage("cursor was not made by this list", field="cursor", reason="BAD_CURSOR")
        return inner

    @staticmethod
    def sealed(question: str, inner: str | None) -> str | None:
        """The cursor to hand out for the store's."""
        return f"{_mark(question)}.{inner}" if inner else None


@dataclass(frozen=True, slots=True)
class Reading:
    """Answers questions about orders; changes nothing."""

    orders: OrdersStore
    contacts: ContactsStore

    def order(self, order_id: str) -> Order:
        """The order as it is now. Raises OrderNotFound."""
        order = self.orders.get(known_form(order_id))
        if order is None:
            raise _not_found(order_id)
        return order

    def document(self, order_id: str) -> dict[str, Any]:
        """The document as it is now, with all its events since the first. Raises OrderNotFound."""
        document = self.orders.get_document(known_form(order_id))
        if document is None:
            raise _not_found(order_id)
        events = document["events"]
        if events and events[0]["sequence"] > 1:
            document["events"] = self.orders.events_before(order_id) + events
        return document

    def contact(self, order_id: str) -> Contact | None:
        """The person of the order, None once purged. Whoever calls this writes down who asked."""
        return self.contacts.get(order_id)

    def explanation(self, order_id: str, now: datetime) -> Explanation:
        """What the order waits for and why. Raises OrderNotFound."""
        return explain(self.order(order_id), now)

    def waiting(self, waiting_for: WaitingFor, paging: Paging, *, overdue_at: datetime | None = None) -> OrderPage:
        """Orders that wait for this, the most overdue first; with `overdue_at` only those due before it."""
        page = self._list("by_work_queue", "work_queue", waiting_for.value, paging)
        if overdue_at is None:
            return _page(page)
        before = overdue_at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
        overdue = [item for item in page.items if item["due_at"] < before]
        # Sorted by due_at: the first that is not overdue ends the list.
        ended = len(overdue) < len(page.items)
        return OrderPage([_summary(item) for item in overdue], None if ended else page.cursor)

    def of_customer(self, customer_id: str, paging: Paging) -> OrderPage:
        """A customer's orders, the newest first."""
        return _page(self._list("by_customer", "customer_id", customer_id, paging, descending=True))

    def of_account_day(self, channel: str, account: str, day: date, paging: Paging) -> OrderPage:
        """Orders placed at an account on a day (UTC), in the order they were placed."""
        page = self._list("by_account_day", "account_day", f"{channel}#{account}#{day.isoformat()}", paging)
        return _page(page, channel=channel, account=account)

    def of_reference(self, reference: str, paging: Paging) -> OrderPage:
        """Orders that people call this: an order number, or a typed reference such as `RMA#…`."""
        if not reference.startswith(_OTHER_REFERENCES):
            reference = ids.order_reference(reference.removeprefix("ORDER#"))
        return self._found(reference, paging)

    def of_tracking(self, carrier: str, number: str, paging: Paging) -> OrderPage:
        """Orders that have a parcel with this tracking number."""
        return self._found(ids.tracking_reference(carrier, number), paging)

    def of_email(self, email: str, paging: Paging) -> OrderPage:
        """Orders placed with this email, as long as the person's data is kept."""
        question = f"email={email}"
        page = self.contacts.orders_of_email(email, limit=paging.limit, cursor=paging.opened(question))
        return self._looked_up(question, page)

    def of_phone(self, phone: str, paging: Paging) -> OrderPage:
        """Orders placed with this phone number, as long as the person's data is kept."""
        question = f"phone={phone}"
        page = self.contacts.orders_of_phone(phone, limit=paging.limit, cursor=paging.opened(question))
        return self._looked_up(question, page)

    def _looked_up(self, question: str, page: Page) -> OrderPage:
        orders = self._summaries(item["order_id"] for item in page.items)
        return OrderPage(orders, Paging.sealed(question, page.cursor))

    def _found(self, reference: str, paging: Paging) -> OrderPage:
        """A reference names few orders: all are found at once, and the last id of a page is its cursor."""
        after = paging.opened(reference) or ""
        found = [order_id for order_id in sorted(self.orders.find(reference)) if order_id > after]
        shown, more = found[: paging.limit], len(found) > paging.limit
        return OrderPage(self._summaries(shown), Paging.sealed(reference, shown[-1] if more else None))

    def _list(self, index: str, key: str, value: str, paging: Paging, *, descending: bool = False) -> Page:
        question = f"{index}={value}"
        page = self.orders.list_by(
            index, key, value, cursor=paging.opened(question), limit=paging.limit, descending=descending
        )
        return page._replace(cursor=Paging.sealed(question, page.cursor))

    def _summaries(self, order_ids: Iterable[str]) -> list[Summary]:
        documents = (self.orders.get_document(order_id) for order_id in order_ids)
        return [_summary(document) for document in documents if document]


def known_form(order_id: str) -> str:
    """The id, if it is one that an order could have. Raises OrderNotFound: no look-up is needed to know."""
    if not _ORDER_ID.fullmatch(order_id):
        raise _not_found(order_id)
    return order_id


def stock_of(stock: StockStore, sku: str) -> StockOfSku:
    """The stock of a sku at every location that ever had some. Raises NotFound when none did."""
    positions = stock.of_sku(sku) if 0 < len(sku) <= MAX_SKU_LENGTH else []
    if not positions:
        raise NotFound("there never was stock of this sku", sku=sku[:MAX_SKU_LENGTH])
    return StockOfSku(positions, {bucket.value: sum(getattr(one, bucket) for one in positions) for bucket in Bucket})


def _mark(question: str) -> str:
    """Tells lists apart. Too short to tell whom somebody asked for."""
    return ids.short_hash(question, length=6)


def _page(page: Page, **known: str) -> OrderPage:
    return OrderPage([_summary(item | known) for item in page.items], page.cursor)


def _summary(item: Mapping[str, Any]) -> Summary:
    return {name: item[name] for name in SUMMARY if name in item}


def _not_found(order_id: str) -> OrderNotFound:
    return OrderNotFound("there is no such order", order_id=order_id[: ids.MAX_ID_LENGTH])
