"""Parcels as a carrier sees them: tracking numbers and what the tracking service says of each scan."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any
from uuid import uuid4

from oms.domain.ids import short_hash

CARRIER_NAMES = {"ups": "UPS", "fedex": "FedEx", "usps": "USPS"}
SCANS = {
    "in_transit": ("arrived_at_facility", "Arrived at the sorting centre"),
    "out_for_delivery": ("out_for_delivery", "On the delivery vehicle"),
    "delivered": ("arrived_at_destination", "Handed to the recipient"),
}


@dataclass
class Parcel:
    """One parcel on its way; `scans` grows with each event."""

    carrier: str
    tracking_number: str
    ship_to: dict[str, Any]
    scans: list[dict[str, Any]] = field(default_factory=list)
    last_status: str = "pre_transit"


def tracking_number(carrier: str) -> str:
    """A fresh number in the carrier's manner. Raises ValueError for a carrier it does not play."""
    number = uuid4().int
    if carrier == "ups":
        return f"1Z{uuid4().hex[:16].upper()}"
    if carrier == "fedex":
        return str(number)[:12]
    if carrier == "usps":
        return f"94{str(number)[:20]}"
    raise ValueError(f"no stand-in for carrier {carrier!r}: it plays {', '.join(CARRIER_NAMES)}")


def tracker_event(parcel: Parcel, status: str, at: datetime) -> dict[str, Any]:
    """The tracking service's `tracker.updated` event of the parcel's next scan, which is remembered."""
    detail, text = SCANS[status]
    parcel.scans.append(_scan(parcel, status, detail, text, at))
    previous, parcel.last_status = parcel.last_status, status
    stamp = _time(at)
    return {
        "id": f"evt_{uuid4().hex}",
        "object": "Event",
        "mode": "production",
        "description": "tracker.updated",
        "previous_attributes": {"status": previous},
        "status": "pending",
        "pending_urls": [],
        "completed_urls": [],
        "created_at": stamp,
        "updated_at": stamp,
        "result": _tracker(parcel, status, detail, at),
    }


def _tracker(parcel: Parcel, status: str, detail: str, at: datetime) -> dict[str, Any]:
    return {
        "id": f"trk_{short_hash(parcel.tracking_number)}",
        "object": "Tracker",
        "mode": "production",
        "tracking_code": parcel.tracking_number,
        "carrier": CARRIER_NAMES[parcel.carrier],
        "status": status,
        "status_detail": detail,
        "created_at": parcel.scans[0]["datetime"],
        "updated_at": _time(at),
        "est_delivery_date": _time(at + timedelta(hours=6)),
        "shipment_id": None,
        "signed_by": None,
        "weight": None,
        "tracking_details": list(parcel.scans),
    }


def _scan(parcel: Parcel, status: str, detail: str, text: str, at: datetime) -> dict[str, Any]:
    place = {
        "object": "TrackingLocation",
        "city": parcel.ship_to.get("city"),
        "state": parcel.ship_to.get("region"),
        "zip": parcel.ship_to.get("postal_code"),
        "country": parcel.ship_to.get("country"),
    }
    return {
        "object": "TrackingDetail",
        "status": status,
        "status_detail": detail,
        "message": text,
        "datetime": _time(at),
        "source": CARRIER_NAMES[parcel.carrier],
        "tracking_location": place,
    }


def _time(at: datetime) -> str:
    return at.strftime("%Y-%m-%dT%H:%M:%SZ")
