"""Many workers at once on the places of one day: real threads, transactions that conflict, answers that are lost."""

from __future__ import annotations

import random
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor

from oms.domain.allocation import allocate
from oms.domain.cancellation import cancel
from oms.domain.capacity import held_days
from oms.domain.changes import OrderChange
from oms.domain.order import Order, OrderStatus
from oms.domain.stock import StockPosition
from oms.stores.attribute_values import from_item
from oms.stores.group_commit import Outcome
from tests.integration.capacity_days import taking
from tests.integration.company import Worker, order_id
from tests.integration.stage import PREFIX
from tests.integration.test_parallel_workers import EAST, Engine, engine, server
from tests.unit import builders

__all__ = ["engine", "server"]

DAY, SKU = "2026-05-04", "DAY-MUG"
WORKERS, ORDERS, LIMIT = 6, 180, 50
BATCH = 12
MAX_TRIES = 8
FIRST = 70_000


def wanting(order: Order) -> OrderChange:
    """The change that gives the order to a location, with a place on the day."""
    return taking(allocate(order, builders.plan(**{EAST: {"L1": 1}}), builders.context()), LIMIT, DAY)


def work(made: Worker, orders: Sequence[Order]) -> None:
    """Takes places batch by batch; every third order that has one is cancelled at once."""
    for start in range(0, len(orders), BATCH):
        taken = settle(made, [wanting(one) for one in orders[start : start + BATCH]])
        leaving = [one for one in taken if int(one.channel_order_id) % 3 == 0]
        changes = [cancel(one, {"L1": 1}, builders.context(1), "CUSTOMER") for one in leaving]
        settle(made, [change for change in changes if change])


def settle(made: Worker, changes: Sequence[OrderChange]) -> list[Order]:
    """Commits until every change has its answer; the orders that were written."""
    written: list[Order] = []
    for _ in range(MAX_TRIES):
        results = made.commit.commit(changes)
        written += [result.change.order for result in results if result.committed]
        changes = [result.change for result in results if result.outcome is Outcome.FAILED]
        if not changes:
            return written
    raise AssertionError(f"{len(changes)} changes never had an answer")


def counted(engine: Engine) -> int:
    key = {"location_id": {"S": EAST}, "day": {"S": DAY}}
    row = engine.current.get_item(TableName=f"{PREFIX}capacity", Key=key, ConsistentRead=True)["Item"]
    return int(from_item(row)["parcels"])


def test_six_workers_who_take_and_leave_places_at_once_never_give_away_one_too_many(engine: Engine) -> None:
    """Orders are at two workers. What is left of the day in the end is taken by those who came too early."""
    rolls = random.Random(4)
    numbers = range(FIRST, FIRST + ORDERS)
    orders = [
        builders.received(builders.line("L1", SKU), order_id=order_id(number), channel_order_id=str(number))
        for number in numbers
    ]
    engine.put("stock", [StockPosition(sku=SKU, location_id=EAST, on_hand=ORDERS, available=ORDERS)])
    engine.put("orders", orders)
    workers, troubles = engine.workers(WORKERS, rolls)
    shares = [rolls.sample(orders, ORDERS * 2 // WORKERS) for _ in workers]
    with ThreadPoolExecutor(WORKERS) as threads:
        list(threads.map(work, workers, shares))
    assert sum(trouble.hits for trouble in troubles) > 0
    assert 0 < counted(engine) <= LIMIT
    settle(workers[0], [wanting(one) for one in late(engine)])
    left = engine.orders([one.order_id for one in orders])
    assert any(one.status is OrderStatus.CANCELLED for one in left.values())
    assert counted(engine) == sum(held_days(one)[EAST, DAY] for one in left.values()) == LIMIT


def late(engine: Engine) -> list[Order]:
    names = [order_id(number) for number in range(FIRST, FIRST + ORDERS)]
    return [one for one in engine.orders(names).values() if one.status is OrderStatus.RECEIVED]
