"""The shape of a BigCommerce order (API v2, with its consignments in it) and of a callback: what we read of them.

Amounts are decimal texts with four places, each with and without tax; times are RFC 2822.
"""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal
from email.utils import parsedate_to_datetime
from typing import Annotated

from pydantic import AfterValidator, BeforeValidator, Field

from oms.channels.message_fields import (
    Amount,
    Currency,
    Id,
    Model,
    Name,
    NoneIsZero,
    NumberText,
    OrNone,
    OrNothing,
    Quantity,
    RequiredAmount,
    Text,
)
from oms.domain.validation import in_utc_seconds


def _from_rfc_2822(value: object) -> object:
    """The moment, in UTC where no zone is named. Raises ValueError, which pydantic tells of the field, for no time."""
    if not isinstance(value, str) or not value:
        return None
    try:
        moment = parsedate_to_datetime(value)
    except (ValueError, OverflowError):
        # no cause: it would repeat what was sent
        raise ValueError("no time as RFC 2822 writes it") from None
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


def _listed(value: object) -> object:
    """What is not told whole (an address to ask at) is none here; a single one, as downloads come, is a list of it."""
    if isinstance(value, dict):
        return [] if "resource" in value and "id" not in value else [value]
    return [] if value is None else value


MailTime = Annotated[
    datetime | None, BeforeValidator(_from_rfc_2822), AfterValidator(lambda one: one and in_utc_seconds(one))
]
Listed = BeforeValidator(_listed)


class CallbackData(Model):
    """What changed: an order, or something of an order."""

    type: Name = ""
    id: NumberText = ""
    order_id: NumberText = ""
    orderId: NumberText = ""  # noqa: N815 - BigCommerce's name, in callbacks about shipments


class Callback(Model):
    """A callback: `scope` says what happened, `store/order/created`."""

    scope: Annotated[str, Field(min_length=1, max_length=200)]
    data: CallbackData


class Discount(Model):
    """A line's share of a discount."""

    amount: Amount = Decimal(0)


class ProductOption(Model):
    """What the buyer chose or typed for a line."""

    display_name: Text = ""
    display_value: Text = ""


class LineItem(Model):
    """One line. Totals are for all units, before discounts; parts of a bundle are lines of their own, at no price."""

    id: Id
    product_id: NumberText = ""
    variant_id: NumberText = ""
    sku: Name = ""
    name: Text = ""
    type: Name = ""
    quantity: Annotated[Quantity, Field(ge=1)]
    quantity_shipped: Annotated[Quantity, NoneIsZero] = 0
    quantity_refunded: Annotated[Quantity, NoneIsZero] = 0
    total_ex_tax: RequiredAmount
    total_inc_tax: RequiredAmount
    total_tax: Amount = Decimal(0)
    wrapping_message: Text = ""
    applied_discounts: Annotated[tuple[Discount, ...], OrNothing] = ()
    product_options: Annotated[tuple[ProductOption, ...], OrNothing] = ()


Lines = Annotated[tuple[LineItem, ...], Listed]


class PostalAddress(Model):
    """An address; `state` is written in full."""

    first_name: Name = ""
    last_name: Name = ""
    company: Name = ""
    street_1: Name = ""
    street_2: Name = ""
    city: Name = ""
    state: Name = ""
    zip: Name = ""
    country: Name = ""
    country_iso2: Name = ""
    phone: Name = ""
    email: Name = ""


class Shipping(PostalAddress):
    """Lines that go to one address, and by which way of shipping."""

    shipping_method: Text = ""
    cost_ex_tax: Amount = Decimal(0)
    cost_inc_tax: Amount = Decimal(0)
    cost_tax: Amount = Decimal(0)
    line_items: Lines = ()


class PickupLocation(Model):
    """Where lines are collected; `code` is the store owner's own name of the place."""

    code: Name = ""


class Pickup(Model):
    """Lines that the buyer collects."""

    location: Annotated[PickupLocation | None, OrNone] = None
    line_items: Lines = ()


class Sent(Model):
    """Lines that go by mail over the wire: downloads, gift certificates."""

    line_items: Lines = ()


class Email(Model):
    """What is sent by e-mail."""

    gift_certificates: Annotated[tuple[Sent, ...], OrNothing] = ()


class Consignments(Model):
    """The lines of the order, by how they reach the buyer."""

    shipping: Annotated[tuple[Shipping, ...], OrNothing] = ()
    pickups: Annotated[tuple[Pickup, ...], OrNothing] = ()
    downloads: Annotated[tuple[Sent, ...], OrNothing] = ()
    email: Annotated[Email | None, OrNone] = None


class Fee(Model):
    """A fee of the order."""

    cost_ex_tax: Amount = Decimal(0)
    cost_inc_tax: Amount = Decimal(0)


class BigOrder(Model):
    """The whole order, as of `date_modified`. `default_currency_code` is the currency that the buyer pays in."""

    id: Id
    status_id: int
    date_created: MailTime = None
    date_modified: MailTime = None
    default_currency_code: Annotated[Currency | None, OrNone] = None
    currency_code: Currency
    is_tax_inclusive_pricing: bool = False
    total_ex_tax: Amount = Decimal(0)
    total_inc_tax: RequiredAmount
    total_tax: Amount = Decimal(0)
    shipping_cost_ex_tax: Amount = Decimal(0)
    shipping_cost_inc_tax: Amount = Decimal(0)
    handling_cost_ex_tax: Amount = Decimal(0)
    handling_cost_inc_tax: Amount = Decimal(0)
    wrapping_cost_ex_tax: Amount = Decimal(0)
    wrapping_cost_inc_tax: Amount = Decimal(0)
    discount_amount: Amount = Decimal(0)
    coupon_discount: Amount = Decimal(0)
    gift_certificate_amount: Amount = Decimal(0)
    store_credit_amount: Amount = Decimal(0)
    payment_status: Name = ""
    customer_id: NumberText = ""
    customer_message: Text = ""
    billing_address: Annotated[PostalAddress | None, OrNone] = None
    fees: Annotated[tuple[Fee, ...], Listed] = ()
    consignments: Consignments
