"""The shape of an order in Amazon's Orders API 2026-01-01, as far as we read it, and the amounts of both its versions.

Amazon sends absent parts as absent; what it may not tell an app (its roles decide) is absent or empty.
"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import AfterValidator, AliasChoices, AwareDatetime, Field

from oms.channels.message_fields import Model, Name, OrNothing, Quantity, RequiredAmount, Text
from oms.channels.rounded_money import MAX_MINOR
from oms.domain.errors import InvalidMessage
from oms.domain.money import to_minor
from oms.domain.validation import in_utc_seconds

Time = Annotated[AwareDatetime, Field(strict=False), AfterValidator(in_utc_seconds)]
Id = Annotated[str, Field(min_length=1, max_length=60)]


class Money(Model):
    """An amount and its currency, as either version of the API writes them."""

    amount: RequiredAmount = Field(validation_alias=AliasChoices("amount", "Amount"))
    currency: str = Field(pattern=r"^[A-Z]{3}$", validation_alias=AliasChoices("currencyCode", "CurrencyCode"))


def in_minor(money: Money | None, currency: str, path: str) -> int:
    """An amount in minor units of the order's currency; 0 for none.

    Raises InvalidMessage for one in another currency, in parts of a minor unit, or beyond reason.
    """
    if money is None:
        return 0
    if money.currency != currency:
        raise InvalidMessage(f"{path} is not in {currency}", field=path, reason="INVALID_FIELD")
    try:
        minor = to_minor(money.amount, currency)
    except ValueError as error:
        message = f"{path} is not a whole number of {currency} minor units"
        raise InvalidMessage(message, field=path, reason="INVALID_FIELD") from error
    if abs(minor) > MAX_MINOR:
        raise InvalidMessage(f"{path} is beyond {MAX_MINOR} minor units", field=path, reason="INVALID_FIELD")
    return minor


class Subtotal(Model):
    """What charges or discounts of one kind come to."""

    type: Name = ""
    status: Name = ""
    subtotal: Money


class Proceeds(Model):
    """What a line, or the whole order, comes to."""

    total: Money | None = Field(default=None, validation_alias=AliasChoices("grandTotal", "proceedsTotal"))
    breakdowns: Annotated[list[Subtotal], OrNothing] = Field(default=[])


class Price(Model):
    """The price of one unit."""

    unit_price: Money | None = Field(default=None, alias="unitPrice")


class Customization(Model):
    """What the buyer had made of it, behind an address (Amazon Custom)."""

    url: Text = Field(default="", alias="customizedUrl")


class Product(Model):
    """What was sold."""

    asin: Name = ""
    title: Text = ""
    sku: Name = Field(default="", alias="sellerSku")
    price: Price | None = None
    customization: Customization | None = None


class CancellationRequest(Model):
    """Somebody asks to cancel a line."""

    requester: Name = ""
    reason: Text = Field(default="", alias="cancelReason")


class CancellationExecution(Model):
    """Somebody cancelled a line, or units of it."""

    cancelled_by: Name = Field(default="", alias="cancelledBy")


class Cancellation(Model):
    """What was asked, and what was done."""

    request: CancellationRequest | None = Field(default=None, alias="cancellationRequest")
    execution: CancellationExecution | None = Field(default=None, alias="cancellationExecution")


class GiftOption(Model):
    """How a line is to be wrapped, and what the card says."""

    message: Text = Field(default="", alias="giftMessage")
    wrapping: Text = Field(default="", alias="giftWrapLevel")


class Packing(Model):
    """How a line is to be packed."""

    gift: GiftOption | None = Field(default=None, alias="giftOption")


class International(Model):
    """What customs must be told: under which number Amazon has collected the value added tax."""

    ioss: Name = Field(default="", alias="iossNumber")


class ItemShipping(Model):
    """How a line is to be shipped."""

    international: International | None = Field(default=None, alias="internationalShipping")


class ItemFulfillment(Model):
    """How far a line is."""

    fulfilled: Quantity | None = Field(default=None, alias="quantityFulfilled")
    unfulfilled: Quantity | None = Field(default=None, alias="quantityUnfulfilled")
    packing: Packing | None = None
    shipping: ItemShipping | None = None


class TaxCollection(Model):
    """Who collects a line's tax."""

    model: Name = ""


class ItemTax(Model):
    """How a line is taxed."""

    collections: Annotated[list[TaxCollection], OrNothing] = Field(default=[], alias="taxCollections")


class OrderItem(Model):
    """A line: so many units of a product."""

    line_id: Id = Field(alias="orderItemId")
    quantity: Quantity = Field(alias="quantityOrdered")
    product: Product
    proceeds: Proceeds | None = None
    cancellation: Cancellation | None = None
    fulfillment: ItemFulfillment | None = None
    tax: ItemTax | None = None


class Period(Model):
    """A promised time; only its end binds."""

    latest: Time | None = Field(default=None, alias="latestDateTime")


class OrderFulfillment(Model):
    """Who fulfils the order, how fast, and by when."""

    status: Literal[
        "PENDING_AVAILABILITY", "PENDING", "UNSHIPPED", "PARTIALLY_SHIPPED", "SHIPPED", "CANCELLED", "UNFULFILLABLE"
    ] = Field(alias="fulfillmentStatus")
    fulfilled_by: Literal["AMAZON", "MERCHANT"] = Field(alias="fulfilledBy")
    service_level: Name = Field(default="", alias="fulfillmentServiceLevel")
    ship_by: Period | None = Field(default=None, alias="shipByWindow")
    deliver_by: Period | None = Field(default=None, alias="deliverByWindow")


class SalesChannel(Model):
    """Where it was sold."""

    marketplace_id: Name = Field(default="", alias="marketplaceId")


class Buyer(Model):
    """Who bought it."""

    name: Name = Field(default="", alias="buyerName")
    email: Name = Field(default="", alias="buyerEmail")
    purchase_order: Text = Field(default="", alias="buyerPurchaseOrderNumber")


class DeliveryAddress(Model):
    """Where it goes."""

    name: Name = ""
    company: Name = Field(default="", alias="companyName")
    line1: Name = Field(default="", alias="addressLine1")
    line2: Name = Field(default="", alias="addressLine2")
    line3: Name = Field(default="", alias="addressLine3")
    city: Name = ""
    region: Name = Field(default="", alias="stateOrRegion")
    postal_code: Name = Field(default="", alias="postalCode")
    country: Name = Field(default="", alias="countryCode")
    phone: Name = ""


class DeliveryPreference(Model):
    """What the customer wrote about the delivery."""

    drop_off: Text = Field(default="", alias="dropOffLocation")
    instruction: Text = Field(default="", alias="addressInstruction")


class Recipient(Model):
    """Whom it goes to."""

    address: DeliveryAddress | None = Field(default=None, alias="deliveryAddress")
    preference: DeliveryPreference | None = Field(default=None, alias="deliveryPreference")


class PaymentExecution(Model):
    """One way in which the order is paid."""

    method: Name = Field(default="", alias="paymentMethod")


class Payment(Model):
    """How the order is paid."""

    executions: Annotated[list[PaymentExecution], OrNothing] = Field(default=[], alias="paymentExecutions")


class AssociatedOrder(Model):
    """The order that this one replaces, or is an exchange for."""

    order_id: Name = Field(default="", alias="orderId")


class Order(Model):
    """The whole order, as of `lastUpdatedTime`."""

    order_id: Id = Field(alias="orderId")
    placed_at: Time = Field(alias="createdTime")
    updated_at: Time = Field(alias="lastUpdatedTime")
    programs: Annotated[list[Name], OrNothing] = Field(default=[])
    associated: Annotated[list[AssociatedOrder], OrNothing] = Field(default=[], alias="associatedOrders")
    sales_channel: SalesChannel = Field(alias="salesChannel")
    buyer: Buyer | None = None
    recipient: Recipient | None = None
    proceeds: Proceeds | None = None
    payment: Payment | None = None
    fulfillment: OrderFulfillment
    items: list[OrderItem] = Field(alias="orderItems")


class Body(Model):
    """What a pull or a fetch put into the envelope."""

    order: Order
