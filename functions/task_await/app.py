"""A waiting state of the order lifecycle begins: keep its token, and see whether it need wait at all."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from oms import wiring_orders
from oms.domain.lifecycle import Wait
from oms.runtime.clock import now
from oms.runtime.functions import lambda_handler, logger

lifecycle = wiring_orders.lifecycle()


@lambda_handler
def handler(event: dict[str, Any], context: object) -> None:
    """Raises Retryable for the state machine to call again; the errors' class names are what it matches on."""
    wait = Wait(
        order_id=event["order_id"],
        state=event["state"],
        generation=event["generation"],
        entered_at=datetime.fromisoformat(event["entered_at"]),
        retry_count=event["retry_count"],
        task_token=event["task_token"],
    )
    lifecycle.begin_wait(wait, event.get("reason", ""), now())
    logger.info("waits", extra={"order_id": wait.order_id, "state": wait.state})
