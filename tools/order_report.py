"""What became of the orders of a file, row by row: for the screen, and as a CSV file."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from dataclasses import asdict, dataclass, fields
from pathlib import Path

MAX_SHOWN = 50
_FORMULA = ("=", "+", "-", "@", "\t", "\r")
"""What a spreadsheet takes for the beginning of a formula."""


@dataclass(slots=True)
class Told:
    """A line of the report; an order with several faults has several. `work` are the ids of its fulfillments, by
    location, where it has some."""

    row: int
    order: str
    outcome: str
    field: str = ""
    reason: str = ""
    message: str = ""
    order_id: str = ""
    work: str = ""


class NoReportError(Exception):
    """There is no writing where the report should go; the message says why."""


def begin(path: Path) -> None:
    """Makes the report, empty yet: what can't be written at the end is found out before the work. Raises
    NoReportError."""
    try:
        write(path, [])
    except OSError as error:
        raise NoReportError(f"the report can't be written: {error}") from error


def why_unreadable(error: Exception) -> str:
    """Why a file of orders can't be worked with, and what to do about it."""
    return "it is not UTF-8: save it as UTF-8" if isinstance(error, UnicodeDecodeError) else str(error)


def write(path: Path, report: Sequence[Told]) -> None:
    """The whole report as CSV, in the order of the file."""
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(one.name for one in fields(Told))
        for told in sorted(report, key=lambda one: one.row):
            writer.writerow(_as_text(cell) for cell in asdict(told).values())


def _as_text(cell: object) -> object:
    """The cell so that a spreadsheet shows it and does not run it: names and skus are whatever the file says."""
    return f"'{cell}" if isinstance(cell, str) and cell.startswith(_FORMULA) else cell


def show(report: Sequence[Told]) -> None:
    """Prints the lines that say why, as far as a person reads them."""
    telling = [told for told in sorted(report, key=lambda one: one.row) if told.reason]
    for told in telling[:MAX_SHOWN]:
        named = f" {told.field}" if told.field else ""
        print(f"  row {told.row}: order {told.order or '?'} {told.outcome}{named}: {told.reason}, {told.message}")
    if len(telling) > MAX_SHOWN:
        print(f"  … and {len(telling) - MAX_SHOWN} more: see --report")
