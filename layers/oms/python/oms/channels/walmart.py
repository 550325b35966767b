"""Walmart Marketplace (US): orders are pulled and acknowledged; parcels, cancellations and stock figures are told.

An order here is Walmart's purchase order, the part of a customer's order that this seller fulfils. Walmart sends us no
webhooks that we follow: everything is pulled by the time of its last change.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from oms.channels.walmart_api import fetch, pull
from oms.channels.walmart_notices import acknowledge, confirm_cancellation, confirm_shipment
from oms.channels.walmart_stock import MAX_PUBLISHED, listed, publish

if TYPE_CHECKING:
    from oms.domain.incoming import Envelope, IncomingOrder

__all__ = (
    "MAX_PUBLISHED",
    "acknowledge",
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
    """The order in the message; None for one that Walmart or its partners ship.

    Raises InvalidMessage (NOT_UTF8, MALFORMED_JSON, MISSING_FIELD, INVALID_FIELD, TOO_LARGE, UNKNOWN_SHIP_NODE) or
    InvalidOrder (QUANTITY_NOT_POSITIVE, NEGATIVE_PRICE, TOO_MANY_LINES, DUPLICATE_LINE, MIXED_CURRENCIES), with the
    path of the field.
    """
    # only here, so that asking and telling Walmart does not load pydantic
    from oms.channels import message_fields, walmart_models, walmart_orders

    order = message_fields.read(walmart_models.WalmartOrder, message_fields.text_of(envelope))
    return walmart_orders.incoming_order(order, channel=envelope.channel, account=envelope.account)
