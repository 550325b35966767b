"""Every five minutes: what waits for its release goes where it has become cheaper, and a repeat changes nothing."""

from __future__ import annotations

import pytest

from oms.domain.catalog import Policy
from oms.domain.stock import StockPosition
from tests.integration.company import everything
from tests.integration.samples import ALLOCATED, ORDER_ID, STOCKED, MainStreet
from tests.integration.stage import LambdaContext, Stage, cases, sample

FUNCTION = "schedule_reroute"
A_MONTH = 30 * 86_400
IDLE = {"looked_at": 0, "rerouted": 0, "saved_minor": 0, "failed": 0}


@pytest.fixture
def company(stage: Stage) -> MainStreet:
    """An order from Oregon that was allocated while Reno had nothing; now Reno's stock has come in."""
    made = MainStreet(stage)
    stage.put("settings", Policy(cancel_window_seconds=A_MONTH), kind="policy", name="active")
    reno = [row for row in stage.rows("stock") if row["location_id"] == "WH-RENO"]
    for sku in STOCKED:
        stage.put("stock", StockPosition(sku=sku, location_id="WH-RENO"))
    made.play_all(*ALLOCATED)
    for row in reno:
        stage.put("stock", row)
    return made


@pytest.mark.parametrize("case", cases(FUNCTION))
def test_each_sample_moves_what_saves_enough_and_a_repeat_changes_nothing(company: MainStreet, case: str) -> None:
    outcome = company.play(FUNCTION, case)
    assert (outcome["looked_at"], outcome["rerouted"], outcome["failed"]) == (1, 1, 0)
    assert outcome["saved_minor"] > 0
    order = company.stage.order(ORDER_ID)
    assert [one.location_id for one in order.fulfillments if any(line.open for line in one.lines)] == ["WH-RENO"]
    left = everything(company.stage)
    assert company.play(FUNCTION, case) == IDLE | {"looked_at": 1}
    assert everything(company.stage) == left


def test_what_waits_for_nothing_is_left_alone(stage: Stage) -> None:
    assert MainStreet(stage).play(FUNCTION, "every_five_minutes") == IDLE


def test_without_time_left_nothing_is_begun(company: MainStreet) -> None:
    event = sample(FUNCTION, "every_five_minutes")
    assert company.function(FUNCTION).handler(event, LambdaContext(remaining_millis=9_000)) == IDLE | {"looked_at": 1}
