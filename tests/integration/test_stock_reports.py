"""What locations tell of their stock: facts are booked, and what nobody can book waits in quarantine."""

from __future__ import annotations

from typing import Any

import pytest

from oms.domain.stock_documents import DocumentStatus
from tests.integration.company import at, balance
from tests.integration.desk import Desk, units
from tests.integration.faults import Faults
from tests.integration.stage import Stage


@pytest.fixture
def desk(stage: Stage) -> Desk:
    return Desk()


def message(*lines: dict[str, Any], **changes: Any) -> dict[str, Any]:
    """A message of the stock queue: what WH-EAST told."""
    told = [{"line": number, "type": "ADJUST", **one} for number, one in enumerate(lines, start=1)]
    facts: dict[str, Any] = {
        "kind": "stock_document",
        "document_id": "report-1",
        "document_kind": "ADJUSTMENT",
        "location_id": "WH-EAST",
        "message_id": "m-1",
        "occurred_at": at(0).isoformat(),
        "received_at": at(0.1).isoformat(),
        "content_hash": "as told",
        "line_count": len(lines),
        "lines": told,
    }
    return facts | changes


FOUND = {"sku": "MUG", "quantity": 2, "reason_code": "FOUND"}


NOBODY_KNOWS = {"sku": "CUP", "quantity": 5, "reason_code": "FOUND"}


def test_a_fact_is_booked_though_it_leaves_less_than_nothing(stage: Stage, desk: Desk) -> None:
    sold = {"sku": "MUG", "quantity": -12, "reason_code": "SOLD_ELSEWHERE"}
    assert desk.reports.take(message(sold), at(1)) == 0
    assert units(stage) == {"on_hand": -2, "available": -2}
    balance(stage)


def test_what_nobody_can_book_waits_in_quarantine_line_by_line(stage: Stage, desk: Desk) -> None:
    scrapped = {"sku": "BOWL", "quantity": 3, "type": "SCRAP"}
    told = message(FOUND, NOBODY_KNOWS, scrapped)
    assert [desk.reports.take(told, at(1)) for _ in range(2)] == [2, 2]
    assert units(stage) == {"on_hand": 12, "available": 12}
    kept = stage.rows("quarantine")
    assert sorted((row["source"], row["reason"], row["field"]) for row in kept) == [
        ("stock#WH-EAST", "NOT_ENOUGH", "quantity"),
        ("stock#WH-EAST", "UNKNOWN_SKU", "sku"),
    ]
    (row,) = stage.rows("stock_documents")
    assert (row["status"], row["booked"], len(row["not_booked"])) == ("BOOKED", 1, 2)


def test_a_quarantined_line_that_is_replayed_is_booked_as_the_line_it_was(stage: Stage, desk: Desk) -> None:
    told = message(FOUND, NOBODY_KNOWS)
    desk.reports.take(told, at(1))
    (row,) = stage.rows("quarantine")
    stage.put("products", {"sku": "CUP"})
    assert desk.reports.take(row["message"], at(2)) == 0
    assert desk.reports.take(told, at(3)) == 0
    assert (units(stage), units(stage, "CUP")) == (
        {"on_hand": 12, "available": 12},
        {"on_hand": 5, "available": 5},
    )
    (header_row,) = stage.rows("stock_documents")
    assert (header_row["booked"], "not_booked" in header_row) == (2, False)
    balance(stage)


def test_a_replay_before_the_message_itself_was_done_does_not_end_the_document(stage: Stage, desk: Desk) -> None:
    told = message(FOUND, FOUND | {"quantity": 1})
    alone = {**told, "lines": told["lines"][1:]}
    desk.reports.take(alone, at(1))
    assert [row["status"] for row in stage.rows("stock_documents")] == ["RECEIVED"]
    desk.reports.take(told, at(2))
    (row,) = stage.rows("stock_documents")
    assert (row["status"], row["booked"]) == ("BOOKED", 2)
    assert units(stage) == {"on_hand": 13, "available": 13}


def test_a_message_under_the_name_of_another_waits_in_quarantine(stage: Stage, desk: Desk) -> None:
    desk.reports.take(message(FOUND), at(1))
    assert desk.reports.take(message(FOUND, content_hash="something else"), at(2)) == 1
    assert units(stage) == {"on_hand": 12, "available": 12}
    assert [row["reason"] for row in stage.rows("quarantine")] == ["KEY_REUSED"]


def test_a_report_happened_when_the_location_says_but_never_ahead_of_us(stage: Stage, desk: Desk) -> None:
    desk.reports.take(message(FOUND, occurred_at=at(-5).isoformat()), at(1))
    desk.reports.take(message(FOUND, occurred_at=at(9).isoformat(), document_id="report-2"), at(1))
    happened = sorted(row["effective_at"] for row in stage.rows("stock_movements"))
    assert happened == ["2026-03-02T07:00:00Z", "2026-03-02T12:06:00Z"]


def test_two_workers_with_the_same_message_book_it_once(stage: Stage, desk: Desk, faults: Faults) -> None:
    told = message(FOUND, NOBODY_KNOWS)
    faults.meanwhile("TransactWriteItems", lambda: Desk().reports.take(told, at(1)))
    assert desk.reports.take(told, at(1)) == 1
    assert units(stage) == {"on_hand": 12, "available": 12}
    (row,) = stage.rows("stock_documents")
    assert (row["status"], row["booked"], DocumentStatus(row["status"])) == ("BOOKED", 1, DocumentStatus.BOOKED)
    balance(stage)
