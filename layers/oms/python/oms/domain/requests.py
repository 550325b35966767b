"""Requests of the API that say something once: who said it, by which key, and what can be wrong with a repeat."""

from __future__ import annotations

from dataclasses import dataclass

from oms.domain.errors import InvalidMessage, Permanent
from oms.domain.ids import short_hash

REQUEST_KEY, REQUEST_CONTENT = "api_request_key", "api_request_content"
"""Where an order remembers, in `external_ids`, the request that made it."""


class OrderExists(Permanent):
    """Another request has placed this order already; `details["order_id"]` names it."""


class RequestInProgress(Permanent):
    """The same request is being worked on right now; ask again in a moment."""


class KeyReused(InvalidMessage):
    """The Idempotency-Key stands for another content already."""

    def __init__(self) -> None:
        message = "this key was used for another content: choose a new one"
        super().__init__(message, field="Idempotency-Key", reason="KEY_REUSED")


@dataclass(frozen=True, slots=True, kw_only=True)
class ApiRequest:
    """Who asks, the key he chose, and a keyed hash of all he said: it tells repeats from mistakes."""

    client_id: str
    key: str
    content_hash: str

    def marks(self) -> dict[str, str]:
        """What the order remembers of it; nothing personal can be read back."""
        return {REQUEST_KEY: short_hash(self.client_id, self.key), REQUEST_CONTENT: self.content_hash}
