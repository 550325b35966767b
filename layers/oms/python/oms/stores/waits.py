"""`waits`: which execution waits for which order, and the token that answers it. The newest entry wins."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from oms.domain.lifecycle import Stored, Wait
from oms.stores.batch_reads import get_many
from oms.stores.documents import from_document
from oms.stores.table import ConditionFailedError, Table

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

IS_OLDER_GENERATION = "attribute_not_exists(order_id) OR #generation < :generation"
HAS_NO_ENTRY = "attribute_not_exists(task_token)"
IS_OLDER_ENTRY = "#entered_at < :entered_at OR (#entered_at = :entered_at AND #retry_count < :retry_count)"
NEWEST_WINS = f"{IS_OLDER_GENERATION} OR (#generation = :generation AND ({HAS_NO_ENTRY} OR {IS_OLDER_ENTRY}))"


class WaitsStore:
    """One row per order: the newest entry of its newest execution."""

    def __init__(self, client: DynamoDBClient, table_prefix: str) -> None:
        self.table = Table(client, f"{table_prefix}waits")

    def get(self, order_id: str) -> Wait | None:
        """The entry that waits now (strongly consistent), or None before the first."""
        item = self.table.get({"order_id": order_id})
        return from_document(Wait, item) if item and "task_token" in item else None

    def get_many(self, order_ids: Iterable[str]) -> dict[str, Wait]:
        """The entries that wait now, by order_id (strongly consistent). Raises Throttled."""
        items = get_many(self.table, ({"order_id": order_id} for order_id in order_ids))
        return {item["order_id"]: from_document(Wait, item) for item in items if "task_token" in item}

    def generation(self, order_id: str) -> int:
        """How many executions the order had; the first one is started without a row here, so at least 1."""
        item = self.table.get({"order_id": order_id})
        return int(item["generation"]) if item else 1

    def put(self, wait: Wait) -> Stored:
        """Stores the entry unless a newer one is there: a slow older attempt can't overwrite a newer token."""
        key = {":generation": wait.generation, ":entered_at": _exact(wait), ":retry_count": wait.retry_count}
        try:
            self.table.put(_item(wait), NEWEST_WINS, key)
        except ConditionFailedError as error:
            same = error.image is not None and error.image.get("task_token") == wait.task_token
            return Stored.SAME if same else Stored.SUPERSEDED
        return Stored.NEWEST

    def next_generation(self, order_id: str, seen: int) -> bool:
        """Raises the generation from `seen` by one; False when someone else did."""
        condition = "#generation = :seen"
        if seen == 1:
            condition = f"attribute_not_exists(order_id) OR {condition}"
        values = {":seen": seen, ":next": seen + 1}
        try:
            self.table.update({"order_id": order_id}, "SET #generation = :next REMOVE task_token", values, condition)
        except ConditionFailedError:
            return False
        return True


def _item(wait: Wait) -> dict[str, Any]:
    return {
        "order_id": wait.order_id,
        "state": wait.state,
        "generation": wait.generation,
        "entered_at": _exact(wait),
        "retry_count": wait.retry_count,
        "task_token": wait.task_token,
    }


def _exact(wait: Wait) -> str:
    """With milliseconds: two states of one execution may be entered within a second."""
    return wait.entered_at.isoformat(timespec="milliseconds").replace("+00:00", "Z")
