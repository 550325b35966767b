"""What a channel says, in our words: every channel's `parse` ends here, and one intake path goes on from here."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from oms.domain.order import Method, Payment, ShippingLine, Totals

FETCHED = "fetched"
"""The topic of an order that we asked for: its body is the whole order as the channel's API gives it, as of then."""

REPLAYED = "replayed"
"""Our own header of an order that we asked for, and that lay in quarantine since: no longer the channel's last word."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Envelope:
    """A message as it came in, before anyone looked inside; the same for every door.

    `headers` is the channel's allow-list, names in lower case. `body` is text, or base64 when `is_base64`.
    """

    channel: str
    account: str
    topic: str
    message_id: str
    received_at: datetime
    headers: dict[str, str] = field(default_factory=dict)
    is_base64: bool = False
    body: str = ""


def replayed(message: Mapping[str, Any]) -> dict[str, Any]:
    """A message of a queue as it goes back there from quarantine."""
    if message.get("topic") != FETCHED:
        return dict(message)
    return {**message, "headers": {**message.get("headers", {}), REPLAYED: "true"}}


@dataclass(frozen=True, slots=True, kw_only=True)
class Address:
    """A postal address; parts the channel left out are empty."""

    name: str = ""
    company: str = ""
    address1: str = ""
    address2: str = ""
    city: str = ""
    region: str = ""
    postal_code: str = ""
    country: str = ""
    phone: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Contact:
    """A person's data. It goes to `contacts` and nowhere else.

    `asked_ship_to` is a new address that came when parcels could be on their way: a person was asked about it.
    """

    name: str = ""
    email: str = ""
    phone: str = ""
    ship_to: Address = field(default_factory=Address)
    bill_to: Address = field(default_factory=Address)
    asked_ship_to: Address | None = None
    free_text: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class IncomingLine:
    """One line of the channel's order. `sku` is what the channel calls it, until intake finds it in `listings`; from
    then on `channel_sku` is, where that is another name.

    `current_quantity` is what is left of `quantity` after edits and cancels; `fulfilled_quantity` how much of it has
    left as the channel knows it, by our parcels and by whatever somebody did there; lines with the same `together` mark
    are to ship from one location.
    """

    line_id: str
    sku: str
    channel_sku: str = ""
    title: str = ""
    quantity: int
    current_quantity: int
    fulfilled_quantity: int = 0
    unit_price_minor: int = 0
    discount_minor: int = 0
    tax_minor: int = 0
    requires_shipping: bool = True
    together: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class IncomingOrder:
    """An order as its channel has it now; `cancelled_at` set means the channel cancelled all of it.

    `payments`: the single payments, where the door knows them; without, the total stands under `payment_status`.
    `pickup_location_id`: where the customer chose to collect it; `sold_by` and `sold_at_location_id`: the colleague (an
    id, no name) and the location that sold it, where goods carried out left from; `channel_location`: what the channel
    calls the one place or the other, where it has a name of its own for it. `promised_by`: what the customer was
    told already; `ship_by` and `deliver_by`: what the marketplace demands. `cancel_requested`: why the buyer asks to
    cancel, empty where nobody does; `cancel_requested_lines`: the lines meant, where the buyer wants the others.
    `presentment_*`: the total as the customer paid it, where that was in another currency. `tells_shipped_as_a_whole`:
    the channel calls all of an order shipped at its first parcel.
    """

    channel: str
    account: str
    channel_order_id: str
    order_number: str = ""
    placed_at: datetime
    channel_updated_at: datetime
    cancelled_at: datetime | None = None
    cancel_reason: str = ""
    currency: str
    prices_include_tax: bool = False
    totals: Totals
    lines: tuple[IncomingLine, ...]
    shipping_lines: tuple[ShippingLine, ...] = ()
    payment_status: str = ""
    payments: tuple[Payment, ...] = ()
    customer_id: str | None = None
    service_level: str = "STANDARD"
    method: Method = Method.SHIP
    pickup_location_id: str | None = None
    sold_by: str = ""
    sold_at_location_id: str = ""
    channel_location: str = ""
    promised_by: datetime | None = None
    ship_by: datetime | None = None
    deliver_by: datetime | None = None
    cancel_requested: str = ""
    cancel_requested_lines: tuple[str, ...] = ()
    presentment_currency: str = ""
    presentment_total_minor: int = 0
    tells_shipped_as_a_whole: bool = False
    external_ids: dict[str, str] = field(default_factory=dict)
    contact: Contact = field(default_factory=Contact)


@dataclass(frozen=True, slots=True, kw_only=True)
class FulfillmentReport:
    """What a location reports of a fulfillment. `lines` maps line_id to units; empty means all that is left."""

    message_id: str
    type: str
    occurred_at: datetime
    location_id: str
    fulfillment_id: str
    lines: dict[str, int] = field(default_factory=dict)
    shipment_id: str = ""
    carrier: str = ""
    service: str = ""
    tracking_number: str = ""
    reason_code: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class TrackingUpdate:
    """What a carrier reports of a parcel, in our words; `carrier_status` keeps the carrier's own."""

    message_id: str
    provider: str
    carrier: str
    tracking_number: str
    status: str | None
    carrier_status: str
    occurred_at: datetime

    def as_message(self) -> dict[str, Any]:
        """For a queue: plain values only."""
        return {
            "message_id": self.message_id,
            "provider": self.provider,
            "carrier": self.carrier,
            "tracking_number": self.tracking_number,
            "status": self.status,
            "carrier_status": self.carrier_status,
            "occurred_at": self.occurred_at.isoformat(),
        }
