"""Orders placed with us directly (own shop, phone, point of sale): the body of `POST /orders`, and it in our words."""

from __future__ import annotations

from collections import Counter
from datetime import datetime
from typing import Annotated, Literal

from pydantic import AfterValidator, AwareDatetime, BaseModel, BeforeValidator, ConfigDict, Field

from oms.domain.errors import InvalidOrder
from oms.domain.incoming import Address, Contact, IncomingLine, IncomingOrder
from oms.domain.order import MAX_LINES, Method, ShippingLine, Totals
from oms.domain.reservations import RESERVATION_ID
from oms.domain.validation import in_utc_seconds

MAX_UNITS = 1_000_000
MAX_MINOR = 10**12
FIRST_YEAR = 2000
_LONGEST_NAME = 255


def _utc(moment: datetime) -> datetime:
    if moment.year < FIRST_YEAR:
        raise ValueError(f"before {FIRST_YEAR}")
    return in_utc_seconds(moment)


def _upper(value: object) -> object:
    return value.upper() if isinstance(value, str) else value


Time = Annotated[AwareDatetime, AfterValidator(_utc)]
Minor = Annotated[int, Field(ge=0, le=MAX_MINOR)]
Text = Annotated[str, Field(max_length=_LONGEST_NAME)]
Name = Annotated[str, Field(min_length=1, max_length=_LONGEST_NAME)]
Email = Annotated[str, Field(max_length=254, pattern=r"^[^@\s]+@[^@\s]+$")]
Phone = Annotated[str, Field(max_length=40, pattern=r"^[0-9+()./ x-]*[0-9][0-9+()./ x-]*$")]
PaymentStatus = Annotated[
    Literal["PENDING", "AUTHORIZED", "PARTIALLY_PAID", "PAID", "VOIDED", "EXPIRED", "REFUNDED"], BeforeValidator(_upper)
]
ServiceLevel = Annotated[Literal["STANDARD", "EXPRESS"], BeforeValidator(_upper)]
ReservationId = Annotated[str, Field(pattern=RESERVATION_ID)]


class _Model(BaseModel):
    # A field nobody knows is a mistake of the caller's, told and not ignored. Errors must not repeat people's data.
    model_config = ConfigDict(
        extra="forbid", frozen=True, strict=True, hide_input_in_errors=True, str_strip_whitespace=True
    )


class DirectLine(_Model):
    """One line. Price of one unit; discount and tax of the whole line; all in minor units of the currency."""

    line_id: Annotated[str, Field(pattern=r"^[A-Za-z0-9_-]{1,64}$")] | None = Field(
        default=None, description="Default: the number of the line, from 1."
    )
    sku: Annotated[str, Field(min_length=1, max_length=100)]
    title: Text = ""
    quantity: Annotated[int, Field(ge=1, le=MAX_UNITS)]
    unit_price_minor: Minor
    discount_minor: Minor = 0
    tax_minor: Minor = 0
    requires_shipping: bool = True
    together: Annotated[str, Field(pattern=r"^[A-Za-z0-9_-]{0,64}$")] = Field(
        default="", description="Lines with the same mark ship from one location."
    )


class DirectAddress(_Model):
    """A postal address; country and region by ISO 3166 (`US`, `NJ`)."""

    name: Text = ""
    company: Text = ""
    address1: Name
    address2: Text = ""
    city: Name
    region: Annotated[str, Field(max_length=40)] = ""
    postal_code: Annotated[str, Field(max_length=20)] = ""
    country: Annotated[str, Field(pattern=r"^[A-Z]{2}$")]
    phone: Phone | Literal[""] = ""


class DirectCustomer(_Model):
    """Who ordered. `id` is what your shop calls the customer."""

    id: Annotated[str, Field(min_length=1, max_length=100)] | None = None
    name: Text = ""
    email: Email | None = None
    phone: Phone | None = None


class DirectOrder(_Model):
    """An order as your shop, your phone desk or your till took it. Sums that do not add up put it in review."""

    channel: Literal["web", "phone", "pos"]
    account: Annotated[str, Field(pattern=r"^[a-z0-9-]{1,40}$", description="One of the accounts in `settings`.")]
    channel_order_id: Annotated[str, Field(min_length=1, max_length=_LONGEST_NAME)] | None = Field(
        default=None, description="What you call the order. Default: the Idempotency-Key."
    )
    order_number: Text = Field(default="", description="What the customer reads: `#1001`.")
    placed_at: Time | None = Field(default=None, description="Default: now.")
    currency: Annotated[str, Field(pattern=r"^[A-Z]{3}$")]
    prices_include_tax: bool = False
    lines: Annotated[list[DirectLine], Field(min_length=1, max_length=MAX_LINES)]
    shipping_minor: Minor = 0
    tax_minor: Minor | None = Field(default=None, description="Default: the sum of the lines' tax.")
    discounts_minor: Minor | None = Field(default=None, description="Default: the sum of the lines' discounts.")
    tip_minor: Minor = 0
    total_minor: Minor
    ship_to: DirectAddress | None = Field(
        default=None, description="Needed unless it is collected, or no line of the order requires shipping."
    )
    pickup_location_id: Annotated[str, Field(min_length=1, max_length=64)] | None = Field(
        default=None, description="The location where the customer collects it; nothing is shipped then."
    )
    bill_to: DirectAddress | None = None
    customer: DirectCustomer | None = None
    service_level: ServiceLevel = "STANDARD"
    promised_by: Time | None = Field(
        default=None,
        description="By when the customer was told it arrives. The order is refused where no plan can keep it.",
    )
    note: Annotated[str, Field(max_length=5_000, description="What the customer wrote; kept with the contact.")] = ""
    payment_status: PaymentStatus | None = None
    reservation_id: ReservationId | None = Field(
        default=None, description="The cart's hold: the order takes it over, if it has not run out."
    )


def incoming_order(order: DirectOrder, default_id: str, now: datetime) -> IncomingOrder:
    """The order as intake takes it; `default_id` names it where the caller did not. Raises InvalidOrder."""
    lines = tuple(_line(line, number) for number, line in enumerate(order.lines, start=1))
    _check(order, lines)
    placed_at = order.placed_at or now
    return IncomingOrder(
        channel=order.channel,
        account=order.account,
        channel_order_id=order.channel_order_id or default_id,
        order_number=order.order_number,
        placed_at=placed_at,
        channel_updated_at=placed_at,
        currency=order.currency,
        prices_include_tax=order.prices_include_tax,
        totals=_totals(order),
        lines=lines,
        shipping_lines=(ShippingLine(title=order.service_level, price_minor=order.shipping_minor),)
        if order.shipping_minor
        else (),
        payment_status=order.payment_status or "",
        customer_id=order.customer.id if order.customer else None,
        service_level=order.service_level,
        method=Method.PICKUP if order.pickup_location_id else Method.SHIP,
        pickup_location_id=order.pickup_location_id,
        promised_by=order.promised_by,
        contact=_contact(order),
    )


def _line(line: DirectLine, number: int) -> IncomingLine:
    return IncomingLine(
        line_id=line.line_id or str(number),
        sku=line.sku,
        title=line.title,
        quantity=line.quantity,
        current_quantity=line.quantity,
        unit_price_minor=line.unit_price_minor,
        discount_minor=line.discount_minor,
        tax_minor=line.tax_minor,
        requires_shipping=line.requires_shipping,
        together=line.together,
    )


def _check(order: DirectOrder, lines: tuple[IncomingLine, ...]) -> None:
    """What no single field can tell. Raises InvalidOrder naming the field."""
    counted = Counter(line.line_id for line in lines)
    for number, line in enumerate(lines):
        if counted[line.line_id] > 1:
            raise InvalidOrder(
                f"line {line.line_id} comes twice", field=f"lines.{number}.line_id", reason="DUPLICATE_LINE"
            )
    is_shipped = order.pickup_location_id is None and any(line.requires_shipping for line in lines)
    if order.ship_to is None and is_shipped:
        raise InvalidOrder("an order to be shipped needs ship_to", field="ship_to", reason="MISSING_FIELD")


def _totals(order: DirectOrder) -> Totals:
    discounts, tax = order.discounts_minor, order.tax_minor
    return Totals(
        goods_minor=sum(line.unit_price_minor * line.quantity for line in order.lines),
        discounts_minor=sum(line.discount_minor for line in order.lines) if discounts is None else discounts,
        shipping_minor=order.shipping_minor,
        tax_minor=sum(line.tax_minor for line in order.lines) if tax is None else tax,
        tip_minor=order.tip_minor,
        total_minor=order.total_minor,
    )


def _contact(order: DirectOrder) -> Contact:
    ship_to, bill_to = _address(order.ship_to), _address(order.bill_to)
    customer = order.customer or DirectCustomer()
    return Contact(
        name=customer.name or ship_to.name or bill_to.name,
        email=customer.email or "",
        phone=customer.phone or ship_to.phone,
        ship_to=ship_to,
        bill_to=bill_to,
        free_text={"note": order.note} if order.note else {},
    )


def _address(address: DirectAddress | None) -> Address:
    return Address(**address.model_dump()) if address else Address()
