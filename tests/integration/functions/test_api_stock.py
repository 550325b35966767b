"""Stock over HTTP: what there is of a SKU, by location and bucket; changes to it that no order asks for."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from oms.domain.stock import OVERSOLD, Incoming, StockPosition
from oms.runtime import clients
from tests.integration.carts import CART_CASES
from tests.integration.faults import CrashedError, Faults
from tests.integration.functions.api_client import ApiClient, Reply
from tests.integration.samples import seed_company
from tests.integration.stage import PREFIX, Stage, cases, sample

EMPTY = {"committed": 0, "reserved": 0, "damaged": 0, "quality_control": 0}


@pytest.fixture
def api(stage: Stage) -> ApiClient:
    return ApiClient(stage, "api_stock")


def test_stock_is_told_by_location_and_in_total(api: ApiClient) -> None:
    reply = api.call("GET", "/stock/MUG")
    assert reply.status == 200
    assert reply.body == {
        "sku": "MUG",
        "positions": [
            {"location_id": "WH-EAST", "on_hand": 10, "available": 10, **EMPTY},
            {"location_id": "WH-WEST", "on_hand": 5, "available": 5, **EMPTY},
        ],
        "totals": {"on_hand": 15, "available": 15, **EMPTY},
    }


def test_stock_that_was_promised_twice_shows_as_less_than_nothing(stage: Stage, api: ApiClient) -> None:
    stage.put("stock", StockPosition(sku="CUP", location_id="WH-EAST", on_hand=1, available=-2, committed=3))
    reply = api.call("GET", "/stock/CUP")
    assert (reply.body["totals"]["available"], reply.body["totals"]["committed"]) == (-2, 3)


@pytest.mark.parametrize(
    ("sku", "sent"),
    [("TASSE grün", "TASSE%20gr%C3%BCn"), ("TASSE grün", "TASSE grün"), ('9" #2', '9" #2'), ("50%-MIX", "50%25-MIX")],
)
def test_a_sku_of_any_letters_is_found(stage: Stage, api: ApiClient, sku: str, sent: str) -> None:
    stage.put("stock", StockPosition(sku=sku, location_id="WH-EAST", on_hand=1, available=1))
    assert api.call("GET", f"/stock/{sent}").body["sku"] == sku


@pytest.mark.parametrize("sku", ["NOTHING", "x" * 101, "x" * 5_000])
def test_a_sku_that_never_had_stock_is_not_found(api: ApiClient, sku: str) -> None:
    reply = api.call("GET", f"/stock/{sku}")
    assert (reply.status, reply.error["code"]) == (404, "NotFound")
    assert reply.error["request_id"] == "request-1"


def test_what_is_on_its_way_when_it_was_counted_and_what_is_wrong_is_told_too(stage: Stage, api: ApiClient) -> None:
    noon = datetime(2026, 3, 2, 12, tzinfo=UTC)
    short = StockPosition(
        sku="CUP",
        location_id="WH-EAST",
        available=-1,
        committed=1,
        incoming=(Incoming(reference="PO-1", quantity=5, expected_at=noon),),
        snapshot_as_of=noon,
        problem=OVERSOLD,
        problem_since=noon,
    )
    stage.put("stock", short)
    (shown,) = api.call("GET", "/stock/CUP").body["positions"]
    assert shown["incoming"] == [{"reference": "PO-1", "quantity": 5, "expected_at": "2026-03-02T12:00:00Z"}]
    assert (shown["snapshot_as_of"], shown["problem"], shown["problem_since"]) == (
        "2026-03-02T12:00:00Z",
        "OVERSOLD",
        "2026-03-02T12:00:00Z",
    )


def told(kind: str = "RECEIVE", quantity: int = 5, **more: Any) -> dict[str, Any]:
    return {"type": kind, "sku": "MUG", "location_id": "WH-EAST", "quantity": quantity, **more}


def adjust(api: ApiClient, *lines: dict[str, Any], key: str | None = "key-1", **more: Any) -> Reply:
    return api.call("POST", "/stock/adjustments", {"lines": list(lines), **more}, key=key, scopes="oms/stock.write")


def test_an_adjustment_is_booked_and_answered_line_by_line(stage: Stage, api: ApiClient) -> None:
    reply = adjust(api, told(), told("TRANSFER", 99, to_location_id="WH-WEST"))
    assert reply.status == 200
    assert reply.body == {
        "document_id": reply.body["document_id"],
        "lines": [
            {"line": 1, "outcome": "BOOKED"},
            {"line": 2, "outcome": "REFUSED", "reason": "NOT_ENOUGH", "bucket": "available", "found": 15},
        ],
        "booked": 1,
        "duplicates": 0,
        "refused": 1,
    }
    assert stage.position("MUG", "WH-EAST").on_hand == 15


def test_a_repeat_is_answered_from_the_document_and_books_nothing(stage: Stage, api: ApiClient) -> None:
    lines = told(), told("SCRAP", 1)
    adjust(api, *lines)
    for worker in (api, ApiClient(stage, "api_stock")):
        reply = adjust(worker, *lines)
        assert [line["outcome"] for line in reply.body["lines"]] == ["DUPLICATE", "REFUSED"]
        assert (reply.body["booked"], reply.body["duplicates"], reply.body["refused"]) == (0, 1, 1)
    assert stage.position("MUG", "WH-EAST").on_hand == 15


def test_a_repeat_after_the_key_was_forgotten_books_nothing_either(stage: Stage, api: ApiClient) -> None:
    adjust(api, told())
    for row in stage.rows("idempotency"):
        clients.client("dynamodb").delete_item(TableName=f"{PREFIX}idempotency", Key={"id": {"S": row["id"]}})
    assert adjust(api, told()).body["duplicates"] == 1
    other = adjust(api, told(quantity=6))
    assert (other.status, other.error["code"]) == (422, "KeyReused")
    assert stage.position("MUG", "WH-EAST").on_hand == 15


def test_the_same_key_with_another_content_is_refused(stage: Stage, api: ApiClient) -> None:
    adjust(api, told())
    reply = adjust(api, told(quantity=6))
    assert (reply.status, reply.error["code"]) == (422, "KeyReused")


def test_two_clients_may_choose_the_same_key(stage: Stage, api: ApiClient) -> None:
    adjust(api, told())
    assert adjust(ApiClient(stage, "api_stock", "erp"), told()).body["booked"] == 1
    assert stage.position("MUG", "WH-EAST").on_hand == 20


def test_a_request_whose_worker_died_is_taken_up_by_the_next_and_booked_once(
    stage: Stage, api: ApiClient, faults: Faults
) -> None:
    api.context.remaining_millis = 0
    faults.crash_after()
    with pytest.raises(CrashedError):
        adjust(api, told())
    faults.mend()
    reply = adjust(ApiClient(stage, "api_stock"), told())
    assert (reply.status, reply.body["refused"]) == (200, 0)
    assert stage.position("MUG", "WH-EAST").on_hand == 15


REFUSALS: dict[str, tuple[dict[str, Any], dict[str, str]]] = {
    "no lines": ({"lines": []}, {"lines": "INVALID_FIELD"}),
    "too many lines": ({"lines": [told()] * 501}, {"lines": "INVALID_FIELD"}),
    "nothing": ({}, {"lines": "MISSING_FIELD"}),
    "an unknown field": ({"lines": [told(colour="red")]}, {"lines.0.colour": "INVALID_FIELD"}),
    "an unknown type": ({"lines": [told("STEAL")]}, {"lines.0.type": "INVALID_FIELD"}),
    "units as text": ({"lines": [told(quantity="5")]}, {"lines.0.quantity": "INVALID_FIELD"}),  # type: ignore[arg-type]
    "no units": ({"lines": [told(quantity=0)]}, {"lines.0.quantity": "INVALID_FIELD"}),
    "an adjustment without a reason": ({"lines": [told("ADJUST", -1)]}, {"lines.0.reason_code": "MISSING_FIELD"}),
    "a reason nobody knows": (
        {"lines": [told("ADJUST", -1, reason_code="TIRED")]},
        {"lines.0.reason_code": "INVALID_FIELD"},
    ),
    "a transfer to nowhere": ({"lines": [told("TRANSFER")]}, {"lines.0.to_location_id": "MISSING_FIELD"}),
    "an unknown sku": ({"lines": [told(), told(sku="CUP")]}, {"lines.1.sku": "UNKNOWN_SKU"}),
    "an unknown location": ({"lines": [told(location_id="WH-MOON")]}, {"lines.0.location_id": "UNKNOWN_LOCATION"}),
    "tomorrow": (
        {"effective_at": (datetime.now(UTC) + timedelta(days=1)).isoformat(), "lines": [told()]},
        {"effective_at": "INVALID_FIELD"},
    ),
    "years ago": ({"effective_at": "2019-01-01T00:00:00Z", "lines": [told()]}, {"effective_at": "INVALID_FIELD"}),
    "a time without a zone": (
        {"effective_at": "2026-03-01T00:00:00", "lines": [told()]},
        {"effective_at": "INVALID_FIELD"},
    ),
}


@pytest.mark.parametrize("case", REFUSALS)
def test_an_adjustment_of_what_makes_no_sense_is_refused_by_field_and_books_nothing(
    stage: Stage, api: ApiClient, case: str
) -> None:
    body, named = REFUSALS[case]
    reply = api.call("POST", "/stock/adjustments", body, key="key-1", scopes="oms/stock.write")
    assert reply.status == 422
    assert {fault["field"]: fault["reason"] for fault in reply.error["details"]["faults"]} == named
    assert stage.rows("stock_movements") == stage.rows("stock_documents") == []


def test_an_adjustment_needs_a_key(api: ApiClient) -> None:
    reply = adjust(api, told(), key=None)
    assert (reply.status, reply.error["details"]["field"]) == (422, "Idempotency-Key")


def test_when_nothing_can_be_written_the_caller_is_asked_to_come_again_and_then_it_is_booked(
    stage: Stage, api: ApiClient
) -> None:
    stage.fail("dynamodb", "TransactWriteItems", "ProvisionedThroughputExceededException")
    api.app.commit._sleep = lambda _: None
    assert adjust(api, told()).status == 503
    stage.mend()
    assert adjust(api, told()).body["refused"] == 0
    assert stage.position("MUG", "WH-EAST").on_hand == 15


def test_what_happened_yesterday_stands_in_yesterdays_ledger(stage: Stage, api: ApiClient) -> None:
    yesterday = datetime.now(UTC) - timedelta(days=1)
    adjust(api, told(), effective_at=yesterday.isoformat())
    (row,) = stage.rows("stock_movements")
    assert row["location_day"] == f"WH-EAST#{yesterday:%Y-%m-%d}"
    assert row["recorded_at"] > row["effective_at"]


@pytest.mark.parametrize(("method", "path"), [("GET", "/stock"), ("POST", "/stock/MUG"), ("GET", "/stocks/MUG")])
def test_an_address_nobody_answers_is_not_found(api: ApiClient, method: str, path: str) -> None:
    assert api.call(method, path).error["code"] == "NotFound"


def test_a_throttled_table_asks_the_caller_to_come_again(stage: Stage, api: ApiClient) -> None:
    stage.fail("dynamodb", "Query", "ProvisionedThroughputExceededException")
    reply = api.call("GET", "/stock/MUG")
    assert (reply.status, reply.error["code"]) == (503, "Throttled")


STATUS = {"read_availability_of_unknown_sku": 404, "read_unknown_sku": 404}
"""Of samples that are neither answered well nor called refused."""


@pytest.mark.parametrize(
    "case", [case for case in cases("api_stock") if case not in CART_CASES and "snapshot" not in case]
)
def test_each_sample_event_is_answered_and_moves_nothing_when_it_comes_again(stage: Stage, case: str) -> None:
    seed_company(stage)
    api = ApiClient(stage, "api_stock")
    first, left = api.send(sample("api_stock", case)), (stage.rows("stock"), stage.rows("stock_movements"))
    again = api.send(sample("api_stock", case))
    assert (stage.rows("stock"), stage.rows("stock_movements")) == left
    refused = STATUS.get(case, 422 if case.startswith("refused_") else 0)
    assert refused or first.status in (200, 202)
    if refused or case.startswith("read_"):
        assert first.status == (refused or 200)
        assert (first.status, first.body | {"at": ""}) == (again.status, again.body | {"at": ""})


@pytest.mark.parametrize("case", ["adjust_after_a_cycle_count", "receive_an_expected_delivery", "return_and_inspect"])
def test_each_line_of_a_sample_is_booked_once(stage: Stage, case: str) -> None:
    seed_company(stage)
    first, again = (ApiClient(stage, "api_stock").send(sample("api_stock", case)).body for _ in range(2))
    lines = len(first["lines"])
    assert (first["booked"], again["booked"], again["duplicates"]) == (lines, 0, lines)
