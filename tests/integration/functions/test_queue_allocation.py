"""The allocation queue: each sample is answered, and answering it twice changes nothing."""

from __future__ import annotations

from typing import Any

import pytest

from tests.integration.samples import ALLOCATED, ORDER_ID, PLACED, MainStreet, Steps, replays_the_same
from tests.integration.stage import Stage, cases

ALL_PLACED: Steps = tuple(("queue_intake", case) for case in ("two_lines", "more_than_there_is", "to_be_cancelled"))
BEFORE: dict[str, Steps] = {
    "more_than_there_is": (("queue_intake", "more_than_there_is"),),
    "must_be_split": (("queue_intake", "must_be_split"),),
    "kit": (("queue_intake", "kit"),),
    "the_same_order_twice": PLACED,
    "three_orders": ALL_PLACED,
    "two_lines": PLACED,
    "unknown_order": (),
}
HEARD: dict[str, dict[str, str | None]] = {
    "more_than_there_is": {"sample-token-allocate-100265-1": "OutOfStock"},
    "must_be_split": {"sample-token-allocate-100258-1": None},
    "kit": {"sample-token-allocate-100272-1": "OutOfStock"},
    "the_same_order_twice": {"sample-token-allocate-100241-1": None, "sample-token-allocate-100241-2": None},
    "three_orders": {
        "sample-token-allocate-100241-1": None,
        "sample-token-allocate-100265-1": "OutOfStock",
        "sample-token-allocate-100289-1": None,
    },
    "two_lines": {"sample-token-allocate-100241-1": None},
    "unknown_order": {"sample-token-allocate-ds-404-1": "Cancelled"},
}


@pytest.fixture
def company(stage: Stage) -> MainStreet:
    return MainStreet(stage)


@pytest.mark.parametrize("case", cases("queue_allocation"))
def test_each_sample_is_answered_and_answering_twice_changes_nothing(company: MainStreet, case: str) -> None:
    answer = replays_the_same(company, "queue_allocation", case, BEFORE[case])
    assert answer == {"batchItemFailures": []}
    assert {token: told[0].get("error") for token, told in company.told.items()} == HEARD[case]
    assert all(told[0] == again for told in company.told.values() for again in told)


def test_an_order_that_goes_on_is_told_until_when_its_customer_may_cancel(company: MainStreet) -> None:
    company.play_all(*ALLOCATED)
    assert company.told["sample-token-allocate-100241-1"] == [{"release_after": "2026-11-16T14:05:11Z"}]


def test_an_order_that_must_be_split_is_shipped_from_two_places(company: MainStreet) -> None:
    company.play_all(("queue_intake", "must_be_split"), ("queue_allocation", "must_be_split"))
    order = company.stage.order("shopify-main-street-goods-5710000100258")
    assert sorted(one.location_id for one in order.fulfillments) == ["WH-ALLENTOWN", "WH-RENO"]


def test_a_message_whose_execution_could_not_be_answered_comes_again(company: MainStreet) -> None:
    company.play_all(*PLACED)
    company.stage.fail("stepfunctions", "SendTaskSuccess", "ThrottlingException", times=1)
    (again,) = company.play("queue_allocation", "two_lines")["batchItemFailures"]
    assert again["itemIdentifier"]
    assert company.play("queue_allocation", "two_lines") == {"batchItemFailures": []}
    assert company.stage.order(ORDER_ID).version == 2


@pytest.mark.parametrize("code", ["TaskTimedOut", "TaskDoesNotExist", "InvalidToken"])
def test_an_execution_that_waits_no_more_counts_as_answered(company: MainStreet, code: str) -> None:
    company.play_all(*PLACED)
    company.stage.fail("stepfunctions", "SendTaskSuccess", code)
    assert company.play("queue_allocation", "two_lines") == {"batchItemFailures": []}


def test_every_sku_of_a_batch_is_read_once(company: MainStreet) -> None:
    company.play_all(*PLACED, ("queue_intake", "to_be_cancelled"))
    read: list[Any] = []
    hear = "before-parameter-build.dynamodb.Query"
    company.stage.hook("dynamodb", hear, lambda params, **_: read.append(dict(params)))
    company.play("queue_allocation", "three_orders")
    skus = [one["ExpressionAttributeValues"][":s"]["S"] for one in read if one["TableName"].endswith("stock")]
    assert sorted(skus) == sorted(set(skus))
