"""The intake queue: every message of every channel becomes an order, changes to one, or a row in quarantine.

Nothing is asked of a channel here: where a message tells too little, the poll queue is told to fetch the order.
"""

from __future__ import annotations

import json
from datetime import datetime
from typing import Any

from aws_lambda_powertools.metrics import MetricUnit

from oms.channels import envelopes, registry
from oms.domain.channel_messages import OrderNews, Parsed, PrivacyRequest
from oms.domain.errors import InvalidMessage, NotFound, Permanent, UnmappedSku
from oms.domain.handover import ELSEWHERE
from oms.domain.incoming import REPLAYED, Envelope, IncomingOrder
from oms.runtime.batches import BatchAnswer, each_message
from oms.runtime.clients import client
from oms.runtime.clock import now
from oms.runtime.functions import environment, lambda_handler, logger, metrics, table_prefix
from oms.runtime.inbox import Inbox
from oms.runtime.queues import Queue
from oms.runtime.secrets import Secrets
from oms.stores.contacts import ContactsStore
from oms.stores.group_commit import GroupCommit
from oms.stores.listings import ListingsStore
from oms.stores.orders import OrdersStore
from oms.stores.quarantine import QuarantineStore
from oms.stores.reference_data import LocationsStore, ProductsStore, SettingsStore
from oms.usecases.intake import Intake, Taken
from oms.usecases.privacy import Privacy, Request

dynamodb, prefix = client("dynamodb"), table_prefix()
secrets = Secrets(client("secretsmanager"), environment("STAGE"))
contacts = ContactsStore(dynamodb, prefix, hash_key=lambda: secrets.text("contacts/hash-key"))
quarantine = QuarantineStore(dynamodb, prefix)
inbox = Inbox(client("s3"), environment("INBOX_BUCKET"))
orders, settings = OrdersStore(dynamodb, prefix), SettingsStore(dynamodb, prefix)
commit = GroupCommit(dynamodb, prefix, contacts)
intake = Intake(
    orders=orders,
    contacts=contacts,
    products=ProductsStore(dynamodb, prefix),
    settings=settings,
    commit=commit,
    locations=LocationsStore(dynamodb, prefix),
    listings=ListingsStore(dynamodb, prefix),
)
privacy = Privacy(orders, contacts, settings, commit, quarantine)
poll_queue = Queue(client("sqs"), environment("POLL_QUEUE_URL"))


@lambda_handler
def handler(event: dict[str, Any], context: object) -> BatchAnswer:
    """Takes in each message; what can't be understood goes to quarantine, what may succeed later comes again."""
    return each_message(event, _take)


def _take(record: dict[str, Any]) -> None:
    message = json.loads(record["body"])
    parsed: Parsed | None = None
    try:
        envelope = envelopes.from_message(message, inbox.text(message.get(envelopes.BODY_KEY)))
        parsed = registry.module(envelope.channel).parse(envelope)
        _apply(parsed, envelope, message)
    except Permanent as error:
        _quarantine(message, error, _order_named(parsed, message))


def _apply(parsed: Parsed | None, envelope: Envelope, message: dict[str, Any]) -> None:
    if parsed is None:
        metrics.add_metric("MessagesNotFollowed", MetricUnit.Count, 1)
    elif isinstance(parsed, OrderNews):
        _require_fetch(envelope)
        _fetch(envelope, parsed.channel_order_id)
    elif isinstance(parsed, PrivacyRequest):
        _about_people(parsed, message)
    else:
        _take_in(parsed, envelope)


def _take_in(incoming: IncomingOrder, envelope: Envelope) -> None:
    result = intake.take(
        incoming,
        actor=envelope.channel,
        now=now(),
        trace_id=envelope.message_id,
        fetched=envelope.topic == envelopes.FETCHED and REPLAYED not in envelope.headers,
        can_fetch=_can_fetch(envelope),
    )
    if result.taken is Taken.REFETCH:
        _fetch(envelope, incoming.channel_order_id)
    metrics.add_metric(f"Orders{result.taken.value.capitalize()}", MetricUnit.Count, 1)
    if result.taken is Taken.CREATED and any(work.location_id == ELSEWHERE for work in result.order.fulfillments):
        metrics.add_metric("OrdersShippedElsewhere", MetricUnit.Count, 1)
    told = {"order_id": result.order.order_id, "correlation_id": envelope.message_id, "taken": result.taken.value}
    logger.info("taken", extra=told)


def _can_fetch(envelope: Envelope) -> bool:
    """Whether the channel can be asked for an order: an account may do no more than call us."""
    account = settings.channel_account(envelope.channel, envelope.account)
    return account is not None and account.is_called and registry.can(envelope.channel, "fetch")


def _require_fetch(envelope: Envelope) -> None:
    if not _can_fetch(envelope):
        message = "it tells too little, and the account's settings do not say how the channel is asked"
        raise InvalidMessage(message, field="account", reason="NOT_CALLED")


def _fetch(envelope: Envelope, channel_order_id: str) -> None:
    """Has the order fetched as it is now; it comes back here as a message of its own."""
    account = f"{envelope.channel}#{envelope.account}"
    task = {"task": "fetch", "channel_account": account, "channel_order_ids": [channel_order_id]}
    poll_queue.send(task, group=account)
    metrics.add_metric("OrdersToFetch", MetricUnit.Count, 1)


def _about_people(asked: PrivacyRequest, message: dict[str, Any]) -> None:
    request = Request(asked=asked, received_at=_received_at(message), message=message)
    if privacy.take(request, actor=asked.channel, now=now()):
        metrics.add_metric("PrivacyRequests", MetricUnit.Count, 1)
        logger.warning("a person must answer a privacy request", extra={"kind": asked.kind.value})


def _order_named(parsed: Parsed | None, message: dict[str, Any]) -> str:
    """What the channel calls the order that the message is about; empty where nobody can tell."""
    if isinstance(parsed, IncomingOrder | OrderNews):
        return parsed.channel_order_id
    # a message of our own asking is called after its order
    is_ours = message.get("topic") == envelopes.FETCHED
    return str(message.get("message_id", "")).rpartition("@")[0] if is_ours else ""


def _quarantine(message: dict[str, Any], error: Permanent, channel_order_id: str) -> None:
    """Keeps the message as it came; a body in the inbox bucket stays there, the row says where."""
    invalid = isinstance(error, InvalidMessage)
    cause: dict[str, Any] = {
        "reason": error.reason if isinstance(error, InvalidMessage) else type(error).__name__,
        "field": error.field if isinstance(error, InvalidMessage) else "",
        "error": str(error) if invalid or isinstance(error, NotFound) else "",
        "channel_order_id": channel_order_id,
    }
    if isinstance(error, UnmappedSku):
        cause["skus"] = list(error.skus)
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
