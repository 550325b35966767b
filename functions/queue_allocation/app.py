"""The allocation queue: executions of the order lifecycle ask for stock and locations, in batches."""

from __future__ import annotations

import json
from typing import Any

from oms import wiring_orders
from oms.runtime.batches import BatchAnswer, failures
from oms.runtime.clients import client
from oms.runtime.clock import now
from oms.runtime.functions import lambda_handler, logger, table_prefix
from oms.stores.group_commit import GroupCommit
from oms.stores.orders import OrdersStore
from oms.stores.routing_decisions import RoutingDecisionsStore
from oms.usecases.allocation import Allocation, AllocationRequest

dynamodb, prefix = client("dynamodb"), table_prefix()
allocation = Allocation(
    orders=OrdersStore(dynamodb, prefix),
    sourcing=wiring_orders.sourcing(),
    commit=GroupCommit(dynamodb, prefix),
    executions=wiring_orders.executions(),
    decisions=RoutingDecisionsStore(dynamodb, prefix),
)


@lambda_handler
def handler(event: dict[str, Any], context: object) -> BatchAnswer:
    """Allocates the batch; a message is done only once its execution was answered."""
    requests = [_request(record) for record in event["Records"]]
    failed = allocation.allocate(requests, now())
    logger.info("allocated", extra={"asked": len(requests), "failed": len(failed), "why": sorted(set(failed.values()))})
    return failures(failed)


def _request(record: dict[str, Any]) -> AllocationRequest:
    body = json.loads(record["body"])
    return AllocationRequest(message_id=record["messageId"], order_id=body["order_id"], task_token=body["task_token"])
