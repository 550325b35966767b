"""Requests of the API that say something once: who said it, and by which key."""

from __future__ import annotations

from dataclasses import dataclass

from oms.domain.ids import short_hash

REQUEST_KEY, REQUEST_CONTENT = "api_request_key", "api_request_content"
"""Where an order remembers, in `external_ids`, the request that made it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ApiRequest:
    """Who asks, the key he chose, and a keyed hash of all he said: it tells repeats from mistakes."""

    client_id: str
    key: str
    content_hash: str

    def marks(self) -> dict[str, str]:
        """What the order remembers of it; nothing personal can be read back."""
        return {REQUEST_KEY: short_hash(self.client_id, self.key), REQUEST_CONTENT: self.content_hash}
