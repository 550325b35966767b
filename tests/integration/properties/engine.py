"""One DynamoDB in this process for all examples of a test; each example begins with the company as it was seeded.

Every request of an actor stops here until it is let go on, and meets the fault that was chosen for it. Its rows are
read past the client, so that looking at them is no call.
"""

from __future__ import annotations

import copy
import threading
from collections import Counter
from collections.abc import Iterator
from concurrent import futures
from contextlib import contextmanager
from typing import Any

import pytest
from ministack.services import dynamodb

from oms.domain.snapshots import StockPolicy
from oms.runtime import clients
from oms.stores import open_lines, snapshots, stock
from oms.stores.attribute_values import from_item
from oms.usecases import allocation, sourcing, waking
from tests.integration.fast_tables import fast_tables
from tests.integration.properties.actors import Actor
from tests.integration.stage import PREFIX, Stage

POOLED = (allocation, sourcing, waking, open_lines, snapshots, stock)
"""Modules that work in threads of their own: here they do it in the actor's, one thing after the other."""

WRITES = frozenset({"PutItem", "UpdateItem", "DeleteItem", "BatchWriteItem", "TransactWriteItems"})
POLICY = StockPolicy(approval_units=4, approval_percent=20)
"""Small enough that some counts wait for a person."""

Row = dict[str, Any]


class SerialPool(futures.Executor):
    """Threads that are none: work is done when it is handed over."""

    def __init__(self, _: int) -> None:
        """As many as you like."""

    def submit(self, work: Any, /, *args: Any, **more: Any) -> futures.Future[Any]:
        done: futures.Future[Any] = futures.Future()
        done.set_result(work(*args, **more))
        return done


class Engine:
    """The tables, and how many calls and writes actors made."""

    def __init__(self, stage: Stage) -> None:
        self.stage = stage
        self.counts: Counter[str] = Counter()
        stage.put("settings", POLICY, kind="stock_policy", name="active")
        tables = (PREFIX + name for name in _names())
        self._seeded = {name: copy.deepcopy(dynamodb._tables[name]["items"]) for name in tables}

    def begin(self) -> None:
        """Everything as it was seeded."""
        for name, items in self._seeded.items():
            dynamodb._tables[name]["items"] = copy.deepcopy(items)
        dynamodb._txn_idempotency.clear()

    def rows(self, table: str) -> list[Row]:
        """Everything in a table, by key."""
        items = dynamodb._tables[PREFIX + table]["items"]
        return [from_item(items[key][sort]) for key in sorted(items) for sort in sorted(items[key])]

    def before(self, request: Any, event_name: str, **_: Any) -> Any:
        """An actor's request waits for its turn; what is returned is the answer."""
        actor = threading.current_thread()
        return actor.before(request, event_name.rsplit(".", 1)[-1]) if isinstance(actor, Actor) else None

    def carried_out(self, request: Any, event_name: str, **_: Any) -> None:
        """The engine has answered, or somebody in its place."""
        actor = threading.current_thread()
        if isinstance(actor, Actor):
            self.counts["calls"] += 1
            self.counts["writes"] += event_name.rsplit(".", 1)[-1] in WRITES
            actor.carried_out(request)

    def told(self, **_: Any) -> None:
        """The client has its answer, after whatever tries it made by itself."""
        actor = threading.current_thread()
        if isinstance(actor, Actor):
            actor.told()


def _names() -> list[str]:
    return [name.removeprefix(PREFIX) for name in dynamodb._tables]


@contextmanager
def running_engine() -> Iterator[Engine]:
    """The engine, for as long as a test runs."""
    with pytest.MonkeyPatch.context() as patch, fast_tables(patch) as stage:
        for module in POOLED:
            patch.setattr(module, "ThreadPoolExecutor", SerialPool)
        engine = Engine(stage)
        events = clients.client("dynamodb").meta.events
        events.register_first("before-send.dynamodb", engine.before)
        events.register_last("before-send.dynamodb", engine.carried_out)
        for event in ("after-call.dynamodb", "after-call-error.dynamodb"):
            events.register_first(event, engine.told)
        yield engine
