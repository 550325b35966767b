"""Owes a channel anew what it did not take, once what kept it from taking it is mended.

    python -m tools.replay_deliveries --destination channel#amazon#main --stage prod
    python -m tools.replay_deliveries --destination channel#shopify#main --status REFUSED --dry-run
    python -m tools.replay_deliveries --destination channel#etsy#main --message-key etsy-main-7#4#cancellation --done

Rows of `deliveries/by_failed` become PENDING, and the channel is told what is true by then: an order's parcel as it is
now, a listing's newest figure. Safe to run, and to run again. Without --status all are owed anew but those BY_HAND:
the channel offers no way to be told of them. --done notes those as done, once somebody did it there.

Exit codes: 0 done, 1 some rows could not be written (run it again), 2 it could not start (the message says why).
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from typing import Any

from oms.domain.confirmations import account_of
from oms.domain.errors import InvalidMessage, Retryable
from oms.stores.deliveries import DeliveriesStore
from oms.stores.documents import format_time
from tools import stage as stages
from tools.console import Screen
from tools.stage import CANNOT_WORK, Stage

DEFAULT_LIMIT, MAX_LIMIT = 1_000, 100_000
PAGE, MAX_PAGES = 100, 2_000
COULD_NOT_START, SOME_STAYED = 2, 1
FAILED, REFUSED, BY_HAND = "FAILED", "REFUSED", "BY_HAND"

Row = dict[str, Any]


@dataclass(slots=True)
class Replayed:
    """What came of it: rows owed anew or noted as done (or found, in a dry run), by what they were and said; `moved_on`
    are those that somebody else, or a worker, changed meanwhile."""

    destination: str
    dry_run: bool
    done: bool
    rows: int = 0
    moved_on: int = 0
    stayed: int = 0
    statuses: dict[str, int] = field(default_factory=dict)
    errors: dict[str, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which rows of a destination."""

    destination: str
    statuses: frozenset[str]
    message_key: str | None
    limit: int


@dataclass(frozen=True, slots=True)
class Replay:
    """The rows that a destination did not take."""

    deliveries: DeliveriesStore
    screen: Screen

    def run(self, wanted: Wanted, *, done: bool, dry_run: bool) -> Replayed:
        """Owes rows anew, or notes them as done, longest failed first; ends early only when a table does not answer."""
        result = Replayed(wanted.destination, dry_run, done)
        for row in self._rows(wanted):
            try:
                written = dry_run or self._write(row, done)
            except Retryable as error:
                self.screen.say(f"stayed as it was: {row['message_key']} ({type(error).__name__})")
                result.stayed += 1
                break
            result.rows += written
            result.moved_on += not written
            if written:
                _count(result.statuses, row["status"])
                _count(result.errors, row.get("last_error", ""))
            self.screen.status(f"rows of {wanted.destination}: {result.rows} of at most {wanted.limit}")
        self.screen.settle()
        return result

    def _write(self, row: Row, done: bool) -> bool:
        now = datetime.now(UTC)
        return self.deliveries.done_by_hand(row, now) if done else self.deliveries.owe_anew(row, now)

    def _rows(self, wanted: Wanted) -> Iterator[Row]:
        """Rows that had failed before we began: what fails again meanwhile is not sent round and round."""
        began, cursor, found = format_time(datetime.now(UTC)), None, 0
        for _ in range(MAX_PAGES):
            page = self.deliveries.failed_of(wanted.destination, cursor=cursor, limit=PAGE)
            for row in page.items:
                if found >= wanted.limit or row["failed_at"] > began:
                    return
                if row["status"] in wanted.statuses and wanted.message_key in (None, row["message_key"]):
                    found += 1
                    yield row
            cursor = page.cursor
            if cursor is None:
                return


def main(arguments: list[str]) -> int:
    """Parses the command line and replays; returns the exit code."""
    parser = _parser()
    options = parser.parse_args(arguments)
    if options.done and options.status not in (None, BY_HAND):
        parser.error("--done is for rows that are BY_HAND")
    stage, screen = Stage(options.stage), Screen()
    try:
        replay = Replay(DeliveriesStore(stage.client("dynamodb"), stage.table_prefix), screen)
        result = replay.run(_wanted(options), done=options.done, dry_run=options.dry_run)
    except CANNOT_WORK as error:
        screen.settle()
        print(stages.explain(error, stage), file=sys.stderr)
        return COULD_NOT_START
    _show(result, as_json=options.json)
    return SOME_STAYED if result.stayed else 0


def _wanted(options: argparse.Namespace) -> Wanted:
    chosen = BY_HAND if options.done else options.status
    statuses = {chosen} if chosen else {FAILED, REFUSED}
    return Wanted(options.destination, frozenset(statuses), options.message_key, options.limit)


def _count(counts: dict[str, int], name: str) -> None:
    counts[name] = counts.get(name, 0) + 1


def _show(result: Replayed, *, as_json: bool) -> None:
    verb = "noted as done" if result.done else "owed anew"
    print(f"Rows of {result.destination} {'that would be ' if result.dry_run else ''}{verb}: {result.rows}")
    for counts in (result.statuses, result.errors):
        for name, count in sorted(counts.items()):
            print(f"  {count:6}  {name}")
    if result.moved_on:
        print(f"Changed by somebody else meanwhile, and left alone: {result.moved_on}")
    if result.stayed:
        print("The table did not answer. What is left stays as it was: run this again.")
    if as_json:
        print(json.dumps(asdict(result)))


def _limit(text: str) -> int:
    if not text.isdigit() or not 1 <= int(text) <= MAX_LIMIT:
        raise argparse.ArgumentTypeError(f"a number from 1 to {MAX_LIMIT}, not {text!r}")
    return int(text)


def _destination(text: str) -> str:
    try:
        account_of(text)
    except InvalidMessage as error:
        raise argparse.ArgumentTypeError(f"an account, like channel#amazon#main, not {text!r}") from error
    return text


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m tools.replay_deliveries",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        "--destination", type=_destination, required=True, metavar="DESTINATION", help="whom: channel#amazon#main"
    )
    parser.add_argument("--status", choices=(FAILED, REFUSED, BY_HAND), help="only rows of this status")
    parser.add_argument("--message-key", metavar="KEY", help="only this row")
    parser.add_argument("--done", action="store_true", help="note rows that are BY_HAND as done; nobody is told")
    parser.add_argument(
        "--limit", type=_limit, default=DEFAULT_LIMIT, metavar="N", help=f"at most N rows (default {DEFAULT_LIMIT})"
    )
    stages.add_arguments(parser)
    return parser


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
