"""`make invoke FUNCTION=… CASE=…`: one handler on one file of events/, here, against the running stack.

The handler gets the environment of the deployed function. Signed samples are signed again with the secrets of
the running stack, since those are made anew on every machine.
"""

from __future__ import annotations

import base64
import importlib.util
import json
import os
import sys
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from uuid import uuid4

import boto3
from botocore.exceptions import ClientError, EndpointConnectionError

from tools import signing, stack_file
from tools.local_stack import ADMINISTRATOR, PROJECT, REGION

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import ModuleType

FORGED = "forged"
TIME_OUT_MS = 30_000


class CannotInvokeError(Exception):
    """What was asked for does not exist; the message lists what does."""


@dataclass(frozen=True, slots=True)
class Context:
    """What Lambda passes beside the event; names are AWS's."""

    function_name: str
    aws_request_id: str
    invoked_function_arn: str
    memory_limit_in_mb: int = 512

    def get_remaining_time_in_millis(self) -> int:
        """Milliseconds until the time-out: locally there is none."""
        return TIME_OUT_MS


def main(arguments: list[str]) -> int:
    """Runs `<function> <case>` and prints the answer; returns the exit code."""
    if len(arguments) != 2:
        print("Say which: make invoke FUNCTION=webhook_storefront CASE=two_lines", file=sys.stderr)
        return 2
    try:
        answer = invoke(*arguments)
    except (CannotInvokeError, stack_file.StackNotRunningError) as error:
        print(error, file=sys.stderr)
        return 2
    print(json.dumps(answer, indent=2, default=str))
    return 0


def invoke(function: str, case: str) -> Any:
    """The handler's answer. Raises CannotInvokeError or StackNotRunningError."""
    event = _event(function, case)
    stack = stack_file.read()
    os.environ.pop("AWS_PROFILE", None)
    os.environ.update(_deployed_environment(stack, function))
    module = _load(function)
    arn = f"arn:aws:lambda:{REGION}:000000000000:function:{_physical_name(function)}"
    handler: Callable[[Any, Any], Any] = module.handler
    event = event if case.startswith(FORGED) else _signed_again(event, stack)
    return handler(event, Context(_physical_name(function), str(uuid4()), arn))


def _event(function: str, case: str) -> dict[str, Any]:
    if not (PROJECT / "functions" / function / "app.py").is_file():
        names = ", ".join(sorted(file.parent.name for file in (PROJECT / "functions").glob("*/app.py")))
        raise CannotInvokeError(f"There is no function {function}. There are: {names}")
    folder = PROJECT / "events" / function
    path = folder / f"{case}.json"
    if not path.is_file():
        cases = ", ".join(sorted(file.stem for file in folder.glob("*.json"))) or "none"
        raise CannotInvokeError(f"There is no {path.relative_to(PROJECT)}. Cases of {function}: {cases}")
    event: dict[str, Any] = json.loads(path.read_text())
    return event


def _deployed_environment(stack: dict[str, Any], function: str) -> dict[str, str]:
    client = boto3.client(
        "lambda",
        endpoint_url=stack["endpoint_url"],
        region_name=REGION,
        aws_access_key_id=ADMINISTRATOR["AWS_ACCESS_KEY_ID"],
        aws_secret_access_key=ADMINISTRATOR["AWS_SECRET_ACCESS_KEY"],
    )
    try:
        settings = client.get_function_configuration(FunctionName=_physical_name(function))
    except EndpointConnectionError as error:
        raise CannotInvokeError(
            "The local system does not answer. Start it with `make run` and leave it up."
        ) from error
    except ClientError as error:
        raise CannotInvokeError(f"The running system has no function {_physical_name(function)}.") from error
    deployed: dict[str, str] = settings.get("Environment", {}).get("Variables", {})
    endpoint = {"AWS_ENDPOINT_URL": stack["endpoint_url"], "AWS_DEFAULT_REGION": REGION, "AWS_REGION": REGION}
    return {**deployed, **endpoint, **ADMINISTRATOR}


def _physical_name(function: str) -> str:
    return f"oms-local-{function.replace('_', '-')}"


def _load(function: str) -> ModuleType:
    path = PROJECT / "functions" / function / "app.py"
    spec = importlib.util.spec_from_file_location(f"functions.{function}.app", path)
    if spec is None or spec.loader is None:
        raise CannotInvokeError(f"{path} cannot be loaded as Python.")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def _signed_again(event: dict[str, Any], stack: dict[str, Any]) -> dict[str, Any]:
    """The event with the signature of the running stack's secret; what nobody signs stays as it is."""
    wanted = event.get("pathParameters") or {}
    body = str(event.get("body", "")).encode()
    raw = base64.b64decode(body) if event.get("isBase64Encoded") else body
    for kind, sign in _SIGNERS.items():
        for entry in stack[kind]:
            if entry.items() - {("secret", entry["secret"])} == wanted.items():
                return {**event, "headers": {**event["headers"], **sign(entry["secret"], raw)}}
    return event


def _sign_as_warehouse(secret: str, body: bytes) -> dict[str, str]:
    message = signing.StandardWebhook(json.loads(body)["id"], int(time.time()), body)
    return message.headers(secret)


_SIGNERS: dict[str, Callable[[str, bytes], dict[str, str]]] = {
    "channels": lambda secret, body: {"x-shopify-hmac-sha256": signing.shopify_signature(secret, body)},
    "carriers": lambda secret, body: {"x-hmac-signature": signing.easypost_signature(secret, body)},
    "warehouses": _sign_as_warehouse,
}


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
