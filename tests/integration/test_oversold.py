"""More was promised than there is: it shows while it lasts, and the latest-due demand looks for stock elsewhere."""

from __future__ import annotations

from typing import Any

import pytest

from oms.domain import stock as moves
from oms.domain.changes import Context, StockChange
from oms.domain.order import Order, OrderStatus, WaitingFor
from oms.domain.replanning import replan
from oms.runtime import clients
from oms.stores.open_lines import OpenLinesStore
from oms.usecases.oversold import Seen
from oms.usecases.projection import Projection
from tests.integration.company import (
    Worker,
    at,
    balance,
    everything,
    incoming,
    order_id,
    shelve,
    story,
    worker,
)
from tests.integration.faults import CrashedError, Faults
from tests.integration.stage import POLICY, PREFIX, Stage

PLACE = ("TRAY", "WH-EAST")


def promised(stage: Stage, made: Worker, *units: int, on_hand: int = 9) -> dict[tuple[str, str], int]:
    """Orders 1, 2, 3 … of so many trays, each due an hour after the one before, allocated at WH-EAST."""
    opening = shelve(stage, {"TRAY": on_hand})
    for number, quantity in enumerate(units, start=1):
        made.take(incoming(number, {"TRAY": quantity}, placed_at=at(number), channel_updated_at=at(number)), number)
        assert made.allocate(order_id(number), hours=number) == []
    project(made, len(units))
    return opening


def project(made: Worker, orders: int) -> None:
    """The read model catches up."""
    client: Any = clients.client("dynamodb")
    projection = Projection(made.orders, OpenLinesStore(client, PREFIX))
    projection.project([order_id(number) for number in range(1, orders + 1)], at(20))


def lose(made: Worker, units: int, change_id: str = "count-1") -> None:
    """A count finds so many trays fewer, and the stream tells of it."""
    before = made.stock.get(*PLACE).available
    change = StockChange(
        change_id=change_id, effective_at=at(20), at=at(20), actor="count", moves=(moves.adjust(*PLACE, -units),)
    )
    assert made.commit.commit_one(change).committed
    tell(made, before)


def tell(made: Worker, before: int) -> None:
    """The stream tells of the position as it is now."""
    now = made.stock.get(*PLACE)
    seen = Seen(
        sku=now.sku,
        location_id=now.location_id,
        before=before,
        available=now.available,
        marked=now.problem is not None,
    )
    made.oversold.look(seen, at(20))


def plan_anew(made: Worker, hours: float = 21) -> tuple[list[str], int]:
    """Works off what was put on the stock queue: which orders gave units, and how many are missing still."""
    orders: list[str] = []
    missing = 0
    for message, _ in made.stock_queue.sent:
        done = made.replanning.replan(message["sku"], message["location_id"], at(hours))
        orders += done.orders
        missing = done.missing
    made.stock_queue.sent.clear()
    return orders, missing


def looking(order: Order) -> int:
    return sum(line.unallocated for line in order.lines)


def oversold(made: Worker) -> list[tuple[str, str]]:
    return list(made.oversold.still())


@pytest.mark.parametrize(
    ("units", "lost", "given"),
    [
        pytest.param((3, 3, 3), 3, [0, 0, 3], id="who is due last gives all that is missing"),
        pytest.param((3, 3, 3), 2, [0, 0, 2], id="nobody gives more than is missing"),
        pytest.param((3, 3, 3), 5, [0, 2, 3], id="the one due before gives what is missing then"),
        pytest.param((3, 3, 3), 9, [3, 3, 3], id="all give when nothing is there"),
        pytest.param((3, 3), 3, [0, 0], id="units that nobody was promised go first"),
    ],
)
def test_the_latest_due_demand_gives_back_exactly_what_is_missing(
    stage: Stage, units: tuple[int, ...], lost: int, given: list[int]
) -> None:
    made = worker()
    opening = promised(stage, made, *units)
    lose(made, lost)
    plan_anew(made)
    numbers = range(1, len(units) + 1)
    assert [looking(stage.order(order_id(number))) for number in numbers] == given
    assert stage.position(*PLACE).available == max(0, 9 - sum(units) - lost)
    balance(stage, opening)


def test_of_those_promised_the_same_day_the_one_placed_last_gives(stage: Stage) -> None:
    made = worker()
    opening = shelve(stage, {"TRAY": 6})
    for number, hour in ((1, 2), (2, 1)):
        made.take(incoming(number, {"TRAY": 3}, placed_at=at(hour), channel_updated_at=at(hour)), hour)
        assert made.allocate(order_id(number), hours=hour) == []
    project(made, 2)
    assert stage.order(order_id(1)).promised_by == stage.order(order_id(2)).promised_by
    lose(made, 3)
    plan_anew(made)
    assert [looking(stage.order(order_id(number))) for number in (1, 2)] == [3, 0]
    balance(stage, opening)


def test_who_gave_units_gets_them_from_another_location(stage: Stage) -> None:
    made = worker()
    opening = promised(stage, made, 3, 3, 3)
    opening |= shelve(stage, {"TRAY": 5}, "WH-WEST")
    lose(made, 2)
    plan_anew(made)
    assert made.allocate(order_id(3), hours=22) == []
    order = stage.order(order_id(3))
    assert order.status is OrderStatus.ALLOCATED
    held = {(one.location_id, part.open) for one in order.fulfillments for part in one.lines}
    assert held == {("WH-EAST", 1), ("WH-WEST", 2)}
    moved = ["LinesReplanned", "OrderRouted", "PromiseChanged", "OrderAllocated"]
    assert story(stage, order_id(3)) == ["OrderReceived", "OrderRouted", "OrderAllocated", *moved]
    balance(stage, opening)


def test_who_finds_nothing_elsewhere_waits_for_stock(stage: Stage) -> None:
    made = worker()
    promised(stage, made, 3, 3, 3)
    lose(made, 2)
    plan_anew(made)
    made.allocate(order_id(3), hours=22)
    assert stage.order(order_id(3)).waiting_for is WaitingFor.STOCK
    assert [(row["sku"], row["order_id"], row["quantity"]) for row in stage.rows("backorders")] == [
        ("TRAY", order_id(3), 2)
    ]


def test_work_that_was_handed_to_the_location_stays_and_the_problem_stays_in_sight(stage: Stage) -> None:
    made = worker()
    promised(stage, made, 3, 3, 3)
    for number in (2, 3):
        made.lifecycle.evaluate(order_id(number), at(5))
    lose(made, 5)
    assert plan_anew(made) == ([order_id(1)], 2)
    assert stage.position(*PLACE).available == -2
    assert oversold(made) == [PLACE]


def test_when_nothing_is_left_to_give_asking_again_changes_nothing(stage: Stage) -> None:
    made = worker()
    promised(stage, made, 3, 3, 3)
    for number in (1, 2, 3):
        made.lifecycle.evaluate(order_id(number), at(5))
    lose(made, 5)
    plan_anew(made)
    left = everything(stage)
    tell(made, made.stock.get(*PLACE).available)
    assert plan_anew(made) == ([], 0)
    made.replanning.replan(*PLACE, at(23))
    assert everything(stage) == left


@pytest.mark.parametrize("times", [2, 3])
def test_being_asked_again_takes_nothing_more(stage: Stage, times: int) -> None:
    made = worker()
    promised(stage, made, 3, 3, 3)
    lose(made, 2)
    made.stock_queue.sent *= times
    assert plan_anew(made) == ([order_id(3)], 0)
    assert looking(stage.order(order_id(3))) == 2


def test_two_workers_at_the_same_order_take_back_what_is_missing_once(stage: Stage, faults: Faults) -> None:
    made, rival = worker(), worker()
    opening = promised(stage, made, 3, 3, 3)
    lose(made, 2)
    faults.meanwhile("TransactWriteItems", lambda: rival.replanning.replan(*PLACE, at(21)))
    assert plan_anew(made)[1] == 0
    assert faults.hits == 1
    assert [looking(stage.order(order_id(number))) for number in (1, 2, 3)] == [0, 0, 2]
    balance(stage, opening)


def test_two_workers_at_different_orders_take_back_no_more_than_each_saw_missing(stage: Stage, faults: Faults) -> None:
    """The one race there is: what was taken too much is available to everybody, and nothing more is taken."""
    made, rival = worker(), worker()
    opening = promised(stage, made, 3, 3, 3)
    lose(made, 2)

    def take_from_another() -> None:
        context = Context(now=at(21), actor="replanning", policy=POLICY)
        change = replan(stage.order(order_id(2)), *PLACE, 2, context)
        assert change is not None
        assert rival.commit.commit_one(change).committed

    faults.meanwhile("TransactWriteItems", take_from_another)
    plan_anew(made)
    made.replanning.replan(*PLACE, at(22))
    assert [looking(stage.order(order_id(number))) for number in (1, 2, 3)] == [0, 2, 2]
    assert stage.position(*PLACE).available == 2
    balance(stage, opening)


@pytest.mark.parametrize("moment", ["before", "after"])
def test_a_worker_that_dies_in_the_middle_leaves_the_rest_to_the_next(
    stage: Stage, faults: Faults, moment: str
) -> None:
    made = worker()
    opening = promised(stage, made, 3, 3, 3)
    lose(made, 5)
    crash = faults.crash_before if moment == "before" else faults.crash_after
    crash("TransactWriteItems", nth=2)
    with pytest.raises(CrashedError):
        made.replanning.replan(*PLACE, at(21))
    faults.mend()
    plan_anew(made)
    assert [looking(stage.order(order_id(number))) for number in (1, 2, 3)] == [0, 2, 3]
    balance(stage, opening)


def test_an_answer_that_got_lost_is_not_taken_for_a_failure(stage: Stage, faults: Faults) -> None:
    made = worker()
    opening = promised(stage, made, 3, 3, 3)
    lose(made, 2)
    faults.time_out_after()
    plan_anew(made)
    assert faults.hits == 1
    assert looking(stage.order(order_id(3))) == 2
    balance(stage, opening)


def test_an_order_that_the_read_model_has_not_yet_is_found_by_a_later_sweep(stage: Stage) -> None:
    made = worker()
    promised(stage, made, 3, 3)
    made.take(incoming(3, {"TRAY": 3}, placed_at=at(3), channel_updated_at=at(3)), 3)
    made.allocate(order_id(3), hours=3)
    for number in (1, 2):
        made.lifecycle.evaluate(order_id(number), at(5))
    lose(made, 2)
    assert plan_anew(made) == ([], 2)
    project(made, 3)
    assert made.sweep.run(at(23), at(-1), go_on=lambda: True).replanned == 1
    assert plan_anew(made) == ([order_id(3)], 0)


def test_an_order_that_gave_its_units_up_meanwhile_is_passed_over(stage: Stage) -> None:
    made = worker()
    promised(stage, made, 3, 3, 3)
    lose(made, 5)
    made.decisions.cancel(order_id(3), "changed their mind", "support", at(20.5))
    assert plan_anew(made) == ([order_id(2)], 0)
    assert looking(stage.order(order_id(2))) == 2


@pytest.mark.parametrize(
    ("available", "marked", "shows"),
    [
        pytest.param(-1, False, True, id="what promised too much shows"),
        pytest.param(-1, True, True, id="and keeps showing"),
        pytest.param(0, True, False, id="what has recovered does not show"),
        pytest.param(2, False, False, id="what was never short does not show"),
    ],
)
@pytest.mark.parametrize("told", [-4, -1, 0, 3])
@pytest.mark.parametrize("told_marked", [True, False])
def test_what_shows_is_what_is_true_however_late_the_news(
    stage: Stage, available: int, marked: bool, shows: bool, told: int, told_marked: bool
) -> None:
    """Late news never shows what has recovered and never hides what is short; its own news, coming too, does both."""
    made = worker()
    put_position(stage, available, marked)
    late = Seen(sku=PLACE[0], location_id=PLACE[1], before=5, available=told, marked=told_marked)
    made.oversold.look(late, at(20))
    shown = bool(oversold(made))
    assert shown in (marked, shows)
    tell(made, 5)
    made.oversold.look(late, at(20))
    assert bool(oversold(made)) is shows


def put_position(stage: Stage, available: int, marked: bool) -> None:
    problem = {"problem": "OVERSOLD", "problem_since": "2026-03-02T11:00:00Z"} if marked else {}
    row = {"sku": PLACE[0], "location_id": PLACE[1], "on_hand": available + 5, "available": available, "committed": 5}
    stage.put("stock", row | problem)


def test_it_shows_since_it_began(stage: Stage) -> None:
    made = worker()
    promised(stage, made, 9)
    lose(made, 1)
    lose(made, 1, "count-2")
    position = stage.position(*PLACE)
    assert (position.problem, position.problem_since) == ("OVERSOLD", at(20))


def test_marking_is_no_news_to_anybody() -> None:
    """The mark itself comes through the stream: it must ask for nothing, or it would go round for ever."""
    mark = Seen(sku="TRAY", location_id="WH-EAST", before=-2, available=-2, marked=True)
    assert (mark.rose, mark.fell_short, mark.sellable_changed) == (False, False, False)


def test_what_recovered_unseen_stops_showing_when_it_is_planned_anew(stage: Stage) -> None:
    made = worker()
    put_position(stage, 3, marked=True)
    swept = made.sweep.run(at(20), at(20), go_on=lambda: True)
    assert swept.replanned == 1
    plan_anew(made)
    assert oversold(made) == []


def test_a_sweep_asks_for_every_position_that_is_still_short(stage: Stage) -> None:
    made = worker()
    for number in range(120):
        row = {"sku": f"SKU-{number:03}", "location_id": "WH-EAST", "available": -1, "committed": 1}
        stage.put("stock", row | {"problem": "OVERSOLD", "problem_since": "2026-03-02T11:00:00Z"})
    assert made.sweep.run(at(20), at(20), go_on=lambda: True).replanned == 120
    assert len({message["sku"] for message, _ in made.stock_queue.sent}) == 120


def test_positions_that_can_not_be_asked_for_leave_the_rest_of_the_sweep_alone(stage: Stage) -> None:
    made = worker()
    stage.fail("dynamodb", "Query", "ThrottlingException", times=1)
    made.take(incoming(lines={"HAMPER": 1}))
    swept = made.sweep.run(at(100), at(100), go_on=lambda: True)
    assert swept.failed == {"oversold positions": "Throttled"}
    assert swept.evaluated == 1
