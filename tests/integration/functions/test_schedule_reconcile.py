"""Every hour: one message for each account that is to be compared with its channel."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest

from oms.domain.errors import Unavailable
from oms.runtime import clients
from oms.stores.quarantine import QuarantineStore
from tests.integration.company import everything
from tests.integration.market import ACCOUNT, PLENTY, SETTINGS, Readers, at, open_market
from tests.integration.stage import PREFIX, LambdaContext, Stage, cases, sample

FUNCTION = "schedule_reconcile"


@pytest.fixture
def readers(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> Readers:
    return open_market(stage, monkeypatch)


def ask(readers: Readers, case: str = "every_hour") -> dict[str, Any]:
    answer: dict[str, Any] = readers.stage.function(FUNCTION).handler(
        sample(FUNCTION, case), LambdaContext(remaining_millis=PLENTY)
    )
    return answer


@pytest.mark.parametrize("case", cases(FUNCTION))
def test_each_sample_asks_for_the_accounts_to_be_compared_and_writes_nothing(readers: Readers, case: str) -> None:
    left = everything(readers.stage)
    for _ in range(2):
        assert ask(readers, case)["asked"] == [ACCOUNT]
        assert readers.asked() == [{"task": "reconcile", "channel_account": ACCOUNT}]
    assert everything(readers.stage) == left


def test_an_account_that_was_just_compared_waits_for_the_next_hour(readers: Readers) -> None:
    readers.reconcile()
    assert ask(readers)["asked"] == []
    readers.now = at(60)
    assert ask(readers)["asked"] == [ACCOUNT]


def test_an_account_that_wants_no_comparison_gets_none(readers: Readers) -> None:
    readers.stage.put("settings", replace(SETTINGS, reconcile_hours=0), kind="channel_account", name=ACCOUNT)
    assert ask(readers)["asked"] == []


def test_an_account_that_can_not_be_compared_is_told_of(readers: Readers) -> None:
    for _ in range(3):
        readers.market.broken = [Unavailable("down")]
        readers.reconcile()
        readers.now = readers.row("reconciliation").next_due_at
    assert ask(readers)["failing"] == [ACCOUNT]


def test_a_comparison_that_never_gets_to_its_end_is_told_of(
    readers: Readers, capsys: pytest.CaptureFixture[str]
) -> None:
    """The channel's limit leaves it a page an hour: nothing fails, and nothing is proved."""
    readers.market.orders = {f"90{number}": at(-60 + number) for number in range(6)}
    readers.market.pages_until_slow = 1
    readers.reconcile()
    readers.now = at(9 * 60)
    capsys.readouterr()
    assert ask(readers)["failing"] == []
    (line,) = [json.loads(one) for one in capsys.readouterr().out.splitlines() if "ComparisonsBehindSeconds" in one]
    assert line["ComparisonsBehindSeconds"] == [8 * 3600]


def test_an_order_that_waited_for_a_mapping_is_put_back_once_there_is_one(readers: Readers) -> None:
    cause = {"reason": "UNMAPPED_SKU", "field": "lines.0.sku", "skus": ["NEW-MUG"]}
    quarantine = QuarantineStore(clients.client("dynamodb"), PREFIX)
    quarantine.put(ACCOUNT, "m-1", at(0), cause, {"message_id": "m-1"}, at(0))
    assert ask(readers)["replayed"] == 0
    readers.stage.put("listings", {"channel_account": ACCOUNT, "channel_sku": "NEW-MUG", "sku": "MUG"})
    readers.stage.put("products", {"sku": "MUG"})
    assert ask(readers)["replayed"] == 1
    assert quarantine.of_source(ACCOUNT).items == []
