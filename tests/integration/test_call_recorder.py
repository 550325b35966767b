"""The call recorder: what the demonstration counts and the permission test compares must be what was called."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import boto3
import pytest

from oms.runtime.call_recorder import CallRecorder
from tests.integration.stage import PREFIX, SETTINGS, Stage
from tools.counters import CallLog


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path


def lines(folder: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for path in folder.glob("*.jsonl") for line in path.read_text().splitlines()]


def calls(folder: Path) -> list[tuple[str, str]]:
    return [(line["action"], line["resource"]) for line in lines(folder) if line["kind"] == "call"]


def watched(folder: Path, service: Any) -> Any:
    client: Any = boto3.client(service)
    CallRecorder(str(folder), "queue_intake").watch(client)
    return client


def test_a_call_is_recorded_with_its_function_permission_and_resource(stage: Stage, folder: Path) -> None:
    watched(folder, "dynamodb").get_item(TableName=f"{PREFIX}orders", Key={"order_id": {"S": "none"}})

    assert calls(folder) == [("dynamodb:GetItem", f"{PREFIX}orders")]
    assert lines(folder)[0]["function"] == "queue_intake"


def test_a_query_of_an_index_names_the_index(stage: Stage, folder: Path) -> None:
    watched(folder, "dynamodb").query(
        TableName=f"{PREFIX}orders",
        IndexName="by_work_queue",
        KeyConditionExpression="work_queue = :q",
        ExpressionAttributeValues={":q": {"S": "PICK"}},
    )

    assert calls(folder) == [("dynamodb:Query", f"{PREFIX}orders/index/by_work_queue")]


def test_a_transaction_needs_the_permission_of_each_of_its_parts(stage: Stage, folder: Path) -> None:
    row = {"order_id": {"S": "o-1"}}
    watched(folder, "dynamodb").transact_write_items(
        TransactItems=[
            {"Put": {"TableName": f"{PREFIX}order_references", "Item": {"reference": {"S": "ORDER#1"}, **row}}},
            {
                "Update": {
                    "TableName": f"{PREFIX}waits",
                    "Key": row,
                    "UpdateExpression": "SET generation = :g",
                    "ExpressionAttributeValues": {":g": {"N": "1"}},
                }
            },
        ]
    )

    assert sorted(calls(folder)) == [
        ("dynamodb:PutItem", f"{PREFIX}order_references"),
        ("dynamodb:UpdateItem", f"{PREFIX}waits"),
    ]


def test_messages_sent_name_their_queue(stage: Stage, folder: Path) -> None:
    watched(folder, "sqs").send_message(QueueUrl=SETTINGS["INTAKE_QUEUE_URL"], MessageBody="{}")

    assert calls(folder) == [("sqs:SendMessage", SETTINGS["INTAKE_QUEUE_URL"])]


def test_capacity_is_asked_for_and_counted_once_per_call(stage: Stage, folder: Path) -> None:
    client = watched(folder, "dynamodb")
    log = CallLog(folder)

    client.put_item(TableName=f"{PREFIX}waits", Item={"order_id": {"S": "o-1"}})
    client.get_item(TableName=f"{PREFIX}waits", Key={"order_id": {"S": "o-1"}})

    tally = log.tally()
    assert tally.written[f"{PREFIX}waits"] > 0
    assert tally.read[f"{PREFIX}waits"] > 0
    assert log.tally().wru == 0, "what was read before is not counted again"


def test_invocations_of_scheduled_functions_are_not_an_orders_cost(folder: Path) -> None:
    CallRecorder(str(folder), "queue_intake").invocation()
    CallRecorder(str(folder), "schedule_sweep").invocation()

    assert CallLog(folder).tally().invocations == {"queue_intake": 1}
