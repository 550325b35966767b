"""`routing_decisions`: why orders were routed as they were, one row per decision, until the policy's days are over."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import TYPE_CHECKING, Any, NamedTuple

from oms.domain.errors import Retryable, Throttled
from oms.domain.routing_record import Decision
from oms.stores.attribute_values import to_item
from oms.stores.documents import from_document
from oms.stores.table import Table, our_errors

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

BATCH = 25
"""Rows that DynamoDB writes in one call at most."""

MAX_ROUNDS = 5
"""Times that rows are written again that DynamoDB left out of a call."""

WRITERS = 8
"""Calls at the same time."""

MAX_STOCK_BYTES = 200_000
"""Of the stock a decision saw; a row holds 400 KB."""

MAX_LISTED = 100
"""Decisions of one order that are read, the newest."""


class Unkept(NamedTuple):
    """Decisions that were not written, and why."""

    order_ids: list[str]
    error: Retryable


class RoutingDecisionsStore:
    """Rows are written once and never changed: the same decision again is the same row."""

    def __init__(self, client: DynamoDBClient, table_prefix: str) -> None:
        self.table = Table(client, f"{table_prefix}routing_decisions")

    def keep(self, decisions: Iterable[Decision]) -> list[Unkept]:
        """Writes them all, side by side; tells of those that could not be. What is too large for a row is told without
        the stock it saw, which is all that can be."""
        rows = [_fitting(one) for one in {(one.order_id, one.decision_id): one for one in decisions}.values()]
        batches = [rows[start : start + BATCH] for start in range(0, len(rows), BATCH)]
        if len(batches) <= 1:
            return [unkept for batch in batches if (unkept := self._write(batch))]
        with ThreadPoolExecutor(WRITERS) as writers:
            return [unkept for unkept in writers.map(self._write, batches) if unkept]

    def get(self, order_id: str, decision_id: str) -> Decision | None:
        """One decision, strongly consistent, or None."""
        item = self.table.get({"order_id": order_id, "decision_id": decision_id})
        return _decision(item) if item else None

    def of_order(self, order_id: str) -> list[Decision]:
        """The order's decisions, the newest first, at most MAX_LISTED. Not each was carried out."""
        page = self.table.query(
            "#order_id = :order", {":order": order_id}, limit=MAX_LISTED, descending=True, consistent=True
        )
        return [_decision(item) for item in page.items]

    def _write(self, decisions: Sequence[Decision]) -> Unkept | None:
        request: Any = {self.table.name: [{"PutRequest": {"Item": to_item(one)}} for one in decisions]}
        try:
            for _ in range(MAX_ROUNDS):
                with our_errors():
                    answer = self.table.client.batch_write_item(RequestItems=request)
                request = answer.get("UnprocessedItems")
                if not request:
                    return None
        except Retryable as error:
            return Unkept([one.order_id for one in decisions], error)
        left = [row["PutRequest"]["Item"]["order_id"]["S"] for row in request[self.table.name]]
        return Unkept(left, Throttled(f"{self.table.name}: rows left unwritten"))


def _fitting(decision: Decision) -> Decision:
    units = sum(len(told) for told in decision.stock.values())
    return replace(decision, stock={}) if units > MAX_STOCK_BYTES else decision


def _decision(item: dict[str, Any]) -> Decision:
    return from_document(Decision, item)
