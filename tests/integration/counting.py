"""Snapshots at work in the test stage: parts to send, workers that judge them, and what is told of the rows."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime
from typing import Any

from oms.domain.changes import StockChange
from oms.domain.counted_rows import RowOutcome
from oms.domain.snapshot_parts import part
from oms.domain.snapshots import Decision, Snapshot
from oms.domain.stock import StockMove
from oms.runtime import clients
from oms.runtime.inbox import Inbox
from oms.stores.group_commit import GroupCommit
from oms.stores.reference_data import LocationsStore, ProductsStore, SettingsStore
from oms.stores.snapshots import Readings, SnapshotsStore
from oms.usecases.counting import Booking, Counting
from oms.usecases.snapshots import Report, SnapshotParts, Snapshots
from tests.integration.company import NOON, QueueDouble, Worker, at
from tests.integration.stage import PREFIX, SETTINGS, Stage

EAST, WEST = "WH-EAST", "WH-WEST"
MAX_MESSAGES = 500


def booking() -> Booking:
    """A worker's booking of counted rows."""
    client: Any = clients.client("dynamodb")
    return Booking(Readings.of(client, PREFIX), GroupCommit(client, PREFIX, sleep=lambda _: None))


class CountDesk:
    """One worker who keeps parts of snapshots and judges them; its queue is worked off when `work` says so."""

    def __init__(self) -> None:
        client: Any = clients.client("dynamodb")
        self.doubled = QueueDouble()
        queue: Any = self.doubled
        inbox = Inbox(clients.client("s3"), SETTINGS["INBOX_BUCKET"])
        self.store = SnapshotsStore(client, PREFIX)
        self.parts = SnapshotParts(self.store, queue)
        self.door = Snapshots(self.store, LocationsStore(client, PREFIX), inbox, queue)
        products, settings = ProductsStore(client, PREFIX), SettingsStore(client, PREFIX)
        self.counting = Counting(self.store, booking(), products, settings, inbox, queue)

    def send(self, *rows: Any, number: int = 1, chunks: int = 1, **head: Any) -> Snapshot:
        """Sends a part of a snapshot: rows, or one mapping of sku → units."""
        given: list[Any] = list(rows)
        if len(rows) == 1 and isinstance(rows[0], Mapping) and "sku" not in rows[0]:
            given = [{"sku": sku, "on_hand": units} for sku, units in rows[0].items()]
        facts = {"snapshot_id": "S1", "location_id": EAST, "as_of": NOON, "received_at": at(1), "actor": "counter"}
        return self.door.take_part(*part(number=number, chunks=chunks, rows=given, **(facts | head)))

    def work(self, now: datetime | None = None) -> int:
        """Works off the queue, oldest message first; returns how many messages there were."""
        for done in range(MAX_MESSAGES):
            if not self.doubled.sent:
                return done
            message, _ = self.doubled.sent[0]
            self.handle(message, now)
            self.doubled.sent.pop(0)
        raise AssertionError("the queue never ran empty")

    def handle(self, message: Mapping[str, Any], now: datetime | None = None) -> None:
        """Works on one message, as the stock queue's function does."""
        snapshot_id = message["snapshot_id"]
        if message["kind"] == "snapshot_object":
            self.counting.file(snapshot_id)
        elif message["kind"] == "snapshot_decision":
            self.counting.carry_out(snapshot_id)
        else:
            self.chunk(message["chunk"], snapshot_id, now)

    def chunk(self, number: int = 1, snapshot_id: str = "S1", now: datetime | None = None) -> Snapshot:
        """Judges a chunk."""
        return self.counting.chunk(snapshot_id, number, now or at(2), lambda: True)

    def count(self, *rows: Any, **head: Any) -> Report:
        """Sends a part, works off the queue, and tells what became of it."""
        self.send(*rows, **head)
        self.work()
        return self.report(head.get("snapshot_id", "S1"))

    def decide(self, decision: Decision, snapshot_id: str = "S1", hours: float = 3) -> Report:
        """A person decides, and it is carried out."""
        self.door.decide(snapshot_id, decision, "api:boss", at(hours))
        self.work(at(hours))
        return self.report(snapshot_id)

    def report(self, snapshot_id: str = "S1") -> Report:
        """What is told of a snapshot."""
        return self.door.report(snapshot_id, None)


def outcomes(report: Report) -> dict[str, str]:
    """What became of the rows worth telling, by sku."""
    return {row.get("sku", f"row {row['row']}"): row["outcome"] for row in report.rows}


def counts(report: Report) -> dict[str, int]:
    """How many rows ended how."""
    return {RowOutcome(outcome).value: rows for outcome, rows in report.head.counts.items()}


def on_hand(stage: Stage, sku: str, location_id: str = EAST) -> int:
    """Units of a sku on hand."""
    return stage.position(sku, location_id).on_hand


def happened(made: Worker, move: StockMove, hours: float, *, told: float, name: str = "fact") -> None:
    """Something moved at one hour and is booked at another."""
    move = replace(move, effective_at=at(hours))
    change = StockChange(change_id=name, effective_at=at(hours), at=at(told), actor="test", moves=(move,))
    result = made.commit.commit_one(change)
    assert result.committed, result


def snapshot_movements(stage: Stage) -> list[tuple[str, int]]:
    """(sku, units) of every count that changed a position."""
    rows = [row for row in stage.rows("stock_movements") if row["kinds"] == ["SNAPSHOT"]]
    return sorted((row["sku"], row["changes"]["on_hand"]) for row in rows)
