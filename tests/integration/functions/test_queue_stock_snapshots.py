"""The stock queue: samples of what was counted, each booked once however often it comes."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

import pytest

from oms.domain.counted_rows import FileFormat
from oms.domain.snapshot_parts import upload
from oms.runtime import clients
from oms.stores.snapshots import SnapshotsStore
from tests.integration.samples import MainStreet, Steps
from tests.integration.samples import replays_the_same as replays
from tests.integration.stage import PREFIX, SETTINGS, LambdaContext, Stage, cases

FUNCTION = "queue_stock"
PART, CHUNK = (FUNCTION, "snapshot_part"), (FUNCTION, "snapshot_chunk")
BEFORE: dict[str, Steps] = {"snapshot_chunk": (PART,), "snapshot_decision": (PART, CHUNK)}
COUNTED_AT = datetime(2026, 11, 16, 13, 45, tzinfo=UTC)


@pytest.fixture
def company(stage: Stage) -> MainStreet:
    head = {"snapshot_id": "2026-11-16-reno-file", "location_id": "WH-RENO", "actor": "api:sample-operations"}
    made = upload(FileFormat.CSV, as_of=COUNTED_AT, received_at=COUNTED_AT, **head)
    SnapshotsStore(clients.client("dynamodb"), PREFIX).write(made)
    content = b"sku,on_hand\nMUG-STONE-350,158\nBOWL-STONE-16,24\n"
    clients.client("s3").put_object(Bucket=SETTINGS["INBOX_BUCKET"], Key=made.file_key, Body=content)
    return MainStreet(stage)


def units(company: MainStreet) -> tuple[int, int]:
    """On hand of the two skus of the samples."""
    mugs, bowls = (company.stage.position(sku, "WH-RENO") for sku in ("MUG-STONE-350", "BOWL-STONE-16"))
    return mugs.on_hand, bowls.on_hand


def heads(company: MainStreet) -> dict[str, Any]:
    rows = company.stage.rows("stock_documents")
    return {row["snapshot_id"]: row["status"] for row in rows if row["part"] == "HEADER"}


@pytest.mark.parametrize("case", [case for case in cases(FUNCTION) if "snapshot" in case])
def test_each_sample_is_worked_on_and_its_repeat_changes_nothing(company: MainStreet, case: str) -> None:
    assert replays(company, FUNCTION, case, BEFORE.get(case, ())) == {"batchItemFailures": []}


def test_what_a_location_counted_is_kept_judged_and_booked(company: MainStreet) -> None:
    company.play_all(PART)
    (message,) = company.stage.messages("stock")
    assert message == {"kind": "snapshot_chunk", "snapshot_id": "WH-RENO.2026-11-16", "chunk": 1}
    company.play_all(CHUNK)
    assert units(company) == (158, 24)
    assert heads(company)["WH-RENO.2026-11-16"] == "BOOKED"


def test_an_uploaded_file_becomes_chunks(company: MainStreet) -> None:
    company.play_all((FUNCTION, "snapshot_object"))
    messages = company.stage.messages("stock")
    assert [message["chunk"] for message in messages] == [1]
    record = {"messageId": "m-1", "body": json.dumps(messages[0])}
    answer = company.function(FUNCTION).handler({"Records": [record]}, LambdaContext(remaining_millis=60_000))
    assert answer == {"batchItemFailures": []}
    assert units(company) == (158, 24)


def test_a_part_sent_again_with_other_rows_waits_in_quarantine(company: MainStreet) -> None:
    company.play_all((FUNCTION, "snapshot_part_sent_again_with_other_rows"), CHUNK)
    assert [(row["source"], row["reason"], row["field"]) for row in company.stage.rows("quarantine")] == [
        ("stock#WH-RENO", "KEY_REUSED", "rows")
    ]
    assert units(company)[0] == 158


def test_a_worker_without_time_gives_the_chunk_back(company: MainStreet) -> None:
    company.play_all(PART)
    (message,) = company.stage.messages("stock")
    record = {"messageId": "m-1", "body": json.dumps(message)}
    answer = company.function(FUNCTION).handler({"Records": [record]}, LambdaContext(remaining_millis=5_000))
    assert answer == {"batchItemFailures": [{"itemIdentifier": "m-1"}]}
    assert heads(company)["WH-RENO.2026-11-16"] == "RECEIVING"
