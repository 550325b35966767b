"""The stock benchmark's own arithmetic: what it calls oversold, and when it says that a target was missed."""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest

from oms.domain.stock import StockPosition
from tests.unit.builders import order
from tools import bench_orders
from tools.bench_orders import ON_SHELF
from tools.bench_run import Figures, Way, audit, promises, questions
from tools.bench_stock import APART, CLEAN, CONTESTED, CROSSED, DISTURBED, HOT_SKU, Result

GOOD = Figures(
    orders=10_000,
    batch=490,
    allocated=10_000,
    waiting=0,
    unanswered=0,
    transactions=104,
    calls=300,
    conflicts=0,
    evictions=0,
    rounds=21,
    wru=80_000.0,
    rru=20_000.0,
    handler_seconds=8.0,
    commit_seconds=1.0,
    answer_seconds=3.0,
    oversold=0,
    stranded=0,
)
ALONE = replace(GOOD, orders=1_000, allocated=1_000, transactions=1_000, commit_seconds=0.4)


def position(available: int, committed: int) -> StockPosition:
    on_hand = available + committed
    return StockPosition(sku="CUP", location_id="WH", on_hand=on_hand, available=available, committed=committed)


@pytest.mark.parametrize(
    ("promised", "taken", "committed", "oversold", "stranded"),
    [
        (0, 0, 0, 0, 0),
        (7, 7, 7, 0, 0),
        (7, 5, 5, 2, 0),
        (7, 7, 5, 2, 0),
        (5, 7, 7, 0, 2),
        (ON_SHELF + 3, ON_SHELF + 3, ON_SHELF + 3, 3, 0),
    ],
)
def test_a_unit_is_oversold_when_it_was_not_there_or_not_taken(
    promised: int, taken: int, committed: int, oversold: int, stranded: int
) -> None:
    held = Counter({("CUP", "WH"): promised})
    assert audit(held, [position(ON_SHELF - taken, committed)]) == (oversold, stranded)


def test_what_is_promised_of_a_position_that_does_not_exist_is_oversold() -> None:
    assert audit(Counter({("CUP", "NOWHERE"): 4}), []) == (4, 0)


def test_an_order_without_fulfillments_holds_nothing() -> None:
    assert promises([order()]) == Counter()


@pytest.mark.parametrize(
    ("case", "way", "changes", "missed"),
    [
        (HOT_SKU, CLEAN, {}, []),
        (HOT_SKU, CLEAN, {"transactions": 105}, ["105 transactions, at most 104"]),
        (HOT_SKU, CLEAN, {"orders": 300, "allocated": 300, "transactions": 4, "commit_seconds": 0.03}, []),
        (HOT_SKU, CONTESTED, {"transactions": 140}, []),
        (HOT_SKU, CONTESTED, {"transactions": 141}, ["141 transactions, at most 140"]),
        (APART, CLEAN, {"transactions": 510}, []),
        (APART, CLEAN, {"transactions": 511}, ["511 transactions, at most 510"]),
        (APART, CLEAN, {"batch": 980, "transactions": 500}, []),
        (APART, CLEAN, {"batch": 980, "transactions": 501}, ["501 transactions, at most 500"]),
        (HOT_SKU, CLEAN, {"commit_seconds": 1.01}, ["3.96 times cheaper than one by one, at least 4"]),
        (HOT_SKU, CROSSED, {"transactions": 200, "commit_seconds": 2.0}, []),
        (HOT_SKU, CLEAN, {"oversold": 1}, ["units oversold: 1"]),
        (HOT_SKU, CLEAN, {"stranded": 2}, ["units held for nobody: 2"]),
        (HOT_SKU, CLEAN, {"unanswered": 3}, ["messages never answered: 3"]),
        (HOT_SKU, CLEAN, {"allocated": 9_999}, ["orders neither allocated nor known to be short: 1"]),
    ],
)
def test_a_missed_target_is_named(case: str, way: Way, changes: dict[str, Any], missed: list[str]) -> None:
    assert Result(case, way, replace(GOOD, **changes), ALONE).missed() == missed


def test_as_many_orders_must_wait_as_ask_for_what_is_not_there() -> None:
    grouped = replace(GOOD, allocated=9_500, waiting=500)
    alone = replace(ALONE, allocated=950, waiting=50)
    assert Result(HOT_SKU, DISTURBED, grouped, alone).missed() == []
    too_many = replace(grouped, allocated=9_499, waiting=501)
    assert Result(HOT_SKU, DISTURBED, too_many, alone).missed() == [
        "orders that wait without a cause, or were served without stock: 1"
    ]


def test_every_order_is_asked_for_and_some_again_but_never_before_the_first_time() -> None:
    orders = [order(order_id=f"o-{number}") for number in range(100)]
    asked = [json.loads(record["body"])["order_id"] for record in questions(orders, Way("twice", repeated=0.05), 10)]
    assert list(dict.fromkeys(asked)) == [one.order_id for one in orders]
    assert sum(count == 2 for count in Counter(asked).values()) == 5


def test_what_another_worker_has_in_hand_is_asked_for_again_about_a_batch_later() -> None:
    orders = [order(order_id=f"o-{number:03}") for number in range(100)]
    asked = [json.loads(one["body"])["order_id"] for one in questions(orders, Way("crossed", crossed=0.1), 20)]
    twice = [order_id for order_id, count in Counter(asked).items() if count == 2]
    assert len(twice) == 10
    distances = [len(asked) - 1 - asked[::-1].index(order_id) - asked.index(order_id) for order_id in twice]
    assert all(1 <= distance <= 30 for distance in distances)


def test_every_message_has_an_id_and_a_token_of_its_own() -> None:
    records = questions([order(), order()], CLEAN, 490)
    assert len({record["messageId"] for record in records}) == 2
    assert len({json.loads(record["body"])["task_token"] for record in records}) == 2


def test_the_baskets_are_the_same_on_every_machine_and_9_in_10_hold_one_thing() -> None:
    workload, again = bench_orders.baskets(1_000), bench_orders.baskets(1_000)
    baskets = [workload.basket(number) for number in range(1_000)]
    assert baskets == [again.basket(number) for number in range(1_000)]
    assert 880 <= sum(len(basket) == 1 for basket in baskets) <= 920
    assert {sku for basket in baskets for sku in basket} <= workload.skus
    assert workload.positions == again.positions


def test_no_two_orders_of_the_case_apart_want_the_same() -> None:
    workload = bench_orders.apart(500)
    skus = [sku for number in range(500) for sku in workload.basket(number)]
    assert len(skus) == len(set(skus)) == 1_000


def test_the_orders_are_those_that_intake_makes() -> None:
    made = bench_orders.received("hot_sku-1", 7, ("CUP", "BOWL"), datetime(2026, 3, 2, tzinfo=UTC))
    assert (made.version, made.review, [line.unallocated for line in made.lines]) == (1, None, [1, 1])
