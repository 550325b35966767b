"""The operator's command that puts quarantined messages back on their queue."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from oms.runtime import clients
from oms.stores.quarantine import QuarantineStore
from tests.integration.stage import PREFIX, Stage
from tools import replay_quarantine
from tools import stage as stages

SOURCE = "shopify#main"
LONG_AGO = datetime(2026, 3, 1, 12, tzinfo=UTC)

Run = Callable[..., int]


@pytest.fixture
def run(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> Run:
    """Runs the command against the test stage; returns its exit code."""
    monkeypatch.setattr(stages, "STAGES", ("test",))
    monkeypatch.setattr(stages, "DEFAULT_STAGE", "test")
    return lambda *arguments: replay_quarantine.main(list(arguments))


def keep(source: str, number: int, reason: str = "UNKNOWN_ACCOUNT", **message: Any) -> dict[str, Any]:
    """One message in quarantine; returns it as it lies there."""
    kept = {"message_id": f"message-{number}", "body": "{}", **message}
    store = QuarantineStore(clients.client("dynamodb"), PREFIX)
    moment = LONG_AGO + timedelta(seconds=number)
    store.put(source, kept["message_id"], moment, {"reason": reason}, kept, moment)
    return kept


def test_every_message_of_the_source_goes_back_to_intake_oldest_first_and_leaves_quarantine(
    stage: Stage, run: Run, capsys: pytest.CaptureFixture[str]
) -> None:
    kept = [keep(SOURCE, number) for number in range(120)]
    keep("shopify#other", 1)
    assert run("--source", SOURCE, "--json") == 0
    assert stage.messages("intake") == kept
    assert [row["source"] for row in stage.rows("quarantine")] == ["shopify#other"]
    told = json.loads(capsys.readouterr().out.splitlines()[-1])
    assert told["replayed"] == 120
    assert told["reasons"] == {"UNKNOWN_ACCOUNT": 120}


def test_a_message_quarantined_again_before_the_replay_forgets_it_stays(
    stage: Stage, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The worker may be faster than the operator's command: it writes the row anew, under the same key."""
    kept = keep(SOURCE, 1)
    send = replay_quarantine.Queue.send

    def send_to_a_fast_worker(queue: Any, message: Any, group: str) -> None:
        send(queue, message, group)
        keep(SOURCE, 1, "STILL_UNKNOWN")

    monkeypatch.setattr(replay_quarantine.Queue, "send", send_to_a_fast_worker)
    assert run("--source", SOURCE) == 0
    assert stage.messages("intake") == [kept]
    assert [row["reason"] for row in stage.rows("quarantine")] == ["STILL_UNKNOWN"]


def test_a_locations_reports_go_back_to_the_fulfillment_queue(stage: Stage, run: Run) -> None:
    kept = keep("report#WH-EAST", 1, kind="fulfillment_report", fulfillment_id="shopify-main-1-f1")
    assert run("--source", "report#WH-EAST") == 0
    assert stage.messages("fulfillment") == [kept]
    assert stage.messages("intake") == []


def test_a_locations_reports_of_its_stock_go_back_to_the_stock_queue(stage: Stage, run: Run) -> None:
    kept = keep("stock#WH-EAST", 1, kind="stock_document", location_id="WH-EAST")
    assert run("--source", "stock#WH-EAST") == 0
    assert stage.messages("stock") == [kept]
    assert stage.messages("intake") == []


def test_orders_that_could_not_be_fetched_go_back_to_the_poll_queue(stage: Stage, run: Run) -> None:
    kept = keep("poll#amazon#main", 1, "GONE_ON_CHANNEL", task="fetch", channel_account="amazon#main")
    assert run("--source", "poll#amazon#main") == 0
    assert stage.messages("poll") == [kept]
    assert stage.messages("intake") == []


def test_a_limit_and_a_reason_choose_which_messages_go_back(stage: Stage, run: Run) -> None:
    kept = [keep(SOURCE, number, "UNKNOWN_ACCOUNT" if number % 2 else "MALFORMED_JSON") for number in range(6)]
    assert run("--source", SOURCE, "--reason", "UNKNOWN_ACCOUNT", "--limit", "2") == 0
    assert stage.messages("intake") == [kept[1], kept[3]]
    assert {row["message"]["message_id"] for row in stage.rows("quarantine")} == {
        kept[number]["message_id"] for number in (0, 2, 4, 5)
    }


def test_a_dry_run_says_what_would_go_back_and_moves_nothing(
    stage: Stage, run: Run, capsys: pytest.CaptureFixture[str]
) -> None:
    keep(SOURCE, 1)
    assert run("--source", SOURCE, "--dry-run") == 0
    assert "Messages of shopify#main would be put back on the queue: 1" in capsys.readouterr().out
    assert stage.messages("intake") == []
    assert len(stage.rows("quarantine")) == 1


def test_a_message_the_queue_did_not_take_stays_in_quarantine(
    stage: Stage, run: Run, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    kept = [keep(SOURCE, number) for number in range(3)]
    refusing_after_one(monkeypatch)
    assert run("--source", SOURCE) == 1
    assert "run this again" in capsys.readouterr().out
    assert stage.messages("intake") == [kept[0]]
    assert [row["message"] for row in stage.rows("quarantine")] == kept[1:]


def refusing_after_one(monkeypatch: pytest.MonkeyPatch) -> None:
    """From the second message on, the queue is throttled."""
    real, sent = replay_quarantine.Queue.send, []

    def send(self: Any, message: Any, group: str) -> None:
        if sent:
            raise replay_quarantine.Retryable("throttled")
        sent.append(message)
        real(self, message, group)

    monkeypatch.setattr(replay_quarantine.Queue, "send", send)


def test_what_is_quarantined_again_meanwhile_is_not_sent_round_and_round(stage: Stage, run: Run) -> None:
    store = QuarantineStore(clients.client("dynamodb"), PREFIX)
    now = datetime.now(UTC) + timedelta(seconds=2)
    store.put(SOURCE, "came-back", now, {"reason": "UNKNOWN_ACCOUNT"}, {"body": "{}"}, now)
    assert run("--source", SOURCE) == 0
    assert stage.messages("intake") == []
    assert len(stage.rows("quarantine")) == 1


def test_updates_of_unknown_parcels_are_left_to_the_report_that_ships_them(
    stage: Stage, run: Run, capsys: pytest.CaptureFixture[str]
) -> None:
    keep("TRACKING#ups#1Z1", 1, kind="tracking_update")
    assert run("--source", "TRACKING#ups#1Z1") == 2
    assert "need no replay" in capsys.readouterr().err
    assert len(stage.rows("quarantine")) == 1


def test_a_stage_that_is_not_deployed_is_told_with_what_to_check(
    stage: Stage, run: Run, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(stages, "STAGES", ("test", "dev"))
    assert run("--source", SOURCE, "--stage", "dev") == 2
    assert "that the stage is deployed" in capsys.readouterr().err


@pytest.mark.parametrize("limit", ["0", "-1", "many", "100001"])
def test_a_limit_that_is_none_is_refused(run: Run, limit: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        run("--source", SOURCE, "--limit", limit)
    assert ended.value.code == 2
    assert "a number from 1 to 100000" in capsys.readouterr().err
