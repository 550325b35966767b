"""The channel that the README shows how to add, deployed as it says; an account connected as docs/channels.md says."""

from __future__ import annotations

import hashlib
import hmac
import json
import re
from pathlib import Path
from typing import Any

import pytest

from oms.domain import ids
from oms.domain.catalog import ChannelAccount, Notice
from oms.runtime import clients
from oms.runtime.secrets import Secrets
from oms.stores.reference_data import SettingsStore
from tests.integration.functions.doors import Door, http_event
from tests.integration.samples import MainStreet
from tests.integration.stage import PREFIX, LambdaContext, Stage
from tests.lantern import ORDER, add, told_by_the_readme

PAGE = Path(__file__).parents[3] / "docs" / "channels.md"
SECRET = told_by_the_readme("secret")


@pytest.fixture
def door(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> Door:
    add(monkeypatch)
    MainStreet(stage)
    stage.put("settings", told_by_the_readme("settings"), kind="channel_account", name="lantern#main")
    clients.client("secretsmanager").create_secret(
        Name="oms/test/channels/lantern/main", SecretString=json.dumps(SECRET)
    )
    return Door(stage, stage.function("webhook_storefront"), "intake")


def webhook(order: Any, secret: str) -> dict[str, Any]:
    body = json.dumps(order).encode()
    signature = hmac.new(secret.encode(), body, hashlib.sha256).hexdigest()
    headers = {"x-lantern-event": "order.created", "x-lantern-signature": signature}
    return http_event({"channel": "lantern", "account": "main"}, headers, body)


def take(door: Door) -> None:
    records = [{"messageId": str(number), "body": json.dumps(one)} for number, one in enumerate(door.queued())]
    answer = door.stage.function("queue_intake").handler({"Records": records}, LambdaContext())
    assert answer == {"batchItemFailures": []}


def test_an_order_signed_with_either_secret_is_taken_in_once(door: Door) -> None:
    for secret in SECRET["signing_secrets"]:
        assert door.post(webhook(ORDER, secret))[0] == 200
    take(door)
    order = door.stage.order(ids.order_id("lantern", "main", "L-1"))
    assert (order.version, order.review, order.ship_to.region) == (1, None, "OR")
    assert [(line.line_id, line.sku, line.ordered) for line in order.lines] == [("1", "MUG-STONE-350", 2)]


def test_what_nobody_of_the_account_signed_is_refused(door: Door) -> None:
    assert door.post(webhook(ORDER, "a guess"))[0] == 401
    assert door.queued() == []


def test_what_is_no_order_waits_in_quarantine(door: Door) -> None:
    assert door.post(webhook({"id": "L-1"}, SECRET["signing_secrets"][0]))[0] == 200
    take(door)
    assert [(row["source"], row["reason"]) for row in door.stage.rows("quarantine")] == [
        ("lantern#main", "INVALID_FIELD")
    ]


def test_the_account_of_the_readme_is_told_of_parcels_and_is_signed_in(door: Door) -> None:
    account = SettingsStore(clients.client("dynamodb"), PREFIX).channel_account("lantern", "main")
    assert account is not None
    assert (account.tells, account.base_url) == ((Notice.SHIPMENTS,), "https://api.lantern.example")
    secrets = Secrets(clients.client("secretsmanager"), "test")
    assert set(secrets.credentials("channels", "lantern", "main")) == {"token"}


def test_the_statement_that_connects_an_account_makes_one(stage: Stage) -> None:
    (statement,) = re.findall(r"```sql\n(INSERT .+?)```", PAGE.read_text(), flags=re.DOTALL)
    clients.client("dynamodb").execute_statement(Statement=statement.replace("oms-prod-", PREFIX))
    account = SettingsStore(clients.client("dynamodb"), PREFIX).channel_account("amazon", "main")
    assert account == ChannelAccount(
        currencies=("USD",),
        country="US",
        poll_seconds=300,
        reconcile_hours=24,
        tells=(Notice.SHIPMENTS, Notice.CANCELLATIONS, Notice.AVAILABILITY),
        options={"seller_id": "A1EXAMPLE"},
    )
