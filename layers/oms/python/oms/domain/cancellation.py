"""Cancel units of an order before its work is released: the promise on the stock is taken back."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from oms.domain import stock
from oms.domain.capacity import given_back
from oms.domain.changes import MAX_POSITIONS_PER_CHANGE, Context, OrderChange, queue_rows
from oms.domain.errors import IllegalTransition
from oms.domain.events import EventType
from oms.domain.order import Fulfillment, Line, Order, Work
from oms.domain.progress import Happening, is_released, step, was_released
from oms.domain.stock import StockMove


def open_units(order: Order) -> dict[str, int]:
    """Units per line that have not shipped and are not cancelled; lines with none are left out."""
    units = {line.line_id: line.unallocated + line.in_fulfillment for line in order.lines}
    return {line_id: quantity for line_id, quantity in units.items() if quantity}


def held_positions(order: Order) -> int:
    """Stock positions that hold units for work not released yet, and the days on which it has a place."""
    lines = {line.line_id: line for line in order.lines}
    open_work = (one for one in order.fulfillments if not is_released(one))
    held = (_positions(lines[line.line_id], one) for one in open_work for line in one.lines if line.open)
    return len(set[_Position]().union(*held))


_Position = tuple[str, str]
"""sku and location_id, or day and location_id."""


def _positions(line: Line, at: Fulfillment) -> set[_Position]:
    days = [at.capacity_day] if at.capacity_day else []
    return {(name, at.location_id) for name in (*line.stock_units(1), *days)}


def cancel(order: Order, units: Mapping[str, int], context: Context, reason: str) -> OrderChange | None:
    """The change that cancels these units per line, or its first part; None when nothing is left to cancel.

    Unallocated units go first, then those at locations. Raises IllegalTransition once work was released:
    after that only the location can say whether it can still stop.
    """
    if was_released(order):
        raise IllegalTransition("a location works on this order already", status=order.status.value)
    open_now = open_units(order)
    wanted = {line_id: min(n, open_now[line_id]) for line_id, n in units.items() if line_id in open_now and n > 0}
    if not wanted:
        return None
    wanted, rows = _first_part(order, wanted)
    freed, fulfillments = free(order, _beyond_unallocated(order, wanted), MAX_POSITIONS_PER_CHANGE - rows)
    cancelled = _cancelled_now(order, wanted, freed)
    lines = tuple(_cancel_line(line, cancelled.get(line.line_id, 0), freed) for line in order.lines)
    facts: dict[str, Any] = {"lines": lines, "fulfillments": fulfillments}
    if all(line.cancelled == line.ordered for line in lines):
        facts["review"] = None  # nothing is left to decide
    changed = step(order, context, _news(lines, cancelled, reason), **facts)
    put, deleted = queue_rows(order, changed)
    return OrderChange(
        order=changed,
        moves=moves_back(order, fulfillments),
        capacity=given_back(order, changed),
        backorders_added=put,
        backorders_removed=deleted,
    )


def deallocate(order: Order, context: Context, *happened: Happening) -> OrderChange:
    """The change that takes all unreleased work back from its locations, so that the order is routed again.

    Raises IllegalTransition when that would touch more positions than one change may.
    """
    wanted = {line.line_id: line.in_fulfillment for line in order.lines if line.in_fulfillment}
    freed, fulfillments = free(order, wanted, MAX_POSITIONS_PER_CHANGE)
    if freed != wanted:
        raise IllegalTransition("too many positions to route again in one change", bound=MAX_POSITIONS_PER_CHANGE)
    lines = tuple(
        replace(
            line,
            in_fulfillment=line.in_fulfillment - freed.get(line.line_id, 0),
            unallocated=line.unallocated + freed.get(line.line_id, 0),
        )
        for line in order.lines
    )
    changed = step(order, context, *happened, lines=lines, fulfillments=fulfillments)
    return OrderChange(order=changed, moves=moves_back(order, fulfillments), capacity=given_back(order, changed))


def _first_part(order: Order, wanted: Mapping[str, int]) -> tuple[dict[str, int], int]:
    """What one change can cancel, were there no positions to touch, and the backorder rows that it changes."""
    part: dict[str, int] = {}
    rows = 0
    for line in order.lines:
        if line.line_id in wanted:
            rows_of_line = len(line.stock_units(1)) if line.backordered else 0
            if len(part) == MAX_POSITIONS_PER_CHANGE or rows + rows_of_line > MAX_POSITIONS_PER_CHANGE:
                break
            part[line.line_id] = wanted[line.line_id]
            rows += rows_of_line
    return part, rows


def _beyond_unallocated(order: Order, wanted: Mapping[str, int]) -> dict[str, int]:
    beyond = {line.line_id: wanted.get(line.line_id, 0) - line.unallocated for line in order.lines}
    return {line_id: quantity for line_id, quantity in beyond.items() if quantity > 0}


def free(order: Order, wanted: Mapping[str, int], bound: int) -> tuple[dict[str, int], tuple[Fulfillment, ...]]:
    """Takes units per line back from unreleased work, at no more than `bound` positions and days; what it took."""
    left, freed, positions = dict(wanted), dict.fromkeys(wanted, 0), set[_Position]()
    order_lines = {line.line_id: line for line in order.lines}
    fulfillments = []
    for one in order.fulfillments:
        lines = []
        for line in one.lines:
            take = 0 if is_released(one) else min(line.open, left.get(line.line_id, 0))
            touched = positions | _positions(order_lines[line.line_id], one) if take else positions
            if take and len(touched) <= bound:
                positions = touched
                left[line.line_id] -= take
                freed[line.line_id] += take
                lines.append(replace(line, open=line.open - take, cancelled=line.cancelled + take))
            else:
                lines.append(line)
        fulfillments.append(_ended_if_empty(replace(one, lines=tuple(lines))))
    return {line_id: units for line_id, units in freed.items() if units}, tuple(fulfillments)


def _ended_if_empty(one: Fulfillment) -> Fulfillment:
    empty = all(line.cancelled == line.assigned for line in one.lines)
    return replace(one, work=Work.CANCELLED) if empty else one


def _cancelled_now(order: Order, wanted: Mapping[str, int], freed: Mapping[str, int]) -> dict[str, int]:
    unallocated = {line.line_id: line.unallocated for line in order.lines}
    now = {line_id: min(quantity, unallocated[line_id]) + freed.get(line_id, 0) for line_id, quantity in wanted.items()}
    return {line_id: quantity for line_id, quantity in now.items() if quantity}


def _cancel_line(line: Line, quantity: int, freed: Mapping[str, int]) -> Line:
    at_locations = freed.get(line.line_id, 0)
    unallocated = line.unallocated - (quantity - at_locations)
    return replace(
        line,
        unallocated=unallocated,
        in_fulfillment=line.in_fulfillment - at_locations,
        cancelled=line.cancelled + quantity,
        backordered=min(line.backordered, unallocated),
    )


def _news(lines: tuple[Line, ...], cancelled: Mapping[str, int], reason: str) -> Happening:
    if all(line.cancelled == line.ordered for line in lines):
        return EventType.ORDER_CANCELLED, {"reason": reason}
    return EventType.LINES_CANCELLED, {"reason": reason, "lines": dict(cancelled)}


def moves_back(order: Order, fulfillments: tuple[Fulfillment, ...]) -> tuple[StockMove, ...]:
    """The stock that is given back where these are the order's fulfillments from now on."""
    order_lines = {line.line_id: line for line in order.lines}
    moves: list[StockMove] = []
    for before, after in zip(order.fulfillments, fulfillments, strict=True):
        for was, line in zip(before.lines, after.lines, strict=True):
            if line.cancelled > was.cancelled:
                freed = order_lines[line.line_id].stock_units(line.cancelled - was.cancelled)
                moves += [stock.release(sku, after.location_id, units) for sku, units in freed.items()]
    return tuple(moves)
