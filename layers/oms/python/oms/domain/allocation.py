"""Allocate: put the routing plan into the order and promise it the stock."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from oms.domain import ids, stock
from oms.domain.changes import MAX_POSITIONS_PER_CHANGE, Context, OrderChange, backorder
from oms.domain.events import EventType
from oms.domain.order import Fulfillment, FulfillmentLine, Line, Order
from oms.domain.progress import is_released, step
from oms.domain.routing import Assignment, RoutingPlan

MAX_BACKORDERS_PER_CHANGE = 90


def allocate(order: Order, plan: RoutingPlan, context: Context) -> OrderChange:
    """The change that allocates the plan, or its first part where the plan touches more positions than one change may.

    What is left stays unallocated on the lines; route and allocate again until nothing is.
    """
    assignments = _first_part(order, plan.assignments)
    fulfillments = _assigned(order, assignments)
    quantities = _quantities(assignments)
    lines = tuple(_take(line, quantities.get(line.line_id, 0)) for line in order.lines)
    moves = tuple(
        stock.commit(_sku(order, line_id), one.location_id, quantity)
        for one in assignments
        for line_id, quantity in one.lines
    )
    news = {"locations": [one.location_id for one in assignments], "cost_minor": plan.cost_minor}
    changed = step(order, context, (EventType.ORDER_ALLOCATED, news), lines=lines, fulfillments=fulfillments)
    waited = [line for line in order.lines if line.backordered and quantities.get(line.line_id)]
    return OrderChange(order=changed, moves=moves, backorders_removed=tuple(backorder(order, line) for line in waited))


def record_shortage(order: Order, shortages: Mapping[str, int], context: Context) -> OrderChange | None:
    """The change that notes which units wait for stock, or None if the order says so already.

    `shortages` maps sku to missing units; they are borne by the last lines of that sku. At most
    MAX_BACKORDERS_PER_CHANGE lines change at once; ask again until None.
    """
    wanted = _spread(order, shortages)
    differing = [line for line in order.lines if line.backordered != wanted[line.line_id]]
    differing = differing[:MAX_BACKORDERS_PER_CHANGE]
    if not differing:
        return None
    changed_ids = {line.line_id for line in differing}
    lines = tuple(
        replace(line, backordered=wanted[line.line_id]) if line.line_id in changed_ids else line for line in order.lines
    )
    changed = step(order, context, (EventType.ORDER_BACKORDERED, {"short": dict(shortages)}), lines=lines)
    rows = [(line.backordered, backorder(changed, line)) for line in lines if line.line_id in changed_ids]
    return OrderChange(
        order=changed,
        backorders_added=tuple(row for quantity, row in rows if quantity),
        backorders_removed=tuple(row for quantity, row in rows if not quantity),
    )


def _first_part(order: Order, assignments: Sequence[Assignment]) -> list[Assignment]:
    part: list[Assignment] = []
    touched: set[tuple[str, str]] = set()
    for one in assignments:
        taken = []
        for line_id, quantity in one.lines:
            rows = touched | _rows(order, line_id, one.location_id)
            if len(rows) <= MAX_POSITIONS_PER_CHANGE:
                touched = rows
                taken.append((line_id, quantity))
        if taken:
            part.append(replace(one, lines=tuple(taken)))
    return part


def _rows(order: Order, line_id: str, location_id: str) -> set[tuple[str, str]]:
    """What allocating the line there touches: the position, and its backorder row where it has one."""
    line = next(line for line in order.lines if line.line_id == line_id)
    rows = {(line.sku, location_id)}
    return rows | {("backorder", line_id)} if line.backordered else rows


def _assigned(order: Order, assignments: Sequence[Assignment]) -> tuple[Fulfillment, ...]:
    """The order's fulfillments with the assignments in them; unreleased work at the same location is extended."""
    fulfillments = list(order.fulfillments)
    for one in assignments:
        new_lines = tuple(
            FulfillmentLine(line_id=line_id, sku=_sku(order, line_id), assigned=quantity, open=quantity)
            for line_id, quantity in one.lines
        )
        index = next((at for at, known in enumerate(fulfillments) if _extends(known, one, new_lines)), None)
        if index is None:
            fulfillments.append(_fulfillment(order, len(fulfillments) + 1, one, new_lines))
        else:
            known = fulfillments[index]
            cost = max(known.cost_minor, one.cost_minor)  # the first part was priced with all that follows
            fulfillments[index] = replace(known, lines=known.lines + new_lines, cost_minor=cost)
    return tuple(fulfillments)


def _extends(known: Fulfillment, one: Assignment, new_lines: Sequence[FulfillmentLine]) -> bool:
    return (
        not is_released(known)
        and (known.location_id, known.carrier, known.service) == (one.location_id, one.carrier, one.service)
        and any(line.open for line in known.lines)
        and not {line.line_id for line in known.lines} & {line.line_id for line in new_lines}
    )


def _fulfillment(order: Order, number: int, one: Assignment, lines: tuple[FulfillmentLine, ...]) -> Fulfillment:
    return Fulfillment(
        fulfillment_id=ids.fulfillment_id(order.order_id, number),
        location_id=one.location_id,
        method=order.method,
        carrier=one.carrier,
        service=one.service,
        cost_minor=one.cost_minor,
        lines=lines,
    )


def _quantities(assignments: Sequence[Assignment]) -> dict[str, int]:
    quantities: dict[str, int] = {}
    for one in assignments:
        for line_id, quantity in one.lines:
            quantities[line_id] = quantities.get(line_id, 0) + quantity
    return quantities


def _take(line: Line, quantity: int) -> Line:
    if not quantity:
        return line
    return replace(
        line,
        unallocated=line.unallocated - quantity,
        in_fulfillment=line.in_fulfillment + quantity,
        backordered=0,
    )


def _spread(order: Order, shortages: Mapping[str, int]) -> dict[str, int]:
    """Missing units per line: the last lines of a sku go short first."""
    missing, wanted = dict(shortages), {}
    for line in reversed(order.lines):
        short = min(line.unallocated, missing.get(line.sku, 0))
        wanted[line.line_id] = short
        missing[line.sku] = missing.get(line.sku, 0) - short
    return wanted


def _sku(order: Order, line_id: str) -> str:
    return next(line.sku for line in order.lines if line.line_id == line_id)
