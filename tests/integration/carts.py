"""Carts in the test stage: holds to make, orders that take them over, and books of what is held."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

from oms.domain.holding import Cart, CartLine
from oms.domain.incoming import Address, IncomingOrder
from oms.domain.order import Order
from oms.domain.requests import ApiRequest
from oms.domain.reservations import Reservation, ReservationStatus
from oms.runtime import clients
from oms.stores.reference_data import ProductsStore
from oms.stores.reservations import ReservationsStore
from oms.usecases.conversion import Conversion
from oms.usecases.expiry import Expired, ReservationExpiry
from oms.usecases.intake import Intake, Placed
from oms.usecases.reservations import Held, Reservations
from tests.integration.company import Worker, at, incoming, worker
from tests.integration.stage import PREFIX, Stage, cases

MINUTES = 30
CART_CASES = [case for case in cases("api_stock") if "hold" in case or "reservation" in case]
"""Sample events of carts, which share a function with other questions of stock."""

Wanted = tuple[str, int] | tuple[str, int, str | None]


def cart(*lines: Wanted, reservation_id: str = "cart-1", content: str = "", **facts: Any) -> Cart:
    """A cart of (sku, units) or (sku, units, location_id) for half an hour."""
    wanted = tuple(
        CartLine(sku=one[0], quantity=one[1], location_id=one[2] if len(one) == 3 else None) for one in lines
    )
    made: dict[str, Any] = {"minutes": MINUTES, "content_hash": content or f"{lines}"} | facts
    return Cart(reservation_id=reservation_id, lines=wanted, **made)


@dataclass
class Desk:
    """One worker's use cases around carts, with memories of its own."""

    made: Worker = field(default_factory=worker)

    def __post_init__(self) -> None:
        client: Any = clients.client("dynamodb")
        one = self.made
        self.store = ReservationsStore(client, PREFIX)
        self.reservations = Reservations(self.store, ProductsStore(client, PREFIX), one.allocation.sourcing, one.commit)
        self.intake = Intake(
            one.orders,
            one.contacts,
            ProductsStore(client, PREFIX),
            one.settings,
            one.commit,
            Conversion(self.store, one.allocation.sourcing, one.allocation.decisions),
        )
        self.expiry = ReservationExpiry(self.store, one.commit)

    def hold(self, *lines: Wanted, hours: float = 0, **facts: Any) -> Held:
        """Holds a cart of these lines."""
        return self.reservations.hold(cart(*lines, **facts), "api:shop", at(hours))

    def release(self, reservation_id: str = "cart-1", hours: float = 0.1) -> Reservation:
        return self.reservations.release(reservation_id, "api:shop", at(hours))

    def place(
        self,
        number: int = 1,
        lines: dict[str, int] | None = None,
        reservation_id: str | None = "cart-1",
        *,
        hours: float = 0.2,
        **changes: Any,
    ) -> Placed:
        """Places the n-th order of an own shop, which names the cart's hold."""
        request = ApiRequest(client_id="shop", key=f"key-{number}", content_hash=f"content-{number}")
        order = incoming(number, {"MUG": 2} if lines is None else lines, channel="web", **changes)
        return self.take_in(order, request, reservation_id, hours)

    def take_in(self, order: IncomingOrder, request: ApiRequest, reservation_id: str | None, hours: float) -> Placed:
        return self.intake.place(order, request, "api:shop", at(hours), reservation_id=reservation_id)

    def end_overdue(self, hours: float = 1, hours_back: int = 1) -> Expired:
        """The schedule's run at this hour."""
        return self.expiry.end_overdue(at(hours), hours_back=hours_back, go_on=lambda: True)

    def status(self, reservation_id: str = "cart-1") -> ReservationStatus:
        known = self.store.get(reservation_id)
        assert known is not None
        return known.status

    def allocated(self, order: Order) -> Order:
        """The order after its execution has asked for stock."""
        assert self.made.allocate(order.order_id, hours=0.3) == []
        known = self.made.orders.get(order.order_id)
        assert known is not None
        return known


def reserved(stage: Stage) -> Counter[tuple[str, str]]:
    """What the positions hold for carts."""
    rows = stage.rows("stock")
    return Counter({(row["sku"], row["location_id"]): row["reserved"] for row in rows if row.get("reserved")})


def held_by_carts(stage: Stage) -> Counter[tuple[str, str]]:
    """What active holds hold, by (sku, location_id)."""
    units: Counter[tuple[str, str]] = Counter()
    for row in stage.rows("reservations"):
        active = row["status"] == "ACTIVE"
        assert active == ("expiry_hour" in row) == ("ended_at" not in row), row
        for line in row.get("lines", []) if active else ():
            units[line["sku"], line["location_id"]] += line["quantity"]
    return units


def overdue_by(minutes: int) -> float:
    """Hours after NOON at which a hold made at NOON has been overdue for so long."""
    return (timedelta(minutes=MINUTES + minutes) / timedelta(hours=1)) if minutes else MINUTES / 60


NEW_JERSEY = Address(country="US", region="NJ", postal_code="07030")
