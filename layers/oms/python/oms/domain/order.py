"""The order document: one aggregate, one item, all facts about an order that are not a person's data.

The classes hold facts; what follows from them (status, what it waits for, since when) is computed in `progress`
and written with them. Money is in minor units of the order's currency, weights in grams, times aware UTC.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum

from oms.domain.events import Event
from oms.domain.shipments import Shipment

MAX_LINES = 500


class OrderStatus(StrEnum):
    """How far the order is; derived from lines and shipments, never set."""

    RECEIVED = "RECEIVED"
    PARTIALLY_ALLOCATED = "PARTIALLY_ALLOCATED"
    ALLOCATED = "ALLOCATED"
    RELEASED = "RELEASED"
    PARTIALLY_SHIPPED = "PARTIALLY_SHIPPED"
    SHIPPED = "SHIPPED"
    PARTIALLY_DELIVERED = "PARTIALLY_DELIVERED"
    DELIVERED = "DELIVERED"
    CANCELLED = "CANCELLED"


class WaitingFor(StrEnum):
    """What must happen next; the first that applies, in this order. Absent once the order has ended, reviews apart."""

    REVIEW = "REVIEW"
    HOLD = "HOLD"
    ALLOCATION = "ALLOCATION"
    STOCK = "STOCK"
    CANCEL_WINDOW = "CANCEL_WINDOW"
    LOCATION_ANSWER = "LOCATION_ANSWER"
    PICK = "PICK"
    SHIP = "SHIP"
    COLLECTION = "COLLECTION"
    DELIVERY = "DELIVERY"


class Method(StrEnum):
    """How the goods reach the customer."""

    SHIP = "SHIP"
    PICKUP = "PICKUP"
    CARRY_OUT = "CARRY_OUT"


class Capability(StrEnum):
    """What a location must be able to handle to ship some goods."""

    HAZMAT = "HAZMAT"
    OVERSIZED = "OVERSIZED"


class Work(StrEnum):
    """How far a location is with a fulfillment."""

    OPEN = "OPEN"
    PICKING = "PICKING"
    PACKED = "PACKED"
    READY_FOR_PICKUP = "READY_FOR_PICKUP"
    SHIPPED = "SHIPPED"
    DELIVERED = "DELIVERED"
    COLLECTED = "COLLECTED"
    INCOMPLETE = "INCOMPLETE"
    CANCELLED = "CANCELLED"


class Request(StrEnum):
    """What we asked the location and what it answered."""

    UNSUBMITTED = "UNSUBMITTED"
    SUBMITTED = "SUBMITTED"
    ACCEPTED = "ACCEPTED"
    REJECTED = "REJECTED"
    CANCELLATION_REQUESTED = "CANCELLATION_REQUESTED"
    CANCELLATION_ACCEPTED = "CANCELLATION_ACCEPTED"
    CANCELLATION_REJECTED = "CANCELLATION_REJECTED"
    CHANGE_REQUESTED = "CHANGE_REQUESTED"
    CHANGE_ACCEPTED = "CHANGE_ACCEPTED"
    CHANGE_REJECTED = "CHANGE_REJECTED"


@dataclass(frozen=True, slots=True, kw_only=True)
class Component:
    """Units of a stocked sku in one unit of a kit."""

    sku: str
    quantity: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """What was ordered of one thing. Always ordered = unallocated + in_fulfillment + shipped + cancelled.

    `channel_sku` is what the channel calls it, where that is another name; `formerly` what its units took from the
    shelf while it was for other goods.
    `backordered` of the unallocated units are known to be short of stock, `cancelled_by_channel` of the cancelled ones
    are those that the channel took out itself. Money: price of one unit, discount and tax of the whole line. A line
    that needs no shipping (gift card, download) counts as shipped on receipt.
    Weight, volume and `needs` of a unit and the `components` of a kit are as they were when the order came in: later
    changes of the product leave them alone. Lines with the same `together` mark ship from one location.
    """

    line_id: str
    sku: str
    channel_sku: str = ""
    title: str = ""
    ordered: int
    unallocated: int = 0
    in_fulfillment: int = 0
    shipped: int = 0
    cancelled: int = 0
    backordered: int = 0
    cancelled_by_channel: int = 0
    unit_price_minor: int = 0
    discount_minor: int = 0
    tax_minor: int = 0
    unit_grams: int = 0
    unit_cm3: int = 0
    needs: tuple[Capability, ...] = ()
    together: str = ""
    requires_shipping: bool = True
    excluded_locations: tuple[str, ...] = ()
    components: tuple[Component, ...] = ()
    formerly: tuple[str, ...] = ()

    def stock_units(self, quantity: int) -> dict[str, int]:
        """Units of each stocked sku in so many units of the line: a kit's components, or the sku itself."""
        if not self.components:
            return {self.sku: quantity}
        return {one.sku: one.quantity * quantity for one in self.components}


@dataclass(frozen=True, slots=True, kw_only=True)
class ShippingLine:
    """A shipping charge the channel took, with its title there ("Standard", "Express")."""

    title: str
    price_minor: int = 0
    tax_minor: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Totals:
    """The channel's totals, in minor units: goods - discounts + shipping + fees + tip + tax (unless in the prices) =
    total. Fees are what else the channel charged: duties, handling, gift wrap."""

    goods_minor: int = 0
    discounts_minor: int = 0
    shipping_minor: int = 0
    tax_minor: int = 0
    tip_minor: int = 0
    fees_minor: int = 0
    total_minor: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class ShipTo:
    """Only as much of the destination as routing needs; the address itself is in `contacts`."""

    country: str = ""
    region: str = ""
    postal_prefix: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class FulfillmentLine:
    """Units of an order line at a location. Always assigned = open + picked + shipped + shorted + cancelled.

    `shorted_by` holds the ids of the reports that shorted it: each counts once, and two alike are two.
    """

    line_id: str
    sku: str
    assigned: int
    open: int = 0
    picked: int = 0
    shipped: int = 0
    shorted: int = 0
    cancelled: int = 0
    shorted_by: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Fulfillment:
    """Work at one location: what we asked for (`request`) and how far it is (`work`) are two axes.

    `cost_minor` is what the plan reckoned with, in the currency of the policy; `deliver_by` when its parcel should
    arrive. `capacity_day` is the location's day (ISO date) on which it holds a place; None where days are not counted.
    """

    fulfillment_id: str
    location_id: str
    method: Method = Method.SHIP
    work: Work = Work.OPEN
    request: Request = Request.UNSUBMITTED
    carrier: str = ""
    service: str = ""
    cost_minor: int = 0
    capacity_day: str | None = None
    deliver_by: datetime | None = None
    submitted_at: datetime | None = None
    reason_code: str | None = None
    lines: tuple[FulfillmentLine, ...] = ()
    shipments: tuple[Shipment, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Hold:
    """A reason not to release the order yet. Stock stays committed."""

    hold_id: str
    type: str
    reason: str = ""
    placed_by: str
    placed_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Review:
    """Why a person must decide, and since when."""

    reason: str
    since: datetime
    detail: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Payment:
    """What the channel says of the money. `method` (CARD, CASH, …) and `reference`, what the till or the payment
    provider calls it, where it said so."""

    status: str
    amount_minor: int = 0
    method: str = ""
    reference: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Note:
    """What a colleague wrote down. Nothing personal belongs here."""

    at: datetime
    author: str
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """The order document. What stands under `computed` follows from the facts; `progress.step` computes it.

    `channel_content` is a digest of what the channel said at `channel_updated_at`. `presentment_*`: the total as the
    customer paid it, where that was in another currency. `forget_person`: the channel asked that the person's data go
    as soon as the order has ended.
    """

    order_id: str
    version: int
    # computed
    status: OrderStatus = OrderStatus.RECEIVED
    status_since: datetime | None = None
    waiting_for: WaitingFor | None = None
    waiting_since: datetime | None = None
    due_at: datetime | None = None
    reason_code: str | None = None
    waiting_location_id: str | None = None
    work_queue: str | None = None
    unshipped_account: str | None = None
    account_day: str = ""
    # facts
    channel: str
    account: str
    channel_order_id: str
    channel_updated_at: datetime
    channel_content: str = ""
    order_number: str = ""
    placed_at: datetime
    updated_at: datetime
    release_after: datetime | None = None
    ship_by: datetime | None = None
    deliver_by: datetime | None = None
    promised_by: datetime | None = None
    original_promised_by: datetime | None = None
    currency: str
    prices_include_tax: bool = False
    totals: Totals
    presentment_currency: str = ""
    presentment_total_minor: int = 0
    customer_id: str | None = None
    ship_to: ShipTo = field(default_factory=ShipTo)
    service_level: str = "STANDARD"
    method: Method = Method.SHIP
    pickup_location_id: str | None = None
    sold_by: str = ""
    sold_at_location_id: str = ""
    ship_complete: bool = True
    routing_policy_version: int | None = None
    unroutable_since: datetime | None = None
    backordered_since: datetime | None = None
    reservation_id: str | None = None
    lines: tuple[Line, ...]
    shipping_lines: tuple[ShippingLine, ...] = ()
    holds: tuple[Hold, ...] = ()
    review: Review | None = None
    fulfillments: tuple[Fulfillment, ...] = ()
    payments: tuple[Payment, ...] = ()
    external_ids: dict[str, str] = field(default_factory=dict)
    notes: tuple[Note, ...] = ()
    parent_order_id: str | None = None
    events: tuple[Event, ...] = ()
    trace_id: str | None = None
    forget_person: bool = False

    def line(self, line_id: str) -> Line | None:
        """The line of this id, or None."""
        return next((line for line in self.lines if line.line_id == line_id), None)

    def fulfillment(self, fulfillment_id: str) -> Fulfillment | None:
        """The fulfillment of this id, or None."""
        return next((one for one in self.fulfillments if one.fulfillment_id == fulfillment_id), None)

    @property
    def last_sequence(self) -> int:
        """Sequence of the newest event; 0 before the first."""
        return self.events[-1].sequence if self.events else 0
