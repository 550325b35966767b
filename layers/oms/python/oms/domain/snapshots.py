"""Snapshots: what was counted at a location at a moment becomes the truth there.

    on_hand = counted + what came and went after the moment that was counted

A count older than the one a position stands on is stale. A difference too large to believe waits for a person. A
snapshot comes in chunks, in any order; once all of a complete one are booked, what it left out is counted as zero.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from enum import StrEnum
from typing import Any

from oms.domain.changes import Count, StockChange
from oms.domain.counted_rows import CountedRow, FileFormat, RowOutcome, RowResult
from oms.domain.errors import IllegalTransition
from oms.domain.stock import StockPosition, snapshot

MAX_ROWS = 100_000
ROWS_A_CHUNK = 250
"""Rows of the chunks that we make ourselves, of a file and of what was left out: so many good and as many refused ones
of the longest skus still fit an item."""

LEFT_OUT_REASON = "LEFT_OUT"
_PLAIN = frozenset({RowOutcome.BOOKED, RowOutcome.UNCHANGED})


class SnapshotStatus(StrEnum):
    """How far a snapshot has come. CLOSING: all its rows are judged, what it left out is being counted as zero.
    DECIDED: a person decided, and it is being carried out."""

    UPLOADING = "UPLOADING"
    RECEIVING = "RECEIVING"
    CLOSING = "CLOSING"
    AWAITING_APPROVAL = "AWAITING_APPROVAL"
    DECIDED = "DECIDED"
    BOOKED = "BOOKED"
    REJECTED = "REJECTED"
    REFUSED = "REFUSED"


ENDED = frozenset({SnapshotStatus.BOOKED, SnapshotStatus.REJECTED})


class Decision(StrEnum):
    """What a person says of the rows that wait."""

    APPROVE = "APPROVE"
    REJECT = "REJECT"


@dataclass(frozen=True, slots=True, kw_only=True)
class StockPolicy:
    """When a counted difference is too large to book unseen: more units and more percent of the books than this."""

    approval_units: int = 50
    approval_percent: int = 25

    def must_be_approved(self, on_books: int, difference: int) -> bool:
        """Whether a person must look at this difference first."""
        units = abs(difference)
        return units > self.approval_units and units * 100 > self.approval_percent * abs(on_books)


@dataclass(frozen=True, slots=True, kw_only=True)
class Snapshot:
    """The head of a snapshot. `finished` has, by chunk, how many rows ended how; `left_out_chunks` is how many
    chunks of what it left out follow its own, once that is known. `file_key` is the object it was uploaded as."""

    snapshot_id: str
    location_id: str
    as_of: datetime
    received_at: datetime
    actor: str
    version: int
    complete: bool = False
    chunks: int | None = None
    file_key: str = ""
    file_format: FileFormat | None = None
    file_hash: str = ""
    status: SnapshotStatus = SnapshotStatus.RECEIVING
    refusal: str = ""
    finished: dict[str, dict[RowOutcome, int]] = field(default_factory=dict)
    left_out_chunks: int | None = None
    decision: Decision | None = None
    decided_by: str = ""
    decided_at: datetime | None = None

    @property
    def counts(self) -> Counter[RowOutcome]:
        """How many rows ended how, over all chunks."""
        total: Counter[RowOutcome] = Counter()
        for counts in self.finished.values():
            total.update(counts)
        return total

    @property
    def missing_chunks(self) -> list[int]:
        """Its own chunks that are not booked yet."""
        return self._unfinished(1, self.chunks or 0)

    @property
    def open_left_out_chunks(self) -> list[int]:
        """Chunks of what it left out that are not booked yet."""
        return self._unfinished((self.chunks or 0) + 1, self.left_out_chunks or 0)

    @property
    def waiting_chunks(self) -> list[int]:
        """Chunks with rows that wait for a person's decision, or for it to be carried out."""
        return sorted(int(number) for number, counts in self.finished.items() if RowOutcome.AWAITING_APPROVAL in counts)

    def has_finished(self, number: int) -> bool:
        """Whether the rows of a chunk are judged."""
        return str(number) in self.finished

    def is_left_out(self, number: int) -> bool:
        """Whether a chunk is of what the snapshot left out."""
        return self.chunks is not None and number > self.chunks

    def _unfinished(self, first: int, how_many: int) -> list[int]:
        return [number for number in range(first, first + how_many) if not self.has_finished(number)]


@dataclass(frozen=True, slots=True, kw_only=True)
class Chunk:
    """A part of a snapshot. Of a `doubtful` one every difference waits for a person."""

    snapshot_id: str
    number: int
    rows: tuple[CountedRow, ...] = ()
    refused: tuple[RowResult, ...] = ()
    content_hash: str = ""
    doubtful: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class ChunkResult:
    """What became of a chunk: how many rows ended how, and those worth telling of. `decided` once a person's
    decision was carried out."""

    snapshot_id: str
    number: int
    counts: dict[RowOutcome, int] = field(default_factory=dict)
    rows: tuple[RowResult, ...] = ()
    decided: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """A position as it is, and what its ledger says: units that came less those that went after the moment that was
    counted, and whether this very row has been booked."""

    position: StockPosition
    moved_after: int = 0
    booked: bool = False

    @property
    def is_known(self) -> bool:
        """Whether units ever came or went here, or were counted."""
        position = self.position
        return bool(position.on_hand_version or position.on_hand or position.snapshot_as_of)


@dataclass(frozen=True, slots=True, kw_only=True)
class Terms:
    """By what rows are judged: the policy, whether a person approved them, whether they were left out."""

    policy: StockPolicy
    now: datetime
    approved: bool = False
    left_out: bool = False
    doubtful: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Judgement:
    """What becomes of a row: `change` is what must be booked for it."""

    row: CountedRow
    outcome: RowOutcome
    on_books: int
    change: StockChange | None = None

    @property
    def result(self) -> RowResult:
        """For the report."""
        row = self.row
        return RowResult(
            row=row.row, outcome=self.outcome, sku=row.sku, on_hand=row.on_hand, on_books=self.on_books
        )  # fmt: skip


def status_of(head: Snapshot) -> SnapshotStatus:
    """Where a snapshot stands: a function of what is written of it."""
    if head.refusal:
        return SnapshotStatus.REFUSED
    if head.chunks is None:
        return SnapshotStatus.UPLOADING
    if head.missing_chunks:
        return SnapshotStatus.RECEIVING
    if head.complete and (head.left_out_chunks is None or head.open_left_out_chunks):
        return SnapshotStatus.CLOSING
    if head.waiting_chunks:
        return SnapshotStatus.DECIDED if head.decision else SnapshotStatus.AWAITING_APPROVAL
    return SnapshotStatus.REJECTED if head.decision is Decision.REJECT else SnapshotStatus.BOOKED


def stepped(head: Snapshot, **changes: Any) -> Snapshot:
    """The head with these facts, as its next version; itself if they are known already."""
    changed = replace(head, **changes)
    return head if changed == head else replace(changed, version=head.version + 1, status=status_of(changed))


def chunk_finished(head: Snapshot, result: ChunkResult) -> Snapshot:
    """The rows of a chunk are judged. A second word on them is heard only if a person decided."""
    if head.has_finished(result.number) and not result.decided:
        return head
    return stepped(head, finished=head.finished | {str(result.number): result.counts})


def decided(head: Snapshot, decision: Decision, actor: str, now: datetime) -> Snapshot:
    """A person decided on the rows that wait. The same again changes nothing. Raises IllegalTransition."""
    if head.decision is decision:
        return head
    if head.status is not SnapshotStatus.AWAITING_APPROVAL:
        told = {"status": head.status.value, "decision": head.decision.value if head.decision else None}
        raise IllegalTransition("no rows of this snapshot wait for a decision", **told)
    return stepped(head, decision=decision, decided_by=actor, decided_at=now)


def judge(head: Snapshot, row: CountedRow, reading: Reading, terms: Terms) -> Judgement:
    """What a counted row means for the position as it is read."""
    on_books, counted_at = reading.position.on_hand, reading.position.snapshot_as_of
    target = row.on_hand + reading.moved_after
    outcome, change = RowOutcome.UNCHANGED, None
    if counted_at is not None and counted_at >= head.as_of:
        outcome = _counted_before(target, counted_at, head, reading, terms)
    elif target != on_books and _must_wait(reading, target, terms):
        outcome = RowOutcome.AWAITING_APPROVAL
    else:
        outcome = RowOutcome.UNCHANGED if target == on_books else _booked(terms)
        change = _change(head, row.sku, reading.position, target, terms)
    return Judgement(row=row, outcome=outcome, on_books=on_books, change=change)


def drop(row: RowResult) -> RowResult:
    """A waiting row that a person rejected."""
    return RowResult(
        row=row.row, outcome=RowOutcome.REJECTED, sku=row.sku, on_hand=row.on_hand, on_books=row.on_books
    )  # fmt: skip


def summary(chunk_of: Snapshot, number: int, rows: Sequence[RowResult], *, decided: bool = False) -> ChunkResult:
    """The result of a chunk: all rows counted, the plain ones not told one by one."""
    told = tuple(sorted((row for row in rows if row.outcome not in _PLAIN), key=lambda row: row.row))
    counts = dict(Counter(row.outcome for row in rows))
    return ChunkResult(
        snapshot_id=chunk_of.snapshot_id, number=number, counts=counts, rows=told, decided=decided
    )  # fmt: skip


def redecided(before: ChunkResult, settled: Iterable[RowResult]) -> ChunkResult:
    """The result of a chunk once its waiting rows were settled."""
    settled = list(settled)
    told = [row for row in before.rows if row.outcome is not RowOutcome.AWAITING_APPROVAL]
    told += [row for row in settled if row.outcome not in _PLAIN]
    counts = Counter(before.counts)
    counts.pop(RowOutcome.AWAITING_APPROVAL, None)
    counts.update(row.outcome for row in settled)
    return ChunkResult(
        snapshot_id=before.snapshot_id,
        number=before.number,
        counts=dict(counts),
        rows=tuple(sorted(told, key=lambda row: row.row)),
        decided=True,
    )


def change_id(head: Snapshot, sku: str) -> str:
    """What the ledger calls the booking of a row: a snapshot counts a sku once."""
    return f"snapshot#{head.snapshot_id}#{sku}"


def _counted_before(target: int, counted_at: datetime, head: Snapshot, reading: Reading, terms: Terms) -> RowOutcome:
    """A position that stands on a count as new as this one, or newer: perhaps on this very row, sent again."""
    if reading.booked:
        return _booked(terms)
    agrees = counted_at == head.as_of and target == reading.position.on_hand
    return RowOutcome.UNCHANGED if agrees else RowOutcome.STALE


def _must_wait(reading: Reading, target: int, terms: Terms) -> bool:
    if terms.approved or not reading.is_known:
        return False
    on_books = reading.position.on_hand
    return terms.doubtful or terms.policy.must_be_approved(on_books, target - on_books)


def _booked(terms: Terms) -> RowOutcome:
    return RowOutcome.ZEROED if terms.left_out else RowOutcome.BOOKED


def _change(head: Snapshot, sku: str, position: StockPosition, target: int, terms: Terms) -> StockChange:
    move = snapshot(position, target)
    return StockChange(
        change_id=change_id(head, sku),
        effective_at=head.as_of,
        at=terms.now,
        actor=head.actor,
        moves=(move,) if move else (),
        reason_code=LEFT_OUT_REASON if terms.left_out else "",
        count=Count(sku=sku, location_id=head.location_id, on_hand_version=position.on_hand_version, as_of=head.as_of),
    )
