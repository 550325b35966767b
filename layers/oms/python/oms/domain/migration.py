"""Loading open orders of the system before ours: what shipped or was cancelled stays so, the rest is promised anew.

Units still to ship are committed where the old system says they lie, or routed as any others where it says nothing.
Shipped units are facts without a movement: on_hand was counted after they left. What happened before is told as events
of `migration`, so that later notices know what a channel has heard of; nobody is told of them.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace

from oms.domain import ids, intake, stock
from oms.domain.catalog import ChannelAccount, Product
from oms.domain.changes import MAX_POSITIONS_PER_CHANGE, Context, OrderChange, fold
from oms.domain.events import EventType
from oms.domain.migrated import MigratedOrder, Parcel, total_of
from oms.domain.order import Fulfillment, FulfillmentLine, Line, Order, Request, Review, Work
from oms.domain.progress import Happening, first, step
from oms.domain.shipments import Shipment, ShipmentLine, ShipmentStatus

ACTOR = "migration"
MIGRATION = "MIGRATION"
"""The review an order is in until all of it is committed where the file says: nothing is routed meanwhile."""

MARK = "migration"
"""Where the order remembers, in `external_ids`, what was loaded."""

REFUSED_REVIEWS = frozenset({"UNKNOWN_SKU", "KIT_ORDERED"})
"""What would put an order in review for goods we can't tell apart: such an order is not loaded."""


def create(
    migrated: MigratedOrder, products: Mapping[str, Product], account: ChannelAccount, context: Context
) -> OrderChange:
    """Version 1 of the order, with as much of it committed as one change may hold."""
    received = intake.receive(migrated.incoming, products, account, context)
    order = received.order
    fulfillments, references = _left_before(order, migrated, context)
    happened = [(EventType.ORDER_RECEIVED, {"lines": len(order.lines), "migrated": True}), *_past(order, fulfillments)]
    if order.review:
        happened.append((EventType.REVIEW_REQUESTED, {"reason": order.review.reason}))
    begun = replace(
        order,
        lines=tuple(_shipped(line, migrated.shipped.get(line.line_id, 0)) for line in order.lines),
        fulfillments=fulfillments,
        external_ids={**order.external_ids, MARK: migrated.content},
        events=(),
    )
    made = replace(
        received,
        order=first(begun, context, *happened),
        references=tuple(dict.fromkeys((*received.references, *references))),
    )
    part = _next_part(made.order, migrated, context)
    return fold([made, part]) if part else made


def next_part(order: Order, migrated: MigratedOrder, context: Context) -> OrderChange | None:
    """The change that commits what the file says and the order does not have yet, or its first part; None when that is
    done. The last part ends the review that kept the rest from being routed elsewhere: without it, it was."""
    return _next_part(order, migrated, context) if order.review else None


def _next_part(order: Order, migrated: MigratedOrder, context: Context) -> OrderChange | None:
    wanted = _still_wanted(order, migrated)
    if not wanted:
        return _completed(order, context)
    part, is_all = _first_part(order, wanted)
    fulfillments = _with_work(order, part, migrated.asked, context)
    quantities = total_of(part.values())
    happened: list[Happening] = [(EventType.ORDER_ALLOCATED, {"locations": sorted(part)})]
    review = order.review
    if not is_all and review is None:
        review = Review(reason=MIGRATION, since=context.now, detail="more follows")
        happened.append((EventType.REVIEW_REQUESTED, {"reason": MIGRATION}))
    elif is_all and review and review.reason == MIGRATION:
        review = None
        happened.append((EventType.REVIEW_RESOLVED, {"reason": MIGRATION}))
    changed = step(
        order,
        context,
        *happened,
        lines=tuple(_promised(line, quantities[line.line_id]) for line in order.lines),
        fulfillments=fulfillments,
        review=review,
    )
    return OrderChange(order=changed, moves=_commits(order, part))


def unplaced(migrated: MigratedOrder) -> MigratedOrder:
    """The order as if the file said nothing of where its units lie: all of them are routed."""
    return replace(migrated, allocated={}, asked=frozenset())


def leave_the_rest(order: Order, context: Context) -> OrderChange | None:
    """The change that lets what could not be committed be routed as any other; None where nothing waits for it."""
    return _completed(order, context)


def is_the_same(order: Order, migrated: MigratedOrder) -> bool:
    """Whether this very order was loaded: not one that came another way, or was said to be otherwise."""
    return order.external_ids.get(MARK) == migrated.content


def held_units(order: Order) -> Counter[tuple[str, str]]:
    """Units that locations hold for the order, or have shipped of what they held, by sku and location_id."""
    lines = {line.line_id: line for line in order.lines}
    units: Counter[tuple[str, str]] = Counter()
    for one in order.fulfillments:
        for part in one.lines:
            quantity = part.open + part.picked + (0 if _left_before_us(one) else part.shipped)
            for sku, stocked in lines[part.line_id].stock_units(quantity).items():
                units[sku, one.location_id] += stocked
    return +units


def _past(order: Order, fulfillments: Sequence[Fulfillment]) -> list[Happening]:
    """What happened to the order before it came here."""
    cancelled = {line.line_id: line.cancelled for line in order.lines if line.cancelled}
    told: list[Happening] = []
    if cancelled:
        told.append((EventType.LINES_CANCELLED, {"reason": MIGRATION, "lines": cancelled}))
    told += [
        (
            EventType.SHIPMENT_SHIPPED,
            {
                "shipment_id": parcel.shipment_id,
                "carrier": parcel.carrier,
                "tracking_number": parcel.tracking_number,
            },
        )
        for one in fulfillments
        for parcel in one.shipments
    ]
    return told


def _shipped(line: Line, quantity: int) -> Line:
    if not line.requires_shipping:
        return line
    return replace(line, unallocated=line.unallocated - quantity, shipped=quantity)


def _promised(line: Line, quantity: int) -> Line:
    return replace(line, unallocated=line.unallocated - quantity, in_fulfillment=line.in_fulfillment + quantity)


def _completed(order: Order, context: Context) -> OrderChange | None:
    if order.review is None or order.review.reason != MIGRATION:
        return None
    return OrderChange(order=step(order, context, (EventType.REVIEW_RESOLVED, {"reason": MIGRATION}), review=None))


def _left_before(
    order: Order, migrated: MigratedOrder, context: Context
) -> tuple[tuple[Fulfillment, ...], tuple[str, ...]]:
    """Work done before, one fulfillment per location, and what its parcels are known by."""
    parcels = [*migrated.parcels, *_unknown_parcel(order, migrated, context)]
    skus = {line.line_id: line.sku for line in order.lines}
    done = []
    for number, location_id in enumerate(dict.fromkeys(one.location_id for one in parcels), start=1):
        here = [one for one in parcels if one.location_id == location_id]
        arrived = all(one.delivered_at for one in here)
        done.append(
            Fulfillment(
                fulfillment_id=ids.fulfillment_id(order.order_id, number),
                location_id=location_id,
                method=order.method,
                work=Work.DELIVERED if arrived else Work.SHIPPED,
                request=Request.ACCEPTED,
                lines=tuple(
                    FulfillmentLine(line_id=line_id, sku=skus[line_id], assigned=quantity, shipped=quantity)
                    for line_id, quantity in total_of(one.lines for one in here).items()
                ),
                shipments=tuple(_shipment(one) for one in here),
            )
        )
    references = (
        ids.tracking_reference(one.carrier, one.tracking_number) for one in migrated.parcels if one.tracking_number
    )
    return tuple(done), tuple(references)


def _unknown_parcel(order: Order, migrated: MigratedOrder, context: Context) -> list[Parcel]:
    """Shipped units of which no parcel is known: nobody would ever hear more of them, so they count as delivered."""
    left = Counter({line_id: units for line_id, units in migrated.shipped.items() if units})
    left.subtract(total_of(one.lines for one in migrated.parcels))
    units = dict(+left)
    if not units:
        return []
    at = min(migrated.incoming.channel_updated_at, context.now)
    parcel = Parcel(shipment_id=f"{order.order_id}-before", shipped_at=at, delivered_at=at, lines=units)
    return [parcel]


def _shipment(parcel: Parcel) -> Shipment:
    return Shipment(
        shipment_id=parcel.shipment_id,
        carrier=parcel.carrier.lower(),
        service=parcel.service,
        tracking_number=parcel.tracking_number,
        status=ShipmentStatus.DELIVERED if parcel.delivered_at else ShipmentStatus.HANDED_OVER,
        status_at=parcel.delivered_at or parcel.shipped_at,
        handed_over_at=parcel.shipped_at,
        delivered_at=parcel.delivered_at,
        lines=tuple(ShipmentLine(line_id=line_id, quantity=quantity) for line_id, quantity in parcel.lines.items()),
    )


def _left_before_us(one: Fulfillment) -> bool:
    """Whether it is work of the old system: ours is never submitted without a moment at which it was."""
    return one.request is Request.ACCEPTED and one.submitted_at is None and bool(one.shipments)


def _still_wanted(order: Order, migrated: MigratedOrder) -> dict[str, dict[str, int]]:
    """Units by location_id and line_id that the file says and no fulfillment of the order was ever given."""
    given: Counter[tuple[str, str]] = Counter()
    for one in order.fulfillments:
        if not _left_before_us(one):
            given.update({(one.location_id, part.line_id): part.assigned for part in one.lines})
    left = {line.line_id: line.unallocated - line.backordered for line in order.lines}
    wanted: dict[str, dict[str, int]] = {}
    for location_id, here in migrated.allocated.items():
        for line_id, quantity in here.items():
            units = min(quantity - given[location_id, line_id], left.get(line_id, 0))
            if units > 0:
                wanted.setdefault(location_id, {})[line_id] = units
                left[line_id] -= units
    return wanted


def _first_part(order: Order, wanted: Mapping[str, Mapping[str, int]]) -> tuple[dict[str, dict[str, int]], bool]:
    """As much as touches no more positions than one change may, and whether that is all."""
    lines = {line.line_id: line for line in order.lines}
    part: dict[str, dict[str, int]] = {}
    touched: set[tuple[str, str]] = set()
    is_all = True
    for location_id, here in wanted.items():
        for line_id, quantity in here.items():
            rows = touched | {(sku, location_id) for sku in lines[line_id].stock_units(1)}
            if len(rows) > MAX_POSITIONS_PER_CHANGE:
                is_all = False
                continue
            touched = rows
            part.setdefault(location_id, {})[line_id] = quantity
    return part, is_all


def _commits(order: Order, part: Mapping[str, Mapping[str, int]]) -> tuple[stock.StockMove, ...]:
    lines = {line.line_id: line for line in order.lines}
    return tuple(
        stock.commit(sku, location_id, units)
        for location_id, here in part.items()
        for line_id, quantity in here.items()
        for sku, units in lines[line_id].stock_units(quantity).items()
    )


def _with_work(
    order: Order, part: Mapping[str, Mapping[str, int]], asked: frozenset[str], context: Context
) -> tuple[Fulfillment, ...]:
    """The order's fulfillments with these units in them: one per location that has something to ship."""
    skus = {line.line_id: line.sku for line in order.lines}
    fulfillments = list(order.fulfillments)
    for location_id, here in part.items():
        new = tuple(
            FulfillmentLine(line_id=line_id, sku=skus[line_id], assigned=quantity, open=quantity)
            for line_id, quantity in here.items()
        )
        open_here = (
            at
            for at, one in enumerate(fulfillments)
            if one.location_id == location_id and one.work is Work.OPEN and not one.shipments
        )
        at = next(open_here, None)
        if at is not None:
            fulfillments[at] = replace(fulfillments[at], lines=fulfillments[at].lines + new)
            continue
        is_asked = location_id in asked
        fulfillments.append(
            Fulfillment(
                fulfillment_id=ids.fulfillment_id(order.order_id, len(fulfillments) + 1),
                location_id=location_id,
                method=order.method,
                request=Request.ACCEPTED if is_asked else Request.UNSUBMITTED,
                submitted_at=context.now if is_asked else None,
                lines=new,
            )
        )
    return tuple(fulfillments)
