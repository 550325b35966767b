"""The shape of a Walmart order as its API gives it: what we read of it, and nothing else.

Times are milliseconds since 1970, amounts are numbers of the currency's major unit, units of a line are texts.
"""

from __future__ import annotations

from decimal import Decimal
from typing import Annotated

from pydantic import AfterValidator, AwareDatetime, BeforeValidator, ConfigDict, Field
from pydantic.alias_generators import to_camel

from oms.channels.message_fields import Amount, Model, Name, NumberText, OrNone, OrNothing, Quantity, Text
from oms.domain.validation import in_utc_seconds


def _text_of_flag(value: object) -> object:
    """The description calls it a text; a flag would mean the same."""
    return "" if value is None else str(value)


Time = Annotated[AwareDatetime, AfterValidator(in_utc_seconds)]
Flag = Annotated[str, Field(max_length=60), BeforeValidator(_text_of_flag)]


class _Walmart(Model):
    model_config = ConfigDict(alias_generator=to_camel)


class Money(_Walmart):
    """An amount and its currency."""

    currency: Name = ""
    amount: Amount = Decimal(0)


class Tax(_Walmart):
    """The tax on a charge."""

    tax_amount: Annotated[Money | None, OrNone] = None


class Charge(_Walmart):
    """What the customer pays: PRODUCT for all units of the line, SHIPPING; a discount is a negative one."""

    charge_type: Name = ""
    charge_name: Name = ""
    charge_amount: Money
    tax: Annotated[Tax | None, OrNone] = None


class Charges(_Walmart):
    """The charges of a line."""

    charge: Annotated[tuple[Charge, ...], OrNothing] = ()


class Units(_Walmart):
    """Units of a line."""

    amount: Quantity


class Item(_Walmart):
    """What was ordered, by the seller's own sku."""

    product_name: Text = ""
    sku: Name = ""


class LineStatus(_Walmart):
    """How many units of a line are in which status."""

    status: Name = ""
    status_quantity: Units
    cancellation_reason: Name = ""


class LineStatuses(_Walmart):
    """The statuses of a line's units."""

    order_line_status: Annotated[tuple[LineStatus, ...], OrNothing] = ()


class OrderLine(_Walmart):
    """One line. `status_date` is when its status last changed."""

    line_number: Annotated[NumberText, Field(min_length=1)]
    item: Item
    charges: Annotated[Charges | None, OrNone] = None
    order_line_quantity: Units
    status_date: Time | None = None
    order_line_statuses: Annotated[LineStatuses | None, OrNone] = None
    intent_to_cancel: Flag = ""


class OrderLines(_Walmart):
    """The lines of an order."""

    order_line: Annotated[tuple[OrderLine, ...], Field(min_length=1)]


class PostalAddress(_Walmart):
    """Where it goes; the country has three letters."""

    name: Name = ""
    address1: Name = ""
    address2: Name = ""
    city: Name = ""
    state: Name = ""
    postal_code: NumberText = ""
    country: Name = ""


class ShippingInfo(_Walmart):
    """How and by when it goes. The estimated dates are what Walmart holds the seller to."""

    phone: NumberText = ""
    estimated_ship_date: Time | None = None
    estimated_delivery_date: Time | None = None
    method_code: Name = ""
    postal_address: Annotated[PostalAddress | None, OrNone] = None


class ShipNode(_Walmart):
    """Who ships it."""

    type: Name = ""


class WalmartOrder(_Walmart):
    """A purchase order as it is now."""

    purchase_order_id: Annotated[NumberText, Field(min_length=1)]
    customer_order_id: NumberText = ""
    customer_email_id: Name = ""
    original_customer_order_id: Annotated[NumberText, Field(alias="originalCustomerOrderID")] = ""
    order_date: Time
    shipping_info: Annotated[ShippingInfo | None, OrNone] = None
    order_lines: OrderLines
    ship_node: Annotated[ShipNode | None, OrNone] = None
