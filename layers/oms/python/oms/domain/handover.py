"""Goods that the customer carried out of the shop: they have left already when the order comes in.

A fact of the physical world: it needs no stock to be there, no location's answer and no carrier. What is sold over the
counter beyond what was available drives `available` below zero, and those who were promised it are planned anew. To
allocate such an order is to hand it over: what a worker that died left of a long receipt, the order's execution books.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime

from oms.domain import ids, stock
from oms.domain.changes import MAX_POSITIONS_PER_CHANGE, Context, OrderChange
from oms.domain.events import EventType
from oms.domain.order import (
    Fulfillment,
    FulfillmentLine,
    Line,
    Method,
    Order,
    Request,
    Shipment,
    ShipmentLine,
    ShipmentStatus,
    Work,
)
from oms.domain.progress import step


def hand_over(order: Order, context: Context) -> OrderChange | None:
    """The change that books what the customer carried out, or its first part; None when all of it is booked.

    Call again on the result until None. Who reviews the order finds the goods gone, as they are.
    """
    units = _first_part(order)
    if not units:
        return None
    at = min(order.placed_at, context.now)
    done = _fulfillment(order, len(order.fulfillments) + 1, units, at)
    moves = tuple(
        replace(stock.overship(sku, order.sold_at_location_id, stocked), effective_at=at)
        for line in order.lines
        for sku, stocked in line.stock_units(units.get(line.line_id, 0)).items()
        if stocked
    )
    lines = tuple(_carried(line, units.get(line.line_id, 0)) for line in order.lines)
    delivered = {"shipment_id": done.shipments[0].shipment_id, "parcel": ShipmentStatus.DELIVERED.value}
    changed = step(
        order,
        context,
        (EventType.SHIPMENT_DELIVERED, delivered),
        lines=lines,
        fulfillments=(*order.fulfillments, done),
    )
    return OrderChange(order=changed, moves=moves)


def _first_part(order: Order) -> dict[str, int]:
    """Units per line still on the books, of as many lines as touch no more positions than one change may."""
    if order.method is not Method.CARRY_OUT or not order.sold_at_location_id:
        return {}
    units: dict[str, int] = {}
    skus: set[str] = set()
    for line in order.lines:
        skus |= line.stock_units(1).keys() if line.unallocated else set()
        if len(skus) > MAX_POSITIONS_PER_CHANGE:
            break
        if line.unallocated:
            units[line.line_id] = line.unallocated
    return units


def _fulfillment(order: Order, number: int, units: Mapping[str, int], at: datetime) -> Fulfillment:
    """Work that nobody is asked for any more: the shop did it before it told us."""
    skus = {line.line_id: line.sku for line in order.lines}
    fulfillment_id = ids.fulfillment_id(order.order_id, number)
    parcel = Shipment(
        shipment_id=f"{fulfillment_id}-carried-out",
        carrier="",
        status=ShipmentStatus.DELIVERED,
        status_at=at,
        handed_over_at=at,
        delivered_at=at,
        lines=tuple(ShipmentLine(line_id=line_id, quantity=quantity) for line_id, quantity in units.items()),
    )
    return Fulfillment(
        fulfillment_id=fulfillment_id,
        location_id=order.sold_at_location_id,
        method=Method.CARRY_OUT,
        work=Work.COLLECTED,
        request=Request.ACCEPTED,
        lines=tuple(
            FulfillmentLine(line_id=line_id, sku=skus[line_id], assigned=quantity, shipped=quantity)
            for line_id, quantity in units.items()
        ),
        shipments=(parcel,),
    )


def _carried(line: Line, quantity: int) -> Line:
    return replace(line, unallocated=line.unallocated - quantity, shipped=line.shipped + quantity)
