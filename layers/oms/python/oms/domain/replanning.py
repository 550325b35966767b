"""Re-planning: units promised from a position that has too little are taken back from work not released yet.

What a location was asked to do stays asked: only it can say whether it still finds the units.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace

from oms.domain import stock
from oms.domain.capacity import given_back
from oms.domain.changes import MAX_POSITIONS_PER_CHANGE, Context, OrderChange
from oms.domain.events import EventType
from oms.domain.order import Fulfillment, FulfillmentLine, Line, Order, Work
from oms.domain.progress import is_released, step
from oms.domain.stock import StockMove


def replan(order: Order, sku: str, location_id: str, units: int, context: Context) -> OrderChange | None:
    """The change that takes up to `units` of a sku back from the order's unreleased work at a location.

    The units are routed again. A kit is given back whole, so a little more may come back than was asked for. The
    last lines give first; at most one change's positions at once. None when the order holds nothing to give.
    """
    taken = _Taken(sku, location_id, units)
    fulfillments = tuple(taken.back_from(order, one) for one in reversed(order.fulfillments))[::-1]
    if not taken.lines:
        return None
    lines = tuple(_give(line, taken.lines.get(line.line_id, 0)) for line in order.lines)
    news = {"sku": sku, "location_id": location_id, "lines": dict(taken.lines)}
    changed = step(order, context, (EventType.LINES_REPLANNED, news), lines=lines, fulfillments=fulfillments)
    return OrderChange(order=changed, moves=_moves(order, taken), capacity=given_back(order, changed))


@dataclass(slots=True)
class _Taken:
    """What is still to be taken at the position, the units per line taken so far, and the skus and days touched."""

    sku: str
    location_id: str
    left: int
    lines: dict[str, int] = field(default_factory=dict)
    touched: set[str] = field(default_factory=set)

    def back_from(self, order: Order, one: Fulfillment) -> Fulfillment:
        """The fulfillment without what it gives back."""
        if one.location_id != self.location_id or is_released(one):
            return one
        ordered = {line.line_id: line for line in order.lines}
        lines = tuple(self._back_from_line(one, ordered[line.line_id], line) for line in reversed(one.lines))[::-1]
        empty = all(line.cancelled == line.assigned for line in lines)
        return replace(one, lines=lines, work=Work.CANCELLED if empty else one.work)

    def _back_from_line(self, one: Fulfillment, ordered: Line, line: FulfillmentLine) -> FulfillmentLine:
        parts = ordered.stock_units(1)
        touched = self.touched.union(parts, [one.capacity_day] if one.capacity_day else [])
        if self.left <= 0 or not line.open or self.sku not in parts or len(touched) > MAX_POSITIONS_PER_CHANGE:
            return line
        taken = min(line.open, -(-self.left // parts[self.sku]))
        self.left -= taken * parts[self.sku]
        self.lines[line.line_id] = self.lines.get(line.line_id, 0) + taken
        self.touched = touched
        return replace(line, open=line.open - taken, cancelled=line.cancelled + taken)


def _give(line: Line, units: int) -> Line:
    return replace(line, in_fulfillment=line.in_fulfillment - units, unallocated=line.unallocated + units)


def _moves(order: Order, taken: _Taken) -> tuple[StockMove, ...]:
    freed: dict[str, int] = {}
    for line in order.lines:
        for sku, units in line.stock_units(taken.lines.get(line.line_id, 0)).items():
            freed[sku] = freed.get(sku, 0) + units
    return tuple(stock.release(sku, taken.location_id, units) for sku, units in freed.items() if units)
