"""Orders that wait for stock: the oldest is served first, nobody is forgotten, and nobody is woken in vain."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from itertools import permutations
from typing import Any

import pytest

from oms.domain.catalog import KitComponent, Location, LocationStatus, Product
from oms.domain.changes import Backorder
from oms.domain.errors import Unavailable
from oms.domain.lifecycle import AWAIT_STOCK, Answer
from oms.domain.order import OrderStatus
from oms.runtime import clients
from oms.stores import backorders
from oms.usecases import waking
from tests.integration.company import (
    Notebook,
    Worker,
    at,
    balance,
    incoming,
    order_id,
    received,
    shelve,
    worker,
)
from tests.integration.stage import Stage

SKU, PLACE = "TRAY", "WH-EAST"
FOREVER: Callable[[], bool] = lambda: True  # noqa: E731


def take(made: Worker, number: int, lines: dict[str, int], **facts: Any) -> None:
    """An order placed at its number's hour."""
    moment = at(number)
    made.take(incoming(number, lines, placed_at=moment, channel_updated_at=moment, **facts), number)


def waits(made: Worker, number: int, units: int | dict[str, int], hours: float = 30) -> None:
    """An order that asked for stock, was told that there is too little, and whose execution waits: token `t1`, …"""
    take(made, number, units if isinstance(units, dict) else {SKU: units})
    assert made.allocate(order_id(number), hours=hours) == []
    enter(made, number, hours)


def enter(made: Worker, number: int, hours: float = 30) -> None:
    """The execution of the order enters AwaitStock."""
    made.wait(order_id(number), AWAIT_STOCK, f"t{number}", hours=hours)


def gain(made: Worker, units: int, name: str = "1", sku: str = SKU, location_id: str = PLACE) -> None:
    """So many units arrive; their record is still in the stream."""
    assert made.commit.commit_one(received(sku, location_id, units, 40, f"receipt-{name}")).committed


def woken(made: Worker) -> set[str]:
    """The tokens that were told to ask again."""
    return {token for token, told in made.notebook.told.items() if token.startswith("t") and told[0] == Answer()}


def rows(stage: Stage, number: int) -> list[Backorder]:
    """What the order stands for in the queues."""
    return [backorders.decode(row) for row in stage.rows("backorders") if row["order_id"] == order_id(number)]


def allocated(stage: Stage, *numbers: int) -> list[int]:
    return [one for one in numbers if stage.order(order_id(one)).status is OrderStatus.ALLOCATED]


@pytest.fixture
def made(stage: Stage) -> Worker:
    shelve(stage, {SKU: 0})
    return worker()


# ------------------------------------------------------------------------------------------------ the longest prefix


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
    assert made.waking.wake(SKU, go_on=FOREVER) == len(expected)
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
        made.waking.wake(SKU, go_on=FOREVER)
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
    made.waking.wake(SKU, go_on=FOREVER)
    assert woken(made) == {"t1"}


def test_express_orders_stand_before_all_others(made: Worker) -> None:
    waits(made, 1, 2)
    take(made, 2, {SKU: 2}, service_level="EXPRESS")
    made.allocate(order_id(2), hours=30)
    enter(made, 2)
    gain(made, 2)
    made.waking.wake(SKU, go_on=FOREVER)
    assert woken(made) == {"t2"}


def test_an_order_short_of_two_things_is_woken_when_the_second_has_come_too(made: Worker, stage: Stage) -> None:
    shelve(stage, {"JUG": 0})
    waits(made, 1, {SKU: 2, "JUG": 1})
    gain(made, 2)
    assert made.waking.wake(SKU, go_on=FOREVER) == 0
    gain(made, 1, "2", "JUG")
    assert made.waking.wake("JUG", go_on=FOREVER) == 1


def test_an_order_of_kits_is_woken_when_every_component_is_there(made: Worker, stage: Stage) -> None:
    shelve(stage, {"JUG": 0})
    components = (KitComponent(sku=SKU, quantity=2), KitComponent(sku="JUG", quantity=1))
    stage.put("products", Product(sku="TABLE-SET", grams=900, kit_components=components))
    waits(made, 1, {"TABLE-SET": 2})
    gain(made, 4)
    made.waking.wake(SKU, go_on=FOREVER)
    gain(made, 1, "2", "JUG")
    made.waking.wake("JUG", go_on=FOREVER)
    assert woken(made) == set()
    gain(made, 1, "3", "JUG")
    made.waking.wake("JUG", go_on=FOREVER)
    assert woken(made) == {"t1"}


def test_units_at_a_location_that_takes_no_work_wake_nobody(made: Worker, stage: Stage) -> None:
    closed = Location(location_id="WH-CLOSED", status=LocationStatus.CLOSED, country="US", region="NJ", carrier="ups")
    stage.put("locations", closed)
    waits(made, 1, 2)
    gain(made, 5, location_id="WH-CLOSED")
    assert made.waking.wake(SKU, go_on=FOREVER) == 0


# ------------------------------------------------------------------------------------------------ no lost wake-up

MOMENTS = 16


class Moment:
    """Somebody else acts just before the n-th call to DynamoDB from now on."""

    def __init__(self, stage: Stage, nth: int, act: Callable[[], None]) -> None:
        self.calls, self.nth, self.act = 0, nth, act
        self.acted = False
        stage.hook("dynamodb", "before-call.dynamodb", self._hook)

    def _hook(self, **_: Any) -> None:
        self.calls += 1
        if self.calls == self.nth:
            self.now()

    def now(self) -> None:
        if not self.acted:
            self.acted = True
            self.act()


@pytest.mark.parametrize("told", ["at once", "twice", "late"])
@pytest.mark.parametrize("nth", range(1, MOMENTS + 1))
def test_whenever_the_stock_comes_the_order_that_waits_for_it_goes_on(
    stage: Stage, made: Worker, nth: int, told: str
) -> None:
    """Stock comes at every moment between the order's question and its wait, and after; the stream tells of it."""
    stream = worker(made.notebook)
    take(made, 1, {SKU: 2})

    def stock_comes() -> None:
        gain(stream, 2)
        for _ in range({"at once": 1, "twice": 2, "late": 0}[told]):
            stream.waking.wake(SKU, go_on=FOREVER)

    moment = Moment(stage, nth, stock_comes)
    made.allocate(order_id(1), hours=30)
    if stage.order(order_id(1)).status is OrderStatus.RECEIVED:
        enter(made, 1)
    moment.now()
    if told == "late":
        stream.waking.wake(SKU, go_on=FOREVER)
    assert allocated(stage, 1) or woken(made) == {"t1"}


def test_the_moments_of_the_test_before_are_all_there_are(stage: Stage, made: Worker) -> None:
    moment = Moment(stage, 0, lambda: None)
    waits(made, 1, 2)
    assert 8 < moment.calls < MOMENTS


def test_an_answer_that_could_not_be_given_is_given_when_the_record_comes_again(made: Worker) -> None:
    for number in (1, 2):
        waits(made, number, 1)
    gain(made, 2)
    made.notebook.deaf = 1
    with pytest.raises(Unavailable):
        made.waking.wake(SKU, go_on=FOREVER)
    made.waking.wake(SKU, go_on=FOREVER)
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
    assert made.waking.wake(SKU, go_on=FOREVER) == 0
    gone = rows(stage, 1)
    LEAVES[leaves](made)
    assert rows(stage, 1) == []
    assert made.waking.close_up(SKU, gone, go_on=FOREVER) == 1
    assert woken(made) == {"t2"}


def test_an_order_in_review_does_not_hold_up_those_behind_it(stage: Stage, made: Worker) -> None:
    waits(made, 1, 5)
    waits(made, 2, 2)
    LEAVES["goes to review"](made)
    gain(made, 3)
    made.waking.wake(SKU, go_on=FOREVER)
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
    made.waking.wake(SKU, go_on=FOREVER)
    assert woken(made) == {"t1 again"}


def test_an_order_that_leaves_with_its_stock_makes_nobody_look(stage: Stage, made: Worker) -> None:
    waits(made, 1, 2)
    waits(made, 2, 2)
    gain(made, 3)
    gone = rows(stage, 1)
    made.waking.wake(SKU, go_on=FOREVER)
    made.allocate(order_id(1), hours=41)
    counted = Reads(stage)
    assert made.waking.close_up(SKU, gone, go_on=FOREVER) == 0
    assert counted.of("BatchGetItem") == 1
    assert woken(made) == {"t1"}


@pytest.mark.parametrize("nth", range(1, 13))
def test_who_is_served_while_the_queue_is_looked_at_does_not_stand_in_the_way(
    stage: Stage, made: Worker, nth: int
) -> None:
    """The first order was woken and takes its units at any moment of the look that the second order's units cause."""
    rival = worker(made.notebook)
    for number in (1, 2):
        waits(made, number, 2)
    gain(made, 2, "1")
    made.waking.wake(SKU, go_on=FOREVER)
    gone = rows(stage, 1)

    def serve_the_first() -> None:
        rival.allocate(order_id(1), hours=41)
        rival.waking.close_up(SKU, gone, go_on=FOREVER)

    gain(made, 2, "2")
    moment = Moment(stage, nth, serve_the_first)
    made.waking.wake(SKU, go_on=FOREVER)
    moment.now()
    assert allocated(stage, 1) == [1]
    assert woken(made) == {"t1", "t2"}


@pytest.mark.parametrize("nth", range(1, 13))
def test_who_begins_to_wait_while_another_is_served_is_not_forgotten(stage: Stage, made: Worker, nth: int) -> None:
    """There is enough for both; the first takes its units at any moment of the second's beginning to wait."""
    rival = worker(made.notebook)
    waits(made, 1, 2)
    take(made, 2, {SKU: 2})
    made.allocate(order_id(2), hours=30)
    gain(made, 4)
    made.waking.wake(SKU, go_on=FOREVER)
    gone = rows(stage, 1)

    def serve_the_first() -> None:
        rival.allocate(order_id(1), hours=41)
        rival.waking.close_up(SKU, gone, go_on=FOREVER)

    moment = Moment(stage, nth, serve_the_first)
    enter(made, 2, 41)
    moment.now()
    assert allocated(stage, 1) == [1]
    assert woken(made) == {"t1", "t2"}


# ------------------------------------------------------------------------------------------------ no herd, no spinning


class Reads:
    """Counts the calls of every operation from now on."""

    def __init__(self, stage: Stage) -> None:
        self.calls: Counter[str] = Counter()
        stage.hook("dynamodb", "before-call.dynamodb", lambda model, **_: self.calls.update([model.name]))

    def of(self, operation: str) -> int:
        return self.calls[operation]


def crowd(stage: Stage, made: Worker, orders: int, known: int) -> None:
    """A queue of orders of one unit each; the first `known` of them have documents and waiting executions."""
    waits(made, 1, 1)
    document = next(row for row in stage.rows("orders") if row["order_id"] == order_id(1))
    (entry,) = stage.rows("waits")
    (row,) = stage.rows("backorders")
    for number in range(2, orders + 1):
        name = f"order-{number:04}"
        stage.put("backorders", row | {"order_id": name, "queue_key": f"6#{number:04}#{name}#L1"})
        if number <= known:
            stage.put("orders", document | {"order_id": name})
            stage.put("waits", entry | {"order_id": name, "task_token": f"t{number}"})


def test_of_a_thousand_that_wait_ten_units_wake_ten_and_read_no_more(stage: Stage, made: Worker) -> None:
    crowd(stage, made, 1_000, known=40)
    gain(made, 10)
    fresh = worker(made.notebook)
    counted = Reads(stage)
    fresh.waking.wake(SKU, go_on=FOREVER)
    assert woken(made) == {f"t{number}" for number in range(1, 11)}
    assert counted.calls == {
        "Query": 2,  # the positions of the sku, the head of its queue
        "BatchGetItem": 2,  # ten waits, ten orders
        "Scan": 1,  # locations, kept from now on
        "GetItem": 2,  # rate card and policy, kept as well
    }


def test_a_gain_that_nobody_waits_for_costs_two_reads(stage: Stage, made: Worker) -> None:
    gain(made, 10)
    made.waking.wake(SKU, go_on=FOREVER)
    counted = Reads(stage)
    made.waking.wake(SKU, go_on=FOREVER)
    assert counted.calls == {"Query": 2}


def test_where_all_is_promised_the_queue_is_not_even_read(stage: Stage, made: Worker) -> None:
    crowd(stage, made, 50, known=0)
    made.waking.wake(SKU, go_on=FOREVER)
    counted = Reads(stage)
    assert made.waking.close_up(SKU, rows(stage, 1), go_on=FOREVER) == 0
    assert counted.calls == {"Scan": 1, "Query": 1}


def test_an_order_that_can_not_be_served_completely_is_not_woken_by_small_gains(stage: Stage, made: Worker) -> None:
    waits(made, 1, 10)
    before = len(made.notebook.told)
    for turn in range(9):
        gain(made, 1, str(turn))
        made.waking.wake(SKU, go_on=FOREVER)
    assert len(made.notebook.told) == before
    gain(made, 1, "last")
    made.waking.wake(SKU, go_on=FOREVER)
    assert woken(made) == {"t1"}


def test_of_five_thousand_that_can_be_served_all_are_woken_though_time_runs_out(
    stage: Stage, made: Worker, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Told with twelve of them, read two at a time, in a queue of pages of three."""
    monkeypatch.setattr(waking, "AT_ONCE", 2)
    monkeypatch.setattr(backorders, "FIRST_PAGE", 3)
    monkeypatch.setattr(backorders, "PAGE", 3)
    crowd(stage, made, 12, known=12)
    gain(made, 12)
    left = iter([True, True, False])
    with pytest.raises(Unavailable):
        made.waking.wake(SKU, go_on=lambda: next(left))
    assert woken(made) == {"t1", "t2", "t3", "t4"}
    made.waking.wake(SKU, go_on=FOREVER)
    assert woken(made) == {f"t{number}" for number in range(1, 13)}


def test_one_order_that_can_not_be_read_keeps_its_place_and_nobody_else_from_theirs(stage: Stage, made: Worker) -> None:
    for number in (1, 2, 3):
        waits(made, number, 1)
    broken = next(row for row in stage.rows("orders") if row["order_id"] == order_id(1))
    stage.put("orders", broken | {"lines": "not lines"})
    gain(made, 2)
    made.waking.wake(SKU, go_on=FOREVER)
    assert woken(made) == {"t2"}


def test_an_execution_that_waits_for_something_else_is_left_alone(stage: Stage, made: Worker) -> None:
    waits(made, 1, 1)
    wait = made.waits.get(order_id(1))
    assert wait is not None
    made.waits.put(replace(wait, state="Review", task_token="t-review", entered_at=at(35)))
    gain(made, 1)
    made.waking.wake(SKU, go_on=FOREVER)
    assert woken(made) == set()


def test_where_there_is_no_route_the_worker_is_the_one_to_say_so(stage: Stage, made: Worker) -> None:
    waits(made, 1, 1)
    clients.client("dynamodb").delete_item(
        TableName="oms-test-settings", Key={"kind": {"S": "rate_card"}, "name": {"S": "standard"}}
    )
    gain(made, 1)
    fresh = worker(Notebook())
    assert fresh.waking.wake(SKU, go_on=FOREVER) == 1
