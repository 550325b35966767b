"""What orders of Amazon's older API mean, and what its notifications do."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from oms.channels import amazon
from oms.domain.channel_messages import OrderNews
from oms.domain.errors import InvalidMessage
from oms.domain.incoming import IncomingOrder
from oms.domain.intake import totals_difference
from tests.unit.amazon_bodies import changed, envelope, sample


def parsed_v0(**changes: Any) -> IncomingOrder:
    paths = {path.replace("__", "."): value for path, value in changes.items()}
    read = amazon.parse(envelope(changed(sample("order_v0"), paths)))
    assert isinstance(read, IncomingOrder)
    return read


def test_an_order_of_v0_means_the_same() -> None:
    read = parsed_v0()
    assert read.channel_order_id == "114-5550003-2220003"
    assert read.ship_by == datetime(2026, 11, 24, 7, 59, 59, tzinfo=UTC)
    assert read.deliver_by == datetime(2026, 11, 27, 7, 59, 59, tzinfo=UTC)
    assert (read.service_level, read.payment_status) == ("EXPRESS", "PAID")
    assert (read.contact.name, read.contact.ship_to.postal_code) == ("Emmy Noether", "73301")
    assert read.contact.free_text == {"60112233445566": "For the new kitchen"}
    line = read.lines[0]
    assert (line.quantity, line.unit_price_minor, line.discount_minor) == (3, 1334, 500 + 2)  # 3 x 13.34 = 40.02
    totals = read.totals
    assert (totals.shipping_minor, totals.fees_minor, totals.discounts_minor) == (499, 395, 502)
    assert (totals.tax_minor, totals.total_minor) == (363, 4757)
    assert totals_difference(read) == 0


@pytest.mark.parametrize(
    ("changes", "tax", "included"),
    [
        pytest.param({"order__OrderTotal__Amount": "47.98"}, 404, False, id="tax on the discount was not taken off"),
        pytest.param({"order__OrderTotal__Amount": "43.94"}, 0, False, id="kept by Amazon"),
        pytest.param(
            {"order__OrderTotal__Amount": "43.94", "order__MarketplaceId": "A1F83G8C2ARO7P"}, 363, True, id="in prices"
        ),
    ],
)
def test_where_the_tax_of_v0_is_the_sum_decides(changes: dict[str, Any], tax: int, included: bool) -> None:
    read = parsed_v0(**changes)
    assert (read.totals.tax_minor, read.prices_include_tax, totals_difference(read)) == (tax, included, 0)


amounts = st.integers(0, 10**6)


@given(goods=amounts, quantity=st.integers(1, 300), shipping=amounts, wrapping=amounts, discount=amounts, tax=amounts)
def test_whatever_an_order_of_v0_costs_it_adds_up(
    goods: int, quantity: int, shipping: int, wrapping: int, discount: int, tax: int
) -> None:
    def money(minor: int) -> dict[str, str]:
        return {"CurrencyCode": "USD", "Amount": f"{minor / 100:.2f}"}

    item = {
        "OrderItemId": "1",
        "QuantityOrdered": quantity,
        "ItemPrice": money(goods),
        "ShippingPrice": money(shipping),
        "BuyerInfo": {"GiftWrapPrice": money(wrapping)},
        "PromotionDiscount": money(discount),
        "ItemTax": money(tax),
    }
    read = parsed_v0(items=[item], order__OrderTotal=money(goods + shipping + wrapping - discount + tax))
    assert totals_difference(read) == 0
    assert read.lines[0].unit_price_minor * quantity - goods < quantity


@pytest.mark.parametrize(
    ("status", "payment", "cancelled"),
    [
        ("Pending", "PENDING", False),
        ("PendingAvailability", "PENDING", False),
        ("Unshipped", "PAID", False),
        ("InvoiceUnconfirmed", "PAID", False),
        ("PartiallyShipped", "PAID", False),
        ("Shipped", "PAID", False),
        ("Canceled", "PAID", True),
    ],
)
def test_the_states_of_v0_are_those_of_today(status: str, payment: str, cancelled: bool) -> None:
    read = parsed_v0(order__OrderStatus=status)
    assert (read.payment_status, read.cancelled_at is not None) == (payment, cancelled)
    assert [line.current_quantity for line in read.lines] == [0 if cancelled else 3]


def test_v0_tells_of_a_buyer_who_asks_to_cancel_and_of_units_shipped() -> None:
    read = parsed_v0(
        items__0__BuyerRequestedCancel={"IsBuyerRequestedCancel": "true", "BuyerCancelReason": "Too slow"},
        items__0__QuantityShipped=1,
    )
    assert (read.cancel_requested, read.lines[0].fulfilled_quantity) == ("Too slow", 1)


def test_what_shipped_is_shipped_even_where_v0_does_not_count_it() -> None:
    read = parsed_v0(order__OrderStatus="Shipped", items__0__QuantityShipped=None)
    assert read.lines[0].fulfilled_quantity == 3


def test_a_buyer_of_v0_whose_item_is_cancelled_already_asks_for_nothing_more() -> None:
    gone = sample("order_v0")["items"][0] | {
        "OrderItemId": "2",
        "QuantityOrdered": 0,
        "BuyerRequestedCancel": {"IsBuyerRequestedCancel": True},
    }
    assert parsed_v0(items=[sample("order_v0")["items"][0], gone]).cancel_requested == ""


@pytest.mark.parametrize("name", ["", 7, "x" * 61, "\ud800", "../../v0/orders"])
def test_a_notification_names_an_order_as_amazon_does(name: Any) -> None:
    news = changed(sample("order_change"), {"Payload.OrderChangeNotification.AmazonOrderId": name})
    with pytest.raises(InvalidMessage) as caught:
        amazon.parse(envelope(news, "ORDER_CHANGE"))
    assert caught.value.field == "Payload.OrderChangeNotification.AmazonOrderId"


def test_the_wishes_for_goods_and_parcel_are_read_in_v0_too() -> None:
    read = parsed_v0(
        order__BuyerInfo={"PurchaseOrderNumber": "PO 7"},
        items__0__IossNumber="IM4420000000",
        items__0__BuyerInfo={"GiftWrapLevel": "Classic", "BuyerCustomizedInfo": {"CustomizedURL": "https://c.example"}},
        order__OrderTotal=None,
        order__ReplacedOrderId="114-1-1",
    )
    assert read.external_ids["replaces"] == "114-1-1"
    assert read.contact.free_text == {
        "60112233445566": "gift wrap: Classic\ncustomization: https://c.example",
        "purchase_order": "PO 7",
        "customs": "IOSS IM4420000000",
    }


def test_the_address_of_v0_may_come_by_itself() -> None:
    address = {"ShippingAddress": sample("order_v0")["order"]["ShippingAddress"]}
    wish = {"DeliveryPreferences": {"DropOffLocation": "Porch"}}
    read = parsed_v0(order__ShippingAddress=None, address={**address, **wish})
    assert read.contact.ship_to.city == "Austin"
    assert read.contact.free_text["delivery"] == "Porch"


@pytest.mark.parametrize("changes", [{"order__FulfillmentChannel": "AFN"}, {"order__OrderStatus": "Unfulfillable"}])
def test_orders_of_v0_that_amazon_fulfils_are_not_followed(changes: dict[str, Any]) -> None:
    paths = {path.replace("__", "."): value for path, value in changes.items()}
    assert amazon.parse(envelope(changed(sample("order_v0"), paths))) is None


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"order__ShippingAddress": None}, "MISSING_FIELD"),
        ({"order__IsISPU": "true"}, "STORE_PICKUP"),
        ({"items": []}, "QUANTITY_NOT_POSITIVE"),
        ({"items__0__ItemPrice": {"CurrencyCode": "GBP", "Amount": "40.00"}}, "INVALID_FIELD"),
        ({"order__FulfillmentChannel": None}, "MISSING_FIELD"),
    ],
)
def test_orders_of_v0_are_refused_by_name(changes: dict[str, Any], reason: str) -> None:
    with pytest.raises(InvalidMessage) as caught:
        parsed_v0(**changes)
    assert caught.value.reason == reason


def test_a_notification_says_which_order_to_fetch() -> None:
    body = sample("order_change")
    assert amazon.parse(envelope(body, "ORDER_CHANGE")) == OrderNews(channel_order_id="114-5550003-2220003")


def test_other_notifications_and_those_of_amazons_own_orders_are_not_followed() -> None:
    ours = sample("order_change")
    summary = "Payload.OrderChangeNotification.Summary.FulfillmentType"
    assert amazon.parse(envelope(changed(ours, {summary: "AFN"}), "ORDER_CHANGE")) is None
    assert amazon.parse(envelope(changed(ours, {"NotificationType": "FEED_PROCESSING_FINISHED"}), "")) is None


def test_a_notification_that_names_no_order_is_refused() -> None:
    body = changed(sample("order_change"), {"Payload.OrderChangeNotification.AmazonOrderId": None})
    with pytest.raises(InvalidMessage) as caught:
        amazon.parse(envelope(body, "ORDER_CHANGE"))
    assert caught.value.reason == "MISSING_FIELD"
