"""Parcels: what left a location, where it is, and which units of an order are in it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum


class ShipmentStatus(StrEnum):
    """Where a parcel is."""

    LABEL_CREATED = "LABEL_CREATED"
    HANDED_OVER = "HANDED_OVER"
    IN_TRANSIT = "IN_TRANSIT"
    OUT_FOR_DELIVERY = "OUT_FOR_DELIVERY"
    AVAILABLE_FOR_PICKUP = "AVAILABLE_FOR_PICKUP"
    DELIVERED = "DELIVERED"
    DELIVERY_FAILED = "DELIVERY_FAILED"
    RETURNING = "RETURNING"
    RETURNED = "RETURNED"
    LOST = "LOST"
    DAMAGED = "DAMAGED"


@dataclass(frozen=True, slots=True, kw_only=True)
class ShipmentLine:
    """Units of an order line in a parcel."""

    line_id: str
    quantity: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Shipment:
    """A parcel that left, or will."""

    shipment_id: str
    carrier: str
    service: str = ""
    tracking_number: str = ""
    status: ShipmentStatus
    status_at: datetime
    handed_over_at: datetime | None = None
    first_scan_at: datetime | None = None
    delivered_at: datetime | None = None
    lines: tuple[ShipmentLine, ...] = ()
