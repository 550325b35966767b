"""Edits as they are staged: what a person can look at before they are committed, and what committing them does."""

from __future__ import annotations

from dataclasses import replace

import pytest

from oms.domain.allocation import allocate
from oms.domain.backordering import record_shortage
from oms.domain.catalog import KitComponent, Product
from oms.domain.changes import MAX_POSITIONS_PER_CHANGE, OrderChange
from oms.domain.editing import Edit, LineEdit, Money, Service, Staged, stage
from oms.domain.errors import IllegalTransition
from oms.domain.order import Order, OrderStatus, ShippingLine, ShipTo, Totals, WaitingFor
from oms.domain.release import release
from oms.domain.stock import by_position, net
from tests.unit.builders import context, line, plan, received

PRODUCTS = {
    "HAT": Product(sku="HAT", grams=120),
    "CUP": Product(sku="CUP", grams=200),
    "SET": Product(sku="SET", kit_components=(KitComponent(sku="CUP", quantity=4),)),
}


def order() -> Order:
    """Three mugs from two places and a tee."""
    made = received(line("1", "MUG", 3), line("2", "TEE"), totals=Totals(total_minor=4000))
    return allocate(made, plan(ny={"1": 2, "2": 1}, ca={"1": 1}), context()).order


def staged(before: Order, *lines: LineEdit, **parts: object) -> Staged:
    return stage(before, replace(Edit(lines=lines), **parts), PRODUCTS, context(1), "CUSTOMER")  # type: ignore[arg-type]


def change_of(one: Staged) -> OrderChange:
    assert one.change is not None
    return one.change


def wanted(before: Order, line_id: str, units: int) -> LineEdit:
    """The line with so many units of it, as a person asks for it."""
    now = before.line(line_id)
    assert now is not None
    return replace(LineEdit.of(now), wanted=units, ordered=max(now.ordered, units))


def test_an_edit_that_changes_nothing_is_nothing() -> None:
    before = order()
    same = [LineEdit.of(one) for one in before.lines]
    made = staged(before, *same, money=Money.of(before), service=Service.of(before))
    assert (made.change, bool(made.difference), made.too_large) == (None, False, False)


def test_what_is_shown_first_is_what_is_committed() -> None:
    before = order()
    hats = LineEdit(line_id="3", sku="HAT", ordered=2, wanted=2, unit_price_minor=500)
    money = Money(totals=Totals(total_minor=4500), shipping_lines=(ShippingLine(title="Fast", price_minor=500),))
    made = staged(before, wanted(before, "1", 1), hats, money=money)
    assert (made.difference.added, made.difference.removed) == ({"3": 2}, {"1": 2})
    assert (made.total_minor_before, made.total_minor_after) == (4000, 4500)
    after = change_of(made).order
    assert (after.version, after.totals, after.shipping_lines) == (
        before.version + 1,
        money.totals,
        money.shipping_lines,
    )
    assert [(one.unallocated, one.in_fulfillment, one.cancelled) for one in after.lines] == [
        (0, 1, 2),
        (0, 1, 0),
        (2, 0, 0),
    ]
    assert [event.data for event in after.events[-2:]] == [
        {"reason": "CUSTOMER", "lines": {"1": 2}},
        {"added": {"3": 2}, "removed": {"1": 2}, "total_minor": {"before": 4000, "after": 4500}},
    ]


def test_only_the_difference_moves_stock() -> None:
    before = order()
    moves = by_position(change_of(staged(before, wanted(before, "1", 2))).moves)
    freed = {key: net(one) for key, one in moves.items()}
    assert list(freed) == [("MUG", "ny")]
    assert change_of(staged(before, wanted(before, "1", 7))).moves == ()


def test_an_order_that_goes_another_way_gives_back_all_it_holds() -> None:
    change = change_of(staged(order(), ship_to=ShipTo(country="US", region="CA")))
    assert {key for key, _ in by_position(change.moves).items()} == {("MUG", "ny"), ("MUG", "ca"), ("TEE", "ny")}
    assert change.order.waiting_for is WaitingFor.ALLOCATION
    assert change.order.events[-1].data == {"routed_again": True}


def test_what_waits_for_stock_leaves_its_queue_under_the_place_it_had_when_the_service_changes() -> None:
    short = record_shortage(received(line("1", "MUG", 3)), {"1": 3}, context())
    assert short is not None
    faster = Service(service_level="EXPRESS", method=short.order.method)
    change = change_of(staged(short.order, service=faster))
    assert [row.queue_key for row in change.backorders_removed] == [short.backorders_added[0].queue_key]
    assert (change.backorders_added, change.order.lines[0].backordered) == ((), 0)


def test_fewer_of_what_waits_for_stock_waits_for_fewer() -> None:
    short = record_shortage(received(line("1", "MUG", 3)), {"1": 3}, context())
    assert short is not None
    change = change_of(staged(short.order, wanted(short.order, "1", 1)))
    assert [(row.sku, row.quantity) for row in change.backorders_added] == [("MUG", 1)]


def test_a_kit_that_is_added_is_taken_apart_as_one_that_came_with_the_order() -> None:
    kit = LineEdit(line_id="3", sku="SET", ordered=1, wanted=1)
    added = change_of(staged(order(), kit)).order.lines[2]
    assert (added.stock_units(1), added.unit_grams) == ({"CUP": 4}, 800)


def test_taking_out_everything_cancels_the_order() -> None:
    before = order()
    after = change_of(staged(before, wanted(before, "1", 0), wanted(before, "2", 0))).order
    assert (after.status, after.events[-1].type) == (OrderStatus.CANCELLED, "OrderCancelled")


def test_more_than_one_change_may_move_is_said_and_not_done() -> None:
    many = [line(str(number), f"SKU{number}") for number in range(MAX_POSITIONS_PER_CHANGE + 1)]
    held = received(*many)
    for start in range(0, len(many), 20):
        part = {one.line_id: 1 for one in many[start : start + 20]}
        held = allocate(held, plan(**{f"at{start}": part}), context()).order
    made = staged(held, *(wanted(held, one.line_id, 0) for one in many))
    assert (made.change, made.too_large) == (None, True)


def test_what_is_handed_out_is_not_edited() -> None:
    with pytest.raises(IllegalTransition):
        staged(release(order(), context(1)).order, wanted(order(), "1", 1))
