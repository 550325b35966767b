"""The fulfillment queue: what locations and carriers report is applied to the orders."""

from __future__ import annotations

import json
from typing import Any

from aws_lambda_powertools.metrics import MetricUnit

from oms.runtime.batches import BatchAnswer, failures
from oms.runtime.clients import client
from oms.runtime.clock import now
from oms.runtime.functions import lambda_handler, logger, metrics, table_prefix
from oms.stores.group_commit import GroupCommit
from oms.stores.orders import OrdersStore
from oms.stores.quarantine import QuarantineStore
from oms.stores.reference_data import SettingsStore
from oms.usecases.fulfillment import Fulfilling, reported

dynamodb, prefix = client("dynamodb"), table_prefix()
fulfilling = Fulfilling(
    orders=OrdersStore(dynamodb, prefix),
    commit=GroupCommit(dynamodb, prefix),
    quarantine=QuarantineStore(dynamodb, prefix),
    settings=SettingsStore(dynamodb, prefix),
)


@lambda_handler
def handler(event: dict[str, Any], context: object) -> BatchAnswer:
    """Applies the batch; reports of one order become one write."""
    reports = [reported(record["messageId"], json.loads(record["body"])) for record in event["Records"]]
    applied = fulfilling.apply(reports, now())
    metrics.add_metric("ReportsApplied", MetricUnit.Count, len(reports) - len(applied.failed))
    if applied.refused:
        metrics.add_metric("OrdersQuarantined", MetricUnit.Count, applied.refused)
    why = sorted(set(applied.failed.values()))
    logger.info("reports applied", extra={"reports": len(reports), "failed": len(applied.failed), "why": why})
    return failures(applied.failed)
