"""Every hour: the data of people whose orders ended 21 days ago is deleted."""

from __future__ import annotations

from typing import Any

from aws_lambda_powertools.metrics import MetricUnit

from oms.runtime.clients import client
from oms.runtime.clock import now
from oms.runtime.functions import lambda_handler, logger, metrics, table_prefix
from oms.stores.contacts import ContactsStore
from oms.stores.orders import OrdersStore
from oms.usecases.expiry import Expiry

RESERVE_MILLISECONDS = 10_000

dynamodb, prefix = client("dynamodb"), table_prefix()
expiry = Expiry(
    orders=OrdersStore(dynamodb, prefix),
    contacts=ContactsStore(dynamodb, prefix),
)


@lambda_handler
def handler(event: dict[str, Any], context: Any) -> dict[str, int]:
    """Purges what is due; what it has no time for, the next run finds."""
    purged, postponed = expiry.purge(now(), go_on=lambda: context.get_remaining_time_in_millis() > RESERVE_MILLISECONDS)
    metrics.add_metric("ContactsPurged", MetricUnit.Count, purged)
    logger.info("expired", extra={"purged": purged, "postponed": postponed})
    return {"purged": purged, "postponed": postponed}
