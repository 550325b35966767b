"""Snapshots in `stock_documents`: the head, its chunks, and what became of each; and what counted rows are judged by.

Parts of a document: HEADER, CHUNK#0001 … as they were sent, RESULT#0001 … once they are judged.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial
from typing import TYPE_CHECKING, Any, TypeVar

from oms.domain.errors import InvariantBroken
from oms.domain.snapshots import ENDED, Chunk, ChunkResult, Reading, Snapshot, change_id
from oms.domain.stock import StockPosition
from oms.stores import stock
from oms.stores.batch_reads import get_many
from oms.stores.documents import format_time, from_document, to_document
from oms.stores.table import ConditionFailedError, Page, Table

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

HEADER = "HEADER"
KIND = "SNAPSHOT"
IS_NEW = "attribute_not_exists(document_id)"
IS_UNCHANGED = "#version = :expected_version"
UNDECIDED = "attribute_not_exists(decided)"
READERS = 8
"""Ledgers that are read at the same time."""

BOOKED_AHEAD = timedelta(minutes=15)
"""Nothing is booked as happening so much later than it is written, by any clock."""

PAGE = 1_000
MAX_LEDGER_PAGES = 100
MAX_LOCATION_PAGES = 1_000
MAX_CHUNK_PAGES = 1_000

T = TypeVar("T")


class SnapshotsStore:
    """Heads are written whole, under the version before; chunks and results once, the first one stays."""

    def __init__(self, client: DynamoDBClient, table_prefix: str) -> None:
        self.table = Table(client, f"{table_prefix}stock_documents")

    def get(self, snapshot_id: str) -> Snapshot | None:
        """The head as it is now, or None."""
        return self._read(Snapshot, snapshot_id, HEADER)

    def write(self, head: Snapshot) -> Snapshot:
        """Writes this version if the one before it is stored (none, for the first); returns what is stored then."""
        item = _item(head.snapshot_id, HEADER, head) | {"kind": KIND}
        if head.status not in ENDED:
            item["open_status"] = head.status.value
        if head.version == 1:
            return self._put(head, item, IS_NEW)
        return self._put(head, item, IS_UNCHANGED, {":expected_version": head.version - 1})

    def chunk(self, snapshot_id: str, number: int) -> Chunk | None:
        """A chunk as it was sent, or None."""
        return self._read(Chunk, snapshot_id, _part("CHUNK", number))

    def add(self, chunk: Chunk) -> Chunk:
        """Keeps a chunk, or finds the one kept before under its number."""
        return self._put(chunk, _item(chunk.snapshot_id, _part("CHUNK", chunk.number), chunk), IS_NEW)

    def chunks(self, snapshot_id: str, last: int) -> Iterable[Chunk]:
        """The chunks up to a number."""
        condition = "#document_id = :d AND #part BETWEEN :first AND :last"
        values = {":d": _document_id(snapshot_id), ":first": _part("CHUNK", 1), ":last": _part("CHUNK", last)}
        cursor: str | None = None
        for _ in range(MAX_CHUNK_PAGES):
            page = self.table.query(condition, values, limit=PAGE, cursor=cursor, consistent=True)
            yield from (from_document(Chunk, item) for item in page.items)
            cursor = page.cursor
            if cursor is None:
                return
        raise InvariantBroken(f"snapshot {snapshot_id} has more than {MAX_CHUNK_PAGES} pages of chunks")

    def result(self, snapshot_id: str, number: int) -> ChunkResult | None:
        """What became of a chunk, or None while it is not judged."""
        return self._read(ChunkResult, snapshot_id, _part("RESULT", number))

    def keep_result(self, result: ChunkResult) -> ChunkResult:
        """Keeps what became of a chunk, or finds what was kept: of two that judged, or decided, the first one's."""
        item = _item(result.snapshot_id, _part("RESULT", result.number), result)
        return self._put(result, item, UNDECIDED if result.decided else IS_NEW)

    def results(self, snapshot_id: str, *, limit: int, cursor: str | None) -> Page:
        """One page of what became of the chunks, in their order."""
        values = {":d": _document_id(snapshot_id), ":p": "RESULT#"}
        condition = "#document_id = :d AND begins_with(#part, :p)"
        return self.table.query(condition, values, limit=limit, cursor=cursor, consistent=True)

    def _read(self, kind: type[T], snapshot_id: str, part: str) -> T | None:
        item = self.table.get({"document_id": _document_id(snapshot_id), "part": part})
        return from_document(kind, item) if item else None

    def _put(self, value: T, item: dict[str, Any], condition: str, values: dict[str, Any] | None = None) -> T:
        try:
            self.table.put(item, condition, values)
        except ConditionFailedError as error:
            if error.image is None:
                raise
            return from_document(type(value), error.image)
        return value


@dataclass(frozen=True, slots=True)
class Readings:
    """What counted rows are judged by: positions, and what their ledgers say. All strongly consistent."""

    stock: Table
    movements: Table

    @classmethod
    def of(cls, client: DynamoDBClient, table_prefix: str) -> Readings:
        """The readings of a stage."""
        return cls(Table(client, f"{table_prefix}stock"), Table(client, f"{table_prefix}stock_movements"))

    def read(self, head: Snapshot, skus: Sequence[str]) -> dict[str, Reading]:
        """A reading of each sku at the snapshot's location.

        First the position, then its ledger: whoever moves units in between raises the position's on_hand_version,
        under which the count is written. A position last written well before the moment has no ledger after it.
        """
        items = get_many(self.stock, ({"sku": sku, "location_id": head.location_id} for sku in skus))
        positions = {item["sku"]: stock.decode(item) for item in items}
        readings = {sku: Reading(position=position) for sku, position in positions.items()}
        since = format_time(head.as_of - BOOKED_AHEAD)
        moved = [positions[item["sku"]] for item in items if item.get("updated_at", "") >= since]
        if moved:
            with ThreadPoolExecutor(READERS) as readers:
                for reading in readers.map(partial(self._reading, head), moved):
                    readings[reading.position.sku] = reading
        return {sku: readings.get(sku) or _nothing(sku, head.location_id) for sku in skus}

    def skus_at(self, location_id: str) -> Iterable[str]:
        """Every sku that was ever booked at a location, in their order; seconds behind."""
        cursor: str | None = None
        for _ in range(MAX_LOCATION_PAGES):
            page = self.stock.query(
                "#location_id = :l", {":l": location_id}, index="by_location", limit=PAGE, cursor=cursor
            )
            yield from (item["sku"] for item in page.items)
            cursor = page.cursor
            if cursor is None:
                return
        raise InvariantBroken(f"{location_id} has more than {MAX_LOCATION_PAGES} pages of positions")

    def _reading(self, head: Snapshot, position: StockPosition) -> Reading:
        rows = self._ledger(position.sku, position.location_id, head.as_of)
        booking = change_id(head, position.sku)
        return Reading(
            position=position,
            moved_after=sum(moved_after(row, format_time(head.as_of)) for row in rows),
            booked=any(row.get("change_id") == booking for row in rows),
        )

    def _ledger(self, sku: str, location_id: str, since: datetime) -> list[dict[str, Any]]:
        """Movements at a position that happened at this moment or later."""
        values = {":s": sku, ":since": format_time(since)}
        rows: list[dict[str, Any]] = []
        cursor: str | None = None
        for _ in range(MAX_LEDGER_PAGES):
            page = self.movements.query(
                "#sku = :s AND #movement_id >= :since", values, limit=PAGE, cursor=cursor, consistent=True
            )
            rows += [row for row in page.items if row["location_id"] == location_id]
            cursor = page.cursor
            if cursor is None:
                return rows
        raise InvariantBroken(f"the ledger of {sku} is longer than {MAX_LEDGER_PAGES} pages since {since}")


def moved_after(row: dict[str, Any], as_of: str) -> int:
    """What a row of the ledger changed on hand after a moment. A row is as late as the latest of its entries; one
    that was earlier says when, and what it changed."""
    if row["effective_at"] <= as_of:
        return 0
    earlier: int = sum(
        one["on_hand"] for one in row["entries"] if one.get("effective_at", row["effective_at"]) <= as_of
    )
    on_hand: int = row["changes"].get("on_hand", 0)
    return on_hand - earlier


def _nothing(sku: str, location_id: str) -> Reading:
    return Reading(position=StockPosition(sku=sku, location_id=location_id))


def _document_id(snapshot_id: str) -> str:
    return f"snapshot#{snapshot_id}"


def _part(kind: str, number: int) -> str:
    return f"{kind}#{number:04d}"


def _item(snapshot_id: str, part: str, value: Snapshot | Chunk | ChunkResult) -> dict[str, Any]:
    document: dict[str, Any] = to_document(value)
    return document | {"document_id": _document_id(snapshot_id), "part": part}
