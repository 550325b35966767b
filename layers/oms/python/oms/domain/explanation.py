"""Why has it not shipped? The order's facts as an answer a person can act on."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from oms.domain.cancellation import open_units
from oms.domain.decisions import MAX_HOLDS
from oms.domain.events import EventType
from oms.domain.network import Destination
from oms.domain.order import Line, Order, OrderStatus, WaitingFor
from oms.domain.progress import TERMINAL, was_released
from oms.domain.routing_words import REASONS, words_for

MAX_SKUS_NAMED = 5


class Unblocker(StrEnum):
    """Who can make the order go on."""

    SYSTEM = "SYSTEM"
    OPERATIONS = "OPERATIONS"
    CUSTOMER = "CUSTOMER"
    PURCHASING = "PURCHASING"
    LOCATION = "LOCATION"
    CARRIER = "CARRIER"
    NOBODY = "NOBODY"


class Action(StrEnum):
    """What the API would do to this order now."""

    CANCEL = "CANCEL"
    PLACE_HOLD = "PLACE_HOLD"
    RELEASE_HOLD = "RELEASE_HOLD"
    CONTINUE_REVIEW = "CONTINUE_REVIEW"
    CANCEL_REVIEW = "CANCEL_REVIEW"
    ADD_NOTE = "ADD_NOTE"


@dataclass(frozen=True, slots=True, kw_only=True)
class Explanation:
    """What the order waits for and since when, whether that is too long, why, and who can do what about it."""

    order_id: str
    status: OrderStatus
    waiting_for: WaitingFor | None
    since: datetime | None
    due_at: datetime | None
    overdue: bool
    reason_code: str | None
    cause: str
    location_id: str | None
    who_can_unblock: Unblocker
    supported_actions: tuple[Action, ...]


_CASES: dict[WaitingFor, tuple[str, Unblocker]] = {
    WaitingFor.REVIEW: ("A person must decide{detail}.", Unblocker.OPERATIONS),
    WaitingFor.HOLD: ("The order is on hold: {holds}.", Unblocker.OPERATIONS),
    WaitingFor.ALLOCATION: ("The locations it ships from are being chosen.", Unblocker.SYSTEM),
    WaitingFor.STOCK: ("There is not enough stock of {skus}.", Unblocker.PURCHASING),
    WaitingFor.CANCEL_WINDOW: ("The customer may still cancel until {release_after}.", Unblocker.SYSTEM),
    WaitingFor.LOCATION_ANSWER: ("{location} has not answered the request yet.", Unblocker.LOCATION),
    WaitingFor.PICK: ("{location} has accepted the work and has not packed it yet.", Unblocker.LOCATION),
    WaitingFor.SHIP: ("{location} has packed it and has not handed it to the carrier yet.", Unblocker.LOCATION),
    WaitingFor.COLLECTION: ("It is ready at {location} and the customer has not collected it.", Unblocker.CUSTOMER),
    WaitingFor.DELIVERY: ("It has left and has not been delivered yet.", Unblocker.CARRIER),
}

_REASONS: dict[str, tuple[str, Unblocker]] = {
    "UNKNOWN_SKU": ("It contains a SKU that is not in the catalogue{detail}.", Unblocker.OPERATIONS),
    "KIT_ORDERED": ("It contains a kit that can't be taken apart{detail}.", Unblocker.OPERATIONS),
    "WRONG_CURRENCY": ("Its currency is not one of this account's{detail}.", Unblocker.OPERATIONS),
    "TOTALS_MISMATCH": ("Its total is not what its lines add up to{detail}.", Unblocker.OPERATIONS),
    "CHANNEL_EDIT": ("The channel changed it in a way a person must decide on{detail}.", Unblocker.OPERATIONS),
    "CHANGE_AFTER_RELEASE": (
        "The channel asked for a change after the work was handed out{detail}.",
        Unblocker.OPERATIONS,
    ),
    "CHANGE_AFTER_CANCEL": ("The channel changed it after it had ended here{detail}.", Unblocker.OPERATIONS),
    "CANCEL_REQUESTED": ("The buyer asks to cancel it{detail}.", Unblocker.OPERATIONS),
    "FULFILLED_ELSEWHERE": ("The channel says that somebody else has shipped of it{detail}.", Unblocker.OPERATIONS),
    "PAYMENT_LOST": ("It is not paid any more, and the work was handed out{detail}.", Unblocker.OPERATIONS),
    "UNMAPPED_SKU": ("What its channel added to it is not mapped to a SKU yet{detail}.", Unblocker.OPERATIONS),
    "MIGRATION": ("It is being loaded from another system; load the file again to complete it.", Unblocker.OPERATIONS),
    "NO_ROUTE": ("No location may ship it to where it goes{no_route}.", Unblocker.OPERATIONS),
    "OVERSHIPPED": ("More left the building than was asked for{detail}.", Unblocker.OPERATIONS),
    "BACKORDER_LIMIT": ("It has waited for stock for as long as it may.", Unblocker.OPERATIONS),
    "TIMED_OUT": ("It did not go on for longer than it may.", Unblocker.OPERATIONS),
    "AWAITING_ADDRESS": ("Its channel has not said where it goes yet, save the country.", Unblocker.CUSTOMER),
    "AWAITING_PAYMENT": ("The payment is not confirmed yet.", Unblocker.CUSTOMER),
}
"""Reasons that say more than the state alone; any other reason is told by its state."""

_ENDED = {
    OrderStatus.DELIVERED: "Everything was delivered.",
    OrderStatus.CANCELLED: "The order was cancelled.",
}


def explain(order: Order, now: datetime) -> Explanation:
    """The explanation of the order as it is `now`."""
    cause, unblocker = _cause(order)
    return Explanation(
        order_id=order.order_id,
        status=order.status,
        waiting_for=order.waiting_for,
        since=order.waiting_since,
        due_at=order.due_at,
        overdue=order.due_at is not None and now > order.due_at,
        reason_code=order.reason_code,
        cause=cause,
        location_id=order.waiting_location_id,
        who_can_unblock=unblocker,
        supported_actions=supported_actions(order),
    )


def supported_actions(order: Order) -> tuple[Action, ...]:
    """What the API would not refuse now, in the order of `Action`."""
    is_open, released = order.status not in TERMINAL, was_released(order)
    can_cancel = bool(open_units(order)) and not released
    applies = {
        Action.CANCEL: can_cancel,
        Action.PLACE_HOLD: is_open and not released and len(order.holds) < MAX_HOLDS,
        Action.RELEASE_HOLD: is_open and bool(order.holds),
        Action.CONTINUE_REVIEW: order.review is not None,
        Action.CANCEL_REVIEW: order.review is not None and can_cancel,
        Action.ADD_NOTE: True,
    }
    return tuple(action for action in Action if applies[action])


def _cause(order: Order) -> tuple[str, Unblocker]:
    """One sentence, and who can help."""
    if order.waiting_for is None:
        return _ENDED[order.status], Unblocker.NOBODY
    sentence, unblocker = _REASONS.get(order.reason_code or "", _CASES[order.waiting_for])
    return sentence.format_map(_words(order)), unblocker


def _words(order: Order) -> dict[str, str]:
    detail = order.review.detail if order.review else ""
    until = order.release_after or order.placed_at
    return {
        "detail": f": {detail}" if detail else "",
        "holds": ", ".join(hold.reason or hold.type for hold in order.holds),
        "skus": _short_skus(order),
        "no_route": _no_route(order),
        "release_after": until.strftime("%Y-%m-%d %H:%M:%S UTC"),
        "location": order.waiting_location_id or "The location",
    }


def _no_route(order: Order) -> str:
    """Why each location may not, as the order noted it; nothing where it did not."""
    noted = next((one.data for one in reversed(order.events) if one.type is EventType.ORDER_UNROUTABLE), {})
    reasons = dict(noted.get("reasons", {}))
    words = words_for(Destination.of(order), [need for line in order.lines for need in line.needs])
    told = [f"{one}: {REASONS[reason].format_map(words)}" for one, reason in reasons.items()]
    return f" ({'; '.join(told)})" if told else ""


def _short_skus(order: Order) -> str:
    skus = list(dict.fromkeys(_named(line) for line in order.lines if line.backordered))
    more = len(skus) - MAX_SKUS_NAMED
    return ", ".join(skus[:MAX_SKUS_NAMED]) + (f" and {more} more" if more > 0 else "")


def _named(line: Line) -> str:
    """The sku; of a kit also what it is made of, since that is what lies on shelves."""
    return f"{line.sku} ({', '.join(line.stock_units(1))})" if line.components else line.sku
