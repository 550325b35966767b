"""The engine of the property tests, and the line that tells how much they have run."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from tests.integration.properties.engine import Engine, running_engine
from tests.integration.properties.machine import Company, run, told

COUNTED = "hypothesis"

Play = Callable[[Callable[[Engine], Company]], None]


@pytest.fixture
def engine() -> Iterator[Engine]:
    """DynamoDB in this process."""
    with running_engine() as made:
        yield made


@pytest.fixture
def play(engine: Engine, record_property: Callable[[str, object], None]) -> Play:
    """Runs a company, and notes what was run of it."""

    def playing(company: Callable[[Engine], Company]) -> None:
        try:
            run(company, engine)
        finally:
            record_property(COUNTED, told(engine.counts))

    return playing


def pytest_terminal_summary(terminalreporter: Any) -> None:
    """One line per test, also where it ran in another process."""
    for report in terminalreporter.getreports("passed") + terminalreporter.getreports("failed"):
        for name, value in report.user_properties:
            if name == COUNTED:
                terminalreporter.write_line(f"{report.nodeid.rsplit('::', 1)[-1]}: {value}")
