"""Bring an order to what its channel says now, as the table in `intake_rules` has it.

A message never overwrites: what differs is a wish, and the table says for the order's state whether it is done, put to
a person, only noted, or nothing. All of it is one change of one version, as long as it fits one.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from oms.domain.cancellation import cancel
from oms.domain.catalog import Product
from oms.domain.changes import MAX_POSITIONS_PER_CHANGE, Context, OrderChange, fold, touches
from oms.domain.confirmations import BUYER_REQUEST
from oms.domain.decisions import put_in_review, resolve_review
from oms.domain.editing import Edit, LineEdit, stage
from oms.domain.events import EventType
from oms.domain.incoming import Contact, IncomingOrder
from oms.domain.intake import AWAITING_ADDRESS, AWAITING_PAYMENT, UNPAID, is_placed, totals_difference
from oms.domain.intake_rules import (
    CHANNEL_EDIT,
    TABLE,
    TOTALS_MISMATCH,
    UNMAPPED_SKU,
    Age,
    Ask,
    Rule,
    State,
    Verdict,
    state_of,
)
from oms.domain.intake_wishes import (
    Wishes,
    age_of,
    deadlines,
    line_edits,
    money_of,
    payments_of,
    place_of,
    renewed,
    service_of,
    wishes,
)
from oms.domain.money import format_minor
from oms.domain.order import Hold, Line, Order, Review
from oms.domain.progress import TERMINAL, Happening, step, was_released
from oms.domain.promising import PromiseCause, promise_news

_UNITS = frozenset({Ask.CANCEL_ALL, Ask.CANCEL_UNITS, Ask.ADD_UNITS, Ask.ADD_LINE, Ask.RESTORE})
_MAX_DETAIL = 200


@dataclass(frozen=True, slots=True, kw_only=True)
class Message:
    """What came in, and all that judging it needs beside the order: the person's data as we have it, the products of
    lines that are added, who acts when, and the digest of the message's content."""

    incoming: IncomingOrder
    contact: Contact | None
    context: Context
    products: Mapping[str, Product] = field(default_factory=dict)
    content: str = ""


@dataclass(frozen=True, slots=True)
class _Verdicts:
    """The wishes of a message and the table's rule for each."""

    asked: Wishes
    rules: dict[Ask, Rule]
    grants: bool

    def to_do(self) -> Wishes:
        done = {Verdict.APPLY, Verdict.GRANT} if self.grants else {Verdict.APPLY}
        return {ask: value for ask, value in self.asked.items() if self.rules[ask].verdict in done}

    def to_decide(self) -> Wishes:
        put = {Verdict.REVIEW} if self.grants else {Verdict.REVIEW, Verdict.GRANT}
        return {ask: value for ask, value in self.asked.items() if self.rules[ask].verdict in put}

    def notes(self, ask: Ask) -> bool:
        return ask in self.asked and self.rules[ask].verdict is Verdict.NOTE


def update(order: Order, message: Message) -> OrderChange | None:
    """The change that brings the order to what its channel says now, or its first part; None if it says so already.

    Call again on the result until None.
    """
    if age_of(order, message.incoming.channel_updated_at) is Age.OLDER:
        return None
    asked = wishes(order, message.incoming, message.contact)
    state = state_of(order)
    verdicts = _Verdicts(asked, {ask: TABLE[state, ask] for ask in asked}, message.context.policy.grant_buyer_cancels)
    changes: list[OrderChange] = []
    to_do, to_decide = verdicts.to_do(), verdicts.to_decide()
    if to_do:
        edited = _edited(order, message, to_do)
        if edited is None:
            to_do, to_decide = {}, to_decide | to_do
        elif edited.partial:
            return edited.change
        elif edited.change:
            changes.append(edited.change)
            if state is State.CANCELLED_THERE:
                # alive again, it is judged as any other before the message counts as done
                changes += _judge_own_reviews(edited.change.order, message, to_do, _room(changes))
                return _with_person(fold(changes), message, _person(message, to_do, {}))
    changes += _put_to_a_person(_now(order, changes), message, to_decide, verdicts.rules, _room(changes))
    changes += _judge_own_reviews(_now(order, changes), message, to_do, _room(changes))
    person = _person(message, to_do, to_decide)
    changes += _noted(_now(order, changes), message, verdicts, person, refused=bool(to_decide))
    if not changes:
        return None
    return _with_person(fold(changes), message, person)


def _with_person(change: OrderChange, message: Message, person: Contact | None) -> OrderChange:
    return replace(change, contact=person if person != message.contact else None)


def needs_goods(order: Order, message: Message) -> frozenset[str]:
    """The lines of the message that would look for goods the order has none of: somebody must know what they are."""
    if age_of(order, message.incoming.channel_updated_at) is Age.OLDER:
        return frozenset()
    asked = wishes(order, message.incoming, message.contact)
    state = state_of(order)
    added = [asked[ask] for ask in (Ask.ADD_UNITS, Ask.ADD_LINE, Ask.RESTORE) if ask in asked]
    if not added or not any(TABLE[state, ask].verdict is Verdict.APPLY for ask in asked if ask in _UNITS):
        return frozenset()
    live = {line.line_id for line in order.lines if line.cancelled < line.ordered}
    ships = {line.line_id for line in message.incoming.lines if line.requires_shipping}
    return frozenset(line_id for units in added for line_id in units if line_id not in live) & ships


def _now(order: Order, changes: list[OrderChange]) -> Order:
    return changes[-1].order if changes else order


def _room(changes: list[OrderChange]) -> int:
    return MAX_POSITIONS_PER_CHANGE - sum(touches(change) for change in changes)


@dataclass(frozen=True, slots=True)
class _Edited:
    """What is done of the wishes; `partial`: the rest follows when asked again."""

    change: OrderChange | None
    partial: bool = False


def _edited(order: Order, message: Message, to_do: Wishes) -> _Edited | None:
    """The edit that the wishes make; None where it is more than one change may be, and can't be done in parts."""
    edit, reason = _edit(order, message, to_do)
    staged = stage(order, edit, message.products, message.context, reason)
    if not staged.too_large:
        return _Edited(staged.change)
    difference = staged.difference
    if difference.added or difference.rerouted or not difference.removed:
        return None
    return _Edited(cancel(order, difference.removed, message.context, reason), partial=True)


def _edit(order: Order, message: Message, to_do: Wishes) -> tuple[Edit, str]:
    """What the order is to be, and the reason told of units that are cancelled by it."""
    if Ask.BUYER_CANCEL in to_do:
        return Edit(lines=tuple(_nothing_of(order))), BUYER_REQUEST
    incoming = message.incoming
    lines = line_edits(order, incoming)
    if _UNITS.isdisjoint(to_do):
        units = {line.line_id: line for line in order.lines}
        lines = tuple(_with_units_of(edit, units[edit.line_id]) for edit in lines if edit.line_id in units)
    edit = Edit(
        lines=lines if Ask.MONEY in to_do or not _UNITS.isdisjoint(to_do) else (),
        money=money_of(incoming) if Ask.MONEY in to_do else None,
        service=service_of(incoming) if Ask.SERVICE in to_do else None,
        ship_to=place_of(incoming.contact.ship_to) if Ask.ADDRESS in to_do else None,
    )
    return edit, (incoming.cancel_reason or "channel").upper()


def _nothing_of(order: Order) -> list[LineEdit]:
    """Every line with nothing wanted of it; the channel itself took nothing out."""
    return [replace(LineEdit.of(line), wanted=0) for line in order.lines]


def _with_units_of(edit: LineEdit, line: Line) -> LineEdit:
    """The prices of an edit on the units that there are."""
    units = LineEdit.of(line)
    return replace(edit, ordered=units.ordered, wanted=units.wanted, by_channel=units.by_channel)


def _put_to_a_person(
    order: Order, message: Message, to_decide: Wishes, rules: Mapping[Ask, Rule], room: int
) -> list[OrderChange]:
    """The review of what is not done, once per wish: who decided is not asked again by a repeat."""
    new = {ask: value for ask, value in to_decide.items() if not _was_asked(order, ask, value)}
    if not new:
        return []
    reason = rules[next(iter(new))].reason or CHANNEL_EDIT
    words = ", ".join(ask.value for ask in new)
    data = {"reason": reason, "asked": {ask.value: value for ask, value in new.items()}}
    if order.review:
        known = [part for part in (order.review.detail, words) if part]
        review = replace(order.review, detail="; ".join(known)[:_MAX_DETAIL])
    else:
        review = Review(reason=reason, since=message.context.now, detail=words[:_MAX_DETAIL])
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
    asked = (event.data.get("asked", {}) for event in order.events if event.type is EventType.REVIEW_REQUESTED)
    return any(one.get(ask.value) == value for one in asked)


def _judge_own_reviews(order: Order, message: Message, to_do: Wishes, room: int) -> list[OrderChange]:
    """What intake itself put in review ends when its cause has; an edit that does not add up begins one."""
    if was_released(order) or order.status in TERMINAL:
        return []
    off_by = totals_difference(message.incoming)
    if order.review:
        mended = order.review.reason == UNMAPPED_SKU or (order.review.reason == TOTALS_MISMATCH and not off_by)
        return [resolve_review(order, message.context)] if mended else []
    if not off_by or (Ask.MONEY not in to_do and _UNITS.isdisjoint(to_do)):
        return []
    detail = f"off by {format_minor(off_by, message.incoming.currency)}"
    review = Review(reason=TOTALS_MISMATCH, since=message.context.now, detail=detail)
    return [_in_review(order, review, {"reason": TOTALS_MISMATCH}, message.context, room)]


def _person(message: Message, to_do: Wishes, to_decide: Wishes) -> Contact | None:
    """The person's data from now on; what was purged comes back only with an order that is brought back to life."""
    told, person = message.incoming.contact, message.contact
    if person is None:
        return told if Ask.RESTORE in to_do else None
    if Ask.ADDRESS in to_do:
        person = replace(person, ship_to=told.ship_to, asked_ship_to=None)
    elif Ask.ADDRESS in to_decide:
        person = replace(person, asked_ship_to=told.ship_to)
    return renewed(person, message.incoming)


def _noted(
    order: Order, message: Message, verdicts: _Verdicts, person: Contact | None, *, refused: bool
) -> list[OrderChange]:
    """What needs no decision: money and payments where no work depends on them, deadlines, the person's data, and how
    new the channel's last word is. Where a wish was refused, prices and units stay as they are with it."""
    incoming = message.incoming
    facts, happened = _payment_facts(order, message) if verdicts.notes(Ask.PAYMENT) else ({}, [])
    if person and is_placed(person.ship_to) and any(hold.type == AWAITING_ADDRESS for hold in order.holds):
        holds = facts.get("holds", order.holds)
        facts["holds"] = tuple(hold for hold in holds if hold.type != AWAITING_ADDRESS)
        happened.append((EventType.HOLD_RELEASED, {"type": AWAITING_ADDRESS}))
    if verdicts.notes(Ask.DEADLINES):
        moved = deadlines(order, incoming)
        facts |= moved
        happened += promise_news(order, moved.get("promised_by"), PromiseCause.MARKETPLACE)
    lines = order
    if verdicts.notes(Ask.MONEY) and not refused:
        lines = _repriced(order, incoming)
        facts |= money_of(incoming).facts()
        happened.append((EventType.ORDER_EDITED, _new_total(order, incoming)))
    if not refused:
        lines = _with_taken_out(lines, incoming)
    if lines.lines != order.lines:
        facts["lines"] = lines.lines
    if incoming.channel_updated_at > order.channel_updated_at:
        facts |= {"channel_updated_at": incoming.channel_updated_at}
        facts |= {"channel_content": message.content} if message.content else {}
    if not facts and person == message.contact:
        return []
    return [OrderChange(order=step(order, message.context, *happened, **facts))]


def _payment_facts(order: Order, message: Message) -> tuple[dict[str, Any], list[Happening]]:
    incoming, context = message.incoming, message.context
    facts: dict[str, Any] = {"payments": payments_of(incoming)}
    happened: list[Happening] = [(EventType.PAYMENT_CHANGED, {"payment": incoming.payment_status})]
    waits = any(hold.type == AWAITING_PAYMENT for hold in order.holds)
    unpaid = incoming.payment_status in UNPAID
    if waits and not unpaid:
        facts["holds"] = tuple(hold for hold in order.holds if hold.type != AWAITING_PAYMENT)
        happened.append((EventType.HOLD_RELEASED, {"type": AWAITING_PAYMENT}))
    elif unpaid and not waits and context.policy.unpaid_holds and state_of(order) in (State.OPEN, State.OPEN_IN_REVIEW):
        hold = Hold(hold_id="payment", type=AWAITING_PAYMENT, placed_by=context.actor, placed_at=context.now)
        facts["holds"] = (*order.holds, hold)
        happened.append((EventType.HOLD_PLACED, {"hold_id": hold.hold_id, "type": hold.type}))
    return facts, happened


def _repriced(order: Order, incoming: IncomingOrder) -> Order:
    told = {edit.line_id: edit for edit in line_edits(order, incoming)}
    lines = (
        replace(
            line,
            unit_price_minor=told[line.line_id].unit_price_minor,
            discount_minor=told[line.line_id].discount_minor,
            tax_minor=told[line.line_id].tax_minor,
        )
        for line in order.lines
    )
    return replace(order, lines=tuple(lines))


def _new_total(order: Order, incoming: IncomingOrder) -> dict[str, Any]:
    before, after = order.totals.total_minor, incoming.totals.total_minor
    return {"total_minor": {"before": before, "after": after}} if before != after else {}


def _with_taken_out(order: Order, incoming: IncomingOrder) -> Order:
    """Units that are cancelled already, and that the channel has taken out by now as well."""
    told = {edit.line_id: edit.by_channel for edit in line_edits(order, incoming)}
    lines = (
        replace(line, cancelled_by_channel=max(line.cancelled_by_channel, min(told[line.line_id], line.cancelled)))
        for line in order.lines
    )
    return replace(order, lines=tuple(lines))
