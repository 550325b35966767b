"""Orders out of CSV and JSON Lines files, each as the body of `POST /orders` (docs/importing-orders.md).

JSON Lines: one body per line. CSV: one row per line of an order, the rows of an order one after the other. Columns are
named as in the body, in any order; which are left out or empty are not said, and a row that does not say whose it is
belongs to the order above:

    channel, account, channel_order_id, placed_at, currency, total_minor …      of the order: the same in all its rows
    ship_to.name, ship_to.city … bill_to.… customer.email …                     likewise
    payment.method, payment.amount_minor, payment.reference, payment.status     one payment of the order, likewise
    line.sku, line.quantity, line.unit_price_minor, line.line_id …              of the line

Money is in minor units, times with their offset (2026-11-16T14:05:01Z), yes and no are `true` and `false`.
"""

from __future__ import annotations

import csv
import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import islice
from typing import Any

from pydantic import BaseModel

from oms.channels.direct_models import DirectAddress, DirectCustomer, DirectLine, DirectOrder, DirectPayment

HEADER = 1
IDENTITY = ("channel", "account", "channel_order_id")
TRUTHS = {"true": True, "false": False}
_MAX_DIGITS = 20
MAX_ORDERS = 1_000_000

_PARTS: dict[str, type[BaseModel]] = {
    "ship_to": DirectAddress,
    "bill_to": DirectAddress,
    "customer": DirectCustomer,
    "payment": DirectPayment,
    "line": DirectLine,
}
_NO_COLUMNS = frozenset({"lines", "payments", "reservation_id", *_PARTS})
COLUMNS = frozenset(name for name in DirectOrder.model_fields if name not in _NO_COLUMNS) | {
    f"{part}.{name}" for part, model in _PARTS.items() for name in model.model_fields
}

Cells = dict[str, str]


class UnusableError(Exception):
    """A file that can't be worked with at all; the message says why."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """An order of a file. `rows` are the numbers of its rows; `fault` says in which column its rows disagree;
    `identity` is what its rows are told from others by, where it may have several."""

    rows: tuple[int, ...]
    name: str
    body: str
    fault: str = ""
    identity: tuple[str, ...] = ()

    def row_of(self, field: str) -> int:
        """The row that a field of the body was written in: `lines.2.quantity` in the third of them."""
        part, _, rest = field.partition(".")
        number = rest.partition(".")[0]
        if part == "lines" and number.isdigit() and int(number) < len(self.rows):
            return self.rows[int(number)]
        return self.rows[0]


def read_json_lines(lines: Iterable[str]) -> Iterator[Entry]:
    """One order per line; empty lines are passed over. What is no JSON is found by who reads the body."""
    for number, line in enumerate(lines, start=1):
        text = line.strip()
        if text:
            yield Entry(rows=(number,), name=_name_in(text), body=text)


def read_csv(lines: Iterable[str]) -> Iterator[Entry]:
    """One order per run of rows of the same channel, account and channel_order_id. Raises UnusableError."""
    run: list[tuple[int, Cells]] = []
    for row in _rows(lines):
        if run and not _belongs(row[1], run[0][1]):
            yield _order(run)
            run = []
        run.append(row)
    if run:
        yield _order(run)


def _belongs(cells: Cells, first: Cells) -> bool:
    """Whether a row is of the order whose first row this is: it names no other."""
    return all(cells.get(name) in (None, first.get(name)) for name in IDENTITY)


def counted(entries: Iterator[Entry]) -> tuple[int, frozenset[tuple[str, ...]]]:
    """How many orders the file has, and which of them have rows in several places: nothing is sent of a file that
    can't be read to its end, nor of an order some of whose lines lie elsewhere. Raises UnusableError."""
    total = 0
    seen: set[tuple[str, ...]] = set()
    apart: set[tuple[str, ...]] = set()
    for entry in islice(entries, MAX_ORDERS + 1):
        total += 1
        (apart if entry.identity in seen else seen).update({entry.identity} if entry.identity else ())
    if not total:
        raise UnusableError("it has no orders")
    if total > MAX_ORDERS:
        raise UnusableError(f"it has more than {MAX_ORDERS} orders: split it")
    return total, frozenset(apart)


def _rows(lines: Iterable[str]) -> Iterator[tuple[int, Cells]]:
    """The rows with their numbers, empty cells left out."""
    reader = csv.reader(lines, strict=True)
    try:
        columns = [cell.strip() for cell in next(reader, [])]
        _check_columns(columns)
        for cells in reader:
            if cells and len(cells) != len(columns):
                message = f"row {reader.line_num} has {len(cells)} cells, not {len(columns)} as the header"
                raise UnusableError(message)
            known = dict(zip(columns, (cell.strip() for cell in cells), strict=False))
            if any(known.values()):
                yield reader.line_num, {name: text for name, text in known.items() if text}
    except csv.Error as error:
        raise UnusableError(f"row {reader.line_num}: {error}") from error


def _check_columns(columns: list[str]) -> None:
    unknown = sorted(set(columns) - COLUMNS)
    missing = sorted({*IDENTITY, "line.sku"} - set(columns))
    twice = sorted({name for name in columns if columns.count(name) > 1})
    for what, names in (("unknown columns", unknown), ("missing columns", missing), ("columns that come twice", twice)):
        if names:
            hint = "" if len(columns) > 1 else " (cells are separated by commas)"
            raise UnusableError(f"the header has {what}: {', '.join(names)}{hint}")


def _order(rows: list[tuple[int, Cells]]) -> Entry:
    (_, first), *others = rows
    body: dict[str, Any] = {"lines": [_part(cells, "line") for _, cells in rows]}
    for name, text in first.items():
        if "." not in name:
            body[name] = _value(name, text)
    for part in ("ship_to", "bill_to", "customer"):
        told = _part(first, part)
        if told:
            body[part] = told
    payment = _part(first, "payment")
    if payment:
        body["payments"] = [payment]
    fault = next((name for _, cells in others for name in _of_order(first, cells)), "")
    return Entry(
        rows=tuple(number for number, _ in rows),
        name=first.get("channel_order_id", ""),
        body=json.dumps(body, ensure_ascii=False),
        fault=fault,
        identity=tuple(first.get(name, "") for name in IDENTITY),
    )


def _of_order(first: Cells, cells: Cells) -> list[str]:
    """Columns of the order that another row fills with something else than the first row."""
    return [name for name, text in cells.items() if name.partition(".")[0] != "line" and text != first.get(name, "")]


def _part(cells: Cells, part: str) -> dict[str, Any]:
    start = f"{part}."
    names = (name for name in cells if name.startswith(start))
    return {name.removeprefix(start): _value(name, cells[name]) for name in names}


def _value(name: str, text: str) -> object:
    """The cell as JSON has it. What is no number where one belongs stays as it is, and is refused by its field."""
    if name.endswith(("_minor", "quantity")) and len(text) <= _MAX_DIGITS and text.removeprefix("-").isdecimal():
        return int(text)
    if name.endswith(("prices_include_tax", "requires_shipping")):
        return TRUTHS.get(text.lower(), text)
    return text


def _name_in(text: str) -> str:
    try:
        body = json.loads(text)
    except (ValueError, RecursionError):
        return ""
    name = body.get("channel_order_id") if isinstance(body, dict) else None
    return name if isinstance(name, str) else ""
