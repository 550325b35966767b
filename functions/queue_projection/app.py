"""The projection queue: as events of the bus ask for it, what orders hold and look for is written down by sku, and what
their channels must hear is owed to them."""

from __future__ import annotations

import json
from typing import Any

from aws_lambda_powertools.metrics import MetricUnit

from oms.channels import registry
from oms.domain.errors import InvalidMessage, Retryable
from oms.runtime.batches import BatchAnswer, failures
from oms.runtime.clients import client
from oms.runtime.clock import now
from oms.runtime.functions import lambda_handler, logger, metrics, table_prefix, where
from oms.stores.deliveries import DeliveriesStore
from oms.stores.open_lines import OpenLinesStore
from oms.stores.orders import OrdersStore
from oms.stores.reference_data import SettingsStore
from oms.usecases.confirmations import Owing
from oms.usecases.projection import Projection, order_of

dynamodb, prefix = client("dynamodb"), table_prefix()
projection = Projection(OrdersStore(dynamodb, prefix), OpenLinesStore(dynamodb, prefix))
owing = Owing(DeliveriesStore(dynamodb, prefix), SettingsStore(dynamodb, prefix), registry.can)


@lambda_handler
def handler(event: dict[str, Any], context: object) -> BatchAnswer:
    """Looks at each order of the batch once; messages of those that could not be written come again."""
    events = {record["messageId"]: _event(record["body"]) for record in event["Records"]}
    projected = projection.project([one["order_id"] for one in events.values() if one], now())
    unowed = {message for message, one in events.items() if one and not _owed(one)}
    reasons = sorted(set(projected.failed.values()))
    logger.info("projected", extra={"messages": len(events), "rows": projected.written, "why": reasons})
    metrics.add_metric("RowsProjected", MetricUnit.Count, projected.written)
    return failures(
        message
        for message, one in events.items()
        if one is None or message in unowed or one["order_id"] in projected.failed
    )


def _event(body: str) -> dict[str, Any] | None:
    """The event of an order that a message brings; None for what is none: it ends in the dead letters."""
    try:
        message = json.loads(body)
        order_of(message)
    except (ValueError, InvalidMessage) as error:
        logger.error("failed", extra={"reason": type(error).__name__})
        return None
    detail: dict[str, Any] = message["detail"]
    return detail


def _owed(event: dict[str, Any]) -> bool:
    """Whether the order's channel is owed what the event gives cause to, if anything; False if it must come again."""
    try:
        if owing.owe(event, now()):
            metrics.add_metric("NoticesOwed", MetricUnit.Count, 1)
    except Retryable as error:
        logger.warning("comes again", extra={"reason": type(error).__name__})
        return False
    except Exception as error:  # noqa: BLE001 - what one event or account shows must not stop the others' rows
        logger.error("failed", extra={"reason": type(error).__name__, "where": where(error)})
        return False
    return True
