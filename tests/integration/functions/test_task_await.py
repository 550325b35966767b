"""A waiting state begins: its token is kept, and it is answered at once where its condition holds."""

from __future__ import annotations

from typing import Any

import pytest

from oms.domain.errors import Throttled
from oms.domain.order import OrderStatus, Request
from tests.integration.company import everything
from tests.integration.faults import Faults
from tests.integration.samples import ALLOCATED, DELIVERED, ORDER_ID, PLACED, RELEASED, SHIPPED, MainStreet, Steps
from tests.integration.stage import Stage, cases

BEFORE: dict[str, Steps] = {
    "await_stock": PLACED,
    "deliver": SHIPPED,
    "fulfill": ALLOCATED,
    "fulfill_tried_again": RELEASED,
    "review": PLACED,
}


@pytest.fixture
def company(stage: Stage) -> MainStreet:
    return MainStreet(stage)


def heard(company: MainStreet, token: str) -> dict[str, Any] | None:
    return company.told[token][0] if token in company.told else None


@pytest.mark.parametrize("case", cases("task_await"))
def test_each_sample_is_kept_and_its_repeat_changes_nothing(company: MainStreet, case: str) -> None:
    company.play_all(*BEFORE[case])
    company.play("task_await", case)
    left, told = everything(company.stage), {token: one[0] for token, one in company.told.items()}
    company.play("task_await", case)
    assert everything(company.stage) == left
    assert {token: one[0] for token, one in company.told.items()} == told
    assert all(one[0] == again for one in company.told.values() for again in one)


def test_fulfill_releases_the_work_and_waits_until_nothing_is_left_to_ship(company: MainStreet) -> None:
    company.play_all(*RELEASED)
    order = company.stage.order(ORDER_ID)
    assert (order.status, order.fulfillments[0].request) == (OrderStatus.RELEASED, Request.SUBMITTED)
    assert [row["status"] for row in company.stage.rows("deliveries")] == ["PENDING"]
    assert heard(company, "sample-token-fulfill") is None


def test_fulfill_of_an_order_that_has_shipped_returns_at_once(company: MainStreet) -> None:
    company.play_all(*SHIPPED, ("task_await", "fulfill_tried_again"))
    assert heard(company, "sample-token-fulfill-retried") == {}


def test_fulfill_sends_an_order_with_units_to_route_back_to_allocation(company: MainStreet) -> None:
    company.play_all(*RELEASED, ("queue_fulfillment", "rejected"), ("task_await", "fulfill_tried_again"))
    assert heard(company, "sample-token-fulfill-retried") == {"error": "Rerouted"}


def test_deliver_returns_once_all_has_arrived(company: MainStreet) -> None:
    company.play_all(*SHIPPED, ("task_await", "deliver"))
    assert heard(company, "sample-token-deliver") is None
    company.play_all(("queue_fulfillment", "delivered"), ("stream_orders", "order_allocated"))
    assert heard(company, "sample-token-deliver") == {}


def test_deliver_of_an_order_that_has_arrived_returns_at_once(company: MainStreet) -> None:
    company.play_all(*DELIVERED, ("task_await", "deliver"))
    assert heard(company, "sample-token-deliver") == {}


def test_await_stock_returns_at_once_where_there_is_stock(company: MainStreet) -> None:
    company.play_all(*PLACED, ("task_await", "await_stock"))
    assert heard(company, "sample-token-awaitstock") == {}


def test_review_writes_its_reason_into_the_order_and_waits(company: MainStreet) -> None:
    company.play_all(*PLACED, ("task_await", "review"))
    review = company.stage.order(ORDER_ID).review
    assert review is not None
    assert review.reason == "NO_ROUTE"
    assert heard(company, "sample-token-review") is None


def test_a_throttled_table_is_told_to_the_state_machine_by_the_errors_name(company: MainStreet, faults: Faults) -> None:
    company.play_all(*ALLOCATED)
    faults.refuse("PutItem", "ThrottlingException", times=3)
    with pytest.raises(Throttled):
        company.play("task_await", "fulfill")
