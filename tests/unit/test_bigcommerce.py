"""BigCommerce callbacks: who calls, which order they are about, and what an order says once it is fetched."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import ROUND_HALF_UP, Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from oms.channels import bigcommerce
from oms.channels.region_codes import region_code
from oms.domain.channel_messages import OrderNews
from oms.domain.errors import InvalidMessage
from oms.domain.intake import totals_difference
from oms.domain.order import Method
from tests.mutations import MANY, judged, mutated
from tests.unit.bigcommerce_bodies import big_order, callback, consigned, envelope, line_item, order_of, simple_order

CENT = Decimal("0.01")


def with_header(_body: bytes, secret: str) -> dict[str, str]:
    return {bigcommerce.SECRET_HEADER: secret}


def test_of_100_000_touched_requests_none_is_misjudged() -> None:
    requests = mutated(
        with_header, "bigcommerce", covers_body=False, new_secret=lambda chance: chance.randbytes(24).hex()
    )
    result = judged(bigcommerce.verify, bigcommerce.SIGNATURE_HEADERS, requests)
    assert not result.false_accepts
    assert not result.false_rejects
    assert result.is_right
    assert result.accepted + result.refused == MANY


def test_the_secret_stays_out_of_the_envelope() -> None:
    assert bigcommerce.SECRET_HEADER not in bigcommerce.HEADERS


@pytest.mark.parametrize(
    ("scope", "data"),
    [
        ("store/order/created", {"type": "order", "id": 2107}),
        ("store/order/updated", {"type": "order", "id": 2107}),
        ("store/order/archived", {"type": "order", "id": 2107}),
        ("store/order/statusUpdated", {"type": "order", "id": 2107, "status": {"new_status_id": 11}}),
        ("store/order/refund/created", {"type": "order", "id": 2107, "refund": {"refund_id": 3}}),
        ("store/order/transaction/created", {"type": "order", "id": 2107, "order_id": 2107}),
        ("store/channel/1/order/updated", {"order_id": 2107}),
        ("store/shipment/created", {"type": "shipment", "id": 88, "orderId": 2107}),
        ("store/shipment/deleted", {"type": "shipment", "id": 88, "orderId": 2107}),
    ],
)
def test_a_callback_about_an_order_leads_to_fetching_it(scope: str, data: dict[str, Any]) -> None:
    assert bigcommerce.parse(callback(scope, **data)) == OrderNews(channel_order_id="2107")


@pytest.mark.parametrize(
    "scope",
    ["store/order/message/created", "store/order/metafield/created", "store/product/updated", "store/sku/created"],
)
def test_other_callbacks_are_not_followed(scope: str) -> None:
    assert bigcommerce.parse(callback(scope, type="order", id=2107)) is None


@pytest.mark.parametrize(
    ("scope", "data", "field", "reason"),
    [
        ("nonsense", {"id": 1}, "scope", "INVALID_FIELD"),
        ("store/order/created", {}, "data.id", "MISSING_FIELD"),
        ("store/order/created", {"id": "../1"}, "data.id", "INVALID_FIELD"),
        ("store/order/created", {"id": 0}, "data.id", "INVALID_FIELD"),
        ("store/shipment/created", {"id": 88}, "data.orderId", "MISSING_FIELD"),
        ("", {"id": 1}, "scope", "INVALID_FIELD"),
    ],
)
def test_a_callback_that_names_no_order_is_refused(scope: str, data: dict[str, Any], field: str, reason: str) -> None:
    with pytest.raises(InvalidMessage) as caught:
        bigcommerce.parse(callback(scope, **data))
    assert (caught.value.field, caught.value.reason) == (field, reason)


def test_an_order_says_who_what_where_and_when() -> None:
    order = order_of(big_order())
    assert (order.channel, order.account, order.channel_order_id, order.order_number) == (
        "bigcommerce",
        "main",
        "2107",
        "2107",
    )
    assert order.placed_at == datetime(2026, 11, 16, 15, 10, 2, tzinfo=UTC)
    assert order.channel_updated_at == datetime(2026, 11, 16, 15, 12, 39, tzinfo=UTC)
    assert (order.payment_status, order.customer_id, order.cancelled_at, order.currency) == ("PAID", "88", None, "USD")
    tray, cup = order.lines
    assert (tray.line_id, tray.sku, tray.quantity, tray.current_quantity) == ("901", "TRAY-ASH", 1, 1)
    assert (tray.unit_price_minor, tray.discount_minor, tray.tax_minor, tray.requires_shipping) == (
        3200,
        320,
        264,
        True,
    )
    assert (cup.unit_price_minor, cup.quantity, cup.tax_minor) == (950, 3, 235)
    totals = order.totals
    assert (totals.goods_minor, totals.discounts_minor, totals.shipping_minor, totals.fees_minor) == (
        6050,
        320,
        800,
        100,
    )
    assert (totals.tax_minor, totals.total_minor, totals_difference(order)) == (473, 7103, 0)
    assert [(one.title, one.price_minor) for one in order.shipping_lines] == [("Flat Rate", 800)]
    contact = order.contact
    assert (contact.name, contact.email) == ("Ines Okafor", "ines.okafor@example.com")
    assert (contact.ship_to.region, contact.ship_to.country, contact.ship_to.company) == ("TX", "US", "Okafor Studio")
    assert contact.free_text == {"note": "Ring twice", "902": "Engraving: I.O."}


@pytest.mark.parametrize(
    ("status_id", "told", "payment", "is_over"),
    [
        (1, "", "PENDING", False),
        (2, "captured", "PAID", False),
        (3, "captured", "PAID", False),
        (4, "refunded", "REFUNDED", True),
        (5, "", "VOIDED", True),
        (5, "captured", "PAID", True),
        (6, "declined", "VOIDED", True),
        (7, "", "PENDING", False),
        (8, "captured", "PAID", False),
        (9, "authorized", "AUTHORIZED", False),
        (10, "captured", "PAID", False),
        (11, "", "PAID", False),
        (11, "capture pending", "AUTHORIZED", False),
        (12, "held for review", "PENDING", False),
        (13, "captured", "PAID", False),
        (14, "partially refunded", "PARTIALLY_REFUNDED", False),
    ],
)
def test_each_status_says_whether_it_is_paid_and_whether_it_is_over(
    status_id: int, told: str, payment: str, is_over: bool
) -> None:
    order = order_of(big_order(status_id=status_id, payment_status=told))
    assert order.payment_status == payment
    assert (order.cancelled_at == order.channel_updated_at) is is_over
    assert bool(order.cancel_reason) is is_over


def test_a_checkout_that_nobody_finished_is_no_order() -> None:
    assert bigcommerce.parse(envelope(big_order(status_id=0))) is None


def test_an_archived_order_is_only_out_of_sight() -> None:
    assert order_of(big_order(is_deleted=True)).cancelled_at is None


def test_refunded_units_are_no_longer_to_ship() -> None:
    order = order_of(simple_order(line_item(quantity=3, total_ex_tax="30.0000", quantity_refunded=2)))
    assert (order.lines[0].quantity, order.lines[0].current_quantity) == (3, 1)


def test_a_time_without_its_zone_is_in_utc_and_one_that_is_missing_is_that_of_the_order() -> None:
    unzoned = order_of(big_order(date_modified="Mon, 16 Nov 2026 15:12:39 -0000"))
    assert unzoned.channel_updated_at == datetime(2026, 11, 16, 15, 12, 39, tzinfo=UTC)
    never = order_of(big_order(date_modified=""))
    assert never.channel_updated_at == never.placed_at


@pytest.mark.parametrize(
    ("status_id", "shipped", "refunded", "current", "fulfilled"),
    [
        (11, 0, 0, 5, 0),
        (3, 2, 0, 5, 2),
        (3, 2, 3, 2, 2),
        (3, 2, 4, 2, 2),
        (2, 5, 0, 5, 5),
        (10, 0, 1, 4, 4),
        (11, None, 0, 5, 0),
    ],
)
def test_what_has_left_counts_even_once_it_is_refunded(
    status_id: int, shipped: int | None, refunded: int, current: int, fulfilled: int
) -> None:
    item = line_item(quantity=5, quantity_shipped=shipped, quantity_refunded=refunded)
    (line,) = order_of(simple_order(item, status_id=status_id)).lines
    assert (line.current_quantity, line.fulfilled_quantity) == (current, fulfilled)


def test_downloads_and_gift_certificates_are_nothing_to_ship() -> None:
    download = line_item(2, type="digital")
    card = line_item(3, type="giftcertificate")
    lines = consigned(
        [line_item()],
        downloads=[{"recipient_email": "x@example.com", "line_items": [download]}],
        email={"gift_certificates": [{"recipient_email": "y@example.com", "line_items": [card]}]},
    )
    order = order_of(simple_order(consignments=lines, total_inc_tax="30.0000"))
    assert [(line.line_id, line.requires_shipping) for line in order.lines] == [
        ("901", True),
        ("902", False),
        ("903", False),
    ]
    assert totals_difference(order) == 0


def test_a_digital_line_among_shipped_ones_is_nothing_to_ship() -> None:
    assert [
        one.requires_shipping for one in order_of(simple_order(line_item(), line_item(2, type="digital"))).lines
    ] == [True, False]


def test_a_bundle_and_its_parts_all_ship_and_are_paid_once() -> None:
    part = line_item(2, total_ex_tax="0.0000", total_inc_tax="0.0000", parent_order_product_id=901)
    order = order_of(simple_order(line_item(), part))
    assert [line.unit_price_minor for line in order.lines] == [1000, 0]
    assert totals_difference(order) == 0


@pytest.mark.parametrize(
    ("ids", "name"),
    [
        ({"variant_id": 12}, "variant:12"),
        ({"variant_id": None}, "product:31"),
        ({"variant_id": 0, "product_id": 0}, ""),
    ],
)
def test_a_line_without_sku_is_known_by_its_product(ids: dict[str, Any], name: str) -> None:
    assert order_of(simple_order(line_item(sku="", **ids))).lines[0].sku == name


def test_an_order_to_collect_names_the_place() -> None:
    order = order_of(simple_order(consignments=consigned([], [line_item()])))
    assert (order.method, order.pickup_location_id) == (Method.PICKUP, "STORE-1")
    assert order.contact.ship_to.city == "Austin"


def test_an_order_to_several_places_is_refused() -> None:
    with pytest.raises(InvalidMessage) as caught:
        order_of(simple_order(consignments=consigned([line_item()], [line_item(2)])))
    assert caught.value.reason == "SEVERAL_DESTINATIONS"


@pytest.mark.parametrize("before", [False, True], ids=["total without them", "total with them"])
def test_gift_certificates_and_store_credit_are_payment_and_not_a_lower_total(before: bool) -> None:
    paid = {"gift_certificate_amount": "3.0000", "store_credit_amount": "1.5000"}
    order = order_of(simple_order(**paid, **({} if before else {"total_inc_tax": "5.5000"})))
    assert (order.totals.total_minor, order.totals.discounts_minor, totals_difference(order)) == (1000, 0, 0)


@pytest.mark.parametrize("stated", [False, True])
@pytest.mark.parametrize("total", ["7.0000", "11.0000"], ids=["total without credit", "total with credit"])
def test_what_the_store_says_of_its_prices_is_believed_where_both_readings_add_up(total: str, stated: bool) -> None:
    item = line_item(total_ex_tax="10.0000", total_inc_tax="11.0000", total_tax="1.0000")
    facts = {"is_tax_inclusive_pricing": stated, "store_credit_amount": "4.0000", "total_inc_tax": total}
    order = order_of(simple_order(item, **facts))
    assert (order.prices_include_tax, order.totals.total_minor, totals_difference(order)) == (stated, 1100, 0)


def test_an_empty_secret_verifies_nothing() -> None:
    assert not bigcommerce.verify({bigcommerce.SECRET_HEADER: ""}, b"{}", ["", "another"])
    assert not bigcommerce.verify({}, b"{}", [""])


@pytest.mark.parametrize("off_by", ["9.9900", "10.0100", "12.5000"])
def test_a_total_that_is_off_stays_off_for_a_person_to_see(off_by: str) -> None:
    order = order_of(simple_order(total_inc_tax=off_by, store_credit_amount="4.0000"))
    assert totals_difference(order) == int(Decimal(off_by) * 100) - 1000


@pytest.mark.parametrize("stated", [False, True])
def test_an_order_is_read_in_the_way_in_which_it_adds_up_whatever_it_says_of_its_prices(stated: bool) -> None:
    item = line_item(quantity=2, total_ex_tax="18.4800", total_inc_tax="20.0000", total_tax="1.5200")
    order = order_of(
        simple_order(
            item, discount_amount="5.0000", total_tax="1.1400", total_inc_tax="15.0000", is_tax_inclusive_pricing=stated
        )
    )
    assert (order.prices_include_tax, order.lines[0].unit_price_minor, totals_difference(order)) == (True, 1000, 0)
    plain = simple_order(line_item(total_ex_tax="10.0000", total_inc_tax="10.8250", total_tax="0.8250"))
    order = order_of(plain | {"total_tax": "0.8300", "total_inc_tax": "10.8300", "is_tax_inclusive_pricing": stated})
    assert totals_difference(order) == 0


def test_fees_handling_and_wrapping_are_fees() -> None:
    fees = {"fees": [{"id": 1, "cost_ex_tax": "2.0000", "cost_inc_tax": "2.0000"}], "wrapping_cost_ex_tax": "1.5000"}
    order = order_of(simple_order(**fees, total_inc_tax="13.5000"))
    assert (order.totals.fees_minor, totals_difference(order)) == (350, 0)


def test_fees_that_are_only_pointed_at_are_none() -> None:
    pointed = {"url": "https://api.bigcommerce.com/stores/x/v2/orders/1/fees", "resource": "/orders/1/fees"}
    assert order_of(simple_order(fees=pointed)).totals.fees_minor == 0


def test_the_currency_is_the_one_that_the_buyer_pays_in() -> None:
    assert order_of(simple_order(currency_code="USD", default_currency_code="EUR")).currency == "EUR"
    assert order_of(simple_order(currency_code="CAD", default_currency_code="")).currency == "CAD"


@pytest.mark.parametrize(
    ("change", "field", "reason"),
    [
        ({"consignments": None}, "consignments", "INVALID_FIELD"),
        ({"consignments": {}}, "consignments", "MISSING_FIELD"),
        ({"date_created": ""}, "date_created", "MISSING_FIELD"),
        ({"date_created": "yesterday"}, "date_created", "INVALID_FIELD"),
        ({"date_created": "Mon, 01 Jan 99999999999999999999 00:00:00 +0000"}, "date_created", "INVALID_FIELD"),
        ({"currency_code": ""}, "currency_code", "INVALID_FIELD"),
        ({"total_inc_tax": "Infinity"}, "total_inc_tax", "INVALID_FIELD"),
        ({"consignments": consigned([line_item(), line_item()])}, "line_items.id", "DUPLICATE_LINE"),
        ({"consignments": consigned([line_item(total_ex_tax="-1.0")])}, "line_items.total_ex_tax", "NEGATIVE_PRICE"),
        ({"consignments": consigned([line_item(n) for n in range(501)])}, "consignments", "TOO_MANY_LINES"),
        (
            {"consignments": consigned([line_item(quantity=0)])},
            "consignments.shipping.0.line_items.0.quantity",
            "INVALID_FIELD",
        ),
    ],
)
def test_what_can_not_be_is_refused_by_field_and_reason(change: dict[str, Any], field: str, reason: str) -> None:
    with pytest.raises(InvalidMessage) as caught:
        order_of(big_order(**change))
    assert (caught.value.field, caught.value.reason) == (field, reason)


def test_lines_that_are_only_pointed_at_are_not_taken_for_none() -> None:
    pointed = [
        {"url": "https://api.bigcommerce.com/stores/x/v2/orders/1/products/2", "resource": "/orders/1/products/2"}
    ]
    with pytest.raises(InvalidMessage):
        order_of(big_order(consignments=consigned(pointed)))


@pytest.mark.parametrize(
    ("country", "region", "code"),
    [
        ("US", "Texas", "TX"),
        ("US", "Armed Forces Middle East", "AE"),
        ("us", "new york", "NY"),
        ("CA", "Quebec", "QC"),
        ("US", "TX", "TX"),
        ("DE", "Hessen", "Hessen"),
    ],
)
def test_regions_written_in_full_become_codes(country: str, region: str, code: str) -> None:
    assert region_code(country, region) == code


@st.composite
def orders(draw: st.DrawFn, *, inclusive: bool) -> dict[str, Any]:
    """An order as BigCommerce reckons it: to four places, its total to two."""
    rate = Decimal(draw(st.sampled_from([0, 5, 8, 10, 20, 22]))) / 100
    items, goods, tax_sum = [], Decimal(0), Decimal(0)
    for number in range(draw(st.integers(1, 6))):
        quantity, price = draw(st.integers(1, 5)), Decimal(draw(st.integers(0, 30_000))) / 100
        total = price * quantity
        tax = total - total / (1 + rate) if inclusive else total * rate
        ex, inc = (total - tax, total) if inclusive else (total, total + tax)
        amounts = {"total_ex_tax": f"{ex:.4f}", "total_inc_tax": f"{inc:.4f}", "total_tax": f"{tax:.4f}"}
        items.append(line_item(number, quantity=quantity, **amounts))
        goods, tax_sum = goods + total, tax_sum + tax
    tax_total = tax_sum.quantize(CENT, rounding=ROUND_HALF_UP)
    total = goods if inclusive else goods + tax_total
    facts = {"total_tax": f"{tax_total:.4f}", "total_inc_tax": f"{total:.4f}"}
    return simple_order(*items, is_tax_inclusive_pricing=inclusive, **facts)


@given(st.booleans().flatmap(lambda inclusive: orders(inclusive=inclusive)))
def test_orders_add_up_to_the_cent_with_and_without_tax_in_prices(body: dict[str, Any]) -> None:
    order = order_of(body)
    assert totals_difference(order) == 0
    assert order.totals.fees_minor == 0
    assert all(line.unit_price_minor >= 0 and line.discount_minor >= 0 for line in order.lines)
