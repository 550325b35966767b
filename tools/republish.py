"""Publishes the events of a time range on the bus again, read from the order documents (and order_history).

    python -m tools.republish --from 2026-11-27T06:00:00Z --to 2026-11-27T07:00:00Z --stage prod
    python -m tools.republish --from 2026-11-27 --to 2026-11-28 --order-id shopify-main-1001 --dry-run

For what the stream lost, or a subscriber that was down for long. It is safe to run, and to run again: events carry
the order's id and a sequence without gaps, and subscribers drop what they have by these two. Events of one order are
published in order. The range is over the time of the event, from `--from` up to but not including `--to`; without a
time zone it is UTC. The whole orders table is read (orders that did not change since `--from` are left out there),
so on a large table prefer --order-id where one order is meant.

Exit codes: 0 done, 1 the bus refused events (run it again), 2 it could not start (the message says why).
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from typing import Any

from oms.domain.errors import Retryable
from oms.runtime.event_bus import EventBus
from oms.stores.attribute_values import from_item
from oms.stores.documents import format_time
from oms.stores.orders import OrdersStore
from tools import stage as stages
from tools.console import Screen
from tools.stage import CANNOT_WORK, Stage

MAX_PAGES = 200_000
"""Of 1 MB each, as DynamoDB cuts them: a table of 200 GB."""

COULD_NOT_START, NOT_ALL_PUBLISHED = 2, 1
WANTED = {"#order_id": "order_id", "#channel": "channel", "#account": "account", "#events": "events"}
CHANGED_SINCE = "#updated_at >= :since AND #placed_at < :until"

Document = dict[str, Any]
Event = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Range:
    """Events from `since` up to, not including, `until`; as the documents write times."""

    since: str
    until: str

    def holds(self, event: Event) -> bool:
        """Whether the event happened in the range."""
        return self.since <= str(event["at"]) < self.until


@dataclass(slots=True)
class Republished:
    """What came of it; `refused_at` is the order whose events the bus did not take."""

    dry_run: bool
    orders_read: int = 0
    orders: int = 0
    events: int = 0
    refused_at: str | None = None


@dataclass(frozen=True, slots=True)
class Republishing:
    """Reads documents and publishes from them; writes nothing to any table."""

    orders: OrdersStore
    bus: EventBus
    screen: Screen

    def run(self, span: Range, order_id: str | None, *, dry_run: bool) -> Republished:
        """Publishes every event of the range; ends where the bus refuses."""
        result = Republished(dry_run)
        for document in self._documents(span, order_id, result):
            events = [event for event in self._events(document, span) if span.holds(event)]
            try:
                if not dry_run:
                    self.bus.publish(document, events)
            except Retryable as error:
                self.screen.say(f"the bus refused events of {document['order_id']}: {error}")
                result.refused_at = document["order_id"]
                break
            result.orders += bool(events)
            result.events += len(events)
            self.screen.status(f"events of the range: {result.events} of {result.orders_read} orders looked at")
        self.screen.settle()
        return result

    def _events(self, document: Document, span: Range) -> list[Event]:
        """All events that may lie in the range: those that moved to order_history only where they can matter."""
        events: list[Event] = document.get("events", [])
        moved = bool(events) and events[0]["sequence"] > 1
        if moved and events[0]["at"] >= span.since:
            return self.orders.events_before(document["order_id"]) + events
        return events

    def _documents(self, span: Range, order_id: str | None, result: Republished) -> Iterator[Document]:
        if order_id is not None:
            document = self.orders.get_document(order_id)
            result.orders_read = int(document is not None)
            yield from [document] if document else []
            return
        request: dict[str, Any] = self._scan(span)
        for _ in range(MAX_PAGES):
            page = self.orders.table.client.scan(**request)
            result.orders_read += page["ScannedCount"]
            yield from map(from_item, page["Items"])
            if "LastEvaluatedKey" not in page:
                return
            request["ExclusiveStartKey"] = page["LastEvaluatedKey"]

    def _scan(self, span: Range) -> dict[str, Any]:
        return {
            "TableName": self.orders.table.name,
            "ConsistentRead": True,
            "FilterExpression": CHANGED_SINCE,
            "ProjectionExpression": ", ".join(WANTED),
            "ExpressionAttributeNames": {**WANTED, "#updated_at": "updated_at", "#placed_at": "placed_at"},
            "ExpressionAttributeValues": {":since": {"S": span.since}, ":until": {"S": span.until}},
        }


def main(arguments: list[str]) -> int:
    """Parses the command line and publishes; returns the exit code."""
    parser = _parser()
    options = parser.parse_args(arguments)
    if options.since >= options.until:
        parser.error("--from must be before --to")
    stage, screen = Stage(options.stage), Screen()
    try:
        result = _republishing(stage, screen).run(
            Range(options.since, options.until), options.order_id, dry_run=options.dry_run
        )
    except CANNOT_WORK as error:
        screen.settle()
        print(stages.explain(error, stage), file=sys.stderr)
        return COULD_NOT_START
    _show(result, as_json=options.json)
    return NOT_ALL_PUBLISHED if result.refused_at else 0


def _republishing(stage: Stage, screen: Screen) -> Republishing:
    orders = OrdersStore(stage.client("dynamodb"), stage.table_prefix)
    return Republishing(orders, EventBus(stage.client("events"), stage.event_bus), screen)


def _show(result: Republished, *, as_json: bool) -> None:
    verb = "would be published" if result.dry_run else "published"
    print(f"Events {verb} again: {result.events} (orders: {result.orders} of {result.orders_read} looked at)")
    if result.refused_at:
        print("The bus took no more. Run this again: subscribers drop what they have.")
    if as_json:
        print(json.dumps(asdict(result)))


def _moment(text: str) -> str:
    """A time of the command line as the documents write times."""
    try:
        moment = datetime.fromisoformat(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(f"a time such as 2026-11-27T06:00:00Z, not {text!r}") from error
    return format_time(moment if moment.tzinfo else moment.replace(tzinfo=UTC))


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m tools.republish", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--from", dest="since", type=_moment, required=True, metavar="TIME", help="first moment")
    parser.add_argument("--to", dest="until", type=_moment, required=True, metavar="TIME", help="first moment after")
    parser.add_argument("--order-id", metavar="ID", help="only this order's events")
    stages.add_arguments(parser)
    return parser


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
