"""The body of `POST /orders`: what it may hold, what it means, and what it becomes."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from oms.channels.direct import DirectOrder, incoming_order
from oms.domain.catalog import ChannelAccount
from oms.domain.errors import InvalidOrder
from oms.domain.incoming import Address
from oms.domain.intake import receive, totals_difference
from oms.domain.order import Method
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
