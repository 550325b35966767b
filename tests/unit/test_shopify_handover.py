"""How a Shopify order is to be paid and handed over: what is not paid may be due later, who has no address collects."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest

from oms.channels import shopify
from oms.domain.catalog import ChannelAccount, Policy
from oms.domain.changes import Context
from oms.domain.channel_places import at_our_locations
from oms.domain.incoming import IncomingOrder
from oms.domain.intake import UNPAID, receive
from oms.domain.order import MAX_LINES, Method, OrderStatus
from tests.unit.shopify_bodies import envelope, line_item, shopify_order

COD = "Cash on Delivery (COD)"
NET = {"payment_terms_type": "net", "payment_terms_name": "Net 30", "due_in_days": 30, "payment_schedules": []}
CHARGE = {"title": "Harbour Street", "code": "STORE-7", "price": "0.00", "tax_lines": []}


def parsed(**changes: Any) -> IncomingOrder:
    order = shopify.parse(envelope(shopify_order(**changes)))
    assert isinstance(order, IncomingOrder)
    return order


@pytest.mark.parametrize(
    ("facts", "status"),
    [
        ({"financial_status": "pending"}, "PENDING"),
        ({"financial_status": "pending", "payment_terms": None, "payment_gateway_names": []}, "PENDING"),
        ({"financial_status": "pending", "payment_terms": NET}, "DUE_LATER"),
        ({"financial_status": "pending", "payment_terms": NET | {"payment_terms_type": "FIXED"}}, "DUE_LATER"),
        ({"financial_status": "pending", "payment_terms": NET | {"payment_terms_type": "fulfillment"}}, "DUE_LATER"),
        ({"financial_status": "pending", "payment_terms": NET | {"payment_terms_type": "receipt"}}, "PENDING"),
        ({"financial_status": "pending", "payment_terms": NET | {"payment_terms_type": None}}, "PENDING"),
        ({"financial_status": "partially_paid", "payment_terms": NET}, "DUE_LATER"),
        ({"financial_status": "partially_paid"}, "PARTIALLY_PAID"),
        ({"financial_status": "pending", "payment_gateway_names": [COD]}, "DUE_ON_DELIVERY"),
        ({"financial_status": "pending", "payment_gateway_names": ["gift_card", COD]}, "DUE_ON_DELIVERY"),
        ({"financial_status": "pending", "payment_gateway_names": ["Bank Deposit"]}, "PENDING"),
        ({"financial_status": "pending", "payment_gateway_names": ["Bank Deposit", COD]}, "PENDING"),
        ({"financial_status": "pending", "payment_gateway_names": ["gift_card"]}, "PENDING"),
        ({"financial_status": "partially_paid", "payment_gateway_names": ["gift_card", COD]}, "DUE_ON_DELIVERY"),
        ({"financial_status": "voided", "payment_terms": NET, "payment_gateway_names": [COD]}, "VOIDED"),
        ({"financial_status": "expired", "payment_terms": NET}, "EXPIRED"),
        ({"financial_status": "authorized"}, "AUTHORIZED"),
        ({"financial_status": "paid", "payment_terms": NET, "payment_gateway_names": [COD]}, "PAID"),
    ],
)
def test_what_is_due_later_or_at_the_door_is_not_waited_for(facts: dict[str, Any], status: str) -> None:
    assert parsed(**facts).payment_status == status
    assert (status in UNPAID) == (status not in {"DUE_LATER", "DUE_ON_DELIVERY", "AUTHORIZED", "PAID"})


@pytest.mark.parametrize(
    ("facts", "place"),
    [
        ({"shipping_lines": [CHARGE]}, "STORE-7"),
        ({"shipping_lines": [CHARGE | {"code": None}]}, "Harbour Street"),
        ({"shipping_lines": [CHARGE | {"code": "x" * 200}]}, "x" * 64),
        ({"shipping_lines": [CHARGE | {"is_removed": True}, CHARGE | {"code": "STORE-8"}]}, "STORE-8"),
    ],
)
def test_goods_that_go_to_no_address_are_collected_where_their_shipping_charge_says(
    facts: dict[str, Any], place: str
) -> None:
    order = parsed(shipping_address=None, **facts)
    assert (order.method, order.channel_location) == (Method.PICKUP, place)


@pytest.mark.parametrize(
    "facts",
    [
        {},
        {"shipping_address": {"country_code": "US"}},
        {"shipping_address": None, "shipping_lines": []},
        {"shipping_address": None, "shipping_lines": [CHARGE | {"code": "", "title": None}]},
        {"shipping_address": None, "shipping_lines": [CHARGE | {"is_removed": True}]},
        {"shipping_address": None, "shipping_lines": [CHARGE, CHARGE | {"code": "STORE-8"}]},
        {"shipping_address": None, "source_name": "pos", "shipping_lines": [CHARGE]},
    ],
)
def test_any_other_order_is_shipped_and_nothing_is_guessed(facts: dict[str, Any]) -> None:
    order = parsed(**facts)
    assert (order.method, order.channel_location) == (Method.SHIP, "")


SALE: dict[str, Any] = {"source_name": "pos", "shipping_address": None, "location_id": 655441491}


@pytest.mark.parametrize(
    ("facts", "method"),
    [
        (SALE | {"shipping_lines": []}, Method.CARRY_OUT),
        (SALE | {"shipping_lines": [CHARGE | {"is_removed": True}]}, Method.CARRY_OUT),
        (SALE | {"shipping_lines": [CHARGE]}, Method.SHIP),
        ({"source_name": "pos", "shipping_lines": []}, Method.SHIP),
        ({"source_name": "web", "shipping_address": None, "shipping_lines": []}, Method.SHIP),
    ],
)
def test_what_was_sold_at_the_till_with_nowhere_to_send_it_was_carried_out(
    facts: dict[str, Any], method: Method
) -> None:
    assert parsed(**facts).method is method


@pytest.mark.parametrize(("till", "named"), [(655441491, "655441491"), (None, "pos")])
def test_a_sale_at_a_till_that_is_no_location_of_ours_is_delivered_and_leaves_no_shelf_of_ours(
    till: int | None, named: str
) -> None:
    sale = parsed(**SALE | {"location_id": till}, shipping_lines=[], total_shipping_price_set=None)
    assert sale.channel_location == named
    sale = at_our_locations(sale, {"location:4711": "STORE-7"})
    sale = replace(sale, totals=replace(sale.totals, total_minor=sale.totals.total_minor - 700))
    order = receive(sale, {}, ChannelAccount(), Context(now=sale.channel_updated_at, actor="shopify", policy=Policy()))
    assert (order.order.status, order.order.review, order.moves) == (OrderStatus.DELIVERED, None, ())


def test_an_order_of_as_many_lines_as_are_taken_is_read_after_it_was_fulfilled_as_well() -> None:
    """Each line with taxes of four places and discounts of two, and once more in its fulfillment."""
    money = {"shop_money": {"amount": "0.25", "currency_code": "USD"}}
    sets = {"price_set": money | {"presentment_money": money["shop_money"]}}
    taxes = [{"price": "0.25", "rate": 0.01, "title": "County tax", "channel_liable": False, **sets}] * 4
    shares = [{"amount": "0.00", "discount_application_index": 0, "amount_set": sets["price_set"]}] * 2
    words = [{"name": "Engraving", "value": "x" * 300}]
    lines = [
        line_item(number, tax_lines=taxes, discount_allocations=shares, properties=words, **sets)
        for number in range(1, MAX_LINES + 1)
    ]
    body = json.dumps(shopify_order(line_items=lines, fulfillments=[{"status": "success", "line_items": lines}]))
    assert len(body) > 2_000_000
    order = shopify.parse(envelope(body, "fetched"))
    assert isinstance(order, IncomingOrder)
    assert len(order.lines) == MAX_LINES
