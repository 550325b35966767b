"""The poll queue: orders are read from channels, whole accounts by their pull, single ones by their id.

The only function that reads from channels. What it finds goes to the intake queue and is judged there.
"""

from __future__ import annotations

import json
import random
from datetime import UTC, datetime
from typing import Any

from aws_lambda_powertools.metrics import MetricUnit, single_metric

from oms import wiring
from oms.channels import envelopes, registry
from oms.domain.errors import InvalidMessage, Retryable
from oms.domain.incoming import Envelope
from oms.domain.polling import Comparison, back_off_seconds
from oms.runtime.batches import BatchAnswer, each_message
from oms.runtime.clients import client
from oms.runtime.clock import now
from oms.runtime.functions import environment, lambda_handler, logger, metrics, table_prefix
from oms.runtime.intake_door import IntakeDoor
from oms.runtime.queues import Queue
from oms.runtime.secrets import Secrets
from oms.stores.orders import OrdersStore
from oms.stores.polls import COMPARISONS, PULLS, PollsStore
from oms.stores.quarantine import QuarantineStore
from oms.stores.reference_data import SettingsStore
from oms.usecases.fetching import Fetching
from oms.usecases.polling import FETCH, PULL, RECONCILE, OrdersDoor, Polling
from oms.usecases.reading_rounds import Ended, Reading, RoundReader
from oms.usecases.reconciling import Reconciling

RESERVE_SECONDS = 60.0
"""A page is begun only with so much time left: its calls, each tried again, and its messages must fit in."""

WRITE_SECONDS = 10.0
"""No channel is asked any more with less time left than this: what was found must be written down."""

LEASE_MARGIN_SECONDS = 30.0
"""A lease lasts so much longer than the invocation that holds it: clocks differ."""

dynamodb, prefix, sqs = client("dynamodb"), table_prefix(), client("sqs")
chance = random.random
settings, orders = SettingsStore(dynamodb, prefix), OrdersStore(dynamodb, prefix)
quarantine = QuarantineStore(dynamodb, prefix)
secrets = Secrets(client("secretsmanager"), environment("STAGE"))
accounts = wiring.channel_accounts(settings, secrets)
poll_queue = Queue(sqs, environment("POLL_QUEUE_URL"))
intake_queue = Queue(sqs, environment("INTAKE_QUEUE_URL"))
door = OrdersDoor(IntakeDoor(intake_queue, client("s3"), environment("INBOX_BUCKET"), envelopes.to_message), poll_queue)


def _parsed(envelope: Envelope) -> object | None:
    return registry.module(envelope.channel).parse(envelope)


polling = Polling(
    settings=settings,
    orders=orders,
    reader=RoundReader(PollsStore(dynamodb, prefix, PULLS), accounts, now, chance),
    channels=accounts,
    queue=poll_queue,
    door=door,
)
reconciling = Reconciling(
    settings=settings,
    orders=orders,
    quarantine=quarantine,
    reader=RoundReader(PollsStore(dynamodb, prefix, COMPARISONS), accounts, now, chance),
    channels=accounts,
    queue=poll_queue,
    door=door,
    parse=_parsed,
)
fetching = Fetching(channels=accounts, queue=poll_queue, door=door, orders=orders, quarantine=quarantine, now=now)


@lambda_handler
def handler(event: dict[str, Any], context: Any) -> BatchAnswer:
    """Works on each message; a fetch that may succeed later comes again after a while, a pull rests on its row."""
    accounts.end_within(_seconds_left(context) - WRITE_SECONDS)
    return each_message(event, lambda record: _work(record, context))


def _work(record: dict[str, Any], context: Any) -> None:
    message = json.loads(record["body"])
    name, channel_account = message["task"], message["channel_account"]
    if name == FETCH:
        _fetch(record, channel_account, message["channel_order_ids"], context)
        return
    read = {PULL: polling.pull, RECONCILE: reconciling.reconcile}.get(name)
    if read is None:
        raise InvalidMessage(f"no task {name!r}", field="task", reason="INVALID_FIELD")
    owner = f"{context.aws_request_id}:{record['messageId']}"
    lease_seconds = _seconds_left(context) + LEASE_MARGIN_SECONDS
    reading = read(channel_account, owner, lease_seconds=lease_seconds, go_on=lambda: _is_time(context))
    _tell(name, reading)


def _fetch(record: dict[str, Any], channel_account: str, channel_order_ids: list[str], context: Any) -> None:
    sent_at = datetime.fromtimestamp(int(record["attributes"]["SentTimestamp"]) / 1000, UTC)
    try:
        done = fetching.fetch(channel_account, channel_order_ids, sent_at, lambda: _is_time(context))
    except Retryable as error:
        tries = int(record["attributes"]["ApproximateReceiveCount"])
        seconds = back_off_seconds(tries, error.retry_after_seconds, chance())
        logger.warning("a fetch is put off", extra={"channel_account": channel_account, "reason": type(error).__name__})
        _count("FetchesFailed", channel_account, 1)
        poll_queue.put_off(record["receiptHandle"], seconds)
        raise
    metrics.add_metric("OrdersFetched", MetricUnit.Count, done.fetched)
    metrics.add_metric("FetchesNotFound", MetricUnit.Count, done.gone)
    metrics.add_metric("OrdersQuarantined", MetricUnit.Count, done.quarantined)


def _tell(name: str, reading: Reading) -> None:
    """What an operator wants to know of a round; nothing of one that there was nothing to do for."""
    if reading.ended is Ended.IDLE:
        return
    told = {"task": name, "channel_account": reading.name, "ended": reading.ended.value, "pages": reading.pages}
    counts = {"listed": reading.listed, "queued": reading.queued} | ({"error": reading.error} if reading.error else {})
    logger.info("read", extra=told | counts)
    metrics.add_metric("OrdersListed", MetricUnit.Count, reading.listed)
    if reading.ended is Ended.FAILED:
        _count("PullsFailed" if name == PULL else "ComparisonsFailed", reading.name, 1)
    if name == RECONCILE and reading.ended is Ended.DONE and reading.poll and reading.poll.comparison:
        _tell_comparison(reading.name, reading.poll.comparison)


def _tell_comparison(channel_account: str, found: Comparison) -> None:
    metrics.add_metric("OrdersCompared", MetricUnit.Count, found.compared)
    for metric, count in {"OrdersMissing": found.missing, "OrdersBehind": found.behind}.items():
        _count(metric, channel_account, count)
    told = {"compared": found.compared, "missing": found.missing, "behind": found.behind, "refused": found.refused}
    logger.info("compared", extra={"channel_account": channel_account, **told})


def _count(metric: str, channel_account: str, count: int) -> None:
    """Once for all accounts, which the alarm watches, and once for this one, where there is anything to tell: a metric
    of its own costs for every hour in which it is told."""
    metrics.add_metric(metric, MetricUnit.Count, count)
    if not count:
        return
    with single_metric(name=metric, unit=MetricUnit.Count, value=count) as counted:
        counted.add_dimension("channel_account", channel_account)


def _seconds_left(context: Any) -> float:
    return float(context.get_remaining_time_in_millis() / 1000)


def _is_time(context: Any) -> bool:
    return _seconds_left(context) > RESERVE_SECONDS
