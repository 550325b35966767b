"""Signing as the outside world does it: the storefront, the carrier's tracking service, the warehouses.

Written apart from the handlers' own verification, so that the two check each other.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import unicodedata
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

STANDARD_WEBHOOKS_PREFIX = "whsec_"
TOLERANCE_SECONDS = 300


def shopify_signature(secret: str, body: bytes) -> str:
    """`X-Shopify-Hmac-Sha256`: base64 of HMAC-SHA256 over the raw body, keyed with the app's secret."""
    return base64.b64encode(hmac.digest(secret.encode(), body, hashlib.sha256)).decode()


def easypost_signature(secret: str, body: bytes) -> str:
    """`X-Hmac-Signature`: hex of HMAC-SHA256 over the raw body, keyed with the NFKD-normalised secret."""
    key = unicodedata.normalize("NFKD", secret).encode()
    return "hmac-sha256-hex=" + hmac.digest(key, body, hashlib.sha256).hex()


@dataclass(frozen=True, slots=True)
class StandardWebhook:
    """The signed part of a message in the Standard Webhooks format."""

    message_id: str
    timestamp: int
    body: bytes

    def signature(self, secret: str) -> str:
        """`v1,<base64>`: HMAC-SHA256 over `id.timestamp.body`, keyed with the decoded part after `whsec_`."""
        key = base64.b64decode(secret.removeprefix(STANDARD_WEBHOOKS_PREFIX))
        signed = f"{self.message_id}.{self.timestamp}.".encode() + self.body
        return "v1," + base64.b64encode(hmac.digest(key, signed, hashlib.sha256)).decode()

    def headers(self, secret: str) -> dict[str, str]:
        """The three headers of the format and the content type."""
        return {
            "content-type": "application/json",
            "webhook-id": self.message_id,
            "webhook-timestamp": str(self.timestamp),
            "webhook-signature": self.signature(secret),
        }


def is_genuine(headers: Mapping[str, str], body: bytes, secret: str, now: float) -> bool:
    """Whether a received message carries a fresh Standard Webhooks signature; header names in lower case."""
    timestamp = headers.get("webhook-timestamp", "")
    if not timestamp.isascii() or not timestamp.isdigit():
        return False
    if abs(now - int(timestamp)) > TOLERANCE_SECONDS:
        return False
    message = StandardWebhook(headers.get("webhook-id", ""), int(timestamp), body)
    expected = message.signature(secret)
    given = headers.get("webhook-signature", "").split(" ")
    return any(hmac.compare_digest(expected.encode(), candidate.encode()) for candidate in given)
