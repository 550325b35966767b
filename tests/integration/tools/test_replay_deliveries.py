"""The operator's command that owes channels anew what they did not take."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from oms.domain.errors import Throttled
from oms.stores.deliveries import DeliveriesStore
from tests.integration.bazaar import deliveries
from tests.integration.company import at
from tests.integration.stage import Stage
from tools import replay_deliveries
from tools import stage as stages

AMAZON, ETSY = "channel#amazon#main", "channel#etsy#main"

Run = Callable[..., int]


@pytest.fixture
def run(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> Run:
    """Runs the command against the test stage; returns its exit code."""
    monkeypatch.setattr(stages, "STAGES", ("test",))
    monkeypatch.setattr(stages, "DEFAULT_STAGE", "test")
    return lambda *arguments: replay_deliveries.main(list(arguments))


def key(number: int) -> str:
    return f"amazon-main-{number}#3#shipment"


def fail(number: int, status: str = "FAILED", destination: str = AMAZON) -> None:
    store = deliveries()
    store.owe_once(destination, key(number), "shipment", f"amazon-main-{number}", at(1))
    if status == "FAILED":
        store.failed(destination, key(number), "Unavailable: answered 503", at(1 + number / 100))
    elif status != "PENDING":
        store.left_to_a_person(destination, key(number), status, "ChannelRefused 400", at(1 + number / 100))


def statuses(stage: Stage) -> dict[tuple[str, int], str]:
    return {
        (row["destination"], int(row["order_id"].rpartition("-")[2])): row["status"] for row in stage.rows("deliveries")
    }


def test_what_an_account_did_not_take_is_owed_anew_and_others_are_left_alone(
    stage: Stage, run: Run, capsys: pytest.CaptureFixture[str]
) -> None:
    for number, status in enumerate(("FAILED", "REFUSED", "BY_HAND", "PENDING")):
        fail(number, status)
    fail(0, destination=ETSY)
    assert run("--destination", AMAZON, "--json") == 0
    assert statuses(stage) == {
        (AMAZON, 0): "PENDING",
        (AMAZON, 1): "PENDING",
        (AMAZON, 2): "BY_HAND",
        (AMAZON, 3): "PENDING",
        (ETSY, 0): "FAILED",
    }
    told = json.loads(capsys.readouterr().out.splitlines()[-1])
    assert (told["rows"], told["statuses"]) == (2, {"FAILED": 1, "REFUSED": 1})
    assert all("failed_destination" not in row for row in stage.rows("deliveries") if row["status"] == "PENDING")


@pytest.mark.parametrize("status", ["FAILED", "REFUSED", "BY_HAND"])
def test_one_status_alone_is_owed_anew(stage: Stage, run: Run, status: str) -> None:
    for number, one in enumerate(("FAILED", "REFUSED", "BY_HAND")):
        fail(number, one)
    assert run("--destination", AMAZON, "--status", status) == 0
    assert [row["kind"] for row in stage.rows("deliveries") if row["status"] == "PENDING"] == ["shipment"]
    assert status not in statuses(stage).values()


def test_one_row_alone_is_owed_anew(stage: Stage, run: Run) -> None:
    fail(1)
    fail(2)
    assert run("--destination", AMAZON, "--message-key", key(2)) == 0
    assert statuses(stage) == {(AMAZON, 1): "FAILED", (AMAZON, 2): "PENDING"}


def test_what_a_person_did_by_hand_is_noted_as_done_and_told_to_nobody(stage: Stage, run: Run) -> None:
    fail(1, "BY_HAND")
    fail(2)
    assert run("--destination", AMAZON, "--done") == 0
    assert statuses(stage) == {(AMAZON, 1): "DONE", (AMAZON, 2): "FAILED"}
    assert run("--destination", AMAZON, "--done") == 0


def test_a_dry_run_counts_and_writes_nothing(stage: Stage, run: Run, capsys: pytest.CaptureFixture[str]) -> None:
    fail(1)
    before = stage.rows("deliveries")
    assert run("--destination", AMAZON, "--dry-run") == 0
    assert stage.rows("deliveries") == before
    assert "that would be owed anew: 1" in capsys.readouterr().out


def test_the_oldest_go_first_and_no_more_than_asked_for(stage: Stage, run: Run) -> None:
    for number in range(4):
        fail(number)
    assert run("--destination", AMAZON, "--limit", "3") == 0
    assert [number for (_, number), status in sorted(statuses(stage).items()) if status == "FAILED"] == [3]
    assert run("--destination", AMAZON) == 0
    assert set(statuses(stage).values()) == {"PENDING"}


def test_a_row_that_a_worker_has_told_meanwhile_is_left_alone(
    stage: Stage, run: Run, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    fail(1)
    owe_anew = DeliveriesStore.owe_anew

    def slowly(self: DeliveriesStore, row: dict[str, Any], *more: Any) -> bool:
        self.sent(row["destination"], row["message_key"], at(2))
        return owe_anew(self, row, *more)

    monkeypatch.setattr(DeliveriesStore, "owe_anew", slowly)
    assert run("--destination", AMAZON, "--json") == 0
    assert statuses(stage) == {(AMAZON, 1): "SENT"}
    assert json.loads(capsys.readouterr().out.splitlines()[-1])["moved_on"] == 1


def test_a_table_that_does_not_answer_leaves_the_rest_for_another_run(stage: Stage, run: Run) -> None:
    for number in range(3):
        fail(number)
    with pytest.MonkeyPatch.context() as fault:
        fault.setattr(DeliveriesStore, "owe_anew", _throttled)
        assert run("--destination", AMAZON) == 1
    assert set(statuses(stage).values()) == {"FAILED"}
    assert run("--destination", AMAZON) == 0
    assert set(statuses(stage).values()) == {"PENDING"}


def _throttled(*_: Any) -> bool:
    raise Throttled("not now")


@pytest.mark.parametrize(
    "arguments",
    [
        ("--destination", "location#WH-RENO"),
        ("--destination", "amazon#main"),
        ("--destination", AMAZON, "--status", "SENT"),
        ("--destination", AMAZON, "--done", "--status", "FAILED"),
        ("--destination", AMAZON, "--limit", "0"),
    ],
)
def test_what_makes_no_sense_is_refused_before_anything_is_read(run: Run, arguments: tuple[str, ...]) -> None:
    with pytest.raises(SystemExit) as stopped:
        run(*arguments)
    assert stopped.value.code == 2
