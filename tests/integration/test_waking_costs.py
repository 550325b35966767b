"""What a gain of stock costs: who can be served is woken and read, nobody else, and nobody in vain."""

from __future__ import annotations

import pytest

from oms.domain.errors import Unavailable
from oms.stores import backorders
from oms.usecases import waking
from tests.integration.company import Worker, activate_routing_policy, order_id, worker
from tests.integration.queueing import FOREVER, SKU, Reads, gain, made_with_nothing, rows, waits, woken
from tests.integration.stage import Stage
from tests.unit.builders import NOON


@pytest.fixture
def made(stage: Stage) -> Worker:
    activate_routing_policy(stage)
    return made_with_nothing(stage)


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
    fresh.waking.wake(SKU, NOON, go_on=FOREVER)
    assert woken(made) == {f"t{number}" for number in range(1, 11)}
    assert counted.calls == {
        "Query": 3,  # the positions of the sku, the head of its queue; the rate cards, kept from now on
        "BatchGetItem": 2,  # ten waits, ten orders
        "Scan": 1,  # locations, kept as well
        "GetItem": 1,  # the routing policy, kept as well
    }


def test_a_gain_that_nobody_waits_for_costs_two_reads(stage: Stage, made: Worker) -> None:
    gain(made, 10)
    made.waking.wake(SKU, NOON, go_on=FOREVER)
    counted = Reads(stage)
    made.waking.wake(SKU, NOON, go_on=FOREVER)
    assert counted.calls == {"Query": 2}


def test_where_all_is_promised_the_queue_is_not_even_read(stage: Stage, made: Worker) -> None:
    crowd(stage, made, 50, known=0)
    made.waking.wake(SKU, NOON, go_on=FOREVER)
    counted = Reads(stage)
    assert made.waking.close_up(SKU, rows(stage, 1), NOON, go_on=FOREVER) == 0
    assert counted.calls == {"Scan": 1, "Query": 1}


def test_an_order_that_can_not_be_served_completely_is_not_woken_by_small_gains(stage: Stage, made: Worker) -> None:
    waits(made, 1, 10)
    before = len(made.notebook.told)
    for turn in range(9):
        gain(made, 1, str(turn))
        made.waking.wake(SKU, NOON, go_on=FOREVER)
    assert len(made.notebook.told) == before
    gain(made, 1, "last")
    made.waking.wake(SKU, NOON, go_on=FOREVER)
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
        made.waking.wake(SKU, NOON, go_on=lambda: next(left))
    assert woken(made) == {"t1", "t2", "t3", "t4"}
    made.waking.wake(SKU, NOON, go_on=FOREVER)
    assert woken(made) == {f"t{number}" for number in range(1, 13)}
