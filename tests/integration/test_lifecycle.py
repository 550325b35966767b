"""Wake-ups before, during and after a wait is stored, twice or never: the order ends the same."""

from __future__ import annotations

from collections.abc import Callable
from itertools import permutations
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from oms.domain.lifecycle import AWAIT_STOCK, DELIVER, FULFILL, REVIEW, Answer, Wait
from oms.domain.order import OrderStatus, Request
from oms.runtime import clients
from oms.stores.waits import WaitsStore
from oms.usecases.sweep import Sweep
from tests.integration.company import (
    NOON,
    Notebook,
    QueueDouble,
    Worker,
    at,
    balance,
    entry,
    incoming,
    order_id,
    received,
    released,
    report,
    story,
    tracked,
    worker,
)
from tests.integration.faults import CrashedError, Faults
from tests.integration.stage import PREFIX, Stage

OK = Answer()
DONE, REROUTED, CANCELLED = None, "Rerouted", "Cancelled"


def heard(made: Worker, token: str) -> str | None:
    """The error a waiting state was told; None where it goes on. It must have been told something."""
    first = made.notebook.first(token)
    assert first is not None
    return first.error


def sweep(made: Worker, hours: float) -> None:
    """A sweep long after everything is due."""
    made.sweep.run(at(hours), at(hours), go_on=lambda: True)


def shipped_in_full(made: Worker) -> None:
    made.report(report("shipped", made.orders.get(order_id()) or released(made)))
    made.lifecycle.evaluate(order_id(), at(2))


WAKE_UPS: dict[str, Callable[[Worker, Callable[[], None], Callable[[], None]], None]] = {
    "before": lambda made, change, begin: (change(), begin()),
    "after": lambda made, change, begin: (begin(), change()),
    "twice": lambda made, change, begin: (begin(), change(), change(), made.lifecycle.evaluate(order_id(), at(3))),
}


@pytest.mark.parametrize("wake_up", WAKE_UPS)
def test_whenever_the_wake_up_comes_fulfill_returns_once_all_has_shipped(stage: Stage, wake_up: str) -> None:
    made = worker()
    released(made)
    WAKE_UPS[wake_up](made, lambda: shipped_in_full(made), lambda: made.wait(order_id(), FULFILL, "t", hours=1))
    assert heard(made, "t") is DONE
    assert stage.order(order_id()).status is OrderStatus.SHIPPED
    balance(stage)


@pytest.mark.parametrize("operation", ["PutItem", "GetItem"])
def test_a_change_that_falls_into_the_storing_of_the_wait_is_not_missed(
    stage: Stage, faults: Faults, operation: str
) -> None:
    """Just before the token is stored, or between storing it and reading the order."""
    made, rival = worker(), worker()
    released(made)
    faults.meanwhile(operation, lambda: shipped_in_full(rival))
    made.wait(order_id(), FULFILL, "t", hours=1)
    assert heard(made, "t") is DONE


def test_a_wake_up_that_reads_before_the_token_is_stored_leaves_the_answer_to_who_stores_it(
    stage: Stage, faults: Faults
) -> None:
    made, stream = worker(), worker()
    order = released(made)
    made.report(report("shipped", order))
    faults.meanwhile("PutItem", lambda: stream.lifecycle.evaluate(order_id(), at(2)))
    made.wait(order_id(), FULFILL, "t", hours=1)
    assert stream.notebook.told == {}
    assert heard(made, "t") is DONE


def test_a_wake_up_that_never_comes_is_made_up_for_by_the_sweep(stage: Stage) -> None:
    made = worker()
    order = released(made)
    made.wait(order_id(), FULFILL, "t", hours=1)
    made.report(report("shipped", order))
    assert made.notebook.first("t") is None
    sweep(made, hours=24 * 30)
    assert heard(made, "t") is DONE


def test_an_answer_that_could_not_be_given_is_given_by_the_next_look(stage: Stage) -> None:
    made = worker()
    order = released(made)
    made.wait(order_id(), FULFILL, "t", hours=1)
    made.report(report("shipped", order))
    made.notebook.deaf = 1
    sweep(made, hours=24 * 30)
    assert made.notebook.first("t") is None
    sweep(made, hours=24 * 31)
    assert heard(made, "t") is DONE


def test_a_worker_that_dies_after_storing_the_token_is_made_up_for(stage: Stage, faults: Faults) -> None:
    made = worker()
    order = released(made)
    made.report(report("shipped", order))
    faults.crash_after("PutItem")
    with pytest.raises(CrashedError):
        made.wait(order_id(), FULFILL, "t", hours=2)
    made.wait(order_id(), FULFILL, "t", hours=2)
    assert heard(made, "t") is DONE


def attempts() -> list[Wait]:
    """Three entries of one order, oldest first: an attempt, its retry, the next generation's first."""
    return [
        entry(order_id(), FULFILL, "first", hours=1),
        entry(order_id(), FULFILL, "retried", hours=1, retry=1),
        entry(order_id(), FULFILL, "next generation", hours=0.5, generation=2),
    ]


@pytest.mark.parametrize("arrival", list(permutations(range(3))))
def test_a_slow_older_attempt_never_overwrites_a_newer_token(stage: Stage, arrival: tuple[int, ...]) -> None:
    made = worker()
    for place in arrival:
        made.waits.put(attempts()[place])
    newest = made.waits.get(order_id())
    assert newest is not None
    assert newest.task_token == "next generation"


@given(
    st.lists(st.tuples(st.integers(1, 2), st.integers(0, 2), st.integers(0, 1)), unique=True, min_size=3, max_size=3)
)
@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_in_any_order_of_arrival_the_newest_of_three_entries_is_kept(
    stage: Stage, entries: list[tuple[int, int, int]]
) -> None:
    waits = WaitsStore(clients.client("dynamodb"), PREFIX)
    name = "-".join(str(part) for one in entries for part in one)
    for generation, seconds, retry in entries:
        made = entry(name, FULFILL, f"{generation} {seconds} {retry}", generation=generation, retry=retry)
        waits.put(Wait(**{slot: getattr(made, slot) for slot in Wait.__slots__} | {"entered_at": at(seconds)}))
    kept = waits.get(name)
    assert kept is not None
    assert kept.task_token == "{} {} {}".format(*max(entries))


def test_nothing_is_released_while_the_customer_may_cancel(stage: Stage) -> None:
    stage.put("settings", {"cancel_window_seconds": 3600}, kind="policy", name="active")
    made = worker()
    made.take(incoming())
    made.allocate(order_id())
    made.wait(order_id(), FULFILL, "t", hours=0.9)
    assert stage.order(order_id()).fulfillments[0].request is Request.UNSUBMITTED
    made.lifecycle.evaluate(order_id(), at(1))
    assert stage.order(order_id()).fulfillments[0].request is Request.SUBMITTED


def test_nothing_is_released_while_a_hold_stops_it(stage: Stage) -> None:
    made = worker()
    made.take(incoming(payment_status="PENDING"))
    made.allocate(order_id())
    made.wait(order_id(), FULFILL, "t", hours=1)
    assert stage.rows("deliveries") == []
    made.take(incoming(channel_updated_at=at(2)), hours=2)
    made.lifecycle.evaluate(order_id(), at(2))
    assert [row["order_id"] for row in stage.rows("deliveries")] == [order_id()]


def test_a_hold_placed_at_the_very_moment_of_release_wins_or_comes_too_late_but_never_both(
    stage: Stage, faults: Faults
) -> None:
    made, desk = worker(), worker()
    made.take(incoming())
    made.allocate(order_id())
    hold = lambda: desk.decisions.place_hold(order_id(), "h", "FRAUD", "", "desk", NOON)  # noqa: E731
    faults.meanwhile("TransactWriteItems", hold)
    made.wait(order_id(), FULFILL, "t", hours=1)
    order = stage.order(order_id())
    assert [one.hold_id for one in order.holds] == ["h"]
    assert order.fulfillments[0].request is Request.UNSUBMITTED
    assert stage.rows("deliveries") == []


def test_two_workers_that_release_at_once_release_once(stage: Stage, faults: Faults) -> None:
    made, rival = worker(), worker()
    made.take(incoming())
    made.allocate(order_id())
    faults.meanwhile("TransactWriteItems", lambda: rival.lifecycle.evaluate(order_id(), at(1)))
    made.lifecycle.evaluate(order_id(), at(1))
    assert story(stage, order_id()).count("OrderReleased") == 1
    assert len(stage.rows("deliveries")) == 1


def test_an_order_without_a_route_waits_for_a_person_and_goes_on_when_he_has_decided(stage: Stage) -> None:
    made = worker()
    made.take(incoming())
    made.wait(order_id(), REVIEW, "r", reason="NoRoute")
    review = stage.order(order_id()).review
    assert review is not None
    assert review.reason == "NO_ROUTE"
    made.decisions.resolve_review(order_id(), "desk", at(1))
    made.lifecycle.evaluate(order_id(), at(1))
    assert made.notebook.told["r"] == [Answer(output={"next": "Allocate"})]
    made.wait(order_id(), REVIEW, "r", reason="NoRoute")
    assert stage.order(order_id()).review is None


@pytest.mark.parametrize("state", [AWAIT_STOCK, FULFILL, DELIVER, REVIEW])
def test_a_cancelled_order_ends_whatever_its_execution_waits_for(stage: Stage, state: str) -> None:
    made = worker()
    made.take(incoming())
    made.wait(order_id(), state, "t")
    made.decisions.cancel(order_id(), "CUSTOMER", "desk", at(1))
    made.lifecycle.evaluate(order_id(), at(1))
    assert made.notebook.told["t"][-1].error == CANCELLED


def test_an_order_that_waits_for_stock_goes_on_when_enough_has_come_and_not_before(stage: Stage) -> None:
    made = worker()
    made.take(incoming(lines={"BOWL": 5}))
    made.allocate(order_id())
    made.wait(order_id(), AWAIT_STOCK, "t", hours=1)
    made.commit.commit_one(received("BOWL", "WH-EAST", 1, change_id="first"))
    sweep(made, hours=100)
    assert made.notebook.first("t") is None
    made.commit.commit_one(received("BOWL", "WH-EAST", 1, change_id="second"))
    sweep(made, hours=101)
    assert heard(made, "t") is DONE
    made.allocate(order_id(), hours=102)
    assert stage.order(order_id()).status is OrderStatus.ALLOCATED
    balance(stage)


def test_two_sweeps_at_the_same_time_raise_the_generation_once(stage: Stage, faults: Faults) -> None:
    notebook = Notebook()
    made, rival = worker(notebook), worker(notebook)
    made.take(incoming())
    notebook.running[order_id(), 1] = "ABORTED"
    faults.meanwhile("UpdateItem", lambda: sweep(rival, hours=1))
    sweep(made, hours=1)
    assert notebook.started == [(order_id(), 2)]
    assert made.waits.generation(order_id()) == 2


def test_a_sweep_that_dies_between_raising_the_generation_and_starting_is_made_up_for(
    stage: Stage, faults: Faults
) -> None:
    made = worker()
    made.take(incoming())
    made.notebook.running[order_id(), 1] = "FAILED"
    faults.crash_after("UpdateItem")
    with pytest.raises(CrashedError):
        sweep(made, hours=1)
    sweep(made, hours=1)
    assert made.notebook.started == [(order_id(), 2)]


def test_after_the_next_generation_began_the_old_ones_token_counts_for_nothing(stage: Stage) -> None:
    made = worker()
    order = released(made)
    made.wait(order_id(), FULFILL, "old", hours=1)
    made.notebook.running[order_id(), 1] = "ABORTED"
    sweep(made, hours=24)
    made.wait(order_id(), FULFILL, "old", hours=1)
    made.wait(order_id(), FULFILL, "new", hours=25, generation=2)
    made.report(report("shipped", order), hours=26)
    made.lifecycle.evaluate(order_id(), at(26))
    assert heard(made, "new") is DONE
    assert made.notebook.first("old") is None


def test_an_ended_order_gets_no_execution_any_more(stage: Stage) -> None:
    made = worker()
    order = released(made)
    made.report(report("shipped", order), tracked("DELIVERED"))
    ended = stage.order(order_id())
    assert ended.status is OrderStatus.DELIVERED
    assert made.lifecycle.keep_alive(ended) is False
    assert made.notebook.started == []


def test_a_sweep_reaches_an_order_behind_a_hundred_older_ones(stage: Stage) -> None:
    made = worker()
    made.take(incoming(lines={"HAMPER": 1}))
    model = stage.rows("orders")[0]
    for number in range(101):
        due_at = f"2026-03-02T{14 + number // 60:02}:{number % 60:02}:00Z"
        stage.put("orders", model | {"order_id": f"order-{number:03}", "due_at": due_at})
    outbound: Any = QueueDouble()
    Sweep(made.orders, made.lifecycle, outbound, made.oversold, pick=lambda: 0.0).run(
        at(24), at(24), go_on=lambda: True
    )
    assert len({name for name, _ in made.notebook.started}) == 102
