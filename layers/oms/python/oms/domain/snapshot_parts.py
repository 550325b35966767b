"""Parts of snapshots on their way in: how a part becomes the snapshot's head and a chunk of it, whoever sends it."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from oms.domain.counted_rows import FileFormat, read_rows
from oms.domain.errors import InvalidMessage
from oms.domain.ids import short_hash
from oms.domain.snapshots import Chunk, Snapshot, SnapshotStatus

MAX_CHUNKS = 500
MAX_ROWS_A_CHUNK = 1_000
SNAPSHOT_ID = r"^[A-Za-z0-9][A-Za-z0-9_.-]{0,63}$"
MAX_AGE = timedelta(days=366)
"""What people and programs say of long ago is taken for a slip; what a location reports is not."""

MAX_CLOCK_SKEW = timedelta(minutes=5)
_TIMES, _ENVELOPE = ("as_of", "received_at"), ("kind", "message_id")


def counted_moment(
    as_of: datetime, now: datetime, *, field: str = "as_of", max_age: timedelta | None = None
) -> datetime:
    """The moment that was counted, in whole seconds. Raises InvalidMessage naming the field."""
    if as_of > now + MAX_CLOCK_SKEW:
        raise InvalidMessage(f"{field} is in the future", field=field, reason="IN_THE_FUTURE")
    if max_age is not None and as_of < now - max_age:
        raise InvalidMessage(f"{field} is more than {max_age.days} days ago", field=field, reason="TOO_OLD")
    return as_of.replace(microsecond=0)


def part(*, number: int, chunks: int, rows: Sequence[object], **head: Any) -> tuple[Snapshot, Chunk]:
    """The n-th of so many parts: the head it tells of, and the chunk. Raises InvalidMessage if there is no n-th."""
    if number > chunks:
        raise InvalidMessage(f"there are {chunks} chunks", field="chunk", reason="INVALID_FIELD")
    read = read_rows(rows)
    snapshot = Snapshot(version=1, chunks=chunks, **head)
    content_hash = short_hash(json.dumps(rows, sort_keys=True), length=32)
    return snapshot, Chunk(
        snapshot_id=snapshot.snapshot_id,
        number=number,
        rows=read.good,
        refused=read.refused,
        content_hash=content_hash,
    )


def upload(file_format: FileFormat, **head: Any) -> Snapshot:
    """The head of a snapshot whose rows will be uploaded as a file."""
    file_key = f"snapshots/{head['snapshot_id']}.{'csv' if file_format is FileFormat.CSV else 'jsonl'}"
    return Snapshot(version=1, file_key=file_key, file_format=file_format, status=SnapshotStatus.UPLOADING, **head)


def part_message(message_id: str, **told: Any) -> dict[str, Any]:
    """A part as a message of the stock queue; `told` is what `part` takes."""
    times = {name: told[name].isoformat() for name in _TIMES}
    return {"kind": "snapshot_part", "message_id": message_id, **told, **times}


def part_of(message: Mapping[str, Any]) -> tuple[Snapshot, Chunk]:
    """The part in a message. Raises InvalidMessage."""
    told = {name: value for name, value in message.items() if name not in _ENVELOPE}
    return part(**told | {name: datetime.fromisoformat(message[name]) for name in _TIMES})
