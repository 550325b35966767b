"""`deliveries`: every message owed to someone outside, and how often we tried."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Any

from oms.domain.changes import Delivery
from oms.stores.documents import format_time, to_document
from oms.stores.table import ConditionFailedError, Table

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient


NOT_SENT = "attribute_not_exists(message_key) OR #status <> :sent"


class DeliveriesStore:
    """One row per message: its content is read from the order when it is sent, never stored here."""

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

    def _unless_sent(self, key: dict[str, str], expression: str, values: dict[str, Any]) -> None:
        try:
            self.table.update(key, expression, values | {":sent": "SENT"}, NOT_SENT)
        except ConditionFailedError:
            return


def _key(destination: str, message_key: str) -> dict[str, str]:
    return {"destination": destination, "message_key": message_key}
