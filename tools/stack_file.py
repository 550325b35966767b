""".local/stack.json: how to reach the running system, for programs (and for `make invoke`)."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from tools.local_stack import PROJECT, REGION, LocalStack
from tools.seed import Secrets, skus

if TYPE_CHECKING:
    from pathlib import Path

STACK_FILE = PROJECT / ".local" / "stack.json"
MAX_CLIENTS = 60


class StackNotRunningError(Exception):
    """There is no running stack to read about; the message says how to start one."""

    def __init__(self, path: Path) -> None:
        super().__init__(f"{path} does not exist: no local system runs. Start it with `make run` and leave it up.")


def describe(stack: LocalStack, secrets: Secrets) -> dict[str, Any]:
    """Everything a program needs to use the running stack, in the published shape."""
    return {
        "base_url": stack.base_url,
        "endpoint_url": stack.endpoint_url,
        "region": REGION,
        "token_url": stack.token_url,
        "clients": _clients(stack),
        "channels": [
            {"channel": channel, "account": account, "secret": secret}
            for (channel, account), secret in secrets.channels.items()
        ],
        "carriers": [
            {"carrier": carrier, "account": account, "secret": secret}
            for (carrier, account), secret in secrets.carriers.items()
        ],
        "warehouses": [
            {"location_id": location_id, "secret": secret} for location_id, secret in secrets.warehouses.items()
        ],
        "skus": skus(),
        "tables": _by_short_name(stack, "AWS::DynamoDB::Table"),
        "functions": _by_short_name(stack, "AWS::Lambda::Function"),
        "state_machines": _state_machines(stack),
        "queues": _queues(stack),
        "event_bus": next(iter(stack.physical_ids("AWS::Events::EventBus").values())),
    }


def write(path: Path, description: dict[str, Any]) -> None:
    """Writes the file so that a reader sees the old one or the new one, never half; for the owner's eyes."""
    path.parent.mkdir(parents=True, exist_ok=True)
    draft = path.with_suffix(".tmp")
    draft.touch(mode=0o600)
    draft.write_text(json.dumps(description, indent=2) + "\n")
    draft.replace(path)


def read(path: Path = STACK_FILE) -> dict[str, Any]:
    """The running stack's description. Raises StackNotRunningError."""
    try:
        description: dict[str, Any] = json.loads(path.read_text())
    except FileNotFoundError as error:
        raise StackNotRunningError(path) from error
    return description


def _by_short_name(stack: LocalStack, resource_type: str) -> dict[str, str]:
    """`orders` to `oms-local-orders`, and so on."""
    prefix = f"{stack.stack_name}-"
    names = stack.physical_ids(resource_type).values()
    return {name.removeprefix(prefix): name for name in sorted(names)}


def _state_machines(stack: LocalStack) -> dict[str, str]:
    arns = stack.physical_ids("AWS::StepFunctions::StateMachine").values()
    prefix = f"{stack.stack_name}-"
    return {arn.rsplit(":", 1)[-1].removeprefix(prefix).replace("-", "_"): arn for arn in sorted(arns)}


def _queues(stack: LocalStack) -> dict[str, str]:
    urls = stack.physical_ids("AWS::SQS::Queue").values()
    prefix = f"{stack.stack_name}-"
    return {url.rsplit("/", 1)[-1].removeprefix(prefix).replace("-", "_"): url for url in sorted(urls)}


def _clients(stack: LocalStack) -> dict[str, Any]:
    """The user pool's client-credentials clients by short name."""
    cognito = stack.client("cognito-idp")
    pool = next(iter(stack.physical_ids("AWS::Cognito::UserPool").values()))
    listed = cognito.list_user_pool_clients(UserPoolId=pool, MaxResults=MAX_CLIENTS)["UserPoolClients"]
    result = {}
    for item in listed:
        client = cognito.describe_user_pool_client(UserPoolId=pool, ClientId=item["ClientId"])["UserPoolClient"]
        result[client["ClientName"].removeprefix(f"{stack.stack_name}-")] = {
            "client_id": client["ClientId"],
            "client_secret": client["ClientSecret"],
            "scopes": client.get("AllowedOAuthScopes", []),
        }
    return result
