"""The first version of an order: a channel's order becomes one of ours, or waits for a person who sees why.

What later messages of the channel do to it is in `intake_updates`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

from oms.domain import ids
from oms.domain.catalog import BackorderRule, ChannelAccount, Product
from oms.domain.changes import Context, OrderChange, fold
from oms.domain.errors import InvalidOrder
from oms.domain.events import EventType
from oms.domain.handover import hand_over, left_elsewhere
from oms.domain.incoming import Address, IncomingLine, IncomingOrder
from oms.domain.intake_rules import FULFILLED_ELSEWHERE, TOTALS_MISMATCH, WRONG_CURRENCY, Ask
from oms.domain.intake_wishes import PAYMENT_GONE, payments_of, place_of
from oms.domain.kits import inseparable, product_facts, unknown_components
from oms.domain.money import format_minor
from oms.domain.order import Hold, Line, Method, Order, Review
from oms.domain.progress import Happening, first

AWAITING_PAYMENT = "AWAITING_PAYMENT"
AWAITING_ADDRESS = "AWAITING_ADDRESS"
MAX_AHEAD = timedelta(days=1)
"""By how much a channel's clock, or a time told without its zone, may be ahead of ours."""

MAX_DETAIL = 200
"""Characters of what a review shows."""

UNPAID = PAYMENT_GONE | {"PENDING", "PARTIALLY_PAID"}


def receive(
    incoming: IncomingOrder,
    products: Mapping[str, Product],
    account: ChannelAccount,
    context: Context,
    trace_id: str | None = None,
    content: str = "",
) -> OrderChange:
    """Version 1 of the order. What breaks a rule of ours puts it in review, with no stock committed; what had left
    altogether is kept as such.

    `products` are those of the lines and, of kits, those of their components, as far as they are known. `content` is
    the digest that later messages of the same second are compared with.
    """
    cancelled = incoming.cancelled_at is not None
    order = replace(_facts(incoming, products, context, cancelled, trace_id), channel_content=content)
    review = _review(incoming, products, account, context)
    if review and not cancelled:
        order = replace(order, review=review)
    received = {"lines": len(order.lines)}
    if has_left(incoming):
        received["shipped_elsewhere"] = sum(line.unallocated for line in order.lines)
        order = left_elsewhere(order, min(incoming.channel_updated_at, context.now))
    happened: list[Happening] = [(EventType.ORDER_RECEIVED, received)]
    if order.review:
        happened.append((EventType.REVIEW_REQUESTED, {"reason": order.review.reason} | _asked_by(incoming)))
    if cancelled:
        happened.append((EventType.ORDER_CANCELLED, {"reason": incoming.cancel_reason or "CHANNEL"}))
    made = OrderChange(
        order=first(order, context, *happened), references=_references(incoming), contact=incoming.contact
    )
    carried_out = hand_over(made.order, context)
    return fold([made, carried_out]) if carried_out else made


def _facts(
    incoming: IncomingOrder,
    products: Mapping[str, Product],
    context: Context,
    cancelled: bool,
    trace_id: str | None,
) -> Order:
    placed_at = min(incoming.placed_at, context.now)
    promised_by = incoming.promised_by or incoming.deliver_by
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
        ship_by=incoming.ship_by or placed_at + timedelta(seconds=context.policy.ship_within_seconds),
        deliver_by=incoming.deliver_by,
        promised_by=promised_by,
        original_promised_by=promised_by,
        currency=incoming.currency,
        prices_include_tax=incoming.prices_include_tax,
        totals=incoming.totals,
        presentment_currency=incoming.presentment_currency,
        presentment_total_minor=incoming.presentment_total_minor,
        customer_id=_customer_id(incoming),
        ship_to=place_of(incoming.contact.ship_to),
        service_level=incoming.service_level,
        method=incoming.method,
        pickup_location_id=incoming.pickup_location_id,
        sold_by=incoming.sold_by,
        sold_at_location_id=incoming.sold_at_location_id,
        ship_complete=context.policy.backorder_rule is not BackorderRule.SHIP_AVAILABLE,
        lines=tuple(_line(line, products, cancelled) for line in incoming.lines),
        shipping_lines=incoming.shipping_lines,
        holds=(*_payment_holds(incoming, context), *_address_holds(incoming, context)),
        payments=payments_of(incoming),
        external_ids=dict(incoming.external_ids),
        trace_id=trace_id,
    )


def _customer_id(incoming: IncomingOrder) -> str | None:
    """Whom the channel's account knows under this id: another account's 42 is somebody else."""
    return f"{incoming.channel}#{incoming.account}#{incoming.customer_id}" if incoming.customer_id else None


def _line(line: IncomingLine, products: Mapping[str, Product], cancelled: bool) -> Line:
    kept = 0 if cancelled else line.current_quantity
    ordered = max(line.quantity, line.current_quantity)
    return Line(
        line_id=line.line_id,
        sku=line.sku,
        channel_sku=line.channel_sku,
        title=line.title,
        ordered=ordered,
        unallocated=kept if line.requires_shipping else 0,
        shipped=0 if line.requires_shipping else kept,
        cancelled=ordered - kept,
        cancelled_by_channel=ordered - kept,
        unit_price_minor=line.unit_price_minor,
        discount_minor=line.discount_minor,
        tax_minor=line.tax_minor,
        together=line.together,
        requires_shipping=line.requires_shipping,
        **product_facts(line.sku, products),
    )


def _payment_holds(incoming: IncomingOrder, context: Context) -> tuple[Hold, ...]:
    if incoming.payment_status not in UNPAID or not context.policy.unpaid_holds:
        return ()
    return (Hold(hold_id="payment", type=AWAITING_PAYMENT, placed_by=context.actor, placed_at=context.now),)


def _address_holds(incoming: IncomingOrder, context: Context) -> tuple[Hold, ...]:
    """Marketplaces name only the country of an order that is not paid yet: its stock is committed by that alone, and
    nothing leaves before there is an address."""
    ships = incoming.method is Method.SHIP and any(line.requires_shipping for line in incoming.lines)
    address = incoming.contact.ship_to
    if not ships or not address.country or is_placed(address):
        return ()
    return (Hold(hold_id="address", type=AWAITING_ADDRESS, placed_by=context.actor, placed_at=context.now),)


def is_placed(address: Address) -> bool:
    """Whether more of the address is known than the country."""
    return any((address.region, address.postal_code, address.address1, address.city))


def _references(incoming: IncomingOrder) -> tuple[str, ...]:
    numbers = (incoming.order_number, incoming.channel_order_id)
    return tuple(dict.fromkeys(ids.order_reference(number) for number in numbers if number))


def _review(
    incoming: IncomingOrder, products: Mapping[str, Product], account: ChannelAccount, context: Context
) -> Review | None:
    """The first rule the order breaks, as a person reads it."""
    goods = [] if has_left(incoming) else [line for line in incoming.lines if line.requires_shipping]
    unusable = unusable_goods((line.sku for line in goods), products)
    off_by = totals_difference(incoming)
    left = sum(_partly_left(incoming).values())
    if unusable:
        reason, detail = unusable
    elif account.currencies and incoming.currency not in account.currencies:
        reason, detail = WRONG_CURRENCY, incoming.currency
    elif off_by:
        reason, detail = TOTALS_MISMATCH, f"off by {format_minor(off_by, incoming.currency)}"
    elif left:
        reason, detail = FULFILLED_ELSEWHERE, f"{left} units"
    else:
        return None
    if left and reason != FULFILLED_ELSEWHERE:
        too = f"; {Ask.FULFILLED_THERE.value}"
        detail = detail[: MAX_DETAIL - len(too)] + too
    return Review(reason=reason, since=context.now, detail=detail[:MAX_DETAIL])


def has_left(incoming: IncomingOrder) -> bool:
    """Whether all that ships of an order had left when we first heard of it: an old one that its channel still touches,
    or one that somebody shipped by hand. Nothing is left to decide then."""
    goods = [line for line in incoming.lines if line.requires_shipping and line.current_quantity > 0]
    left = bool(goods) and all(line.fulfilled_quantity >= line.current_quantity for line in goods)
    return left and incoming.cancelled_at is None and incoming.method is not Method.CARRY_OUT


def _partly_left(incoming: IncomingOrder) -> dict[str, int]:
    """Units per line that somebody else shipped of an order of which more is to ship; what a customer carried out is
    what we book as such."""
    if has_left(incoming) or incoming.method is Method.CARRY_OUT:
        return {}
    left = {one.line_id: one.fulfilled_quantity for one in incoming.lines if one.requires_shipping}
    return {line_id: units for line_id, units in left.items() if units}


def _asked_by(incoming: IncomingOrder) -> dict[str, Any]:
    """What the person is asked, as a later message would ask it: who has decided is not asked by that."""
    left = _partly_left(incoming)
    return {"asked": {Ask.FULFILLED_THERE.value: left}} if left else {}


def unusable_goods(skus: Iterable[str], products: Mapping[str, Product]) -> tuple[str, str] | None:
    """Why no stock can be looked for of these goods, as a review says it: its reason, and what of them is to blame."""
    named = dict.fromkeys(skus)
    known = [products[sku] for sku in named if sku in products]
    unknown = [sku or "(no sku)" for sku in named if sku not in products] + unknown_components(known, products)
    if unknown:
        return "UNKNOWN_SKU", ", ".join(unknown)
    kits = inseparable(known, products)
    return ("KIT_ORDERED", ", ".join(kits)) if kits else None


def totals_difference(incoming: IncomingOrder) -> int:
    """The channel's total less goods + shipping + fees + tax (unless in the prices) + tip - discounts, in minor units.

    0 on an order that adds up. Goods are counted from the lines, not taken from the channel's own subtotal.
    """
    totals = incoming.totals
    goods = sum(line.unit_price_minor * line.quantity for line in incoming.lines)
    tax = 0 if incoming.prices_include_tax else totals.tax_minor
    charged = goods + totals.shipping_minor + totals.fees_minor + tax + totals.tip_minor
    return totals.total_minor - (charged - totals.discounts_minor)


def require_past(incoming: IncomingOrder, now: datetime) -> None:
    """Raises InvalidOrder where the channel's time is further ahead of ours than clocks differ: taken for true, it
    would make everything that the channel says until then look old."""
    if incoming.channel_updated_at > now + MAX_AHEAD:
        raise InvalidOrder("a time that is not yet", field="channel_updated_at", reason="TIME_AHEAD")


def in_whole_seconds(incoming: IncomingOrder) -> IncomingOrder:
    """The order with its times as documents hold them, so that the same message is never later than itself."""
    return replace(
        incoming,
        placed_at=incoming.placed_at.replace(microsecond=0),
        channel_updated_at=incoming.channel_updated_at.replace(microsecond=0),
        ship_by=incoming.ship_by.replace(microsecond=0) if incoming.ship_by else None,
        deliver_by=incoming.deliver_by.replace(microsecond=0) if incoming.deliver_by else None,
    )
