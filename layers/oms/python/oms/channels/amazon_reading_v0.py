"""What an order of Orders v0 says, in the words of `amazon_orders`."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from oms.channels.amazon_marketplaces import of_id
from oms.channels.amazon_models import Money, in_minor
from oms.channels.amazon_models_v0 import Body, ItemBuyerInfo, OrderItem, PostalAddress
from oms.channels.amazon_orders import (
    CANCELLED,
    STATUSES_V0,
    Sold,
    SoldLine,
    line_text,
    order_texts,
    tax_is_withheld,
)
from oms.domain.errors import InvalidMessage, InvalidOrder
from oms.domain.incoming import Address, Contact

FACILITATOR = "MarketplaceFacilitator"


def sold(body: Body) -> Sold | None:
    """The order, or None for one that Amazon fulfils. Raises InvalidMessage, InvalidOrder."""
    order = body.order
    if order.fulfilled_by == "AFN" or order.status not in STATUSES_V0:
        return None
    if order.picked_up:
        message = "the customer collects it in a store: our locations are not Amazon's supply sources"
        raise InvalidOrder(message, field="order.IsISPU", reason="STORE_PICKUP")
    currency = _currency(body)
    status = STATUSES_V0[order.status]
    lines = tuple(_line(item, f"items.{place}", currency, status) for place, item in enumerate(body.items))
    return Sold(
        order_id=order.order_id,
        placed_at=order.placed_at,
        updated_at=order.updated_at,
        status=status,
        marketplace_id=order.marketplace_id,
        replaces=order.replaces,
        currency=currency,
        total_minor=in_minor(order.total, currency, "order.OrderTotal") if order.total else None,
        shipping_minor=_sum((item.shipping for item in body.items), currency, "ShippingPrice"),
        fees_minor=_fees(body.items, currency),
        discounts_minor=sum(line.discount_minor for line in lines),
        taxes_minor=_taxes(body.items, currency),
        tax_withheld=tax_is_withheld(zip((one.tax_minor for one in lines), map(_withheld, body.items), strict=True)),
        lines=lines,
        path_of_lines="items",
        service_level=order.service_level,
        ship_by=order.ship_by,
        deliver_by=order.deliver_by,
        paid_on_delivery=order.payment_method == "COD",
        contact=_contact(body),
    )


def _currency(body: Body) -> str:
    """That of the total, or of the first price, or the marketplace's own while nothing has a price."""
    named = [money.currency for money in (body.order.total, *(item.price for item in body.items)) if money]
    found = named[0] if named else of_id(body.order.marketplace_id).currency
    if not found:
        field = "order.MarketplaceId"
        raise InvalidMessage("no price and no known marketplace: which currency?", field=field, reason="MISSING_FIELD")
    return found


def _sum(amounts: Iterable[Money | None], currency: str, name: str) -> int:
    return sum(in_minor(money, currency, f"items.{name}") for money in amounts)


def _fees(items: Sequence[OrderItem], currency: str) -> int:
    wrapping = [item.buyer.gift_wrap_price for item in items if item.buyer]
    on_delivery = [item.cod_fee for item in items]
    return _sum(wrapping, currency, "BuyerInfo.GiftWrapPrice") + _sum(on_delivery, currency, "CODFee")


def _taxes(items: Sequence[OrderItem], currency: str) -> tuple[int, ...]:
    """The order's tax less the tax on its discounts, and without taking that off: Amazon does not say which it is."""
    less = [tax for item in items for tax in (item.promotion_tax, item.shipping_discount_tax)]
    gross = sum(_gross_tax(item, currency) for item in items)
    return tuple(dict.fromkeys((gross - _sum(less, currency, "PromotionDiscountTax"), gross)))


def _withheld(item: OrderItem) -> bool:
    return bool(item.tax_collection and item.tax_collection.model == FACILITATOR)


def _gross_tax(item: OrderItem, currency: str) -> int:
    wrapping = item.buyer.gift_wrap_tax if item.buyer else None
    return _sum([item.price_tax, item.shipping_tax, wrapping], currency, "ItemTax")


def _line(item: OrderItem, path: str, currency: str, status: str) -> SoldLine:
    discounts = [item.promotion, item.shipping_discount, item.cod_discount]
    return SoldLine(
        line_id=item.line_id,
        sku=item.sku,
        asin=item.asin,
        title=item.title,
        quantity=item.quantity,
        left=0 if status == CANCELLED else item.quantity,
        fulfilled=item.shipped,
        goods_minor=in_minor(item.price, currency, f"{path}.ItemPrice") if item.quantity else 0,
        discount_minor=_sum(discounts, currency, "PromotionDiscount"),
        tax_minor=_gross_tax(item, currency),
        cancel_requested=bool(item.cancel and item.cancel.asked),
        cancel_reason=item.cancel.reason if item.cancel else "",
    )


def _contact(body: Body) -> Contact:
    buyer = body.order.buyer
    asked = body.address.address if body.address else None
    preferences = body.address.preferences if body.address else None
    address = body.order.address or asked
    ship_to = _address(address) if address else Address()
    texts = {item.line_id: _wishes(item.buyer) for item in body.items if item.buyer} | order_texts(
        drop_off=preferences.drop_off if preferences else "",
        instruction=preferences.instruction if preferences else "",
        purchase_order=buyer.purchase_order if buyer else "",
        ioss=(item.ioss for item in body.items),
    )
    return Contact(
        name=ship_to.name or (buyer.name if buyer else ""),
        email=buyer.email if buyer else "",
        phone=ship_to.phone,
        ship_to=ship_to,
        free_text={name: text for name, text in texts.items() if text},
    )


def _wishes(buyer: ItemBuyerInfo) -> str:
    made = buyer.customized.url if buyer.customized else ""
    return line_text(wrapping=buyer.gift_wrapping, message=buyer.gift_message, customization=made)


def _address(address: PostalAddress) -> Address:
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
