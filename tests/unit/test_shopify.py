"""Shopify orders in our words."""

from __future__ import annotations

import json
import subprocess
import sys
from datetime import UTC, datetime
from typing import Any

import pytest

from oms.channels import envelopes, registry, shopify
from oms.domain.errors import InvalidMessage, Unauthorized
from oms.domain.incoming import Address, IncomingOrder
from oms.domain.order import ShippingLine, Totals
from tests.unit.shopify_bodies import envelope, line_item, shopify_order


def parsed(body: str | dict[str, Any], topic: str = "orders/create", **changes: Any) -> IncomingOrder:
    order = shopify.parse(envelope(body, topic, **changes))
    assert isinstance(order, IncomingOrder)
    return order


def refusal(body: str | dict[str, Any], **changes: Any) -> InvalidMessage:
    with pytest.raises(InvalidMessage) as caught:
        shopify.parse(envelope(body, **changes))
    return caught.value


def test_an_order_keeps_who_sold_it_when_and_for_how_much() -> None:
    order = parsed(shopify_order())
    assert (order.channel, order.account, order.channel_order_id) == ("shopify", "goods", "5001")
    assert order.order_number == "#1001"
    assert order.placed_at == datetime(2026, 3, 1, 12, tzinfo=UTC)
    assert order.channel_updated_at == datetime(2026, 3, 1, 12, 1, tzinfo=UTC)
    assert order.totals == Totals(goods_minor=2500, shipping_minor=700, tax_minor=200, total_minor=3400)
    assert order.shipping_lines == (ShippingLine(title="Standard", price_minor=700),)
    assert (order.payment_status, order.customer_id) == ("PAID", "77")


def test_a_line_keeps_units_price_and_tax() -> None:
    line = parsed(shopify_order()).lines[0]
    assert (line.line_id, line.sku, line.title) == ("9001", "MUG-1", "Mug 1")
    assert (line.quantity, line.current_quantity) == (2, 2)
    assert (line.unit_price_minor, line.discount_minor, line.tax_minor) == (1250, 0, 200)
    assert line.requires_shipping


@pytest.mark.parametrize("topic", sorted(shopify.TOPICS))
def test_every_followed_topic_carries_the_whole_order(topic: str) -> None:
    assert parsed(shopify_order(), topic) == parsed(shopify_order())


@pytest.mark.parametrize(
    "topic", ["app/uninstalled", "draft_orders/create", "inventory_levels/update", "products/update"]
)
def test_other_topics_are_not_followed(topic: str) -> None:
    assert shopify.parse(envelope({"id": 1}, topic)) is None


@pytest.mark.parametrize(
    ("topic", "reason"), [("", "MISSING_FIELD"), ("orders/create,orders/paid", "INVALID_FIELD"), ("x", "INVALID_FIELD")]
)
def test_a_message_without_a_clear_topic_is_kept_for_a_person(topic: str, reason: str) -> None:
    assert refusal(shopify_order(), topic=topic).reason == reason


def test_the_body_and_not_the_unsigned_topic_says_whether_an_order_was_cancelled() -> None:
    assert parsed(shopify_order(), "orders/cancelled").cancelled_at is None
    cancelled = parsed(shopify_order(cancelled_at="2026-03-01T06:00:00-07:00", cancel_reason="customer"))
    assert cancelled.cancelled_at == datetime(2026, 3, 1, 13, tzinfo=UTC)
    assert cancelled.cancel_reason == "customer"


def test_ids_that_were_rounded_on_the_way_are_taken_from_their_exact_text() -> None:
    gid, rounded = 820_982_911_946_154_508, 820_982_911_946_154_500
    item = line_item(id=rounded, admin_graphql_api_id=f"gid://shopify/LineItem/{gid}")
    order = parsed(shopify_order(id=rounded, admin_graphql_api_id=f"gid://shopify/Order/{gid}", line_items=[item]))
    assert (order.channel_order_id, order.lines[0].line_id) == (str(gid), str(gid))


def test_without_that_text_the_number_is_the_id_however_large() -> None:
    large = 820_982_911_946_154_508
    item = line_item(id=large, admin_graphql_api_id=None)
    order = parsed(shopify_order(id=large, admin_graphql_api_id=None, line_items=[item]))
    assert (order.channel_order_id, order.lines[0].line_id) == (str(large), str(large))


def test_the_id_of_something_else_is_not_the_id_of_an_order() -> None:
    error = refusal(shopify_order(admin_graphql_api_id="gid://shopify/Fulfillment/5001"))
    assert (error.field, error.reason) == ("admin_graphql_api_id", "INVALID_FIELD")


def test_units_left_are_those_ordered_unless_the_channel_says_otherwise() -> None:
    items = [line_item(1, current_quantity=None), line_item(2, current_quantity=0), line_item(3, current_quantity=1)]
    del items[0]["current_quantity"]
    assert [line.current_quantity for line in parsed(shopify_order(line_items=items)).lines] == [2, 0, 1]


def test_a_line_without_sku_is_taken_as_it_is() -> None:
    items = [line_item(1, sku=None), line_item(2, sku="  "), line_item(3, sku=" A ")]
    assert [line.sku for line in parsed(shopify_order(line_items=items)).lines] == ["", "", "A"]


def test_a_gift_card_needs_no_shipping_and_silence_means_it_does() -> None:
    items = [line_item(1, requires_shipping=False), line_item(2, requires_shipping=None)]
    assert [line.requires_shipping for line in parsed(shopify_order(line_items=items)).lines] == [False, True]


def test_a_lines_share_of_every_discount_counts() -> None:
    shared = line_item(1, total_discount="1.00", discount_allocations=[{"amount": "1.00"}, {"amount": "0.49"}])
    own = line_item(2, total_discount="1.00", discount_allocations=None)
    assert [line.discount_minor for line in parsed(shopify_order(line_items=[shared, own])).lines] == [149, 100]


def test_money_is_read_in_the_minor_units_of_the_shops_currency() -> None:
    item = line_item(price="1250", tax_lines=None)
    yen = {"amount": "700", "currency_code": "JPY"}
    body = shopify_order(
        currency="JPY",
        line_items=[item],
        total_price="3200",
        total_tax=None,
        shipping_lines=[],
        total_shipping_price_set={"shop_money": yen},
    )
    order = parsed(body)
    assert order.lines[0].unit_price_minor == 1250
    assert order.totals == Totals(goods_minor=2500, shipping_minor=700, total_minor=3200)


def test_shipping_is_added_up_where_its_total_is_missing_and_removed_charges_are_left_out() -> None:
    charges = [
        {"title": "Standard", "price": "5.00", "tax_lines": [{"price": "0.40"}]},
        {"title": "Express", "price": "9.00", "is_removed": True},
        {"title": "Bulky goods", "price": "2.50"},
    ]
    order = parsed(shopify_order(total_shipping_price_set=None, shipping_lines=charges))
    assert order.totals.shipping_minor == 750
    assert [one.title for one in order.shipping_lines] == ["Standard", "Bulky goods"]
    assert order.shipping_lines[0].tax_minor == 40
    assert order.service_level == "STANDARD"


def test_a_shipping_total_in_another_currency_is_not_the_shops() -> None:
    foreign = {"shop_money": {"amount": "9999", "currency_code": "EUR"}}
    assert parsed(shopify_order(total_shipping_price_set=foreign)).totals.shipping_minor == 700


def test_wrong_sums_are_passed_on_for_intake_to_judge() -> None:
    assert parsed(shopify_order(total_price="1.00")).totals.total_minor == 100


def test_contradictory_states_are_passed_on_as_they_are() -> None:
    body = shopify_order(
        financial_status="voided", fulfillment_status="pending", cancelled_at="2026-03-01T05:00:00Z", confirmed=False
    )
    order = parsed(body)
    assert order.payment_status == "VOIDED"
    assert order.cancelled_at is not None


@pytest.mark.parametrize(
    ("title", "code", "level"),
    [
        ("Express", None, "EXPRESS"),
        ("FedEx Overnight", "", "EXPRESS"),
        ("Delivery", "UPS_NEXT_DAY_AIR", "EXPRESS"),
        ("Expedited parcel", None, "EXPRESS"),
        ("Standard", "STD", "STANDARD"),
        ("Generic Shipping", None, "STANDARD"),
    ],
)
def test_the_service_level_is_express_where_the_shipping_charge_says_so(
    title: str, code: str | None, level: str
) -> None:
    charges = [{"title": title, "code": code, "price": "7.00"}]
    assert parsed(shopify_order(shipping_lines=charges)).service_level == level


def test_a_persons_data_is_in_the_contact_and_nowhere_else() -> None:
    item = line_item(properties=[{"name": "Engraving", "value": "To Zoë"}, {"name": "Depth", "value": 2}])
    body = shopify_order(
        line_items=[item], note="Ring twice", note_attributes=[{"name": "gift_note", "value": "Happy birthday"}]
    )
    order = parsed(body)
    contact = order.contact
    assert (contact.name, contact.email, contact.phone) == ("Ada Example", "ada@example.com", "+1 775 555 0100")
    assert contact.ship_to == Address(
        name="Ada Example",
        address1="1 Test Street",
        city="Reno",
        region="NV",
        postal_code="89501",
        country="US",
        phone="+1 775 555 0100",
    )
    assert contact.bill_to.name == "Bill Payer"
    assert contact.free_text == {
        "note": "Ring twice",
        "note_attributes": "gift_note: Happy birthday",
        "9001": "Engraving: To Zoë\nDepth: 2",
    }
    elsewhere = repr(order).replace(repr(contact), "")
    assert not any(text in elsewhere for text in ("Ada", "ada@", "Test Street", "Zoë", "birthday", "twice"))


def test_what_nobody_wrote_is_written_nowhere() -> None:
    wishes = [{"name": "Engraving", "value": None}, {"name": "Ribbon", "value": ""}, {"name": "Wrap", "value": False}]
    order = parsed(shopify_order(line_items=[line_item(properties=wishes)]))
    assert order.contact.free_text == {"9001": "Wrap: false"}


def test_what_an_app_wrote_into_a_property_may_be_long() -> None:
    design = "x" * 60_000
    order = parsed(shopify_order(line_items=[line_item(properties=[{"name": "_design", "value": design}])]))
    assert order.contact.free_text["9001"] == f"_design: {design}"


def test_an_order_nobody_has_to_deliver_has_no_address() -> None:
    order = parsed(shopify_order(shipping_address=None, billing_address=None, customer=None, email=None))
    assert order.contact.ship_to == Address()
    assert (order.contact.name, order.contact.email, order.customer_id) == ("", "", None)


def test_an_order_that_was_fetched_is_read_as_one_that_was_sent() -> None:
    assert parsed(shopify_order(), envelopes.FETCHED) == parsed(shopify_order())


def test_no_header_makes_a_message_one_that_we_fetched() -> None:
    headers = {"x-shopify-topic": envelopes.FETCHED, "x-shopify-webhook-id": "w"}
    assert shopify.describe(headers) == ("", "w")
    assert refusal(shopify_order(), topic="").reason == "MISSING_FIELD"


def test_topic_and_id_of_a_delivery_are_read_from_its_headers() -> None:
    headers = {"x-shopify-topic": "orders/paid", "x-shopify-webhook-id": "w", "x-shopify-event-id": "e"}
    assert shopify.describe(headers) == ("orders/paid", "w")
    assert shopify.describe({"x-shopify-event-id": "e"}) == ("", "e")
    assert shopify.describe({}) == ("", "")


def test_an_unknown_channel_is_not_authorized_at_the_door_and_invalid_behind_it() -> None:
    assert registry.verifier("shopify") is registry.module("shopify") is shopify
    with pytest.raises(Unauthorized):
        registry.verifier("os")
    with pytest.raises(InvalidMessage, match="no channel"):
        registry.module("os")


def test_verifying_a_webhook_does_not_load_pydantic() -> None:
    code = (
        "import sys; from oms.channels import registry; registry.verifier('shopify'); print('pydantic' in sys.modules)"
    )
    paths = json.dumps(sys.path)
    run = [sys.executable, "-c", f"import sys; sys.path[:] = {paths}; {code}"]
    assert subprocess.run(run, capture_output=True, text=True, check=True).stdout == "False\n"  # noqa: S603
