"""The orders stream, first reader: starts the execution of a new order, wakes the one that waits for a change."""

from __future__ import annotations

from typing import Any

from oms import wiring
from oms.runtime.batches import BatchAnswer, each_in_order
from oms.runtime.clock import now
from oms.runtime.functions import lambda_handler

lifecycle = wiring.lifecycle()


@lambda_handler
def handler(event: dict[str, Any], context: object) -> BatchAnswer:
    """The record only says which order changed; what it is now is read from the table."""
    return each_in_order(event, _notice)


def _notice(record: dict[str, Any]) -> None:
    if record["eventName"] == "REMOVE":
        return
    order_id = record["dynamodb"]["Keys"]["order_id"]["S"]
    if record["eventName"] == "INSERT":
        lifecycle.start(order_id)
    else:
        lifecycle.evaluate(order_id, now())
