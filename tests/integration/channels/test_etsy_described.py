"""Etsy's own description of its API takes every request of ours."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest
from samcli.yamlhelper import yaml_parse

from oms.channels import etsy
from oms.channels.client import ChannelApi
from oms.domain.listings import AvailabilityMessage
from tests.integration.channels.descriptions import only_requests
from tests.integration.channels.etsy_shop import (
    BLUE,
    CREDENTIALS,
    RECEIPT_ID,
    RED,
    WINDOW,
    figure,
    receipt,
    sample,
    shipment,
)
from tests.scripted_server import OpenLimits, account_api
from tests.vendor_api import described, served


@pytest.fixture(scope="module")
def etsys_description(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    description = yaml_parse(described("etsy/specs/etsy_openapi_v3.yaml").read_text())
    answers = {
        "getShopReceipts": {"count": 1, "results": [receipt()]},
        "getShopReceipt": receipt(),
        "getListingInventory": sample("inventory.json"),
        "getListingsByShop": {"count": 1, "results": [{"listing_id": 7, "inventory": sample("inventory.json")}]},
    }
    path = tmp_path_factory.mktemp("etsy") / "etsy.json"
    path.write_text(json.dumps(only_requests(description, answers), default=str))
    with served(path) as url:
        yield url


def signed_in(url: str) -> tuple[ChannelApi, OpenLimits]:
    api = account_api("etsy", url, [CREDENTIALS], {"shop_id": "99001"})
    api._tokens["access"] = ("88001.t1", float("inf"))
    assert isinstance(api.limits, OpenLimits)
    return api, api.limits


def test_etsys_description_takes_how_we_read_receipts_and_listings(etsys_description: str) -> None:
    api, _ = signed_in(etsys_description)
    assert etsy.pull(api, WINDOW, "100:1000").orders
    assert etsy.fetch(api, RECEIPT_ID).channel_order_id == RECEIPT_ID
    assert etsy.listed(api, None).quantities == {"7:MUG-BLUE": 4, "7:MUG-RED": 6}


@pytest.mark.parametrize("number", ["9400100000001", ""])
def test_etsys_description_takes_how_we_tell_of_a_parcel(etsys_description: str, number: str) -> None:
    api, limits = signed_in(etsys_description)
    etsy.confirm_shipment(api, shipment(tracking_number=number))
    assert limits.taken == ["etsy#main#receipts", "etsy#main#parcels"]


@pytest.mark.parametrize(
    "figures", [[figure(BLUE, 9)], [figure(BLUE, 0), figure(RED, 0)]], ids=["written", "made inactive"]
)
def test_etsys_description_takes_how_we_tell_stock(etsys_description: str, figures: list[AvailabilityMessage]) -> None:
    api, limits = signed_in(etsys_description)
    assert etsy.publish(api, figures) == {}
    assert limits.taken == ["etsy#main#stock"] * 2
