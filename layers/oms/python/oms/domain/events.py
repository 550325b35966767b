"""What happened to an order, in the past tense. Names are an interface: subscribers match on them."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any


class EventType(StrEnum):
    """Every event an order can have; EventBridge's detail-type."""

    ORDER_RECEIVED = "OrderReceived"
    ORDER_ROUTED = "OrderRouted"
    ORDER_ALLOCATED = "OrderAllocated"
    ORDER_REROUTED = "OrderRerouted"
    ORDER_UNROUTABLE = "OrderUnroutable"
    PROMISE_CHANGED = "PromiseChanged"
    ORDER_BACKORDERED = "OrderBackordered"
    ORDER_RELEASED = "OrderReleased"
    ORDER_CANCELLED = "OrderCancelled"
    LINES_CANCELLED = "LinesCancelled"
    ORDER_EDITED = "OrderEdited"
    ADDRESS_CHANGED = "AddressChanged"
    PAYMENT_CHANGED = "PaymentChanged"
    REVIEW_REQUESTED = "ReviewRequested"
    REVIEW_RESOLVED = "ReviewResolved"
    REQUEST_WITHDRAWN = "RequestWithdrawn"
    HOLD_PLACED = "HoldPlaced"
    HOLD_RELEASED = "HoldReleased"
    NOTE_ADDED = "NoteAdded"
    FULFILLMENT_ACCEPTED = "FulfillmentAccepted"
    FULFILLMENT_REJECTED = "FulfillmentRejected"
    PICKING_STARTED = "PickingStarted"
    LINES_SHORTED = "LinesShorted"
    FULFILLMENT_PACKED = "FulfillmentPacked"
    SHIPMENT_SHIPPED = "ShipmentShipped"
    SHIPMENT_MOVED = "ShipmentMoved"
    SHIPMENT_DELIVERED = "ShipmentDelivered"
    SHIPMENT_FAILED = "ShipmentFailed"
    LINES_REPLANNED = "LinesReplanned"


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """One entry of an order's history.

    `version` is the document version whose write carries it, `sequence` counts 1, 2, 3 … over the order's life
    without gaps, `status` is there only when the event changed the order's status. `data` is small and holds
    nothing personal.
    """

    version: int
    sequence: int
    type: EventType
    at: datetime
    actor: str
    status: str | None = None
    data: dict[str, Any] = field(default_factory=dict)
