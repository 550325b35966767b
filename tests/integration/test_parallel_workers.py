"""Many workers at once on one stock: real threads, a client each, DynamoDB (MiniStack) in a process of its own.

Nothing in MiniStack conflicts by itself, so the workers' transactions meet trouble by chance: some are refused because
others hold their items, some are carried out and their answer is lost.
"""

from __future__ import annotations

import json
import random
from collections import Counter, deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from threading import Condition
from types import SimpleNamespace
from typing import Any

import pytest
from botocore.exceptions import ReadTimeoutError

from oms.domain.backordering import record_shortage
from oms.domain.changes import queue_place
from oms.domain.errors import IllegalTransition, Retryable
from oms.domain.lifecycle import AWAIT_STOCK
from oms.domain.order import Order, OrderStatus, Request, WaitingFor
from oms.domain.progress import check
from oms.domain.stock import Bucket, StockPosition
from oms.runtime import clients
from oms.stores.attribute_values import from_item, to_item
from oms.stores.documents import from_document
from oms.usecases.allocation import AllocationRequest
from tests.integration.company import Notebook, Worker, at, entry, received, report, worker
from tests.integration.faults import refusal
from tests.integration.stage import PREFIX, SETTINGS, Stage, make_tables, seed
from tests.unit import builders
from tools.bench_engine import free_port
from tools.local_stack import LocalStack

QUIET = {"AUTH": "false", "PERSIST_STATE": "0", "S3_PERSIST": "0", "LOG_LEVEL": "WARNING"}
EAST, WEST = "WH-EAST", "WH-WEST"
CONFLICTS, LOST_ANSWERS = 0.1, 0.05
"""Shares of the transactions that meet this."""

DEAF = 20
"""Answers to executions that do not arrive: their messages come again."""

MAX_DELIVERIES = 5
"""A message that fails as often goes to the dead letters."""

PUTS_AT_ONCE = 25
PATIENCE_SECONDS = 30.0


class Trouble:
    """What one worker's transactions meet."""

    def __init__(self, client: Any, rolls: random.Random) -> None:
        self.rolls, self.hits = rolls, 0
        client.meta.events.register_first("before-send.dynamodb.TransactWriteItems", self._conflict)
        client.meta.events.register_first("after-call.dynamodb.TransactWriteItems", self._lose)

    def _conflict(self, request: Any, **_: Any) -> Any:
        if self.rolls.random() >= CONFLICTS:
            return None
        self.hits += 1
        reasons = [{"Code": "None"} for _ in json.loads(request.body)["TransactItems"]]
        reasons[self.rolls.randrange(len(reasons))] = {"Code": "TransactionConflict", "Message": "told to"}
        return refusal(request, "TransactionCanceledException", CancellationReasons=reasons)

    def _lose(self, http_response: Any, **_: Any) -> None:
        if http_response.status_code == 200 and self.rolls.random() < LOST_ANSWERS:
            self.hits += 1
            raise ReadTimeoutError(endpoint_url="https://dynamodb")


class Engine:
    """DynamoDB with the tables of the template. Whoever asks for a client gets the one that was made last."""

    def __init__(self, make_client: Callable[[str], Any]) -> None:
        self._make = make_client
        self.current = make_client("dynamodb")

    def client(self, _: str) -> Any:
        return self.current

    def workers(self, number: int, rolls: random.Random) -> tuple[list[Worker], list[Trouble]]:
        """Workers with a client each, and what their transactions meet."""
        quiet, notebook = self.current, Notebook(deaf=DEAF)
        made, troubles = [], []
        for _ in range(number):
            self.current = self._make("dynamodb")
            troubles.append(Trouble(self.current, random.Random(rolls.random())))
            made.append(worker(notebook))
        self.current = quiet
        return made, troubles

    def put(self, table: str, values: Sequence[Any]) -> None:
        puts = [{"PutRequest": {"Item": to_item(value)}} for value in values]
        for start in range(0, len(puts), PUTS_AT_ONCE):
            part = {PREFIX + table: puts[start : start + PUTS_AT_ONCE]}
            assert not self.current.batch_write_item(RequestItems=part)["UnprocessedItems"]

    def of_sku(self, table: str, sku: str) -> list[dict[str, Any]]:
        """The rows of a sku, in the order of their keys."""
        values = {":s": {"S": sku}}
        request = {"TableName": PREFIX + table, "ConsistentRead": True, "ExpressionAttributeValues": values}
        answers = self._pages(self.current.query, request | {"KeyConditionExpression": "sku = :s"})
        return [from_item(item) for answer in answers for item in answer["Items"]]

    def orders(self, names: Sequence[str]) -> dict[str, Order]:
        answers = self._pages(self.current.scan, {"TableName": f"{PREFIX}orders", "ConsistentRead": True})
        rows = (from_item(item) for answer in answers for item in answer["Items"])
        return {row["order_id"]: from_document(Order, row) for row in rows if row["order_id"] in set(names)}

    def _pages(self, ask: Callable[..., Any], request: dict[str, Any]) -> Iterator[Any]:
        while True:
            answer = ask(**request)
            yield answer
            if "LastEvaluatedKey" not in answer:
                return
            request["ExclusiveStartKey"] = answer["LastEvaluatedKey"]


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with LocalStack(free_port(), tmp_path_factory.mktemp("parallel"), "test", environment=QUIET) as stack:
        stack.start()
        yield stack.endpoint_url


@pytest.fixture(scope="module")
def engine(server: str) -> Iterator[Engine]:
    """The company of all these tests; each brings a sku of its own."""
    with pytest.MonkeyPatch.context() as patch:
        for name, value in (SETTINGS | {"AWS_ENDPOINT_URL_DYNAMODB": server}).items():
            patch.setenv(name, value)
        patch.setattr("botocore.endpoint.time", SimpleNamespace(sleep=lambda _: None))
        made = Engine(clients.client.__wrapped__)
        patch.setattr(clients, "client", made.client)
        make_tables()
        seed(Stage())
        yield made


# ------------------------------------------------------------------------------------------------ one queue, all work


@dataclass
class Message:
    """An execution asks for stock; `token` is the execution's, and a copy of the message has the same."""

    message_id: str
    order_id: str
    token: str
    deliveries: int = 0


@dataclass
class Shift:
    """Workers who empty one queue together, in batches as they come; by default before anything may be released."""

    workers: list[Worker]
    rolls: random.Random
    max_batch: int = 30
    hours: float = 0.2
    messages: deque[Message] = field(default_factory=deque)
    dead: list[Message] = field(default_factory=list)
    shared_by_two: int = 0
    _at_work: dict[int, set[str]] = field(default_factory=dict)
    _heard: set[str] = field(default_factory=set)
    _changed: Condition = field(default_factory=Condition)

    def work(self) -> None:
        """Until nothing is left to do."""
        with ThreadPoolExecutor(len(self.workers)) as threads:
            for _ in threads.map(self._turns, range(len(self.workers))):
                pass

    def _turns(self, place: int) -> None:
        while batch := self._take(place):
            try:
                again = self._handle(self.workers[place], batch, at(self.hours) + timedelta(seconds=place))
            except BaseException:
                self._put_back(place, batch)
                raise
            self._put_back(place, again)

    def _take(self, place: int) -> list[Message]:
        """The next batch; none when all is done, by the others too."""
        with self._changed:
            while not self.messages and self._at_work:
                assert self._changed.wait(PATIENCE_SECONDS)
            size = min(len(self.messages), self.rolls.randint(1, self.max_batch))
            batch = [self.messages.popleft() for _ in range(size)]
            if batch:
                mine = {one.order_id for one in batch}
                self.shared_by_two += sum(bool(mine & theirs) for theirs in self._at_work.values())
                self._at_work[place] = mine
            return batch

    def _put_back(self, place: int, again: Sequence[Message]) -> None:
        with self._changed:
            del self._at_work[place]
            for one in again:
                one.deliveries += 1
                (self.messages if one.deliveries < MAX_DELIVERIES else self.dead).append(one)
            self._changed.notify_all()

    def _handle(self, made: Worker, batch: Sequence[Message], now: datetime) -> list[Message]:
        """Allocates, and lets the executions that hear of a shortage wait; returns the messages that come again, and
        those of executions that need not wait."""
        asked = [
            AllocationRequest(message_id=one.message_id, order_id=one.order_id, task_token=one.token) for one in batch
        ]
        failed = made.allocation.allocate(asked, now)
        again = [one for one in batch if one.message_id in failed]
        return again + [new for one in batch if (new := self._wait(made, one))]

    def _wait(self, made: Worker, one: Message) -> Message | None:
        heard = made.notebook.first(one.token)
        with self._changed:
            first = heard is not None and one.token not in self._heard
            self._heard |= {one.token} if first else set()
        if not first or heard is None or heard.error != "OutOfStock":
            return None
        number = int(one.token.rsplit("/", 1)[1])
        token = f"{one.order_id}/{number + 1}"
        wait = entry(one.order_id, AWAIT_STOCK, f"wait {token}", hours=self.hours + number / 100)
        for _ in range(MAX_DELIVERIES):
            with suppress(Retryable):
                made.lifecycle.begin_wait(wait, "", wait.entered_at)
                break
        told = made.notebook.first(f"wait {token}")
        return Message(token, one.order_id, token, -1) if told and told.error is None else None


def hot_orders(sku: str, number: int, prefix: str) -> list[Order]:
    """One-unit orders, each placed a second after the one before."""
    facts = [(f"{prefix}-{place:03}", builders.NOON + timedelta(seconds=place)) for place in range(number)]
    return [builders.received(builders.line("L1", sku), order_id=name, placed_at=placed) for name, placed in facts]


def with_copies(orders: Sequence[Order], rolls: random.Random) -> list[Message]:
    """A message for each order in any order; every fifth comes twice, the copy soon after."""
    messages: list[Message] = []
    for order in rolls.sample(list(orders), len(orders)):
        token = f"{order.order_id}/1"
        messages += [Message(f"{token} a", order.order_id, token)]
        if rolls.random() < 0.2:
            messages.insert(max(0, len(messages) - rolls.randint(0, 40)), Message(f"{token} b", order.order_id, token))
    return messages


def positions(engine: Engine, sku: str) -> dict[str, StockPosition]:
    return {row["location_id"]: from_document(StockPosition, row) for row in engine.of_sku("stock", sku)}


def books_balance(engine: Engine, sku: str, opening: dict[str, int], orders: Sequence[Order]) -> None:
    """The ledger adds up to the positions, committed is what orders hold, and the queue is who waits, in order."""
    moved: dict[str, Counter[str]] = {place: Counter(on_hand=n, available=n) for place, n in opening.items()}
    for row in engine.of_sku("stock_movements", sku):
        moved[row["location_id"]].update(row["changes"])
    held: Counter[str] = Counter()
    for order in orders:
        for one in order.fulfillments:
            held[one.location_id] += sum(part.open + part.picked for part in one.lines)
    for place, position in positions(engine, sku).items():
        assert {bucket: getattr(position, bucket) for bucket in Bucket} == {one: moved[place][one] for one in Bucket}
        assert position.committed == held[place]
        assert position.available >= 0
    waiting = sorted((queue_place(one), one.lines[0].backordered) for one in orders if one.lines[0].backordered)
    queue = engine.of_sku("backorders", sku)
    assert [(row["queue_key"], row["quantity"]) for row in queue] == [(f"{place}#L1", n) for place, n in waiting]


@pytest.mark.parametrize("chance", [1, 2, 3])
def test_of_400_orders_for_the_last_200_units_32_workers_serve_200_and_let_200_wait(
    engine: Engine, chance: int
) -> None:
    rolls = random.Random(chance)
    sku, opening = f"HOT-{chance}", {EAST: 150, WEST: 50}
    orders = hot_orders(sku, 400, f"hot-{chance}")
    engine.put("orders", orders)
    engine.put("stock", [StockPosition(sku=sku, location_id=one, on_hand=n, available=n) for one, n in opening.items()])
    workers, troubles = engine.workers(32, rolls)
    shift = Shift(workers, rolls)
    shift.messages.extend(with_copies(orders, rolls))
    shift.work()
    now = list(engine.orders([one.order_id for one in orders]).values())
    assert Counter((one.status, one.waiting_for) for one in now) == {
        (OrderStatus.ALLOCATED, WaitingFor.CANCEL_WINDOW): 200,
        (OrderStatus.RECEIVED, WaitingFor.STOCK): 200,
    }
    assert {place: one.available for place, one in positions(engine, sku).items()} == {EAST: 0, WEST: 0}
    assert shift.dead == []
    assert shift.shared_by_two > 0
    assert sum(one.hits for one in troubles) > 0
    books_balance(engine, sku, opening, now)


@pytest.mark.parametrize("chance", [4, 5, 6])
def test_units_that_come_for_a_queue_go_to_the_oldest_however_many_workers_ask_at_once(
    engine: Engine, chance: int
) -> None:
    rolls = random.Random(chance)
    sku = f"COMING-{chance}"
    engine.put("stock", [StockPosition(sku=sku, location_id=EAST)])
    changes = [record_shortage(one, {"L1": 1}, builders.context()) for one in hot_orders(sku, 120, f"coming-{chance}")]
    waiting = [change for change in changes if change]
    orders = [change.order for change in waiting]
    engine.put("orders", orders)
    engine.put("backorders", [row for change in waiting for row in change.backorders_added])
    workers, _ = engine.workers(16, rolls)
    assert workers[0].commit.commit_one(received(sku, EAST, 40, change_id=f"receipt-{chance}")).committed
    shift = Shift(workers, rolls, max_batch=6)
    shift.messages.extend(with_copies(orders, rolls))
    shift.work()
    now = engine.orders([one.order_id for one in orders])
    served = sorted(name for name, one in now.items() if one.status is OrderStatus.ALLOCATED)
    assert served == sorted(one.order_id for one in orders[:40])
    assert shift.dead == []
    books_balance(engine, sku, {EAST: 0}, list(now.values()))


# ------------------------------------------------------------------------------------------------ everything at once

STEPS = 30
"""What each worker does, one thing after the other."""


@dataclass
class Desk:
    """One worker who does whatever comes up with the orders of one sku."""

    made: Worker
    place: int
    sku: str
    names: list[str]
    rolls: random.Random

    def work(self) -> None:
        for step in range(STEPS):
            act = self.rolls.choice([self.allocate, self.cancel, self.release, self.ship, self.ship, self.receive])
            with suppress(Retryable, IllegalTransition):
                act(self.rolls.choice(self.names), step)

    def allocate(self, _: str, step: int) -> None:
        names = self.rolls.sample(self.names, self.rolls.randint(1, 8))
        asked = [AllocationRequest(message_id=one, order_id=one, task_token=f"{one} of {self.place}") for one in names]
        self.made.allocation.allocate(asked, at(2 + step))

    def cancel(self, name: str, step: int) -> None:
        if self.rolls.random() < 0.2:
            self.made.decisions.cancel(name, "CUSTOMER", "desk", at(2 + step))

    def release(self, name: str, step: int) -> None:
        self.made.lifecycle.evaluate(name, at(2 + step))

    def ship(self, name: str, step: int) -> None:
        """The whole of a work, in one parcel that keeps its name however often it is told of."""
        order = self.made.orders.get(name)
        for number, one in enumerate(order.fulfillments if order else (), start=1):
            if order and one.request is Request.SUBMITTED and any(line.open for line in one.lines):
                told = report("shipped", order, number, shipment_id=f"of {one.fulfillment_id}")
                self.made.report(told, told, hours=2 + step)

    def receive(self, _: str, step: int) -> None:
        place, change_id = self.rolls.choice([EAST, WEST]), f"receipt {self.sku} {self.place} {step}"
        self.made.commit.commit_one(received(self.sku, place, 1, 2 + step, change_id))


@pytest.mark.parametrize("chance", [7, 8])
def test_eight_workers_who_allocate_cancel_ship_and_receive_at_once_leave_books_that_balance(
    engine: Engine, chance: int
) -> None:
    rolls = random.Random(chance)
    sku, opening = f"BUSY-{chance}", {EAST: 15, WEST: 5}
    facts = [(f"busy-{chance}-{number:02}", rolls.randint(1, 3), number) for number in range(40)]
    orders = [
        builders.received(
            builders.line("L1", sku, n), order_id=name, placed_at=builders.NOON + timedelta(seconds=number)
        )
        for name, n, number in facts
    ]
    names = [one.order_id for one in orders]
    engine.put("orders", orders)
    engine.put("stock", [StockPosition(sku=sku, location_id=one, on_hand=n, available=n) for one, n in opening.items()])
    workers, troubles = engine.workers(8, rolls)
    desks = [Desk(made, place, sku, names, random.Random(rolls.random())) for place, made in enumerate(workers)]
    with ThreadPoolExecutor(len(desks)) as threads:
        for _ in threads.map(Desk.work, desks):
            pass
    assert sum(one.hits for one in troubles) > 0
    shift = Shift(workers[:1], rolls, hours=3 + STEPS)
    shift.messages.extend(with_copies(orders, rolls))
    shift.work()
    assert shift.dead == []
    now = list(engine.orders(names).values())
    books_balance(engine, sku, opening, now)
    for order in now:
        check(order)
    kinds = {kind for row in engine.of_sku("stock_movements", sku) for kind in row["kinds"]}
    assert kinds >= {"COMMIT", "RECEIVE"}
    assert kinds & {"RELEASE", "SHIP"}
    stock = positions(engine, sku).values()
    arrived = sum(
        row["changes"]["on_hand"] for row in engine.of_sku("stock_movements", sku) if row["kinds"] == ["RECEIVE"]
    )
    assert sum(one.on_hand for one in stock) == 20 + arrived - sum(one.lines[0].shipped for one in now)
    if engine.of_sku("backorders", sku):
        assert sum(one.available for one in stock) == 0
