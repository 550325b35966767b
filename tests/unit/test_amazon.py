"""What Amazon's orders mean: money to the cent, promises, cancels, and what is refused by name."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from oms.channels import amazon, registry
from oms.domain.errors import InvalidMessage, InvalidOrder, Unauthorized
from oms.domain.incoming import Address, IncomingOrder
from oms.domain.intake import totals_difference
from tests.unit.amazon_bodies import changed, envelope, fetched, order, sample, usd

FIRST, SECOND = "orderItems__0__", "orderItems__1__"


def parsed(body: Any) -> IncomingOrder:
    read = amazon.parse(fetched(body))
    assert isinstance(read, IncomingOrder)
    return read


def test_amazon_is_asked_and_told_everything_but_sends_no_webhooks() -> None:
    offered = ["pull", "fetch", "confirm_shipment", "confirm_cancellation", "publish", "listed"]
    assert all(registry.can("amazon", name) for name in offered)
    with pytest.raises(Unauthorized):
        registry.verifier("amazon")


def test_an_order_is_read_with_its_times_promises_and_person() -> None:
    read = parsed(order())
    assert (read.channel_order_id, read.order_number) == ("114-5550001-2220001", "114-5550001-2220001")
    assert read.placed_at == datetime(2026, 11, 22, 16, 4, 11, tzinfo=UTC)
    assert read.channel_updated_at == datetime(2026, 11, 22, 16, 35, 2, tzinfo=UTC)
    assert read.ship_by == datetime(2026, 11, 24, 4, 59, 59, tzinfo=UTC)
    assert read.deliver_by == datetime(2026, 11, 26, 4, 59, 59, tzinfo=UTC)
    assert (read.currency, read.payment_status, read.service_level) == ("USD", "PAID", "EXPRESS")
    assert read.external_ids == {"marketplace_id": "ATVPDKIKX0DER"}
    assert read.contact.ship_to == Address(
        name="Ada Byron",
        company="Difference Works",
        address1="12 Mill Lane",
        address2="Floor 2, Door C",
        city="Columbus",
        region="OH",
        postal_code="43004-1234",
        country="US",
        phone="+1 614-555-0100",
    )
    assert read.contact.email == "k3jx9@marketplace.example"
    assert read.contact.free_text == {
        "70112233445567": "gift wrap: Classic\nHappy birthday, Grace!",
        "delivery": "Front desk, Ring twice",
    }


def test_its_money_adds_up_to_the_cent() -> None:
    read = parsed(order())
    totals = read.totals
    assert (totals.goods_minor, totals.shipping_minor, totals.fees_minor) == (7596, 599, 350)
    assert (totals.discounts_minor, totals.tax_minor, totals.total_minor) == (800, 599, 8344)
    assert not read.prices_include_tax
    assert totals_difference(read) == 0
    assert [line.unit_price_minor for line in read.lines] == [1899, 1899]
    assert [line.discount_minor for line in read.lines] == [800, 0]
    assert [(one.title, one.price_minor) for one in read.shipping_lines] == [("SECOND_DAY", 599)]


def test_a_line_whose_price_does_not_divide_rounds_up_and_gives_the_rest_back() -> None:
    body = order(
        **{
            FIRST + "proceeds__breakdowns__0__subtotal": usd("57.00"),
            FIRST + "quantityOrdered": 7,
            "proceeds__breakdowns__0__subtotal": usd("75.99"),
            "proceeds__grandTotal": usd("83.47"),
        }
    )
    read = parsed(body)
    line = read.lines[0]
    assert (line.unit_price_minor, line.discount_minor) == (815, 800 + 5)  # 7 x 8.15 = 57.05
    assert read.totals.discounts_minor == 805
    assert totals_difference(read) == 0


@given(st.integers(0, 10**7), st.integers(1, 500), st.integers(0, 10**5), st.integers(0, 10**6))
def test_whatever_a_line_costs_the_order_adds_up_and_no_price_is_negative(
    goods: int, quantity: int, shipping: int, tax: int
) -> None:
    kinds = {"ITEM": goods, "SHIPPING": shipping, "TAX": tax}
    breakdowns = [{"type": kind, "subtotal": usd(f"{minor / 100:.2f}")} for kind, minor in kinds.items()]
    item = changed(
        sample("order")["orderItems"][0], {"quantityOrdered": quantity, "proceeds": {"breakdowns": breakdowns}}
    )
    total = usd(f"{(goods + shipping + tax) / 100:.2f}")
    read = parsed(order(orderItems=[item], proceeds={"grandTotal": total, "breakdowns": breakdowns}))
    assert totals_difference(read) == 0
    assert 0 <= read.lines[0].discount_minor < quantity
    assert read.lines[0].unit_price_minor >= 0


def test_a_total_that_does_not_add_up_is_passed_on_for_intake_to_tell_by_how_much() -> None:
    read = parsed(order(proceeds__grandTotal=usd("85.00")))
    assert totals_difference(read) == 156


def test_without_sums_of_the_order_those_of_its_lines_count() -> None:
    read = parsed(order(proceeds__breakdowns=None))
    assert totals_difference(read) == 0
    assert read.totals.fees_minor == 350


def test_without_any_sums_prices_of_one_unit_count() -> None:
    body = order(
        proceeds={"grandTotal": usd("75.96")},
        **{FIRST + "proceeds": None, SECOND + "proceeds": None},
    )
    read = parsed(body)
    assert (read.totals.goods_minor, totals_difference(read)) == (7596, 0)


def test_discounts_count_the_same_whichever_sign_they_come_with() -> None:
    read = parsed(order(proceeds__breakdowns__3__subtotal=usd("8.00")))
    assert (read.totals.discounts_minor, totals_difference(read)) == (800, 0)


def test_a_fee_below_nothing_is_a_discount() -> None:
    body = order(proceeds__breakdowns__2={"type": "OTHER", "subtotal": usd("-1.00")}, proceeds__grandTotal=usd("78.94"))
    read = parsed(body)
    assert (read.totals.fees_minor, read.totals.discounts_minor, totals_difference(read)) == (0, 900, 0)


@pytest.mark.parametrize(("status", "tip", "total"), [("FINALIZED", 500, "88.44"), ("PENDING", 0, "83.44")])
def test_a_tip_counts_once_it_is_final(status: str, tip: int, total: str) -> None:
    body = order(proceeds__grandTotal=usd(total))
    body["proceeds"]["breakdowns"].append({"type": "DELIVERY_TIP", "status": status, "subtotal": usd("5.00")})
    read = parsed(body)
    assert (read.totals.tip_minor, totals_difference(read)) == (tip, 0)


@pytest.mark.parametrize(
    ("market", "total", "withheld", "tax", "included"),
    [
        pytest.param("ATVPDKIKX0DER", "83.44", True, 599, False, id="on top of the prices"),
        pytest.param("ATVPDKIKX0DER", "77.45", True, 0, False, id="kept by Amazon, not in what the seller gets"),
        pytest.param("ATVPDKIKX0DER", "77.45", False, 599, True, id="in the prices after all"),
        pytest.param("A1PA6795UKMFR9", "77.45", True, 599, True, id="in the prices, as in Europe"),
        pytest.param("A1PA6795UKMFR9", "83.44", False, 599, False, id="on top even in Europe"),
    ],
)
def test_where_the_tax_is_the_sum_decides(market: str, total: str, withheld: bool, tax: int, included: bool) -> None:
    body = order(salesChannel__marketplaceId=market, proceeds__grandTotal=usd(total))
    if not withheld:
        for item in body["orderItems"]:
            del item["tax"]
    read = parsed(body)
    assert (read.totals.tax_minor, read.prices_include_tax) == (tax, included)
    assert totals_difference(read) == 0


def test_goods_without_tax_beside_taxed_ones_do_not_hide_that_amazon_keeps_the_tax() -> None:
    """A book and a mug: nobody collects tax on the book; that on the mug is not in the prices, nor the seller's."""
    body = order(proceeds__grandTotal=usd("77.45"))
    book = body["orderItems"][1]
    del book["tax"]
    book["proceeds"]["breakdowns"] = [one for one in book["proceeds"]["breakdowns"] if one["type"] != "TAX"]
    read = parsed(body)
    assert (read.totals.tax_minor, read.prices_include_tax, totals_difference(read)) == (0, False, 0)


def test_an_address_without_its_street_is_none_to_ship_to() -> None:
    """An app without the role for people's data is told city and postal code, and may route by them, no more."""
    town = {"city": "Columbus", "stateOrRegion": "OH", "postalCode": "43004", "countryCode": "US"}
    with pytest.raises(InvalidOrder, match="needs its address"):
        parsed(order(recipient__deliveryAddress=town))
    waiting = parsed(order(recipient__deliveryAddress=town, fulfillment__fulfillmentStatus="PENDING"))
    assert waiting.contact.ship_to.postal_code == "43004"
    assert parsed(order(recipient__deliveryAddress={**town, "addressLine2": "Mill Lane 12"})).contact.ship_to.address2


def test_an_address_that_stands_on_the_second_line_is_kept_where_a_country_has_no_postal_codes() -> None:
    villa = {"name": "Noor", "addressLine2": "Villa 9, Palm Street", "city": "Dubai", "countryCode": "AE"}
    assert parsed(order(recipient__deliveryAddress=villa)).contact.ship_to.address2 == "Villa 9, Palm Street"


def test_an_order_that_makes_good_another_one_names_it_and_costs_nothing() -> None:
    body = order(associatedOrders=[{"orderId": "114-1-1", "associationType": "REPLACEMENT_ORIGINAL_ID"}], proceeds=None)
    for item in body["orderItems"]:
        del item["proceeds"], item["product"]["price"]
    read = parsed(body)
    assert read.external_ids == {"marketplace_id": "ATVPDKIKX0DER", "replaces": "114-1-1"}
    assert (read.totals.total_minor, read.payment_status, totals_difference(read)) == (0, "PAID", 0)


def test_what_a_business_orders_by_what_customs_want_and_what_is_made_to_order_stays_with_the_persons_data() -> None:
    body = order(buyer__buyerPurchaseOrderNumber="PO 7, Ada")
    first = body["orderItems"][0]
    first["product"]["customization"] = {"customizedUrl": "https://custom.example/1"}
    for item in body["orderItems"]:
        item["fulfillment"]["shipping"] = {"internationalShipping": {"iossNumber": "IM4420000000"}}
    read = parsed(body)
    assert read.contact.free_text["purchase_order"] == "PO 7, Ada"
    assert read.contact.free_text["customs"] == "IOSS IM4420000000"
    assert read.contact.free_text[first["orderItemId"]] == "customization: https://custom.example/1"


def test_a_pending_order_has_no_prices_and_goes_to_the_country_of_its_marketplace() -> None:
    read = parsed(sample("pending"))
    assert (read.payment_status, read.currency, read.totals.total_minor) == ("PENDING", "EUR", 0)
    assert read.contact.ship_to == Address(country="DE")
    assert [(line.quantity, line.current_quantity) for line in read.lines] == [(2, 2)]
    assert totals_difference(read) == 0


@pytest.mark.parametrize(
    ("status", "payment"),
    [
        ("PENDING_AVAILABILITY", "PENDING"),
        ("PENDING", "PENDING"),
        ("UNSHIPPED", "PAID"),
        ("PARTIALLY_SHIPPED", "PAID"),
        ("SHIPPED", "PAID"),
    ],
)
def test_an_order_is_paid_once_amazon_says_it_may_ship(status: str, payment: str) -> None:
    read = parsed(order(fulfillment__fulfillmentStatus=status))
    assert (read.payment_status, read.cancelled_at) == (payment, None)


def test_an_order_paid_on_delivery_may_ship_before_it_is_paid() -> None:
    read = parsed(order(payment__paymentExecutions=[{"paymentMethod": "CashOnDelivery"}]))
    assert read.payment_status == "AUTHORIZED"


@pytest.mark.parametrize(("by", "reason"), [("BUYER", "customer"), ("MERCHANT", "seller"), ("AMAZON", "amazon")])
def test_a_cancelled_order_says_when_and_by_whom(by: str, reason: str) -> None:
    body = order(
        fulfillment__fulfillmentStatus="CANCELLED",
        **{FIRST + "cancellation": {"cancellationExecution": {"cancelledBy": by}}},
    )
    read = parsed(body)
    assert (read.cancelled_at, read.cancel_reason) == (read.channel_updated_at, reason)
    assert [line.current_quantity for line in read.lines] == [0, 0]


def test_a_cancelled_order_may_be_left_with_no_units_at_all() -> None:
    body = order(
        fulfillment__fulfillmentStatus="CANCELLED",
        proceeds=None,
        **{line + "quantityOrdered": 0 for line in (FIRST, SECOND)},
        **{line + "proceeds": None for line in (FIRST, SECOND)},
    )
    for units in (body["orderItems"], []):
        read = parsed({**body, "orderItems": units})
        assert (read.lines, read.totals.total_minor) == ((), 0)
        assert read.cancelled_at is not None


@pytest.mark.parametrize(
    ("executed", "fulfilled", "unfulfilled", "left"),
    [
        pytest.param(True, 0, 2, 2, id="one of three was cancelled"),
        pytest.param(True, 0, 0, 0, id="all were cancelled"),
        pytest.param(True, 3, 0, 3, id="cancelled in words, shipped in numbers"),
        pytest.param(False, 0, 2, 3, id="nobody cancelled: a count that lags"),
    ],
)
def test_cancelled_units_are_taken_off_their_line(executed: bool, fulfilled: int, unfulfilled: int, left: int) -> None:
    body = order(
        **{FIRST + "fulfillment": {"quantityFulfilled": fulfilled, "quantityUnfulfilled": unfulfilled}},
        fulfillment__fulfillmentStatus="PARTIALLY_SHIPPED",
    )
    if executed:
        body["orderItems"][0]["cancellation"] = {"cancellationExecution": {"cancelledBy": "MERCHANT"}}
    line = parsed(body).lines[0]
    assert (line.quantity, line.current_quantity, line.fulfilled_quantity) == (3, left, fulfilled)


ASKED = {"cancellationRequest": {"requester": "BUYER", "cancelReason": "Ordered by mistake"}}
NO_REASON = {"cancellationRequest": {"requester": "BUYER"}}


def test_a_buyer_who_asks_to_cancel_is_passed_on_with_the_reason() -> None:
    def asked(first: Any, second: Any) -> IncomingOrder:
        return parsed(order(**{FIRST + "cancellation": first, SECOND + "cancellation": second}))

    assert asked(ASKED, ASKED).cancel_requested == "Ordered by mistake"
    assert asked(ASKED, NO_REASON).cancel_requested == "Ordered by mistake; BUYER_REQUEST"
    assert parsed(order()).cancel_requested == ""


def test_a_buyer_who_wants_the_rest_asks_for_the_lines_that_are_named() -> None:
    """One item taken back is no reason to cancel the others, and nobody but the seller can cancel a part at Amazon."""
    read = parsed(order(**{SECOND + "cancellation": ASKED}))
    assert (read.cancel_requested, read.cancel_requested_lines) == ("Ordered by mistake", ("70112233445567",))
    assert parsed(order(**{FIRST + "cancellation": ASKED, SECOND + "cancellation": ASKED})).cancel_requested_lines == ()


def test_a_buyer_who_asks_for_all_that_is_left_asks_for_the_order() -> None:
    gone = {"cancellationExecution": {"cancelledBy": "MERCHANT"}}
    none_left = {"quantityFulfilled": 0, "quantityUnfulfilled": 0}
    changes = {FIRST + "cancellation": gone, FIRST + "fulfillment": none_left, SECOND + "cancellation": ASKED}
    assert parsed(order(**changes)).cancel_requested == "Ordered by mistake"


def test_what_shipped_is_shipped_even_where_amazon_does_not_count_it() -> None:
    """Otherwise an order that we first hear of when it has gone would go out again."""
    changes = {FIRST + "fulfillment": None, SECOND + "fulfillment": None}
    read = parsed(order(fulfillment__fulfillmentStatus="SHIPPED", **changes))
    assert [line.fulfilled_quantity for line in read.lines] == [line.quantity for line in read.lines]


def test_a_buyer_whose_request_was_granted_asks_no_more() -> None:
    granted = {
        "cancellationRequest": {"requester": "BUYER", "cancelReason": "Ordered by mistake"},
        "cancellationExecution": {"cancelledBy": "MERCHANT"},
    }
    assert parsed(order(**{FIRST + "cancellation": granted})).cancel_requested == ""


FAST = ["EXPEDITED", "NEXT_DAY", "SECOND_DAY", "SAME_DAY", "PRIORITY"]
SLOW = ["STANDARD", "FREE_ECONOMY", "SCHEDULED", ""]


@pytest.mark.parametrize(
    ("level", "service"), [*((one, "EXPRESS") for one in FAST), *((one, "STANDARD") for one in SLOW)]
)
def test_amazons_speeds_are_ours(level: str, service: str) -> None:
    assert parsed(order(fulfillment__fulfillmentServiceLevel=level)).service_level == service


def test_a_line_without_a_sku_goes_by_its_asin() -> None:
    assert parsed(order(**{FIRST + "product__sellerSku": None})).lines[0].sku == "asin:B0MUGSLATE"


@pytest.mark.parametrize(
    "changes",
    [
        pytest.param({"fulfillment__fulfilledBy": "AMAZON"}, id="shipped from Amazon's warehouse"),
        pytest.param({"fulfillment__fulfillmentStatus": "UNFULFILLABLE"}, id="a state only Amazon's orders have"),
    ],
)
def test_orders_that_amazon_fulfils_are_not_followed(changes: dict[str, Any]) -> None:
    assert amazon.parse(fetched(order(**changes))) is None


REFUSALS = [
    ({"fulfillment__fulfilledBy": None}, "order.fulfillment.fulfilledBy", "MISSING_FIELD"),
    ({"fulfillment__fulfillmentStatus": "LOST"}, "order.fulfillment.fulfillmentStatus", "INVALID_FIELD"),
    ({"lastUpdatedTime": None}, "order.lastUpdatedTime", "MISSING_FIELD"),
    ({"lastUpdatedTime": "yesterday"}, "order.lastUpdatedTime", "INVALID_FIELD"),
    ({"orderItems": []}, "orderItems", "QUANTITY_NOT_POSITIVE"),
    ({"orderItems": None}, "order.orderItems", "MISSING_FIELD"),
    ({FIRST + "quantityOrdered": -1}, "order.orderItems.0.quantityOrdered", "INVALID_FIELD"),
    ({FIRST + "quantityOrdered": 0, SECOND + "quantityOrdered": 0}, "orderItems", "QUANTITY_NOT_POSITIVE"),
    ({FIRST + "orderItemId": "70112233445567"}, "orderItems", "DUPLICATE_LINE"),
    ({FIRST + "proceeds__breakdowns__0__subtotal": usd("-1.00")}, "orderItems", "NEGATIVE_PRICE"),
    ({FIRST + "proceeds__breakdowns__0__subtotal": usd("1.005")}, "orderItems.0.proceeds", "INVALID_FIELD"),
    ({FIRST + "proceeds__breakdowns__0__subtotal": usd("1" + "0" * 14)}, "orderItems.0.proceeds", "INVALID_FIELD"),
    ({"proceeds__grandTotal": {"amount": "83.44", "currencyCode": "CAD"}}, "proceeds.breakdowns", "INVALID_FIELD"),
    ({"recipient": None}, "address", "MISSING_FIELD"),
    ({"programs": ["IN_STORE_PICK_UP"]}, "programs", "STORE_PICKUP"),
    (
        {FIRST + "fulfillment__packing": {"giftOption": {"giftMessage": "x" * 10_001}}},
        "order.orderItems.0.fulfillment.packing.giftOption.giftMessage",
        "INVALID_FIELD",
    ),
]


@pytest.mark.parametrize(("changes", "field", "reason"), REFUSALS, ids=[f"{row[1]} {row[2]}" for row in REFUSALS])
def test_what_cannot_be_an_order_is_refused_by_name(changes: dict[str, Any], field: str, reason: str) -> None:
    with pytest.raises(InvalidMessage) as caught:
        amazon.parse(fetched(order(**changes)))
    assert (caught.value.field, caught.value.reason) == (field, reason)


def test_an_order_of_too_many_lines_is_refused() -> None:
    item = sample("order")["orderItems"][0]
    items = [changed(item, {"orderItemId": str(number)}) for number in range(501)]
    with pytest.raises(InvalidOrder) as caught:
        amazon.parse(fetched(order(orderItems=items)))
    assert caught.value.reason == "TOO_MANY_LINES"


def test_more_wishes_than_we_keep_of_a_person_are_refused() -> None:
    item = changed(
        sample("order")["orderItems"][0], {"fulfillment.packing": {"giftOption": {"giftMessage": "x" * 9999}}}
    )
    items = [changed(item, {"orderItemId": str(number)}) for number in range(21)]
    with pytest.raises(InvalidOrder) as caught:
        amazon.parse(fetched(order(orderItems=items)))
    assert caught.value.reason == "TOO_LARGE"


def test_an_order_without_a_price_of_an_unknown_marketplace_is_refused() -> None:
    with pytest.raises(InvalidMessage) as caught:
        amazon.parse(fetched(changed(sample("pending"), {"salesChannel.marketplaceId": "A0NEWCOUNTRY"})))
    assert (caught.value.field, caught.value.reason) == ("salesChannel.marketplaceId", "MISSING_FIELD")


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        ("{", "MALFORMED_JSON"),
        ("[]", "INVALID_FIELD"),
        ("[" * 100_000, "MALFORMED_JSON"),
        ({"order": {}}, "INVALID_FIELD"),
        ({"api": "v9", "order": {}}, "INVALID_FIELD"),
        ({"api": "2026-01-01"}, "MISSING_FIELD"),
        ({"api": "v0", "order": {}}, "MISSING_FIELD"),
    ],
)
def test_what_no_pull_wrote_is_refused(body: Any, reason: str) -> None:
    with pytest.raises(InvalidMessage) as caught:
        amazon.parse(envelope(body))
    assert caught.value.reason == reason


def test_no_error_repeats_what_a_person_wrote() -> None:
    with pytest.raises(InvalidMessage) as caught:
        amazon.parse(fetched(order(recipient__deliveryAddress__city="Secretville" * 40)))
    assert "Secretville" not in f"{caught.value} {caught.value.details}"
