"""A company whose stock has come in by movements, and the command that audits it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest

from oms.runtime import clients
from tests.integration.company import Worker, worker
from tests.integration.fast_tables import fast_tables
from tests.integration.stage import STOCK, Stage
from tests.integration.tools.audit_stock.ledger import Run, delete, receive
from tools import audit_reading, audit_stock
from tools import stage as stages


@pytest.fixture
def stage(monkeypatch: pytest.MonkeyPatch) -> Iterator[Stage]:
    """The company, whose stock has come in by movements."""
    with fast_tables(monkeypatch) as made:
        for (sku, location_id), units in STOCK.items():
            delete("stock", sku=sku, location_id=location_id)
            receive(sku, location_id, units, hours=-1)
        yield made


@pytest.fixture
def run(stage: Stage, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Run:
    """Runs the command against the test stage; returns its exit code and its result."""
    monkeypatch.setattr(stages, "STAGES", ("test",))
    monkeypatch.setattr(stages, "DEFAULT_STAGE", "test")
    monkeypatch.setattr(stages.Stage, "client", lambda _, service: clients.client(service))
    monkeypatch.setattr(audit_reading, "LOOK_AGAIN_SECONDS", 0)

    def run(*arguments: str) -> dict[str, Any]:
        code = audit_stock.main(["--json", *arguments])
        return {"exit": code} | json.loads(capsys.readouterr().out.splitlines()[-1])

    return run


@pytest.fixture
def made(stage: Stage) -> Worker:
    return worker()
