"""The channel that the README shows how to add, as if its file lay among the channels."""

from __future__ import annotations

import json
import re
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from oms.channels import registry

README = (Path(__file__).parents[1] / "README.md").read_text()
ORDER = {
    "id": "L-1",
    "placed_at": "2026-11-23T11:00:00+00:00",
    "changed_at": "2026-11-23T11:05:00+00:00",
    "currency": "USD",
    "total_minor": 3600,
    "lines": [{"id": "1", "sku": "MUG-STONE-350", "quantity": 2, "price_minor": 1800}],
    "ship_to": {"name": "Ruth", "address1": "418 Alder Street", "city": "Portland", "region": "OR", "country": "US"},
}


def add(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """Adds the channel for as long as the test runs."""
    (source,) = re.findall(r"```python\n(.*?)```", README, flags=re.DOTALL)
    module = ModuleType("oms.channels.lantern")
    exec(compile(source, "lantern.py", "exec"), module.__dict__)  # noqa: S102 - our own README, tried as it stands
    monkeypatch.setitem(sys.modules, "oms.channels.lantern", module)
    monkeypatch.setattr(registry, "CHANNELS", registry.CHANNELS | {"lantern"})
    return module


def told_by_the_readme(kind: str) -> Any:
    """The account's row of `settings`, or its `secret`, as the README writes them down."""
    (told,) = re.findall(rf"^{kind} .*lantern.*\n\s+(\{{.*\}})$", README, flags=re.MULTILINE)
    return json.loads(told)
