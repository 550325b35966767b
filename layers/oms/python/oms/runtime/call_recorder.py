"""Writes down the AWS calls a handler makes. Local stage only: off wherever CALL_RECORDER_DIRECTORY is empty.

One JSON line per invocation and per call: function, action, resource, consumed capacity. The tests compare these
with the roles' policies, and the demonstration counts with them.
"""

from __future__ import annotations

import json
import os
import time
from pathlib import Path
from typing import Any

_ACTIONS = {"TransactWriteItems": ("Put", "Update", "Delete", "ConditionCheck")}
_IAM_NAMES = {
    "Put": "PutItem",
    "Update": "UpdateItem",
    "Delete": "DeleteItem",
    "ConditionCheck": "ConditionCheckItem",
    "SendMessageBatch": "SendMessage",
    "PutEvents": "PutEvents",
}
_PREFIXES = {"sfn": "states", "eventbridge": "events"}
_READS = frozenset({"GetItem", "BatchGetItem", "Query", "Scan", "TransactGetItems"})
_RESOURCE_PARAMETERS = (
    "TableName",
    "QueueUrl",
    "SecretId",
    "stateMachineArn",
    "executionArn",
    "Bucket",
)


class CallRecorder:
    """Records into one file per function and process."""

    def __init__(self, directory: str, function: str) -> None:
        self._function = function
        self._path = Path(directory) / f"{function}-{os.getpid()}.jsonl"

    def watch(self, client: Any) -> None:
        """Hooks into every call of a boto3 client."""
        client.meta.events.register("provide-client-params.dynamodb", _ask_for_capacity)
        client.meta.events.register("before-parameter-build", _remember)
        client.meta.events.register("after-call", self._after_call)

    def invocation(self) -> None:
        """Notes that the function was invoked."""
        self._write({"kind": "invocation"})

    def _after_call(
        self, http_response: Any, parsed: dict[str, Any], model: Any, context: dict[str, Any], **_: Any
    ) -> None:
        parameters = context.get("recorded", {})
        service = model.service_model.service_id.hyphenize()
        prefix = _PREFIXES.get(service, service.replace("-", ""))
        capacity = _capacities(model.name, parsed)
        for action, resource in _calls(model.name, parameters):
            call = {
                "kind": "call",
                "action": f"{prefix}:{action}",
                "resource": resource,
                "capacity": capacity,
            }
            self._write(call | {"status": http_response.status_code})
            capacity = []

    def _write(self, entry: dict[str, Any]) -> None:
        line = json.dumps({"function": self._function, "at": time.time(), **entry}, separators=(",", ":"))
        with self._path.open("a", encoding="utf-8") as file:
            file.write(line + "\n")


def _ask_for_capacity(params: dict[str, Any], model: Any, **_: Any) -> dict[str, Any]:
    return {**params, "ReturnConsumedCapacity": "INDEXES"}


def _remember(params: dict[str, Any], context: dict[str, Any], **_: Any) -> None:
    context["recorded"] = dict(params)  # they may be taken away later on


def _calls(operation: str, parameters: dict[str, Any]) -> list[tuple[str, str]]:
    """(IAM action, resource) pairs of a call; a transaction needs the rights of each of its actions."""
    if operation in _ACTIONS:
        pairs = [(kind, part) for action in parameters["TransactItems"] for kind, part in action.items()]
        return sorted({(_IAM_NAMES[kind], part["TableName"]) for kind, part in pairs})
    if operation in ("BatchGetItem", "BatchWriteItem"):
        return [(operation, table) for table in parameters["RequestItems"]]
    if operation == "PutEvents":
        return [(operation, entry["EventBusName"]) for entry in parameters["Entries"][:1]]
    resource = next((str(parameters[name]) for name in _RESOURCE_PARAMETERS if name in parameters), "")
    if "IndexName" in parameters:
        resource += f"/index/{parameters['IndexName']}"
    if "Key" in parameters and "Bucket" in parameters:
        resource += f"/{parameters['Key']}"
    return [(_IAM_NAMES.get(operation, operation), resource)]


def _capacities(operation: str, parsed: dict[str, Any]) -> list[dict[str, Any]]:
    """Consumed capacity per table, in request units, its indexes told apart."""
    consumed = parsed.get("ConsumedCapacity") or []
    tables = [consumed] if isinstance(consumed, dict) else list(consumed)
    return [_capacity(operation, table) for table in tables]


def _capacity(operation: str, table: dict[str, Any]) -> dict[str, Any]:
    own = table.get("Table", {})
    kind = "read" if operation in _READS else "write"
    total = table.get("CapacityUnits", 0.0)
    units = {"read": 0.0, "write": 0.0, "table_write": 0.0, "index_write": 0.0}
    if kind == "write":
        on_table = own.get("CapacityUnits", table.get("WriteCapacityUnits", total))
        units |= {"table_write": on_table, "index_write": total - on_table}
    return {"table": table["TableName"], **units, kind: total}
