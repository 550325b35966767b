"""`backorders`: demand that waits for stock, first come first served within its priority."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from oms.domain.changes import Backorder
from oms.stores.documents import to_document
from oms.stores.table import Table

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient


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
