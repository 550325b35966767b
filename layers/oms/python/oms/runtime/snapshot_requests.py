"""Bodies and queries of the routes under `/stock/snapshots`."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any

from pydantic import AfterValidator, AwareDatetime, BeforeValidator, Field

from oms.domain.counted_rows import FileFormat
from oms.domain.errors import InvalidMessage
from oms.domain.snapshot_parts import MAX_AGE, MAX_CHUNKS, MAX_ROWS_A_CHUNK, SNAPSHOT_ID, counted_moment, part, upload
from oms.domain.snapshots import Chunk, Decision, Snapshot
from oms.domain.validation import in_utc
from oms.runtime.api_requests import _Body, _Query


def _upper(value: object) -> object:
    return value.upper() if isinstance(value, str) else value


class SnapshotRequest(_Body):
    """A part of what was counted at a location. Without rows: asks for an address to upload all of them to."""

    snapshot_id: Annotated[str, Field(pattern=SNAPSHOT_ID)] = Field(
        description="Yours to choose; the same part sent again is one part."
    )
    location_id: Annotated[str, Field(min_length=1, max_length=64)]
    as_of: Annotated[AwareDatetime, AfterValidator(in_utc)] = Field(
        description="The moment that was counted, at most 366 days ago: what came or went later is added."
    )
    complete: bool = Field(default=False, description="What the whole snapshot leaves out is counted as zero.")
    chunk: Annotated[int, Field(ge=1, le=MAX_CHUNKS)] = 1
    chunks: Annotated[int, Field(ge=1, le=MAX_CHUNKS)] = Field(default=1, description="How many parts there are.")
    rows: Annotated[list[Any], Field(min_length=1, max_length=MAX_ROWS_A_CHUNK)] | None = Field(
        default=None, description='{"sku", "on_hand"} each; what is wrong with a row is told in the report.'
    )
    file_format: FileFormat | None = Field(
        default=None, description="Of an upload: CSV (the first line names the columns sku, on_hand) or JSON_LINES."
    )

    def part(self, actor: str, now: datetime) -> tuple[Snapshot, Chunk]:
        """The part that was sent. Raises InvalidMessage."""
        if self.file_format is not None:
            raise InvalidMessage("goes with an upload, without rows", field="file_format", reason="INVALID_FIELD")
        return part(number=self.chunk, chunks=self.chunks, rows=self.rows or [], **self._head(actor, now))

    def upload(self, actor: str, now: datetime) -> Snapshot:
        """The snapshot whose rows are to be uploaded. Raises InvalidMessage."""
        if self.chunks != 1:
            raise InvalidMessage(
                "an upload has no parts: send rows, or one file", field="chunks", reason="INVALID_FIELD"
            )
        return upload(self.file_format or FileFormat.CSV, **self._head(actor, now))

    def _head(self, actor: str, now: datetime) -> dict[str, Any]:
        return {
            "snapshot_id": self.snapshot_id,
            "location_id": self.location_id,
            "as_of": counted_moment(self.as_of, now, max_age=MAX_AGE),
            "received_at": now,
            "actor": actor,
            "complete": self.complete,
        }


class ApprovalRequest(_Body):
    """A person's decision on the rows of a snapshot that wait."""

    decision: Annotated[Decision, BeforeValidator(_upper)]


class SnapshotQuery(_Query):
    """Which page of the report."""

    cursor: Annotated[str, Field(min_length=1, max_length=2_000)] | None = Field(
        default=None, description="From the page before."
    )
