"""Quarantine: what could not be understood is put back by an operator's command once its cause is mended."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import Any

from tests.e2e.company import LONG_SECONDS, POP_UP, Company, Sent
from tools.local_stack import ADMINISTRATOR, PROJECT, REGION
from tools.processes import child_environment
from tools.waiting import wait_until

COMMAND_SECONDS = 60


def replay(company: Company, *arguments: str) -> dict[str, Any]:
    """Runs the operator's command against the running stack; its last line as JSON."""
    command = [sys.executable, "-m", "tools.replay_quarantine", "--source", POP_UP, "--json", *arguments]
    where = {"AWS_ENDPOINT_URL": company.system.stack.endpoint_url, "AWS_DEFAULT_REGION": REGION}
    environment = child_environment({**ADMINISTRATOR, **where})
    done = subprocess.run(
        command, cwd=PROJECT, env=environment, capture_output=True, text=True, check=True, timeout=COMMAND_SECONDS
    )
    result: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return result


def test_a_message_of_an_account_that_was_never_set_up_is_kept_with_its_cause(company: Company, kept: Sent) -> None:
    (row,) = company.query("quarantine", source=POP_UP)
    assert row["reason"] == "UNKNOWN_ACCOUNT"
    assert row["field"] == "account"
    assert company.document(kept) == {}


def test_a_dry_run_of_the_replay_leaves_everything_where_it_is(company: Company, kept: Sent) -> None:
    result = replay(company, "--dry-run")
    assert result["replayed"] == 1
    assert result["reasons"] == {"UNKNOWN_ACCOUNT": 1}
    assert len(company.query("quarantine", source=POP_UP)) == 1
    assert company.document(kept) == {}


def test_now_that_the_account_is_set_up_the_replayed_message_becomes_an_order(company: Company, kept: Sent) -> None:
    # A worker may believe for a minute that there is no such account: then the message is kept once more.
    became = wait_until(lambda: company.document(kept) != {}, LONG_SECONDS, meanwhile=lambda: _replay_if_kept(company))
    assert became
    company.until("nothing is kept any more", lambda: company.query("quarantine", source=POP_UP) == [])
    company.until_all([kept], LONG_SECONDS, status="DELIVERED")
    received = [event for event in company.document(kept)["events"] if event["type"] == "OrderReceived"]
    assert len(received) == 1


def _replay_if_kept(company: Company) -> None:
    if company.query("quarantine", source=POP_UP):
        replay(company)
