"""What a person is asked about an order: wishes of its channel that are not done, each once, what was taken back of
them, and edits that don't add up or bring goods that no order can hold.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import replace
from datetime import datetime
from typing import Any

from oms.domain.cancellation import open_units
from oms.domain.changes import Context, OrderChange
from oms.domain.confirmations import SHIPPED_BY_OTHERS
from oms.domain.decisions import MAX_QUEUE_ROWS_LEFT, put_in_review, resolve_review
from oms.domain.events import EventType
from oms.domain.incoming import IncomingOrder
from oms.domain.intake import MAX_DETAIL, totals_difference, unusable_goods
from oms.domain.intake_rules import CHANNEL_EDIT, FULFILLED_ELSEWHERE, TOTALS_MISMATCH, UNMAPPED_SKU, Ask, Rule
from oms.domain.intake_wishes import ADDING, PAYMENT_GONE, UNITS, Message, Wishes
from oms.domain.money import format_minor
from oms.domain.order import Order, Review
from oms.domain.progress import TERMINAL, Happening, step, was_released

_CANCELS = frozenset({EventType.LINES_CANCELLED, EventType.ORDER_CANCELLED})

_LEFT_THERE = "left_there"
"""In an event that asks about units that left elsewhere: all that has left of each line, as the channel knows it."""

_TAKEN_BACK = UNITS | {Ask.BUYER_CANCEL, Ask.SERVICE, Ask.CURRENCY, Ask.UNPAID, Ask.FULFILLED_THERE}
"""Wishes that end with the channel's next word where they are not in it."""

_COUNTED = frozenset({Ask.CANCEL_UNITS, Ask.ADD_UNITS, Ask.RESTORE, Ask.FULFILLED_THERE})
"""Wishes that are units by line_id."""


def put_to_a_person(
    order: Order, message: Message, to_decide: Wishes, rules: Mapping[Ask, Rule], room: int
) -> list[OrderChange]:
    """The review of what is not done, once per wish: who decided is not asked again by a repeat."""
    new = {ask: value for ask, value in to_decide.items() if not _was_asked(order, ask, value)}
    if not new:
        return []
    reason = next((rules[ask].reason for ask in new if rules[ask].reason), CHANNEL_EDIT)
    words = ", ".join(ask.value for ask in new)
    data = {"reason": reason, "asked": {ask.value: value for ask, value in new.items()}}
    if Ask.FULFILLED_THERE in new:
        data[_LEFT_THERE] = {one.line_id: one.fulfilled_quantity for one in message.incoming.lines}
    if order.review:
        known = [part for part in (order.review.detail, words) if part]
        review = replace(order.review, detail="; ".join(known)[:MAX_DETAIL])
    else:
        review = Review(reason=reason, since=message.context.now, detail=words[:MAX_DETAIL])
    return [_in_review(order, review, data, message.context, room)]


def _in_review(order: Order, review: Review, data: dict[str, Any], context: Context, room: int) -> OrderChange:
    reviewed, rows = put_in_review(order, review, room)
    changed = step(reviewed, context, (EventType.REVIEW_REQUESTED, data))
    return OrderChange(order=changed, backorders_removed=rows)


def _was_asked(order: Order, ask: Ask, value: Any) -> bool:
    """Whether a person was asked this before. A new address is in the person's data, and asked about as often as it is
    new."""
    if ask is Ask.ADDRESS:
        return False
    before = _outstanding(order).get(ask)
    # fewer units are what is left of those a person has decided on, or of those that our own parcels account for
    may_be_fewer = ask is Ask.FULFILLED_THERE or (ask in _COUNTED and order.review is None)
    return bool(before == value or (may_be_fewer and before and _is_part(value, before)))


def _is_part(units: Mapping[str, int], whole: Mapping[str, int]) -> bool:
    return all(quantity <= whole.get(line_id, 0) for line_id, quantity in units.items())


def _outstanding(order: Order) -> Wishes:
    """What a person was asked last of each wish. A wish that was taken back, or units that were cancelled since, make
    the same words a new question."""
    asked: Wishes = {}
    for event in order.events:
        if event.type is EventType.REVIEW_REQUESTED:
            asked |= {Ask(name): value for name, value in event.data.get("asked", {}).items()}
        elif event.type is EventType.REQUEST_WITHDRAWN:
            asked = {ask: value for ask, value in asked.items() if ask.value not in event.data["asked"]}
        elif event.type in _CANCELS:
            asked = {ask: value for ask, value in asked.items() if ask not in UNITS}
    return asked


def taken_back(before: Order, order: Order, message: Message, asked: Wishes) -> list[OrderChange]:
    """Wishes that a person was asked about and that the channel does not have any more; who has not decided yet sees
    it. An order that is cancelled or delivered takes nothing back, and units that have left are asked for no more
    because it is too late."""
    incoming = message.incoming
    if incoming.cancelled_at or before.status in TERMINAL:
        return []
    still_unpaid = not incoming.payment_status or incoming.payment_status in PAYMENT_GONE
    wanted = {*asked, *([Ask.BUYER_CANCEL] if incoming.cancel_requested else [])}
    wanted |= {Ask.UNPAID} if still_unpaid else set()
    outstanding = _outstanding(before).items()
    gone = [
        ask.value
        for ask, value in outstanding
        if ask in _TAKEN_BACK and ask not in wanted and not _is_overtaken(before, incoming, ask, value)
    ]
    if not gone:
        return []
    facts: dict[str, Any] = {}
    if order.review:
        known = [part for part in (order.review.detail, f"taken back: {', '.join(gone)}") if part]
        facts["review"] = replace(order.review, detail="; ".join(known)[:MAX_DETAIL])
    return [OrderChange(order=step(order, message.context, (EventType.REQUEST_WITHDRAWN, {"asked": gone}), **facts))]


def _is_overtaken(order: Order, incoming: IncomingOrder, ask: Ask, value: Any) -> bool:
    """Whether a wish is gone because our parcels have left, not because the channel thought otherwise."""
    left = open_units(order)
    if ask is Ask.CANCEL_UNITS:
        return left.keys().isdisjoint(value)
    if ask is Ask.FULFILLED_THERE:
        told = {line.line_id: line.fulfilled_quantity for line in incoming.lines}
        return _is_part(value, told)
    return ask is Ask.CANCEL_ALL and not left


def judge_own_reviews(order: Order, message: Message, asked: Wishes, to_do: Wishes, room: int) -> list[OrderChange]:
    """What intake itself put in review ends when its cause has; an edit that does not add up begins one."""
    if order.review is None:
        return _begun(order, message, to_do, room)
    if not _is_over(order, order.review, message, asked):
        return []
    ended = resolve_review(order, message.context)
    return [ended, *_begun(ended.order, message, to_do, room)]


def _begun(order: Order, message: Message, to_do: Wishes, room: int) -> list[OrderChange]:
    """The review that what was done of the message begins."""
    if was_released(order) or order.status in TERMINAL:
        return []
    unusable = _unusable_goods(order, message, to_do)
    if unusable:
        reason, detail = unusable
        review = Review(reason=reason, since=message.context.now, detail=detail[:MAX_DETAIL])
        return [_in_review(order, review, {"reason": reason}, message.context, room)]
    off_by = totals_difference(message.incoming)
    if not off_by or (Ask.MONEY not in to_do and UNITS.isdisjoint(to_do)):
        return []
    detail = f"off by {format_minor(off_by, message.incoming.currency)}"
    review = Review(reason=TOTALS_MISMATCH, since=message.context.now, detail=detail)
    return [_in_review(order, review, {"reason": TOTALS_MISMATCH}, message.context, room)]


def _is_over(order: Order, review: Review, message: Message, asked: Wishes) -> bool:
    """Whether the cause of the review is gone, it shows no other question that is open, and no newer message waits for
    what it names to be mapped."""
    incoming = message.incoming
    if review.reason == FULFILLED_ELSEWHERE:
        is_all = _asks_of_nothing_else(order, review) and not _left_beyond_promise(order)
        return is_all and Ask.FULFILLED_THERE not in asked and incoming.cancelled_at is None
    if was_released(order) or order.status in TERMINAL or _waits_for_newer(order, incoming.channel_updated_at):
        return False
    if _asks_more(order, review):
        return False
    return review.reason == UNMAPPED_SKU or (review.reason == TOTALS_MISMATCH and not totals_difference(incoming))


def _asks_of_nothing_else(order: Order, review: Review) -> bool:
    return all(data.get("asked", {}).keys() == {Ask.FULFILLED_THERE.value} for data in _since(order, review))


def _left_beyond_promise(order: Order) -> bool:
    """Whether our parcels held more than was promised: who reads that somebody else shipped as well must see it."""
    left: Counter[str] = Counter()
    for parcel in (parcel for one in order.fulfillments for parcel in one.shipments):
        left.update({line.line_id: line.quantity for line in parcel.lines})
    return any(left[line.line_id] > line.shipped for line in order.lines)


def _asks_more(order: Order, review: Review) -> bool:
    """Whether a wish that was put to a person since the review began is still one."""
    open_wishes = {ask.value for ask in _outstanding(order)}
    return any(not open_wishes.isdisjoint(data.get("asked", ())) for data in _since(order, review))


def accounted_for(order: Order) -> list[Happening]:
    """What there is to tell of a review of nothing but units that left as the channel knows it, once parcels of ours
    account for all of them and held no more than was promised: it is over. Empty where it is not. More that the
    channel tells of later is asked anew."""
    review, question = order.review, _question_of_left(order)
    if review is None or review.reason != FULFILLED_ELSEWHERE or not _asks_of_nothing_else(order, review):
        return []
    if _left_beyond_promise(order):
        return []
    left_there = question.get(_LEFT_THERE) or question.get("asked", {}).get(Ask.FULFILLED_THERE.value, {})
    shipped = {line.line_id: line.shipped for line in order.lines if line.requires_shipping}
    if not left_there or any(shipped[line_id] < units for line_id, units in left_there.items() if line_id in shipped):
        return []
    return [
        (EventType.REQUEST_WITHDRAWN, {"asked": [Ask.FULFILLED_THERE.value]}),
        (EventType.REVIEW_RESOLVED, {"reason": review.reason}),
    ]


def left_elsewhere(order: Order) -> dict[str, int]:
    """Open units per line of an order in review that, as the channel says, somebody else has shipped."""
    told = dict(_question_of_left(order).get("asked", {}).get(Ask.FULFILLED_THERE.value, {}))
    for event in order.events:
        is_theirs = event.type is EventType.LINES_CANCELLED and event.data.get("reason") == SHIPPED_BY_OTHERS
        if order.review and is_theirs and event.at >= order.review.since:
            told = {line_id: units - event.data["lines"].get(line_id, 0) for line_id, units in told.items()}
    left = open_units(order)
    return {line_id: min(units, left[line_id]) for line_id, units in told.items() if units > 0 and line_id in left}


def _question_of_left(order: Order) -> dict[str, Any]:
    """What a person was asked last, in this review, of units that left elsewhere; empty if that was taken back."""
    if order.review is None or Ask.FULFILLED_THERE not in _outstanding(order):
        return {}
    asked = reversed(_since(order, order.review))
    return next((data for data in asked if Ask.FULFILLED_THERE.value in data.get("asked", {})), {})


def _since(order: Order, review: Review) -> list[dict[str, Any]]:
    """What was asked since the review began."""
    asked = EventType.REVIEW_REQUESTED
    return [event.data for event in order.events if event.type is asked and event.at >= review.since]


def await_mapping(order: Order, skus: Iterable[str], told_at: datetime, context: Context) -> OrderChange | None:
    """The change that keeps an order back while its message of this time waits for goods to be mapped, or that tells
    whoever decides on something else; None if a person was asked that before."""
    if order.status in TERMINAL or _waits_for_newer(order, told_at, or_same=True):
        return None
    review, names = order.review, ", ".join(skus)
    if review and review.reason != UNMAPPED_SKU:
        kept_back = replace(review, detail=f"{review.detail}; not mapped: {names}"[:MAX_DETAIL])
    else:
        since = review.since if review else context.now
        kept_back = Review(reason=UNMAPPED_SKU, since=since, detail=names[:MAX_DETAIL])
    data = {"reason": UNMAPPED_SKU, "told_at": told_at.isoformat()}
    return _in_review(order, kept_back, data, context, MAX_QUEUE_ROWS_LEFT)


def _waits_for_newer(order: Order, told_at: datetime, *, or_same: bool = False) -> bool:
    """Whether a message that is newer than this one waits, or waited, for goods to be mapped."""
    times = (event.data.get("told_at") for event in order.events if event.type is EventType.REVIEW_REQUESTED)
    newest = max((datetime.fromisoformat(time) for time in times if time), default=None)
    return newest is not None and (newest > told_at or (or_same and newest == told_at))


def _unusable_goods(order: Order, message: Message, to_do: Wishes) -> tuple[str, str] | None:
    """What is wrong with goods that were added, whose products we were given for that."""
    added = {line_id for ask in ADDING for line_id in to_do.get(ask, ())}
    skus = (line.sku for line in order.lines if line.line_id in added and line.sku in message.products)
    return unusable_goods(skus, message.products)
