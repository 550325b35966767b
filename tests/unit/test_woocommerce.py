"""WooCommerce webhooks: what is genuine, what is followed, and what an order in one says."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from oms.channels import woocommerce
from oms.channels.message_fields import MAX_BODY_BYTES
from oms.domain.errors import InvalidMessage, InvalidOrder
from oms.domain.intake import totals_difference
from oms.domain.order import Method
from tests.mutations import MANY, judged, mutated
from tests.unit.woocommerce_bodies import (
    envelope,
    fetched,
    fixture,
    line_item,
    news_of,
    order_of,
    simple_order,
    woo_order,
)

SIGNATURE = "x-wc-webhook-signature"


def signed(body: bytes, secret: str) -> dict[str, str]:
    return {SIGNATURE: woocommerce.sign(body, secret)}


def test_the_signature_is_what_woocommerces_own_recipe_gives() -> None:
    # printf '{"id":1}' | openssl dgst -sha256 -hmac topsecret -binary | base64
    assert woocommerce.sign(b'{"id":1}', "topsecret") == "2jVXuwHprbWFJzRSoY1AVT/Ncf0a7q416zDIGnsIKFA="


def test_of_100_000_touched_requests_none_is_misjudged() -> None:
    result = judged(woocommerce.verify, woocommerce.SIGNATURE_HEADERS, mutated(signed, "woocommerce"))
    assert not result.false_accepts
    assert not result.false_rejects
    assert result.is_right
    assert result.accepted + result.refused == MANY


def test_an_empty_secret_verifies_nothing() -> None:
    assert not woocommerce.verify(signed(b"{}", ""), b"{}", ["", "another"])


@pytest.mark.parametrize(
    ("headers", "body", "expected"),
    [
        ({"content-type": "application/x-www-form-urlencoded"}, b"webhook_id=7", True),
        ({}, b"webhook_id=7", True),
        ({}, b"webhook_id=", False),
        ({}, b"webhook_id=7&id=1", False),
        ({}, b"webhook_id=7\n", False),
        ({}, b'{"id": 7}', False),
        ({}, b"webhook_id=" + b"7" * 21, False),
        ({SIGNATURE: "x"}, b"webhook_id=7", False),
        ({"x-wc-webhook-topic": "order.created"}, b"webhook_id=7", False),
    ],
)
def test_only_the_bare_first_call_of_a_webhook_is_a_ping(headers: dict[str, str], body: bytes, expected: bool) -> None:
    assert woocommerce.is_ping(headers, body) is expected


def test_topic_and_delivery_are_read_from_the_headers() -> None:
    headers = {"x-wc-webhook-topic": "order.updated", "x-wc-webhook-delivery-id": "abc"}
    assert woocommerce.describe(headers) == ("order.updated", "abc")
    assert woocommerce.describe({}) == ("", "")


@pytest.mark.parametrize(
    "topic", ["coupon.created", "product.updated", "customer.deleted", "action.woocommerce_add_to_cart"]
)
def test_other_topics_are_not_followed(topic: str) -> None:
    assert woocommerce.parse(envelope("{}", topic)) is None


@pytest.mark.parametrize(("topic", "reason"), [("", "MISSING_FIELD"), ("order/created", "INVALID_FIELD")])
def test_a_message_without_a_topic_of_woocommerces_form_is_refused(topic: str, reason: str) -> None:
    with pytest.raises(InvalidMessage) as caught:
        woocommerce.parse(envelope("{}", topic))
    assert caught.value.reason == reason


def test_an_order_says_who_what_where_and_when() -> None:
    order = order_of(woo_order())
    assert (order.channel, order.account, order.channel_order_id, order.order_number) == (
        "woocommerce",
        "main",
        "48213",
        "48213",
    )
    assert order.placed_at == datetime(2026, 11, 16, 14, 5, 7, tzinfo=UTC)
    assert order.channel_updated_at == datetime(2026, 11, 16, 14, 5, 9, tzinfo=UTC)
    assert (order.payment_status, order.customer_id, order.cancelled_at) == ("PAID", "311", None)
    mug, coaster = order.lines
    assert (mug.line_id, mug.sku, mug.title, mug.quantity, mug.current_quantity) == (
        "701",
        "MUG-BLUE",
        "Enamel mug \u2013 Blue",
        2,
        2,
    )
    assert (mug.unit_price_minor, mug.discount_minor, mug.tax_minor, mug.requires_shipping) == (1200, 240, 130, True)
    assert (coaster.sku, coaster.unit_price_minor, coaster.discount_minor) == ("COASTER-OAK", 2000, 200)
    assert [(one.title, one.price_minor) for one in order.shipping_lines] == [("Flat rate", 750)]
    assert totals_difference(order) == 0
    assert (order.totals.goods_minor, order.totals.discounts_minor, order.totals.tax_minor) == (4400, 440, 238)
    contact = order.contact
    assert (contact.name, contact.email, contact.phone) == (
        "Nora Lindqvist",
        "nora.lindqvist@example.com",
        "+1 208 555 0139",
    )
    assert (contact.ship_to.region, contact.ship_to.postal_code, contact.ship_to.country) == ("ID", "83702", "US")
    assert contact.free_text == {"note": "Please leave it with the neighbour", "701": "Colour: blue"}


@pytest.mark.parametrize("topic", ["order.created", "order.updated", "order.restored"])
def test_created_updated_and_restored_orders_come_whole(topic: str) -> None:
    assert order_of(envelope(woo_order(), topic)) == order_of(woo_order())


def test_a_deleted_order_is_fetched_since_nothing_but_its_id_is_told() -> None:
    assert news_of(envelope({"id": 48213}, "order.deleted")) == "48213"


PAID_AT = "2026-11-16T14:05:08"


@pytest.mark.parametrize(
    ("status", "paid_at", "payment", "is_over"),
    [
        ("pending", None, "PENDING", False),
        ("on-hold", None, "PENDING", False),
        ("on-hold", PAID_AT, "PENDING", False),
        ("failed", None, "VOIDED", False),
        ("processing", PAID_AT, "PAID", False),
        ("processing", None, "DUE_ON_DELIVERY", False),
        ("completed", PAID_AT, "PAID", False),
        ("wc-packing", PAID_AT, "PAID", False),
        ("wc-packing", None, "PENDING", False),
        ("cancelled", None, "VOIDED", True),
        ("cancelled", PAID_AT, "PAID", True),
        ("refunded", PAID_AT, "REFUNDED", True),
        ("trash", PAID_AT, "PAID", True),
    ],
)
def test_each_status_says_whether_it_is_paid_and_whether_it_is_over(
    status: str, paid_at: str | None, payment: str, is_over: bool
) -> None:
    order = order_of(woo_order(status=status, date_paid_gmt=paid_at))
    assert order.payment_status == payment
    assert (order.cancelled_at == order.channel_updated_at) is is_over
    assert bool(order.cancel_reason) is is_over


@pytest.mark.parametrize("status", ["checkout-draft", "auto-draft", "draft"])
def test_a_cart_that_nobody_ordered_yet_is_no_order(status: str) -> None:
    assert woocommerce.parse(envelope(woo_order(status=status))) is None
    assert woocommerce.parse(fetched(woo_order(status=status))) is None


def test_a_refund_is_fetched_since_the_order_does_not_say_of_which_units() -> None:
    order = woo_order(refunds=[{"id": 48300, "reason": "", "total": "-11.45"}])
    assert news_of(order) == "48213"
    whole = order_of(fetched(order, [fixture("refund")]))
    assert [(line.quantity, line.current_quantity) for line in whole.lines] == [(2, 1), (1, 1)]
    assert totals_difference(whole) == 0


@pytest.mark.parametrize("status", ["refunded", "cancelled", "trash"])
def test_an_order_that_is_over_need_not_be_fetched(status: str) -> None:
    over = woo_order(status=status, refunds=[{"id": 48300}], shipping_lines=[], shipping={})
    assert order_of(over).cancelled_at is not None


def test_money_given_back_without_units_takes_none_away() -> None:
    refund = fixture("refund")
    refund["line_items"][0]["quantity"] = 0
    assert order_of(fetched(woo_order(refunds=[{"id": 1}]), [refund])).lines[0].current_quantity == 2


def test_all_of_a_completed_order_has_left_and_of_others_nothing_is_known() -> None:
    completed = order_of(woo_order(status="completed", date_completed_gmt="2026-11-16T20:00:00"))
    assert [line.fulfilled_quantity for line in completed.lines] == [2, 1]
    assert [line.fulfilled_quantity for line in order_of(woo_order()).lines] == [0, 0]


@pytest.mark.parametrize(("completed_at", "left"), [("2026-11-16T20:00:00", 2), ("2026-11-18T20:00:00", 1)])
def test_what_is_refunded_after_the_order_was_completed_is_a_return_and_no_cancel(completed_at: str, left: int) -> None:
    order = woo_order(status="completed", date_completed_gmt=completed_at)
    mug = order_of(fetched(order, [fixture("refund")])).lines[0]
    assert (mug.current_quantity, mug.fulfilled_quantity) == (left, left)


@pytest.mark.parametrize(("completed_at", "left"), [("2026-11-16T20:00:00", [2, 1]), (None, [0, 0])])
def test_an_order_refunded_after_it_was_completed_had_left(completed_at: str | None, left: list[int]) -> None:
    order = order_of(woo_order(status="refunded", date_completed_gmt=completed_at))
    assert order.cancelled_at is not None
    assert [line.fulfilled_quantity for line in order.lines] == left


def test_units_are_not_refunded_below_none() -> None:
    assert order_of(fetched(woo_order(), [fixture("refund")] * 3)).lines[0].current_quantity == 0


def test_an_order_without_a_word_on_shipping_is_fetched_to_learn_what_is_virtual() -> None:
    order = woo_order(shipping_lines=[], shipping={"first_name": "", "address_1": "", "country": ""}, total="41.98")
    assert news_of(order) == "48213"
    assert [line.requires_shipping for line in order_of(fetched(order, virtual=["4105"])).lines] == [False, True]
    assert order_of(fetched(order)).contact.ship_to.city == "Boise"


@pytest.mark.parametrize("key", ["wc_gc_giftcard_to_multiple", "_wc_gc_giftcard_amount", "pw_gift_card_to"])
def test_a_gift_card_that_is_sold_is_nothing_to_ship(key: str) -> None:
    card = line_item(2, meta_data=[{"id": 1, "key": key, "value": "somebody"}])
    assert [line.requires_shipping for line in order_of(simple_order(line_item(), card)).lines] == [True, False]


@pytest.mark.parametrize(
    "unpaid",
    [{"gift_cards": [{"id": 1, "code": "X", "amount": 4.5}]}, {"meta_data": [{"key": "_funds_used", "value": "4.50"}]}],
)
def test_gift_cards_and_account_funds_are_payment_and_not_a_lower_total(unpaid: dict[str, Any]) -> None:
    order = order_of(simple_order(total="5.50", **unpaid))
    assert (order.totals.total_minor, order.totals.discounts_minor, totals_difference(order)) == (1000, 0, 0)


@pytest.mark.parametrize(
    ("part_ships", "ships"),
    [("yes", [False, True, True]), ("no", [True, False, False])],
    ids=["parts ship by themselves", "parts come assembled"],
)
@pytest.mark.parametrize(
    ("parent", "parts", "kind"),
    [("bundled_by", "bundled_items", "bundled"), ("composite_parent", "composite_children", "composite")],
)
def test_of_a_bundle_either_the_parts_ship_or_the_whole(
    parent: str, parts: str, kind: str, part_ships: str, ships: list[bool]
) -> None:
    needs = [{"key": f"_{kind}_item_needs_shipping", "value": part_ships}]
    free = {"subtotal": "0.00", "total": "0.00", parent: 801, "meta_data": needs}
    bundle = line_item(1, **{parent: "", parts: [802, 803]})
    order = order_of(simple_order(bundle, line_item(2, **free), line_item(3, **free)))
    assert [line.requires_shipping for line in order.lines] == ships
    assert (order.totals.goods_minor, totals_difference(order)) == (1000, 0)


@pytest.mark.parametrize(
    ("ids", "name"),
    [
        ({"product_id": 9, "variation_id": 12}, "variant:12"),
        ({"product_id": 9, "variation_id": 0}, "product:9"),
        ({"product_id": 0, "variation_id": 0}, ""),
    ],
)
def test_a_line_without_sku_is_known_by_its_product(ids: dict[str, int], name: str) -> None:
    assert order_of(simple_order(line_item(sku="", **ids))).lines[0].sku == name


@pytest.mark.parametrize(
    ("shipping", "method", "place"),
    [
        ([], Method.SHIP, None),
        ([{"method_id": "flat_rate", "total": "0"}], Method.SHIP, None),
        ([{"method_id": "local_pickup", "total": "0"}], Method.PICKUP, None),
        (
            [
                {
                    "method_id": "pickup_location",
                    "total": "0",
                    "meta_data": [{"key": "pickup_location", "value": "STORE-1"}],
                }
            ],
            Method.PICKUP,
            "STORE-1",
        ),
        ([{"method_id": "local_pickup", "total": "0"}, {"method_id": "flat_rate", "total": "0"}], Method.SHIP, None),
    ],
)
def test_an_order_is_collected_where_all_of_it_is(
    shipping: list[dict[str, Any]], method: Method, place: str | None
) -> None:
    order = order_of(simple_order(shipping_lines=shipping))
    assert (order.method, order.pickup_location_id) == (method, place)


def test_express_is_known_by_its_name() -> None:
    assert (
        order_of(simple_order(shipping_lines=[{"method_title": "Next-day air", "total": "0"}])).service_level
        == "EXPRESS"
    )


def test_a_guest_is_no_customer_and_parts_of_an_address_may_be_missing() -> None:
    order = order_of(woo_order(customer_id=0, billing=[], shipping={"address_1": "1 Elm", "country": "US"}))
    assert order.customer_id is None
    assert (order.contact.ship_to.address1, order.contact.ship_to.city, order.contact.email) == ("1 Elm", "", "")


def test_a_line_that_an_employee_emptied_is_gone() -> None:
    emptied = line_item(2, quantity=0, total="0.00", subtotal="0.00")
    assert [line.line_id for line in order_of(simple_order(line_item(), emptied)).lines] == ["801"]


def test_an_order_last_changed_at_no_known_time_was_last_changed_when_it_was_placed() -> None:
    order = order_of(woo_order(date_modified_gmt=None))
    assert order.channel_updated_at == order.placed_at


@pytest.mark.parametrize(
    ("change", "field", "reason"),
    [
        ({"line_items": []}, "line_items", "MISSING_FIELD"),
        ({"date_created_gmt": None}, "date_created_gmt", "MISSING_FIELD"),
        ({"id": None}, "id", "INVALID_FIELD"),
        ({"currency": "dollars"}, "currency", "INVALID_FIELD"),
        ({"total": "NaN"}, "total", "INVALID_FIELD"),
        ({"total": "lots"}, "total", "INVALID_FIELD"),
        ({"total": "9" * 20}, "total", "INVALID_FIELD"),
        ({"line_items": [line_item(quantity=1.5)]}, "line_items.0.quantity", "INVALID_FIELD"),
        ({"line_items": [line_item(quantity=0)]}, "line_items.0.quantity", "QUANTITY_NOT_POSITIVE"),
        ({"line_items": [line_item(total="-1.00")]}, "line_items.0.total", "NEGATIVE_PRICE"),
        ({"line_items": [line_item(), line_item()]}, "line_items.1.id", "DUPLICATE_LINE"),
        ({"line_items": [line_item(number) for number in range(501)]}, "line_items", "TOO_MANY_LINES"),
        ({"customer_note": "x" * 10_001}, "customer_note", "INVALID_FIELD"),
    ],
)
def test_what_can_not_be_is_refused_by_field_and_reason(change: dict[str, Any], field: str, reason: str) -> None:
    with pytest.raises(InvalidMessage) as caught:
        woocommerce.parse(envelope(woo_order(**change)))
    assert (caught.value.field, caught.value.reason) == (field, reason)


def test_notes_beyond_what_a_contact_holds_are_refused() -> None:
    metas = [{"key": f"Engraving {number}", "value": "x" * 9_000} for number in range(25)]
    with pytest.raises(InvalidOrder) as caught:
        woocommerce.parse(envelope(simple_order(line_item(meta_data=metas))))
    assert caught.value.reason == "TOO_LARGE"


@pytest.mark.parametrize(
    ("body", "reason"), [("{", "MALFORMED_JSON"), ("[]", "INVALID_FIELD"), (" " * (MAX_BODY_BYTES + 1), "TOO_LARGE")]
)
def test_a_body_that_is_no_order_is_refused(body: str, reason: str) -> None:
    with pytest.raises(InvalidMessage) as caught:
        woocommerce.parse(envelope(body))
    assert caught.value.reason == reason


def test_an_error_says_nothing_of_what_the_buyer_wrote() -> None:
    with pytest.raises(InvalidMessage) as caught:
        woocommerce.parse(envelope(woo_order(customer_note={"secret": "Nora Lindqvist"})))
    assert "Nora" not in f"{caught.value} {caught.value.details}"
