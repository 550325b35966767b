"""Sourcing: the stock and the locations an order could be routed to, as they are now, and who waits for that stock."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from oms.domain.catalog import LocationStatus
from oms.domain.changes import MAX_CLAIMS, Backorder, Claim, queue_place
from oms.domain.errors import InvariantBroken, NoRoute, OutOfStock
from oms.domain.network import Network
from oms.domain.order import Method, Order
from oms.domain.routing import RoutingPlan, route
from oms.domain.routing_items import needed_units
from oms.domain.stock import StockMove, StockPosition
from oms.domain.wave_routing import Routed, contested, route_together, taken

if TYPE_CHECKING:
    from oms.stores.backorders import BackordersStore
    from oms.stores.capacity import CapacityStore
    from oms.stores.reference_data import LocationsStore, SettingsStore
    from oms.stores.stock import StockStore

READERS = 8
"""Queues that are read at the same time."""

DAYS_AHEAD = 10
"""Days whose planned parcels are read, from yesterday on: somewhere it is still yesterday."""


@dataclass(slots=True)
class StockView:
    """Available units by sku and location, the queue for each sku as far as its stock goes, and who may ship.

    Read once for a batch, and consumed as the batch plans. Units that older orders wait for are theirs: an order may
    take only what exceeds them. Orders for a sku whose stock is `unreadable` can't be routed, all others can.
    """

    network: Network
    stock: dict[str, dict[str, int]] = field(default_factory=dict)
    queues: dict[str, list[Backorder]] = field(default_factory=dict)
    unreadable: dict[str, InvariantBroken] = field(default_factory=dict)

    def see(self, positions: Iterable[StockPosition]) -> None:
        """Takes over positions as they were just read."""
        for position in positions:
            self.stock.setdefault(position.sku, {})[position.location_id] = position.available

    def see_less(self, positions: Iterable[StockPosition]) -> None:
        """Takes over positions that were read again, as far as there is less now."""
        for position in positions:
            here = self.stock.setdefault(position.sku, {})
            here[position.location_id] = min(here.get(position.location_id, 0), position.available)

    def shelf(self, sku: str) -> dict[str, int]:
        """Units of the sku by location, where there are any that may be promised."""
        locations = self.network.locations
        return {
            one: units
            for one, units in self.stock.get(sku, {}).items()
            if units > 0 and one in locations and locations[one].status is LocationStatus.ACTIVE
        }

    def total(self, sku: str) -> int:
        """Units that could be promised, over all locations but the closed ones."""
        return sum(self.shelf(sku).values())

    def waited_for(self, sku: str, place: str) -> int:
        """Units of the sku that those before this place in the queue wait for: of what there is, no more than lies
        where they may have it from."""
        rows = [row for row in self.queues.get(sku, ()) if row.queue_key < place]
        left = self.shelf(sku) if rows else {}
        return sum(_claim(row, left) for row in rows)

    def spare(self, sku: str, place: str) -> int:
        """Units of the sku that nobody before this place in the queue waits for."""
        return max(0, self.total(sku) - self.waited_for(sku, place))

    def claims(self, moves: Iterable[StockMove], place: str) -> tuple[Claim, ...]:
        """What must be left, and where, by moves that the view has consumed already: units that those before this
        place wait for, at the positions taken from as far as they reach, else wherever the view has some.

        The write holds them to it: two who take at once could each find spare what only one may have.
        """
        taken = {(move.sku, move.location_id) for move in moves}
        claims: list[Claim] = []
        for sku in sorted({sku for sku, _ in taken}):
            claims += self._left_at(sku, self.waited_for(sku, place), taken)
        return tuple(claims[:MAX_CLAIMS])

    def _left_at(self, sku: str, units: int, taken: set[tuple[str, str]]) -> list[Claim]:
        claims = []
        shelf = self.shelf(sku)
        for location_id in sorted(shelf, key=lambda one: ((sku, one) not in taken, one)):
            here = min(units, shelf[location_id])
            if here > 0:
                claims.append(Claim(sku=sku, location_id=location_id, quantity=here))
                units -= here
        return claims

    def consume(self, order: Order, plan: RoutingPlan) -> None:
        """Units the plan promises are no longer there for the next order of the batch, nor does this one wait."""
        self._book(order, plan, 1)
        self.leave(order)

    def exchange(self, order: Order, plan: RoutingPlan, other: RoutingPlan) -> None:
        """The order takes what the other plan promises, and not what it had taken."""
        self._book(order, plan, -1)
        self._book(order, other, 1)

    def _book(self, order: Order, plan: RoutingPlan, times: int) -> None:
        for (sku, location_id), units in taken(Routed(order, plan)).items():
            self.stock[sku][location_id] -= times * units
        for one in plan.assignments:
            self.network.plan_parcels(one.location_id, one.capacity_day, times)

    def leave(self, order: Order) -> None:
        """The order's place in the queues is given up."""
        for sku in needed_units(order):
            if self.queues.get(sku):
                self.queues[sku] = [row for row in self.queues[sku] if row.order_id != order.order_id]

    def join(self, rows: Iterable[Backorder]) -> None:
        """Orders that wait from now on."""
        for row in rows:
            self.queues.setdefault(row.sku, []).append(row)


@dataclass(frozen=True, slots=True)
class Sourcing:
    """Routes orders on the stock as it is."""

    stock: StockStore
    locations: LocationsStore
    settings: SettingsStore
    backorders: BackordersStore
    capacity: CapacityStore

    def look(self, orders: Iterable[Order], now: datetime, *, hopeful: bool = False) -> StockView:
        """Reads the positions and queues of everything these orders still need, each sku once."""
        view = self.empty_view(now)
        self.look_again(view, {sku for order in orders for sku in needed_units(order)}, hopeful=hopeful)
        return view

    def empty_view(self, now: datetime) -> StockView:
        """Who may ship now, without any stock."""
        locations, settings = self.locations.all(), self.settings
        counted = [one.location_id for one in locations if one.daily_capacity is not None]
        cards = settings.rate_cards()
        network = Network(
            locations,
            cards,
            settings.routing_policy(),
            now,
            zone_tables=settings.zone_tables() if any(card.zone_table for card in cards) else {},
            planned=self.capacity.load(counted, _days_around(now)) if counted else {},
        )
        return StockView(network)

    def look_at_days(self, view: StockView) -> None:
        """Reads again how full the locations' days are."""
        counted = [one.location_id for one in view.network.locations.values() if one.daily_capacity is not None]
        if counted:
            view.network.see_planned(self.capacity.load(counted, _days_around(view.network.now)))

    def look_again(self, view: StockView, skus: Iterable[str], *, hopeful: bool = False) -> None:
        """Reads these skus as they are now.

        What happens between two readings makes the view err: by default it takes too little for spare, so that
        nobody takes what others wait for. A hopeful view never does: whoever only asks whether to try must not
        miss the moment, and the worker who takes the units looks for itself.
        """
        wanted = sorted(set(skus))
        self._read(view, wanted)
        contested = [sku for sku in wanted if view.total(sku)]
        with ThreadPoolExecutor(READERS) as readers:
            queues = readers.map(lambda sku: self._queue(sku, view.total(sku)), contested)
            view.queues |= dict(zip(contested, queues, strict=True))
        if hopeful:
            return
        # Whoever took their units between the two readings left the queue too: those units are not spare.
        view.see_less(self.stock.of_skus(sku for sku in contested if view.queues[sku]))

    def _read(self, view: StockView, skus: Iterable[str]) -> None:
        for sku, found in self.stock.read_skus(skus).items():
            if isinstance(found, InvariantBroken):
                view.unreadable[sku] = found
            else:
                view.unreadable.pop(sku, None)
                view.see(found)

    def route(self, order: Order, view: StockView) -> RoutingPlan:
        """Chooses locations for what is unallocated. Raises OutOfStock, NoRoute, or InvariantBroken where the stock
        that it needs does not add up."""
        if order.method is Method.SHIP and not view.network.cards:
            raise NoRoute({"settings": "NO_RATE_CARD"})
        for sku in needed_units(order).keys() & view.unreadable.keys():
            raise view.unreadable[sku]
        _require_spare(order, view)
        return route(order, view.network, view.stock)

    def _queue(self, sku: str, units: int) -> list[Backorder]:
        """The head of the queue: rows until they take up all there is, wherever it lies. Whoever stands behind gets
        nothing anyway."""
        rows = []
        for row in self.backorders.of_sku(sku):
            rows.append(row)
            units -= 0 if row.excluded_locations else row.quantity
            if units <= 0:
                break
        return rows


def exchange_plans(routed: Sequence[Routed], view: StockView) -> dict[str, RoutingPlan]:
    """Plans by order_id for those of these orders, routed one after the other, that should have another one, because
    together they then cost less. The view has consumed their plans, and has consumed the new ones afterwards."""
    stock = given_back(routed, view)
    competing = contested(routed, stock)
    if not competing:
        return {}
    better = route_together(competing, view.network, given_back(competing, view))
    for one in competing:
        if one.order.order_id in better:
            view.exchange(one.order, one.plan, better[one.order.order_id])
    return better


def given_back(routed: Sequence[Routed], view: StockView) -> dict[str, dict[str, int]]:
    """The stock of what these orders take as if none of them had taken it yet."""
    booked = [taken(one) for one in routed]
    stock = {sku: dict(view.stock[sku]) for sku in {sku for units in booked for sku, _ in units}}
    for units in booked:
        for (sku, location_id), number in units.items():
            stock[sku][location_id] += number
    return stock


def _claim(row: Backorder, left: dict[str, int]) -> int:
    """Units that a waiting row keeps from others; those that some locations are excluded for are taken out of what is
    `left` elsewhere."""
    if not row.excluded_locations:
        return row.quantity
    claimed = 0
    for location_id in sorted(left.keys() - set(row.excluded_locations)):
        units = min(row.quantity - claimed, left[location_id])
        left[location_id] -= units
        claimed += units
    return claimed


def _require_spare(order: Order, view: StockView) -> None:
    """Raises OutOfStock naming what the order would have to take from those who have waited longer."""
    if not any(view.queues.get(sku) for sku in needed_units(order)):
        return
    place = queue_place(order)
    missing = {
        sku: units - view.spare(sku, place) for sku, units in needed_units(order).items() if view.queues.get(sku)
    }
    missing = {sku: units for sku, units in missing.items() if units > 0}
    if missing:
        raise OutOfStock(missing)


def _days_around(now: datetime) -> list[str]:
    return [(now + timedelta(days=days)).date().isoformat() for days in range(-1, DAYS_AHEAD)]
