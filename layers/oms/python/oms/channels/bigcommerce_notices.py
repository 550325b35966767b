"""What a BigCommerce store is told of an order: parcels and cancellations."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

from oms.channels.bigcommerce_api import call, objects, order_path
from oms.channels.carrier_names import by_letters
from oms.domain.errors import ChannelRefused, NotSupported

if TYPE_CHECKING:
    from oms.channels.client import ChannelApi
    from oms.domain.channel_messages import CancellationNotice, NoticeLine, ShipmentNotice

PAGE = 250
MAX_PAGES = 2
"""An order of ours has at most 500 lines, and no more parcels."""

NO_SUCH_LINES = "NO_SUCH_LINES"
CANCELLED = 5
_OVER = frozenset({4, CANCELLED, 6})  # refunded, cancelled, declined
_SHIPPED = frozenset({2, 3, 10})  # shipped, partially shipped, completed
CARRIERS = {
    "ups": ("ups", "ups"),
    "usps": ("usps", "usps"),
    "fedex": ("fedex", "fedex"),
    "auspost": ("auspost", "australia-post"),
    "australiapost": ("auspost", "australia-post"),
    "canadapost": ("canadapost", "canada-post"),
    "royalmail": ("royalmail", "royal-mail"),
    "dhl": ("", "dhl"),
    "dhlexpress": ("", "dhl"),
    "dpd": ("", "dpd"),
    "gls": ("", "gls"),
    "lasership": ("", "lasership"),
    "ontrac": ("", "ontrac"),
    "purolator": ("", "purolator"),
}
"""By their letters: `shipping_provider`, which is a list of BigCommerce's own, and `tracking_carrier`, which is
AfterShip's ("Create Order Shipment"). Either makes the link by which the buyer follows the parcel."""

_LONGEST_TRACKING_NUMBER = 50


def confirm_shipment(api: ChannelApi, notice: ShipmentNotice) -> None:
    """Makes a shipment of the parcel; once nothing is left to ship BigCommerce itself calls the order shipped.

    Told twice, the shipment is found by the parcel's id in its comments; of a parcel that is told in parts, each part
    by its lines. Raises ChannelRefused where the order has no such lines.
    """
    path = order_path(notice.channel_order_id)
    lines = _untold(api, path, notice)
    if not lines:
        return
    provider, tracking_carrier = CARRIERS.get(by_letters(notice.carrier), ("", ""))
    body = {
        "order_address_id": _address_id(api, path, lines),
        "tracking_number": notice.tracking_number[:_LONGEST_TRACKING_NUMBER],
        "shipping_method": f"{notice.carrier} {notice.service}".strip(),
        "shipping_provider": provider,
        "tracking_carrier": tracking_carrier,
        "comments": _mark(notice),
        "items": [{"order_product_id": int(line.line_id), "quantity": line.quantity} for line in lines],
    }
    try:
        call(api, "POST", f"{path}/shipments", body=body)
    except ChannelRefused:
        if _untold(api, path, notice):  # else another worker has told it since we looked
            raise


def _untold(api: ChannelApi, path: str, notice: ShipmentNotice) -> list[NoticeLine]:
    told = {
        str(item.get("order_product_id"))
        for one in _pages(api, f"{path}/shipments")
        if str(one.get("comments", "")).strip() == _mark(notice)
        for item in objects(one.get("items"))
    }
    return [line for line in notice.lines if line.line_id not in told]


def _mark(notice: ShipmentNotice) -> str:
    return f"parcel {notice.shipment_id}"


def confirm_cancellation(api: ChannelApi, notice: CancellationNotice) -> None:
    """Cancels the order. Money goes back in the store, by a person.

    Raises NotSupported for a part of an order, and for one of which the store knows a parcel.
    """
    if not notice.whole:
        raise NotSupported("refund these units in the store's control panel: an order has no other way to lose them")
    order = call(api, "GET", order_path(notice.channel_order_id))
    status = order.get("status_id") if isinstance(order, dict) else None
    if status in _OVER:
        return
    if status in _SHIPPED:
        raise NotSupported("the store has parcels of this order: refund the rest in its control panel")
    call(api, "PUT", order_path(notice.channel_order_id), body={"status_id": CANCELLED})


def _address_id(api: ChannelApi, path: str, lines: Sequence[NoticeLine]) -> int:
    """The address of the order that the lines go to."""
    shipped = {line.line_id for line in lines}
    for product in _pages(api, f"{path}/products"):
        if str(product.get("id")) in shipped:
            return int(product.get("order_address_id") or 0)
    raise ChannelRefused("the store lists none of the parcel's lines", status=200, codes=(NO_SUCH_LINES,))


def _pages(api: ChannelApi, path: str) -> Iterator[dict[str, Any]]:
    for page in range(1, MAX_PAGES + 1):
        listed = objects(call(api, "GET", path, {"page": str(page), "limit": str(PAGE)}))
        yield from listed
        if len(listed) < PAGE:
            return
