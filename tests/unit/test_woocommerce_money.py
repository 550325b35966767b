"""A WooCommerce order's parts add up to its total, to the cent, however the shop reckons."""

from __future__ import annotations

from decimal import ROUND_HALF_UP, Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from oms.domain.incoming import IncomingOrder
from oms.domain.intake import totals_difference
from tests.unit.woocommerce_bodies import line_item, order_of, simple_order

CENT = Decimal("0.01")


def cents(amount: Decimal) -> str:
    return str(amount.quantize(CENT, rounding=ROUND_HALF_UP))


def test_a_price_that_does_not_divide_by_its_units_is_rounded_up_and_the_rest_is_a_discount() -> None:
    order = order_of(simple_order(line_item(quantity=3)))
    (line,) = order.lines
    assert (line.unit_price_minor, line.discount_minor, order.totals.discounts_minor) == (334, 2, 2)
    assert totals_difference(order) == 0


def test_a_line_whose_total_an_employee_raised_has_that_price() -> None:
    (line,) = order_of(simple_order(line_item(subtotal="10.00", total="12.00"))).lines
    assert (line.unit_price_minor, line.discount_minor) == (1200, 0)


def test_a_fee_is_a_fee_and_a_negative_one_is_a_discount() -> None:
    fees = [{"total": "2.00", "total_tax": "0.00"}, {"total": "-1.50", "total_tax": "0.00"}]
    order = order_of(simple_order(fee_lines=fees, total="10.50"))
    assert (order.totals.fees_minor, order.totals.discounts_minor, totals_difference(order)) == (200, 150, 0)


def test_where_prices_include_tax_lines_are_taken_as_the_buyer_saw_them() -> None:
    item = line_item(quantity=3, subtotal="24.59", subtotal_tax="5.41", total="22.13", total_tax="4.87")
    shipping = [{"method_id": "flat_rate", "total": "4.10", "total_tax": "0.90"}]
    order = order_of(
        simple_order(item, shipping_lines=shipping, prices_include_tax=True, total="32.00", total_tax="5.77")
    )
    (line,) = order.lines
    assert (line.unit_price_minor, line.discount_minor, line.tax_minor) == (1000, 300, 487)
    assert (order.totals.shipping_minor, order.totals.tax_minor, order.prices_include_tax) == (500, 577, True)
    assert totals_difference(order) == 0


@pytest.mark.parametrize(
    ("currency", "total", "price"), [("USD", "10.00", 1000), ("JPY", "1500", 1500), ("KWD", "10.125", 10125)]
)
def test_minor_units_are_those_of_the_currency(currency: str, total: str, price: int) -> None:
    order = order_of(simple_order(line_item(subtotal=total, total=total), currency=currency, total=total))
    assert (order.lines[0].unit_price_minor, order.totals.total_minor, totals_difference(order)) == (price, price, 0)


@pytest.mark.parametrize("off_by", [1, -1, 250])
def test_a_total_that_is_off_stays_off_for_a_person_to_see(off_by: int) -> None:
    order = order_of(simple_order(total=cents(Decimal(1000 + off_by) / 100)))
    assert totals_difference(order) == off_by


@pytest.mark.parametrize(("total", "expected"), [("10.00", 0), ("10.01", 0), ("10.50", 50)])
def test_what_rounding_left_over_is_a_fee_or_a_discount_but_no_more_than_rounding_can_do(
    total: str, expected: int
) -> None:
    item = line_item(subtotal="8.196721", subtotal_tax="1.803279", total="8.196721", total_tax="1.803279")
    order = order_of(simple_order(item, total=total, total_tax="1.80", prices_include_tax=True))
    assert totals_difference(order) == expected


amounts = st.integers(min_value=0, max_value=50_000).map(lambda minor: Decimal(minor) / 100)


@st.composite
def orders(draw: st.DrawFn, *, inclusive: bool) -> dict[str, Any]:
    """An order as WooCommerce reckons it: taxes apart from amounts, each rounded by itself, the total of the exact."""
    rate = Decimal(draw(st.sampled_from([0, 5, 7, 8, 19, 20, 21, 22, 25]))) / 100
    exact, tax_sum, items = Decimal(0), Decimal(0), []
    for number in range(draw(st.integers(1, 6))):
        quantity = draw(st.integers(1, 7))
        full = draw(amounts) * quantity
        paid = full * draw(st.sampled_from([100, 100, 90, 85, 0])) / 100
        paid = paid.quantize(CENT, rounding=ROUND_HALF_UP)
        parts = {}
        for name, amount in (("subtotal", full), ("total", paid)):
            net = amount / (1 + rate) if inclusive else amount
            tax = amount - net if inclusive else Decimal(cents(amount * rate))
            parts |= {name: cents(net), f"{name}_tax": cents(tax)}
        exact += paid if inclusive else paid + Decimal(parts["total_tax"])
        tax_sum += Decimal(parts["total_tax"])
        items.append(line_item(number, quantity=quantity, **parts))
    return simple_order(*items, prices_include_tax=inclusive, total=cents(exact), total_tax=cents(tax_sum))


def check(order: IncomingOrder) -> None:
    assert totals_difference(order) == 0
    assert all(line.unit_price_minor >= 0 and line.discount_minor >= 0 for line in order.lines)
    assert order.totals.discounts_minor >= 0
    assert order.totals.fees_minor <= len(order.lines)


@given(orders(inclusive=False))
def test_orders_of_shops_whose_prices_are_without_tax_add_up(body: dict[str, Any]) -> None:
    check(order_of(body))
    assert order_of(body).totals.fees_minor == 0


@given(orders(inclusive=True))
def test_orders_of_shops_whose_prices_include_tax_add_up(body: dict[str, Any]) -> None:
    check(order_of(body))
