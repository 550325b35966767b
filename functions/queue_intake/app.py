"""The intake queue: every message of every channel becomes an order, changes to one, or a row in quarantine."""

from __future__ import annotations

import json
from datetime import datetime
from typing import Any

from aws_lambda_powertools.metrics import MetricUnit

from oms.channels import envelopes, registry
from oms.domain.errors import InvalidMessage, NotFound, Permanent
from oms.domain.incoming import Envelope
from oms.runtime.batches import BatchAnswer, each_message
from oms.runtime.clients import client
from oms.runtime.clock import now
from oms.runtime.functions import environment, lambda_handler, logger, metrics, table_prefix
from oms.runtime.inbox import Inbox
from oms.runtime.secrets import Secrets
from oms.stores.contacts import ContactsStore
from oms.stores.group_commit import GroupCommit
from oms.stores.orders import OrdersStore
from oms.stores.quarantine import QuarantineStore
from oms.stores.reference_data import ProductsStore, SettingsStore
from oms.usecases.intake import Intake

dynamodb, prefix = client("dynamodb"), table_prefix()
secrets = Secrets(client("secretsmanager"), environment("STAGE"))
contacts = ContactsStore(dynamodb, prefix, hash_key=lambda: secrets.text("contacts/hash-key"))
quarantine = QuarantineStore(dynamodb, prefix)
inbox = Inbox(client("s3"), environment("INBOX_BUCKET"))
intake = Intake(
    orders=OrdersStore(dynamodb, prefix),
    contacts=contacts,
    products=ProductsStore(dynamodb, prefix),
    settings=SettingsStore(dynamodb, prefix),
    commit=GroupCommit(dynamodb, prefix, contacts),
)


@lambda_handler
def handler(event: dict[str, Any], context: object) -> BatchAnswer:
    """Takes in each message; what can't be understood goes to quarantine, what may succeed later comes again."""
    return each_message(event, _take)


def _take(record: dict[str, Any]) -> None:
    message = json.loads(record["body"])
    try:
        envelope = envelopes.from_message(message, inbox.text(message.get(envelopes.BODY_KEY)))
        _apply(envelope)
    except Permanent as error:
        _quarantine(message, error)


def _apply(envelope: Envelope) -> None:
    incoming = registry.module(envelope.channel).parse(envelope)
    if incoming is None:
        metrics.add_metric("MessagesNotFollowed", MetricUnit.Count, 1)
        return
    result = intake.take(incoming, actor=envelope.channel, now=now(), trace_id=envelope.message_id)
    metrics.add_metric(f"Orders{result.taken.value.capitalize()}", MetricUnit.Count, 1)
    told = {"order_id": result.order.order_id, "correlation_id": envelope.message_id, "taken": result.taken.value}
    logger.info("taken", extra=told)


def _quarantine(message: dict[str, Any], error: Permanent) -> None:
    """Keeps the message as it came; a body in the inbox bucket stays there, the row says where."""
    invalid = isinstance(error, InvalidMessage)
    cause = {
        "reason": error.reason if isinstance(error, InvalidMessage) else type(error).__name__,
        "field": error.field if isinstance(error, InvalidMessage) else "",
        "error": str(error) if invalid or isinstance(error, NotFound) else "",
    }
    source = f"{message.get('channel', 'unknown')}#{message.get('account', 'unknown')}"
    quarantine.put(source, str(message.get("message_id", "unknown")), _received_at(message), cause, message, now())
    metrics.add_metric("OrdersQuarantined", MetricUnit.Count, 1)
    logger.warning("quarantined", extra={"reason": cause["reason"], "field": cause["field"]})


def _received_at(message: dict[str, Any]) -> datetime:
    """When the message came in: the same each time the queue hands it over, so that it is one row."""
    try:
        return datetime.fromisoformat(str(message.get("received_at")))
    except ValueError:
        return now()
