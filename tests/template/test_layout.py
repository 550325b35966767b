"""Every function of the template has its code, its example events and its tests under its own name."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.template.expanded import ROOT, expand, functions
from tests.template.rules.functions import folder_of

FOLDERS = sorted(folder_of(name) for name in functions(expand("prod")))


@pytest.mark.parametrize("folder", FOLDERS)
def test_every_function_has_its_code(folder: str) -> None:
    assert [path.name for path in (ROOT / "functions" / folder).glob("*.py")] == ["app.py"]


@pytest.mark.parametrize("folder", FOLDERS)
def test_every_function_has_example_events(folder: str) -> None:
    assert list((ROOT / "events" / folder).glob("*.json"))


@pytest.mark.parametrize("folder", FOLDERS)
def test_every_function_has_its_integration_tests(folder: str) -> None:
    assert (ROOT / "tests/integration/functions" / f"test_{folder}.py").is_file()


def test_no_folder_is_without_a_function() -> None:
    folders = {path.name for path in (ROOT / "functions").iterdir() if path.is_dir() and _has_files(path)}
    assert folders - {"order_lifecycle"} == set(FOLDERS)


def _has_files(folder: Path) -> bool:
    return any(path.is_file() and "__pycache__" not in path.parts for path in folder.rglob("*"))
