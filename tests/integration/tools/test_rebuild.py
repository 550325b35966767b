"""The operator's command that makes a read model again from the documents."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from botocore.exceptions import ClientError

from oms.domain.errors import Throttled
from oms.domain.projection import open_lines
from oms.stores.open_lines import OpenLinesStore
from tests.integration.stage import Stage
from tests.integration.test_projection import document, project, says, shown, write
from tools import rebuild
from tools import stage as stages

Run = Callable[..., dict[str, Any]]
NOTHING = {
    "read_model": "open_lines",
    "dry_run": False,
    "orders": 0,
    "rows_written": 0,
    "rows_looked_at": 0,
    "rows_closed": 0,
    "rows_deleted": 0,
    "orders_failed": 0,
}


@pytest.fixture
def run(stage: Stage, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Run:
    """Runs the command against the test stage; returns its exit code and its counts."""
    monkeypatch.setattr(stages, "STAGES", ("test",))
    monkeypatch.setattr(stages, "DEFAULT_STAGE", "test")

    def run(*arguments: str) -> dict[str, Any]:
        code = rebuild.main(["open_lines", "--json", *arguments])
        return {"exit": code} | json.loads(capsys.readouterr().out.splitlines()[-1])

    return run


def counts(code: int = 0, **facts: Any) -> dict[str, Any]:
    return {"exit": code} | NOTHING | facts


def test_rows_that_were_lost_or_are_wrong_are_made_again_and_the_second_run_finds_nothing(
    stage: Stage, run: Run
) -> None:
    write(stage, document(4, east=2))
    free, _ = open_lines(document(2))
    stage.put("open_lines", replace(free, quantity=3))
    assert run() == counts(orders=1, rows_written=2, rows_looked_at=2)
    assert shown(stage) == says(document(4, east=2))
    assert run() == counts(orders=1, rows_looked_at=2)


def test_a_row_of_the_same_version_that_an_older_program_wrote_is_made_again(stage: Stage, run: Run) -> None:
    write(stage, document(2, east=3))
    project()
    held = open_lines(document(2, east=3))[1]
    stage.put("open_lines", replace(held, quantity=1))
    assert run() == counts(orders=1, rows_written=1, rows_looked_at=1)
    assert shown(stage) == {"WH-EAST": 3}


def test_rows_that_no_order_accounts_for_are_closed_or_deleted(stage: Stage, run: Run) -> None:
    made = document(4, east=3)
    write(stage, made)
    project()
    _, held = open_lines(made)
    stage.put("open_lines", replace(held, sku="BOWL", source_version=3))
    stage.put("open_lines", replace(held, order_id="nobody", line_key="WH-EAST#nobody#L1"))
    assert run() == counts(orders=1, rows_looked_at=3, rows_closed=1, rows_deleted=1)
    open_rows = [(row["sku"], row["order_id"]) for row in stage.rows("open_lines") if row["quantity"]]
    assert open_rows == [("MUG", made.order_id)]
    assert run() == counts(orders=1, rows_looked_at=2)


def test_a_dry_run_writes_nothing_and_says_how_much_it_would(stage: Stage, run: Run) -> None:
    made = document(4, east=2)
    write(stage, made)
    stage.put("open_lines", replace(open_lines(made)[1], order_id="nobody", line_key="WH-EAST#nobody#L1"))
    rows = stage.rows("open_lines")
    expected = counts(dry_run=True, orders=1, rows_written=2, rows_looked_at=1, rows_deleted=1)
    assert run("--dry-run") == expected
    assert stage.rows("open_lines") == rows


def test_more_orders_than_fit_a_page_are_all_looked_at_in_every_segment(
    stage: Stage, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    for number in range(7):
        write(stage, document(1, order_id=f"order-{number}"))
    make = stages.Stage.client

    def small_pages(one: stages.Stage, service: str) -> Any:
        client = make(one, service)
        whole = client.scan
        client.scan = lambda **request: whole(**request, Limit=2)
        return client

    monkeypatch.setattr(stages.Stage, "client", small_pages)
    assert run("--segments", "3") == counts(orders=7, rows_written=7, rows_looked_at=7)


def test_orders_that_could_not_be_looked_at_are_counted_and_the_rest_is_done(
    stage: Stage, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(stage, document(1, order_id="good"))
    write(stage, document(1, order_id="slow"))
    stage.put("orders", {"order_id": "broken", "version": "four"})
    put = OpenLinesStore.put

    def refuse(store: OpenLinesStore, row: Any, now: Any) -> bool:
        if row.order_id == "slow":
            raise Throttled("not now")
        return put(store, row, now)

    monkeypatch.setattr(OpenLinesStore, "put", refuse)
    assert run("--segments", "1") == counts(1, orders=3, rows_written=1, rows_looked_at=1, orders_failed=2)


def test_a_stage_that_cannot_be_reached_is_named(
    stage: Stage, run: Run, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def refuse(*_: Any) -> Any:
        raise ClientError({"Error": {"Code": "ExpiredToken", "Message": "who are you"}}, "Scan")

    monkeypatch.setattr(stages.Stage, "client", refuse)
    assert rebuild.main(["open_lines"]) == 2
    assert "The stage test can't be worked on" in capsys.readouterr().err


@pytest.mark.parametrize(
    "arguments", [("orders",), ("open_lines", "--segments", "0"), ("open_lines", "--segments", "x")]
)
def test_what_there_is_not_is_refused(run: Run, arguments: tuple[str, ...]) -> None:
    with pytest.raises(SystemExit) as ended:
        rebuild.main(list(arguments))
    assert ended.value.code == 2
