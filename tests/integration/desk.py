"""The desk where stock documents are booked: the use cases as one worker has them, and documents to give it."""

from __future__ import annotations

from collections import Counter
from datetime import datetime
from typing import Any

from oms.domain.stock import Bucket
from oms.domain.stock_documents import DocumentKind, Source, StockDocument
from oms.domain.stock_lines import AdjustmentReason, DocumentLine, LineType
from oms.runtime import clients
from oms.stores.group_commit import GroupCommit
from oms.stores.quarantine import QuarantineStore
from oms.stores.reference_data import LocationsStore, ProductsStore
from oms.stores.stock import StockStore
from oms.stores.stock_documents import StockDocumentsStore
from oms.usecases.stock_documents import Adjusting, StockDocuments, Told
from oms.usecases.stock_reports import StockReports
from tests.integration.company import at
from tests.integration.stage import PREFIX, Stage

LOST = AdjustmentReason.LOST


class Desk:
    """The use cases as one worker has them."""

    def __init__(self) -> None:
        client: Any = clients.client("dynamodb")
        self.commit = GroupCommit(client, PREFIX, sleep=lambda _: None)
        self.stock = StockStore(client, PREFIX)
        self.documents = StockDocuments(StockDocumentsStore(client, PREFIX), self.stock, self.commit)
        products = ProductsStore(client, PREFIX)
        self.adjusting = Adjusting(self.documents, products, LocationsStore(client, PREFIX))
        self.reports = StockReports(self.documents, products, QuarantineStore(client, PREFIX))

    def adjust(self, *lines: DocumentLine, hours: float = 0, **draft: Any) -> Told:
        """Books a document of these lines, told at so many hours after noon."""
        return self.adjusting.adjust(header(len(lines), hours, **draft), lines, at(hours))


def header(lines: int, hours: float = 0, **changes: Any) -> StockDocument:
    facts: dict[str, Any] = {
        "document_id": "adjustment-1",
        "version": 1,
        "kind": DocumentKind.ADJUSTMENT,
        "source": Source.API,
        "effective_at": at(hours),
        "received_at": at(hours),
        "actor": "api:shop",
        "content_hash": "as told",
        "lines": lines,
    }
    return StockDocument(**(facts | changes))


def line(kind: str, quantity: int, number: int = 1, sku: str = "MUG", **more: Any) -> DocumentLine:
    facts: dict[str, Any] = {"location_id": "WH-EAST"} | more
    return DocumentLine(line=number, type=LineType(kind), sku=sku, quantity=quantity, **facts)


def outcomes(told: Told) -> list[str]:
    return [one.outcome.value for one in told.lines]


def units(stage: Stage, sku: str = "MUG", location_id: str = "WH-EAST") -> dict[str, int]:
    """What a position holds, bucket by bucket, without zeros."""
    stands = stage.position(sku, location_id)
    return {bucket.value: getattr(stands, bucket) for bucket in Bucket if getattr(stands, bucket)}


def kinds(stage: Stage) -> Counter[str]:
    """How many movements of each kind the ledger holds."""
    return Counter(kind for row in stage.rows("stock_movements") for kind in row["kinds"])


def expect(reference: str, quantity: int, number: int = 1, when: datetime | None = None) -> DocumentLine:
    return line("EXPECT", quantity, number, reference=reference, expected_at=when or at(48))


def on_its_way(stage: Stage) -> dict[str, int]:
    return {one.reference: one.quantity for one in stage.position("MUG", "WH-EAST").incoming}
