"""The bus: what a subscriber missed is published again from the order documents."""

from __future__ import annotations

import json
import subprocess
import sys
from collections import Counter
from datetime import datetime, timedelta
from typing import Any

from tests.e2e.company import LONG_SECONDS, Company
from tools.local_stack import ADMINISTRATOR, PROJECT, REGION
from tools.processes import child_environment
from tools.waiting import wait_until

COMMAND_SECONDS = 60
MAX_RECEIVES = 1_000

Heard = Counter[tuple[str, int]]


def test_the_events_of_a_time_range_arrive_again_exactly_once_each(company: Company) -> None:
    sent = company.place("two_lines")
    company.until_all([sent], LONG_SECONDS, status="DELIVERED")
    events = company.document(sent)["events"]
    everything: Heard = Counter((sent.order_id, event["sequence"]) for event in events)
    heard: Heard = Counter()
    company.until("all were published", lambda: _hear(company, heard, sent.order_id) == everything)

    since, until = events[0]["at"], _a_second_later(events[-1]["at"])
    result = republish(company, "--from", since, "--to", until)
    assert result["events"] >= len(events)
    again = everything + everything
    company.until("all arrived again", lambda: _hear(company, heard, sent.order_id) == again)


def test_only_the_events_inside_the_range_are_published_again(company: Company) -> None:
    sent = company.place("two_lines")
    company.until_all([sent], LONG_SECONDS, status="DELIVERED")
    events = company.document(sent)["events"]
    heard: Heard = Counter()
    company.until("all were published", lambda: _hear(company, heard, sent.order_id).total() == len(events))
    middle = events[len(events) // 2]["at"]
    inside = [event["sequence"] for event in events if event["at"] >= middle]
    result = republish(company, "--from", middle, "--to", "2100-01-01", "--order-id", sent.order_id)
    assert result == {"dry_run": False, "orders_read": 1, "orders": 1, "events": len(inside), "refused_at": None}
    wanted = Counter({(sent.order_id, event["sequence"]): 1 for event in events})
    wanted.update((sent.order_id, sequence) for sequence in inside)
    company.until("they arrived again", lambda: _hear(company, heard, sent.order_id) == wanted)


def test_a_dry_run_publishes_nothing(company: Company) -> None:
    result = republish(company, "--from", "2000-01-01", "--to", "2100-01-01", "--dry-run")
    assert result["events"] > 0
    heard: Heard = Counter()
    sent = company.place("two_lines")  # whatever had been published before it would arrive before its events
    assert wait_until(lambda: bool(_hear(company, heard, sent.order_id)), LONG_SECONDS)
    assert set(heard.values()) == {1}


def republish(company: Company, *arguments: str) -> dict[str, Any]:
    """Runs the operator's command against the running stack; its last line as JSON."""
    command = [sys.executable, "-m", "tools.republish", "--json", *arguments]
    where = {"AWS_ENDPOINT_URL": company.system.stack.endpoint_url, "AWS_DEFAULT_REGION": REGION}
    environment = child_environment({**ADMINISTRATOR, **where})
    done = subprocess.run(
        command, cwd=PROJECT, env=environment, capture_output=True, text=True, check=True, timeout=COMMAND_SECONDS
    )
    result: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return result


def _hear(company: Company, heard: Heard, order_id: str) -> Heard:
    """Takes what has arrived at the copy of every event; counts the order's events."""
    sqs, url = company.system.world.sqs, company.system.description["queues"]["event_copy"]
    for _ in range(MAX_RECEIVES):
        messages = sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=10).get("Messages", [])
        if not messages:
            break
        for message in messages:
            sqs.delete_message(QueueUrl=url, ReceiptHandle=message["ReceiptHandle"])
            detail = json.loads(message["Body"])["detail"]
            if detail["order_id"] == order_id:
                heard[detail["order_id"], detail["sequence"]] += 1
    return heard


def _a_second_later(moment: str) -> str:
    return (datetime.fromisoformat(moment) + timedelta(seconds=1)).isoformat()
