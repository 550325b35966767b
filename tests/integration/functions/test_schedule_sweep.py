"""Every minute: what a lost message left behind is looked after, within the time there is."""

from __future__ import annotations

from datetime import timedelta

import pytest

from oms.runtime import clients
from tests.integration.company import everything
from tests.integration.samples import ALLOCATED, NOW, ORDER_ID, PLACED, RELEASED, MainStreet
from tests.integration.stage import MACHINE, LambdaContext, Stage, cases, sample

FUNCTION = "schedule_sweep"
LATER = NOW + timedelta(hours=1)
IDLE = {"evaluated": 0, "restarted": 0, "sent_again": 0, "replanned": 0, "left": 0}


@pytest.fixture
def company(stage: Stage) -> MainStreet:
    return MainStreet(stage)


@pytest.mark.parametrize("case", cases(FUNCTION))
def test_each_sample_looks_after_what_is_due_and_a_repeat_changes_nothing(company: MainStreet, case: str) -> None:
    company.play_all(*RELEASED, ("stream_orders", "order_placed"))
    company.now = LATER
    assert company.play(FUNCTION, case) == IDLE | {"evaluated": 1, "sent_again": 1}
    left = everything(company.stage)
    assert company.play(FUNCTION, case) == IDLE | {"evaluated": 1, "sent_again": 1}
    assert everything(company.stage) == left


def test_what_is_not_due_is_left_alone_unless_it_is_asked_for(company: MainStreet) -> None:
    company.play_all(*RELEASED)
    company.now = NOW - timedelta(minutes=50)
    assert company.play(FUNCTION, "every_minute") == IDLE
    assert company.play(FUNCTION, "after_an_outage")["evaluated"] == 1


def test_an_order_whose_execution_was_never_started_gets_its_first(company: MainStreet) -> None:
    company.play_all(*PLACED)
    company.now = LATER
    assert company.play(FUNCTION, "every_minute")["restarted"] == 1
    assert [one["name"] for one in company.started] == [f"{ORDER_ID}-1"]
    assert company.play(FUNCTION, "every_minute")["restarted"] == 0


def test_an_order_whose_execution_was_stopped_gets_the_next_generation(company: MainStreet) -> None:
    company.play_all(*PLACED, ("stream_orders", "order_placed"))
    execution = MACHINE.replace(":stateMachine:", ":execution:") + f":{ORDER_ID}-1"
    clients.client("stepfunctions").stop_execution(executionArn=execution)
    company.now = LATER
    assert company.play(FUNCTION, "every_minute")["restarted"] == 1
    assert [one["name"] for one in company.started] == [f"{ORDER_ID}-1", f"{ORDER_ID}-2"]
    assert [(row["order_id"], row["generation"]) for row in company.stage.rows("waits")] == [(ORDER_ID, 2)]
    assert company.play(FUNCTION, "every_minute")["restarted"] == 0


def test_a_release_nobody_woke_up_for_is_made_by_the_sweep(company: MainStreet) -> None:
    company.play_all(*ALLOCATED)
    company.play(FUNCTION, "after_an_outage")
    assert company.stage.order(ORDER_ID).events[-1].type == "OrderReleased"


def test_a_location_that_does_not_answer_is_asked_again(company: MainStreet) -> None:
    company.play_all(*RELEASED)
    company.play(FUNCTION, "after_an_outage")
    (trigger,) = company.stage.messages("outbound")
    assert trigger["destination"] == "location#WH-RENO"


def test_an_order_that_fails_for_now_is_left_for_the_next_sweep(company: MainStreet) -> None:
    company.play_all(*PLACED)
    company.now = LATER
    company.stage.fail("stepfunctions", "DescribeExecution", "ThrottlingException")
    assert company.play(FUNCTION, "every_minute") == IDLE | {"evaluated": 1, "left": 1}


def test_one_order_that_can_not_be_read_does_not_keep_the_sweep_from_the_others(company: MainStreet) -> None:
    company.play_all(*PLACED, ("queue_intake", "to_be_cancelled"))
    broken = next(row for row in company.stage.rows("orders") if row["order_id"] == ORDER_ID)
    company.stage.put("orders", broken | {"lines": "not lines"})
    swept = company.play(FUNCTION, "after_an_outage")
    assert (swept["left"], swept["restarted"]) == (1, 1)


def test_without_time_left_nothing_is_begun(company: MainStreet) -> None:
    company.play_all(*PLACED)
    event = sample(FUNCTION, "after_an_outage")
    assert company.function(FUNCTION).handler(event, LambdaContext(remaining_millis=9_000)) == IDLE
