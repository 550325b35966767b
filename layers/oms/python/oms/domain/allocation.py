"""Allocate: put the routing plan into the order and promise it the stock."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from oms.domain import ids, stock
from oms.domain.capacity import CapacityMove, given_back, taken
from oms.domain.catalog import BackorderRule
from oms.domain.changes import MAX_POSITIONS_PER_CHANGE, Context, OrderChange, queue_rows
from oms.domain.events import EventType
from oms.domain.order import Fulfillment, FulfillmentLine, Line, Order
from oms.domain.progress import is_released, step
from oms.domain.promising import promised
from oms.domain.routing import Assignment, RoutingPlan
from oms.domain.routing_record import MAX_LOCATIONS_TOLD, routed_news


def allocate(order: Order, plan: RoutingPlan, context: Context) -> OrderChange:
    """The change that allocates the plan, or its first part where the plan touches more positions than one change may.

    What is left stays unallocated on the lines; route and allocate again until nothing is.
    """
    assignments = _first_part(order, plan.assignments)
    fulfillments = _assigned(order, assignments)
    quantities = _quantities(assignments)
    lines = tuple(_take(line, quantities.get(line.line_id, 0)) for line in order.lines)
    moves = tuple(
        stock.commit(sku, one.location_id, units)
        for one in assignments
        for line_id, quantity in one.lines
        for sku, units in _line(order, line_id).stock_units(quantity).items()
    )
    facts, moved_promise = promised(order, plan) if _makes_promises(order, plan, context) else ({}, [])
    changed = step(
        order,
        context,
        (EventType.ORDER_ROUTED, routed_news(order, plan)),
        *moved_promise,
        (EventType.ORDER_ALLOCATED, {"locations": [one.location_id for one in assignments][:MAX_LOCATIONS_TOLD]}),
        lines=lines,
        fulfillments=fulfillments,
        routing_policy_version=plan.policy_version or None,
        unroutable_since=None,
        **facts,
    )
    put, deleted = queue_rows(order, changed)
    return OrderChange(
        order=changed,
        moves=moves,
        capacity=_places(order, changed, assignments),
        backorders_added=put,
        backorders_removed=deleted,
    )


def _makes_promises(order: Order, plan: RoutingPlan, context: Context) -> bool:
    """Whether the plan says when the order arrives: it has all of it, or all that there will be. What is there of an
    order that waits for the rest makes no promise, but may move one."""
    planned = sum(quantity for one in plan.assignments for _, quantity in one.lines)
    whole = planned == sum(line.unallocated for line in order.lines if line.requires_shipping)
    rest_is_cancelled = context.policy.backorder_rule is BackorderRule.CANCEL_REST
    return whole or rest_is_cancelled or order.promised_by is not None


def _places(order: Order, changed: Order, assignments: Sequence[Assignment]) -> tuple[CapacityMove, ...]:
    """The places that fulfillments take in their locations' days; work that goes on another day than it was to gives
    the old one back."""
    limits = {(one.location_id, one.capacity_day): one.capacity_limit for one in assignments}
    before = {one.fulfillment_id: one.capacity_day for one in order.fulfillments}
    new = [one for one in changed.fulfillments if before.get(one.fulfillment_id) != one.capacity_day]
    places = tuple(move for one in new for move in taken(one, limits.get((one.location_id, one.capacity_day))))
    return (*places, *given_back(order, changed))


def _first_part(order: Order, assignments: Sequence[Assignment]) -> list[Assignment]:
    part: list[Assignment] = []
    touched: set[tuple[str, str]] = set()
    for one in assignments:
        taken = []
        for line_id, quantity in one.lines:
            rows = touched | _rows(order, line_id, one)
            if len(rows) <= MAX_POSITIONS_PER_CHANGE:
                touched = rows
                taken.append((line_id, quantity))
        if taken:
            part.append(replace(one, lines=tuple(taken)))
    return part


def _rows(order: Order, line_id: str, one: Assignment) -> set[tuple[str, str]]:
    """What allocating the line there touches: positions, the location's day where days are counted, and the line's
    rows in the queues where it has some."""
    line = _line(order, line_id)
    skus = line.stock_units(1)
    rows = {(sku, one.location_id) for sku in skus} | ({("day", one.location_id)} if one.capacity_day else set())
    return rows | {(sku, f"backorder {line_id}") for sku in skus} if line.backordered else rows


def _assigned(order: Order, assignments: Sequence[Assignment]) -> tuple[Fulfillment, ...]:
    """The order's fulfillments with the assignments in them; unreleased work at the same location is extended."""
    fulfillments = list(order.fulfillments)
    for one in assignments:
        new_lines = tuple(
            FulfillmentLine(line_id=line_id, sku=_line(order, line_id).sku, assigned=quantity, open=quantity)
            for line_id, quantity in one.lines
        )
        index = next((at for at, known in enumerate(fulfillments) if _extends(known, one, new_lines)), None)
        if index is None:
            fulfillments.append(_fulfillment(order, len(fulfillments) + 1, one, new_lines))
        else:
            known = fulfillments[index]
            cost = max(known.cost_minor, one.cost_minor)  # the first part was priced with all that follows
            fulfillments[index] = replace(
                known,
                lines=known.lines + new_lines,
                cost_minor=cost,
                deliver_by=max((at for at in (known.deliver_by, one.deliver_by) if at), default=None),
                capacity_day=one.capacity_day or known.capacity_day,
            )
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
        capacity_day=one.capacity_day,
        deliver_by=one.deliver_by,
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
    left = line.unallocated - quantity
    return replace(
        line,
        unallocated=left,
        in_fulfillment=line.in_fulfillment + quantity,
        backordered=min(line.backordered, left),
    )


def _line(order: Order, line_id: str) -> Line:
    return next(line for line in order.lines if line.line_id == line_id)
