"""Cancel units of an order before its work is released: the promise on the stock is taken back."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from oms.domain import stock
from oms.domain.changes import MAX_POSITIONS_PER_CHANGE, Backorder, Context, OrderChange, backorder
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
    """Stock positions that hold units for work not released yet."""
    open_work = (one for one in order.fulfillments if not is_released(one))
    return len({(line.sku, one.location_id) for one in open_work for line in one.lines if line.open})


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
    wanted = dict(list(wanted.items())[:MAX_POSITIONS_PER_CHANGE])
    waiting = sum(1 for line in order.lines if line.backordered and line.line_id in wanted)
    bound = MAX_POSITIONS_PER_CHANGE - waiting
    freed, fulfillments = _free(order, _beyond_unallocated(order, wanted), bound)
    cancelled = _cancelled_now(order, wanted, freed)
    lines = tuple(_cancel_line(line, cancelled.get(line.line_id, 0), freed) for line in order.lines)
    facts: dict[str, Any] = {"lines": lines, "fulfillments": fulfillments}
    if all(line.cancelled == line.ordered for line in lines):
        facts["review"] = None  # nothing is left to decide
    return OrderChange(
        order=step(order, context, _news(lines, cancelled, reason), **facts),
        moves=_moves(order, fulfillments),
        backorders_added=_still_waiting(order, lines),
        backorders_removed=_no_longer_waiting(order, lines),
    )


def deallocate(order: Order, context: Context, *happened: Happening) -> OrderChange:
    """The change that takes all unreleased work back from its locations, so that the order is routed again.

    Raises IllegalTransition when that would touch more positions than one change may.
    """
    wanted = {line.line_id: line.in_fulfillment for line in order.lines if line.in_fulfillment}
    freed, fulfillments = _free(order, wanted, MAX_POSITIONS_PER_CHANGE)
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
    return OrderChange(order=changed, moves=_moves(order, fulfillments))


def _beyond_unallocated(order: Order, wanted: Mapping[str, int]) -> dict[str, int]:
    beyond = {line.line_id: wanted.get(line.line_id, 0) - line.unallocated for line in order.lines}
    return {line_id: quantity for line_id, quantity in beyond.items() if quantity > 0}


def _free(order: Order, wanted: Mapping[str, int], bound: int) -> tuple[dict[str, int], tuple[Fulfillment, ...]]:
    """Takes units back from unreleased work, at no more than `bound` positions."""
    left, freed, positions = dict(wanted), dict.fromkeys(wanted, 0), set[tuple[str, str]]()
    fulfillments = []
    for one in order.fulfillments:
        lines = []
        for line in one.lines:
            take = 0 if is_released(one) else min(line.open, left.get(line.line_id, 0))
            position = (line.sku, one.location_id)
            if take and (position in positions or len(positions) < bound):
                positions.add(position)
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


def _moves(order: Order, fulfillments: tuple[Fulfillment, ...]) -> tuple[StockMove, ...]:
    moves = []
    for before, after in zip(order.fulfillments, fulfillments, strict=True):
        for was, line in zip(before.lines, after.lines, strict=True):
            if line.cancelled > was.cancelled:
                freed = line.cancelled - was.cancelled
                moves.append(stock.release(line.sku, after.location_id, freed))
    return tuple(moves)


def _still_waiting(order: Order, lines: tuple[Line, ...]) -> tuple[Backorder, ...]:
    pairs = zip(order.lines, lines, strict=True)
    return tuple(backorder(order, line) for was, line in pairs if 0 < line.backordered != was.backordered)


def _no_longer_waiting(order: Order, lines: tuple[Line, ...]) -> tuple[Backorder, ...]:
    pairs = zip(order.lines, lines, strict=True)
    return tuple(backorder(order, was) for was, line in pairs if was.backordered and not line.backordered)
