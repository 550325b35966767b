"""Lines of stock documents: what each type of line may hold, what it moves, and what it announces."""

from __future__ import annotations

from collections.abc import Container, Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any

from oms.domain import stock
from oms.domain.stock import Disposition, Incoming, MoveKind, StockMove, StockPosition

MAX_QUANTITY = 1_000_000

MAX_INCOMING = 100
"""Deliveries on their way to one position at a time."""

MAX_DELIVERY_LINES = 20
"""Lines of one document about expected deliveries of one sku at one location: each is a write of its own."""

Fault = dict[str, Any]


class Refusal(StrEnum):
    """Why a line is not booked."""

    NOT_ENOUGH = "NOT_ENOUGH"
    UNKNOWN_SKU = "UNKNOWN_SKU"
    UNKNOWN_LOCATION = "UNKNOWN_LOCATION"
    TOO_MANY_EXPECTED = "TOO_MANY_EXPECTED"


class LineType(StrEnum):
    """What a line does."""

    RECEIVE = "RECEIVE"
    RETURN = "RETURN"
    ADJUST = "ADJUST"
    MARK_DAMAGED = "MARK_DAMAGED"
    SCRAP = "SCRAP"
    QUALITY_HOLD = "QUALITY_HOLD"
    QUALITY_PASS = "QUALITY_PASS"  # noqa: S105 - not a password
    QUALITY_FAIL = "QUALITY_FAIL"
    TRANSFER = "TRANSFER"
    EXPECT = "EXPECT"


class AdjustmentReason(StrEnum):
    """Why what is on hand is not what the books say."""

    CYCLE_COUNT = "CYCLE_COUNT"
    FOUND = "FOUND"
    LOST = "LOST"
    THEFT = "THEFT"
    DAMAGE = "DAMAGE"
    EXPIRED = "EXPIRED"
    SAMPLE = "SAMPLE"
    SUPPLIER_ERROR = "SUPPLIER_ERROR"
    SOLD_ELSEWHERE = "SOLD_ELSEWHERE"
    DATA_FIX = "DATA_FIX"
    OTHER = "OTHER"


@dataclass(frozen=True, slots=True, kw_only=True)
class DocumentLine:
    """One line, numbered from 1. `faults` says whether it has what its type needs."""

    line: int
    type: LineType
    sku: str
    location_id: str
    quantity: int
    reason_code: AdjustmentReason | None = None
    to_location_id: str | None = None
    disposition: Disposition | None = None
    reference: str | None = None
    expected_at: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class NotBooked:
    """A line that was refused, and why; `found` units where `bucket` had too few."""

    line: int
    reason: Refusal
    bucket: str | None = None
    found: int | None = None


def faults(line: DocumentLine, *path: str | int) -> Iterator[Fault]:
    """Everything that does not go together in a line that was sent at this path: for `validation.invalid_message`."""
    for field, kind, problem in _problems(line):
        yield {"loc": (*path, field), "type": kind, "msg": problem}


def _problems(line: DocumentLine) -> Iterator[tuple[str, str, str]]:
    least = {LineType.ADJUST: -MAX_QUANTITY, LineType.EXPECT: 0}.get(line.type, 1)
    if line.quantity < least or (line.type is LineType.ADJUST and line.quantity == 0):
        yield "quantity", "not_allowed", f"{line.type} takes no {line.quantity} units"
    if line.to_location_id is not None and line.to_location_id == line.location_id:
        yield "to_location_id", "not_allowed", "the units are there already"
    for field, types in _ONLY_OF.items():
        told = getattr(line, field) is not None
        if told and line.type not in types:
            yield field, "not_allowed", f"does not go with {line.type}"
    for field in _needed(line):
        if getattr(line, field) is None:
            yield field, "missing", f"needed for {line.type}"


_ONLY_OF: Mapping[str, tuple[LineType, ...]] = {
    "to_location_id": (LineType.TRANSFER,),
    "disposition": (LineType.RETURN,),
    "reference": (LineType.EXPECT, LineType.RECEIVE),
    "expected_at": (LineType.EXPECT,),
}
"""Fields that only some types may have."""

_NEEDED: Mapping[LineType, tuple[str, ...]] = {
    LineType.ADJUST: ("reason_code",),
    LineType.TRANSFER: ("to_location_id",),
    LineType.RETURN: ("disposition",),
    LineType.EXPECT: ("reference", "expected_at"),
}
"""Fields that a type can't do without."""


def _needed(line: DocumentLine) -> tuple[str, ...]:
    """What is no longer expected needs no date."""
    return ("reference",) if line.type is LineType.EXPECT and line.quantity == 0 else _NEEDED.get(line.type, ())


def unknown(lines: Iterable[DocumentLine], skus: Container[str], locations: Container[str]) -> Iterator[dict[str, str]]:
    """Every field of a request that names a sku or location we do not have."""
    for line in lines:
        if line.sku not in skus:
            yield _fault(line, "sku", Refusal.UNKNOWN_SKU)
        if line.location_id not in locations:
            yield _fault(line, "location_id", Refusal.UNKNOWN_LOCATION)
        if line.to_location_id is not None and line.to_location_id not in locations:
            yield _fault(line, "to_location_id", Refusal.UNKNOWN_LOCATION)


def _fault(line: DocumentLine, field: str, reason: Refusal) -> dict[str, str]:
    return {"field": f"lines.{line.line - 1}.{field}", "reason": reason.value, "problem": "not known"}


def is_about_delivery(line: DocumentLine) -> bool:
    """Whether the line may change what is on its way: then it rests on the position as it was read."""
    return line.reference is not None and line.type in (LineType.EXPECT, LineType.RECEIVE)


def too_many_deliveries(lines: Iterable[DocumentLine]) -> DocumentLine | None:
    """The first line that is one too many about expected deliveries to its position."""
    seen: dict[tuple[str, str], int] = {}
    for line in filter(is_about_delivery, lines):
        position = (line.sku, line.location_id)
        seen[position] = seen.get(position, 0) + 1
        if seen[position] > MAX_DELIVERY_LINES:
            return line
    return None


def expected_after(incoming: tuple[Incoming, ...], line: DocumentLine) -> tuple[Incoming, ...]:
    """What is still on its way after a line about one delivery, the first to arrive first.

    EXPECT says what to expect of its reference from now on, RECEIVE what has arrived of it: never less than nothing.
    """
    named = next((one for one in incoming if one.reference == line.reference), None)
    others = [one for one in incoming if one is not named]
    if line.type is LineType.EXPECT:
        quantity, expected_at = line.quantity, line.expected_at
    else:
        quantity, expected_at = (named.quantity - line.quantity, named.expected_at) if named else (0, None)
    if quantity > 0 and line.reference and expected_at:
        others.append(Incoming(reference=line.reference, quantity=quantity, expected_at=expected_at))
    return tuple(sorted(others, key=lambda one: (one.expected_at, one.reference)))


def expects_too_many(position: StockPosition, line: DocumentLine) -> NotBooked | None:
    """Why a line is refused that announces one delivery more to a position than its list may have."""
    after = len(expected_after(position.incoming, line))
    if after <= max(MAX_INCOMING, len(position.incoming)):
        return None
    return NotBooked(line=line.line, reason=Refusal.TOO_MANY_EXPECTED, found=len(position.incoming))


def moves_of(line: DocumentLine) -> tuple[StockMove, ...]:
    """What a line moves."""
    sku, location_id, quantity = line.sku, line.location_id, line.quantity
    match line.type:
        case LineType.TRANSFER:
            return stock.transfer(sku, location_id, line.to_location_id or "", quantity)
        case LineType.RETURN:
            return (stock.return_(sku, location_id, quantity, line.disposition or Disposition.QUALITY_CONTROL),)
        case LineType.EXPECT:
            # Nothing moves, but the ledger says what was announced, and the row makes a repeat a repeat.
            return (StockMove(sku=sku, location_id=location_id, kind=MoveKind.EXPECT, quantity=quantity),)
        case _:
            return (_SIMPLE[line.type](sku, location_id, quantity),)


_SIMPLE = {
    LineType.RECEIVE: stock.receive,
    LineType.ADJUST: stock.adjust,
    LineType.MARK_DAMAGED: stock.mark_damaged,
    LineType.SCRAP: stock.scrap,
    LineType.QUALITY_HOLD: stock.quality_hold,
    LineType.QUALITY_PASS: stock.quality_pass,
    LineType.QUALITY_FAIL: stock.quality_fail,
}


def not_enough(line: DocumentLine, positions: Iterable[StockPosition]) -> NotBooked:
    """Why a line was refused that takes more than there is; `positions` are those that ran short, as they are."""
    needed = stock.required(move for move in moves_of(line) if move.location_id == line.location_id)
    bucket = next(iter(needed))
    there = next((one for one in positions if one.location_id == line.location_id), None)
    return NotBooked(
        line=line.line, reason=Refusal.NOT_ENOUGH, bucket=bucket.value, found=getattr(there, bucket) if there else 0
    )
