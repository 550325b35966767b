"""The shape of an order in Amazon's Orders API v0, as far as we read it: the order, its items, and its address.

v0 prices a line as a whole ("ItemPrice … multiplied by the quantity"), and tells no prices while an order is pending.
"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BeforeValidator, Field

from oms.channels.amazon_models import Id, Money, Time
from oms.channels.message_fields import Model, Name, OrNothing, Quantity, Text


def _yes(value: object) -> object:
    """Amazon writes `true` as a text here and as a truth there."""
    return value is True or (isinstance(value, str) and value.lower() == "true")


Flag = Annotated[bool, BeforeValidator(_yes)]


class BuyerRequestedCancel(Model):
    """Whether the buyer asks to cancel a line."""

    asked: Flag = Field(default=False, alias="IsBuyerRequestedCancel")
    reason: Text = Field(default="", alias="BuyerCancelReason")


class Customized(Model):
    """What the buyer had made of it, behind an address (Amazon Custom)."""

    url: Text = Field(default="", alias="CustomizedURL")


class ItemBuyerInfo(Model):
    """What the buyer wished for a line."""

    gift_wrap_price: Money | None = Field(default=None, alias="GiftWrapPrice")
    gift_wrap_tax: Money | None = Field(default=None, alias="GiftWrapTax")
    gift_message: Text = Field(default="", alias="GiftMessageText")
    gift_wrapping: Text = Field(default="", alias="GiftWrapLevel")
    customized: Customized | None = Field(default=None, alias="BuyerCustomizedInfo")


class TaxCollection(Model):
    """Who collects a line's tax."""

    model: Name = Field(default="", alias="Model")


class OrderItem(Model):
    """A line: so many units of a product."""

    line_id: Id = Field(alias="OrderItemId")
    asin: Name = Field(default="", alias="ASIN")
    sku: Name = Field(default="", alias="SellerSKU")
    title: Text = Field(default="", alias="Title")
    quantity: Quantity = Field(alias="QuantityOrdered")
    shipped: Quantity | None = Field(default=None, alias="QuantityShipped")
    price: Money | None = Field(default=None, alias="ItemPrice")
    shipping: Money | None = Field(default=None, alias="ShippingPrice")
    cod_fee: Money | None = Field(default=None, alias="CODFee")
    promotion: Money | None = Field(default=None, alias="PromotionDiscount")
    shipping_discount: Money | None = Field(default=None, alias="ShippingDiscount")
    cod_discount: Money | None = Field(default=None, alias="CODFeeDiscount")
    price_tax: Money | None = Field(default=None, alias="ItemTax")
    shipping_tax: Money | None = Field(default=None, alias="ShippingTax")
    promotion_tax: Money | None = Field(default=None, alias="PromotionDiscountTax")
    shipping_discount_tax: Money | None = Field(default=None, alias="ShippingDiscountTax")
    tax_collection: TaxCollection | None = Field(default=None, alias="TaxCollection")
    buyer: ItemBuyerInfo | None = Field(default=None, alias="BuyerInfo")
    ioss: Name = Field(default="", alias="IossNumber")
    cancel: BuyerRequestedCancel | None = Field(default=None, alias="BuyerRequestedCancel")


class PostalAddress(Model):
    """Where it goes."""

    name: Name = Field(default="", alias="Name")
    company: Name = Field(default="", alias="CompanyName")
    line1: Name = Field(default="", alias="AddressLine1")
    line2: Name = Field(default="", alias="AddressLine2")
    line3: Name = Field(default="", alias="AddressLine3")
    city: Name = Field(default="", alias="City")
    region: Name = Field(default="", alias="StateOrRegion")
    postal_code: Name = Field(default="", alias="PostalCode")
    country: Name = Field(default="", alias="CountryCode")
    phone: Name = Field(default="", alias="Phone")


class DeliveryPreferences(Model):
    """What the customer wrote about the delivery."""

    drop_off: Text = Field(default="", alias="DropOffLocation")
    instruction: Text = Field(default="", alias="AddressInstructions")


class OrderAddress(Model):
    """The answer about an order's address."""

    address: PostalAddress | None = Field(default=None, alias="ShippingAddress")
    preferences: DeliveryPreferences | None = Field(default=None, alias="DeliveryPreferences")


class BuyerInfo(Model):
    """Who bought it."""

    name: Name = Field(default="", alias="BuyerName")
    email: Name = Field(default="", alias="BuyerEmail")
    purchase_order: Text = Field(default="", alias="PurchaseOrderNumber")


class Order(Model):
    """The order without its lines, as of `LastUpdateDate`."""

    order_id: Id = Field(alias="AmazonOrderId")
    placed_at: Time = Field(alias="PurchaseDate")
    updated_at: Time = Field(alias="LastUpdateDate")
    status: Literal[
        "Pending",
        "Unshipped",
        "PartiallyShipped",
        "Shipped",
        "Canceled",
        "Unfulfillable",
        "InvoiceUnconfirmed",
        "PendingAvailability",
    ] = Field(alias="OrderStatus")
    fulfilled_by: Literal["MFN", "AFN"] = Field(alias="FulfillmentChannel")
    marketplace_id: Name = Field(default="", alias="MarketplaceId")
    total: Money | None = Field(default=None, alias="OrderTotal")
    payment_method: Name = Field(default="", alias="PaymentMethod")
    service_level: Name = Field(default="", alias="ShipmentServiceLevelCategory")
    ship_by: Time | None = Field(default=None, alias="LatestShipDate")
    deliver_by: Time | None = Field(default=None, alias="LatestDeliveryDate")
    replaces: Name = Field(default="", alias="ReplacedOrderId")
    picked_up: Flag = Field(default=False, alias="IsISPU")
    address: PostalAddress | None = Field(default=None, alias="ShippingAddress")
    buyer: BuyerInfo | None = Field(default=None, alias="BuyerInfo")


class Body(Model):
    """What a fetch put into the envelope."""

    order: Order
    items: Annotated[list[OrderItem], OrNothing]
    address: OrderAddress | None = None
