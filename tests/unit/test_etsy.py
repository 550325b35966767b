"""What an Etsy receipt means to us."""

from __future__ import annotations

import json
from copy import deepcopy
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from oms.channels import envelopes, etsy
from oms.domain.errors import InvalidMessage
from oms.domain.incoming import Envelope, IncomingOrder
from oms.domain.intake import totals_difference

FIXTURES = Path(__file__).parents[1] / "fixtures/etsy"


def receipt_json() -> Any:
    return json.loads((FIXTURES / "receipt.json").read_text())


def envelope(body: Any) -> Envelope:
    return Envelope(
        channel="etsy",
        account="main",
        topic=envelopes.FETCHED,
        message_id="3300000001@2026-11-23T10:10:00+00:00",
        received_at=datetime(2026, 11, 23, 12, tzinfo=UTC),
        body=body if isinstance(body, str) else json.dumps(body),
    )


def parsed(body: Any) -> IncomingOrder:
    order = etsy.parse(envelope(body))
    assert order is not None
    return order


def money(amount: int, currency: str = "USD") -> dict[str, Any]:
    return {"amount": amount, "divisor": 100, "currency_code": currency}


def test_a_receipt_is_read_whole() -> None:
    order = parsed(receipt_json())
    assert (order.channel_order_id, order.order_number) == ("3300000001", "3300000001")
    assert order.placed_at == datetime(2026, 11, 23, 10, 0, tzinfo=UTC)
    assert order.channel_updated_at == datetime(2026, 11, 23, 10, 10, tzinfo=UTC)
    assert order.ship_by == datetime(2026, 11, 26, 10, 0, tzinfo=UTC)
    assert (order.currency, order.service_level, order.payment_status) == ("USD", "STANDARD", "PAID")
    assert [(line.line_id, line.sku, line.quantity, line.requires_shipping) for line in order.lines] == [
        ("4400000001", "5500000001:MUG-1", 2, True),
        ("4400000002", "5500000002:", 1, False),
    ]
    assert (order.contact.ship_to.country, order.contact.ship_to.region) == ("US", "NV")
    assert (order.customer_id, order.contact.email) == ("88001", "ada@example.com")
    assert order.contact.free_text == {
        "note": "Please hurry",
        "gift": "it is a gift",
        "gift_message": "Happy birthday",
        "4400000001": "Personalization: For Bob",
    }


def test_what_has_left_at_etsy_is_known() -> None:
    body = receipt_json()
    assert [line.fulfilled_quantity for line in parsed(body).lines] == [0, 0]
    shipped = parsed(body | {"is_shipped": True})
    assert [line.fulfilled_quantity for line in shipped.lines] == [2, 1]
    assert shipped.tells_shipped_as_a_whole  # at its first parcel


def test_its_money_adds_up_to_the_cent() -> None:
    order = parsed(receipt_json())
    assert totals_difference(order) == 0
    totals = order.totals
    assert (totals.total_minor, totals.fees_minor, totals.discounts_minor, totals.tax_minor) == (4189, 300, 350, 240)
    assert [line.discount_minor for line in order.lines] == [250, 100]


@pytest.mark.parametrize(
    ("total", "vat", "fees_minor", "tax_minor", "prices_include_tax"),
    [
        pytest.param(4189, 0, 300, 240, False, id="wrap and tax are in the total"),
        pytest.param(3889, 0, 0, 240, False, id="wrap is not"),
        pytest.param(4289, 100, 300, 340, False, id="tax and value added tax are"),
        pytest.param(4049, 100, 300, 100, False, id="only value added tax is"),
        pytest.param(3949, 100, 300, 340, True, id="the prices hold the taxes"),
        pytest.param(3649, 100, 0, 340, True, id="the prices hold the taxes and the wrap"),
    ],
)
def test_the_total_says_what_it_holds(
    total: int, vat: int, fees_minor: int, tax_minor: int, prices_include_tax: bool
) -> None:
    order = parsed(receipt_json() | {"grandtotal": money(total), "total_vat_cost": money(vat)})
    assert totals_difference(order) == 0
    assert (order.totals.fees_minor, order.totals.tax_minor) == (fees_minor, tax_minor)
    assert order.prices_include_tax is prices_include_tax


def test_a_total_that_is_off_stays_off_for_a_person_to_see() -> None:
    assert totals_difference(parsed(receipt_json() | {"grandtotal": money(4190)})) == 1


def test_amounts_are_counted_by_their_own_divisor_and_currency() -> None:
    body = receipt_json()
    names = ("subtotal", "total_price", "total_shipping_cost", "total_tax_cost", "total_vat_cost", "discount_amt")
    yen = {name: {"amount": 0, "divisor": 1, "currency_code": "JPY"} for name in (*names, "gift_wrap_price")}
    body["transactions"] = body["transactions"][:1]
    body["transactions"][0]["price"] = {"amount": 1250, "divisor": 1, "currency_code": "JPY"}
    order = parsed(body | yen | {"grandtotal": {"amount": 2500, "divisor": 1, "currency_code": "JPY"}})
    assert (order.currency, order.totals.total_minor, totals_difference(order)) == ("JPY", 2500, 0)


def test_nothing_is_nothing_in_any_currency() -> None:
    order = parsed(receipt_json() | {"total_vat_cost": money(0, "EUR")})
    assert totals_difference(order) == 0


@pytest.mark.parametrize(
    ("status", "is_paid", "payment"),
    [
        ("Paid", True, "PAID"),
        ("completed", True, "PAID"),
        ("open", False, "PENDING"),
        ("payment processing", None, "PENDING"),
        ("Fully Refunded", True, "REFUNDED"),
        ("Partially Refunded", True, "PAID"),
        ("something new", True, "PAID"),
    ],
)
def test_a_receipt_is_paid_when_etsy_says_so(status: str, is_paid: bool | None, payment: str) -> None:
    order = parsed(receipt_json() | {"status": status, "is_paid": is_paid})
    assert (order.payment_status, order.cancelled_at) == (payment, None)


@pytest.mark.parametrize("status", ["canceled", "Canceled"])
def test_a_cancelled_receipt_is_cancelled(status: str) -> None:
    order = parsed(receipt_json() | {"status": status})
    assert order.cancelled_at == order.channel_updated_at


def test_a_shipping_upgrade_makes_the_order_express() -> None:
    body = receipt_json()
    body["transactions"][0]["shipping_upgrade"] = "Express mail"
    assert parsed(body).service_level == "EXPRESS"


def test_a_product_whose_listing_is_gone_keeps_its_sku() -> None:
    body = receipt_json()
    body["transactions"][0]["listing_id"] = None
    assert parsed(body).lines[0].sku == "MUG-1"


def test_times_under_their_old_names_are_read() -> None:
    body = receipt_json()
    del body["created_timestamp"], body["updated_timestamp"]
    order = parsed(body)
    assert order.placed_at == datetime(2026, 11, 23, 10, 0, tzinfo=UTC)
    assert order.channel_updated_at == datetime(2026, 11, 23, 10, 10, tzinfo=UTC)


def _twice(body: Any) -> None:
    body["transactions"].append(deepcopy(body["transactions"][0]))


def _line(name: str, value: object) -> Any:
    return lambda body: body["transactions"][0].update({name: value})


def _no_time(body: Any) -> None:
    body.update(created_timestamp=None, create_timestamp=None)


@pytest.mark.parametrize(
    ("change", "reason", "field"),
    [
        pytest.param(_twice, "DUPLICATE_LINE", "transactions.2.transaction_id", id="a line twice"),
        pytest.param(_line("quantity", 0), "QUANTITY_NOT_POSITIVE", "transactions.0.quantity", id="no units"),
        pytest.param(_line("price", money(-1)), "NEGATIVE_PRICE", "transactions.0.price", id="a negative price"),
        pytest.param(_line("price", money(1, "EUR")), "INVALID_FIELD", "transactions.price", id="another currency"),
        pytest.param(_line("price", None), "INVALID_FIELD", "transactions.0.price", id="no price"),
        pytest.param(_no_time, "MISSING_FIELD", "created_timestamp", id="no time"),
        pytest.param(lambda body: body.update(transactions=[]), "INVALID_FIELD", "transactions", id="no lines"),
        pytest.param(lambda body: body.pop("grandtotal"), "MISSING_FIELD", "grandtotal", id="no total"),
    ],
)
def test_what_cannot_be_is_refused_by_name(change: Any, reason: str, field: str) -> None:
    body = receipt_json()
    change(body)
    with pytest.raises(InvalidMessage) as caught:
        etsy.parse(envelope(body))
    assert (caught.value.reason, caught.value.field) == (reason, field)
