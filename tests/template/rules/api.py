"""Rules about the HTTP API: every route closed or signed, scopes, throttling, access log, time-outs."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from tests.template.expanded import Template, function_by_name, of_type, properties
from tests.template.registry import Breaker, removes, rule, sets

SCOPES = {
    "orders.read",
    "orders.write",
    "fulfillments.work",
    "stock.read",
    "stock.write",
    "catalog.read",
    "catalog.write",
    "contacts.read",
    "metrics.read",
}
"""The scopes of the design's API."""

ROUTES = {
    ("post", "/webhooks/{channel}/{account}"): None,
    ("post", "/webhooks/carriers/{carrier}/{account}"): None,
    ("post", "/webhooks/warehouses/{location_id}"): None,
    ("post", "/orders"): "orders.write",
    ("get", "/orders"): "orders.read",
    ("get", "/orders/{order_id}"): "orders.read",
    ("get", "/orders/{order_id}/explanation"): "orders.read",
    ("get", "/orders/{order_id}/routing"): "orders.read",
    ("post", "/orders/{order_id}/cancellations"): "orders.write",
    ("post", "/orders/{order_id}/holds"): "orders.write",
    ("delete", "/orders/{order_id}/holds/{hold_id}"): "orders.write",
    ("post", "/orders/{order_id}/notes"): "orders.write",
    ("post", "/orders/{order_id}/review"): "orders.write",
    ("post", "/reservations"): "stock.write",
    ("get", "/reservations/{reservation_id}"): "stock.read",
    ("delete", "/reservations/{reservation_id}"): "stock.write",
    ("get", "/availability"): "stock.read",
    ("get", "/stock/{sku}"): "stock.read",
    ("post", "/stock/adjustments"): "stock.write",
    ("post", "/stock/snapshots"): "stock.write",
    ("post", "/stock/snapshots/{snapshot_id}/object"): "stock.write",
    ("post", "/stock/snapshots/{snapshot_id}/approval"): "stock.write",
    ("get", "/stock/snapshots/{snapshot_id}"): "stock.read",
}
"""Every route and the scope it wants; None where the sender signs."""

LOGGED = {
    "requestId",
    "requestTime",
    "httpMethod",
    "routeKey",
    "status",
    "responseLength",
    "responseLatency",
    "authorizer.claims.client_id",
    "authorizer.error",
    "integrationErrorMessage",
}
"""What the access log may hold. Path and query string are not in it: they can name a person."""

API_TIMEOUT_SECONDS = 29
"""HTTP APIs answer 503 after 30 seconds whatever the function does."""


def operations(template: Template) -> Iterator[tuple[str, str, dict[str, Any]]]:
    """Every (method, path, operation) of the API's OpenAPI body."""
    for path, methods in properties(template, "HttpApi")["Body"]["paths"].items():
        for method, operation in methods.items():
            yield method, path, operation


def _change(path: str, method: str, **changes: Any) -> Breaker:
    def apply(template: Template) -> None:
        properties(template, "HttpApi")["Body"]["paths"][path][method].update(changes)

    return Breaker(f"{method} {path} with {changes}", apply)


def _open_route(template: Template) -> None:
    paths = properties(template, "HttpApi")["Body"]["paths"]
    paths["/backdoor"] = {"get": {**paths["/orders"]["get"], "security": [{"NONE": []}]}}


def _drop_scope(template: Template) -> None:
    properties(template, "ResourceServer")["Scopes"].pop()


@rule(
    "Every route wants a token with its scope; only webhooks, which are signed, want none",
    _change("/orders", "get", security=[{"NONE": []}]),
    _change("/orders", "post", security=[{"Jwt": []}]),
    _change("/orders/{order_id}", "get", security=[{"Jwt": ["oms/stock.read"]}]),
    Breaker("a route that is not in the design", _open_route),
)
def routes_are_closed(template: Template) -> list[str]:
    """Any valid token of the pool would pass a route without a scope."""
    wrong = []
    found: dict[tuple[str, str], Any] = {}
    for method, path, operation in operations(template):
        found[(method, path)] = operation.get("security")
        scope = ROUTES.get((method, path), "not in the design")
        wanted = [{"Jwt": [f"oms/{scope}"]}] if scope else [{"NONE": []}]
        if operation.get("security") != wanted:
            wrong.append(f"{method} {path} wants {operation.get('security')}, not {wanted}")
    return wrong + [f"{method} {path} is missing" for method, path in ROUTES.keys() - found.keys()]


@rule(
    "The routes without a token are exactly the signed webhooks",
    Breaker("an open route", _open_route),
)
def open_routes_are_webhooks(template: Template) -> list[str]:
    """A name that starts with /webhooks/ is handled by a function that verifies a signature first."""
    return [
        f"{method} {path} is open"
        for method, path, operation in operations(template)
        if operation.get("security") in (None, [], [{"NONE": []}])
        and not (path.startswith("/webhooks/") and ":function:oms-" in str(operation) and "-webhook-" in str(operation))
    ]


@rule(
    "The pool issues the scopes of the design, and every one is held by a client",
    Breaker("a scope that nobody can get", _drop_scope),
    sets("OperationsClient", "AllowedOAuthScopes", ["oms/orders.read"]),
    sets("ReadonlyClient", "AllowedOAuthScopes", ["oms/orders.write"]),
)
def scopes_agree(template: Template) -> list[str]:
    """Scopes are API: names that callers have in their configuration."""
    issued = {scope["ScopeName"] for scope in properties(template, "ResourceServer")["Scopes"]}
    clients = {k: c["Properties"] for k, c in of_type(template, "AWS::Cognito::UserPoolClient").items()}
    held = {scope.removeprefix("oms/") for client in clients.values() for scope in client["AllowedOAuthScopes"]}
    wrong = [f"scope {scope} is not issued" for scope in SCOPES - issued]
    wrong += [f"scope {scope} is not in the design" for scope in issued - SCOPES]
    wrong += [f"scope {scope} is held by no client" for scope in issued - held]
    wrong += [f"scope {scope} is held but not issued" for scope in held - issued]
    writing = [s for s in clients["ReadonlyClient"]["AllowedOAuthScopes"] if not s.endswith(".read")]
    return wrong + [f"the read-only client may {scope}" for scope in writing]


@rule(
    "Clients are machines with a secret and short-lived tokens",
    sets("StorefrontClient", "GenerateSecret", False),
    sets("WarehouseClient", "AllowedOAuthFlows", ["implicit"]),
    sets("ReadonlyClient", "AccessTokenValidity", 1440),
)
def clients_are_machines(template: Template) -> list[str]:
    """Client credentials only: no person logs in here."""
    wrong = []
    for name, client in of_type(template, "AWS::Cognito::UserPoolClient").items():
        found = client["Properties"]
        if found["AllowedOAuthFlows"] != ["client_credentials"] or found.get("GenerateSecret") is not True:
            wrong.append(f"{name} is no machine's")
        if found.get("AccessTokenValidity", 60) > 60 or found["TokenValidityUnits"]["AccessToken"] != "minutes":
            wrong.append(f"{name} gets tokens for more than an hour")
    return wrong


@rule(
    "The API is throttled",
    removes("HttpApiApiGatewayDefaultStage", "DefaultRouteSettings"),
    sets("HttpApiApiGatewayDefaultStage", "DefaultRouteSettings.ThrottlingBurstLimit", 0),
)
def api_is_throttled(template: Template) -> list[str]:
    """Without limits one caller can use up the account's Lambda concurrency."""
    wrong = []
    for name, stage in of_type(template, "AWS::ApiGatewayV2::Stage").items():
        limits = stage["Properties"].get("DefaultRouteSettings", {})
        if not (float(limits.get("ThrottlingRateLimit", 0)) > 0 and float(limits.get("ThrottlingBurstLimit", 0)) > 0):
            wrong.append(f"{name} is not throttled")
    return wrong


@rule(
    "The access log tells who called what and how it ended, and nothing about persons",
    removes("HttpApiApiGatewayDefaultStage", "AccessLogSettings"),
    sets("HttpApiApiGatewayDefaultStage", "AccessLogSettings.Format", '{"path":"$context.path"}'),
    sets(
        "HttpApiApiGatewayDefaultStage",
        "AccessLogSettings.Format",
        '{"q":"$context.requestOverride.querystring.email"}',
    ),
)
def access_log_is_clean(template: Template) -> list[str]:
    """GET /orders?email=... must not end up in a log."""
    wrong = []
    for name, stage in of_type(template, "AWS::ApiGatewayV2::Stage").items():
        settings = stage["Properties"].get("AccessLogSettings", {})
        if not settings.get("DestinationArn"):
            wrong.append(f"{name} has no access log")
        logged = set(re.findall(r"\$context\.([\w.]+)", settings.get("Format", "")))
        wrong += [f"{name} does not log {missing}" for missing in {"requestId", "routeKey", "status"} - logged]
        wrong += [f"{name} logs {extra}" for extra in logged - LOGGED]
    return wrong


@rule(
    "A function behind the API answers before the API gives up",
    sets("ApiOrdersFunction", "Timeout", 30),
    sets("WebhookStorefrontFunction", "Timeout", 60),
)
def api_functions_answer_in_time(template: Template) -> list[str]:
    """A caller that got 503 does not know what happened; a function that ended does."""
    wrong = []
    for method, path, operation in operations(template):
        uri = operation["x-amazon-apigateway-integration"]["uri"]
        name = uri.split(":function:")[1].split("/")[0]
        if function_by_name(template, name)["Properties"]["Timeout"] >= API_TIMEOUT_SECONDS:
            wrong.append(f"{method} {path} may take longer than the API waits")
    return wrong
