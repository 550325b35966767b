"""What locations tell of their stock: always booked, save the lines nobody can book, which wait in quarantine."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any

from oms.domain.errors import KeyReused
from oms.domain.stock_documents import (
    DocumentKind,
    LineOutcome,
    LineResult,
    Source,
    StockDocument,
    happened_at,
    to_book,
)
from oms.domain.stock_lines import AdjustmentReason, DocumentLine, LineType, NotBooked, Refusal

if TYPE_CHECKING:
    from oms.stores.quarantine import QuarantineStore
    from oms.stores.reference_data import ProductsStore
    from oms.usecases.stock_documents import StockDocuments

Message = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class StockReports:
    """Books the documents that locations' messages became."""

    documents: StockDocuments
    products: ProductsStore
    quarantine: QuarantineStore

    def take(self, message: Message, now: datetime) -> int:
        """Books a message of the stock queue; returns how many of its lines wait in quarantine. Raises Retryable."""
        draft, lines = document_of(message), lines_of(message)
        try:
            document = self.documents.open(draft)
        except KeyReused as error:
            name = f"{draft.message_id}#{draft.content_hash}"
            self._quarantine(message, name, {"reason": error.reason, "field": "id", "error": str(error)}, now)
            return len(lines)
        refused = self._unknown(to_book(document, lines))
        nobody = {result.line for result in refused}
        known = [line for line in lines if line.line not in nobody]
        results = self.documents.book(document, known, now) + refused
        kept = [result.why for result in results if result.why]
        for why in kept:
            self._keep(message, why, now)
        self.documents.settle(document, results, now)
        return len(kept)

    def _unknown(self, lines: Sequence[DocumentLine]) -> list[LineResult]:
        known = self.products.get_many(line.sku for line in lines)
        return [
            LineResult(
                line=line.line, outcome=LineOutcome.REFUSED, why=NotBooked(line=line.line, reason=Refusal.UNKNOWN_SKU)
            )
            for line in lines
            if line.sku not in known
        ]

    def _keep(self, message: Message, why: NotBooked, now: datetime) -> None:
        """One line as a message of its own, under the same document: a replay books it as the line it was."""
        alone = {**message, "lines": [line for line in message["lines"] if line["line"] == why.line]}
        cause = {"reason": why.reason, "field": "sku" if why.reason == Refusal.UNKNOWN_SKU else "quantity"}
        if why.bucket:
            cause["error"] = f"{why.found} in {why.bucket}"
        self._quarantine(alone, f"{message['message_id']}#{why.line}", cause, now)

    def _quarantine(self, message: Message, name: str, cause: Mapping[str, str], now: datetime) -> None:
        occurred_at = datetime.fromisoformat(message["occurred_at"])
        self.quarantine.put(f"stock#{message['location_id']}", name, occurred_at, cause, message, now)


def document_of(message: Message) -> StockDocument:
    """The header of the document in a queue message."""
    received_at = datetime.fromisoformat(message["received_at"])
    return StockDocument(
        document_id=message["document_id"],
        version=1,
        kind=DocumentKind(message["document_kind"]),
        source=Source.LOCATION,
        location_id=message["location_id"],
        message_id=message["message_id"],
        effective_at=happened_at(datetime.fromisoformat(message["occurred_at"]), received_at),
        received_at=received_at.replace(microsecond=0),
        actor=message["location_id"],
        content_hash=message["content_hash"],
        lines=message["line_count"],
    )


def lines_of(message: Message) -> list[DocumentLine]:
    """The lines in a queue message, all at its location."""
    return [_line(message["location_id"], line) for line in message["lines"]]


def _line(location_id: str, told: Message) -> DocumentLine:
    reason = told.get("reason_code")
    return DocumentLine(
        line=told["line"],
        type=LineType(told["type"]),
        sku=told["sku"],
        location_id=location_id,
        quantity=told["quantity"],
        reason_code=AdjustmentReason(reason) if reason else None,
        reference=told.get("reference"),
    )
