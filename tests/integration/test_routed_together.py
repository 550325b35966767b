"""Orders that ask in one batch for the same stock are routed together."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import pytest

from oms.stores.group_commit import CommitResult, Outcome
from oms.usecases import allocation
from tests.integration.company import ADA, Worker, balance, incoming, order_id, worker
from tests.integration.stage import Stage


@pytest.fixture
def made(stage: Stage) -> Worker:
    """A worker of a company with one bowl on each coast."""
    for location_id in ("WH-EAST", "WH-WEST"):
        stage.put("stock", {"sku": "BOWL", "location_id": location_id, "on_hand": 1, "available": 1})
    return worker()


ONE_EACH = {("BOWL", "WH-EAST"): 1, ("BOWL", "WH-WEST"): 1}


def wants_a_bowl(made: Worker, number: int, region: str) -> str:
    """An order from this region; those with low numbers are older."""
    ship_to = replace(ADA.ship_to, region=region)
    contact = replace(ADA, ship_to=ship_to)
    made.take(incoming(number, {"BOWL": 1}, contact=contact))
    return order_id(number)


def ships_from(stage: Stage, number: int) -> list[str]:
    return [one.location_id for one in stage.order(order_id(number)).fulfillments]


def test_an_order_leaves_the_unit_to_one_that_would_pay_more_for_another(stage: Stage, made: Worker) -> None:
    # California pays 700 from the west and 900 from the east, Nevada 500 and 900.
    asked = [wants_a_bowl(made, 1, "CA"), wants_a_bowl(made, 2, "NV")]
    assert made.allocate(*asked) == []
    assert (ships_from(stage, 1), ships_from(stage, 2)) == (["WH-EAST"], ["WH-WEST"])
    costs = [stage.order(one).fulfillments[0].cost_minor for one in asked]
    assert costs == [900, 500]
    balance(stage, ONE_EACH)


def test_one_after_the_other_the_first_takes_what_is_cheapest_for_it(stage: Stage, made: Worker) -> None:
    for number, region in ((1, "CA"), (2, "NV")):
        assert made.allocate(wants_a_bowl(made, number, region)) == []
    assert (ships_from(stage, 1), ships_from(stage, 2)) == (["WH-WEST"], ["WH-EAST"])
    balance(stage, ONE_EACH)


def test_nobody_loses_a_plan_for_what_others_save(stage: Stage, made: Worker) -> None:
    asked = [wants_a_bowl(made, number, region) for number, region in enumerate(("CA", "NV", "NV"), start=1)]
    assert made.allocate(*asked) == []
    places = [ships_from(stage, number) for number in (1, 2, 3)]
    assert places[2] == []
    assert sorted(places[:2]) == [["WH-EAST"], ["WH-WEST"]]
    assert stage.order(order_id(3)).waiting_for == "STOCK"
    balance(stage, ONE_EACH)


class OthersAreFaster:
    """A commit that finds everything gone, every time."""

    def commit(self, changes: Sequence[Any]) -> list[CommitResult[Any]]:
        return [CommitResult(change=change, outcome=Outcome.STOCK_SHORT) for change in changes]


def test_plans_are_exchanged_in_the_first_rounds_only_however_often_others_are_faster(
    stage: Stage, made: Worker, monkeypatch: pytest.MonkeyPatch
) -> None:
    exchanged: list[int] = []
    monkeypatch.setattr(allocation, "exchange_plans", lambda routed, view: exchanged.append(len(routed)) or {})
    asked = [wants_a_bowl(made, 1, "CA"), wants_a_bowl(made, 2, "NV")]
    never: Any = OthersAreFaster()
    made.allocation = replace(made.allocation, commit=never)
    assert made.allocate(*asked) == asked
    assert exchanged == [2] * allocation.MAX_EXCHANGES
