"""What carriers report of parcels. Milestones become events; a carrier's every scan does not."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime

from oms.domain.changes import Context, OrderChange
from oms.domain.errors import TrackingNotFound
from oms.domain.events import EventType
from oms.domain.ids import tracking_reference
from oms.domain.incoming import TrackingUpdate
from oms.domain.order import Fulfillment, Order, Work
from oms.domain.progress import step
from oms.domain.shipments import Shipment, ShipmentStatus

_FINAL = frozenset({ShipmentStatus.DELIVERED, ShipmentStatus.RETURNED})
_EVENTS = {
    ShipmentStatus.DELIVERED: EventType.SHIPMENT_DELIVERED,
    ShipmentStatus.DELIVERY_FAILED: EventType.SHIPMENT_FAILED,
    ShipmentStatus.RETURNING: EventType.SHIPMENT_FAILED,
    ShipmentStatus.RETURNED: EventType.SHIPMENT_FAILED,
    ShipmentStatus.LOST: EventType.SHIPMENT_FAILED,
    ShipmentStatus.DAMAGED: EventType.SHIPMENT_FAILED,
}
_BEFORE_THE_CARRIER = frozenset({ShipmentStatus.LABEL_CREATED, ShipmentStatus.HANDED_OVER})


def apply_tracking(order: Order, update: TrackingUpdate, context: Context) -> OrderChange | None:
    """The change a carrier's update makes, or None if it tells nothing new. Raises TrackingNotFound."""
    fulfillment, parcel = _find(order, update)
    status = ShipmentStatus(update.status) if update.status else parcel.status
    if not _is_news(parcel, status, update):
        return None
    moved = replace(
        parcel,
        status=status,
        status_at=update.occurred_at,
        first_scan_at=parcel.first_scan_at or _scan_time(status, update),
        delivered_at=update.occurred_at if status is ShipmentStatus.DELIVERED else parcel.delivered_at,
    )
    parcels = tuple(moved if one.shipment_id == parcel.shipment_id else one for one in fulfillment.shipments)
    changed = replace(fulfillment, shipments=parcels, work=_work(fulfillment, parcels))
    fulfillments = tuple(changed if one.fulfillment_id == changed.fulfillment_id else one for one in order.fulfillments)
    event = _EVENTS.get(status, EventType.SHIPMENT_MOVED)
    news = {"shipment_id": parcel.shipment_id, "parcel": status.value}
    return OrderChange(order=step(order, context, (event, news), fulfillments=fulfillments))


def _find(order: Order, update: TrackingUpdate) -> tuple[Fulfillment, Shipment]:
    wanted = tracking_reference(update.carrier, update.tracking_number)
    for fulfillment in order.fulfillments:
        for parcel in fulfillment.shipments:
            if tracking_reference(parcel.carrier, parcel.tracking_number) == wanted:
                return fulfillment, parcel
    raise TrackingNotFound(f"{order.order_id} has no parcel {wanted}")


def _is_news(parcel: Shipment, status: ShipmentStatus, update: TrackingUpdate) -> bool:
    """Delivered is believed whenever it comes; anything else only if it is later than what we know.

    A location's report of the handover and the carrier's first scan come from two clocks: what the carrier says
    after the handover counts as later, whatever the times.
    """
    if status is parcel.status or parcel.status in _FINAL:
        return False
    if status is ShipmentStatus.DELIVERED:
        return True
    if parcel.status in _BEFORE_THE_CARRIER:
        return status not in _BEFORE_THE_CARRIER
    return update.occurred_at > parcel.status_at and status not in _BEFORE_THE_CARRIER


def _scan_time(status: ShipmentStatus, update: TrackingUpdate) -> datetime | None:
    return None if status in _BEFORE_THE_CARRIER else update.occurred_at


def _work(fulfillment: Fulfillment, parcels: tuple[Shipment, ...]) -> Work:
    all_delivered = all(one.status is ShipmentStatus.DELIVERED for one in parcels)
    return Work.DELIVERED if fulfillment.work is Work.SHIPPED and all_delivered else fulfillment.work
