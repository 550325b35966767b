"""An order of Amazon in our words, whichever of its APIs told it.

Amazon prices a line as a whole; we keep a price of one. Where the line does not divide, the price of one is rounded up
and the few minor units too many are the line's discount, so that the order adds up to the cent.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import NamedTuple

from oms.channels.amazon_marketplaces import Marketplace, of_id
from oms.channels.rounded_money import unit_price
from oms.channels.written_text import bounded
from oms.domain.errors import InvalidOrder
from oms.domain.incoming import Address, Contact, IncomingLine, IncomingOrder
from oms.domain.order import MAX_LINES, ShippingLine, Totals

PENDING = frozenset({"PENDING_AVAILABILITY", "PENDING"})
TO_SHIP = frozenset({"UNSHIPPED", "PARTIALLY_SHIPPED"})
SHIPPED, CANCELLED = "SHIPPED", "CANCELLED"
STATUSES_V0 = {
    "Pending": "PENDING",
    "PendingAvailability": "PENDING_AVAILABILITY",
    "Unshipped": "UNSHIPPED",
    "PartiallyShipped": "PARTIALLY_SHIPPED",
    "Shipped": SHIPPED,
    "Canceled": CANCELLED,
    "InvoiceUnconfirmed": "UNSHIPPED",
}
"""What 2026-01-01 calls a status of v0. `Unfulfillable` is missing: only Amazon's own fulfilment knows it."""

MAX_REASON_LENGTH = 200


_EXPRESS = frozenset({"EXPEDITED", "NEXTDAY", "SECONDDAY", "SAMEDAY", "PRIORITY"})


@dataclass(frozen=True, slots=True, kw_only=True)
class SoldLine:
    """A line as either API tells it. `goods_minor` is the price of all its units, before discounts and, where the
    marketplace's prices hold no tax, before tax. `left` is what is still wanted of `quantity`, shipped or not;
    `fulfilled` is None where Amazon does not say."""

    line_id: str
    sku: str
    asin: str
    title: str
    quantity: int
    left: int
    fulfilled: int | None
    goods_minor: int = 0
    discount_minor: int = 0
    tax_minor: int = 0
    cancel_requested: bool = False
    cancel_reason: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Sold:
    """An order as either API tells it, its status and service level as 2026-01-01 names them.

    `total_minor` is None while Amazon tells no prices. `taxes_minor`: the order's tax, and other readings of it to try.
    `replaces`: the order that this one makes good. `tax_withheld`: Amazon collects the tax and pays it. `path_of_lines`
    is what the lines are called there.
    """

    order_id: str
    placed_at: datetime
    updated_at: datetime
    status: str
    marketplace_id: str
    replaces: str = ""
    currency: str
    total_minor: int | None
    shipping_minor: int
    fees_minor: int
    discounts_minor: int
    tip_minor: int = 0
    taxes_minor: tuple[int, ...]
    tax_withheld: bool
    lines: tuple[SoldLine, ...]
    path_of_lines: str
    service_level: str = ""
    ship_by: datetime | None = None
    deliver_by: datetime | None = None
    cancelled_by: str = ""
    paid_on_delivery: bool = False
    contact: Contact = field(default_factory=Contact)


def line_text(*, wrapping: str, message: str, customization: str) -> str:
    """What a buyer wished for a line, as one text: what was paid for, or made to order, is sent wrong without it."""
    wrap = f"gift wrap: {wrapping}" if wrapping else ""
    made = f"customization: {customization}" if customization else ""
    return "\n".join(text for text in (wrap, message, made) if text)


def order_texts(*, drop_off: str, instruction: str, purchase_order: str, ioss: Iterable[str]) -> dict[str, str]:
    """What is written about an order as a whole. Customs want the number under which Amazon has collected the value
    added tax, or the customer pays it twice."""
    return {
        "delivery": ", ".join(text for text in (drop_off, instruction) if text),
        "purchase_order": purchase_order,
        "customs": ", ".join(f"IOSS {number}" for number in dict.fromkeys(ioss) if number),
    }


def tax_is_withheld(lines: Iterable[tuple[int, bool]]) -> bool:
    """Whether Amazon collects and pays the order's tax: that of each line (its tax, whether Amazon withholds it) that
    is taxed at all; of each line, where none says what its tax is."""
    known = list(lines)
    taxed = [withheld for tax, withheld in known if tax]
    return all(taxed or [withheld for _, withheld in known])


def incoming_order(sold: Sold, channel: str, account: str) -> IncomingOrder:
    """The order as intake takes it; raises InvalidOrder for what can't be.

    Amazon tells neither when an order was cancelled nor anything of it but its country while it is pending: the time of
    the last change, and the marketplace's country, stand in.
    """
    _check(sold)
    market = of_id(sold.marketplace_id)
    lines = [_line(line, sold.status) for line in sold.lines if line.quantity]
    totals, prices_include_tax = _totals(sold, lines, market)
    cancelled = sold.status == CANCELLED
    return IncomingOrder(
        channel=channel,
        account=account,
        channel_order_id=sold.order_id,
        order_number=sold.order_id,
        placed_at=sold.placed_at,
        channel_updated_at=sold.updated_at,
        cancelled_at=sold.updated_at if cancelled else None,
        cancel_reason=sold.cancelled_by if cancelled else "",
        currency=sold.currency or market.currency,
        prices_include_tax=prices_include_tax,
        totals=totals,
        lines=tuple(lines),
        shipping_lines=_shipping_lines(sold),
        payment_status=_payment_status(sold),
        service_level="EXPRESS" if sold.service_level.replace("_", "").upper() in _EXPRESS else "STANDARD",
        ship_by=sold.ship_by,
        deliver_by=sold.deliver_by,
        cancel_requested="" if cancelled else _cancel_reasons(sold),
        cancel_requested_lines=_lines_to_cancel(sold),
        external_ids=_external_ids(sold),
        contact=_contact(sold, market),
    )


def _external_ids(sold: Sold) -> dict[str, str]:
    named = {"marketplace_id": sold.marketplace_id, "replaces": sold.replaces}
    return {name: text for name, text in named.items() if text}


def _check(sold: Sold) -> None:
    path = sold.path_of_lines
    if len(sold.lines) > MAX_LINES:
        message = f"{len(sold.lines)} lines, at most {MAX_LINES} are taken"
        raise InvalidOrder(message, field=path, reason="TOO_MANY_LINES")
    if sold.status != CANCELLED and not any(line.quantity for line in sold.lines):
        raise InvalidOrder("an order of nothing", field=path, reason="QUANTITY_NOT_POSITIVE")
    seen: set[str] = set()
    for line in sold.lines:
        if line.line_id in seen:
            raise InvalidOrder(f"line {line.line_id} comes twice", field=path, reason="DUPLICATE_LINE")
        if line.goods_minor < 0:
            raise InvalidOrder(f"the price of line {line.line_id} is negative", field=path, reason="NEGATIVE_PRICE")
        seen.add(line.line_id)


def _line(line: SoldLine, status: str) -> IncomingLine:
    price = unit_price(line.goods_minor, line.quantity)
    return IncomingLine(
        line_id=line.line_id,
        sku=line.sku or (f"asin:{line.asin}" if line.asin else ""),
        title=line.title[:255],
        quantity=line.quantity,
        current_quantity=line.left,
        fulfilled_quantity=_fulfilled(line, status),
        unit_price_minor=price,
        discount_minor=line.discount_minor + _over(line),
        tax_minor=line.tax_minor,
    )


def _fulfilled(line: SoldLine, status: str) -> int:
    """What has left of a line: all of it where Amazon says so of the order and counts nothing."""
    if line.fulfilled is None:
        return line.left if status == SHIPPED else 0
    return min(line.left, line.fulfilled)


def _over(line: SoldLine) -> int:
    """What the price of one, rounded up, is too much for all of the line's units."""
    return unit_price(line.goods_minor, line.quantity) * line.quantity - line.goods_minor if line.quantity else 0


class _Tax(NamedTuple):
    """The tax, and whether the prices hold it."""

    minor: int
    included: bool


def _totals(sold: Sold, lines: list[IncomingLine], market: Marketplace) -> tuple[Totals, bool]:
    goods = sum(line.unit_price_minor * line.quantity for line in lines)
    discounts = sold.discounts_minor + sum(map(_over, sold.lines))
    fees = sold.fees_minor
    if fees < 0:
        discounts, fees = discounts - fees, 0
    untaxed = goods + sold.shipping_minor + fees + sold.tip_minor - discounts
    tax = _tax(sold, untaxed, market)
    charged = untaxed + (0 if tax.included else tax.minor)
    totals = Totals(
        goods_minor=goods,
        discounts_minor=discounts,
        shipping_minor=sold.shipping_minor,
        tax_minor=tax.minor,
        tip_minor=sold.tip_minor,
        fees_minor=fees,
        total_minor=charged if sold.total_minor is None else sold.total_minor,
    )
    return totals, tax.included


def _tax(sold: Sold, untaxed: int, market: Marketplace) -> _Tax:
    """How tax goes into the total. Amazon says so nowhere, so the sum decides, and where no sum fits the custom of the
    marketplace: intake then tells a person by how much the order is off."""
    usual = _Tax(sold.taxes_minor[0], market.prices_include_tax)
    if sold.total_minor is None:
        return usual
    on_top = next((tax for tax in sold.taxes_minor if tax and untaxed + tax == sold.total_minor), 0)
    if on_top:
        return _Tax(on_top, included=False)
    if untaxed != sold.total_minor:
        return usual
    if sold.tax_withheld and not market.prices_include_tax:
        return _Tax(0, included=False)  # Amazon kept it: neither in the prices nor in what the seller gets
    return usual if not usual.minor else _Tax(usual.minor, included=True)


def _shipping_lines(sold: Sold) -> tuple[ShippingLine, ...]:
    if not (sold.shipping_minor or sold.service_level):
        return ()
    return (ShippingLine(title=sold.service_level[:255], price_minor=sold.shipping_minor),)


def _payment_status(sold: Sold) -> str:
    if sold.status in PENDING:
        return "PENDING"
    return "AUTHORIZED" if sold.paid_on_delivery else "PAID"


def _unshipped(sold: Sold) -> list[SoldLine]:
    return [line for line in sold.lines if line.left > _fulfilled(line, sold.status)]


def _lines_to_cancel(sold: Sold) -> tuple[str, ...]:
    """The lines that a buyer who wants the rest asks to cancel; none named means all that is left."""
    left = _unshipped(sold)
    asked = tuple(line.line_id for line in left if line.cancel_requested)
    return asked if len(asked) < len(left) else ()


def _cancel_reasons(sold: Sold) -> str:
    asked = [line.cancel_reason or "BUYER_REQUEST" for line in _unshipped(sold) if line.cancel_requested]
    return "; ".join(dict.fromkeys(asked))[:MAX_REASON_LENGTH]


def _contact(sold: Sold, market: Marketplace) -> Contact:
    address = sold.contact.ship_to
    written = bounded(sold.contact.free_text, sold.path_of_lines)
    street = address.address1 or address.address2
    if sold.status in TO_SHIP and not street:
        message = "an order to ship needs its address: does the app have the role Direct-to-Consumer Delivery?"
        raise InvalidOrder(message, field="address", reason="MISSING_FIELD")
    if street or address.postal_code:
        return replace(sold.contact, free_text=written)
    known = Address(country=address.country or market.country)
    return Contact(name=sold.contact.name, email=sold.contact.email, ship_to=known, free_text=written)
