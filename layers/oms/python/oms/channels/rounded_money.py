"""Amounts of shops that reckon in parts of a cent, in whole minor units that still add up to the total.

Such a shop rounds the total, and for show every amount, each by itself. We round each amount half up; what that leaves
over is at most half a minor unit per amount and is booked as what it is, a fee or a discount that nobody named. A
larger difference is left as it stands: intake tells a person of it.
"""

from __future__ import annotations

from dataclasses import replace
from decimal import ROUND_HALF_UP, Decimal

from oms.domain.errors import InvalidMessage
from oms.domain.money import exponent
from oms.domain.order import Totals

MAX_MINOR = 10**15
"""Amounts beyond this are mistakes: they are refused."""


def rounded(amount: Decimal, currency: str, path: str) -> int:
    """An amount in minor units, halves away from zero. Raises InvalidMessage when it is beyond reason."""
    minor = amount.scaleb(exponent(currency)).quantize(Decimal(1), rounding=ROUND_HALF_UP)
    if abs(minor) > MAX_MINOR:
        raise InvalidMessage(f"{path} is beyond {MAX_MINOR} minor units", field=path, reason="INVALID_FIELD")
    return int(minor)


def is_whole(amount: Decimal, currency: str) -> bool:
    """Whether the amount has no more decimals than the currency."""
    minor = amount.scaleb(exponent(currency))
    return minor == minor.to_integral_value()


def unit_price(amount_minor: int, quantity: int) -> int:
    """The price of one of `quantity` units that cost so much together, rounded up: what is too much, less than one
    minor unit a unit, is the line's discount."""
    return -(-amount_minor // quantity)


def difference(totals: Totals, *, prices_include_tax: bool) -> int:
    """The total less what its parts come to; 0 where they add up."""
    tax = 0 if prices_include_tax else totals.tax_minor
    charged = totals.goods_minor + totals.shipping_minor + totals.fees_minor + totals.tip_minor + tax
    return totals.total_minor - (charged - totals.discounts_minor)


def settled(totals: Totals, *, prices_include_tax: bool, tolerance_minor: int) -> Totals:
    """The totals with what rounding left over, at most `tolerance_minor`, booked as a fee or as a discount."""
    over = difference(totals, prices_include_tax=prices_include_tax)
    if abs(over) > tolerance_minor:
        return totals
    if over < 0:
        return replace(totals, discounts_minor=totals.discounts_minor - over)
    return replace(totals, fees_minor=totals.fees_minor + over)
