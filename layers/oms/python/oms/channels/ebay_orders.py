"""An eBay order in our words."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import replace
from datetime import datetime
from decimal import Decimal

from oms.channels.ebay_models import (
    CancelStatus,
    EbayOrder,
    Instruction,
    LineItem,
    Money,
    Person,
    PostalAddress,
    Pricing,
    ShippingStep,
    Tax,
)
from oms.channels.rounded_money import rounded, unit_price
from oms.domain.errors import InvalidOrder
from oms.domain.incoming import Address, Contact, IncomingLine, IncomingOrder
from oms.domain.order import MAX_LINES, Method, ShippingLine, Totals

CANCEL_REQUESTED = "CANCEL_REQUESTED"
"""Why a buyer wants to cancel who gave no reason."""

_BY_EBAY, _DIGITAL, _PICKUP = "FULFILLED_BY_EBAY", "DIGITAL", "PREPARE_FOR_PICKUP"
_FULFILLED = "FULFILLED"
"""Of a line whose units have all left; how many of one that left in part, an order does not say."""

_CANCELLED, _IN_PROGRESS = "CANCELED", "IN_PROGRESS"
_SETTLED = frozenset({"COMPLETED", "REJECTED"})
_PAYMENTS = {"FAILED": "VOIDED", "FULLY_REFUNDED": "REFUNDED"}
_EXPRESS = re.compile(r"express|expedited|overnight|(next|one|same)[ _-]?day", re.IGNORECASE)


def incoming_order(order: EbayOrder, channel: str, account: str) -> IncomingOrder | None:
    """The order as intake takes it; None for one that eBay ships. Raises InvalidOrder, InvalidMessage."""
    way = _instruction(order.fulfillment_start_instructions)
    if _is_ebays(order, way):
        return None
    _check_lines(order.line_items)
    total = order.pricing_summary.total
    cancel = order.cancel_status or CancelStatus()
    changed_at = order.last_modified_date or order.creation_date
    digital = way.fulfillment_instructions_type == _DIGITAL
    totals, prices_include_tax = _totals(order)
    return IncomingOrder(
        channel=channel,
        account=account,
        channel_order_id=order.order_id,
        order_number=order.order_id,
        placed_at=order.creation_date,
        channel_updated_at=changed_at,
        cancelled_at=(cancel.cancelled_date or changed_at) if cancel.cancel_state == _CANCELLED else None,
        cancel_reason=_cancel_reason(cancel),
        currency=total.currency,
        prices_include_tax=prices_include_tax,
        totals=totals,
        lines=tuple(_line(line, total.currency, digital) for line in order.line_items),
        shipping_lines=_shipping_lines(way, totals),
        payment_status=_PAYMENTS.get(order.order_payment_status, order.order_payment_status),
        service_level="EXPRESS" if _EXPRESS.search(_step(way).shipping_service_code) else "STANDARD",
        method=Method.PICKUP if way.fulfillment_instructions_type == _PICKUP else Method.SHIP,
        pickup_location_id=(way.pickup_step.merchant_location_key or None) if way.pickup_step else None,
        ship_by=_earliest(_dates(order, "ship_by_date")),
        deliver_by=_earliest(_dates(order, "max_estimated_delivery_date")) or way.max_estimated_delivery_date,
        cancel_requested=_cancel_requested(cancel),
        presentment_currency=total.converted_from_currency,
        presentment_total_minor=_presentment(total),
        external_ids={"sales_record": order.sales_record_reference} if order.sales_record_reference else {},
        contact=_contact(order, _step(way)),
    )


def _instruction(instructions: Sequence[Instruction]) -> Instruction:
    """The one that says where to, if there is one."""
    return next((one for one in instructions if one.shipping_step), instructions[0] if instructions else Instruction())


def _step(way: Instruction) -> ShippingStep:
    return way.shipping_step or ShippingStep()


def _is_ebays(order: EbayOrder, way: Instruction) -> bool:
    program = order.program.fulfillment_program if order.program else None
    return way.fulfillment_instructions_type == _BY_EBAY or bool(program and program.fulfilled_by)


def _check_lines(lines: Sequence[LineItem]) -> None:
    if len(lines) > MAX_LINES:
        message = f"{len(lines)} lines, at most {MAX_LINES} are taken"
        raise InvalidOrder(message, field="lineItems", reason="TOO_MANY_LINES")
    seen: set[str] = set()
    for number, line in enumerate(lines):
        path = f"lineItems.{number}"
        if line.quantity < 1:
            raise InvalidOrder(f"{path}: no units", field=f"{path}.quantity", reason="QUANTITY_NOT_POSITIVE")
        if line.line_item_cost.value < 0:
            message = f"{path}: its price is negative"
            raise InvalidOrder(message, field=f"{path}.lineItemCost", reason="NEGATIVE_PRICE")
        if line.line_item_id in seen:
            raise InvalidOrder(f"{path}: it comes twice", field=f"{path}.lineItemId", reason="DUPLICATE_LINE")
        seen.add(line.line_item_id)


def _minor(money: Money | None, currency: str, path: str) -> int:
    return rounded(money.value if money else Decimal(0), currency, path)


def _sku(line: LineItem) -> str:
    """The seller's, or for a listing without one eBay's own name of the variation or the item."""
    if line.legacy_variation_id not in ("", "0"):
        return line.sku or f"variation:{line.legacy_variation_id}"
    return line.sku or (f"item:{line.legacy_item_id}" if line.legacy_item_id else "")


def _line(line: LineItem, currency: str, digital: bool) -> IncomingLine:
    cost = _minor(line.line_item_cost, currency, "lineItems.lineItemCost")
    price = unit_price(cost, line.quantity)
    discounted = line.discounted_line_item_cost
    net = _minor(discounted, currency, "lineItems.discountedLineItemCost") if discounted else cost
    return IncomingLine(
        line_id=line.line_item_id,
        sku=_sku(line),
        title=line.title[:255],
        quantity=line.quantity,
        current_quantity=line.quantity,
        fulfilled_quantity=line.quantity if line.line_item_fulfillment_status == _FULFILLED else 0,
        unit_price_minor=price,
        discount_minor=price * line.quantity - net,
        tax_minor=_taxes(line.taxes, currency) or _taxes(line.ebay_collect_and_remit_taxes, currency),
        requires_shipping=not digital and line.gift_details is None,
    )


def _taxes(taxes: Sequence[Tax], currency: str) -> int:
    return sum(_minor(one.amount, currency, "lineItems.taxes") for one in taxes)


def _totals(order: EbayOrder) -> tuple[Totals, bool]:
    """eBay's own sums, and whether the prices hold the tax.

    A total holds the tax that eBay remits where that was broken down by line, and where it is no VAT in the prices
    (description of pricingSummary.total): which it is, the total itself says.
    """
    summary, currency = order.pricing_summary, order.pricing_summary.total.currency
    costs = [
        (_minor(line.line_item_cost, currency, "lineItems.lineItemCost"), line.quantity) for line in order.line_items
    ]
    goods = sum(unit_price(cost, quantity) * quantity for cost, quantity in costs)
    adjustment = _minor(summary.adjustment, currency, "pricingSummary.adjustment")
    without_tax = Totals(
        goods_minor=goods,
        discounts_minor=_discounts(summary, currency) + goods - sum(cost for cost, _ in costs) + max(0, -adjustment),
        shipping_minor=_minor(summary.delivery_cost, currency, "pricingSummary.deliveryCost"),
        fees_minor=_minor(summary.fee, currency, "pricingSummary.fee") + max(0, adjustment),
        total_minor=_minor(summary.total, currency, "pricingSummary.total"),
    )
    return _with_tax(without_tax, order, currency)


def _discounts(summary: Pricing, currency: str) -> int:
    """What was taken off: eBay gives it as negative amounts."""
    prices = abs(_minor(summary.price_discount, currency, "pricingSummary.priceDiscount"))
    return prices + abs(_minor(summary.delivery_discount, currency, "pricingSummary.deliveryDiscount"))


def _with_tax(totals: Totals, order: EbayOrder, currency: str) -> tuple[Totals, bool]:
    summed = _minor(order.pricing_summary.tax, currency, "pricingSummary.tax")
    remitted = sum(_taxes(line.ebay_collect_and_remit_taxes, currency) for line in order.line_items)
    charged = totals.goods_minor - totals.discounts_minor + totals.shipping_minor + totals.fees_minor
    rest = totals.total_minor - charged
    tax = next((one for one in (summed, summed + remitted, remitted) if one == rest), summed)
    within = rest == 0 and max(summed, remitted) > 0
    return replace(totals, tax_minor=(summed or remitted) if within else tax), within


def _shipping_lines(way: Instruction, totals: Totals) -> tuple[ShippingLine, ...]:
    title = _step(way).shipping_service_code
    if not title and not totals.shipping_minor:
        return ()
    return (ShippingLine(title=title, price_minor=totals.shipping_minor),)


def _presentment(total: Money) -> int:
    if not total.converted_from_currency:
        return 0
    return rounded(total.converted_from_value, total.converted_from_currency, "pricingSummary.total")


def _dates(order: EbayOrder, name: str) -> Iterable[datetime | None]:
    instructions = (line.line_item_fulfillment_instructions for line in order.line_items)
    return (getattr(one, name) for one in instructions if one)


def _earliest(moments: Iterable[datetime | None]) -> datetime | None:
    return min((one for one in moments if one), default=None)


def _cancel_reason(cancel: CancelStatus) -> str:
    if cancel.cancel_state != _CANCELLED:
        return ""
    return next((one.cancel_reason for one in cancel.cancel_requests if one.cancel_request_state == "COMPLETED"), "")


def _cancel_requested(cancel: CancelStatus) -> str:
    """Why the buyer wants it cancelled, as long as that is open."""
    if cancel.cancel_state in (_CANCELLED, "", "NONE_REQUESTED"):
        return ""
    open_requests = [one for one in cancel.cancel_requests if one.cancel_request_state not in _SETTLED]
    if not cancel.cancel_requests:
        return CANCEL_REQUESTED if cancel.cancel_state == _IN_PROGRESS else ""
    wishes = [one for one in open_requests if one.cancel_initiator.lower() == "buyer"]
    return (wishes[0].cancel_reason or CANCEL_REQUESTED) if wishes else ""


def _contact(order: EbayOrder, step: ShippingStep) -> Contact:
    to = step.ship_to or Person()
    buyer = (order.buyer.buyer_registration_address if order.buyer else None) or Person()
    ship_to, bill_to = _address(to, step.ship_to_reference_id), _address(buyer)
    gifts = {line.line_item_id: line.gift_details.message for line in order.line_items if line.gift_details}
    texts = {"note": order.buyer_checkout_notes, "customs": _customs(order.line_items), **gifts}
    return Contact(
        name=to.full_name or buyer.full_name,
        email=buyer.email or to.email,
        phone=ship_to.phone or bill_to.phone,
        ship_to=ship_to,
        bill_to=bill_to,
        free_text={name: text for name, text in texts.items() if text},
    )


def _customs(lines: Sequence[LineItem]) -> str:
    """The numbers under which eBay has collected the tax: without them on the parcel, customs collect it again."""
    references = (tax.ebay_reference for line in lines for tax in line.ebay_collect_and_remit_taxes)
    numbers = (f"{one.name} {one.value}" for one in references if one and one.value)
    return ", ".join(dict.fromkeys(numbers))


def _address(person: Person, reference: str = "") -> Address:
    """A hub finds what a parcel is by a reference, which must stand above the street (shipToReferenceId)."""
    address = person.contact_address or PostalAddress()
    mark = f"Reference #{reference}" if reference else ""
    return Address(
        name=person.full_name,
        company=", ".join(text for text in (person.company_name, mark) if text),
        address1=address.address_line1,
        address2=address.address_line2,
        city=address.city,
        region=address.state_or_province,
        postal_code=address.postal_code,
        country=address.country_code,
        phone=person.primary_phone.phone_number if person.primary_phone else "",
    )
