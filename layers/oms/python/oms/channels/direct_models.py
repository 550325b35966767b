"""The body of `POST /orders`: what an order says of itself, whichever door of ours it comes through."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Literal

from pydantic import AfterValidator, AwareDatetime, BaseModel, BeforeValidator, ConfigDict, Field

from oms.domain.order import MAX_LINES, Method
from oms.domain.reservations import RESERVATION_ID
from oms.domain.validation import in_utc_seconds

MAX_UNITS = 1_000_000
MAX_MINOR = 10**12
MAX_PAYMENTS = 20
FIRST_YEAR = 2000
_LONGEST_NAME, _MOST_NAME_BYTES = 255, 900


def _utc(moment: datetime) -> datetime:
    if moment.year < FIRST_YEAR:
        raise ValueError(f"before {FIRST_YEAR}")
    return in_utc_seconds(moment)


def _fits_a_key(name: str) -> str:
    """A name that tables may have as a part of a key: those are at most 1,024 bytes."""
    if len(name.encode()) > _MOST_NAME_BYTES:
        raise ValueError(f"longer than {_MOST_NAME_BYTES} bytes")
    return name


def _upper(value: object) -> object:
    return value.upper() if isinstance(value, str) else value


Time = Annotated[AwareDatetime, AfterValidator(_utc)]
Minor = Annotated[int, Field(ge=0, le=MAX_MINOR)]
Text = Annotated[str, Field(max_length=_LONGEST_NAME)]
Name = Annotated[str, Field(min_length=1, max_length=_LONGEST_NAME)]
OrderName = Annotated[str, Field(min_length=1, max_length=_LONGEST_NAME), AfterValidator(_fits_a_key)]
Email = Annotated[str, Field(max_length=254, pattern=r"^[^@\s]+@[^@\s]+$")]
Phone = Annotated[str, Field(max_length=40, pattern=r"^[0-9+()./ x-]*[0-9][0-9+()./ x-]*$")]
PaymentStatus = Annotated[
    Literal["PENDING", "AUTHORIZED", "PARTIALLY_PAID", "PAID", "VOIDED", "EXPIRED", "REFUNDED"], BeforeValidator(_upper)
]
ServiceLevel = Annotated[Literal["STANDARD", "EXPRESS"], BeforeValidator(_upper)]
PaymentMethod = Annotated[
    Literal[
        "CARD", "CASH", "GIFT_CARD", "STORE_CREDIT", "WALLET", "INVOICE", "BANK_TRANSFER", "CHECK", "FINANCED", "OTHER"
    ],
    BeforeValidator(_upper),
]
OnePaymentStatus = Annotated[Literal["PENDING", "AUTHORIZED", "PAID"], BeforeValidator(_upper)]
HandedBy = Annotated[Literal["SHIP", "PICKUP", "CARRY_OUT"], BeforeValidator(_upper)]
LocationId = Annotated[str, Field(min_length=1, max_length=64)]
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


class DirectPayment(_Model):
    """One payment, such as a gift card or what was left in cash. All of them together are at most the total."""

    method: PaymentMethod
    amount_minor: Annotated[int, Field(ge=1, le=MAX_MINOR)]
    reference: Annotated[str, Field(pattern=r"^[A-Za-z0-9._:/#-]{0,64}$")] = Field(
        default="", description="What the till or the payment provider calls it. Never the number of a card."
    )
    status: OnePaymentStatus | None = Field(
        default=None,
        description="Default: PAID; AUTHORIZED for INVOICE (ships, is billed later), PENDING for BANK_TRANSFER.",
    )

    @property
    def state(self) -> str:
        """The status, given or as this method of payment has it."""
        return self.status or {"INVOICE": "AUTHORIZED", "BANK_TRANSFER": "PENDING"}.get(self.method, "PAID")


class OrderBody(_Model):
    """What an order says of itself, whichever door it comes through."""

    channel: Annotated[str, Field(pattern=r"^[a-z0-9]{1,40}$")]
    account: Annotated[str, Field(pattern=r"^[a-z0-9-]{1,40}$", description="One of the accounts in `settings`.")]
    channel_order_id: OrderName | None = Field(
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
    method: HandedBy | None = Field(
        default=None,
        description="How the goods reach the customer. CARRY_OUT: they were handed over at `sold_at_location_id` and "
        "leave its stock at once. Default: PICKUP with a pickup_location_id, else SHIP.",
    )
    ship_to: DirectAddress | None = Field(
        default=None, description="Needed where something is to be shipped, and for no other method."
    )
    pickup_location_id: LocationId | None = Field(
        default=None, description="The location where the customer collects it; nothing is shipped then."
    )
    sold_by: Annotated[str, Field(pattern=r"^[A-Za-z0-9._-]{0,64}$")] = Field(
        default="", description="The colleague who sold it: an id of yours, no name."
    )
    sold_at_location_id: LocationId | None = Field(
        default=None, description="The location where it was sold. Needed for CARRY_OUT."
    )
    bill_to: DirectAddress | None = None
    customer: DirectCustomer | None = None
    service_level: ServiceLevel = "STANDARD"
    promised_by: Time | None = Field(
        default=None,
        description="By when the customer was told it arrives. The order is refused where no plan can keep it.",
    )
    note: Annotated[str, Field(max_length=5_000, description="What the customer wrote; kept with the contact.")] = ""
    payment_status: PaymentStatus | None = Field(
        default=None,
        description="Default: what the payments come to: PAID or AUTHORIZED where they cover the total, PARTIALLY_PAID "
        "where they cover some of it, else PENDING; without payments, not known.",
    )
    payments: Annotated[list[DirectPayment], Field(max_length=MAX_PAYMENTS)] = Field(
        default=[], description="How it was paid, payment by payment."
    )

    @property
    def handed_by(self) -> Method:
        """How the goods reach the customer, said or as the rest of the order has it."""
        return Method(self.method or ("PICKUP" if self.pickup_location_id else "SHIP"))


class DirectOrder(OrderBody):
    """An order as your shop, your phone desk or your till took it. Sums that do not add up put it in review."""

    channel: Literal["web", "phone", "pos"]
    reservation_id: ReservationId | None = Field(
        default=None, description="The cart's hold: the order takes it over, if it has not run out."
    )
