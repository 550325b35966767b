"""What eBay is told of an order: parcels that left.

A parcel's tracking number is the id of its fulfillment there, so told twice it is there once (description of
trackingNumber in createShippingFulfillment); those that are there are read first all the same.
"""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any

from oms.channels.carrier_names import by_letters
from oms.channels.client import Limit
from oms.channels.ebay_api import headers, order_now, order_url, time_text
from oms.channels.json_answers import content_of, object_of, objects, units_of
from oms.domain.errors import ChannelRefused, NotSupported

if TYPE_CHECKING:
    from oms.channels.client import ChannelApi
    from oms.domain.channel_messages import CancellationNotice, ShipmentNotice

CARRIERS = {"ups": "UPS", "usps": "USPS", "fedex": "FedEx", "dhl": "DHL", "ontrac": "ONTRAC", "gls": "GLS"}
"""eBay's codes of carriers; another carrier is named by its own letters."""

FULFILLMENTS = Limit("fulfillments", per_second=1.0, burst=50)
_CANCELLED = "CANCELED"


def confirm_shipment(api: ChannelApi, notice: ShipmentNotice) -> None:
    """Tells of a parcel; told twice, eBay has it once. Raises as `call` does."""
    units = _untold(api, notice)
    if not units:
        return
    body: dict[str, Any] = {
        "lineItems": [{"lineItemId": line_id, "quantity": quantity} for line_id, quantity in units.items()],
        "shippedDate": time_text(notice.shipped_at),
    }
    if _plain(notice.tracking_number):
        body["shippingCarrierCode"] = _carrier(notice.carrier)
        body["trackingNumber"] = _plain(notice.tracking_number)
    address = order_url(api, notice.channel_order_id, "/shipping_fulfillment")
    try:
        api.call("POST", address, limit=FULFILLMENTS, headers=headers, body=body)
    except ChannelRefused:
        if _untold(api, notice):
            raise


def _untold(api: ChannelApi, notice: ShipmentNotice) -> dict[str, int]:
    """Units per line that eBay has not of this parcel; of boxes that share a number, of those before it as well."""
    address = order_url(api, notice.channel_order_id, "/shipping_fulfillment")
    known = objects(content_of(api.call("GET", address, limit=FULFILLMENTS, headers=headers)).get("fulfillments"))
    ours = _plain(notice.tracking_number)
    parcels = [_lines(one) for one in known if not ours or _tracking_number(one) == ours]
    if ours and parcels and not any(parcels):
        return {}
    held = Counter[str]()
    for parcel in parcels:
        held.update(parcel)
    wanted = {line.line_id: line.quantity if ours else max(line.so_far, line.quantity) for line in notice.lines}
    for line in notice.told_before if ours else ():
        wanted[line.line_id] += line.quantity
    return {line_id: units - held[line_id] for line_id, units in wanted.items() if units > held[line_id]}


def _lines(fulfillment: dict[str, Any]) -> dict[str, int]:
    """What a parcel holds. It may get more lines later, under the same tracking number; and one without a number is
    known again by the units that have left so far."""
    return {
        str(one.get("lineItemId")): units_of(one.get("quantity", 1)) for one in objects(fulfillment.get("lineItems"))
    }


def _tracking_number(fulfillment: dict[str, Any]) -> str:
    return _plain(str(fulfillment.get("shipmentTrackingNumber") or fulfillment.get("fulfillmentId") or ""))


def confirm_cancellation(api: ChannelApi, notice: CancellationNotice) -> None:
    """Is content when eBay has the order as cancelled already. Raises NotSupported: eBay takes cancellations through
    another API, of whole orders only, and asks the seller to settle them with the buyer."""
    order = order_now(api, notice.channel_order_id)
    if object_of(order.get("cancelStatus")).get("cancelState") != _CANCELLED:
        raise NotSupported("in Seller Hub, cancel the order or accept the buyer's request, and tell this again")


def _carrier(name: str) -> str:
    return CARRIERS.get(by_letters(name), _plain(name) or "Other")


def _plain(text: str) -> str:
    """eBay takes letters and digits only."""
    return "".join(letter for letter in text if letter.isascii() and letter.isalnum())
