"""Walmart's own description of its API takes every request of ours."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest

from oms.channels import walmart
from oms.channels.client import ChannelApi
from oms.channels.walmart_api import ORDER_CHANGES, headers, order_url
from oms.domain.errors import NotFound
from tests.integration.channels.descriptions import only_requests
from tests.integration.channels.walmart_seller import (
    ACKNOWLEDGEMENT,
    CREDENTIALS,
    ORDER_ID,
    WINDOW,
    cancellation,
    figure,
    shipment,
)
from tests.scripted_server import OpenLimits, account_api
from tests.vendor_api import described, served


def mended_orders() -> Any:
    """The description of orders, with the lines of a shipment as such: the published file gives two of its parts one
    name, and wants a refund in each line of a shipment."""
    description = only_requests(json.loads(described("walmart/specs/us_mp_orders.json").read_text()))
    schemas = description["components"]["schemas"]
    schemas["OrderShipmentRecord"]["properties"]["orderLines"]["$ref"] = "#/components/schemas/ShippingLinesType"
    schemas["ShippingLineType"]["properties"]["orderLineStatuses"]["$ref"] = "#/components/schemas/ShipLineStatusesType"
    one = description["paths"]["/v3/orders/{purchaseOrderId}"]["get"]["responses"]["200"]["content"]
    del one["application/json"]["examples"]["ORDER"]  # it is shipped; the other can still be cancelled
    return description


@pytest.fixture(scope="module")
def described_orders(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    path = tmp_path_factory.mktemp("walmart") / "orders.json"
    path.write_text(json.dumps(mended_orders()))
    with served(path) as url:
        yield url


@pytest.fixture(scope="module")
def described_stock(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    path = tmp_path_factory.mktemp("walmart") / "stock.json"
    path.write_text(json.dumps(only_requests(json.loads(described("walmart/specs/us_mp_inventory.json").read_text()))))
    with served(path) as url:
        yield url


def signed_in(url: str, **options: str) -> ChannelApi:
    api = account_api("walmart", url, [CREDENTIALS], {"tracking_url": "https://example.com/t", **options})
    api._tokens["access"] = ("t1", float("inf"))
    return api


def test_walmarts_description_takes_how_we_sign_in() -> None:
    with served(described("walmart/specs/us_mp_auth.json")) as url:
        api = account_api("walmart", url, [CREDENTIALS])
        with pytest.raises(NotFound):
            walmart.fetch(api, ORDER_ID)  # the description of tokens knows no orders
    assert isinstance(api.limits, OpenLimits)
    assert api.limits.taken == ["walmart#main#tokens", "walmart#main#order"]


def test_walmarts_description_takes_how_we_read_orders(described_orders: str) -> None:
    api = signed_in(described_orders)
    assert walmart.pull(api, WINDOW, None).orders
    assert walmart.pull(api, WINDOW, "1:400:0:limit=200&hasMoreElements=true&soIndex=400&poIndex=200").orders
    assert walmart.fetch(api, ORDER_ID).body


def test_walmarts_description_takes_how_we_acknowledge(described_orders: str) -> None:
    api = signed_in(described_orders)
    address = order_url(api, ORDER_ID, "/acknowledge")
    assert api.call("POST", address, limit=ORDER_CHANGES, headers=headers).status == 200
    walmart.acknowledge(api, ACKNOWLEDGEMENT)


@pytest.mark.parametrize("carrier", ["UPS", "Pony Express"])
def test_walmarts_description_takes_how_we_tell_of_a_parcel(described_orders: str, carrier: str) -> None:
    api = signed_in(described_orders)
    walmart.confirm_shipment(api, shipment(carrier=carrier, tracking_number="1Z999AA10123456784"))
    assert isinstance(api.limits, OpenLimits)
    assert api.limits.taken.count("walmart#main#order_changes") >= 1


def test_walmarts_description_takes_how_we_cancel(described_orders: str) -> None:
    api = signed_in(described_orders)
    body = json.loads(walmart.fetch(api, ORDER_ID).body or "")
    line = body["orderLines"]["orderLine"][0]["lineNumber"]
    notice = cancellation()
    walmart.confirm_cancellation(api, replace(notice, lines=(replace(notice.lines[0], line_id=line),)))
    assert isinstance(api.limits, OpenLimits)
    assert api.limits.taken.count("walmart#main#order_changes") >= 1


def test_walmarts_description_takes_how_we_tell_and_read_stock(described_stock: str) -> None:
    api = signed_in(described_stock, ship_node="7001")
    assert walmart.publish(api, [figure("MUG-1")]) == {}
    assert walmart.listed(api, None).quantities
