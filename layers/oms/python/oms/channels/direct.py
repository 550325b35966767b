"""Orders placed with us directly (own shop, phone, point of sale): the body of `POST /orders`, and it in our words.

The same body comes through the intake queue where orders are imported: `parse` reads it, and wants it to say what a
request says beside it, so that the same row read twice is the same order.
"""

from __future__ import annotations

from collections import Counter
from datetime import datetime

from pydantic import ValidationError

from oms.channels import envelopes
from oms.channels.direct_models import DirectAddress, DirectCustomer, DirectLine, DirectOrder, OrderBody
from oms.domain.errors import InvalidMessage, InvalidOrder
from oms.domain.incoming import Address, Contact, Envelope, IncomingLine, IncomingOrder
from oms.domain.order import Method, Payment, ShippingLine, Totals
from oms.domain.validation import invalid_message

IMPORTED = "import"
"""The topic of an order that `tools/import_orders.py` put on the intake queue."""


def parse(envelope: Envelope) -> IncomingOrder:
    """The order in an imported message: the body of `POST /orders`, with `channel_order_id` and `placed_at`.

    Raises InvalidMessage (NOT_UTF8, MALFORMED_JSON, MISSING_FIELD, INVALID_FIELD) or InvalidOrder, naming the field.
    """
    order = read(envelopes.body_bytes(envelope))
    if (order.channel, order.account) != (envelope.channel, envelope.account):
        raise InvalidMessage("the order is of another account", field="account", reason="OTHER_ACCOUNT")
    return imported_order(order)


def read(body: bytes) -> DirectOrder:
    """The order in these bytes. Raises InvalidMessage as `parse` does."""
    try:
        text = body.decode("utf-8")
    except UnicodeDecodeError:
        # no cause: it would carry the body into logs
        raise InvalidMessage("the body is not UTF-8", field="body", reason="NOT_UTF8") from None
    try:
        return DirectOrder.model_validate_json(text)
    except ValidationError as error:
        raise invalid_message(error.errors(include_url=False, include_input=False)) from error


def imported_order(order: DirectOrder) -> IncomingOrder:
    """The order as intake takes it; a repeat is the same order as of the same time. Raises InvalidOrder."""
    if order.channel_order_id is None:
        raise InvalidOrder("an imported order says what it is called", field="channel_order_id", reason="MISSING_FIELD")
    if order.placed_at is None:
        raise InvalidOrder("an imported order says when it was placed", field="placed_at", reason="MISSING_FIELD")
    if order.reservation_id is not None:
        message = "a cart's hold is taken over by POST /orders only"
        raise InvalidOrder(message, field="reservation_id", reason="NOT_SUPPORTED")
    return incoming_order(order, default_id=order.channel_order_id, now=order.placed_at)


def incoming_order(order: DirectOrder, default_id: str, now: datetime) -> IncomingOrder:
    """The order as intake takes it; `default_id` names it where the caller did not. Raises InvalidOrder."""
    if order.handed_by is Method.CARRY_OUT and order.reservation_id is not None:
        message = "what is carried out leaves the shelf, not a cart's hold"
        raise InvalidOrder(message, field="reservation_id", reason="NOT_SUPPORTED")
    return canonical(order, order.channel_order_id or default_id, order.placed_at or now)


def canonical(order: OrderBody, channel_order_id: str, placed_at: datetime) -> IncomingOrder:
    """The order in our words. Raises InvalidOrder for what no single field can tell."""
    lines = tuple(_line(line, number) for number, line in enumerate(order.lines, start=1))
    _check(order, lines)
    return IncomingOrder(
        channel=order.channel,
        account=order.account,
        channel_order_id=channel_order_id,
        order_number=order.order_number,
        placed_at=placed_at,
        channel_updated_at=placed_at,
        currency=order.currency,
        prices_include_tax=order.prices_include_tax,
        totals=_totals(order),
        lines=lines,
        shipping_lines=(ShippingLine(title=order.service_level, price_minor=order.shipping_minor),)
        if order.shipping_minor
        else (),
        payment_status=order.payment_status or _paid(order),
        payments=_payments(order),
        customer_id=order.customer.id if order.customer else None,
        service_level=order.service_level,
        method=order.handed_by,
        pickup_location_id=order.pickup_location_id,
        sold_by=order.sold_by,
        sold_at_location_id=order.sold_at_location_id or "",
        promised_by=order.promised_by,
        contact=_contact(order),
    )


def _payments(order: OrderBody) -> tuple[Payment, ...]:
    return tuple(
        Payment(status=one.state, amount_minor=one.amount_minor, method=one.method, reference=one.reference)
        for one in order.payments
    )


def _paid(order: OrderBody) -> str:
    """What the payments come to, in the words of `payment_status`; empty where nobody told of any."""
    if not order.payments:
        return ""
    paid = sum(one.amount_minor for one in order.payments if one.state == "PAID")
    sure = paid + sum(one.amount_minor for one in order.payments if one.state == "AUTHORIZED")
    if sure >= order.total_minor:
        return "PAID" if paid >= order.total_minor else "AUTHORIZED"
    return "PARTIALLY_PAID" if sure else "PENDING"


def _line(line: DirectLine, number: int) -> IncomingLine:
    return IncomingLine(
        line_id=line.line_id or str(number),
        sku=line.sku,
        title=line.title,
        quantity=line.quantity,
        current_quantity=line.quantity,
        unit_price_minor=line.unit_price_minor,
        discount_minor=line.discount_minor,
        tax_minor=line.tax_minor,
        requires_shipping=line.requires_shipping,
        together=line.together,
    )


def _check(order: OrderBody, lines: tuple[IncomingLine, ...]) -> None:
    """What no single field can tell. Raises InvalidOrder naming the field."""
    counted = Counter(line.line_id for line in lines)
    for number, line in enumerate(lines):
        if counted[line.line_id] > 1:
            raise InvalidOrder(
                f"line {line.line_id} comes twice", field=f"lines.{number}.line_id", reason="DUPLICATE_LINE"
            )
    is_shipped = order.handed_by is Method.SHIP and any(line.requires_shipping for line in lines)
    if order.ship_to is None and is_shipped:
        raise InvalidOrder("an order to be shipped needs ship_to", field="ship_to", reason="MISSING_FIELD")
    _check_method(order)
    if sum(one.amount_minor for one in order.payments) > order.total_minor:
        message = "the payments come to more than total_minor"
        raise InvalidOrder(message, field="payments", reason="MORE_THAN_TOTAL")


def _check_method(order: OrderBody) -> None:
    """Each method needs its location, and allows no other's. Raises InvalidOrder naming the field."""
    method = order.handed_by
    if method is Method.CARRY_OUT and order.sold_at_location_id is None:
        message = "goods carried out left from sold_at_location_id"
        raise InvalidOrder(message, field="sold_at_location_id", reason="MISSING_FIELD")
    if method is Method.PICKUP and order.pickup_location_id is None:
        message = "an order to be collected needs pickup_location_id"
        raise InvalidOrder(message, field="pickup_location_id", reason="MISSING_FIELD")
    if method is not Method.PICKUP and order.pickup_location_id is not None:
        message = f"pickup_location_id does not go with {method.value}"
        raise InvalidOrder(message, field="pickup_location_id", reason="INVALID_FIELD")
    if method is Method.CARRY_OUT and order.promised_by is not None:
        message = "what was carried out has arrived: there is nothing to promise"
        raise InvalidOrder(message, field="promised_by", reason="INVALID_FIELD")


def _totals(order: OrderBody) -> Totals:
    discounts, tax = order.discounts_minor, order.tax_minor
    return Totals(
        goods_minor=sum(line.unit_price_minor * line.quantity for line in order.lines),
        discounts_minor=sum(line.discount_minor for line in order.lines) if discounts is None else discounts,
        shipping_minor=order.shipping_minor,
        tax_minor=sum(line.tax_minor for line in order.lines) if tax is None else tax,
        tip_minor=order.tip_minor,
        total_minor=order.total_minor,
    )


def _contact(order: OrderBody) -> Contact:
    ship_to, bill_to = _address(order.ship_to), _address(order.bill_to)
    customer = order.customer or DirectCustomer()
    return Contact(
        name=customer.name or ship_to.name or bill_to.name,
        email=customer.email or "",
        phone=customer.phone or ship_to.phone,
        ship_to=ship_to,
        bill_to=bill_to,
        free_text={"note": order.note} if order.note else {},
    )


def _address(address: DirectAddress | None) -> Address:
    return Address(**address.model_dump()) if address else Address()
