"""Sourcing: the stock and the locations an order could be routed to, as they are now, and who waits for that stock."""

from __future__ import annotations

from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from oms.domain.catalog import Location, LocationStatus
from oms.domain.changes import MAX_CLAIMS, Backorder, Claim, queue_place
from oms.domain.errors import InvariantBroken, NoRoute, OutOfStock
from oms.domain.order import Order
from oms.domain.routing import Candidate, RoutingPlan, RoutingPolicy, route
from oms.domain.stock import StockMove, StockPosition

if TYPE_CHECKING:
    from oms.stores.backorders import BackordersStore
    from oms.stores.reference_data import LocationsStore, SettingsStore
    from oms.stores.stock import StockStore

READERS = 8
"""Queues that are read at the same time."""


@dataclass(slots=True)
class StockView:
    """Available units by location and sku, and the queue for each sku as far as its stock goes.

    Read once for a batch, and consumed as the batch plans. Units that older orders wait for are theirs: an order may
    take only what exceeds them. Orders for a sku whose stock is `unreadable` can't be routed, all others can.
    """

    available: dict[str, dict[str, int]] = field(default_factory=dict)
    queues: dict[str, list[Backorder]] = field(default_factory=dict)
    closed: frozenset[str] = frozenset()
    unreadable: dict[str, InvariantBroken] = field(default_factory=dict)
    candidates: list[Candidate] = field(default_factory=list)

    def see(self, positions: Iterable[StockPosition]) -> None:
        """Takes over positions as they were just read."""
        for position in positions:
            self.available.setdefault(position.location_id, {})[position.sku] = position.available

    def see_less(self, positions: Iterable[StockPosition]) -> None:
        """Takes over positions that were read again, as far as there is less now."""
        for position in positions:
            here = self.available.setdefault(position.location_id, {})
            here[position.sku] = min(here.get(position.sku, 0), position.available)

    def total(self, sku: str) -> int:
        """Units that could be promised, over all locations but the closed ones."""
        return sum(max(0, here.get(sku, 0)) for one, here in self.available.items() if one not in self.closed)

    def waited_for(self, sku: str, place: str) -> int:
        """Units of the sku that those before this place in the queue wait for: of what there is, no more than lies
        where they may have it from."""
        rows = [row for row in self.queues.get(sku, ()) if row.queue_key < place]
        left = {one: max(0, here.get(sku, 0)) for one, here in self.available.items() if one not in self.closed}
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
        elsewhere_last = sorted(self.available, key=lambda one: ((sku, one) not in taken, one))
        for location_id in elsewhere_last:
            here = min(units, self.available[location_id].get(sku, 0)) if location_id not in self.closed else 0
            if here > 0:
                claims.append(Claim(sku=sku, location_id=location_id, quantity=here))
                units -= here
        return claims

    def consume(self, order: Order, plan: RoutingPlan) -> None:
        """Units the plan promises are no longer there for the next order of the batch, nor does this one wait."""
        lines = {line.line_id: line for line in order.lines}
        for assignment in plan.assignments:
            here = self.available[assignment.location_id]
            for line_id, quantity in assignment.lines:
                for sku, units in lines[line_id].stock_units(quantity).items():
                    here[sku] -= units
        self.leave(order)

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

    def look(self, orders: Iterable[Order], *, hopeful: bool = False) -> StockView:
        """Reads the positions and queues of everything these orders still need, each sku once."""
        locations = self.locations.all()
        closed = (one.location_id for one in locations if one.status is not LocationStatus.ACTIVE)
        view = StockView(closed=frozenset(closed))
        view.candidates = [_candidate(location, view) for location in locations]
        self.look_again(view, {sku for order in orders for sku in needed_units(order)}, hopeful=hopeful)
        return view

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
        card = self.settings.rate_card()
        if card is None:
            raise NoRoute({"settings": "NO_RATE_CARD"})
        for sku in needed_units(order).keys() & view.unreadable.keys():
            raise view.unreadable[sku]
        _require_spare(order, view)
        policy = RoutingPolicy(rate_card=card, max_parcels=self.settings.policy().max_parcels)
        candidates = view.candidates or [_candidate(location, view) for location in self.locations.all()]
        return route(order, candidates, policy)

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


def needed_units(order: Order) -> dict[str, int]:
    """Units of each stocked sku that the order still needs, summed over its lines."""
    units: dict[str, int] = {}
    for line in order.lines:
        if line.unallocated:
            for sku, quantity in line.stock_units(line.unallocated).items():
                units[sku] = units.get(sku, 0) + quantity
    return units


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


def _candidate(location: Location, view: StockView) -> Candidate:
    """The location with what the view says is there, now and whenever the view changes."""
    return Candidate(location=location, available=view.available.setdefault(location.location_id, {}))
