"""Stock that comes and goes, through every function: orders go on by themselves, and all comes to rest."""

from __future__ import annotations

import json
from typing import Any

import pytest

from oms.domain import stock as moves
from oms.domain.changes import StockChange
from oms.domain.order import Order, OrderStatus, WaitingFor
from oms.domain.stock import OVERSOLD, StockMove
from oms.stores.attribute_values import to_item
from tests.integration.company import held_by_orders, story, worker
from tests.integration.machine import System
from tests.integration.samples import NOW, MainStreet
from tests.integration.stage import Stage, sample

OVEN = "DUTCH-OVEN-5"
STREAMED = {"stock": ("sku", "location_id"), "backorders": ("sku", "queue_key")}
Row = dict[str, Any]


class StockSystem(System):
    """The system with its streams of stock and queues, its stock queue, and the read model of open lines."""

    def __init__(self, company: MainStreet) -> None:
        super().__init__(company)
        self.rows: dict[str, dict[tuple[str, ...], Row]] = {table: self._of(table) for table in STREAMED}
        self.projected = 0

    def _streams(self) -> bool:
        return super()._streams() | self._projection() | self._stock_streams() | self._stock_queue()

    def _projection(self) -> bool:
        published = self.company.published[self.projected :]
        self.projected += len(published)
        orders = sorted({json.loads(entry["Detail"])["order_id"] for entry in published})
        if orders:
            self.hand_to("queue_projection", *({"detail": {"order_id": order_id}} for order_id in orders))
        return bool(orders)

    def _stock_streams(self) -> bool:
        moved = False
        for table, names in STREAMED.items():
            before, after = self.rows[table], self._of(table)
            self.rows[table] = after
            changed = [key for key in before.keys() | after.keys() if before.get(key) != after.get(key)]
            records = [_record(names, key, before.get(key), after.get(key)) for key in sorted(changed)]
            if records:
                self.call("stream_stock", {"Records": records})
                moved = True
        return moved

    def _stock_queue(self) -> bool:
        messages = self.company.stage.messages("stock")
        if messages:
            self.hand_to("queue_stock", *messages)
        return bool(messages)

    def _of(self, table: str) -> dict[tuple[str, ...], Row]:
        names = STREAMED[table]
        return {tuple(row[name] for name in names): row for row in self.company.stage.rows(table)}


def _record(names: tuple[str, ...], key: tuple[str, ...], before: Row | None, after: Row | None) -> Row:
    images = {name: to_item(row) for name, row in (("OldImage", before), ("NewImage", after)) if row}
    keys = {"Keys": to_item(dict(zip(names, key, strict=True))), "SequenceNumber": "1"}
    return {"eventName": "MODIFY", "dynamodb": keys | images}


@pytest.fixture
def system(stage: Stage) -> StockSystem:
    return StockSystem(MainStreet(stage))


def place(system: System, case: str) -> Order:
    """An order comes in and goes as far as it can; returns it."""
    known = {row["order_id"] for row in system.company.stage.rows("orders")}
    system.call("queue_intake", sample("queue_intake", case))
    system.run()
    (order_id,) = {row["order_id"] for row in system.company.stage.rows("orders")} - known
    return system.company.stage.order(order_id)


def book(system: System, move: StockMove) -> None:
    """Stock moves though no order asked, and what follows from it happens."""
    name = f"report of {move.quantity} at {move.location_id}"
    change = StockChange(change_id=name, effective_at=NOW, at=NOW, actor=move.location_id, moves=(move,))
    assert worker().commit.commit_one(change).committed
    system.run()


def problems(system: System) -> dict[tuple[str, str], int]:
    """Units that are missing, of the positions that show."""
    rows = system.company.stage.rows("stock")
    return {(row["sku"], row["location_id"]): -row["available"] for row in rows if row.get("problem") == OVERSOLD}


def test_an_order_that_waits_goes_on_by_itself_when_goods_arrive(system: StockSystem) -> None:
    order = place(system, "more_than_there_is")
    assert order.waiting_for is WaitingFor.STOCK
    book(system, moves.receive(OVEN, "WH-COLUMBUS", 25))
    assert system.company.stage.order(order.order_id).waiting_for is WaitingFor.STOCK
    entries = system.entries
    book(system, moves.receive(OVEN, "WH-ATLANTA", 1))
    order = system.company.stage.order(order.order_id)
    assert order.status is OrderStatus.RELEASED
    assert sum(line.in_fulfillment for line in order.lines) == 40
    assert system.entries == entries + 2  # Allocate, then Fulfill: it was woken once


def test_what_a_location_lost_is_taken_back_and_comes_from_another(system: StockSystem) -> None:
    order = place(system, "payment_pending")
    assert order.waiting_for is WaitingFor.HOLD
    work = order.fulfillments[0]
    sku, location_id = work.lines[0].sku, work.location_id
    on_hand = system.company.stage.position(sku, location_id).on_hand
    book(system, moves.adjust(sku, location_id, -on_hand))
    order = system.company.stage.order(order.order_id)
    assert story(system.company.stage, order.order_id)[-3:] == ["LinesReplanned", "OrderRouted", "OrderAllocated"]
    assert (order.waiting_for, sum(line.unallocated for line in order.lines)) == (WaitingFor.HOLD, 0)
    held = held_by_orders(system.company.stage)
    assert held[sku, location_id] == 0
    assert sum(units for (held_sku, _), units in held.items() if held_sku == sku) == work.lines[0].open
    assert problems(system) == {}


def test_what_a_location_lost_of_work_it_was_asked_to_do_shows_and_all_comes_to_rest(system: StockSystem) -> None:
    order = place(system, "two_lines")
    assert order.status is OrderStatus.RELEASED
    part = order.fulfillments[0].lines[0]
    key = (part.sku, order.fulfillments[0].location_id)
    book(system, moves.adjust(*key, -system.company.stage.position(*key).on_hand))
    assert problems(system) == {key: part.open}
    assert system.company.stage.order(order.order_id) == order
