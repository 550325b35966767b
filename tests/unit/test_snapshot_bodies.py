"""What locations counted, as their webhooks tell it: a message of the queue, or what is wrong by field."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from oms.connectors.snapshot_bodies import MAX_MESSAGE_BYTES, counted
from oms.domain.errors import InvalidMessage, TooLarge
from oms.domain.snapshot_parts import part_of

NOON = datetime(2026, 3, 2, 12, tzinfo=UTC)
ROWS = [{"sku": "MUG", "on_hand": 3}]


def body(occurred_at: str = "2026-03-02T11:30:00.750+00:00", **data: Any) -> bytes:
    told = {"snapshot_id": "week-9", "rows": ROWS} | data
    report = {"id": "m-1", "type": "stock.snapshot", "occurred_at": occurred_at, "data": told}
    return json.dumps(report, ensure_ascii=False).encode()


def test_a_count_is_of_the_location_that_signed_and_of_no_other() -> None:
    (message,) = counted(body(location_id="WH-WEST"), "WH-EAST", NOON)
    snapshot, chunk = part_of(message)
    assert (snapshot.snapshot_id, snapshot.location_id, snapshot.actor) == ("WH-EAST.week-9", "WH-EAST", "WH-EAST")
    assert (message["kind"], message["message_id"], chunk.number) == ("snapshot_part", "m-1", 1)


@pytest.mark.parametrize(
    ("data", "as_of"),
    [
        pytest.param({}, NOON - timedelta(minutes=30), id="the moment it was told of, in whole seconds"),
        pytest.param({"as_of": "2026-03-02T10:00:00+02:00"}, NOON - timedelta(hours=4), id="the moment it names"),
        pytest.param({"as_of": "2020-01-01T00:00:00Z"}, datetime(2020, 1, 1, tzinfo=UTC), id="a moment long ago"),
    ],
)  # fmt: skip
def test_the_moment_that_was_counted_is_told_or_taken_from_the_report(data: dict[str, Any], as_of: datetime) -> None:
    (message,) = counted(body(**data), "WH-EAST", NOON)
    assert part_of(message)[0].as_of == as_of


def test_bad_rows_travel_with_the_good_ones() -> None:
    (message,) = counted(body(rows=[*ROWS, "junk", {"sku": "TEE"}]), "WH-EAST", NOON)
    _, chunk = part_of(json.loads(json.dumps(message)))
    assert ([row.sku for row in chunk.rows], [row.row for row in chunk.refused]) == (["MUG"], [2, 3])


@pytest.mark.parametrize(
    ("raw", "field"),
    [
        pytest.param(b"{", "body", id="not JSON"),
        pytest.param(body(rows=[]), "data.rows", id="no rows"),
        pytest.param(body(rows=ROWS * 1_001), "data.rows", id="too many rows"),
        pytest.param(body(snapshot_id="../x"), "data.snapshot_id", id="a name that is no name"),
        pytest.param(body(chunk=2), "data.chunk", id="part two of one"),
        pytest.param(body(as_of="yesterday"), "data.as_of", id="no moment"),
        pytest.param(body(as_of="2026-03-02T12:06:00Z"), "data.as_of", id="a moment in the future"),
        pytest.param(body("2026-03-02"), "occurred_at", id="a day instead of a moment"),
    ],
)
def test_what_cannot_be_a_count_is_refused_by_field(raw: bytes, field: str) -> None:
    with pytest.raises(InvalidMessage) as refused:
        counted(raw, "WH-EAST", NOON)
    assert refused.value.field == field


def test_a_part_that_no_queue_can_carry_is_too_large() -> None:
    rows = [{"sku": f"{number}", "on_hand": 1, "note": "x" * 300} for number in range(1_000)]
    assert len(json.dumps(rows)) > MAX_MESSAGE_BYTES
    with pytest.raises(TooLarge):
        counted(body(rows=rows), "WH-EAST", NOON)
