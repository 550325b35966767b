"""What Etsy is told of an order: parcels that left.

Each time it is told of one, Etsy writes to the buyer, so the receipt is read first: what it says already is not told.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from oms.channels.carrier_names import by_letters
from oms.channels.client import Limit
from oms.channels.etsy_api import headers, receipt_now, receipt_url
from oms.channels.json_answers import objects
from oms.domain.errors import ChannelRefused, NotSupported

if TYPE_CHECKING:
    from oms.channels.client import ChannelApi
    from oms.domain.channel_messages import CancellationNotice, ShipmentNotice

CARRIERS = frozenset({"ups", "usps", "fedex", "dhl", "ontrac", "gls", "canadapost", "royalmail", "dpd", "asendia"})
OTHER = "other"
"""How Etsy wants a carrier called that it does not know (description of createReceiptShipment)."""

PARCELS = Limit("parcels", per_second=0.02, burst=40)
_CANCELLED = frozenset({"canceled", "cancelled"})


def confirm_shipment(api: ChannelApi, notice: ShipmentNotice) -> None:
    """Tells of a parcel; told twice, Etsy has it once. Etsy does not ask which lines are in it, and calls the whole
    receipt shipped at the first. Raises as `call` does."""
    if _is_told(receipt_now(api, notice.channel_order_id), notice):
        return
    number = notice.tracking_number
    form = {"tracking_code": number, "carrier_name": _carrier(notice.carrier)} if number else {}
    address = receipt_url(api, notice.channel_order_id, "/tracking")
    try:
        api.call("POST", address, limit=PARCELS, headers=headers, form=form)
    except ChannelRefused:
        if not _is_told(receipt_now(api, notice.channel_order_id), notice):
            raise


def _is_told(receipt: dict[str, Any], notice: ShipmentNotice) -> bool:
    if not notice.tracking_number:
        return receipt.get("is_shipped") is True
    known = {_plain(str(one.get("tracking_code") or "")) for one in objects(receipt.get("shipments"))}
    return _plain(notice.tracking_number) in known


def confirm_cancellation(api: ChannelApi, notice: CancellationNotice) -> None:
    """Is content when Etsy has the order as cancelled already. Raises NotSupported: Etsy has no call to cancel."""
    status = str(receipt_now(api, notice.channel_order_id).get("status") or "")
    if status.lower() not in _CANCELLED:
        raise NotSupported("in Etsy's Shop Manager, cancel the order or refund these units, and tell this again")


def _carrier(name: str) -> str:
    letters = by_letters(name)
    return letters if letters in CARRIERS else OTHER


def _plain(text: str) -> str:
    return "".join(letter for letter in text if letter.isalnum())
