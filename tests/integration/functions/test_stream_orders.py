"""The orders stream, first reader: a new order gets its execution, a changed one is looked at."""

from __future__ import annotations

import json

import pytest

from oms.domain.order import OrderStatus
from tests.integration.samples import ALLOCATED, ORDER_ID, SHIPPED, MainStreet, replays_the_same
from tests.integration.stage import MACHINE, Stage, cases

FUNCTION = "stream_orders"


@pytest.fixture
def company(stage: Stage) -> MainStreet:
    return MainStreet(stage)


@pytest.mark.parametrize("case", cases(FUNCTION))
def test_each_sample_is_noticed_and_noticing_twice_changes_nothing(company: MainStreet, case: str) -> None:
    assert replays_the_same(company, FUNCTION, case, ALLOCATED) == {"batchItemFailures": []}


def test_a_new_order_gets_its_first_execution_and_only_one(company: MainStreet) -> None:
    company.play_all((FUNCTION, "order_placed"), (FUNCTION, "order_placed"))
    told = {(one["name"], one["input"], one["stateMachineArn"]) for one in company.started}
    ((name, document, machine),) = told
    assert (name, machine) == (f"{ORDER_ID}-1", MACHINE)
    assert json.loads(document) == {"order_id": ORDER_ID, "generation": 1}


def test_an_order_whose_cancel_window_is_over_is_released_by_its_next_change(company: MainStreet) -> None:
    company.play_all(*ALLOCATED, (FUNCTION, "order_allocated"))
    assert company.stage.order(ORDER_ID).status is OrderStatus.RELEASED


def test_who_waits_for_the_change_is_answered(company: MainStreet) -> None:
    company.play_all(*SHIPPED, (FUNCTION, "order_allocated"))
    assert company.told["sample-token-fulfill"] == [{}]


def test_an_order_that_is_gone_is_nobodys_business(company: MainStreet) -> None:
    company.play_all((FUNCTION, "order_removed"), (FUNCTION, "order_allocated"))
    assert company.started == []


def test_the_first_record_that_fails_and_all_after_it_come_again(company: MainStreet) -> None:
    company.stage.fail("stepfunctions", "StartExecution", "ThrottlingException")
    (failed,) = company.play(FUNCTION, "three_versions")["batchItemFailures"]
    assert failed["itemIdentifier"] == "111100000000000000000001"
