"""Conversion: an order that names a cart's hold takes it over in the write that creates the order."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from oms.domain import conversion
from oms.domain.errors import NoRoute, OutOfStock, ReservationConsumed, ReservationNotFound
from oms.domain.promise_quotes import arriving_by, in_time
from oms.domain.reservations import Reservation, ReservationStatus
from oms.domain.routing_record import record
from oms.domain.stock import StockPosition
from oms.usecases.sourcing import StockView

if TYPE_CHECKING:
    from collections.abc import Mapping

    from oms.domain.changes import Context, OrderChange
    from oms.domain.network import Network
    from oms.domain.order import Order
    from oms.domain.routing import RoutingPlan
    from oms.stores.reservations import ReservationsStore
    from oms.stores.routing_decisions import RoutingDecisionsStore
    from oms.usecases.sourcing import Sourcing

Units = dict[str, dict[str, int]]


@dataclass(frozen=True, slots=True)
class Conversion:
    """Makes orders upon holds as they were just read; the commit sees whether they are still so."""

    reservations: ReservationsStore
    sourcing: Sourcing
    decisions: RoutingDecisionsStore

    def upon(self, first: OrderChange, reservation_id: str, context: Context) -> OrderChange:
        """`first` makes the order; the change that also consumes the hold, as it is now.

        A hold that has run out or was released is no reason to refuse the order: it is made without.
        Raises ReservationNotFound, ReservationConsumed, or Retryable where the decision's record can't be kept.
        """
        known = self._known(reservation_id)
        if known.is_active:
            units, network = known.by_location(), self.sourcing.empty_view(context.now).network
            plan = self._plan(first.order, units, network)
            if plan:
                self._keep(first.order, plan, units, network)
            return conversion.convert(first, known, plan, context)
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

    def _keep(self, order: Order, plan: RoutingPlan, units: Units, network: Network) -> None:
        """Writes down why it ships from there, before it is so."""
        decision = record(order, plan, network, _view(units, network).stock)
        for unkept in self.decisions.keep([decision] if decision else []):
            raise unkept.error

    def _plan(self, order: Order, units: Units, network: Network) -> RoutingPlan | None:
        """How the order would be sent from the locations that hold units for it; None if from none of them, or from
        none in time for its promise: it gets its stock elsewhere then."""
        if order.review:
            return None
        plan = self._route(order, units, network)
        if plan is None:
            willing = {one: here for one, here in units.items() if self._route(order, {one: here}, network)}
            plan = self._route(order, willing, network)
        return plan

    def _route(self, order: Order, units: Mapping[str, Mapping[str, int]], network: Network) -> RoutingPlan | None:
        view = _view(units, network)
        part = conversion.covered(order, units)
        try:
            plan = self.sourcing.route(part, view)
        except (NoRoute, OutOfStock):
            return None
        if order.promised_by is None or in_time(plan, order.promised_by):
            return plan
        return arriving_by(part, network, view.stock, order.promised_by)


def _view(units: Mapping[str, Mapping[str, int]], network: Network) -> StockView:
    """The units held, as if they were all there is."""
    view = StockView(network)
    for location_id, here in units.items():
        view.see(
            StockPosition(sku=sku, location_id=location_id, on_hand=quantity, available=quantity)
            for sku, quantity in here.items()
        )
    return view
