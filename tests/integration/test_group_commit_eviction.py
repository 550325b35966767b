"""Nobody's trouble is another's: what a refused transaction costs the changes in it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest

from oms.domain.changes import OrderChange
from oms.domain.decisions import place_hold
from oms.domain.errors import InvariantBroken, Unavailable, WriteConflict
from oms.domain.order import Hold, Order
from oms.stores.group_commit import MAX_ATTEMPTS, MAX_UNANSWERED, Outcome
from tests.integration.commits import (
    EAST,
    HOT,
    Sent,
    committing,
    hot_changes,
    order_id,
    outcomes,
    placed,
    promising,
    refuse_whole,
    strike,
)
from tests.integration.company import NOON, balance, everything, shelve
from tests.integration.fast_tables import fast_tables
from tests.integration.faults import CrashedError, Faults
from tests.integration.stage import Stage
from tests.unit import builders

MANY = 98


@pytest.fixture
def stage(monkeypatch: pytest.MonkeyPatch) -> Iterator[Stage]:
    with fast_tables(monkeypatch) as made:
        yield made


@pytest.fixture
def sent(stage: Stage) -> Sent:
    return Sent(stage)


def held(order: Order) -> OrderChange:
    """Somebody else's change of the order."""
    made = place_hold(order, Hold(hold_id="h", type="FRAUD", placed_by="desk", placed_at=NOON), builders.context())
    assert made is not None
    return made


def served(results: list[Any]) -> list[int]:
    """Which of the changes, by their place, are in the tables."""
    return [place for place, one in enumerate(results) if one.committed]


# ------------------------------------------------------------------------------------------------ guards and shortages


@pytest.mark.parametrize("place", [0, 41, MANY - 1])
def test_one_order_that_changed_meanwhile_is_taken_out_and_the_97_others_are_written(
    stage: Stage, sent: Sent, place: int
) -> None:
    opening = shelve(stage, {HOT: 200})
    changes = hot_changes(stage, MANY)
    rival = held(stage.order(order_id(place)))
    assert committing().commit_one(rival).committed
    commit = committing()
    results = commit.commit(changes)
    assert results[place].outcome is Outcome.ORDER_CHANGED
    assert results[place].image == rival.order
    assert outcomes(results) == {Outcome.COMMITTED: MANY - 1, Outcome.ORDER_CHANGED: 1}
    assert [len(one) for one in sent.transactions] == [100, 99]
    assert (commit.counts.transactions, commit.counts.rounds, commit.counts.evictions) == (2, 2, 1)
    balance(stage, opening)


def test_an_order_that_is_gone_is_told_without_an_image(stage: Stage) -> None:
    shelve(stage, {HOT: 2})
    never_stored = builders.received(builders.line("L1", HOT), order_id="shopify-main-1")
    results = committing().commit([promising(never_stored), promising(placed(stage, 2))])
    assert [one.outcome for one in results] == [Outcome.ORDER_CHANGED, Outcome.COMMITTED]
    assert results[0].image is None


def test_of_98_orders_for_60_units_the_first_60_given_get_them_and_the_others_hear_what_there_was(
    stage: Stage, sent: Sent
) -> None:
    opening = shelve(stage, {HOT: 60})
    results = committing().commit(hot_changes(stage, MANY))
    assert served(results) == list(range(60))
    assert outcomes(results) == {Outcome.COMMITTED: 60, Outcome.STOCK_SHORT: 38}
    assert {one.available for result in results[60:] for one in result.positions} == {60}
    assert len(sent.transactions) == 2
    assert stage.position(HOT, EAST).available == 0
    balance(stage, opening)


def test_changed_orders_among_those_that_are_too_many_leave_their_units_to_the_next(stage: Stage, sent: Sent) -> None:
    """Both at once: 3 of the first changed, so the stock reaches to the 63rd."""
    opening = shelve(stage, {HOT: 60})
    changes = hot_changes(stage, MANY)
    changed = [0, 10, 59]
    committing().commit([held(stage.order(order_id(place))) for place in changed])
    results = committing().commit(changes)
    assert served(results) == [place for place in range(63) if place not in changed]
    assert [results[place].outcome for place in changed] == [Outcome.ORDER_CHANGED] * 3
    assert len(sent.transactions) == 2
    balance(stage, opening)


def test_a_large_order_that_finds_too_little_does_not_keep_a_later_small_one_from_it(stage: Stage) -> None:
    """The commit serves whom it can; who stands before whom in the queue was decided in the plan."""
    opening = shelve(stage, {HOT: 5})
    orders = [placed(stage, number, {HOT: units}) for number, units in enumerate([3, 4, 2, 1])]
    results = committing().commit([promising(one) for one in orders])
    assert served(results) == [0, 2]
    balance(stage, opening)


def test_an_order_short_at_one_of_its_positions_leaves_the_others_to_the_next(stage: Stage) -> None:
    opening = shelve(stage, {HOT: 1, "RARE": 0})
    orders = [placed(stage, 0, {HOT: 1, "RARE": 1}), placed(stage, 1, {HOT: 1})]
    results = committing().commit([promising(one) for one in orders])
    assert served(results) == [1]
    assert [one.sku for one in results[0].positions] == ["RARE"]
    balance(stage, opening)


def test_stock_that_runs_out_while_the_batch_is_being_written_goes_to_the_first_of_it(
    stage: Stage, faults: Faults
) -> None:
    opening = shelve(stage, {HOT: 30})
    changes = hot_changes(stage, 30)
    rivals = [promising(placed(stage, number)) for number in range(100, 112)]
    faults.meanwhile("TransactWriteItems", lambda: committing().commit(rivals))
    results = committing().commit(changes)
    assert served(results) == list(range(18))
    balance(stage, opening)


def test_what_is_left_of_a_transaction_goes_before_the_orders_given_after_it(stage: Stage) -> None:
    """150 orders are two transactions. One of the first changed: its 97 others still come before the last 52."""
    opening = shelve(stage, {HOT: 100})
    changes = hot_changes(stage, 150)
    committing().commit_one(held(stage.order(order_id(0))))
    assert served(committing().commit(changes)) == list(range(1, 101))
    balance(stage, opening)


# ------------------------------------------------------------------------------------------------ others in the way


def test_an_order_that_others_hold_for_ever_costs_only_itself(stage: Stage, faults: Faults) -> None:
    opening = shelve(stage, {HOT: 200})
    changes = hot_changes(stage, MANY)
    strike(faults, "orders", {"order_id": order_id(7)}, "TransactionConflict")
    results = committing().commit(changes)
    assert outcomes(results) == {Outcome.COMMITTED: MANY - 1, Outcome.FAILED: 1}
    assert isinstance(results[7].error, WriteConflict)
    balance(stage, opening)


def test_a_position_that_others_hold_for_a_while_is_waited_for(stage: Stage, faults: Faults, sent: Sent) -> None:
    opening = shelve(stage, {HOT: 200})
    changes = hot_changes(stage, MANY)
    strike(faults, "stock", {"sku": HOT}, "TransactionConflict", times=MAX_ATTEMPTS - 1)
    commit = committing()
    assert outcomes(commit.commit(changes)) == {Outcome.COMMITTED: MANY}
    assert (commit.counts.conflicts, commit.counts.evictions) == (MAX_ATTEMPTS - 1, 0)
    assert {len(one) for one in sent.transactions} == {100}
    balance(stage, opening)


def test_a_position_that_others_hold_for_ever_costs_only_those_who_want_it(stage: Stage, faults: Faults) -> None:
    opening = shelve(stage, {HOT: 20, "COLD": 20})
    changes = [promising(placed(stage, number, {HOT if number % 2 else "COLD": 1})) for number in range(20)]
    strike(faults, "stock", {"sku": "COLD"}, "ThrottlingError")
    results = committing().commit(changes)
    assert served(results) == list(range(1, 20, 2))
    balance(stage, opening)


# ------------------------------------------------------------------------------------------------ not understood


def test_an_action_that_dynamodb_does_not_understand_costs_only_its_order(stage: Stage, faults: Faults) -> None:
    opening = shelve(stage, {HOT: 200})
    changes = hot_changes(stage, MANY)
    strike(faults, "orders", {"order_id": order_id(70)}, "ValidationError")
    commit = committing()
    results = commit.commit(changes)
    assert outcomes(results) == {Outcome.COMMITTED: MANY - 1, Outcome.FAILED: 1}
    assert isinstance(results[70].error, InvariantBroken)
    assert commit.counts.transactions < 2 * MANY.bit_length() + 2
    balance(stage, opening)


def test_a_request_refused_whole_is_halved_until_the_order_to_blame_stands_alone(stage: Stage, faults: Faults) -> None:
    opening = shelve(stage, {HOT: 200})
    changes = hot_changes(stage, MANY)
    refuse_whole(faults, lambda body: f'"{order_id(33)}"'.encode() in body)
    commit = committing()
    results = commit.commit(changes)
    assert served(results) == [place for place in range(MANY) if place != 33]
    assert results[33].error is not None
    assert commit.counts.transactions < 2 * MANY.bit_length() + 2
    balance(stage, opening)


def test_documents_larger_than_they_were_taken_for_go_in_smaller_transactions(stage: Stage, faults: Faults) -> None:
    opening = shelve(stage, {HOT: 200})
    changes = hot_changes(stage, MANY)
    refuse_whole(faults, lambda body: len(json.loads(body)["TransactItems"]) > 30)
    assert outcomes(committing().commit(changes)) == {Outcome.COMMITTED: MANY}
    balance(stage, opening)


def test_two_orders_that_are_not_understood_and_one_that_changed_cost_only_themselves(
    stage: Stage, faults: Faults
) -> None:
    opening = shelve(stage, {HOT: 50})
    changes = hot_changes(stage, MANY)
    committing().commit_one(held(stage.order(order_id(20))))
    for number in (3, 90):
        strike(faults, "orders", {"order_id": order_id(number)}, "ValidationError")
    results = committing().commit(changes)
    bad = {3, 20}
    assert served(results) == [place for place in range(MANY) if place not in bad][:50]
    assert results[20].outcome is Outcome.ORDER_CHANGED
    assert results[3].outcome is Outcome.FAILED
    balance(stage, opening)


# ------------------------------------------------------------------------------------------------ no answer


def test_a_transaction_whose_answer_is_lost_is_told_to_all_98_as_written(stage: Stage, faults: Faults) -> None:
    opening = shelve(stage, {HOT: 200})
    changes = hot_changes(stage, MANY)
    faults.time_out_after(times=1)
    assert outcomes(committing().commit(changes)) == {Outcome.COMMITTED: MANY}
    assert faults.hits == 1
    assert len(stage.rows("stock_movements")) == 1
    balance(stage, opening)


def test_changes_that_nobody_answers_have_failed_and_each_guard_tells_later_that_it_was_written(
    stage: Stage, faults: Faults, sent: Sent
) -> None:
    opening = shelve(stage, {HOT: 200})
    changes = hot_changes(stage, MANY)
    faults.time_out_after(times=1_000)
    results = committing().commit(changes)
    assert outcomes(results) == {Outcome.FAILED: MANY}
    assert all(isinstance(one.error, Unavailable) for one in results)
    assert len(sent.transactions) == MAX_UNANSWERED
    faults.mend()
    before = everything(stage)
    assert outcomes(committing().commit(changes)) == {Outcome.COMMITTED: MANY}
    assert everything(stage) == before
    balance(stage, opening)


@pytest.mark.parametrize("when", ["before", "after"])
def test_a_worker_that_dies_over_98_orders_leaves_all_of_them_or_none_and_the_next_ends_it(
    stage: Stage, faults: Faults, when: str
) -> None:
    opening = shelve(stage, {HOT: 200})
    changes = hot_changes(stage, MANY)
    {"before": faults.crash_before, "after": faults.crash_after}[when]()
    with pytest.raises(CrashedError):
        committing().commit(changes)
    faults.mend()
    assert stage.position(HOT, EAST).committed == (MANY if when == "after" else 0)
    assert outcomes(committing().commit(changes)) == {Outcome.COMMITTED: MANY}
    assert len(stage.rows("stock_movements")) == 1
    balance(stage, opening)


def test_a_worker_that_comes_later_finds_each_order_as_the_dead_one_left_it(stage: Stage, faults: Faults) -> None:
    opening = shelve(stage, {HOT: 200})
    first = hot_changes(stage, MANY)
    later = [promising(stage.order(order_id(number)), hours=1) for number in range(MANY)]
    faults.crash_after()
    with pytest.raises(CrashedError):
        committing().commit(first)
    faults.mend()
    results = committing().commit(later)
    assert outcomes(results) == {Outcome.ORDER_CHANGED: MANY}
    assert [one.image for one in results] == [one.order for one in first]
    assert {one.order.updated_at for one in later} == {NOON + timedelta(hours=1)}
    balance(stage, opening)


def test_two_workers_with_the_same_98_orders_write_each_once(stage: Stage, faults: Faults) -> None:
    opening = shelve(stage, {HOT: 200})
    changes = hot_changes(stage, MANY)
    mine, theirs = changes[:60], changes[40:]
    faults.meanwhile("TransactWriteItems", lambda: committing().commit(theirs))
    assert outcomes(committing().commit(mine)) == {Outcome.COMMITTED: 60}
    assert stage.position(HOT, EAST).committed == MANY
    entries = [entry["order_id"] for row in stage.rows("stock_movements") for entry in row["entries"]]
    assert sorted(entries) == sorted(order_id(number) for number in range(MANY))
    balance(stage, opening)
