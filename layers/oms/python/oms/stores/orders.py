"""`orders`, `order_history` and `order_references`: the documents, their overflow, and what people call them."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime
from typing import TYPE_CHECKING, Any

import msgspec

from oms.domain.changes import OrderChange
from oms.domain.errors import InvalidOrder
from oms.domain.order import Order, WaitingFor
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

    def get_document(self, order_id: str) -> dict[str, Any] | None:
        """The document as plain values, for showing."""
        return self.table.get({"order_id": order_id})

    def write_actions(self, change: OrderChange) -> tuple[Any, list[Any]]:
        """The guarded put of the document, and the puts of what goes with it (overflow, references).

        Raises InvalidOrder for a new document above MAX_NEW_DOCUMENT_BYTES.
        """
        document, overflow = _fitted(change.order)
        if change.creates:
            _check_new(document)
            put = self.table.put_action(document, IS_NEW)
        else:
            put = self.table.put_action(document, IS_UNCHANGED, {":expected_version": change.order.version - 1})
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
        """Events that moved out of the document, oldest first, each once: a row may repeat what an older one has."""
        rows = self.history.query_all("#order_id = :o", {":o": order_id})
        events = {event["sequence"]: event for row in rows for event in row["events"]}
        return [events[sequence] for sequence in sorted(events)]

    def due(self, queue: WaitingFor, before: datetime, *, after: datetime | None = None, limit: int) -> list[Due]:
        """Orders that wait in this queue and are due before a moment (and after another), most overdue first."""
        condition = "#work_queue = :q AND #due_at BETWEEN :after AND :before"
        values = {
            ":q": queue.value,
            ":after": format_time(after) if after else "0",
            ":before": format_time(before),
        }
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


def decode(document: dict[str, Any]) -> Order:
    """The order of a plain document."""
    return from_document(Order, document)


def _check_new(document: dict[str, Any]) -> None:
    size = len(msgspec.json.encode(document))
    if size > MAX_NEW_DOCUMENT_BYTES:
        message = f"an order of {size} bytes, at most {MAX_NEW_DOCUMENT_BYTES} are taken"
        raise InvalidOrder(message, field="lines", reason="TOO_LARGE")


def _fitted(order: Order) -> tuple[dict[str, Any], dict[str, Any] | None]:
    """The document, and the events taken out of it so that it stays below MAX_DOCUMENT_BYTES.

    The newest version's events always stay: `stream_publish` reads them from the document's new image.
    """
    document = to_document(order)
    if len(order.events) < 2 or len(msgspec.json.encode(document)) <= MAX_DOCUMENT_BYTES:
        return document, None
    half = len(order.events) // 2
    moved = [event for event in order.events[:half] if event.version < order.version]
    if not moved:
        return document, None
    kept = to_document(replace(order, events=order.events[len(moved) :]))
    return kept, {"order_id": order.order_id, "version": order.version, "events": to_document(moved)}
