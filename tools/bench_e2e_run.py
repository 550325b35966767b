"""One row of the end-to-end benchmark after the other, against a system that was started for them."""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from statistics import median
from typing import Any

from oms.domain.order import OrderStatus
from oms.runtime.clock import now
from oms.stores.attribute_values import from_item
from oms.stores.group_commit import GroupCommit
from oms.stores.snapshots import Readings
from oms.usecases.counting import Booking, take_snapshot
from tools import bench_engine, seed, seed_stock, system, world
from tools.bench_e2e_cost import Meter, Processes, Spent
from tools.bench_e2e_traffic import Clients, Gate, Post, Shops, Timing, has_reached
from tools.bench_e2e_watch import State, Watch
from tools.console import Screen

CANCEL_WINDOW = timedelta(hours=1)
"""Orders are placed so much earlier that it ends when the second phase is to begin."""

RELEASES_A_SECOND = 32
"""MiniStack makes a worker, a process of 70 MB, for each order released at the same moment: all at once are too many.
It bounds the rate of the second phase, too."""

PLENTY = 1_000_000
HOT_SKU, HOT_LOCATION = "DUTCH-OVEN-5", "WH-COLUMBUS"
WARM_UP_ORDERS = 2
"""Of each client."""

GUESSED_SECONDS, SPARE_SHARE, SPARE_SECONDS = 5.0, 1.4, 3.0
QUIET_SECONDS, SETTLE_SECONDS = 2.0, 120.0
CALIBRATING_LOOKS = 100
SELLER = "operations"


@dataclass(frozen=True, slots=True)
class Row:
    """Through which door, and with how many clients at once."""

    door: str
    clients: int


@dataclass(frozen=True, slots=True)
class Phase:
    """What was measured of one phase; `wrong` is what may not be, in words."""

    name: str
    began_at: float
    timings: list[Timing]
    spent: Spent
    peak_bytes: int
    looking_seconds: float
    facts: dict[str, Any] = field(default_factory=dict)
    wrong: list[str] = field(default_factory=list)


class Bench:
    """The running system, and everybody who does something with it."""

    def __init__(self, work_dir: Path, screen: Screen, cleanup: ExitStack) -> None:
        place = system.Place(bench_engine.free_port(), bench_engine.free_port(), work_dir)
        running = system.start(place, screen, cleanup)
        self._system, self._stack = running, running.stack
        port = bench_engine.free_port()
        self._gate = cleanup.enter_context(Gate(port, running.outside))
        self._processes = Processes(running.stack.process_id)
        self._meter = Meter(self._processes, running.log)
        self._watch = cleanup.enter_context(
            Watch(running.world.tables, running.description["tables"]["orders"], self._processes.look_at_memory)
        )
        token = world.token(running.description, SELLER)
        self._shops = Shops(running.world.shop, token, CANCEL_WINDOW)
        self._set_up(f"http://127.0.0.1:{port}")

    def run(self, row: Row, orders: int) -> list[Phase]:
        """Both phases of a row, after as much of the same as wakes the workers it needs."""
        warm, _ = self._run(row, WARM_UP_ORDERS * row.clients, GUESSED_SECONDS)
        latest = [timing.seconds for timing in warm.timings[-row.clients :] if timing.seconds is not None]
        each = median(latest) if latest else GUESSED_SECONDS  # the first of each client met sleeping workers
        return self._run(row, orders, each * orders / row.clients * SPARE_SHARE)

    def _run(self, row: Row, orders: int, seconds: float) -> list[Phase]:
        """Places the orders, which is thought to take so many seconds; then they are released one after the other."""
        release_at = datetime.now(UTC).replace(microsecond=0) + timedelta(seconds=int(seconds + SPARE_SECONDS))
        posts = [
            self._post(row, release_at + timedelta(seconds=number // RELEASES_A_SECOND)) for number in range(orders)
        ]
        clients = Clients(row.clients, self._system.description["base_url"], self._watch)
        placed = self._phase("place", row.clients, lambda: clients.place(posts, has_reached(OrderStatus.ALLOCATED)))
        early = (release_at - datetime.now(UTC)).total_seconds()
        if early < 0:
            placed.facts["released_while_placing"] = True
        time.sleep(max(0.0, early))
        allocated = sum(timing.seconds is not None for timing in placed.timings)
        shipped = self._phase("ship", row.clients, lambda: clients.ship(self._gate, allocated))
        return [placed, shipped]

    def run_hot(self, clients: int, orders: int, units: int) -> Phase:
        """Everybody wants one unit of the same SKU, and there are fewer."""
        self._count({location_id: units if location_id == HOT_LOCATION else 0 for location_id in self._hot_stock()})
        release_at = datetime.now(UTC) + CANCEL_WINDOW
        posts = [self._shops.api(release_at, HOT_SKU) for _ in range(orders)]
        many = Clients(clients, self._system.description["base_url"], self._watch)
        many.place(
            [self._shops.api(release_at) for _ in range(clients)], has_reached(OrderStatus.ALLOCATED)
        )  # wakes the workers
        phase = self._phase("hot_sku", clients, lambda: many.place(posts, _is_decided))
        promised = sum(row["committed"] for row in self._hot_stock().values())
        allocated = sum(timing.state[0] == "ALLOCATED" for timing in phase.timings)
        waiting = sum(timing.state[1] == "STOCK" for timing in phase.timings)
        facts = {"allocated": allocated, "waiting": waiting, "oversold": max(0, max(promised, allocated) - units)}
        wrong = [] if (allocated, waiting, promised) == (units, orders - units, units) else [f"{facts}, {promised=}"]
        return replace(phase, facts=facts, wrong=wrong)

    def _post(self, row: Row, release_at: datetime) -> Post:
        return self._shops.webhook(release_at) if row.door == "webhook" else self._shops.api(release_at)

    def _phase(self, name: str, together: int, work: Callable[[], list[Timing]]) -> Phase:
        self._processes.peak_bytes = 0
        looks = self._watch.looks
        self._meter.start()
        began = time.monotonic()
        timings = work()
        looks = self._watch.looks - looks
        spent = self._meter.stop(QUIET_SECONDS, SETTLE_SECONDS)
        looking = looks * self._cost_of_a_look([one.order_id for one in timings if one.order_id][:together])
        return Phase(name, began, timings, spent, self._processes.peak_bytes, looking)

    def _cost_of_a_look(self, order_ids: list[str]) -> float:
        """Processor seconds of one look at so many orders, on the idle system."""
        before = self._processes.cpu()
        for _ in range(CALIBRATING_LOOKS):
            self._watch.look(order_ids)
        return (self._processes.cpu() - before).total / CALIBRATING_LOOKS

    def _set_up(self, warehouse_url: str) -> None:
        """The warehouses are the benchmark's clients; there is enough of everything, and time to cancel."""
        client, stage = self._stack.client, self._stack.stage
        seed.put_reference_data(client, stage, warehouse_url)
        policy = seed.load("settings")["policy"]["active"]
        seconds = int(CANCEL_WINDOW.total_seconds())
        item = {"kind": "policy", "name": "active", **policy, "cancel_window_seconds": seconds}
        seed.put_item(client("dynamodb"), f"oms-{stage}-settings", item)
        for location_id, counted in seed_stock.counts_by_location().items():
            self._book(location_id, dict.fromkeys(counted, PLENTY))
        self._meter.stop(QUIET_SECONDS, SETTLE_SECONDS)  # what stock sets off is no part of the first row

    def _hot_stock(self) -> dict[str, dict[str, Any]]:
        answer = self._system.world.tables.query(
            TableName=self._system.description["tables"]["stock"],
            KeyConditionExpression="sku = :sku",
            ExpressionAttributeValues={":sku": {"S": HOT_SKU}},
        )
        return {row["location_id"]: row for row in map(from_item, answer["Items"])}

    def _count(self, units: dict[str, int]) -> None:
        for location_id, counted in units.items():
            self._book(location_id, {HOT_SKU: counted})

    def _book(self, location_id: str, counted: dict[str, int]) -> None:
        tables, prefix = self._system.world.tables, f"{self._stack.stack_name}-"
        take_snapshot(Booking(Readings.of(tables, prefix), GroupCommit(tables, prefix)), location_id, counted, now())


def _is_decided(state: State) -> bool:
    status, waiting_for = state
    return status == "ALLOCATED" or waiting_for == "STOCK"
