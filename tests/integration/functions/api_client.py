"""A client of the HTTP API: makes API Gateway's events, and holds every answer against openapi.json."""

from __future__ import annotations

import base64
import functools
import json
import re
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote, urlencode

from jsonschema import Draft202012Validator

from tests.integration.stage import ROOT, LambdaContext, Stage


@dataclass(frozen=True)
class Reply:
    """An answer of the API."""

    status: int
    body: dict[str, Any]
    headers: dict[str, str]

    @property
    def error(self) -> dict[str, Any]:
        error: dict[str, Any] = self.body["error"]
        return error


class ApiClient:
    """Calls one function, as a worker that stays, with the token of a client."""

    def __init__(self, stage: Stage, function: str, client_id: str = "shop") -> None:
        self.app = stage.function(function)
        self.client_id = client_id
        self.context = LambdaContext()

    def call(self, method: str, path: str, body: Any = None, **request: Any) -> Reply:
        """The answer to a request. `body` is JSON, or text or bytes as they are; `query` goes to the address."""
        return self.send(self.event(method, path, body, **request))

    def event(
        self,
        method: str,
        path: str,
        body: Any = None,
        *,
        key: str | None = None,
        query: dict[str, str] | None = None,
        headers: dict[str, str] | None = None,
        scopes: str = "oms/orders.read oms/orders.write",
    ) -> dict[str, Any]:
        """API Gateway's event of a request, payload format 2.0."""
        claims = {"client_id": self.client_id, "scope": scopes, "sub": self.client_id}
        made: dict[str, Any] = {
            "version": "2.0",
            "rawPath": path,
            "rawQueryString": urlencode(query or {}, quote_via=quote),
            "headers": {"host": "api.example.com", **(headers or {})} | ({"idempotency-key": key} if key else {}),
            "requestContext": {
                "authorizer": {"jwt": {"claims": claims, "scopes": None}},
                "http": {"method": method, "path": path, "sourceIp": "203.0.113.9", "userAgent": "test"},
                "requestId": "request-1",
                "stage": "$default",
            },
            "isBase64Encoded": isinstance(body, bytes),
        }
        parameters = _path_parameters(path)
        if parameters:
            made["pathParameters"] = parameters
        if query:
            made["queryStringParameters"] = query
        if body is not None:
            made["body"] = _body(body)
        return made

    def send(self, event: dict[str, Any]) -> Reply:
        """The answer to an event, checked against what openapi.json promises."""
        answer = self.app.handler(event, self.context)
        reply = Reply(answer["statusCode"], json.loads(answer["body"]), answer["headers"])
        check_contract(event["requestContext"]["http"]["method"], event["rawPath"], reply)
        return reply


def _body(body: Any) -> str:
    if isinstance(body, bytes):
        return base64.b64encode(body).decode()
    return body if isinstance(body, str) else json.dumps(body)


@functools.cache
def openapi() -> dict[str, Any]:
    document: dict[str, Any] = json.loads((ROOT / "docs" / "openapi.json").read_text("utf-8"))
    return document


def check_contract(method: str, path: str, reply: Reply) -> None:
    """Fails unless openapi.json lists this status for this route, with a body like this one."""
    assert reply.headers["Content-Type"] == "application/json"
    operation = _operation(method, path)
    schema: dict[str, Any] = {"$ref": "#/components/schemas/ErrorAnswer"}
    if operation is None:
        assert reply.status == 404
    else:
        schema = operation["responses"][str(reply.status)]["content"]["application/json"]["schema"]
    whole = {**schema, "components": openapi()["components"]}
    problems = [error.message for error in Draft202012Validator(whole).iter_errors(reply.body)]
    assert problems == [], f"{method} {path} {reply.status}"


def _matched(template: str, path: str) -> re.Match[str] | None:
    return re.fullmatch(re.sub(r"\{(\w+)\}", r"(?P<\1>[^/]+)", template), path)


def _path_parameters(path: str) -> dict[str, str]:
    matches = (_matched(template, path) for template in openapi()["paths"])
    return next((match.groupdict() for match in matches if match), {})


def _operation(method: str, path: str) -> dict[str, Any] | None:
    for template, operations in openapi()["paths"].items():
        if _matched(template, path) and method.lower() in operations:
            found: dict[str, Any] = operations[method.lower()]
            return found
    return None
