"""The deliveries stream: the key of each row that is new or owed again is queued, in its destination's own group."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.integration.company import everything
from tests.integration.samples import FULFILLMENT_ID, ORDER_ID, MainStreet
from tests.integration.stage import LambdaContext, Stage, cases, sample, template

FUNCTION = "stream_deliveries"
RENO = {"destination": "location#WH-RENO", "message_key": f"{ORDER_ID}#{FULFILLMENT_ID}#fulfillment.requested"}
DALLAS = {"destination": "location#WH-DALLAS", "message_key": f"{ORDER_ID}#{ORDER_ID}-f2#fulfillment.requested"}
MUG = {"destination": "channel#shopify#main-street-goods", "message_key": "availability#MUG-STONE-350"}
PARCEL = {"destination": "channel#shopify#main-street-goods", "message_key": f"{ORDER_ID}#8#shipment"}
QUEUED: dict[str, list[dict[str, str]]] = {
    "availability_owed": [MUG],
    "availability_owed_again": [MUG],
    "availability_told": [],
    "shipment_owed_and_owed_anew": [PARCEL, PARCEL],
    "shipment_told": [],
    "request_owed": [RENO],
    "request_sent": [],
    "two_requests_owed": [RENO, DALLAS],
}


@pytest.fixture
def company(stage: Stage) -> MainStreet:
    return MainStreet(stage)


def queued(company: MainStreet) -> dict[str, list[dict[str, Any]]]:
    return {name: company.stage.messages(name) for name in ("outbound", "channels")}


def by_queue(case: str) -> dict[str, list[dict[str, str]]]:
    """What is owed to channels has a queue of its own."""
    for_channels = [key for key in QUEUED[case] if key["destination"].startswith("channel#")]
    return {"outbound": [key for key in QUEUED[case] if key not in for_channels], "channels": for_channels}


@pytest.mark.parametrize("case", cases(FUNCTION))
def test_each_sample_is_queued_and_a_repeat_queues_the_same_keys(company: MainStreet, case: str) -> None:
    before = everything(company.stage)
    assert company.play(FUNCTION, case) == {"batchItemFailures": []}
    assert queued(company) == by_queue(case)
    company.play(FUNCTION, case)
    assert queued(company) == by_queue(case)
    assert everything(company.stage) == before


def test_each_destination_has_its_own_group_so_that_none_crowds_out_another(company: MainStreet) -> None:
    groups: list[Any] = []
    note = lambda params, **_: groups.append([one["MessageGroupId"] for one in params["Entries"]])  # noqa: E731
    company.stage.hook("sqs", "before-parameter-build.sqs.SendMessageBatch", note)
    company.play(FUNCTION, "two_requests_owed")
    assert groups == [["location#WH-RENO"], ["location#WH-DALLAS"]]


def test_many_rows_of_one_destination_are_queued_in_few_calls_and_in_their_order(company: MainStreet) -> None:
    calls: list[int] = []
    note = lambda params, **_: calls.append(len(params["Entries"]))  # noqa: E731
    company.stage.hook("sqs", "before-parameter-build.sqs.SendMessageBatch", note)
    keys = [MUG | {"message_key": f"availability#SKU-{number:02}"} for number in range(25)]
    event = sample(FUNCTION, "availability_owed")
    (record,) = event["Records"]
    event["Records"] = [for_key(record, key, number) for number, key in enumerate(keys)]
    assert company.function(FUNCTION).handler(event, LambdaContext()) == {"batchItemFailures": []}
    assert company.stage.messages("channels") == keys
    assert calls == [10, 10, 5]


def for_key(record: dict[str, Any], key: dict[str, str], number: int) -> dict[str, Any]:
    """The same news about the row of another key."""
    row = {name: {"S": value} for name, value in key.items()}
    image = record["dynamodb"].get("NewImage", {}) | row
    return record | {"dynamodb": {"Keys": row, "NewImage": image, "SequenceNumber": str(number)}}


def test_the_first_row_that_could_not_be_queued_and_all_after_it_come_again(company: MainStreet) -> None:
    company.stage.fail("sqs", "SendMessageBatch", "RequestThrottled", times=1)
    (failed,) = company.play(FUNCTION, "two_requests_owed")["batchItemFailures"]
    assert failed["itemIdentifier"] == "111100000000000000000001"
    assert company.stage.messages("outbound") == [DALLAS]
    assert company.play(FUNCTION, "two_requests_owed") == {"batchItemFailures": []}
    assert company.stage.messages("outbound") == [RENO, DALLAS]


def test_a_request_whose_row_changes_is_never_queued_again_by_the_stream(company: MainStreet) -> None:
    event = sample(FUNCTION, "request_sent")
    event["Records"][0]["dynamodb"]["NewImage"]["status"] = {"S": "PENDING"}
    company.function(FUNCTION).handler(event, LambdaContext())
    assert company.stage.messages("outbound") == []


def test_the_stream_only_passes_on_what_the_function_queues() -> None:
    """The patterns of the template and the function must not differ: what one drops the other never sees."""
    events = template()["Resources"]["StreamDeliveriesFunction"]["Properties"]["Events"]
    filters = events["DeliveriesStream"]["Properties"]["FilterCriteria"]["Filters"]
    patterns = [json.loads(one["Pattern"]) for one in filters]
    for case, queued in QUEUED.items():
        records = sample(FUNCTION, case)["Records"]
        passed = [record for record in records if any(_fits(pattern, record) for pattern in patterns)]
        assert len(passed) == len(queued), case


def _fits(pattern: Any, value: Any) -> bool:
    """Lambda's event filtering, as far as these patterns use it: equal strings and prefixes."""
    if isinstance(pattern, dict):
        return all(_fits(part, value.get(name, {})) for name, part in pattern.items())
    return any(value == one if isinstance(one, str) else str(value).startswith(one["prefix"]) for one in pattern)
