"""Orders that come and go while others do: whatever happens between, days count the places that are held."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest

from oms.domain.errors import InvariantBroken
from oms.domain.order import OrderStatus
from oms.runtime import clients
from oms.stores.capacity import MAX_DAYS_READ, CapacityStore
from oms.stores.group_commit import Outcome
from tests.integration.capacity_days import DAY, allocated, cancelling, day_changes, days_add_up, held_places, planned
from tests.integration.commits import EAST, HOT, WEST, committing
from tests.integration.company import Worker, at, balance, incoming, released, report, shelve, worker
from tests.integration.fast_tables import fast_tables
from tests.integration.faults import Faults
from tests.integration.interleaving import Actor, watch_calls
from tests.integration.stage import LOCATIONS, PREFIX, Stage


@pytest.fixture
def stage(monkeypatch: pytest.MonkeyPatch) -> Iterator[Stage]:
    with fast_tables(monkeypatch) as made:
        yield made


@pytest.fixture(autouse=True)
def books(stage: Stage) -> Iterator[None]:
    """Whatever a test does, in the end every day and every position says what the orders hold."""
    opening = shelve(stage, {HOT: 200, "RARE": 1, "BOTH": 5}) | shelve(stage, {"BOTH": 5}, WEST)
    yield
    stage.mend()
    balance(stage, opening)


TURNS = 6
"""Turns in which it is chosen who goes on; after them everybody finishes."""


@pytest.mark.parametrize("turns", list(itertools.product((0, 1, 2), repeat=3)), ids=str)
def test_whoever_comes_first_for_the_last_places_no_more_are_given_than_there_are(
    stage: Stage, turns: tuple[int, ...]
) -> None:
    """Two workers want two orders' places each, a third cancels: places never exceed the limit at any moment."""
    leaving, *_ = allocated(stage, 3, limit=5)
    batches = [day_changes(stage, 2, 5, first=10), day_changes(stage, 2, 5, first=20), [cancelling(leaving)]]
    told: list[list[Any]] = [[], [], []]

    def work(number: int) -> None:
        told[number] = committing().commit(batches[number])

    mend = watch_calls()
    try:
        actors = [Actor(lambda number=number: work(number)) for number in range(3)]  # type: ignore[misc]
        for turn in (*turns, *[number for number in range(3) for _ in range(TURNS)]):
            if not actors[turn].is_done:
                actors[turn].go_on()
                assert (planned(stage) or 0) <= 5
                days_add_up(stage)
    finally:
        mend()
    results = [one for batch in told for one in batch]
    assert all(actor.is_done for actor in actors)
    assert {one.outcome for one in results} <= {Outcome.COMMITTED, Outcome.CAPACITY_FULL}
    assert planned(stage) == 2 + sum(one.committed for batch in told[:2] for one in batch)
    assert planned(stage) in (4, 5)


# ------------------------------------------------------------------------------------------------ an order's life


def counting(stage: Stage, limit: int) -> Worker:
    """A worker of a company whose locations make so many parcels a day."""
    for one in LOCATIONS:
        stage.put("locations", replace(one, daily_capacity=limit))
    return worker()


def loads(stage: Stage) -> list[int]:
    """The parcels of all days, the fullest first."""
    return sorted((int(row["parcels"]) for row in stage.rows("capacity")), reverse=True)


def test_an_order_holds_a_place_from_its_allocation_until_it_is_cancelled(stage: Stage) -> None:
    made = counting(stage, 5)
    name = made.take(incoming(1, {HOT: 1})).order.order_id
    assert made.allocate(name) == []
    (work,) = stage.order(name).fulfillments
    assert work.capacity_day is not None
    assert planned(stage, work.capacity_day, work.location_id) == 1
    made.decisions.cancel(name, "CUSTOMER", "desk", at(0.5))
    assert planned(stage, work.capacity_day, work.location_id) == 0


def test_a_refused_parcel_gives_its_place_back_and_the_next_location_has_one_for_it(stage: Stage) -> None:
    made = counting(stage, 5)
    order = released(made, 1, {"BOTH": 1})
    made.report(report("rejected", order, reason_code="TOO_BUSY"))
    assert loads(stage) == [0]
    assert made.allocate(order.order_id, hours=2) == []
    assert [one.location_id for one in stage.order(order.order_id).fulfillments] == [EAST, WEST]
    assert loads(stage) == [1, 0]


def test_who_loses_the_last_place_of_a_day_to_another_worker_looks_again_and_gets_another(
    stage: Stage, faults: Faults
) -> None:
    made, rival = counting(stage, 1), worker()
    names = [made.take(incoming(number, {HOT: 1})).order.order_id for number in (1, 2)]
    faults.meanwhile("TransactWriteItems", lambda: rival.allocate(names[1]))
    assert made.allocate(names[0]) == []
    assert faults.hits == 1
    assert [one.status for one in map(stage.order, names)] == [OrderStatus.ALLOCATED] * 2
    assert loads(stage) == [1, 1]


# ------------------------------------------------------------------------------------------------ reading


def store() -> CapacityStore:
    return CapacityStore(clients.client("dynamodb"), PREFIX)


def test_days_are_read_with_those_that_nobody_has_a_place_of(stage: Stage) -> None:
    allocated(stage, 3)
    assert store().load([EAST, WEST], [DAY, "2026-03-04"]) == {
        (EAST, DAY): 3,
        (EAST, "2026-03-04"): 0,
        (WEST, DAY): 0,
        (WEST, "2026-03-04"): 0,
    }
    assert store().load([], [DAY]) == {}


def test_more_days_than_one_request_takes_are_read_in_several(stage: Stage) -> None:
    allocated(stage, 3)
    days = [f"2026-{month:02}-{day:02}" for month in (3, 4, 5) for day in range(1, 29)]
    loads = store().load([EAST, WEST], days)
    assert len(loads) == 2 * len(days) > 100
    assert {day: parcels for day, parcels in loads.items() if parcels} == {(EAST, DAY): 3} == held_places(stage)


def test_more_days_than_can_ever_be_needed_are_not_read(stage: Stage) -> None:
    locations = [f"WH-{number}" for number in range(MAX_DAYS_READ + 1)]
    with pytest.raises(InvariantBroken, match=f"{MAX_DAYS_READ + 1} days"):
        store().load(locations, [DAY])
