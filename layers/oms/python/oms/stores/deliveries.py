"""`deliveries`: every message owed to someone outside, and how often we tried."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from oms.domain.changes import Delivery
from oms.stores.batch_reads import get_many
from oms.stores.documents import format_time, to_document
from oms.stores.table import ConditionFailedError, Page, Table

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient


NOT_SENT = "attribute_not_exists(message_key) OR #status <> :sent"
NOT_OWED = (
    "attribute_not_exists(message_key) OR NOT #status IN (:pending, :failed)"
    " OR (#status = :pending AND #owed_at < :lost) OR (#status = :failed AND #failed_at < :lost)"
)
NOT_NEWER = "attribute_not_exists(message_version) OR #message_version <= :version"
IS_NEW = "attribute_not_exists(message_key)"
AS_READ = "attribute_not_exists(owings) OR #owings = :owings"

KEPT = timedelta(days=90)
"""Rows of notices are deleted after this: long after the last event that could owe them again."""

LOST_AFTER = timedelta(minutes=15)
"""A message still pending, or not tried again, after this is owed anew: whoever was to send it has lost its trigger."""


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

        The row becomes PENDING, which the stream sees: one message for all changes until it is sent, however often
        that fails.
        """
        expression = (
            "SET #status = :pending, #kind = :kind, #owed_at = :now, #attempts = :none,"
            " #created_at = if_not_exists(#created_at, :now) REMOVE failed_destination, failed_at"
        )
        values = {
            ":pending": "PENDING",
            ":failed": "FAILED",
            ":none": 0,
            ":kind": kind,
            ":now": format_time(now),
            ":lost": format_time(now - LOST_AFTER),
        }
        return self._done(_key(destination, message_key), expression, values, NOT_OWED)

    def owe_once(self, destination: str, message_key: str, kind: str, order_id: str, now: datetime) -> bool:
        """Owes a notice of an order; False if it was ever owed before, whatever became of it."""
        row = {
            **_key(destination, message_key),
            "kind": kind,
            "order_id": order_id,
            "status": "PENDING",
            "attempts": 0,
            "owings": 1,
            "owed_at": format_time(now),
            "created_at": format_time(now),
            "expires_at": int((now + KEPT).timestamp()),
        }
        try:
            self.table.put(row, IS_NEW)
        except ConditionFailedError:
            return False
        return True

    def owe_anew(self, row: dict[str, Any], now: datetime) -> bool:
        """Owes a message once more, whatever became of it; False if its row changed since it was read.

        The row becomes PENDING, which the stream sees.
        """
        expression = (
            "SET #status = :pending, #owed_at = :now ADD #owings :one REMOVE failed_destination, failed_at, last_error"
        )
        values = {":pending": "PENDING", ":now": format_time(now), ":one": 1, ":was": row["status"]}
        condition = "#status = :was"
        if "owed_at" in row:
            values |= {":owed_at": row["owed_at"]}
            condition += " AND #owed_at = :owed_at"
        return self._done(_key(row["destination"], row["message_key"]), expression, values, condition)

    def told(self, row: dict[str, Any], now: datetime) -> bool:
        """Notes that the channel took a notice; False if it was owed anew since its row was read."""
        expression = (
            "SET #status = :sent, sent_at = :now ADD attempts :one REMOVE failed_destination, failed_at, last_error"
        )
        values = {":sent": "SENT", ":now": format_time(now), ":one": 1, ":owings": row.get("owings", 0)}
        return self._done(_key(row["destination"], row["message_key"]), expression, values, AS_READ)

    def left_to_a_person(
        self, destination: str, message_key: str, status: str, reason: str, now: datetime, *, owings: int | None = None
    ) -> None:
        """Notes that the channel will not have the message (REFUSED), or offers no way to tell it (BY_HAND); not if it
        was owed anew since its row was read, where `owings` says how often it had been owed then.

        Shows in `by_failed` until it is owed anew or somebody notes it as done.
        """
        expression = (
            "SET #status = :status, last_error = :reason, failed_destination = :destination, failed_at = :now"
            " ADD attempts :one"
        )
        values = {
            ":status": status,
            ":reason": reason[:300],
            ":destination": destination,
            ":now": format_time(now),
            ":one": 1,
            ":sent": "SENT",
        }
        condition = NOT_SENT
        if owings is not None:
            condition, values = f"({NOT_SENT}) AND ({AS_READ})", values | {":owings": owings}
        self._done(_key(destination, message_key), expression, values, condition)

    def done_by_hand(self, row: dict[str, Any], now: datetime) -> bool:
        """Notes that a person told the channel; False if the row is not, or no more, left to one."""
        expression = "SET #status = :done, done_at = :now REMOVE failed_destination, failed_at"
        values = {":done": "DONE", ":now": format_time(now), ":by_hand": "BY_HAND"}
        return self._done(_key(row["destination"], row["message_key"]), expression, values, "#status = :by_hand")

    def get_many(self, keys: Iterable[tuple[str, str]]) -> dict[tuple[str, str], dict[str, Any]]:
        """The rows there are of these (destination, message_key), as they are now. Raises Throttled."""
        rows = get_many(self.table, (_key(*key) for key in keys))
        return {(row["destination"], row["message_key"]): row for row in rows}

    def failed_of(self, destination: str, *, cursor: str | None = None, limit: int = 100) -> Page:
        """One page of what a destination did not take, longest ago first."""
        condition, values = "#failed_destination = :d", {":d": destination}
        return self.table.query(condition, values, index="by_failed", limit=limit, cursor=cursor)

    def of_destination(self, destination: str, *, cursor: str | None = None, limit: int = 500) -> Page:
        """One page of everything a destination was ever owed."""
        return self.table.query("#destination = :d", {":d": destination}, limit=limit, cursor=cursor)

    def settle(
        self, destination: str, message_key: str, status: str, version: int, message: Any, now: datetime
    ) -> bool:
        """Notes how an owed message ended, and what it said if it said something; False if a newer one ended."""
        expression = "SET #status = :status, #message_version = :version, #settled_at = :now"
        values = {":status": status, ":version": version, ":now": format_time(now), ":one": 1}
        if message is not None:
            expression += ", #message = :message"
            values[":message"] = to_document(message)
        expression += " ADD attempts :one REMOVE failed_destination, failed_at, last_error"
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
