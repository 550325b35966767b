"""The queue of channels: what shipped, what was cancelled, what may be sold is told to where the orders come from."""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any

from aws_lambda_powertools.metrics import MetricUnit

from oms import wiring
from oms.domain.listings import Telling
from oms.runtime.batches import BatchAnswer, failures
from oms.runtime.clients import client
from oms.runtime.clock import now
from oms.runtime.functions import environment, lambda_handler, logger, metrics, table_prefix
from oms.runtime.postponing import postpone
from oms.runtime.secrets import Secrets
from oms.stores.deliveries import DeliveriesStore
from oms.stores.listings import ListingsStore
from oms.stores.orders import OrdersStore
from oms.stores.reference_data import SettingsStore
from oms.usecases.circuits import Circuits
from oms.usecases.confirmations import Confirmations
from oms.usecases.publishing import ChannelMessages
from oms.usecases.telling import ChannelsTold, Told, Trigger

RESERVE_SECONDS = 20.0
"""Left for what comes after the last call of a channel: rows, and messages that come again."""

dynamodb, prefix = client("dynamodb"), table_prefix()
settings, deliveries, circuits = SettingsStore(dynamodb, prefix), DeliveriesStore(dynamodb, prefix), Circuits()
accounts = wiring.channel_accounts(settings, Secrets(client("secretsmanager"), environment("STAGE")))
channels = ChannelsTold(
    confirmations=Confirmations(
        orders=OrdersStore(dynamodb, prefix),
        deliveries=deliveries,
        settings=settings,
        run=accounts.run,
        circuits=circuits,
        publishing=wiring.publishing(),
    ),
    messages=ChannelMessages(
        listings=ListingsStore(dynamodb, prefix),
        deliveries=deliveries,
        availabilities=wiring.availabilities(),
        publisher_of=wiring.publisher_of(settings, accounts),
        circuits=circuits,
    ),
    circuits=circuits,
)


@lambda_handler
def handler(event: dict[str, Any], context: Any) -> BatchAnswer:
    """Tells what the rows owe now. What was not taken comes again when the channel may be there, and in the end waits
    in the dead letters, and on its row until it is owed anew."""

    def seconds_left() -> float:
        return float(context.get_remaining_time_in_millis()) / 1000 - RESERVE_SECONDS

    records = {record["messageId"]: record for record in event["Records"]}
    triggers = {message_id: _trigger(record) for message_id, record in records.items()}
    accounts.end_within(seconds_left())
    told = channels.tell([one for one in triggers.values() if one], now, lambda: seconds_left() > 0)
    postpone(client("sqs"), environment("CHANNELS_QUEUE_URL"), records, told.again)
    _count(told)
    metrics.add_metric("MessagesWaitSeconds", MetricUnit.Seconds, _longest_wait([records[one] for one in told.again]))
    return failures(one for one, trigger in triggers.items() if trigger is None or one in told.again)


def _trigger(record: dict[str, Any]) -> Trigger | None:
    """The row a message is about; None for what is no trigger: it ends in the dead letters."""
    try:
        key = json.loads(record["body"])
        return Trigger(
            message_id=record["messageId"],
            destination=str(key["destination"]),
            message_key=str(key["message_key"]),
            receives=int(record["attributes"]["ApproximateReceiveCount"]),
        )
    except (KeyError, TypeError, ValueError) as error:
        logger.error("failed", extra={"reason": type(error).__name__})
        return None


def _longest_wait(records: Iterable[dict[str, Any]]) -> float:
    """For how long a channel has not taken what it is told. The queue's own age leaves out what failed three times."""
    sent = [int(record["attributes"]["SentTimestamp"]) / 1000 for record in records]
    return max(0.0, now().timestamp() - min(sent)) if sent else 0.0


def _count(told: Told) -> None:
    endings = {ending.value: count for ending, count in told.endings.items()}
    logger.info("told", extra={"endings": endings, "again": len(told.again), "why": dict(told.reasons)})
    for ending, count in told.endings.items():
        metrics.add_metric(f"Messages{ending.title().replace('_', '')}", MetricUnit.Count, count)
    metrics.add_metric("MessagesComeAgain", MetricUnit.Count, len(told.again))
    left = told.endings[Telling.REFUSED] + told.endings[Telling.BY_HAND]
    if left:
        metrics.add_metric("NoticesRefused", MetricUnit.Count, left)
