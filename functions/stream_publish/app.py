"""The orders stream, second reader: publishes the events of each new version on the bus."""

from __future__ import annotations

from typing import Any

from aws_lambda_powertools.metrics import MetricUnit

from oms.domain.errors import Retryable
from oms.domain.publication import news
from oms.runtime.batches import BatchAnswer, Record, failures
from oms.runtime.clients import client
from oms.runtime.event_bus import EventBus
from oms.runtime.functions import environment, lambda_handler, logger, metrics
from oms.stores.attribute_values import from_item

bus = EventBus(client("events"), environment("EVENT_BUS_NAME"))


@lambda_handler
def handler(event: dict[str, Any], context: object) -> BatchAnswer:
    """Publishes in order, many in a call; a record whose events the bus did not take comes again, with all after it."""
    told = [(record, document, one) for record in event["Records"] for document, one in _news(record)]
    taken = 0
    try:
        for so_far in bus.publish_in_turn([(document, one) for _, document, one in told]):
            taken = so_far
    except Retryable as error:
        logger.warning("comes again", extra={"reason": type(error).__name__})
        return failures([told[taken][0]["dynamodb"]["SequenceNumber"]])
    finally:
        metrics.add_metric("EventsPublished", MetricUnit.Count, taken)
    return failures([])


def _news(record: Record) -> list[tuple[dict[str, Any], dict[str, Any]]]:
    """The events that a record brings, each with its document."""
    if record["eventName"] == "REMOVE":
        return []
    images = record["dynamodb"]
    document = from_item(images["NewImage"])
    before = from_item(images["OldImage"]) if "OldImage" in images else None
    return [(document, one) for one in news(document, before)]
