"""The stock benchmark, small and in this process: what its counts must come to on any machine."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from typing import Any

import pytest
from botocore.awsrequest import AWSResponse
from ministack.services import dynamodb as ministack_dynamodb

from oms.runtime import clients
from oms.stores.group_commit import GroupCommit
from tools import bench_engine, bench_orders
from tools.bench_meter import reply
from tools.bench_orders import Workload
from tools.bench_run import Bench, Way
from tools.bench_stock import CLEAN, CROSSED, DISTURBED

ORDERS = 300
CONTESTED = Way("contested", workers=2, conflict_share=0.4)
_one_at_a_time = threading.Lock()


def engine(request: Any) -> AWSResponse:
    """DynamoDB in this process."""
    target = request.headers["X-Amz-Target"]
    headers = {"x-amz-target": target.decode() if isinstance(target, bytes) else target}
    with _one_at_a_time, pytest.raises(StopIteration) as done:
        ministack_dynamodb.handle_request("POST", "/", headers, request.body, {}).send(None)
    status, _, body = done.value.value
    return reply(request, status, body if isinstance(body, bytes) else body.encode())


@pytest.fixture(autouse=True)
def stage(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """The benchmark's own stage, with clients of its own; executions take every answer, and nobody pauses."""
    for name, value in bench_engine.SETTINGS.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setitem(GroupCommit.__init__.__kwdefaults__, "sleep", lambda _: None)
    clients.client.cache_clear()
    stepfunctions = clients.client("stepfunctions")
    stepfunctions.meta.events.register("before-send.sfn", lambda request, **_: reply(request, 200, b"{}"))
    yield
    clients.client.cache_clear()


def bench(workload: Workload, **changes: Any) -> Bench:
    made = Bench(workload, engine, **changes)
    made.set_up()
    return made


def test_98_orders_of_one_sku_share_one_stock_write() -> None:
    figures = bench(bench_orders.hot_sku(ORDERS)).run(ORDERS, CLEAN)
    assert (figures.allocated, figures.transactions, figures.rounds) == (ORDERS, 4, 1)
    assert (figures.oversold, figures.stranded, figures.unanswered) == (0, 0, 0)


def test_20_two_line_orders_share_a_transaction_though_they_share_no_sku() -> None:
    figures = bench(bench_orders.apart(60)).run(60, CLEAN)
    assert (figures.allocated, figures.transactions) == (60, 3)
    assert (figures.oversold, figures.stranded) == (0, 0)


def test_a_shop_of_many_skus_needs_few_transactions(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bench_orders, "BASKET_SKUS", 40)
    figures = bench(bench_orders.baskets(200)).run(200, CLEAN)
    assert figures.allocated == 200
    assert figures.transactions <= 10
    assert (figures.oversold, figures.stranded) == (0, 0)


def test_orders_asked_for_twice_and_orders_that_run_short_cost_no_further_stock_write() -> None:
    figures = bench(bench_orders.hot_sku(ORDERS)).run(ORDERS, DISTURBED)
    assert (figures.allocated, figures.waiting, figures.unanswered) == (285, 15, 0)
    assert figures.transactions <= 4
    assert (figures.oversold, figures.stranded) == (0, 0)


def test_two_workers_in_each_others_way_promise_every_unit_once() -> None:
    figures = bench(bench_orders.hot_sku(ORDERS), batch=100).run(ORDERS, CONTESTED)
    assert (figures.allocated, figures.unanswered) == (ORDERS, 0)
    assert figures.conflicts > 0
    assert (figures.oversold, figures.stranded) == (0, 0)


def test_an_order_that_two_workers_have_in_hand_is_promised_once_and_its_neighbours_too() -> None:
    figures = bench(bench_orders.hot_sku(120), batch=60).run(120, CROSSED)
    assert (figures.allocated, figures.unanswered) == (120, 0)
    assert (figures.oversold, figures.stranded) == (0, 0)


def test_one_by_one_every_order_is_a_transaction() -> None:
    figures = bench(bench_orders.hot_sku(50)).run(50, CLEAN, alone=True)
    assert (figures.allocated, figures.transactions) == (50, 50)
