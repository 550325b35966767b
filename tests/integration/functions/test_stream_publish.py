"""The orders stream, second reader: every event goes on the bus once per version, in order, with no gap."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.integration.company import everything
from tests.integration.samples import ORDER_ID, MainStreet
from tests.integration.stage import LambdaContext, Stage, cases, sample

FUNCTION = "stream_publish"
TOLD = {
    "order_placed": ["OrderReceived"],
    "order_allocated": ["OrderAllocated"],
    "three_versions": ["OrderReceived", "OrderAllocated", "OrderReleased"],
    "order_removed": [],
}


@pytest.fixture
def company(stage: Stage) -> MainStreet:
    return MainStreet(stage)


def details(company: MainStreet) -> list[dict[str, Any]]:
    return [json.loads(entry["Detail"]) for entry in company.published]


@pytest.mark.parametrize("case", cases(FUNCTION))
def test_each_sample_is_published_and_a_repeat_says_the_same_again(company: MainStreet, case: str) -> None:
    before = everything(company.stage)
    assert company.play(FUNCTION, case) == {"batchItemFailures": []}
    first = list(company.published)
    assert [entry["DetailType"] for entry in first] == TOLD[case]
    assert company.play(FUNCTION, case) == {"batchItemFailures": []}
    assert company.published == first * 2
    assert everything(company.stage) == before


def test_events_are_told_with_their_place_in_the_orders_story(company: MainStreet) -> None:
    company.play(FUNCTION, "three_versions")
    assert [(one["sequence"], one["version"]) for one in details(company)] == [(1, 1), (2, 2), (3, 3)]
    assert {(one["order_id"], one["channel"], one["account"]) for one in details(company)} == {
        (ORDER_ID, "shopify", "main-street-goods")
    }
    assert {(entry["Source"], entry["EventBusName"]) for entry in company.published} == {("oms.orders", "oms-test")}


@pytest.mark.parametrize(("refused", "first_again"), [(1, 0), (2, 1), (3, 2)])
def test_what_the_bus_did_not_take_comes_again_with_all_after_it(
    company: MainStreet, refused: int, first_again: int
) -> None:
    calls: list[int] = []

    def answer(**_: Any) -> Any:
        calls.append(1)
        failed = int(len(calls) == refused)
        return SUCCESS, {"FailedEntryCount": failed, "Entries": [{}]}

    event = sample(FUNCTION, "three_versions")
    for record in event["Records"]:
        ten_events(record)
    company.stage.hook("events", "before-call.events.PutEvents", answer)
    (failed,) = company.function(FUNCTION).handler(event, LambdaContext())["batchItemFailures"]
    assert failed["itemIdentifier"] == event["Records"][first_again]["dynamodb"]["SequenceNumber"]
    assert len(calls) == refused


def ten_events(record: dict[str, Any]) -> None:
    """Makes a record bring ten events: as many as the bus takes in a call."""
    images = record["dynamodb"]
    images.pop("OldImage", None)
    newest = images["NewImage"]["events"]["L"][-1]["M"]
    images["NewImage"]["events"]["L"] = [{"M": newest | {"sequence": {"N": str(one)}}} for one in range(1, 11)]


def test_events_of_several_versions_go_in_one_call(company: MainStreet) -> None:
    calls: list[int] = []

    def count(params: dict[str, Any], **_: Any) -> None:
        calls.append(len(json.loads(params["body"])["Entries"]))

    company.stage.hook("events", "before-call.events.PutEvents", count)
    assert company.play(FUNCTION, "three_versions") == {"batchItemFailures": []}
    assert calls == [3]


def test_more_events_than_the_bus_takes_at_once_go_in_several_calls(company: MainStreet) -> None:
    event = sample(FUNCTION, "order_allocated")
    image = event["Records"][0]["dynamodb"]["NewImage"]
    (newest,) = image["events"]["L"][-1:]
    for sequence in range(3, 27):
        image["events"]["L"].append({"M": newest["M"] | {"sequence": {"N": str(sequence)}}})
    company.function(FUNCTION).handler(event, LambdaContext())
    assert [one["sequence"] for one in details(company)] == list(range(2, 27))


class _Answered:
    status_code = 200


SUCCESS = _Answered()
