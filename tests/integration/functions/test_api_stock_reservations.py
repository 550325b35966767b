"""Holds of carts over HTTP: made once per id, told as they are, given back, and taken over by an order."""

from __future__ import annotations

from typing import Any

import pytest

from oms.domain.catalog import Product
from oms.domain.stock import StockPosition
from tests.integration.carts import CART_CASES
from tests.integration.functions.api_client import ApiClient, Reply
from tests.integration.stage import Stage, sample

HOLD = "/reservations"
CART = {"reservation_id": "cart-1", "minutes": 30, "lines": [{"sku": "MUG", "quantity": 2}]}


@pytest.fixture
def api(stage: Stage) -> ApiClient:
    return ApiClient(stage, "api_stock")


@pytest.fixture
def shop(stage: Stage) -> ApiClient:
    return ApiClient(stage, "api_orders")


def place(shop: ApiClient, number: int = 1, reservation_id: str = "cart-1", units: int = 2) -> Reply:
    """Places the n-th order of mugs, which names a hold."""
    order = {
        "channel": "web",
        "account": "main",
        "channel_order_id": str(number),
        "currency": "USD",
        "lines": [{"sku": "MUG", "quantity": units, "unit_price_minor": 1000}],
        "total_minor": units * 1000,
        "ship_to": {"address1": "1 Dock Road", "city": "Hoboken", "region": "NJ", "country": "US"},
        "reservation_id": reservation_id,
    }
    return shop.call("POST", "/orders", order, key=f"key-{number}")


def test_a_hold_tells_what_is_held_where_and_until_when(api: ApiClient) -> None:
    reply = api.call("POST", HOLD, CART)
    assert (reply.status, reply.headers["Location"]) == (201, "/reservations/cart-1")
    assert reply.body["status"] == "ACTIVE"
    assert reply.body["lines"] == [{"sku": "MUG", "location_id": "WH-EAST", "quantity": 2}]
    assert reply.body["created_at"] < reply.body["expires_at"]
    assert api.call("GET", "/reservations/cart-1").body == reply.body


def test_the_same_again_is_the_same_hold(stage: Stage, api: ApiClient) -> None:
    first = api.call("POST", HOLD, CART)
    again = api.call("POST", HOLD, CART)
    assert (again.status, again.body) == (200, first.body)
    assert stage.position("MUG", "WH-EAST").reserved == 2


def test_the_same_id_with_another_content_is_refused(api: ApiClient) -> None:
    api.call("POST", HOLD, CART)
    reply = api.call("POST", HOLD, CART | {"minutes": 31})
    assert (reply.status, reply.error["code"]) == (422, "KeyReused")


def test_another_clients_hold_is_not_taken_for_ones_own(stage: Stage, api: ApiClient) -> None:
    api.call("POST", HOLD, CART)
    reply = ApiClient(stage, "api_stock", client_id="other").call("POST", HOLD, CART)
    assert (reply.status, reply.error["code"]) == (422, "KeyReused")


@pytest.mark.parametrize(("key", "is_id"), [("cart-77", True), ("any/thing:else!", False), ("k" * 200, False)])
def test_the_idempotency_key_names_the_hold_where_the_body_does_not(api: ApiClient, key: str, is_id: bool) -> None:
    body = {"minutes": 5, "lines": [{"sku": "MUG", "quantity": 1}]}
    first, again = api.call("POST", HOLD, body, key=key), api.call("POST", HOLD, body, key=key)
    assert (first.status, again.status) == (201, 200)
    assert first.body["reservation_id"] == again.body["reservation_id"]
    assert (first.body["reservation_id"] == key) is is_id
    assert api.call("GET", first.headers["Location"]).status == 200


def test_a_hold_without_any_name_is_refused(api: ApiClient) -> None:
    reply = api.call("POST", HOLD, {"minutes": 5})
    assert (reply.status, reply.error["details"]["field"]) == (422, "Idempotency-Key")


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"minutes": 0}, "minutes"),
        ({"minutes": 1441}, "minutes"),
        ({"reservation_id": "no blanks"}, "reservation_id"),
        ({"reservation_id": "x" * 65}, "reservation_id"),
        ({"lines": [{"sku": "MUG", "quantity": 0}]}, "lines.0.quantity"),
        ({"lines": [{"sku": "MUG", "quantity": 1}] * 101}, "lines"),
        ({"lines": [{"sku": "", "quantity": 1}]}, "lines.0.sku"),
        ({"ship_to": {"country": "us"}}, "ship_to.country"),
        ({"until": "tomorrow"}, "until"),
    ],
)
def test_what_is_wrong_is_told_by_field(api: ApiClient, change: dict[str, Any], field: str) -> None:
    reply = api.call("POST", HOLD, CART | change)
    assert (reply.status, reply.error["details"]["field"]) == (422, field)


def test_a_cart_nobody_can_fill_names_what_is_missing(stage: Stage, api: ApiClient) -> None:
    lines = [{"sku": "MUG", "quantity": 1}, {"sku": "BOWL", "quantity": 9}]
    reply = api.call("POST", HOLD, CART | {"lines": lines})
    assert (reply.status, reply.error["code"]) == (409, "OutOfStock")
    assert reply.error["details"] == {"shortages": {"BOWL": 6}}
    assert stage.rows("reservations") == []


def test_an_empty_cart_is_a_hold(api: ApiClient) -> None:
    reply = api.call("POST", HOLD, {"reservation_id": "cart-0", "minutes": 1})
    assert (reply.status, reply.body["lines"]) == (201, [])


def test_a_released_hold_is_told_the_same_again(stage: Stage, api: ApiClient) -> None:
    api.call("POST", HOLD, CART)
    first, again = (api.call("DELETE", "/reservations/cart-1") for _ in range(2))
    assert (first.status, first.body["status"], again.body) == (200, "RELEASED", first.body)
    assert stage.position("MUG", "WH-EAST").available == 10


@pytest.mark.parametrize("method", ["GET", "DELETE"])
@pytest.mark.parametrize("name", ["cart-9", "not_one", "x" * 300])
def test_a_hold_nobody_made_is_not_found(api: ApiClient, method: str, name: str) -> None:
    reply = api.call(method, f"/reservations/{name}")
    assert (reply.status, reply.error["code"]) == (404, "NotFound")


def test_an_order_takes_the_hold_over_and_says_so_however_often_it_is_sent(
    stage: Stage, api: ApiClient, shop: ApiClient
) -> None:
    api.call("POST", HOLD, CART)
    first, again = place(shop), place(shop)
    assert (first.status, again.status) == (201, 200)
    told = {"order_id": "web-main-1", "version": 1, "status": "ALLOCATED", "reservation": "CONSUMED"}
    assert (first.body, again.body) == (told, told)
    assert api.call("GET", "/reservations/cart-1").body["order_id"] == "web-main-1"
    position = stage.position("MUG", "WH-EAST")
    assert (position.reserved, position.committed) == (0, 2)


def test_an_order_whose_hold_was_given_back_says_so(api: ApiClient, shop: ApiClient) -> None:
    api.call("POST", HOLD, CART)
    api.call("DELETE", "/reservations/cart-1")
    reply = place(shop)
    assert (reply.status, reply.body["status"], reply.body["reservation"]) == (201, "RECEIVED", "RELEASED")


def test_a_hold_an_order_has_is_no_other_orders_and_is_not_given_back(api: ApiClient, shop: ApiClient) -> None:
    api.call("POST", HOLD, CART)
    place(shop, 1)
    for reply in (place(shop, 2), api.call("DELETE", "/reservations/cart-1")):
        assert (reply.status, reply.error["code"]) == (409, "ReservationConsumed")
        assert reply.error["details"] == {"order_id": "web-main-1"}


def test_an_order_that_names_a_hold_nobody_made_is_not_placed(stage: Stage, shop: ApiClient) -> None:
    for reply in (place(shop), place(shop)):
        assert (reply.status, reply.error["code"]) == (409, "ReservationNotFound")
    assert stage.rows("orders") == []


def test_an_order_with_another_hold_is_another_request(api: ApiClient, shop: ApiClient) -> None:
    for name in ("cart-1", "cart-2"):
        api.call("POST", HOLD, CART | {"reservation_id": name})
    place(shop, reservation_id="cart-1")
    reply = place(shop, reservation_id="cart-2")
    assert (reply.status, reply.error["code"]) == (422, "KeyReused")
    assert api.call("GET", "/reservations/cart-2").body["status"] == "ACTIVE"


def test_a_throttled_table_asks_the_caller_to_come_again(stage: Stage, api: ApiClient) -> None:
    stage.fail("dynamodb", "GetItem", "ProvisionedThroughputExceededException")
    reply = api.call("POST", HOLD, CART)
    assert (reply.status, reply.error["code"]) == (503, "Throttled")


SAMPLES = {
    "hold_a_cart": (201, 200),
    "hold_an_empty_cart": (201, 200),
    "hold_by_idempotency_key": (201, 200),
    "hold_more_than_there_is": (409, 409),
    "read_unknown_reservation": (404, 404),
    "refused_hold_for_two_days": (422, 422),
    "release_unknown_reservation": (404, 404),
}


@pytest.mark.parametrize("case", CART_CASES)
def test_each_sample_event_is_answered_and_changes_nothing_when_it_comes_again(
    stage: Stage, api: ApiClient, case: str
) -> None:
    for sku in ("MUG-STONE-350", "THROW-WOOL"):
        stage.put("products", Product(sku=sku, grams=400))
        stage.put("stock", StockPosition(sku=sku, location_id="WH-EAST", on_hand=7, available=7))
    first, left = api.send(sample("api_stock", case)), [stage.rows(one) for one in ("stock", "reservations")]
    again = api.send(sample("api_stock", case))
    assert ((first.status, again.status), again.body) == (SAMPLES[case], first.body)
    assert [stage.rows(one) for one in ("stock", "reservations")] == left
