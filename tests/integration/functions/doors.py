"""Webhook doors in the test stage: secrets for their accounts, requests to them, and what they put on a queue."""

from __future__ import annotations

import base64
import json
from dataclasses import dataclass
from types import ModuleType
from typing import Any

from oms.runtime import clients
from tests.integration.stage import SETTINGS, Stage


@dataclass
class Door:
    """A webhook handler and the queue behind it. `post` sends it an event and decodes the answer."""

    stage: Stage
    app: ModuleType
    queue: str

    def post(self, event: dict[str, Any]) -> tuple[int, dict[str, Any]]:
        answer = self.app.handler(event, None)
        assert answer["headers"] == {"content-type": "application/json"}
        return answer["statusCode"], json.loads(answer["body"])

    def queued(self) -> list[dict[str, Any]]:
        """Takes what the door put on its queue, oldest first."""
        return self.stage.messages(self.queue)

    def groups(self) -> list[str]:
        """Whose messages lie on the queue; they stay there."""
        answer = clients.client("sqs").receive_message(
            QueueUrl=SETTINGS[f"{self.queue.upper()}_QUEUE_URL"],
            MaxNumberOfMessages=10,
            AttributeNames=["MessageGroupId"],
            VisibilityTimeout=0,
        )
        return [message["Attributes"]["MessageGroupId"] for message in answer["Messages"]]


def open_door(stage: Stage, function: str, queue: str, secrets: dict[str, list[str]]) -> Door:
    """A worker of this function, just started, in a stage that holds these signing secrets as well."""
    manager = clients.client("secretsmanager")
    for name, listed in secrets.items():
        manager.create_secret(Name=f"oms/test/{name}", SecretString=json.dumps({"signing_secrets": listed}))
    return Door(stage=stage, app=stage.function(function), queue=queue)


def body_of(event: dict[str, Any]) -> bytes:
    text: str = event["body"]
    return base64.b64decode(text) if event["isBase64Encoded"] else text.encode()


def http_event(path: dict[str, str], headers: dict[str, str], body: bytes | str) -> dict[str, Any]:
    """An HTTP API event; bytes travel as base64."""
    return {
        "version": "2.0",
        "headers": headers,
        "pathParameters": path,
        "requestContext": {"requestId": "request-1"},
        "body": base64.b64encode(body).decode() if isinstance(body, bytes) else body,
        "isBase64Encoded": isinstance(body, bytes),
    }
