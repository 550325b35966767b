"""What a run of the stock benchmark costs: calls, capacity and processor time, counted at botocore's hooks."""

from __future__ import annotations

import json
import threading
import time
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from io import BytesIO
from typing import TYPE_CHECKING, Any

from botocore.awsrequest import AWSResponse
from botocore.compat import HTTPHeaders

from oms.runtime.dynamodb_json import OPERATIONS

if TYPE_CHECKING:
    from oms.domain.lifecycle import Answer
    from oms.runtime.executions import Executions
    from oms.stores.group_commit import GroupCommit

READS = frozenset({"GetItem", "BatchGetItem", "Query", "Scan"})
JSON_TYPE = "application/x-amz-json-1.0"
CANCELLED = "com.amazonaws.dynamodb.v20120810#TransactionCanceledException"

Engine = Callable[[Any], AWSResponse]
Clock = Callable[[], float]


@dataclass(slots=True)
class Meter:
    """Counts of one run, all its workers together. Conflicts strike this share of transactions, evenly.

    `clock` measures processor seconds: of the whole process while one worker runs alone, of a thread otherwise.
    """

    stock_table: str
    conflict_share: float = 0.0
    clock: Clock = time.process_time
    engine: Engine | None = None
    calls: Counter[str] = field(default_factory=Counter)
    stock_transactions: int = 0
    conflicts: int = 0
    wru: float = 0.0
    rru: float = 0.0
    seconds: dict[str, float] = field(default_factory=lambda: defaultdict(float))
    _transactions: int = 0
    _lock: threading.Lock = field(default_factory=threading.Lock)

    @contextmanager
    def phase(self, name: str, clock: Clock | None = None) -> Iterator[None]:
        """Adds the processor time of what runs inside to a phase."""
        clock = clock or self.clock
        began = clock()
        try:
            yield
        finally:
            used = clock() - began
            with self._lock:
                self.seconds[name] += used

    @contextmanager
    def watching(self, client: Any) -> Iterator[None]:
        """Counts what a DynamoDB client does while inside."""
        hooks = (
            ("provide-client-params.dynamodb", _ask_for_capacity),
            ("before-send.dynamodb", self._send),
            ("after-call.dynamodb", self._count),
        )
        for event, hook in hooks:
            client.meta.events.register_first(event, hook)
        try:
            yield
        finally:
            for event, hook in hooks:
                client.meta.events.unregister(event, hook)

    def _send(self, request: Any, event_name: str, **_: Any) -> AWSResponse | None:
        """Cancels some transactions before they arrive; the others go to the engine."""
        if event_name.endswith(".TransactWriteItems") and self._strikes(request.body):
            return _cancelled(request)
        return self.engine(request) if self.engine else None

    def _strikes(self, body: bytes) -> bool:
        with self._lock:
            self.stock_transactions += f'"TableName":"{self.stock_table}"'.encode() in body
            self._transactions += 1
            struck = int(self._transactions * self.conflict_share) > self.conflicts
            self.conflicts += struck
        return struck

    def _count(self, parsed: dict[str, Any], model: Any, **_: Any) -> None:
        consumed = parsed.get("ConsumedCapacity") or []
        units = sum(one["CapacityUnits"] for one in ([consumed] if isinstance(consumed, dict) else consumed))
        with self._lock:
            self.calls[model.name] += 1
            if model.name in READS:
                self.rru += units
            else:
                self.wru += units


@dataclass(frozen=True, slots=True)
class MeteredCommit:
    """The commit step with a clock; `alone` gives it one change at a time."""

    inner: GroupCommit
    meter: Meter
    alone: bool = False

    def commit(self, changes: Sequence[Any]) -> list[Any]:
        """As GroupCommit.commit."""
        with self.meter.phase("commit"):
            if self.alone:
                return [self.inner.commit_one(change) for change in changes]
            return self.inner.commit(changes)

    def commit_one(self, change: Any) -> Any:
        """As GroupCommit.commit_one."""
        return self.commit([change])[0]


@dataclass(frozen=True, slots=True)
class MeteredExecutions:
    """The answers to executions with a clock. They are given from several threads: each counts its own time."""

    inner: Executions
    meter: Meter

    def answer(self, task_token: str, answer: Answer) -> None:
        """As Executions.answer."""
        with self.meter.phase("answer", time.thread_time):
            self.inner.answer(task_token, answer)


def reply(request: Any, status: int, body: bytes) -> AWSResponse:
    """An answer to a request that never left this process."""
    headers = HTTPHeaders()
    headers["Content-Type"] = JSON_TYPE
    return AWSResponse(request.url, status, headers, _Body(body))


class _Body(BytesIO):
    """What botocore reads an answer from."""

    def stream(self, *_: Any, **__: Any) -> Iterator[bytes]:
        yield self.read()


def _cancelled(request: Any) -> AWSResponse:
    """Somebody else holds the first item just now."""
    reasons = [{"Code": "None"} for _ in json.loads(request.body)["TransactItems"]]
    reasons[0] = {"Code": "TransactionConflict"}
    error = {"__type": CANCELLED, "message": "cancelled", "CancellationReasons": reasons}
    return reply(request, 400, json.dumps(error).encode())


def _ask_for_capacity(params: dict[str, Any], model: Any, **_: Any) -> dict[str, Any]:
    return params | ({"ReturnConsumedCapacity": "TOTAL"} if model.name in OPERATIONS else {})
