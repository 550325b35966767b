"""Allocation on real tables: who gets the last unit, what a batch, a rival or a crash leaves behind."""

from __future__ import annotations

import pytest

from oms.domain.order import OrderStatus
from oms.domain.stock import StockPosition
from tests.integration.company import (
    NOON,
    Notebook,
    Worker,
    at,
    balance,
    everything,
    held_by_orders,
    incoming,
    order_id,
    received,
    shelve,
    story,
    worker,
)
from tests.integration.faults import CrashedError, Faults
from tests.integration.stage import Stage

MANY = {f"SKU-{number:03}": 1 for number in range(120)}
THREE_PARTS = {f"SKU-{number:03}": 1 for number in range(81)}
ROUTED = ["OrderRouted", "OrderAllocated"]


def answers(made: Worker, *numbers: int) -> list[str | None]:
    """The error each order's execution was told first; None where it goes on."""
    heard = [made.notebook.first(order_id(number)) for number in numbers]
    assert None not in heard
    return [one.error for one in heard if one]


def placed(made: Worker, *numbers: int, lines: dict[str, int] | None = None) -> list[str]:
    return [made.take(incoming(number, lines, placed_at=at(number - 100))).order.order_id for number in numbers]


def test_the_cheapest_location_that_has_everything_gets_the_order(stage: Stage) -> None:
    made = worker()
    made.allocate(*placed(made, 1))
    order = stage.order(order_id())
    assert order.status is OrderStatus.ALLOCATED
    assert [one.location_id for one in order.fulfillments] == ["WH-EAST"]
    assert made.notebook.told[order_id()][0].output == {"release_after": "2026-02-26T09:00:00Z"}
    assert stage.position("MUG", "WH-EAST") == StockPosition(
        sku="MUG", location_id="WH-EAST", on_hand=10, available=8, committed=2
    )
    balance(stage)


def test_an_order_that_no_location_has_whole_is_split(stage: Stage) -> None:
    made = worker()
    made.allocate(*placed(made, 1, lines={"BOWL": 1, "KETTLE": 1}))
    order = stage.order(order_id())
    assert sorted(one.location_id for one in order.fulfillments) == ["WH-EAST", "WH-WEST"]
    balance(stage)


def test_an_order_for_more_than_there_is_waits_in_the_queue_of_its_sku(stage: Stage) -> None:
    made = worker()
    made.allocate(*placed(made, 1, lines={"BOWL": 5}))
    assert answers(made, 1) == ["OutOfStock"]
    order = stage.order(order_id())
    assert order.lines[0].backordered == 2
    assert (order.waiting_for, order.reason_code) == ("STOCK", "OUT_OF_STOCK")
    (row,) = stage.rows("backorders")
    assert (row["sku"], row["order_id"], row["line_id"], row["quantity"]) == ("BOWL", order_id(), "L1", 2)
    balance(stage)


def test_once_there_is_stock_the_backorder_is_gone_with_the_allocation(stage: Stage) -> None:
    made = worker()
    made.allocate(*placed(made, 1, lines={"BOWL": 5}))
    made.commit.commit_one(received("BOWL", "WH-EAST", 2))
    made.allocate(order_id())
    assert stage.order(order_id()).status is OrderStatus.ALLOCATED
    assert stage.rows("backorders") == []
    assert story(stage, order_id()) == ["OrderReceived", *ROUTED, "OrderBackordered", *ROUTED]
    balance(stage)


def test_of_two_orders_in_a_batch_the_older_gets_the_last_unit_and_the_other_waits(stage: Stage) -> None:
    made = worker()
    placed(made, 1, 2, lines={"BOWL": 3})
    made.allocate(order_id(2), order_id(1))
    assert answers(made, 1, 2) == [None, "OutOfStock"]
    assert stage.position("BOWL", "WH-EAST").available == 0
    balance(stage)


def test_of_two_workers_after_the_last_unit_one_gets_it_and_the_other_waits(stage: Stage, faults: Faults) -> None:
    made, rival = worker(), worker()
    placed(made, 1, 2, lines={"BOWL": 3})
    faults.meanwhile("TransactWriteItems", lambda: rival.allocate(order_id(2)))
    assert made.allocate(order_id(1)) == []
    assert answers(rival, 2) == [None]
    assert answers(made, 1) == ["OutOfStock"]
    assert stage.position("BOWL", "WH-EAST").available == 0
    assert [row["order_id"] for row in stage.rows("backorders")] == [order_id(1)]
    balance(stage)


def test_two_workers_with_the_same_order_allocate_it_once(stage: Stage, faults: Faults) -> None:
    made, rival = worker(), worker()
    placed(made, 1)
    faults.meanwhile("TransactWriteItems", lambda: rival.allocate(order_id()))
    made.allocate(order_id())
    assert answers(made, 1) == answers(rival, 1) == [None]
    assert story(stage, order_id()) == ["OrderReceived", *ROUTED]
    balance(stage)


@pytest.mark.parametrize("code", ["TransactionConflict", "ThrottlingError", "ProvisionedThroughputExceeded"])
def test_a_transaction_cancelled_because_others_write_is_tried_again(stage: Stage, faults: Faults, code: str) -> None:
    made = worker()
    placed(made, 1)
    faults.cancel(code, at=1, times=3)
    assert made.allocate(order_id()) == []
    assert faults.hits == 3
    assert story(stage, order_id()) == ["OrderReceived", *ROUTED]
    balance(stage)


def test_an_order_held_by_others_for_too_long_comes_again_and_costs_the_batch_nothing(
    stage: Stage, faults: Faults
) -> None:
    made = worker()
    placed(made, 1, 2)
    faults.cancel("TransactionConflict", times=6)
    assert made.allocate(order_id(1), order_id(2)) == [order_id(1)]
    assert stage.order(order_id(2)).status is OrderStatus.ALLOCATED
    assert order_id(1) not in made.notebook.told
    assert made.allocate(order_id(1)) == []
    balance(stage)


def test_a_repeated_question_is_answered_from_the_document(stage: Stage) -> None:
    made = worker()
    placed(made, 1)
    made.allocate(order_id())
    before = everything(stage)
    made.allocate(order_id(), order_id(), hours=1)
    assert everything(stage) == before
    assert len(made.notebook.told[order_id()]) == 3
    assert len({str(one) for one in made.notebook.told[order_id()]}) == 1


def test_an_order_cancelled_meanwhile_is_not_allocated(stage: Stage, faults: Faults) -> None:
    made, desk = worker(), worker()
    placed(made, 1)
    cancel = lambda: desk.decisions.cancel(order_id(), "CUSTOMER", "desk", NOON)  # noqa: E731
    faults.meanwhile("TransactWriteItems", cancel)
    made.allocate(order_id())
    assert answers(made, 1) == ["Cancelled"]
    assert sum(held_by_orders(stage).values()) == 0
    balance(stage)


def test_an_order_in_review_is_left_to_the_person_who_decides(stage: Stage) -> None:
    made = worker()
    placed(made, 1, lines={"HAMPER": 1})
    made.allocate(order_id())
    assert answers(made, 1) == ["InReview"]
    assert story(stage, order_id()) == ["OrderReceived", "ReviewRequested"]


def test_an_order_nobody_knows_ends_its_execution(stage: Stage) -> None:
    made = worker()
    made.allocate(order_id(404))
    assert answers(made, 404) == ["Cancelled"]


def test_an_order_no_location_may_ship_goes_to_a_person(stage: Stage) -> None:
    made = worker()
    far = incoming().contact.ship_to.__class__(name="Ada", address1="1", city="Berlin", country="DE")
    made.take(incoming(contact=incoming().contact.__class__(ship_to=far)))
    made.allocate(order_id())
    assert answers(made, 1) == ["NoRoute"]
    balance(stage)


def test_an_execution_that_could_not_be_answered_is_answered_when_the_message_comes_again(stage: Stage) -> None:
    made = worker(Notebook(deaf=1))
    placed(made, 1)
    assert made.allocate(order_id()) == [order_id()]
    assert made.allocate(order_id()) == []
    assert answers(made, 1) == [None]
    balance(stage)


@pytest.mark.parametrize("when", ["before", "after"])
def test_a_lost_answer_never_commits_twice(stage: Stage, faults: Faults, when: str) -> None:
    made = worker()
    placed(made, 1)
    {"before": faults.time_out_before, "after": faults.time_out_after}[when](times=1)
    assert made.allocate(order_id()) == []
    assert made.allocate(order_id(), hours=1) == []
    assert answers(made, 1) == [None]
    assert story(stage, order_id()) == ["OrderReceived", *ROUTED]
    balance(stage)


def test_an_order_of_120_lines_is_allocated_in_parts_from_the_last_unit_of_each(stage: Stage) -> None:
    """The parts must not count what the plan holds for the later ones as gone."""
    opening = shelve(stage, MANY)
    made = worker()
    placed(made, 1, lines=MANY)
    assert made.allocate(order_id()) == []
    assert answers(made, 1) == [None]
    assert story(stage, order_id()) == ["OrderReceived", *ROUTED * 3]
    assert set(held_by_orders(stage).values()) == {1}
    balance(stage, opening)


@pytest.mark.parametrize(("when", "part"), [("before", 2), ("after", 1), ("after", 2), ("after", 3)])
def test_a_crash_between_two_parts_ends_the_same_once_the_message_comes_again(
    stage: Stage, faults: Faults, when: str, part: int
) -> None:
    opening = shelve(stage, THREE_PARTS)
    made = worker()
    placed(made, 1, lines=THREE_PARTS)
    {"before": faults.crash_before, "after": faults.crash_after}[when](nth=part)
    with pytest.raises(CrashedError):
        made.allocate(order_id())
    again = worker()
    assert again.allocate(order_id(), hours=0.1) == []
    order = stage.order(order_id())
    assert order.status is OrderStatus.ALLOCATED
    assert story(stage, order_id()) == ["OrderReceived", *ROUTED * 3]
    assert len(held_by_orders(stage)) == 81
    balance(stage, opening)


def test_a_document_that_can_not_be_read_costs_the_batch_only_its_own_message(stage: Stage) -> None:
    made = worker()
    broken, whole = placed(made, 1, 2)
    document = made.orders.get_document(broken)
    assert document is not None
    stage.put("orders", document | {"placed_at": "not a time"})
    assert made.allocate(broken, whole) == [broken]
    assert stage.order(whole).status is OrderStatus.ALLOCATED


def test_work_allocated_in_parts_costs_what_its_one_parcel_costs(stage: Stage) -> None:
    shelve(stage, MANY)
    made = worker()
    placed(made, 1, lines=MANY)
    order, sourcing = stage.order(order_id()), made.allocation.sourcing
    plan = sourcing.route(order, sourcing.look([order], NOON))
    made.allocate(order_id())
    (work,) = stage.order(order_id()).fulfillments
    assert work.cost_minor == plan.cost_minor
