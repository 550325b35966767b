"""THE TABLE: what becomes of everything a channel's message may ask, for every state an order may be in.

What a message asks is what differs between the channel's order and ours (`domain/intake_wishes.py`); which of two
messages counts is `judge_version`. `domain/intake_updates.py` does what this table says, and decides nothing else.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from typing import NamedTuple

from oms.domain.confirmations import BUYER_REQUEST
from oms.domain.events import EventType
from oms.domain.order import Order, OrderStatus
from oms.domain.progress import was_released


class State(StrEnum):
    """Where an order stands when a message about it arrives."""

    NOT_HERE = "NOT_HERE"
    OPEN = "OPEN"
    OPEN_IN_REVIEW = "OPEN_IN_REVIEW"
    RELEASED = "RELEASED"
    RELEASED_IN_REVIEW = "RELEASED_IN_REVIEW"
    PARTLY_SHIPPED = "PARTLY_SHIPPED"
    SHIPPED = "SHIPPED"
    DELIVERED = "DELIVERED"
    CANCELLED_THERE = "CANCELLED_THERE"
    CANCELLED_HERE = "CANCELLED_HERE"


class Ask(StrEnum):
    """What a message may ask. The words are those that a review and its event show."""

    NOTHING = "nothing"
    CANCEL_ALL = "cancel"
    CANCEL_UNITS = "cancel units"
    ADD_UNITS = "add units"
    ADD_LINE = "add a line"
    RESTORE = "restore"
    OTHER_GOODS = "change goods"
    CURRENCY = "change currency"
    MONEY = "change prices"
    ADDRESS = "change address"
    SERVICE = "change service"
    PAYMENT = "payment"
    UNPAID = "not paid any more"
    BUYER_CANCEL = "buyer asks to cancel"
    FULFILLED_THERE = "shipped by somebody else"
    DEADLINES = "move deadlines"
    PERSON = "contact"


class Verdict(StrEnum):
    """What is done about it. GRANT: done where the policy grants buyers their cancels and nothing of the order has left
    as its channel knows, else put to a person.

    NOTE changes facts that no work and no stock depend on.
    """

    CREATE = "CREATE"
    APPLY = "APPLY"
    GRANT = "GRANT"
    REVIEW = "REVIEW"
    NOTE = "NOTE"
    IGNORE = "IGNORE"


class Rule(NamedTuple):
    """What becomes of a wish, why, and for REVIEW the reason the order then shows."""

    verdict: Verdict
    why: str
    reason: str = ""


CHANGE_AFTER_RELEASE, CHANGE_AFTER_CANCEL = "CHANGE_AFTER_RELEASE", "CHANGE_AFTER_CANCEL"
CHANNEL_EDIT, CANCEL_REQUESTED, FULFILLED_ELSEWHERE = "CHANNEL_EDIT", "CANCEL_REQUESTED", "FULFILLED_ELSEWHERE"
TOTALS_MISMATCH, UNMAPPED_SKU, WRONG_CURRENCY = "TOTALS_MISMATCH", "UNMAPPED_SKU", "WRONG_CURRENCY"
PAYMENT_LOST = "PAYMENT_LOST"

_NEW = (State.NOT_HERE,)
_BEFORE = (State.OPEN, State.OPEN_IN_REVIEW)
_AT_WORK = (State.RELEASED, State.RELEASED_IN_REVIEW, State.PARTLY_SHIPPED)
_GONE = (State.SHIPPED,)
_THERE, _HERE = (State.CANCELLED_THERE,), (State.CANCELLED_HERE,)
_CANCELLED = (*_THERE, *_HERE)
_DELIVERED = (State.DELIVERED,)
_KNOWN = tuple(state for state in State if state is not State.NOT_HERE)

_Row = tuple[tuple[State, ...], Rule]


def _create(why: str) -> _Row:
    return _NEW, Rule(Verdict.CREATE, why)


def _apply(states: tuple[State, ...], why: str) -> _Row:
    return states, Rule(Verdict.APPLY, why)


def _review(states: tuple[State, ...], reason: str, why: str) -> _Row:
    return states, Rule(Verdict.REVIEW, why, reason)


def _note(states: tuple[State, ...], why: str) -> _Row:
    return states, Rule(Verdict.NOTE, why)


def _ignore(states: tuple[State, ...], why: str) -> _Row:
    return states, Rule(Verdict.IGNORE, why)


_ROWS: Mapping[Ask, tuple[_Row, ...]] = {
    Ask.NOTHING: (
        _create("the first word of an order makes it, whether it tells of its creation or of a later update"),
        _note(_KNOWN, "how new the channel's last word is, so that nothing older counts any more"),
    ),
    Ask.CANCEL_ALL: (
        _create("it is kept as cancelled, so that an older message does not bring it to life"),
        _apply(_BEFORE, "nobody works on it: what it held is free at once"),
        _review(_AT_WORK, CHANGE_AFTER_RELEASE, "only a location can say whether it can still stop"),
        _review(_GONE, CHANGE_AFTER_RELEASE, "it left before its channel knew: only the carrier may still stop it"),
        _ignore(_DELIVERED, "what was delivered can only come back, as a return"),
        _ignore(_CANCELLED, "it is cancelled"),
    ),
    Ask.CANCEL_UNITS: (
        _create("it is made with what is left of it"),
        _apply(_BEFORE, "nobody works on them: they are free at once, the rest keeps what it has"),
        _review(_AT_WORK, CHANGE_AFTER_RELEASE, "only a location can say whether it can still stop"),
        _review(_GONE, CHANGE_AFTER_RELEASE, "it left before its channel knew: only the carrier may still stop it"),
        _ignore(_DELIVERED, "the channel took back money for goods that arrived: no work follows"),
        _ignore(_CANCELLED, "it is cancelled"),
    ),
    Ask.ADD_UNITS: (
        _create("it is made with all of them"),
        _apply(_BEFORE, "what is added looks for stock, the rest keeps what it has"),
        _apply(_THERE, "who cancelled it takes that back, and adds to it"),
        _review((*_AT_WORK, *_GONE, *_DELIVERED), CHANGE_AFTER_RELEASE, "the work is handed out without them"),
        _review(_HERE, CHANGE_AFTER_CANCEL, "the order has ended here, and its channel adds to it"),
    ),
    Ask.ADD_LINE: (
        _create("it is made with all its lines"),
        _apply(_BEFORE, "what is added looks for stock, the rest keeps what it has"),
        _apply(_THERE, "who cancelled it takes that back, and adds to it"),
        _review((*_AT_WORK, *_GONE, *_DELIVERED), CHANGE_AFTER_RELEASE, "the work is handed out without it"),
        _review(_HERE, CHANGE_AFTER_CANCEL, "the order has ended here, and its channel adds to it"),
    ),
    Ask.RESTORE: (
        _create("it is made as it is now"),
        _apply(_BEFORE, "units that the channel took out and puts back look for stock again"),
        _review((*_AT_WORK, *_GONE, *_DELIVERED), CHANGE_AFTER_RELEASE, "the work is handed out without them"),
        _apply(_THERE, "who cancelled it takes that back before anything was handed out"),
        _review(_HERE, CHANGE_AFTER_CANCEL, "we ended it, or a location stopped for it"),
    ),
    Ask.OTHER_GOODS: (
        _create("it is made of the goods that it names"),
        _apply(_BEFORE, "the old goods are free at once, the new ones look for stock"),
        _review((*_AT_WORK, *_GONE), CHANGE_AFTER_RELEASE, "the wrong goods may be on their way"),
        _ignore((*_DELIVERED, *_CANCELLED), "nothing of it travels any more, whatever its lines are called"),
    ),
    Ask.CURRENCY: (
        _create("it is in the currency it names, where the account sells in that"),
        _review(
            (*_BEFORE, *_AT_WORK, *_GONE, *_DELIVERED), WRONG_CURRENCY, "amounts of one currency are none of another"
        ),
        _ignore(_CANCELLED, "it is cancelled, its amounts stay as they were"),
    ),
    Ask.MONEY: (
        _create("prices and totals are the channel's; where they do not add up a person sees by how much"),
        _apply(_BEFORE, "prices and totals are the channel's; where they do not add up a person sees by how much"),
        _note((*_AT_WORK, *_GONE, *_DELIVERED, *_CANCELLED), "the books follow the channel, the work is the same"),
    ),
    Ask.ADDRESS: (
        _create("it goes where the channel says"),
        _apply((*_BEFORE, *_THERE), "it is routed again where the way of the parcel changes"),
        _review((*_AT_WORK, *_GONE), CHANGE_AFTER_RELEASE, "a parcel may be on its way to the old one"),
        _ignore((*_DELIVERED, *_HERE), "nothing travels any more"),
    ),
    Ask.SERVICE: (
        _create("it goes as the channel says"),
        _apply((*_BEFORE, *_THERE), "it is routed again"),
        _review(_AT_WORK, CHANGE_AFTER_RELEASE, "the work is handed out for the old one"),
        _ignore((*_GONE, *_DELIVERED, *_HERE), "everything has left already, or nothing will"),
    ),
    Ask.PAYMENT: (
        _create("what is not paid yet holds its stock and waits"),
        _note(_BEFORE, "paid ends the wait for the payment, not paid any more begins one"),
        _note((*_AT_WORK, *_GONE, *_DELIVERED, *_CANCELLED), "the books follow the channel"),
    ),
    Ask.UNPAID: (
        _create("what is not paid holds its stock and waits"),
        _note(_BEFORE, "it waits for its payment again"),
        _review(_AT_WORK, PAYMENT_LOST, "goods that nobody pays for any more are about to leave"),
        _note((*_GONE, *_DELIVERED, *_CANCELLED), "nothing is left to stop: the books follow the channel"),
    ),
    Ask.BUYER_CANCEL: (
        _create("it is made, and the wish judged at once as for one that is here"),
        (_BEFORE, Rule(Verdict.GRANT, "nobody works on it; the channel hears that it is cancelled", CANCEL_REQUESTED)),
        _review(_AT_WORK, CANCEL_REQUESTED, "only a location can say whether it can still stop"),
        _ignore((*_GONE, *_DELIVERED, *_CANCELLED), "there is nothing left to cancel"),
    ),
    Ask.FULFILLED_THERE: (
        (_NEW, Rule(Verdict.CREATE, "all of it is kept as gone, of a part a person decides", FULFILLED_ELSEWHERE)),
        _review((*_BEFORE, *_AT_WORK), FULFILLED_ELSEWHERE, "the channel says that units left which left no location"),
        _ignore((*_GONE, *_DELIVERED, *_CANCELLED), "nothing is left to ship"),
    ),
    Ask.DEADLINES: (
        _create("what the marketplace demands goes before the policy, and is the promise"),
        _note((*_BEFORE, *_AT_WORK, *_GONE), "the marketplace moved them"),
        _ignore((*_DELIVERED, *_CANCELLED), "they are met, or void"),
    ),
    Ask.PERSON: (
        _create("the person's data is kept apart from the order"),
        _note(_KNOWN, "the person's data follows the channel for as long as we have any"),
    ),
}

TABLE: Mapping[tuple[State, Ask], Rule] = {
    (state, ask): rule for ask, rows in _ROWS.items() for states, rule in rows for state in states
}
"""One rule for every state and every wish."""


def state_of(order: Order | None) -> State:
    """The row of the table for an order as it is now."""
    if order is None:
        return State.NOT_HERE
    if order.status is OrderStatus.CANCELLED:
        return State.CANCELLED_THERE if _cancelled_by_channel(order) else State.CANCELLED_HERE
    if order.status is OrderStatus.DELIVERED:
        return State.DELIVERED
    return _released(order) if was_released(order) else (State.OPEN_IN_REVIEW if order.review else State.OPEN)


def _cancelled_by_channel(order: Order) -> bool:
    """Whether the channel itself ended the order, by its own wish and before anything was handed out."""
    last = next((one for one in reversed(order.events) if one.type is EventType.ORDER_CANCELLED), None)
    if last is None or was_released(order):
        return False
    return last.actor == order.channel and last.data.get("reason") != BUYER_REQUEST


def _released(order: Order) -> State:
    if not any(line.unallocated + line.in_fulfillment for line in order.lines):
        return State.SHIPPED
    if order.review:
        return State.RELEASED_IN_REVIEW
    left = any(line.shipped for line in order.lines if line.requires_shipping)
    return State.PARTLY_SHIPPED if left else State.RELEASED


class Version(StrEnum):
    """Whether a message counts: it is older than what we know, says the same, must be asked about, or counts."""

    STALE = "STALE"
    UNCHANGED = "UNCHANGED"
    REFETCH = "REFETCH"
    COUNTS = "COUNTS"


class Age(StrEnum):
    """The channel's time in a message, against the newest we have."""

    OLDER = "OLDER"
    SAME = "SAME"
    NEWER = "NEWER"


def judge_version(
    age: Age, *, same_content: bool, fetched: bool, can_fetch: bool, is_cancelled: bool = False
) -> Version:
    """Whether a message counts. Channels tell whole seconds: of two edits within one, the channel is asked which holds.

    What we asked the channel for (`fetched`) is its answer. A channel that can't be asked is believed, except that
    nothing of the same second brings a cancelled order back: that may be the message which the cancel overtook.
    """
    if age is not Age.SAME:
        return Version.STALE if age is Age.OLDER else Version.COUNTS
    if same_content:
        return Version.UNCHANGED
    if fetched:
        return Version.COUNTS
    if can_fetch:
        return Version.REFETCH
    return Version.STALE if is_cancelled else Version.COUNTS
