"""eBay's own description of its API takes every request of ours."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from oms.channels import ebay
from oms.channels.client import ChannelApi
from oms.domain.errors import Unavailable
from tests.integration.channels.ebay_seller import CREDENTIALS, ORDER_ID, WINDOW, figure, shipment
from tests.scripted_server import OpenLimits, account_api
from tests.vendor_api import described, served


def at_its_place(name: str, place: str, folder: Path) -> Path:
    """eBay's description with whole paths: Prism leaves out where an API lies on the vendor's host."""
    description = json.loads(described(f"ebay/specs/{name}").read_text())
    description["paths"] = {f"{place}{path}": calls for path, calls in description["paths"].items()}
    path = folder / name
    path.write_text(json.dumps(description))
    return path


@pytest.fixture(scope="module")
def described_orders(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    folder = tmp_path_factory.mktemp("ebay")
    with served(at_its_place("sell_fulfillment_v1_oas3.json", "/sell/fulfillment/v1", folder)) as url:
        yield url


@pytest.fixture(scope="module")
def described_stock(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    folder = tmp_path_factory.mktemp("ebay")
    with served(at_its_place("sell_inventory_v1_oas3.json", "/sell/inventory/v1", folder)) as url:
        yield url


def signed_in(url: str) -> ChannelApi:
    api = account_api("ebay", url, [CREDENTIALS])
    api._tokens["access"] = ("t1", float("inf"))
    return api


def test_ebays_description_takes_how_we_read_orders(described_orders: str) -> None:
    api = signed_in(described_orders)
    assert ebay.pull(api, WINDOW, "200:1000").orders
    assert ebay.fetch(api, ORDER_ID).body


def test_ebays_description_takes_how_we_tell_of_a_parcel(described_orders: str) -> None:
    api = signed_in(described_orders)
    ebay.confirm_shipment(api, shipment())
    assert isinstance(api.limits, OpenLimits)
    assert api.limits.taken == ["ebay#main#fulfillments"] * 2


def test_ebays_description_takes_how_we_tell_and_read_stock(described_stock: str) -> None:
    api = signed_in(described_stock)
    assert ebay.listed(api, None).quantities
    with pytest.raises(Unavailable):  # the example that is answered knows nothing of our skus
        ebay.publish(api, [figure("A")])
    assert isinstance(api.limits, OpenLimits)
    assert api.limits.taken == ["ebay#main#stock"] * 2
