"""Quarantine: what could not be understood is put back by an operator's command once its cause is mended."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import Any

import pytest

from tests.e2e.company import LONG_SECONDS, Company, Sent
from tools import seed, signing
from tools.local_stack import ADMINISTRATOR, PROJECT, REGION
from tools.processes import child_environment
from tools.shop import Shop
from tools.waiting import wait_until

POP_UP = "pop-up"
SOURCE = f"shopify#{POP_UP}"
SECRET = "what-the-pop-up-shop-signs-with"
COMMAND_SECONDS = 60
REPLAYS = 40


@pytest.fixture(scope="module")
def kept(company: Company) -> Sent:
    """A message of an account whose secret exists, and which was never set up, kept in quarantine."""
    name = f"oms/{company.system.stack.stage}/channels/shopify/{POP_UP}"
    company.client("secretsmanager").create_secret(Name=name, SecretString=json.dumps({"signing_secrets": [SECRET]}))
    shop = Shop(company.system.description["base_url"], POP_UP, SECRET)
    identity = shop.new_identity()
    message = shop.message("two_lines", identity)
    assert message.headers["x-shopify-hmac-sha256"] == signing.shopify_signature(SECRET, message.body)
    assert shop.send(message).status == 200
    company.until("it is in quarantine", lambda: bool(company.query("quarantine", source=SOURCE)))
    return Sent(identity, shop.order_id(identity), message)


def replay(company: Company, *arguments: str) -> dict[str, Any]:
    """Runs the operator's command against the running stack; its last line as JSON."""
    command = [sys.executable, "-m", "tools.replay_quarantine", "--source", SOURCE, "--json", *arguments]
    where = {"AWS_ENDPOINT_URL": company.system.stack.endpoint_url, "AWS_DEFAULT_REGION": REGION}
    environment = child_environment({**ADMINISTRATOR, **where})
    done = subprocess.run(
        command, cwd=PROJECT, env=environment, capture_output=True, text=True, check=True, timeout=COMMAND_SECONDS
    )
    result: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return result


def test_a_message_of_an_account_that_was_never_set_up_is_kept_with_its_cause(company: Company, kept: Sent) -> None:
    (row,) = company.query("quarantine", source=SOURCE)
    assert row["reason"] == "UNKNOWN_ACCOUNT"
    assert row["field"] == "account"
    assert company.document(kept) == {}


def test_a_dry_run_of_the_replay_leaves_everything_where_it_is(company: Company, kept: Sent) -> None:
    result = replay(company, "--dry-run")
    assert result["replayed"] == 1
    assert result["reasons"] == {"UNKNOWN_ACCOUNT": 1}
    assert len(company.query("quarantine", source=SOURCE)) == 1
    assert company.document(kept) == {}


def test_once_the_account_is_set_up_the_replayed_message_becomes_an_order(company: Company, kept: Sent) -> None:
    account = seed.load("settings")["channel_account"]["shopify#main-street-goods"]
    company.put("settings", {"kind": "channel_account", "name": SOURCE, **account})
    # A worker may believe for a minute that there is no such account: then the message is kept once more.
    became = wait_until(lambda: company.document(kept) != {}, LONG_SECONDS, meanwhile=lambda: _replay_if_kept(company))
    assert became
    company.until("nothing is kept any more", lambda: company.query("quarantine", source=SOURCE) == [])
    company.until_all([kept], LONG_SECONDS, status="DELIVERED")
    received = [event for event in company.document(kept)["events"] if event["type"] == "OrderReceived"]
    assert len(received) == 1


def _replay_if_kept(company: Company) -> None:
    if company.query("quarantine", source=SOURCE):
        replay(company)
