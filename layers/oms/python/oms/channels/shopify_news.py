"""Shopify messages that bring no order: an order changed, or a person's wish about the data we hold.

Topics are not signed, bodies are. So the body must be of the kind that its topic names: a request to forget one
customer, sent again under another topic, must not make us forget the whole shop.
"""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from oms.channels.message_fields import Model, Name, OrNothing, read
from oms.channels.shopify_models import Identified, ShopifyOrder
from oms.channels.shopify_orders import order_id
from oms.domain.channel_messages import OrderNews, PrivacyKind, PrivacyRequest
from oms.domain.errors import InvalidMessage
from oms.domain.incoming import Envelope

MAX_ORDERS = 10_000
"""So many orders of one customer, and no more, are named in a request about them."""

SHOP = "shop"
"""The option that holds a shop's name, by which a request says whose it is."""

ALWAYS_THERE = frozenset(
    {
        "created_at",
        "currency",
        "financial_status",
        "line_items",
        "shipping_lines",
        "taxes_included",
        "total_discounts",
        "total_price",
        "total_tax",
        "updated_at",
    }
)
"""What a whole order has, be it null. A webhook may be registered with some fields only ("Modify payloads")."""


Id = Annotated[int, Field(strict=True, gt=0, lt=10**30)]
Ids = Annotated[list[Id], OrNothing, Field(max_length=MAX_ORDERS)]


class OfAnOrder(Model):
    """A fulfillment or a refund."""

    order_id: Id


class Edited(Model):
    """What changed in an order, without what it is now."""

    order_edit: OfAnOrder


class Deleted(Model):
    """All that is said of an order which somebody deleted."""

    id: Id


class DataRequestNumber(Model):
    """Under which number Shopify keeps the request."""

    id: Id


class DataRequest(Model):
    """A customer asks for a copy."""

    shop_id: Id
    shop_domain: Name = ""
    orders_requested: Ids
    data_request: DataRequestNumber


class CustomerRedaction(Model):
    """A customer's data is to be deleted."""

    shop_id: Id
    shop_domain: Name = ""
    orders_to_redact: Ids


class ShopRedaction(Model):
    """The shop left: all its data is to be deleted. A body that names a customer or orders is about them alone."""

    shop_id: Id
    shop_domain: Annotated[str, Field(min_length=1, max_length=255)]
    customer: None = None
    orders_requested: None = None
    orders_to_redact: None = None


def misses_a_part(error: InvalidMessage) -> bool:
    """Whether an order could not be read because something of the order itself, not of its lines, was left out."""
    return error.reason == "MISSING_FIELD" and error.field in ALWAYS_THERE


def is_part(order: ShopifyOrder) -> bool:
    """Whether an order was sent without something that every whole order has."""
    return not order.model_fields_set >= ALWAYS_THERE


def partial_news(order: Identified) -> OrderNews:
    """That an order changed of which a part was sent. Raises InvalidMessage where it does not say which."""
    return OrderNews(channel_order_id=order_id(order))


def order_news(text: str, *, is_edit: bool) -> OrderNews:
    """Which order changed. Raises InvalidMessage where the body does not say."""
    order = read(Edited, text).order_edit if is_edit else read(OfAnOrder, text)
    return OrderNews(channel_order_id=str(order.order_id))


def deletion_news(text: str) -> OrderNews:
    """Which order was deleted. Raises InvalidMessage where the body does not say."""
    return OrderNews(channel_order_id=str(read(Deleted, text).id))


def privacy_request(text: str, kind: PrivacyKind, envelope: Envelope) -> PrivacyRequest:
    """The wish in a message of Shopify's mandatory compliance topics ("Privacy law compliance", shopify.dev). All of an
    app's go to one address, whichever of its shops they are about.

    Raises InvalidMessage for a body of another kind.
    """
    request_id, orders = envelope.message_id, list[int]()
    asked: DataRequest | CustomerRedaction | ShopRedaction
    if kind is PrivacyKind.DATA_REQUEST:
        asked = read(DataRequest, text)
        request_id, orders = str(asked.data_request.id), asked.orders_requested
    elif kind is PrivacyKind.REDACT_CUSTOMER:
        asked = read(CustomerRedaction, text)
        orders = asked.orders_to_redact
    else:
        asked = read(ShopRedaction, text)
    return PrivacyRequest(
        kind=kind,
        channel=envelope.channel,
        account=envelope.account,
        request_id=request_id,
        channel_order_ids=tuple(dict.fromkeys(str(number) for number in orders)),
        about={SHOP: asked.shop_domain.lower()} if asked.shop_domain else {},
    )
