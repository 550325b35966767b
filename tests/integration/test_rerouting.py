"""Orders that wait for their release move to cheaper locations with their stock, whoever else is at work."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import replace
from typing import Any

import pytest

from oms.domain.catalog import Policy
from oms.domain.order import Order, OrderStatus, WaitingFor, Work
from oms.domain.stock import StockPosition
from oms.stores.orders import OrdersStore
from oms.usecases import rerouting as use_cases
from oms.usecases.rerouting import Rerouted, Rerouting
from tests.integration.company import (
    ADA,
    RENO,
    Worker,
    activate_routing_policy,
    at,
    balance,
    everything,
    incoming,
    order_id,
    received,
    shelve,
    story,
    worker,
)
from tests.integration.faults import CrashedError, Faults
from tests.integration.stage import LOCATIONS, Stage

SOON = 0.1
"""Hours after noon: everybody's cancel window of half an hour is open."""


@pytest.fixture(autouse=True)
def cancel_window(stage: Stage) -> None:
    stage.put("settings", Policy(), kind="policy", name="active")


def rerouting(made: Worker, hours: float = SOON, *, time: bool = True, pick: float = 0.5) -> Rerouted:
    """One run of a worker that has just started."""
    fresh = Worker(made.notebook)
    use_case = Rerouting(
        fresh.orders, fresh.allocation.sourcing, fresh.commit, fresh.allocation.decisions, pick=lambda: pick
    )
    return use_case.run(at(hours), go_on=lambda: time)


def place(made: Worker, number: int, lines: dict[str, int], *, far: bool = False, **changes: Any) -> Order:
    """An order of a customer in New York (or in Reno, if far) that has all its stock."""
    contact = replace(ADA, ship_to=RENO) if far else ADA
    made.take(incoming(number, lines, contact=contact, **changes))
    assert made.allocate(order_id(number)) == []
    return made.orders.get(order_id(number)) or pytest.fail("it is gone")


def one_that_could_move(stage: Stage, made: Worker, **changes: Any) -> dict[tuple[str, str], int]:
    """Order 1 to New York ships a tray from the west for 9 dollars; meanwhile trays came in in the east, for 7."""
    opening = shelve(stage, {"TRAY": 3}, "WH-WEST") | shelve(stage, {"TRAY": 0})
    place(made, 1, {"TRAY": 1}, **changes)
    assert made.commit.commit_one(received("TRAY", "WH-EAST", 5)).committed
    return opening


def two_in_a_row(stage: Stage, made: Worker) -> dict[tuple[str, str], int]:
    """Order 1 to Reno has the east's only tray; order 2 to New York a tray of the west, where one is left."""
    opening = shelve(stage, {"TRAY": 1}) | shelve(stage, {"TRAY": 0}, "WH-WEST")
    place(made, 1, {"TRAY": 1}, far=True)
    assert made.commit.commit_one(received("TRAY", "WH-WEST", 2)).committed
    place(made, 2, {"TRAY": 1})
    assert places(stage) == {1: ["WH-EAST"], 2: ["WH-WEST"]}
    return opening


def places(stage: Stage, *numbers: int) -> dict[int, list[str]]:
    """Where the orders' open work is."""
    found = {}
    for number in numbers or (1, 2):
        works = stage.order(order_id(number)).fulfillments
        found[number] = [one.location_id for one in works if any(part.open for part in one.lines)]
    return found


def test_an_order_moves_to_where_stock_came_in_and_ships_cheaper(stage: Stage) -> None:
    made = worker()
    opening = one_that_could_move(stage, made)
    before = stage.order(order_id())
    assert rerouting(made) == Rerouted(looked_at=1, saved_minor=200, moved=[order_id()])
    after = stage.order(order_id())
    assert [(one.fulfillment_id[-2:], one.location_id, one.work) for one in after.fulfillments] == [
        ("f1", "WH-WEST", Work.CANCELLED),
        ("f2", "WH-EAST", Work.OPEN),
    ]
    assert (after.status, after.waiting_for) == (OrderStatus.ALLOCATED, WaitingFor.CANCEL_WINDOW)
    assert (after.promised_by, after.release_after) == (before.promised_by, before.release_after)
    assert after.version == before.version + 1
    moved, routed = after.events[-2:]
    assert moved.data == {"from": ["WH-WEST"], "to": ["WH-EAST"], "saved_minor": 200}
    assert story(stage, order_id())[-2:] == ["OrderRerouted", "OrderRouted"]
    assert routed.data["decision_id"] in {row["decision_id"] for row in stage.rows("routing_decisions")}
    balance(stage, opening)


def test_a_second_run_finds_nothing_more_to_move(stage: Stage) -> None:
    made = worker()
    one_that_could_move(stage, made)
    rerouting(made)
    left = everything(stage)
    assert rerouting(made).moved == []
    assert everything(stage) == left


def test_a_moved_order_is_released_to_its_new_location_alone(stage: Stage) -> None:
    made = worker()
    opening = one_that_could_move(stage, made)
    rerouting(made)
    order = made.lifecycle.evaluate(order_id(), at(1))
    assert order is not None
    assert order.status is OrderStatus.RELEASED
    assert [row["destination"] for row in stage.rows("deliveries")] == ["location#WH-EAST"]
    balance(stage, opening)


def test_nothing_moves_for_less_than_the_policy_asks_for(stage: Stage) -> None:
    made = worker()
    activate_routing_policy(stage, reroute_saving_minor=200)
    one_that_could_move(stage, made)
    assert rerouting(made) == Rerouted(looked_at=1)


@pytest.mark.parametrize(
    ("hours", "looked_at"),
    [
        pytest.param(0.46, 1, id="there is time left"),
        pytest.param(0.47, 0, id="it may be released in less than two minutes"),
        pytest.param(0.6, 0, id="it may be released already"),
    ],
)
def test_who_is_about_to_be_released_stays(stage: Stage, hours: float, looked_at: int) -> None:
    made = worker()
    one_that_could_move(stage, made)
    assert rerouting(made, hours).looked_at == looked_at


def test_an_order_on_hold_moves_long_after_its_cancel_window(stage: Stage) -> None:
    made = worker()
    opening = one_that_could_move(stage, made)
    made.decisions.place_hold(order_id(), "h1", "FRAUD", "", "api:shop", at(0))
    assert rerouting(made, 3).moved == [order_id()]
    balance(stage, opening)


def test_a_promise_is_not_broken_to_save_money(stage: Stage) -> None:
    """From the west it costs 20 dollars more since noon, but from the east it would be three days late."""
    made = worker()
    place(made, 1, {"MUG": 1}, far=True)
    assert places(stage, 1) == {1: ["WH-WEST"]}
    stage.put("locations", replace(LOCATIONS[1], handling_per_parcel_minor=2000))
    assert rerouting(made) == Rerouted(looked_at=1)


def test_what_others_wait_for_is_not_moved(stage: Stage) -> None:
    made = worker()
    one_that_could_move(stage, made)
    made.take(incoming(2, {"TRAY": 90}))
    made.allocate(order_id(2))
    made.commit.commit_one(received("TRAY", "WH-EAST", 1, change_id="receipt-2"))
    assert rerouting(made).moved == []


def test_orders_in_review_released_cancelled_or_short_are_not_looked_at(stage: Stage) -> None:
    made = worker()
    one_that_could_move(stage, made)
    made.lifecycle.evaluate(order_id(), at(1))
    assert rerouting(made).looked_at == 0


def test_an_order_takes_what_another_gives_back(stage: Stage) -> None:
    made = worker()
    opening = two_in_a_row(stage, made)
    assert rerouting(made) == Rerouted(looked_at=2, saved_minor=600, moved=[order_id(1), order_id(2)])
    assert places(stage) == {1: ["WH-WEST"], 2: ["WH-EAST"]}
    balance(stage, opening)


def test_orders_that_would_all_wait_for_each_other_stay(stage: Stage) -> None:
    """The west's other tray is gone: neither could begin."""
    made = worker()
    opening = two_in_a_row(stage, made)
    assert place(made, 3, {"TRAY": 1}, far=True).status is OrderStatus.ALLOCATED
    left = everything(stage)
    assert rerouting(made).moved == []
    assert everything(stage) == left
    balance(stage, opening)


@pytest.mark.parametrize("moment", ["crash_before", "crash_after"])
@pytest.mark.parametrize("nth", [1, 2])
def test_a_worker_that_dies_anywhere_leaves_every_order_with_its_stock(
    stage: Stage, faults: Faults, moment: str, nth: int
) -> None:
    made = worker()
    opening = two_in_a_row(stage, made)
    getattr(faults, moment)(nth=nth)
    with pytest.raises(CrashedError):
        rerouting(made)
    faults.mend()
    assert [stage.order(order_id(number)).status for number in (1, 2)] == [OrderStatus.ALLOCATED] * 2
    balance(stage, opening)
    rerouting(made)
    assert places(stage) == {1: ["WH-WEST"], 2: ["WH-EAST"]}
    balance(stage, opening)


def test_an_answer_that_is_lost_makes_no_second_move(stage: Stage, faults: Faults) -> None:
    made = worker()
    opening = one_that_could_move(stage, made)
    faults.time_out_after()
    assert rerouting(made).moved == [order_id()]
    assert len(stage.order(order_id()).fulfillments) == 2
    balance(stage, opening)


def test_who_is_released_meanwhile_stays_and_ends_the_group(stage: Stage, faults: Faults) -> None:
    made = worker()
    opening = two_in_a_row(stage, made)
    faults.meanwhile("TransactWriteItems", lambda: made.lifecycle.evaluate(order_id(1), at(1)))
    assert rerouting(made) == Rerouted(looked_at=2)
    assert places(stage) == {1: ["WH-EAST"], 2: ["WH-WEST"]}
    assert stage.order(order_id(1)).status is OrderStatus.RELEASED
    balance(stage, opening)


def test_who_is_cancelled_meanwhile_stays_cancelled(stage: Stage, faults: Faults) -> None:
    made = worker()
    opening = one_that_could_move(stage, made)
    faults.meanwhile("TransactWriteItems", lambda: made.decisions.cancel(order_id(), "CUSTOMER", "api:shop", at(0)))
    assert rerouting(made).moved == []
    assert stage.order(order_id()).status is OrderStatus.CANCELLED
    balance(stage, opening)


def test_stock_that_somebody_takes_meanwhile_is_not_taken_twice(stage: Stage, faults: Faults) -> None:
    made = worker()
    opening = two_in_a_row(stage, made)
    made.take(incoming(3, {"TRAY": 1}, contact=replace(ADA, ship_to=RENO)))
    faults.meanwhile("TransactWriteItems", lambda: made.allocate(order_id(3)))
    assert rerouting(made) == Rerouted(looked_at=2)
    assert stage.order(order_id(3)).status is OrderStatus.ALLOCATED
    balance(stage, opening)


def test_two_runs_at_once_move_each_order_once(stage: Stage, faults: Faults) -> None:
    made = worker()
    opening = two_in_a_row(stage, made)
    faults.meanwhile("TransactWriteItems", lambda: rerouting(made))
    rerouting(made)
    assert places(stage) == {1: ["WH-WEST"], 2: ["WH-EAST"]}
    assert [story(stage, order_id(number)).count("OrderRerouted") for number in (1, 2)] == [1, 1]
    balance(stage, opening)


MEANWHILE: dict[str, Callable[[Worker], Any]] = {
    "the first is released": lambda made: made.lifecycle.evaluate(order_id(1), at(1)),
    "the second is released": lambda made: made.lifecycle.evaluate(order_id(2), at(1)),
    "the first is cancelled": lambda made: made.decisions.cancel(order_id(1), "CUSTOMER", "api:shop", at(0)),
    "the second is cancelled": lambda made: made.decisions.cancel(order_id(2), "CUSTOMER", "api:shop", at(0)),
    "the second is held": lambda made: made.decisions.place_hold(order_id(2), "h", "FRAUD", "", "api:shop", at(0)),
    "a third takes the tray": lambda made: made.allocate(order_id(3)),
    "a second run moves them": rerouting,
}


@pytest.mark.parametrize("moment", ["BatchGetItem", "Query", "BatchWriteItem", "TransactWriteItems", "2nd"])
@pytest.mark.parametrize("what", MEANWHILE)
def test_whatever_happens_meanwhile_the_books_balance(stage: Stage, faults: Faults, what: str, moment: str) -> None:
    made = worker()
    opening = two_in_a_row(stage, made)
    made.take(incoming(3, {"TRAY": 1}, contact=replace(ADA, ship_to=RENO)))
    operation, nth = ("TransactWriteItems", 2) if moment == "2nd" else (moment, 1)
    faults.meanwhile(operation, lambda: MEANWHILE[what](made), nth=nth)
    rerouting(made)
    assert faults.hits == 1
    for number in (1, 2):
        order = stage.order(order_id(number))
        assert order.status in (OrderStatus.ALLOCATED, OrderStatus.RELEASED, OrderStatus.CANCELLED)
        assert len(places(stage, number)[number]) == (order.status is not OrderStatus.CANCELLED)
        assert story(stage, order_id(number)).count("OrderRerouted") <= 1
    balance(stage, opening)


def test_a_decision_that_can_not_be_kept_is_not_carried_out(stage: Stage, faults: Faults) -> None:
    made = worker()
    one_that_could_move(stage, made)
    faults.refuse("BatchWriteItem", "InternalServerError", times=100)
    done = rerouting(made)
    assert (done.moved, list(done.failed)) == ([], [order_id()])
    assert places(stage, 1) == {1: ["WH-WEST"]}


def test_places_in_the_locations_days_move_with_the_order(stage: Stage) -> None:
    made = worker()
    for location in LOCATIONS:
        stage.put("locations", replace(location, daily_capacity=10))
    opening = one_that_could_move(stage, made)
    assert rerouting(made).moved == [order_id()]
    assert {row["location_id"]: row["parcels"] for row in stage.rows("capacity")} == {"WH-EAST": 1, "WH-WEST": 0}
    balance(stage, opening)


def test_a_full_day_takes_nobody_more(stage: Stage) -> None:
    made = worker()
    one_that_could_move(stage, made)
    stage.put("locations", replace(LOCATIONS[0], daily_capacity=0))
    assert rerouting(made).moved == []


def test_where_too_many_wait_half_are_those_due_first_and_half_begin_anywhere(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(use_cases, "ORDERS_PER_QUEUE", 2)
    made = worker()
    for number, hours in ((1, 0.1), (2, 0.05), (3, 0.0)):
        made.take(incoming(number, {"MUG": 1}, placed_at=at(hours)), hours)
        made.allocate(order_id(number), hours=hours)
    looked: list[list[str]] = []

    def read_many(_: OrdersStore, order_ids: Iterable[str]) -> dict[str, Order]:
        looked.append(list(order_ids))
        return {}

    monkeypatch.setattr(OrdersStore, "read_many", read_many)
    rerouting(made, pick=0.0)
    rerouting(made, pick=0.99)
    assert looked == [[order_id(3), order_id(2)], [order_id(3), order_id(1)]]


def test_an_oversold_position_is_left_to_be_planned_anew(stage: Stage) -> None:
    made = worker()
    one_that_could_move(stage, made)
    oversold = StockPosition(sku="TRAY", location_id="WH-WEST", on_hand=0, available=-1, committed=1)
    stage.put("stock", oversold)
    assert rerouting(made).looked_at == 0


def test_without_time_left_nothing_is_begun(stage: Stage) -> None:
    made = worker()
    one_that_could_move(stage, made)
    assert rerouting(made, time=False) == Rerouted(looked_at=1)
