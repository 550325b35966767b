"""Whatever happens in whatever order: once all is quiet, nobody waits for stock that is there for them."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from oms.domain import stock as moves
from oms.domain.changes import StockChange, queue_place
from oms.domain.errors import IllegalTransition
from oms.domain.lifecycle import AWAIT_STOCK
from oms.runtime import clients
from oms.stores.attribute_values import to_item
from tests.integration.company import at, incoming, order_id, received, shelve, worker
from tests.integration.stage import PREFIX, LambdaContext, Stage

SKU, PLACE = "TRAY", "WH-EAST"
WANTED = {1: 5, 2: 1, 3: 2, 4: 3}
"""Units of each order; they were placed in this order."""

MAX_TURNS = 30
TABLES = {"stock": ("sku", "location_id"), "backorders": ("sku", "queue_key")}
Rows = dict[tuple[str, ...], dict[str, Any]]


@dataclass
class Floor:
    """One sku, four orders with their executions, and a stream that tells of it all some time later."""

    stage: Stage
    records: list[dict[str, Any]] = field(default_factory=list)
    told_before: list[dict[str, Any]] = field(default_factory=list)
    asking: set[int] = field(default_factory=set)
    entering: set[int] = field(default_factory=set)
    known: set[int] = field(default_factory=set)
    done: int = 0

    def __post_init__(self) -> None:
        for table in ("orders", "order_references", "contacts", "waits", "stock", "stock_movements", "backorders"):
            self._clear(table)
        shelve(self.stage, {SKU: 0})
        self.made = worker()
        self.stream = self.stage.function("stream_stock")
        self.stream.waking = self.made.waking
        self.seen: dict[str, Rows] = {table: self._rows(table) for table in TABLES}

    def act(self, action: str, number: int) -> None:
        self.done += 1
        getattr(self, action)(number)
        self._record()

    def ask(self, number: int) -> None:
        """The order comes in and its execution asks for stock; one that asked already has a message that came twice."""
        if number not in self.known:
            moment = at(number)
            self.made.take(incoming(number, {SKU: WANTED[number]}, placed_at=moment, channel_updated_at=moment), number)
            self.known.add(number)
        self._allocate(number)

    def enter(self, number: int) -> None:
        """The execution of an order that was told of the shortage enters AwaitStock."""
        if number in self.entering:
            self.entering.discard(number)
            hours = 30 + self.done / 100
            self.made.wait(order_id(number), AWAIT_STOCK, f"{number}/{self.done}", hours=hours)

    def gain(self, number: int) -> None:
        """Some units arrive."""
        assert self.made.commit.commit_one(received(SKU, PLACE, number, 40, f"receipt-{self.done}")).committed

    def lose(self, number: int) -> None:
        """Some units turn out not to be there, as far as nobody was promised them."""
        units = min(number, self.made.stock.get(SKU, PLACE).available)
        if units > 0:
            lost = moves.adjust(SKU, PLACE, -units)
            name = f"lost-{self.done}"
            change = StockChange(change_id=name, effective_at=at(40), at=at(40), actor="count", moves=(lost,))
            assert self.made.commit.commit_one(change).committed

    def cancel(self, number: int) -> None:
        try:
            if number in self.known:
                self.made.decisions.cancel(order_id(number), "changed their mind", "support", at(50))
        except IllegalTransition:
            return

    def review(self, number: int) -> None:
        if number in self.known:
            self.made.lifecycle._request_review(order_id(number), "TIMED_OUT", at(50))

    def tell(self, again: int) -> None:
        """The stream delivers what it has, the last record of before perhaps once more."""
        records, self.records = self.records, []
        if records:
            batch = self.told_before * again + records
            self.told_before = records[-1:]
            answer = self.stream.handler({"Records": batch}, LambdaContext(remaining_millis=60_000))
            assert answer == {"batchItemFailures": []}
        self._heard()

    def come_to_rest(self) -> None:
        """Everything under way arrives. AssertionError if that goes on for ever."""
        for _ in range(MAX_TURNS):
            self.act("tell", 0)
            for number in sorted(self.entering):
                self.act("enter", number)
            self._heard()
            for number in sorted(self.asking):
                self.act("ask", number)
            if not (self.records or self.asking or self.entering):
                return
        raise AssertionError("orders are woken again and again")

    def _allocate(self, number: int) -> None:
        self.asking.discard(number)
        self.made.notebook.told.pop(order_id(number), None)
        before = self.made.stock.get(SKU, PLACE).available
        assert self.made.allocate(order_id(number), hours=45) == []
        after = self.made.stock.get(SKU, PLACE).available
        assert after == before or after >= self._claims_before(number)
        if self.made.notebook.told[order_id(number)][0].error == "OutOfStock":
            self.entering.add(number)

    def _claims_before(self, number: int) -> int:
        place = queue_place(self.stage.order(order_id(number)))
        return sum(row["quantity"] for row in self.stage.rows("backorders") if row["queue_key"] < place)

    def _heard(self) -> None:
        """Executions that were told to ask again do so, some time."""
        tokens = [token for token in self.made.notebook.told if "/" in token]
        for token in tokens:
            answers = self.made.notebook.told.pop(token)
            if answers[0].error is None:
                self.asking.add(int(token.split("/")[0]))

    def _record(self) -> None:
        for table, names in TABLES.items():
            rows, seen = self._rows(table), self.seen[table]
            for key in seen.keys() | rows.keys():
                if seen.get(key) != rows.get(key):
                    keys = to_item(dict(zip(names, key, strict=True)))
                    images = {"OldImage": seen.get(key), "NewImage": rows.get(key)}
                    made = {name: to_item(image) for name, image in images.items() if image}
                    number = f"{self.done:06}-{len(self.records)}"
                    self.records.append({"dynamodb": {"Keys": keys, "SequenceNumber": number} | made})
            self.seen[table] = rows

    def _rows(self, table: str) -> Rows:
        names = TABLES[table]
        found = [row for row in self.stage.rows(table) if row["sku"] == SKU]
        return {tuple(row[name] for name in names): row for row in found}

    def _clear(self, table: str) -> None:
        client = clients.client("dynamodb")
        described = client.describe_table(TableName=PREFIX + table)["Table"]["KeySchema"]
        for row in self.stage.rows(table):
            key = to_item({one["AttributeName"]: row[one["AttributeName"]] for one in described})
            client.delete_item(TableName=PREFIX + table, Key=key)


ACTIONS = st.one_of(
    st.tuples(st.sampled_from(["ask", "enter"]), st.sampled_from(list(WANTED))),
    st.tuples(st.sampled_from(["gain", "lose"]), st.integers(1, 6)),
    st.tuples(st.sampled_from(["cancel", "review"]), st.sampled_from(list(WANTED))),
    st.tuples(st.just("tell"), st.integers(0, 1)),
)


@given(st.lists(ACTIONS, min_size=4, max_size=14))
@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@example([("ask", 1), ("ask", 2), ("enter", 2), ("enter", 1), ("tell", 0), ("gain", 3), ("tell", 0), ("cancel", 1)])
@example([("ask", 3), ("gain", 1), ("ask", 4), ("enter", 3), ("enter", 4), ("gain", 3), ("review", 3)])
@example([("ask", 1), ("ask", 2), ("ask", 3), ("gain", 6), ("lose", 6), ("tell", 0), ("gain", 6)])
def test_once_all_is_quiet_nobody_waits_for_stock_that_is_there_for_them(
    stage: Stage, actions: list[tuple[str, int]]
) -> None:
    """And whoever took stock left those before them what they wait for."""
    floor = Floor(stage)
    for action, number in actions:
        floor.act(action, number)
    floor.come_to_rest()
    queue = sorted(stage.rows("backorders"), key=lambda row: row["queue_key"])
    if queue:
        assert floor.made.stock.get(SKU, PLACE).available < queue[0]["quantity"]
    waiting = {row["order_id"] for row in queue}
    for number in floor.known:
        order = stage.order(order_id(number))
        looking = sum(line.unallocated for line in order.lines)
        assert bool(looking and not order.review) == (order.order_id in waiting)
