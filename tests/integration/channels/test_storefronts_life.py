"""From a storefront's webhook to an order: WooCommerce and BigCommerce through the real door and the real queue."""

from __future__ import annotations

import json
from typing import Any

import pytest

from oms.channels import bigcommerce, envelopes, woocommerce
from oms.domain import ids
from oms.domain.catalog import ChannelAccount
from oms.domain.order import OrderStatus
from tests.integration.functions.doors import Door, body_of, open_door
from tests.integration.samples import MainStreet
from tests.integration.stage import LambdaContext, Stage, sample
from tests.unit.bigcommerce_bodies import big_order

SECRET = "the-secret"
WOO, BIG = "woocommerce#corner-store", "bigcommerce#harbour"
WOO_ORDER, BIG_ORDER = (
    ids.order_id("woocommerce", "corner-store", "31877"),
    ids.order_id("bigcommerce", "harbour", "2107"),
)


@pytest.fixture
def storefront(stage: Stage) -> Door:
    MainStreet(stage)
    for account in (WOO, BIG):
        settings = ChannelAccount(currencies=("USD",), base_url="https://shop.example")
        stage.put("settings", settings, kind="channel_account", name=account)
    held = {f"channels/{account.replace('#', '/')}": [SECRET] for account in (WOO, BIG)}
    return open_door(stage, "webhook_storefront", "intake", held)


def arrive(storefront: Door, case: str) -> None:
    """A sample comes in at the door, and intake takes what it queued."""
    event = sample("webhook_storefront", case)
    body = body_of(event)
    event["headers"] |= {"x-wc-webhook-signature": woocommerce.sign(body, SECRET), bigcommerce.SECRET_HEADER: SECRET}
    assert storefront.post(event)[0] == 200
    take(storefront, storefront.queued())


def take(storefront: Door, messages: list[dict[str, Any]]) -> None:
    records = [{"messageId": str(number), "body": json.dumps(one)} for number, one in enumerate(messages)]
    answer = storefront.stage.function("queue_intake").handler({"Records": records}, LambdaContext())
    assert answer == {"batchItemFailures": []}


def fetched(channel: str, account: str, order: dict[str, Any]) -> dict[str, Any]:
    """The message that `queue_poll` makes of an order that it fetched."""
    return {
        "channel": channel,
        "account": account,
        "topic": envelopes.FETCHED,
        "message_id": "fetched-1",
        "received_at": "2026-11-16T15:13:00+00:00",
        "headers": {},
        "is_base64": False,
        "body": json.dumps(order),
    }


def to_fetch(storefront: Door) -> list[tuple[str, list[str]]]:
    return [(one["channel_account"], one["channel_order_ids"]) for one in storefront.stage.messages("poll")]


def test_a_woocommerce_order_is_taken_in_once_and_adds_up(storefront: Door) -> None:
    for _ in range(2):
        arrive(storefront, "woocommerce_two_lines")
    order = storefront.stage.order(WOO_ORDER)
    assert (order.version, order.status, order.review) == (1, OrderStatus.RECEIVED, None)
    assert [(line.sku, line.ordered) for line in order.lines] == [("MUG-STONE-350", 2), ("TOWEL-LINEN-2", 1)]
    assert (order.totals.total_minor, order.ship_to.region) == (7529, "ID")
    assert storefront.stage.rows("quarantine") == []


def test_a_woocommerce_order_that_is_cancelled_is_cancelled_here(storefront: Door) -> None:
    arrive(storefront, "woocommerce_two_lines")
    arrive(storefront, "woocommerce_cancelled")
    arrive(storefront, "woocommerce_two_lines")
    assert storefront.stage.order(WOO_ORDER).status is OrderStatus.CANCELLED


@pytest.mark.parametrize("case", ["woocommerce_deleted", "woocommerce_refunded_in_part"])
def test_what_woocommerce_tells_too_little_of_is_fetched(storefront: Door, case: str) -> None:
    arrive(storefront, case)
    assert to_fetch(storefront) == [(WOO, ["31877"])]
    assert storefront.stage.rows("orders") == []


def test_an_order_in_woocommerces_bin_is_cancelled_once_it_was_fetched(storefront: Door) -> None:
    arrive(storefront, "woocommerce_two_lines")
    body = json.loads(sample("webhook_storefront", "woocommerce_two_lines")["body"])
    binned = body | {"status": "trash", "date_modified_gmt": "2026-11-17T10:00:00"}
    take(storefront, [fetched("woocommerce", "corner-store", {"order": binned, "refunds": [], "virtual": []})])
    assert storefront.stage.order(WOO_ORDER).status is OrderStatus.CANCELLED


@pytest.mark.parametrize(
    "case", ["bigcommerce_order_created", "bigcommerce_status_updated", "bigcommerce_shipment_created"]
)
def test_a_bigcommerce_callback_has_the_order_fetched(storefront: Door, case: str) -> None:
    arrive(storefront, case)
    assert to_fetch(storefront) == [(BIG, ["2107"])]


def test_a_bigcommerce_order_that_was_fetched_is_an_order(storefront: Door) -> None:
    order = big_order()
    for line, sku in zip(
        order["consignments"]["shipping"][0]["line_items"], ("MUG-STONE-350", "TOWEL-LINEN-2"), strict=True
    ):
        line["sku"] = sku
    take(storefront, [fetched("bigcommerce", "harbour", order)] * 2)
    taken = storefront.stage.order(BIG_ORDER)
    assert (taken.version, taken.status, taken.review) == (1, OrderStatus.RECEIVED, None)
    assert (taken.totals.total_minor, taken.ship_to.region) == (7103, "TX")
