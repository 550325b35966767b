"""openapi.json says what the template and the code do: routes, scopes, bodies, answers, errors."""

from __future__ import annotations

import json
from typing import Any

import pytest
from jsonschema import Draft202012Validator
from samcli.yamlhelper import yaml_parse

from oms.domain import errors
from tools import openapi


@pytest.fixture(scope="module")
def document() -> dict[str, Any]:
    parsed: dict[str, Any] = json.loads(openapi.PATH.read_text("utf-8"))
    return parsed


def operations(document: dict[str, Any]) -> dict[str, dict[str, Any]]:
    return {
        f"{method.upper()} {path}": operation
        for path, methods in document["paths"].items()
        for method, operation in methods.items()
    }


def test_the_file_is_what_the_code_says_now() -> None:
    assert openapi.PATH.read_text("utf-8") == openapi.render(), "run `make openapi`"


def test_every_route_of_the_template_is_there_with_its_scopes(document: dict[str, Any]) -> None:
    template = yaml_parse((openapi.ROOT / "template.yaml").read_text("utf-8"))
    for route in openapi.routes(template):
        (security,) = operations(document)[route.key]["security"]
        if route.path.startswith("/webhooks/"):
            assert security.keys() <= openapi.SIGNATURES.keys()
        else:
            assert security == {"token": list(route.scopes)}
            assert all(scope.startswith("oms/") for scope in route.scopes)


def test_every_scope_that_is_asked_for_is_one_that_is_issued(document: dict[str, Any]) -> None:
    schemes = document["components"]["securitySchemes"]
    issued = schemes["token"]["flows"]["clientCredentials"]["scopes"]
    asked = {scope for one in operations(document).values() for scope in one["security"][0].get("token", [])}
    assert asked <= issued.keys()


def test_a_route_that_nobody_described_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    described = {key: one for key, one in openapi.OPERATIONS.items() if key != "GET /orders"}
    monkeypatch.setattr(openapi, "OPERATIONS", described)
    with pytest.raises(LookupError, match="GET /orders"):
        openapi.render()


def test_every_reference_leads_somewhere_and_every_schema_is_one(document: dict[str, Any]) -> None:
    schemas = document["components"]["schemas"]
    for schema in schemas.values():
        Draft202012Validator.check_schema(schema)
    used = set(_references(document))
    assert used == {openapi.SCHEMAS + name for name in schemas}


def _references(part: Any) -> list[str]:
    if isinstance(part, dict):
        own = [part["$ref"]] if isinstance(part.get("$ref"), str) else []
        return own + [found for value in part.values() for found in _references(value)]
    if isinstance(part, list):
        return [found for value in part for found in _references(value)]
    return []


def test_every_operation_has_a_name_of_its_own_and_tells_its_errors(document: dict[str, Any]) -> None:
    known = operations(document)
    assert len({one["operationId"] for one in known.values()}) == len(known)
    for key, one in known.items():
        assert "500" in one["responses"], key
        assert ("401" in one["responses"], "503" in one["responses"]) == (True, True), key


def test_path_parameters_are_declared(document: dict[str, Any]) -> None:
    for key, one in operations(document).items():
        declared = {parameter["name"] for parameter in one["parameters"] if parameter["in"] == "path"}
        assert declared == set(openapi.PATH_PARAMETER.findall(key))


def test_error_codes_are_the_names_of_the_errors_that_can_be_raised() -> None:
    codes = openapi.error_codes()
    assert {"OrderNotFound", "InvalidOrder", "KeyReused", "OrderExists", "RequestInProgress", "Forbidden"} <= set(codes)
    assert errors.OmsError.__name__ not in codes


def test_people_are_not_part_of_the_order_document(document: dict[str, Any]) -> None:
    order = document["components"]["schemas"]["Order"]
    assert not {"email", "phone", "name", "contact"} & order["properties"].keys()
