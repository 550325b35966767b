"""Orders that are short of stock: what they take, whom they let pass, how long they wait and how that ends."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest

from oms.domain.catalog import BackorderOutcome, BackorderRule, KitComponent, Product
from oms.domain.lifecycle import AWAIT_STOCK, Answer
from oms.domain.order import OrderStatus, WaitingFor
from tests.integration.commits import Sent
from tests.integration.company import (
    Worker,
    at,
    balance,
    everything,
    held_by_orders,
    incoming,
    order_id,
    received,
    shelve,
    story,
    worker,
)
from tests.integration.fast_tables import fast_tables
from tests.integration.faults import CrashedError, Faults
from tests.integration.stage import POLICY, PREFIX, Stage

HOUR = 3600
WAITED = 24
"""Hours after which the wait is over in these tests."""


@pytest.fixture
def stage(monkeypatch: pytest.MonkeyPatch) -> Iterator[Stage]:
    with fast_tables(monkeypatch) as made:
        yield made


def under(stage: Stage, **rules: Any) -> Worker:
    """A worker under these rules of the company."""
    stage.put("settings", replace(POLICY, **rules), kind="policy", name="active")
    return worker()


def placed(made: Worker, number: int, lines: dict[str, int], **facts: Any) -> str:
    """An order, one hour younger than the one before it."""
    made.take(incoming(number, lines, placed_at=at(number - 100), **facts))
    return order_id(number)


def arrives(made: Worker, sku: str, units: int, receipt: str = "receipt-1", place: str = "WH-EAST") -> None:
    assert made.commit.commit_one(received(sku, place, units, change_id=receipt)).committed


def queue(stage: Stage, sku: str) -> list[tuple[str, int]]:
    """Who waits for the sku, first come first, and for how much."""
    rows = sorted(
        (row["queue_key"], row["order_id"], row["quantity"]) for row in stage.rows("backorders") if row["sku"] == sku
    )
    return [(name, units) for _, name, units in rows]


def waits(made: Worker, number: int, hours: float = 0) -> str:
    """The order's execution waits for stock; returns its token."""
    token = f"wait-{number}-{hours}"
    made.wait(order_id(number), AWAIT_STOCK, token, hours=hours)
    return token


# ------------------------------------------------------------------------------------------------ what there is


def test_an_order_short_of_something_takes_what_is_there_and_waits_for_the_rest_in_one_write(stage: Stage) -> None:
    made = worker()
    placed(made, 1, {"MUG": 2, "BOWL": 5})
    sent = Sent(stage)
    assert made.allocate(order_id()) == []
    assert sent.tables() == {"orders": 1, "stock": 2, "stock_movements": 2, "backorders": 1}
    assert len(sent.transactions) == 1
    order = stage.order(order_id())
    assert (order.version, order.status, order.waiting_for) == (2, OrderStatus.PARTIALLY_ALLOCATED, WaitingFor.STOCK)
    assert [(line.in_fulfillment, line.backordered) for line in order.lines] == [(2, 0), (3, 2)]
    assert story(stage, order_id()) == ["OrderReceived", "OrderRouted", "OrderAllocated", "OrderBackordered"]
    assert queue(stage, "BOWL") == [(order_id(), 2)]
    assert made.notebook.told[order_id()] == [Answer(error="OutOfStock")]
    balance(stage)


def test_an_order_that_ships_together_is_not_released_before_its_last_unit_is_there(stage: Stage) -> None:
    made = under(stage, backorder_rule=BackorderRule.SHIP_TOGETHER)
    placed(made, 1, {"MUG": 2, "BOWL": 4})
    made.allocate(order_id())
    made.lifecycle.evaluate(order_id(), at(1))
    assert stage.rows("deliveries") == []
    arrives(made, "BOWL", 1)
    made.allocate(order_id(), hours=2)
    made.lifecycle.evaluate(order_id(), at(2))
    assert stage.order(order_id()).status is OrderStatus.RELEASED
    balance(stage)


def test_where_parts_may_ship_what_is_there_goes_after_the_cancel_window_and_the_rest_when_it_comes(
    stage: Stage,
) -> None:
    made = under(stage, backorder_rule=BackorderRule.SHIP_AVAILABLE, cancel_window_seconds=100 * HOUR)
    placed(made, 1, {"MUG": 2, "BOWL": 4})
    made.allocate(order_id())
    made.lifecycle.evaluate(order_id(), at(0.9))
    assert stage.rows("deliveries") == []
    made.lifecycle.evaluate(order_id(), at(1))
    assert len(stage.rows("deliveries")) == 1
    order = stage.order(order_id())
    assert (order.waiting_for, order.lines[1].backordered) == (WaitingFor.STOCK, 1)
    assert queue(stage, "BOWL") == [(order_id(), 1)]
    arrives(made, "BOWL", 1)
    made.allocate(order_id(), hours=2)
    made.lifecycle.evaluate(order_id(), at(2))
    assert sorted(row["fulfillment_id"] for row in stage.rows("deliveries")) == [
        one.fulfillment_id for one in stage.order(order_id()).fulfillments
    ]
    assert len(stage.order(order_id()).fulfillments) == 2
    assert queue(stage, "BOWL") == []
    balance(stage)


def test_where_the_rest_is_cancelled_the_order_goes_on_with_what_is_there(stage: Stage) -> None:
    made = under(stage, backorder_rule=BackorderRule.CANCEL_REST)
    placed(made, 1, {"MUG": 2, "BOWL": 5})
    sent = Sent(stage)
    made.allocate(order_id())
    assert len(sent.transactions) == 1
    order = stage.order(order_id())
    assert [(line.in_fulfillment, line.cancelled) for line in order.lines] == [(2, 0), (3, 2)]
    assert story(stage, order_id()) == ["OrderReceived", "OrderRouted", "OrderAllocated", "LinesCancelled"]
    assert made.notebook.told[order_id()][0].error is None
    assert stage.rows("backorders") == []
    balance(stage)


def test_where_the_rest_is_cancelled_and_nothing_is_there_the_order_is_cancelled(stage: Stage) -> None:
    made = under(stage, backorder_rule=BackorderRule.CANCEL_REST)
    shelve(stage, {"TRAY": 0})
    placed(made, 1, {"TRAY": 2})
    made.allocate(order_id())
    assert stage.order(order_id()).status is OrderStatus.CANCELLED
    assert made.notebook.told[order_id()] == [Answer(error="Cancelled")]
    assert (stage.rows("backorders"), stage.rows("stock_movements")) == ([], [])


# ------------------------------------------------------------------------------------------------ first come first


@pytest.mark.parametrize("asked", [(1, 2, 3), (3, 2, 1)])
def test_in_one_batch_the_oldest_takes_all_there_is_and_the_younger_stand_behind_it(
    stage: Stage, asked: tuple[int, ...]
) -> None:
    made = worker()
    for number, units in ((1, 5), (2, 1), (3, 1)):
        placed(made, number, {"BOWL": units})
    made.allocate(*map(order_id, asked))
    assert queue(stage, "BOWL") == [(order_id(1), 2), (order_id(2), 1), (order_id(3), 1)]
    arrives(made, "BOWL", 3)
    made.allocate(*map(order_id, asked), hours=1)
    assert queue(stage, "BOWL") == [(order_id(3), 1)]
    balance(stage)


@pytest.mark.parametrize(("units", "left"), [(1, 1), (2, 2), (3, 2), (4, 2)])
def test_a_younger_order_takes_only_what_exceeds_what_older_ones_wait_for(stage: Stage, units: int, left: int) -> None:
    made = worker()
    placed(made, 1, {"BOWL": 5})
    made.allocate(order_id(1))
    arrives(made, "BOWL", units)
    placed(made, 2, {"BOWL": 1})
    made.allocate(order_id(2), hours=1)
    taken = max(0, min(1, units - 2))
    assert stage.order(order_id(2)).lines[0].in_fulfillment == taken
    assert stage.position("BOWL", "WH-EAST").available >= min(units, left)
    made.allocate(order_id(1), hours=2)
    assert stage.order(order_id(1)).lines[0].in_fulfillment == 3 + min(units, 2)
    balance(stage)


def test_an_express_order_goes_before_older_standard_ones_in_a_batch_and_in_the_queue(stage: Stage) -> None:
    made = worker()
    placed(made, 1, {"BOWL": 3})
    placed(made, 2, {"BOWL": 2})
    placed(made, 3, {"BOWL": 2}, service_level="EXPRESS")
    made.allocate(order_id(1), order_id(2), order_id(3))
    assert stage.order(order_id(3)).status is OrderStatus.ALLOCATED
    assert queue(stage, "BOWL") == [(order_id(1), 2), (order_id(2), 2)]
    placed(made, 4, {"BOWL": 1}, service_level="EXPRESS")
    made.allocate(order_id(4), hours=1)
    assert [name for name, _ in queue(stage, "BOWL")] == [order_id(4), order_id(1), order_id(2)]
    balance(stage)


def test_who_leaves_the_queue_lets_the_next_one_in(stage: Stage) -> None:
    made = worker()
    shelve(stage, {"TRAY": 0})
    for number in (1, 2):
        placed(made, number, {"TRAY": 1})
    made.allocate(order_id(1), order_id(2))
    arrives(made, "TRAY", 1)
    token = waits(made, 2)
    assert token not in made.notebook.told
    made.decisions.cancel(order_id(1), "CUSTOMER", "desk", at(1))
    made.lifecycle.evaluate(order_id(2), at(1))
    assert made.notebook.first(token) == Answer()
    made.allocate(order_id(2), hours=1)
    assert stage.order(order_id(2)).status is OrderStatus.ALLOCATED
    balance(stage, {("TRAY", "WH-EAST"): 0})


def test_units_that_an_older_order_takes_while_a_younger_one_looks_are_not_taken_for_spare(
    stage: Stage, faults: Faults
) -> None:
    """Two units, three who wait for one each: the oldest takes its unit after the youngest has read the stock."""
    made, rival = worker(), worker()
    shelve(stage, {"TRAY": 0})
    for number in (1, 2, 3):
        placed(made, number, {"TRAY": 1})
    made.allocate(order_id(1), order_id(2), order_id(3))
    arrives(made, "TRAY", 2)

    oldest = [order_id(1)]

    def look(request: Any) -> None:
        if oldest and f'"{PREFIX}backorders"'.encode() in request.body:
            rival.allocate(oldest.pop(), hours=1)

    faults.before("Query", look, times=1_000)
    made.allocate(order_id(3), hours=1)
    assert rival.notebook.told[order_id(1)][0].error is None
    assert queue(stage, "TRAY") == [(order_id(2), 1), (order_id(3), 1)]
    balance(stage, {("TRAY", "WH-EAST"): 0})


# ------------------------------------------------------------------------------------------------ the limit


def waiting(stage: Stage, lines: dict[str, int], **rules: Any) -> tuple[Worker, str]:
    """A worker, and the token of an order's execution that has waited for stock since NOON."""
    made = under(stage, backorder_limit_seconds=WAITED * HOUR, **rules)
    placed(made, 1, lines)
    made.allocate(order_id())
    return made, waits(made, 1)


def test_an_order_that_waited_for_too_long_is_put_before_a_person(stage: Stage) -> None:
    made, token = waiting(stage, {"BOWL": 4})
    assert stage.order(order_id()).due_at == at(WAITED)
    made.lifecycle.evaluate(order_id(), at(WAITED - 0.1))
    assert token not in made.notebook.told
    made.lifecycle.evaluate(order_id(), at(WAITED))
    order = stage.order(order_id())
    assert (order.waiting_for, order.reason_code) == (WaitingFor.REVIEW, "BACKORDER_LIMIT")
    assert made.notebook.first(token) == Answer(error="InReview")
    before = everything(stage)
    made.lifecycle.evaluate(order_id(), at(WAITED + 1))
    assert everything(stage) == before
    balance(stage)


def test_after_a_person_said_go_on_the_wait_begins_anew(stage: Stage) -> None:
    made, _ = waiting(stage, {"BOWL": 4})
    made.lifecycle.evaluate(order_id(), at(WAITED))
    made.decisions.resolve_review(order_id(), "ada", at(30))
    made.allocate(order_id(), hours=30)
    assert queue(stage, "BOWL") == [(order_id(), 1)]
    assert stage.order(order_id()).backordered_since == at(30)
    made.lifecycle.evaluate(order_id(), at(30 + WAITED - 0.1))
    assert stage.order(order_id()).review is None
    made.lifecycle.evaluate(order_id(), at(30 + WAITED))
    assert stage.order(order_id()).waiting_for is WaitingFor.REVIEW
    balance(stage)


def test_where_the_limit_cancels_the_rest_the_order_goes_on_with_what_it_has(stage: Stage) -> None:
    made, token = waiting(stage, {"MUG": 1, "BOWL": 4}, backorder_outcome=BackorderOutcome.CANCEL_REST)
    made.lifecycle.evaluate(order_id(), at(WAITED))
    order = stage.order(order_id())
    assert [(line.in_fulfillment, line.cancelled) for line in order.lines] == [(1, 0), (3, 1)]
    assert order.status is OrderStatus.ALLOCATED
    assert made.notebook.first(token) == Answer()
    assert queue(stage, "BOWL") == []
    balance(stage)


def test_where_the_limit_cancels_the_rest_and_there_is_nothing_else_the_order_ends(stage: Stage) -> None:
    shelve(stage, {"TRAY": 0})
    made, token = waiting(stage, {"TRAY": 4}, backorder_outcome=BackorderOutcome.CANCEL_REST)
    made.lifecycle.evaluate(order_id(), at(WAITED))
    assert stage.order(order_id()).status is OrderStatus.CANCELLED
    assert made.notebook.first(token) == Answer(error="Cancelled")
    assert queue(stage, "TRAY") == []


def test_stock_that_comes_before_the_limit_ends_the_wait_for_good(stage: Stage) -> None:
    made, token = waiting(stage, {"BOWL": 4})
    arrives(made, "BOWL", 1)
    made.lifecycle.evaluate(order_id(), at(1))
    assert made.notebook.first(token) == Answer()
    made.allocate(order_id(), hours=1)
    assert stage.order(order_id()).backordered_since is None
    made.lifecycle.evaluate(order_id(), at(WAITED + 1))
    assert stage.order(order_id()).review is None


# ------------------------------------------------------------------------------------------------ kits


@pytest.mark.parametrize(("trays", "whole"), [(0, 0), (1, 1), (2, 2)])
def test_kits_short_of_one_component_take_whole_kits_only_and_wait_for_all_of_the_rest(
    stage: Stage, trays: int, whole: int
) -> None:
    made = worker()
    opening = shelve(stage, {"TRAY": trays})
    components = (KitComponent(sku="MUG", quantity=2), KitComponent(sku="TRAY", quantity=1))
    stage.put("products", Product(sku="GIFT", grams=900, kit_components=components))
    placed(made, 1, {"GIFT": 2})
    made.allocate(order_id())
    short = 2 - whole
    assert stage.order(order_id()).lines[0].in_fulfillment == whole
    assert stage.position("MUG", "WH-EAST").committed == 2 * whole
    assert queue(stage, "TRAY") == ([(order_id(), short)] if short else [])
    assert queue(stage, "MUG") == ([(order_id(), 2 * short)] if short else [])
    if short:
        arrives(made, "TRAY", short)
        made.allocate(order_id(), hours=1)
    assert stage.order(order_id()).status is OrderStatus.ALLOCATED
    assert stage.rows("backorders") == []
    balance(stage, opening)


def test_nobody_takes_the_component_that_is_there_from_kits_that_wait_for_the_other(stage: Stage) -> None:
    made = worker()
    shelve(stage, {"TRAY": 0})
    components = (KitComponent(sku="BOWL", quantity=1), KitComponent(sku="TRAY", quantity=1))
    stage.put("products", Product(sku="GIFT", grams=900, kit_components=components))
    placed(made, 1, {"GIFT": 2})
    placed(made, 2, {"BOWL": 3})
    made.allocate(order_id(2), order_id(1))
    assert stage.order(order_id(2)).lines[0].in_fulfillment == 1
    arrives(made, "TRAY", 2)
    made.allocate(order_id(1), hours=1)
    assert stage.order(order_id(1)).status is OrderStatus.ALLOCATED
    balance(stage, {("TRAY", "WH-EAST"): 0})


# ------------------------------------------------------------------------------------------------ in parts

MIXED = {f"SKU-{number:03}": 2 for number in range(90)}
SHELVES = {sku: (0, 1, 2)[number % 3] for number, sku in enumerate(sorted(MIXED))}
"""Of each three lines one is there, one half, one not at all."""


def ended_as_it_should(stage: Stage, opening: dict[tuple[str, str], int]) -> None:
    order = stage.order(order_id())
    there = [SHELVES[line.sku] for line in order.lines]
    assert [line.in_fulfillment for line in order.lines] == there
    assert [line.backordered for line in order.lines] == [2 - units for units in there]
    rows = {row["sku"]: row["quantity"] for row in stage.rows("backorders")}
    assert rows == {sku: 2 - units for sku, units in SHELVES.items() if units < 2}
    assert sum(held_by_orders(stage).values()) == sum(SHELVES.values())
    balance(stage, opening)


def test_an_order_too_large_for_one_change_takes_and_waits_in_parts(stage: Stage) -> None:
    opening = shelve(stage, MIXED | SHELVES)
    made = worker()
    placed(made, 1, MIXED)
    sent = Sent(stage)
    assert made.allocate(order_id()) == []
    assert made.notebook.told[order_id()] == [Answer(error="OutOfStock")]
    assert len(sent.transactions) > 2
    assert max(len(one) for one in sent.transactions) <= 100
    ended_as_it_should(stage, opening)
    before = everything(stage)
    assert made.allocate(order_id(), hours=1) == []
    assert everything(stage) == before


@pytest.mark.parametrize("when", ["before", "after"])
@pytest.mark.parametrize("part", [1, 2, 3])
def test_a_crash_between_taking_and_waiting_ends_the_same_once_the_message_comes_again(
    stage: Stage, faults: Faults, when: str, part: int
) -> None:
    opening = shelve(stage, MIXED | SHELVES)
    made = worker()
    placed(made, 1, MIXED)
    {"before": faults.crash_before, "after": faults.crash_after}[when](nth=part)
    with pytest.raises(CrashedError):
        made.allocate(order_id())
    faults.mend()
    again = worker()
    assert again.allocate(order_id(), hours=0.1) == []
    assert again.notebook.told[order_id()] == [Answer(error="OutOfStock")]
    ended_as_it_should(stage, opening)
