"""An order takes over a cart's hold: the units held for it become units promised to it, in one write.

What the order does not need goes back. What the hold does not cover is allocated as with any order.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from oms.domain.allocation import allocate
from oms.domain.changes import Context, OrderChange, fold
from oms.domain.holding import Shelves
from oms.domain.order import Order
from oms.domain.reservations import Reservation, consume, giving_back
from oms.domain.routing import RoutingPlan


def covered(order: Order, units: Mapping[str, Mapping[str, int]]) -> Order:
    """The order as far as these units (by location_id and sku) cover it, for routing only. Kits are covered whole."""
    shelves = Shelves(units)
    kits_first = sorted(order.lines, key=lambda line: not line.components)
    open_units = {line.line_id: line.unallocated if line.requires_shipping else 0 for line in kits_first}
    covers = {line.line_id: shelves.take_up_to(line, open_units[line.line_id], sorted(units)) for line in kits_first}
    return replace(order, lines=tuple(replace(line, unallocated=covers[line.line_id]) for line in order.lines))


def convert(first: OrderChange, hold: Reservation, plan: RoutingPlan | None, context: Context) -> OrderChange:
    """`first` makes the order; the change that also consumes the hold and allocates the plan, made on its units.

    Without a plan all units go back, and the order is allocated as any other.
    """
    order = replace(first.order, reservation_id=hold.reservation_id)
    made = replace(
        first,
        order=order,
        moves=(*first.moves, *giving_back(hold)),
        reservation=consume(hold, order.order_id, context.now),
    )
    if plan is None or not plan.assignments:
        return made
    return fold([made, allocate(order, plan, context)])
