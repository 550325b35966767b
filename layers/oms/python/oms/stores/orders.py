"""`orders`, `order_history` and `order_references`: the documents, their overflow, and what people call them."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import datetime
from typing import TYPE_CHECKING, Any

import msgspec

from oms.domain.changes import OrderChange
from oms.domain.errors import InvalidOrder, InvariantBroken
from oms.domain.order import Order, OrderStatus, WaitingFor
from oms.stores.batch_reads import get_many
from oms.stores.documents import format_time, from_document, to_document
from oms.stores.table import Page, Table

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

MAX_DOCUMENT_BYTES = 300_000
"""Above this the older half of a document's events moves to `order_history` (DynamoDB's own limit is 400 KB)."""

MAX_NEW_DOCUMENT_BYTES = 200_000
"""A new order larger than this is refused: what follows from it must find room too."""

IS_NEW = "attribute_not_exists(order_id)"
IS_UNCHANGED = "#version = :expected_version"


@dataclass(frozen=True, slots=True)
class Due:
    """An order as `by_work_queue` lists it."""

    order_id: str
    due_at: str


class OrdersStore:
    """The order documents. Writes go through `write_actions`, guarded by the document's version."""

    def __init__(self, client: DynamoDBClient, table_prefix: str) -> None:
        self.table = Table(client, f"{table_prefix}orders")
        self.history = Table(client, f"{table_prefix}order_history")
        self.references = Table(client, f"{table_prefix}order_references")

    def get(self, order_id: str) -> Order | None:
        """The document as it is now (strongly consistent), or None."""
        document = self.table.get({"order_id": order_id})
        return decode(document) if document else None

    def get_many(self, order_ids: Iterable[str]) -> list[Order]:
        """The documents there are of these orders, as they are now, in no order. Raises Retryable, InvariantBroken."""
        found = self.read_many(order_ids).values()
        unreadable = next((one for one in found if isinstance(one, InvariantBroken)), None)
        if unreadable:
            raise unreadable
        return [one for one in found if isinstance(one, Order)]

    def read_many(self, order_ids: Iterable[str]) -> dict[str, Order | InvariantBroken]:
        """The documents there are of these ids, as they are now; a document that can't be read is told as an error."""
        documents = get_many(self.table, ({"order_id": order_id} for order_id in order_ids))
        return {document["order_id"]: _decoded(document) for document in documents}

    def channel_times(self, order_ids: Iterable[str]) -> dict[str, datetime]:
        """When each of these orders, as we have it, was last changed on its channel; unknown ones are left out."""
        only = ("order_id", "channel_updated_at")
        rows = get_many(self.table, ({"order_id": order_id} for order_id in order_ids), only)
        return {row["order_id"]: datetime.fromisoformat(row["channel_updated_at"]) for row in rows}

    def statuses(self, order_ids: Iterable[str]) -> dict[str, OrderStatus]:
        """How far each of these orders is; unknown ones are left out."""
        rows = get_many(self.table, ({"order_id": order_id} for order_id in order_ids), ("order_id", "status"))
        return {row["order_id"]: OrderStatus(row["status"]) for row in rows}

    def get_document(self, order_id: str) -> dict[str, Any] | None:
        """The document as plain values, for showing."""
        return self.table.get({"order_id": order_id})

    def write_actions(self, change: OrderChange) -> tuple[Any, list[Any]]:
        """The guarded put of the document, and the puts of what goes with it (overflow, references).

        Raises InvalidOrder for a new document above MAX_NEW_DOCUMENT_BYTES.
        """
        put, overflow = self._put_action(change, change.order), None
        if change.creates:
            _check_new(change.order, put["Item"])
        else:
            kept, overflow = _fitted(change.order, put["Item"])
            if overflow:
                put = self._put_action(change, kept)
        others = [self.history.put_action(overflow)] if overflow else []
        others += [
            self.references.put_action({"reference": reference, "order_id": change.order.order_id})
            for reference in change.references
        ]
        return put, others

    def find(self, reference: str) -> list[str]:
        """Ids of the orders that people call by this reference (strongly consistent)."""
        rows = self.references.query_all("#reference = :r", {":r": reference}, consistent=True)
        return [row["order_id"] for row in rows]

    def events_before(self, order_id: str) -> list[dict[str, Any]]:
        """Events that moved out of the document as it is now, oldest first, each once: rows may repeat older ones."""
        rows = self.history.query_all("#order_id = :o", {":o": order_id}, consistent=True)
        events = {event["sequence"]: event for row in rows for event in row["events"]}
        return [events[sequence] for sequence in sorted(events)]

    def due(self, queue: WaitingFor, before: datetime, *, after: datetime | None = None, limit: int) -> list[Due]:
        """Orders that wait in this queue and are due before a moment (and after another), most overdue first."""
        first, last = format_time(after) if after else "0", format_time(before)
        if first > last:
            return []  # DynamoDB refuses a range that ends before it begins
        condition = "#work_queue = :q AND #due_at BETWEEN :after AND :before"
        values = {":q": queue.value, ":after": first, ":before": last}
        page = self.table.query(condition, values, index="by_work_queue", limit=limit)
        return [Due(item["order_id"], item["due_at"]) for item in page.items]

    def list_by(
        self, index: str, key: str, value: str, *, cursor: str | None, limit: int, descending: bool = False
    ) -> Page:
        """One page of an index by its partition key."""
        return self.table.query(
            f"#{key} = :value",
            {":value": value},
            index=index,
            limit=limit,
            cursor=cursor,
            descending=descending,
        )

    def _put_action(self, change: OrderChange, document: Order) -> Any:
        if change.creates:
            return self.table.put_action(document, IS_NEW)
        return self.table.put_action(document, IS_UNCHANGED, {":expected_version": change.order.version - 1})


def decode(document: dict[str, Any]) -> Order:
    """The order of a plain document."""
    return from_document(Order, document)


def _decoded(document: dict[str, Any]) -> Order | InvariantBroken:
    try:
        return decode(document)
    except msgspec.ValidationError as error:
        return InvariantBroken(f"{document['order_id']}: {error}")


def _check_new(order: Order, item: dict[str, Any]) -> None:
    size = _size(order, item, MAX_NEW_DOCUMENT_BYTES)
    if size > MAX_NEW_DOCUMENT_BYTES:
        message = f"an order of {size} bytes, at most {MAX_NEW_DOCUMENT_BYTES} are taken"
        raise InvalidOrder(message, field="lines", reason="TOO_LARGE")


def _fitted(order: Order, item: dict[str, Any]) -> tuple[Order, dict[str, Any] | None]:
    """The order as it is to be stored, and the events taken out of it so that it stays below MAX_DOCUMENT_BYTES.

    The newest version's events always stay: `stream_publish` reads them from the document's new image.
    """
    if len(order.events) < 2 or _size(order, item, MAX_DOCUMENT_BYTES) <= MAX_DOCUMENT_BYTES:
        return order, None
    half = len(order.events) // 2
    moved = [event for event in order.events[:half] if event.version < order.version]
    if not moved:
        return order, None
    kept = replace(order, events=order.events[len(moved) :])
    return kept, {"order_id": order.order_id, "version": order.version, "events": to_document(moved)}


def _size(order: Order, item: dict[str, Any], limit: int) -> int:
    """Bytes of the document as JSON; as long as even its typed item, which is longer, is within the limit, that's."""
    size = len(msgspec.json.encode(item))
    return size if size <= limit else len(msgspec.json.encode(to_document(order)))
