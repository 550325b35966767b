"""Sourcing: the stock and the locations an order could be routed to, as they are now."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from oms.domain.catalog import Location
from oms.domain.errors import NoRoute
from oms.domain.order import Order
from oms.domain.routing import Candidate, RoutingPlan, RoutingPolicy, route
from oms.domain.stock import StockPosition

if TYPE_CHECKING:
    from oms.stores.reference_data import LocationsStore, SettingsStore
    from oms.stores.stock import StockStore


@dataclass(slots=True)
class StockView:
    """Available units by location and sku, read once for a batch and consumed as the batch plans."""

    available: dict[str, dict[str, int]] = field(default_factory=dict)

    def see(self, positions: Iterable[StockPosition]) -> None:
        """Takes over positions as they were just read."""
        for position in positions:
            self.available.setdefault(position.location_id, {})[position.sku] = position.available

    def consume(self, order: Order, plan: RoutingPlan) -> None:
        """Units the plan promises are no longer there for the next order of the batch."""
        skus = {line.line_id: line.sku for line in order.lines}
        for assignment in plan.assignments:
            here = self.available[assignment.location_id]
            for line_id, quantity in assignment.lines:
                here[skus[line_id]] -= quantity


@dataclass(frozen=True, slots=True)
class Sourcing:
    """Routes orders on the stock as it is."""

    stock: StockStore
    locations: LocationsStore
    settings: SettingsStore

    def look(self, orders: Iterable[Order]) -> StockView:
        """Reads the positions of everything these orders still need, each sku once."""
        view = StockView()
        view.see(self.stock.of_skus(sku for order in orders for sku in needed_skus(order)))
        return view

    def route(self, order: Order, view: StockView) -> RoutingPlan:
        """Chooses locations for what is unallocated. Raises OutOfStock or NoRoute."""
        card = self.settings.rate_card()
        if card is None:
            raise NoRoute({"settings": "NO_RATE_CARD"})
        policy = RoutingPolicy(rate_card=card, max_parcels=self.settings.policy().max_parcels)
        candidates = [_candidate(location, view.available) for location in self.locations.all()]
        return route(order, candidates, policy)


def needed_skus(order: Order) -> list[str]:
    """What the order still needs stock of."""
    return [line.sku for line in order.lines if line.unallocated]


def _candidate(location: Location, available: Mapping[str, Mapping[str, int]]) -> Candidate:
    return Candidate(location=location, available=available.get(location.location_id, {}))
