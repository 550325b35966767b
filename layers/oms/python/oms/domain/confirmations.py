"""Confirmations: what a channel is told of its orders: that we have them, each parcel, each cancellation.

An event says that there is something to tell; what is told is read from the document when it is told. One row of
`deliveries` per event, `<order_id>#<sequence>#<kind>`: whoever hears of the event twice owes it once.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, NamedTuple

from oms.domain.backordering import BACKORDER_LIMIT, OUT_OF_STOCK
from oms.domain.catalog import Notice
from oms.domain.channel_messages import (
    AcknowledgementNotice,
    CancellationNotice,
    NoticeLine,
    OrderNotice,
    ShipmentNotice,
)
from oms.domain.errors import ChannelRefused, InvalidMessage, NotSupported, OmsError
from oms.domain.events import Event, EventType
from oms.domain.listings import ListingKey
from oms.domain.order import Order, OrderStatus
from oms.domain.shipments import Shipment

ACKNOWLEDGEMENT, SHIPMENT, CANCELLATION = "acknowledgement", "shipment", "cancellation"
"""Kinds of notices."""

BUYER_REQUEST = "BUYER_REQUEST"
"""The reason of a cancellation that the buyer asked for: the channel waits for our answer, even if it passed on the
question itself."""

NO_STOCK = "NO_STOCK"
MIGRATION = "migration"
"""Who brings orders of another system in: their channel knows of them what there is to know."""

OWED_WITHIN = timedelta(days=30)
"""Events older than this are told to nobody any more: somebody publishes history again. Rows are kept for longer."""

OPERATIONS = {ACKNOWLEDGEMENT: "acknowledge", SHIPMENT: "confirm_shipment", CANCELLATION: "confirm_cancellation"}
"""What the file of a channel must have to be told of a kind."""

WANTED = {ACKNOWLEDGEMENT: Notice.ACKNOWLEDGEMENTS, SHIPMENT: Notice.SHIPMENTS, CANCELLATION: Notice.CANCELLATIONS}
"""What the settings of an account must name to be told of a kind."""

NO_CODE = "REFUSED"
"""What a row says where a channel gave no code."""

_CODE = re.compile(r"[A-Za-z0-9_.,:-]{1,200}")
_DESTINATION = "channel#"
_KINDS = {
    EventType.ORDER_RECEIVED.value: ACKNOWLEDGEMENT,
    EventType.SHIPMENT_SHIPPED.value: SHIPMENT,
    EventType.ORDER_CANCELLED.value: CANCELLATION,
    EventType.LINES_CANCELLED.value: CANCELLATION,
}
_REASONS = {OUT_OF_STOCK: NO_STOCK, BACKORDER_LIMIT: NO_STOCK}


class NoticeKey(NamedTuple):
    """Which notice: the event of the order, and what it is about."""

    order_id: str
    sequence: int
    kind: str


@dataclass(frozen=True, slots=True)
class Owed:
    """A notice that the channel of an order is owed, if the account is told such things."""

    channel_account: str
    key: NoticeKey


def owed_by(event: Mapping[str, Any], now: datetime) -> Owed | None:
    """What an event, as the bus tells it, makes us owe the order's channel; None where it needs no telling.

    A channel is not told what it told us, unless its buyer asked for it, or it wants to hear that we have the order.
    Raises InvalidMessage.
    """
    kind = _KINDS.get(str(event.get("type")))
    if kind is None:
        return None
    try:
        key = NoticeKey(str(event["order_id"]), int(event["sequence"]), kind)
        channel, account, at = str(event["channel"]), str(event["account"]), datetime.fromisoformat(event["at"])
    except (KeyError, TypeError, ValueError) as error:
        raise InvalidMessage("not an event of an order", field="detail") from error
    if at < now - OWED_WITHIN or not _is_news(kind, str(event.get("actor")), channel, event.get("data") or {}):
        return None
    return Owed(f"{channel}#{account}", key)


def _is_news(kind: str, actor: str, channel: str, data: Mapping[str, Any]) -> bool:
    awaited = kind == ACKNOWLEDGEMENT or data.get("reason") == BUYER_REQUEST
    return actor != MIGRATION and (actor != channel or awaited)


def destination(channel_account: str) -> str:
    """The `destination` of the rows that owe an account something."""
    return f"{_DESTINATION}{channel_account}"


def is_channel(destination: str) -> bool:
    """Whether the row owes something to a channel."""
    return destination.startswith(_DESTINATION)


def account_of(destination: str) -> str:
    """The account that is owed: `amazon#main`. Raises InvalidMessage for the destination of somebody else."""
    account = destination.removeprefix(_DESTINATION)
    if not is_channel(destination) or not all(account.partition("#")):
        raise InvalidMessage("not the destination of a channel", field="destination")
    return account


def message_key(key: NoticeKey) -> str:
    """The `message_key` of a notice's row."""
    return f"{key.order_id}#{key.sequence}#{key.kind}"


def notice_of(message_key: str) -> NoticeKey:
    """The notice that a row is about. Raises InvalidMessage for a key that is none."""
    parts = message_key.split("#")
    if len(parts) != 3 or not parts[0] or parts[2] not in OPERATIONS or not (parts[1].isascii() and parts[1].isdigit()):
        raise InvalidMessage("not the key of a notice", field="message_key")
    return NoticeKey(parts[0], int(parts[1]), parts[2])


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
    whole = order.status is OrderStatus.CANCELLED
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
    event names them, and of an order that was cancelled as a whole nobody can tell them from the rest."""
    if event.type is not EventType.LINES_CANCELLED:
        return {line.line_id: line.cancelled for line in order.lines}
    named, so_far = Counter[str](), Counter[str]()
    for one in events:
        if one.type is EventType.LINES_CANCELLED:
            named.update(one.data.get("lines") or {})
            so_far.update((one.data.get("lines") or {}) if one.sequence <= event.sequence else {})
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
    return event if event and _KINDS.get(event.type.value) == key.kind else None


def why(error: OmsError) -> str:
    """What a row says of an error: its class; of a channel's answer the status, of a refusal the channel's own codes.

    Only what a person is to do, which our files of channels say, is told in their words: other texts may have been
    made of what somebody answered.
    """
    name = type(error).__name__
    if isinstance(error, ChannelRefused):
        return " ".join([name, str(error.status), *map(code, error.codes)])
    if isinstance(error, NotSupported):
        return f"{name}: {error}"
    if isinstance(error, InvalidMessage):
        return f"{name} {code(error.reason)}"
    status = error.details.get("status")
    return f"{name} {status}" if isinstance(status, int) else name


def code(text: str) -> str:
    """A channel's own word for why it refused, as rows show it; what is no short word may quote anything."""
    return text if _CODE.fullmatch(text) else NO_CODE
