"""Other channels, deployed: what a shop sends and a marketplace holds become orders, and both hear what came of it."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from oms.domain import ids
from tests.e2e.company import LONG_SECONDS, Company, fresh
from tools.channel_stand_ins import AmazonSeller, Basket, WooCommerceShop
from tools.shop import Message

CRAFTS, MARKET = "main-street-crafts", "main-street-goods"
CRAFTS_ACCOUNT = f"woocommerce#{CRAFTS}"
MUGS: Basket = {"MUG-STONE-350": (2, 1800)}


@pytest.fixture
def crafts(company: Company) -> WooCommerceShop:
    return company.system.outside.woocommerce


@pytest.fixture
def amazon(company: Company) -> AmazonSeller:
    return company.system.outside.amazon


@pytest.fixture
def buyer(company: Company) -> dict[str, Any]:
    return company.system.world.shop.new_identity().buyer


def documents(company: Company, order_id: str) -> list[dict[str, Any]]:
    return company.query("orders", order_id=order_id)


def pull(company: Company) -> None:
    """Makes the account due and runs the schedule, as the next minute would."""
    company.delete("settings", kind="poll", name=f"amazon#{MARKET}")
    company.invoke("schedule-poll", {})


def test_an_order_of_woocommerce_ships_and_the_shop_hears_the_tracking_number(
    company: Company, crafts: WooCommerceShop, buyer: dict[str, Any]
) -> None:
    number = crafts.place(buyer, MUGS)
    order_id = ids.order_id("woocommerce", CRAFTS, number)
    company.until("it exists", lambda: bool(documents(company, order_id)))
    company.until_it_has(order_id, LONG_SECONDS, status="DELIVERED")
    (parcel,) = company.read(order_id)["fulfillments"][0]["shipments"]
    told = lambda: crafts.was_told(number, parcel["tracking_number"])  # noqa: E731 - said once, below
    company.until("the shop knows the tracking number", told, LONG_SECONDS)


def test_a_shop_that_is_down_hears_of_the_parcel_when_it_is_back_and_keeps_nobody_else_waiting(
    company: Company, crafts: WooCommerceShop, amazon: AmazonSeller, buyer: dict[str, Any]
) -> None:
    crafts.is_down = True
    number, other = crafts.place(buyer, MUGS), amazon.place(buyer, {"MSG-MUG-350-SLATE": (1, 1800)})
    order_id, other_id = ids.order_id("woocommerce", CRAFTS, number), ids.order_id("amazon", MARKET, other)
    pull(company)
    company.until("both exist", lambda: all(documents(company, one) for one in (order_id, other_id)), LONG_SECONDS)
    company.until_it_has(order_id, LONG_SECONDS, status="DELIVERED")
    company.until_it_has(other_id, LONG_SECONDS, status="DELIVERED")
    company.until("the other was told", lambda: amazon.was_told(other, tracking_of(company, other_id)), LONG_SECONDS)

    def failed() -> bool:
        rows = company.query("deliveries", "by_failed", failed_destination=f"channel#{CRAFTS_ACCOUNT}")
        return (order_id, "FAILED") in [(row.get("order_id"), row["status"]) for row in rows]

    company.until("operations see that it failed", failed, LONG_SECONDS)
    crafts.is_down = False
    company.until("the shop was told", lambda: crafts.was_told(number, tracking_of(company, order_id)), LONG_SECONDS)
    company.until("nothing is left to tell", lambda: not failed())


def tracking_of(company: Company, order_id: str) -> str:
    (parcel,) = company.read(order_id)["fulfillments"][0]["shipments"]
    number: str = parcel["tracking_number"]
    return number


def test_an_order_that_support_cancels_is_cancelled_in_the_shop_too(
    company: Company, crafts: WooCommerceShop, buyer: dict[str, Any]
) -> None:
    number = crafts.place(buyer, {"DUTCH-OVEN-5": (400, 12900)})
    order_id = ids.order_id("woocommerce", CRAFTS, number)
    company.until("it exists", lambda: bool(documents(company, order_id)))
    company.until_it_has(order_id, LONG_SECONDS, waiting_for="STOCK")
    answer = company.call("POST", f"/orders/{order_id}/cancellations", {"reason": "NO_STOCK"}, key=fresh("cancel"))
    assert answer.status in (200, 201, 202), answer.body
    company.until_it_has(order_id, LONG_SECONDS, status="CANCELLED")
    company.until("the shop shows it cancelled", lambda: crafts.orders[number]["status"] == "cancelled", LONG_SECONDS)


def test_a_shop_is_told_what_may_be_sold_and_told_anew_where_it_believes_something_else(
    company: Company, crafts: WooCommerceShop
) -> None:
    company.receive("LANTERN-STEEL", "WH-RENO", 1)
    company.until("it knows a figure", lambda: crafts.stock["LANTERN-STEEL"] > 0, LONG_SECONDS)
    before = crafts.stock["LANTERN-STEEL"]
    company.receive("LANTERN-STEEL", "WH-RENO", 5)
    company.until("it knows the new one", lambda: crafts.stock["LANTERN-STEEL"] >= before + 5, LONG_SECONDS)
    key = {"channel_account": CRAFTS_ACCOUNT, "channel_sku": "LANTERN-STEEL"}

    def listing() -> dict[str, Any]:
        rows = company.query("listings", channel_account=CRAFTS_ACCOUNT)
        return next(row for row in rows if row["channel_sku"] == key["channel_sku"])

    company.until("the row says so", lambda: "last_published_quantity" in listing(), LONG_SECONDS)
    right = listing()["last_published_quantity"]
    long_ago = (datetime.now(UTC) - timedelta(hours=1)).strftime("%Y-%m-%dT%H:%M:%SZ")
    company.put("listings", listing() | {"changed_at": long_ago})
    crafts.stock["LANTERN-STEEL"] = right + 100
    compared = company.invoke("schedule-publish-stock", {"anew": True})
    assert CRAFTS_ACCOUNT in compared["compared"]
    assert compared["failed"] == {}
    company.until("it knows the right one again", lambda: crafts.stock["LANTERN-STEEL"] == right, LONG_SECONDS)


def test_a_customer_who_wants_to_be_forgotten_is_forgotten(company: Company) -> None:
    sent = company.place("two_lines")
    company.until_all([sent], LONG_SECONDS, status="DELIVERED")
    assert company.query("contacts", order_id=sent.order_id)
    number = sent.identity.channel_order_id
    wish = {"shop_id": 1, "shop_domain": "x.myshopify.com", "customer": {"id": 2}, "orders_to_redact": [number, 7]}
    message = company.signed(sent.message, json.dumps(wish).encode())
    headers = {**message.headers, "x-shopify-topic": "customers/redact", "x-shopify-webhook-id": fresh("redact")}
    company.deliver(Message(message.body, headers))
    gone = lambda: not company.query("contacts", order_id=sent.order_id)  # noqa: E731 - said once, below
    company.until("nothing is held of them", gone, LONG_SECONDS)


def test_an_order_pulled_from_amazon_twice_is_one_order_with_amazons_own_dates(
    company: Company, amazon: AmazonSeller, buyer: dict[str, Any]
) -> None:
    number = amazon.place(buyer, {"MSG-MUG-350-SLATE": (1, 1800)})
    order_id = ids.order_id("amazon", MARKET, number)
    pull(company)
    company.until("it exists", lambda: bool(documents(company, order_id)), LONG_SECONDS)
    pulls = amazon.pulls
    pull(company)
    company.until("it was pulled once more", lambda: amazon.pulls > pulls, LONG_SECONDS)
    company.until_it_has(order_id, LONG_SECONDS, status="DELIVERED")
    document = company.read(order_id)
    asked = amazon.orders[number]["fulfillment"]
    assert document["ship_by"] == asked["shipByWindow"]["latestDateTime"]
    assert document["original_promised_by"] == asked["deliverByWindow"]["latestDateTime"]
    assert [event["type"] for event in document["events"]].count("OrderReceived") == 1
    assert document["lines"][0]["sku"] == "MUG-STONE-350"


def test_what_amazon_sells_under_a_name_nobody_mapped_waits_until_it_is_mapped(
    company: Company, amazon: AmazonSeller, buyer: dict[str, Any]
) -> None:
    name = fresh("NEW-MUG")
    number = amazon.place(buyer, {name: (1, 1800)})
    order_id = ids.order_id("amazon", MARKET, number)
    pull(company)

    def kept() -> list[dict[str, Any]]:
        rows = company.query("quarantine", source=f"amazon#{MARKET}")
        return [row for row in rows if number in json.dumps(row["message"], default=str)]

    company.until("it is in quarantine", lambda: bool(kept()), LONG_SECONDS)
    assert kept()[0]["reason"] == "UNMAPPED_SKU"
    listing = {"channel_account": f"amazon#{MARKET}", "channel_sku": name, "sku": "MUG-STONE-350"}
    company.put("listings", listing)
    company.invoke("schedule-reconcile", {})
    company.until("it became an order", lambda: bool(documents(company, order_id)), LONG_SECONDS)
    company.until("nothing is kept any more", lambda: not kept(), LONG_SECONDS)
