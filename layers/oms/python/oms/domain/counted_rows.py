"""What was counted, row by row, from whatever was sent: a bad row is refused with its number and field, and holds up
no good one.

Rows come as JSON objects {"sku", "on_hand"}, or as lines of a file: CSV with a header line, or JSON Lines.
"""

from __future__ import annotations

import csv
import json
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import cast

from oms.domain.errors import InvalidMessage

MAX_SKU_LENGTH = 100
MAX_UNITS = 1_000_000_000
_WHOLE_NUMBER = re.compile(r"\s*[+-]?[0-9]{1,15}\s*")
_COLUMNS = ("sku", "on_hand")


class FileFormat(StrEnum):
    """How an uploaded file lists its rows."""

    CSV = "CSV"
    JSON_LINES = "JSON_LINES"


class RowOutcome(StrEnum):
    """What became of a counted row."""

    BOOKED = "BOOKED"
    UNCHANGED = "UNCHANGED"
    ZEROED = "ZEROED"
    STALE = "STALE"
    AWAITING_APPROVAL = "AWAITING_APPROVAL"
    REJECTED = "REJECTED"
    REFUSED = "REFUSED"


class Refused(StrEnum):
    """Why a row was refused."""

    NOT_AN_OBJECT = "NOT_AN_OBJECT"
    MISSING_FIELD = "MISSING_FIELD"
    NOT_A_SKU = "NOT_A_SKU"
    NOT_A_NUMBER = "NOT_A_NUMBER"
    NEGATIVE = "NEGATIVE"
    TOO_LARGE = "TOO_LARGE"
    DUPLICATE_SKU = "DUPLICATE_SKU"
    UNKNOWN_SKU = "UNKNOWN_SKU"


@dataclass(frozen=True, slots=True, kw_only=True)
class CountedRow:
    """So many units of a sku were counted; `row` is its number where it was sent, from 1."""

    row: int
    sku: str
    on_hand: int


@dataclass(frozen=True, slots=True, kw_only=True)
class RowResult:
    """What became of a row. `on_hand` is what was counted, `on_books` what stood there when it was judged;
    a refused row names the `field` that is wrong."""

    row: int
    outcome: RowOutcome
    sku: str = ""
    on_hand: int | None = None
    on_books: int | None = None
    field: str = ""
    reason: str = ""


@dataclass(frozen=True, slots=True)
class Rows:
    """The rows that can be understood, and those that can't."""

    good: tuple[CountedRow, ...]
    refused: tuple[RowResult, ...]


def read_rows(raw: Iterable[object]) -> Rows:
    """Understands what was sent as rows, numbered from 1. Of a sku that comes twice the first row stands."""
    good: dict[str, CountedRow] = {}
    refused: list[RowResult] = []
    for number, one in enumerate(raw, start=1):
        row = _read(number, one)
        if isinstance(row, CountedRow) and row.sku in good:
            row = refusal(number, "sku", Refused.DUPLICATE_SKU, row.sku)
        if isinstance(row, CountedRow):
            good[row.sku] = row
        else:
            refused.append(row)
    return Rows(tuple(good.values()), tuple(refused))


def refusal(number: int, field: str, reason: Refused, sku: str = "") -> RowResult:
    """A refused row; its sku is told where it is one."""
    return RowResult(row=number, outcome=RowOutcome.REFUSED, sku=sku, field=field, reason=reason.value)


def unknown_skus(rows: Sequence[CountedRow], known: Mapping[str, object]) -> tuple[RowResult, ...]:
    """The rows whose sku is none of ours, refused."""
    return tuple(refusal(row.row, "sku", Refused.UNKNOWN_SKU, row.sku) for row in rows if row.sku not in known)


def file_rows(file_format: FileFormat, text: str) -> Iterator[object]:
    """The rows of a file as they are, for `read_rows`. Empty lines are none. Raises InvalidMessage."""
    if file_format is FileFormat.CSV:
        try:
            yield from _csv_rows(text)
        except csv.Error as error:
            raise InvalidMessage("the file is not CSV", field="file", reason="NOT_CSV") from error
    else:
        yield from (_json_row(line) for line in text.splitlines() if line.strip())


def _read(number: int, raw: object) -> CountedRow | RowResult:
    if not isinstance(raw, Mapping):
        return refusal(number, "row", Refused.NOT_AN_OBJECT)
    sku, units = raw.get("sku"), raw.get("on_hand")
    if not isinstance(sku, str) or not 1 <= len(sku.strip()) <= MAX_SKU_LENGTH:
        return refusal(number, "sku", Refused.MISSING_FIELD if sku is None else Refused.NOT_A_SKU)
    fault = _fault_of(units)
    if fault:
        return refusal(number, "on_hand", fault, sku.strip())
    return CountedRow(row=number, sku=sku.strip(), on_hand=cast("int", units))


def _fault_of(units: object) -> Refused | None:
    if units is None:
        return Refused.MISSING_FIELD
    if not isinstance(units, int) or isinstance(units, bool):
        return Refused.NOT_A_NUMBER
    if units < 0:
        return Refused.NEGATIVE
    return Refused.TOO_LARGE if units > MAX_UNITS else None


def _csv_rows(text: str) -> Iterator[object]:
    """Lines as objects by the names in the first line; where that lacks a column, no line has it."""
    lines = csv.reader(text.removeprefix("\ufeff").splitlines())
    names = [name.strip().lower() for name in next(lines, [])]
    for values in lines:
        if any(value.strip() for value in values):
            named = dict(zip(names, values, strict=False))
            yield {name: _csv_value(name, named[name]) for name in _COLUMNS if named.get(name)}


def _csv_value(name: str, text: str) -> object:
    return int(text) if name == "on_hand" and _WHOLE_NUMBER.fullmatch(text) else text


def _json_row(line: str) -> object:
    try:
        return json.loads(line)
    except (ValueError, RecursionError):
        return None
