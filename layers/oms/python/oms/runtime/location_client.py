"""Messages to locations, signed the Standard Webhooks way with the location's own secret."""

from __future__ import annotations

from datetime import datetime

from oms.domain.catalog import Location
from oms.runtime.http import HttpClient
from oms.runtime.secrets import Secrets
from oms.runtime.signatures import standard_webhooks_headers


class LocationClient:
    """Posts to a location's `endpoint_url`."""

    def __init__(self, http: HttpClient, secrets: Secrets) -> None:
        self._http = http
        self._secrets = secrets

    def post(self, location: Location, message_id: str, body: bytes, now: datetime) -> None:
        """Sends a message. Raises Unauthorized without a secret for the location, Retryable if it did not arrive."""
        secrets = self._secrets.signing_secrets("warehouses", location.location_id)
        signed = standard_webhooks_headers(secrets, message_id, int(now.timestamp()), body)
        self._http.post(location.endpoint_url, body, {"content-type": "application/json"} | signed)
