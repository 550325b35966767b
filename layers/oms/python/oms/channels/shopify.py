"""Shopify webhooks: their headers, their signature, and the topics we follow.

The signature is the base64 HMAC-SHA256 of the raw body under the app's client secret; after a change of the
secret it may take an hour until the new one signs (shopify.dev, "Verify webhook deliveries"). Topic and ids
are headers outside the signature, so nothing is decided by them alone: a followed topic carries the whole
order, and the order says what it is.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import re
from collections.abc import Mapping, Sequence

from oms.channels import envelopes
from oms.domain.errors import InvalidMessage
from oms.domain.incoming import Envelope, IncomingOrder

MAX_BODY_BYTES = 1_500_000

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
TOPICS = frozenset({"orders/create", "orders/updated", "orders/cancelled", "orders/paid"})
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
    """The topic and the id of the delivery; empty where Shopify sent none."""
    return headers.get(_TOPIC, ""), headers.get(_WEBHOOK_ID) or headers.get(_EVENT_ID, "")


def parse(envelope: Envelope) -> IncomingOrder | None:
    """The order in the message, or None for a topic we do not follow.

    Raises InvalidMessage (NOT_UTF8, MALFORMED_JSON, MISSING_FIELD, INVALID_FIELD, TOO_LARGE) or InvalidOrder
    (QUANTITY_NOT_POSITIVE, NEGATIVE_PRICE, TOO_MANY_LINES, DUPLICATE_LINE), with the path of the field.
    """
    if not _TOPIC_FORM.fullmatch(envelope.topic):
        reason = "INVALID_FIELD" if envelope.topic else "MISSING_FIELD"
        raise InvalidMessage("a message names its topic, like orders/create", field=_TOPIC, reason=reason)
    if envelope.topic not in TOPICS:
        return None
    # only here, so that verifying a webhook does not load pydantic
    from oms.channels import shopify_models, shopify_orders

    order = shopify_models.read(_text(envelope))
    return shopify_orders.incoming_order(order, channel=envelope.channel, account=envelope.account)


def _text(envelope: Envelope) -> str:
    body = envelopes.body_bytes(envelope)
    if len(body) > MAX_BODY_BYTES:
        message = f"more than {MAX_BODY_BYTES} bytes"
        raise InvalidMessage(message, field="body", reason="TOO_LARGE")
    try:
        return body.decode("utf-8")
    except UnicodeDecodeError:
        # no cause: it would carry the body into logs
        raise InvalidMessage("the body is not UTF-8", field="body", reason="NOT_UTF8") from None
