"""The hourly run: each sample compares the accounts that are due, and its repeat finds nothing more to do."""

from __future__ import annotations

import json
from collections.abc import Iterator
from io import StringIO
from typing import Any

import pytest

from oms.domain.catalog import ChannelAccount
from tests.integration.bazaar import MAIN, Bazaar, bazaar, open_account
from tests.integration.company import everything
from tests.integration.samples import MainStreet
from tests.integration.stage import LambdaContext, Stage, cases, sample

FUNCTION = "schedule_publish_stock"


@pytest.fixture
def shop(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> Iterator[Bazaar]:
    with bazaar(monkeypatch) as made:
        open_account(stage, made.url)
        yield made


def run(company: MainStreet, case: str, seconds: int = 100) -> Any:
    app = company.function(FUNCTION)
    app.accounts.http._allow_loopback = True
    app.accounts.credentials_of = lambda *_: {"key": "secret"}
    return app.handler(sample(FUNCTION, case), LambdaContext(remaining_millis=seconds * 1000))


@pytest.fixture
def company(stage: Stage, shop: Bazaar) -> MainStreet:
    """Its mugs are sold at the bazaar as well, which was told of 100 of them."""
    made = MainStreet(stage)
    silent = ChannelAccount(currencies=("USD",))  # the only seeded one that is told figures, of a shop that is not here
    stage.put("settings", silent, kind="channel_account", name="woocommerce#main-street-crafts")
    listing = {"channel_account": MAIN, "channel_sku": "mug", "sku": "MUG-STONE-350", "change_version": 1}
    stage.put("listings", listing | {"published_version": 1, "last_published_quantity": 100})
    shop.stock["mug"] = 100
    return made


@pytest.mark.parametrize("case", cases(FUNCTION))
def test_each_sample_compares_and_a_repeat_owes_nothing_more(company: MainStreet, shop: Bazaar, case: str) -> None:
    answer = run(company, case)
    assert MAIN in answer["compared"]
    assert answer["failed"] == {}
    owed = [row["message_key"] for row in company.stage.rows("deliveries")]
    assert owed == ["availability#mug"]
    before = everything(company.stage)
    again = run(company, case)
    assert (MAIN in again["compared"]) == (case == "all_anew")
    assert everything(company.stage) == before


def test_what_drifted_is_counted_by_account(company: MainStreet, capsys: Any, log: StringIO) -> None:
    run(company, "hourly")
    counted = [json.loads(line) for line in capsys.readouterr().out.splitlines() if '"_aws"' in line]
    by_account = {name: one[name] for one in counted if one.get("channel_account") == MAIN for name in one}
    assert by_account["StockDriftListings"] == [1.0]
    assert by_account["StockDriftUnits"][0] > 0
    assert any(one.get("StockDrift") == [1.0] for one in counted)
    told = [json.loads(line) for line in log.getvalue().splitlines()]
    assert any((one.get("channel_account"), one.get("untold")) == (MAIN, 1) for one in told)


def test_a_listing_that_nobody_can_read_rings_the_alarm_as_drift_does(
    company: MainStreet, capsys: Any, log: StringIO
) -> None:
    listing = next(row for row in company.stage.rows("listings") if row["channel_account"] == MAIN)
    company.stage.put("listings", listing | {"change_version": "many"})
    run(company, "hourly")
    counted = [json.loads(line) for line in capsys.readouterr().out.splitlines() if '"_aws"' in line]
    assert any(one.get("StockDrift") == [1.0] for one in counted)
    told = [json.loads(line) for line in log.getvalue().splitlines()]
    assert any((one.get("channel_account"), one.get("unreadable")) == (MAIN, 1) for one in told)


def test_without_time_nothing_is_begun(company: MainStreet, shop: Bazaar) -> None:
    assert run(company, "hourly", seconds=5)["compared"] == []
    assert shop.calls == []
