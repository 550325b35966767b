"""Notices: what a channel is told of an order, made of its document and its events as they are when it is told."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any

from oms.domain.backordering import BACKORDER_LIMIT, OUT_OF_STOCK
from oms.domain.channel_messages import (
    AcknowledgementNotice,
    CancellationNotice,
    NoticeLine,
    OrderNotice,
    ShipmentNotice,
)
from oms.domain.confirmations import ACKNOWLEDGEMENT, KINDS, SHIPMENT, SHIPPED_BY_OTHERS, NoticeKey, message_key
from oms.domain.events import Event, EventType
from oms.domain.listings import ListingKey
from oms.domain.order import Order, OrderStatus
from oms.domain.shipments import Shipment

NO_STOCK = "NO_STOCK"

_CANCELS = frozenset({EventType.ORDER_CANCELLED, EventType.LINES_CANCELLED})
_REASONS = {OUT_OF_STOCK: NO_STOCK, BACKORDER_LIMIT: NO_STOCK}


def event_of(document: Mapping[str, Any]) -> Event:
    """An event that moved out of its order's document, as it lies in `order_history`."""
    return Event(
        version=int(document["version"]),
        sequence=int(document["sequence"]),
        type=EventType(document["type"]),
        at=datetime.fromisoformat(document["at"]),
        actor=document["actor"],
        status=document.get("status"),
        data=document.get("data", {}),
    )


def notice(order: Order, events: Sequence[Event], key: NoticeKey) -> OrderNotice | None:
    """What the channel is told, as the order is now; None when there is nothing left to tell.

    `events` are all of the order, oldest first.
    """
    if key.kind == ACKNOWLEDGEMENT:
        return _acknowledgement_notice(order, events, key)
    if key.kind == SHIPMENT:
        return _shipment_notice(order, events, key)
    return _cancellation_notice(order, events, key)


def _acknowledgement_notice(order: Order, events: Sequence[Event], key: NoticeKey) -> AcknowledgementNotice | None:
    """None for an order that came in cancelled, or was cancelled since: its channel hears, or said, that it is."""
    if _event(events, key) is None or order.status is OrderStatus.CANCELLED:
        return None
    return AcknowledgementNotice(
        message_id=message_key(key), order_id=order.order_id, channel_order_id=order.channel_order_id
    )


def _shipment_notice(order: Order, events: Sequence[Event], key: NoticeKey) -> ShipmentNotice | None:
    units, left = _units_told(order, events, key.sequence)
    event = _event(events, key)
    found = _parcel(order, str(event.data.get("shipment_id"))) if event else None
    if found is None or not units:
        return None
    location_id, parcel = found
    told = {line.line_id: line.ordered - left[line.line_id] for line in order.lines}
    return ShipmentNotice(
        message_id=message_key(key),
        order_id=order.order_id,
        channel_order_id=order.channel_order_id,
        shipment_id=parcel.shipment_id,
        carrier=parcel.carrier,
        service=parcel.service,
        tracking_number=parcel.tracking_number,
        shipped_at=parcel.handed_over_at or parcel.status_at,
        location_id=location_id,
        lines=_lines(order, units, told),
        completes=_is_complete(order, left),
        told_before=_lines(order, _told_alike(order, events, key.sequence, parcel, units), {}),
    )


def _told_alike(
    order: Order, events: Sequence[Event], sequence: int, parcel: Shipment, lines: Iterable[str]
) -> dict[str, int]:
    """Units of these lines that earlier parcels with the same tracking number told of, or without one where it has
    none."""
    number = parcel.tracking_number.strip()
    parcels = [one for work in order.fulfillments for one in work.shipments]
    alike = {one.shipment_id for one in parcels if one.tracking_number.strip() == number}
    told: Counter[str] = Counter()
    for event in events:
        is_earlier = event.type is EventType.SHIPMENT_SHIPPED and event.sequence < sequence
        if is_earlier and str(event.data.get("shipment_id")) in alike:
            told.update(_units_told(order, events, event.sequence)[0])
    return {line_id: told[line_id] for line_id in lines}


def _is_complete(order: Order, left: Mapping[str, int]) -> bool:
    return all(left[line.line_id] <= line.cancelled for line in order.lines if line.requires_shipping)


def _units_told(order: Order, events: Sequence[Event], sequence: int) -> tuple[dict[str, int], dict[str, int]]:
    """Units per line that the parcel of this event tells of, and those that are left to tell of after it.

    Goes through the parcels in the order in which they left: no more units of a line are told than were ordered,
    even if more left, and a parcel that was booked in parts tells of each part once.
    """
    left = {line.line_id: line.ordered for line in order.lines}
    parcels = {
        parcel.shipment_id: {line.line_id: line.quantity for line in parcel.lines}
        for one in order.fulfillments
        for parcel in one.shipments
    }
    shipped = [event for event in events if event.type is EventType.SHIPMENT_SHIPPED]
    named = {(event.data.get("shipment_id"), name) for event in shipped for name in event.data.get("lines") or ()}
    for event in shipped:
        shipment_id = event.data.get("shipment_id")
        parcel = parcels.get(str(shipment_id), {})
        # an event that names no lines tells of those that no other event of the parcel names
        booked = event.data.get("lines") or [name for name in parcel if (shipment_id, name) not in named]
        units = {line_id: min(parcel.pop(line_id, 0), left.get(line_id, 0)) for line_id in booked}
        for line_id, quantity in units.items():
            left[line_id] = left.get(line_id, 0) - quantity
        if event.sequence == sequence:
            return {line_id: quantity for line_id, quantity in units.items() if quantity}, left
    return {}, left


def _parcel(order: Order, shipment_id: str) -> tuple[str, Shipment] | None:
    found = (
        (one.location_id, parcel)
        for one in order.fulfillments
        for parcel in one.shipments
        if parcel.shipment_id == shipment_id
    )
    return next(found, None)


def _cancellation_notice(order: Order, events: Sequence[Event], key: NoticeKey) -> CancellationNotice | None:
    event = _event(events, key)
    if event is None:
        return None
    units = _units_cancelled(order, events, event)
    reason = str(event.data.get("reason") or "")
    lines = _lines(order, units, _cancelled_so_far(order, events, event))
    if not lines:
        return None
    whole = order.status is OrderStatus.CANCELLED and not any(_is_of_others(one) for one in events)
    _, unshipped = _units_told(order, events, event.sequence)
    return CancellationNotice(
        message_id=message_key(key),
        order_id=order.order_id,
        channel_order_id=order.channel_order_id,
        reason=_REASONS.get(reason, reason),
        cancelled_at=event.at,
        lines=lines,
        whole=whole,
        completes=not whole and _is_complete(order, unshipped),
    )


def _is_of_others(event: Event) -> bool:
    """Whether it cancelled units that somebody else shipped: at the channel they are none that were cancelled."""
    return event.type in _CANCELS and event.data.get("reason") == SHIPPED_BY_OTHERS


def _units_cancelled(order: Order, events: Sequence[Event], event: Event) -> Mapping[str, int]:
    """Units per line that this event cancelled. The one that ended the order names none: it cancelled the rest, or all
    that is cancelled where units came back in between and the rest can't be told apart."""
    if event.type is EventType.LINES_CANCELLED:
        told: Mapping[str, int] = event.data.get("lines") or {}
        return told
    units = {line.line_id: line.cancelled for line in order.lines}
    rest = dict(units)
    for one in events:
        if one.type is EventType.LINES_CANCELLED and one.sequence < event.sequence:
            for line_id, quantity in (one.data.get("lines") or {}).items():
                rest[line_id] = rest.get(line_id, 0) - quantity
    return rest if max(rest.values(), default=0) > 0 else units


def _cancelled_so_far(order: Order, events: Sequence[Event], event: Event) -> Mapping[str, int]:
    """Units per line that were cancelled by this event and before it, those that the order came in without too: no
    event names them, and of an order that was cancelled as a whole nobody can tell them from the rest. Without those
    that somebody else shipped."""
    named, so_far, theirs = Counter[str](), Counter[str](), Counter[str]()
    for one in events:
        if one.type is EventType.LINES_CANCELLED:
            units = one.data.get("lines") or {}
            named.update(units)
            theirs.update(units if _is_of_others(one) else {})
            so_far.update(units if one.sequence <= event.sequence and not _is_of_others(one) else {})
    if event.type is not EventType.LINES_CANCELLED:
        return {line.line_id: max(0, line.cancelled - theirs[line.line_id]) for line in order.lines}
    if not any(one.type is EventType.ORDER_CANCELLED for one in events):
        so_far.update({line.line_id: max(0, line.cancelled - named[line.line_id]) for line in order.lines})
    return {line.line_id: min(so_far[line.line_id], line.ordered) for line in order.lines}


def listings_cancelled(order: Order) -> list[ListingKey]:
    """What the channel calls the goods of which units were cancelled: it may change its own figures of them."""
    names = {line.channel_sku or line.sku for line in order.lines if line.cancelled} - {""}
    return [ListingKey(f"{order.channel}#{order.account}", name) for name in sorted(names)]


def _lines(order: Order, units: Mapping[str, int], so_far: Mapping[str, int]) -> tuple[NoticeLine, ...]:
    return tuple(
        NoticeLine(
            line_id=line.line_id,
            sku=line.sku,
            quantity=units[line.line_id],
            so_far=max(units[line.line_id], so_far.get(line.line_id, 0)),
        )
        for line in order.lines
        if units.get(line.line_id, 0) > 0
    )


def _event(events: Sequence[Event], key: NoticeKey) -> Event | None:
    """The event of a notice; None where the order has another under this number: somebody made the row up."""
    event = next((one for one in events if one.sequence == key.sequence), None)
    return event if event and KINDS.get(event.type.value) == key.kind else None
