"""Puts messages from quarantine back on the queue they came from, once what kept them from being understood is mended.

    python -m tools.replay_quarantine --source shopify#main-street-goods --stage dev
    python -m tools.replay_quarantine --source report#WH-RENO --reason FulfillmentNotFound --dry-run

A row is deleted only after the queue has its message, so nothing is lost whenever this ends; what is put on the
queue twice changes nothing. A message that still is not understood comes back as a new row.

Exit codes: 0 done, 1 some messages stayed in quarantine (run it again), 2 it could not start (the message says why).
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from typing import Any

from oms.domain.errors import Retryable
from oms.domain.ids import order_of_fulfillment
from oms.domain.incoming import replayed
from oms.runtime.queues import Queue
from oms.stores.documents import format_time
from oms.stores.quarantine import QuarantineStore
from tools import stage as stages
from tools.console import Screen
from tools.stage import CANNOT_WORK, Stage

DEFAULT_LIMIT, MAX_LIMIT = 1_000, 100_000
PAGE, MAX_PAGES = 50, 4_000
QUEUES = {"report#": "fulfillment", "stock#": "stock", "poll#": "poll"}
"""By what a source begins with; all others are channels, whose messages are for intake."""
EARLY_UPDATES = "TRACKING#"
COULD_NOT_START, SOME_STAYED = 2, 1

Row = dict[str, Any]


@dataclass(slots=True)
class Replayed:
    """What came of it: messages put back (or found, in a dry run), and those that stayed because of an error."""

    source: str
    dry_run: bool
    replayed: int = 0
    stayed: int = 0
    reasons: dict[str, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Replay:
    """One source's messages, and the queue they belong on."""

    quarantine: QuarantineStore
    queue: Queue
    screen: Screen

    def run(self, source: str, reason: str | None, limit: int, *, dry_run: bool) -> Replayed:
        """Replays at most `limit` messages, oldest first; ends early only when the queue takes no more."""
        result = Replayed(source, dry_run)
        for row in self._rows(source, reason, limit):
            try:
                if not dry_run:
                    self._put_back(row)
            except Retryable as error:
                self.screen.say(f"stayed in quarantine: {row['received_key']} ({error})")
                result.stayed += 1
                break
            result.replayed += 1
            result.reasons[row["reason"]] = result.reasons.get(row["reason"], 0) + 1
            self.screen.status(
                f"messages of {source}: {result.replayed} of at most {limit}, up to {row['received_at']}"
            )
        self.screen.settle()
        return result

    def _rows(self, source: str, reason: str | None, limit: int) -> Iterator[Row]:
        """Rows that were there before we began: what comes back meanwhile is not sent round and round."""
        began, cursor, found = format_time(datetime.now(UTC)), None, 0
        for _ in range(MAX_PAGES):
            page = self.quarantine.of_source(source, limit=PAGE, cursor=cursor)
            for row in page.items:
                if found >= limit or row["received_at"] >= began:
                    return
                if reason in (None, row["reason"]):
                    found += 1
                    yield row
            cursor = page.cursor
            if cursor is None:
                return

    def _put_back(self, row: Row) -> None:
        message, moment = row["message"], datetime.now(UTC).isoformat()
        self.quarantine.mark_replayed(row, moment)
        self.queue.send(json.dumps(replayed(message), separators=(",", ":")), group=_group(row["source"], message))
        self.quarantine.delete_replayed(row, moment)


def main(arguments: list[str]) -> int:
    """Parses the command line and replays; returns the exit code."""
    options = _parser().parse_args(arguments)
    if options.source.startswith(EARLY_UPDATES):
        print(
            "Updates of parcels nobody knows yet need no replay: the report that ships the parcel takes them up.",
            file=sys.stderr,
        )
        return COULD_NOT_START
    stage, screen = Stage(options.stage), Screen()
    try:
        replay = _replay(stage, options.source, screen)
        result = replay.run(options.source, options.reason, options.limit, dry_run=options.dry_run)
    except CANNOT_WORK as error:
        screen.settle()
        print(stages.explain(error, stage), file=sys.stderr)
        return COULD_NOT_START
    _show(result, as_json=options.json)
    return SOME_STAYED if result.stayed else 0


def _replay(stage: Stage, source: str, screen: Screen) -> Replay:
    sqs = stage.client("sqs")
    name = next((queue for start, queue in QUEUES.items() if source.startswith(start)), "intake")
    queue = Queue(sqs, stage.queue_url(sqs, name))
    return Replay(QuarantineStore(stage.client("dynamodb"), stage.table_prefix), queue, screen)


def _group(source: str, message: Row) -> str:
    """Whom the message may not crowd out: as the door that queued it first said."""
    order_id = order_of_fulfillment(str(message.get("fulfillment_id", "")))
    return order_id or source.removeprefix("stock#").removeprefix("poll#")


def _show(result: Replayed, *, as_json: bool) -> None:
    verb = "would be put back" if result.dry_run else "put back"
    print(f"Messages of {result.source} {verb} on the queue: {result.replayed}")
    for reason, count in sorted(result.reasons.items()):
        print(f"  {count:6}  {reason}")
    if result.stayed:
        print("The queue took no more. What is left stays in quarantine: run this again.")
    if as_json:
        print(json.dumps(asdict(result)))


def _limit(text: str) -> int:
    if not text.isdigit() or not 1 <= int(text) <= MAX_LIMIT:
        raise argparse.ArgumentTypeError(f"a number from 1 to {MAX_LIMIT}, not {text!r}")
    return int(text)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m tools.replay_quarantine",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        "--source",
        required=True,
        metavar="SOURCE",
        help="whose messages: channel#account (shopify#main), report#location or stock#location for reports",
    )
    parser.add_argument("--reason", help="only rows with this reason, such as UNKNOWN_ACCOUNT")
    parser.add_argument(
        "--limit", type=_limit, default=DEFAULT_LIMIT, metavar="N", help=f"at most N messages (default {DEFAULT_LIMIT})"
    )
    stages.add_arguments(parser)
    return parser


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
