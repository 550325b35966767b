"""The body of `POST /orders`: what it may hold, what it means, and what it becomes."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from oms.channels import registry
from oms.channels.direct import IMPORTED, incoming_order, parse
from oms.channels.direct_models import DirectOrder
from oms.domain.catalog import ChannelAccount
from oms.domain.errors import InvalidMessage, InvalidOrder
from oms.domain.incoming import Address, Envelope
from oms.domain.intake import receive, totals_difference
from oms.domain.order import Method, Payment
from tests.unit.builders import NOON, context

ADDRESS = {"name": "Grace", "address1": "1 Dock Road", "city": "Hoboken", "region": "NJ", "country": "US"}


def body(**changes: Any) -> dict[str, Any]:
    facts: dict[str, Any] = {
        "channel": "web",
        "account": "main",
        "currency": "USD",
        "lines": [{"sku": "MUG", "quantity": 2, "unit_price_minor": 1800}],
        "total_minor": 3600,
        "ship_to": ADDRESS,
    }
    return facts | changes


def read(**changes: Any) -> DirectOrder:
    return DirectOrder.model_validate_json(json.dumps(body(**changes)))


def test_the_least_that_makes_an_order() -> None:
    order = incoming_order(read(), "key-1", NOON)
    assert (order.channel_order_id, order.placed_at, order.channel_updated_at) == ("key-1", NOON, NOON)
    (line,) = order.lines
    assert (line.line_id, line.quantity, line.current_quantity, line.requires_shipping) == ("1", 2, 2, True)
    assert order.contact.ship_to == Address(**ADDRESS)
    assert (order.contact.name, order.payment_status, order.shipping_lines) == ("Grace", "", ())
    assert totals_difference(order) == 0


def test_a_time_of_any_zone_is_kept_as_whole_seconds_of_utc() -> None:
    order = incoming_order(read(placed_at="2026-03-01T23:30:00.75-05:00"), "key-1", NOON)
    assert order.placed_at == datetime(2026, 3, 2, 4, 30, tzinfo=UTC)


def test_lines_without_a_name_are_numbered_and_may_not_meet_a_named_one() -> None:
    lines: list[dict[str, Any]] = [{"sku": sku, "quantity": 1, "unit_price_minor": 5} for sku in ("A", "B", "C")]
    assert [line.line_id for line in incoming_order(read(lines=lines), "k", NOON).lines] == ["1", "2", "3"]
    lines[0]["line_id"] = "3"
    with pytest.raises(InvalidOrder) as refused:
        incoming_order(read(lines=lines), "k", NOON)
    assert (refused.value.field, refused.value.reason) == ("lines.0.line_id", "DUPLICATE_LINE")


def test_a_download_needs_no_address() -> None:
    line = {"sku": "E-BOOK", "quantity": 1, "unit_price_minor": 3600, "requires_shipping": False}
    assert incoming_order(read(lines=[line], ship_to=None), "k", NOON).contact.ship_to == Address()


def test_an_order_that_is_collected_needs_no_address_and_keeps_where() -> None:
    incoming = incoming_order(read(pickup_location_id="STORE-1", ship_to=None), "k", NOON)
    assert (incoming.method, incoming.pickup_location_id) == (Method.PICKUP, "STORE-1")
    order = receive(incoming, {}, ChannelAccount(), context()).order
    assert (order.method, order.pickup_location_id) == (Method.PICKUP, "STORE-1")


def test_an_order_with_an_address_is_shipped_and_collected_nowhere() -> None:
    incoming = incoming_order(read(), "k", NOON)
    assert (incoming.method, incoming.pickup_location_id) == (Method.SHIP, None)
    with pytest.raises(InvalidOrder) as refused:
        incoming_order(read(ship_to=None), "k", NOON)
    assert (refused.value.field, refused.value.reason) == ("ship_to", "MISSING_FIELD")


def test_lines_keep_the_mark_by_which_they_stay_together() -> None:
    lines = [
        {"sku": sku, "quantity": 1, "unit_price_minor": 5, "together": mark}
        for sku, mark in (("BED", "a"), ("MATTRESS", "a"), ("LAMP", ""))
    ]
    incoming = incoming_order(read(lines=lines), "k", NOON)
    assert [line.together for line in incoming.lines] == ["a", "a", ""]
    order = receive(incoming, {}, ChannelAccount(), context()).order
    assert [line.together for line in order.lines] == ["a", "a", ""]


def test_what_the_customer_wrote_and_who_he_is_go_to_the_contact_only() -> None:
    customer = {"id": "c-1", "name": "Ada", "email": "ada@example.com", "phone": "201 555 0100"}
    order = incoming_order(read(customer=customer, note="Ring twice", bill_to=ADDRESS | {"name": "Bob"}), "k", NOON)
    assert (order.customer_id, order.contact.name, order.contact.email) == ("c-1", "Ada", "ada@example.com")
    assert (order.contact.bill_to.name, order.contact.free_text) == ("Bob", {"note": "Ring twice"})


@pytest.mark.parametrize("status", ["paid", "Paid", "PAID"])
def test_codes_are_read_in_any_case(status: str) -> None:
    order = incoming_order(read(payment_status=status, service_level="express"), "k", NOON)
    assert (order.payment_status, order.service_level) == ("PAID", "EXPRESS")


Amounts = st.integers(min_value=0, max_value=10**9)


@given(
    lines=st.lists(st.tuples(st.integers(1, 1000), Amounts, Amounts, Amounts), min_size=1, max_size=20),
    shipping=Amounts,
    tip=Amounts,
    tax_is_inside=st.booleans(),
)
def test_sums_that_add_up_to_the_cent_are_taken_as_they_are(
    lines: list[tuple[int, int, int, int]], shipping: int, tip: int, tax_is_inside: bool
) -> None:
    listed = [
        {"sku": "A", "quantity": quantity, "unit_price_minor": price, "discount_minor": discount, "tax_minor": tax}
        for quantity, price, discount, tax in lines
    ]
    goods = sum(quantity * price for quantity, price, _, _ in lines)
    tax = 0 if tax_is_inside else sum(tax for *_, tax in lines)
    total = goods + shipping + tip + tax - sum(discount for _, _, discount, _ in lines)
    if not 0 <= total <= 10**12:
        return
    order = read(
        lines=listed, shipping_minor=shipping, tip_minor=tip, total_minor=total, prices_include_tax=tax_is_inside
    )
    incoming = incoming_order(order, "k", NOON)
    assert totals_difference(incoming) == 0
    assert incoming.totals.goods_minor == goods


def test_a_total_that_is_one_cent_off_is_seen() -> None:
    assert totals_difference(incoming_order(read(total_minor=3601), "k", NOON)) == 1


@pytest.mark.parametrize(
    "changes",
    [
        {"placed_at": "1999-12-31T23:59:59Z"},
        {"placed_at": "9999-12-31T23:59:59-14:00"},
        {"placed_at": 1_700_000_000},
        {"account": "Main Street"},
        {"channel_order_id": ""},
        {"channel_order_id": "x" * 256},
        {"prices_include_tax": "yes"},
        {"total_minor": 10**12 + 1},
        {"customer": {"phone": "x" * 41}},
        {"note": "x" * 5_001},
        {"pickup_location_id": ""},
        {"lines": [{"sku": "MUG", "quantity": 1, "unit_price_minor": 5, "together": "room 1"}]},
    ],
)
def test_what_is_out_of_bounds_is_refused(changes: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        read(**changes)


def test_a_refusal_does_not_repeat_what_was_sent() -> None:
    with pytest.raises(ValidationError) as refused:
        read(customer={"email": "ada at home"})
    assert "ada at home" not in str(refused.value)


def test_what_a_till_says_of_the_sale_is_kept_on_the_order() -> None:
    paid = [
        {"method": "gift_card", "amount_minor": 1000, "reference": "GC-77"},
        {"method": "cash", "amount_minor": 2600},
    ]
    incoming = incoming_order(
        read(channel="pos", sold_by="staff-17", sold_at_location_id="STORE-1", payments=paid), "k", NOON
    )
    order = receive(incoming, {}, ChannelAccount(), context()).order
    assert (order.sold_by, order.sold_at_location_id, order.method) == ("staff-17", "STORE-1", Method.SHIP)
    assert order.payments == (
        Payment(status="PAID", amount_minor=1000, method="GIFT_CARD", reference="GC-77"),
        Payment(status="PAID", amount_minor=2600, method="CASH"),
    )
    assert not order.holds


@pytest.mark.parametrize(
    ("payments", "status"),
    [
        pytest.param([], "", id="nobody told of any"),
        pytest.param([("CARD", 3600, None)], "PAID", id="paid by card"),
        pytest.param([("CASH", 600, None), ("CARD", 3000, "AUTHORIZED")], "AUTHORIZED", id="part of it authorized"),
        pytest.param([("INVOICE", 3600, None)], "AUTHORIZED", id="billed later"),
        pytest.param([("BANK_TRANSFER", 3600, None)], "PENDING", id="a transfer that is to come"),
        pytest.param([("CASH", 3599, None)], "PARTIALLY_PAID", id="a cent short"),
        pytest.param([("CARD", 3600, "PENDING")], "PENDING", id="a card not answered yet"),
        pytest.param([("BANK_TRANSFER", 3600, "PAID")], "PAID", id="a transfer that has come"),
    ],
)
def test_the_state_of_the_money_follows_from_the_payments(
    payments: list[tuple[str, int, str | None]], status: str
) -> None:
    listed = [{"method": method, "amount_minor": amount, "status": one} for method, amount, one in payments]
    assert incoming_order(read(payments=listed), "k", NOON).payment_status == status
    said = incoming_order(read(payments=listed, payment_status="voided"), "k", NOON)
    assert said.payment_status == "VOIDED"


TILL = {"channel": "pos", "method": "CARRY_OUT", "sold_at_location_id": "STORE-1", "ship_to": None}


@pytest.mark.parametrize(
    ("changes", "field", "reason"),
    [
        pytest.param(
            {"payments": [{"method": "CASH", "amount_minor": 3601}]},
            "payments",
            "MORE_THAN_TOTAL",
            id="paid more than the total",
        ),
        pytest.param(
            TILL | {"sold_at_location_id": None}, "sold_at_location_id", "MISSING_FIELD", id="left from where?"
        ),
        pytest.param(
            TILL | {"pickup_location_id": "S"}, "pickup_location_id", "INVALID_FIELD", id="carried and fetched"
        ),
        pytest.param(TILL | {"promised_by": "2030-01-01T00:00:00Z"}, "promised_by", "INVALID_FIELD", id="promised"),
        pytest.param(TILL | {"reservation_id": "cart-12345"}, "reservation_id", "NOT_SUPPORTED", id="a cart's hold"),
        pytest.param({"method": "PICKUP"}, "pickup_location_id", "MISSING_FIELD", id="collected where?"),
        pytest.param(
            {"method": "SHIP", "pickup_location_id": "S"},
            "pickup_location_id",
            "INVALID_FIELD",
            id="shipped and fetched",
        ),
    ],
)
def test_what_does_not_go_together_is_refused_by_its_field(changes: dict[str, Any], field: str, reason: str) -> None:
    with pytest.raises(InvalidOrder) as refused:
        incoming_order(read(**changes), "k", NOON)
    assert (refused.value.field, refused.value.reason) == (field, reason)


@pytest.mark.parametrize(
    "changes",
    [
        {"sold_by": "Grace Hopper"},
        {"payments": [{"method": "BARTER", "amount_minor": 1}]},
        {"payments": [{"method": "CARD", "amount_minor": 0}]},
        {"payments": [{"method": "CARD", "amount_minor": 1, "reference": "x" * 65}]},
        {"payments": [{"method": "CARD", "amount_minor": 1}] * 21},
        {"method": "DRONE"},
    ],
)
def test_a_sale_described_in_words_we_do_not_know_is_refused(changes: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        read(**changes)


def envelope(text: str, **changes: Any) -> Envelope:
    facts: dict[str, Any] = {"channel": "web", "account": "main", "topic": IMPORTED, "message_id": "A-1"}
    return Envelope(**(facts | changes), received_at=NOON, body=text)


def imported(**changes: Any) -> str:
    return json.dumps(body(channel_order_id="A-1", placed_at="2026-03-01T10:00:00Z", **changes))


def test_an_imported_order_is_what_the_same_body_over_the_api_is() -> None:
    assert registry.module("phone") is registry.module("pos")
    order = registry.module("web").parse(envelope(imported()))
    assert order == incoming_order(DirectOrder.model_validate_json(imported()), "other", NOON)


def test_an_imported_order_read_again_later_is_the_same() -> None:
    once = parse(envelope(imported()))
    again = parse(replace(envelope(imported()), received_at=NOON.replace(year=2027), message_id="other"))
    assert once == again


@pytest.mark.parametrize(
    ("message", "field", "reason"),
    [
        pytest.param(envelope("{"), "body", "MALFORMED_JSON", id="no JSON"),
        pytest.param(envelope("/w==", is_base64=True), "body", "NOT_UTF8", id="no text"),
        pytest.param(envelope(imported(currency="dollars")), "currency", "INVALID_FIELD", id="no currency"),
        pytest.param(envelope(imported(), account="other"), "account", "OTHER_ACCOUNT", id="of another account"),
        pytest.param(envelope(imported(), channel="pos"), "account", "OTHER_ACCOUNT", id="of another channel"),
        pytest.param(
            envelope(json.dumps(body(placed_at="2026-03-01T10:00:00Z"))),
            "channel_order_id",
            "MISSING_FIELD",
            id="no name",
        ),
        pytest.param(envelope(json.dumps(body(channel_order_id="A-1"))), "placed_at", "MISSING_FIELD", id="no time"),
        pytest.param(envelope(imported(reservation_id="cart-12345")), "reservation_id", "NOT_SUPPORTED", id="a cart"),
    ],
)
def test_an_imported_order_that_can_not_be_taken_says_why(message: Envelope, field: str, reason: str) -> None:
    with pytest.raises(InvalidMessage) as refused:
        parse(message)
    assert (refused.value.field, refused.value.reason) == (field, reason)
