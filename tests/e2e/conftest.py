"""One system for all end-to-end tests: a local AWS of their own, the real template, the stand-ins."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.e2e.company import DIRECT_ACCOUNT, Company
from tools import system
from tools.console import Screen

# The demonstration counts what its orders cost, so it has the system for itself; permissions are judged by the calls
# that all the others made.
FIRST, LAST = "test_demonstration", "test_permissions"


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Puts the files into the order they need; the sort is stable."""
    places = {FIRST: 0, LAST: 2}
    items.sort(key=lambda item: places.get(item.path.stem, 1) if "e2e" in item.path.parts else 1)


@pytest.fixture(scope="session")
def company(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Company]:
    """The running company, on free ports, in a folder of its own; ended whatever happens."""
    place = system.Place(_free_port(), _free_port(), tmp_path_factory.mktemp("oms"))
    with ExitStack() as cleanup:
        company = Company(system.start(place, Screen(), cleanup))
        company.put("settings", {"kind": "channel_account", "name": f"web#{DIRECT_ACCOUNT}", "currencies": ["USD"]})
        yield company


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@pytest.fixture(scope="session")
def calls_folder(company: Company) -> Path:
    """Where the handlers wrote down their AWS calls."""
    return company.system.stack.calls_dir
