"""`make openapi`: writes openapi.json from the template's routes and scopes and the types of bodies and answers."""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

from pydantic import BaseModel, TypeAdapter
from samcli.yamlhelper import yaml_parse

from oms.domain import errors, requests
from oms.runtime.http_api import JSON
from tools.openapi_answers import ErrorAnswer, GatewayRefusal
from tools.openapi_operations import DOCUMENT_PARTS, OPERATIONS, Operation

ROOT = Path(__file__).resolve().parents[1]
PATH = ROOT / "docs" / "openapi.json"
SCHEMAS = "#/components/schemas/"
PATH_PARAMETER = re.compile(r"\{(\w+)\}")

Json = dict[str, Any]

SIGNATURES = {
    "shopify": ("X-Shopify-Hmac-Sha256", "Base64 of HMAC-SHA256 over the raw body, with the account's secret."),
    "easypost": ("X-Hmac-Signature", "`hmac-sha256-hex=` and HMAC-SHA256 over the raw body, in hex."),
    "standard_webhooks": (
        "webhook-signature",
        "`v1,` and base64 of HMAC-SHA256 over `{webhook-id}.{webhook-timestamp}.{body}` (Standard Webhooks).",
    ),
}


class Route(NamedTuple):
    """A route of the template: its event's name, method, path and the scopes its token needs (none: signed)."""

    name: str
    method: str
    path: str
    scopes: tuple[str, ...]

    @property
    def key(self) -> str:
        """`POST /orders`."""
        return f"{self.method} {self.path}"


def main() -> int:
    """Writes the file and says so."""
    PATH.write_text(render(), encoding="utf-8")
    print(f"Wrote {PATH.name}: {len(OPERATIONS)} routes.")
    return 0


def render() -> str:
    """The text of openapi.json as the code has it now. Raises LookupError for a route that is not described."""
    template = yaml_parse((ROOT / "template.yaml").read_text("utf-8"))
    listed = sorted(routes(template), key=lambda route: (route.path, route.method))
    keys = {route.key for route in listed}
    if keys != OPERATIONS.keys():
        raise LookupError(
            f"described in tools/openapi_operations.py or in the template only: {keys ^ OPERATIONS.keys()}"
        )
    schemas = Schemas()
    paths: dict[str, Json] = {}
    for route in listed:
        paths.setdefault(route.path, {})[route.method.lower()] = _operation(route, OPERATIONS[route.key], schemas)
    return json.dumps(_document(template, paths, schemas), indent=2, ensure_ascii=False) + "\n"


def routes(template: Json) -> Iterator[Route]:
    """Every route of the template, whichever function answers it."""
    prefix = template["Parameters"]["ScopePrefix"]["Default"]
    for resource in template["Resources"].values():
        for name, event in resource.get("Properties", {}).get("Events", {}).items():
            if resource["Type"] == "AWS::Serverless::Function" and event["Type"] == "HttpApi":
                properties = event["Properties"]
                scopes = properties["Auth"].get("AuthorizationScopes", [])
                texts = (scope["Fn::Sub"] if isinstance(scope, dict) else scope for scope in scopes)
                full = tuple(text.replace("${ScopePrefix}", prefix) for text in texts)
                yield Route(name, properties["Method"].upper(), properties["Path"], full)


class Schemas:
    """Types as JSON schemas, each kept once under its name."""

    def __init__(self) -> None:
        self.components: dict[str, Json] = {}

    def of(self, kind: Any) -> Json:
        """The schema of a type, or the reference to it."""
        schema = self.taken_apart(kind)
        name = getattr(kind, "__name__", "")
        if schema.get("type") == "object" and "properties" in schema:
            self._keep({name: self._with_document(kind, schema)})
            return {"$ref": SCHEMAS + _public(name)}
        plain: Json = _tidy(schema)
        return plain

    def taken_apart(self, kind: Any) -> Json:
        """The schema of a type itself; the types it names are kept."""
        schema: Json = TypeAdapter(kind).json_schema(ref_template=SCHEMAS + "{model}")
        self._keep(schema.pop("$defs", {}))
        return schema

    def _with_document(self, kind: Any, schema: Json) -> Json:
        part = DOCUMENT_PARTS.get(kind)
        return {"allOf": [self.of(part), schema]} if part else schema

    def _keep(self, schemas: dict[str, Json]) -> None:
        self.components |= {_public(name): _tidy(schema) for name, schema in schemas.items()}


def _public(name: str) -> str:
    """`_Line` of the warehouse's reports is `WarehouseLine`, beside the order's own `Line`."""
    return f"Warehouse{name[1:]}" if name.startswith("_") else name


def _tidy(schema: Any) -> Any:
    """Without the titles that only repeat names, docstrings as paragraphs, references by public names."""
    if isinstance(schema, list):
        return [_tidy(one) for one in schema]
    if not isinstance(schema, dict):
        return schema
    tidy = {key: _tidy(value) for key, value in schema.items() if not (key == "title" and isinstance(value, str))}
    if isinstance(tidy.get("description"), str):
        tidy["description"] = " ".join(tidy["description"].split())
    if isinstance(tidy.get("$ref"), str):
        tidy["$ref"] = SCHEMAS + _public(tidy["$ref"].removeprefix(SCHEMAS))
    return tidy


def _operation(route: Route, operation: Operation, schemas: Schemas) -> Json:
    described: Json = {
        "operationId": route.name[0].lower() + route.name[1:],
        "summary": operation.summary,
        "tags": [route.path.split("/")[1]],
        "parameters": _parameters(route, operation, schemas),
        "security": [{"token": list(route.scopes)}] if route.scopes else [{one: []} for one in operation.signatures],
        "responses": _responses(route, operation, schemas),
    }
    if operation.body is not None:
        described["requestBody"] = {"required": True, "content": {JSON: {"schema": schemas.of(operation.body)}}}
    return described


def _parameters(route: Route, operation: Operation, schemas: Schemas) -> list[Json]:
    text = {"type": "string"}
    found: list[Json] = [
        {"name": name, "in": "path", "required": True, "schema": text} for name in PATH_PARAMETER.findall(route.path)
    ]
    for name, facts in operation.headers.items():
        schema = {**text, "pattern": facts["pattern"]}
        required = "optional" not in facts
        found.append(
            {"name": name, "in": "header", "required": required, "schema": schema, "description": facts["description"]}
        )
    return found + (_query_parameters(operation.query, schemas) if operation.query else [])


def _query_parameters(query: type[BaseModel], schemas: Schemas) -> list[Json]:
    schema = schemas.taken_apart(query)
    return [_query_parameter(name, _tidy(facts)) for name, facts in schema["properties"].items()]


def _query_parameter(name: str, facts: Json) -> Json:
    """A parameter is there or not: what Python calls None is no value of it."""
    description = facts.pop("description", "")
    if "anyOf" in facts:
        facts = next(one for one in facts["anyOf"] if one.get("type") != "null")
    return {"name": name, "in": "query", "schema": facts} | ({"description": description} if description else {})


def _responses(route: Route, operation: Operation, schemas: Schemas) -> Json:
    told = {
        str(status): {"description": words, "content": {JSON: {"schema": schemas.of(kind)}}}
        for status, (words, kind) in operation.answers.items()
    }
    if 201 in operation.answers:
        told["201"]["headers"] = {"Location": {"schema": {"type": "string"}, "description": "Where to read it."}}
    ours, gateways = schemas.of(ErrorAnswer), schemas.of(GatewayRefusal)
    refused = {str(status): _error(words, ours) for status, words in operation.refusals.items()}
    if route.scopes:
        refused["401"] = _error("No valid token.", {"anyOf": [gateways, ours]})
        refused["403"] = _error("The token lacks the scope.", {"anyOf": [gateways, ours]})
    refused["500"] = _error("Our fault; tell us the request_id.", ours if route.scopes else gateways)
    return dict(sorted((told | refused).items()))


def _error(words: str, schema: Json) -> Json:
    return {"description": words, "content": {JSON: {"schema": schema}}}


def _document(template: Json, paths: dict[str, Json], schemas: Schemas) -> Json:
    schemas.components["ErrorDetail"]["properties"]["code"]["examples"] = error_codes()
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Order management",
            "version": "1",
            "description": "Times are RFC 3339 in UTC, money is in minor units of the order's currency, lists page by"
            " an opaque cursor. Every answer that is refused by us has the form of ErrorAnswer.",
        },
        "servers": [{"url": "{base_url}", "variables": {"base_url": {"default": "https://api.example.com"}}}],
        "paths": paths,
        "components": {
            "schemas": dict(sorted(schemas.components.items())),
            "securitySchemes": {"token": _token(template)} | _signature_schemes(),
        },
    }


def _token(template: Json) -> Json:
    server = template["Resources"]["ResourceServer"]["Properties"]
    prefix = template["Parameters"]["ScopePrefix"]["Default"]
    scopes = {prefix + scope["ScopeName"]: scope["ScopeDescription"] for scope in server["Scopes"]}
    flow = {"tokenUrl": "https://auth.example.com/oauth2/token", "scopes": scopes}
    words = "A JWT of the stack's user pool; its outputs name the token address. Another issuer can be set."
    return {"type": "oauth2", "description": words, "flows": {"clientCredentials": flow}}


def _signature_schemes() -> dict[str, Json]:
    return {
        name: {"type": "apiKey", "in": "header", "name": header, "description": words}
        for name, (header, words) in SIGNATURES.items()
    }


def error_codes() -> list[str]:
    """Every value `error.code` can have."""
    classes = [errors.OmsError]
    for known in classes:
        classes += [one for one in known.__subclasses__() if one.__module__ in (errors.__name__, requests.__name__)]
    groups = {errors.OmsError, errors.Permanent, errors.Retryable}
    return sorted({one.__name__ for one in classes if one not in groups} | {"Forbidden", "InternalError"})


if __name__ == "__main__":
    sys.exit(main())
