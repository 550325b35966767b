"""What a channel's message asks of an order we have: the differences between the channel's order and ours, by name.

Our own cancels are no wish of the channel's: it still counts those units until it hears of them. `cancelled_by_channel`
keeps apart what it took out itself, so that putting units back, adding and taking out can be told from each other.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from datetime import datetime
from typing import Any

from oms.domain import ids
from oms.domain.cancellation import open_units
from oms.domain.catalog import Product
from oms.domain.changes import Context
from oms.domain.editing import LineEdit, Money, Service
from oms.domain.incoming import Address, Contact, IncomingLine, IncomingOrder
from oms.domain.intake_rules import Age, Ask
from oms.domain.order import Line, Order, OrderStatus, Payment, ShipTo

CONTENT_LENGTH = 16
_POSTAL_PREFIX_LENGTH = 3
_PERSONAL = ("name", "email", "phone")

PAYMENT_GONE = frozenset({"VOIDED", "EXPIRED", "REFUNDED"})

ADDING = (Ask.ADD_UNITS, Ask.ADD_LINE, Ask.RESTORE, Ask.OTHER_GOODS)
UNITS = frozenset({Ask.CANCEL_ALL, Ask.CANCEL_UNITS, *ADDING})
"""Wishes that look for stock, and all that are about units."""

Wishes = dict[Ask, Any]
"""What is asked, each with what it is about, as a person who decides on it needs it: units or goods per line, the
currency, what of the service is new, why it is cancelled, or True."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Message:
    """What came in, and all that judging it needs beside the order: the person's data as we have it, the products of
    lines that are added, who acts when, and the digest of the message's content."""

    incoming: IncomingOrder
    contact: Contact | None
    context: Context
    products: Mapping[str, Product] = field(default_factory=dict)
    content: str = ""


def age_of(order: Order, channel_updated_at: datetime) -> Age:
    """The channel's time in a message, against the newest we have."""
    if channel_updated_at == order.channel_updated_at:
        return Age.SAME
    return Age.NEWER if channel_updated_at > order.channel_updated_at else Age.OLDER


def content_of(incoming: IncomingOrder) -> str:
    """A digest of what intake decides by, the person's data left out: the same for the same state of the order,
    whatever way it came."""
    facts = [
        incoming.currency,
        [{**asdict(line), "title": ""} for line in incoming.lines],
        asdict(money_of(incoming)),
        asdict(service_of(incoming)),
        [incoming.payment_status, incoming.cancel_requested, incoming.cancel_requested_lines],
        [str(at) if at else "" for at in (incoming.cancelled_at, incoming.ship_by, incoming.deliver_by)],
    ]
    return ids.short_hash(json.dumps(facts, sort_keys=True, default=str), length=CONTENT_LENGTH)


def money_of(incoming: IncomingOrder) -> Money:
    """What the order costs, as the channel has it."""
    return Money(
        totals=incoming.totals,
        shipping_lines=incoming.shipping_lines,
        presentment_currency=incoming.presentment_currency,
        presentment_total_minor=incoming.presentment_total_minor,
    )


def service_of(incoming: IncomingOrder) -> Service:
    """How the goods are to reach the customer, as the channel has it."""
    return Service(
        service_level=incoming.service_level,
        method=incoming.method,
        pickup_location_id=incoming.pickup_location_id,
    )


def place_of(address: Address) -> ShipTo:
    """Only as much of an address as routing needs."""
    prefix = "".join(address.postal_code.split())[:_POSTAL_PREFIX_LENGTH].upper()
    return ShipTo(country=address.country.upper(), region=address.region.upper(), postal_prefix=prefix)


def payments_of(incoming: IncomingOrder) -> tuple[Payment, ...]:
    """The single payments, or the total under the order's payment status; none where the channel says nothing."""
    if incoming.payments:
        return incoming.payments
    if not incoming.payment_status:
        return ()
    return (Payment(status=incoming.payment_status, amount_minor=incoming.totals.total_minor),)


def line_edits(order: Order, incoming: IncomingOrder) -> tuple[LineEdit, ...]:
    """Every line as the channel wants it; lines of ours that it does not name any more are taken out."""
    named = {one.line_id: one for one in incoming.lines}
    cancelled = incoming.cancelled_at is not None
    priced = incoming.currency == order.currency
    known = [_of_known(line, named.get(line.line_id), cancelled=cancelled, priced=priced) for line in order.lines]
    ids_known = {line.line_id for line in order.lines}
    new = [_of_new(one) for one in incoming.lines if one.line_id not in ids_known and one.current_quantity > 0]
    return (*known, *(() if cancelled else new))


def _of_known(line: Line, told: IncomingLine | None, *, cancelled: bool, priced: bool) -> LineEdit:
    """Units the channel takes out and units cancelled here may be the same ones; units it puts back are its own. What
    has left as both know is not taken out by giving back its money: it can only come back, as a return.

    `priced`: its prices are in the order's currency.
    """
    wanted = 0 if told is None or cancelled else told.current_quantity
    gone_there = told.fulfilled_quantity if told and line.requires_shipping else 0
    current = max(wanted, min(line.shipped, gone_there))
    ordered = max(line.ordered, current, told.quantity if told else 0)
    taken_out, before = ordered - current, line.cancelled_by_channel
    gone = max(line.cancelled, taken_out) if taken_out >= before else line.cancelled - (before - taken_out)
    units: dict[str, Any] = {"ordered": ordered, "wanted": ordered - gone, "by_channel": min(taken_out, gone)}
    edit = replace(LineEdit.of(line), **units)
    if told and (is_for_other_goods(line, told) or line.cancelled == line.ordered):
        edit = replace(edit, sku=told.sku, channel_sku=told.channel_sku, title=told.title)
    if told is None or not priced:
        return edit
    prices = {name: getattr(told, name) for name in ("unit_price_minor", "discount_minor", "tax_minor")}
    return replace(edit, **prices)


def has_another_name(line: Line, told: IncomingLine) -> bool:
    """Whether the channel calls the line's goods otherwise than it did: then only their names here say whether they are
    others. A line that names nothing says nothing."""
    name = told.channel_sku or told.sku
    return bool(name) and name != (line.channel_sku or line.sku)


def is_for_other_goods(line: Line, told: IncomingLine) -> bool:
    """Whether the line, under our name for its goods, is for others than it was; gone or weightless, it is for none."""
    live = line.requires_shipping and line.cancelled < line.ordered
    return live and has_another_name(line, told) and told.sku != line.sku


def _of_new(told: IncomingLine) -> LineEdit:
    ordered = max(told.quantity, told.current_quantity)
    return LineEdit(
        line_id=told.line_id,
        sku=told.sku,
        channel_sku=told.channel_sku,
        title=told.title,
        ordered=ordered,
        wanted=told.current_quantity,
        by_channel=ordered - told.current_quantity,
        unit_price_minor=told.unit_price_minor,
        discount_minor=told.discount_minor,
        tax_minor=told.tax_minor,
        requires_shipping=told.requires_shipping,
        together=told.together,
    )


def wishes(order: Order, incoming: IncomingOrder, contact: Contact | None) -> Wishes:
    """What the message asks; `contact` is the person's data as we have it, None once purged."""
    edits = line_edits(order, incoming)
    cancelled = incoming.cancelled_at is not None
    found: Wishes = _cancel_wish(order, incoming, edits) if cancelled else _unit_wishes(order, edits)
    if incoming.currency == order.currency:
        found[Ask.MONEY] = _is_repriced(order, incoming, edits)
        found[Ask.PAYMENT] = bool(payments_of(incoming)) and payments_of(incoming) != order.payments
        found[Ask.UNPAID] = _is_unpaid_now(order, incoming) and incoming.payment_status
    found[Ask.DEADLINES] = bool(deadlines(order, incoming))
    if contact:
        found[Ask.PERSON] = renewed(contact, incoming) != contact
    if not cancelled:
        found[Ask.OTHER_GOODS] = _other_goods(order, incoming)
        found[Ask.CURRENCY] = incoming.currency != order.currency and incoming.currency
        found[Ask.ADDRESS] = contact is not None and is_new_address(incoming.contact.ship_to, contact)
        found[Ask.SERVICE] = _other_service(order, incoming)
        if incoming.cancel_requested and _live_units(order):
            found[Ask.BUYER_CANCEL] = list(incoming.cancel_requested_lines) or True
        found[Ask.FULFILLED_THERE] = _shipped_elsewhere(order, incoming)
    asked = {ask: found[ask] for ask in Ask if found.get(ask)}
    return asked or {Ask.NOTHING: True}


def _cancel_wish(order: Order, incoming: IncomingOrder, edits: tuple[LineEdit, ...]) -> Wishes:
    """Why all that is left is cancelled, where its channel says so: a fraud is not stopped as a change of mind is."""
    if not _removed(order, edits):
        return {}
    return {Ask.CANCEL_ALL: {"reason": incoming.cancel_reason.upper()} if incoming.cancel_reason else True}


def _unit_wishes(order: Order, edits: tuple[LineEdit, ...]) -> Wishes:
    lines = {line.line_id: line for line in order.lines}
    added: dict[Ask, dict[str, Any]] = {Ask.ADD_UNITS: {}, Ask.ADD_LINE: {}, Ask.RESTORE: {}}
    for edit in edits:
        line = lines.get(edit.line_id)
        more = edit.wanted - (line.ordered - line.cancelled if line else 0)
        if more > 0 and line is None:
            added[Ask.ADD_LINE][edit.line_id] = {"sku": edit.sku, "quantity": more}
        elif more > 0 and line is not None:
            added[Ask.RESTORE if edit.ordered == line.ordered else Ask.ADD_UNITS][edit.line_id] = more
    return {Ask.CANCEL_UNITS: _removed(order, edits), **added}


def _other_goods(order: Order, incoming: IncomingOrder) -> dict[str, str]:
    """What lines are for now, where that is not what they were for."""
    lines = {line.line_id: line for line in order.lines}
    return {
        one.line_id: one.sku
        for one in incoming.lines
        if one.current_quantity and one.line_id in lines and is_for_other_goods(lines[one.line_id], one)
    }


def _removed(order: Order, edits: tuple[LineEdit, ...]) -> dict[str, int]:
    live = {line.line_id: line.ordered - line.cancelled for line in order.lines}
    less = {edit.line_id: live.get(edit.line_id, edit.wanted) - edit.wanted for edit in edits}
    return {line_id: units for line_id, units in less.items() if units > 0}


def _other_service(order: Order, incoming: IncomingOrder) -> dict[str, Any]:
    """What of the service is not as it was, as it is to be."""
    before = Service.of(order).facts()
    return {name: value for name, value in service_of(incoming).facts().items() if value != before[name]}


def _is_unpaid_now(order: Order, incoming: IncomingOrder) -> bool:
    """Whether the payment that there was is gone."""
    return incoming.payment_status in PAYMENT_GONE and PAYMENT_GONE.isdisjoint(one.status for one in order.payments)


def _is_repriced(order: Order, incoming: IncomingOrder, edits: tuple[LineEdit, ...]) -> bool:
    if money_of(incoming) != Money.of(order):
        return True
    lines = {line.line_id: line for line in order.lines}
    pairs = [(lines[edit.line_id], edit) for edit in edits if edit.line_id in lines]
    return any(
        (line.unit_price_minor, line.discount_minor, line.tax_minor)
        != (edit.unit_price_minor, edit.discount_minor, edit.tax_minor)
        for line, edit in pairs
    )


def deadlines(order: Order, incoming: IncomingOrder) -> dict[str, Any]:
    """The facts that follow from deadlines of the marketplace which are not those we have; what the customer is told
    moves with the delivery's, what they were told at first stays."""
    facts: dict[str, Any] = {}
    if incoming.ship_by and incoming.ship_by != order.ship_by:
        facts["ship_by"] = incoming.ship_by
    if incoming.deliver_by and incoming.deliver_by != order.deliver_by:
        facts |= {"deliver_by": incoming.deliver_by, "promised_by": incoming.deliver_by}
        facts["original_promised_by"] = order.original_promised_by or incoming.deliver_by
    return facts


def is_new_address(address: Address, contact: Contact) -> bool:
    """Whether the channel names another address than the one we have or have asked about. One without a street that
    says nothing else than ours is ours, told in part: marketplaces leave addresses out of most answers."""
    known = [contact.ship_to, *([contact.asked_ship_to] if contact.asked_ship_to else [])]
    if not address.country or address in known:
        return False
    parts = [name for name in Address.__slots__ if getattr(address, name)]
    told_in_part = all(getattr(address, name) == getattr(contact.ship_to, name) for name in parts)
    return bool(address.address1) or not told_in_part


def renewed(contact: Contact, incoming: IncomingOrder) -> Contact:
    """The person's data as the channel has it now; what it leaves out stays, and so does the address, which is what the
    parcels go to."""
    told = incoming.contact
    named = {name: getattr(told, name) or getattr(contact, name) for name in _PERSONAL}
    bill_to = told.bill_to if told.bill_to != Address() else contact.bill_to
    return replace(contact, **named, bill_to=bill_to, free_text=told.free_text or contact.free_text)


def _live_units(order: Order) -> int:
    if order.status in (OrderStatus.CANCELLED, OrderStatus.DELIVERED):
        return 0
    return sum(open_units(order).values())


def _shipped_elsewhere(order: Order, incoming: IncomingOrder) -> dict[str, int]:
    """Units per line that left as the channel knows it, and did not as we know it; where it calls all shipped at the
    first parcel, it says nothing of the others once that is one of ours."""
    lines = {line.line_id: line for line in order.lines if line.requires_shipping}
    if incoming.tells_shipped_as_a_whole and any(line.shipped for line in lines.values()):
        return {}
    more = {
        one.line_id: one.fulfilled_quantity - lines[one.line_id].shipped
        for one in incoming.lines
        if one.line_id in lines
    }
    return {line_id: units for line_id, units in more.items() if units > 0}
