"""What Etsy is told: parcels, cancellations, stock; told twice it is told once."""

from __future__ import annotations

from typing import Any

import pytest

from oms.channels import etsy
from oms.domain.errors import ChannelRefused, NotSupported, Throttled
from tests.integration.channels.etsy_shop import (
    BLUE,
    CANCELLATION,
    LISTING_ID,
    LISTINGS_PATH,
    RECEIPT_PATH,
    RED,
    TOKEN,
    TOKEN_PATH,
    account,
    figure,
    receipt,
    sample,
    shipment,
    told,
)
from tests.scripted_server import Asked, Reply, ScriptedServer, in_order


class Shop:
    """What Etsy knows of a receipt's parcels. `refuses`: it takes none; `has_it`: another worker told it meanwhile."""

    def __init__(self, *, refuses: bool = False, has_it: str = "") -> None:
        self.codes: list[str] = []
        self.told: list[dict[str, str]] = []
        self.shipped = False
        self.refuses, self.has_it = refuses, has_it

    def __call__(self, asked: Asked) -> Reply:
        if asked.method == "GET":
            shipments = [{"tracking_code": code, "carrier_name": "usps"} for code in self.codes]
            return Reply(200, receipt(shipments=shipments, is_shipped=self.shipped))
        self.told.append(asked.form)
        if self.refuses:
            self.codes += [self.has_it] if self.has_it else []
            return Reply(409, {"error": "conflict"})
        self.shipped = True
        self.codes += [asked.form["tracking_code"]] if asked.form else []
        return Reply(200, receipt())


class Inventory:
    """A listing's inventory: what is written is what is read next."""

    def __init__(self, content: Any, *answers: Reply) -> None:
        self.content = content
        self.written: list[Any] = []
        self.answers = list(answers)

    def __call__(self, asked: Asked) -> Reply:
        if asked.method == "GET":
            return Reply(200, self.content)
        self.written.append(asked.json)
        if self.answers:
            return self.answers.pop(0)
        for product, new_product in zip(self.content["products"], asked.json["products"], strict=True):
            for offering, new in zip(product["offerings"], new_product["offerings"], strict=True):
                offering["quantity"] = new["quantity"]
        return Reply(200, self.content)

    def quantities(self) -> list[int]:
        return [one["quantity"] for product in self.content["products"] for one in product["offerings"]]


@pytest.mark.parametrize("number", ["9400 1000 0001", ""])
def test_a_parcel_told_twice_is_told_once(number: str) -> None:
    shop = Shop()
    with ScriptedServer({TOKEN_PATH: TOKEN, RECEIPT_PATH: shop}) as server:
        api = account(server)
        etsy.confirm_shipment(api, shipment(tracking_number=number))
        etsy.confirm_shipment(api, shipment(tracking_number=number))
        assert len(server.of(f"{RECEIPT_PATH}/tracking", "POST")) == 1
    assert shop.told == [{"tracking_code": number, "carrier_name": "usps"} if number else {}]


def test_each_parcel_of_an_order_is_told() -> None:
    shop = Shop()
    with ScriptedServer({TOKEN_PATH: TOKEN, RECEIPT_PATH: shop}) as server:
        etsy.confirm_shipment(account(server), shipment(tracking_number="1", completes=False))
        etsy.confirm_shipment(account(server), shipment(tracking_number="2", carrier="Pony Express"))
    assert [one["carrier_name"] for one in shop.told] == ["usps", "other"]
    assert shop.codes == ["1", "2"]


def test_a_parcel_that_another_worker_told_in_between_is_told() -> None:
    shop = Shop(refuses=True, has_it="940010000001")
    with ScriptedServer({TOKEN_PATH: TOKEN, RECEIPT_PATH: shop}) as server:
        etsy.confirm_shipment(account(server), shipment())
    assert len(shop.told) == 1


def test_a_parcel_that_etsy_refuses_stays_refused_with_its_code() -> None:
    routes = {TOKEN_PATH: TOKEN, RECEIPT_PATH: Shop(refuses=True)}
    with ScriptedServer(routes) as server, pytest.raises(ChannelRefused) as caught:
        etsy.confirm_shipment(account(server), shipment())
    assert (caught.value.status, caught.value.codes) == (409, ("conflict",))


def test_a_cancellation_is_a_persons_work_until_etsy_has_it() -> None:
    answers = in_order(Reply(200, receipt()), Reply(200, receipt(status="Canceled")))
    with ScriptedServer({TOKEN_PATH: TOKEN, RECEIPT_PATH: answers}) as server:
        api = account(server)
        with pytest.raises(NotSupported, match="Shop Manager"):
            etsy.confirm_cancellation(api, CANCELLATION)
        etsy.confirm_cancellation(api, CANCELLATION)


def test_figures_are_written_into_the_whole_inventory_of_their_listing() -> None:
    inventory = Inventory(sample("inventory.json"))
    refused, _ = told(inventory, figure(BLUE, 9))
    assert refused == {}
    (written,) = inventory.written
    assert written["products"][0] == {
        "sku": "MUG-BLUE",
        "property_values": [
            {"property_id": 200, "property_name": "Primary color", "value_ids": [2], "values": ["Blue"]}
        ],
        "offerings": [{"price": 12.5, "quantity": 9, "is_enabled": True, "readiness_state_id": 9900000001}],
    }
    assert written["products"][1]["offerings"] == [{"price": 13.99, "quantity": 6, "is_enabled": True}]
    assert [written[name] for name in ("price_on_property", "quantity_on_property", "sku_on_property")] == [[200]] * 3


def test_no_more_is_told_than_etsy_takes() -> None:
    inventory = Inventory(sample("inventory.json"))
    refused, _ = told(inventory, figure(BLUE, 5_000), figure(RED, 999))
    assert (refused, inventory.quantities()) == ({}, [999, 999])


def test_several_figures_of_a_listing_are_written_at_once_and_told_again_not_at_all() -> None:
    inventory = Inventory(sample("inventory.json"))
    told(inventory, figure(BLUE, 9), figure(RED, 0))
    told(inventory, figure(BLUE, 9), figure(RED, 0))
    assert inventory.quantities() == [9, 0]
    assert len(inventory.written) == 1


def test_a_figure_that_does_not_vary_is_the_least_of_what_was_told() -> None:
    content = sample("inventory.json") | {"quantity_on_property": []}
    inventory = Inventory(content)
    told(inventory, figure(BLUE, 9), figure(RED, 3))
    assert inventory.quantities() == [3, 3]


@pytest.mark.parametrize("red_is_shown", [True, False])
def test_a_listing_with_nothing_left_to_show_is_made_inactive_since_etsy_takes_no_empty_one(red_is_shown: bool) -> None:
    content = sample("inventory.json")
    content["products"][1]["offerings"][0]["is_enabled"] = red_is_shown
    inventory = Inventory(content)
    figures = [figure(BLUE, 0), figure(RED, 0)] if red_is_shown else [figure(BLUE, 0)]
    refused, asked = told(inventory, *figures)
    assert (refused, inventory.written) == ({}, [])
    assert (asked[-1].method, asked[-1].path, asked[-1].form) == (
        "PATCH",
        f"{LISTINGS_PATH}/{LISTING_ID}",
        {"state": "inactive"},
    )


@pytest.mark.parametrize(("state", "reason"), [("inactive", "LISTING_INACTIVE"), ("sold_out", "LISTING_SOLD_OUT")])
def test_a_listing_that_is_not_active_gets_its_figures_and_waits_for_a_person(state: str, reason: str) -> None:
    inventory = Inventory(sample("inventory.json") | {"listing": {"state": state}})
    refused, _ = told(inventory, figure(BLUE, 9))
    assert refused == {BLUE: reason}
    assert inventory.quantities() == [9, 6]


def test_what_etsy_does_not_take_is_named() -> None:
    content = sample("inventory.json")
    content["products"][1]["sku"] = "MUG-BLUE"
    inventory = Inventory(content)
    refused, _ = told(inventory, figure(BLUE), figure(RED), figure("MUG-1"), figure("12:MUG-1"))
    assert refused == {BLUE: "SKU_NOT_UNIQUE", RED: "NO_SUCH_SKU", "MUG-1": "NO_LISTING_ID", "12:MUG-1": "NOT_FOUND"}
    assert inventory.written == []


def test_a_listing_that_etsy_refuses_is_named_by_its_status() -> None:
    inventory = Inventory(sample("inventory.json"), Reply(400, {"error": "Invalid price for the product"}))
    refused, _ = told(inventory, figure(BLUE))
    assert refused == {BLUE: "400"}


def test_figures_wait_when_etsy_is_busy() -> None:
    with pytest.raises(Throttled):
        told(Reply(429), figure(BLUE))


def test_what_etsy_holds_is_listed_by_listing_and_sku() -> None:
    varied = {"listing_id": int(LISTING_ID), "inventory": sample("inventory.json")}
    same = {"listing_id": 7, "inventory": sample("inventory.json") | {"quantity_on_property": []}}
    pages = in_order(
        Reply(200, {"count": 3, "results": [varied, same]}), Reply(200, {"count": 3, "results": [{"listing_id": 8}]})
    )
    with ScriptedServer({TOKEN_PATH: TOKEN, LISTINGS_PATH: pages}) as server:
        api = account(server)
        first = etsy.listed(api, None)
        last = etsy.listed(api, first.next_token)
        assert server.asked[-1].query == {"state": "active", "limit": "100", "offset": "2", "includes": "Inventory"}
    assert first.quantities == {BLUE: 4, RED: 6, "7:MUG-BLUE": 4, "7:MUG-RED": 6}
    assert (last.quantities, last.next_token) == ({}, None)
