"""Every hour: accounts are asked to be compared with their channel, one message each; and orders that waited in
quarantine for a mapping go back to intake once there is one."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from aws_lambda_powertools.metrics import MetricUnit

from oms import wiring
from oms.channels import registry
from oms.domain.catalog import ChannelAccount
from oms.runtime.clients import client
from oms.runtime.clock import now
from oms.runtime.functions import environment, lambda_handler, logger, metrics, table_prefix
from oms.runtime.queues import Queue
from oms.stores.polls import COMPARISONS, PollsStore
from oms.stores.reference_data import SettingsStore
from oms.usecases.polling import RECONCILE, Schedule

RESERVE_MILLISECONDS = 10_000

dynamodb, prefix = client("dynamodb"), table_prefix()
settings, unmapped = SettingsStore(dynamodb, prefix), wiring.unmapped()
schedule = Schedule(
    settings=settings,
    polls=PollsStore(dynamodb, prefix, COMPARISONS),
    queue=Queue(client("sqs"), environment("POLL_QUEUE_URL")),
    can=registry.can,
)


@lambda_handler
def handler(event: dict[str, Any], context: Any) -> dict[str, Any]:
    """Asks for a comparison of each account that wants one and is not being compared; puts back what was mapped."""
    due = schedule.ask(RECONCILE, _is_compared, now())
    metrics.add_metric("AccountsNotCompared", MetricUnit.Count, len(due.troubled))
    metrics.add_metric("ComparisonsBehindSeconds", MetricUnit.Seconds, due.behind_seconds)
    if due.troubled:
        told = {"failing": due.failing, "unreadable": due.unreadable, "not_asked": due.not_asked}
        logger.warning("accounts fail", extra=told)
    replayed = _replay(lambda: context.get_remaining_time_in_millis() > RESERVE_MILLISECONDS)
    return {"asked": due.asked, "failing": due.failing, "unreadable": due.unreadable, "replayed": replayed}


def _replay(go_on: Callable[[], bool]) -> int:
    done = unmapped.replay_all(sorted(settings.channel_accounts()), now(), go_on=go_on)
    metrics.add_metric("OrdersMapped", MetricUnit.Count, done.messages)
    if done.failed:
        logger.warning("left for the next hour", extra={"accounts": done.failed})
    return done.messages


def _is_compared(account: ChannelAccount) -> bool:
    return account.reconcile_hours > 0
