"""Telling Amazon of parcels: confirmShipment of Orders v0, which 2026-01-01 did not replace.

The parcel's number within the order is ours to give: told again under the same number, Amazon changes the shipment it
has instead of adding one ("Confirm the shipment status").
"""

from __future__ import annotations

import hashlib
from datetime import UTC
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from oms.channels.amazon_pull import state
from oms.channels.amazon_signin import RATE_HEADER, call, marketplace_ids
from oms.channels.carrier_names import by_letters
from oms.channels.client import ChannelApi, Limit
from oms.domain.errors import ChannelRefused

if TYPE_CHECKING:
    from oms.domain.channel_messages import ShipmentNotice

CONFIRM = Limit("confirm-shipment", per_second=2, burst=10, rate_header=RATE_HEADER)
LARGEST_NUMBER = 2_000_000_000
MAX_NAME_LENGTH = 100

CARRIERS = {
    "ups": "UPS",
    "usps": "USPS",
    "fedex": "FedEx",
    "dhl": "DHL",
    "dhlecommerce": "DHL eCommerce",
    "ontrac": "OnTrac",
    "canadapost": "Canada Post",
    "royalmail": "Royal Mail",
    "dpd": "DPD",
    "gls": "GLS",
    "tnt": "TNT",
}
"""Amazon's codes for carriers, by their letters; any other goes under OTHER with its name."""

OTHER = "Other"


def confirm_shipment(api: ChannelApi, notice: ShipmentNotice) -> None:
    """Tells of a parcel and what is in it. A refusal counts as done where Amazon has the parcel already.

    Raises as `call` does.
    """
    path = f"/orders/v0/orders/{quote(notice.channel_order_id, safe='')}/shipmentConfirmation"
    body = {"marketplaceId": _marketplace(api, notice.channel_order_id), "packageDetail": _package(notice)}
    try:
        call(api, "POST", path, CONFIRM, body=body)
    except ChannelRefused:
        if not _knows(api, notice):
            raise


def package_number(shipment_id: str) -> str:
    """The parcel's number within its order, the same each time: 1 to LARGEST_NUMBER."""
    digest = hashlib.sha256(shipment_id.encode()).digest()
    return str(int.from_bytes(digest[:8], "big") % LARGEST_NUMBER + 1)


def _package(notice: ShipmentNotice) -> dict[str, Any]:
    code = CARRIERS.get(by_letters(notice.carrier), OTHER)
    package = {
        "packageReferenceId": package_number(notice.shipment_id),
        "carrierCode": code,
        "shippingMethod": notice.service or notice.carrier,
        "trackingNumber": notice.tracking_number,
        "shipDate": notice.shipped_at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.000Z"),
        "orderItems": [{"orderItemId": line.line_id, "quantity": line.quantity} for line in notice.lines],
    }
    name = {"carrierName": (notice.carrier or "Unknown")[:MAX_NAME_LENGTH]} if code == OTHER else {}
    return {**package, **name}


def _marketplace(api: ChannelApi, channel_order_id: str) -> str:
    """Where the order was sold: clear where the account sells in one place, asked where it sells in several."""
    markets = marketplace_ids(api)
    return markets[0] if len(markets) == 1 else state(api, channel_order_id).marketplace_id


def _knows(api: ChannelApi, notice: ShipmentNotice) -> bool:
    """Whether the order has this parcel, however it came there. v0 can't tell."""
    ours = package_number(notice.shipment_id)
    return any(
        one.get("packageReferenceId") == ours or one.get("trackingNumber", "") == notice.tracking_number != ""
        for one in state(api, notice.channel_order_id).packages
    )
