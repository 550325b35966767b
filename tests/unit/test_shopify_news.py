"""Shopify messages that bring no order: which order changed, and what a person wishes about their data."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from oms.channels import envelopes, shopify
from oms.channels.shopify_news import ALWAYS_THERE
from oms.domain.channel_messages import OrderNews, PrivacyKind, PrivacyRequest
from oms.domain.errors import InvalidMessage
from oms.domain.incoming import IncomingOrder
from tests.unit.shopify_bodies import envelope, shopify_order

FIXTURES = Path(__file__).parents[1] / "fixtures/shopify"
BODY_OF = {
    "orders/edited": "orders_edited",
    "orders/delete": "orders_delete",
    "refunds/create": "refunds_create",
    "fulfillments/create": "fulfillments_create",
    "fulfillments/update": "fulfillments_create",
    "customers/data_request": "customers_data_request",
    "customers/redact": "customers_redact",
    "shop/redact": "shop_redact",
}


def body(name: str) -> dict[str, Any]:
    content: dict[str, Any] = json.loads((FIXTURES / f"{name}.json").read_text())
    return content


def refusal(content: dict[str, Any], topic: str) -> InvalidMessage:
    with pytest.raises(InvalidMessage) as caught:
        shopify.parse(envelope(content, topic))
    return caught.value


@pytest.mark.parametrize("topic", sorted(shopify.NEWS_TOPICS))
def test_a_message_that_tells_too_little_names_the_order_to_fetch_by_its_exact_id(topic: str) -> None:
    news = shopify.parse(envelope(body(BODY_OF[topic]), topic))
    assert news == OrderNews(channel_order_id="820982911946154508")


@pytest.mark.parametrize("name", sorted(ALWAYS_THERE))
def test_of_an_order_that_was_sent_in_part_the_rest_is_fetched(name: str) -> None:
    part = {key: value for key, value in shopify_order().items() if key != name}
    assert shopify.parse(envelope(part)) == OrderNews(channel_order_id="5001")
    assert shopify.parse(envelope({"id": 5001}, "orders/updated")) == OrderNews(channel_order_id="5001")


def test_an_order_is_not_fetched_again_for_what_shopify_itself_left_out() -> None:
    part = {key: value for key, value in shopify_order().items() if key != "total_discounts"}
    assert isinstance(shopify.parse(envelope(part, envelopes.FETCHED)), IncomingOrder)


def test_a_part_that_does_not_say_of_which_order_it_is_is_refused() -> None:
    for content in ({"currency": "USD"}, {"id": 0}, {"id": None, "admin_graphql_api_id": "gid://shopify/Refund/1"}):
        assert refusal(content, "orders/paid").field in ("id", "admin_graphql_api_id")


@pytest.mark.parametrize(
    ("topic", "content", "field"),
    [
        ("orders/edited", {"id": 1}, "order_edit"),
        ("orders/edited", {"order_edit": {"id": 1}}, "order_edit.order_id"),
        ("orders/delete", {"order_id": 1}, "id"),
        ("refunds/create", {"id": 1}, "order_id"),
        ("fulfillments/create", {"id": 1, "order_id": None}, "order_id"),
        ("fulfillments/update", {"id": 1, "order_id": "5"}, "order_id"),
        ("refunds/create", {"order_id": 0}, "order_id"),
    ],
)
def test_a_change_that_names_no_order_is_refused(topic: str, content: dict[str, Any], field: str) -> None:
    error = refusal(content, topic)
    assert (error.field, error.reason in ("MISSING_FIELD", "INVALID_FIELD")) == (field, True)


@pytest.mark.parametrize(
    ("topic", "expected"),
    [
        (
            "customers/data_request",
            PrivacyRequest(
                kind=PrivacyKind.DATA_REQUEST,
                channel="shopify",
                account="goods",
                request_id="9999",
                channel_order_ids=("6120000001", "6120000002"),
                about={"shop": "main-street-goods.myshopify.com"},
            ),
        ),
        (
            "customers/redact",
            PrivacyRequest(
                kind=PrivacyKind.REDACT_CUSTOMER,
                channel="shopify",
                account="goods",
                request_id="delivery-1",
                channel_order_ids=("6120000001", "6120000002"),
                about={"shop": "main-street-goods.myshopify.com"},
            ),
        ),
        (
            "shop/redact",
            PrivacyRequest(
                kind=PrivacyKind.REDACT_ACCOUNT,
                channel="shopify",
                account="goods",
                request_id="delivery-1",
                about={"shop": "main-street-goods.myshopify.com"},
            ),
        ),
    ],
)
def test_a_wish_about_a_persons_data_says_whose_orders_it_is_about(topic: str, expected: PrivacyRequest) -> None:
    assert shopify.parse(envelope(body(BODY_OF[topic]), topic)) == expected


def test_a_wish_that_does_not_name_its_shop_is_about_the_account_that_it_came_to() -> None:
    content = body("customers_redact") | {"shop_domain": None}
    request = shopify.parse(envelope(content, "customers/redact"))
    assert isinstance(request, PrivacyRequest)
    assert request.about == {}


def test_a_wish_of_a_customer_without_orders_is_about_none() -> None:
    content = body("customers_redact") | {"orders_to_redact": None}
    request = shopify.parse(envelope(content, "customers/redact"))
    assert isinstance(request, PrivacyRequest)
    assert request.channel_order_ids == ()


@pytest.mark.parametrize("topic", sorted(shopify.PRIVACY_TOPICS))
@pytest.mark.parametrize("sent_as", sorted(shopify.PRIVACY_TOPICS))
def test_a_genuine_wish_can_not_be_sent_again_as_a_greater_one(topic: str, sent_as: str) -> None:
    content = body(BODY_OF[topic])
    if topic == sent_as:
        assert isinstance(shopify.parse(envelope(content, sent_as)), PrivacyRequest)
    else:
        assert refusal(content, sent_as).reason in ("MISSING_FIELD", "INVALID_FIELD")


@pytest.mark.parametrize("name", ["customer", "orders_requested", "orders_to_redact"])
def test_a_wish_that_names_anybody_is_not_about_the_whole_shop(name: str) -> None:
    content = body("shop_redact") | {name: []}
    error = refusal(content, "shop/redact")
    assert (error.field, error.reason) == (name, "INVALID_FIELD")


@pytest.mark.parametrize("sent_as", sorted(shopify.PRIVACY_TOPICS))
def test_a_genuine_order_can_not_be_sent_again_as_a_wish_to_forget(sent_as: str) -> None:
    assert refusal(shopify_order(shop_id=1), sent_as).reason == "MISSING_FIELD"


def test_no_refusal_of_a_wish_repeats_whose_it_is() -> None:
    error = refusal(body("customers_redact"), "shop/redact")
    told = f"{error} {error.details} {error.__cause__!r} {error.__cause__}"
    assert "nadia" not in told
    assert "+1609" not in told
