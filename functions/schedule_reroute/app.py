"""Every five minutes: orders that wait for their release go to other locations where that saves enough."""

from __future__ import annotations

from typing import Any

from aws_lambda_powertools.metrics import MetricUnit

from oms import wiring_orders
from oms.runtime.clients import client
from oms.runtime.clock import now
from oms.runtime.functions import lambda_handler, logger, metrics, table_prefix
from oms.stores.group_commit import GroupCommit
from oms.stores.orders import OrdersStore
from oms.stores.routing_decisions import RoutingDecisionsStore
from oms.usecases.rerouting import Rerouting

RESERVE_MILLISECONDS = 10_000

dynamodb, prefix = client("dynamodb"), table_prefix()
rerouting = Rerouting(
    orders=OrdersStore(dynamodb, prefix),
    sourcing=wiring_orders.sourcing(),
    commit=GroupCommit(dynamodb, prefix),
    decisions=RoutingDecisionsStore(dynamodb, prefix),
)


@lambda_handler
def handler(event: dict[str, Any], context: Any) -> dict[str, int]:
    """Moves what saves enough; what it has no time for, the next run finds."""
    done = rerouting.run(now(), go_on=lambda: bool(context.get_remaining_time_in_millis() > RESERVE_MILLISECONDS))
    for order_id, reason in done.failed.items():
        logger.warning("kept its plan", extra={"order_id": order_id, "reason": reason})
    metrics.add_metric("OrdersRerouted", MetricUnit.Count, len(done.moved))
    metrics.add_metric("SavedMinor", MetricUnit.Count, done.saved_minor)
    outcome = {
        "looked_at": done.looked_at,
        "rerouted": len(done.moved),
        "saved_minor": done.saved_minor,
        "failed": len(done.failed),
    }
    if done.looked_at:
        logger.info("rerouted", extra=outcome)
    return outcome
