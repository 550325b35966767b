"""Confirmations: what a channel is told of its orders: that we have them, each parcel, each cancellation.

An event says that there is something to tell; what is told is read from the document when it is told (`notices`). One
row of `deliveries` per event, `<order_id>#<sequence>#<kind>`: whoever hears of the event twice owes it once.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, NamedTuple

from oms.domain.catalog import Notice
from oms.domain.errors import ChannelRefused, InvalidMessage, NotSupported, OmsError
from oms.domain.events import EventType

ACKNOWLEDGEMENT, SHIPMENT, CANCELLATION = "acknowledgement", "shipment", "cancellation"
"""Kinds of notices."""

BUYER_REQUEST = "BUYER_REQUEST"
"""The reason of a cancellation that the buyer asked for: the channel waits for our answer, even if it passed on the
question itself."""

SHIPPED_BY_OTHERS = "FULFILLED_ELSEWHERE"
"""The reason of a cancellation of units that, as their channel says, somebody else shipped: it is none there."""

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

KINDS = {
    EventType.ORDER_RECEIVED.value: ACKNOWLEDGEMENT,
    EventType.SHIPMENT_SHIPPED.value: SHIPMENT,
    EventType.ORDER_CANCELLED.value: CANCELLATION,
    EventType.LINES_CANCELLED.value: CANCELLATION,
}
"""Which events are told, as what."""

_CODE = re.compile(r"[A-Za-z0-9_.,:-]{1,200}")
_DESTINATION = "channel#"


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
    kind = KINDS.get(str(event.get("type")))
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
    if kind == CANCELLATION and data.get("reason") == SHIPPED_BY_OTHERS:
        return False
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
