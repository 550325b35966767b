"""One run of the stock benchmark: orders and questions laid out, the real handler driven, stock audited after it."""

from __future__ import annotations

import importlib.util
import json
import random
import time
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from oms.domain.order import Order, OrderStatus
from oms.domain.stock import StockPosition
from oms.runtime import clients
from oms.stores import stock as stock_module
from oms.stores.attribute_values import from_item
from oms.stores.orders import OrdersStore
from tools import bench_engine, bench_orders
from tools.bench_engine import TABLE_PREFIX
from tools.bench_meter import Engine, Meter, MeteredCommit, MeteredExecutions
from tools.bench_orders import ON_SHELF, SOLD_OUT, Workload
from tools.local_stack import PROJECT

if TYPE_CHECKING:
    from oms.stores.group_commit import Counts

FUNCTION = "queue_allocation"
MAX_DELIVERIES = 5
"""How often a message comes before it is a dead letter, as the template says."""

STOCK_TABLE = f"{TABLE_PREFIX}stock"
SEED = 11
TOKEN = "t" * 600
"""As long as Step Functions' own."""

Position = tuple[str, str]
Record = dict[str, str]


@dataclass(frozen=True, slots=True)
class Way:
    """How a run is disturbed: shares of orders asked for again at any later moment, of those asked for again by the
    very next batch, which another worker has in hand, and of orders for what is not there."""

    name: str
    repeated: float = 0.0
    crossed: float = 0.0
    short: float = 0.0
    workers: int = 1
    conflict_share: float = 0.0


QUIET = Way("quiet")


@dataclass(frozen=True, slots=True, kw_only=True)
class Figures:
    """What a run came to. Capacity in request units, processor time in seconds.

    `oversold` units were promised and were not there, `stranded` ones are held for nobody. What a refused transaction
    consumes is not in `wru`: AWS charges it, MiniStack does not tell.
    """

    orders: int
    batch: int
    allocated: int
    waiting: int
    unanswered: int
    transactions: int
    calls: int
    conflicts: int
    evictions: int
    rounds: int
    wru: float
    rru: float
    handler_seconds: float
    commit_seconds: float
    answer_seconds: float
    oversold: int
    stranded: int


@dataclass(slots=True)
class Bench:
    """A case in the tables. Its runs follow each other; what they promise is remembered for the audit.

    `engine` answers DynamoDB's requests in this process; without it they go where the environment says.
    """

    workload: Workload
    engine: Engine | None = None
    promised: Counter[Position] = field(default_factory=Counter)
    runs: int = 0
    batch: int = field(default_factory=bench_engine.batch_size)

    def set_up(self) -> None:
        """The tables, made anew, with reference data and stock."""
        rows: list[dict[str, Any]] = [{"kind": "policy", "name": "active"}]
        rows += ({**card, "kind": "rate_card", "name": name} for name, card in bench_orders.rate_cards().items())
        with self._watched(QUIET):
            bench_engine.create_tables()
            bench_engine.put_all("locations", bench_orders.locations())
            bench_engine.put_all("settings", rows)
            bench_engine.put_all("stock", self.workload.stock())

    def run(self, orders: int, way: Way, *, alone: bool = False) -> Figures:
        """New orders, each asked for at least once; `alone` commits each in a transaction of its own."""
        documents = self._receive(orders, way)
        with self._watched(QUIET):
            bench_engine.put_all("orders", documents)
        with self._watched(way) as meter:
            workers = [Worker(meter, alone=alone) for _ in range(way.workers)]
            asked = questions(documents, way, self.batch)
            with meter.phase("handler", time.process_time):
                unanswered = drive(workers, asked, self.batch)
        with self._watched(QUIET):
            after = OrdersStore(clients.client("dynamodb"), TABLE_PREFIX).get_many(one.order_id for one in documents)
            self.promised.update(promises(after))
            oversold, stranded = audit(self.promised, _positions())
        counts = [worker.counts for worker in workers]
        return Figures(
            orders=len(documents),
            batch=self.batch,
            allocated=sum(order.status is OrderStatus.ALLOCATED for order in after),
            waiting=sum(order.backordered_since is not None for order in after),
            unanswered=unanswered,
            transactions=meter.stock_transactions,
            calls=sum(meter.calls.values()),
            conflicts=meter.conflicts,
            evictions=sum(one.evictions for one in counts),
            rounds=sum(one.rounds for one in counts),
            wru=meter.wru,
            rru=meter.rru,
            handler_seconds=meter.seconds["handler"],
            commit_seconds=meter.seconds["commit"],
            answer_seconds=meter.seconds["answer"],
            oversold=oversold,
            stranded=stranded,
        )

    @contextmanager
    def _watched(self, way: Way) -> Iterator[Meter]:
        clock = time.process_time if way.workers == 1 else time.thread_time
        meter = Meter(STOCK_TABLE, way.conflict_share, clock, self.engine)
        with meter.watching(clients.client("dynamodb")):
            yield meter

    def _receive(self, orders: int, way: Way) -> list[Order]:
        """The documents of as many new orders; the same shares of them are for what is not there in each run."""
        self.runs += 1
        now = datetime.now(UTC).replace(microsecond=0)
        short = set(random.Random(SEED).sample(range(orders), int(orders * way.short)))
        made = []
        for number in range(orders):
            basket = self.workload.basket(number)
            wanted = (SOLD_OUT, *basket[1:]) if number in short else basket
            made.append(bench_orders.received(f"{self.workload.name}-{self.runs}", number, wanted, now))
        return made


class Worker:
    """A Lambda worker with the function loaded anew; its commit step and its answers are timed."""

    def __init__(self, meter: Meter, *, alone: bool) -> None:
        self._module = _loaded(FUNCTION)
        real = self._module.allocation
        self.counts: Counts = real.commit.counts
        self._module.allocation = replace(
            real,
            commit=MeteredCommit(real.commit, meter, alone),
            executions=MeteredExecutions(real.executions, meter),
        )

    def invoke(self, records: Sequence[Record]) -> list[Record]:
        """Hands the handler a batch; the records that must come again."""
        answer = self._module.handler({"Records": list(records)}, None)
        again = {one["itemIdentifier"] for one in answer["batchItemFailures"]}
        return [record for record in records if record["messageId"] in again]


def _loaded(function: str) -> Any:
    """A fresh copy of a function's module, as a new worker has it."""
    path = PROJECT / "functions" / function / "app.py"
    spec = importlib.util.spec_from_file_location(f"functions.{function}.app", path)
    if spec is None or spec.loader is None:
        raise ImportError(f"{path} cannot be loaded")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def questions(orders: Sequence[Order], way: Way, batch: int) -> list[Record]:
    """What executions ask, as SQS brings it: each order once, some again."""
    chance = random.Random(SEED)
    once = list(enumerate(orders))
    asked = list(once)
    for number, order in chance.sample(once, int(len(orders) * way.repeated)):
        asked.append((chance.randint(number, len(orders)), order))
    for number, order in chance.sample(once, int(len(orders) * way.crossed)):
        asked.append((number + batch, order))
    asked.sort(key=lambda one: one[0])
    return [
        {"messageId": f"m-{place}", "body": json.dumps({"order_id": order.order_id, "task_token": f"{TOKEN}{place}"})}
        for place, (_, order) in enumerate(asked)
    ]


def drive(workers: Sequence[Worker], records: Sequence[Record], batch: int) -> int:
    """Delivers all records in batches, the workers side by side; how many were never answered."""
    waiting = list(records)
    with ThreadPoolExecutor(len(workers)) as threads:
        for _ in range(MAX_DELIVERIES):
            batches = [waiting[start : start + batch] for start in range(0, len(waiting), batch)]
            shares = [batches[number :: len(workers)] for number in range(len(workers))]
            failed = threads.map(_work_off, workers, shares)
            waiting = [record for share in failed for record in share]
            if not waiting:
                break
    return len(waiting)


def _work_off(worker: Worker, batches: Sequence[Sequence[Record]]) -> list[Record]:
    return [record for batch in batches for record in worker.invoke(batch)]


def promises(orders: Iterable[Order]) -> Counter[Position]:
    """Units that locations hold for orders."""
    promised: Counter[Position] = Counter()
    for order in orders:
        for work in order.fulfillments:
            for line in work.lines:
                promised[line.sku, work.location_id] += line.open
    return promised


def audit(promised: Counter[Position], positions: Iterable[StockPosition]) -> tuple[int, int]:
    """Units sold that were not there or not taken, and units taken for no order."""
    oversold = stranded = 0
    held = Counter(promised)
    for position in positions:
        taken, owed = ON_SHELF - position.available, held.pop((position.sku, position.location_id), 0)
        oversold += max(0, -position.available) + max(0, owed - min(taken, position.committed))
        stranded += max(0, max(taken, position.committed) - owed)
    return oversold + held.total(), stranded


def _positions() -> Iterator[StockPosition]:
    pages = clients.client("dynamodb").get_paginator("scan").paginate(TableName=STOCK_TABLE, ConsistentRead=True)
    for page in pages:
        for item in page["Items"]:
            yield stock_module.decode(from_item(item))
