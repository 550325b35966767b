"""Goods that have left already when the order comes in: the customer carried them out of the shop, or somebody else
shipped them.

What was carried out is a fact of the physical world: it needs no stock to be there, no location's answer and no
carrier. What is sold over the counter beyond what was available drives `available` below zero, and those who were
promised it are planned anew. To allocate such an order is to hand it over: what a worker that died left of a long
receipt, the order's execution books. What somebody else shipped leaves no shelf of ours as far as we know.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime

from oms.domain import ids, stock
from oms.domain.changes import MAX_POSITIONS_PER_CHANGE, Context, OrderChange
from oms.domain.events import EventType
from oms.domain.order import Fulfillment, FulfillmentLine, Line, Method, Order, Request, Work
from oms.domain.progress import step
from oms.domain.shipments import Shipment, ShipmentLine, ShipmentStatus

ELSEWHERE = "SHIPPED-ELSEWHERE"
"""The location of units that somebody else had shipped before we heard of their order."""


def left_elsewhere(order: Order, at: datetime) -> Order:
    """The facts of a new order of which nothing is left to ship: nobody works on it, and nothing holds it back."""
    units = {line.line_id: line.unallocated for line in order.lines if line.unallocated}
    lines = tuple(_carried(line, line.unallocated) for line in order.lines)
    return replace(order, lines=lines, fulfillments=(_fulfillment(order, units, ELSEWHERE, at),), holds=())


def hand_over(order: Order, context: Context) -> OrderChange | None:
    """The change that books what the customer carried out, or its first part; None when all of it is booked.

    Call again on the result until None. Who reviews the order finds the goods gone, as they are.
    """
    units = _first_part(order)
    if not units:
        return None
    at = min(order.placed_at, context.now)
    done = _fulfillment(order, units, order.sold_at_location_id, at)
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


def _fulfillment(order: Order, units: Mapping[str, int], location_id: str, at: datetime) -> Fulfillment:
    """Work that nobody is asked for any more: it was done before we were told."""
    skus = {line.line_id: line.sku for line in order.lines}
    fulfillment_id = ids.fulfillment_id(order.order_id, len(order.fulfillments) + 1)
    carried_out = order.method is Method.CARRY_OUT
    parcel = Shipment(
        shipment_id=f"{fulfillment_id}-{'carried-out' if carried_out else 'elsewhere'}",
        carrier="",
        status=ShipmentStatus.DELIVERED,
        status_at=at,
        handed_over_at=at,
        delivered_at=at,
        lines=tuple(ShipmentLine(line_id=line_id, quantity=quantity) for line_id, quantity in units.items()),
    )
    return Fulfillment(
        fulfillment_id=fulfillment_id,
        location_id=location_id,
        method=order.method,
        work=Work.COLLECTED if carried_out else Work.DELIVERED,
        request=Request.ACCEPTED,
        lines=tuple(
            FulfillmentLine(line_id=line_id, sku=skus[line_id], assigned=quantity, shipped=quantity)
            for line_id, quantity in units.items()
        ),
        shipments=(parcel,),
    )


def _carried(line: Line, quantity: int) -> Line:
    return replace(line, unallocated=line.unallocated - quantity, shipped=line.shipped + quantity)
