"""Every minute: channels whose time has come are asked to be pulled, one message each."""

from __future__ import annotations

from typing import Any

from aws_lambda_powertools.metrics import MetricUnit

from oms.channels import registry
from oms.domain.catalog import ChannelAccount
from oms.runtime.clients import client
from oms.runtime.clock import now
from oms.runtime.functions import environment, lambda_handler, logger, metrics, table_prefix
from oms.runtime.queues import Queue
from oms.stores.polls import PULLS, PollsStore
from oms.stores.reference_data import SettingsStore
from oms.usecases.polling import PULL, Schedule

dynamodb, prefix = client("dynamodb"), table_prefix()
schedule = Schedule(
    settings=SettingsStore(dynamodb, prefix),
    polls=PollsStore(dynamodb, prefix, PULLS),
    queue=Queue(client("sqs"), environment("POLL_QUEUE_URL")),
    can=registry.can,
)


@lambda_handler
def handler(event: dict[str, Any], context: object) -> dict[str, Any]:
    """Asks for a pull of each account that is due and not being pulled, and tells how the accounts are."""
    due = schedule.ask(PULL, _is_pulled, now())
    metrics.add_metric("AccountsFailing", MetricUnit.Count, len(due.troubled))
    metrics.add_metric("PullsBehindSeconds", MetricUnit.Seconds, due.behind_seconds)
    if due.troubled:
        told = {"failing": due.failing, "unreadable": due.unreadable, "not_asked": due.not_asked}
        logger.warning("accounts fail", extra=told)
    return {"asked": due.asked, "failing": due.failing, "unreadable": due.unreadable}


def _is_pulled(account: ChannelAccount) -> bool:
    return account.poll_seconds > 0
