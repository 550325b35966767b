"""`backorders`: demand that waits for stock, first come first served within its priority."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from oms.domain.changes import Backorder
from oms.stores.documents import from_document, to_document
from oms.stores.table import Table

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

FIRST_PAGE = 25
PAGE = 1000
"""Rows read at once: few at first, since most gains serve few orders, then as many as fit."""

MAX_PAGES = 100


class BackordersStore:
    """The queue of each sku. Rows come and go in the order's own transaction, so they never disagree with it."""

    def __init__(self, client: DynamoDBClient, table_prefix: str) -> None:
        self.table = Table(client, f"{table_prefix}backorders")

    def put_action(self, backorder: Backorder) -> Any:
        """The put of a row."""
        return self.table.put_action(to_document(backorder))

    def delete_action(self, backorder: Backorder) -> Any:
        """The delete of a row."""
        return self.table.delete_action({"sku": backorder.sku, "queue_key": backorder.queue_key})

    def of_sku(self, sku: str) -> Iterator[Backorder]:
        """The queue of a sku from its head on, strongly consistent; pages are read as far as one looks.

        Ends after MAX_PAGES pages, far behind any order that stock could be for.
        """
        cursor, limit = None, FIRST_PAGE
        for _ in range(MAX_PAGES):
            page = self.table.query("#sku = :s", {":s": sku}, limit=limit, cursor=cursor, consistent=True)
            yield from (decode(item) for item in page.items)
            cursor, limit = page.cursor, PAGE
            if cursor is None:
                return


def decode(item: dict[str, Any]) -> Backorder:
    """The row of a stored item."""
    return from_document(Backorder, item)
