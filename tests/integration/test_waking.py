"""Orders that wait for stock: the oldest is served first, and who leaves the queue lets others move up."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from itertools import permutations
from typing import Any

import pytest

from oms.domain.catalog import KitComponent, Location, LocationStatus, Product
from oms.domain.errors import Unavailable
from oms.domain.lifecycle import AWAIT_STOCK
from oms.runtime import clients
from tests.integration.company import Notebook, Worker, at, balance, order_id, shelve, worker
from tests.integration.queueing import (
    FOREVER,
    PLACE,
    SKU,
    Reads,
    allocated,
    enter,
    gain,
    made_with_nothing,
    rows,
    take,
    waits,
    woken,
)
from tests.integration.stage import Stage
from tests.unit.builders import NOON


@pytest.fixture
def made(stage: Stage) -> Worker:
    return made_with_nothing(stage)


@pytest.mark.parametrize(
    ("wanted", "units", "expected"),
    [
        pytest.param([2, 2, 2], 2, {"t1"}, id="the oldest first"),
        pytest.param([2, 2, 2], 5, {"t1", "t2"}, id="as many as can be served completely"),
        pytest.param([2, 2, 2], 6, {"t1", "t2", "t3"}, id="all when there is enough"),
        pytest.param([2, 2, 2], 1, set(), id="none when there is too little for the first"),
        pytest.param([5, 1, 1], 4, set(), id="small ones do not overtake a large one"),
        pytest.param([5, 1, 1], 6, {"t1", "t2"}, id="what the large one leaves goes to the next"),
    ],
)
def test_the_longest_prefix_of_the_queue_that_the_stock_serves_is_woken(
    made: Worker, wanted: list[int], units: int, expected: set[str]
) -> None:
    for number, quantity in enumerate(wanted, start=1):
        waits(made, number, quantity)
    gain(made, units)
    assert made.waking.wake(SKU, NOON, go_on=FOREVER) == len(expected)
    assert woken(made) == expected


@pytest.mark.parametrize("arrival", list(permutations([1, 2, 3])))
def test_an_old_large_order_is_served_before_younger_small_ones_however_they_arrive(
    stage: Stage, made: Worker, arrival: tuple[int, ...]
) -> None:
    units = {1: 6, 2: 1, 3: 2}
    for number in arrival:
        waits(made, number, units[number])
    for turn in range(9):
        gain(made, 1, str(turn))
        made.waking.wake(SKU, NOON, go_on=FOREVER)
        for number in arrival:
            if f"t{number}" in woken(made):
                made.allocate(order_id(number), hours=41 + turn)
        served = allocated(stage, 1, 2, 3)
        assert served == {5: [1], 6: [1, 2], 7: [1, 2], 8: [1, 2, 3]}.get(turn, [])
    balance(stage, {(SKU, PLACE): 0})


def test_younger_orders_that_come_while_an_older_one_waits_stand_behind_it(stage: Stage, made: Worker) -> None:
    waits(made, 1, 5)
    gain(made, 3)
    for number in (2, 3, 4):
        waits(made, number, 1)
    assert allocated(stage, 1, 2, 3, 4) == []
    assert woken(made) == set()
    gain(made, 2, "2")
    made.waking.wake(SKU, NOON, go_on=FOREVER)
    assert woken(made) == {"t1"}


def test_express_orders_stand_before_all_others(made: Worker) -> None:
    waits(made, 1, 2)
    take(made, 2, {SKU: 2}, service_level="EXPRESS")
    made.allocate(order_id(2), hours=30)
    enter(made, 2)
    gain(made, 2)
    made.waking.wake(SKU, NOON, go_on=FOREVER)
    assert woken(made) == {"t2"}


def test_an_order_short_of_two_things_is_woken_when_the_second_has_come_too(made: Worker, stage: Stage) -> None:
    shelve(stage, {"JUG": 0})
    waits(made, 1, {SKU: 2, "JUG": 1})
    gain(made, 2)
    assert made.waking.wake(SKU, NOON, go_on=FOREVER) == 0
    gain(made, 1, "2", "JUG")
    assert made.waking.wake("JUG", NOON, go_on=FOREVER) == 1


def test_an_order_of_kits_is_woken_when_every_component_is_there(made: Worker, stage: Stage) -> None:
    shelve(stage, {"JUG": 0})
    components = (KitComponent(sku=SKU, quantity=2), KitComponent(sku="JUG", quantity=1))
    stage.put("products", Product(sku="TABLE-SET", grams=900, kit_components=components))
    waits(made, 1, {"TABLE-SET": 2})
    gain(made, 4)
    made.waking.wake(SKU, NOON, go_on=FOREVER)
    gain(made, 1, "2", "JUG")
    made.waking.wake("JUG", NOON, go_on=FOREVER)
    assert woken(made) == set()
    gain(made, 1, "3", "JUG")
    made.waking.wake("JUG", NOON, go_on=FOREVER)
    assert woken(made) == {"t1"}


def test_units_at_a_location_that_takes_no_work_wake_nobody(made: Worker, stage: Stage) -> None:
    closed = Location(location_id="WH-CLOSED", status=LocationStatus.CLOSED, country="US", region="NJ")
    stage.put("locations", closed)
    waits(made, 1, 2)
    gain(made, 5, location_id="WH-CLOSED")
    assert made.waking.wake(SKU, NOON, go_on=FOREVER) == 0


def test_an_answer_that_could_not_be_given_is_given_when_the_record_comes_again(made: Worker) -> None:
    for number in (1, 2):
        waits(made, number, 1)
    gain(made, 2)
    made.notebook.deaf = 1
    with pytest.raises(Unavailable):
        made.waking.wake(SKU, NOON, go_on=FOREVER)
    made.waking.wake(SKU, NOON, go_on=FOREVER)
    assert woken(made) == {"t1", "t2"}


LEAVES: dict[str, Callable[[Worker], Any]] = {
    "is cancelled": lambda made: made.decisions.cancel(order_id(1), "changed their mind", "support", at(41)),
    "goes to review": lambda made: made.lifecycle._request_review(order_id(1), "TIMED_OUT", at(41)),
}


@pytest.mark.parametrize("leaves", LEAVES)
def test_when_an_order_leaves_the_queue_without_its_stock_those_behind_it_move_up(
    stage: Stage, made: Worker, leaves: str
) -> None:
    waits(made, 1, 5)
    waits(made, 2, 2)
    gain(made, 3)
    assert made.waking.wake(SKU, NOON, go_on=FOREVER) == 0
    gone = rows(stage, 1)
    LEAVES[leaves](made)
    assert rows(stage, 1) == []
    assert made.waking.close_up(SKU, gone, NOON, go_on=FOREVER) == 1
    assert woken(made) == {"t2"}


def test_an_order_in_review_does_not_hold_up_those_behind_it(stage: Stage, made: Worker) -> None:
    waits(made, 1, 5)
    waits(made, 2, 2)
    LEAVES["goes to review"](made)
    gain(made, 3)
    made.waking.wake(SKU, NOON, go_on=FOREVER)
    assert woken(made) == {"t2"}
    made.allocate(order_id(2), hours=42)
    assert allocated(stage, 2) == [2]


def test_an_order_that_comes_out_of_review_has_its_old_place(stage: Stage, made: Worker) -> None:
    waits(made, 1, 2)
    waits(made, 2, 2)
    LEAVES["goes to review"](made)
    made.decisions.resolve_review(order_id(1), "operations", at(42))
    made.allocate(order_id(1), hours=42)
    made.wait(order_id(1), AWAIT_STOCK, "t1 again", hours=43)
    gain(made, 2)
    made.waking.wake(SKU, NOON, go_on=FOREVER)
    assert woken(made) == {"t1 again"}


def test_an_order_that_leaves_with_its_stock_makes_nobody_look(stage: Stage, made: Worker) -> None:
    waits(made, 1, 2)
    waits(made, 2, 2)
    gain(made, 3)
    gone = rows(stage, 1)
    made.waking.wake(SKU, NOON, go_on=FOREVER)
    made.allocate(order_id(1), hours=41)
    counted = Reads(stage)
    assert made.waking.close_up(SKU, gone, NOON, go_on=FOREVER) == 0
    assert counted.of("BatchGetItem") == 1
    assert woken(made) == {"t1"}


def test_one_order_that_can_not_be_read_keeps_its_place_and_nobody_else_from_theirs(stage: Stage, made: Worker) -> None:
    for number in (1, 2, 3):
        waits(made, number, 1)
    broken = next(row for row in stage.rows("orders") if row["order_id"] == order_id(1))
    stage.put("orders", broken | {"lines": "not lines"})
    gain(made, 2)
    made.waking.wake(SKU, NOON, go_on=FOREVER)
    assert woken(made) == {"t2"}


def test_an_execution_that_waits_for_something_else_is_left_alone(stage: Stage, made: Worker) -> None:
    waits(made, 1, 1)
    wait = made.waits.get(order_id(1))
    assert wait is not None
    made.waits.put(replace(wait, state="Review", task_token="t-review", entered_at=at(35)))
    gain(made, 1)
    made.waking.wake(SKU, NOON, go_on=FOREVER)
    assert woken(made) == set()


def test_where_there_is_no_route_the_worker_is_the_one_to_say_so(stage: Stage, made: Worker) -> None:
    waits(made, 1, 1)
    clients.client("dynamodb").delete_item(
        TableName="oms-test-settings", Key={"kind": {"S": "rate_card"}, "name": {"S": "small#1"}}
    )
    gain(made, 1)
    fresh = worker(Notebook())
    assert fresh.waking.wake(SKU, NOON, go_on=FOREVER) == 1
