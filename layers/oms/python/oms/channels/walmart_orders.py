"""A Walmart order in our words."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime
from decimal import Decimal

from oms.channels.rounded_money import rounded, unit_price
from oms.channels.walmart_api import is_yes
from oms.channels.walmart_models import Charge, OrderLine, ShippingInfo, WalmartOrder
from oms.domain.errors import InvalidMessage, InvalidOrder
from oms.domain.incoming import Address, Contact, IncomingLine, IncomingOrder
from oms.domain.order import MAX_LINES, ShippingLine, Totals

OURS = "SellerFulfilled"
NOT_OURS = frozenset({"WFSFulfilled", "3PLFulfilled"})
"""Ship nodes of orders that Walmart's own warehouses, or a partner of Walmart's, ship."""

INTENT_TO_CANCEL = "INTENT_TO_CANCEL"
_CANCELLED, _SENT = "Cancelled", frozenset({"Shipped", "Delivered"})
_PRODUCT, _SHIPPING, _ITEM_PRICE = "PRODUCT", "SHIPPING", "ItemPrice"
_FAST = frozenset({"Express", "OneDay"})
_COUNTRIES = {"USA": "US", "PRI": "PR", "VIR": "VI", "GUM": "GU", "ASM": "AS", "MNP": "MP", "CAN": "CA", "MEX": "MX"}
_CURRENCY = "USD"
"""Of an order on which nothing was charged."""


def incoming_order(order: WalmartOrder, channel: str, account: str) -> IncomingOrder | None:
    """The order as intake takes it; None for one that others ship. Raises InvalidOrder, InvalidMessage."""
    if not _is_ours(order):
        return None
    lines = order.order_lines.order_line
    _check_lines(lines)
    currency = _currency(lines)
    info = order.shipping_info or ShippingInfo()
    return IncomingOrder(
        channel=channel,
        account=account,
        channel_order_id=order.purchase_order_id,
        order_number=order.customer_order_id or order.purchase_order_id,
        placed_at=order.order_date,
        channel_updated_at=_changed_at(order),
        cancelled_at=_changed_at(order) if _is_cancelled(lines) else None,
        cancel_reason=_cancel_reason(lines),
        currency=currency,
        totals=_totals(lines, currency),
        lines=tuple(_line(line, number, currency) for number, line in enumerate(lines)),
        shipping_lines=_shipping_lines(lines, info.method_code, currency),
        payment_status=_payment_status(lines),
        service_level="EXPRESS" if info.method_code in _FAST else "STANDARD",
        ship_by=info.estimated_ship_date,
        deliver_by=info.estimated_delivery_date,
        cancel_requested=INTENT_TO_CANCEL if any(_asks_to_cancel(line) for line in lines) else "",
        cancel_requested_lines=_lines_to_cancel(lines),
        external_ids=_external_ids(order),
        contact=_contact(order, info),
    )


def _is_ours(order: WalmartOrder) -> bool:
    kind = order.ship_node.type if order.ship_node else ""
    if kind and kind != OURS and kind not in NOT_OURS:
        raise InvalidMessage("nobody knows who ships it", field="shipNode.type", reason="UNKNOWN_SHIP_NODE")
    return kind not in NOT_OURS


def _check_lines(lines: Sequence[OrderLine]) -> None:
    if len(lines) > MAX_LINES:
        message = f"{len(lines)} lines, at most {MAX_LINES} are taken"
        raise InvalidOrder(message, field="orderLines.orderLine", reason="TOO_MANY_LINES")
    seen: set[str] = set()
    for number, line in enumerate(lines):
        path = f"orderLines.orderLine.{number}"
        if line.order_line_quantity.amount < 1:
            raise InvalidOrder(f"{path}: no units", field=f"{path}.orderLineQuantity", reason="QUANTITY_NOT_POSITIVE")
        if any(one.charge_name == _ITEM_PRICE and one.charge_amount.amount < 0 for one in _charges(line)):
            raise InvalidOrder(f"{path}: a price is negative", field=f"{path}.charges", reason="NEGATIVE_PRICE")
        if line.line_number in seen:
            raise InvalidOrder(f"{path}: it comes twice", field=f"{path}.lineNumber", reason="DUPLICATE_LINE")
        seen.add(line.line_number)


def _charges(line: OrderLine) -> Sequence[Charge]:
    return line.charges.charge if line.charges else ()


def _currency(lines: Sequence[OrderLine]) -> str:
    named = {one.charge_amount.currency for line in lines for one in _charges(line)} - {""}
    if len(named) > 1:
        message = "its charges are in several currencies"
        raise InvalidOrder(message, field="orderLines.orderLine", reason="MIXED_CURRENCIES")
    currency = next(iter(named), _CURRENCY)
    if len(currency) != 3 or not currency.isalpha() or not currency.isupper():
        raise InvalidMessage("no currency", field="orderLines.orderLine.0.charges", reason="INVALID_FIELD")
    return currency


def _minor(amounts: Iterable[Decimal], currency: str) -> int:
    """The sum in minor units, each amount rounded: they are JSON numbers, which may stand a hair beside a cent."""
    return sum(rounded(amount, currency, "orderLines.orderLine.charges") for amount in amounts)


def _charged(line: OrderLine, currency: str, *types: str) -> int:
    return _minor((one.charge_amount.amount for one in _charges(line) if _adds(one, types)), currency)


def _adds(charge: Charge, types: tuple[str, ...]) -> bool:
    return charge.charge_type in types and charge.charge_amount.amount > 0


def _discount(line: OrderLine, currency: str) -> int:
    amounts = (-one.charge_amount.amount for one in _charges(line) if one.charge_amount.amount < 0)
    return _minor(amounts, currency)


def _tax(line: OrderLine, currency: str, kind: str | None = None) -> int:
    taxes = (one.tax.tax_amount for one in _charges(line) if one.tax and kind in (None, one.charge_type))
    return _minor((tax.amount for tax in taxes if tax), currency)


def _line(line: OrderLine, number: int, currency: str) -> IncomingLine:
    quantity = line.order_line_quantity.amount
    goods = _charged(line, currency, _PRODUCT)
    price = unit_price(goods, quantity)
    return IncomingLine(
        line_id=line.line_number,
        sku=line.item.sku,
        title=line.item.product_name[:255],
        quantity=quantity,
        current_quantity=max(0, quantity - _units(line, frozenset({_CANCELLED}))),
        fulfilled_quantity=min(quantity, _units(line, _SENT)),
        unit_price_minor=price,
        discount_minor=_discount(line, currency) + price * quantity - goods,
        tax_minor=_tax(line, currency, _PRODUCT),
    )


def _units(line: OrderLine, statuses: frozenset[str]) -> int:
    listed = line.order_line_statuses.order_line_status if line.order_line_statuses else ()
    return sum(one.status_quantity.amount for one in listed if one.status in statuses)


def _totals(lines: Sequence[OrderLine], currency: str) -> Totals:
    """Added up from the charges: an order states no total of its own."""
    quantities = [line.order_line_quantity.amount for line in lines]
    paid = [_charged(line, currency, _PRODUCT) for line in lines]
    goods = sum(unit_price(one, units) * units for one, units in zip(paid, quantities, strict=True))
    discounts = sum(_discount(line, currency) for line in lines)
    shipping = sum(_charged(line, currency, _SHIPPING) for line in lines)
    kinds = {one.charge_type for line in lines for one in _charges(line)} - {_PRODUCT, _SHIPPING}
    fees = sum(_charged(line, currency, *kinds) for line in lines)
    tax = sum(_tax(line, currency) for line in lines)
    return Totals(
        goods_minor=goods,
        discounts_minor=discounts + goods - sum(paid),
        shipping_minor=shipping,
        fees_minor=fees,
        tax_minor=tax,
        total_minor=sum(paid) - discounts + shipping + fees + tax,
    )


def _shipping_lines(lines: Sequence[OrderLine], method: str, currency: str) -> tuple[ShippingLine, ...]:
    price = sum(_charged(line, currency, _SHIPPING) for line in lines)
    tax = sum(_tax(line, currency, _SHIPPING) for line in lines)
    return (ShippingLine(title=method, price_minor=price, tax_minor=tax),) if method or price else ()


def _changed_at(order: WalmartOrder) -> datetime:
    """An order has no time of its last change; each line has that of its last status."""
    return max([order.order_date, *(line.status_date for line in order.order_lines.order_line if line.status_date)])


def _is_cancelled(lines: Sequence[OrderLine]) -> bool:
    return all(_units(line, frozenset({_CANCELLED})) >= line.order_line_quantity.amount for line in lines)


def _cancel_reason(lines: Sequence[OrderLine]) -> str:
    statuses = [one for line in lines if line.order_line_statuses for one in line.order_line_statuses.order_line_status]
    return next((one.cancellation_reason for one in statuses if one.status == _CANCELLED), "")


def _asks_to_cancel(line: OrderLine) -> bool:
    return is_yes(line.intent_to_cancel) and not _is_settled(line)


def _is_settled(line: OrderLine) -> bool:
    return _units(line, _SENT | {_CANCELLED}) >= line.order_line_quantity.amount


def _lines_to_cancel(lines: Sequence[OrderLine]) -> tuple[str, ...]:
    """The lines that a customer who wants the rest asks to cancel; none named means all that is left."""
    left = [line for line in lines if not _is_settled(line)]
    asked = tuple(line.line_number for line in left if _asks_to_cancel(line))
    return asked if len(asked) < len(left) else ()


def _payment_status(lines: Sequence[OrderLine]) -> str:
    """Walmart charges the customer as lines ship (Order Management, "Ship order lines")."""
    done = all(_units(line, _SENT | {_CANCELLED}) >= line.order_line_quantity.amount for line in lines)
    return "PAID" if done and not _is_cancelled(lines) else "AUTHORIZED"


def _external_ids(order: WalmartOrder) -> dict[str, str]:
    ids = {
        "customer_order_id": order.customer_order_id,
        "replaces_customer_order_id": order.original_customer_order_id,
    }
    return {name: text for name, text in ids.items() if text}


def _contact(order: WalmartOrder, info: ShippingInfo) -> Contact:
    address = info.postal_address
    if address is None:
        return Contact(email=order.customer_email_id, phone=info.phone)
    ship_to = Address(
        name=address.name,
        address1=address.address1,
        address2=address.address2,
        city=address.city,
        region=address.state,
        postal_code=address.postal_code,
        country=_COUNTRIES.get(address.country, address.country),
        phone=info.phone,
    )
    return Contact(name=address.name, email=order.customer_email_id, phone=info.phone, ship_to=ship_to)
