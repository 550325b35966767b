"""Decide what a channel's message means: a new order, or changes to one we have.

A message never overwrites: what differs becomes commands (cancel units, change the address, note the payment),
and what cannot be done any more becomes a review that says what was asked.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

from oms.domain import ids
from oms.domain.cancellation import cancel, deallocate, held_positions, open_units
from oms.domain.catalog import BackorderRule, ChannelAccount, Product
from oms.domain.changes import MAX_POSITIONS_PER_CHANGE, Context, OrderChange
from oms.domain.decisions import put_in_review
from oms.domain.events import EventType
from oms.domain.incoming import Address, Contact, IncomingLine, IncomingOrder
from oms.domain.kits import cm3_of, components_of, grams_of, inseparable, needs_of, unknown_components
from oms.domain.money import format_minor
from oms.domain.order import Hold, Line, Order, Payment, Review, ShipTo
from oms.domain.progress import TERMINAL, Happening, first, step, was_released

AWAITING_PAYMENT = "AWAITING_PAYMENT"
UNPAID = frozenset({"PENDING", "VOIDED", "EXPIRED", "PARTIALLY_PAID"})
_POSTAL_PREFIX_LENGTH = 3


def receive(
    incoming: IncomingOrder,
    products: Mapping[str, Product],
    account: ChannelAccount,
    context: Context,
    trace_id: str | None = None,
) -> OrderChange:
    """Version 1 of the order. What breaks a rule of ours puts it in review, with no stock committed.

    `products` are those of the lines and, of kits, those of their components, as far as they are known.
    """
    cancelled = incoming.cancelled_at is not None
    order = _facts(incoming, products, context, cancelled, trace_id)
    review = _review(incoming, products, account, context)
    if review and not cancelled:
        order = replace(order, review=review)
    happened: list[Happening] = [(EventType.ORDER_RECEIVED, {"lines": len(order.lines)})]
    if order.review:
        happened.append((EventType.REVIEW_REQUESTED, {"reason": order.review.reason}))
    if cancelled:
        happened.append((EventType.ORDER_CANCELLED, {"reason": incoming.cancel_reason or "CHANNEL"}))
    return OrderChange(
        order=first(order, context, *happened), references=_references(incoming), contact=incoming.contact
    )


def _facts(
    incoming: IncomingOrder,
    products: Mapping[str, Product],
    context: Context,
    cancelled: bool,
    trace_id: str | None,
) -> Order:
    placed_at = min(incoming.placed_at, context.now)
    return Order(
        order_id=ids.order_id(incoming.channel, incoming.account, incoming.channel_order_id),
        version=0,
        channel=incoming.channel,
        account=incoming.account,
        channel_order_id=incoming.channel_order_id,
        channel_updated_at=incoming.channel_updated_at,
        order_number=incoming.order_number,
        placed_at=placed_at,
        updated_at=context.now,
        release_after=placed_at + timedelta(seconds=context.policy.cancel_window_seconds),
        ship_by=placed_at + timedelta(seconds=context.policy.ship_within_seconds),
        promised_by=incoming.promised_by,
        original_promised_by=incoming.promised_by,
        currency=incoming.currency,
        prices_include_tax=incoming.prices_include_tax,
        totals=incoming.totals,
        customer_id=_customer_id(incoming),
        ship_to=_ship_to(incoming.contact.ship_to),
        service_level=incoming.service_level,
        method=incoming.method,
        pickup_location_id=incoming.pickup_location_id,
        ship_complete=context.policy.backorder_rule is not BackorderRule.SHIP_AVAILABLE,
        lines=tuple(_line(line, products, cancelled) for line in incoming.lines),
        shipping_lines=incoming.shipping_lines,
        holds=_payment_holds(incoming, context),
        payments=_payments(incoming),
        external_ids=dict(incoming.external_ids),
        trace_id=trace_id,
    )


def _customer_id(incoming: IncomingOrder) -> str | None:
    """Whom the channel's account knows under this id: another account's 42 is somebody else."""
    return f"{incoming.channel}#{incoming.account}#{incoming.customer_id}" if incoming.customer_id else None


def _line(line: IncomingLine, products: Mapping[str, Product], cancelled: bool) -> Line:
    kept = 0 if cancelled else min(line.current_quantity, line.quantity)
    product = products.get(line.sku)
    return Line(
        line_id=line.line_id,
        sku=line.sku,
        title=line.title,
        ordered=line.quantity,
        unallocated=kept if line.requires_shipping else 0,
        shipped=0 if line.requires_shipping else kept,
        cancelled=line.quantity - kept,
        unit_price_minor=line.unit_price_minor,
        discount_minor=line.discount_minor,
        tax_minor=line.tax_minor,
        unit_grams=grams_of(product, products) if product else 0,
        unit_cm3=cm3_of(product, products) if product else 0,
        needs=needs_of(product, products) if product else (),
        together=line.together,
        requires_shipping=line.requires_shipping,
        components=components_of(product) if product else (),
    )


def _ship_to(address: Address) -> ShipTo:
    prefix = "".join(address.postal_code.split())[:_POSTAL_PREFIX_LENGTH].upper()
    return ShipTo(country=address.country.upper(), region=address.region.upper(), postal_prefix=prefix)


def _payment_holds(incoming: IncomingOrder, context: Context) -> tuple[Hold, ...]:
    if incoming.payment_status not in UNPAID or not context.policy.unpaid_holds:
        return ()
    return (Hold(hold_id="payment", type=AWAITING_PAYMENT, placed_by=context.actor, placed_at=context.now),)


def _payments(incoming: IncomingOrder) -> tuple[Payment, ...]:
    if not incoming.payment_status:
        return ()
    return (Payment(status=incoming.payment_status, amount_minor=incoming.totals.total_minor),)


def _references(incoming: IncomingOrder) -> tuple[str, ...]:
    numbers = (incoming.order_number, incoming.channel_order_id)
    return tuple(dict.fromkeys(ids.order_reference(number) for number in numbers if number))


def _review(
    incoming: IncomingOrder, products: Mapping[str, Product], account: ChannelAccount, context: Context
) -> Review | None:
    """The first rule the order breaks, as a person reads it."""
    skus = dict.fromkeys(line.sku for line in incoming.lines if line.requires_shipping)
    known = [products[sku] for sku in skus if sku in products]
    unknown = [sku or "(no sku)" for sku in skus if sku not in products] + unknown_components(known, products)
    kits = inseparable(known, products)
    off_by = totals_difference(incoming)
    if unknown:
        reason, detail = "UNKNOWN_SKU", ", ".join(unknown)
    elif kits:
        reason, detail = "KIT_ORDERED", ", ".join(kits)
    elif account.currencies and incoming.currency not in account.currencies:
        reason, detail = "WRONG_CURRENCY", incoming.currency
    elif off_by:
        reason, detail = "TOTALS_MISMATCH", f"off by {format_minor(off_by, incoming.currency)}"
    else:
        return None
    return Review(reason=reason, since=context.now, detail=detail[:200])


def totals_difference(incoming: IncomingOrder) -> int:
    """The channel's total less goods + shipping + fees + tax (unless in the prices) + tip - discounts, in minor units.

    0 on an order that adds up. Goods are counted from the lines, not taken from the channel's own subtotal.
    """
    totals = incoming.totals
    goods = sum(line.unit_price_minor * line.quantity for line in incoming.lines)
    tax = 0 if incoming.prices_include_tax else totals.tax_minor
    charged = goods + totals.shipping_minor + totals.fees_minor + tax + totals.tip_minor
    return totals.total_minor - (charged - totals.discounts_minor)


def in_whole_seconds(incoming: IncomingOrder) -> IncomingOrder:
    """The order with its times as documents hold them, so that the same message is never later than itself."""
    return replace(
        incoming,
        placed_at=incoming.placed_at.replace(microsecond=0),
        channel_updated_at=incoming.channel_updated_at.replace(microsecond=0),
    )


def is_stale(order: Order, channel_updated_at: datetime) -> bool:
    """Whether the message tells of an older state of the order than we have."""
    return channel_updated_at < order.channel_updated_at


def update(order: Order, incoming: IncomingOrder, contact: Contact | None, context: Context) -> OrderChange | None:
    """The change that brings the order to what its channel says now, or its first part; None if it says so already.

    `contact` is the person's data as we have it. Call again on the result until None.
    """
    if is_stale(order, incoming.channel_updated_at):
        return None
    asked = _asked(order, incoming, contact)
    if order.status not in TERMINAL and asked:
        change = _refused(order, incoming, asked, contact, context) or _granted(order, incoming, asked, context)
        if change:
            return change
    return _noted(order, incoming, contact, context)


def _asked(order: Order, incoming: IncomingOrder, contact: Contact | None) -> dict[str, Any]:
    """What the channel wants to be different: wishes in words, and the units they are about."""
    asked: dict[str, Any] = {}
    cancelled = incoming.cancelled_at is not None
    units = _units_to_cancel(order, incoming)
    if units:
        asked |= {"cancel": "all"} if cancelled else {"cancel units": units}
    added = {} if cancelled else _added(order, incoming)
    if added:
        asked["add units"] = added
    if contact and not cancelled and incoming.contact.ship_to not in (contact.ship_to, contact.asked_ship_to):
        asked["change address"] = True
    return asked


def _units_to_cancel(order: Order, incoming: IncomingOrder) -> dict[str, int]:
    if incoming.cancelled_at:
        return open_units(order)
    current = {line.line_id: line.current_quantity for line in incoming.lines}
    units = {line.line_id: line.ordered - line.cancelled - current.get(line.line_id, 0) for line in order.lines}
    return {line_id: quantity for line_id, quantity in units.items() if quantity > 0}


def _added(order: Order, incoming: IncomingOrder) -> dict[str, int]:
    live = {line.line_id: line.ordered - line.cancelled for line in order.lines}
    more = {line.line_id: line.current_quantity - live.get(line.line_id, 0) for line in incoming.lines}
    return {line_id: quantity for line_id, quantity in more.items() if quantity > 0}


def _refused(
    order: Order, incoming: IncomingOrder, asked: dict[str, Any], contact: Contact | None, context: Context
) -> OrderChange | None:
    """A review for what we can't do by ourselves: changes after release, and edits too large or of another kind.

    The same wish asks only once: a person who decided is not asked again by a repeat.
    """
    readdressed = "change address" in asked
    if was_released(order):
        reason = "CHANGE_AFTER_RELEASE"
    elif "add units" in asked or (readdressed and held_positions(order) > MAX_POSITIONS_PER_CHANGE):
        reason = "CHANNEL_EDIT"
    else:
        return None
    data = {"reason": reason, "asked": asked}
    known = any(event.data == data for event in order.events if event.type is EventType.REVIEW_REQUESTED)
    if order.review or (known and not readdressed):
        return None
    review = Review(reason=reason, since=context.now, detail=", ".join(asked))
    noted = replace(contact, asked_ship_to=incoming.contact.ship_to) if contact and readdressed else None
    in_review, rows = put_in_review(order, review)
    changed = step(in_review, context, (EventType.REVIEW_REQUESTED, data))
    return OrderChange(order=changed, backorders_removed=rows, contact=noted)


def _granted(order: Order, incoming: IncomingOrder, asked: dict[str, Any], context: Context) -> OrderChange | None:
    if was_released(order):
        return None
    reason = (incoming.cancel_reason or "channel").upper()
    cancelled = cancel(order, _units_to_cancel(order, incoming), context, reason)
    return cancelled if cancelled or "change address" not in asked else _readdressed(order, incoming, context)


def _readdressed(order: Order, incoming: IncomingOrder, context: Context) -> OrderChange:
    """A new address before release; where it changes the way the parcel goes, the order is routed again."""
    ship_to = _ship_to(incoming.contact.ship_to)
    news: Happening = (EventType.ADDRESS_CHANGED, {"routed_again": ship_to != order.ship_to})
    if ship_to == order.ship_to:
        return OrderChange(order=step(order, context, news), contact=incoming.contact)
    change = deallocate(replace(order, ship_to=ship_to), context, news)
    return replace(change, contact=incoming.contact)


def _renewed(contact: Contact, incoming: IncomingOrder) -> Contact:
    """The person's data as the channel has it now; only the address stays what the parcels go to."""
    return replace(incoming.contact, ship_to=contact.ship_to, asked_ship_to=contact.asked_ship_to)


def _noted(order: Order, incoming: IncomingOrder, contact: Contact | None, context: Context) -> OrderChange | None:
    """What needs no decision: the payment's status, the person's data, and how new the channel's last word is."""
    facts: dict[str, Any] = {}
    happened: list[Happening] = []
    paid = _payments(incoming)
    if paid and paid != order.payments:
        facts["payments"] = paid
        happened.append((EventType.PAYMENT_CHANGED, {"payment": incoming.payment_status}))
        if incoming.payment_status not in UNPAID and any(hold.type == AWAITING_PAYMENT for hold in order.holds):
            facts["holds"] = tuple(hold for hold in order.holds if hold.type != AWAITING_PAYMENT)
            happened.append((EventType.HOLD_RELEASED, {"type": AWAITING_PAYMENT}))
    if incoming.channel_updated_at > order.channel_updated_at:
        facts["channel_updated_at"] = incoming.channel_updated_at
    if not facts:
        return None
    person = _renewed(contact, incoming) if contact else None
    return OrderChange(order=step(order, context, *happened, **facts), contact=person if person != contact else None)
