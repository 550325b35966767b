"""Fixtures of the integration tests: `stage` is a whole company in moto, made anew for each test."""

from __future__ import annotations

from collections.abc import Iterator
from io import StringIO
from types import SimpleNamespace

import pytest
from moto import mock_aws  # before any client is made, or the functions' own would reach out

from oms.runtime.functions import logger, metrics
from tests.integration.faults import Faults
from tests.integration.stage import SETTINGS, Stage, make_services, make_tables, seed


@pytest.fixture
def stage(monkeypatch: pytest.MonkeyPatch) -> Iterator[Stage]:
    """Tables of the template, queues, secrets and reference data. Functions: `stage.function("api_orders")`."""
    for name, value in SETTINGS.items():
        monkeypatch.setenv(name, value)
    # Powertools has read its settings when it was imported, before these were made.
    monkeypatch.setattr(metrics.provider, "namespace", SETTINGS["POWERTOOLS_METRICS_NAMESPACE"])
    monkeypatch.setattr(metrics.provider, "service", SETTINGS["POWERTOOLS_SERVICE_NAME"])
    with mock_aws():
        make_tables()
        make_services()
        made = Stage()
        seed(made)
        yield made
        made.mend()


@pytest.fixture
def log(monkeypatch: pytest.MonkeyPatch) -> StringIO:
    """What the functions write to their log, line by line."""
    written = StringIO()
    monkeypatch.setattr(logger.registered_handler, "stream", written)
    return written


@pytest.fixture
def faults(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> Iterator[Faults]:
    """Faults on the way to DynamoDB; botocore's own retries wait no time."""
    monkeypatch.setattr("botocore.endpoint.time", SimpleNamespace(sleep=lambda _: None))
    made = Faults()
    yield made
    made.mend()
