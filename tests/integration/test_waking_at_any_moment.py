"""Stock comes, and others are served, at every moment of a wait's beginning: nobody is forgotten."""

from __future__ import annotations

import pytest

from oms.domain.order import OrderStatus
from tests.integration.company import Worker, order_id, worker
from tests.integration.queueing import (
    FOREVER,
    SKU,
    Moment,
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


MOMENTS = 19


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
            stream.waking.wake(SKU, NOON, go_on=FOREVER)

    moment = Moment(stage, nth, stock_comes)
    made.allocate(order_id(1), hours=30)
    if stage.order(order_id(1)).status is OrderStatus.RECEIVED:
        enter(made, 1)
    moment.now()
    if told == "late":
        stream.waking.wake(SKU, NOON, go_on=FOREVER)
    assert allocated(stage, 1) or woken(made) == {"t1"}


def test_the_moments_of_the_test_before_are_all_there_are(stage: Stage, made: Worker) -> None:
    moment = Moment(stage, 0, lambda: None)
    waits(made, 1, 2)
    assert 8 < moment.calls < MOMENTS


@pytest.mark.parametrize("nth", range(1, 13))
def test_who_is_served_while_the_queue_is_looked_at_does_not_stand_in_the_way(
    stage: Stage, made: Worker, nth: int
) -> None:
    """The first order was woken and takes its units at any moment of the look that the second order's units cause."""
    rival = worker(made.notebook)
    for number in (1, 2):
        waits(made, number, 2)
    gain(made, 2, "1")
    made.waking.wake(SKU, NOON, go_on=FOREVER)
    gone = rows(stage, 1)

    def serve_the_first() -> None:
        rival.allocate(order_id(1), hours=41)
        rival.waking.close_up(SKU, gone, NOON, go_on=FOREVER)

    gain(made, 2, "2")
    moment = Moment(stage, nth, serve_the_first)
    made.waking.wake(SKU, NOON, go_on=FOREVER)
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
    made.waking.wake(SKU, NOON, go_on=FOREVER)
    gone = rows(stage, 1)

    def serve_the_first() -> None:
        rival.allocate(order_id(1), hours=41)
        rival.waking.close_up(SKU, gone, NOON, go_on=FOREVER)

    moment = Moment(stage, nth, serve_the_first)
    enter(made, 2, 41)
    moment.now()
    assert allocated(stage, 1) == [1]
    assert woken(made) == {"t1", "t2"}
