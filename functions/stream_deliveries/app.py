"""The deliveries stream: the key of each row that is new, or owed again, goes to the queue of those who send it."""

from __future__ import annotations

from typing import Any

from oms.domain.confirmations import is_channel
from oms.runtime.batches import BatchAnswer, each_in_order
from oms.runtime.clients import client
from oms.runtime.functions import environment, lambda_handler
from oms.runtime.queues import Queue
from oms.stores.attribute_values import from_item
from oms.usecases.outbound import trigger_of

outbound = Queue(client("sqs"), environment("OUTBOUND_QUEUE_URL"))
channels = Queue(client("sqs"), environment("CHANNELS_QUEUE_URL"))


@lambda_handler
def handler(event: dict[str, Any], context: object) -> BatchAnswer:
    """Queues the keys in order; the row itself is read by who sends it."""
    return each_in_order(event, _enqueue)


def _enqueue(record: dict[str, Any]) -> None:
    if not _is_owed(record):
        return
    key = from_item(record["dynamodb"]["Keys"])
    queue = channels if is_channel(key["destination"]) else outbound
    queue.send(*trigger_of(key["destination"], key["message_key"]))


def _is_owed(record: dict[str, Any]) -> bool:
    """A location's request is owed once; what a channel is owed, whenever its row becomes pending again."""
    if record["eventName"] == "INSERT":
        return True
    row = from_item(record["dynamodb"].get("NewImage", {}))
    return is_channel(row.get("destination", "")) and row.get("status") == "PENDING"
