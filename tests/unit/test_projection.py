"""The rows of `open_lines`: what an order holds and looks for, by stocked sku and place, made of its document alone."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from oms.domain.errors import InvalidMessage
from oms.domain.order import Component, Fulfillment, FulfillmentLine, Line, Order, Request
from oms.domain.projection import OpenLine, open_lines, outdated
from oms.usecases.projection import order_of
from tests.unit.builders import NOON, line, order

KIT = (Component(sku="MUG", quantity=2), Component(sku="BOX", quantity=1))
LATER = NOON + timedelta(days=2)


def at(location_id: str, request: Request = Request.UNSUBMITTED, /, **lines: tuple[int, int]) -> Fulfillment:
    """Work at a location: line id to (open, picked) units."""
    parts = tuple(
        FulfillmentLine(line_id=name, sku="MUG", assigned=9, open=left, picked=picked, shipped=9 - left - picked)
        for name, (left, picked) in lines.items()
    )
    return Fulfillment(fulfillment_id=f"f-{location_id}", location_id=location_id, request=request, lines=parts)


def shown(made: Order) -> dict[tuple[str, str], tuple[int, int, bool]]:
    """(sku, place#line) to (quantity, backordered, released) of the rows that are open."""
    return {
        (row.sku, row.line_key.replace("#shopify-main-1", "")): (row.quantity, row.backordered, row.released)
        for row in open_lines(made)
        if row.quantity
    }


@pytest.mark.parametrize(
    ("facts", "expected"),
    [
        pytest.param(
            {"lines": (line("L1", "MUG", 3), line("L2", "BOWL", 1))},
            {("MUG", "UNALLOCATED#L1"): (3, 0, False), ("BOWL", "UNALLOCATED#L2"): (1, 0, False)},
            id="a new order looks for all its units",
        ),
        pytest.param(
            {"lines": (line("L1", "MUG", 3, backordered=2),)},
            {("MUG", "UNALLOCATED#L1"): (3, 2, False)},
            id="units short of stock are told beside those looked for",
        ),
        pytest.param(
            {
                "lines": (line("L1", "MUG", 3, unallocated=1, in_fulfillment=2),),
                "fulfillments": (at("EAST", L1=(2, 0)),),
            },
            {("MUG", "UNALLOCATED#L1"): (1, 0, False), ("MUG", "EAST#L1"): (2, 0, False)},
            id="a line may be held in part and looked for in part",
        ),
        pytest.param(
            {
                "lines": (line("L1", "MUG", 3, unallocated=0, in_fulfillment=3),),
                "fulfillments": (at("EAST", Request.ACCEPTED, L1=(1, 1)), at("WEST", L1=(1, 0))),
            },
            {("MUG", "EAST#L1"): (2, 0, True), ("MUG", "WEST#L1"): (1, 0, False)},
            id="picked units are still there, and each location is told apart",
        ),
        pytest.param(
            {
                "lines": (line("L1", "MUG", 3, unallocated=0, in_fulfillment=3),),
                "fulfillments": (at("EAST", Request.SUBMITTED, L1=(1, 0)), at("EAST", L1=(2, 0))),
            },
            {("MUG", "EAST#L1"): (3, 0, False)},
            id="two works at one location are one row, released only when both are",
        ),
        pytest.param(
            {
                "lines": (line("L1", "MUG", 3, unallocated=0, in_fulfillment=2, shipped=1),),
                "fulfillments": (at("EAST", Request.REJECTED, L1=(0, 0)), at("EAST", L1=(2, 0))),
            },
            {("MUG", "EAST#L1"): (2, 0, False)},
            id="work that ended before does not count",
        ),
        pytest.param(
            {"lines": (line("L1", "SET", 2, backordered=1, components=KIT),)},
            {("MUG", "UNALLOCATED#L1"): (4, 2, False), ("BOX", "UNALLOCATED#L1"): (2, 1, False)},
            id="a kit shows what it is made of",
        ),
        pytest.param(
            {"lines": (line("L1", "MUG", 3, unallocated=0, shipped=3),), "fulfillments": (at("EAST", L1=(0, 0)),)},
            {},
            id="what has shipped is held by nobody",
        ),
    ],
)
def test_an_order_shows_its_open_units_where_they_are(facts: dict[str, Any], expected: dict[Any, Any]) -> None:
    made = order(*facts["lines"], fulfillments=facts.get("fulfillments", ()))
    assert shown(made) == expected


@pytest.mark.parametrize(
    ("facts", "due"),
    [
        ({"ship_by": LATER}, LATER),
        ({"ship_by": LATER, "promised_by": NOON}, NOON),
        ({"promised_by": LATER, "deliver_by": NOON}, NOON),
        ({}, None),
    ],
)
def test_a_row_is_due_when_the_customer_was_told_or_else_when_it_must_ship(facts: dict[str, Any], due: Any) -> None:
    assert [row.due_at for row in open_lines(order(line("L1", "MUG"), **facts))] == [due]


def test_nothing_is_written_for_units_that_never_were_open_as_far_as_the_table_knows() -> None:
    gone = order(line("L1", "MUG", 3, unallocated=0, cancelled=3))
    assert outdated(gone, ()) == ()


def test_a_row_whose_units_are_gone_is_closed_and_not_closed_again() -> None:
    before = order(line("L1", "MUG", 3), ship_by=LATER)
    after = replace(before, version=2, lines=(line("L1", "MUG", 3, unallocated=0, cancelled=3),))
    (closed,) = outdated(after, open_lines(before))
    assert (closed.quantity, closed.due_at, closed.source_version) == (0, None, 2)
    assert outdated(after, [closed]) == ()
    assert outdated(replace(after, version=3), [closed]) == ()


def test_a_row_that_says_the_same_is_left_alone_though_the_document_moved_on() -> None:
    before = order(line("L1", "MUG", 3))
    assert outdated(replace(before, version=7), open_lines(before)) == ()


def test_a_row_made_of_a_newer_document_stays() -> None:
    older = order(line("L1", "MUG", 3))
    newer = replace(older, version=2, lines=(line("L1", "MUG", 3, unallocated=1, cancelled=2),))
    assert outdated(older, open_lines(newer)) == ()


def test_a_row_of_the_same_version_that_says_something_else_is_mended() -> None:
    made = order(line("L1", "MUG", 3))
    wrong = [replace(row, quantity=5) for row in open_lines(made)]
    assert outdated(made, wrong) == open_lines(made)


def test_a_row_that_the_document_does_not_know_is_closed() -> None:
    made = order(line("L1", "MUG", 3))
    stray = replace(open_lines(made)[0], sku="BOWL", quantity=4)
    assert [(row.sku, row.quantity) for row in outdated(made, [stray, *open_lines(made)])] == [("BOWL", 0)]


@st.composite
def documents(draw: st.DrawFn) -> Order:
    """An order of up to three lines, kits among them, with units spread over two locations."""
    lines: list[Line] = []
    held: dict[str, dict[str, tuple[int, int]]] = {"EAST": {}, "WEST": {}}
    for number in range(draw(st.integers(1, 3))):
        name = f"L{number}"
        free, east, west = (draw(st.integers(0, 3)) for _ in range(3))
        held["EAST"][name], held["WEST"][name] = (east, 0), (0, west)
        facts = {"unallocated": free, "in_fulfillment": east + west, "backordered": draw(st.integers(0, free))}
        kit = draw(st.sampled_from([(), KIT]))
        lines.append(line(name, "SET" if kit else "BOWL", free + east + west, components=kit, **facts))
    works = tuple(at(place, **parts) for place, parts in held.items())
    return order(*lines, fulfillments=works, version=draw(st.integers(1, 9)))


def apply(rows: dict[Any, OpenLine], changed: tuple[OpenLine, ...]) -> dict[Any, OpenLine]:
    return rows | {row.key: row for row in changed}


@given(documents())
def test_the_rows_of_a_line_add_up_to_its_open_units_in_every_sku_it_is_made_of(made: Order) -> None:
    rows = open_lines(made)
    assert len({row.key for row in rows}) == len(rows)
    for one in made.lines:
        for sku, units in one.stock_units(one.unallocated + one.in_fulfillment).items():
            assert sum(row.quantity for row in rows if (row.line_id, row.sku) == (one.line_id, sku)) == units


@given(documents(), documents())
def test_whatever_the_table_had_of_an_older_document_it_ends_as_the_newer_says(older: Order, newer: Order) -> None:
    newer = replace(newer, version=older.version + 1)
    stands = apply({}, outdated(older, ()))
    stands = apply(stands, outdated(newer, stands.values()))
    told = {row.key: replace(row, source_version=0) for row in stands.values() if row.quantity}
    assert told == {row.key: replace(row, source_version=0) for row in open_lines(newer) if row.quantity}
    assert outdated(newer, stands.values()) == ()
    assert outdated(older, stands.values()) == ()


@pytest.mark.parametrize("message", [None, [], "x", {}, {"detail": None}, {"detail": {}}, {"detail": {"order_id": 7}}])
def test_what_is_no_event_of_an_order_is_refused_by_name(message: Any) -> None:
    with pytest.raises(InvalidMessage) as refused:
        order_of(message)
    assert refused.value.field == "detail.order_id"
