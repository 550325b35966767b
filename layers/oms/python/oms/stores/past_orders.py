"""What a backtest reads, page by page and never writing: which orders there were, their decisions, how stock moved."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import suppress
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, NamedTuple

import msgspec

from oms.domain.catalog import Product
from oms.domain.routing_record import Decision
from oms.domain.stock import Bucket
from oms.stores.attribute_values import from_item
from oms.stores.batch_reads import get_many
from oms.stores.documents import format_time, from_document
from oms.stores.table import Table, our_errors

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

PAGE = 1_000
MAX_PAGES = 200
"""Pages of one list: two hundred thousand orders of an account in a day."""

BACKDATED = timedelta(days=3)
"""Rows of the ledger lie under the moment that they tell of. What was booked later than this goes unseen."""


class Placed(NamedTuple):
    """An order as the list of a day has it."""

    order_id: str
    placed_at: str


class Change(NamedTuple):
    """Units that could be promised more (less: negative) at a location."""

    recorded_at: datetime
    location_id: str
    units: int


class PastOrdersStore:
    """Reads over several tables."""

    def __init__(self, client: DynamoDBClient, table_prefix: str) -> None:
        self.orders = Table(client, f"{table_prefix}orders")
        self.decisions = Table(client, f"{table_prefix}routing_decisions")
        self.movements = Table(client, f"{table_prefix}stock_movements")
        self.settings = Table(client, f"{table_prefix}settings")
        self.products = Table(client, f"{table_prefix}products")

    def accounts(self) -> list[str]:
        """Every account that orders come from, `<channel>#<account>`."""
        return sorted(row["name"] for row in self.settings.query_all("#kind = :kind", {":kind": "channel_account"}))

    def of_day(self, account: str, day: str) -> Iterator[Placed]:
        """Orders placed at an account on a day (ISO date, UTC), the newest first."""
        cursor: str | None = None
        for _ in range(MAX_PAGES):
            page = self.orders.query(
                "#account_day = :day",
                {":day": f"{account}#{day}"},
                index="by_account_day",
                limit=PAGE,
                cursor=cursor,
                descending=True,
            )
            yield from (Placed(row["order_id"], row["placed_at"]) for row in page.items)
            cursor = page.cursor
            if cursor is None:
                return

    def decisions_of(self, keys: Iterable[tuple[str, str]]) -> dict[str, list[Decision]]:
        """The decisions there are of these (order_id, decision_id), by order; those that can't be read are left out."""
        wanted = ({"order_id": order_id, "decision_id": decision_id} for order_id, decision_id in keys)
        found: dict[str, list[Decision]] = {}
        for item in get_many(self.decisions, wanted):
            with suppress(msgspec.ValidationError):
                found.setdefault(item["order_id"], []).append(from_document(Decision, item))
        return found

    def changes_since(self, sku: str, since: datetime) -> list[Change]:
        """How many units of the sku could be promised more or less by each movement since then, and by some before.

        Raises InvariantBroken where there are too many.
        """
        rows = self.movements.query_all(
            "#sku = :sku AND #movement_id >= :since",
            {":sku": sku, ":since": format_time(since - BACKDATED)},
            consistent=True,
        )
        changes = (_change(row) for row in rows)
        return [one for one in changes if one.units]

    def some_products(self, most: int) -> list[Product]:
        """Products, as many as one page holds and at most so many."""
        with our_errors():
            answer = self.products.client.scan(TableName=self.products.name, Limit=most)
        found = (from_document(Product, from_item(item)) for item in answer["Items"])
        return sorted(found, key=lambda one: one.sku)


def _change(row: dict[str, Any]) -> Change:
    units = row["changes"].get(Bucket.AVAILABLE.value, 0)
    return Change(datetime.fromisoformat(row["recorded_at"]), row["location_id"], units)
