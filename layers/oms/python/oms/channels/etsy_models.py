"""The shape of an Etsy receipt: what we read of it, and nothing else.

Times are seconds since 1970; an amount is a whole number and the divisor that makes the currency's major unit of it.
"""

from __future__ import annotations

from decimal import Decimal
from typing import Annotated

from pydantic import AfterValidator, AwareDatetime, Field

from oms.channels.message_fields import (
    Amount,
    Currency,
    Id,
    Model,
    Name,
    NumberText,
    OrNone,
    OrNothing,
    Quantity,
    Text,
)
from oms.domain.validation import in_utc_seconds

Time = Annotated[AwareDatetime, AfterValidator(in_utc_seconds)]
Moment = Annotated[Time | None, OrNone]


class Money(Model):
    """An amount."""

    amount: Annotated[int, Field(strict=True, ge=-(10**15), le=10**15)]
    divisor: Annotated[int, Field(strict=True, ge=1, le=10**6)] = 100
    currency_code: Currency

    @property
    def value(self) -> Decimal:
        """In the currency's major unit."""
        return Decimal(self.amount) / self.divisor


Maybe = Annotated[Money | None, OrNone]


class Variation(Model):
    """What the buyer chose or had written on it."""

    formatted_name: Text = ""
    formatted_value: Text = ""


class Transaction(Model):
    """One line: units of one product of one listing. Coupons are in the shop's currency."""

    transaction_id: Id
    listing_id: NumberText = ""
    sku: Name = ""
    title: Text = ""
    quantity: Quantity
    price: Money
    is_digital: bool | None = None
    shop_coupon: Amount = Decimal(0)
    buyer_coupon: Amount = Decimal(0)
    shipping_method: Name = ""
    shipping_upgrade: Name = ""
    expected_ship_date: Moment = None
    variations: Annotated[tuple[Variation, ...], OrNothing] = ()


class Receipt(Model):
    """The whole order as it is now. Older answers name the times without `d`."""

    receipt_id: Id
    status: Name = ""
    is_paid: bool | None = None
    is_shipped: bool | None = None
    created_timestamp: Moment = None
    create_timestamp: Moment = None
    updated_timestamp: Moment = None
    update_timestamp: Moment = None
    name: Name = ""
    first_line: Name = ""
    second_line: Name = ""
    city: Name = ""
    state: Name = ""
    zip: NumberText = ""
    country_iso: Name = ""
    buyer_user_id: NumberText = ""
    buyer_email: Name = ""
    message_from_buyer: Text = ""
    is_gift: bool | None = None
    gift_message: Text = ""
    grandtotal: Money
    total_shipping_cost: Maybe = None
    total_tax_cost: Maybe = None
    total_vat_cost: Maybe = None
    discount_amt: Maybe = None
    gift_wrap_price: Maybe = None
    transactions: Annotated[tuple[Transaction, ...], Field(min_length=1)]
