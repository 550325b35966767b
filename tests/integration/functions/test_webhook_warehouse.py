"""The door for warehouses: signed reports about their own work are queued, all others are turned away by name."""

from __future__ import annotations

import json
import time
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest

from oms.domain.fulfilling import REPORT_TYPES
from oms.domain.order import Fulfillment, FulfillmentLine, Line, Order, Totals
from oms.domain.stock_documents import STOCK_REPORT_TYPES
from oms.runtime.signatures import standard_webhooks_headers
from tests.integration.functions.doors import Door, body_of, http_event, open_door
from tests.integration.stage import Stage, cases, sample

SECRET = "whsec_cmVubydzIHNpZ25pbmcga2V5IGZvciB0ZXN0cw=="
OLDER = "whsec_cmVubydzIGtleSBvZiBsYXN0IG1vbnRoLCAyNCs="
ORDER_ID = "shopify-main-street-goods-5710000100241"
FULFILLMENT_ID = f"{ORDER_ID}-f1"
LINES = ("57100001002411", "57100001002412")
NOON = datetime(2026, 11, 16, 12, tzinfo=UTC)


@pytest.fixture
def warehouse(stage: Stage) -> Door:
    held = {"warehouses/WH-RENO": [SECRET, OLDER], "warehouses/WH-DALLAS": [SECRET]}
    stage.put("orders", released_order())
    return open_door(stage, "webhook_warehouse", "fulfillment", held)


def released_order() -> Order:
    """The order of the samples, its two lines to be shipped by WH-RENO."""
    lines = tuple(Line(line_id=one, sku=f"SKU-{one}", ordered=3, in_fulfillment=3) for one in LINES)
    work = tuple(FulfillmentLine(line_id=one.line_id, sku=one.sku, assigned=3, open=3) for one in lines)
    return Order(
        order_id=ORDER_ID,
        version=3,
        channel="shopify",
        account="main-street-goods",
        channel_order_id="5710000100241",
        channel_updated_at=NOON,
        placed_at=NOON,
        updated_at=NOON,
        currency="USD",
        totals=Totals(),
        lines=lines,
        fulfillments=(Fulfillment(fulfillment_id=FULFILLMENT_ID, location_id="WH-RENO", lines=work),),
    )


def report(type_: str = "fulfillment.packed", **data: Any) -> dict[str, Any]:
    return {
        "id": "report-1",
        "type": type_,
        "occurred_at": "2026-11-16T13:00:00Z",
        "data": {"fulfillment_id": FULFILLMENT_ID, **data},
    }


def signed(
    body: dict[str, Any] | bytes, location_id: str = "WH-RENO", secret: str = SECRET, seconds_ago: int = 0
) -> dict[str, Any]:
    raw = body if isinstance(body, bytes) else json.dumps(body).encode()
    headers = standard_webhooks_headers([secret], "report-1", int(time.time()) - seconds_ago, raw)
    return http_event({"location_id": location_id}, headers, raw)


def faults(answer: dict[str, Any]) -> dict[str, str]:
    return {fault["field"]: fault["reason"] for fault in answer["error"]["details"]["faults"]}


WORK = [case for case in cases("webhook_warehouse") if not case.startswith("stock_")]
STOCK = [case for case in cases("webhook_warehouse") if case.startswith("stock_")]


@pytest.mark.parametrize("case", WORK)
def test_each_sample_is_queued_each_time_it_comes_and_says_the_same(warehouse: Door, case: str) -> None:
    event = sample("webhook_warehouse", case)
    message_id = event["headers"]["webhook-id"]
    event["headers"] |= standard_webhooks_headers([SECRET], message_id, int(time.time()), body_of(event))
    assert [warehouse.post(event) for _ in range(2)] == [(202, {})] * 2
    assert warehouse.groups() == [ORDER_ID] * 2
    first, again = warehouse.queued()
    assert first == again
    body = json.loads(body_of(event))
    assert first["kind"] == "fulfillment_report"
    assert first["type"] == body["type"]
    assert first["lines"] == {one["line_id"]: one["quantity"] for one in body["data"]["lines"]}


@pytest.mark.parametrize("case", STOCK)
def test_each_sample_about_stock_is_queued_for_its_location_and_says_the_same_twice(warehouse: Door, case: str) -> None:
    event = sample("webhook_warehouse", case)
    event["headers"] |= standard_webhooks_headers(
        [SECRET], event["headers"]["webhook-id"], int(time.time()), body_of(event)
    )
    assert [warehouse.post(event) for _ in range(2)] == [(202, {})] * 2
    stock = replace(warehouse, queue="stock")
    assert stock.groups() == ["WH-RENO"] * 2
    first, again = stock.queued()
    assert first | {"received_at": ""} == again | {"received_at": ""}
    assert (first["location_id"], first["message_id"]) == ("WH-RENO", json.loads(body_of(event))["id"])
    assert warehouse.queued() == []


def stock_report(kind: str = "stock.adjusted", **data: Any) -> dict[str, Any]:
    return {"id": "report-1", "type": kind, "occurred_at": "2026-11-16T13:00:00Z", "data": data}


def test_stock_is_told_of_the_location_that_signed_whatever_the_body_says(warehouse: Door) -> None:
    body = stock_report("stock.received", location_id="WH-DALLAS", lines=[{"sku": "MUG", "quantity": 2}])
    assert warehouse.post(signed(body))[0] == 202
    (message,) = replace(warehouse, queue="stock").queued()
    assert message["location_id"] == "WH-RENO"
    assert message["lines"] == [{"line": 1, "type": "RECEIVE", "sku": "MUG", "quantity": 2}]


@pytest.mark.parametrize(
    ("body", "field"),
    [
        (stock_report(), "data.lines"),
        (stock_report(lines=[]), "data.lines"),
        (stock_report(lines=[{"sku": "MUG", "quantity": 0}]), "data.lines.0.quantity"),
        (stock_report(lines=[{"sku": "MUG", "quantity": -1, "type": "SCRAP"}]), "data.lines.0.quantity"),
        (stock_report("stock.received", lines=[{"sku": "MUG", "quantity": -1}]), "data.lines.0.quantity"),
        (stock_report(lines=[{"sku": "MUG", "quantity": 1}]) | {"occurred_at": "noon"}, "occurred_at"),
        (stock_report("stock.sung"), "type"),
    ],
)
def test_a_report_about_stock_that_makes_no_sense_is_refused_by_field(
    warehouse: Door, body: dict[str, Any], field: str
) -> None:
    status, answer = warehouse.post(signed(body))
    assert (status, answer["error"]["details"]["field"]) == (422, field)
    assert replace(warehouse, queue="stock").queued() == []


def test_a_forged_report_about_stock_is_not_looked_at(warehouse: Door) -> None:
    body = stock_report(lines=[{"sku": "MUG", "quantity": 99}])
    assert warehouse.post(signed(body, secret="whsec_" + "QUFB" * 8))[0] == 401
    assert replace(warehouse, queue="stock").queued() == []


def test_when_the_stock_queue_takes_nothing_the_location_is_asked_to_try_again(warehouse: Door) -> None:
    warehouse.stage.fail("sqs", "SendMessage", "RequestThrottled")
    assert warehouse.post(signed(stock_report(lines=[{"sku": "MUG", "quantity": 1}])))[0] == 503


def test_a_shipment_is_queued_with_all_that_is_known_of_the_parcel(warehouse: Door) -> None:
    data = {
        "lines": [{"line_id": LINES[0], "quantity": 1}, {"line_id": LINES[0], "quantity": 2}],
        "shipment_id": "parcel-1",
        "carrier": "UPS",
        "service": "ground",
        "tracking_number": "1Z0001",
    }
    assert warehouse.post(signed(report("fulfillment.shipped", **data)))[0] == 202
    (message,) = warehouse.queued()
    assert message == {
        "kind": "fulfillment_report",
        "message_id": "report-1",
        "type": "fulfillment.shipped",
        "occurred_at": "2026-11-16T13:00:00+00:00",
        "location_id": "WH-RENO",
        "fulfillment_id": FULFILLMENT_ID,
        "lines": {LINES[0]: 3},
        "shipment_id": "parcel-1",
        "carrier": "ups",
        "service": "ground",
        "tracking_number": "1Z0001",
        "reason_code": "",
    }


def test_while_the_key_is_changed_the_older_one_is_accepted(warehouse: Door) -> None:
    assert warehouse.post(signed(report(), secret=OLDER))[0] == 202


def forgeries() -> dict[str, dict[str, Any]]:
    touched = signed(report())
    touched["headers"]["webhook-id"] = "report-2"
    unsigned = signed(report()) | {"headers": {}}
    doubled = signed(report())
    doubled["headers"]["webhook-signature"] += "," + doubled["headers"]["webhook-signature"]
    return {
        "an hour old": signed(report(), seconds_ago=3_600),
        "from the future": signed(report(), seconds_ago=-3_600),
        "signed with another key": signed(report(), secret="whsec_" + "QUFB" * 8),
        "with another id": touched,
        "with its signature sent twice": doubled,
        "unsigned": unsigned,
        "of an unknown location": signed(report(), location_id="WH-NOWHERE"),
        "of a location that leads to another secret": signed(report(), location_id="../channels"),
        "forged and malformed": signed(b"{", secret="whsec_" + "QUFB" * 8),
    }


@pytest.mark.parametrize("forgery", forgeries())
def test_a_report_that_is_not_verified_is_not_looked_at(warehouse: Door, forgery: str) -> None:
    status, answer = warehouse.post(forgeries()[forgery])
    assert (status, answer["error"]["code"], answer["error"]["details"]) == (401, "Unauthorized", {})
    assert warehouse.queued() == []


@pytest.mark.parametrize(
    ("body", "location_id"),
    [
        (report() | {"data": {"fulfillment_id": f"{ORDER_ID}-f2"}}, "WH-RENO"),
        (report() | {"data": {"fulfillment_id": "shopify-main-street-goods-1-f1"}}, "WH-RENO"),
        (report() | {"data": {"fulfillment_id": "not an id of ours"}}, "WH-RENO"),
        (report(), "WH-DALLAS"),
    ],
    ids=["no such fulfillment", "no such order", "no id at all", "the work of another location"],
)
def test_work_the_location_does_not_have_is_not_found(warehouse: Door, body: dict[str, Any], location_id: str) -> None:
    status, answer = warehouse.post(signed(body, location_id))
    assert (status, answer["error"]["code"]) == (404, "FulfillmentNotFound")
    assert warehouse.queued() == []


SHIPPED_NEEDS = dict.fromkeys(
    ("data.shipment_id", "data.carrier", "data.tracking_number", "data.lines"), "MISSING_FIELD"
)


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        (report("fulfillment.shipped"), SHIPPED_NEEDS),
        (
            report("fulfillment.shipped", shipment_id=" ", lines=[]),
            SHIPPED_NEEDS | {"data.shipment_id": "INVALID_FIELD"},
        ),
        (report("fulfillment.rejected"), {"data.reason_code": "MISSING_FIELD"}),
        (report("fulfillment.short_picked"), {"data.reason_code": "MISSING_FIELD"}),
        (report("fulfillment.rejected", reason_code="TIRED"), {"data.reason_code": "INVALID_FIELD"}),
        (report("stock.sung"), {"type": "INVALID_FIELD"}),
        (report(lines=[{"line_id": LINES[0], "quantity": 0}]), {"data.lines.0.quantity": "INVALID_FIELD"}),
        (report(lines=[{"line_id": LINES[0], "quantity": "2"}]), {"data.lines.0.quantity": "INVALID_FIELD"}),
        (report(lines=[{"line_id": LINES[0], "quantity": True}]), {"data.lines.0.quantity": "INVALID_FIELD"}),
        (report() | {"occurred_at": "noon"}, {"occurred_at": "INVALID_FIELD"}),
        (report() | {"occurred_at": "2026-11-16T13:00:00"}, {"occurred_at": "INVALID_FIELD"}),
        (report() | {"occurred_at": "9999-12-31T23:59:59-23:00"}, {"occurred_at": "INVALID_FIELD"}),
        ({}, dict.fromkeys(("id", "type", "occurred_at", "data"), "MISSING_FIELD")),
        (b"[]", {"body": "INVALID_FIELD"}),
        (b"{", {"body": "MALFORMED_JSON"}),
        (b"\xff", {"body": "MALFORMED_JSON"}),
    ],
)
def test_a_bad_body_is_refused_with_every_wrong_field_named(
    warehouse: Door, body: dict[str, Any] | bytes, expected: dict[str, str]
) -> None:
    status, answer = warehouse.post(signed(body))
    assert status == 422
    named = faults(answer)
    assert set(named.items()) <= set(expected.items())
    assert named
    assert warehouse.queued() == []


def test_every_missing_part_of_a_shipment_is_named_at_once(warehouse: Door) -> None:
    assert faults(warehouse.post(signed(report("fulfillment.shipped")))[1]) == SHIPPED_NEEDS


def test_an_unknown_type_is_answered_with_those_that_are_known(warehouse: Door) -> None:
    _, answer = warehouse.post(signed(report("fulfillment.sung")))
    assert answer["error"]["details"]["field"] == "type"
    assert all(one in answer["error"]["message"] for one in (*REPORT_TYPES, *STOCK_REPORT_TYPES))
    assert set(warehouse.app.STOCK_READERS) == set(STOCK_REPORT_TYPES)


def test_a_line_the_order_does_not_have_is_refused(warehouse: Door) -> None:
    status, answer = warehouse.post(signed(report(lines=[{"line_id": "77", "quantity": 1}])))
    assert (status, answer["error"]["details"]["field"]) == (422, "data.lines")


@pytest.mark.parametrize("code", ["RequestThrottled", "InternalError"])
def test_when_the_queue_takes_nothing_the_location_is_asked_to_try_again(warehouse: Door, code: str) -> None:
    warehouse.stage.fail("sqs", "SendMessage", code)
    assert warehouse.post(signed(report()))[0] == 503


def test_when_the_order_can_not_be_read_the_location_is_asked_to_try_again(warehouse: Door) -> None:
    warehouse.stage.fail("dynamodb", "GetItem", "ThrottlingException")
    assert warehouse.post(signed(report()))[0] == 503
