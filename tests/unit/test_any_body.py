"""Whatever a channel sends: an order that can be kept, no order, or a refusal by field and reason."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Mapping
from contextlib import suppress
from copy import deepcopy
from dataclasses import fields
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from oms.channels import direct, envelopes, registry
from oms.domain import intake
from oms.domain.catalog import ChannelAccount
from oms.domain.channel_messages import OrderNews, PrivacyRequest
from oms.domain.errors import InvalidMessage
from oms.domain.incoming import Envelope, IncomingOrder
from oms.domain.order import MAX_LINES
from oms.stores.attribute_values import to_item
from tests.unit import shopify_bodies
from tests.unit.builders import context

FIXTURES = Path(__file__).parents[1] / "fixtures"
EXAMPLES = int(os.environ.get("OMS_BODIES", "200"))
"""Bodies tried of each kind."""

MOST_MINOR = 10**24
"""No sum of amounts that a channel may tell comes near; a table takes 38 digits."""


class Body(NamedTuple):
    """A good body, and what its envelope says of it."""

    channel: str
    topic: str
    content: Any


def fixture(name: str) -> Any:
    return json.loads((FIXTURES / f"{name}.json").read_text())


def placed() -> Any:
    address = {"name": "Ada", "address1": "1 Test Street", "city": "Reno", "region": "NV", "country": "US"}
    line = {"line_id": "a", "sku": "MUG-1", "title": "Mug", "quantity": 2, "unit_price_minor": 1250, "tax_minor": 200}
    return {
        "channel": "web",
        "account": "main",
        "channel_order_id": "W-1",
        "order_number": "#W-1",
        "placed_at": "2026-11-16T14:05:01Z",
        "currency": "USD",
        "prices_include_tax": False,
        "lines": [{**line, "discount_minor": 100}, {"sku": "TEE", "quantity": 1, "unit_price_minor": 900}],
        "shipping_minor": 500,
        "tip_minor": 0,
        "total_minor": 4000,
        "ship_to": {**address, "postal_code": "89501", "phone": "+1 775 555 0100"},
        "bill_to": address,
        "customer": {"id": "77", "name": "Ada", "email": "ada@example.com", "phone": "+1 775 555 0100"},
        "service_level": "EXPRESS",
        "promised_by": "2026-11-20T00:00:00-05:00",
        "note": "Ring twice",
        "payments": [{"method": "CARD", "amount_minor": 4000, "reference": "ch_1"}],
    }


def sold() -> Any:
    sale = {"channel": "pos", "sold_by": "till-3", "sold_at_location_id": "STORE-1", "method": "CARRY_OUT"}
    return {name: value for name, value in placed().items() if name not in ("ship_to", "promised_by")} | sale


FETCHED = envelopes.FETCHED
BODIES: Mapping[str, Body] = {
    "amazon": Body("amazon", FETCHED, {"api": "2026-01-01", "order": fixture("amazon/order")}),
    "amazon pending": Body("amazon", FETCHED, {"api": "2026-01-01", "order": fixture("amazon/pending")}),
    "amazon v0": Body("amazon", FETCHED, fixture("amazon/order_v0")),
    "amazon notification": Body("amazon", "", fixture("amazon/order_change")),
    "bigcommerce": Body("bigcommerce", FETCHED, fixture("bigcommerce/order")),
    "bigcommerce callback": Body(
        "bigcommerce",
        "",
        {"scope": "store/order/created", "store_id": "1", "data": {"type": "order", "id": 7}, "hash": "0f"},
    ),
    "ebay": Body("ebay", FETCHED, fixture("ebay/order")),
    "etsy": Body("etsy", FETCHED, fixture("etsy/receipt")),
    "phone": Body("phone", direct.IMPORTED, placed() | {"channel": "phone"}),
    "till": Body("pos", direct.IMPORTED, sold()),
    "shopify": Body("shopify", "orders/create", shopify_bodies.shopify_order()),
    "shopify with all": Body("shopify", FETCHED, fixture("shopify/order_with_tip_duties_and_gift_cards")),
    "shopify edited and refunded": Body("shopify", FETCHED, fixture("shopify/order_edited_and_refunded")),
    "shopify edit": Body("shopify", "orders/edited", fixture("shopify/orders_edited")),
    "shopify refund": Body("shopify", "refunds/create", fixture("shopify/refunds_create")),
    "shopify data request": Body("shopify", "customers/data_request", fixture("shopify/customers_data_request")),
    "shopify redact": Body("shopify", "customers/redact", fixture("shopify/customers_redact")),
    "walmart": Body("walmart", FETCHED, fixture("walmart/order")),
    "woocommerce": Body("woocommerce", "order.created", fixture("woocommerce/order")),
    "woocommerce fetched": Body(
        "woocommerce",
        FETCHED,
        {"order": fixture("woocommerce/order"), "refunds": [fixture("woocommerce/refund")], "virtual": ["1"]},
    ),
    "woocommerce deleted": Body("woocommerce", "order.deleted", {"id": 7}),
}


def places(content: Any, way: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """Every place in a body, the whole of it included."""
    yield way
    inside = content.items() if isinstance(content, dict) else enumerate(content) if isinstance(content, list) else ()
    for name, value in inside:
        yield from places(value, (*way, name))


def nested(depth: int) -> Any:
    content: Any = []
    for _ in range(depth):
        content = [content]
    return content


GONE = object()
TIMES = (
    "0001-01-01T00:00:00+14:00",
    "9999-12-31T23:59:59-14:00",
    "2026-02-30T00:00:00Z",
    "2026-11-16T14:05:01",
    "Mon, 01 Jan 99999999999999999999 00:00:00 +0000",
)
NUMBERS = (0, -1, 1, 2**31, 2**63, 10**30, -(10**30), 0.001, -0.01, 1e22, 1e300, float("nan"), float("inf"))
TEXTS = (
    "",
    " ",
    "-1",
    "0",
    "1e400",
    "NaN",
    "-Infinity",
    "9" * 40,
    "1" * 5_000,
    "\x00",
    "\ud800",
    "é" * 300,
    "🎁",
    "=1",
)
OTHERS: st.SearchStrategy[Any] = st.one_of(
    st.sampled_from([GONE, None, True, False, [], {}, [None], [{}], {"": ""}, nested(50), *TIMES, *NUMBERS, *TEXTS]),
    st.integers(-(10**6), 10**6),
    st.decimals(-1000, 1000, places=3).map(str),
    st.text(max_size=10),
)


def disturbed(content: Any, way: tuple[Any, ...], other: Any) -> Any:
    """A copy with something else at one of its places; where an earlier change took the place away, as it was."""
    if not way:
        return content if other is GONE else other
    copy = deepcopy(content)
    *above, last = way
    at = copy
    with suppress(LookupError, TypeError):
        for step in above:
            at = at[step]
        if other is GONE:
            del at[last]
        else:
            at[last] = other
    return copy


def envelope(body: Body, text: str) -> Envelope:
    return Envelope(
        channel=body.channel,
        account="main",
        topic=body.topic,
        message_id="m-1",
        received_at=datetime(2026, 11, 23, 12, tzinfo=UTC),
        body=text,
    )


def check(body: Body, text: str) -> None:
    """What comes of the text is kept, or refused by name."""
    try:
        parsed = registry.module(body.channel).parse(envelope(body, text))
    except InvalidMessage as error:
        assert error.field
        assert error.reason != "INVALID_MESSAGE"
        assert len(str(error)) < 1_000, "it repeats what was sent"
        str(error).encode()
        return
    assert parsed is None or isinstance(parsed, IncomingOrder | OrderNews | PrivacyRequest)
    if isinstance(parsed, IncomingOrder):
        check_order(parsed)


def check_order(order: IncomingOrder) -> None:
    """The order can be taken in and kept: its units make sense, its times are times, and a table takes it."""
    assert order.channel_order_id
    assert 0 < len(order.lines) <= MAX_LINES or order.cancelled_at
    assert len({line.line_id for line in order.lines}) == len(order.lines)
    for line in order.lines:
        assert line.line_id
        assert 0 <= line.current_quantity <= line.quantity
        assert 0 <= line.fulfilled_quantity <= line.quantity
        assert line.unit_price_minor >= 0
    times = [getattr(order, one.name) for one in fields(order) if one.name.endswith(("_at", "_by"))]
    assert all(at.utcoffset() is not None for at in times if isinstance(at, datetime))
    totals = order.totals
    assert max(abs(getattr(totals, one.name)) for one in fields(totals)) < MOST_MINOR
    change = intake.receive(intake.in_whole_seconds(order), {}, ChannelAccount(), context())
    json.dumps([to_item(change.order), to_item(change.contact)], ensure_ascii=False).encode()


@pytest.mark.parametrize("body", BODIES.values(), ids=BODIES)
def test_the_bodies_to_disturb_are_good(body: Body) -> None:
    assert registry.module(body.channel).parse(envelope(body, json.dumps(body.content)))
    check(body, json.dumps(body.content))


@pytest.mark.parametrize("body", BODIES.values(), ids=BODIES)
@settings(max_examples=EXAMPLES)
@given(data=st.data())
def test_a_body_that_went_wrong_anywhere_is_an_order_or_refused_by_field_and_reason(
    body: Body, data: st.DataObject
) -> None:
    ways = sorted(places(body.content), key=str)
    content = body.content
    for _ in range(data.draw(st.integers(1, 3))):
        content = disturbed(content, data.draw(st.sampled_from(ways)), data.draw(OTHERS))
    check(body, json.dumps(content))


@pytest.mark.parametrize("body", BODIES.values(), ids=BODIES)
@pytest.mark.parametrize(
    "text",
    [
        pytest.param("", id="nothing"),
        pytest.param("{", id="a torn body"),
        pytest.param("[" * 100_000, id="too deep"),
        pytest.param('{"order":' * 100_000, id="too deep an object"),
        pytest.param("9" * 5_000, id="too long a number"),
        pytest.param("1e9999999999999999999", id="too large a number"),
        pytest.param("\ufeff{}", id="a mark before it"),
        pytest.param('{"id":1}' + "\x00", id="something after it"),
        pytest.param('"\ud800"', id="half a letter"),
        pytest.param("<html>", id="a page"),
    ],
)
def test_what_is_no_body_at_all_is_refused_by_field_and_reason(body: Body, text: str) -> None:
    with suppress(InvalidMessage):
        assert registry.module(body.channel).parse(envelope(body, text)) is None
    check(body, text)


@pytest.mark.parametrize("body", BODIES.values(), ids=BODIES)
def test_a_place_nested_too_deep_is_refused_or_passed_over(body: Body) -> None:
    for name in body.content:
        deep = json.dumps(body.content | {name: 0}).replace(f'"{name}": 0', f'"{name}": {"[" * 50_000}{"]" * 50_000}')
        check(body, deep)
