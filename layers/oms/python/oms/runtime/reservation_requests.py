"""The body of `POST /reservations`: a cart whose stock is to be held for a while."""

from __future__ import annotations

import re
from typing import Annotated

from pydantic import Field

from oms.domain.holding import MAX_CART_LINES, Cart, CartLine
from oms.domain.ids import short_hash
from oms.domain.incoming import Address
from oms.domain.reservations import MAX_MINUTES, RESERVATION_ID
from oms.runtime.api_requests import _Body

MAX_UNITS = 1_000_000


class CartDestination(_Body):
    """Where the cart would be sent, as far as it is known."""

    country: Annotated[str, Field(pattern=r"^[A-Z]{2}$")]
    region: Annotated[str, Field(max_length=40)] = ""
    postal_code: Annotated[str, Field(max_length=20)] = ""


class CartLineRequest(_Body):
    """Units of a product to hold; a kit is held as its components."""

    sku: Annotated[str, Field(min_length=1, max_length=100)]
    quantity: Annotated[int, Field(ge=1, le=MAX_UNITS)]
    location_id: Annotated[str, Field(min_length=1, max_length=64)] | None = Field(
        default=None, description="Hold them there. Default: where an order would be sent from, or where most is."
    )


class ReservationRequest(_Body):
    """Hold stock for a cart: all lines or none. Without lines it holds nothing."""

    reservation_id: Annotated[str, Field(pattern=RESERVATION_ID)] | None = Field(
        default=None, description="Yours to choose. Default: the Idempotency-Key, or made of it."
    )
    minutes: Annotated[int, Field(ge=1, le=MAX_MINUTES, description="How long the stock is held.")]
    lines: Annotated[list[CartLineRequest], Field(max_length=MAX_CART_LINES)] = Field(default_factory=list)
    ship_to: CartDestination | None = Field(
        default=None, description="With it, locations are chosen as for an order. Without: those with most stock."
    )

    def cart(self, reservation_id: str, client_id: str) -> Cart:
        """The cart in our words, held under this id. What one client asks for is no repeat of another's."""
        return Cart(
            reservation_id=reservation_id,
            content_hash=short_hash(client_id, self.model_dump_json(exclude_unset=True), length=32),
            minutes=self.minutes,
            lines=tuple(CartLine(**line.model_dump()) for line in self.lines),
            ship_to=Address(**self.ship_to.model_dump()) if self.ship_to else None,
        )


def reservation_id_of(client_id: str, key: str) -> str:
    """The id of a hold that its caller named by an Idempotency-Key only: the key itself, if it can be one."""
    return key if re.fullmatch(RESERVATION_ID, key) else short_hash(client_id, key, length=32)
