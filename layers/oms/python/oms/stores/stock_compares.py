"""The rows `stock_compare` of `settings`: how far the comparison of an account's figures is."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from oms.domain.stock_compare import Comparison
from oms.stores.documents import from_document, to_document
from oms.stores.table import ConditionFailedError, Table

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

KIND = "stock_compare"
AS_READ = "attribute_not_exists(revision) OR #revision = :revision"


class StockComparesStore:
    """One row per account. Two who compare one account at once: the second finds the row changed, and stops."""

    def __init__(self, client: DynamoDBClient, table_prefix: str) -> None:
        self.table = Table(client, f"{table_prefix}settings")

    def get(self, channel_account: str) -> Comparison | None:
        """The last comparison of the account, or the one under way."""
        item = self.table.get({"kind": KIND, "name": channel_account})
        return from_document(Comparison, item) if item else None

    def put(self, channel_account: str, comparison: Comparison) -> Comparison | None:
        """Writes how far it is; returns it as written, or None if somebody else wrote since it was read."""
        written = replace(comparison, revision=comparison.revision + 1)
        row = to_document(written) | {"kind": KIND, "name": channel_account}
        try:
            self.table.put(row, AS_READ, {":revision": comparison.revision})
        except ConditionFailedError:
            return None
        return written
