"""Stock documents: why stock moved though no order asked.

A document is a list of lines told at once, by a person, a program or a location; each line is booked by itself, once.
How a line is booked, and what is told of it and of the whole document afterwards, is decided here.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import StrEnum

from oms.domain.changes import Expectation, StockChange
from oms.domain.ids import short_hash
from oms.domain.stock import StockPosition, after_count
from oms.domain.stock_lines import DocumentLine, NotBooked, expected_after, moves_of

MAX_LINES = 500
"""Lines of one document; a location's longer report becomes several documents."""

MAX_DAYS_BACK = 366
MAX_SECONDS_AHEAD = 300
"""How far the clock of who asks may be ahead of ours."""

STOCK_REPORT_TYPES = ("stock.adjusted", "stock.received", "stock.snapshot")
"""What locations report of their stock."""


class DocumentKind(StrEnum):
    """What sort of document it is; counts are kept beside these, see `snapshots`."""

    ADJUSTMENT = "ADJUSTMENT"
    RECEIPT = "RECEIPT"


class Source(StrEnum):
    """Who a document comes from: a client of the API asks, a location tells."""

    API = "API"
    LOCATION = "LOCATION"


class DocumentStatus(StrEnum):
    """RECEIVED while lines may be unbooked, then BOOKED for good."""

    RECEIVED = "RECEIVED"
    BOOKED = "BOOKED"


@dataclass(frozen=True, slots=True, kw_only=True)
class StockDocument:
    """The row HEADER of a document: what its repeats are held against, and what became of it.

    `lines` is how many it has. `effective_at` is when it all happened: part of what makes each line itself.
    `location_id` is empty when the lines are of several locations. `message_id` is the location's own.
    """

    document_id: str
    version: int
    kind: DocumentKind
    source: Source
    status: DocumentStatus = DocumentStatus.RECEIVED
    location_id: str = ""
    message_id: str = ""
    effective_at: datetime
    received_at: datetime
    actor: str
    content_hash: str
    lines: int
    booked: int = 0
    booked_at: datetime | None = None
    not_booked: tuple[NotBooked, ...] = ()


class LineOutcome(StrEnum):
    """What became of a line; DUPLICATE was booked before."""

    BOOKED = "BOOKED"
    DUPLICATE = "DUPLICATE"
    REFUSED = "REFUSED"


@dataclass(frozen=True, slots=True, kw_only=True)
class LineResult:
    """What became of one line; `why` it was refused."""

    line: int
    outcome: LineOutcome
    why: NotBooked | None = None


def api_document_id(client_id: str, key: str) -> str:
    """The id of the document that a client of the API names by this key."""
    return f"adjustment-{short_hash(client_id, key, length=32)}"


def report_document_id(location_id: str, message_id: str, part: int) -> str:
    """The id of the n-th document (from 1) that a location's message becomes."""
    return f"report-{short_hash(location_id, message_id, length=32)}-{part}"


def place_of(lines: Iterable[DocumentLine]) -> str:
    """The location of all these lines, or nothing where they are of several."""
    places = {line.location_id for line in lines}
    return places.pop() if len(places) == 1 else ""


def happened_at(told: datetime | None, now: datetime) -> datetime:
    """When it happened, in whole seconds: as told, now when nothing was told, and never ahead of us."""
    return min(told or now, now).replace(microsecond=0)


def outside(told: datetime | None, now: datetime) -> str:
    """What is wrong with a time that a client says it happened at; empty if nothing is."""
    if told is not None and told > now + timedelta(seconds=MAX_SECONDS_AHEAD):
        return "in the future"
    if told is not None and told < now - timedelta(days=MAX_DAYS_BACK):
        return f"more than {MAX_DAYS_BACK} days ago"
    return ""


def change_of(
    document: StockDocument, line: DocumentLine, position: StockPosition | None, now: datetime
) -> StockChange:
    """What booking a line writes. A line about a delivery rests on its `position` as it was read; others need none."""
    moves = tuple(replace(move, effective_at=document.effective_at) for move in moves_of(line))
    expectation = None
    if position is not None:
        if position.snapshot_as_of:
            moves = tuple(after_count(move, position.snapshot_as_of) for move in moves)
        after = expected_after(position.incoming, line)
        if after != position.incoming:
            expectation = Expectation(sku=line.sku, location_id=line.location_id, before=position.incoming, after=after)
    return StockChange(
        change_id=f"{document.document_id}#{line.line}",
        effective_at=document.effective_at,
        at=now,
        actor=document.actor,
        moves=moves,
        reason_code=line.reason_code.value if line.reason_code else "",
        expectation=expectation,
    )


def to_book(document: StockDocument, lines: Iterable[DocumentLine]) -> list[DocumentLine]:
    """The lines that are still to be booked. Once BOOKED, those refused to a client stay refused: he was told so.
    Those a location told of are tried again whenever it, or a replay, tells them again."""
    if document.status is DocumentStatus.RECEIVED:
        return list(lines)
    again = {one.line for one in document.not_booked} if document.source is Source.LOCATION else set()
    return [line for line in lines if line.line in again]


def settled(document: StockDocument, results: Iterable[LineResult], now: datetime) -> StockDocument:
    """The document once these lines had their turn: the same object where that says nothing new of it."""
    results = list(results)
    if document.status is DocumentStatus.BOOKED:
        done = {result.line for result in results if result.outcome is not LineOutcome.REFUSED}
        left = tuple(one for one in document.not_booked if one.line not in done)
        if left == document.not_booked:
            return document
    elif len(results) < document.lines:
        return document
    else:
        left = tuple(sorted((result.why for result in results if result.why), key=lambda why: why.line))
    return replace(
        document,
        version=document.version + 1,
        status=DocumentStatus.BOOKED,
        booked=document.lines - len(left),
        booked_at=document.booked_at or now,
        not_booked=left,
    )


def answered(document: StockDocument, results: Iterable[LineResult]) -> tuple[LineResult, ...]:
    """What is told of every line of a booked document, after a run that had these results."""
    refused = {one.line: one for one in document.not_booked}
    booked_now = {result.line for result in results if result.outcome is LineOutcome.BOOKED}
    return tuple(
        LineResult(line=number, outcome=_outcome(number in refused, number in booked_now), why=refused.get(number))
        for number in range(1, document.lines + 1)
    )


def _outcome(refused: bool, booked_now: bool) -> LineOutcome:
    if refused:
        return LineOutcome.REFUSED
    return LineOutcome.BOOKED if booked_now else LineOutcome.DUPLICATE
