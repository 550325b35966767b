"""DynamoDB's requests and answers are the same whether botocore translates them or we do it at once."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import boto3
import pytest
from botocore.config import Config
from botocore.exceptions import ClientError

from oms.runtime.call_recorder import CallRecorder
from oms.runtime.dynamodb_json import OPERATIONS, translate_at_once
from tests.integration.stage import PREFIX, Stage

WAITS = f"{PREFIX}waits"
KEY = {"order_id": {"S": "o-1"}}
ITEM = KEY | {
    "generation": {"N": "3"},
    "open": {"BOOL": True},
    "nothing": {"NULL": True},
    "names": {"L": [{"S": "Zoë"}, {"M": {"deep": {"S": 'a "quoted" \\ line\nand more'}}}]},
}
IS_THIRD = {"ConditionExpression": "generation = :g", "ExpressionAttributeValues": {":g": {"N": "3"}}}
CALLS: dict[str, dict[str, Any]] = {
    "PutItem": {"TableName": WAITS, "Item": ITEM},
    "GetItem": {"TableName": WAITS, "Key": KEY, "ConsistentRead": True},
    "BatchGetItem": {"RequestItems": {WAITS: {"Keys": [KEY], "ConsistentRead": True}}},
    "Query": {
        "TableName": WAITS,
        "KeyConditionExpression": "order_id = :o",
        "ExpressionAttributeValues": {":o": {"S": "o-1"}},
        "ReturnConsumedCapacity": "TOTAL",
    },
    "Scan": {"TableName": WAITS, "Limit": 1},
    "UpdateItem": {"TableName": WAITS, "Key": KEY, "UpdateExpression": "SET generation = :g"}
    | {"ExpressionAttributeValues": {":g": {"N": "3"}}, "ReturnValues": "ALL_OLD"},
    "TransactWriteItems": {
        "TransactItems": [{"Put": {"TableName": WAITS, "Item": ITEM} | IS_THIRD}],
        "ClientRequestToken": "the-same-each-time",
    },
    "BatchWriteItem": {"RequestItems": {WAITS: [{"PutRequest": {"Item": ITEM}}]}},
    "DeleteItem": {"TableName": WAITS, "Key": {"order_id": {"S": "o-2"}}},
}


class Client:
    """A client, and what it sent last."""

    def __init__(self, *, at_once: bool) -> None:
        make: Any = boto3.client
        self.client = make("dynamodb", config=Config(parameter_validation=not at_once))
        self.sent: list[Any] = []
        if at_once:
            translate_at_once(self.client)
        self.client.meta.events.register_first("before-send.dynamodb", self._note)

    def _note(self, request: Any, **_: Any) -> None:
        self.sent.append((json.loads(request.body), request.headers["X-Amz-Target"]))

    def call(self, operation: str, parameters: dict[str, Any]) -> Any:
        answer = self.client._make_api_call(operation, dict(parameters))
        return {name: part for name, part in answer.items() if name != "ResponseMetadata"}


@pytest.fixture
def both(stage: Stage) -> tuple[Client, Client]:
    """botocore's client and ours, upon a table with one item in it."""
    plain = Client(at_once=False)
    plain.call("PutItem", CALLS["PutItem"])
    plain.sent.clear()
    return plain, Client(at_once=True)


@pytest.mark.parametrize("operation", OPERATIONS)
def test_the_same_is_asked_and_the_same_is_answered(both: tuple[Client, Client], operation: str) -> None:
    plain, ours = both
    expected = plain.call(operation, CALLS[operation])
    assert ours.call(operation, CALLS[operation]) == expected
    assert ours.sent == plain.sent


def test_what_the_caller_handed_over_stays_as_it_is(both: tuple[Client, Client]) -> None:
    _, ours = both
    actions = [{"Put": {"TableName": WAITS, "Item": dict(ITEM)}}]
    ours.client.transact_write_items(TransactItems=actions)
    assert actions == [{"Put": {"TableName": WAITS, "Item": ITEM}}]


def test_a_transaction_that_may_be_sent_twice_has_a_token(both: tuple[Client, Client]) -> None:
    _, ours = both
    ours.client.transact_write_items(TransactItems=[{"Put": {"TableName": WAITS, "Item": ITEM}}])
    assert len(ours.sent[0][0]["ClientRequestToken"]) == 36


@pytest.mark.parametrize("operation", ["PutItem", "TransactWriteItems"])
def test_a_refusal_says_the_same_with_the_item_that_is_there(both: tuple[Client, Client], operation: str) -> None:
    put = {"TableName": WAITS, "Item": ITEM, "ReturnValuesOnConditionCheckFailure": "ALL_OLD"}
    put |= {"ConditionExpression": "attribute_not_exists(order_id)"}
    parameters = put if operation == "PutItem" else {"TransactItems": [{"Put": put}], "ClientRequestToken": "once"}
    said = []
    for one in both:
        with pytest.raises(ClientError) as refused:
            one.call(operation, parameters)
        response: Any = refused.value.response
        said.append({name: part for name, part in response.items() if name != "ResponseMetadata"})
    assert said[0] == said[1]
    assert ITEM in (said[1].get("Item"), said[1].get("CancellationReasons", [{}])[0].get("Item"))


def test_whoever_records_the_calls_sees_what_was_asked(stage: Stage, tmp_path: Path) -> None:
    client: Any = boto3.client("dynamodb", config=Config(parameter_validation=False))
    CallRecorder(str(tmp_path), "queue_intake").watch(client)
    translate_at_once(client)
    client.transact_write_items(TransactItems=[{"Put": {"TableName": WAITS, "Item": ITEM}}])
    client.batch_get_item(RequestItems={WAITS: {"Keys": [KEY]}})

    lines = [json.loads(line) for path in tmp_path.glob("*.jsonl") for line in path.read_text().splitlines()]
    assert [(line["action"], line["resource"]) for line in lines] == [
        ("dynamodb:PutItem", WAITS),
        ("dynamodb:BatchGetItem", WAITS),
    ]
