"""The audit of stock: after all that the tests did to the company, and while orders go on, its books are in order."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import Any

from tests.e2e.company import LONG_SECONDS, Company
from tools.local_stack import ADMINISTRATOR, PROJECT, REGION
from tools.processes import child_environment

COMMAND_SECONDS = 120
ORDERS = 4


def test_the_books_are_in_order_while_orders_go_on_and_when_they_have_ended(company: Company) -> None:
    sent = [company.place("two_lines") for _ in range(ORDERS)]
    while_they_go_on = audit(company)
    assert (while_they_go_on["drifts"], while_they_go_on["busy"]) == ([], [])
    company.until_all(sent, LONG_SECONDS, status="DELIVERED")
    ended = audit(company)
    assert (ended["drifts"], ended["busy"]) == ([], [])
    assert ended["orders"] >= ORDERS
    assert ended["movements"] >= ended["positions"] + 2 * ORDERS


def audit(company: Company) -> dict[str, Any]:
    """Runs the operator's command against the running stack; its last line as JSON."""
    command = [sys.executable, "-m", "tools.audit_stock", "--json"]
    where = {"AWS_ENDPOINT_URL": company.system.stack.endpoint_url, "AWS_DEFAULT_REGION": REGION}
    environment = child_environment({**ADMINISTRATOR, **where})
    done = subprocess.run(
        command, cwd=PROJECT, env=environment, capture_output=True, text=True, check=False, timeout=COMMAND_SECONDS
    )
    assert done.returncode in (0, 1), done.stderr
    result: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return result
