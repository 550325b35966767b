"""Loads the open orders of another system from a JSON Lines file, and rebuilds what is promised to them.

    python -m tools.migrate_orders check  --stage dev open.jsonl
    python -m tools.migrate_orders load   --stage dev open.jsonl --report loaded.csv
    python -m tools.migrate_orders verify --stage dev open.jsonl

docs/importing-orders.md says what is in the file, and what to do in which order. `check` reads everything and writes
nothing: fields, totals, skus, locations, and whether the stock is there. `load` creates the orders; `--route-short`
routes what is not where the file says, instead of leaving the order out. `verify` counts the orders by status and
compares the units they hold with the file; then `python -m tools.audit_stock` proves that the stock adds up.

Nobody is told of what happened before. Stop it and run it again whenever you like: an order that is there is left
alone, or completed where it was left half way.

Exit codes: 0 all is well, 1 some orders are not (they are told), 2 it could not start (the message says why).
"""

from __future__ import annotations

import argparse
import json
import sys
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass, field
from itertools import islice
from pathlib import Path

from oms.domain.errors import InvalidMessage, Retryable
from oms.domain.intake import totals_difference
from oms.domain.migrated import Fault, MigratedOrder
from oms.domain.money import format_minor
from oms.runtime.clock import now
from oms.runtime.secrets import Secrets
from oms.stores.contacts import ContactsStore
from oms.stores.group_commit import GroupCommit
from oms.stores.orders import OrdersStore
from oms.stores.reference_data import LocationsStore, ProductsStore, SettingsStore
from oms.stores.stock import StockStore
from oms.usecases.migration import Compared, Finding, Loaded, Migration
from tools import migration_file, order_report
from tools import stage as stages
from tools.console import Screen
from tools.migration_file import Row
from tools.order_csv import UnusableError
from tools.order_report import MAX_SHOWN, NoReportError, Told
from tools.stage import CANNOT_WORK, Stage

COULD_NOT_START, NOT_WELL = 2, 1
CHUNK = 50
"""Orders that are looked up and committed together."""

WELL = frozenset({Loaded.VALID, Loaded.LOADED, Loaded.ALREADY})


@dataclass(slots=True)
class Migrated:
    """What came of it: orders by outcome, and for `verify` by status, with the units that positions (`sku at location`)
    hold less of for these orders than the file says."""

    phase: str
    file: str
    orders: int = 0
    counts: dict[str, int] = field(default_factory=dict)
    statuses: dict[str, int] = field(default_factory=dict)
    units_in_file: int = 0
    units_held: int = 0
    lacking: dict[str, int] = field(default_factory=dict)


@dataclass(slots=True)
class Migrating:
    """One phase over a file, chunk by chunk."""

    migration: Migration
    result: Migrated
    screen: Screen
    report: list[Told] = field(default_factory=list)
    is_well: bool = True
    _seen: dict[str, int] = field(default_factory=dict)
    _counts: Counter[str] = field(default_factory=Counter)

    def run(self, rows: Iterator[Row], total: int) -> None:
        """Takes every order of the file. Raises Retryable when the tables can't be read."""
        compared = Compared()
        while chunk := list(islice(rows, CHUNK)):
            self.result.orders += len(chunk)
            by_id = {one.migrated.order_id: one for one in chunk if one.migrated and self._is_first(one)}
            orders = [one.migrated for one in by_id.values() if one.migrated]
            for finding in self._findings(orders, compared):
                self._tell(by_id[finding.migrated.order_id], finding)
            for row in chunk:
                if row.error:
                    self._tell_unreadable(row, row.error)
            self.screen.progress(self.result.phase, self.result.orders, total)
        self.result.counts = dict(self._counts)
        self.result.statuses = dict(compared.statuses)
        self.result.units_in_file, self.result.units_held = compared.said.total(), compared.held.total()
        lacking = compared.said - compared.held
        self.result.lacking = {f"{sku} at {place}": units for (sku, place), units in sorted(lacking.items())}

    def _findings(self, orders: Sequence[MigratedOrder], compared: Compared) -> list[Finding]:
        if self.result.phase == "check":
            return self.migration.check(orders, now())
        if self.result.phase == "load":
            return self.migration.load(orders, now())
        before = len(compared.findings)
        self.migration.compare(orders, compared)
        found = compared.findings[before:]
        self._counts["AS_THE_FILE_SAYS"] += len(orders) - len(found)
        return found

    def _is_first(self, row: Row) -> bool:
        """Whether the order has not been in the file before; a second time is told."""
        order_id = row.migrated.order_id if row.migrated else ""
        first = self._seen.setdefault(order_id, row.number)
        if first == row.number:
            return True
        fault = Fault(field="channel_order_id", reason="DUPLICATE_ORDER", problem=f"it stands in row {first} already")
        self._add(row, order_id, Loaded.REFUSED, [fault])
        return False

    def _tell(self, row: Row, finding: Finding) -> None:
        faults = list(finding.faults)
        difference = totals_difference(finding.migrated.incoming)
        if difference and finding.outcome in (Loaded.VALID, Loaded.LOADED):
            problem = f"off by {format_minor(difference, finding.migrated.incoming.currency)}: it will be in review"
            faults.append(Fault(field="total_minor", reason="TOTALS_MISMATCH", problem=problem))
        work = " ".join(f"{place}={name}" for place, name in sorted(finding.fulfillments.items()))
        self._add(row, finding.migrated.order_id, finding.outcome, faults, work)

    def _tell_unreadable(self, row: Row, error: InvalidMessage) -> None:
        listed = error.details.get("faults")
        faults = [Fault(**one) for one in listed] if isinstance(listed, list) else []
        faults = faults or [Fault(field=error.field, reason=error.reason, problem=str(error))]
        self._add(row, "", Loaded.REFUSED, faults)

    def _add(self, row: Row, order_id: str, outcome: Loaded, faults: Iterable[Fault], work: str = "") -> None:
        self._counts[outcome.value] += 1
        self.is_well = self.is_well and outcome in WELL
        for fault in list(faults) or [Fault(field="", reason="", problem="")]:
            told = Told(row.number, row.name, outcome.value, fault.field, fault.reason, fault.problem, order_id, work)
            self.report.append(told)


def main(arguments: list[str]) -> int:
    """Parses the command line and runs the phase; returns the exit code."""
    options = _parser().parse_args(arguments)
    stage, screen = Stage(options.stage), Screen()
    try:
        phase = "check" if options.dry_run and options.phase == "load" else options.phase
        migrating = Migrating(_migration(stage, options), Migrated(phase, options.file), screen)
        with Path(options.file).open(encoding="utf-8-sig") as file:
            total = _counted(file)
            if options.report:
                order_report.begin(Path(options.report))
            file.seek(0)
            migrating.run(migration_file.rows(file), total)
    except (UnusableError, OSError, UnicodeDecodeError) as error:
        screen.settle()
        print(f"{options.file} can't be read: {order_report.why_unreadable(error)}", file=sys.stderr)
        return COULD_NOT_START
    except NoReportError as error:
        print(error, file=sys.stderr)
        return COULD_NOT_START
    except (*CANNOT_WORK, Retryable) as error:
        screen.settle()
        print(stages.explain(error, stage), file=sys.stderr)
        return COULD_NOT_START
    screen.settle()
    if options.report:
        order_report.write(Path(options.report), migrating.report)
    _show(migrating, as_json=options.json)
    return 0 if migrating.is_well else NOT_WELL


def _counted(lines: Iterable[str]) -> int:
    """How many orders the file has. Raises UnusableError for one without any."""
    total = sum(1 for line in lines if line.strip())
    if not total:
        raise UnusableError("it has no orders")
    return total


def _migration(stage: Stage, options: argparse.Namespace) -> Migration:
    dynamodb, prefix = stage.client("dynamodb"), stage.table_prefix
    secrets = Secrets(stage.client("secretsmanager"), stage.name)
    hash_key: Callable[[], str] = lambda: secrets.text("contacts/hash-key")  # noqa: E731 - asked for when needed
    contacts = ContactsStore(dynamodb, prefix, hash_key=hash_key)
    return Migration(
        orders=OrdersStore(dynamodb, prefix),
        contacts=contacts,
        products=ProductsStore(dynamodb, prefix),
        locations=LocationsStore(dynamodb, prefix),
        settings=SettingsStore(dynamodb, prefix),
        stock=StockStore(dynamodb, prefix),
        commit=GroupCommit(dynamodb, prefix, contacts),
        route_short=options.route_short,
    )


def _show(migrating: Migrating, *, as_json: bool) -> None:
    order_report.show(migrating.report)
    result = migrating.result
    for name, count in [*sorted(result.counts.items()), *sorted(result.statuses.items())]:
        print(f"{count:8}  {name}")
    if result.phase == "verify":
        print(f"{result.units_held:8}  units held or shipped here, {result.units_in_file} promised by the file")
        for position, units in islice(result.lacking.items(), MAX_SHOWN):
            print(f"{units:8}  too few: {position}")
    if as_json:
        print(json.dumps(asdict(result)))


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m tools.migrate_orders", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("phase", choices=("check", "load", "verify"))
    parser.add_argument("file", help="open.jsonl")
    parser.add_argument("--report", metavar="FILE", help="write what is to be said of every order to this CSV file")
    parser.add_argument("--route-short", action="store_true", help="route what is not where the file says")
    stages.add_arguments(parser)
    return parser


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
