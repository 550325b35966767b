"""Whatever a marketplace sends: money adds up to the cent, and nothing but a named refusal comes of nonsense."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from oms.channels import ebay, envelopes, etsy, registry, walmart
from oms.domain.channel_messages import CancellationNotice, NoticeLine, ShipmentNotice, Window
from oms.domain.errors import InvalidMessage, OmsError
from oms.domain.incoming import Envelope, IncomingOrder
from oms.domain.intake import totals_difference
from oms.domain.listings import AvailabilityMessage
from oms.runtime.http import HttpAnswer, HttpClient
from tests.scripted_server import account_api

FIXTURES = Path(__file__).parents[1] / "fixtures"
SAMPLES = {"walmart": "walmart/order.json", "ebay": "ebay/order.json", "etsy": "etsy/receipt.json"}
MINOR = st.integers(0, 1_000_000)
UNITS = st.integers(1, 9)


def sample(channel: str) -> Any:
    return json.loads((FIXTURES / SAMPLES[channel]).read_text())


def envelope(channel: str, body: Any) -> Envelope:
    return Envelope(
        channel=channel,
        account="main",
        topic=envelopes.FETCHED,
        message_id="m",
        received_at=datetime(2026, 11, 23, tzinfo=UTC),
        body=json.dumps(body),
    )


def major(minor: int) -> float:
    return float(Decimal(minor) / 100)


def usd(minor: int) -> dict[str, str]:
    return {"value": str(Decimal(minor) / 100), "currency": "USD"}


def check(order: IncomingOrder | None, total: int) -> None:
    assert order is not None
    assert order.totals.total_minor == total
    assert totals_difference(order) == 0
    assert order.totals.goods_minor == sum(line.unit_price_minor * line.quantity for line in order.lines)
    assert min(line.unit_price_minor for line in order.lines) >= 0


WALMART_LINE = st.tuples(UNITS, MINOR, MINOR, MINOR, MINOR, MINOR)


@given(st.lists(WALMART_LINE, min_size=1, max_size=4))
def test_the_charges_of_a_walmart_order_add_up_however_they_divide(lines: list[tuple[int, ...]]) -> None:
    body = sample("walmart")
    one = body["orderLines"]["orderLine"][0]
    body["orderLines"]["orderLine"] = [_walmart_line(one, number, *line) for number, line in enumerate(lines)]
    total = sum(goods - off + shipping + tax + fee for _, goods, off, shipping, tax, fee in lines)
    check(walmart.parse(envelope("walmart", body)), total)


def _walmart_line(one: Any, number: int, units: int, goods: int, off: int, shipping: int, tax: int, fee: int) -> Any:
    def charge(kind: str, name: str, minor: int, tax_minor: int = 0) -> Any:
        taxes = {"taxName": "Tax1", "taxAmount": {"currency": "USD", "amount": major(tax_minor)}}
        amount = {"currency": "USD", "amount": major(minor)}
        return {"chargeType": kind, "chargeName": name, "chargeAmount": amount, "tax": taxes}

    charges = [
        charge("PRODUCT", "ItemPrice", goods, tax),
        charge("PRODUCT", "SubscriptionDiscount", -off),
        charge("SHIPPING", "Shipping", shipping),
        charge("FEE", "Fee", fee),
    ]
    quantity = {"unitOfMeasurement": "EACH", "amount": str(units)}
    return one | {"lineNumber": str(number), "orderLineQuantity": quantity, "charges": {"charge": charges}}


@given(st.lists(st.tuples(UNITS, MINOR), min_size=1, max_size=4), MINOR, MINOR, MINOR, MINOR, st.integers(-500, 500))
def test_the_sums_of_an_ebay_order_add_up_however_its_lines_divide(
    lines: list[tuple[int, int]], off: int, delivery: int, tax: int, fee: int, adjustment: int
) -> None:
    body = sample("ebay")
    one = body["lineItems"][0] | {"taxes": [], "ebayCollectAndRemitTaxes": [], "discountedLineItemCost": None}
    body["lineItems"] = [
        one | {"lineItemId": str(number), "quantity": units, "lineItemCost": usd(cost)}
        for number, (units, cost) in enumerate(lines, 1)
    ]
    total = sum(cost for _, cost in lines) - off + delivery + tax + fee + adjustment
    body["pricingSummary"] = {
        "priceDiscount": usd(-off),
        "adjustment": usd(adjustment),
        "deliveryCost": usd(delivery),
        "fee": usd(fee),
        "tax": usd(tax),
        "total": usd(total),
    }
    check(ebay.parse(envelope("ebay", body)), total)


@given(st.lists(st.tuples(UNITS, MINOR), min_size=1, max_size=4), MINOR, MINOR, MINOR, MINOR)
def test_the_sums_of_an_etsy_receipt_add_up(
    lines: list[tuple[int, int]], off: int, shipping: int, tax: int, wrap: int
) -> None:
    def money(minor: int) -> Any:
        return {"amount": minor, "divisor": 100, "currency_code": "USD"}

    body = sample("etsy")
    one = body["transactions"][0]
    body["transactions"] = [
        one | {"transaction_id": number, "quantity": units, "price": money(price)}
        for number, (units, price) in enumerate(lines, 1)
    ]
    total = sum(units * price for units, price in lines) - off + shipping + tax + wrap
    sums = {"discount_amt": off, "total_shipping_cost": shipping, "total_tax_cost": tax, "gift_wrap_price": wrap}
    body |= {name: money(minor) for name, minor in sums.items()} | {"grandtotal": money(total)}
    check(etsy.parse(envelope("etsy", body)), total)


def places(content: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """Every place in a message, the whole of it left out."""
    inner = content.items() if isinstance(content, dict) else enumerate(content) if isinstance(content, list) else ()
    for name, value in inner:
        yield (*path, name)
        yield from places(value, (*path, name))


NONSENSE = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-(10**30), 10**30),
    st.floats(allow_nan=False, allow_infinity=False),
    st.text(max_size=20),
    st.sampled_from(["-1", "1e400", "0.001", "9" * 40, "2026-02-30T00:00:00Z", "9999-12-31T23:59:59-14:00"]),
    st.lists(st.one_of(st.none(), st.integers(), st.text(max_size=3)), max_size=2),
    st.dictionaries(st.text(max_size=3), st.integers(), max_size=2),
)


def disturbed(data: st.DataObject, content: Any) -> Any:
    """The content with nonsense in one of its places."""
    path = data.draw(st.sampled_from(sorted(places(content), key=str)))
    at = content
    for name in path[:-1]:
        at = at[name]
    at[path[-1]] = data.draw(NONSENSE)
    return content


@pytest.mark.parametrize("channel", SAMPLES)
@settings(max_examples=300)
@given(data=st.data())
def test_a_message_with_nonsense_anywhere_is_an_order_or_none_or_refused_by_name(
    channel: str, data: st.DataObject
) -> None:
    body = disturbed(data, sample(channel))
    try:
        order = registry.module(channel).parse(envelope(channel, body))
    except InvalidMessage as error:
        assert error.reason != "INVALID_MESSAGE"
        assert error.field
    else:
        assert order is None or (isinstance(order, IncomingOrder) and order.lines)


NOON = datetime(2026, 11, 23, 12, tzinfo=UTC)
WINDOW = Window(since=NOON - timedelta(hours=1), until=NOON)
SHIPPED = ShipmentNotice(
    message_id="m1",
    order_id="ord_1",
    channel_order_id="1",
    shipment_id="shp_1",
    carrier="UPS",
    service="GROUND",
    tracking_number="1Z1",
    shipped_at=NOON,
    location_id="WH-RENO",
    lines=(NoticeLine(line_id="1", sku="MUG-1", quantity=1),),
    completes=False,
)
CANCELLED = CancellationNotice(
    message_id="m2",
    order_id="ord_1",
    channel_order_id="1",
    reason="NO_STOCK",
    cancelled_at=NOON,
    lines=SHIPPED.lines,
    whole=False,
)
FIGURES = [
    AvailabilityMessage(channel_sku=sku, sku="MUG", quantity=3, version=1, at=NOON)
    for sku in ("1:MUG-BLUE", "1:MUG-RED")
]
OPERATIONS: dict[str, tuple[Any, ...]] = {
    "pull": (WINDOW, None),
    "fetch": ("1",),
    "confirm_shipment": (SHIPPED,),
    "confirm_cancellation": (CANCELLED,),
    "publish": (FIGURES,),
    "listed": (None,),
}


def walmart_answer() -> Any:
    inventories = json.loads((FIXTURES / "walmart/inventories.json").read_text())
    return {"order": sample("walmart"), "list": {"meta": {}, "elements": {"order": [sample("walmart")]}}, **inventories}


def ebay_answer() -> Any:
    item = {"sku": "A", "availability": {"shipToLocationAvailability": {"quantity": 3}}}
    parcel = {"fulfillmentId": "1", "shipmentTrackingNumber": "2", "lineItems": [{"lineItemId": "1", "quantity": 1}]}
    told = [{"sku": one.channel_sku, "statusCode": 200, "errors": [{"errorId": 1}]} for one in FIGURES]
    lists = {"orders": [sample("ebay")], "inventoryItems": [item], "fulfillments": [parcel], "responses": told}
    return {**sample("ebay"), **lists, "total": 1, "next": "/"}


def etsy_answer() -> Any:
    inventory = json.loads((FIXTURES / "etsy/inventory.json").read_text())
    results = [{"listing_id": 1, "inventory": inventory, **sample("etsy")}]
    return {**sample("etsy"), **inventory, "count": 1, "results": results, "shipments": [{"tracking_code": "2"}]}


ANSWERS = {"walmart": walmart_answer, "ebay": ebay_answer, "etsy": etsy_answer}


class SameAnswer(HttpClient):
    """Whatever is asked, the answer is the same."""

    def __init__(self, content: Any) -> None:
        self.body = json.dumps(content).encode()

    def request(self, *_: Any, **__: Any) -> HttpAnswer:
        return HttpAnswer(200, {}, self.body)


@pytest.mark.parametrize("channel", ANSWERS)
@settings(max_examples=300)
@given(data=st.data())
def test_an_answer_with_nonsense_anywhere_breaks_no_operation(channel: str, data: st.DataObject) -> None:
    credentials = {"client_id": "i", "client_secret": "s", "refresh_token": "r", "api_key": "k"}
    api = account_api(channel, "http://127.0.0.1", [credentials], {"shop_id": "1"})
    api._tokens["access"] = ("t", math.inf)
    api.http = SameAnswer(disturbed(data, ANSWERS[channel]()))
    for name, arguments in OPERATIONS.items():
        with suppress(OmsError):
            registry.operation(channel, name)(api, *arguments)
