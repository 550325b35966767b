"""`quarantine`: what could not be understood, with its cause, until someone replays it or its day comes."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from oms.stores.batch_reads import get_many
from oms.stores.documents import format_time
from oms.stores.table import ConditionFailedError, Page, Table

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

KEPT_DAYS = 30
MAX_ID_BYTES = 900
STILL_MARKED = "#replayed_at = :moment"


class QuarantineStore:
    """One row per message; the same message put twice is one row."""

    def __init__(self, client: DynamoDBClient, table_prefix: str) -> None:
        self.table = Table(client, f"{table_prefix}quarantine")

    def put(
        self,
        source: str,
        message_id: str,
        received_at: datetime,
        cause: Mapping[str, Any],
        message: Mapping[str, Any],
        now: datetime,
    ) -> str:
        """Keeps the message as it came, with `cause` {reason, field, error, …}; returns its key within the source.

        `received_at` may be the sender's clock: it is the key, so that a repeat is one row. How long the row is
        kept counts from `now`: what tells of long ago is kept no shorter.
        """
        received_key = _key(received_at, message_id)
        row = {
            "source": source,
            "received_key": received_key,
            "received_at": format_time(received_at),
            **{name: value for name, value in cause.items() if value},
            "message": dict(message),
            "expires_at": int((now + timedelta(days=KEPT_DAYS)).timestamp()),
        }
        self.table.put(row)
        return received_key

    def holding(self, source: str, messages: Mapping[str, datetime]) -> frozenset[str]:
        """Which of these messages of a source wait here; they are given, and told, by their id, with the time they
        were received. Raises Throttled."""
        ids = {_key(received_at, message_id): message_id for message_id, received_at in messages.items()}
        keys = ({"source": source, "received_key": key} for key in ids)
        rows = get_many(self.table, keys, ("source", "received_key"))
        return frozenset(ids[row["received_key"]] for row in rows)

    def of_source(self, source: str, *, limit: int = 50, cursor: str | None = None) -> Page:
        """One page of a source's messages, oldest first, strongly consistent."""
        return self.table.query("#source = :s", {":s": source}, limit=limit, cursor=cursor, consistent=True)

    def mark_replayed(self, row: Mapping[str, Any], moment: str) -> None:
        """Notes on the row that its message is about to be put back on its queue."""
        key = {"source": row["source"], "received_key": row["received_key"]}
        self.table.update(key, "SET #replayed_at = :moment", {":moment": moment})

    def delete_replayed(self, row: Mapping[str, Any], moment: str) -> None:
        """Forgets a message that was put back; one quarantined again meanwhile has lost its mark, and stays."""
        key = {"source": row["source"], "received_key": row["received_key"]}
        try:
            self.table.delete(key, STILL_MARKED, {":moment": moment})
        except ConditionFailedError:
            return

    def delete(self, source: str, received_key: str) -> None:
        """Forgets a message that was replayed."""
        self.table.delete({"source": source, "received_key": received_key})


def _key(received_at: datetime, message_id: str) -> str:
    """A key is at most 1,024 bytes; a message id that would not fit is kept as its digest."""
    name = message_id if len(message_id.encode()) <= MAX_ID_BYTES else hashlib.sha256(message_id.encode()).hexdigest()
    return f"{format_time(received_at)}#{name}"
