"""The money of a Shopify order, in the shop's currency.

Shopify keeps two sets of totals. `total_*` and the lines' `quantity` are as ordered, with what edits added and nothing
taken off for what was removed, refunded or returned; `current_*` and `current_quantity` are what is left of it (REST
Admin API reference, "Order"). They add up only among themselves. We read the first: it holds for a fresh order and for
an edited one, and what is left is told by the lines' units.

Of an order that was paid in another currency every amount was converted and rounded by itself: there the parts may miss
the total by that much, which is booked as a fee or a discount that nobody named.
"""

from __future__ import annotations

from collections.abc import Iterable
from decimal import Decimal

from oms.channels import rounded_money
from oms.channels.shopify_models import MoneySet, ShippingItem, ShopifyOrder
from oms.domain.errors import InvalidMessage
from oms.domain.money import to_minor
from oms.domain.order import Totals


def in_minor_units(amount: Decimal, currency: str, path: str) -> int:
    """An exact amount in minor units. Raises InvalidMessage naming the path where it is none of the currency."""
    try:
        return to_minor(amount, currency)
    except ValueError as error:
        message = f"{path} is not a whole number of {currency} minor units"
        raise InvalidMessage(message, field=path, reason="INVALID_FIELD") from error


def added(amounts: Iterable[Decimal]) -> Decimal:
    """Their exact sum."""
    return sum(amounts, Decimal(0))


def charged(order: ShopifyOrder) -> list[ShippingItem]:
    """The shipping charges that still stand."""
    return [one for one in order.shipping_lines if not one.is_removed]


def totals(order: ShopifyOrder) -> Totals:
    """The channel's own totals; only goods are added up here, since no field holds them after an edit.

    Gift cards and store credit pay for the order: Shopify's totals are before them, as ours are. Duties and further
    fees are no goods and no tax: they are fees.
    """
    goods = added(item.price * item.quantity for item in order.line_items)
    told = Totals(
        goods_minor=in_minor_units(goods, order.currency, "line_items.price"),
        discounts_minor=in_minor_units(order.total_discounts, order.currency, "total_discounts"),
        shipping_minor=in_minor_units(_shipping(order), order.currency, "total_shipping_price_set"),
        tax_minor=in_minor_units(order.total_tax, order.currency, "total_tax"),
        tip_minor=in_minor_units(_tip(order), order.currency, "total_tip_received"),
        fees_minor=in_minor_units(_fees(order), order.currency, "original_total_duties_set"),
        total_minor=in_minor_units(order.total_price, order.currency, "total_price"),
    )
    included = bool(order.taxes_included)
    return rounded_money.settled(told, prices_include_tax=included, tolerance_minor=_tolerance(order, told))


def presentment(order: ShopifyOrder) -> tuple[str, int]:
    """Currency and total as the customer saw them; ("", 0) where that is the shop's currency."""
    money = order.total_price_set.presentment_money if order.total_price_set else None
    currency = order.presentment_currency
    if money is None or money.currency_code != currency or currency in ("", order.currency):
        return "", 0
    return currency, in_minor_units(money.amount, currency, "total_price_set.presentment_money.amount")


def _tolerance(order: ShopifyOrder, told: Totals) -> int:
    """How far the exchange can take the sum from the total, in minor units: half a unit for every unit sold, since its
    price was rounded, and for every other amount; nowhere in the shop's own currency."""
    if order.presentment_currency in ("", order.currency):
        return 0
    units = sum(item.quantity for item in order.line_items if item.price)
    others = (told.discounts_minor, told.shipping_minor, told.tax_minor, told.tip_minor, told.fees_minor)
    return (units + sum(1 for amount in others if amount) + 1) // 2


def _shipping(order: ShopifyOrder) -> Decimal:
    """Shipping before discounts: those are among `total_discounts`. Where a charge has one, its own price is surer than
    the total, which says "excluding discounts" and leaves open which way."""
    standing = charged(order)
    total = _shop_money(order.total_shipping_price_set, order.currency)
    is_discounted = any(one.discount_allocations for one in standing)
    return added(one.price for one in standing) if total is None or is_discounted else total


def _tip(order: ShopifyOrder) -> Decimal:
    """Tips that no line charges: one from the checkout is a line, and in `total_tip_received` as well."""
    in_lines = added(item.price * item.quantity for item in order.line_items if item.is_tip)
    return max(Decimal(0), order.total_tip_received - in_lines)


def _fees(order: ShopifyOrder) -> Decimal:
    sets = (order.original_total_duties_set, order.original_total_additional_fees_set)
    return added(_shop_money(one, order.currency) or Decimal(0) for one in sets)


def _shop_money(money: MoneySet | None, currency: str) -> Decimal | None:
    """The amount in the shop's currency, if it is said in that."""
    one = money.shop_money if money else None
    return one.amount if one is not None and one.currency_code == currency else None
