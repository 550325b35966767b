"""Imports what a channel calls our goods, and has the orders taken in again that waited for it.

    python -m tools.map_listings listings.csv --dry-run
    python -m tools.map_listings listings.csv --stage prod --account amazon#main

The file has the columns channel_account, channel_sku, sku, with these names in its first line. A row whose sku is no
product, or whose account was never set up, is refused and told by its number; the others are written, and their channel
is owed the figure of the goods. A row that says what the table says changes nothing, so the file may be imported again.

Afterwards the messages of these accounts that waited in quarantine for a mapping (UNMAPPED_SKU) are put back on the
intake queue; those that still name goods nobody knows come back.

Exit codes: 0 done, 1 some rows were refused or messages stayed (see the report), 2 it could not start.
"""

from __future__ import annotations

import argparse
import csv
import json
import sys
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from pathlib import Path

from oms.domain.errors import Retryable
from oms.domain.intake_rules import UNMAPPED_SKU
from oms.domain.listings import ListingKey
from oms.runtime.queues import Queue
from oms.stores.deliveries import DeliveriesStore
from oms.stores.listings import ListingsStore
from oms.stores.quarantine import QuarantineStore
from oms.stores.reference_data import ProductsStore, SettingsStore
from oms.usecases.publishing import Publishing
from tools import stage as stages
from tools.console import Screen
from tools.replay_quarantine import MAX_LIMIT, Replay
from tools.stage import CANNOT_WORK, Stage

COLUMNS = ("channel_account", "channel_sku", "sku")
UNKNOWN_ACCOUNT = "UNKNOWN_ACCOUNT"
BATCH = 100
MAX_FIELD = 255
COULD_NOT_START, SOME_REFUSED = 2, 1


@dataclass(frozen=True, slots=True)
class Row:
    """A line of the file, by its number there; the header is line 1."""

    line: int
    key: ListingKey
    sku: str


@dataclass(slots=True)
class Imported:
    """What came of it: rows mapped anew and mapped so before, rows refused with why, messages put back by account.
    `accounts` are those that were set up."""

    dry_run: bool
    accounts: list[str] = field(default_factory=list)
    mapped: int = 0
    unchanged: int = 0
    refused: list[dict[str, str | int]] = field(default_factory=list)
    replayed: dict[str, int] = field(default_factory=dict)
    stayed: int = 0

    def refuse(self, line: int, name: str, reason: str) -> None:
        """Notes why a row was not taken."""
        self.refused.append({"line": line, "field": name, "reason": reason})


@dataclass(frozen=True, slots=True)
class Mapping:
    """Writes listings whose products are known."""

    listings: ListingsStore
    products: ProductsStore
    publishing: Publishing
    screen: Screen

    def run(self, rows: Iterable[Row], result: Imported) -> set[str]:
        """Maps these rows, a batch at a time; returns the accounts they are about. Raises Retryable: run it again."""
        accounts: set[str] = set()
        for batch in _batches(rows):
            known = self.products.get_many(row.sku for row in batch)
            stands = self.listings.get_many(row.key for row in batch)
            for row in batch:
                if row.sku in known:
                    accounts.add(row.key.channel_account)
                    before = stands.get(row.key)
                    self._map(row, before.sku if before else None, result)
                else:
                    result.refuse(row.line, "sku", "UNKNOWN_SKU")
            self.screen.status(
                f"listings: {result.mapped} mapped, {result.unchanged} as before, {len(result.refused)} "
                f"refused, up to line {batch[-1].line}"
            )
        self.screen.settle()
        return accounts

    def _map(self, row: Row, before: str | None, result: Imported) -> None:
        if before == row.sku:
            result.unchanged += 1
        elif result.dry_run:
            result.mapped += 1
        elif self.listings.map(row.key, row.sku, before):
            # what its channel was told is the figure of other goods, or its own
            self.publishing.tell_anew([row.key], datetime.now(UTC))
            result.mapped += 1
        else:
            result.refuse(row.line, "sku", "MAPPED_MEANWHILE")


def read(path: Path, result: Imported) -> Iterator[Row]:
    """The rows of a file that can be read; the others are refused. Raises ValueError, which names the file, for one
    that is not there, is not UTF-8 or has not the columns."""
    seen: set[ListingKey] = set()
    for line, fields in _lines(path):
        values = {name: (fields.get(name) or "").strip() for name in COLUMNS}
        wrong = next((name for name, value in values.items() if not 0 < len(value) <= MAX_FIELD), None)
        key = ListingKey(values["channel_account"], values["channel_sku"])
        if wrong or key.channel_account.count("#") != 1:
            result.refuse(line, wrong or "channel_account", "INVALID_FIELD")
        elif key in seen:
            result.refuse(line, "channel_sku", "DUPLICATE_LISTING")
        else:
            seen.add(key)
            yield Row(line, key, values["sku"])


def _lines(path: Path) -> Iterator[tuple[int, dict[str, str | None]]]:
    """The lines below the header, each with its number and its values by column."""
    line = 0
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            lines = csv.DictReader(file)
            missing = [name for name in COLUMNS if name not in (lines.fieldnames or ())]
            if missing:
                raise ValueError(f"{path} has no column {', '.join(missing)}")
            for fields in lines:
                line = lines.line_num
                yield line, fields
    except OSError as error:
        columns = ", ".join(COLUMNS)
        raise ValueError(f"{path}: {error.strerror}. Name a CSV file with the columns {columns}") from error
    except UnicodeDecodeError as error:
        raise ValueError(f"{path} is not UTF-8: save it as CSV UTF-8") from error
    except csv.Error as error:
        raise ValueError(f"{path}, after line {line}: {error}; is a quotation mark left open?") from error


def _of_accounts(rows: Iterable[Row], wanted: str | None, result: Imported) -> list[Row]:
    """The rows of the wanted account, or of all; those of an account that was never set up are refused. Raises
    ValueError where the wanted one was not."""
    if wanted not in (None, *result.accounts):
        raise ValueError(f"no account {wanted}: {_there_are(result.accounts)}")
    taken = []
    for row in rows:
        if wanted not in (None, row.key.channel_account):
            continue
        if row.key.channel_account in result.accounts:
            taken.append(row)
        else:
            result.refuse(row.line, "channel_account", UNKNOWN_ACCOUNT)
    return taken


def _there_are(accounts: Iterable[str]) -> str:
    return f"there are {', '.join(accounts) or 'none'}"


def _batches(rows: Iterable[Row]) -> Iterator[list[Row]]:
    batch: list[Row] = []
    for row in rows:
        batch.append(row)
        if len(batch) == BATCH:
            yield batch
            batch = []
    if batch:
        yield batch


def main(arguments: list[str]) -> int:
    """Parses the command line and imports; returns the exit code."""
    options = _parser().parse_args(arguments)
    stage, screen = Stage(options.stage), Screen()
    result = Imported(options.dry_run)
    try:
        dynamodb, prefix = stage.client("dynamodb"), stage.table_prefix
        result.accounts = sorted(SettingsStore(dynamodb, prefix).channel_accounts())
        rows = _of_accounts(read(Path(options.file), result), options.account, result)
        listings, products = ListingsStore(dynamodb, prefix), ProductsStore(dynamodb, prefix)
        publishing = Publishing(listings, DeliveriesStore(dynamodb, prefix), products)
        mapping = Mapping(listings, products, publishing, screen)
        accounts = mapping.run(rows, result)
        _replay(stage, accounts, screen, result)
    except (Retryable, ValueError) as error:
        screen.settle()
        print(error, file=sys.stderr)
        return COULD_NOT_START
    except CANNOT_WORK as error:
        screen.settle()
        print(stages.explain(error, stage), file=sys.stderr)
        return COULD_NOT_START
    result.refused.sort(key=lambda one: one["line"])
    _show(result, as_json=options.json)
    return SOME_REFUSED if result.refused or result.stayed else 0


def _replay(stage: Stage, accounts: set[str], screen: Screen, result: Imported) -> None:
    sqs = stage.client("sqs")
    queue = Queue(sqs, stage.queue_url(sqs, "intake"))
    replay = Replay(QuarantineStore(stage.client("dynamodb"), stage.table_prefix), queue, screen)
    for account in sorted(accounts):
        done = replay.run(account, UNMAPPED_SKU, MAX_LIMIT, dry_run=result.dry_run)
        result.replayed[account] = done.replayed
        result.stayed += done.stayed


def _show(result: Imported, *, as_json: bool) -> None:
    would = "would be " if result.dry_run else ""
    print(f"Listings {would}mapped: {result.mapped}; as they were: {result.unchanged}; refused: {len(result.refused)}")
    for one in result.refused:
        print(f"  line {one['line']}: {one['reason']} ({one['field']})")
    if any(one["reason"] == UNKNOWN_ACCOUNT for one in result.refused):
        print(f"Of the accounts that were set up {_there_are(result.accounts)}")
    for account, count in result.replayed.items():
        print(f"Messages of {account} {would}put back on the intake queue: {count}")
    if result.stayed:
        print("The queue took no more. What is left stays in quarantine: run this again.")
    if as_json:
        print(json.dumps(asdict(result)))


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m tools.map_listings", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("file", metavar="CSV", help="the listings: channel_account, channel_sku, sku")
    parser.add_argument("--account", metavar="CHANNEL#ACCOUNT", help="only the rows of this account")
    stages.add_arguments(parser)
    return parser


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
