"""Placing orders with a promise over HTTP: kept, or refused with what could be instead, and tried anew by a repeat."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from oms.domain.stock import StockPosition
from tests.integration.functions.api_client import ApiClient, Reply
from tests.integration.functions.test_api_orders import order
from tests.integration.stage import Stage

NOON = datetime(2026, 3, 2, 12, tzinfo=UTC)
"""A Monday. From WH-EAST it is in Hoboken on Tuesday, from WH-WEST on Friday."""

TUESDAY, WEDNESDAY = "2026-03-03T23:59:59Z", "2026-03-04T23:59:59Z"


@pytest.fixture
def api(stage: Stage) -> ApiClient:
    return at_noon(ApiClient(stage, "api_orders"))


def at_noon(client: ApiClient) -> ApiClient:
    client.app.now = lambda: NOON  # type: ignore[attr-defined]
    return client


def place(api: ApiClient, promised_by: str, **changes: Any) -> Reply:
    return api.call("POST", "/orders", order(promised_by=promised_by, **changes), key="key-1")


def mugs(stage: Stage, **units: int) -> None:
    for name, count in units.items():
        where = name.replace("_", "-")
        stage.put("stock", StockPosition(sku="MUG", location_id=where, on_hand=count, available=count))


def test_an_order_whose_promise_can_be_kept_is_placed_with_it(stage: Stage, api: ApiClient) -> None:
    reply = place(api, "2026-03-04T00:59:59.7+01:00")
    assert (reply.status, reply.body["version"]) == (201, 1)
    document = api.call("GET", reply.headers["Location"]).body
    assert (document["promised_by"], document["original_promised_by"]) == (TUESDAY, TUESDAY)
    assert place(api, "2026-03-04T00:59:59.7+01:00").status == 200


def test_a_promise_that_can_not_be_kept_is_a_conflict_with_alternatives_and_a_repeat_tries_anew(
    stage: Stage, api: ApiClient
) -> None:
    mugs(stage, WH_EAST=0)
    reply = place(api, TUESDAY)
    assert (reply.status, reply.error["code"]) == (409, "PromiseNotKept")
    assert reply.error["details"] == {
        "promised_by": TUESDAY,
        "alternatives": [
            {"deliver_by": "2026-03-06T23:59:59Z", "service": "GROUND", "cost_minor": 1600, "currency": "USD"}
        ],
    }
    assert stage.rows("orders") == stage.rows("order_references") == stage.rows("idempotency") == []
    mugs(stage, WH_EAST=2)
    assert place(api, TUESDAY).status == 201
    assert len(stage.rows("orders")) == 1


def test_where_nothing_is_there_the_conflict_says_what_is_missing(stage: Stage, api: ApiClient) -> None:
    mugs(stage, WH_EAST=1, WH_WEST=0)
    details = place(api, WEDNESDAY).error["details"]
    assert (details["alternatives"], details["why"]) == ([], {"code": "OUT_OF_STOCK", "shortages": {"MUG": 1}})


@pytest.mark.parametrize("wrong", ["2026-03-05T00:00:00", "2026-03-02T12:00:00Z", "2020-01-01T00:00:00Z", "soon", 5])
def test_a_promise_without_a_zone_or_of_the_past_is_refused_by_its_field(
    stage: Stage, api: ApiClient, wrong: Any
) -> None:
    reply = place(api, wrong)
    assert (reply.status, reply.error["details"]["field"]) == (422, "promised_by")
    assert stage.rows("orders") == stage.rows("idempotency") == []


def test_a_promise_that_has_passed_since_does_not_hide_the_order_from_its_repeat(stage: Stage, api: ApiClient) -> None:
    assert place(api, TUESDAY).status == 201
    later = ApiClient(stage, "api_orders")
    assert place(later, TUESDAY).status == 200
    other = later.call("POST", "/orders", order(promised_by=TUESDAY), key="key-2")
    assert (other.status, other.error["code"]) == (409, "OrderExists")


def test_the_same_key_with_another_promise_is_another_content(api: ApiClient) -> None:
    place(api, TUESDAY)
    assert place(api, WEDNESDAY).error["code"] == "KeyReused"
