"""Shopify: its webhooks, and by its Admin API what it is asked and told.

The signature is the base64 HMAC-SHA256 of the raw body under the app's client secret; after a change of the
secret it may take an hour until the new one signs (shopify.dev, "Verify webhook deliveries"). Topic and ids
are headers outside the signature, so nothing is decided by them alone: the body must be what its topic names.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import re
from collections.abc import Mapping, Sequence

from oms.channels import envelopes
from oms.channels.shopify_cancelling import confirm_cancellation
from oms.channels.shopify_fulfillments import confirm_shipment
from oms.channels.shopify_reading import fetch, pull
from oms.channels.shopify_stock import MAX_PUBLISHED, listed, publish
from oms.domain.channel_messages import Parsed, PrivacyKind
from oms.domain.errors import InvalidMessage
from oms.domain.incoming import Envelope

__all__ = [
    "HEADERS",
    "MAX_PUBLISHED",
    "SIGNATURE_HEADERS",
    "confirm_cancellation",
    "confirm_shipment",
    "describe",
    "fetch",
    "listed",
    "parse",
    "publish",
    "pull",
    "sign",
    "verify",
]

_SIGNATURE, _TOPIC = "x-shopify-hmac-sha256", "x-shopify-topic"
_WEBHOOK_ID, _EVENT_ID = "x-shopify-webhook-id", "x-shopify-event-id"
SIGNATURE_HEADERS = frozenset({_SIGNATURE})
HEADERS = frozenset(
    {
        _TOPIC,
        _WEBHOOK_ID,
        _EVENT_ID,
        "x-shopify-api-version",
        "x-shopify-shop-domain",
        "x-shopify-test",
        "x-shopify-triggered-at",
    }
)
TOPICS = frozenset(
    {
        "orders/create",
        "orders/updated",
        "orders/cancelled",
        "orders/paid",
        "orders/fulfilled",
        "orders/partially_fulfilled",
    }
)
"""Those that carry the whole order, unless the webhook was registered with some of its fields only."""

EDITED, DELETED = "orders/edited", "orders/delete"
NEWS_TOPICS = frozenset({EDITED, DELETED, "fulfillments/create", "fulfillments/update", "refunds/create"})
"""Those that say only which order changed. One that was deleted is asked for as well: nobody finds it, and a person
looks at what is open here."""

PRIVACY_TOPICS = {
    "customers/data_request": PrivacyKind.DATA_REQUEST,
    "customers/redact": PrivacyKind.REDACT_CUSTOMER,
    "shop/redact": PrivacyKind.REDACT_ACCOUNT,
}
_TOPIC_FORM = re.compile(r"[a-z_]{1,60}/[a-z_]{1,60}")


def sign(body: bytes, secret: str) -> str:
    """What Shopify puts into `X-Shopify-Hmac-Sha256` for this body."""
    digest = hmac.new(secret.encode(), body, hashlib.sha256).digest()
    return base64.b64encode(digest).decode()


def verify(headers: Mapping[str, str], body: bytes, secrets: Sequence[str]) -> bool:
    """Whether one of the secrets signed these bytes; every secret is tried, in constant time."""
    given = headers.get(_SIGNATURE, "").encode()
    equal = [hmac.compare_digest(sign(body, secret).encode(), given) for secret in secrets if secret]
    return any(equal)


def describe(headers: Mapping[str, str]) -> tuple[str, str]:
    """The topic and the id of the delivery; empty where Shopify sent none. No header makes a message one we fetched."""
    topic = headers.get(_TOPIC, "")
    return "" if topic == envelopes.FETCHED else topic, headers.get(_WEBHOOK_ID) or headers.get(_EVENT_ID, "")


def parse(envelope: Envelope) -> Parsed | None:
    """The order in the message, which order changed, a wish about people's data, or None for what we do not follow.

    Raises InvalidMessage (NOT_UTF8, MALFORMED_JSON, MISSING_FIELD, INVALID_FIELD, TOO_LARGE) or InvalidOrder
    (QUANTITY_NOT_POSITIVE, NEGATIVE_PRICE, TOO_MANY_LINES, DUPLICATE_LINE), with the path of the field.
    """
    topic = envelope.topic
    if topic != envelopes.FETCHED and not _TOPIC_FORM.fullmatch(topic):
        reason = "INVALID_FIELD" if topic else "MISSING_FIELD"
        raise InvalidMessage("a message names its topic, like orders/create", field=_TOPIC, reason=reason)
    if topic == envelopes.FETCHED or topic in TOPICS:
        return _order(envelope)
    return _news_or_wish(envelope) if topic in NEWS_TOPICS or topic in PRIVACY_TOPICS else None


# Imports are made only in these, so that verifying a webhook does not load pydantic.


def _news_or_wish(envelope: Envelope) -> Parsed:
    from oms.channels import message_fields, shopify_news

    text = message_fields.text_of(envelope)
    if envelope.topic in PRIVACY_TOPICS:
        return shopify_news.privacy_request(text, PRIVACY_TOPICS[envelope.topic], envelope)
    if envelope.topic == DELETED:
        return shopify_news.deletion_news(text)
    return shopify_news.order_news(text, is_edit=envelope.topic == EDITED)


def _order(envelope: Envelope) -> Parsed:
    from oms.channels import message_fields, shopify_models, shopify_news, shopify_orders

    text, is_answer = message_fields.text_of(envelope), envelope.topic == envelopes.FETCHED
    try:
        order = message_fields.read(shopify_models.ShopifyOrder, text)
    except InvalidMessage as error:
        if is_answer or not shopify_news.misses_a_part(error):
            raise
        return shopify_news.partial_news(message_fields.read(shopify_models.Identified, text))
    if not is_answer and shopify_news.is_part(order):
        return shopify_news.partial_news(order)
    return shopify_orders.incoming_order(order, channel=envelope.channel, account=envelope.account)
