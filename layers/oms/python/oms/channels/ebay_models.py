"""The shape of an eBay order as its Fulfillment API gives it: what we read of it, and nothing else.

Amounts are decimal texts; of a converted one, `value` is in the seller's currency and `convertedFrom…` the buyer's.
"""

from __future__ import annotations

from decimal import Decimal
from typing import Annotated

from pydantic import AfterValidator, AwareDatetime, ConfigDict, Field
from pydantic.alias_generators import to_camel

from oms.channels.message_fields import Amount, Currency, Model, Name, NumberText, OrNone, OrNothing, Quantity, Text
from oms.domain.validation import in_utc_seconds

Time = Annotated[AwareDatetime, AfterValidator(in_utc_seconds)]
Moment = Annotated[Time | None, OrNone]


class _Ebay(Model):
    model_config = ConfigDict(alias_generator=to_camel)


class Money(_Ebay):
    """An amount."""

    value: Amount = Decimal(0)
    currency: Name = ""
    converted_from_value: Amount = Decimal(0)
    converted_from_currency: Name = ""


class Total(Money):
    """The order's total: its currency is the order's."""

    currency: Currency


Maybe = Annotated[Money | None, OrNone]


class Pricing(_Ebay):
    """The order's sums. Discounts are negative. With its taxes broken down, the total holds what eBay remits."""

    price_subtotal: Maybe = None
    price_discount: Maybe = None
    adjustment: Maybe = None
    delivery_cost: Maybe = None
    delivery_discount: Maybe = None
    fee: Maybe = None
    tax: Maybe = None
    total: Total


class TaxReference(_Ebay):
    """Under which of its numbers eBay collects a tax: IOSS, VOEC, …"""

    name: Name = ""
    value: NumberText = ""


class Tax(_Ebay):
    """A tax on a line."""

    amount: Maybe = None
    ebay_reference: Annotated[TaxReference | None, OrNone] = None


class Gift(_Ebay):
    """What comes with a digital gift card."""

    message: Text = ""


class LineDates(_Ebay):
    """By when a line must ship and arrive."""

    ship_by_date: Moment = None
    max_estimated_delivery_date: Moment = None


class LineItem(_Ebay):
    """One line. `line_item_cost` is for all its units, before discounts."""

    line_item_id: Annotated[NumberText, Field(min_length=1)]
    sku: Name = ""
    legacy_item_id: NumberText = ""
    legacy_variation_id: NumberText = ""
    title: Text = ""
    quantity: Quantity
    line_item_cost: Money
    discounted_line_item_cost: Maybe = None
    taxes: Annotated[tuple[Tax, ...], OrNothing] = ()
    ebay_collect_and_remit_taxes: Annotated[tuple[Tax, ...], OrNothing] = ()
    line_item_fulfillment_status: Name = ""
    line_item_fulfillment_instructions: Annotated[LineDates | None, OrNone] = None
    gift_details: Annotated[Gift | None, OrNone] = None


class PostalAddress(_Ebay):
    """A postal address."""

    address_line1: Annotated[Name, Field(alias="addressLine1")] = ""
    address_line2: Annotated[Name, Field(alias="addressLine2")] = ""
    city: Name = ""
    state_or_province: Name = ""
    postal_code: NumberText = ""
    country_code: Name = ""


class Phone(_Ebay):
    """A telephone number."""

    phone_number: NumberText = ""


class Person(_Ebay):
    """Who, and where."""

    full_name: Name = ""
    company_name: Name = ""
    email: Name = ""
    primary_phone: Annotated[Phone | None, OrNone] = None
    contact_address: Annotated[PostalAddress | None, OrNone] = None


class ShippingStep(_Ebay):
    """Where the parcel goes, and by which service."""

    ship_to: Annotated[Person | None, OrNone] = None
    ship_to_reference_id: NumberText = ""
    shipping_service_code: Name = ""


class PickupStep(_Ebay):
    """The store where it is collected."""

    merchant_location_key: Name = ""


class Instruction(_Ebay):
    """How the order reaches the buyer."""

    fulfillment_instructions_type: Name = ""
    max_estimated_delivery_date: Moment = None
    shipping_step: Annotated[ShippingStep | None, OrNone] = None
    pickup_step: Annotated[PickupStep | None, OrNone] = None


class CancelRequest(_Ebay):
    """Somebody's wish that the order be cancelled."""

    cancel_initiator: Name = ""
    cancel_reason: Name = ""
    cancel_request_state: Name = ""


class CancelStatus(_Ebay):
    """Whether the order is cancelled, or to be. The requests are listed only where one order was asked for."""

    cancel_state: Name = ""
    cancelled_date: Moment = None
    cancel_requests: Annotated[tuple[CancelRequest, ...], OrNothing] = ()


class FulfilledBy(_Ebay):
    """Who ships it."""

    fulfilled_by: Name = ""


class Program(_Ebay):
    """eBay's programs that the order is part of."""

    fulfillment_program: Annotated[FulfilledBy | None, OrNone] = None


class Buyer(_Ebay):
    """Who ordered."""

    buyer_registration_address: Annotated[Person | None, OrNone] = None


class EbayOrder(_Ebay):
    """The whole order as it is now."""

    order_id: Annotated[Name, Field(min_length=1)]
    sales_record_reference: NumberText = ""
    creation_date: Time
    last_modified_date: Moment = None
    order_payment_status: Name = ""
    pricing_summary: Pricing
    line_items: Annotated[tuple[LineItem, ...], Field(min_length=1)]
    fulfillment_start_instructions: Annotated[tuple[Instruction, ...], OrNothing] = ()
    cancel_status: Annotated[CancelStatus | None, OrNone] = None
    program: Annotated[Program | None, OrNone] = None
    buyer: Annotated[Buyer | None, OrNone] = None
    buyer_checkout_notes: Text = ""
