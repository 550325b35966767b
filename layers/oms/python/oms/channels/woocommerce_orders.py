"""A WooCommerce order in our words.

WooCommerce keeps every amount without tax. Where the shop's own prices include it, lines are taken with their tax, as
the buyer saw them: only those amounts are whole cents. What an order's line does not say is whether it is anything to
ship; `nothing_to_ship` tells what is done about that.
"""

from __future__ import annotations

import html
import re
from collections import Counter
from collections.abc import Sequence
from datetime import datetime
from decimal import Decimal

from oms.channels import rounded_money
from oms.channels.rounded_money import rounded
from oms.channels.woocommerce_models import (
    Deleted,
    FeeItem,
    Fetched,
    LineItem,
    Meta,
    PostalAddress,
    ShippingItem,
    WooOrder,
)
from oms.channels.written_text import bounded
from oms.domain.channel_messages import OrderNews
from oms.domain.errors import InvalidMessage, InvalidOrder
from oms.domain.incoming import Address, Contact, IncomingLine, IncomingOrder
from oms.domain.order import MAX_LINES, Method, ShippingLine, Totals

DRAFTS = frozenset({"checkout-draft", "auto-draft", "draft"})
"""Carts that somebody may still order, and orders that an employee has only begun to type."""

ENDED = {"cancelled": "cancelled in the shop", "refunded": "refunded in the shop", "trash": "deleted in the shop"}
"""Statuses in which nothing more is owed to the buyer, and what we write down as the reason."""

_PAYMENT = {"pending": "PENDING", "on-hold": "PENDING", "failed": "VOIDED", "refunded": "REFUNDED"}
_COMPLETED, _REFUNDED = "completed", "refunded"
"""All of the order has left, and all of its money was given back. Of a part of it WooCommerce knows nothing."""

_PICKUP = frozenset({"local_pickup", "pickup_location"})
# What is written on lines that are gift cards for somebody: extension Gift Cards, plugin PW Gift Cards.
_GIFT_CARD_SOLD = ("wc_gc_giftcard_", "pw_gift_card_")
_FUNDS_USED = "_funds_used"
_SHIPS_BY_ITSELF = ("_bundled_item_needs_shipping", "_composite_item_needs_shipping")
_REFUNDED_LINE = "_refunded_item_id"
_EXPRESS = re.compile(r"express|expedited|overnight|next[ _-]?day|same[ _-]?day", re.IGNORECASE)


def news(order: WooOrder | Deleted) -> OrderNews:
    """That the order changed."""
    return OrderNews(channel_order_id=order.id)


def says_too_little(order: WooOrder) -> bool:
    """Whether a webhook of it leaves open what is to ship: which units were refunded, or whether anything is goods.

    An order of goods has a way of shipping or an address; one that has neither is of downloads, or typed by hand.
    """
    if order.status in ENDED or order.status in DRAFTS:
        return False
    return bool(order.refunds) or not (order.shipping_lines or _has_parts(order.shipping))


def incoming_order(fetched: Fetched, channel: str, account: str) -> IncomingOrder | None:
    """The order as intake takes it; None for a draft. Raises InvalidOrder or InvalidMessage for what can't be."""
    order = fetched.order
    if order.status in DRAFTS:
        return None
    items = _counted(order.line_items)
    lines = _lines(items, fetched)
    placed_at, updated_at = _times(order)
    ended = order.status in ENDED
    method, pickup_location_id = _method(order.shipping_lines)
    return IncomingOrder(
        channel=channel,
        account=account,
        channel_order_id=order.id,
        order_number=order.number or order.id,
        placed_at=placed_at,
        channel_updated_at=updated_at,
        cancelled_at=updated_at if ended else None,
        cancel_reason=ENDED.get(order.status, ""),
        currency=order.currency,
        prices_include_tax=bool(order.prices_include_tax),
        totals=_totals(order, lines),
        lines=lines,
        shipping_lines=tuple(_shipping_line(one, order.currency) for one in order.shipping_lines),
        payment_status=_payment_status(order),
        customer_id=order.customer_id if order.customer_id not in ("", "0") else None,
        service_level=_service_level(order.shipping_lines),
        method=method,
        pickup_location_id=pickup_location_id,
        contact=_contact(order),
    )


def _counted(items: Sequence[LineItem]) -> list[LineItem]:
    """The lines with something on them: an employee may set a line's quantity and price to nothing."""
    if len(items) > MAX_LINES:
        raise InvalidOrder(
            f"{len(items)} lines, at most {MAX_LINES} are taken", field="line_items", reason="TOO_MANY_LINES"
        )
    seen: set[str] = set()
    for number, item in enumerate(items):
        path = f"line_items.{number}"
        if item.id in seen:
            raise InvalidOrder(f"{path}: line {item.id} comes twice", field=f"{path}.id", reason="DUPLICATE_LINE")
        if item.total < 0 or item.subtotal < 0:
            raise InvalidOrder(f"{path}.total is negative", field=f"{path}.total", reason="NEGATIVE_PRICE")
        if not item.quantity and item.total:
            message = f"{path}: no units, yet a price"
            raise InvalidOrder(message, field=f"{path}.quantity", reason="QUANTITY_NOT_POSITIVE")
        seen.add(item.id)
    left = [item for item in items if item.quantity]
    if not left:
        raise InvalidMessage("an order needs lines", field="line_items", reason="MISSING_FIELD")
    return left


def _times(order: WooOrder) -> tuple[datetime, datetime]:
    """When it was placed, and when it was last changed."""
    if order.date_created_gmt is None:
        raise InvalidMessage("an order needs date_created_gmt", field="date_created_gmt", reason="MISSING_FIELD")
    return order.date_created_gmt, order.date_modified_gmt or order.date_created_gmt


def _payment_status(order: WooOrder) -> str:
    """By status, and for a status that a plugin made by whether anybody paid. An order that the shop works on without
    being paid is to be paid at the door: no reason to hold it."""
    if order.status in _PAYMENT:
        return _PAYMENT[order.status]
    if order.date_paid_gmt:
        return "PAID"
    if order.status in ("processing", "completed"):
        return "DUE_ON_DELIVERY"
    return "VOIDED" if order.status in ENDED else "PENDING"


def _taxed(net: Decimal, tax: Decimal, order: WooOrder) -> Decimal:
    """The amount as the shop names it to the buyer."""
    return net + tax if order.prices_include_tax else net


def _lines(items: Sequence[LineItem], fetched: Fetched) -> tuple[IncomingLine, ...]:
    left = _left_of(items, fetched)
    unshipped = nothing_to_ship(items, fetched.virtual)
    return tuple(
        _line(item, fetched.order, left[item.id], ships=item.id not in unshipped, path=f"line_items.{number}")
        for number, item in enumerate(items)
    )


def _line(item: LineItem, order: WooOrder, left: int, *, ships: bool, path: str) -> IncomingLine:
    before = rounded(_taxed(item.subtotal, item.subtotal_tax, order), order.currency, f"{path}.subtotal")
    after = rounded(_taxed(item.total, item.total_tax, order), order.currency, f"{path}.total")
    # an employee may raise a line's total above its subtotal: then that is its price
    price = rounded_money.unit_price(max(before, after), item.quantity)
    return IncomingLine(
        line_id=item.id,
        sku=item.sku or _other_name(item),
        title=html.unescape(item.name)[:255],  # for people to recognise; a longer one would only swell the document
        quantity=item.quantity,
        current_quantity=left,
        fulfilled_quantity=left if _has_left(order) else 0,
        unit_price_minor=price,
        discount_minor=price * item.quantity - after,
        tax_minor=rounded(item.total_tax, order.currency, f"{path}.total_tax"),
        requires_shipping=ships,
    )


def _has_left(order: WooOrder) -> bool:
    """Whether the shop completed the order, though it has given back all of its money since."""
    return order.status == _COMPLETED or (order.status == _REFUNDED and order.date_completed_gmt is not None)


def _other_name(item: LineItem) -> str:
    """What `listings` may know a product without sku by; empty for one that is no product (any more)."""
    if item.variation_id not in ("", "0"):
        return f"variant:{item.variation_id}"
    return f"product:{item.product_id}" if item.product_id not in ("", "0") else ""


def _left_of(items: Sequence[LineItem], fetched: Fetched) -> dict[str, int]:
    """Units by line id that the buyer is to get or got. Money given back without units takes none away, and what was
    given back after the shop had completed the order are returns: those units did leave."""
    completed_at = fetched.order.date_completed_gmt
    refunded: Counter[str] = Counter()
    for refund in fetched.refunds:
        if completed_at and refund.date_created_gmt and refund.date_created_gmt > completed_at:
            continue
        for line in refund.line_items:
            for meta in line.meta_data:
                if meta.key == _REFUNDED_LINE:
                    refunded[str(meta.value)] -= line.quantity
    return {item.id: max(0, item.quantity - refunded[item.id]) for item in items}


def nothing_to_ship(items: Sequence[LineItem], virtual: frozenset[str]) -> frozenset[str]:
    """The ids of lines that are no goods: known as virtual, gift cards sold, and of bundles either the bundle (its
    parts ship by themselves) or those parts that come assembled in it."""
    found = {item.id for item in items if product_of(item) in virtual or _is_gift_card(item)}
    assembled: set[str] = set()
    for item in items:
        if item.part_of and "no" in [_meta(item.meta_data, key) for key in _SHIPS_BY_ITSELF]:
            found.add(item.id)
            assembled.add(item.part_of)
    return frozenset(found | {item.id for item in items if item.has_parts and item.id not in assembled})


def product_of(item: LineItem) -> str:
    """The id under which `/products` knows what the line sells."""
    return item.variation_id if item.variation_id not in ("", "0") else item.product_id


def _is_gift_card(item: LineItem) -> bool:
    return any(meta.key.lstrip("_").startswith(_GIFT_CARD_SOLD) for meta in item.meta_data)


def _meta(metas: Sequence[Meta], key: str) -> str:
    return next((str(meta.value) for meta in metas if meta.key == key), "")


def _shipping_line(one: ShippingItem, currency: str) -> ShippingLine:
    return ShippingLine(
        title=one.method_title[:255],
        price_minor=rounded(one.total, currency, "shipping_lines.total"),
        tax_minor=rounded(one.total_tax, currency, "shipping_lines.total_tax"),
    )


def _totals(order: WooOrder, lines: Sequence[IncomingLine]) -> Totals:
    """The order's total and its parts. Gift cards and account funds are what it was paid with: WooCommerce takes them
    off the total, here they are part of it."""
    goods = sum(line.unit_price_minor * line.quantity for line in lines)
    fees = [
        rounded(_taxed(one.total, one.total_tax, order), order.currency, "fee_lines.total") for one in order.fee_lines
    ]
    shipping = [
        rounded(_taxed(one.total, one.total_tax, order), order.currency, "shipping_lines.total")
        for one in order.shipping_lines
    ]
    totals = Totals(
        goods_minor=goods,
        discounts_minor=sum(line.discount_minor for line in lines) - sum(fee for fee in fees if fee < 0),
        shipping_minor=sum(shipping),
        tax_minor=rounded(order.total_tax, order.currency, "total_tax"),
        fees_minor=sum(fee for fee in fees if fee > 0),
        total_minor=rounded(order.total + _paid_beforehand(order), order.currency, "total"),
    )
    included = bool(order.prices_include_tax)
    return rounded_money.settled(totals, prices_include_tax=included, tolerance_minor=_tolerance(order))


def _tolerance(order: WooOrder) -> int:
    """How far rounding can take the sum from the total, in minor units: nowhere while all amounts are whole cents and
    prices without tax; otherwise half a unit for every amount that was rounded."""
    parts: list[LineItem | ShippingItem | FeeItem] = [*order.line_items, *order.shipping_lines, *order.fee_lines]
    amounts = [amount for part in parts for amount in (part.total, part.total_tax)]
    exact = all(rounded_money.is_whole(amount, order.currency) for amount in (*amounts, order.total, order.total_tax))
    if exact and not order.prices_include_tax:
        return 0
    return (sum(1 for amount in amounts if amount) + 1) // 2


def _paid_beforehand(order: WooOrder) -> Decimal:
    cards = sum((card.amount for card in order.gift_cards), Decimal(0))
    funds = _meta(order.meta_data, _FUNDS_USED)
    return cards + (Decimal(funds) if re.fullmatch(r"[0-9]{1,12}(\.[0-9]{1,6})?", funds) else Decimal(0))


def _service_level(shipping: Sequence[ShippingItem]) -> str:
    says_so = any(_EXPRESS.search(f"{one.method_id} {one.method_title}") for one in shipping)
    return "EXPRESS" if says_so else "STANDARD"


def _method(shipping: Sequence[ShippingItem]) -> tuple[Method, str | None]:
    """Whether the buyer collects the order, and where, if the shop lets them choose a place."""
    chosen = [one for one in shipping if one.method_id in _PICKUP]
    if not chosen or len(chosen) < len(shipping):
        return Method.SHIP, None
    return Method.PICKUP, _meta(chosen[0].meta_data, "pickup_location")[:64] or None


def _has_parts(address: PostalAddress | None) -> bool:
    return address is not None and any((address.address_1, address.city, address.postcode))


def _contact(order: WooOrder) -> Contact:
    """Where only a billing address was given, that is where the order goes: so WooCommerce's own forms mean it."""
    billing = order.billing or PostalAddress()
    shipping = order.shipping if order.shipping and _has_parts(order.shipping) else billing
    ship_to, bill_to = _address(shipping), _address(billing)
    return Contact(
        name=ship_to.name or bill_to.name,
        email=billing.email or shipping.email,
        phone=ship_to.phone or bill_to.phone,
        ship_to=ship_to,
        bill_to=bill_to,
        free_text=bounded(_free_text(order), "line_items.meta_data"),
    )


def _address(address: PostalAddress) -> Address:
    return Address(
        name=f"{address.first_name} {address.last_name}".strip(),
        company=address.company,
        address1=address.address_1,
        address2=address.address_2,
        city=address.city,
        region=address.state,
        postal_code=address.postcode,
        country=address.country,
        phone=address.phone,
    )


def _free_text(order: WooOrder) -> dict[str, str]:
    """What the buyer wrote: the order's note, and under its line id what was chosen or typed for a line."""
    texts = {"note": order.customer_note}
    texts |= {item.id: _written(item.meta_data) for item in order.line_items}
    return {key: text for key, text in texts.items() if text}


def _written(metas: Sequence[Meta]) -> str:
    shown = [meta for meta in metas if not meta.key.startswith("_") and isinstance(meta.value, (str, int))]
    return "\n".join(f"{_label(meta)}: {meta.value}" for meta in shown if meta.key)


def _label(meta: Meta) -> str:
    return meta.display_key if isinstance(meta.display_key, str) and meta.display_key else meta.key
