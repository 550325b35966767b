"""Snapshots on their way in: parts in any order, files, and the report of what became of the rows."""

from __future__ import annotations

from typing import Any

import pytest

from oms.domain.counted_rows import FileFormat
from oms.domain.errors import IllegalTransition, InvalidMessage, NotFound
from oms.domain.snapshot_parts import upload
from oms.domain.snapshots import Decision, SnapshotStatus
from oms.runtime import clients
from oms.stores import reference_data
from oms.usecases import counting as counting_module
from tests.integration.company import NOON, at
from tests.integration.counting import (
    EAST,
    WEST,
    CountDesk,
    counts,
    on_hand,
    snapshot_movements,
)
from tests.integration.faults import CrashedError, Faults
from tests.integration.stage import SETTINGS, Stage

BOOKED = SnapshotStatus.BOOKED


@pytest.fixture
def desk(stage: Stage) -> CountDesk:
    return CountDesk()


# parts


@pytest.mark.parametrize(
    ("changed", "field"),
    [
        pytest.param({"location_id": WEST}, "location_id", id="another location"),
        pytest.param({"as_of": at(-1)}, "as_of", id="another moment"),
        pytest.param({"complete": True}, "complete", id="complete now"),
        pytest.param({"chunks": 2}, "chunks", id="more parts"),
    ],
)
def test_a_snapshot_sent_again_as_another_is_refused(desk: CountDesk, changed: dict[str, Any], field: str) -> None:
    desk.send({"MUG": 12})
    with pytest.raises(InvalidMessage) as refused:
        desk.send({"MUG": 12}, **changed)
    assert (refused.value.field, refused.value.reason) == (field, "KEY_REUSED")


def test_a_part_sent_again_with_other_rows_is_refused(stage: Stage, desk: CountDesk) -> None:
    desk.count({"MUG": 12})
    with pytest.raises(InvalidMessage):
        desk.send({"MUG": 13})
    desk.send({"MUG": 12}, received_at=at(4), actor="somebody else")
    assert on_hand(stage, "MUG") == 12


def test_a_location_nobody_knows_is_refused(desk: CountDesk) -> None:
    with pytest.raises(InvalidMessage) as refused:
        desk.send({"MUG": 12}, location_id="WH-NOWHERE")
    assert refused.value.reason == "UNKNOWN_LOCATION"


def test_what_was_never_sent_is_not_found(desk: CountDesk) -> None:
    for ask in (desk.report, desk.chunk, lambda: desk.decide(Decision.APPROVE), lambda: desk.door.uploaded("S1")):
        with pytest.raises(NotFound):
            ask()


def test_more_skus_than_a_worker_remembers_are_all_known(
    stage: Stage, desk: CountDesk, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reference_data, "MAX_KEPT", 2)
    desk.count({"MUG": 11})
    told = desk.count({"MUG": 12, "BOWL": 4, "KETTLE": 1}, snapshot_id="S2", as_of=at(1))
    assert counts(told) == {"BOOKED": 3}


def test_a_report_is_read_page_by_page(stage: Stage, desk: CountDesk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("oms.usecases.snapshots.RESULTS_A_PAGE", 1)
    for number, rows in enumerate([{"X": 1}, {"MUG": 10}, {"Y": 1}], start=1):
        desk.send(rows, number=number, chunks=3)
    desk.work()
    seen, cursor = [], None
    for _ in range(4):
        page = desk.door.report("S1", cursor)
        seen += [(row["chunk"], row["sku"]) for row in page.rows]
        cursor = page.cursor
        if cursor is None:
            break
    assert seen == [(1, "X"), (3, "Y")]


# files


def put_file(desk: CountDesk, text: str | bytes, file_format: FileFormat = FileFormat.CSV, **facts: Any) -> str:
    """Asks for an upload and uploads; returns the file's key."""
    made = {"snapshot_id": "S1", "location_id": EAST, "as_of": NOON, "received_at": at(1), "actor": "api:shop"}
    head, address = desk.door.ask_for_upload(upload(file_format, **(made | facts)))
    assert "X-Amz-Signature" in address
    assert head.file_key in address
    body = text.encode() if isinstance(text, str) else text
    clients.client("s3").put_object(Bucket=SETTINGS["INBOX_BUCKET"], Key=head.file_key, Body=body)
    return head.file_key


def test_a_file_is_taken_apart_and_booked_row_by_row(
    stage: Stage, desk: CountDesk, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(counting_module, "ROWS_A_CHUNK", 2)
    put_file(desk, "sku,on_hand\nMUG,12\nBOWL,many\nKETTLE,2\nNOPE,1\nMUG,7\n", complete=True)
    assert desk.report().head.status is SnapshotStatus.UPLOADING
    desk.door.uploaded("S1")
    desk.work()
    told = desk.report()
    assert (told.head.status, told.head.chunks) == (BOOKED, 2)
    assert {(row["row"], row["reason"]) for row in told.rows} == {
        (2, "NOT_A_NUMBER"), (4, "UNKNOWN_SKU"), (5, "DUPLICATE_SKU"),
    }  # fmt: skip
    assert (on_hand(stage, "MUG"), on_hand(stage, "BOWL"), on_hand(stage, "KETTLE")) == (12, 3, 2)


@pytest.mark.parametrize("nth", [1, 2, 3, 4])
def test_a_file_whose_reader_dies_is_read_to_its_end(
    stage: Stage, desk: CountDesk, faults: Faults, monkeypatch: pytest.MonkeyPatch, nth: int
) -> None:
    monkeypatch.setattr(counting_module, "ROWS_A_CHUNK", 1)
    put_file(desk, '{"sku":"MUG","on_hand":12}\n{"sku":"BOWL","on_hand":4}\n', FileFormat.JSON_LINES)
    desk.door.uploaded("S1")
    faults.crash_after("PutItem", nth=nth)
    for _ in range(3):
        try:
            desk.work()
        except CrashedError:
            continue
    assert counts(desk.report()) == {"BOOKED": 2}
    assert snapshot_movements(stage) == [("BOWL", 1), ("MUG", 2)]


def test_the_first_file_that_was_read_stands(stage: Stage, desk: CountDesk) -> None:
    key = put_file(desk, "sku,on_hand\nMUG,12\n")
    desk.door.uploaded("S1")
    desk.work()
    clients.client("s3").put_object(Bucket=SETTINGS["INBOX_BUCKET"], Key=key, Body=b"sku,on_hand\nMUG,7\nBOWL,1\n")
    desk.door.uploaded("S1")
    desk.work()
    assert (on_hand(stage, "MUG"), on_hand(stage, "BOWL")) == (12, 3)
    with pytest.raises(IllegalTransition):
        put_file(desk, "sku,on_hand\nMUG,8\n")


@pytest.mark.parametrize(
    ("content", "refusal"),
    [
        pytest.param(b"\xff\xfe\x00", "NOT_TEXT", id="no text"),
        pytest.param(b"sku,on_hand\n", "ROWS_OUT_OF_BOUNDS", id="no rows"),
        pytest.param(b"sku,on_hand\n" + b"A,1\n" * 4, "ROWS_OUT_OF_BOUNDS", id="too many rows"),
        pytest.param(b"sku,on_hand\n" + b" " * 100, "TOO_LARGE", id="too large"),
    ],
)
def test_a_file_that_cannot_be_read_is_refused_and_another_may_follow(
    stage: Stage, desk: CountDesk, monkeypatch: pytest.MonkeyPatch, content: bytes, refusal: str
) -> None:
    monkeypatch.setattr(counting_module, "MAX_ROWS", 3)
    monkeypatch.setattr(counting_module, "MAX_FILE_BYTES", 60)
    put_file(desk, content)
    desk.door.uploaded("S1")
    desk.work()
    assert (desk.report().head.status, desk.report().head.refusal) == (SnapshotStatus.REFUSED, refusal)
    put_file(desk, "sku,on_hand\nMUG,12\n")
    desk.door.uploaded("S1")
    desk.work()
    assert on_hand(stage, "MUG") == 12
    assert desk.report().head.refusal == ""


def test_a_file_that_was_never_uploaded_is_asked_for_again(desk: CountDesk) -> None:
    facts = {"snapshot_id": "S1", "location_id": EAST, "as_of": NOON, "received_at": at(1), "actor": "api:shop"}
    desk.door.ask_for_upload(upload(FileFormat.CSV, **facts))
    desk.door.uploaded("S1")
    desk.work()
    assert desk.report().head.refusal == "NOT_UPLOADED"


def test_a_snapshot_sent_in_parts_has_no_file(desk: CountDesk) -> None:
    desk.send({"MUG": 12})
    with pytest.raises(IllegalTransition):
        desk.door.uploaded("S1")
