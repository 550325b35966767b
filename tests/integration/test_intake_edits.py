"""Orders that their channel edits before release, through every function and the state machine: they ship the edit."""

from __future__ import annotations

from dataclasses import replace
from itertools import permutations
from typing import Any

import pytest

from oms.domain.incoming import IncomingLine, IncomingOrder
from oms.domain.order import Totals
from tests.integration.company import (
    ADA,
    RENO,
    at,
    balance,
    held_by_orders,
    incoming,
    line,
    order_id,
    shelve,
    story,
    worker,
)
from tests.integration.faults import CrashedError, Faults
from tests.integration.machine import System
from tests.integration.samples import MainStreet
from tests.integration.stage import Stage


def edited(*lines: IncomingLine, hours: float = 1, **changes: Any) -> IncomingOrder:
    total = sum(one.unit_price_minor * one.quantity for one in lines)
    made = incoming(channel_updated_at=at(hours), **changes)
    return replace(made, lines=lines, totals=Totals(goods_minor=total, total_minor=total))


EDIT = (line("L1", "MUG", 4), line("L2", "BOWL", 1, left=0), line("L3", "KETTLE", 1))


@pytest.fixture
def system(stage: Stage) -> System:
    return System(MainStreet(stage))


def take(message: IncomingOrder, hours: float = 1) -> None:
    worker().take(message, hours=hours)


def units_held(stage: Stage) -> dict[str, int]:
    held: dict[str, int] = {}
    for (sku, _), units in held_by_orders(stage).items():
        held[sku] = held.get(sku, 0) + units
    return {sku: units for sku, units in held.items() if units}


def test_an_order_edited_before_it_is_allocated_ships_the_edit(stage: Stage, system: System) -> None:
    take(incoming())
    take(edited(*EDIT))
    system.run()
    assert stage.order(order_id()).status == "RELEASED"
    assert units_held(stage) == {"MUG": 4, "KETTLE": 1}


def test_an_order_edited_while_a_hold_stops_it_is_allocated_again_and_ships_the_edit(
    stage: Stage, system: System
) -> None:
    take(incoming(payment_status="PENDING"))
    system.run()
    first = units_held(stage)
    take(edited(*EDIT, payment_status="PENDING"))
    assert units_held(stage) == {"MUG": 2}
    system.run()
    order = stage.order(order_id())
    assert (first, order.waiting_for) == ({"MUG": 2, "BOWL": 1}, "HOLD")
    assert units_held(stage) == {"MUG": 4, "KETTLE": 1}
    take(edited(*EDIT, hours=2), hours=2)
    system.run()
    order = stage.order(order_id())
    assert (order.status, order.totals.total_minor) == ("RELEASED", 6000)
    assert units_held(stage) == {"MUG": 4, "KETTLE": 1}
    assert [name for name in story(stage, order_id()) if name in ("LinesCancelled", "OrderEdited")] == [
        "LinesCancelled",
        "OrderEdited",
    ]


def test_an_order_that_waits_for_stock_goes_on_once_its_channel_asks_for_less(stage: Stage, system: System) -> None:
    take(incoming(lines={"BOWL": 5}))
    system.run()
    assert (stage.order(order_id()).waiting_for, len(stage.rows("backorders"))) == ("STOCK", 1)
    take(edited(line("L1", "BOWL", 5, left=2)))
    system.run()
    assert stage.order(order_id()).status == "RELEASED"
    assert stage.rows("backorders") == []
    assert units_held(stage) == {"BOWL": 2}


def test_what_is_added_to_an_order_that_waits_for_stock_is_its_own_at_once(stage: Stage, system: System) -> None:
    take(incoming(lines={"BOWL": 5}))
    system.run()
    take(edited(line("L1", "BOWL", 5), line("L2", "KETTLE", 2)))
    system.run()
    order = stage.order(order_id())
    assert (order.waiting_for, order.lines[0].backordered) == ("STOCK", 2)
    assert units_held(stage) == {"BOWL": 3, "KETTLE": 2}
    assert [(row["sku"], row["quantity"]) for row in stage.rows("backorders")] == [("BOWL", 2)]


def test_an_order_its_channel_brings_back_to_life_is_allocated_and_released(stage: Stage, system: System) -> None:
    take(incoming())
    take(edited(*incoming().lines, cancelled_at=at(1)))
    system.run()
    assert (stage.order(order_id()).status, units_held(stage)) == ("CANCELLED", {})
    take(edited(*incoming().lines, hours=2), hours=2)
    assert worker().orders.get(order_id()).waiting_for == "ALLOCATION"  # type: ignore[union-attr]
    assert worker().lifecycle.keep_alive(stage.order(order_id()))


def test_a_new_address_with_other_units_is_one_change(stage: Stage) -> None:
    made = worker()
    made.take(incoming())
    made.allocate(order_id())
    before = stage.order(order_id()).version
    moved = replace(ADA, ship_to=RENO)
    made.take(edited(line("L1", "MUG", 1), line("L2", "BOWL", 2), contact=moved), hours=1)
    order = stage.order(order_id())
    assert (order.version, order.ship_to.region) == (before + 1, "NV")
    assert [(one.in_fulfillment, one.unallocated, one.cancelled) for one in order.lines] == [(0, 1, 1), (0, 2, 0)]
    made.allocate(order_id(), hours=1)
    assert units_held(stage) == {"MUG": 1, "BOWL": 2}
    balance(stage)


def test_an_edit_that_meets_the_release_is_put_to_a_person_instead(stage: Stage, faults: Faults) -> None:
    made, rival = worker(), worker()
    made.take(incoming())
    made.allocate(order_id())
    faults.meanwhile("TransactWriteItems", lambda: rival.lifecycle.evaluate(order_id(), at(1)))
    made.take(edited(*EDIT), hours=1)
    order = stage.order(order_id())
    assert (order.reason_code, order.totals.total_minor) == ("CHANGE_AFTER_RELEASE", 3000)
    assert units_held(stage) == {"MUG": 2, "BOWL": 1}
    balance(stage)


@pytest.mark.parametrize("moment", ["before", "after"])
def test_an_edit_whose_worker_dies_is_made_once(stage: Stage, faults: Faults, moment: str) -> None:
    made = worker()
    made.take(incoming())
    made.allocate(order_id())
    (faults.crash_before if moment == "before" else faults.crash_after)("TransactWriteItems")
    with pytest.raises(CrashedError):
        made.take(edited(*EDIT), hours=1)
    worker().take(edited(*EDIT), hours=1)
    order = stage.order(order_id())
    assert [(one.ordered, one.cancelled) for one in order.lines] == [(4, 0), (1, 1), (1, 0)]
    assert story(stage, order_id()).count("OrderEdited") == 1
    balance(stage)


def test_a_kit_that_is_added_holds_all_it_is_made_of(stage: Stage) -> None:
    made = worker()
    made.take(incoming(lines={"BOWL": 1}))
    made.allocate(order_id())
    made.take(edited(line("L1", "BOWL", 1), line("L2", "SET", 2)), hours=1)
    made.allocate(order_id(), hours=1)
    assert units_held(stage) == {"BOWL": 1, "MUG": 4}
    made.take(edited(line("L1", "BOWL", 1), line("L2", "SET", 2, left=1), hours=2), hours=2)
    assert units_held(stage) == {"BOWL": 1, "MUG": 2}
    balance(stage)


def test_an_edit_that_moves_more_than_one_change_may_is_put_to_a_person(stage: Stage) -> None:
    many = {f"SKU-{number:02}": 1 for number in range(45)}
    shelve(stage, many)
    made = worker()
    made.take(incoming(lines=many))
    made.allocate(order_id())
    lines = [line(f"L{place}", sku, 1, left=0) for place, sku in enumerate(many, start=1)]
    made.take(edited(*lines, line("L99", "MUG", 1)), hours=1)
    order = stage.order(order_id())
    assert (order.reason_code, order.lines[0].in_fulfillment) == ("CHANNEL_EDIT", 1)
    assert order.review is not None
    assert order.review.detail == "cancel units, add a line, change prices"


def test_an_edit_that_does_not_add_up_is_kept_for_a_person_until_it_does(stage: Stage) -> None:
    made = worker()
    made.take(incoming())
    wrong = edited(*EDIT)
    made.take(replace(wrong, totals=replace(wrong.totals, total_minor=5990)), hours=1)
    order = stage.order(order_id())
    assert order.review is not None
    assert (order.review.reason, order.review.detail) == ("TOTALS_MISMATCH", "off by -0.10 USD")
    made.take(edited(*EDIT, hours=2), hours=2)
    assert stage.order(order_id()).review is None


HISTORY = (
    incoming(payment_status="PENDING"),
    edited(*EDIT, payment_status="PENDING", contact=replace(ADA, ship_to=RENO)),
    edited(line("L1", "MUG", 4, left=3), *EDIT[1:], hours=2, contact=replace(ADA, ship_to=RENO)),
)


@pytest.mark.parametrize("sequence", list(permutations(range(3))), ids=str)
def test_messages_in_any_sequence_and_each_of_them_twice_end_the_same(stage: Stage, sequence: tuple[int, ...]) -> None:
    made = worker()
    for hours, number in enumerate((*sequence, *sequence)):
        made.take(HISTORY[number], hours=hours)
        made.allocate(order_id(), hours=hours)
    order = stage.order(order_id())
    live = {one.sku: one.in_fulfillment for one in order.lines if one.in_fulfillment}
    assert (live, order.holds, order.review) == ({"MUG": 3, "KETTLE": 1}, (), None)
    assert (order.totals.total_minor, order.ship_to.region, order.channel_updated_at) == (6000, "NV", at(2))
    assert units_held(stage) == {"MUG": 3, "KETTLE": 1}
    assert stage.rows("contacts")[0]["ship_to"]["city"] == "Reno"
    balance(stage)
