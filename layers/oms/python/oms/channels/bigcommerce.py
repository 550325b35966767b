"""BigCommerce: thin callbacks of a store, its APIs v2 and v3, and what it is told.

Callbacks are not signed: BigCommerce sends back, with each, the headers that were registered with the webhook
(BigCommerce docs, "Webhooks overview"). We register one, whose value is the account's secret. It proves who calls and
nothing about the body, so the body only ever leads to fetching an order of the account it came to.
"""

from __future__ import annotations

import hmac
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from oms.channels import envelopes
from oms.channels.bigcommerce_api import fetch, pull
from oms.channels.bigcommerce_notices import confirm_cancellation, confirm_shipment
from oms.channels.bigcommerce_stock import MAX_PUBLISHED, listed, publish

if TYPE_CHECKING:
    from oms.domain.channel_messages import Parsed
    from oms.domain.incoming import Envelope

__all__ = [
    "HEADERS",
    "MAX_PUBLISHED",
    "SECRET_HEADER",
    "SIGNATURE_HEADERS",
    "confirm_cancellation",
    "confirm_shipment",
    "describe",
    "fetch",
    "listed",
    "parse",
    "publish",
    "pull",
    "verify",
]

SECRET_HEADER = "x-oms-webhook-secret"  # noqa: S105 - the name of a header
SIGNATURE_HEADERS = frozenset({SECRET_HEADER})
HEADERS: frozenset[str] = frozenset()


def verify(headers: Mapping[str, str], _body: bytes, secrets: Sequence[str]) -> bool:
    """Whether the registered header holds one of the secrets; every secret is tried, in constant time."""
    given = headers.get(SECRET_HEADER, "").encode(errors="surrogatepass")
    equal = [hmac.compare_digest(secret.encode(), given) for secret in secrets if secret]
    return any(equal)


def describe(_headers: Mapping[str, str]) -> tuple[str, str]:
    """Nothing: topic and id are in the body (`scope`, `hash`). A body is known by its digest, as it is by `hash`."""
    return "", ""


def parse(envelope: Envelope) -> Parsed | None:
    """News of an order that must be fetched, the order as it was fetched, or None for what we do not follow.

    Raises InvalidMessage (NOT_UTF8, MALFORMED_JSON, MISSING_FIELD, INVALID_FIELD, TOO_LARGE) or InvalidOrder
    (TOO_MANY_LINES, DUPLICATE_LINE, NEGATIVE_PRICE, SEVERAL_DESTINATIONS), with the path of the field.
    """
    # only here, so that verifying a webhook does not load pydantic
    from oms.channels import bigcommerce_models, bigcommerce_orders, message_fields

    text = message_fields.text_of(envelope)
    if envelope.topic != envelopes.FETCHED:
        return bigcommerce_orders.news(message_fields.read(bigcommerce_models.Callback, text))
    order = message_fields.read(bigcommerce_models.BigOrder, text)
    return bigcommerce_orders.incoming_order(order, channel=envelope.channel, account=envelope.account)
