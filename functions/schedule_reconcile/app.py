"""Every hour: accounts are asked to be compared with their channel, one message each."""

from __future__ import annotations

from typing import Any

from aws_lambda_powertools.metrics import MetricUnit

from oms.channels import registry
from oms.domain.catalog import ChannelAccount
from oms.runtime.clients import client
from oms.runtime.clock import now
from oms.runtime.functions import environment, lambda_handler, logger, metrics, table_prefix
from oms.runtime.queues import Queue
from oms.stores.polls import COMPARISONS, PollsStore
from oms.stores.reference_data import SettingsStore
from oms.usecases.polling import RECONCILE, Schedule

dynamodb, prefix = client("dynamodb"), table_prefix()
schedule = Schedule(
    settings=SettingsStore(dynamodb, prefix),
    polls=PollsStore(dynamodb, prefix, COMPARISONS),
    queue=Queue(client("sqs"), environment("POLL_QUEUE_URL")),
    can=registry.can,
)


@lambda_handler
def handler(event: dict[str, Any], context: object) -> dict[str, Any]:
    """Asks for a comparison of each account that wants one and is not being compared."""
    due = schedule.ask(RECONCILE, _is_compared, now())
    metrics.add_metric("AccountsNotCompared", MetricUnit.Count, len(due.failing) + len(due.unreadable))
    if due.failing or due.unreadable:
        logger.warning("accounts fail", extra={"failing": due.failing, "unreadable": due.unreadable})
    return {"asked": due.asked, "failing": due.failing, "unreadable": due.unreadable}


def _is_compared(account: ChannelAccount) -> bool:
    return account.reconcile_hours > 0
