"""Audits and repairs while orders go on, and beside each other."""

from __future__ import annotations

from typing import Any

import pytest

from tests.integration.company import Worker, released, report
from tests.integration.faults import Faults
from tests.integration.stage import Stage
from tests.integration.tools.audit_stock.ledger import (
    WEST,
    Run,
    change,
    delete,
    drift,
    is_clean,
    movements,
    position,
    receive,
)
from tools import audit_stock


@pytest.mark.parametrize("nth", range(1, 6))
def test_what_is_written_while_the_audit_reads_is_no_drift(stage: Stage, run: Run, made: Worker, nth: int) -> None:
    released(made, 1, {"MUG": 1})
    faults = Faults()
    faults.meanwhile("Scan", lambda: released(made, 2, {"MUG": 2, "SET": 1}), nth=nth)
    found = run("--segments", "1")
    faults.mend()
    assert faults.hits == 1
    assert is_clean(found)


@pytest.mark.parametrize(
    ("operation", "nth"), [("Query", 1), ("Query", 2), ("Query", 3), ("Query", 4), ("BatchGetItem", 1)]
)
def test_what_is_written_during_a_second_look_is_no_drift(
    stage: Stage, run: Run, made: Worker, operation: str, nth: int
) -> None:
    released(made, 1, {"MUG": 1})
    faults = Faults()
    faults.meanwhile("Scan", lambda: released(made, 2, {"MUG": 1}), nth=5)
    faults.meanwhile(operation, lambda: released(made, 3, {"MUG": 2}), nth=nth)
    found = run("--segments", "1")
    faults.mend()
    assert (faults.hits, is_clean(found)) == (2, True)


def test_a_sku_that_never_stands_still_is_told_and_not_judged(stage: Stage, run: Run) -> None:
    change("stock", position(stage), available=7)
    numbers = iter(range(100))
    faults = Faults()

    def receive_one(_: Any) -> None:
        receive("MUG", WEST, next(numbers) + 1)

    faults.before("BatchGetItem", receive_one, times=100)
    stage.put("orders", {"order_id": "broken", "version": "four"})
    for row in movements(stage):
        change("stock_movements", row, entries=[{"order_id": "broken", "quantity": 1, "kind": "COMMIT"}])
    found = run("--repair", "--yes")
    faults.mend()
    assert (found["exit"], found["busy"], found["repaired"]) == (1, ["MUG"], 0)


def test_a_repair_is_not_written_where_the_position_has_changed_meanwhile(stage: Stage, run: Run) -> None:
    change("stock", position(stage), available=7)
    faults = Faults()
    faults.meanwhile("TransactWriteItems", lambda: change("stock", position(stage), available=6))
    found = run("--repair", "--yes")
    faults.mend()
    assert (found["repaired"], drift(found)["safe"]) == (0, "LEDGER")
    assert position(stage)["available"] == 6
    assert is_clean(run("--repair", "--yes"))


@pytest.mark.parametrize("lost", ["stock", "stock_movements"])
def test_two_audits_at_once_repair_once(stage: Stage, run: Run, made: Worker, lost: str) -> None:
    released(made, 1, {"MUG": 2})
    if lost == "stock":
        change("stock", position(stage), available=9, committed=1)
    else:
        delete("stock_movements", sku="MUG", movement_id=movements(stage, kind="COMMIT")[0]["movement_id"])
    other: list[int] = []
    faults = Faults()
    faults.meanwhile("TransactWriteItems", lambda: other.append(audit_stock.main(["--repair", "--yes"])))
    found = run("--repair", "--yes")
    faults.mend()
    assert (other, is_clean(found), found["repaired"]) == ([0], True, 0)
    assert len(movements(stage, kind="CORRECTION")) == 1


def test_a_repair_whose_answer_was_lost_is_not_made_twice(stage: Stage, run: Run) -> None:
    change("stock", position(stage), available=7)
    faults = Faults()
    faults.time_out_after(times=1)
    found = run("--repair", "--yes")
    faults.mend()
    assert is_clean(found)
    assert len(movements(stage, kind="CORRECTION")) == 1


def test_orders_that_go_on_during_a_repair_lose_nothing(stage: Stage, run: Run, made: Worker) -> None:
    order = released(made, 1, {"MUG": 2})
    delete("stock_movements", sku="MUG", movement_id=movements(stage, kind="COMMIT")[0]["movement_id"])
    faults = Faults()
    faults.meanwhile("TransactWriteItems", lambda: made.report(report("shipped", order), hours=2))
    run("--repair", "--yes")
    faults.mend()
    assert is_clean(run("--repair", "--yes"))
    assert (position(stage)["on_hand"], position(stage)["committed"]) == (8, 0)
