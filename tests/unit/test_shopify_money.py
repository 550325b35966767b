"""What Shopify's orders cost and what is left of them: each adds up to the cent, fresh, edited and refunded."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from oms.channels import shopify
from oms.domain.incoming import IncomingLine, IncomingOrder
from oms.domain.intake import totals_difference
from oms.domain.order import Method, Totals
from tests.unit.shopify_bodies import envelope, line_item, shopify_order

FIXTURES = Path(__file__).parents[1] / "fixtures/shopify"
ORDERS = sorted(path.stem for path in FIXTURES.glob("order_*.json"))


def parsed(body: dict[str, Any]) -> IncomingOrder:
    order = shopify.parse(envelope(body))
    assert isinstance(order, IncomingOrder)
    return order


def fixture(name: str) -> IncomingOrder:
    return parsed(json.loads((FIXTURES / f"{name}.json").read_text()))


def line(order: IncomingOrder, sku: str) -> IncomingLine:
    return next(one for one in order.lines if one.sku == sku)


@pytest.mark.parametrize("name", ORDERS)
def test_every_order_adds_up_to_the_cent(name: str) -> None:
    assert totals_difference(fixture(name)) == 0


def test_discounts_on_lines_on_the_order_and_on_shipping_are_all_in_the_total() -> None:
    order = fixture("order_discounted_everywhere")
    assert order.totals == Totals(
        goods_minor=6200, discounts_minor=1520, shipping_minor=800, tax_minor=438, total_minor=5918
    )
    assert [one.discount_minor for one in order.lines] == [460, 260]


@pytest.mark.parametrize("said", ["8.00", "0.00"])
def test_discounted_shipping_counts_before_its_discount_whatever_the_shipping_total_means(said: str) -> None:
    body = json.loads((FIXTURES / "order_discounted_everywhere.json").read_text())
    body["total_shipping_price_set"]["shop_money"]["amount"] = said
    assert parsed(body).totals.shipping_minor == 800


def test_an_edited_and_refunded_order_keeps_its_first_totals_and_says_what_is_left_of_its_lines() -> None:
    order = fixture("order_edited_and_refunded")
    assert order.totals.total_minor == 12680
    left = {one.sku: (one.quantity, one.current_quantity, one.fulfilled_quantity) for one in order.lines}
    assert left == {"MUG-STONE": (3, 2, 2), "TOWEL-SET": (1, 0, 0), "APRON-BLUE": (1, 1, 0)}


def test_a_unit_that_came_back_after_delivery_is_not_a_cancelled_one() -> None:
    returned = {"line_item_id": 9001, "quantity": 1, "restock_type": "return"}
    sent = {"status": "success", "line_items": [{"id": 9001, "quantity": 2}]}
    body = shopify_order(
        line_items=[line_item(quantity=2, current_quantity=1)],
        fulfillments=[sent],
        refunds=[{"refund_line_items": [returned]}],
    )
    assert parsed(body).lines[0].current_quantity == 2


def test_a_unit_that_came_back_cancels_none_of_those_that_have_yet_to_leave() -> None:
    returned = {"line_item_id": 9001, "quantity": 1, "restock_type": "return"}
    sent = {"status": "success", "line_items": [{"id": 9001, "quantity": 2}]}
    body = shopify_order(
        line_items=[line_item(quantity=4, current_quantity=3)],
        fulfillments=[sent],
        refunds=[{"refund_line_items": [returned]}],
    )
    assert parsed(body).lines[0].current_quantity == 4


@pytest.mark.parametrize("restock_type", ["cancel", "no_restock"])
def test_a_unit_refunded_before_it_left_is_cancelled(restock_type: str) -> None:
    refunded = {"line_item_id": 9001, "quantity": 1, "restock_type": restock_type}
    body = shopify_order(
        line_items=[line_item(quantity=2, current_quantity=1)], refunds=[{"refund_line_items": [refunded]}]
    )
    assert parsed(body).lines[0].current_quantity == 1


def test_a_unit_that_left_is_not_cancelled_by_a_refund_that_restocks_nothing() -> None:
    sent = {"status": "success", "line_items": [{"id": 9001, "quantity": 2}]}
    body = shopify_order(line_items=[line_item(quantity=2, current_quantity=0)], fulfillments=[sent])
    assert parsed(body).lines[0].current_quantity == 2


def test_what_somebody_fulfilled_in_shopifys_admin_is_told() -> None:
    whole = parsed(shopify_order(line_items=[line_item(fulfillment_status="fulfilled")]))
    assert whole.lines[0].fulfilled_quantity == 2
    parts = [
        {"status": "success", "line_items": [{"id": 9001, "quantity": 1}]},
        {"status": "failure", "line_items": [{"id": 9001, "quantity": 1}]},
    ]
    part = parsed(shopify_order(line_items=[line_item(fulfillment_status="partial")], fulfillments=parts))
    assert part.lines[0].fulfilled_quantity == 1
    assert parsed(shopify_order()).lines[0].fulfilled_quantity == 0


def test_an_order_sold_in_the_shop_has_left_and_says_where_it_was_taken() -> None:
    order = fixture("order_sold_in_the_shop")
    assert [(one.quantity, one.fulfilled_quantity) for one in order.lines] == [(1, 1)]
    assert order.method is Method.CARRY_OUT
    assert order.external_ids == {"shopify_source": "pos"}


def test_a_test_order_is_taken_as_any_other_and_marked() -> None:
    assert parsed(shopify_order(test=True)).external_ids == {"shopify_test": "true"}
    assert parsed(shopify_order(test=False, source_name="web")).external_ids == {}


def test_duties_and_other_fees_are_fees_and_a_tip_that_is_a_line_counts_once() -> None:
    order = fixture("order_with_tip_duties_and_gift_cards")
    assert (order.totals.fees_minor, order.totals.tip_minor, order.totals.goods_minor) == (560, 0, 8000)


def test_a_tip_that_is_no_line_is_a_tip() -> None:
    body = shopify_order(total_tip_received="3.00", total_price="37.00")
    assert parsed(body).totals.tip_minor == 300
    assert totals_difference(parsed(body)) == 0


def test_gift_cards_tips_and_downloads_are_no_goods_and_a_free_postcard_is() -> None:
    order = fixture("order_with_tip_duties_and_gift_cards")
    goods = {one.title: one.requires_shipping for one in order.lines}
    assert goods == {"MUG-STONE": True, "GIFT-50": False, "Tip": False, "POSTCARD-FREE": True, "PATTERN-PDF": False}


@pytest.mark.parametrize(
    ("facts", "ships"),
    [
        ({"gift_card": True, "requires_shipping": None}, False),
        ({"gift_card": True, "requires_shipping": True}, True),
        ({"tip_payment_gateway": None, "requires_shipping": True}, False),
    ],
)
def test_a_gift_card_in_a_box_ships_and_a_tip_never_does(facts: dict[str, Any], *, ships: bool) -> None:
    assert parsed(shopify_order(line_items=[line_item(**facts)])).lines[0].requires_shipping is ships


def test_a_gift_card_that_pays_lowers_no_total() -> None:
    order = fixture("order_with_tip_duties_and_gift_cards")
    assert order.totals.total_minor == 9504
    assert order.totals.discounts_minor == 0


def test_taxes_in_the_prices_are_not_added_again_and_the_customers_own_currency_is_kept() -> None:
    order = fixture("order_in_yen_taxes_included")
    assert (order.currency, order.totals.total_minor, order.totals.tax_minor) == ("JPY", 5100, 464)
    assert order.prices_include_tax
    assert (order.presentment_currency, order.presentment_total_minor) == ("EUR", 3162)


def in_euro(total: str, **changes: Any) -> dict[str, Any]:
    """Three mugs of EUR 11.00 each and shipping, taken by a shop that reckons in USD: each amount was converted and
    rounded by itself, a mug to 12.0769, all of it to 43.3451."""
    paid = {"amount": "40.00", "currency_code": "EUR"}
    content = {
        "presentment_currency": "EUR",
        "total_price": total,
        "total_price_set": {"shop_money": {"amount": total, "currency_code": "USD"}, "presentment_money": paid},
        "total_tax": "0.00",
        "total_shipping_price_set": {"shop_money": {"amount": "7.12", "currency_code": "USD"}},
        "line_items": [line_item(quantity=3, current_quantity=3, price="12.08", tax_lines=[])],
    }
    return shopify_order(**content | changes)


@pytest.mark.parametrize(
    ("total", "fees", "discounts"),
    [("43.36", 0, 0), ("43.37", 1, 0), ("43.35", 0, 1), ("43.34", 0, 2), ("43.38", 2, 0)],
)
def test_what_the_exchange_rounded_off_is_booked_as_what_it_is(total: str, fees: int, discounts: int) -> None:
    order = parsed(in_euro(total))
    assert (order.totals.fees_minor, order.totals.discounts_minor) == (fees, discounts)
    assert totals_difference(order) == 0


@pytest.mark.parametrize(
    ("body", "off_by"),
    [
        (in_euro("43.40"), 4),
        (in_euro("43.31"), -5),
        (in_euro("43.35", presentment_currency="USD"), -1),
        (shopify_order(total_price="34.01"), 1),
    ],
)
def test_more_than_rounding_or_an_order_of_one_currency_that_is_off_is_left_to_a_person(
    body: dict[str, Any], off_by: int
) -> None:
    assert totals_difference(parsed(body)) == off_by


def test_an_order_paid_in_the_shops_currency_has_no_other() -> None:
    money = {"amount": "34.00", "currency_code": "USD"}
    body = shopify_order(presentment_currency="USD", total_price_set={"shop_money": money, "presentment_money": money})
    assert (parsed(body).presentment_currency, parsed(body).presentment_total_minor) == ("", 0)


def test_parts_of_a_bundle_ship_together_and_a_line_without_sku_has_its_variants_name() -> None:
    order = fixture("order_with_a_bundle")
    assert {one.title: one.together for one in order.lines} == {
        "MUG-STONE": "bundle:988001",
        "COASTER-4": "bundle:988001",
        "Seasonal print": "",
        "Made to measure": "",
    }
    assert [one.sku for one in order.lines] == ["MUG-STONE", "COASTER-4", "variant:45000003", ""]


AMOUNT = st.integers(min_value=0, max_value=10**6)


@given(
    prices=st.lists(st.tuples(AMOUNT, st.integers(min_value=1, max_value=50)), min_size=1, max_size=5),
    shipping=AMOUNT,
    tax=AMOUNT,
    tip=AMOUNT,
    duties=AMOUNT,
    is_included=st.booleans(),
)
def test_whatever_is_charged_an_order_that_adds_up_there_adds_up_here(
    prices: list[tuple[int, int]], shipping: int, tax: int, tip: int, duties: int, *, is_included: bool
) -> None:
    goods = sum(price * quantity for price, quantity in prices)
    total = goods + shipping + tip + duties + (0 if is_included else tax)
    lines = [
        line_item(number, price=_written(price), quantity=quantity, current_quantity=number % 2)
        for number, (price, quantity) in enumerate(prices, start=1)
    ]
    body = shopify_order(
        line_items=lines,
        taxes_included=is_included,
        total_tax=_written(tax),
        total_tip_received=_written(tip),
        total_shipping_price_set={"shop_money": {"amount": _written(shipping), "currency_code": "USD"}},
        original_total_duties_set={"shop_money": {"amount": _written(duties), "currency_code": "USD"}},
        total_price=_written(total),
    )
    assert totals_difference(parsed(body)) == 0


def _written(minor: int) -> str:
    return f"{minor // 100}.{minor % 100:02d}"
