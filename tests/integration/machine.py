"""The whole system at work: every handler, and the state machine's file, joined by what the tables say.

Nothing here knows what should happen: changed documents go to the readers of their stream, queued messages to their
queue's function, tokens to the state that waits for them, and the file says which state is next.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

from oms.stores.attribute_values import to_item
from tests.integration.samples import MainStreet
from tests.integration.stage import ROOT, LambdaContext

MAX_TURNS = 60
ERROR_NAME = "{% $states.errorOutput.Error %}"
STATES: dict[str, Any] = json.loads(
    (ROOT / "functions" / "order_lifecycle" / "order_lifecycle.asl.json").read_text("utf-8")
)["States"]


@dataclass
class Execution:
    """One run of the state machine: where it is, since which turn, and the token it waits for."""

    order_id: str
    generation: int
    state: str = "Allocate"
    token: str = ""
    reason: str = ""
    entered: int = 0
    alive: bool = True


class System:
    """All functions of the stage, run turn by turn until nothing happens any more."""

    def __init__(self, company: MainStreet) -> None:
        self.company = company
        self.executions: dict[tuple[str, int], Execution] = {}
        self.seen: dict[str, dict[str, Any]] = {}
        self.delivered: set[tuple[str, str]] = set()
        self.entries = 0
        self.wake_ups = True

    def run(self) -> None:
        """Until a turn changes nothing; AssertionError if that never comes."""
        for _ in range(MAX_TURNS):
            if not (self._streams() | self._start() | self._states()):
                return
        raise AssertionError("the system does not come to rest")

    def stop_all(self) -> None:
        """Stops every execution, as an operator or an outage would."""
        for one in self.executions.values():
            one.alive = False

    def time_out(self) -> None:
        """Every state that waits has waited for as long as it may."""
        for one in self.executions.values():
            if one.alive and one.token:
                self._heard(one, {"error": "States.Timeout"})

    def call(self, function: str, event: dict[str, Any]) -> Any:
        """Has a function handle an event; nothing of it may fail."""
        answer = self.company.function(function).handler(event, LambdaContext(remaining_millis=60_000))
        assert not answer or not answer.get("batchItemFailures"), (function, answer)
        return answer

    def hand_to(self, function: str, *bodies: Any) -> None:
        """Puts messages before a queue's function."""
        records = [{"messageId": str(n), "body": json.dumps(body)} for n, body in enumerate(bodies)]
        self.call(function, {"Records": records})

    def _streams(self) -> bool:
        """Shows what has changed in `orders` and `deliveries` to the readers of their streams."""
        records = []
        for row in self.company.stage.rows("orders"):
            before = self.seen.get(row["order_id"])
            if row != before:
                records.append(_record(before, row, len(records)))
                self.seen[row["order_id"]] = row
        if records:
            self.call("stream_publish", {"Records": records})
            woken = [one for one in records if self.wake_ups or one["eventName"] == "INSERT"]
            self.call("stream_orders", {"Records": woken})
        return bool(records) | self._deliveries()

    def _deliveries(self) -> bool:
        rows = self.company.stage.rows("deliveries")
        new = [row for row in rows if (row["destination"], row["message_key"]) not in self.delivered]
        for row in new:
            key = {"destination": row["destination"], "message_key": row["message_key"]}
            self.delivered.add((row["destination"], row["message_key"]))
            record = {"eventName": "INSERT", "dynamodb": {"Keys": to_item(key), "SequenceNumber": "1"}}
            self.call("stream_deliveries", {"Records": [record]})
        return bool(new)

    def _start(self) -> bool:
        fresh = False
        for one in self.company.started:
            document = json.loads(one["input"])
            key = (document["order_id"], document["generation"])
            if key not in self.executions:
                self.executions[key] = Execution(*key)
                fresh = True
        return fresh

    def _states(self) -> bool:
        moved = False
        for one in [execution for execution in self.executions.values() if execution.alive]:
            if STATES[one.state]["Type"] in ("Wait", "Choice"):
                self._go(one, STATES[one.state].get("Next", ""))
                moved = True
            elif not one.token:
                self._enter(one)
                moved = True
            elif one.token in self.company.told:
                self._heard(one, self.company.told[one.token][0])
                moved = True
        return moved

    def _enter(self, one: Execution) -> None:
        self.entries += 1
        one.token = f"{one.order_id}/{one.generation}/{one.state}/{self.entries}"
        question: dict[str, Any] = {"order_id": one.order_id, "generation": one.generation, "task_token": one.token}
        if one.state == "Allocate":
            self.hand_to("queue_allocation", question)
            return
        entered = f"2026-11-16T14:{self.entries // 60:02}:{self.entries % 60:02}.000Z"
        waits = {"state": one.state, "entered_at": entered, "retry_count": 0}
        reason = {"reason": one.reason} if one.state == "Review" else {}
        self.call("task_await", question | waits | reason)

    def _heard(self, one: Execution, answer: dict[str, Any]) -> None:
        state = STATES[one.state]
        error = answer.get("error")
        one.reason = ""
        if error:
            caught = next(c for c in state["Catch"] if {error, "States.ALL"} & set(c["ErrorEquals"]))
            reason = caught.get("Output", {}).get("reason", "")
            one.reason = error if reason == ERROR_NAME else reason
            self._go(one, caught["Next"])
        elif one.state == "Review":
            self._go(one, answer["next"])
        else:
            self._go(one, state.get("Next", ""))

    def _go(self, one: Execution, state: str) -> None:
        one.state, one.token = state or one.state, ""
        one.alive = bool(state) and STATES[state]["Type"] != "Succeed"


def _record(before: dict[str, Any] | None, row: dict[str, Any], number: int) -> dict[str, Any]:
    """A stream record of this change of an order."""
    images = {"NewImage": to_item(row)} | ({"OldImage": to_item(before)} if before else {})
    keys = {"Keys": to_item({"order_id": row["order_id"]}), "SequenceNumber": str(number)}
    return {"eventName": "MODIFY" if before else "INSERT", "dynamodb": images | keys}
