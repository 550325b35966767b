"""Counting: the rows of snapshots are booked, chunk by chunk, each row by itself and once.

A chunk may come in any order, twice, to two workers at once, or be cut off anywhere: rows that were booked are found
booked, and of two workers the one who first says what became of the chunk is believed. Whoever judges the last chunk
of a complete snapshot counts as zero what it left out; the head of the snapshot, written under its version, says who
that is.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from itertools import islice, zip_longest
from typing import TYPE_CHECKING, Any, TypeVar

from oms.domain.counted_rows import CountedRow, FileFormat, RowOutcome, RowResult, file_rows, read_rows, unknown_skus
from oms.domain.errors import InvalidMessage, InvariantBroken, NotFound, TooLarge, Unavailable, WriteConflict
from oms.domain.ids import short_hash
from oms.domain.snapshots import (
    MAX_ROWS,
    ROWS_A_CHUNK,
    Chunk,
    ChunkResult,
    Decision,
    Judgement,
    Snapshot,
    SnapshotStatus,
    StockPolicy,
    Terms,
    chunk_finished,
    drop,
    judge,
    redecided,
    stepped,
    summary,
)

if TYPE_CHECKING:
    from oms.runtime.inbox import Inbox
    from oms.runtime.queues import Queue
    from oms.stores.group_commit import GroupCommit
    from oms.stores.reference_data import ProductsStore, SettingsStore
    from oms.stores.snapshots import Readings, SnapshotsStore

ROWS_AT_ONCE = 100
"""Rows that are read, judged and booked together; between two such slices a worker may run out of time."""

MAX_ROUNDS = 20
"""Readings of rows whose positions do not stand still."""

MAX_WRITES = 30
"""Tries to write the head of a snapshot while others do."""

MAX_FILE_BYTES = 20_000_000

Message = dict[str, Any]
R = TypeVar("R")


@dataclass(frozen=True, slots=True)
class Booking:
    """Books counted rows: reads positions and ledgers, judges, commits, and reads again what moved meanwhile."""

    readings: Readings
    commit: GroupCommit

    def book(
        self, head: Snapshot, rows: Sequence[CountedRow], terms: Terms, go_on: Callable[[], bool]
    ) -> list[RowResult]:
        """What became of the rows. Raises Retryable when it was cut off; rows that were booked stay booked."""
        results: list[RowResult] = []
        for slice_ in _slices(rows, ROWS_AT_ONCE):
            if not go_on():
                raise Unavailable("out of time: the rest of the chunk comes again")
            results += self._book_slice(head, slice_, terms)
        return results

    def _book_slice(self, head: Snapshot, rows: Sequence[CountedRow], terms: Terms) -> list[RowResult]:
        results: list[RowResult] = []
        for _ in range(MAX_ROUNDS):
            readings = self.readings.read(head, [row.sku for row in rows])
            judged = [judge(head, row, readings[row.sku], terms) for row in rows]
            moved = self._write(judged)
            results += [one.result for one in judged if one.row not in moved]
            if not moved:
                return results
            rows = moved
        raise WriteConflict(f"{head.location_id}: {rows[0].sku} never stood still")

    def _write(self, judged: Sequence[Judgement]) -> list[CountedRow]:
        """Writes what must be written; returns the rows to be read again. Raises what made a write fail."""
        changes = [(one.row, one.change) for one in judged if one.change]
        committed = self.commit.commit([change for _, change in changes])
        for result in committed:
            if result.error:
                raise result.error
        return [row for (row, _), result in zip(changes, committed, strict=True) if not result.committed]


@dataclass(frozen=True, slots=True)
class Counting:
    """The worker's side of snapshots: chunks, uploaded files, and decisions."""

    snapshots: SnapshotsStore
    booking: Booking
    products: ProductsStore
    settings: SettingsStore
    inbox: Inbox
    queue: Queue

    def chunk(self, snapshot_id: str, number: int, now: datetime, go_on: Callable[[], bool]) -> Snapshot:
        """Judges and books a chunk, or carries out what a person decided of it. Raises NotFound, Retryable."""
        head, chunk = self._head(snapshot_id), self.snapshots.chunk(snapshot_id, number)
        if chunk is None:
            raise NotFound(f"snapshot {snapshot_id} has no chunk {number}")
        repeated = head.has_finished(number)
        if not repeated:
            result = self.snapshots.keep_result(self._judged(head, chunk, now, go_on))
            head = self._write(head, lambda seen: chunk_finished(seen, result))
        elif head.decision and number in head.waiting_chunks:
            result = self.snapshots.keep_result(self._settled(head, chunk, now, go_on))
            head = self._write(head, lambda seen: chunk_finished(seen, result))
        if head.status is SnapshotStatus.CLOSING and not head.is_left_out(number):
            head = self._close(head, again=repeated)
        return head

    def file(self, snapshot_id: str) -> Snapshot:
        """Makes chunks of an uploaded file. One that can't be read is refused, and may be uploaded again.

        The first file that was read stands. Raises NotFound, Retryable.
        """
        head = self._head(snapshot_id)
        try:
            content_hash, rows = self._rows_of_file(head)
        except (InvalidMessage, TooLarge) as error:
            reason = error.reason if isinstance(error, InvalidMessage) else "TOO_LARGE"
            return self._write(head, lambda seen: seen if seen.chunks else stepped(seen, refusal=reason))
        made = _chunks(head, rows)
        facts = {"chunks": len(made), "file_hash": content_hash, "refusal": ""}
        head = self._write(head, lambda seen: seen if seen.chunks else stepped(seen, **facts))
        if head.file_hash == content_hash:
            for chunk in made:
                if not head.has_finished(chunk.number):
                    self.snapshots.add(chunk)
                    self._ask_for(head, chunk.number)
        return head

    def carry_out(self, snapshot_id: str) -> Snapshot:
        """Has the waiting rows settled as a person decided. Raises NotFound, Retryable."""
        head = self._head(snapshot_id)
        if head.decision:
            for number in head.waiting_chunks:
                self._ask_for(head, number)
        return head

    def _rows_of_file(self, head: Snapshot) -> tuple[str, list[object]]:
        text = self.inbox.file(head.file_key, MAX_FILE_BYTES)
        rows = list(islice(file_rows(head.file_format or FileFormat.CSV, text), MAX_ROWS + 1))
        if not 0 < len(rows) <= MAX_ROWS:
            raise InvalidMessage(f"a file has 1 to {MAX_ROWS} rows", field="file", reason="ROWS_OUT_OF_BOUNDS")
        return short_hash(text, length=32), rows

    def _judged(self, head: Snapshot, chunk: Chunk, now: datetime, go_on: Callable[[], bool]) -> ChunkResult:
        left_out = head.is_left_out(chunk.number)
        rows, refused = chunk.rows, chunk.refused
        if not left_out:
            unknown = unknown_skus(rows, self.products.get_many(row.sku for row in rows))
            refused += unknown
            rows = tuple(row for row in rows if row.sku not in {one.sku for one in unknown})
        terms = Terms(policy=self.settings.stock_policy(), now=now, left_out=left_out, doubtful=chunk.doubtful)
        return summary(head, chunk.number, [*refused, *self.booking.book(head, rows, terms, go_on)])

    def _settled(self, head: Snapshot, chunk: Chunk, now: datetime, go_on: Callable[[], bool]) -> ChunkResult:
        """What a person decided of the rows of a chunk that waited: dropped, or judged anew and booked."""
        before = self.snapshots.result(head.snapshot_id, chunk.number)
        if before is None:
            raise InvariantBroken(f"snapshot {head.snapshot_id}: chunk {chunk.number} waits and was never judged")
        if before.decided:
            return before
        waiting = [row for row in before.rows if row.outcome is RowOutcome.AWAITING_APPROVAL]
        if head.decision is Decision.REJECT:
            return redecided(before, map(drop, waiting))
        numbers = {row.row for row in waiting}
        rows = [row for row in chunk.rows if row.row in numbers]
        policy, left_out = self.settings.stock_policy(), head.is_left_out(chunk.number)
        terms = Terms(policy=policy, now=now, approved=True, left_out=left_out)
        return redecided(before, self.booking.book(head, rows, terms, go_on))

    def _close(self, head: Snapshot, *, again: bool) -> Snapshot:
        """Finds what a complete snapshot left out, and has it counted as zero. Once that is found only `again`, when
        who found it may have been cut off, asks for it another time."""
        if head.left_out_chunks is None:
            found = self._keep_left_out(head)
            head = self._write(
                head, lambda seen: seen if seen.left_out_chunks is not None else stepped(seen, left_out_chunks=found)
            )
        elif not again:
            return head
        for number in head.open_left_out_chunks:
            self._ask_for(head, number)
        return head

    def _keep_left_out(self, head: Snapshot) -> int:
        """Keeps chunks of the skus that no row names; returns how many chunks.

        Each begins after the last sku of the one before, as it is kept: two who do this together, or one after the
        other's death, leave nothing out. Where a row names no sku it might be any: then every zero is doubtful.
        """
        named, doubtful = self._named(head)
        left = (sku for sku in self.booking.readings.skus_at(head.location_id) if sku not in named)
        number, last = head.chunks or 0, ""
        waiting = list(islice(left, ROWS_A_CHUNK))
        while waiting:
            number += 1
            rows = tuple(CountedRow(row=place, sku=sku, on_hand=0) for place, sku in enumerate(waiting, start=1))
            kept = self.snapshots.add(Chunk(snapshot_id=head.snapshot_id, number=number, rows=rows, doubtful=doubtful))
            last = kept.rows[-1].sku
            waiting = [sku for sku in waiting if sku > last]
            waiting += islice((sku for sku in left if sku > last), ROWS_A_CHUNK - len(waiting))
        return number - (head.chunks or 0)

    def _named(self, head: Snapshot) -> tuple[set[str], bool]:
        """Every sku that a row names, also a refused one; and whether some row names none."""
        named: set[str] = set()
        doubtful = False
        for chunk in self.snapshots.chunks(head.snapshot_id, head.chunks or 0):
            named.update(row.sku for row in chunk.rows)
            named.update(row.sku for row in chunk.refused)
            doubtful = doubtful or any(not row.sku for row in chunk.refused)
        return named, doubtful

    def _head(self, snapshot_id: str) -> Snapshot:
        head = self.snapshots.get(snapshot_id)
        if head is None:
            raise NotFound(f"there is no snapshot {snapshot_id}")
        return head

    def _write(self, head: Snapshot, step: Callable[[Snapshot], Snapshot]) -> Snapshot:
        return write_step(self.snapshots, head, step)

    def _ask_for(self, head: Snapshot, number: int) -> None:
        self.queue.send(chunk_message(head.snapshot_id, number), group=head.location_id)


def write_step(snapshots: SnapshotsStore, head: Snapshot, step: Callable[[Snapshot], Snapshot]) -> Snapshot:
    """Takes the head one step further, from wherever others have brought it. Raises WriteConflict."""
    for _ in range(MAX_WRITES):
        wanted = step(head)
        if wanted == head:
            return head
        head = snapshots.write(wanted)
        if head == wanted:
            return head
    raise WriteConflict(f"snapshot {head.snapshot_id}: others always wrote first")


def chunk_message(snapshot_id: str, number: int) -> Message:
    """For the stock queue: a chunk is to be judged, or settled as a person decided."""
    return {"kind": "snapshot_chunk", "snapshot_id": snapshot_id, "chunk": number}


def take_snapshot(booking: Booking, location_id: str, counted: Mapping[str, int], now: datetime) -> int:
    """Sets on_hand of each sku at a location to what was counted just now; returns how many positions changed.

    What is promised stays promised; the difference is borne by `available`, which may turn negative. A position that
    was counted in this very second is counted a second later. Raises Retryable.
    """
    now = now.replace(microsecond=0)
    rows = [
        CountedRow(row=number, sku=sku, on_hand=units) for number, (sku, units) in enumerate(sorted(counted.items()), 1)
    ]
    terms = Terms(policy=StockPolicy(), now=now, approved=True)
    head = Snapshot(snapshot_id="", version=1, location_id=location_id, as_of=now, received_at=now, actor="count")
    seen = [one.position.snapshot_as_of for one in booking.readings.read(head, list(counted)).values()]
    as_of = max([now, *(moment + timedelta(seconds=1) for moment in seen if moment)])
    head = replace(head, as_of=as_of, snapshot_id=short_hash(location_id, as_of.isoformat()))
    results = booking.book(head, rows, terms, lambda: True)
    return sum(result.outcome is RowOutcome.BOOKED for result in results)


def _chunks(head: Snapshot, raw: Iterable[object]) -> list[Chunk]:
    """The rows of a file in chunks of bounded size, the good ones and the refused ones dealt out alike."""
    read = read_rows(raw)
    dealt = zip_longest(_slices(read.good, ROWS_A_CHUNK), _slices(read.refused, ROWS_A_CHUNK), fillvalue=())
    return [
        Chunk(snapshot_id=head.snapshot_id, number=number, rows=tuple(rows), refused=tuple(refused))
        for number, (rows, refused) in enumerate(dealt, start=1)
    ]


def _slices(rows: Sequence[R], size: int) -> Iterator[Sequence[R]]:
    return (rows[start : start + size] for start in range(0, len(rows), size))
