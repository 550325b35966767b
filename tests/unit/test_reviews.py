"""An order that waits for a person does not wait for stock: it leaves the queues, and gets its place back."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest

from oms.domain.allocation import allocate
from oms.domain.backordering import record_shortage
from oms.domain.changes import MAX_POSITIONS_PER_CHANGE, OrderChange, touches
from oms.domain.decisions import MAX_QUEUE_ROWS_LEFT, request_review, resolve_review
from oms.domain.fulfilling import apply_report
from oms.domain.incoming import Contact, IncomingLine, IncomingOrder
from oms.domain.intake_updates import update
from oms.domain.intake_wishes import Message
from oms.domain.order import Component, Line, Order, Totals, WaitingFor
from tests.unit.builders import NOON, context, line, plan, received, report

Ask = Callable[[Order], OrderChange | None]
F1 = "shopify-main-1-f1"
KIT = (Component(sku="CUP", quantity=2), Component(sku="POT", quantity=1))


def short(order: Order, hours: float = 0, **units: int) -> OrderChange:
    change = record_shortage(order, {line_id[1:]: n for line_id, n in units.items()}, context(hours))
    assert change is not None
    return change


def waiting_order() -> Order:
    """Three mugs of which one is shipped from ny and two wait; a kit waits too."""
    order = received(line("1", "MUG", 3), line("2", "TEA", 1, components=KIT), ship_complete=False)
    order = allocate(order, plan(ny={"1": 1}), context()).order
    return short(order, _1=2, _2=1).order


def asked(order: Order) -> OrderChange | None:
    return request_review(order, "TIMED_OUT", "", context(1))


def shipped_by_somebody_else(order: Order) -> OrderChange | None:
    """The channel says that somebody else has shipped all of it, which only a person can judge."""
    lines = [
        IncomingLine(
            line_id=one.line_id,
            sku=one.sku,
            quantity=one.ordered,
            current_quantity=one.ordered,
            fulfilled_quantity=one.ordered,
        )
        for one in order.lines
    ]
    incoming = IncomingOrder(
        channel="shopify",
        account="main",
        channel_order_id="1",
        placed_at=NOON,
        channel_updated_at=context(1).now,
        currency="USD",
        totals=Totals(),
        lines=tuple(lines),
    )
    return update(order, Message(incoming=incoming, contact=Contact(), context=context(1)))


def overshipped(order: Order) -> OrderChange | None:
    return apply_report(order, report("shipped", F1, "ny", lines={"1": 2}), context(1))


@pytest.mark.parametrize("how", [asked, shipped_by_somebody_else, overshipped])
def test_an_order_that_goes_to_review_leaves_every_queue_for_stock(how: Ask) -> None:
    before = waiting_order()
    change = how(before)
    assert change is not None
    assert change.order.waiting_for is WaitingFor.REVIEW
    assert not any(one.backordered for one in change.order.lines)
    assert sorted(row.sku for row in change.backorders_removed) == ["CUP", "MUG", "POT"]
    assert change.backorders_added == ()


@pytest.mark.parametrize("how", [asked, shipped_by_somebody_else, overshipped])
def test_an_order_that_waits_for_no_stock_goes_to_review_all_the_same(how: Ask) -> None:
    order = allocate(received(line("1", "MUG", 1)), plan(ny={"1": 1}), context()).order
    change = how(order)
    assert change is not None
    assert change.order.review is not None
    assert change.backorders_removed == ()


def test_a_decided_order_is_allocated_again_and_gets_its_old_place_in_the_queue() -> None:
    first = waiting_order()
    rows = {
        (row.sku, row.queue_key) for row in short(replace(first, lines=_unmarked(first)), _1=2, _2=1).backorders_added
    }
    change = asked(first)
    assert change is not None
    decided = resolve_review(change.order, context(30)).order
    assert decided.waiting_for is WaitingFor.ALLOCATION
    again = short(decided, 31, _1=2, _2=1)
    assert {(row.sku, row.queue_key) for row in again.backorders_added} == rows
    assert {(row.sku, row.queue_key) for row in change.backorders_removed} == rows


def _unmarked(order: Order) -> tuple[Line, ...]:
    return tuple(replace(one, backordered=0) for one in order.lines)


def long_order(lines: int) -> Order:
    order = received(*(line(str(n), f"SKU{n}") for n in range(lines)))
    return short(order, **{f"_{n}": 1 for n in range(lines)}).order


def test_an_order_with_more_rows_than_fit_keeps_its_place_during_the_review() -> None:
    fits, too_long = asked(long_order(MAX_QUEUE_ROWS_LEFT)), asked(long_order(MAX_QUEUE_ROWS_LEFT + 1))
    assert fits is not None
    assert too_long is not None
    assert len(fits.backorders_removed) == MAX_QUEUE_ROWS_LEFT
    assert too_long.backorders_removed == ()
    assert too_long.order.review is not None
    assert all(one.backordered for one in too_long.order.lines)


@pytest.mark.parametrize("lines", [MAX_QUEUE_ROWS_LEFT, MAX_QUEUE_ROWS_LEFT + 1])
def test_the_wait_for_stock_begins_anew_once_a_person_has_decided_that_it_goes_on(lines: int) -> None:
    asked_for = asked(long_order(lines))
    assert asked_for is not None
    decided = resolve_review(asked_for.order, context(30)).order
    again = decided if lines > MAX_QUEUE_ROWS_LEFT else short(decided, 30, **{f"_{n}": 1 for n in range(lines)}).order
    assert again.backordered_since == context(30).now


def test_a_shipment_that_asks_for_a_review_still_fits_one_change() -> None:
    """30 lines shipped, one of them too often, and 20 that wait: positions and rows together are too many."""
    order = received(*(line(str(n), f"SKU{n}") for n in range(50)))
    order = allocate(order, plan(ny={str(n): 1 for n in range(30)}), context()).order
    order = short(order, **{f"_{n}": 1 for n in range(30, 50)}).order
    units = {str(n): 1 for n in range(30)}
    change = apply_report(order, report("shipped", F1, "ny", lines=units | {"0": 2}), context(1))
    assert change is not None
    assert change.order.review is not None
    assert touches(change) <= MAX_POSITIONS_PER_CHANGE
    assert change.order.lines[40].backordered == 1
