"""The projection queue: what orders hold and look for is written down by sku, as events of the bus ask for it."""

from __future__ import annotations

import json
from typing import Any

from aws_lambda_powertools.metrics import MetricUnit

from oms.domain.errors import InvalidMessage
from oms.runtime.batches import BatchAnswer, failures
from oms.runtime.clients import client
from oms.runtime.clock import now
from oms.runtime.functions import lambda_handler, logger, metrics, table_prefix
from oms.stores.open_lines import OpenLinesStore
from oms.stores.orders import OrdersStore
from oms.usecases.projection import Projection, order_of

dynamodb, prefix = client("dynamodb"), table_prefix()
projection = Projection(OrdersStore(dynamodb, prefix), OpenLinesStore(dynamodb, prefix))


@lambda_handler
def handler(event: dict[str, Any], context: object) -> BatchAnswer:
    """Looks at each order of the batch once; messages of those that could not be written come again."""
    orders = {record["messageId"]: _order_id(record["body"]) for record in event["Records"]}
    projected = projection.project([order_id for order_id in orders.values() if order_id], now())
    why = sorted(set(projected.failed.values()))
    logger.info("projected", extra={"messages": len(orders), "rows": projected.written, "why": why})
    metrics.add_metric("RowsProjected", MetricUnit.Count, projected.written)
    return failures(message for message, one in orders.items() if one is None or one in projected.failed)


def _order_id(body: str) -> str | None:
    """The order a message is about; None for what is no event of an order: it ends in the dead letters."""
    try:
        return order_of(json.loads(body))
    except (ValueError, InvalidMessage) as error:
        logger.error("failed", extra={"reason": type(error).__name__})
        return None
