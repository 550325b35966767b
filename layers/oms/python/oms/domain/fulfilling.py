"""What locations report of their work, judged against the order and never against the order of arrival.

A report that says nothing new changes nothing (`None`). Facts from the physical world are never refused: units
that left without having been promised are booked all the same, and a person is asked to look.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import replace
from typing import Any, NamedTuple

from oms.domain import ids, stock
from oms.domain.capacity import given_back
from oms.domain.changes import MAX_POSITIONS_PER_CHANGE, Backorder, Context, OrderChange
from oms.domain.decisions import put_in_review
from oms.domain.errors import FulfillmentNotFound, InvalidMessage
from oms.domain.events import EventType
from oms.domain.incoming import FulfillmentReport
from oms.domain.intake_questions import accounted_for
from oms.domain.order import Fulfillment, FulfillmentLine, Line, Order, Request, Review, Work
from oms.domain.progress import Happening, step
from oms.domain.shipments import Shipment, ShipmentLine, ShipmentStatus
from oms.domain.stock import StockMove

_Move = Callable[[str, str, int], StockMove]
"""A kind of move of so many units: (sku, location_id, quantity)."""

_WORK_RANK = {Work.OPEN: 0, Work.PICKING: 1, Work.PACKED: 2, Work.READY_FOR_PICKUP: 3}


def apply_report(order: Order, report: FulfillmentReport, context: Context) -> OrderChange | None:
    """The change a report makes, or None if the order says so already.

    A shipment of more lines than one change may move is applied in parts: apply the report until None.
    Raises FulfillmentNotFound, or InvalidMessage for a type or line that does not exist.
    """
    fulfillment = order.fulfillment(report.fulfillment_id)
    if fulfillment is None or fulfillment.location_id != report.location_id:
        raise FulfillmentNotFound(f"{report.location_id} has no fulfillment {report.fulfillment_id}")
    handler = _HANDLERS.get(report.type)
    if handler is None:
        raise InvalidMessage(f"unknown report {report.type}", field="type", reason="UNKNOWN_TYPE")
    unknown = set(report.lines) - {line.line_id for line in order.lines}
    if unknown:
        raise InvalidMessage(f"no such line: {min(unknown)}", field="data.lines", reason="UNKNOWN_LINE")
    return handler(order, fulfillment, report, context)


def _accepted(order: Order, one: Fulfillment, report: FulfillmentReport, context: Context) -> OrderChange | None:
    if one.request is not Request.SUBMITTED:
        return None
    return _changed(order, replace(one, request=Request.ACCEPTED), context, EventType.FULFILLMENT_ACCEPTED)


def _picking(order: Order, one: Fulfillment, report: FulfillmentReport, context: Context) -> OrderChange | None:
    if not _is_progress(one, Work.PICKING):
        return None
    return _changed(order, _at_work(one, Work.PICKING), context, EventType.PICKING_STARTED)


def _packed(order: Order, one: Fulfillment, report: FulfillmentReport, context: Context) -> OrderChange | None:
    if not _is_progress(one, Work.PACKED):
        return None
    lines = tuple(replace(line, picked=line.picked + line.open, open=0) for line in one.lines)
    return _changed(order, replace(_at_work(one, Work.PACKED), lines=lines), context, EventType.FULFILLMENT_PACKED)


def _is_progress(one: Fulfillment, work: Work) -> bool:
    return one.work in _WORK_RANK and _WORK_RANK[one.work] < _WORK_RANK[work]


def _at_work(one: Fulfillment, work: Work) -> Fulfillment:
    """Whoever works has accepted, even if that message was lost or is late."""
    return replace(one, work=work, request=_answered(one))


def _answered(one: Fulfillment) -> Request:
    return Request.ACCEPTED if one.request in (Request.SUBMITTED, Request.UNSUBMITTED) else one.request


def _changed(order: Order, one: Fulfillment, context: Context, event: EventType) -> OrderChange:
    news = {"fulfillment_id": one.fulfillment_id}
    return OrderChange(order=step(order, context, (event, news), fulfillments=_with(order, one)))


def _with(order: Order, one: Fulfillment) -> tuple[Fulfillment, ...]:
    return tuple(one if known.fulfillment_id == one.fulfillment_id else known for known in order.fulfillments)


class _Units(NamedTuple):
    """Units of one line in a report, of a kit whole ones: what was promised, and what left beyond that."""

    line: Line
    promised: int
    excess: int


def _shipped(order: Order, one: Fulfillment, report: FulfillmentReport, context: Context) -> OrderChange | None:
    left = _left_to_book(order, one, report)
    units = _first_part(left)
    if not units:
        return None
    in_parts = len(units) < len(left) or any(parcel.shipment_id == report.shipment_id for parcel in one.shipments)
    promised = {unit.line.line_id: unit.promised for unit in units}
    shipped = {unit.line.line_id: unit.promised + unit.excess for unit in units}
    lines = tuple(_ship_fulfillment_line(line, promised.get(line.line_id, 0)) for line in one.lines)
    open_units = sum(line.open + line.picked for line in lines)
    changed = replace(
        one,
        lines=lines,
        work=one.work if open_units else Work.SHIPPED,
        request=_answered(one),
        shipments=_with_shipment(one, report, shipped),
    )
    order = replace(
        order,
        fulfillments=_with(order, changed),
        lines=tuple(_ship_line(line, promised.get(line.line_id, 0)) for line in order.lines),
    )
    order, rows = _reviewed(order, units, report, context)
    news = {
        "shipment_id": report.shipment_id,
        "carrier": report.carrier,
        "tracking_number": report.tracking_number,
    } | ({"lines": shipped} if in_parts else {})
    settled = accounted_for(order)
    facts: dict[str, Any] = {"review": None} if settled else {}
    return OrderChange(
        order=step(order, context, (EventType.SHIPMENT_SHIPPED, news), *settled, **facts),
        moves=_shipping_moves(units, report, context),
        references=_tracking_references(report),
        backorders_removed=rows,
    )


def _first_part(units: list[_Units]) -> list[_Units]:
    """As many lines as touch no more positions than one change may; all lie at one location."""
    skus: set[str] = set()
    for at, unit in enumerate(units):
        skus |= unit.line.stock_units(1).keys()
        if len(skus) > MAX_POSITIONS_PER_CHANGE:
            return units[:at]
    return units


def _left_to_book(order: Order, one: Fulfillment, report: FulfillmentReport) -> list[_Units]:
    """The reported units that the order's copy of this parcel does not hold yet."""
    known = next((parcel for parcel in one.shipments if parcel.shipment_id == report.shipment_id), None)
    booked = {line.line_id: line.quantity for line in known.lines} if known else {}
    at_location = {line.line_id: line.open + line.picked for line in one.lines}
    reported = report.lines or ({} if known else at_location)
    units = []
    for line in order.lines:
        quantity = reported.get(line.line_id, 0)
        if quantity and line.line_id not in booked:
            promised = min(quantity, at_location.get(line.line_id, 0))
            units.append(_Units(line, promised, quantity - promised))
    return units


def _ship_fulfillment_line(line: FulfillmentLine, quantity: int) -> FulfillmentLine:
    from_picked = min(line.picked, quantity)
    return replace(
        line,
        picked=line.picked - from_picked,
        open=line.open - (quantity - from_picked),
        shipped=line.shipped + quantity,
    )


def _ship_line(line: Line, quantity: int) -> Line:
    return replace(line, in_fulfillment=line.in_fulfillment - quantity, shipped=line.shipped + quantity)


def _with_shipment(one: Fulfillment, report: FulfillmentReport, shipped: dict[str, int]) -> tuple[Shipment, ...]:
    new_lines = tuple(ShipmentLine(line_id=line_id, quantity=quantity) for line_id, quantity in shipped.items())
    for at, known in enumerate(one.shipments):
        if known.shipment_id == report.shipment_id:
            extended = replace(known, lines=known.lines + new_lines)
            return (*one.shipments[:at], extended, *one.shipments[at + 1 :])
    parcel = Shipment(
        shipment_id=report.shipment_id,
        carrier=report.carrier.lower(),
        service=report.service,
        tracking_number=report.tracking_number,
        status=ShipmentStatus.HANDED_OVER,
        status_at=report.occurred_at,
        handed_over_at=report.occurred_at,
        lines=new_lines,
    )
    return (*one.shipments, parcel)


def _reviewed(
    order: Order, units: list[_Units], report: FulfillmentReport, context: Context
) -> tuple[Order, tuple[Backorder, ...]]:
    """The order, in review where more left than was promised, and the backorder rows that it loses by that."""
    if order.review or not any(unit.excess for unit in units):
        return order, ()
    excess = ", ".join(f"{unit.excess} x {unit.line.sku}" for unit in units if unit.excess)
    review = Review(reason="OVERSHIPPED", since=context.now, detail=f"{report.shipment_id}: {excess} too many"[:200])
    positions = {sku for unit in units for sku in unit.line.stock_units(1)}
    return put_in_review(order, review, room=MAX_POSITIONS_PER_CHANGE - len(positions))


def _shipping_moves(units: list[_Units], report: FulfillmentReport, context: Context) -> tuple[StockMove, ...]:
    promised = [(unit.line, unit.promised) for unit in units if unit.promised]
    excess = [(unit.line, unit.excess) for unit in units if unit.excess]
    moves = _moves(stock.ship, promised, report.location_id) + _moves(stock.overship, excess, report.location_id)
    return _dated(moves, report, context)


def _moves(move: _Move, units: Iterable[tuple[Line, int]], location_id: str) -> tuple[StockMove, ...]:
    """The same move for everything on shelves that these units are made of."""
    return tuple(
        move(sku, location_id, stocked)
        for line, quantity in units
        for sku, stocked in line.stock_units(quantity).items()
    )


def _dated(moves: tuple[StockMove, ...], report: FulfillmentReport, context: Context) -> tuple[StockMove, ...]:
    """What happened on the shelves happened when the location says, but not later than now."""
    happened_at = min(report.occurred_at, context.now)
    return tuple(replace(move, effective_at=happened_at) for move in moves)


def _tracking_references(report: FulfillmentReport) -> tuple[str, ...]:
    if not report.tracking_number:
        return ()
    return (ids.tracking_reference(report.carrier, report.tracking_number),)


def _rejected(order: Order, one: Fulfillment, report: FulfillmentReport, context: Context) -> OrderChange | None:
    if one.request not in (Request.SUBMITTED, Request.ACCEPTED):
        return None
    return _give_back(order, one, report, context, EventType.FULFILLMENT_REJECTED)


def _short_picked(order: Order, one: Fulfillment, report: FulfillmentReport, context: Context) -> OrderChange | None:
    return _give_back(order, one, report, context, EventType.LINES_SHORTED)


def _give_back(
    order: Order, one: Fulfillment, report: FulfillmentReport, context: Context, event: EventType
) -> OrderChange | None:
    """Units the location will not ship: stock corrected by the reason, the location excluded, units to route again.

    `lines` of a short pick are the units missing. At most one change's positions at once: apply until None.
    """
    missing = _missing(order, one, report)
    if not missing:
        return None
    lines = tuple(_short_fulfillment_line(line, missing.get(line.line_id, 0), report.message_id) for line in one.lines)
    left, shipped = sum(line.open + line.picked for line in lines), sum(line.shipped for line in lines)
    rejected = event is EventType.FULFILLMENT_REJECTED
    ended = Work.SHIPPED if shipped else Work.INCOMPLETE
    changed = replace(
        one,
        lines=lines,
        work=one.work if left else ended,
        request=Request.REJECTED if rejected and not left else one.request,
        reason_code=report.reason_code or None,
    )
    order_lines = tuple(_return_units(line, missing.get(line.line_id, 0), one.location_id) for line in order.lines)
    news: Happening = (event, {"fulfillment_id": one.fulfillment_id, "reason": report.reason_code})
    gone = [(line, missing[line.line_id]) for line in order.lines if line.line_id in missing]
    lost = _MOVE_OF_REASON.get(report.reason_code)
    moves = _moves(lost or stock.release, gone, one.location_id)
    moves = _dated(moves, report, context) if lost else moves
    after = step(order, context, news, lines=order_lines, fulfillments=_with(order, changed))
    return OrderChange(order=after, moves=moves, capacity=given_back(order, after))


def _missing(order: Order, one: Fulfillment, report: FulfillmentReport) -> dict[str, int]:
    """Units per line that were promised and will not come; each line of a report is booked once."""
    order_lines = {line.line_id: line for line in order.lines}
    missing: list[_Units] = []
    for line in one.lines:
        at_work = line.open + line.picked
        told = report.lines.get(line.line_id, 0) if report.lines else at_work
        if report.message_id not in line.shorted_by and min(told, at_work) > 0:
            missing.append(_Units(order_lines[line.line_id], min(told, at_work), 0))
    return {unit.line.line_id: unit.promised for unit in _first_part(missing)}


def _short_fulfillment_line(line: FulfillmentLine, quantity: int, message_id: str) -> FulfillmentLine:
    if not quantity:
        return line
    from_open = min(line.open, quantity)
    return replace(
        line,
        open=line.open - from_open,
        picked=line.picked - (quantity - from_open),
        shorted=line.shorted + quantity,
        shorted_by=(*line.shorted_by, message_id),
    )


def _return_units(line: Line, quantity: int, location_id: str) -> Line:
    if not quantity:
        return line
    excluded = (*line.excluded_locations, location_id)
    return replace(
        line,
        in_fulfillment=line.in_fulfillment - quantity,
        unallocated=line.unallocated + quantity,
        excluded_locations=tuple(dict.fromkeys(excluded)),
    )


_MOVE_OF_REASON: dict[str, _Move] = {
    "NOT_IN_STOCK": stock.not_found,
    "DAMAGED": stock.damage,
}

_Handler = Callable[[Order, Fulfillment, FulfillmentReport, Context], OrderChange | None]
_HANDLERS: dict[str, _Handler] = {
    "fulfillment.accepted": _accepted,
    "fulfillment.rejected": _rejected,
    "fulfillment.picking": _picking,
    "fulfillment.short_picked": _short_picked,
    "fulfillment.packed": _packed,
    "fulfillment.shipped": _shipped,
}
REPORT_TYPES = tuple(_HANDLERS)
