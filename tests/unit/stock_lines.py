"""Stock documents and their lines, made to order."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from oms.domain.stock import Incoming, StockPosition
from oms.domain.stock_documents import (
    DocumentKind,
    Source,
    StockDocument,
)
from oms.domain.stock_lines import (
    DocumentLine,
    LineType,
)

NOON = datetime(2026, 3, 2, 12, tzinfo=UTC)


SOON, LATER = NOON + timedelta(days=1), NOON + timedelta(days=9)


def line(kind: str = "RECEIVE", quantity: int = 5, number: int = 1, **more: Any) -> DocumentLine:
    facts: dict[str, Any] = {"sku": "MUG", "location_id": "WH-EAST"}
    return DocumentLine(line=number, type=LineType(kind), quantity=quantity, **(facts | more))


def document(**changes: Any) -> StockDocument:
    facts: dict[str, Any] = {
        "document_id": "adjustment-1",
        "version": 1,
        "kind": DocumentKind.ADJUSTMENT,
        "source": Source.API,
        "effective_at": NOON,
        "received_at": NOON,
        "actor": "api:shop",
        "content_hash": "hash",
        "lines": 3,
    }
    return StockDocument(**(facts | changes))


def incoming(reference: str, quantity: int, expected_at: datetime = SOON) -> Incoming:
    return Incoming(reference=reference, quantity=quantity, expected_at=expected_at)


def position(**more: Any) -> StockPosition:
    return StockPosition(sku="MUG", location_id="WH-EAST", **more)


def expect(reference: str, quantity: int, expected_at: datetime | None = LATER) -> DocumentLine:
    return line("EXPECT", quantity, reference=reference, expected_at=expected_at)


def arrived(reference: str, quantity: int) -> DocumentLine:
    return line("RECEIVE", quantity, reference=reference)


PO_1, PO_2 = incoming("PO-1", 10), incoming("PO-2", 4, LATER)
