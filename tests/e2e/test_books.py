"""After all that happened in these tests the books agree: whoever reads them whole finds nothing to mend."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import Any

from tests.e2e.company import LONG_SECONDS, Company
from tools.local_stack import ADMINISTRATOR, PROJECT, REGION
from tools.processes import child_environment
from tools.waiting import wait_until

COMMAND_SECONDS = 60
FOUND = ("rows_written", "rows_closed", "rows_deleted", "orders_failed")


def test_the_rows_of_open_lines_are_those_that_the_orders_make(company: Company) -> None:
    last: dict[str, Any] = {}

    def nothing_is_found() -> bool:
        last.update(dry_run(company))
        return not any(last[name] for name in FOUND)

    assert wait_until(nothing_is_found, LONG_SECONDS), last
    assert last["dry_run"]


def dry_run(company: Company) -> dict[str, Any]:
    """What the operator's command would mend in the running stack; its last line as JSON."""
    command = [sys.executable, "-m", "tools.rebuild", "open_lines", "--dry-run", "--json"]
    where = {"AWS_ENDPOINT_URL": company.system.stack.endpoint_url, "AWS_DEFAULT_REGION": REGION}
    environment = child_environment({**ADMINISTRATOR, **where})
    done = subprocess.run(
        command, cwd=PROJECT, env=environment, capture_output=True, text=True, check=True, timeout=COMMAND_SECONDS
    )
    result: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return result
