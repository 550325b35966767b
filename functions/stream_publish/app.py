"""The orders stream, second reader: publishes the events of each new version on the bus."""

from __future__ import annotations

from typing import Any

from aws_lambda_powertools.metrics import MetricUnit

from oms.domain.publication import news
from oms.runtime.batches import BatchAnswer, each_in_order
from oms.runtime.clients import client
from oms.runtime.event_bus import EventBus
from oms.runtime.functions import environment, lambda_handler, metrics
from oms.stores.attribute_values import from_item

bus = EventBus(client("events"), environment("EVENT_BUS_NAME"))


@lambda_handler
def handler(event: dict[str, Any], context: object) -> BatchAnswer:
    """Publishes in order; a record whose events the bus did not take comes again, with all after it."""
    return each_in_order(event, _publish)


def _publish(record: dict[str, Any]) -> None:
    if record["eventName"] == "REMOVE":
        return
    images = record["dynamodb"]
    document = from_item(images["NewImage"])
    before = from_item(images["OldImage"]) if "OldImage" in images else None
    events = news(document, before)
    bus.publish(document, events)
    metrics.add_metric("EventsPublished", MetricUnit.Count, len(events))
