"""The deliveries stream: the key of each row that is new, or owed again, goes to the queue of those who send it."""

from __future__ import annotations

from typing import Any

from oms.domain.confirmations import is_channel
from oms.runtime.batches import BatchAnswer, Record, together
from oms.runtime.clients import client
from oms.runtime.functions import environment, lambda_handler
from oms.runtime.queues import Queue
from oms.stores.attribute_values import from_item
from oms.usecases.outbound import trigger_of

outbound = Queue(client("sqs"), environment("OUTBOUND_QUEUE_URL"))
channels = Queue(client("sqs"), environment("CHANNELS_QUEUE_URL"))


@lambda_handler
def handler(event: dict[str, Any], context: object) -> BatchAnswer:
    """Queues the keys of each destination together, in their order; the row itself is read by who sends it."""
    return together(event, _destination, _enqueue)


def _enqueue(records: list[Record]) -> None:
    destination = _destination(records[0])
    keys = (record["dynamodb"]["Keys"]["message_key"]["S"] for record in records if _is_owed(record))
    queue = channels if is_channel(destination) else outbound
    queue.send_many([trigger_of(destination, key)[0] for key in keys], group=destination)


def _destination(record: Record) -> str:
    return str(record["dynamodb"]["Keys"]["destination"]["S"])


def _is_owed(record: Record) -> bool:
    """A location's request is owed once; what a channel is owed, whenever its row becomes pending again."""
    if record["eventName"] == "INSERT":
        return True
    row = from_item(record["dynamodb"].get("NewImage", {}))
    return is_channel(row.get("destination", "")) and row.get("status") == "PENDING"
