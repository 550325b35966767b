"""A BigCommerce order in our words.

Every amount comes with and without tax; of the two sets that one is exact in which the store names its prices. Which
that is `is_tax_inclusive_pricing` says, though not of older orders; and whether the total is before or after gift
certificates and store credit no doc says. So an order is read in the way in which it adds up.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import datetime
from decimal import Decimal
from typing import NamedTuple

from oms.channels import rounded_money
from oms.channels.bigcommerce_models import BigOrder, Callback, LineItem, Pickup, PostalAddress, Shipping
from oms.channels.region_codes import region_code
from oms.channels.rounded_money import rounded
from oms.channels.written_text import bounded
from oms.domain.channel_messages import OrderNews
from oms.domain.errors import InvalidMessage, InvalidOrder
from oms.domain.incoming import Address, Contact, IncomingLine, IncomingOrder
from oms.domain.order import MAX_LINES, Method, ShippingLine, Totals

INCOMPLETE = 0
"""The status of a checkout that nobody finished."""

ENDED = {4: "refunded in the store", 5: "cancelled in the store", 6: "declined in the store"}
"""Statuses in which nothing more is owed to the buyer, and what we write down as the reason."""

_AWAITS_PAYMENT = frozenset({1, 7, 12})  # pending, awaiting payment, manual verification required
_ALL_SHIPPED = frozenset({2, 10})  # shipped, completed
_PARTLY_REFUNDED = 14
_PAYMENT = {"authorized": "AUTHORIZED", "capture pending": "AUTHORIZED"}
_UNPAID = {"refunded": "REFUNDED", "paid": "PAID", "captured": "PAID"}

_SCOPE = re.compile(r"[a-z_]{1,40}/[A-Za-z0-9_/*-]{1,150}")
_OF_ORDERS = re.compile(
    r"store/(channel/[0-9]{1,20}/)?order/(created|updated|statusUpdated|archived|refund/created|transaction/\w+)"
)
_OF_SHIPMENTS = re.compile(r"store/shipment/(created|updated|deleted)")
_EXPRESS = re.compile(r"express|expedited|overnight|next[ _-]?day|same[ _-]?day", re.IGNORECASE)


def news(callback: Callback) -> OrderNews | None:
    """Which order changed; None for what is none of our business."""
    if not _SCOPE.fullmatch(callback.scope):
        raise InvalidMessage(
            "a callback names its scope, like store/order/created", field="scope", reason="INVALID_FIELD"
        )
    data = callback.data
    if _OF_ORDERS.fullmatch(callback.scope):
        named, field = data.order_id or data.id, "data.id"
    elif _OF_SHIPMENTS.fullmatch(callback.scope):
        named, field = data.orderId or data.order_id, "data.orderId"
    else:
        return None
    if not re.fullmatch(r"[1-9][0-9]{0,29}", named):
        reason = "INVALID_FIELD" if named else "MISSING_FIELD"
        raise InvalidMessage(f"{field} names no order", field=field, reason=reason)
    return OrderNews(channel_order_id=named)


def incoming_order(order: BigOrder, channel: str, account: str) -> IncomingOrder | None:
    """The order as intake takes it; None for a checkout that nobody finished. An archived order is what its status
    says: archiving only puts it out of sight. Raises InvalidOrder or InvalidMessage for what can't be."""
    if order.status_id == INCOMPLETE:
        return None
    _check_one_destination(order)
    currency = order.default_currency_code or order.currency_code
    placed_at, updated_at = _times(order)
    reading = _best_reading(order, currency)
    pickups = [one for one in order.consignments.pickups if one.line_items]
    return IncomingOrder(
        channel=channel,
        account=account,
        channel_order_id=order.id,
        order_number=order.id,
        placed_at=placed_at,
        channel_updated_at=updated_at,
        cancelled_at=updated_at if order.status_id in ENDED else None,
        cancel_reason=ENDED.get(order.status_id, ""),
        currency=currency,
        prices_include_tax=reading.with_tax,
        totals=reading.totals,
        lines=reading.lines,
        shipping_lines=tuple(_shipping_line(one, currency, reading.with_tax) for one in order.consignments.shipping),
        payment_status=_payment_status(order),
        customer_id=order.customer_id if order.customer_id not in ("", "0") else None,
        service_level=_service_level(order.consignments.shipping),
        method=Method.PICKUP if pickups else Method.SHIP,
        pickup_location_id=pickups[0].location.code[:64] or None if pickups and pickups[0].location else None,
        contact=_contact(order),
    )


def _check_one_destination(order: BigOrder) -> None:
    """An order of ours goes to one place; one that the buyer split is entered by a person, as several."""
    places = sum(1 for one in _consigned(order) if one.line_items)
    if places > 1:
        message = f"the order goes to {places} places"
        raise InvalidOrder(message, field="consignments", reason="SEVERAL_DESTINATIONS")


def _times(order: BigOrder) -> tuple[datetime, datetime]:
    """When it was placed, and when it was last changed."""
    if order.date_created is None:
        raise InvalidMessage("an order needs date_created", field="date_created", reason="MISSING_FIELD")
    return order.date_created, order.date_modified or order.date_created


def _payment_status(order: BigOrder) -> str:
    """By status first: what the store owner means to be shipped is not held for want of a payment that BigCommerce
    has not heard of, such as cash on delivery."""
    if order.status_id in _AWAITS_PAYMENT:
        return "PENDING"
    if order.status_id == _PARTLY_REFUNDED:
        return "PARTIALLY_REFUNDED"
    if order.status_id in ENDED:
        return _UNPAID.get(order.payment_status, "REFUNDED" if order.status_id == 4 else "VOIDED")
    return _PAYMENT.get(order.payment_status, "PAID")


class _Reading(NamedTuple):
    """Lines and totals as read with or without tax in the amounts; `rest` is what they do not add up by."""

    with_tax: bool
    lines: tuple[IncomingLine, ...]
    totals: Totals
    rest: int


def _best_reading(order: BigOrder, currency: str) -> _Reading:
    """The first that adds up; if none does, what BigCommerce says it is, for a person to look at."""
    _check_lines([*_goods(order), *_sent(order)])
    paid = order.gift_certificate_amount + order.store_credit_amount
    stated = order.is_tax_inclusive_pricing
    first = _reading(order, currency, stated, Decimal(0))
    others = [(stated, paid), (not stated, Decimal(0)), (not stated, paid)]
    readings = (_reading(order, currency, with_tax, beforehand) for with_tax, beforehand in others)
    return first if not first.rest else next((one for one in readings if not one.rest), first)


def _reading(order: BigOrder, currency: str, with_tax: bool, paid: Decimal) -> _Reading:
    goods = [(item, item.type in ("physical", "")) for item in _goods(order)]
    all_shipped = order.status_id in _ALL_SHIPPED
    lines = tuple(
        _line(item, currency, with_tax, ships=ships, all_shipped=all_shipped)
        for item, ships in (*goods, *((item, False) for item in _sent(order)))
    )
    totals = rounded_money.settled(
        _told(order, lines, currency, with_tax, paid),
        prices_include_tax=with_tax,
        tolerance_minor=_tolerance(order, currency, with_tax),
    )
    return _Reading(with_tax, lines, totals, rounded_money.difference(totals, prices_include_tax=with_tax))


def _consigned(order: BigOrder) -> list[Shipping | Pickup]:
    return [*order.consignments.shipping, *order.consignments.pickups]


def _goods(order: BigOrder) -> list[LineItem]:
    """What is shipped or collected."""
    return [item for one in _consigned(order) for item in one.line_items]


def _sent(order: BigOrder) -> list[LineItem]:
    """Downloads and gift certificates."""
    certificates = order.consignments.email.gift_certificates if order.consignments.email else ()
    return [item for one in (*order.consignments.downloads, *certificates) for item in one.line_items]


def _check_lines(items: Sequence[LineItem]) -> None:
    if not items:
        raise InvalidMessage("an order needs lines", field="consignments", reason="MISSING_FIELD")
    if len(items) > MAX_LINES:
        message = f"{len(items)} lines, at most {MAX_LINES} are taken"
        raise InvalidOrder(message, field="consignments", reason="TOO_MANY_LINES")
    seen: set[str] = set()
    for item in items:
        if item.id in seen:
            raise InvalidOrder(f"line {item.id} comes twice", field="line_items.id", reason="DUPLICATE_LINE")
        if item.total_ex_tax < 0 or item.total_inc_tax < 0:
            message = f"the total of line {item.id} is negative"
            raise InvalidOrder(message, field="line_items.total_ex_tax", reason="NEGATIVE_PRICE")
        seen.add(item.id)


def _line(item: LineItem, currency: str, with_tax: bool, *, ships: bool, all_shipped: bool) -> IncomingLine:
    total = rounded(_read(with_tax, item.total_ex_tax, item.total_inc_tax), currency, "line_items.total_ex_tax")
    price = rounded_money.unit_price(total, item.quantity)
    # units refunded beyond those never shipped are returns: they did leave
    kept = max(0, item.quantity - item.quantity_refunded)
    left = kept if all_shipped else min(item.quantity, item.quantity_shipped)
    discount = sum((one.amount for one in item.applied_discounts), Decimal(0))
    return IncomingLine(
        line_id=item.id,
        sku=item.sku or _other_name(item),
        title=item.name[:255],  # for people to recognise; a longer one would only swell the document
        quantity=item.quantity,
        current_quantity=max(kept, left),
        fulfilled_quantity=left,
        unit_price_minor=price,
        discount_minor=rounded(discount, currency, "line_items.applied_discounts") + price * item.quantity - total,
        tax_minor=rounded(item.total_tax, currency, "line_items.total_tax"),
        requires_shipping=ships,
    )


def _other_name(item: LineItem) -> str:
    """What `listings` may know a product without sku by; empty for one that the store owner typed in."""
    if item.variant_id not in ("", "0"):
        return f"variant:{item.variant_id}"
    return f"product:{item.product_id}" if item.product_id not in ("", "0") else ""


def _read(with_tax: bool, ex_tax: Decimal, inc_tax: Decimal) -> Decimal:
    return inc_tax if with_tax else ex_tax


def _told(order: BigOrder, lines: Sequence[IncomingLine], currency: str, with_tax: bool, paid: Decimal) -> Totals:
    """The totals as BigCommerce tells them, and what was paid beforehand; what unit prices were rounded up by is
    discount."""
    goods = sum(line.unit_price_minor * line.quantity for line in lines)
    items = [*_goods(order), *_sent(order)]
    read = sum(
        rounded(_read(with_tax, item.total_ex_tax, item.total_inc_tax), currency, "line_items") for item in items
    )
    discounts = [order.discount_amount, order.coupon_discount]
    shipping = _read(with_tax, order.shipping_cost_ex_tax, order.shipping_cost_inc_tax)
    return Totals(
        goods_minor=goods,
        discounts_minor=goods - read + sum(rounded(one, currency, "discount_amount") for one in discounts),
        shipping_minor=rounded(shipping, currency, "shipping_cost_ex_tax"),
        tax_minor=rounded(order.total_tax, currency, "total_tax"),
        fees_minor=sum(rounded(one, currency, "fees") for one in _fees(order, with_tax)),
        total_minor=rounded(order.total_inc_tax + paid, currency, "total_inc_tax"),
    )


def _fees(order: BigOrder, with_tax: bool) -> list[Decimal]:
    """Handling, gift wrap, and what else the store charges."""
    named = [_read(with_tax, fee.cost_ex_tax, fee.cost_inc_tax) for fee in order.fees]
    handling = _read(with_tax, order.handling_cost_ex_tax, order.handling_cost_inc_tax)
    return [*named, handling, _read(with_tax, order.wrapping_cost_ex_tax, order.wrapping_cost_inc_tax)]


def _tolerance(order: BigOrder, currency: str, with_tax: bool) -> int:
    """How far rounding can take the sum from the total, in minor units: half a unit for every amount, and none where
    all of them are whole."""
    lines = [_read(with_tax, item.total_ex_tax, item.total_inc_tax) for item in (*_goods(order), *_sent(order))]
    shipping = _read(with_tax, order.shipping_cost_ex_tax, order.shipping_cost_inc_tax)
    amounts = [*lines, *_fees(order, with_tax), shipping, order.total_tax, order.discount_amount, order.coupon_discount]
    if all(rounded_money.is_whole(amount, currency) for amount in (*amounts, order.total_inc_tax)):
        return 0
    return (sum(1 for amount in amounts if amount) + 1) // 2


def _shipping_line(one: Shipping, currency: str, with_tax: bool) -> ShippingLine:
    return ShippingLine(
        title=one.shipping_method[:255],
        price_minor=rounded(_read(with_tax, one.cost_ex_tax, one.cost_inc_tax), currency, "consignments.shipping.cost"),
        tax_minor=rounded(one.cost_tax, currency, "consignments.shipping.cost_tax"),
    )


def _service_level(shipping: Sequence[Shipping]) -> str:
    return "EXPRESS" if any(_EXPRESS.search(one.shipping_method) for one in shipping) else "STANDARD"


def _contact(order: BigOrder) -> Contact:
    billing = order.billing_address or PostalAddress()
    going = [one for one in order.consignments.shipping if one.line_items]
    shipping: PostalAddress = going[0] if going else billing
    ship_to, bill_to = _address(shipping), _address(billing)
    return Contact(
        name=ship_to.name or bill_to.name,
        email=billing.email or shipping.email,
        phone=ship_to.phone or bill_to.phone,
        ship_to=ship_to,
        bill_to=bill_to,
        free_text=bounded(_free_text(order), "line_items.product_options"),
    )


def _address(address: PostalAddress) -> Address:
    country = address.country_iso2 or address.country
    return Address(
        name=f"{address.first_name} {address.last_name}".strip(),
        company=address.company,
        address1=address.street_1,
        address2=address.street_2,
        city=address.city,
        region=region_code(country, address.state),
        postal_code=address.zip,
        country=country,
        phone=address.phone,
    )


def _free_text(order: BigOrder) -> dict[str, str]:
    """What the buyer wrote: the order's comment, and under its line id what was chosen or typed for a line."""
    texts = {"note": order.customer_message}
    texts |= {item.id: _written(item) for item in (*_goods(order), *_sent(order))}
    return {key: text for key, text in texts.items() if text}


def _written(item: LineItem) -> str:
    chosen = [f"{one.display_name}: {one.display_value}" for one in item.product_options]
    return "\n".join([*chosen, *([f"Gift wrap: {item.wrapping_message}"] if item.wrapping_message else [])])
