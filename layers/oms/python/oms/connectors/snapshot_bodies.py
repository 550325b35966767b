"""What locations counted: webhooks of the type `stock.snapshot`.

{"id", "type": "stock.snapshot", "occurred_at", "data": {"snapshot_id", "as_of"?, "chunk"?, "chunks"?, "complete"?,
"rows": [{"sku", "on_hand"}]}}

`as_of` is the moment that was counted, `occurred_at` unless told. Rows that can't be understood are refused one by one.
"""

from __future__ import annotations

import json
from datetime import datetime
from typing import Annotated, Any, Literal

from pydantic import Field, ValidationError

from oms.connectors.bodies import Body, Name, Time
from oms.domain.errors import InvalidMessage, TooLarge
from oms.domain.snapshot_parts import MAX_CHUNKS, MAX_ROWS_A_CHUNK, SNAPSHOT_ID, counted_moment, part_message
from oms.domain.validation import invalid_message

MAX_MESSAGE_BYTES = 250_000
"""What a message of a queue may have, with room for its envelope."""


class _Counted(Body):
    snapshot_id: Annotated[str, Field(pattern=SNAPSHOT_ID)]
    as_of: Time | None = None
    chunk: Annotated[int, Field(ge=1, le=MAX_CHUNKS)] = 1
    chunks: Annotated[int, Field(ge=1, le=MAX_CHUNKS)] = 1
    complete: bool = False
    rows: Annotated[list[Any], Field(min_length=1, max_length=MAX_ROWS_A_CHUNK)]


class SnapshotReport(Body):
    """The body of `stock.snapshot`."""

    id: Name
    type: Literal["stock.snapshot"]
    occurred_at: Time
    data: _Counted


def counted(body: bytes, location_id: str, received_at: datetime) -> list[dict[str, Any]]:
    """The message that a `stock.snapshot` becomes. Raises InvalidMessage naming what is wrong, TooLarge.

    The location's name goes before the snapshot's: what one location counts is nobody else's.
    """
    try:
        report = SnapshotReport.model_validate_json(body)
    except ValidationError as error:
        raise invalid_message(error.errors(include_url=False, include_input=False)) from error
    data = report.data
    if data.chunk > data.chunks:
        raise InvalidMessage(f"there are {data.chunks} chunks", field="data.chunk", reason="INVALID_FIELD")
    message = part_message(
        snapshot_id=f"{location_id}.{data.snapshot_id}",
        location_id=location_id,
        as_of=counted_moment(data.as_of or report.occurred_at, received_at, field="data.as_of"),
        received_at=received_at,
        actor=location_id,
        complete=data.complete,
        number=data.chunk,
        chunks=data.chunks,
        rows=data.rows,
        message_id=report.id,
    )
    if len(json.dumps(message)) > MAX_MESSAGE_BYTES:
        raise TooLarge("a part of a snapshot is too large: send fewer rows in one")
    return [message]
