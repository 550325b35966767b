"""Places in a location's day are reserved like stock: counted with the order that takes or gives them back, and never
more than there are."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest

from oms.domain.capacity import CapacityMove, DayLoad
from oms.domain.changes import OrderChange
from oms.domain.decisions import place_hold
from oms.domain.errors import WriteConflict
from oms.domain.order import Hold, Order
from oms.stores.group_commit import MAX_ATTEMPTS, Outcome
from tests.integration.capacity_days import DAY, allocated, cancelling, day_changes, planned, taking
from tests.integration.commits import (
    EAST,
    HOT,
    WEST,
    Sent,
    committing,
    hot_changes,
    order_id,
    outcomes,
    placed,
    promising,
    strike,
)
from tests.integration.company import (
    NOON,
    balance,
    everything,
    shelve,
)
from tests.integration.fast_tables import fast_tables
from tests.integration.faults import CrashedError, Faults
from tests.integration.stage import Stage
from tests.unit import builders

MANY = 97
"""One-line orders of one sku for one day that fill a transaction: 97 orders, a position, its movement, the day."""


@pytest.fixture
def stage(monkeypatch: pytest.MonkeyPatch) -> Iterator[Stage]:
    with fast_tables(monkeypatch) as made:
        yield made


@pytest.fixture
def sent(stage: Stage) -> Sent:
    return Sent(stage)


@pytest.fixture(autouse=True)
def books(stage: Stage) -> Iterator[None]:
    """Whatever a test does, in the end every day and every position says what the orders hold."""
    opening = shelve(stage, {HOT: 200, "RARE": 1, "BOTH": 5}) | shelve(stage, {"BOTH": 5}, WEST)
    yield
    stage.mend()
    balance(stage, opening)


def served(results: list[Any]) -> list[int]:
    return [at for at, one in enumerate(results) if one.committed]


# ------------------------------------------------------------------------------------------------ what is written


def test_a_place_is_taken_in_the_transaction_that_allocates(stage: Stage, sent: Sent) -> None:
    assert committing().commit_one(*day_changes(stage, 1, 40)).committed
    assert sent.tables() == {"orders": 1, "stock": 1, "stock_movements": 1, "capacity": 1}
    assert stage.rows("capacity") == [
        {
            "location_id": EAST,
            "day": DAY,
            "parcels": 1,
            "limit": 40,
            "updated_at": "2026-03-02T12:00:00Z",
            "expires_at": int(datetime(2026, 4, 3, tzinfo=UTC).timestamp()),
        }
    ]


def test_97_orders_of_one_day_are_one_transaction_with_one_update_of_the_day(stage: Stage, sent: Sent) -> None:
    assert outcomes(committing().commit(day_changes(stage, MANY, 100))) == {Outcome.COMMITTED: MANY}
    assert [len(one) for one in sent.transactions] == [100]
    assert sent.tables() == {"orders": MANY, "stock": 1, "stock_movements": 1, "capacity": 1}
    assert planned(stage) == MANY


def test_orders_from_locations_that_count_no_days_cost_no_action_more(stage: Stage, sent: Sent) -> None:
    assert outcomes(committing().commit(hot_changes(stage, 98))) == {Outcome.COMMITTED: 98}
    assert sent.tables() == {"orders": 98, "stock": 1, "stock_movements": 1}
    assert stage.rows("capacity") == []


def test_orders_of_many_days_fill_a_transaction_and_no_more(stage: Stage, sent: Sent) -> None:
    """49 orders of a sku with a day each are 100 actions: 49 orders, 49 days, a position and its movement."""
    changes = [
        taking(promising(placed(stage, number)), 5, day=f"2026-{3 + number // 28:02}-{1 + number % 28:02}")
        for number in range(60)
    ]
    assert outcomes(committing().commit(changes)) == {Outcome.COMMITTED: 60}
    assert [len(one) for one in sent.transactions] == [100, 24]


def test_two_parcels_of_one_order_take_two_places(stage: Stage) -> None:
    change = day_changes(stage, 1, 2)[0]
    assert committing().commit_one(replace(change, capacity=change.capacity * 2)).committed
    assert planned(stage) == 2
    committing().commit_one(_freeing(change.order, 1))


def _freeing(order: Order, places: int) -> OrderChange:
    """A change of an order that gives so many places back."""
    hold = Hold(hold_id="h", type="TEST", placed_by="test", placed_at=NOON)
    made = place_hold(order, hold, builders.context(1))
    assert made is not None
    return replace(made, capacity=(CapacityMove(location_id=EAST, day=DAY, parcels=-places),))


def test_a_cancelled_order_gives_its_place_back_with_its_units(stage: Stage, sent: Sent) -> None:
    (order,) = allocated(stage, 1)
    assert committing().commit_one(cancelling(order)).committed
    assert sent.tables(-1) == {"orders": 1, "stock": 1, "stock_movements": 1, "capacity": 1}
    (row,) = stage.rows("capacity")
    assert (row["parcels"], row["limit"], row["updated_at"]) == (0, 100, "2026-03-02T13:00:00Z")


# ------------------------------------------------------------------------------------------------ full days


def test_of_97_orders_for_60_places_the_first_60_given_get_them_and_the_others_hear_how_full_it_was(
    stage: Stage, sent: Sent
) -> None:
    allocated(stage, 5)
    sent.transactions.clear()
    commit = committing()
    results = commit.commit(day_changes(stage, MANY, 65))
    assert served(results) == list(range(60))
    assert outcomes(results) == {Outcome.COMMITTED: 60, Outcome.CAPACITY_FULL: MANY - 60}
    assert {one.full for one in results[60:]} == {(DayLoad(EAST, DAY, 5),)}
    assert {one.full for one in results[:60]} == {()}
    assert len(sent.transactions) == 2
    assert commit.counts.evictions == MANY - 60
    assert planned(stage) == 65
    assert stage.position(HOT, EAST).committed == 65


@pytest.mark.parametrize("limit", [0, 1, 2])
def test_a_day_that_nobody_has_taken_a_place_of_bears_no_more_than_its_limit_either(stage: Stage, limit: int) -> None:
    results = committing().commit(day_changes(stage, 3, limit))
    assert served(results) == list(range(limit))
    assert {one.full for one in results[limit:]} == {((EAST, DAY, 0),)}
    assert planned(stage) == (limit or None)


def test_a_limit_that_was_lowered_takes_nobodys_place_and_gives_no_new_one(stage: Stage) -> None:
    first, *_ = allocated(stage, 4, limit=10)
    late = day_changes(stage, 1, 2)
    assert committing().commit_one(*late).outcome is Outcome.CAPACITY_FULL
    assert committing().commit_one(cancelling(first)).committed
    assert committing().commit_one(*late).full == ((EAST, DAY, 3),)
    assert planned(stage) == 3


def test_of_two_limits_known_in_one_transaction_the_lower_holds(stage: Stage) -> None:
    changes = day_changes(stage, 2, 3) + day_changes(stage, 2, 2, first=10) + day_changes(stage, 1, 3, first=20)
    assert served(committing().commit(changes)) == [0, 1, 4]
    assert planned(stage) == 3


def test_a_place_that_is_given_back_in_the_same_transaction_may_be_taken(stage: Stage, sent: Sent) -> None:
    leaving, _ = allocated(stage, 2, limit=2)
    sent.transactions.clear()
    results = committing().commit([cancelling(leaving), *day_changes(stage, 1, 2)])
    assert outcomes(results) == {Outcome.COMMITTED: 2}
    assert [one["capacity"] for one in map(sent.tables, range(len(sent.transactions)))] == [0]
    assert planned(stage) == 2


def test_who_leaves_while_others_find_the_day_full_gives_the_place_to_the_first_of_them(stage: Stage) -> None:
    """The day is full, one leaves, three come: the first of them gets the place."""
    leaving, _ = allocated(stage, 2, limit=2)
    results = committing().commit([cancelling(leaving), *day_changes(stage, 3, 2)])
    assert served(results) == [0, 1]
    assert planned(stage) == 2


def test_an_order_that_changed_meanwhile_leaves_its_place_to_the_next(stage: Stage) -> None:
    changes = day_changes(stage, 5, 3)
    assert committing().commit_one(_freeing(stage.order(order_id(1)), 0)).committed
    results = committing().commit(changes)
    assert served(results) == [0, 2, 3]
    assert results[1].outcome is Outcome.ORDER_CHANGED
    assert results[4].outcome is Outcome.CAPACITY_FULL


def test_who_finds_no_place_leaves_the_units_to_the_next_and_the_other_way_round(stage: Stage) -> None:
    """One unit is left and one place: the second has no place, so the third gets the unit it would have taken."""
    allocated(stage, 9, limit=10)
    first = taking(promising(placed(stage, 1, {HOT: 1})), 10)
    second = taking(promising(placed(stage, 2, {"RARE": 1})), 10)
    third = promising(placed(stage, 3, {"RARE": 1}))
    fourth = taking(promising(placed(stage, 4, {"RARE": 1})), 10)
    results = committing().commit([first, second, third, fourth])
    assert [one.outcome for one in results] == [
        Outcome.COMMITTED,
        Outcome.CAPACITY_FULL,
        Outcome.COMMITTED,
        Outcome.STOCK_SHORT,
    ]
    assert ([one.sku for one in results[3].positions], results[3].full) == (["RARE"], ((EAST, DAY, 9),))


def test_an_order_of_two_days_needs_room_on_both(stage: Stage) -> None:
    other = CapacityMove(location_id=WEST, day=DAY, parcels=1, limit=0)
    change = day_changes(stage, 1, 5)[0]
    result = committing().commit_one(replace(change, capacity=(*change.capacity, other)))
    assert (result.outcome, result.full) == (Outcome.CAPACITY_FULL, ((WEST, DAY, 0),))
    assert stage.rows("capacity") == []


# ------------------------------------------------------------------------------------------------ trouble


def test_a_transaction_whose_answer_is_lost_counts_its_places_once(stage: Stage, faults: Faults) -> None:
    faults.time_out_after(times=1)
    assert outcomes(committing().commit(day_changes(stage, 20, 20))) == {Outcome.COMMITTED: 20}
    assert faults.hits == 1
    assert planned(stage) == 20


def test_places_that_nobody_answers_for_are_found_taken_by_the_orders_own_guards(stage: Stage, faults: Faults) -> None:
    changes = day_changes(stage, 20, 20)
    faults.time_out_after(times=1_000)
    assert outcomes(committing().commit(changes)) == {Outcome.FAILED: 20}
    faults.mend()
    before = everything(stage)
    assert outcomes(committing().commit(changes)) == {Outcome.COMMITTED: 20}
    assert everything(stage) == before


@pytest.mark.parametrize("when", ["before", "after"])
def test_a_worker_that_dies_leaves_all_its_places_taken_or_none(stage: Stage, faults: Faults, when: str) -> None:
    changes = day_changes(stage, 20, 20)
    {"before": faults.crash_before, "after": faults.crash_after}[when]()
    with pytest.raises(CrashedError):
        committing().commit(changes)
    faults.mend()
    assert planned(stage) == (20 if when == "after" else None)
    assert outcomes(committing().commit(changes)) == {Outcome.COMMITTED: 20}
    assert planned(stage) == 20


def test_two_workers_with_the_same_orders_take_each_place_once(stage: Stage, faults: Faults) -> None:
    changes = day_changes(stage, 40, 40)
    faults.meanwhile("TransactWriteItems", lambda: committing().commit(changes[20:]))
    assert outcomes(committing().commit(changes[:30])) == {Outcome.COMMITTED: 30}
    assert planned(stage) == 40


def test_a_cancellation_that_comes_twice_gives_the_place_back_once(stage: Stage, faults: Faults) -> None:
    order, _ = allocated(stage, 2)
    faults.meanwhile("TransactWriteItems", lambda: committing().commit_one(cancelling(order)))
    assert committing().commit_one(cancelling(order, hours=2)).outcome is Outcome.ORDER_CHANGED
    assert planned(stage) == 1


def test_places_that_are_taken_while_the_batch_is_being_written_are_missed_by_its_last(
    stage: Stage, faults: Faults
) -> None:
    changes, rivals = day_changes(stage, 30, 30), day_changes(stage, 12, 30, first=100)
    faults.meanwhile("TransactWriteItems", lambda: committing().commit(rivals))
    results = committing().commit(changes)
    assert served(results) == list(range(18))
    assert {one.full for one in results[18:]} == {((EAST, DAY, 12),)}
    assert planned(stage) == 30


def test_a_day_that_others_hold_for_a_while_is_waited_for(stage: Stage, faults: Faults) -> None:
    strike(faults, "capacity", {"day": DAY}, "TransactionConflict", times=MAX_ATTEMPTS - 1)
    commit = committing()
    assert outcomes(commit.commit(day_changes(stage, 20, 20))) == {Outcome.COMMITTED: 20}
    assert (commit.counts.conflicts, commit.counts.evictions) == (MAX_ATTEMPTS - 1, 0)


def test_a_day_that_others_hold_for_ever_costs_only_those_who_want_it(stage: Stage, faults: Faults) -> None:
    strike(faults, "capacity", {"day": DAY}, "ThrottlingError")
    results = committing().commit([*day_changes(stage, 5, 20), *without_days(stage, 5)])
    assert served(results) == list(range(5, 10))
    assert all(isinstance(one.error, WriteConflict) for one in results[:5])


def without_days(stage: Stage, number: int) -> list[OrderChange]:
    return [promising(placed(stage, 200 + one)) for one in range(number)]
