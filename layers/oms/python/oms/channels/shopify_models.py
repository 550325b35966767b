"""The shape of a Shopify order as its webhooks send it: what we read of it, and nothing else.

Absent and null mean the same to Shopify, so they do here. Amounts are decimal texts in the shop's currency.
"""

from __future__ import annotations

import json
from decimal import Decimal
from typing import Annotated

from pydantic import AfterValidator, AwareDatetime, BeforeValidator, Field

from oms.channels.message_fields import MAX_QUANTITY, Model, Name, NoneIsZero, OrNothing, Text
from oms.channels.written_text import MAX_WRITTEN_BYTES
from oms.domain.validation import in_utc_seconds


def _as_text(value: object) -> object:
    """What a shop wrote into a property: text as it is, nothing for null, anything else as JSON."""
    return value if isinstance(value, str) else "" if value is None else json.dumps(value, ensure_ascii=False)


def _id_as_text(value: object) -> object:
    """An id that only tells things apart, be it a number or a gid."""
    return str(value) if isinstance(value, int) and not isinstance(value, bool) else value


def _empty_for_none(value: object) -> object:
    return "" if value is None else value


Time = Annotated[AwareDatetime, Field(strict=False), AfterValidator(in_utc_seconds)]
RequiredAmount = Annotated[Decimal, Field(max_digits=15, allow_inf_nan=False)]
Amount = Annotated[RequiredAmount, NoneIsZero]
Number = Annotated[int, Field(strict=True, lt=10**30)]


class Identified(Model):
    """Something with an id. `gid` holds the same id as text: large JSON numbers get rounded on the way."""

    id: Number | None = None
    gid: Name = Field(default="", alias="admin_graphql_api_id")


class Money(Model):
    """An amount and its currency."""

    amount: Amount = Decimal(0)
    currency_code: Name = ""


class MoneySet(Model):
    """An amount in the shop's currency and in the one the customer saw."""

    shop_money: Money | None = None
    presentment_money: Money | None = None


class TaxLine(Model):
    """A tax on a line or on shipping."""

    price: Amount = Decimal(0)


class DiscountAllocation(Model):
    """The share of a discount that falls upon a line or a shipping charge."""

    amount: Amount = Decimal(0)


class Property(Model):
    """What the customer wished for (engraving, gift note), or what an app keeps with it, which may be long. It may name
    people."""

    name: Text = ""
    value: Annotated[str, Field(max_length=MAX_WRITTEN_BYTES), BeforeValidator(_as_text)] = ""


TaxLines = Annotated[tuple[TaxLine, ...], OrNothing]
Properties = Annotated[tuple[Property, ...], OrNothing]
Allocations = Annotated[tuple[DiscountAllocation, ...], OrNothing]


class LineItem(Identified):
    """One line. `quantity` is what was ordered, `current_quantity` what is left after edits and refunds.

    Parts of a bundle share a `sales_line_item_group_id`. A tip is a line as well: it alone has the field
    `tip_payment_gateway`, be it empty (REST Admin API reference, "Order", `line_items`).
    """

    sku: Name = ""
    variant_id: Number | None = None
    title: Text = ""
    quantity: Annotated[Number, Field(le=MAX_QUANTITY)]
    current_quantity: Annotated[Number, Field(ge=0)] | None = None
    price: RequiredAmount
    total_discount: Amount = Decimal(0)
    discount_allocations: Allocations = ()
    tax_lines: TaxLines = ()
    requires_shipping: bool | None = None
    gift_card: bool | None = None
    fulfillment_status: Name = ""
    sales_line_item_group_id: Annotated[Name, BeforeValidator(_id_as_text)] = ""
    tip_payment_gateway: Name = ""
    properties: Properties = ()

    @property
    def is_tip(self) -> bool:
        """Whether the line is no goods but a tip."""
        return "tip_payment_gateway" in self.model_fields_set


class ShippingItem(Model):
    """A shipping charge. `price` is before discounts."""

    title: Text = ""
    code: Text = ""
    price: Amount = Decimal(0)
    discount_allocations: Allocations = ()
    tax_lines: TaxLines = ()
    is_removed: bool | None = None


class FulfilledLine(Identified):
    """Units of a line in a fulfillment; the id is the line's."""

    quantity: Annotated[Number, Field(ge=0, le=MAX_QUANTITY)] = 0


class Fulfillment(Model):
    """Goods that left, or were to: `status` is success, or how it failed to."""

    status: Name = ""
    line_items: Annotated[tuple[FulfilledLine, ...], OrNothing] = ()


class RefundedLine(Model):
    """Units of a line in a refund. `restock_type` is return (they had left), cancel (they had not) or no_restock."""

    line_item_id: Number | None = None
    line_item: Identified | None = None
    quantity: Annotated[Number, Field(ge=0, le=MAX_QUANTITY)] = 0
    restock_type: Name = ""


class Refund(Model):
    """Money given back, for which units."""

    refund_line_items: Annotated[tuple[RefundedLine, ...], OrNothing] = ()


class PostalAddress(Model):
    """An address; `province_code` and `country_code` are ISO 3166 where Shopify knows them."""

    name: Name = ""
    first_name: Name = ""
    last_name: Name = ""
    company: Name = ""
    address1: Name = ""
    address2: Name = ""
    city: Name = ""
    province: Name = ""
    province_code: Name = ""
    zip: Name = ""
    country: Name = ""
    country_code: Name = ""
    phone: Name = ""


class Customer(Identified):
    """Who ordered."""

    email: Name = ""
    phone: Name = ""
    first_name: Name = ""
    last_name: Name = ""


class PaymentTerms(Model):
    """When it is to be paid, where that was agreed on: net, fixed, fulfillment or receipt."""

    payment_terms_type: Name = ""


class ShopifyOrder(Identified):
    """The whole order, as of `updated_at`."""

    name: Name = ""
    order_number: Number | None = None
    created_at: Time | None = None
    processed_at: Time | None = None
    updated_at: Time | None = None
    cancelled_at: Time | None = None
    cancel_reason: Name = ""
    currency: Annotated[str, Field(pattern=r"^[A-Z]{3}$")]
    presentment_currency: Annotated[str, BeforeValidator(_empty_for_none), Field(pattern=r"^([A-Z]{3})?$")] = ""
    taxes_included: bool | None = None
    financial_status: Name = ""
    payment_terms: PaymentTerms | None = None
    payment_gateway_names: Annotated[tuple[Name, ...], OrNothing] = ()
    total_price: RequiredAmount
    total_discounts: Amount = Decimal(0)
    total_tax: Amount = Decimal(0)
    total_tip_received: Amount = Decimal(0)
    total_shipping_price_set: MoneySet | None = None
    total_price_set: MoneySet | None = None
    original_total_duties_set: MoneySet | None = None
    original_total_additional_fees_set: MoneySet | None = None
    source_name: Name = ""
    location_id: Number | None = None
    test: bool | None = None
    email: Name = ""
    contact_email: Name = ""
    phone: Name = ""
    note: Text = ""
    note_attributes: Properties = ()
    customer: Customer | None = None
    shipping_address: PostalAddress | None = None
    billing_address: PostalAddress | None = None
    line_items: Annotated[tuple[LineItem, ...], Field(min_length=1)]
    shipping_lines: Annotated[tuple[ShippingItem, ...], OrNothing] = ()
    fulfillments: Annotated[tuple[Fulfillment, ...], OrNothing] = ()
    refunds: Annotated[tuple[Refund, ...], OrNothing] = ()
