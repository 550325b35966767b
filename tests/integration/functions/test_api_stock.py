"""Stock over HTTP: what there is of a SKU, by location and bucket."""

from __future__ import annotations

import pytest

from oms.domain.stock import StockPosition
from tests.integration.functions.api_client import ApiClient
from tests.integration.stage import Stage, cases, sample

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


@pytest.mark.parametrize(("method", "path"), [("GET", "/stock"), ("POST", "/stock/MUG"), ("GET", "/stocks/MUG")])
def test_an_address_nobody_answers_is_not_found(api: ApiClient, method: str, path: str) -> None:
    assert api.call(method, path).error["code"] == "NotFound"


def test_a_throttled_table_asks_the_caller_to_come_again(stage: Stage, api: ApiClient) -> None:
    stage.fail("dynamodb", "Query", "ProvisionedThroughputExceededException")
    reply = api.call("GET", "/stock/MUG")
    assert (reply.status, reply.error["code"]) == (503, "Throttled")


@pytest.mark.parametrize("case", cases("api_stock"))
def test_each_sample_event_is_answered_the_same_twice(stage: Stage, api: ApiClient, case: str) -> None:
    stage.put("stock", StockPosition(sku="MUG-STONE-350", location_id="WH-EAST", on_hand=7, available=7))
    first, again = api.send(sample("api_stock", case)), api.send(sample("api_stock", case))
    assert first == again
    assert first.status == (404 if "unknown" in case else 200)
