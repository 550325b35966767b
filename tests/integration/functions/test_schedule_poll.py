"""Every minute: one message for each account that is due, whatever the others are like."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest
from botocore.exceptions import ClientError

from oms.domain.errors import Unavailable
from oms.runtime import clients
from tests.integration.company import everything
from tests.integration.market import ACCOUNT, SETTINGS, Readers, at, open_market
from tests.integration.stage import PREFIX, LambdaContext, Stage, cases, sample

FUNCTION = "schedule_poll"


@pytest.fixture
def readers(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> Readers:
    return open_market(stage, monkeypatch)


def ask(readers: Readers, case: str = "every_minute") -> dict[str, Any]:
    answer: dict[str, Any] = readers.stage.function(FUNCTION).handler(sample(FUNCTION, case), LambdaContext())
    return answer


@pytest.mark.parametrize("case", cases(FUNCTION))
def test_each_sample_asks_for_the_accounts_that_are_due_and_writes_nothing(readers: Readers, case: str) -> None:
    left = everything(readers.stage)
    for _ in range(2):
        assert ask(readers, case)["asked"] == [ACCOUNT]
        assert readers.asked() == [{"task": "pull", "channel_account": ACCOUNT}]
    assert everything(readers.stage) == left


def test_an_account_is_asked_for_again_when_its_time_has_come(readers: Readers) -> None:
    readers.pull()
    assert ask(readers)["asked"] == []
    readers.now = at(4)
    assert ask(readers)["asked"] == []
    readers.now = at(4.5)
    assert ask(readers)["asked"] == [ACCOUNT]


def test_an_account_that_is_being_pulled_is_not_asked_for(readers: Readers) -> None:
    asked: list[Any] = []
    readers.market.meanwhile = lambda: asked.append(ask(readers)["asked"])
    readers.pull()
    assert asked == [[]]


@pytest.mark.parametrize(
    "changes", [pytest.param({"poll_seconds": 0}, id="not to be pulled"), pytest.param(None, id="no such channel")]
)
def test_other_accounts_are_not_asked_for(readers: Readers, changes: dict[str, Any] | None) -> None:
    name = ACCOUNT if changes else "nowhere#main"
    readers.stage.put("settings", replace(SETTINGS, **(changes or {})), kind="channel_account", name=name)
    assert ask(readers)["asked"] == ([] if changes else [ACCOUNT])


def test_an_account_whose_settings_can_not_be_read_is_named_and_the_others_are_pulled(readers: Readers) -> None:
    row = {"kind": "channel_account", "name": "market#broken", "poll_seconds": "often"}
    readers.stage.put("settings", row)
    answer = ask(readers)
    assert (answer["asked"], answer["unreadable"]) == ([ACCOUNT], ["market#broken"])


def test_an_account_whose_row_was_edited_badly_is_named_and_the_others_are_pulled(readers: Readers) -> None:
    readers.stage.put("settings", SETTINGS, kind="channel_account", name="market#second")
    readers.stage.put("settings", {"kind": "poll", "name": ACCOUNT, "cursor": "yesterday"})
    answer = ask(readers)
    assert (answer["asked"], answer["unreadable"]) == (["market#second"], [ACCOUNT])
    assert len(readers.pull()) == 1
    assert readers.market.pulls == []


def test_an_account_whose_message_the_queue_refuses_is_named_and_the_others_are_pulled(
    readers: Readers, capsys: pytest.CaptureFixture[str]
) -> None:
    """A message's group may not be called anything."""
    readers.stage.put("settings", SETTINGS, kind="channel_account", name="market#a b")

    def refuse(params: dict[str, Any], **_: Any) -> None:
        if " " in params["MessageGroupId"]:
            raise ClientError({"Error": {"Code": "InvalidParameterValue", "Message": "group"}}, "SendMessage")

    readers.stage.hook("sqs", "before-parameter-build.sqs.SendMessage", refuse)
    assert ask(readers)["asked"] == [ACCOUNT]
    assert readers.asked() == [{"task": "pull", "channel_account": ACCOUNT}]
    assert metric(capsys, "AccountsFailing") == 1


def test_a_run_whose_messages_are_all_refused_fails_aloud(readers: Readers) -> None:
    readers.stage.fail("sqs", "SendMessage", "InternalError")
    with pytest.raises(Unavailable):
        ask(readers)


def test_an_account_that_fails_again_and_again_is_told_of(readers: Readers, capsys: pytest.CaptureFixture[str]) -> None:
    for failures in range(1, 4):
        readers.market.broken = [Unavailable("down")]
        readers.pull()
        readers.now = readers.row().next_due_at
        capsys.readouterr()
        assert ask(readers)["failing"] == ([ACCOUNT] if failures == 3 else [])
        assert metric(capsys, "AccountsFailing") == (failures == 3)


def test_how_far_the_latest_account_is_behind_is_told(readers: Readers, capsys: pytest.CaptureFixture[str]) -> None:
    readers.pull()
    readers.now = at(95)
    capsys.readouterr()
    ask(readers)
    assert metric(capsys, "PullsBehindSeconds") == 90 * 60


def metric(capsys: pytest.CaptureFixture[str], name: str) -> float:
    (line,) = [json.loads(one) for one in capsys.readouterr().out.splitlines() if f'"{name}":' in one]
    return float(line[name][0])


def test_a_run_that_can_not_read_the_settings_fails_aloud(readers: Readers) -> None:
    readers.stage.fail("dynamodb", "Query", "ThrottlingException")
    with pytest.raises(Exception, match="Throttling"):
        ask(readers)
    assert clients.client("dynamodb").describe_table(TableName=f"{PREFIX}settings")
