"""Accounts of channels as workers open them: by their settings and secret, kept as long as those stay."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest

from oms import wiring
from oms.channels.accounts import ChannelAccounts
from oms.domain.catalog import ChannelAccount
from oms.domain.errors import CredentialsRefused, NotSupported, OutOfTime
from oms.runtime import clients
from oms.runtime.http import HttpClient
from oms.runtime.secrets import Secrets
from oms.stores.reference_data import SettingsStore
from tests.integration.market import open_market
from tests.integration.stage import PREFIX, Stage
from tests.scripted_server import OpenLimits

SETTINGS = {("shopify", "main"): ChannelAccount(base_url="https://a.example")}

KEPT: list[tuple[str, ...]] = []


def accounts(settings: dict[tuple[str, str], ChannelAccount], clock: list[float]) -> ChannelAccounts:
    return ChannelAccounts(
        settings_of=lambda channel, account: settings.get((channel, account)),
        credentials_of=lambda channel, account, anew: {"key": f"{channel}/{account}/{anew}"},
        http=HttpClient(),
        limits=OpenLimits(),
        now=lambda: datetime(2026, 11, 23, tzinfo=UTC),
        keep_credential=lambda *told: KEPT.append(told),
        clock=lambda: clock[0],
    )


def test_an_account_is_opened_once_and_keeps_its_tokens() -> None:
    made = accounts(dict(SETTINGS), [0.0])
    assert made.api("shopify#main") is made.api("shopify#main")
    assert made.api("shopify#main").credentials == {"key": "shopify/main/False"}


def test_a_credential_that_changed_is_kept_under_the_accounts_own_name() -> None:
    KEPT.clear()
    accounts(dict(SETTINGS), [0.0]).api("shopify#main").keep_credential("refresh_token", "old", "new")
    assert KEPT == [("shopify", "main", "refresh_token", "old", "new")]


def test_an_account_whose_settings_changed_is_opened_anew() -> None:
    settings = dict(SETTINGS)
    made = accounts(settings, [0.0])
    before = made.api("shopify#main")
    settings["shopify", "main"] = replace(SETTINGS["shopify", "main"], base_url="https://b.example")
    assert made.api("shopify#main") is not before
    assert made.api("shopify#main").settings.base_url == "https://b.example"


def test_an_account_that_was_never_set_up_waits_for_somebody_to_do_so() -> None:
    with pytest.raises(CredentialsRefused):
        accounts({}, [0.0]).api("shopify#main")


def test_what_a_channel_can_not_do_is_not_tried() -> None:
    made = accounts({("web", "main"): ChannelAccount()}, [0.0])
    with pytest.raises(NotSupported):
        made.run("web#main", "pull", None, None)
    assert not made.can("web#main", "pull")


def test_all_accounts_are_closed_when_the_invocation_must_end() -> None:
    clock = [100.0]
    made = accounts(dict(SETTINGS), clock)
    made.end_within(30)
    assert made.api("shopify#main").ends_at == 130
    clock[0] = 131
    with pytest.raises(OutOfTime):
        made.api("shopify#main").http.request("GET", "https://a.example", within_seconds=-1)
    made.end_within(30)
    assert made.api("shopify#main").ends_at == 161


def test_a_workers_accounts_read_their_settings_and_their_secret(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    open_market(stage, monkeypatch)
    held: Any = {"signing_secrets": ["s"], "credentials": {"key": "k1\n", "number": 7, "none": None}}
    manager = clients.client("secretsmanager")
    manager.create_secret(Name="oms/test/channels/market/main", SecretString=json.dumps(held))
    made = wiring.channel_accounts(SettingsStore(clients.client("dynamodb"), PREFIX), Secrets(manager, "test"))
    assert made.api("market#main").credentials == {"key": "k1", "number": "7"}
    assert made.can("market#main", "pull")
    assert made.constant("market#main", "LAG_SECONDS", 3) == 3


def test_a_workers_accounts_keep_what_changed_in_their_secret(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    open_market(stage, monkeypatch)
    manager = clients.client("secretsmanager")
    held = {"signing_secrets": ["s"], "credentials": {"refresh_token": "old", "number": 7}}
    name = manager.create_secret(Name="oms/test/channels/market/main", SecretString=json.dumps(held))["Name"]
    made = wiring.channel_accounts(SettingsStore(clients.client("dynamodb"), PREFIX), Secrets(manager, "test"))
    made.api("market#main").keep_credential("refresh_token", "old", "new")
    assert json.loads(manager.get_secret_value(SecretId=name)["SecretString"]) == {
        "signing_secrets": ["s"],
        "credentials": {"refresh_token": "new", "number": 7},
    }
    assert made.api("market#main").credentials == {"refresh_token": "new", "number": "7"}
