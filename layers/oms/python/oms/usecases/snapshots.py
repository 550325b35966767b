"""Snapshots at the door: parts that are sent, files to be uploaded, decisions on what waits, and the report.

Whatever comes is kept first and judged by the worker (`counting`); what is sent twice is kept once.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any

from oms.domain.errors import IllegalTransition, InvalidMessage, NotFound
from oms.domain.snapshots import Chunk, Decision, Snapshot, SnapshotStatus, decided, stepped
from oms.usecases.counting import chunk_message, write_step

if TYPE_CHECKING:
    from oms.runtime.inbox import Inbox
    from oms.runtime.queues import Queue
    from oms.stores.reference_data import LocationsStore
    from oms.stores.snapshots import SnapshotsStore

RESULTS_A_PAGE = 5
"""Chunks whose rows a page of a report tells of, at most."""

MAX_EMPTY_PAGES = 200
"""Pages without a row worth telling that are passed over for one page of a report."""

IDENTITY = ("location_id", "as_of", "complete", "file_format")


@dataclass(frozen=True, slots=True)
class Report:
    """A snapshot as it stands, and a page of the rows worth telling, each with its chunk."""

    head: Snapshot
    rows: list[dict[str, Any]]
    cursor: str | None


@dataclass(frozen=True, slots=True)
class SnapshotParts:
    """Keeps the parts of snapshots and has them judged."""

    snapshots: SnapshotsStore
    queue: Queue

    def accept(self, draft: Snapshot, chunk: Chunk) -> Snapshot:
        """Keeps a part, and asks for it to be judged. Raises InvalidMessage if the snapshot, or this part of it, was
        sent with other content; Retryable."""
        head = self.open(draft)
        if head.chunks != draft.chunks:
            raise _reused("chunks")
        if self.snapshots.add(chunk).content_hash != chunk.content_hash:
            raise _reused("rows")
        self.queue.send(chunk_message(head.snapshot_id, chunk.number), group=head.location_id)
        return head

    def open(self, draft: Snapshot) -> Snapshot:
        """The snapshot's head as it is stored, written now if there is none. Raises InvalidMessage for another one."""
        head = self.snapshots.get(draft.snapshot_id) or self.snapshots.write(draft)
        for name in IDENTITY:
            if getattr(head, name) != getattr(draft, name):
                raise _reused(name)
        return head


@dataclass(frozen=True, slots=True)
class Snapshots:
    """What people and programs ask of snapshots."""

    snapshots: SnapshotsStore
    locations: LocationsStore
    inbox: Inbox
    queue: Queue

    def take_part(self, draft: Snapshot, chunk: Chunk) -> Snapshot:
        """Keeps a part, and has it judged. Raises InvalidMessage, Retryable."""
        self._check_location(draft.location_id)
        return SnapshotParts(self.snapshots, self.queue).accept(draft, chunk)

    def ask_for_upload(self, draft: Snapshot) -> tuple[Snapshot, str]:
        """The snapshot, and the address its file is to be put at. Raises InvalidMessage, IllegalTransition."""
        self._check_location(draft.location_id)
        head = SnapshotParts(self.snapshots, self.queue).open(draft)
        if head.chunks is not None:
            raise IllegalTransition("its file was read already", status=head.status.value)
        return head, self.inbox.upload_url(head.file_key)

    def uploaded(self, snapshot_id: str) -> Snapshot:
        """The file is there: has it read. Raises NotFound, IllegalTransition."""
        head = self._head(snapshot_id)
        if not head.file_key:
            raise IllegalTransition("this snapshot is sent in parts", status=head.status.value)
        head = write_step(self.snapshots, head, lambda seen: stepped(seen, refusal=""))
        self.queue.send({"kind": "snapshot_object", "snapshot_id": snapshot_id}, group=head.location_id)
        return head

    def decide(self, snapshot_id: str, decision: Decision, actor: str, now: datetime) -> Snapshot:
        """Books or drops exactly the rows that wait. Raises NotFound, IllegalTransition when none do."""
        head = write_step(
            self.snapshots, self._head(snapshot_id), lambda seen: decided(seen, decision, actor, now)
        )  # fmt: skip
        if head.status is SnapshotStatus.DECIDED:
            self.queue.send({"kind": "snapshot_decision", "snapshot_id": snapshot_id}, group=head.location_id)
        return head

    def report(self, snapshot_id: str, cursor: str | None) -> Report:
        """The snapshot, and one page of the rows that are not simply booked. Raises NotFound."""
        head = self._head(snapshot_id)
        rows: list[dict[str, Any]] = []
        for _ in range(MAX_EMPTY_PAGES):
            page = self.snapshots.results(snapshot_id, limit=RESULTS_A_PAGE, cursor=cursor)
            rows = [{"chunk": item["number"], **row} for item in page.items for row in item.get("rows", [])]
            cursor = page.cursor
            if rows or cursor is None:
                break
        return Report(head, rows, cursor)

    def _head(self, snapshot_id: str) -> Snapshot:
        head = self.snapshots.get(snapshot_id)
        if head is None:
            raise NotFound("there is no such snapshot", snapshot_id=snapshot_id)
        return head

    def _check_location(self, location_id: str) -> None:
        if self.locations.get(location_id) is None:
            raise InvalidMessage(f"no location {location_id}", field="location_id", reason="UNKNOWN_LOCATION")


def _reused(name: str) -> InvalidMessage:
    message = f"this snapshot was sent with other {name}: choose a new snapshot_id"
    return InvalidMessage(message, field=name, reason="KEY_REUSED")
