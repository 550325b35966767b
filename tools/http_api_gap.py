"""Completes the HTTP API of a MiniStack stack.

SAM expands `AWS::Serverless::HttpApi` to an API with an OpenAPI body, which MiniStack's CloudFormation
ignores: the API exists, without routes. This reads the processed template and makes the integrations, the
authorizer and the routes itself. Repeating it changes nothing. On AWS CloudFormation does all this.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from typing import Any

from tools.intrinsics import Resolver

API_TYPE = "AWS::ApiGatewayV2::Api"
INTEGRATED_FUNCTION = re.compile(r"functions/(?P<arn>arn:aws:lambda:[^/]+)/invocations")
HTTP_METHODS = frozenset({"get", "put", "post", "delete", "patch", "head", "options"})

ClientFactory = Callable[[str], Any]


def close(client: ClientFactory, stack_name: str) -> int:
    """Makes the API's routes equal to the template's; returns how many there are."""
    resources = stack_resources(client, stack_name)
    template = _processed_template(client, stack_name)
    resolver = Resolver(template, _parameters(client, stack_name), resources)
    gateway = client("apigatewayv2")
    count = 0
    for logical, resource in template["Resources"].items():
        if resource["Type"] == API_TYPE and "Body" in resource["Properties"] and logical in resources:
            body = resolver.resolve(resource["Properties"]["Body"])
            count += _complete(gateway, resources[logical][1], body)
    return count


def api_id(client: ClientFactory, stack_name: str) -> str:
    """The id of the stack's one HTTP API. Raises LookupError when the stack has none."""
    for kind, physical in stack_resources(client, stack_name).values():
        if kind == API_TYPE:
            return physical
    raise LookupError(f"stack {stack_name} has no HTTP API")


def stack_resources(client: ClientFactory, stack_name: str) -> dict[str, tuple[str, str]]:
    """Logical id to (type, physical id) of everything in the stack."""
    pages = client("cloudformation").get_paginator("list_stack_resources").paginate(StackName=stack_name)
    return {
        summary["LogicalResourceId"]: (summary["ResourceType"], summary["PhysicalResourceId"])
        for page in pages
        for summary in page["StackResourceSummaries"]
        if "PhysicalResourceId" in summary
    }


def _processed_template(client: ClientFactory, stack_name: str) -> dict[str, Any]:
    answer = client("cloudformation").get_template(StackName=stack_name, TemplateStage="Processed")
    body = answer["TemplateBody"]
    template: dict[str, Any] = json.loads(body) if isinstance(body, str) else dict(body)
    return template


def _parameters(client: ClientFactory, stack_name: str) -> dict[str, str]:
    stack = client("cloudformation").describe_stacks(StackName=stack_name)["Stacks"][0]
    return {item["ParameterKey"]: item["ParameterValue"] for item in stack.get("Parameters", [])}


def _complete(gateway: Any, api: str, body: dict[str, Any]) -> int:
    authorizers = _authorizers(gateway, api, body)
    integrations = {item["IntegrationUri"]: item["IntegrationId"] for item in _items(gateway.get_integrations, api)}
    wanted: dict[str, dict[str, Any]] = {}
    for path, operations in body["paths"].items():
        for method, operation in operations.items():
            if method in HTTP_METHODS:
                target = _integration(gateway, api, integrations, operation)
                route = {"Target": f"integrations/{target}", **_authorization(operation, authorizers)}
                wanted[f"{method.upper()} {path}"] = route
    _put_routes(gateway, api, wanted)
    return len(wanted)


def _put_routes(gateway: Any, api: str, wanted: dict[str, dict[str, Any]]) -> None:
    present = {item["RouteKey"]: item["RouteId"] for item in _items(gateway.get_routes, api)}
    for key, route in wanted.items():
        if key in present:
            gateway.update_route(ApiId=api, RouteId=present[key], RouteKey=key, **route)
        else:
            gateway.create_route(ApiId=api, RouteKey=key, **route)
    for key in present.keys() - wanted.keys():
        gateway.delete_route(ApiId=api, RouteId=present[key])


def _integration(gateway: Any, api: str, known: dict[str, str], operation: dict[str, Any]) -> str:
    """The id of the integration with the operation's function, made when it is not there."""
    uri = operation["x-amazon-apigateway-integration"]["uri"]
    found = INTEGRATED_FUNCTION.search(uri)
    if found is None:
        raise LookupError(f"no function in the integration address {uri}")
    function_arn = found["arn"]
    if function_arn not in known:
        made = gateway.create_integration(
            ApiId=api,
            IntegrationType="AWS_PROXY",
            IntegrationUri=function_arn,
            IntegrationMethod="POST",
            PayloadFormatVersion="2.0",
        )
        known[function_arn] = made["IntegrationId"]
    return known[function_arn]


def _authorizers(gateway: Any, api: str, body: dict[str, Any]) -> dict[str, str]:
    """Name to id of the JWT authorizers that the body declares, made or brought up to date."""
    present = {item["Name"]: item["AuthorizerId"] for item in _items(gateway.get_authorizers, api)}
    result: dict[str, str] = {}
    for name, scheme in body.get("components", {}).get("securitySchemes", {}).items():
        declared = scheme["x-amazon-apigateway-authorizer"]
        jwt = declared["jwtConfiguration"]
        settings = {
            "AuthorizerType": "JWT",
            "IdentitySource": [declared["identitySource"]],
            "JwtConfiguration": {"Issuer": jwt["issuer"], "Audience": jwt["audience"]},
        }
        if name in present:
            gateway.update_authorizer(ApiId=api, AuthorizerId=present[name], Name=name, **settings)
            result[name] = present[name]
        else:
            made = gateway.create_authorizer(ApiId=api, Name=name, **settings)
            result[name] = made["AuthorizerId"]
    return result


def _authorization(operation: dict[str, Any], authorizers: dict[str, str]) -> dict[str, Any]:
    for requirement in operation.get("security", []):
        for name, scopes in requirement.items():
            if name in authorizers:
                return {
                    "AuthorizationType": "JWT",
                    "AuthorizerId": authorizers[name],
                    "AuthorizationScopes": scopes,
                }
    return {"AuthorizationType": "NONE"}


def _items(call: Callable[..., Any], api: str) -> list[dict[str, Any]]:
    items: list[dict[str, Any]] = call(ApiId=api)["Items"]
    return items
