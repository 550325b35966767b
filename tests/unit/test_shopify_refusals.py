"""By which name a Shopify message that we can't take is refused."""

from __future__ import annotations

import base64
import json
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from oms.channels import envelopes, message_fields, shopify
from oms.domain.errors import InvalidMessage, InvalidOrder
from oms.domain.incoming import IncomingOrder
from oms.domain.order import MAX_LINES
from tests.unit.shopify_bodies import envelope, line_item, shopify_order


def parsed(body: str | dict[str, Any], topic: str = "orders/create", **changes: Any) -> IncomingOrder:
    order = shopify.parse(envelope(body, topic, **changes))
    assert isinstance(order, IncomingOrder)
    return order


def refusal(body: str | dict[str, Any], **changes: Any) -> InvalidMessage:
    with pytest.raises(InvalidMessage) as caught:
        shopify.parse(envelope(body, **changes))
    return caught.value


def without(name: str) -> dict[str, Any]:
    return {key: value for key, value in shopify_order().items() if key != name}


@pytest.mark.parametrize("name", ["currency", "total_price", "line_items"])
def test_a_field_that_is_missing_even_where_the_order_was_asked_for_is_named(name: str) -> None:
    error = refusal(without(name), topic=envelopes.FETCHED)
    assert (error.field, error.reason) == (name, "MISSING_FIELD")


def test_a_field_that_is_missing_of_a_line_is_named() -> None:
    line = {key: value for key, value in line_item().items() if key != "price"}
    error = refusal(shopify_order(line_items=[line]))
    assert (error.field, error.reason) == ("line_items.0.price", "MISSING_FIELD")


def test_an_order_without_a_time_is_refused_but_either_of_two_will_do() -> None:
    body = shopify_order(created_at=None, processed_at="2026-03-01T12:00:00Z", updated_at=None)
    order = parsed(body)
    assert order.placed_at == order.channel_updated_at == datetime(2026, 3, 1, 12, tzinfo=UTC)
    assert refusal(shopify_order(created_at=None)).field == "created_at"


@pytest.mark.parametrize(
    ("changes", "field", "longest"),
    [
        ({"note": "a" * 10_001}, "note", 10_000),
        ({"email": "a" * 256}, "email", 255),
        ({"line_items": [line_item(properties=[{"name": "n", "value": "a" * 200_001}])]}, None, 200_000),
    ],
)
def test_a_text_too_long_is_told_in_characters(changes: dict[str, Any], field: str | None, longest: int) -> None:
    error = refusal(shopify_order(**changes))
    assert error.field == (field or "line_items.0.properties.0.value")
    assert f"{longest} characters" in str(error)


def test_an_order_without_an_id_is_refused() -> None:
    error = refusal(shopify_order(id=None, admin_graphql_api_id=None))
    assert (error.field, error.reason) == ("id", "MISSING_FIELD")


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"currency": "usd"}, "currency"),
        ({"currency": None}, "currency"),
        ({"created_at": "yesterday"}, "created_at"),
        ({"created_at": "2026-03-01T05:00:00"}, "created_at"),
        ({"updated_at": "9999-12-31T23:59:59-23:00"}, "updated_at"),
        ({"total_price": "a lot"}, "total_price"),
        ({"total_price": "NaN"}, "total_price"),
        ({"total_price": "1E+999"}, "total_price"),
        ({"total_tax": "0.001"}, "total_tax"),
        ({"line_items": []}, "line_items"),
        ({"line_items": {}}, "line_items"),
        ({"line_items": [line_item(quantity="2")]}, "line_items.0.quantity"),
        ({"line_items": [line_item(quantity=1.5)]}, "line_items.0.quantity"),
        ({"line_items": [line_item(quantity=True)]}, "line_items.0.quantity"),
        ({"line_items": [line_item(quantity=10**7)]}, "line_items.0.quantity"),
        ({"line_items": [line_item(price=None)]}, "line_items.0.price"),
        ({"line_items": [line_item(price="0.005")]}, "line_items.0.price"),
        ({"line_items": [line_item(current_quantity=3)]}, "line_items.0.current_quantity"),
        ({"line_items": [line_item(current_quantity=-1)]}, "line_items.0.current_quantity"),
        ({"line_items": [line_item(id=-4, admin_graphql_api_id=None)]}, "line_items.0.id"),
        ({"shipping_address": "1 Test Street"}, "shipping_address"),
        ({"name": "#" * 300}, "name"),
        ({"note": "x" * 10_001}, "note"),
    ],
)
def test_a_wrong_field_is_named(changes: dict[str, Any], field: str) -> None:
    error = refusal(shopify_order(**changes))
    assert (error.field, error.reason) == (field, "INVALID_FIELD")


@pytest.mark.parametrize("field", ["id", "order_number"])
def test_a_number_of_thousands_of_digits_breaks_nothing(field: str) -> None:
    body = json.dumps(shopify_order(**{field: 4_711})).replace("4711", "9" * 4_000)
    assert (refusal(body).field, refusal(body).reason) == (field, "INVALID_FIELD")


@pytest.mark.parametrize("quantity", [0, -1])
def test_units_must_be_positive(quantity: int) -> None:
    error = refusal(shopify_order(line_items=[line_item(1), line_item(2, quantity=quantity)]))
    assert isinstance(error, InvalidOrder)
    assert (error.field, error.reason) == ("line_items.1.quantity", "QUANTITY_NOT_POSITIVE")


def test_a_price_must_not_be_negative() -> None:
    error = refusal(shopify_order(line_items=[line_item(price="-0.01")]))
    assert (error.field, error.reason) == ("line_items.0.price", "NEGATIVE_PRICE")


def test_an_order_has_500_lines_at_most() -> None:
    lines = [line_item(number) for number in range(MAX_LINES + 1)]
    assert len(parsed(shopify_order(line_items=lines[:-1])).lines) == MAX_LINES
    error = refusal(shopify_order(line_items=lines))
    assert (error.field, error.reason) == ("line_items", "TOO_MANY_LINES")


def test_two_lines_can_not_share_an_id() -> None:
    error = refusal(shopify_order(line_items=[line_item(1), line_item(1)]))
    assert (error.field, error.reason) == ("line_items.1.id", "DUPLICATE_LINE")


def test_more_wishes_than_a_contact_can_hold_are_too_large() -> None:
    wish = [{"name": "Engraving", "value": "x" * 9_000}]
    lines = [line_item(number, properties=wish) for number in range(30)]
    assert refusal(shopify_order(line_items=lines)).reason == "TOO_LARGE"


@pytest.mark.parametrize(
    "body", ["", "{", "null{", "{'id': 1}", '{"id": 1,}', '"\\ud800"', "[" * 100_000, "\ufeff{}", "\x00"]
)
def test_what_is_not_json_is_refused_by_that_name(body: str) -> None:
    assert refusal(body).reason == "MALFORMED_JSON"


@pytest.mark.parametrize("body", ["null", "7", "[]", '"order"', "NaN"])
def test_json_that_is_no_order_is_refused(body: str) -> None:
    assert (refusal(body).field, refusal(body).reason) == ("body", "INVALID_FIELD")


def test_bytes_that_are_not_utf_8_are_refused_by_that_name() -> None:
    body, is_base64 = envelopes.body_text(b'{"name": "\xff\xfe"}')
    assert is_base64
    assert refusal(body, is_base64=True).reason == "NOT_UTF8"


def test_text_that_came_as_base64_is_read_all_the_same() -> None:
    body = base64.b64encode(json.dumps(shopify_order()).encode()).decode()
    assert parsed(body, is_base64=True) == parsed(shopify_order())


def test_a_body_above_the_bound_is_too_large() -> None:
    assert refusal(" " * (message_fields.MAX_BODY_BYTES + 1)).reason == "TOO_LARGE"


def test_no_refusal_repeats_what_a_person_wrote() -> None:
    body = shopify_order(email=["ada@example.com"], note={"secret": "Zoë"}, name=7)
    error = refusal(body)
    told = f"{error} {error.details} {error.__cause__!r} {error.__cause__}"
    assert "ada@" not in told
    assert "Zoë" not in told
    assert {fault["field"] for fault in error.details["faults"]} == {"email", "note", "name"}  # type: ignore[attr-defined]


JSON_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=6,
)


@given(field=st.sampled_from(sorted(shopify_order())), value=JSON_VALUES)
def test_whatever_stands_in_a_field_the_order_is_taken_or_refused_by_name(field: str, value: Any) -> None:
    _taken_or_refused(shopify_order(**{field: value}))


@given(field=st.sampled_from(sorted(line_item())), value=JSON_VALUES)
def test_whatever_stands_in_a_line_the_order_is_taken_or_refused_by_name(field: str, value: Any) -> None:
    _taken_or_refused(shopify_order(line_items=[line_item(**{field: value})]))


def _taken_or_refused(body: dict[str, Any]) -> None:
    try:
        order = shopify.parse(envelope(body))
    except InvalidMessage as error:
        assert error.reason
        assert error.field
    else:
        assert isinstance(order, IncomingOrder)
        assert all(line.quantity > 0 and line.unit_price_minor >= 0 for line in order.lines)
