"""eBay: orders are pulled through the Fulfillment API, stock figures go through the Inventory API.

eBay's own warehouse (fulfilled by eBay) ships its orders itself: they are not ours. What goes abroad through eBay goes
to eBay's hub first: the address is the hub's, its reference stands above it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from oms.channels.ebay_api import fetch, pull
from oms.channels.ebay_notices import confirm_cancellation, confirm_shipment
from oms.channels.ebay_stock import MAX_PUBLISHED, listed, publish

if TYPE_CHECKING:
    from oms.domain.incoming import Envelope, IncomingOrder

__all__ = ("MAX_PUBLISHED", "confirm_cancellation", "confirm_shipment", "fetch", "listed", "parse", "publish", "pull")

LAG_SECONDS = 60
"""A window must be over by the channel's clock as well, so that while it is read orders can leave it but not enter."""


def parse(envelope: Envelope) -> IncomingOrder | None:
    """The order in the message; None for one that eBay ships.

    Raises InvalidMessage (NOT_UTF8, MALFORMED_JSON, MISSING_FIELD, INVALID_FIELD, TOO_LARGE) or InvalidOrder
    (QUANTITY_NOT_POSITIVE, NEGATIVE_PRICE, TOO_MANY_LINES, DUPLICATE_LINE), with the path of the field.
    """
    # only here, so that asking and telling eBay does not load pydantic
    from oms.channels import ebay_models, ebay_orders, message_fields

    order = message_fields.read(ebay_models.EbayOrder, message_fields.text_of(envelope))
    return ebay_orders.incoming_order(order, channel=envelope.channel, account=envelope.account)
