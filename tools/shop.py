"""A storefront for the demonstration and the tests: the messages of events/ with fresh ids, signed and sent.

A sample is an API Gateway event whose body is the storefront's order. `Shop.message` gives it an identity of
its own (order id, number, times, buyer), so that every run makes new orders, and signs the new body.
"""

from __future__ import annotations

import itertools
import json
import time
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

from oms.domain import ids
from tools import signing, web

if TYPE_CHECKING:
    from collections.abc import Iterator

SAMPLES = Path(__file__).resolve().parent.parent / "events" / "webhook_storefront"
BUYERS = Path(__file__).resolve().parent / "seed_data" / "buyers.json"
SIGNATURE_HEADER = "x-shopify-hmac-sha256"
SENT_HEADERS = ("content-type", "user-agent")


@dataclass(frozen=True, slots=True)
class Identity:
    """Which order a message is about: kept when several messages tell of the same order."""

    channel_order_id: int
    placed_at: datetime
    buyer: dict[str, Any]

    @property
    def number(self) -> int:
        """The number people quote, as in `#795363201`."""
        return self.channel_order_id % 10**9


@dataclass(frozen=True, slots=True)
class Message:
    """One signed webhook, ready to send any number of times."""

    body: bytes
    headers: dict[str, str]

    def forged(self) -> Message:
        """The same message signed by somebody who does not know the secret."""
        headers = {**self.headers, SIGNATURE_HEADER: signing.shopify_signature("not-the-secret", self.body)}
        return replace(self, headers=headers)


def sample(case: str) -> dict[str, Any]:
    """The API Gateway event of events/webhook_storefront/<case>.json. Raises FileNotFoundError."""
    event: dict[str, Any] = json.loads((SAMPLES / f"{case}.json").read_text())
    return event


@dataclass
class Shop:
    """One account of one channel, sending to `base_url`."""

    base_url: str
    account: str
    secret: str
    channel: str = "shopify"
    _numbers: Iterator[int] = field(default_factory=lambda: itertools.count(int(time.time() * 1000)))
    _buyers: Iterator[dict[str, Any]] = field(default_factory=lambda: itertools.cycle(json.loads(BUYERS.read_text())))

    def new_identity(self) -> Identity:
        """An order that nobody has heard of, for the next buyer."""
        return Identity(next(self._numbers), datetime.now(UTC), next(self._buyers))

    def order_id(self, identity: Identity) -> str:
        """Our id of the order."""
        return ids.order_id(self.channel, self.account, str(identity.channel_order_id))

    def message(self, case: str, identity: Identity, *, seconds_later: float = 0) -> Message:
        """The sample as a message about this order, said `seconds_later` than placed (may be negative)."""
        event = sample(case)
        order = json.loads(event["body"])
        said_at = identity.placed_at + timedelta(seconds=seconds_later)
        body = json.dumps(_as_told(order, identity, said_at), separators=(",", ":")).encode()
        topic = event["headers"]["x-shopify-topic"]
        return Message(body, self._headers(event["headers"], topic, identity, said_at, body))

    def send(self, message: Message) -> web.Answer:
        """Posts the webhook once."""
        url = f"{self.base_url}/webhooks/{self.channel}/{self.account}"
        return web.send("POST", url, message.headers, message.body)

    def _headers(
        self, given: dict[str, str], topic: str, identity: Identity, said_at: datetime, body: bytes
    ) -> dict[str, str]:
        told = f"{identity.channel_order_id}-{topic.replace('/', '-')}-{said_at.timestamp():.3f}"
        return {
            **{name: given[name] for name in SENT_HEADERS},
            "x-shopify-topic": topic,
            "x-shopify-shop-domain": f"{self.account}.myshopify.com",
            "x-shopify-api-version": given["x-shopify-api-version"],
            "x-shopify-webhook-id": told,
            "x-shopify-event-id": f"event-{told}",
            "x-shopify-triggered-at": said_at.isoformat(),
            SIGNATURE_HEADER: signing.shopify_signature(self.secret, body),
        }


def _as_told(order: dict[str, Any], identity: Identity, said_at: datetime) -> dict[str, Any]:
    """The sample's order with the identity's ids, times and buyer; goods and money stay."""
    number, placed = identity.channel_order_id, identity.placed_at.isoformat(timespec="milliseconds")
    said = said_at.isoformat(timespec="milliseconds")
    lines = [{**line, "id": number * 10 + place} for place, line in enumerate(order["line_items"], start=1)]
    told = {
        **order,
        "id": number,
        "admin_graphql_api_id": f"gid://shopify/Order/{number}",
        "name": f"#{identity.number}",
        "number": identity.number,
        "order_number": identity.number,
        "created_at": placed,
        "processed_at": placed,
        "updated_at": said,
        "line_items": [{**line, "admin_graphql_api_id": f"gid://shopify/LineItem/{line['id']}"} for line in lines],
        **_bought_by(order["customer"], identity.buyer),
    }
    if order["cancelled_at"] is not None:
        told["cancelled_at"] = said
    return told


def _bought_by(customer: dict[str, Any], buyer: dict[str, Any]) -> dict[str, Any]:
    address = {**buyer["address"], "name": f"{buyer['first_name']} {buyer['last_name']}"}
    address |= {"first_name": buyer["first_name"], "last_name": buyer["last_name"], "company": None}
    person = {name: buyer[name] for name in ("id", "first_name", "last_name", "email", "phone")}
    return {
        "email": buyer["email"],
        "contact_email": buyer["email"],
        "customer": {**customer, **person},
        "shipping_address": address,
        "billing_address": address,
    }
