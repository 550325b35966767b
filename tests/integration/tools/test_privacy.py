"""The operator's command about people's data: shows what is held, and forgets it."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from tests.integration.company import at, everything, incoming, order_id, worker
from tests.integration.faults import Faults
from tests.integration.stage import Stage
from tools import privacy
from tools import stage as stages

Run = Callable[..., int]


@pytest.fixture
def run(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> Run:
    """Runs the command against the test stage; returns its exit code."""
    monkeypatch.setattr(stages, "STAGES", ("test",))
    monkeypatch.setattr(stages, "DEFAULT_STAGE", "test")
    return lambda *arguments: privacy.main(list(arguments))


@pytest.fixture
def orders(stage: Stage) -> None:
    """Number 1 has ended, number 2 is open, number 3 is of another account."""
    made = worker()
    made.take(incoming(1, cancelled_at=at(0)))
    made.take(incoming(2))
    made.take(incoming(3, channel="web"))


def people(stage: Stage) -> dict[str, str]:
    """The days on which people's data goes, rows that only say whom to forget left out."""
    return {row["order_id"]: row["purge_day"] for row in stage.rows("contacts") if "forgotten" not in row}


@pytest.mark.usefixtures("orders")
def test_the_data_of_an_order_that_ended_goes_at_once_and_of_an_open_one_within_a_day_of_its_end(
    stage: Stage, run: Run, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run("--redact", order_id(1), order_id(2), "nobody-1", "--json") == 0
    told = json.loads(capsys.readouterr().out.splitlines()[-1])
    assert told["outcomes"] == {"GONE": 1, "WHEN_ENDED": 1, "NOT_HERE": 1}
    left = people(stage)
    assert set(left) == {order_id(2), "web-main-3"}
    assert stage.order(order_id(2)).forget_person
    made = worker()
    made.take(incoming(2, cancelled_at=at(1), channel_updated_at=at(1)), hours=1)
    made.contacts.look_at_on(order_id(2), at(24).date())
    made.expiry.purge(at(24), go_on=lambda: True)
    assert order_id(2) not in people(stage)


@pytest.mark.usefixtures("orders")
def test_a_channels_later_message_does_not_bring_back_what_was_forgotten(stage: Stage, run: Run) -> None:
    run("--redact", order_id(1))
    worker().take(incoming(1, cancelled_at=at(0), channel_updated_at=at(1)), hours=1)
    assert order_id(1) not in people(stage)


@pytest.mark.usefixtures("orders")
def test_a_dry_run_changes_nothing(stage: Stage, run: Run, capsys: pytest.CaptureFixture[str]) -> None:
    before = everything(stage)
    assert run("--redact-account", "shopify#main", "--dry-run", "--json") == 0
    assert everything(stage) == before
    assert json.loads(capsys.readouterr().out.splitlines()[-1])["outcomes"] == {"WOULD_BE_FORGOTTEN": 2}


@pytest.mark.usefixtures("orders")
def test_everyone_of_an_account_is_forgotten_and_of_no_other(stage: Stage, run: Run) -> None:
    assert run("--redact-account", "shopify#main") == 0
    assert run("--redact-account", "shopify#main") == 0
    assert {name for name in people(stage) if not stage.order(name).forget_person} == {"web-main-3"}


@pytest.mark.parametrize("options", [(), ("--dry-run",)])
@pytest.mark.usefixtures("orders")
def test_an_account_of_which_nothing_is_here_is_said_to_be_so(
    stage: Stage, run: Run, capsys: pytest.CaptureFixture[str], options: tuple[str, ...]
) -> None:
    before = everything(stage)
    assert run("--redact-account", "shopify#mian", "--json", *options) == 1
    told = capsys.readouterr()
    assert "shopify#mian" in told.err
    assert "phone#main, pos#main, shopify#main, web#main" in told.err
    assert json.loads(told.out.splitlines()[-1])["outcomes"] == {}
    assert everything(stage) == before


@pytest.mark.usefixtures("orders")
def test_an_export_shows_all_that_is_held_of_a_person(run: Run, capsys: pytest.CaptureFixture[str]) -> None:
    assert run("--export", order_id(2), "nobody-1") == 0
    shown: list[dict[str, Any]] = json.loads(capsys.readouterr().out)
    assert shown[0]["contact"]["email"] == "ada@example.com"
    assert shown[0]["order"]["lines"][0] == {"sku": "MUG", "title": "", "quantity": 2}
    assert shown[1] == {"order_id": "nobody-1", "held": False}


@pytest.mark.usefixtures("orders")
def test_an_order_that_can_not_be_written_leaves_the_others_alone(stage: Stage, run: Run, faults: Faults) -> None:
    faults.refuse("PutItem", "ProvisionedThroughputExceededException", times=6)
    run("--redact", order_id(1), order_id(2))
    assert run("--redact", order_id(1), order_id(2)) == 0
    assert order_id(1) not in people(stage)
