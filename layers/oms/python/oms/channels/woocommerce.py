"""WooCommerce: webhooks of a shop, its REST API v3, and what it is told.

The signature is the base64 HMAC-SHA256 of the raw body under the webhook's secret (WooCommerce REST API docs,
"Webhooks"). Topic and ids are headers outside the signature, so nothing is decided by them alone: what is followed
carries the whole order, or leads to fetching it.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import re
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from oms.channels import envelopes
from oms.channels.woocommerce_api import fetch, pull
from oms.channels.woocommerce_notices import confirm_cancellation, confirm_shipment
from oms.channels.woocommerce_stock import MAX_PUBLISHED, listed, publish
from oms.domain.errors import InvalidMessage

if TYPE_CHECKING:
    from oms.domain.channel_messages import Parsed
    from oms.domain.incoming import Envelope

__all__ = [
    "HEADERS",
    "MAX_PUBLISHED",
    "SIGNATURE_HEADERS",
    "confirm_cancellation",
    "confirm_shipment",
    "describe",
    "fetch",
    "is_ping",
    "listed",
    "parse",
    "publish",
    "pull",
    "sign",
    "verify",
]

_SIGNATURE, _TOPIC = "x-wc-webhook-signature", "x-wc-webhook-topic"
_DELIVERY_ID = "x-wc-webhook-delivery-id"
SIGNATURE_HEADERS = frozenset({_SIGNATURE})
HEADERS = frozenset(
    {
        _TOPIC,
        _DELIVERY_ID,
        "x-wc-webhook-source",
        "x-wc-webhook-resource",
        "x-wc-webhook-event",
        "x-wc-webhook-id",
    }
)
DELETED = "order.deleted"
TOPICS = frozenset({"order.created", "order.updated", "order.restored", DELETED})
_TOPIC_FORM = re.compile(r"[a-z_]{1,60}\.[A-Za-z0-9_.-]{1,120}")
_PING = re.compile(rb"webhook_id=[0-9]{1,20}")


def sign(body: bytes, secret: str) -> str:
    """What WooCommerce puts into `X-WC-Webhook-Signature` for this body."""
    digest = hmac.new(secret.encode(), body, hashlib.sha256).digest()
    return base64.b64encode(digest).decode()


def verify(headers: Mapping[str, str], body: bytes, secrets: Sequence[str]) -> bool:
    """Whether one of the secrets signed these bytes; every secret is tried, in constant time."""
    given = headers.get(_SIGNATURE, "").encode(errors="surrogatepass")
    equal = [hmac.compare_digest(sign(body, secret).encode(), given) for secret in secrets if secret]
    return any(equal)


def is_ping(headers: Mapping[str, str], body: bytes) -> bool:
    """Whether this is the first call of a new webhook: a form that holds its id, with no signature and no topic.

    WooCommerce activates the webhook only once that was answered 200 (WC_Webhook::deliver_ping).
    """
    return _SIGNATURE not in headers and _TOPIC not in headers and bool(_PING.fullmatch(body))


def describe(headers: Mapping[str, str]) -> tuple[str, str]:
    """The topic and the id of the delivery; empty where WooCommerce sent none."""
    return headers.get(_TOPIC, ""), headers.get(_DELIVERY_ID, "")


def parse(envelope: Envelope) -> Parsed | None:
    """The order in the message, news of one that must be fetched, or None for what we do not follow: other topics,
    and drafts of carts that nobody ordered yet.

    Raises InvalidMessage (NOT_UTF8, MALFORMED_JSON, MISSING_FIELD, INVALID_FIELD, TOO_LARGE) or InvalidOrder
    (NEGATIVE_PRICE, TOO_MANY_LINES, DUPLICATE_LINE), with the path of the field.
    """
    if envelope.topic != envelopes.FETCHED:
        if not _TOPIC_FORM.fullmatch(envelope.topic):
            reason = "INVALID_FIELD" if envelope.topic else "MISSING_FIELD"
            raise InvalidMessage("a message names its topic, like order.created", field=_TOPIC, reason=reason)
        if envelope.topic not in TOPICS:
            return None
    # only here, so that verifying a webhook does not load pydantic
    from oms.channels import message_fields, woocommerce_models, woocommerce_orders

    text = message_fields.text_of(envelope)
    if envelope.topic == DELETED:
        return woocommerce_orders.news(message_fields.read(woocommerce_models.Deleted, text))
    if envelope.topic == envelopes.FETCHED:
        fetched = message_fields.read(woocommerce_models.Fetched, text)
    else:
        order = message_fields.read(woocommerce_models.WooOrder, text)
        if woocommerce_orders.says_too_little(order):
            return woocommerce_orders.news(order)
        fetched = woocommerce_models.Fetched(order=order)
    return woocommerce_orders.incoming_order(fetched, channel=envelope.channel, account=envelope.account)
