"""What Walmart is told of an order: that we have it, parcels that left, units that will not ship.

Walmart keeps no key of a message, so the order is read first: what it says already is not told again. A refusal is
looked at the same way, since another worker may have told it in between.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from oms.channels.carrier_names import by_letters
from oms.channels.json_answers import object_of, units_of
from oms.channels.walmart_api import (
    ORDER_CHANGES,
    asks_to_cancel,
    headers,
    lines_of,
    order_now,
    order_url,
    statuses_of,
)
from oms.domain.errors import ChannelRefused, NotSupported

if TYPE_CHECKING:
    from oms.channels.client import ChannelApi
    from oms.domain.channel_messages import AcknowledgementNotice, CancellationNotice, NoticeLine, ShipmentNotice

CARRIERS = (
    "UPS", "USPS", "FedEx", "Airborne", "OnTrac", "DHL Ecommerce - US", "DHL", "LS", "UDS", "UPSMI", "FDX", "PILOT",
    "ESTES", "SAIA", "GLS", "LSO", "Royal Mail", "Canada Post", "OSM Worldwide", "FIRST MILE", "Sendle", "AxleHire",
)  # fmt: skip
"""Those of Walmart's carrier names that a parcel from here may have. Others go as `otherCarrier`."""

TRACKING_URL = "tracking_url"
"""The account's option for other carriers: the address of a parcel's page, with `{tracking_number}` in it."""

REASONS = {
    "FRAUD": "SELLER_CANCEL_FRAUD_STOP_SHIPMENT",
    "ADDRESS": "SELLER_CANCEL_ADDRESS_NOT_SERVICEABLE",
    "PRICE": "SELLER_CANCEL_PRICING_ERROR",
}
"""Walmart's reasons by a word in ours; what has none of them is out of stock."""

_OUT_OF_STOCK, _BUYER_ASKED = "SELLER_CANCEL_OUT_OF_STOCK", "CUSTOMER_REQUESTED_SELLER_TO_CANCEL"
_BUYER_REQUEST = "BUYER_REQUEST"
_ACKNOWLEDGE, _SHIP, _CANCEL = "/acknowledge", "/shipping", "/cancel"
_NEW = "Created"
_SHIPPED, _CANCELLED = frozenset({"Shipped", "Delivered"}), frozenset({"Cancelled"})


def acknowledge(api: ChannelApi, notice: AcknowledgementNotice) -> None:
    """Tells that we have the order, unless Walmart shows no line of it as new: what was shipped or cancelled must not
    be acknowledged again ("Acknowledge a created order"; due within four hours). Raises as `call` does."""
    _tell(api, notice.channel_order_id, lambda order: (_ACKNOWLEDGE, None) if _is_new(order) else None)


def confirm_shipment(api: ChannelApi, notice: ShipmentNotice) -> None:
    """Tells of a parcel, acknowledging the order first if nobody did. Raises as `call` does, NotSupported."""
    if not notice.tracking_number:
        raise NotSupported("Walmart takes no parcel without a tracking number: confirm it in Seller Center")
    carrier = _carrier(api, notice)
    _tell(api, notice.channel_order_id, lambda order: _shipment(order, notice, carrier))


def confirm_cancellation(api: ChannelApi, notice: CancellationNotice) -> None:
    """Tells of units that will not ship. Raises as `call` does."""
    _tell(api, notice.channel_order_id, lambda order: _cancellation(order, notice))


def _tell(
    api: ChannelApi,
    channel_order_id: str,
    untold: Callable[[Mapping[str, Any]], tuple[str, dict[str, Any] | None] | None],
) -> None:
    order = order_now(api, channel_order_id)
    what = untold(order)
    if what is None:
        return
    action, body = what
    if action == _SHIP:
        _acknowledge(api, channel_order_id, order)
    try:
        api.call("POST", order_url(api, channel_order_id, action), limit=ORDER_CHANGES, headers=headers, body=body)
    except ChannelRefused:
        if untold(order_now(api, channel_order_id)) is not None:
            raise


def _acknowledge(api: ChannelApi, channel_order_id: str, order: Mapping[str, Any]) -> None:
    """Says that we have the order, where nobody said so yet: Walmart wants that before it ships."""
    if _is_new(order):
        address = order_url(api, channel_order_id, _ACKNOWLEDGE)
        with suppress(ChannelRefused):  # somebody said so meanwhile; if not, what follows is refused
            api.call("POST", address, limit=ORDER_CHANGES, headers=headers)


def _is_new(order: Mapping[str, Any]) -> bool:
    return any(one.get("status") == _NEW for line in lines_of(order) for one in statuses_of(line))


def _shipment(
    order: Mapping[str, Any], notice: ShipmentNotice, carrier: Mapping[str, Any]
) -> tuple[str, dict[str, Any]] | None:
    tracking = {
        **carrier,
        "shipDateTime": int(notice.shipped_at.timestamp() * 1000),
        "methodCode": str(object_of(order.get("shippingInfo")).get("methodCode") or "Standard"),
        "trackingNumber": notice.tracking_number,
    }
    before = {line.line_id: line.quantity for line in notice.told_before}
    lines = []
    for line, at_walmart in _lines(order, notice.lines):
        # boxes may share a number: of these units, and those before them, what Walmart has not under it
        held = _units(at_walmart, _SHIPPED, notice.tracking_number)
        units = before.get(line.line_id, 0) + line.quantity - held
        if units < 1:
            continue
        told = {
            "lineNumber": line.line_id,
            "intentToCancelOverride": asks_to_cancel(at_walmart),
            "sellerOrderId": notice.order_id,
            "orderLineStatuses": {"orderLineStatus": [{**_status("Shipped", units), "trackingInfo": tracking}]},
        }
        lines.append(told)
    return (_SHIP, {"orderShipment": {"orderLines": {"orderLine": lines}}}) if lines else None


def _cancellation(order: Mapping[str, Any], notice: CancellationNotice) -> tuple[str, dict[str, Any]] | None:
    """What Walmart has not taken away yet of all units that were told of so far: units taken away twice, nobody gives
    back."""
    lines = []
    for line, at_walmart in _lines(order, notice.lines):
        untold = max(line.so_far, line.quantity) - _units(at_walmart, _CANCELLED)
        units = min(untold, _left(at_walmart, line.quantity))
        if units < 1:
            continue
        reason = {"cancellationReason": _reason(notice.reason, at_walmart)}
        statuses = [{**_status("Cancelled", units), **reason}]
        lines.append({"lineNumber": line.line_id, "orderLineStatuses": {"orderLineStatus": statuses}})
    return (_CANCEL, {"orderCancellation": {"orderLines": {"orderLine": lines}}}) if lines else None


def _lines(order: Mapping[str, Any], told: Sequence[NoticeLine]) -> list[tuple[NoticeLine, dict[str, Any]]]:
    known = {str(line.get("lineNumber")): line for line in lines_of(order)}
    return [(line, known.get(line.line_id, {})) for line in told]


def _status(status: str, units: int) -> dict[str, Any]:
    return {"status": status, "statusQuantity": {"unitOfMeasurement": "EACH", "amount": str(units)}}


def _units(line: Mapping[str, Any], statuses: frozenset[str], tracking_number: str | None = None) -> int:
    """Units of the line in one of these statuses; in the parcel of this number, where one is named."""
    found = [one for one in statuses_of(line) if str(one.get("status")) in statuses]
    if tracking_number is not None:
        found = [one for one in found if object_of(one.get("trackingInfo")).get("trackingNumber") == tracking_number]
    return sum(units_of(object_of(one.get("statusQuantity")).get("amount")) for one in found)


def _left(line: Mapping[str, Any], otherwise: int) -> int:
    """Units that neither left nor were cancelled. Of a line that Walmart does not show, all: it says what is wrong."""
    ordered = units_of(object_of(line.get("orderLineQuantity")).get("amount"))
    return ordered - _units(line, _SHIPPED | _CANCELLED) if ordered else otherwise


def _reason(reason: str, line: Mapping[str, Any]) -> str:
    """A customer's wish may be named only where Walmart knows of it (description of cancelOrderLines)."""
    if reason == _BUYER_REQUEST and asks_to_cancel(line):
        return _BUYER_ASKED
    return next((theirs for word, theirs in REASONS.items() if word in reason.upper()), _OUT_OF_STOCK)


def _carrier(api: ChannelApi, notice: ShipmentNotice) -> dict[str, Any]:
    known = {by_letters(name): name for name in CARRIERS}
    name = known.get(by_letters(notice.carrier))
    if name:
        return {"carrierName": {"carrier": name}}
    address = api.option(TRACKING_URL)
    if not address:
        message = "Walmart does not know this carrier and wants its tracking page: set the account's tracking_url"
        raise NotSupported(message)
    page = address.replace("{tracking_number}", notice.tracking_number)
    return {"carrierName": {"otherCarrier": notice.carrier}, "trackingURL": page}
