"""Puts a carrier's prices, or the zones they depend on, into `settings` from a CSV file.

    python -m tools.import_rates --stage dev --kind zones --name us-2026 zones.csv
    python -m tools.import_rates --stage dev --kind rates --name ups --version 1 --card card.json ups.csv
    python -m tools.import_rates --stage dev --kind rates --name ups --version 2 --from 2027-01-01 ups-2027.csv

tools/rate_csv.py says which columns there are; tools/seed_data/rates/ has a small example of each file. What a card
is beside its prices (carrier, currency, areas, surcharges, calendar …) stands in `--card`, a JSON document of
`RateCard`'s fields; without it, it is taken from the newest stored version below `--version`. Of a large zone table
only the areas are needed that goods leave from: `--origins 100,606`.

If one row is bad nothing is written, and every bad row is named with its line, column and reason. What is stored is
never changed: the same content again is fine, other content is refused; give it a new version (zones: a new name).
Safe to stop and to run again.

Exit codes: 0 done, 1 rows are bad or other content is stored, 2 it could not start (the message says why).
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, TextIO

from rich.console import Console
from rich.progress import Progress

from oms.stores.documents import to_document
from oms.stores.table import ConditionFailedError, Table
from tools import rate_csv
from tools import stage as stages
from tools.rate_csv import HEADER, Problem
from tools.stage import CANNOT_WORK, Stage

COULD_NOT_START, REFUSED = 2, 1
SHOWN_EVERY = 1000
MAX_SHOWN = 200

Item = dict[str, Any]


@dataclass(slots=True)
class Imported:
    """What came of it: items written (in a dry run: found missing), there already, and the problems."""

    kind: str
    name: str
    dry_run: bool
    items: int = 0
    written: int = 0
    unchanged: int = 0
    problems: list[Problem] = field(default_factory=list)


class UnusableError(Exception):
    """A file or an option that can't be worked with; the message says why."""


def read(options: argparse.Namespace, settings: Table, bar: Progress) -> tuple[list[Item], list[Problem]]:
    """The items the file makes, or none and the problems. Raises UnusableError, and OSError for a file."""
    with Path(options.file).open(encoding="utf-8-sig", newline="") as file:
        lines = _counted(file, Path(options.file).stat().st_size, bar)
        if options.kind == "zones":
            rows, problems = rate_csv.read_zones(lines, options.name, frozenset(options.origins))
            return [{"kind": "zone_table", **to_document(row), "name": row.name} for row in rows], problems
        card, problems = rate_csv.read_rates(lines, _head(options, settings))
    if card is None:
        return [], problems
    return [{"kind": "rate_card", **to_document(card), "name": f"{card.name}#{card.version}"}], []


def write(settings: Table, items: Sequence[Item], result: Imported, bar: Progress) -> None:
    """Writes the items that are not there, unless one of them is there with other content: then none."""
    missing = []
    for item in bar.track(items, description="look"):
        stored = settings.get({"kind": item["kind"], "name": item["name"]})
        _compare(item, stored, result)
        missing += [] if stored else [item]
    if result.problems or result.dry_run:
        result.written = 0 if result.problems else len(missing)
        return
    for item in bar.track(missing, description="write"):
        try:
            settings.put(item, "attribute_not_exists(kind)")
            result.written += 1
        except ConditionFailedError as error:  # somebody else has written it since
            _compare(item, error.image, result)


def _compare(item: Item, stored: Item | None, result: Imported) -> None:
    if stored == item:
        result.unchanged += 1
    elif stored is not None:
        what = "give these prices a new --version" if item["kind"] == "rate_card" else "give this table a new --name"
        result.problems.append(Problem(HEADER, "", f"{item['name']} is stored with other content: {what}"))


def _head(options: argparse.Namespace, settings: Table) -> Item:
    """All of the card but its prices. Raises UnusableError."""
    given = {
        "name": options.name,
        "version": options.version,
        "effective_from": options.starts,
        "effective_to": options.ends,
    }
    if options.card:
        try:
            head: Any = json.loads(Path(options.card).read_text(encoding="utf-8"))
        except ValueError as error:
            raise UnusableError(f"{options.card} is no JSON: {error}") from error
        if not _is_card(head):
            message = (
                "must be an object of RateCard's fields, its services objects too, each with its name as `service`"
            )
            raise UnusableError(f"{options.card} {message}")
    else:
        head = _newest_below(settings, options.name, options.version)
    return {**head, **{name: value for name, value in given.items() if value}}


def _is_card(head: Any) -> bool:
    services = head.get("services") if isinstance(head, dict) else None
    return isinstance(services, list) and all(
        isinstance(one, dict) and isinstance(one.get("service"), str) for one in services
    )


def _newest_below(settings: Table, name: str, version: int) -> Item:
    """What the version before says, without the days it holds."""
    cards = settings.query_all("#kind = :kind", {":kind": "rate_card"}, consistent=True)
    named = [(*item["name"].rpartition("#")[::2], item) for item in cards]
    below = [
        (int(number), item)
        for known, number, item in named
        if known == name and number.isascii() and number.isdigit() and int(number) < version
    ]
    if not below:
        raise UnusableError(f"There is no version of {name} below {version}: say with --card what it is")
    newest = max(below, key=lambda one: one[0])[1]
    return {part: value for part, value in newest.items() if part not in ("kind", "effective_from", "effective_to")}


def _counted(file: TextIO, size: int, bar: Progress) -> Iterator[str]:
    """The lines of a file; the bar shows how much of it is read."""
    task, read = bar.add_task("read", total=size), 0
    for number, line in enumerate(file, 1):
        read += len(line)
        if number % SHOWN_EVERY == 0:
            bar.update(task, completed=read)
        yield line
    bar.update(task, completed=size)


def main(arguments: list[str]) -> int:
    """Parses the command line and imports; returns the exit code."""
    options = _options(arguments)
    stage, errors = Stage(options.stage), Console(stderr=True)
    result = Imported(options.kind, options.name, options.dry_run)
    try:
        settings = Table(stage.client("dynamodb"), f"{stage.table_prefix}settings")
        with Progress(console=errors, transient=True) as bar:
            items, result.problems = read(options, settings, bar)
            result.items = len(items)
            write(settings, items, result, bar)
    except CANNOT_WORK as error:
        print(stages.explain(error, stage), file=sys.stderr)
        return COULD_NOT_START
    except (UnusableError, OSError, UnicodeDecodeError) as error:
        print(f"Nothing was imported. {error}", file=sys.stderr)
        return COULD_NOT_START
    _show(result, as_json=options.json)
    return REFUSED if result.problems else 0


def _show(result: Imported, *, as_json: bool) -> None:
    for problem in result.problems[:MAX_SHOWN]:
        where = f"line {problem.line}" + (f", {problem.column}" if problem.column else "")
        print(f"{where}: {problem.reason}")
    if len(result.problems) > MAX_SHOWN:
        print(f"and {len(result.problems) - MAX_SHOWN} more")
    verb = "would be" if result.dry_run else "were"
    print(f"{result.written} items {verb} written, {result.unchanged} were there already")
    if as_json:
        print(json.dumps(asdict(result)))


def _options(arguments: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m tools.import_rates", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("file", help="the CSV file")
    parser.add_argument("--kind", choices=("rates", "zones"), required=True)
    parser.add_argument("--name", required=True, type=_name, help="of the rate card or of the zone table")
    parser.add_argument("--version", type=_version, help="of the rate card, from 1")
    parser.add_argument("--card", help="JSON file with the card's other facts")
    parser.add_argument("--from", dest="starts", default="", help="first day of the prices (2027-01-01)")
    parser.add_argument("--to", dest="ends", default="", help="first day on which they hold no more")
    parser.add_argument("--origins", type=_areas, default=(), help="only zones from these postal areas (100,606)")
    stages.add_arguments(parser)
    options = parser.parse_args(arguments)
    if (options.kind == "rates") != (options.version is not None):
        parser.error("--version must be given with --kind rates, and only there")
    return options


def _name(text: str) -> str:
    if not text or "#" in text:
        raise argparse.ArgumentTypeError("a name without #")
    return text


def _version(text: str) -> int:
    if not (text.isascii() and text.isdigit() and int(text) > 0):
        raise argparse.ArgumentTypeError(f"a number from 1, not {text!r}")
    return int(text)


def _areas(text: str) -> list[str]:
    return [area for area in text.split(",") if area]


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
