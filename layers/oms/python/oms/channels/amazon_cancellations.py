"""Telling Amazon that an order will not ship: `cancelOrder` of Orders 2026-01-01, or a feed of order acknowledgements.

Both cancel whole orders only, of which nothing was shipped; of any other the feed ("Order Feed Type Values",
POST_ORDER_ACKNOWLEDGEMENT_DATA) would give all the money back. It is for accounts that are not offered cancelOrder, and
for reasons that has no code for: Amazon works on it minutes later, and only the next pull tells what came of it. Its
document goes to an address that Amazon names ("Feeds API v2021-06-30").
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING
from urllib.parse import quote
from xml.sax.saxutils import escape

from oms.channels.amazon_orders import CANCELLED, PENDING
from oms.channels.amazon_pull import CURRENT, V0, state
from oms.channels.amazon_signin import RATE_HEADER, call, required_marketplaces, seller_id
from oms.channels.client import ChannelApi, Limit, decimal_json
from oms.domain.errors import ChannelRefused, CredentialsRefused, NotFound, NotSupported, Unavailable

if TYPE_CHECKING:
    from oms.domain.channel_messages import CancellationNotice, NoticeLine

FEED_TYPE = "POST_ORDER_ACKNOWLEDGEMENT_DATA"
CONTENT_TYPE = "text/xml; charset=UTF-8"
DOCUMENT = Limit("feed-document", per_second=0.5, burst=15, rate_header=RATE_HEADER)
CANCEL = Limit("cancel-order", per_second=1, burst=5, rate_header=RATE_HEADER)
FEED = Limit("feed", per_second=0.0083, burst=15, rate_header=RATE_HEADER)
UPLOAD_SECONDS = 20.0

REASONS = {
    "NO_STOCK": "NoInventory",
    "OUT_OF_STOCK": "NoInventory",
    "INVENTORY": "NoInventory",
    "BUYER_REQUEST": "BuyerCanceled",
    "CUSTOMER": "BuyerCanceled",
    "UNDELIVERABLE": "ShippingAddressUndeliverable",
    "PRICING_ERROR": "PricingError",
    "FRAUD": "RiskAssessmentInformationNotValid",
}
"""Amazon's words for our reasons; any other is NoInventory, which does not put the units up for sale again."""

CODES = {
    "NoInventory": "NO_INVENTORY",
    "BuyerCanceled": "BUYER_CANCELLED",
    "ShippingAddressUndeliverable": "SHIPPING_ADDRESS_UNDELIVERABLE",
    "PricingError": "PRICING_ERROR",
}
"""The feed's words as cancelOrder has them."""

NOTHING_SHIPPED = PENDING | {"UNSHIPPED"}


def confirm_cancellation(api: ChannelApi, notice: CancellationNotice) -> None:
    """Cancels the whole order at Amazon; nothing is done where it is cancelled already.

    Raises NotSupported for a part of an order, or one of which something was shipped; else as `call` does.
    """
    if not notice.whole:
        raise NotSupported("Amazon cancels no part of an order: adjust it in Seller Central, Manage Orders")
    now = state(api, notice.channel_order_id)
    if now.status == CANCELLED:
        return
    if now.status not in NOTHING_SHIPPED:
        raise NotSupported("Amazon would refund all of an order that was shipped in part: adjust it in Seller Central")
    if not _cancel_at_once(api, notice):
        _feed(api, notice, now.marketplace_id)


def _cancel_at_once(api: ChannelApi, notice: CancellationNotice) -> bool:
    """By cancelOrder ("cancelOrder", Orders API v2026-01-01); False where it has no code for the reason, or is not
    offered to the account. Raises ChannelRefused unless the order is cancelled by now."""
    code = CODES.get(_word(notice.reason))
    if code is None or api.option("orders_api", CURRENT) == V0:
        return False
    path = f"/orders/2026-01-01/orders/{quote(notice.channel_order_id, safe='')}/cancellation"
    try:
        call(api, "PUT", path, CANCEL, body={"cancelReasonCode": code})
    except (NotFound, CredentialsRefused):
        return False
    except ChannelRefused:
        if state(api, notice.channel_order_id).status != CANCELLED:
            raise
    return True


def _feed(api: ChannelApi, notice: CancellationNotice, marketplace_id: str) -> None:
    seller = seller_id(api)
    markets = [marketplace_id] if marketplace_id else list(required_marketplaces(api))
    document = _upload(api, acknowledgement(seller, notice.channel_order_id, notice.reason, notice.lines))
    body = {"feedType": FEED_TYPE, "marketplaceIds": markets, "inputFeedDocumentId": document}
    call(api, "POST", "/feeds/2021-06-30/feeds", FEED, body=body)


def _word(reason: str) -> str:
    return REASONS.get(reason.upper(), "NoInventory")


def acknowledgement(seller: str, channel_order_id: str, reason: str, lines: Sequence[NoticeLine]) -> bytes:
    """The document that cancels the order, saying why for each of its lines."""
    why = _word(reason)
    items = "".join(
        f"<Item><AmazonOrderItemCode>{escape(line.line_id)}</AmazonOrderItemCode>"
        f"<CancelReason>{why}</CancelReason></Item>"
        for line in lines
    )
    return (
        '<?xml version="1.0" encoding="UTF-8"?>'
        '<AmazonEnvelope xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance"'
        ' xsi:noNamespaceSchemaLocation="amzn-envelope.xsd">'
        f"<Header><DocumentVersion>1.01</DocumentVersion><MerchantIdentifier>{escape(seller)}</MerchantIdentifier>"
        "</Header><MessageType>OrderAcknowledgement</MessageType>"
        "<Message><MessageID>1</MessageID><OrderAcknowledgement>"
        f"<AmazonOrderID>{escape(channel_order_id)}</AmazonOrderID><StatusCode>Failure</StatusCode>{items}"
        "</OrderAcknowledgement></Message></AmazonEnvelope>"
    ).encode()


def _upload(api: ChannelApi, content: bytes) -> str:
    """Puts the document where Amazon wants it; its id."""
    answer = call(api, "POST", "/feeds/2021-06-30/documents", DOCUMENT, body={"contentType": CONTENT_TYPE})
    place = decimal_json(answer)
    document, url = (place.get("feedDocumentId"), place.get("url")) if isinstance(place, dict) else (None, None)
    if not isinstance(document, str) or not isinstance(url, str):
        raise Unavailable("the answer names no place for the document")
    # not by `call`: the address is signed in itself, and is no operation of the account's
    seconds = min(UPLOAD_SECONDS, api.ends_at - api.clock())
    stored = api.http.request("PUT", url, body=content, headers={"content-type": CONTENT_TYPE}, within_seconds=seconds)
    if not 200 <= stored.status < 300:
        raise Unavailable(f"the document's place answered {stored.status}")
    return document
