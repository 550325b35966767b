"""The shape of a WooCommerce order (REST API v3, the same in webhooks): what we read of it, and nothing else.

Amounts are decimal texts without tax, in the currency of the order; times are GMT without saying so.
"""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal
from typing import Annotated, Any

from pydantic import AfterValidator, BeforeValidator, Field

from oms.channels.message_fields import (
    Amount,
    Currency,
    Id,
    Model,
    Name,
    NumberText,
    OrNone,
    OrNothing,
    Quantity,
    RequiredAmount,
    Text,
)
from oms.domain.validation import in_utc_seconds


def _as_gmt(moment: datetime) -> datetime:
    return in_utc_seconds(moment if moment.tzinfo else moment.replace(tzinfo=UTC))


def _only_lists(value: object) -> object:
    """Plugins put other things in a list's place: an object, a text. Nothing of ours is in those."""
    return value if isinstance(value, list) else []


Time = Annotated[datetime, AfterValidator(_as_gmt)]


class Meta(Model):
    """Something a plugin or the shop's owner noted. Keys that begin with `_` are not for people to see."""

    key: Text = ""
    value: Any = None
    display_key: Any = None


Metas = Annotated[tuple[Meta, ...], BeforeValidator(_only_lists)]


class LineItem(Model):
    """One line. `subtotal` is before coupons, `total` after them, both without tax and for all units.

    `bundled_by` and `bundled_items` are the Product Bundles extension's: the line of the bundle, the lines in it;
    `composite_parent` and `composite_children` say the same for Composite Products.
    """

    id: Id
    name: Text = ""
    sku: Name = ""
    product_id: NumberText = ""
    variation_id: NumberText = ""
    quantity: Quantity
    subtotal: Amount = Decimal(0)
    subtotal_tax: Amount = Decimal(0)
    total: RequiredAmount
    total_tax: Amount = Decimal(0)
    bundled_by: NumberText = ""
    bundled_items: Annotated[tuple[Any, ...], BeforeValidator(_only_lists)] = ()
    composite_parent: NumberText = ""
    composite_children: Annotated[tuple[Any, ...], BeforeValidator(_only_lists)] = ()
    meta_data: Metas = ()

    @property
    def part_of(self) -> str:
        """The id of the line whose part this one is; empty for none."""
        return next((one for one in (self.bundled_by, self.composite_parent) if one not in ("", "0")), "")

    @property
    def has_parts(self) -> bool:
        """Whether other lines are parts of this one."""
        return bool(self.bundled_items or self.composite_children)


class ShippingItem(Model):
    """A shipping charge."""

    method_id: Name = ""
    method_title: Text = ""
    total: Amount = Decimal(0)
    total_tax: Amount = Decimal(0)
    meta_data: Metas = ()


class FeeItem(Model):
    """A fee; a negative one is a discount."""

    total: Amount = Decimal(0)
    total_tax: Amount = Decimal(0)


class GiftCard(Model):
    """A gift card that paid a part (extension Gift Cards): the order's total is without it."""

    amount: Amount = Decimal(0)


class PostalAddress(Model):
    """An address; `state` is a code where WooCommerce knows the country's states."""

    first_name: Name = ""
    last_name: Name = ""
    company: Name = ""
    address_1: Name = ""
    address_2: Name = ""
    city: Name = ""
    state: Name = ""
    postcode: Name = ""
    country: Name = ""
    phone: Name = ""
    email: Name = ""


class RefundHead(Model):
    """That money went back. For which units only the refund itself says."""

    id: Id


class WooOrder(Model):
    """The whole order, as of `date_modified_gmt`."""

    id: Id
    number: NumberText = ""
    status: Annotated[str, Field(min_length=1, max_length=64)]
    currency: Currency
    date_created_gmt: Time | None = None
    date_modified_gmt: Time | None = None
    date_paid_gmt: Time | None = None
    date_completed_gmt: Time | None = None
    prices_include_tax: bool | None = None
    total: RequiredAmount
    total_tax: Amount = Decimal(0)
    customer_id: NumberText = ""
    customer_note: Text = ""
    billing: Annotated[PostalAddress | None, OrNone] = None
    shipping: Annotated[PostalAddress | None, OrNone] = None
    line_items: tuple[LineItem, ...]
    shipping_lines: Annotated[tuple[ShippingItem, ...], OrNothing] = ()
    fee_lines: Annotated[tuple[FeeItem, ...], OrNothing] = ()
    gift_cards: Annotated[tuple[GiftCard, ...], OrNothing] = ()
    refunds: Annotated[tuple[RefundHead, ...], OrNothing] = ()
    meta_data: Metas = ()


class RefundedLine(Model):
    """Units of a line that were refunded: `quantity` is negative, its meta `_refunded_item_id` names the line."""

    quantity: Annotated[int, Field(le=0)] = 0
    meta_data: Metas = ()


class Refund(Model):
    """Money that went back, when, and for which units."""

    date_created_gmt: Time | None = None
    line_items: Annotated[tuple[RefundedLine, ...], OrNothing] = ()


class Fetched(Model):
    """What `fetch` put together: the order, its refunds, and which of its products are nothing to ship."""

    order: WooOrder
    refunds: tuple[Refund, ...] = ()
    virtual: frozenset[str] = frozenset()


class Deleted(Model):
    """All that is said of an order in the bin."""

    id: Id
