"""The operator's command that publishes events of a time range on the bus again."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from oms.domain.errors import Unavailable
from oms.runtime.event_bus import EventBus
from tests.integration.stage import Stage
from tools import republish
from tools import stage as stages

Run = Callable[..., int]
Bus = list[tuple[str, int]]


@pytest.fixture
def bus(monkeypatch: pytest.MonkeyPatch) -> Bus:
    """(order_id, sequence) of everything put on the bus, in order."""
    put: Bus = []

    def publish(_: EventBus, document: dict[str, Any], events: list[dict[str, Any]]) -> None:
        put.extend((document["order_id"], event["sequence"]) for event in events)

    monkeypatch.setattr(EventBus, "publish", publish)
    return put


@pytest.fixture
def run(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> Run:
    """Runs the command against the test stage; returns its exit code."""
    monkeypatch.setattr(stages, "STAGES", ("test",))
    monkeypatch.setattr(stages, "DEFAULT_STAGE", "test")
    return lambda *arguments: republish.main(list(arguments))


def event(sequence: int, at: str) -> dict[str, Any]:
    return {"sequence": sequence, "version": sequence, "type": "NoteAdded", "at": at, "actor": "test"}


def put_order(stage: Stage, order_id: str, *times: str, moved: int = 0) -> None:
    """An order with one event at each time, the first `moved` of them in order_history."""
    events = [event(number, at) for number, at in enumerate(times, start=1)]
    if moved:
        stage.put("order_history", {"order_id": order_id, "version": moved, "events": events[:moved]})
    document = {"order_id": order_id, "channel": "shopify", "account": "main", "placed_at": times[0]}
    stage.put("orders", document | {"updated_at": times[-1], "events": events[moved:]})


MORNING, NOON, EVENING = "2026-03-01T08:00:00Z", "2026-03-01T12:00:00Z", "2026-03-01T20:00:00Z"


def test_events_of_the_range_are_published_in_order_and_the_last_moment_is_not_in_it(
    stage: Stage, run: Run, bus: Bus, capsys: pytest.CaptureFixture[str]
) -> None:
    put_order(stage, "first", MORNING, NOON, NOON, EVENING)
    put_order(stage, "too-early", MORNING, MORNING)
    put_order(stage, "too-late", EVENING)
    assert run("--from", NOON, "--to", EVENING, "--json") == 0
    assert bus == [("first", 2), ("first", 3)]
    told = json.loads(capsys.readouterr().out.splitlines()[-1])
    assert told == {"dry_run": False, "orders_read": 3, "orders": 1, "events": 2, "refused_at": None}


def test_events_that_moved_out_of_a_large_document_are_published_too(stage: Stage, run: Run, bus: Bus) -> None:
    put_order(stage, "large", MORNING, NOON, NOON, EVENING, moved=2)
    assert run("--from", MORNING, "--to", "2026-03-02") == 0
    assert bus == [("large", number) for number in (1, 2, 3, 4)]


def test_only_the_order_that_was_named_is_published(stage: Stage, run: Run, bus: Bus) -> None:
    put_order(stage, "one", NOON)
    put_order(stage, "other", NOON)
    assert run("--from", MORNING, "--to", EVENING, "--order-id", "one") == 0
    assert bus == [("one", 1)]


def test_more_orders_than_fit_a_page_are_all_looked_at(
    stage: Stage, run: Run, bus: Bus, monkeypatch: pytest.MonkeyPatch
) -> None:
    for number in range(7):
        put_order(stage, f"order-{number}", NOON)
    whole = republish.Republishing._scan
    monkeypatch.setattr(republish.Republishing, "_scan", lambda self, span: whole(self, span) | {"Limit": 2})
    assert run("--from", MORNING, "--to", EVENING) == 0
    assert sorted(bus) == [(f"order-{number}", 1) for number in range(7)]


def test_a_dry_run_publishes_nothing_and_says_how_much_it_would(
    stage: Stage, run: Run, bus: Bus, capsys: pytest.CaptureFixture[str]
) -> None:
    put_order(stage, "one", MORNING, NOON)
    assert run("--from", MORNING, "--to", EVENING, "--dry-run") == 0
    assert bus == []
    assert "Events would be published again: 2 (orders: 1 of 1 looked at)" in capsys.readouterr().out


def test_a_bus_that_refuses_ends_the_command_with_what_to_do_next(
    stage: Stage, run: Run, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def refuse(*_: Any) -> None:
        raise Unavailable("EventBridge refused 1 events")

    monkeypatch.setattr(EventBus, "publish", refuse)
    put_order(stage, "one", NOON)
    assert run("--from", MORNING, "--to", EVENING, "--json") == 1
    told = capsys.readouterr().out
    assert "Run this again" in told
    assert json.loads(told.splitlines()[-1])["refused_at"] == "one"


def test_the_bus_really_takes_the_events(stage: Stage, run: Run) -> None:
    put_order(stage, "one", NOON)
    assert run("--from", MORNING, "--to", EVENING) == 0


@pytest.mark.parametrize(
    "arguments",
    [
        pytest.param(("--from", NOON, "--to", NOON), id="an empty range"),
        pytest.param(("--from", EVENING, "--to", NOON), id="a range that runs backwards"),
        pytest.param(("--from", "yesterday", "--to", NOON), id="no time"),
        pytest.param(("--from", NOON), id="half a range"),
    ],
)
def test_a_range_that_is_none_is_refused(run: Run, bus: Bus, arguments: tuple[str, ...]) -> None:
    with pytest.raises(SystemExit) as ended:
        run(*arguments)
    assert ended.value.code == 2
    assert bus == []


def test_a_time_without_a_zone_is_utc_and_one_with_a_zone_is_brought_to_it(stage: Stage, run: Run, bus: Bus) -> None:
    put_order(stage, "one", NOON)
    assert run("--from", "2026-03-01T12:00:00", "--to", "2026-03-01T13:00:01+01:00") == 0
    assert bus == [("one", 1)]
