"""What an order of Orders 2026-01-01 says, in the words of `amazon_orders`."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from oms.channels.amazon_marketplaces import of_id
from oms.channels.amazon_models import DeliveryAddress, GiftOption, Money, Order, OrderItem, Subtotal, in_minor
from oms.channels.amazon_orders import CANCELLED, PENDING, Sold, SoldLine, line_text, order_texts, tax_is_withheld
from oms.domain.errors import InvalidMessage, InvalidOrder
from oms.domain.incoming import Address, Contact

ITEM, SHIPPING, DISCOUNT, TAX, TIP = "ITEM", "SHIPPING", "DISCOUNT", "TAX", "DELIVERY_TIP"
FEES = ("GIFT_WRAP", "COD_FEE", "OTHER")
IN_STORE_PICKUP = "IN_STORE_PICK_UP"
ON_DELIVERY = "CashOnDelivery"
FACILITATOR = "MARKETPLACE_FACILITATOR"
_CANCELLED_BY = {"BUYER": "customer", "MERCHANT": "seller", "AMAZON": "amazon"}

Amounts = Mapping[str, int]
"""Minor units by the type of the charge."""


def sold(order: Order) -> Sold | None:
    """The order, or None for one that Amazon fulfils. Raises InvalidMessage, InvalidOrder."""
    fulfillment = order.fulfillment
    if fulfillment.fulfilled_by == "AMAZON" or fulfillment.status == "UNFULFILLABLE":
        return None
    if IN_STORE_PICKUP in order.programs:
        message = "the customer collects it in a store: our locations are not Amazon's supply sources"
        raise InvalidOrder(message, field="programs", reason="STORE_PICKUP")
    currency = _currency(order)
    charges = _charges(order, currency)
    lines = tuple(_line(item, number, order, currency) for number, item in enumerate(order.items))
    total = order.proceeds.total if order.proceeds else None
    return Sold(
        order_id=order.order_id,
        placed_at=order.placed_at,
        updated_at=order.updated_at,
        status=fulfillment.status,
        marketplace_id=order.sales_channel.marketplace_id,
        replaces=next((one.order_id for one in order.associated if one.order_id), ""),
        currency=currency,
        total_minor=in_minor(total, currency, "proceeds.grandTotal") if total else None,
        shipping_minor=charges.get(SHIPPING, 0),
        fees_minor=sum(charges.get(fee, 0) for fee in FEES),
        discounts_minor=abs(charges.get(DISCOUNT, 0)),  # the specification does not tell its sign
        tip_minor=charges.get(TIP, 0),
        taxes_minor=(charges.get(TAX, 0),),
        tax_withheld=tax_is_withheld(zip((one.tax_minor for one in lines), map(_withheld, order.items), strict=True)),
        lines=lines,
        path_of_lines="orderItems",
        service_level=fulfillment.service_level,
        ship_by=fulfillment.ship_by.latest if fulfillment.ship_by else None,
        deliver_by=fulfillment.deliver_by.latest if fulfillment.deliver_by else None,
        cancelled_by=_cancelled_by(order.items),
        paid_on_delivery=any(one.method == ON_DELIVERY for one in order.payment.executions) if order.payment else False,
        contact=_contact(order),
    )


def _currency(order: Order) -> str:
    """That of the total, or of the first price, or the marketplace's own while nothing has a price."""
    prices = [item.product.price.unit_price for item in order.items if item.product.price]
    totals = [one.total for one in (order.proceeds, *(item.proceeds for item in order.items)) if one]
    named = [money.currency for money in (*totals, *prices) if money]
    found = named[0] if named else of_id(order.sales_channel.marketplace_id).currency
    if not found:
        field = "salesChannel.marketplaceId"
        raise InvalidMessage("no price and no known marketplace: which currency?", field=field, reason="MISSING_FIELD")
    return found


def _charges(order: Order, currency: str) -> Amounts:
    """The order's own sums, or those of its lines where it gives none."""
    if order.proceeds and order.proceeds.breakdowns:
        return _amounts(order.proceeds.breakdowns, currency, "proceeds.breakdowns")
    of_lines = [one for item in order.items if item.proceeds for one in item.proceeds.breakdowns]
    return _amounts(of_lines, currency, "orderItems.proceeds.breakdowns")


def _amounts(subtotals: Iterable[Subtotal], currency: str, path: str) -> Amounts:
    """A tip that is still pending is not in the total yet."""
    amounts: dict[str, int] = {}
    for one in subtotals:
        if not (one.type == TIP and one.status == "PENDING"):
            amounts[one.type] = amounts.get(one.type, 0) + in_minor(one.subtotal, currency, path)
    return amounts


def _withheld(item: OrderItem) -> bool:
    return any(one.model == FACILITATOR for one in item.tax.collections) if item.tax else False


def _line(item: OrderItem, number: int, order: Order, currency: str) -> SoldLine:
    path = f"orderItems.{number}"
    amounts = _amounts(item.proceeds.breakdowns, currency, f"{path}.proceeds") if item.proceeds else {}
    request = item.cancellation.request if item.cancellation else None
    return SoldLine(
        line_id=item.line_id,
        sku=item.product.sku,
        asin=item.product.asin,
        title=item.product.title,
        quantity=item.quantity,
        left=_left(item, order),
        fulfilled=item.fulfillment.fulfilled if item.fulfillment else None,
        goods_minor=amounts[ITEM] if ITEM in amounts else _priced(item, currency, path),
        discount_minor=abs(amounts.get(DISCOUNT, 0)),
        tax_minor=amounts.get(TAX, 0),
        cancel_requested=bool(request and request.requester == "BUYER" and not _execution(item)),
        cancel_reason=request.reason if request else "",
    )


def _priced(item: OrderItem, currency: str, path: str) -> int:
    price: Money | None = item.product.price.unit_price if item.product.price else None
    return in_minor(price, currency, f"{path}.product.price") * item.quantity


def _execution(item: OrderItem) -> str:
    """Who cancelled units of this line; empty when nobody did."""
    execution = item.cancellation.execution if item.cancellation else None
    return execution.cancelled_by if execution else ""


def _left(item: OrderItem, order: Order) -> int:
    """What is still wanted: less than ordered only where somebody cancelled, since a pending order counts no units."""
    if order.fulfillment.status == CANCELLED:
        return 0
    fulfillment = item.fulfillment
    if order.fulfillment.status in PENDING or not _execution(item) or fulfillment is None:
        return item.quantity
    if fulfillment.fulfilled is None or fulfillment.unfulfilled is None:
        return item.quantity
    return min(item.quantity, fulfillment.fulfilled + fulfillment.unfulfilled)


def _cancelled_by(items: Iterable[OrderItem]) -> str:
    found = next((by for by in map(_execution, items) if by), "")
    return _CANCELLED_BY.get(found, "")


def _contact(order: Order) -> Contact:
    recipient, buyer = order.recipient, order.buyer
    address = recipient.address if recipient else None
    preference = recipient.preference if recipient else None
    texts = {item.line_id: _wishes(item) for item in order.items} | order_texts(
        drop_off=preference.drop_off if preference else "",
        instruction=preference.instruction if preference else "",
        purchase_order=buyer.purchase_order if buyer else "",
        ioss=map(_ioss, order.items),
    )
    ship_to = _address(address) if address else Address()
    return Contact(
        name=ship_to.name or (buyer.name if buyer else ""),
        email=buyer.email if buyer else "",
        phone=ship_to.phone,
        ship_to=ship_to,
        free_text={name: text for name, text in texts.items() if text},
    )


def _wishes(item: OrderItem) -> str:
    packing = item.fulfillment.packing if item.fulfillment else None
    gift = packing.gift if packing and packing.gift else GiftOption()
    made = item.product.customization
    return line_text(wrapping=gift.wrapping, message=gift.message, customization=made.url if made else "")


def _ioss(item: OrderItem) -> str:
    shipping = item.fulfillment.shipping if item.fulfillment else None
    return shipping.international.ioss if shipping and shipping.international else ""


def _address(address: DeliveryAddress) -> Address:
    return Address(
        name=address.name,
        company=address.company,
        address1=address.line1,
        address2=", ".join(line for line in (address.line2, address.line3) if line),
        city=address.city,
        region=address.region,
        postal_code=address.postal_code,
        country=address.country,
        phone=address.phone,
    )
