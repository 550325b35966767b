"""Whatever Amazon answers, or somebody in its place: no operation breaks by anything but an error of ours."""

from __future__ import annotations

import json
import math
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from oms.channels import registry
from oms.domain.channel_messages import CancellationNotice, NoticeLine, ShipmentNotice, Window
from oms.domain.errors import OmsError
from oms.domain.listings import AvailabilityMessage
from oms.runtime.http import HttpAnswer, HttpClient
from tests.scripted_server import account_api
from tests.unit.test_any_body import GONE, disturbed, places

NOON = datetime(2026, 11, 23, 12, tzinfo=UTC)
CREDENTIALS = {"client_id": "i", "client_secret": "s", "refresh_token": "r"}
LINES = (NoticeLine(line_id="1", sku="MUG-1", quantity=1),)
OPERATIONS: dict[str, tuple[Any, ...]] = {
    "pull": (Window(since=NOON - timedelta(hours=1), until=NOON), None),
    "fetch": ("1",),
    "confirm_shipment": (
        ShipmentNotice(
            message_id="m1",
            order_id="o",
            channel_order_id="1",
            shipment_id="s",
            carrier="UPS",
            service="GROUND",
            tracking_number="1Z1",
            shipped_at=NOON,
            location_id="WH-RENO",
            lines=LINES,
            completes=False,
        ),
    ),
    "confirm_cancellation": (
        CancellationNotice(
            message_id="m2",
            order_id="o",
            channel_order_id="1",
            reason="NO_STOCK",
            cancelled_at=NOON,
            lines=LINES,
            whole=True,
        ),
    ),
    "publish": ([AvailabilityMessage(channel_sku="A", sku="MUG", quantity=3, version=1, at=NOON)],),
    "listed": (None,),
}


def answer() -> Any:
    """What every operation finds its part of."""
    stock = [{"fulfillmentChannelCode": "DEFAULT", "quantity": 3}]
    item = {"sku": "A", "summaries": [{"createdDate": "2026-01-02T03:04:05Z"}], "fulfillmentAvailability": stock}
    whole = {
        "orderId": "114-5550001-2220001",
        "lastUpdatedTime": "2026-11-22T16:35:02.417Z",
        "fulfillment": {"fulfillmentStatus": "UNSHIPPED"},
        "salesChannel": {"marketplaceId": "ATVPDKIKX0DER"},
        "packages": [{"packageReferenceId": "1", "trackingNumber": "1Z1"}],
    }
    old = {
        "AmazonOrderId": "114-5550001-2220001",
        "LastUpdateDate": "2026-11-22T16:35:02Z",
        "OrderStatus": "Unshipped",
        "MarketplaceId": "ATVPDKIKX0DER",
    }
    return {
        "order": whole,
        "orders": [whole],
        "pagination": {"nextToken": "t"},
        "payload": {**old, "Orders": [old], "NextToken": "", "OrderItems": [{"OrderItemId": "1"}]},
        "items": [item],
        "numberOfResults": 2000,
        "status": "INVALID",
        "issues": [{"code": "1", "severity": "ERROR"}],
        "feedDocumentId": "d",
        "url": "https://amazon.example/d",
        "access_token": "a",
        "expires_in": 3600,
        "restrictedDataToken": "r",
        "expiresIn": 3600,
        "errors": [{"code": "InvalidInput"}],
    }


class SameAnswer(HttpClient):
    """Whatever is asked, the answer is the same."""

    def __init__(self, content: Any, status: int = 200) -> None:
        self.answer = HttpAnswer(status, {}, json.dumps(content).encode())

    def request(self, *_: Any, **__: Any) -> HttpAnswer:
        return self.answer


def run(content: Any, orders_api: str, status: int = 200) -> None:
    options = {"marketplace_ids": "ATVPDKIKX0DER", "seller_id": "A1SELLER", "orders_api": orders_api}
    api = account_api("amazon", "https://amazon.example", [CREDENTIALS], options)
    api.http = SameAnswer(content, status)
    for name, arguments in OPERATIONS.items():
        with suppress(OmsError):
            registry.operation("amazon", name)(api, *arguments)


OTHERS = [
    GONE,
    None,
    True,
    [],
    {},
    [None],
    "",
    "text",
    -1,
    10**400,
    1.5,
    math.inf,
    math.nan,
    "0001-01-01T00:00:00+14:00",
]


@pytest.mark.parametrize("status", [200, 400])
@pytest.mark.parametrize("orders_api", ["2026-01-01", "v0"])
@pytest.mark.parametrize("other", OTHERS, ids=[repr(other)[:20] for other in OTHERS])
def test_an_answer_that_went_wrong_anywhere_breaks_no_operation(orders_api: str, status: int, other: Any) -> None:
    content = answer()
    for way in places(content):
        run(disturbed(content, way, other), orders_api, status)


@pytest.mark.parametrize("count", [math.inf, math.nan, 10**400, "many", -1, [], {}])
def test_a_count_that_is_none_ends_no_list_in_an_error(count: Any) -> None:
    content = answer() | {"numberOfResults": count}
    content["items"][0]["fulfillmentAvailability"][0]["quantity"] = count
    run(content, "2026-01-01")


@pytest.mark.parametrize("other", [7, True, None, [], {}])
def test_an_order_without_address_whose_status_is_none_ends_in_no_error(other: Any) -> None:
    content = answer()
    content["payload"] |= {"OrderStatus": other, "ShippingAddress": None}
    run(content, "v0")


@pytest.mark.parametrize("name", ["issues", "items"])
@pytest.mark.parametrize("other", [7, True, "text", {"a": 1}, [None, 7, {}]])
def test_a_list_that_is_none_ends_in_no_error(name: str, other: Any) -> None:
    content = answer()
    content["items"][0]["fulfillmentAvailability"] = other
    run(content | {name: other}, "2026-01-01")
    run(content, "2026-01-01")
