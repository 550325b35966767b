"""The one way in which orders and stock change together: all of a change or nothing, and every result told apart."""

from __future__ import annotations

from contextlib import suppress
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from oms.domain import stock as stock_moves
from oms.domain.changes import Backorder, OrderChange
from oms.domain.decisions import place_hold
from oms.domain.errors import IllegalTransition, InvariantBroken, Retryable, Unavailable, WriteConflict
from oms.domain.order import Hold, Order
from oms.domain.stock import StockMove
from oms.runtime import clients
from oms.stores.group_commit import MAX_ATTEMPTS, GroupCommit, Outcome
from tests.integration.company import (
    NOON,
    Worker,
    at,
    balance,
    everything,
    incoming,
    order_id,
    report,
    shelve,
    story,
    tracked,
    worker,
)
from tests.integration.faults import Faults
from tests.integration.stage import PREFIX, Stage
from tests.unit.builders import context

MOVE = stock_moves.commit("MUG", "WH-EAST", 3)
TOO_MUCH = stock_moves.commit("BOWL", "WH-EAST", 4)


def placed(number: int = 1) -> Order:
    return worker().take(incoming(number)).order


def change(order: Order, *moves: StockMove, why: str = "TEST") -> OrderChange:
    """The order's next version, with these moves of stock."""
    hold = Hold(hold_id=f"hold-{order.version}", type=why, placed_by="test", placed_at=NOON)
    made = place_hold(order, hold, context())
    assert made is not None
    return OrderChange(order=made.order, moves=moves)


def committing(pauses: list[float] | None = None) -> GroupCommit:
    """With the longest jitter, and its pauses written down instead of waited for."""
    noted = [] if pauses is None else pauses
    return GroupCommit(clients.client("dynamodb"), PREFIX, sleep=noted.append, jitter=lambda: 1.0)


def test_every_change_gets_its_own_result_in_the_order_they_were_given(stage: Stage) -> None:
    first, second, third, fourth = (placed(number) for number in range(1, 5))
    committing().commit_one(change(second, why="RIVAL"))
    results = committing().commit([change(first, MOVE), change(second, MOVE), change(third, TOO_MUCH), change(fourth)])
    assert [one.outcome for one in results] == [
        Outcome.COMMITTED,
        Outcome.ORDER_CHANGED,
        Outcome.STOCK_SHORT,
        Outcome.COMMITTED,
    ]
    assert stage.position("MUG", "WH-EAST").committed == 3


def test_a_change_that_lost_shows_the_order_as_it_is(stage: Stage) -> None:
    order = placed()
    winner = committing().commit_one(change(order, why="RIVAL"))
    (lost,) = committing().commit([change(order, MOVE)])
    assert lost.image == winner.change.order == stage.order(order_id())


def test_a_change_that_ran_short_shows_the_position_as_it_is_and_writes_nothing(stage: Stage) -> None:
    order = placed()
    before = everything(stage)
    short = committing().commit_one(change(order, MOVE, TOO_MUCH))
    assert [(one.sku, one.available) for one in short.positions] == [("BOWL", 3)]
    assert everything(stage) == before


def test_an_order_that_has_changed_counts_before_stock_that_ran_short(stage: Stage) -> None:
    order = placed()
    committing().commit_one(change(order, why="RIVAL"))
    assert committing().commit_one(change(order, TOO_MUCH)).outcome is Outcome.ORDER_CHANGED


def test_moves_of_one_position_are_one_update_and_one_movement(stage: Stage) -> None:
    order = placed()
    committing().commit_one(change(order, MOVE, stock_moves.commit("MUG", "WH-EAST", 1)))
    (movement,) = stage.rows("stock_movements")
    assert movement["changes"] == {"available": -4, "committed": 4}
    assert movement["entries"] == [
        {"order_id": order_id(), "version": 2, "quantity": 3},
        {"order_id": order_id(), "version": 2, "quantity": 1},
    ]


def test_what_is_given_back_in_the_same_change_may_be_taken(stage: Stage) -> None:
    order = placed()
    held = committing().commit_one(change(order, stock_moves.commit("BOWL", "WH-EAST", 3))).change.order
    swap = change(held, stock_moves.release("BOWL", "WH-EAST", 3), stock_moves.commit("BOWL", "WH-EAST", 3))
    assert committing().commit_one(swap).committed


def test_a_fact_of_the_physical_world_is_booked_even_into_the_red(stage: Stage) -> None:
    gone = stock_moves.overship("BOWL", "WH-EAST", 5)
    assert committing().commit_one(change(placed(), gone)).committed
    assert stage.position("BOWL", "WH-EAST").available == -2


@pytest.mark.parametrize("moves", [(), (MOVE,)], ids=["document alone", "with stock"])
def test_a_change_held_up_by_others_is_tried_again_after_growing_pauses(
    stage: Stage, faults: Faults, moves: tuple[StockMove, ...]
) -> None:
    order, pauses = placed(), list[float]()
    if moves:
        faults.cancel(times=MAX_ATTEMPTS)
    else:
        faults.refuse("PutItem", "TransactionConflictException", times=MAX_ATTEMPTS)
    result = committing(pauses).commit_one(change(order, *moves))
    assert isinstance(result.error, WriteConflict)
    assert pauses == sorted(set(pauses))
    assert len(pauses) == MAX_ATTEMPTS
    assert committing().commit_one(change(order, *moves)).committed


def test_a_throttled_change_is_tried_again_after_pauses_and_then_says_so(stage: Stage, faults: Faults) -> None:
    order, pauses = placed(), list[float]()
    faults.refuse("TransactWriteItems", "ThrottlingException", times=1_000)
    result = committing(pauses).commit_one(change(order, MOVE))
    assert isinstance(result.error, WriteConflict)
    assert len(pauses) == MAX_ATTEMPTS
    faults.mend()
    assert committing().commit_one(change(order, MOVE)).committed


@pytest.mark.parametrize("moves", [(), (MOVE,)], ids=["document alone", "with stock"])
def test_a_lost_connection_is_tried_again_and_what_arrived_counts_once(
    stage: Stage, faults: Faults, moves: tuple[StockMove, ...]
) -> None:
    """botocore itself repeats the request: the second meets the order as the first has left it."""
    order = placed()
    wanted = change(order, *moves)
    operation = "TransactWriteItems" if moves else "PutItem"
    faults.meanwhile(operation, lambda: committing().commit_one(wanted))
    assert committing().commit_one(wanted).committed
    assert stage.order(order_id()) == wanted.order
    balance_of_moves(stage, 3 if moves else 0)


def balance_of_moves(stage: Stage, committed: int) -> None:
    assert stage.position("MUG", "WH-EAST").committed == committed
    assert len(stage.rows("stock_movements")) == (1 if committed else 0)


def test_a_change_whose_outcome_is_not_known_is_a_failure_and_its_repeat_a_success(
    stage: Stage, faults: Faults
) -> None:
    wanted = change(placed(), MOVE)
    faults.time_out_after(times=1)
    faults.time_out_before(times=1_000)
    assert isinstance(committing().commit_one(wanted).error, Unavailable)
    faults.mend()
    assert committing().commit_one(wanted).committed
    balance_of_moves(stage, 3)


def test_a_lost_answer_is_found_out_by_the_orders_own_guard(stage: Stage, faults: Faults) -> None:
    wanted = change(placed(), MOVE)
    faults.time_out_after(times=1)
    assert committing().commit_one(wanted).committed
    balance_of_moves(stage, 3)


def test_a_transaction_refused_for_a_bug_is_called_one(stage: Stage, faults: Faults) -> None:
    order = placed()
    faults.cancel("ValidationError", at=1)
    assert isinstance(committing().commit_one(change(order, MOVE)).error, InvariantBroken)


def test_a_change_of_more_actions_than_a_transaction_takes_is_never_sent(stage: Stage, faults: Faults) -> None:
    order = placed()
    rows = tuple(
        Backorder(sku=f"SKU-{n}", queue_key="k", order_id=order_id(), line_id="L1", quantity=1) for n in range(100)
    )
    faults.crash_before()
    result = committing().commit_one(OrderChange(order=change(order).order, backorders_added=rows))
    assert isinstance(result.error, InvariantBroken)
    assert "101 actions" in str(result.error)
    assert faults.hits == 0


STEPS: dict[str, Any] = {
    "allocate": lambda made, name, order: made.allocate(name),
    "release": lambda made, name, order: made.lifecycle.evaluate(name, at(1)),
    "cancel": lambda made, name, order: made.decisions.cancel(name, "CUSTOMER", "desk", at(1)),
    "short": lambda made, name, order: (
        order.fulfillments and made.report(report("short_picked", order, lines={"L1": 1}, reason_code="NOT_IN_STOCK"))
    ),
    "reject": lambda made, name, order: (
        order.fulfillments and made.report(report("rejected", order, reason_code="OTHER"))
    ),
    "ship one": lambda made, name, order: (
        order.fulfillments and made.report(report("shipped", order, shipment_id=f"one-{name}", lines={"L1": 1}))
    ),
    "ship": lambda made, name, order: order.fulfillments and made.report(report("shipped", order)),
    "deliver": lambda made, name, order: made.report(tracked("DELIVERED")),
}
FAULTS: dict[str, Any] = {
    "none": lambda faults: None,
    "conflict": lambda faults: faults.cancel(times=2),
    "lost before": lambda faults: faults.time_out_before(times=1),
    "lost after": lambda faults: faults.time_out_after(times=1),
}
HAPPENINGS = st.lists(
    st.tuples(st.sampled_from(sorted(STEPS)), st.integers(1, 2), st.sampled_from(sorted(FAULTS))),
    min_size=3,
    max_size=7,
)


@given(HAPPENINGS, st.integers(0, 10**9))
@settings(
    max_examples=6,
    deadline=None,
    phases=(Phase.explicit, Phase.generate),
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
def test_whatever_happens_in_whatever_order_the_books_balance(
    stage: Stage, faults: Faults, happenings: list[tuple[str, int, str]], run: int
) -> None:
    made: Worker = worker()
    opening = shelve(stage, {f"A{run}": 3, f"B{run}": 2})
    names = {
        number: made.take(incoming(2 * run + number, {f"A{run}": 2, f"B{run}": 1})).order.order_id for number in (1, 2)
    }
    for step, number, fault in happenings:
        FAULTS[fault](faults)
        with suppress(Retryable, IllegalTransition):
            STEPS[step](made, names[number], stage.order(names[number]))
        faults.mend()
    skus = {sku for sku, _ in opening}
    balance(stage, opening, only=skus)
    for name in names.values():
        assert story(stage, name)
