"""What locations report of their stock beside counts: webhooks of the types `stock.adjusted` and `stock.received`.

{"id", "type": "stock.adjusted", "occurred_at", "data": {"lines": [{"sku", "type"?, "quantity", "reason_code"?}]}}
{"id", "type": "stock.received", "occurred_at", "data": {"reference"?, "lines": [{"sku", "quantity"}]}}

An adjustment's quantity is signed; the other types of `stock.adjusted` move so many units. A long report becomes
several documents; each is a message of the stock queue.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Sequence
from datetime import datetime
from typing import Annotated, Any, Literal, TypeVar

from pydantic import BaseModel, Field, ValidationError

from oms.connectors.bodies import Body, Name, Time
from oms.domain.ids import short_hash
from oms.domain.stock_documents import DocumentKind, report_document_id
from oms.domain.stock_lines import MAX_QUANTITY, AdjustmentReason, DocumentLine, LineType, faults
from oms.domain.validation import invalid_message

MAX_REPORTED_LINES = 10_000
MAX_LINES_PER_MESSAGE = 200
"""Of the longest skus, these still fit a message of a queue."""

R = TypeVar("R", bound=BaseModel)


AdjustedType = Literal[
    LineType.ADJUST,
    LineType.MARK_DAMAGED,
    LineType.SCRAP,
    LineType.QUALITY_HOLD,
    LineType.QUALITY_PASS,
    LineType.QUALITY_FAIL,
]


class _AdjustedLine(Body):
    sku: Name
    type: AdjustedType = LineType.ADJUST
    quantity: Annotated[int, Field(ge=-MAX_QUANTITY, le=MAX_QUANTITY)]
    reason_code: AdjustmentReason | None = None


class _ReceivedLine(Body):
    sku: Name
    quantity: Annotated[int, Field(ge=1, le=MAX_QUANTITY)]


class _Adjusted(Body):
    lines: Annotated[list[_AdjustedLine], Field(min_length=1, max_length=MAX_REPORTED_LINES)]


class _Received(Body):
    reference: Name | None = None
    lines: Annotated[list[_ReceivedLine], Field(min_length=1, max_length=MAX_REPORTED_LINES)]


class _Report(Body):
    id: Name
    type: Literal["stock.adjusted", "stock.received"]
    occurred_at: Time


class AdjustedReport(_Report):
    """The body of `stock.adjusted`."""

    data: _Adjusted


class ReceivedReport(_Report):
    """The body of `stock.received`."""

    data: _Received


def adjusted(body: bytes, location_id: str, received_at: datetime) -> list[dict[str, Any]]:
    """The messages that a `stock.adjusted` becomes. Raises InvalidMessage naming every field that is wrong."""
    report = _read(AdjustedReport, body)
    lines = [
        DocumentLine(
            line=number,
            type=line.type,
            sku=line.sku,
            location_id=location_id,
            quantity=line.quantity,
            reason_code=line.reason_code or _reason_left_out(line.type),
        )
        for number, line in enumerate(report.data.lines, start=1)
    ]
    found = [fault for line in lines for fault in faults(line, "data", "lines", line.line - 1)]
    if found:
        raise invalid_message(found)
    return _messages(report, DocumentKind.ADJUSTMENT, lines, received_at)


def received(body: bytes, location_id: str, received_at: datetime) -> list[dict[str, Any]]:
    """The messages that a `stock.received` becomes, one line per sku. Raises InvalidMessage as `adjusted` does."""
    report = _read(ReceivedReport, body)
    units: Counter[str] = Counter()
    for line in report.data.lines:
        units[line.sku] += line.quantity
    lines = [
        DocumentLine(
            line=number,
            type=LineType.RECEIVE,
            sku=sku,
            location_id=location_id,
            quantity=quantity,
            reference=report.data.reference,
        )
        for number, (sku, quantity) in enumerate(units.items(), start=1)
    ]
    return _messages(report, DocumentKind.RECEIPT, lines, received_at)


READERS = {"stock.adjusted": adjusted, "stock.received": received}
"""By the type of the report."""


def type_of(body: bytes) -> str:
    """The type a body says it is of; empty where it says none."""
    try:
        told = json.loads(body)
    except ValueError:
        return ""
    kind = told.get("type") if isinstance(told, dict) else None
    return kind if isinstance(kind, str) else ""


def _reason_left_out(kind: LineType) -> AdjustmentReason | None:
    """A fact is not refused for want of a reason."""
    return AdjustmentReason.OTHER if kind is LineType.ADJUST else None


def _read(model: type[R], body: bytes) -> R:
    try:
        return model.model_validate_json(body)
    except ValidationError as error:
        raise invalid_message(error.errors(include_url=False, include_input=False)) from error


def _messages(
    report: _Report, kind: DocumentKind, lines: Sequence[DocumentLine], received_at: datetime
) -> list[dict[str, Any]]:
    content_hash = short_hash(report.model_dump_json(), length=32)
    parts = [lines[start : start + MAX_LINES_PER_MESSAGE] for start in range(0, len(lines), MAX_LINES_PER_MESSAGE)]
    return [
        {
            "kind": "stock_document",
            "document_id": report_document_id(part[0].location_id, report.id, number),
            "document_kind": kind.value,
            "location_id": part[0].location_id,
            "message_id": report.id,
            "occurred_at": report.occurred_at.isoformat(),
            "received_at": received_at.isoformat(),
            "content_hash": content_hash,
            "line_count": len(part),
            "lines": [_plain(line) for line in part],
        }
        for number, part in enumerate(parts, start=1)
    ]


def _plain(line: DocumentLine) -> dict[str, Any]:
    told: dict[str, Any] = {"line": line.line, "type": line.type.value, "sku": line.sku, "quantity": line.quantity}
    if line.reason_code:
        told["reason_code"] = line.reason_code.value
    if line.reference:
        told["reference"] = line.reference
    return told
