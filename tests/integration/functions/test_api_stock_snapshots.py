"""Snapshots over HTTP: parts and files come in, people decide, and the report tells of every row that needs it."""

from __future__ import annotations

import json
from datetime import datetime
from typing import Any

import pytest

from oms.domain.snapshots import SnapshotStatus
from oms.runtime import clients
from tests.integration.company import NOON, at
from tests.integration.functions.api_client import ApiClient, Reply
from tests.integration.samples import seed_company
from tests.integration.stage import SETTINGS, LambdaContext, Stage, cases, sample

SNAPSHOT = {"snapshot_id": "S1", "location_id": "WH-EAST", "as_of": "2026-03-02T12:00:00Z"}
MUGS = [{"sku": "MUG", "on_hand": 12}]
STATUS = {"refused_snapshot_of_nowhere": 422}


@pytest.fixture
def api(stage: Stage) -> ApiClient:
    return client(stage, at(1))


def client(stage: Stage, moment: datetime) -> ApiClient:
    made = ApiClient(stage, "api_stock")
    made.app.now = lambda: moment  # type: ignore[attr-defined]
    return made


def post(api: ApiClient, told: list[Any] | None = None, /, **facts: Any) -> Reply:
    body = SNAPSHOT | ({"rows": told} if told is not None else {}) | facts
    return api.call("POST", "/stock/snapshots", json.dumps(body, ensure_ascii=False))


def work_off(stage: Stage) -> None:
    """The stock queue's function works until the queue is empty."""
    app = stage.function("queue_stock")
    for _ in range(20):
        bodies = stage.messages("stock")
        if not bodies:
            return
        records = [{"messageId": f"m-{place}", "body": json.dumps(body)} for place, body in enumerate(bodies)]
        assert app.handler({"Records": records}, LambdaContext(remaining_millis=60_000)) == {"batchItemFailures": []}
    raise AssertionError("the queue never ran empty")


def report(api: ApiClient, **query: str) -> dict[str, Any]:
    reply = api.call("GET", "/stock/snapshots/S1", query=query)
    assert reply.status == 200
    return reply.body


def test_a_part_is_kept_and_its_report_says_how_far_it_is(stage: Stage, api: ApiClient) -> None:
    reply = post(api, MUGS)
    address = "/stock/snapshots/S1"
    assert (reply.status, reply.headers["Location"]) == (202, address)
    assert reply.body == {"snapshot_id": "S1", "status": "RECEIVING", "report": address}
    assert report(api)["missing_chunks"] == [1]
    work_off(stage)
    told = report(api)
    assert (told["status"], told["missing_chunks"], told["rows"]) == ("BOOKED", [], [])
    assert {name: rows for name, rows in told["counts"].items() if rows} == {"BOOKED": 1}
    assert stage.position("MUG", "WH-EAST").on_hand == 12


def test_bad_rows_are_accepted_and_told_with_row_and_field(stage: Stage, api: ApiClient) -> None:
    assert post(api, [*MUGS, "junk", {"sku": "NOPE", "on_hand": 1}, {"sku": "BOWL", "on_hand": 1.5}]).status == 202
    work_off(stage)
    assert [(row["chunk"], row["row"], row["field"], row["reason"]) for row in report(api)["rows"]] == [
        (1, 2, "row", "NOT_AN_OBJECT"),
        (1, 3, "sku", "UNKNOWN_SKU"),
        (1, 4, "on_hand", "NOT_A_NUMBER"),
    ]


def test_rows_that_wait_are_booked_by_a_person(stage: Stage, api: ApiClient) -> None:
    post(api, [{"sku": "MUG", "on_hand": 500}])
    assert (
        api.call("POST", "/stock/snapshots/S1/approval", {"decision": "APPROVE"}).error["code"] == "IllegalTransition"
    )
    work_off(stage)
    (row,) = report(api)["rows"]
    assert row == {"chunk": 1, "row": 1, "outcome": "AWAITING_APPROVAL", "sku": "MUG", "on_hand": 500, "on_books": 10}
    reply = api.call("POST", "/stock/snapshots/S1/approval", {"decision": "approve"})
    assert (reply.status, reply.body["status"]) == (202, "DECIDED")
    work_off(stage)
    told = report(api)
    assert (told["status"], told["decision"], told["decided_by"]) == ("BOOKED", "APPROVE", "api:shop")
    assert stage.position("MUG", "WH-EAST").on_hand == 500
    assert api.call("POST", "/stock/snapshots/S1/approval", {"decision": "APPROVE"}).status == 202
    assert api.call("POST", "/stock/snapshots/S1/approval", {"decision": "REJECT"}).status == 409


def test_all_rows_may_come_as_one_file(stage: Stage, api: ApiClient) -> None:
    reply = post(api, complete=True, file_format="JSON_LINES")
    assert (reply.status, reply.body["status"]) == (202, "UPLOADING")
    assert SETTINGS["INBOX_BUCKET"] in reply.body["upload_url"]
    assert "snapshots/S1.jsonl" in reply.body["upload_url"]
    assert "X-Amz-Algorithm=AWS4-HMAC-SHA256" in reply.body["upload_url"]
    body = b"\n".join(json.dumps(row).encode() for row in MUGS)
    clients.client("s3").put_object(Bucket=SETTINGS["INBOX_BUCKET"], Key="snapshots/S1.jsonl", Body=body)
    assert api.call("POST", "/stock/snapshots/S1/object").status == 202
    work_off(stage)
    told = report(api)
    assert (told["status"], told["counts"]["BOOKED"], told["counts"]["ZEROED"]) == ("BOOKED", 1, 1)


def test_a_file_that_cannot_be_read_says_why(stage: Stage, api: ApiClient) -> None:
    post(api)
    api.call("POST", "/stock/snapshots/S1/object")
    work_off(stage)
    assert (report(api)["status"], report(api)["refusal"]) == ("REFUSED", "NOT_UPLOADED")


@pytest.mark.parametrize(
    ("facts", "field"),
    [
        pytest.param({"snapshot_id": "a/b"}, "snapshot_id", id="a name that is no name"),
        pytest.param({"location_id": "WH-NOWHERE"}, "location_id", id="a location nobody knows"),
        pytest.param({"as_of": "2026-03-02"}, "as_of", id="a day instead of a moment"),
        pytest.param({"as_of": "2026-03-02T12:00:00"}, "as_of", id="a moment of no time zone"),
        pytest.param({"as_of": "2026-03-02T14:00:00Z"}, "as_of", id="a moment in the future"),
        pytest.param({"as_of": "2025-03-01T12:00:00Z"}, "as_of", id="a moment long ago"),
        pytest.param({"chunk": 2}, "chunk", id="part two of one"),
        pytest.param({"chunks": 501}, "chunks", id="too many parts"),
        pytest.param({"rows": []}, "rows", id="no rows"),
        pytest.param({"rows": MUGS * 1_001}, "rows", id="too many rows in a part"),
        pytest.param({"file_format": "CSV"}, "file_format", id="rows and a file"),
        pytest.param({"rows": None, "chunks": 2}, "chunks", id="a file in parts"),
        pytest.param({"surprise": 1}, "surprise", id="a field nobody knows"),
    ],
)
def test_a_bad_request_names_its_field(api: ApiClient, facts: dict[str, Any], field: str) -> None:
    reply = post(api, MUGS, **facts)
    assert (reply.status, reply.error["details"]["field"]) == (422, field)


def test_a_part_may_have_200_kilobytes(api: ApiClient) -> None:
    rows = [{"sku": "x" * 90, "on_hand": 1, "note": "y" * 200} for _ in range(1_000)]
    assert post(api, rows).status == 413


def test_a_thousand_rows_of_long_names_find_room(stage: Stage, api: ApiClient) -> None:
    rows = [{"sku": f"{number:04d}-" + "ß" * 70, "on_hand": 1} for number in range(1_000)]
    assert post(api, rows).status == 202


def test_a_snapshot_sent_again_as_another_is_refused(api: ApiClient) -> None:
    post(api, MUGS)
    reply = post(api, [{"sku": "MUG", "on_hand": 13}])
    assert (reply.status, reply.error["details"]["field"]) == (422, "rows")
    assert post(api, MUGS).status == 202


def test_a_report_goes_on_from_its_cursor_and_from_no_other(api: ApiClient) -> None:
    post(api, MUGS)
    assert report(api)["cursor"] is None
    reply = api.call("GET", "/stock/snapshots/S1", query={"cursor": "nonsense"})
    assert (reply.status, reply.error["details"]["field"]) == (422, "cursor")


def test_a_throttled_queue_asks_the_caller_to_come_again(stage: Stage, api: ApiClient) -> None:
    stage.fail("sqs", "SendMessage", "ThrottlingException", times=20)
    assert post(api, MUGS).status == 503
    stage.mend()
    assert post(api, MUGS).status == 202
    work_off(stage)
    assert report(api)["status"] == SnapshotStatus.BOOKED


@pytest.mark.parametrize("case", [case for case in cases("api_stock") if "snapshot" in case])
def test_each_sample_event_is_answered_the_same_twice(stage: Stage, case: str) -> None:
    seed_company(stage)
    api = client(stage, NOON.replace(month=11, day=16, hour=15))
    first, again = (api.send(sample("api_stock", case)) for _ in range(2))
    unsigned = {"upload_url": ""}
    assert (first.status, first.body | unsigned) == (again.status, again.body | unsigned)
    assert first.status == STATUS.get(case, 404 if "unknown" in case else 202)
