"""An Etsy receipt in our words."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime
from itertools import product

from oms.channels.etsy_models import Money, Receipt, Transaction
from oms.channels.rounded_money import rounded
from oms.domain.errors import InvalidMessage, InvalidOrder
from oms.domain.incoming import Address, Contact, IncomingLine, IncomingOrder
from oms.domain.order import MAX_LINES, ShippingLine, Totals

CANCELLED, REFUNDED = frozenset({"canceled", "cancelled"}), frozenset({"fully refunded"})
_EXPRESS = re.compile(r"express|expedited|overnight|(next|one|same)[ _-]?day", re.IGNORECASE)


def sku_of(listing_id: str, sku: str) -> str:
    """What a product is called here. Only the sku where its listing is gone."""
    return f"{listing_id}:{sku}" if listing_id else sku


def incoming_order(receipt: Receipt, channel: str, account: str) -> IncomingOrder:
    """The order as intake takes it. Raises InvalidOrder, InvalidMessage."""
    _check_lines(receipt.transactions)
    currency = receipt.grandtotal.currency_code
    totals, prices_include_tax = _totals(receipt, currency)
    changed_at = receipt.updated_timestamp or receipt.update_timestamp
    placed_at = _placed_at(receipt)
    status = receipt.status.lower()
    return IncomingOrder(
        channel=channel,
        account=account,
        channel_order_id=receipt.receipt_id,
        order_number=receipt.receipt_id,
        placed_at=placed_at,
        channel_updated_at=changed_at or placed_at,
        cancelled_at=(changed_at or placed_at) if status in CANCELLED else None,
        currency=currency,
        prices_include_tax=prices_include_tax,
        totals=totals,
        lines=tuple(_line(one, currency, bool(receipt.is_shipped)) for one in receipt.transactions),
        shipping_lines=_shipping_lines(receipt, totals),
        payment_status="REFUNDED" if status in REFUNDED else "PAID" if receipt.is_paid else "PENDING",
        customer_id=receipt.buyer_user_id or None,
        service_level="EXPRESS" if _EXPRESS.search(_shipping_title(receipt)) else "STANDARD",
        ship_by=min((one.expected_ship_date for one in receipt.transactions if one.expected_ship_date), default=None),
        tells_shipped_as_a_whole=True,
        contact=_contact(receipt),
    )


def _placed_at(receipt: Receipt) -> datetime:
    placed_at = receipt.created_timestamp or receipt.create_timestamp
    if placed_at is None:
        raise InvalidMessage("a receipt needs its time", field="created_timestamp", reason="MISSING_FIELD")
    return placed_at


def _check_lines(lines: Sequence[Transaction]) -> None:
    if len(lines) > MAX_LINES:
        message = f"{len(lines)} lines, at most {MAX_LINES} are taken"
        raise InvalidOrder(message, field="transactions", reason="TOO_MANY_LINES")
    seen: set[str] = set()
    for number, line in enumerate(lines):
        path = f"transactions.{number}"
        if line.quantity < 1:
            raise InvalidOrder(f"{path}: no units", field=f"{path}.quantity", reason="QUANTITY_NOT_POSITIVE")
        if line.price.amount < 0:
            raise InvalidOrder(f"{path}: its price is negative", field=f"{path}.price", reason="NEGATIVE_PRICE")
        if line.transaction_id in seen:
            message = f"{path}: it comes twice"
            raise InvalidOrder(message, field=f"{path}.transaction_id", reason="DUPLICATE_LINE")
        seen.add(line.transaction_id)


def _minor(money: Money | None, currency: str, path: str) -> int:
    """In minor units. Nothing is nothing in any currency."""
    if money is None or not money.amount:
        return 0
    if money.currency_code != currency:
        raise InvalidMessage(f"{path} is in another currency", field=path, reason="INVALID_FIELD")
    return rounded(money.value, currency, path)


def _line(line: Transaction, currency: str, is_shipped: bool) -> IncomingLine:
    """Etsy calls a receipt shipped as a whole, at its first parcel. If that was none of ours, a person is asked: better
    than to ship twice what somebody has sent off by hand."""
    return IncomingLine(
        line_id=line.transaction_id,
        sku=sku_of(line.listing_id, line.sku),
        title=line.title[:255],
        quantity=line.quantity,
        current_quantity=line.quantity,
        fulfilled_quantity=line.quantity if is_shipped else 0,
        unit_price_minor=_minor(line.price, currency, "transactions.price"),
        discount_minor=rounded(abs(line.shop_coupon) + abs(line.buyer_coupon), currency, "transactions.shop_coupon"),
        requires_shipping=not line.is_digital,
    )


def _totals(receipt: Receipt, currency: str) -> tuple[Totals, bool]:
    """Etsy's own sums, and whether the prices hold the tax.

    The description of `grandtotal` does not say whether it holds value added tax and gift wrap: the sum itself does.
    """
    prices = (_minor(one.price, currency, "transactions.price") * one.quantity for one in receipt.transactions)
    tax = _minor(receipt.total_tax_cost, currency, "total_tax_cost")
    vat = _minor(receipt.total_vat_cost, currency, "total_vat_cost")
    wrap = _minor(receipt.gift_wrap_price, currency, "gift_wrap_price")
    totals = Totals(
        goods_minor=sum(prices),
        discounts_minor=abs(_minor(receipt.discount_amt, currency, "discount_amt")),
        shipping_minor=_minor(receipt.total_shipping_cost, currency, "total_shipping_cost"),
        total_minor=_minor(receipt.grandtotal, currency, "grandtotal"),
    )
    rest = totals.total_minor - (totals.goods_minor - totals.discounts_minor + totals.shipping_minor)
    for fees, taxes in product((wrap, 0), (tax, tax + vat, vat)):
        if fees + taxes == rest:
            return replace(totals, fees_minor=fees, tax_minor=taxes), False
    if rest in (wrap, 0):
        return replace(totals, fees_minor=rest, tax_minor=tax + vat), True
    return replace(totals, fees_minor=wrap, tax_minor=tax), False


def _shipping_title(receipt: Receipt) -> str:
    named = (one.shipping_upgrade or one.shipping_method for one in receipt.transactions)
    return next((title for title in named if title), "")


def _shipping_lines(receipt: Receipt, totals: Totals) -> tuple[ShippingLine, ...]:
    title = _shipping_title(receipt)
    return (ShippingLine(title=title, price_minor=totals.shipping_minor),) if title or totals.shipping_minor else ()


def _contact(receipt: Receipt) -> Contact:
    ship_to = Address(
        name=receipt.name,
        address1=receipt.first_line,
        address2=receipt.second_line,
        city=receipt.city,
        region=receipt.state,
        postal_code=receipt.zip,
        country=receipt.country_iso,
    )
    gift = "it is a gift" if receipt.is_gift else ""
    texts = {"note": receipt.message_from_buyer, "gift": gift, "gift_message": receipt.gift_message}
    for line in receipt.transactions:
        chosen = (f"{one.formatted_name}: {one.formatted_value}" for one in line.variations)
        texts[line.transaction_id] = "\n".join(chosen)
    return Contact(
        name=receipt.name,
        email=receipt.buyer_email,
        ship_to=ship_to,
        free_text={name: text for name, text in texts.items() if text},
    )
