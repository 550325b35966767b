"""What a WooCommerce shop is told of an order: parcels and cancellations.

Not every shop has an object for a parcel, so it is written down where every shop has room: as a note on the order,
which people read, and as meta data, which programs read. With the last parcel the order is completed.
"""

from __future__ import annotations

import html
from typing import TYPE_CHECKING, Any

from oms.channels.woocommerce_api import call, get_order, objects, order_path
from oms.domain.errors import NotSupported

if TYPE_CHECKING:
    from oms.channels.client import ChannelApi
    from oms.domain.channel_messages import CancellationNotice, ShipmentNotice

CLOSED = frozenset({"cancelled", "refunded", "trash"})
"""Statuses of an order of which nothing is owed any more."""

COMPLETED = "completed"


def confirm_shipment(api: ChannelApi, notice: ShipmentNotice) -> None:
    """Notes the parcel, for the buyer to see (WooCommerce mails it) where the account's option `customer_notes` is
    "true"; completes the order with the last one.

    Told twice, the note is found by the parcel's id in it, and the meta data is the same under the same key.
    """
    order = get_order(api, notice.channel_order_id)
    mark = f"(parcel {notice.shipment_id})"
    text = f"Shipped: {notice.carrier} {notice.tracking_number} {mark}"
    _note_once(api, notice.channel_order_id, text, mark, api.option("customer_notes") == "true")
    key = f"_oms_shipment_{notice.shipment_id}"
    change: dict[str, Any] = {"meta_data": [{"key": key, "value": _parcel(notice)}]}
    if notice.completes and order.get("status") not in {*CLOSED, COMPLETED}:
        change["status"] = COMPLETED
    known = any(isinstance(meta, dict) and meta.get("key") == key for meta in order.get("meta_data") or [])
    if not known or "status" in change:
        call(api, "PUT", order_path(notice.channel_order_id), body=change)


def confirm_cancellation(api: ChannelApi, notice: CancellationNotice) -> None:
    """Cancels the order; for a part of it notes which units, and completes the order if all else has shipped. Money
    goes back in the shop, by a person.

    Raises NotSupported, after the note is written, for a part, and for an order that the shop has completed.
    """
    order = get_order(api, notice.channel_order_id)
    if notice.whole and order.get("status") != COMPLETED:
        if order.get("status") not in CLOSED:
            call(api, "PUT", order_path(notice.channel_order_id), body={"status": "cancelled"})
        return
    units = ", ".join(f"{line.quantity} x {line.sku or line.line_id}" for line in notice.lines)
    mark = f"(message {notice.message_id})"
    _note_once(
        api, notice.channel_order_id, f"Will not ship, {notice.reason}: {units} {mark}", mark, for_customer=False
    )
    if notice.completes and order.get("status") not in {*CLOSED, COMPLETED}:
        call(api, "PUT", order_path(notice.channel_order_id), body={"status": COMPLETED})
    raise NotSupported("refund these units in the shop: a note on the order names them")


def _note_once(api: ChannelApi, channel_order_id: str, text: str, mark: str, for_customer: bool) -> None:
    path = f"{order_path(channel_order_id)}/notes"
    # WordPress keeps it as HTML, so that a mark may come back written otherwise
    if any(mark in html.unescape(str(note.get("note", ""))) for note in objects(call(api, "GET", path))):
        return
    call(api, "POST", path, body={"note": text, "customer_note": for_customer})


def _parcel(notice: ShipmentNotice) -> dict[str, Any]:
    return {
        "carrier": notice.carrier,
        "service": notice.service,
        "tracking_number": notice.tracking_number,
        "shipped_at": notice.shipped_at.isoformat(),
        "lines": [{"line_id": line.line_id, "quantity": line.quantity} for line in notice.lines],
    }
