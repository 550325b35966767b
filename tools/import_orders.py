"""Imports orders from a CSV or JSON Lines file: each goes the way that a storefront's message goes.

    python -m tools.import_orders --stage dev --dry-run orders.csv
    python -m tools.import_orders --stage dev --report outcome.csv --follow 120 orders.csv
    python -m tools.import_orders --stage prod --json orders.jsonl

docs/importing-orders.md says what is in the files. Every order is checked first: its fields, whether its account, its
skus and its locations are known, whether it comes twice in the file or is there already. Those that pass are put on
the intake queue; those that do not are told by row, field and reason, and keep nobody else out. `--dry-run` only
checks. `--follow` waits so many seconds for the orders to be there.

An order is known by channel, account and channel_order_id: stop it and run it again whenever you like, mend the rows
that were refused and run the same file. Nothing is placed twice, and an order that is there is left as it is.

Exit codes: 0 done, 1 some orders were refused or could not be sent, 2 it could not start (the message says why).
"""

from __future__ import annotations

import argparse
import json
import sys
from collections import Counter
from collections.abc import Container, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass, field
from datetime import datetime
from enum import StrEnum
from itertools import islice
from pathlib import Path

from oms.channels import direct, envelopes
from oms.channels.direct import IMPORTED, imported_order
from oms.domain.errors import InvalidMessage, Retryable
from oms.domain.incoming import Envelope, IncomingOrder
from oms.runtime.clock import now
from oms.runtime.queues import Queue
from oms.stores.listings import ListingsStore
from oms.stores.orders import OrdersStore
from oms.stores.quarantine import QuarantineStore
from oms.stores.reference_data import LocationsStore, ProductsStore, SettingsStore
from oms.usecases.intake import order_id_of
from tools import order_csv, order_report
from tools import stage as stages
from tools.console import Screen
from tools.order_checks import Known
from tools.order_csv import Entry, UnusableError
from tools.order_report import NoReportError, Told
from tools.stage import CANNOT_WORK, Stage
from tools.waiting import wait_until

COULD_NOT_START, SOME_REFUSED = 2, 1
CHUNK = 200
"""Orders that are looked up together."""

SENDERS = 8
"""Orders that are sent at the same time."""

LOOKED_AT = 1_000
"""Orders that are waited for and looked up together."""

MAX_MESSAGE_BYTES = 200_000

READERS = {
    ".csv": order_csv.read_csv,
    ".jsonl": order_csv.read_json_lines,
    ".ndjson": order_csv.read_json_lines,
}


class Outcome(StrEnum):
    """What became of an order of the file."""

    VALID = "VALID"
    SENT = "SENT"
    CREATED = "CREATED"
    QUARANTINED = "QUARANTINED"
    EXISTS = "EXISTS"
    REFUSED = "REFUSED"
    FAILED = "FAILED"


BAD = frozenset({Outcome.REFUSED, Outcome.FAILED, Outcome.QUARANTINED})


@dataclass(slots=True)
class Imported:
    """What came of it: orders by outcome."""

    file: str
    dry_run: bool
    orders: int = 0
    counts: dict[str, int] = field(default_factory=dict)


@dataclass(slots=True)
class Candidate:
    """An order of the file that can be read, and what a person should know of it."""

    entry: Entry
    order: IncomingOrder
    told: Told

    @property
    def order_id(self) -> str:
        return order_id_of(self.order)

    @property
    def account(self) -> str:
        return f"{self.order.channel}#{self.order.account}"


Sent = tuple[Candidate, datetime]
"""An order on the queue, and when it was put there."""


@dataclass(slots=True)
class Importing:
    """Checks and sends the orders of a file, chunk by chunk. `apart` are those whose rows do not stand together."""

    orders: OrdersStore
    known: Known
    quarantine: QuarantineStore
    queue: Queue
    result: Imported
    screen: Screen
    apart: Container[tuple[str, ...]] = frozenset()
    report: list[Told] = field(default_factory=list)
    _seen: dict[str, int] = field(default_factory=dict)
    _sent: dict[str, Sent] = field(default_factory=dict)
    _by_row: dict[int, Told] = field(default_factory=dict)

    def run(self, entries: Iterator[Entry], total: int) -> None:
        """Takes every order of the file. Raises Retryable when the tables can't be read."""
        with ThreadPoolExecutor(SENDERS) as senders:
            while chunk := list(islice(entries, CHUNK)):
                self.result.orders += len(chunk)
                self._take(chunk, senders)
                self.screen.progress("orders", self.result.orders, total)

    def follow(self, seconds: float) -> None:
        """Waits until the orders that were sent are there or in quarantine, at most so long."""
        wait_until(
            self._all_taken, seconds, meanwhile=lambda: self.screen.status(f"orders to be created: {len(self._sent)}")
        )

    def finish(self) -> None:
        """Counts orders by outcome, each once."""
        self.result.counts = dict(Counter(str(told.outcome) for told in self._by_row.values()))

    def _all_taken(self) -> bool:
        """Looks at some of the orders that are waited for, and puts those not settled behind the others."""
        looked_at = [self._sent.pop(order_id) for order_id in list(islice(self._sent, LOOKED_AT))]
        there = self._there(one.order_id for one, _ in looked_at)
        accounts = {one.account for one, _ in looked_at}
        waiting = [sent for account in accounts for sent in self._not_in_quarantine(account, looked_at, there)]
        self._sent |= {one.order_id: (one, sent_at) for one, sent_at in waiting}
        for one, _ in looked_at:
            if one.order_id in there:
                one.told.outcome = Outcome.CREATED
        return not self._sent

    def _not_in_quarantine(self, account: str, looked_at: Iterable[Sent], there: Container[str]) -> list[Sent]:
        """The orders of the account that nobody took yet; those that intake could not take after all are told."""
        missing = [sent for sent in looked_at if sent[0].account == account and sent[0].order_id not in there]
        held = self.quarantine.holding(account, {one.order.channel_order_id: sent_at for one, sent_at in missing})
        for one, _ in missing:
            if one.order.channel_order_id in held:
                one.told.outcome, one.told.reason = Outcome.QUARANTINED, "QUARANTINED"
                one.told.message = f"quarantine, source {account}, says why: mend it and import the order again"
        return [sent for sent in missing if sent[0].order.channel_order_id not in held]

    def _tell(self, entry: Entry, told: Told) -> None:
        self.report.append(told)
        self._by_row[entry.rows[0]] = told

    def _take(self, chunk: list[Entry], senders: ThreadPoolExecutor) -> None:
        found = [one for entry in chunk if (one := self._read(entry))]
        there = self._there(one.order_id for one in found)
        fit = [one for one in found if one.order_id in there or self._is_known(one)]
        to_send = []
        for one in fit:
            self._tell(one.entry, one.told)
            if one.order_id in there:
                one.told.outcome = Outcome.EXISTS
            elif not self.result.dry_run:
                to_send.append(one)
        for one, sent_at in zip(to_send, senders.map(self._send, to_send), strict=True):
            if one.told.outcome is Outcome.SENT:
                self._sent[one.order_id] = (one, sent_at)

    def _read(self, entry: Entry) -> Candidate | None:
        """The order in our words; what can't be read is told."""
        if entry.identity in self.apart:
            message = "its rows do not stand together, or it stands in the file twice"
            self._refuse(entry, "channel_order_id", "ROWS_APART", message)
            return None
        if entry.fault:
            self._refuse(entry, entry.fault, "ROWS_DISAGREE", "the rows of the order say different things")
            return None
        try:
            order = imported_order(direct.read(entry.body.encode()))
        except InvalidMessage as error:
            self._tell_faults(entry, error)
            return None
        first = self._seen.setdefault(order_id_of(order), entry.rows[0])
        if first != entry.rows[0]:
            self._refuse(entry, "channel_order_id", "DUPLICATE_ORDER", f"the order stands in row {first} already")
            return None
        told = Told(entry.rows[0], entry.name, Outcome.VALID)
        doubt = self.known.doubt(order)
        if doubt:
            told.field, told.reason, told.message = doubt
        return Candidate(entry, order, told)

    def _tell_faults(self, entry: Entry, error: InvalidMessage) -> None:
        faults = error.details.get("faults")
        if not isinstance(faults, list):
            faults = [{"field": error.field, "reason": error.reason, "problem": str(error)}]
        for fault in faults:
            self._refuse(entry, fault["field"], fault["reason"], fault["problem"])

    def _refuse(self, entry: Entry, named: str, reason: str, message: str) -> None:
        self._tell(entry, Told(entry.row_of(named), entry.name, Outcome.REFUSED, named, reason, message))

    def _is_known(self, one: Candidate) -> bool:
        """Whether all that the order names is set up; what is not is told."""
        unknown = list(self.known.faults(one.order, now()))
        for fault in unknown:
            self._refuse(one.entry, *fault)
        return not unknown

    def _there(self, order_ids: Iterable[str]) -> set[str]:
        """Which of these orders exist."""
        return set(self.orders.read_many(order_ids))

    def _send(self, one: Candidate) -> datetime:
        """Puts the order on the queue, as received now. Where nobody knows whether it is there, another run puts it
        there once more."""
        received_at = now()
        message = envelopes.to_message(
            Envelope(
                channel=one.order.channel,
                account=one.order.account,
                topic=IMPORTED,
                message_id=one.order.channel_order_id,
                received_at=received_at,
                body=one.entry.body,
            )
        )
        if len(message) > MAX_MESSAGE_BYTES:
            one.told.outcome, one.told.field, one.told.reason = Outcome.REFUSED, "body", "TOO_LARGE"
            one.told.message = f"more than {MAX_MESSAGE_BYTES} bytes"
            return received_at
        try:
            self.queue.send(message, group=one.account)
            one.told.outcome = Outcome.SENT
        except Retryable as error:
            one.told.outcome, one.told.reason, one.told.message = Outcome.FAILED, "NOT_SENT", str(error)
        return received_at


def main(arguments: list[str]) -> int:
    """Parses the command line and imports; returns the exit code."""
    options = _parser().parse_args(arguments)
    stage, screen = Stage(options.stage), Screen()
    try:
        importing = _importing(stage, options, screen)
        with Path(options.file).open(encoding="utf-8-sig", newline="") as file:
            read = READERS[Path(options.file).suffix.lower()]
            total, importing.apart = order_csv.counted(read(file))
            if options.report:
                order_report.begin(Path(options.report))
            file.seek(0)
            importing.run(read(file), total)
        if options.follow and not options.dry_run:
            importing.follow(options.follow)
    except (UnusableError, OSError, UnicodeDecodeError) as error:
        screen.settle()
        print(f"{options.file} can't be imported: {order_report.why_unreadable(error)}", file=sys.stderr)
        return COULD_NOT_START
    except NoReportError as error:
        print(error, file=sys.stderr)
        return COULD_NOT_START
    except (*CANNOT_WORK, Retryable) as error:
        screen.settle()
        print(stages.explain(error, stage), file=sys.stderr)
        return COULD_NOT_START
    importing.finish()
    screen.settle()
    if options.report:
        order_report.write(Path(options.report), importing.report)
    _show(importing, as_json=options.json)
    return SOME_REFUSED if any(told.outcome in BAD for told in importing.report) else 0


def _importing(stage: Stage, options: argparse.Namespace, screen: Screen) -> Importing:
    dynamodb, sqs, prefix = stage.client("dynamodb"), stage.client("sqs"), stage.table_prefix
    return Importing(
        orders=OrdersStore(dynamodb, prefix),
        known=Known(
            products=ProductsStore(dynamodb, prefix),
            listings=ListingsStore(dynamodb, prefix),
            locations=LocationsStore(dynamodb, prefix),
            settings=SettingsStore(dynamodb, prefix),
        ),
        quarantine=QuarantineStore(dynamodb, prefix),
        queue=Queue(sqs, stage.queue_url(sqs, "intake")),
        result=Imported(options.file, options.dry_run),
        screen=screen,
    )


def _show(importing: Importing, *, as_json: bool) -> None:
    order_report.show(importing.report)
    for outcome, count in sorted(importing.result.counts.items()):
        print(f"{count:8}  {outcome}")
    if as_json:
        print(json.dumps(asdict(importing.result)))


def _file(text: str) -> str:
    if Path(text).suffix.lower() not in READERS:
        raise argparse.ArgumentTypeError(f"a file named .csv or .jsonl, not {text!r}")
    return text


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m tools.import_orders", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("file", type=_file, help="orders.csv or orders.jsonl")
    parser.add_argument("--report", metavar="FILE", help="write what became of every order to this CSV file")
    parser.add_argument("--follow", type=float, default=0.0, metavar="SECONDS", help="wait for the orders to be there")
    stages.add_arguments(parser)
    return parser


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
