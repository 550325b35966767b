"""Who may import whom: functions → everything, use cases and edges → domain, domain → standard library."""

from __future__ import annotations

import ast
import sys
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).parents[2]
LAYER = ROOT / "layers/oms/python"
FUNCTIONS = ROOT / "functions"

HTTP_CLIENT = "oms.runtime.http"
MAY_USE = {
    "domain": ("oms.domain",),
    "usecases": ("oms.domain", "oms.usecases"),
    "stores": ("oms.domain", "oms.stores"),
    "runtime": ("oms.domain", "oms.runtime"),
    "channels": ("oms.domain", "oms.channels", HTTP_CLIENT),
    "carriers": ("oms.domain", "oms.carriers", HTTP_CLIENT),
    "connectors": ("oms.domain", "oms.connectors", HTTP_CLIENT),
}
# Use cases are handed these as arguments and know their types; they never import them to run.
HANDED_TO_USE_CASES = (
    "oms.stores",
    "oms.runtime.executions",
    "oms.runtime.inbox",
    "oms.runtime.intake_door",
    "oms.runtime.location_client",
    "oms.runtime.queues",
)
# What several functions put together in the same way: they know everything, and nothing in the layer knows them.
COMPOSITION_ROOTS = ("oms.wiring", "oms.wiring_orders")
STANDARD_LIBRARY_ONLY = ("domain", "usecases")
NOT_FOR = {
    "pydantic": ("stores",),
    "boto3": ("channels", "carriers", "connectors"),
    "botocore": ("channels", "carriers", "connectors"),
}


class Import(NamedTuple):
    """One imported name in full; `for_types` if the interpreter never runs the import."""

    name: str
    for_types: bool
    line: int


def imports_of(source: str, module: str) -> list[Import]:
    """Every import of a module, wherever in it, relative ones resolved against its package."""
    found: list[Import] = []
    for node, for_types in _walk(ast.parse(source), for_types=False):
        if isinstance(node, ast.Import):
            found += [Import(alias.name, for_types, node.lineno) for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            package = module.split(".")[: -node.level] if node.level else []
            start = ".".join([*package, *([node.module] if node.module else [])])
            found += [Import(f"{start}.{alias.name}", for_types, node.lineno) for alias in node.names]
    return found


def _walk(node: ast.AST, *, for_types: bool) -> Iterator[tuple[ast.AST, bool]]:
    yield node, for_types
    guarded: list[ast.stmt] = []
    if isinstance(node, ast.If) and ast.unparse(node.test) in ("TYPE_CHECKING", "typing.TYPE_CHECKING"):
        guarded = node.body
    for child in ast.iter_child_nodes(node):
        yield from _walk(child, for_types=for_types or child in guarded)


def is_within(name: str, package: str) -> bool:
    return name == package or name.startswith(package + ".")


def violations(source: str, module: str) -> list[str]:
    """The imports of a module of the layer or of a function that the direction of dependencies forbids."""
    return [
        f"{module}:{one.line} imports {one.name}" for one in imports_of(source, module) if _is_forbidden(one, module)
    ]


def _is_forbidden(one: Import, module: str) -> bool:
    if module.startswith("functions."):
        return is_within(one.name, "functions") and not is_within(one.name, ".".join(module.split(".")[:2]))
    if module in COMPOSITION_ROOTS:
        return is_within(one.name, "functions")
    part = module.split(".")[1] if "." in module else ""
    top = one.name.split(".")[0]
    if top == "oms":
        allowed = MAY_USE.get(part, ())
        if part == "usecases" and one.for_types:
            allowed = (*allowed, *HANDED_TO_USE_CASES)
        return not any(is_within(one.name, package) for package in allowed)
    if top in ("functions", "tools", "tests"):
        return True
    if part in STANDARD_LIBRARY_ONLY or not part:
        return top not in sys.stdlib_module_names
    return part in NOT_FOR.get(top, ())


def modules() -> list[tuple[str, Path]]:
    files = [(LAYER, path) for path in sorted((LAYER / "oms").rglob("*.py"))]
    files += [(ROOT, path) for path in sorted(FUNCTIONS.rglob("*.py"))]
    return [(_module_name(path.relative_to(root)), path) for root, path in files]


def _module_name(path: Path) -> str:
    # A package's own relative imports start from itself, so its `__init__` stays in the name.
    return ".".join(path.with_suffix("").parts)


@pytest.mark.parametrize(("module", "path"), [pytest.param(*one, id=one[0]) for one in modules()])
def test_a_module_imports_only_what_its_place_allows(module: str, path: Path) -> None:
    assert violations(path.read_text(), module) == []


def loaded_by(module: str, seen: set[str]) -> set[str]:
    """The modules of the layer that are loaded with this one, which is among them."""
    path = (ROOT if module.startswith("functions.") else LAYER) / f"{module.replace('.', '/')}.py"
    if module in seen or not path.is_file():
        return seen
    seen.add(module)
    for one in imports_of(path.read_text(), module):
        if not one.for_types:
            loaded_by(one.name.rpartition(".")[0], seen)
            loaded_by(one.name, seen)
    return seen


@pytest.mark.parametrize(
    "function",
    [
        "webhook_storefront",
        "queue_intake",
        "queue_poll",
        "queue_channels",
        "queue_projection",
        "schedule_poll",
        "schedule_reconcile",
        "schedule_publish_stock",
        "stream_deliveries",
        "stream_open_lines",
    ],
)
def test_a_function_that_talks_with_channels_starts_without_routing(function: str) -> None:
    loaded = loaded_by(f"functions.{function}.app", set())
    assert "oms.channels.registry" in loaded or "oms.domain.confirmations" in loaded
    assert not {"oms.usecases.sourcing", "oms.domain.routing", "oms.usecases.lifecycle"} & loaded


def test_every_part_of_the_package_has_its_rule() -> None:
    parts = {path.parent.name for path in (LAYER / "oms").glob("*/__init__.py")}
    assert parts == set(MAY_USE)


TYPED = "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    {}"


@pytest.mark.parametrize(
    ("module", "source"),
    [
        pytest.param("oms.domain.x", "import boto3", id="domain imports an AWS client"),
        pytest.param("oms.domain.x", "from pydantic import BaseModel", id="domain imports a library"),
        pytest.param("oms.domain.x", "from oms.stores import orders", id="domain imports a store"),
        pytest.param("oms.domain.x", "from oms import stores", id="domain imports the stores as a whole"),
        pytest.param("oms.domain.x", "from ..stores import orders", id="domain uses a relative path"),
        pytest.param("oms.domain.x", "def f():\n    import oms.usecases.intake", id="domain hides an import"),
        pytest.param(
            "oms.domain.x",
            TYPED.format("from oms.stores.orders import OrdersStore"),
            id="domain knows a store's type",
        ),
        pytest.param("oms.usecases.x", "from oms.stores.orders import OrdersStore", id="use case imports a store"),
        pytest.param(
            "oms.usecases.x",
            TYPED.format("pass") + "\nelse:\n    import oms.stores.orders",
            id="use case imports a store when not checking types",
        ),
        pytest.param(
            "oms.usecases.x",
            TYPED.format("from oms.runtime import settings"),
            id="use case knows a type of the runtime",
        ),
        pytest.param("oms.usecases.x", "from oms.runtime.queues import Queue", id="use case runs the runtime"),
        pytest.param("oms.usecases.x", "from oms.wiring import publishing", id="use case wires itself"),
        pytest.param("oms.wiring", "from functions.a import app", id="the wiring imports a function"),
        pytest.param("oms.usecases.x", "import botocore.exceptions", id="use case imports botocore"),
        pytest.param("oms.usecases.x", "from oms.channels import shopify", id="use case imports a channel"),
        pytest.param("oms.stores.x", "from oms.runtime import settings", id="store imports the runtime"),
        pytest.param("oms.stores.x", "from oms.usecases import intake", id="store imports a use case"),
        pytest.param("oms.stores.x", "import pydantic", id="store imports pydantic"),
        pytest.param("oms.channels.x", "from oms.carriers import easypost", id="channel imports a carrier"),
        pytest.param("oms.channels.x", "from oms.runtime import secrets", id="channel imports the runtime"),
        pytest.param("oms.carriers.x", "import boto3", id="carrier imports an AWS client"),
        pytest.param("oms.carriers.x", "from oms.stores import orders", id="carrier imports a store"),
        pytest.param("oms.connectors.x", "from oms.channels import shopify", id="connector imports a channel"),
        pytest.param("oms.runtime.x", "from oms.stores import orders", id="runtime imports a store"),
        pytest.param("oms.runtime.x", "from oms.usecases import intake", id="runtime imports a use case"),
        pytest.param("oms.runtime.x", "import functions.api_orders.app", id="layer imports a function"),
        pytest.param("oms.stores.x", "from tools import seed", id="layer imports a tool"),
        pytest.param("functions.a.app", "from functions.b import app", id="function imports another function"),
    ],
)
def test_an_import_against_the_direction_is_refused(module: str, source: str) -> None:
    assert len(violations(source, module)) == 1


@pytest.mark.parametrize(
    ("module", "source"),
    [
        pytest.param("oms.domain.x", "import json\nfrom oms.domain.order import Order", id="domain"),
        pytest.param("oms.domain.x", "from . import order\nfrom .order import Order", id="relative within domain"),
        pytest.param(
            "oms.usecases.x",
            TYPED.format("from oms.stores.orders import OrdersStore"),
            id="use case knows a store's type",
        ),
        pytest.param(
            "oms.usecases.x", TYPED.format("from oms.runtime.queues import Queue"), id="use case knows a queue's type"
        ),
        pytest.param("oms.wiring", "from oms.stores import orders\nfrom oms.runtime import clients", id="wiring"),
        pytest.param("oms.wiring_orders", "from oms.stores import orders", id="wiring of orders"),
        pytest.param("oms.stores.x", "import boto3\nfrom oms.domain.order import Order", id="store"),
        pytest.param("oms.connectors.x", f"import {HTTP_CLIENT}", id="connector uses the HTTP client"),
        pytest.param("oms.channels.x", "import pydantic", id="channel parses with pydantic"),
        pytest.param("functions.a.app", "from oms.stores import orders\nimport boto3", id="function"),
        pytest.param("functions.a.app", "from functions.a import wiring", id="function imports its own module"),
    ],
)
def test_an_import_in_the_direction_is_allowed(module: str, source: str) -> None:
    assert violations(source, module) == []
