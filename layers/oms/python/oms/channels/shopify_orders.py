"""A Shopify order in our words."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from datetime import datetime
from decimal import Decimal

from oms.channels.shopify_models import (
    Customer,
    Identified,
    LineItem,
    PostalAddress,
    Property,
    ShippingItem,
    ShopifyOrder,
)
from oms.domain.errors import InvalidMessage, InvalidOrder
from oms.domain.incoming import Address, Contact, IncomingLine, IncomingOrder
from oms.domain.money import to_minor
from oms.domain.order import MAX_LINES, ShippingLine, Totals

# What goes into `contacts` is one DynamoDB item of at most 400 KB; a person's texts get half of it.
MAX_CONTACT_BYTES = 200_000
_GID = re.compile(r"gid://shopify/([A-Za-z]{1,40})/([0-9]{1,30})")
_EXPRESS = re.compile(r"express|expedited|overnight|next[ _-]?day|same[ _-]?day", re.IGNORECASE)


def incoming_order(order: ShopifyOrder, channel: str, account: str) -> IncomingOrder:
    """The order as intake takes it.

    Wrong sums and states that contradict each other (cancelled and unpaid, voided and open) are passed on as
    they are: they happen, and intake judges them. Raises InvalidOrder or InvalidMessage for what can't be.
    """
    _check_lines(order.line_items)
    placed_at = _placed_at(order)
    return IncomingOrder(
        channel=channel,
        account=account,
        channel_order_id=_id(order, "Order", "id"),
        order_number=order.name or (str(order.order_number) if order.order_number is not None else ""),
        placed_at=placed_at,
        channel_updated_at=order.updated_at or placed_at,
        cancelled_at=order.cancelled_at,
        cancel_reason=order.cancel_reason if order.cancelled_at else "",
        currency=order.currency,
        prices_include_tax=bool(order.taxes_included),
        totals=_totals(order),
        lines=tuple(_line(item, number, order.currency) for number, item in enumerate(order.line_items)),
        shipping_lines=tuple(_shipping_line(one, order.currency) for one in _charged(order)),
        payment_status=order.financial_status.upper(),
        customer_id=_customer_id(order.customer),
        service_level=_service_level(order),
        contact=_contact(order),
    )


def _check_lines(items: Sequence[LineItem]) -> None:
    if len(items) > MAX_LINES:
        message = f"{len(items)} lines, at most {MAX_LINES} are taken"
        raise InvalidOrder(message, field="line_items", reason="TOO_MANY_LINES")
    seen: set[str] = set()
    for number, item in enumerate(items):
        path = f"line_items.{number}"
        if item.quantity <= 0:
            message = f"{path}.quantity is {item.quantity}"
            raise InvalidOrder(message, field=f"{path}.quantity", reason="QUANTITY_NOT_POSITIVE")
        if item.current_quantity is not None and item.current_quantity > item.quantity:
            message = f"{path}: more units are left than were ordered"
            raise InvalidOrder(message, field=f"{path}.current_quantity", reason="INVALID_FIELD")
        if item.price < 0:
            raise InvalidOrder(f"{path}.price is negative", field=f"{path}.price", reason="NEGATIVE_PRICE")
        line_id = _id(item, "LineItem", f"{path}.id")
        if line_id in seen:
            raise InvalidOrder(f"{path}: line {line_id} comes twice", field=f"{path}.id", reason="DUPLICATE_LINE")
        seen.add(line_id)


def _placed_at(order: ShopifyOrder) -> datetime:
    placed_at = order.created_at or order.processed_at
    if placed_at is None:
        raise InvalidMessage("an order needs created_at", field="created_at", reason="MISSING_FIELD")
    return placed_at


def _id(one: Identified, kind: str, path: str) -> str:
    """The exact id. The gid comes first: ids above 2^53 arrive rounded from senders that count in floats."""
    if one.gid:
        match = _GID.fullmatch(one.gid)
        if match is None or match.group(1) != kind:
            field = path.removesuffix("id") + "admin_graphql_api_id"
            raise InvalidMessage(f"{field} names no {kind}", field=field, reason="INVALID_FIELD")
        return match.group(2)
    if one.id is None:
        raise InvalidMessage(f"{path} is missing", field=path, reason="MISSING_FIELD")
    if one.id <= 0:
        raise InvalidMessage(f"{path} is no id", field=path, reason="INVALID_FIELD")
    return str(one.id)


def _minor(amount: Decimal, currency: str, path: str) -> int:
    try:
        return to_minor(amount, currency)
    except ValueError as error:
        message = f"{path} is not a whole number of {currency} minor units"
        raise InvalidMessage(message, field=path, reason="INVALID_FIELD") from error


def _sum(amounts: Iterable[Decimal]) -> Decimal:
    return sum(amounts, Decimal(0))


def _line(item: LineItem, number: int, currency: str) -> IncomingLine:
    path = f"line_items.{number}"
    # Allocations hold the line's share of every discount, total_discount only what was given on the line.
    discount = _sum(one.amount for one in item.discount_allocations) or item.total_discount
    current = item.quantity if item.current_quantity is None else item.current_quantity
    return IncomingLine(
        line_id=_id(item, "LineItem", f"{path}.id"),
        sku=item.sku,
        title=item.title[:255],  # for people to recognise; a longer one would only swell the document
        quantity=item.quantity,
        current_quantity=current,
        unit_price_minor=_minor(item.price, currency, f"{path}.price"),
        discount_minor=_minor(discount, currency, f"{path}.total_discount"),
        tax_minor=_minor(_sum(tax.price for tax in item.tax_lines), currency, f"{path}.tax_lines"),
        requires_shipping=item.requires_shipping is not False,
    )


def _charged(order: ShopifyOrder) -> list[ShippingItem]:
    """The shipping charges that still stand."""
    return [one for one in order.shipping_lines if not one.is_removed]


def _shipping_line(one: ShippingItem, currency: str) -> ShippingLine:
    return ShippingLine(
        title=one.title[:255],
        price_minor=_minor(one.price, currency, "shipping_lines.price"),
        tax_minor=_minor(_sum(tax.price for tax in one.tax_lines), currency, "shipping_lines.tax_lines"),
    )


def _totals(order: ShopifyOrder) -> Totals:
    """The channel's own totals; only goods are added up here, since no field holds them after an edit."""
    amounts = {
        "goods": _sum(item.price * item.quantity for item in order.line_items),
        "discounts": order.total_discounts,
        "shipping": _shipping(order),
        "tax": order.total_tax,
        "tip": order.total_tip_received,
        "total": order.total_price,
    }
    minor = {name: _minor(amount, order.currency, f"total of {name}") for name, amount in amounts.items()}
    return Totals(
        goods_minor=minor["goods"],
        discounts_minor=minor["discounts"],
        shipping_minor=minor["shipping"],
        tax_minor=minor["tax"],
        tip_minor=minor["tip"],
        total_minor=minor["total"],
    )


def _shipping(order: ShopifyOrder) -> Decimal:
    total = order.total_shipping_price_set
    money = total.shop_money if total else None
    if money is not None and money.currency_code == order.currency:
        return money.amount
    return _sum(one.price for one in _charged(order))


def _service_level(order: ShopifyOrder) -> str:
    says_so = any(_EXPRESS.search(f"{one.code} {one.title}") for one in _charged(order))
    return "EXPRESS" if says_so else "STANDARD"


def _customer_id(customer: Customer | None) -> str | None:
    if customer is None or (not customer.gid and customer.id is None):
        return None
    return _id(customer, "Customer", "customer.id")


def _contact(order: ShopifyOrder) -> Contact:
    ship_to, bill_to = _address(order.shipping_address), _address(order.billing_address)
    customer = order.customer or Customer()
    contact = Contact(
        name=ship_to.name or f"{customer.first_name} {customer.last_name}".strip() or bill_to.name,
        email=order.email or order.contact_email or customer.email,
        phone=order.phone or ship_to.phone or customer.phone,
        ship_to=ship_to,
        bill_to=bill_to,
        free_text=_free_text(order),
    )
    if sum(len(text.encode()) for text in contact.free_text.values()) > MAX_CONTACT_BYTES:
        message = f"notes and line properties of more than {MAX_CONTACT_BYTES} bytes"
        raise InvalidOrder(message, field="line_items.properties", reason="TOO_LARGE")
    return contact


def _address(address: PostalAddress | None) -> Address:
    if address is None:
        return Address()
    return Address(
        name=address.name or f"{address.first_name} {address.last_name}".strip(),
        company=address.company,
        address1=address.address1,
        address2=address.address2,
        city=address.city,
        region=address.province_code or address.province,
        postal_code=address.zip,
        country=address.country_code or address.country,
        phone=address.phone,
    )


def _free_text(order: ShopifyOrder) -> dict[str, str]:
    """What the customer wrote: `note`, `note_attributes`, and the properties of a line under its line id."""
    texts = {"note": order.note, "note_attributes": _written(order.note_attributes)}
    for number, item in enumerate(order.line_items):
        texts[_id(item, "LineItem", f"line_items.{number}.id")] = _written(item.properties)
    return {key: text for key, text in texts.items() if text}


def _written(properties: Sequence[Property]) -> str:
    return "\n".join(f"{one.name}: {one.value}" for one in properties)
