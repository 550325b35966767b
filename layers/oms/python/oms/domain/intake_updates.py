"""Bring an order to what its channel says now, as the table in `intake_rules` has it.

A message never overwrites: what differs is a wish, and the table says for the order's state whether it is done, put to
a person, only noted, or nothing. All of it is one change of one version, as long as it fits one.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

from oms.domain.cancellation import cancel
from oms.domain.changes import MAX_POSITIONS_PER_CHANGE, OrderChange, fold, touches
from oms.domain.confirmations import BUYER_REQUEST
from oms.domain.editing import Edit, LineEdit, stage
from oms.domain.events import EventType
from oms.domain.incoming import Contact, IncomingOrder
from oms.domain.intake import (
    AWAITING_ADDRESS,
    AWAITING_PAYMENT,
    UNPAID,
    is_placed,
)
from oms.domain.intake_questions import judge_own_reviews, put_to_a_person, taken_back
from oms.domain.intake_rules import (
    TABLE,
    Age,
    Ask,
    Rule,
    State,
    Verdict,
    state_of,
)
from oms.domain.intake_wishes import (
    ADDING,
    UNITS,
    Message,
    Wishes,
    age_of,
    deadlines,
    has_another_name,
    line_edits,
    money_of,
    payments_of,
    place_of,
    renewed,
    service_of,
    wishes,
)
from oms.domain.order import Hold, Line, Order
from oms.domain.progress import TERMINAL, Happening, step
from oms.domain.promising import PromiseCause, promise_news


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
    message = _without_forgotten(order, message)
    asked = _asked(order, message)
    state = state_of(order)
    verdicts = _Verdicts(asked, {ask: TABLE[state, ask] for ask in asked}, _grants(message, asked))
    changes: list[OrderChange] = []
    to_do, to_decide = verdicts.to_do(), verdicts.to_decide()
    if Ask.BUYER_CANCEL in to_do:
        to_decide = {}  # nothing is left to decide
    elif Ask.CURRENCY in to_decide:
        to_do, to_decide = {}, to_decide | to_do  # nothing is edited at prices that are not the order's
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
                changes += _unpaid_again(edited.change.order, message)
                changes += judge_own_reviews(_now(order, changes), message, asked, to_do, _room(changes))
                # written even where it is as before: whoever was about to purge it finds it renewed
                return replace(fold(changes), contact=_person(message, to_do, {}) or message.incoming.contact)
    changes += taken_back(order, _now(order, changes), message, asked)
    changes += put_to_a_person(_now(order, changes), message, to_decide, verdicts.rules, _room(changes))
    changes += judge_own_reviews(_now(order, changes), message, asked, to_do, _room(changes))
    person = _person(message, to_do, to_decide)
    changes += _noted(_now(order, changes), message, verdicts, person, refused=bool(to_decide.keys() - {Ask.UNPAID}))
    if not changes:
        return None
    return _with_person(fold(changes), message, person)


def _asked(order: Order, message: Message) -> Wishes:
    """What the message asks of the order, as far as the policy minds."""
    asked = wishes(order, message.incoming, message.contact)
    if not message.context.policy.unpaid_holds:
        asked.pop(Ask.UNPAID, None)
    return asked


def _grants(message: Message, asked: Wishes) -> bool:
    """Whether a buyer's cancel is done by the machine. Never where they want the rest, since what is left may not be
    what they would keep, nor where the channel says that some has left."""
    wants_rest = bool(message.incoming.cancel_requested_lines)
    return message.context.policy.grant_buyer_cancels and not wants_rest and Ask.FULFILLED_THERE not in asked


def _without_forgotten(order: Order, message: Message) -> Message:
    """The message without the person of an ended order who is to be forgotten, should their data still be there:
    whoever deletes it must not find it written down again."""
    return replace(message, contact=None) if order.forget_person and order.status in TERMINAL else message


def _with_person(change: OrderChange, message: Message, person: Contact | None) -> OrderChange:
    return replace(change, contact=person if person != message.contact else None)


def needs_goods(order: Order, message: Message) -> frozenset[str]:
    """The lines of the message that would look for goods the order has none of: somebody must know what they are."""
    if age_of(order, message.incoming.channel_updated_at) is Age.OLDER:
        return frozenset()
    asked = wishes(order, message.incoming, message.contact)
    state = state_of(order)
    added = [asked[ask] for ask in ADDING if ask in asked]
    if not added or not any(TABLE[state, ask].verdict is Verdict.APPLY for ask in asked if ask in UNITS):
        return frozenset()
    live = {line.line_id for line in order.lines if line.cancelled < line.ordered} - set(asked.get(Ask.OTHER_GOODS, ()))
    ships = {line.line_id for line in message.incoming.lines if line.requires_shipping}
    return frozenset(line_id for units in added for line_id in units if line_id not in live) & ships


def calls_goods_otherwise(order: Order, message: Message) -> bool:
    """Whether a line goes by a name it did not have: its message must be judged under our names for its goods."""
    lines = {line.line_id: line for line in order.lines}
    return any(one.line_id in lines and has_another_name(lines[one.line_id], one) for one in message.incoming.lines)


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
    if difference.looks_anew or not difference.removed:
        return None
    part = cancel(order, difference.removed, message.context, reason)
    # noted with each part: what the channel puts back is its own, though the last part was never taken out
    return _Edited(part and replace(part, order=_with_taken_out(part.order, message.incoming)), partial=True)


def _edit(order: Order, message: Message, to_do: Wishes) -> tuple[Edit, str]:
    """What the order is to be, and the reason told of units that are cancelled by it."""
    if Ask.BUYER_CANCEL in to_do:
        return Edit(lines=tuple(_nothing_of(order))), BUYER_REQUEST
    incoming = message.incoming
    lines = line_edits(order, incoming)
    if UNITS.isdisjoint(to_do):
        units = {line.line_id: line for line in order.lines}
        lines = tuple(_with_units_of(edit, units[edit.line_id]) for edit in lines if edit.line_id in units)
    edit = Edit(
        lines=lines if Ask.MONEY in to_do or not UNITS.isdisjoint(to_do) else (),
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
    prices = {name: getattr(edit, name) for name in ("unit_price_minor", "discount_minor", "tax_minor")}
    return replace(LineEdit.of(line), **prices)


def _person(message: Message, to_do: Wishes, to_decide: Wishes) -> Contact | None:
    """The person's data from now on; None where it was purged."""
    told, person = message.incoming.contact, message.contact
    if person is None:
        return None
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


def _unpaid_again(order: Order, message: Message) -> list[OrderChange]:
    """An order that comes back to life waits for its payment as a new one does."""
    facts, happened = _payment_hold(order, message)
    return [OrderChange(order=step(order, message.context, *happened, **facts))] if facts else []


def _payment_facts(order: Order, message: Message) -> tuple[dict[str, Any], list[Happening]]:
    incoming = message.incoming
    facts: dict[str, Any] = {"payments": payments_of(incoming)}
    happened: list[Happening] = [(EventType.PAYMENT_CHANGED, {"payment": incoming.payment_status})]
    waits = any(hold.type == AWAITING_PAYMENT for hold in order.holds)
    if waits and incoming.payment_status not in UNPAID:
        facts["holds"] = tuple(hold for hold in order.holds if hold.type != AWAITING_PAYMENT)
        happened.append((EventType.HOLD_RELEASED, {"type": AWAITING_PAYMENT}))
    held, placed = _payment_hold(order, message)
    return facts | held, happened + placed


def _payment_hold(order: Order, message: Message) -> tuple[dict[str, Any], list[Happening]]:
    """The hold of an order that nobody works on and that is not paid, unless it has one."""
    context = message.context
    unpaid = message.incoming.payment_status in UNPAID and context.policy.unpaid_holds
    waits = any(hold.type == AWAITING_PAYMENT for hold in order.holds)
    if not unpaid or waits or state_of(order) not in (State.OPEN, State.OPEN_IN_REVIEW):
        return {}, []
    hold = Hold(hold_id="payment", type=AWAITING_PAYMENT, placed_by=context.actor, placed_at=context.now)
    happened: list[Happening] = [(EventType.HOLD_PLACED, {"hold_id": hold.hold_id, "type": hold.type})]
    return {"holds": (*order.holds, hold)}, happened


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
