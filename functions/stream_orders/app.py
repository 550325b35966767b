"""The orders stream, first reader: starts the execution of a new order, wakes the one that waits for a change."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from oms import wiring_orders
from oms.domain.errors import Retryable
from oms.runtime.batches import BatchAnswer, Record, together
from oms.runtime.clock import now
from oms.runtime.functions import lambda_handler
from oms.usecases.lifecycle import OrderSeen

lifecycle = wiring_orders.lifecycle()


@lambda_handler
def handler(event: dict[str, Any], context: object) -> BatchAnswer:
    """The records only say which orders changed: each is looked at once, as it is now, all of them read together."""
    seen = _look_at(_order_id(record) for record in event["Records"] if record["eventName"] == "MODIFY")
    return together(event, _order_id, lambda records: _notice(records, seen))


def _look_at(order_ids: Iterable[str]) -> dict[str, OrderSeen]:
    try:
        return lifecycle.look_at(dict.fromkeys(order_ids))
    except Retryable:
        return {}  # each is read alone then, and comes again alone


def _notice(records: list[Record], seen: dict[str, OrderSeen]) -> None:
    order_id, kinds = _order_id(records[0]), {record["eventName"] for record in records}
    if "INSERT" in kinds:
        lifecycle.start(order_id)
    if "MODIFY" in kinds:
        known = seen if order_id in seen else lifecycle.look_at([order_id])
        if order_id in known:
            lifecycle.evaluate_seen(known[order_id], now())


def _order_id(record: Record) -> str:
    return str(record["dynamodb"]["Keys"]["order_id"]["S"])
