"""Conversion: an order that names a cart's hold takes it over in the write that creates the order."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from oms.domain import conversion
from oms.domain.errors import NoRoute, OutOfStock, ReservationConsumed, ReservationNotFound
from oms.domain.reservations import Reservation, ReservationStatus
from oms.domain.stock import StockPosition
from oms.usecases.sourcing import StockView

if TYPE_CHECKING:
    from collections.abc import Mapping

    from oms.domain.changes import Context, OrderChange
    from oms.domain.order import Order
    from oms.domain.routing import RoutingPlan
    from oms.stores.reservations import ReservationsStore
    from oms.usecases.sourcing import Sourcing

Units = dict[str, dict[str, int]]


@dataclass(frozen=True, slots=True)
class Conversion:
    """Makes orders upon holds as they were just read; the commit sees whether they are still so."""

    reservations: ReservationsStore
    sourcing: Sourcing

    def upon(self, first: OrderChange, reservation_id: str, context: Context) -> OrderChange:
        """`first` makes the order; the change that also consumes the hold, as it is now.

        A hold that has run out or was released is no reason to refuse the order: it is made without.
        Raises ReservationNotFound, ReservationConsumed.
        """
        known = self._known(reservation_id)
        if known.is_active:
            return conversion.convert(first, known, self._plan(first.order, known.by_location()), context)
        if known.status is ReservationStatus.CONSUMED and known.order_id != first.order.order_id:
            message = f"order {known.order_id} has this reservation"
            raise ReservationConsumed(message, order_id=known.order_id)
        return first

    def status(self, reservation_id: str) -> ReservationStatus:
        """What became of the hold that an order named: once the order is there, this never changes."""
        return self._known(reservation_id).status

    def _known(self, reservation_id: str) -> Reservation:
        known = self.reservations.get(reservation_id)
        if known is None:
            raise ReservationNotFound(f"there is no reservation {reservation_id}", reservation_id=reservation_id)
        return known

    def _plan(self, order: Order, units: Units) -> RoutingPlan | None:
        """How the order would be sent from the locations that hold units for it; None if from none of them."""
        if order.review:
            return None
        plan = self._route(order, units)
        if plan is None:
            willing = {one: here for one, here in units.items() if self._route(order, {one: here})}
            plan = self._route(order, willing)
        return plan

    def _route(self, order: Order, units: Mapping[str, Mapping[str, int]]) -> RoutingPlan | None:
        view = StockView()
        for location_id, here in units.items():
            view.see(
                StockPosition(sku=sku, location_id=location_id, on_hand=quantity, available=quantity)
                for sku, quantity in here.items()
            )
        try:
            return self.sourcing.route(conversion.covered(order, units), view)
        except (NoRoute, OutOfStock):
            return None
