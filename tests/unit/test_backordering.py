"""Short of stock: which units wait, which are cancelled, and when the wait is over."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from oms.domain import backordering
from oms.domain.allocation import allocate
from oms.domain.backordering import (
    MAX_ROWS_PER_CHANGE,
    backordered_units,
    cancel_rest,
    record_shortage,
    short_units,
    wait_is_over,
    waits_only_for_stock,
    what_is_there,
)
from oms.domain.catalog import BackorderRule, Policy
from oms.domain.changes import Backorder, OrderChange, backorders, fold, queue_place
from oms.domain.events import EventType
from oms.domain.order import Component, Line, Order, OrderStatus, Review, WaitingFor
from oms.domain.progress import check, step
from oms.domain.routing import RoutingPlan
from tests.unit.builders import NOON, context, line, plan, received

GIFT = (Component(sku="MUG", quantity=2), Component(sku="TRAY", quantity=1))


def kit(line_id: str, quantity: int = 1) -> Line:
    return line(line_id, "GIFT", quantity, components=GIFT)


def short(order: Order, **units: int) -> Order:
    """The order once these units per line are known to be short."""
    change = record_shortage(order, units, context())
    assert change is not None
    return change.order


# ------------------------------------------------------------------------------------------------ which units


@pytest.mark.parametrize(
    ("lines", "missing", "expected"),
    [
        pytest.param([line("L1", "MUG", 5)], {"MUG": 2}, {"L1": 2}, id="some of a line"),
        pytest.param([line("L1", "MUG", 5)], {"MUG": 9}, {"L1": 5}, id="never more than is open"),
        pytest.param([line("L1", "MUG", 2), line("L2", "MUG", 2)], {"MUG": 3}, {"L2": 2, "L1": 1}, id="the last first"),
        pytest.param([line("L1", "MUG"), line("L2", "BOWL")], {"BOWL": 1}, {"L2": 1}, id="others are not touched"),
        pytest.param([kit("L1", 4)], {"MUG": 3}, {"L1": 2}, id="a kit that lacks one of its two mugs is short"),
        pytest.param([kit("L1", 4)], {"MUG": 2, "TRAY": 3}, {"L1": 3}, id="as often as its scarcest component"),
        pytest.param([line("L1", "MUG", 2), kit("L2", 1)], {"MUG": 2}, {"L2": 1}, id="kits and their parts together"),
        pytest.param([line("L1", "MUG", 2), kit("L2", 1)], {"MUG": 3}, {"L2": 1, "L1": 1}, id="both short"),
        pytest.param([line("L1", "MUG", 2)], {}, {}, id="nothing"),
    ],
)
def test_these_units_are_short(lines: list[Line], missing: dict[str, int], expected: dict[str, int]) -> None:
    assert short_units(received(*lines), missing) == expected


LINES = st.lists(st.tuples(st.sampled_from(["MUG", "TRAY", "GIFT"]), st.integers(1, 5)), min_size=1, max_size=5)


@given(LINES, st.integers(0, 12), st.integers(0, 12))
def test_what_is_left_after_the_short_units_needs_no_more_than_there_is(
    wanted: list[tuple[str, int]], mugs: int, trays: int
) -> None:
    lines = [kit(f"L{at}", n) if sku == "GIFT" else line(f"L{at}", sku, n) for at, (sku, n) in enumerate(wanted)]
    order, there = received(*lines), {"MUG": mugs, "TRAY": trays}
    missing = {sku: max(0, units - there[sku]) for sku, units in _needed(order).items()}
    part = what_is_there(order, short_units(order, missing))
    assert all(units <= there[sku] for sku, units in _needed(part).items())


def _needed(order: Order) -> dict[str, int]:
    units: dict[str, int] = {}
    for one in order.lines:
        for sku, quantity in one.stock_units(one.unallocated).items():
            units[sku] = units.get(sku, 0) + quantity
    return units


# ------------------------------------------------------------------------------------------------ the queue


def test_a_shortage_is_noted_in_the_order_and_in_the_queue_of_each_thing_that_is_short() -> None:
    order = received(line("L1", "MUG", 3), kit("L2", 2))
    change = record_shortage(order, {"L1": 1, "L2": 2}, context(2))
    assert change is not None
    assert [one.backordered for one in change.order.lines] == [1, 2]
    assert change.order.waiting_for is WaitingFor.STOCK
    assert change.order.backordered_since == NOON + timedelta(hours=2)
    assert not waits_only_for_stock(change.order)
    assert [(row.sku, row.line_id, row.quantity) for row in change.backorders_added] == [
        ("MUG", "L1", 1),
        ("MUG", "L2", 4),
        ("TRAY", "L2", 2),
    ]
    assert change.order.events[-1].type is EventType.ORDER_BACKORDERED
    assert change.order.events[-1].data == {"short": {"L1": 1, "L2": 2}}


def test_an_order_whose_open_units_are_all_short_waits_for_stock() -> None:
    order = short(received(line("L1", "MUG", 3)), L1=3)
    assert (order.waiting_for, order.reason_code) == (WaitingFor.STOCK, "OUT_OF_STOCK")
    assert waits_only_for_stock(order)


def test_the_same_shortage_again_is_no_news() -> None:
    order = short(received(line("L1", "MUG", 3)), L1=2)
    assert record_shortage(order, {"L1": 2}, context(1)) is None


def test_less_that_is_short_changes_the_row_and_nothing_short_deletes_it() -> None:
    order = short(received(line("L1", "MUG", 3)), L1=3)
    less = record_shortage(order, {"L1": 1}, context(1))
    assert less is not None
    assert [row.quantity for row in less.backorders_added] == [1]
    none = record_shortage(less.order, {}, context(2))
    assert none is not None
    assert none.backorders_removed == backorders(less.order, less.order.lines[0])
    assert none.order.backordered_since is None


def test_the_wait_counts_from_the_first_shortage_until_all_is_served() -> None:
    order = short(received(line("L1", "MUG", 3)), L1=2)
    later = record_shortage(order, {"L1": 3}, context(5))
    assert later is not None
    assert later.order.backordered_since == NOON


def test_express_orders_stand_before_all_others_and_the_oldest_first_among_equals() -> None:
    old = received(line("L1", "MUG"), order_id="b", placed_at=NOON)
    young = replace(old, order_id="a", placed_at=NOON + timedelta(seconds=1))
    express = replace(young, order_id="c", service_level="EXPRESS")
    assert sorted([young, old, express], key=queue_place) == [express, old, young]


def test_a_shortage_of_many_lines_is_noted_in_parts_and_each_says_the_rest_is_still_open() -> None:
    count = MAX_ROWS_PER_CHANGE + 10
    order = received(*(line(f"L{at:03}", f"SKU-{at}") for at in range(count)))
    wanted = {one.line_id: 1 for one in order.lines}
    first = record_shortage(order, wanted, context())
    assert first is not None
    assert len(first.backorders_added) == MAX_ROWS_PER_CHANGE
    assert not waits_only_for_stock(first.order)
    second = record_shortage(first.order, wanted, context())
    assert second is not None
    assert len(second.backorders_added) == 10
    assert waits_only_for_stock(second.order)
    assert record_shortage(second.order, wanted, context()) is None


def test_taking_what_is_there_and_waiting_for_the_rest_fold_into_one_version() -> None:
    order = received(line("L1", "MUG", 3))
    taken = allocate(order, plan(**{"WH-1": {"L1": 1}}), context())
    rest = record_shortage(taken.order, {"L1": 2}, context())
    assert rest is not None
    whole = fold([taken, rest])
    assert whole.order.version == order.version + 1
    assert [event.version for event in whole.order.events[-2:]] == [2, 2]
    assert [event.type.value for event in whole.order.events[-2:]] == ["OrderAllocated", "OrderBackordered"]
    assert [(row.quantity) for row in whole.backorders_added] == [2]
    check(whole.order)


def arriving(deliver_by: datetime, **units: int) -> RoutingPlan:
    """A plan from one location whose parcel is there by then."""
    made = plan(**{"WH-1": units})
    (one,) = made.assignments
    return replace(made, assignments=(replace(one, deliver_by=deliver_by),), deliver_by=deliver_by)


@pytest.mark.parametrize("hours", [(1, 9), (9, 1)])
def test_work_that_is_joined_by_what_came_later_arrives_with_the_last_of_it(hours: tuple[int, int]) -> None:
    order = received(line("L1", "MUG"), line("L2", "BOWL"))
    for at, line_id in zip(hours, ("L1", "L2"), strict=True):
        order = allocate(order, arriving(NOON + timedelta(hours=at), **{line_id: 1}), context()).order
    (work,) = order.fulfillments
    assert work.deliver_by == NOON + timedelta(hours=9)


def test_work_that_is_joined_by_what_leaves_on_another_day_takes_its_place_there() -> None:
    order = received(line("L1", "MUG"), line("L2", "BOWL"))
    for day, line_id in (("2026-03-02", "L1"), ("2026-03-05", "L2")):
        (one,) = plan(**{"WH-1": {line_id: 1}}).assignments
        made = RoutingPlan(assignments=(replace(one, capacity_day=day, capacity_limit=9),))
        change = allocate(order, made, context())
        order = change.order
    assert [(move.day, move.parcels) for move in change.capacity] == [("2026-03-05", 1), ("2026-03-02", -1)]
    assert [one.capacity_day for one in order.fulfillments] == ["2026-03-05"]


def test_what_is_there_of_an_order_that_waits_for_the_rest_makes_no_promise_yet() -> None:
    order = received(line("L1", "MUG", 3))
    some = arriving(NOON + timedelta(hours=9), L1=1)
    assert allocate(order, some, context()).order.promised_by is None
    rest_cancelled = replace(context(), policy=Policy(backorder_rule=BackorderRule.CANCEL_REST))
    assert allocate(order, some, rest_cancelled).order.promised_by == NOON + timedelta(hours=9)
    assert allocate(order, arriving(NOON, L1=3), context()).order.promised_by == NOON


# ------------------------------------------------------------------------------------------------ cancelling the rest


def test_the_rest_is_cancelled_and_what_a_location_has_stays() -> None:
    order = short(allocate(received(line("L1", "MUG", 3)), plan(**{"WH-1": {"L1": 1}}), context()).order, L1=2)
    change = cancel_rest(order, backordered_units(order), context(1), "OUT_OF_STOCK")
    assert change is not None
    (one,) = change.order.lines
    assert (one.in_fulfillment, one.cancelled, one.unallocated, one.backordered) == (1, 2, 0, 0)
    assert change.backorders_removed == backorders(order, order.lines[0])
    assert change.moves == ()
    assert change.order.events[-1].data == {"reason": "OUT_OF_STOCK", "lines": {"L1": 2}}
    check(change.order)


def test_an_order_of_which_nothing_is_there_is_cancelled_as_a_whole() -> None:
    change = cancel_rest(received(line("L1", "MUG", 3)), {"L1": 3}, context(), "OUT_OF_STOCK")
    assert change is not None
    assert change.order.status is OrderStatus.CANCELLED
    assert change.order.events[-1].type is EventType.ORDER_CANCELLED


@pytest.mark.parametrize("units", [{}, {"L1": 0}])
def test_where_nothing_is_short_there_is_nothing_to_cancel(units: dict[str, int]) -> None:
    assert cancel_rest(received(line("L1", "MUG", 3)), units, context(), "OUT_OF_STOCK") is None


def test_no_more_is_cancelled_than_is_without_a_location() -> None:
    order = allocate(received(line("L1", "MUG", 3)), plan(**{"WH-1": {"L1": 2}}), context()).order
    change = cancel_rest(order, {"L1": 3}, context(), "OUT_OF_STOCK")
    assert change is not None
    assert change.order.lines[0].cancelled == 1


# ------------------------------------------------------------------------------------------------ the limit


@pytest.mark.parametrize(("seconds", "over"), [(3599, False), (3600, True), (99999, True)])
def test_the_wait_is_over_when_the_limit_is_reached(seconds: int, over: bool) -> None:
    order = short(received(line("L1", "MUG")), L1=1)
    policy = Policy(backorder_limit_seconds=3600)
    assert wait_is_over(order, policy, NOON + timedelta(seconds=seconds)) is over


def test_the_wait_of_an_order_that_is_not_short_or_that_a_person_looks_at_is_never_over() -> None:
    policy, much_later = Policy(backorder_limit_seconds=1), NOON + timedelta(days=1)
    assert not wait_is_over(received(line("L1", "MUG")), policy, much_later)
    waiting = short(received(line("L1", "MUG")), L1=1)
    assert not wait_is_over(replace(waiting, review=Review(reason="X", since=NOON)), policy, much_later)


def test_a_new_shortage_after_the_last_was_served_waits_anew() -> None:
    order = short(received(line("L1", "MUG", 2)), L1=1)
    served = allocate(order, plan(**{"WH-1": {"L1": 2}}), context(3)).order
    assert served.backordered_since is None
    lost = step(served, context(4), (EventType.NOTE_ADDED, {}), lines=(line("L1", "MUG", 2),), fulfillments=())
    again = record_shortage(lost, {"L1": 1}, context(5))
    assert again is not None
    assert again.order.backordered_since == NOON + timedelta(hours=5)


# ------------------------------------------------------------------------------------------------ rows and order agree


@given(st.lists(st.dictionaries(st.sampled_from(["L1", "L2", "L3"]), st.integers(0, 4)), max_size=6), st.booleans())
def test_the_rows_in_the_queues_are_always_what_the_order_says(shortages: list[dict[str, int]], ends: bool) -> None:
    order = received(line("L1", "MUG", 4), kit("L2", 4), line("L3", "TRAY", 4))
    rows: dict[tuple[str, str], Backorder] = {}
    for units in shortages:
        order = _write(order, record_shortage(order, units, context()), rows)
    if ends:
        order = _write(
            order, cancel_rest(order, backordered_units(order), context(), backordering.BACKORDER_LIMIT), rows
        )
        assert rows == {}
    wanted = {(row.sku, row.queue_key): row for one in order.lines if one.backordered for row in backorders(order, one)}
    assert rows == wanted


def _write(order: Order, change: OrderChange | None, rows: dict[tuple[str, str], Backorder]) -> Order:
    if change is None:
        return order
    for row in change.backorders_removed:
        del rows[row.sku, row.queue_key]
    rows |= {(row.sku, row.queue_key): row for row in change.backorders_added}
    return change.order
