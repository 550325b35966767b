"""The rows `poll` and `reconciliation` of `settings`: how far each account was read, and who reads it now.

Whoever reads an account holds its lease: a conditional update takes it, and every write after that is refused once
another has it. A lease outlives the invocation that took it, so a worker that died never meets its successor.
"""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Any

import msgspec

from oms.domain.errors import InvariantBroken
from oms.domain.polling import Poll
from oms.stores.attribute_values import from_item
from oms.stores.documents import format_time, from_document, to_document
from oms.stores.table import ConditionFailedError, Table, our_errors

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

PULLS, COMPARISONS = "poll", "reconciliation"

# The owner may ask twice: an answer may get lost on the way.
_FREE = "(attribute_not_exists(lease_until) OR #lease_until < :now OR #lease_owner = :me)"
_DUE = "(attribute_not_exists(next_due_at) OR #next_due_at <= :now)"


class PollsStore:
    """The rows of one kind, by account (`amazon#us`)."""

    def __init__(self, client: DynamoDBClient, table_prefix: str, kind: str) -> None:
        self.table = Table(client, f"{table_prefix}settings")
        self.kind = kind

    def all(self) -> dict[str, Poll | InvariantBroken]:
        """Every account that was ever read; a row that can't be read, edited by hand perhaps, is told as an error."""
        rows = self.table.query_all("#kind = :kind", {":kind": self.kind})
        return {row["name"]: _decoded(row) for row in rows}

    def take(self, name: str, owner: str, now: datetime, until: datetime) -> Poll | None:
        """Takes the lease of an account that is due; None where another has it, or there is nothing to do yet. Raises
        InvariantBroken when the row can't be read, Retryable."""
        values = {":me": owner, ":until": format_time(until), ":now": format_time(now)}
        expression = "SET #lease_owner = :me, #lease_until = :until"
        action = self.table.update_action(self._key(name), expression, values, f"{_FREE} AND {_DUE}")
        try:
            with our_errors():
                answer = self.table.client.update_item(**action, ReturnValues="ALL_NEW")
        except ConditionFailedError:
            return None
        poll = _decoded(from_item(answer["Attributes"]))
        if isinstance(poll, InvariantBroken):
            raise poll
        return poll

    def save(self, poll: Poll, owner: str) -> bool:
        """Writes how far it is, or that it is free again; False when the lease is no longer the owner's."""
        try:
            self.table.put(to_document(poll) | self._key(poll.name), "#lease_owner = :me", {":me": owner})
        except ConditionFailedError:
            return False
        return True

    def _key(self, name: str) -> dict[str, str]:
        return {"kind": self.kind, "name": name}


def _decoded(row: dict[str, Any]) -> Poll | InvariantBroken:
    try:
        return from_document(Poll, row)
    except msgspec.ValidationError as error:
        return InvariantBroken(f"settings: {row['kind']} {row['name']!r} can't be read: {error}")
