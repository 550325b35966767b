"""`stock_documents`: why stock moved though no order asked. The row HEADER tells of the whole document."""

from __future__ import annotations

from typing import TYPE_CHECKING

from oms.domain.stock_documents import StockDocument
from oms.stores.documents import from_document, to_document
from oms.stores.table import ConditionFailedError, Table

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

HEADER = "HEADER"
IS_NEW = "attribute_not_exists(document_id)"
IS_UNCHANGED = "#version = :expected_version"


class StockDocumentsStore:
    """Headers by document id; each is written whole, under the version before it."""

    def __init__(self, client: DynamoDBClient, table_prefix: str) -> None:
        self.table = Table(client, f"{table_prefix}stock_documents")

    def get(self, document_id: str) -> StockDocument | None:
        """The document as it is now (strongly consistent), or None."""
        item = self.table.get({"document_id": document_id, "part": HEADER})
        return from_document(StockDocument, item) if item else None

    def write(self, document: StockDocument) -> StockDocument:
        """Writes this version if the one before it is stored (none, for the first); returns what is stored then."""
        row = to_document(document) | {"part": HEADER}
        try:
            if document.version == 1:
                self.table.put(row, IS_NEW)
            else:
                self.table.put(row, IS_UNCHANGED, {":expected_version": document.version - 1})
        except ConditionFailedError as error:
            if error.image is None:
                raise
            return from_document(StockDocument, error.image)
        return document
