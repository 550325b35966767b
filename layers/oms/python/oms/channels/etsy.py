"""Etsy (Open API v3): orders, there called receipts, are pulled; parcels and stock figures are told.

Etsy knows no sku by itself, only the products of a listing, so a sku is called `<listing id>:<sku>` here: in orders, in
`listings`, and when stock is told. The part after the colon is empty where the seller gave no sku.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from oms.channels.etsy_api import fetch, pull
from oms.channels.etsy_notices import confirm_cancellation, confirm_shipment
from oms.channels.etsy_stock import MAX_PUBLISHED, MAX_QUANTITY, listed, publish

if TYPE_CHECKING:
    from oms.domain.incoming import Envelope, IncomingOrder

__all__ = (
    "MAX_PUBLISHED",
    "MAX_QUANTITY",
    "confirm_cancellation",
    "confirm_shipment",
    "fetch",
    "listed",
    "parse",
    "publish",
    "pull",
)

LAG_SECONDS = 60
"""A window must be over by the channel's clock as well, so that while it is read orders can leave it but not enter."""


def parse(envelope: Envelope) -> IncomingOrder | None:
    """The order in the message.

    Raises InvalidMessage (NOT_UTF8, MALFORMED_JSON, MISSING_FIELD, INVALID_FIELD, TOO_LARGE) or InvalidOrder
    (QUANTITY_NOT_POSITIVE, NEGATIVE_PRICE, TOO_MANY_LINES, DUPLICATE_LINE), with the path of the field.
    """
    # only here, so that asking and telling Etsy does not load pydantic
    from oms.channels import etsy_models, etsy_orders, message_fields

    receipt = message_fields.read(etsy_models.Receipt, message_fields.text_of(envelope))
    return etsy_orders.incoming_order(receipt, channel=envelope.channel, account=envelope.account)
