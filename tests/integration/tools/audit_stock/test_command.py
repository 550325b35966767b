"""What the command of the audit takes, refuses and answers."""

from __future__ import annotations

from typing import Any

import pytest
from botocore.exceptions import ClientError

from tests.integration.company import Worker
from tests.integration.stage import Stage
from tests.integration.tools.audit_stock.ledger import (
    EAST,
    Run,
    busy_day,
    change,
    client,
    drift,
    is_clean,
    position,
    receive,
)
from tools import audit_stock
from tools import stage as stages


def test_nothing_is_repaired_that_nobody_asked_for(stage: Stage, run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    change("stock", position(stage), available=7)
    asked: list[str] = []
    monkeypatch.setattr("builtins.input", lambda question: asked.append(question) or "no")
    assert run("--repair")["repaired"] == 0
    assert run("--repair", "--yes", "--dry-run")["repaired"] == 0
    assert (position(stage)["available"], len(asked)) == (7, 1)
    monkeypatch.setattr("builtins.input", lambda _: "y")
    assert is_clean(run("--repair"))


def test_one_sku_alone_is_looked_at_for_certain(stage: Stage, run: Run, made: Worker) -> None:
    busy_day(stage)
    found = run("--sku", "MUG")
    assert (is_clean(found), found["looked_at_again"]) == (True, 1)
    change("stock", position(stage, "BOWL"), available=1)
    assert is_clean(run("--sku", "MUG"))
    assert drift(run("--sku", "BOWL"))["sku"] == "BOWL"


def test_positions_over_many_pages_are_all_looked_at_in_every_segment(
    stage: Stage, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    for number in range(300):
        receive(f"SKU-{number:03}", EAST, number + 1)
    change("stock", position(stage, "SKU-123", EAST), available=0)
    scan = client().scan
    monkeypatch.setattr(client(), "scan", lambda **request: scan(**request, Limit=40))
    found = run("--segments", "3")
    assert (found["positions"], found["movements"]) == (304, 304)
    assert drift(found)["sku"] == "SKU-123"


def test_what_programs_are_told_has_a_fixed_shape(stage: Stage, run: Run) -> None:
    assert run() == {
        "exit": 0,
        "stage": "test",
        "movements": 4,
        "orders": 0,
        "reservations": 0,
        "backorders": 0,
        "positions": 4,
        "looked_at_again": 0,
        "repaired": 0,
        "drifts": [],
        "busy": [],
    }
    change("stock", position(stage), available=7)
    assert set(drift(run())) == {
        "kind", "sku", "location_id", "says", "advice", "position", "ledger", "held", "repairs", "safe",
    }  # fmt: skip


def test_a_stage_that_cannot_be_reached_is_named(
    run: Run, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def refuse(*_: Any) -> Any:
        raise ClientError({"Error": {"Code": "ExpiredToken", "Message": "who are you"}}, "Scan")

    monkeypatch.setattr(stages.Stage, "client", refuse)
    assert audit_stock.main([]) == 2
    assert "The stage test can't be worked on" in capsys.readouterr().err


@pytest.mark.parametrize(
    "arguments",
    [
        ("--segments", "0"),
        ("--trust", "ledger"),
        ("--trust", "ledger", "--repair"),
        ("--trust", "nobody", "--repair", "--sku", "MUG"),
    ],
)
def test_what_there_is_not_is_refused(run: Run, arguments: tuple[str, ...]) -> None:
    with pytest.raises(SystemExit) as ended:
        audit_stock.main(list(arguments))
    assert ended.value.code == 2
