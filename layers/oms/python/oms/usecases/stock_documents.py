"""Stock documents: adjustments, receipts, transfers, returns, quality control. Each line is booked by itself, once.

The header is written first and says from then on when it all happened; a repeat finds it. What a repeat must not do
twice is refused by the ledger, line by line, so a document may be cut off anywhere and told again.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING

from oms.domain.changes import StockChange
from oms.domain.errors import InvalidMessage, KeyReused, NotFound, OmsError, Retryable, Unavailable, WriteConflict
from oms.domain.stock import StockPosition
from oms.domain.stock_documents import LineOutcome, LineResult, StockDocument, answered, change_of, settled, to_book
from oms.domain.stock_lines import DocumentLine, NotBooked, expects_too_many, is_about_delivery, not_enough, unknown

if TYPE_CHECKING:
    from oms.stores.group_commit import CommitResult, GroupCommit
    from oms.stores.reference_data import LocationsStore, ProductsStore
    from oms.stores.stock import StockStore
    from oms.stores.stock_documents import StockDocumentsStore

MAX_ROUNDS = 30
"""Rounds over the lines left: one for each delivery to the same position, the rest for others who write."""

MAX_PER_COMMIT = 100
MAX_SETTLING = 10

_ENDS = {"COMMITTED": LineOutcome.BOOKED, "DUPLICATE": LineOutcome.DUPLICATE}
Position = tuple[str, str]


@dataclass(frozen=True, slots=True)
class Told:
    """A document as it is now, and what is told of each of its lines."""

    document: StockDocument
    lines: tuple[LineResult, ...]


@dataclass(frozen=True, slots=True)
class StockDocuments:
    """Books documents, each line once, however often and however late the document comes."""

    documents: StockDocumentsStore
    stock: StockStore
    commit: GroupCommit

    def find(self, draft: StockDocument) -> StockDocument | None:
        """The document's header as it is stored, or None. Raises KeyReused where it stands for other content."""
        stored = self.documents.get(draft.document_id)
        return _of_same_content(stored, draft) if stored else None

    def open(self, draft: StockDocument) -> StockDocument:
        """The document's header as it is stored, written now if there is none. Raises KeyReused as `find` does."""
        return _of_same_content(self.documents.write(draft), draft)

    def book(self, document: StockDocument, lines: Sequence[DocumentLine], now: datetime) -> list[LineResult]:
        """Books those lines that are still to be booked; what one line lacks holds up no other.

        Raises Retryable once all others have had their turn: the document comes again for what is left.
        """
        run = _Run(to_book(document, lines))
        for _ in range(MAX_ROUNDS):
            turn = list(run.turn())
            if not turn:
                break
            self._commit(document, turn, run, now)
            run.judge_short()
        run.end(document)
        return run.results

    def settle(self, document: StockDocument, results: Sequence[LineResult], now: datetime) -> StockDocument:
        """Notes in the header what became of the lines; returns it as it is then. Raises WriteConflict."""
        for _ in range(MAX_SETTLING):
            wanted = settled(document, results, now)
            if wanted == document:
                return document
            document = self.documents.write(wanted)
            if document == wanted:
                return document
        raise WriteConflict(f"{document.document_id}: others always wrote first")

    def told(self, document_id: str) -> Told:
        """What is told of a document that was booked. Raises NotFound, Unavailable while it is not done."""
        document = self.documents.get(document_id)
        if document is None:
            raise NotFound("there is no such stock document", document_id=document_id)
        if document.booked_at is None:
            raise Unavailable("the document is not booked to its end: send it again")
        return Told(document, answered(document, ()))

    def _commit(self, document: StockDocument, turn: Sequence[DocumentLine], run: _Run, now: datetime) -> None:
        changes: list[tuple[DocumentLine, StockChange]] = []
        self._read([line for line in turn if is_about_delivery(line)], run)
        for line in turn:
            position = run.positions[line.sku, line.location_id] if is_about_delivery(line) else None
            refused = expects_too_many(position, line) if position else None
            if refused:
                run.refuse(line, refused)
            else:
                changes.append((line, change_of(document, line, position, now)))
        for start in range(0, len(changes), MAX_PER_COMMIT):
            part = changes[start : start + MAX_PER_COMMIT]
            committed = self.commit.commit([change for _, change in part])
            for (line, _), result in zip(part, committed, strict=True):
                run.note(line, result)

    def _read(self, lines: Sequence[DocumentLine], run: _Run) -> None:
        """Reads the positions of these lines that the run does not know as they are now."""
        unread = {(line.sku, line.location_id) for line in lines} - run.positions.keys()
        found = {(one.sku, one.location_id): one for one in self.stock.of_skus(sku for sku, _ in unread)}
        for sku, location_id in unread:
            nothing = StockPosition(sku=sku, location_id=location_id)
            run.positions[sku, location_id] = found.get((sku, location_id), nothing)


@dataclass(frozen=True, slots=True)
class Adjusting:
    """Documents that clients of the API ask for: what they name must exist, what there is not enough of is refused."""

    documents: StockDocuments
    products: ProductsStore
    locations: LocationsStore

    def adjust(self, draft: StockDocument, lines: Sequence[DocumentLine], now: datetime) -> Told:
        """Books the document; a repeat books what is left of it and tells the same of every line.

        Raises InvalidMessage naming each unknown sku and location (then nothing was booked), KeyReused, Retryable.
        """
        document = self.documents.find(draft)
        if document is None:
            self._check(lines)
            document = self.documents.open(draft)
        results = self.documents.book(document, lines, now)
        document = self.documents.settle(document, results, now)
        return Told(document, answered(document, results))

    def _check(self, lines: Sequence[DocumentLine]) -> None:
        named = {line.location_id for line in lines} | {line.to_location_id for line in lines if line.to_location_id}
        locations = {name for name in named if self.locations.get(name)}
        skus = self.products.get_many(line.sku for line in lines)
        faults = list(unknown(lines, skus, locations))
        if faults:
            first = faults[0]
            error = InvalidMessage(f"{first['field']}: not known", field=first["field"], reason=first["reason"])
            error.details["faults"] = faults
            raise error


def _of_same_content(stored: StockDocument, draft: StockDocument) -> StockDocument:
    if stored.content_hash != draft.content_hash:
        raise KeyReused
    return stored


@dataclass(slots=True)
class _Run:
    """One run over lines: who waits for a turn, what became of the others, and positions as they were last read."""

    waiting: list[DocumentLine]
    results: list[LineResult] = field(default_factory=list)
    positions: dict[Position, StockPosition] = field(default_factory=dict)
    errors: list[OmsError] = field(default_factory=list)
    short: list[tuple[DocumentLine, NotBooked]] = field(default_factory=list)
    progressed: bool = False

    def turn(self) -> Iterator[DocumentLine]:
        """Who is next: all, but of those about deliveries to one position only the first."""
        taken: set[Position] = set()
        for line in self.waiting:
            place = (line.sku, line.location_id)
            if is_about_delivery(line) and place in taken:
                continue
            if is_about_delivery(line):
                taken.add(place)
            yield line

    def note(self, line: DocumentLine, result: CommitResult[StockChange]) -> None:
        """What became of a line's change."""
        place = (line.sku, line.location_id)
        self.positions.pop(place, None)
        if result.outcome in _ENDS:
            self._end(line, LineResult(line=line.line, outcome=_ENDS[result.outcome]))
            self.progressed = self.progressed or result.committed
        elif result.outcome == "STOCK_SHORT":
            self.short.append((line, not_enough(line, result.positions)))
        elif result.outcome == "POSITION_CHANGED":
            for position in result.positions:
                self.positions[place] = position
        else:
            self.waiting.remove(line)
            self.errors.append(result.error or Unavailable(f"line {line.line}: {result.outcome}"))

    def refuse(self, line: DocumentLine, why: NotBooked) -> None:
        """The line is refused for good."""
        self._end(line, LineResult(line=line.line, outcome=LineOutcome.REFUSED, why=why))

    def judge_short(self) -> None:
        """Lines that found too little have another turn as long as others bring something, then they are refused."""
        short, progressed = self.short, self.progressed
        self.short, self.progressed = [], False
        for line, why in short if not progressed else ():
            self.refuse(line, why)

    def end(self, document: StockDocument) -> None:
        """Raises what kept lines from being booked, what may pass first."""
        if self.waiting:
            self.errors.append(WriteConflict(f"{document.document_id}: its positions never stood still"))
        for error in sorted(self.errors, key=lambda error: not isinstance(error, Retryable)):
            raise error

    def _end(self, line: DocumentLine, result: LineResult) -> None:
        self.waiting.remove(line)
        self.results.append(result)
