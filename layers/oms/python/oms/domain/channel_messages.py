"""What is said between a channel and us, in our words, beside orders: what it asks, what it lists, what it is told."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum

from oms.domain.incoming import IncomingOrder


@dataclass(frozen=True, slots=True, kw_only=True)
class OrderNews:
    """A message that tells too little: this order changed, what it is now must be fetched."""

    channel_order_id: str


class PrivacyKind(StrEnum):
    """What a channel may ask about people's data: a copy of one's, one's deletion, everyone's deletion."""

    DATA_REQUEST = "DATA_REQUEST"
    REDACT_CUSTOMER = "REDACT_CUSTOMER"
    REDACT_ACCOUNT = "REDACT_ACCOUNT"


@dataclass(frozen=True, slots=True, kw_only=True)
class PrivacyRequest:
    """A person's wish about the data we hold, as the channel passed it on. `channel_order_ids` are the orders that it
    names; none where it is about the whole account. `about`: which options an account has that it is about, as far as
    it says so."""

    kind: PrivacyKind
    channel: str
    account: str
    request_id: str
    channel_order_ids: tuple[str, ...] = ()
    about: dict[str, str] = field(default_factory=dict)


Parsed = IncomingOrder | OrderNews | PrivacyRequest
"""What a message of a channel can mean."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Window:
    """Orders that changed from `since` on and before `until`."""

    since: datetime
    until: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class PulledOrder:
    """An order as the channel lists it. `body` is the whole of it as JSON, None where it must be fetched first."""

    channel_order_id: str
    updated_at: datetime
    body: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class PulledPage:
    """One page of a window. `next_token` asks for the next one; None on the last."""

    orders: tuple[PulledOrder, ...]
    next_token: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class NoticeLine:
    """Units of an order line, by the channel's own id of the line. `so_far`: these and those of earlier news of the
    kind, whoever it came from."""

    line_id: str
    sku: str
    quantity: int
    so_far: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class AcknowledgementNotice:
    """An order that we have. `message_id` is the same each time it is told."""

    message_id: str
    order_id: str
    channel_order_id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ShipmentNotice:
    """A parcel that left. `message_id` is the same each time it is told; `completes`: nothing is left to ship.

    `told_before`: the units of these lines that earlier parcels of the order hold under the same tracking number, or
    without one as this; by them, parcels that nothing else tells apart are told apart.
    """

    message_id: str
    order_id: str
    channel_order_id: str
    shipment_id: str
    carrier: str
    service: str
    tracking_number: str
    shipped_at: datetime
    location_id: str
    lines: tuple[NoticeLine, ...]
    completes: bool
    told_before: tuple[NoticeLine, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class CancellationNotice:
    """Units that will not ship. `whole`: nothing of the order will; `completes`: all that will ship has shipped.
    `reason` is ours: NO_STOCK, BUYER_REQUEST, …"""

    message_id: str
    order_id: str
    channel_order_id: str
    reason: str
    cancelled_at: datetime
    lines: tuple[NoticeLine, ...]
    whole: bool
    completes: bool = False


OrderNotice = AcknowledgementNotice | ShipmentNotice | CancellationNotice
"""What a channel can be told of an order."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ListedPage:
    """One page of what the channel believes may be sold: units by the channel's own sku."""

    quantities: dict[str, int] = field(default_factory=dict)
    next_token: str | None = None
