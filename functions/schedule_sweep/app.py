"""Every minute: orders past due are looked at again, dead executions replaced, silent locations asked once more."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from aws_lambda_powertools.metrics import MetricUnit

from oms import wiring_orders
from oms.runtime.clients import client
from oms.runtime.clock import now
from oms.runtime.functions import environment, lambda_handler, logger, metrics, table_prefix
from oms.runtime.queues import Queue
from oms.stores.orders import OrdersStore
from oms.stores.stock import StockStore
from oms.usecases.oversold import Oversold
from oms.usecases.sweep import Sweep

RESERVE_MILLISECONDS = 10_000

dynamodb, prefix = client("dynamodb"), table_prefix()
orders = OrdersStore(dynamodb, prefix)
lifecycle = wiring_orders.lifecycle()
sweep = Sweep(
    orders=orders,
    lifecycle=lifecycle,
    outbound=Queue(client("sqs"), environment("OUTBOUND_QUEUE_URL")),
    oversold=Oversold(stock=StockStore(dynamodb, prefix), queue=Queue(client("sqs"), environment("STOCK_QUEUE_URL"))),
)


@lambda_handler
def handler(event: dict[str, Any], context: Any) -> dict[str, int]:
    """`{"due_before": "2026-11-27T12:00:00Z"}` looks after orders due until then: after an outage, say."""
    moment = now()
    due_before = datetime.fromisoformat(event["due_before"]) if "due_before" in event else moment
    swept = sweep.run(moment, due_before, go_on=lambda: context.get_remaining_time_in_millis() > RESERVE_MILLISECONDS)
    counts = {
        "evaluated": swept.evaluated,
        "restarted": swept.restarted,
        "sent_again": swept.sent_again,
        "replanned": swept.replanned,
        "left": len(swept.failed),
    }
    for order_id, reason in swept.failed.items():
        logger.warning("left for the next sweep", extra={"order_id": order_id, "reason": reason})
    metrics.add_metric("ExecutionsRestarted", MetricUnit.Count, swept.restarted)
    metrics.add_metric("OrdersLookedAfter", MetricUnit.Count, swept.evaluated)
    logger.info("swept", extra=counts)
    return counts
