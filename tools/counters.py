"""Counting what an order costs: calls and capacity as the handlers recorded them, states from histories."""

from __future__ import annotations

import json
import time
from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

PER_HOUR = ("schedule_", "queue_poll")
MAX_HISTORY_EVENTS = 1000


@dataclass
class Tally:
    """What the handlers did between two moments. Capacity in DynamoDB request units.

    Scheduled functions and pulls are left out: they cost per hour, not per order.
    """

    invocations: Counter[str] = field(default_factory=Counter)
    calls: Counter[tuple[str, str]] = field(default_factory=Counter)
    written: Counter[str] = field(default_factory=Counter)
    written_to_tables: Counter[str] = field(default_factory=Counter)
    read: Counter[str] = field(default_factory=Counter)

    @property
    def wru(self) -> float:
        """Write units of all tables and their indexes."""
        return sum(self.written.values())

    @property
    def rru(self) -> float:
        """Read units of all tables and indexes."""
        return sum(self.read.values())

    def add(self, record: dict[str, Any]) -> None:
        """Counts one recorded line."""
        if record["function"].startswith(PER_HOUR):
            return
        if record["kind"] == "invocation":
            self.invocations[record["function"]] += 1
            return
        self.calls[record["function"], record["action"]] += 1
        for used in record.get("capacity", []):
            self.read[used["table"]] += used.get("read", 0)
            self.written[used["table"]] += used.get("write", 0)
            self.written_to_tables[used["table"]] += used.get("table_write", 0)


class CallLog:
    """The folder of recorded calls; remembers how far it was read, so that each phase is counted alone."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._read_to: dict[Path, int] = {}
        self._newest = 0.0

    def skip(self) -> None:
        """Forgets everything recorded so far."""
        for _ in self._new_records():
            pass

    def is_quiet(self, seconds: float) -> bool:
        """Whether nothing was recorded in the last `seconds`. Forgets what was, like `skip`."""
        self.skip()
        return time.time() - self._newest >= seconds

    def tally(self) -> Tally:
        """What was recorded since the last `skip` or `tally`."""
        result = Tally()
        for record in self._new_records():
            result.add(record)
        return result

    def _new_records(self) -> Iterator[dict[str, Any]]:
        for path in sorted(self._folder.glob("*.jsonl")):
            with path.open("rb") as lines:
                lines.seek(self._read_to.get(path, 0))
                for line in lines:
                    if not line.endswith(b"\n"):  # still being written: next time
                        break
                    self._read_to[path] = self._read_to.get(path, 0) + len(line)
                    record = json.loads(line)
                    self._newest = max(self._newest, record["at"])
                    yield record


def executions_of(states: Any, state_machine_arn: str, order_ids: Iterable[str]) -> dict[str, str]:
    """ARN to status of the executions of these orders, all generations."""
    wanted = set(order_ids)
    pages = states.get_paginator("list_executions").paginate(stateMachineArn=state_machine_arn)
    return {
        execution["executionArn"]: execution["status"]
        for page in pages
        for execution in page["executions"]
        if execution["name"].rsplit("-", 1)[0] in wanted
    }


def state_entries(states: Any, execution: str) -> int:
    """How many states an execution entered, Choice, Succeed and all."""
    pages = states.get_paginator("get_execution_history").paginate(
        executionArn=execution, PaginationConfig={"MaxItems": MAX_HISTORY_EVENTS}
    )
    return sum(event["type"].endswith("StateEntered") for page in pages for event in page["events"])
