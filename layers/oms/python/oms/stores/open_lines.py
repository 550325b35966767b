"""`open_lines`: whose orders hold a sku, where, and how many units still look for a location.

A read model, seconds behind the documents and made of them alone: `python -m tools.rebuild open_lines` makes it
again. Rows of quantity 0 are closed; they keep an older document from bringing the row back, and expire.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, NamedTuple

from oms.domain.errors import Retryable, TooLarge
from oms.domain.projection import UNALLOCATED, OpenLine, RowKey
from oms.stores.batch_reads import get_many
from oms.stores.documents import from_document, to_document
from oms.stores.table import MAX_PAGES, ConditionFailedError, Table

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

CLOSED_KEPT = timedelta(hours=2)
"""How long a closed row stays: longer than any worker can hold an older document in its hands."""

PAGE = 4000
WRITERS = 8
"""Rows that are written at the same time, once there are more."""

NOT_NEWER = "attribute_not_exists(source_version) OR source_version <= :version"
AS_READ = "source_version = :version"
OF_PLACE = "#sku = :sku AND begins_with(line_key, :place)"


class Unallocated(NamedTuple):
    """Units of a sku that orders wait for at no location yet, and how many of them are known to be short."""

    total: int
    backordered: int


class OpenLinesPage(NamedTuple):
    """Some open rows (perhaps none) and the opaque cursor of the next page, None on the last."""

    rows: list[OpenLine]
    cursor: str | None


class OpenLinesStore:
    """The rows. Reading is eventually consistent, and the rows are themselves seconds behind."""

    def __init__(self, client: DynamoDBClient, table_prefix: str) -> None:
        self.table = Table(client, f"{table_prefix}open_lines")

    def unallocated(self, sku: str) -> Unallocated:
        """Units of the sku that orders want and no location holds. Raises TooLarge above MAX_PAGES pages."""
        total = backordered = 0
        cursor: str | None = None
        for _ in range(MAX_PAGES):
            rows, cursor = self._page(sku, UNALLOCATED, PAGE, cursor)
            total += sum(row.quantity for row in rows)
            backordered += sum(row.backordered for row in rows)
            if cursor is None:
                return Unallocated(total, backordered)
        raise TooLarge("open_lines: more rows of one sku than are counted", sku=sku, bound=MAX_PAGES * PAGE)

    def at(self, sku: str, location_id: str, *, limit: int = PAGE, cursor: str | None = None) -> OpenLinesPage:
        """One page of what orders hold of a sku at a location, by order_id; at most `limit` rows are looked at."""
        return self._page(sku, location_id, limit, cursor)

    def get_many(self, keys: Iterable[RowKey]) -> list[OpenLine]:
        """The rows there are of these keys, closed ones too, strongly consistent. Raises Retryable."""
        items = get_many(self.table, ({"sku": sku, "line_key": line_key} for sku, line_key in keys))
        return [from_document(OpenLine, item) for item in items]

    def put(self, row: OpenLine, now: datetime) -> bool:
        """Writes the row; False if one made of a newer document stands there."""
        item: dict[str, Any] = to_document(row)
        if not row.quantity:
            item["expires_at"] = int((now + CLOSED_KEPT).timestamp())
        try:
            self.table.put(item, NOT_NEWER, {":version": row.source_version})
        except ConditionFailedError:
            return False
        return True

    def put_all(self, rows: Sequence[OpenLine], now: datetime) -> list[bool | Retryable]:
        """Writes rows, several at a time; per row, in order, what `put` returned or raised."""

        def outcome(row: OpenLine) -> bool | Retryable:
            try:
                return self.put(row, now)
            except Retryable as error:
                return error

        if len(rows) <= WRITERS:
            return [outcome(row) for row in rows]
        with ThreadPoolExecutor(WRITERS) as writers:
            return list(writers.map(outcome, rows))

    def delete(self, row: OpenLine) -> None:
        """Takes out a row whose order there is not, unless it was written anew since it was read."""
        key = {"sku": row.sku, "line_key": row.line_key}
        try:
            self.table.delete(key, AS_READ, {":version": row.source_version})
        except ConditionFailedError:
            return

    def _page(self, sku: str, place: str, limit: int, cursor: str | None) -> OpenLinesPage:
        values = {":sku": sku, ":place": f"{place}#"}
        page = self.table.query(OF_PLACE, values, limit=limit, cursor=cursor)
        rows = [from_document(OpenLine, item) for item in page.items]
        return OpenLinesPage([row for row in rows if row.quantity], page.cursor)
