"""Fixtures of the integration tests: `stage` is a whole company in moto, made anew for each test."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from moto import mock_aws  # before any client is made, or the functions' own would reach out

from tests.integration.stage import SETTINGS, Stage, make_services, make_tables, seed


@pytest.fixture
def stage(monkeypatch: pytest.MonkeyPatch) -> Iterator[Stage]:
    """Tables of the template, queues, secrets and reference data. Functions: `stage.function("api_orders")`."""
    for name, value in SETTINGS.items():
        monkeypatch.setenv(name, value)
    with mock_aws():
        make_tables()
        make_services()
        made = Stage()
        seed(made)
        yield made
        made.mend()
