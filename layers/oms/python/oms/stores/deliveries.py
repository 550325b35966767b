"""`deliveries`: every message owed to someone outside, and how often we tried."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from oms.domain.changes import Delivery
from oms.stores.documents import format_time, to_document
from oms.stores.table import ConditionFailedError, Table

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient


NOT_SENT = "attribute_not_exists(message_key) OR #status <> :sent"
NOT_OWED = "attribute_not_exists(message_key) OR #status <> :pending OR #owed_at < :lost"
NOT_NEWER = "attribute_not_exists(message_version) OR #message_version <= :version"

LOST_AFTER = timedelta(minutes=15)
"""A message still pending after this is owed anew: whoever was to send it has lost its trigger."""


class DeliveriesStore:
    """One row per message: what it says is made when it is sent.

    A message about an order is sent until somebody answers it. A message that is owed again and again, each time
    it has news (see `owe`), keeps what it said last.
    """

    def __init__(self, client: DynamoDBClient, table_prefix: str) -> None:
        self.table = Table(client, f"{table_prefix}deliveries")

    def put_action(self, delivery: Delivery, now: datetime) -> Any:
        """The put of a new message, part of the transaction that makes it due."""
        row = to_document(delivery) | {"status": "PENDING", "attempts": 0, "created_at": format_time(now)}
        return self.table.put_action(row)

    def sent(self, destination: str, message_key: str, now: datetime) -> None:
        """Notes that the destination took the message."""
        expression = "SET #status = :sent, sent_at = :now ADD attempts :one REMOVE failed_destination, failed_at"
        values = {":sent": "SENT", ":now": format_time(now), ":one": 1}
        self.table.update(_key(destination, message_key), expression, values)

    def obsolete(self, destination: str, message_key: str, now: datetime) -> None:
        """Notes that the order no longer wants this message sent; one that was taken before stays SENT."""
        expression = "SET #status = :obsolete, obsolete_at = :now REMOVE failed_destination, failed_at"
        values = {":obsolete": "OBSOLETE", ":now": format_time(now)}
        self._unless_sent(_key(destination, message_key), expression, values)

    def failed(self, destination: str, message_key: str, error: str, now: datetime) -> None:
        """Notes an attempt that failed, and why; shows in `by_failed` until one succeeds.

        A message that was taken before stays SENT: it is only sent again because nobody answered it.
        """
        expression = (
            "SET #status = :failed, last_error = :error, failed_destination = :destination, failed_at = :now"
            " ADD attempts :one"
        )
        values = {
            ":failed": "FAILED",
            ":error": error[:300],
            ":destination": destination,
            ":now": format_time(now),
            ":one": 1,
        }
        self._unless_sent(_key(destination, message_key), expression, values)

    def owe(self, destination: str, message_key: str, kind: str, now: datetime) -> bool:
        """Owes a message that is sent again whenever it has news; False if it is owed already, and so goes unsaid.

        The row becomes PENDING, which the stream sees: one message for all changes until it is sent.
        """
        expression = (
            "SET #status = :pending, #kind = :kind, #owed_at = :now, #created_at = if_not_exists(#created_at, :now)"
            " REMOVE failed_destination, failed_at"
        )
        values = {
            ":pending": "PENDING",
            ":kind": kind,
            ":now": format_time(now),
            ":lost": format_time(now - LOST_AFTER),
        }
        return self._done(_key(destination, message_key), expression, values, NOT_OWED)

    def settle(
        self, destination: str, message_key: str, status: str, version: int, message: Any, now: datetime
    ) -> bool:
        """Notes how an owed message ended, and what it said if it said something; False if a newer one ended."""
        expression = "SET #status = :status, #message_version = :version, #settled_at = :now"
        values = {":status": status, ":version": version, ":now": format_time(now), ":one": 1}
        if message is not None:
            expression += ", #message = :message"
            values[":message"] = to_document(message)
        expression += " ADD attempts :one REMOVE failed_destination, failed_at"
        return self._done(_key(destination, message_key), expression, values, NOT_NEWER)

    def _done(self, key: dict[str, str], expression: str, values: dict[str, Any], condition: str) -> bool:
        try:
            self.table.update(key, expression, values, condition)
        except ConditionFailedError:
            return False
        return True

    def _unless_sent(self, key: dict[str, str], expression: str, values: dict[str, Any]) -> None:
        self._done(key, expression, values | {":sent": "SENT"}, NOT_SENT)


def _key(destination: str, message_key: str) -> dict[str, str]:
    return {"destination": destination, "message_key": message_key}
