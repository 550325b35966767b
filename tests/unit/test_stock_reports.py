"""Stock documents as they come in: requests of the API, reports of locations."""

from __future__ import annotations

import json
from typing import Any

import pytest

from oms.connectors import stock_reports
from oms.domain.errors import InvalidMessage
from oms.runtime.stock_requests import StockAdjustments
from tests.unit.stock_lines import NOON, SOON, line


def request(**changes: Any) -> StockAdjustments:
    told = {"type": "RECEIVE", "sku": " MUG ", "location_id": "WH-EAST", "quantity": 5}
    return StockAdjustments.model_validate_json(json.dumps({"lines": [told | changes]}))


def test_a_request_becomes_numbered_lines() -> None:
    (told,) = request(reference="PO-1").document_lines(NOON)
    assert told == line(reference="PO-1")
    (told,) = request(type="EXPECT", reference="PO-1", expected_at="2026-03-03T07:00:00.5-05:00").document_lines(NOON)
    assert told.expected_at == SOON


def test_a_request_with_lines_that_make_no_sense_is_refused_with_every_field_named() -> None:
    told = [
        {"type": "ADJUST", "sku": "MUG", "location_id": "WH-EAST", "quantity": 0},
        {"type": "TRANSFER", "sku": "MUG", "location_id": "WH-EAST", "quantity": 1},
    ]
    body = StockAdjustments.model_validate_json(json.dumps({"effective_at": "2020-01-01T00:00:00Z", "lines": told}))
    with pytest.raises(InvalidMessage) as refused:
        body.document_lines(NOON)
    assert [(fault["field"], fault["reason"]) for fault in refused.value.details["faults"]] == [  # type: ignore[attr-defined]
        ("lines.0.quantity", "INVALID_FIELD"),
        ("lines.0.reason_code", "MISSING_FIELD"),
        ("lines.1.to_location_id", "MISSING_FIELD"),
        ("effective_at", "INVALID_FIELD"),
    ]


def test_the_same_request_has_the_same_content_and_another_has_not() -> None:
    assert request().content_hash == request().content_hash
    assert request().content_hash != request(quantity=6).content_hash


def report(kind: str, **data: Any) -> bytes:
    told = {"id": "report-1", "type": kind, "occurred_at": "2026-03-02T12:00:00Z", "data": data}
    return json.dumps(told).encode()


def test_what_a_location_received_is_one_line_per_sku() -> None:
    lines = [{"sku": "MUG", "quantity": 2}, {"sku": "CUP", "quantity": 1}, {"sku": "MUG", "quantity": 3}]
    (message,) = stock_reports.received(report("stock.received", reference="PO-1", lines=lines), "WH-EAST", SOON)
    assert message["lines"] == [
        {"line": 1, "type": "RECEIVE", "sku": "MUG", "quantity": 5, "reference": "PO-1"},
        {"line": 2, "type": "RECEIVE", "sku": "CUP", "quantity": 1, "reference": "PO-1"},
    ]
    assert (message["document_kind"], message["line_count"]) == ("RECEIPT", 2)


def test_a_long_report_becomes_several_documents_that_count_their_lines_on() -> None:
    lines = [{"sku": f"SKU-{number}", "quantity": -1, "reason_code": "LOST"} for number in range(450)]
    messages = stock_reports.adjusted(report("stock.adjusted", lines=lines), "WH-EAST", SOON)
    assert [message["line_count"] for message in messages] == [200, 200, 50]
    assert len({message["document_id"] for message in messages}) == 3
    numbers = [told["line"] for message in messages for told in message["lines"]]
    assert numbers == list(range(1, 451))


def test_the_longest_skus_in_the_most_lines_fit_a_message_of_a_queue() -> None:
    lines = [{"sku": "ü" * 100, "quantity": -1_000_000, "reason_code": "SUPPLIER_ERROR"}] * 450
    messages = stock_reports.adjusted(report("stock.adjusted", lines=lines), "W" * 40, SOON)
    assert max(len(json.dumps(message)) for message in messages) < 200_000


@pytest.mark.parametrize(
    ("told", "field"),
    [
        ({"sku": "MUG", "quantity": 0}, "data.lines.0.quantity"),
        ({"sku": "MUG", "quantity": -1, "type": "SCRAP"}, "data.lines.0.quantity"),
        ({"sku": "MUG", "quantity": 1, "type": "TRANSFER"}, "data.lines.0.type"),
        ({"sku": "MUG", "quantity": 1, "reason_code": "TIRED"}, "data.lines.0.reason_code"),
        ({"sku": "", "quantity": 1}, "data.lines.0.sku"),
        ({"sku": "MUG", "quantity": True}, "data.lines.0.quantity"),
    ],
)
def test_a_report_that_makes_no_sense_is_refused_at_the_door(told: dict[str, Any], field: str) -> None:
    with pytest.raises(InvalidMessage) as refused:
        stock_reports.adjusted(report("stock.adjusted", lines=[told]), "WH-EAST", SOON)
    assert refused.value.field == field


@pytest.mark.parametrize(
    ("body", "kind"),
    [(b'{"type":"stock.adjusted"}', "stock.adjusted"), (b"[]", ""), (b"{", ""), (b"\xff", ""), (b'{"type":7}', "")],
)
def test_the_type_of_a_body_is_read_whatever_the_body_is(body: bytes, kind: str) -> None:
    assert stock_reports.type_of(body) == kind


def test_a_fact_without_a_reason_has_the_reason_other() -> None:
    lines = [{"sku": "MUG", "quantity": -1}, {"sku": "MUG", "quantity": 1, "type": "MARK_DAMAGED"}]
    (message,) = stock_reports.adjusted(report("stock.adjusted", lines=lines), "WH-EAST", SOON)
    assert [told.get("reason_code") for told in message["lines"]] == ["OTHER", None]
