"""Each hour: what channels did not take is owed anew; once a day each is asked what it believes may be sold."""

from __future__ import annotations

import sys
from typing import Any

from aws_lambda_powertools import single_metric
from aws_lambda_powertools.metrics import MetricUnit

from oms import wiring
from oms.domain.stock_compare import Comparison
from oms.runtime.clients import client
from oms.runtime.clock import now
from oms.runtime.functions import environment, lambda_handler, logger, metrics, table_prefix
from oms.runtime.secrets import Secrets
from oms.stores.deliveries import DeliveriesStore
from oms.stores.listings import ListingsStore
from oms.stores.polls import PULLS, PollsStore
from oms.stores.reference_data import SettingsStore
from oms.stores.stock_compares import StockComparesStore
from oms.usecases.stock_compare import StockCompare

RESERVE_SECONDS = 30.0
"""Left for what comes after the last call of a channel."""

dynamodb, prefix = client("dynamodb"), table_prefix()
settings = SettingsStore(dynamodb, prefix)
accounts = wiring.channel_accounts(settings, Secrets(client("secretsmanager"), environment("STAGE")))
compare = StockCompare(
    settings=settings,
    listings=ListingsStore(dynamodb, prefix),
    deliveries=DeliveriesStore(dynamodb, prefix),
    compares=StockComparesStore(dynamodb, prefix),
    pulls=PollsStore(dynamodb, prefix, PULLS),
    availabilities=wiring.availabilities(),
    publishing=wiring.publishing(),
    can=accounts.can,
    run=accounts.run,
    at_most=lambda channel_account: accounts.constant(channel_account, "MAX_QUANTITY", sys.maxsize),
)


@lambda_handler
def handler(event: dict[str, Any], context: Any) -> dict[str, Any]:
    """`{"anew": true}` compares accounts that are not due yet."""

    def seconds_left() -> float:
        return float(context.get_remaining_time_in_millis()) / 1000 - RESERVE_SECONDS

    accounts.end_within(seconds_left())
    result = compare.all(now(), lambda: seconds_left() > 0, anew=bool(event.get("anew")))
    for channel_account, found in result.comparisons.items():
        _tell(channel_account, found)
    for channel_account, reason in result.failed.items():
        logger.warning("left for the next run", extra={"channel_account": channel_account, "reason": reason})
    metrics.add_metric("ComparisonsFailed", MetricUnit.Count, len(result.failed))
    metrics.add_metric("MessagesOwedAnew", MetricUnit.Count, sum(result.owed_anew.values()))
    ended = [found for found in result.comparisons.values() if found.ended_at]
    drift = sum(found.drifted + found.untold + found.unreadable for found in ended)
    metrics.add_metric("StockDrift", MetricUnit.Count, drift)
    return {"compared": sorted(result.comparisons), "owed_anew": result.owed_anew, "failed": result.failed}


def _tell(channel_account: str, found: Comparison) -> None:
    """How far a comparison is; what it found is a figure once it has ended."""
    logger.info(
        "compared",
        extra={
            "channel_account": channel_account,
            "phase": found.phase.value,
            "listings": found.compared,
            "drifted": found.drifted,
            "untold": found.untold,
            "units": found.units,
            "missing": found.missing,
            "unlisted": found.unlisted,
            "unreadable": found.unreadable,
            "owed_anew": found.owed_anew,
        },
    )
    if found.ended_at is None:
        return
    figures = {"StockDriftListings": found.drifted + found.untold, "StockDriftUnits": found.units}
    for name, count in figures.items():
        with single_metric(name=name, unit=MetricUnit.Count, value=count) as metric:
            metric.add_dimension(name="channel_account", value=channel_account)
