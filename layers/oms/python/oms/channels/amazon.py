"""Amazon, by its Selling Partner API: orders are pulled; shipments, cancellations and stock are told back.

Amazon sends no webhooks. Its notification ORDER_CHANGE, if a queue of ours gets it, says which order to fetch. How an
account is set up: `amazon_signin`.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from oms.channels import amazon_cancellations, amazon_listings, amazon_pull, amazon_shipments, envelopes
from oms.domain.channel_messages import OrderNews
from oms.domain.errors import InvalidMessage

if TYPE_CHECKING:
    from oms.channels.client import ChannelApi
    from oms.domain.channel_messages import (
        CancellationNotice,
        ListedPage,
        Parsed,
        PulledOrder,
        PulledPage,
        ShipmentNotice,
        Window,
    )
    from oms.domain.incoming import Envelope
    from oms.domain.listings import AvailabilityMessage

LAG_SECONDS = amazon_pull.LAG_SECONDS
MAX_PUBLISHED = amazon_listings.MAX_PUBLISHED
ORDER_CHANGE = "ORDER_CHANGE"
_ORDER_ID = re.compile(r"[0-9A-Za-z-]{1,60}")


def parse(envelope: Envelope) -> Parsed | None:
    """The order that was fetched, or the news in a notification; None for an order that Amazon fulfils and for any
    other notification.

    Raises InvalidMessage (TOO_LARGE, NOT_UTF8, MALFORMED_JSON, MISSING_FIELD, INVALID_FIELD) or InvalidOrder
    (TOO_MANY_LINES, DUPLICATE_LINE, QUANTITY_NOT_POSITIVE, NEGATIVE_PRICE, STORE_PICKUP, TOO_LARGE, MISSING_FIELD).
    """
    # only here, so that pulling and telling does not load pydantic
    from oms.channels import message_fields

    text = message_fields.text_of(envelope)
    if envelope.topic != envelopes.FETCHED:
        return _news(text)
    version = _content(text).get("api")
    if version not in (amazon_pull.CURRENT, amazon_pull.V0):
        raise InvalidMessage("no version of an API that we read", field="api", reason="INVALID_FIELD")
    from oms.channels import amazon_models, amazon_models_v0, amazon_orders, amazon_reading, amazon_reading_v0

    if version == amazon_pull.CURRENT:
        sold = amazon_reading.sold(message_fields.read(amazon_models.Body, text).order)
    else:
        sold = amazon_reading_v0.sold(message_fields.read(amazon_models_v0.Body, text))
    return amazon_orders.incoming_order(sold, envelope.channel, envelope.account) if sold else None


def pull(api: ChannelApi, window: Window, token: str | None) -> PulledPage:
    """One page of the seller's own orders that changed within the window; see `amazon_pull.pull`."""
    return amazon_pull.pull(api, window, token)


def fetch(api: ChannelApi, channel_order_id: str) -> PulledOrder:
    """The whole order as it is now. Raises NotFound, Retryable, ChannelRefused."""
    return amazon_pull.fetch(api, channel_order_id)


def confirm_shipment(api: ChannelApi, notice: ShipmentNotice) -> None:
    """Tells of a parcel; see `amazon_shipments.confirm_shipment`."""
    amazon_shipments.confirm_shipment(api, notice)


def confirm_cancellation(api: ChannelApi, notice: CancellationNotice) -> None:
    """Tells of an order that will not ship; see `amazon_cancellations.confirm_cancellation`."""
    amazon_cancellations.confirm_cancellation(api, notice)


def publish(api: ChannelApi, messages: Sequence[AvailabilityMessage]) -> Mapping[str, str]:
    """Tells what may be sold; returns why not, by channel_sku; see `amazon_listings.publish`."""
    return amazon_listings.publish(api, messages)


def listed(api: ChannelApi, token: str | None) -> ListedPage:
    """One page of what Amazon believes may be sold; see `amazon_listings.listed`."""
    return amazon_listings.listed(api, token)


def _news(text: str) -> OrderNews | None:
    """The order that a notification is about ("Notification Type Values", ORDER_CHANGE)."""
    content = _content(text)
    if content.get("NotificationType") != ORDER_CHANGE:
        return None
    payload = content.get("Payload")
    change = payload.get("OrderChangeNotification") if isinstance(payload, dict) else None
    order_id = change.get("AmazonOrderId") if isinstance(change, dict) else None
    if not isinstance(change, dict) or not isinstance(order_id, str) or not _ORDER_ID.fullmatch(order_id):
        field = "Payload.OrderChangeNotification.AmazonOrderId"
        raise InvalidMessage("the notification names no order", field=field, reason="MISSING_FIELD")
    summary = change.get("Summary")
    by_amazon = isinstance(summary, dict) and summary.get("FulfillmentType") == "AFN"
    return None if by_amazon else OrderNews(channel_order_id=order_id)


def _content(text: str) -> dict[str, object]:
    try:
        content = json.loads(text)
    except (ValueError, RecursionError):
        # no cause: it would carry the body into logs
        raise InvalidMessage("the body is no JSON", field="body", reason="MALFORMED_JSON") from None
    if not isinstance(content, dict):
        raise InvalidMessage("the body is no object", field="body", reason="INVALID_FIELD")
    return content
