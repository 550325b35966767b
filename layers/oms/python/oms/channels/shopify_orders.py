"""A Shopify order in our words."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from datetime import datetime

from oms.channels.shopify_models import (
    Customer,
    Identified,
    LineItem,
    PostalAddress,
    Property,
    ShippingItem,
    ShopifyOrder,
)
from oms.channels.shopify_totals import added, charged, in_minor_units, presentment, totals
from oms.channels.written_text import bounded
from oms.domain.errors import InvalidMessage, InvalidOrder
from oms.domain.incoming import Address, Contact, IncomingLine, IncomingOrder
from oms.domain.order import MAX_LINES, Method, ShippingLine

_GID = re.compile(r"gid://shopify/([A-Za-z]{1,40})/([0-9]{1,30})")
_EXPRESS = re.compile(r"express|expedited|overnight|next[ _-]?day|same[ _-]?day", re.IGNORECASE)

_UNPAID = frozenset({"PENDING", "PARTIALLY_PAID"})
_PAID_LATER = frozenset({"net", "fixed", "fulfillment"})
"""Agreements by which goods leave before they are paid; "receipt" is to be paid at once ("PaymentTermsType")."""

_AT_THE_DOOR = "Cash on Delivery (COD)"
_GIFT_CARD = "gift_card"
"""Names of ways to pay, as `payment_gateway_names` has them."""

_TILL = "pos"


def incoming_order(order: ShopifyOrder, channel: str, account: str) -> IncomingOrder:
    """The order as intake takes it.

    Wrong sums and states that contradict each other (cancelled and unpaid, voided and open) are passed on as
    they are: they happen, and intake judges them. Test orders are taken as any other, and marked.
    Raises InvalidOrder or InvalidMessage for what can't be.
    """
    _check_lines(order.line_items)
    placed_at = _placed_at(order)
    fulfilled, returned = _fulfilled(order), _returned(order)
    presentment_currency, presentment_total_minor = presentment(order)
    method, place = _handover(order)
    return IncomingOrder(
        channel=channel,
        account=account,
        channel_order_id=order_id(order),
        order_number=order.name or (str(order.order_number) if order.order_number is not None else ""),
        placed_at=placed_at,
        channel_updated_at=order.updated_at or placed_at,
        cancelled_at=order.cancelled_at,
        cancel_reason=order.cancel_reason if order.cancelled_at else "",
        currency=order.currency,
        prices_include_tax=bool(order.taxes_included),
        totals=totals(order),
        lines=tuple(
            _line(item, number, order.currency, fulfilled, returned) for number, item in enumerate(order.line_items)
        ),
        shipping_lines=tuple(_shipping_line(one, order.currency) for one in charged(order)),
        payment_status=_payment_status(order),
        customer_id=_customer_id(order.customer),
        service_level=_service_level(order),
        method=method,
        channel_location=place,
        presentment_currency=presentment_currency,
        presentment_total_minor=presentment_total_minor,
        external_ids=_marks(order),
        contact=_contact(order),
    )


def order_id(order: Identified) -> str:
    """The exact id of an order. Raises InvalidMessage where it is none."""
    return _id(order, "Order", "id")


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


def _fulfilled(order: ShopifyOrder) -> Counter[str]:
    """Units that left, by line: what succeeded, whoever did it. A line may also say it of itself."""
    units: Counter[str] = Counter()
    for number, fulfillment in enumerate(order.fulfillments):
        if fulfillment.status == "success":
            for place, line in enumerate(fulfillment.line_items):
                units[_id(line, "LineItem", f"fulfillments.{number}.line_items.{place}.id")] += line.quantity
    for number, item in enumerate(order.line_items):
        if item.fulfillment_status == "fulfilled":
            line_id = _id(item, "LineItem", f"line_items.{number}.id")
            units[line_id] = units[line_id] or _current(item)
    return units


def _returned(order: ShopifyOrder) -> Counter[str]:
    """Units that came back after they had left, by line (REST Admin API reference, "Refund", `restock_type`)."""
    units: Counter[str] = Counter()
    for number, refund in enumerate(order.refunds):
        for place, one in enumerate(refund.refund_line_items):
            if one.restock_type == "return":
                line = one.line_item or Identified(id=one.line_item_id)
                units[_id(line, "LineItem", f"refunds.{number}.refund_line_items.{place}.line_item.id")] += one.quantity
    return units


def _current(item: LineItem) -> int:
    return item.quantity if item.current_quantity is None else item.current_quantity


def _line(item: LineItem, number: int, currency: str, fulfilled: Counter[str], returned: Counter[str]) -> IncomingLine:
    """A line. Shopify lowers `current_quantity` for what comes back after delivery as well; that is no cancel here, so
    it counts as still there. Parts of a bundle were sold as one thing: as the parts of a kit here, they ship together.
    """
    path = f"line_items.{number}"
    line_id = _id(item, "LineItem", f"{path}.id")
    left = min(item.quantity, fulfilled[line_id])
    # Allocations hold the line's share of every discount, total_discount only what was given on the line.
    discount = added(one.amount for one in item.discount_allocations) or item.total_discount
    return IncomingLine(
        line_id=line_id,
        sku=_sku(item),
        title=item.title[:255],  # for people to recognise; a longer one would only swell the document
        quantity=item.quantity,
        current_quantity=min(item.quantity, max(_current(item) + returned[line_id], left)),
        fulfilled_quantity=left,
        unit_price_minor=in_minor_units(item.price, currency, f"{path}.price"),
        discount_minor=in_minor_units(discount, currency, f"{path}.total_discount"),
        tax_minor=in_minor_units(added(tax.price for tax in item.tax_lines), currency, f"{path}.tax_lines"),
        requires_shipping=_requires_shipping(item),
        together=f"bundle:{item.sales_line_item_group_id}" if item.sales_line_item_group_id else "",
    )


def _sku(item: LineItem) -> str:
    """The shop's sku; of a variant without one its id, which `listings` may know; nothing for a custom item."""
    return item.sku or (f"variant:{item.variant_id}" if item.variant_id else "")


def _requires_shipping(item: LineItem) -> bool:
    """What Shopify says; where it says nothing, all but gift cards and tips are goods."""
    if item.requires_shipping is None:
        return not (item.gift_card or item.is_tip)
    return item.requires_shipping and not item.is_tip


def _shipping_line(one: ShippingItem, currency: str) -> ShippingLine:
    return ShippingLine(
        title=one.title[:255],
        price_minor=in_minor_units(one.price, currency, "shipping_lines.price"),
        tax_minor=in_minor_units(added(tax.price for tax in one.tax_lines), currency, "shipping_lines.tax_lines"),
    )


def _payment_status(order: ShopifyOrder) -> str:
    """What Shopify says, save that nothing is to wait for money that was agreed to come later or at the door."""
    status = order.financial_status.upper()
    if status not in _UNPAID:
        return status
    if order.payment_terms and order.payment_terms.payment_terms_type.lower() in _PAID_LATER:
        return "DUE_LATER"
    ways = set(order.payment_gateway_names) - {_GIFT_CARD}
    return "DUE_ON_DELIVERY" if ways == {_AT_THE_DOOR} else status


def _handover(order: ShopifyOrder) -> tuple[Method, str]:
    """How the goods reach the customer, and what the shop calls the place where that happens.

    Sold at a till, with no address and no charge: carried out there, by the till's number. Elsewhere, without an
    address and with one charge, which is named like a place: collected there. Nothing else in an order of the REST
    Admin API tells.
    """
    charges, at_a_till = charged(order), order.source_name == _TILL
    if order.shipping_address is not None:
        return Method.SHIP, ""
    if at_a_till and not charges:
        return Method.CARRY_OUT, str(order.location_id or _TILL)
    place = (charges[0].code or charges[0].title)[:64] if len(charges) == 1 and not at_a_till else ""
    return (Method.PICKUP, place) if place else (Method.SHIP, "")


def _marks(order: ShopifyOrder) -> dict[str, str]:
    """What people look for: orders of a test, and where the order was taken if not on the web."""
    marks = {"shopify_source": order.source_name} if order.source_name not in ("", "web") else {}
    return marks | ({"shopify_test": "true"} if order.test else {})


def _service_level(order: ShopifyOrder) -> str:
    says_so = any(_EXPRESS.search(f"{one.code} {one.title}") for one in charged(order))
    return "EXPRESS" if says_so else "STANDARD"


def _customer_id(customer: Customer | None) -> str | None:
    if customer is None or (not customer.gid and customer.id is None):
        return None
    return _id(customer, "Customer", "customer.id")


def _contact(order: ShopifyOrder) -> Contact:
    ship_to, bill_to = _address(order.shipping_address), _address(order.billing_address)
    customer = order.customer or Customer()
    return Contact(
        name=ship_to.name or f"{customer.first_name} {customer.last_name}".strip() or bill_to.name,
        email=order.email or order.contact_email or customer.email,
        phone=order.phone or ship_to.phone or customer.phone,
        ship_to=ship_to,
        bill_to=bill_to,
        free_text=bounded(_free_text(order), "line_items.properties"),
    )


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
    return "\n".join(f"{one.name}: {one.value}" for one in properties if one.value)
