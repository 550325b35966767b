"""Places in a location's day: who takes one, who gives one back, and that nobody forgets to."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import replace

import pytest
from hypothesis import settings
from hypothesis.stateful import invariant

from oms.domain.allocation import allocate
from oms.domain.backordering import record_shortage
from oms.domain.cancellation import cancel, deallocate
from oms.domain.capacity import CapacityMove, DayChange, LocationDay, by_day, given_back, held_days, taken, total
from oms.domain.changes import MAX_POSITIONS_PER_CHANGE, OrderChange, fold, touches
from oms.domain.fulfilling import apply_report
from oms.domain.kits import MAX_KIT_COMPONENTS
from oms.domain.order import Component, Order, OrderStatus
from oms.domain.release import release
from oms.domain.replanning import replan
from tests.unit.builders import context, line, plan, received, report
from tests.unit.test_order_invariants import AnyOrder

DAY, NEXT_DAY = "2026-03-03", "2026-03-04"
PLACE = ("ny", DAY)
BACK = CapacityMove(location_id="ny", day=DAY, parcels=-1)


def counting(order: Order, day: str | None = DAY) -> Order:
    """The order as if its locations counted their parcels per day."""
    fulfillments = tuple(replace(one, capacity_day=one.capacity_day or day) for one in order.fulfillments)
    return replace(order, fulfillments=fulfillments)


def allocated(day: str | None = DAY) -> Order:
    """Two mugs and a bowl at one location."""
    order = received(line("L1", "MUG", 2), line("L2", "BOWL"))
    return counting(allocate(order, plan(ny={"L1": 2, "L2": 1}), context()).order, day)


def released(day: str | None = DAY) -> Order:
    return release(allocated(day), context(2)).order


def reported(order: Order, kind: str, **facts: object) -> OrderChange:
    (one,) = order.fulfillments
    change = apply_report(order, report(kind, one.fulfillment_id, "ny", **facts), context(3))
    assert change is not None
    return change


def made(change: OrderChange | None) -> OrderChange:
    assert change is not None
    return change


def shipped_in_part() -> Order:
    return reported(released(), "shipped", lines={"L1": 1}).order


ENDS: dict[str, tuple[Callable[[], OrderChange], tuple[CapacityMove, ...]]] = {
    "all is cancelled": (lambda: made(cancel(allocated(), {"L1": 2, "L2": 1}, context(), "CUSTOMER")), (BACK,)),
    "a part is cancelled": (lambda: made(cancel(allocated(), {"L1": 2}, context(), "CUSTOMER")), ()),
    "it is routed again": (lambda: deallocate(allocated(), context()), (BACK,)),
    "a part is planned anew": (lambda: made(replan(allocated(), "MUG", "ny", 2, context())), ()),
    "the location refuses": (lambda: reported(released(), "rejected", reason_code="TOO_BUSY"), (BACK,)),
    "nothing is found": (lambda: reported(released(), "short_picked", reason_code="NOT_IN_STOCK"), (BACK,)),
    "a part is not found": (lambda: reported(released(), "short_picked", lines={"L1": 2}), ()),
    "it ships": (lambda: reported(released(), "shipped"), ()),
    "the rest is not found": (lambda: reported(shipped_in_part(), "short_picked", message_id="m2"), ()),
    "the rest is refused": (lambda: reported(shipped_in_part(), "rejected", message_id="m2"), ()),
}


@pytest.mark.parametrize("ends", sorted(ENDS))
def test_a_place_is_given_back_exactly_when_there_will_be_no_parcel(ends: str) -> None:
    happens, expected = ENDS[ends]
    change = happens()
    assert change.capacity == expected
    assert held_days(change.order) == ({} if expected else {PLACE: 1})


def test_the_last_units_of_work_take_its_place_with_them() -> None:
    order = made(replan(allocated(), "MUG", "ny", 2, context())).order
    assert made(replan(order, "BOWL", "ny", 1, context())).capacity == (BACK,)


def test_a_parcel_sent_after_all_by_a_location_that_had_refused_is_counted_no_more() -> None:
    refused = reported(released(), "rejected", reason_code="TOO_BUSY").order
    sent = reported(refused, "shipped", lines={"L1": 2, "L2": 1})
    assert sent.capacity == ()
    assert held_days(sent.order) == {}


@pytest.mark.parametrize(
    "change",
    [
        lambda: made(cancel(allocated(None), {"L1": 2, "L2": 1}, context(), "CUSTOMER")),
        lambda: deallocate(allocated(None), context()),
        lambda: reported(released(None), "rejected"),
    ],
)
def test_where_days_are_not_counted_nothing_is_given_back(change: Callable[[], OrderChange]) -> None:
    assert change().capacity == ()


def test_new_work_takes_a_place_where_days_are_counted() -> None:
    (one,) = allocated().fulfillments
    assert taken(one, 40) == (CapacityMove(location_id="ny", day=DAY, parcels=1, limit=40),)
    assert taken(replace(one, capacity_day=None), 40) == ()


def test_work_that_moves_to_another_day_gives_the_first_back() -> None:
    order = allocated()
    assert given_back(order, order) == ()
    moved = replace(order, fulfillments=tuple(replace(one, capacity_day=NEXT_DAY) for one in order.fulfillments))
    assert given_back(order, moved) == (BACK,)
    assert given_back(order, replace(order, fulfillments=())) == (BACK,)


def move(parcels: int, limit: int | None = None, day: str = DAY) -> CapacityMove:
    return CapacityMove(location_id="ny", day=day, parcels=parcels, limit=limit)


@pytest.mark.parametrize(
    ("moves", "expected"),
    [
        ([], {}),
        ([move(1, 10), move(1, 10)], {PLACE: DayChange(2, 10)}),
        ([move(1, 10), move(-1)], {}),
        ([move(-1)], {PLACE: DayChange(-1, None)}),
        ([move(1, 10), move(-1), move(-1)], {PLACE: DayChange(-1, None)}),
        ([move(1, 10), move(1, 8)], {PLACE: DayChange(2, 8)}),
        ([move(1), move(1, 8)], {PLACE: DayChange(2, 8)}),
        ([move(1, 10), move(-1, day=NEXT_DAY)], {PLACE: DayChange(1, 10), ("ny", NEXT_DAY): DayChange(-1, None)}),
    ],
)
def test_moves_of_a_day_are_one_sum_under_the_lowest_limit(
    moves: list[CapacityMove], expected: dict[LocationDay, DayChange]
) -> None:
    assert by_day(moves) == expected


@pytest.mark.parametrize(
    ("changes", "planned", "fits"),
    [
        ([DayChange(1, 10)], 9, True),
        ([DayChange(1, 10)], 10, False),
        ([DayChange(2, 10)], 9, False),
        ([DayChange(1, 10), DayChange(1, 10)], 9, False),
        ([DayChange(-1), DayChange(1, 10)], 10, True),
        ([DayChange(-1)], 99, True),
        ([DayChange(1)], 99, True),
        ([DayChange(1, 0)], 0, False),
    ],
)
def test_a_day_bears_what_its_limit_leaves(changes: list[DayChange], planned: int, *, fits: bool) -> None:
    assert total(changes).fits(planned) is fits


def test_changes_told_together_keep_all_their_moves() -> None:
    order = received(line("L1", "MUG"))
    first = replace(allocate(order, plan(ny={"L1": 1}), context()), capacity=(move(1, 5),))
    second = made(cancel(counting(first.order), {"L1": 1}, context(), "CUSTOMER"))
    folded = fold([first, second])
    assert folded.capacity == (move(1, 5), move(-1))
    assert by_day(folded.capacity) == {}


def test_a_day_counts_towards_what_one_change_may_touch() -> None:
    """40 skus at one location and its day are 41: the last line goes in a second part, and the place with it."""
    order = received(*(line(f"L{at:02}", f"SKU-{at:02}") for at in range(MAX_POSITIONS_PER_CHANGE)))
    there = {one.line_id: 1 for one in order.lines}
    order = counting(allocate(order, plan(ny=there), context()).order)
    first = made(cancel(order, there, context(), "CUSTOMER"))
    second = made(cancel(first.order, there, context(), "CUSTOMER"))
    assert (len(first.moves), first.capacity) == (39, ())
    assert (len(second.moves), second.capacity) == (1, (BACK,))
    assert touches(second) == 2


def test_the_largest_kit_is_cancelled_at_once_with_its_rows_its_positions_and_its_day() -> None:
    """One of two sets waits for stock in the queues of all its parts; the other is held, and has a place in a day."""
    parts = tuple(Component(sku=f"PART-{at:02}", quantity=1) for at in range(MAX_KIT_COMPONENTS))
    order = received(line("L1", "SET", 2, components=parts))
    order = counting(allocate(order, plan(ny={"L1": 1}), context()).order)
    order = made(record_shortage(order, {"L1": 1}, context())).order
    change = made(cancel(order, {"L1": 2}, context(), "CUSTOMER"))
    assert (len(change.backorders_removed), len(change.moves)) == (MAX_KIT_COMPONENTS, MAX_KIT_COMPONENTS)
    assert change.capacity == (BACK,)
    assert touches(change) <= MAX_POSITIONS_PER_CHANGE
    assert change.order.status is OrderStatus.CANCELLED


def test_so_many_works_at_one_location_give_no_more_days_back_at_once_than_one_change_may() -> None:
    """41 days of one location, a unit on each, all of one sku: the sku and 39 days fit the first change."""
    order = received(*(line(f"L{at:02}", "MUG") for at in range(MAX_POSITIONS_PER_CHANGE + 1)))
    for at, one in enumerate(order.lines):
        order = allocate(order, plan(ny={one.line_id: 1}), context()).order
        *others, new = order.fulfillments
        apart = replace(new, capacity_day=f"day-{at:02}", service=f"S{at}")
        order = replace(order, fulfillments=(*others, apart))
    change = made(replan(order, "MUG", "ny", len(order.lines), context()))
    assert len(change.capacity) == MAX_POSITIONS_PER_CHANGE - 1
    assert touches(change) == MAX_POSITIONS_PER_CHANGE


class CountedDays(AnyOrder):
    """Any order at all, at locations that count their parcels per day."""

    def __init__(self) -> None:
        super().__init__()
        self.counted: Counter[LocationDay] = Counter()

    def apply(self, change: OrderChange) -> None:
        """As of any order; new work takes a place on the day it is made."""
        known = {one.fulfillment_id for one in self.order.fulfillments}
        day = f"2026-03-{2 + int(self.hours // 24):02}"
        change = replace(change, order=counting(change.order, day))
        new = [one for one in change.order.fulfillments if one.fulfillment_id not in known]
        moves = change.capacity + tuple(move for one in new for move in taken(one, None))
        super().apply(replace(change, capacity=moves))
        for one in moves:
            self.counted[one.location_id, one.day] += one.parcels

    @invariant()
    def every_day_counts_the_places_that_the_order_holds(self) -> None:
        assert {day: parcels for day, parcels in self.counted.items() if parcels} == held_days(self.order)

    @invariant()
    def no_day_is_given_back_more_than_was_taken(self) -> None:
        assert all(parcels >= 0 for parcels in self.counted.values())


TestCountedDays = CountedDays.TestCase
TestCountedDays.settings = settings(max_examples=150, stateful_step_count=40)
