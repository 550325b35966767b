"""Makes a read model again from the order documents.

    python -m tools.rebuild open_lines --stage dev
    python -m tools.rebuild open_lines --stage prod --segments 16 --json
    python -m tools.rebuild open_lines --dry-run

First every order is read and its rows are made to say what it says; then every open row is read, and closed if its
order does not hold it (or deleted if there is no such order). Only rows that are wrong are written, and never over
one that was made of a newer document: it is safe while orders go on, safe to stop, and safe to run again. Both
tables are read whole, in `--segments` parts at the same time.

Exit codes: 0 done, 1 some orders could not be looked at (run it again), 2 it could not start (the message says why).
"""

from __future__ import annotations

import argparse
import json
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from typing import Any

import msgspec

from oms.domain.errors import Retryable
from oms.domain.order import Order
from oms.domain.projection import OpenLine
from oms.stores.attribute_values import from_item
from oms.stores.documents import from_document
from oms.stores.open_lines import OpenLinesStore
from oms.stores.orders import OrdersStore, decode
from oms.usecases.projection import Projection
from tools import stage as stages
from tools.console import Screen
from tools.stage import CANNOT_WORK, Stage

READ_MODELS = ("open_lines",)
MAX_PAGES = 200_000
"""Of 1 MB each, as DynamoDB cuts them, per segment."""

COULD_NOT_START, SOME_LEFT = 2, 1

Page = list[dict[str, Any]]


@dataclass(slots=True)
class Rebuilt:
    """What came of it: rows written, closed, deleted (in a dry run: found wrong), and orders left as they were."""

    read_model: str
    dry_run: bool
    orders: int = 0
    rows_written: int = 0
    rows_looked_at: int = 0
    rows_closed: int = 0
    rows_deleted: int = 0
    orders_failed: int = 0


@dataclass(slots=True)
class Tally:
    """Counts what the segments do, and shows how far they are."""

    screen: Screen
    result: Rebuilt
    lock: threading.Lock = field(default_factory=threading.Lock)

    def add(self, title: str, done: str, total: int, **counts: int) -> None:
        """Adds to the counts; `done` names the one that the bar shows."""
        with self.lock:
            for name, units in counts.items():
                setattr(self.result, name, getattr(self.result, name) + units)
            self.screen.progress(title, getattr(self.result, done), total)

    def say(self, text: str) -> None:
        """A line that stays."""
        with self.lock:
            self.screen.say(text)


@dataclass(frozen=True, slots=True)
class Rebuild:
    """Two passes: documents to rows, then rows that no document accounts for."""

    projection: Projection
    segments: int
    dry_run: bool
    tally: Tally
    clock: Callable[[], datetime] = lambda: datetime.now(UTC)

    def run(self) -> None:
        """Does both passes; what could not be looked at is counted, not raised."""
        orders, rows = self.projection.orders.table, self.projection.open_lines.table
        self._each_page(orders.client, orders.name, self._project)
        self._each_page(rows.client, rows.name, self._close)
        self.tally.screen.settle()

    def _each_page(self, client: Any, table: str, work: Callable[[Page, int], None]) -> None:
        """Works on every page of a table, each segment in a thread of its own."""
        total = client.describe_table(TableName=table)["Table"]["ItemCount"]

        def segment(number: int) -> None:
            for page in _pages(client, table, number, self.segments):
                work(page, total)

        with ThreadPoolExecutor(self.segments) as threads:
            list(threads.map(segment, range(self.segments)))

    def _project(self, page: Page, total: int) -> None:
        orders = [order for order in map(self._readable, page) if order]
        failed = len(page) - len(orders)
        try:
            if self.dry_run:
                written = len(self.projection.stale(orders))
            else:
                projected = self.projection.project_orders(orders, self.clock())
                written, failed = projected.written, failed + len(projected.failed)
        except Retryable as error:
            self.tally.say(f"{len(orders)} orders were left as they were: {error}")
            written, failed = 0, failed + len(orders)
        counts = {"orders": len(page), "rows_written": written, "orders_failed": failed}
        self.tally.add("orders", "orders", total, **counts)

    def _readable(self, document: dict[str, Any]) -> Order | None:
        try:
            return decode(document)
        except msgspec.ValidationError as error:
            self.tally.say(f"{document['order_id']} can't be read: {error}")
            return None

    def _close(self, page: Page, total: int) -> None:
        rows = [row for row in (from_document(OpenLine, item) for item in page) if row.quantity]
        counts = {"rows_looked_at": len(page)}
        try:
            closed, orphans = self.projection.strays(rows)
            if not self.dry_run:
                self._write(closed, orphans)
            counts |= {"rows_closed": len(closed), "rows_deleted": len(orphans)}
        except Retryable as error:
            self.tally.say(f"rows of up to {len(rows)} orders were not looked at: {error}")
            counts["orders_failed"] = len({row.order_id for row in rows})
        self.tally.add("rows", "rows_looked_at", total, **counts)

    def _write(self, closed: Sequence[OpenLine], orphans: Sequence[OpenLine]) -> None:
        """Raises Retryable if one of the rows could not be written."""
        for outcome in self.projection.open_lines.put_all(closed, self.clock()):
            if isinstance(outcome, Retryable):
                raise outcome
        for row in orphans:
            self.projection.open_lines.delete(row)


def _pages(client: Any, table: str, segment: int, segments: int) -> Iterator[Page]:
    """One segment of a table, page by page, strongly consistent."""
    request = {"TableName": table, "ConsistentRead": True, "Segment": segment, "TotalSegments": segments}
    for _ in range(MAX_PAGES):
        answer = client.scan(**request)
        yield [from_item(item) for item in answer["Items"]]
        if "LastEvaluatedKey" not in answer:
            return
        request["ExclusiveStartKey"] = answer["LastEvaluatedKey"]


def main(arguments: list[str]) -> int:
    """Parses the command line and rebuilds; returns the exit code."""
    options = _parser().parse_args(arguments)
    stage, screen = Stage(options.stage), Screen()
    result = Rebuilt(options.read_model, options.dry_run)
    try:
        client, prefix = stage.client("dynamodb"), stage.table_prefix
        projection = Projection(OrdersStore(client, prefix), OpenLinesStore(client, prefix))
        Rebuild(projection, options.segments, options.dry_run, Tally(screen, result)).run()
    except CANNOT_WORK as error:
        screen.settle()
        print(stages.explain(error, stage), file=sys.stderr)
        return COULD_NOT_START
    _show(result, as_json=options.json)
    return SOME_LEFT if result.orders_failed else 0


def _show(result: Rebuilt, *, as_json: bool) -> None:
    verb = "would be" if result.dry_run else "were"
    print(f"Rows of {result.orders} orders: {result.rows_written} {verb} written")
    print(f"Rows looked at: {result.rows_looked_at}, of these {result.rows_closed} {verb} closed")
    print(f"Rows without an order: {result.rows_deleted} {verb} deleted")
    if result.orders_failed:
        print(f"Orders left as they were: {result.orders_failed}. Run this again.")
    if as_json:
        print(json.dumps(asdict(result)))


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m tools.rebuild", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("read_model", choices=READ_MODELS, help="what to make again")
    stages.add_segments(parser)
    stages.add_arguments(parser)
    return parser


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
