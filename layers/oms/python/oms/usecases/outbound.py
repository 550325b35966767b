"""Outbound: what is owed to a location is sent, signed, as the order is now and not as it was."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any

from oms.domain.changes import Delivery
from oms.domain.errors import InvalidMessage, Retryable, Unauthorized, Unavailable
from oms.domain.incoming import Contact
from oms.domain.order import Fulfillment, Order
from oms.domain.release import FULFILLMENT_REQUESTED, unanswered

if TYPE_CHECKING:
    from oms.runtime.location_client import LocationClient
    from oms.stores.contacts import ContactsStore
    from oms.stores.deliveries import DeliveriesStore
    from oms.stores.orders import OrdersStore
    from oms.stores.reference_data import LocationsStore


def trigger(delivery: Delivery) -> tuple[dict[str, str], str]:
    """The queue message that makes a delivery be looked at, and its fairness group."""
    return trigger_of(delivery.destination, delivery.message_key)


def trigger_of(destination: str, message_key: str) -> tuple[dict[str, str], str]:
    """As `trigger`, from the row's key."""
    return {"destination": destination, "message_key": message_key}, destination


@dataclass(frozen=True, slots=True)
class Outbound:
    """Sends what is owed. Queue messages are only triggers: the order decides what is sent, and whether."""

    orders: OrdersStore
    contacts: ContactsStore
    locations: LocationsStore
    deliveries: DeliveriesStore
    client: LocationClient

    def send(self, destination: str, message_key: str, now: datetime) -> bool:
        """Sends a location its request, unless it has answered meanwhile; returns whether it was sent.

        Raises InvalidMessage for a key that is none, Retryable when the location did not take it.
        """
        order_id, fulfillment_id = _parse(message_key)
        order = self.orders.get(order_id)
        wanted = _still_wanted(order, fulfillment_id) if order else None
        if order is None or wanted is None:
            self.deliveries.obsolete(destination, message_key, now)
            return False
        try:
            self._request(order, wanted, now)
        except (Retryable, Unauthorized) as error:
            self.deliveries.failed(destination, message_key, f"{type(error).__name__}: {error}", now)
            raise Unavailable(str(error)) from error
        self.deliveries.sent(destination, message_key, now)
        return True

    def _request(self, order: Order, fulfillment: Fulfillment, now: datetime) -> None:
        location = self.locations.get(fulfillment.location_id)
        if location is None or not location.endpoint_url:
            raise Unavailable(f"location {fulfillment.location_id} has no endpoint_url")
        contact = self.contacts.get(order.order_id) or Contact()
        message_id = f"{fulfillment.fulfillment_id}:requested"
        body = {
            "id": message_id,
            "type": FULFILLMENT_REQUESTED,
            "occurred_at": _time(fulfillment.submitted_at or now),
            "data": request_data(order, fulfillment, contact),
        }
        text = json.dumps(body, separators=(",", ":"), ensure_ascii=False)
        self.client.post(location, message_id, text.encode(), now)


def request_data(order: Order, fulfillment: Fulfillment, contact: Contact) -> dict[str, Any]:
    """What a location must know to do the work, as the order is now."""
    address = contact.ship_to
    return {
        "fulfillment_id": fulfillment.fulfillment_id,
        "version": order.version,
        "order_id": order.order_id,
        "location_id": fulfillment.location_id,
        "method": fulfillment.method.value,
        "service_level": order.service_level,
        "carrier": fulfillment.carrier or None,
        "service": fulfillment.service or None,
        "deliver_by": _time(fulfillment.deliver_by) if fulfillment.deliver_by else None,
        "ship_by": _time(order.ship_by) if order.ship_by else None,
        "ship_to": {
            "name": address.name or contact.name,
            "address1": address.address1,
            "address2": address.address2,
            "city": address.city,
            "region": address.region,
            "postal_code": address.postal_code,
            "country": address.country,
            "phone": address.phone or contact.phone,
        },
        "lines": _lines(order, fulfillment),
    }


def _lines(order: Order, fulfillment: Fulfillment) -> list[dict[str, Any]]:
    """What is to be picked; a kit's line says what one unit is made of."""
    kits = {line.line_id: line.components for line in order.lines if line.components}
    lines: list[dict[str, Any]] = []
    for line in fulfillment.lines:
        if line.open + line.picked:
            wanted = {"line_id": line.line_id, "sku": line.sku, "quantity": line.open + line.picked}
            components = [{"sku": one.sku, "quantity": one.quantity} for one in kits.get(line.line_id, ())]
            lines.append(wanted | {"components": components} if components else wanted)
    return lines


def _parse(message_key: str) -> tuple[str, str]:
    parts = message_key.split("#")
    if len(parts) != 3 or parts[2] != FULFILLMENT_REQUESTED:
        raise InvalidMessage("not the key of a delivery", field="message_key")
    return parts[0], parts[1]


def _still_wanted(order: Order, fulfillment_id: str) -> Fulfillment | None:
    return next((one for one in unanswered(order) if one.fulfillment_id == fulfillment_id), None)


def _time(moment: datetime) -> str:
    return moment.strftime("%Y-%m-%dT%H:%M:%SZ")
