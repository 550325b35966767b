"""`POST /webhooks/warehouses/{location_id}`: what a location reports of its work and stock (Standard Webhooks)."""

from __future__ import annotations

from typing import Any

from oms.connectors import snapshot_bodies, stock_reports, warehouse_reports
from oms.domain.errors import FulfillmentNotFound, InvalidMessage
from oms.domain.ids import order_of_fulfillment
from oms.domain.incoming import FulfillmentReport
from oms.runtime import clock, signatures, webhooks
from oms.runtime.clients import client
from oms.runtime.functions import environment, lambda_handler, table_prefix
from oms.runtime.queues import Queue
from oms.runtime.secrets import Secrets
from oms.stores.orders import OrdersStore

fulfillment_queue = Queue(client("sqs"), environment("FULFILLMENT_QUEUE_URL"))
stock_queue = Queue(client("sqs"), environment("STOCK_QUEUE_URL"))
orders = OrdersStore(client("dynamodb"), table_prefix())
secrets = Secrets(client("secretsmanager"), environment("STAGE"))

STOCK_READERS = {**stock_reports.READERS, "stock.snapshot": snapshot_bodies.counted}
"""By the type of the report: what becomes messages of the stock queue."""


@lambda_handler
def handler(event: dict[str, Any], _context: object) -> webhooks.Answer:
    """Queues a location's report: 202, 401 not verified, 404 no such work, 422 bad body, 503 try again."""
    return webhooks.answer(event, "warehouse", _accept)


def _accept(request: webhooks.SignedRequest) -> webhooks.Answer:
    location_id = _verified_location(request)
    read_stock = STOCK_READERS.get(stock_reports.type_of(request.body))
    if read_stock:
        for message in read_stock(request.body, location_id, clock.now()):
            stock_queue.send(message, group=location_id)
        return webhooks.json_answer(202, {})
    report = warehouse_reports.parse(request.body, location_id)
    order_id = _order_of(report)
    fulfillment_queue.send(warehouse_reports.to_message(report), group=order_id)
    return webhooks.json_answer(202, {})


def _verified_location(request: webhooks.SignedRequest) -> str:
    """The location that signed the request within the last five minutes. Raises Unauthorized."""
    location_id = request.part("location_id", webhooks.LOCATION)
    now = clock.now().timestamp()
    secrets.verify(
        "warehouses",
        location_id,
        check=lambda known: signatures.standard_webhooks_valid(request.headers, request.body, known, now),
    )
    return location_id


def _order_of(report: FulfillmentReport) -> str:
    """The order whose work is reported. A fulfillment of another location is as unknown as none at all."""
    order_id = order_of_fulfillment(report.fulfillment_id)
    order = orders.get(order_id) if order_id else None
    fulfillment = order.fulfillment(report.fulfillment_id) if order else None
    if order is None or fulfillment is None or fulfillment.location_id != report.location_id:
        raise FulfillmentNotFound(f"{report.location_id} has no such fulfillment", field="data.fulfillment_id")
    unknown = [line_id for line_id in report.lines if order.line(line_id) is None]
    if unknown:
        raise InvalidMessage("the order has no such line", field="data.lines", reason="UNKNOWN_LINE")
    return order.order_id
