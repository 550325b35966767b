"""Units of a position that promised too much are taken back: what is missing, no more, and never released work."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from oms.domain.allocation import allocate
from oms.domain.order import Component, Line, Order, Request, Work
from oms.domain.progress import check
from oms.domain.release import release
from oms.domain.replanning import replan
from tests.unit.builders import context, line, plan, received

SET = (Component(sku="MUG", quantity=2), Component(sku="TRAY", quantity=1))


def kit(line_id: str, quantity: int) -> Line:
    return line(line_id, "SET", quantity, components=SET)


def held(*lines: Line, **where: dict[str, int]) -> Order:
    """An order allocated by the plan of location → line_id → units."""
    return allocate(received(*lines), plan(**where), context()).order


def at_places(order: Order) -> dict[str, dict[str, int]]:
    """Open units per location and line."""
    places: dict[str, dict[str, int]] = {}
    for one in order.fulfillments:
        for part in one.lines:
            here = places.setdefault(one.location_id, {})
            here[part.line_id] = here.get(part.line_id, 0) + part.open
    return places


def unallocated(order: Order) -> dict[str, int]:
    return {one.line_id: one.unallocated for one in order.lines if one.unallocated}


@pytest.mark.parametrize(
    ("lines", "units", "given", "moved"),
    [
        pytest.param([line("L1", "MUG", 5)], 2, {"L1": 2}, {"MUG": 2}, id="only what is missing is taken"),
        pytest.param([line("L1", "MUG", 5)], 9, {"L1": 5}, {"MUG": 5}, id="an order gives no more than it holds"),
        pytest.param(
            [line("L1", "MUG", 2), line("L2", "MUG", 2)],
            3,
            {"L1": 1, "L2": 2},
            {"MUG": 3},
            id="the last lines give first",
        ),
        pytest.param(
            [line("L1", "MUG", 2), line("L2", "BOWL", 2)],
            3,
            {"L1": 2},
            {"MUG": 2},
            id="other goods stay where they are",
        ),
        pytest.param([kit("L1", 3)], 1, {"L1": 1}, {"MUG": 2, "TRAY": 1}, id="a kit is given back whole"),
        pytest.param([kit("L1", 3)], 3, {"L1": 2}, {"MUG": 4, "TRAY": 2}, id="as few kits as cover what is missing"),
        pytest.param(
            [kit("L1", 1), line("L2", "MUG", 1)],
            3,
            {"L1": 1, "L2": 1},
            {"MUG": 3, "TRAY": 1},
            id="kits and single units give together",
        ),
    ],
)
def test_units_are_taken_back(lines: list[Line], units: int, given: dict[str, int], moved: dict[str, int]) -> None:
    order = held(*lines, EAST={one.line_id: one.ordered for one in lines})
    change = replan(order, "MUG", "EAST", units, context(1))
    assert change is not None
    check(change.order)
    assert unallocated(change.order) == given
    assert {(move.sku, move.location_id): move.quantity for move in change.moves} == {
        (sku, "EAST"): quantity for sku, quantity in moved.items()
    }
    assert {move.kind for move in change.moves} == {"RELEASE"}
    last = change.order.events[-1]
    assert (last.type, last.data) == ("LinesReplanned", {"sku": "MUG", "location_id": "EAST", "lines": given})


def test_what_other_locations_hold_stays_there() -> None:
    order = held(line("L1", "MUG", 5), EAST={"L1": 2}, WEST={"L1": 3})
    change = replan(order, "MUG", "EAST", 4, context(1))
    assert change is not None
    assert at_places(change.order) == {"EAST": {"L1": 0}, "WEST": {"L1": 3}}


def test_the_location_is_not_excluded_for_the_stock_may_come_back() -> None:
    change = replan(held(line("L1", "MUG"), EAST={"L1": 1}), "MUG", "EAST", 1, context(1))
    assert change is not None
    assert change.order.lines[0].excluded_locations == ()


def test_work_that_has_nothing_left_has_ended() -> None:
    order = held(line("L1", "MUG", 2), EAST={"L1": 2})
    some, everything = (replan(order, "MUG", "EAST", units, context(1)) for units in (1, 2))
    assert some is not None
    assert everything is not None
    assert [one.work for one in some.order.fulfillments] == [Work.OPEN]
    assert [one.work for one in everything.order.fulfillments] == [Work.CANCELLED]


@pytest.mark.parametrize(
    ("changes", "sku", "location_id", "units"),
    [
        pytest.param({}, "MUG", "EAST", 0, id="nothing is missing"),
        pytest.param({}, "BOWL", "EAST", 1, id="it holds nothing of the sku"),
        pytest.param({}, "MUG", "WEST", 1, id="it holds nothing there"),
        pytest.param({"request": Request.SUBMITTED}, "MUG", "EAST", 1, id="the location was asked to do the work"),
        pytest.param({"request": Request.ACCEPTED}, "MUG", "EAST", 1, id="the location does the work"),
    ],
)
def test_an_order_with_nothing_to_give_is_left_alone(
    changes: dict[str, Any], sku: str, location_id: str, units: int
) -> None:
    order = held(line("L1", "MUG", 2), EAST={"L1": 2})
    order = replace(order, fulfillments=tuple(replace(one, **changes) for one in order.fulfillments))
    assert replan(order, sku, location_id, units, context(1)) is None


def test_of_an_order_released_in_part_only_the_rest_gives() -> None:
    order = release(held(line("L1", "MUG", 4), EAST={"L1": 2}), context(1)).order
    order = allocate(order, plan(EAST={"L1": 2}), context(2)).order
    change = replan(order, "MUG", "EAST", 3, context(3))
    assert change is not None
    assert unallocated(change.order) == {"L1": 2}
    assert [one.lines[0].open for one in change.order.fulfillments] == [2, 0]


def test_what_one_change_can_not_hold_is_left_for_the_next() -> None:
    """Kits of many parts: a change of more positions than fit a transaction could never be written."""
    parts = tuple(Component(sku=f"PART-{number}", quantity=1) for number in range(19))
    lines = [
        line(f"L{number}", "KIT", 1, components=(Component(sku="MUG", quantity=1), *_renamed(parts, number)))
        for number in range(3)
    ]
    order = received(*lines)
    for one in lines:
        order = allocate(order, plan(EAST={one.line_id: 1}), context()).order
    first = replan(order, "MUG", "EAST", 3, context(1))
    assert first is not None
    assert unallocated(first.order) == {"L1": 1, "L2": 1}
    second = replan(first.order, "MUG", "EAST", 1, context(1))
    assert second is not None
    assert unallocated(second.order) == {"L0": 1, "L1": 1, "L2": 1}


@given(
    st.lists(st.tuples(st.integers(1, 4), st.integers(0, 3), st.booleans()), min_size=1, max_size=6), st.integers(1, 12)
)
def test_what_comes_back_is_what_is_missing_give_or_take_the_rest_of_one_kit(
    works: list[tuple[int, int, bool]], missing: int
) -> None:
    """Lines of so many units, single ones or kits of so many mugs, at works that were released or not."""
    lines = [_of_mugs(f"L{number}", units, per) for number, (units, per, _) in enumerate(works)]
    order = received(*lines)
    for one, (_, _, released) in zip(lines, works, strict=True):
        order = allocate(order, plan(EAST={one.line_id: one.ordered}), context()).order
        order = release(order, context(1)).order if released else order
    free = sum(
        ordered.stock_units(part.open)["MUG"]
        for work in order.fulfillments
        for part in work.lines
        for ordered in lines
        if ordered.line_id == part.line_id and work.request is Request.UNSUBMITTED
    )
    change = replan(order, "MUG", "EAST", missing, context(2))
    taken = sum(move.quantity for move in change.moves if move.sku == "MUG") if change else 0
    largest = max(one.stock_units(1)["MUG"] for one in lines)
    assert min(missing, free) <= taken <= min(free, missing + largest - 1)
    if change:
        check(change.order)
        assert [one for one in change.order.fulfillments if one.request is not Request.UNSUBMITTED] == [
            one for one in order.fulfillments if one.request is not Request.UNSUBMITTED
        ]


def _of_mugs(line_id: str, units: int, per: int) -> Line:
    if not per:
        return line(line_id, "MUG", units)
    return line(line_id, f"SET-{per}", units, components=(Component(sku="MUG", quantity=per),))


def _renamed(parts: tuple[Component, ...], number: int) -> tuple[Component, ...]:
    return tuple(replace(part, sku=f"{part.sku}-{number}") for part in parts)
