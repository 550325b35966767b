"""The stock queue: what locations report of their stock, and what follows from it, is booked."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import datetime
from typing import Any

from aws_lambda_powertools.metrics import MetricUnit

from oms.domain.errors import InvalidMessage
from oms.domain.snapshot_parts import part_of
from oms.domain.snapshots import Snapshot
from oms.runtime.batches import BatchAnswer, each_message
from oms.runtime.clients import client
from oms.runtime.clock import now
from oms.runtime.functions import environment, lambda_handler, logger, metrics, table_prefix
from oms.runtime.inbox import Inbox
from oms.runtime.queues import Queue
from oms.stores.group_commit import GroupCommit
from oms.stores.open_lines import OpenLinesStore
from oms.stores.orders import OrdersStore
from oms.stores.quarantine import QuarantineStore
from oms.stores.reference_data import ProductsStore, SettingsStore
from oms.stores.snapshots import Readings, SnapshotsStore
from oms.stores.stock import StockStore
from oms.stores.stock_documents import StockDocumentsStore
from oms.usecases.counting import Booking, Counting
from oms.usecases.replanning import Replanning
from oms.usecases.snapshots import SnapshotParts
from oms.usecases.stock_documents import StockDocuments
from oms.usecases.stock_reports import StockReports

dynamodb, prefix = client("dynamodb"), table_prefix()
quarantine = QuarantineStore(dynamodb, prefix)
reports = StockReports(
    documents=StockDocuments(
        documents=StockDocumentsStore(dynamodb, prefix),
        stock=StockStore(dynamodb, prefix),
        commit=GroupCommit(dynamodb, prefix),
    ),
    products=ProductsStore(dynamodb, prefix),
    quarantine=quarantine,
)
replanning = Replanning(
    orders=OrdersStore(dynamodb, prefix),
    stock=StockStore(dynamodb, prefix),
    open_lines=OpenLinesStore(dynamodb, prefix),
    settings=SettingsStore(dynamodb, prefix),
    commit=GroupCommit(dynamodb, prefix),
)

snapshots = SnapshotsStore(dynamodb, prefix)
queue = Queue(client("sqs"), environment("STOCK_QUEUE_URL"))
parts = SnapshotParts(snapshots, queue)
counting = Counting(
    snapshots=snapshots,
    booking=Booking(Readings.of(dynamodb, prefix), GroupCommit(dynamodb, prefix)),
    products=ProductsStore(dynamodb, prefix),
    settings=SettingsStore(dynamodb, prefix),
    inbox=Inbox(client("s3"), environment("INBOX_BUCKET")),
    queue=queue,
)

Message = dict[str, Any]
GoOn = Callable[[], bool]
RESERVE_MILLISECONDS = 10_000
"""Left of a worker's time, no further rows are begun."""


@lambda_handler
def handler(event: dict[str, Any], context: Any) -> BatchAnswer:
    """Works on each message by itself; those that may succeed later come again."""

    def go_on() -> bool:
        return bool(context.get_remaining_time_in_millis() > RESERVE_MILLISECONDS)

    return each_message(event, lambda record: _work(record, go_on))


def _work(record: dict[str, Any], go_on: GoOn) -> None:
    message = json.loads(record["body"])
    WORK[message["kind"]](message, go_on)


def _book(message: Message, _: GoOn) -> None:
    quarantined = reports.take(message, now())
    if quarantined:
        metrics.add_metric("OrdersQuarantined", MetricUnit.Count, quarantined)
    told = {"document_id": message["document_id"], "lines": len(message["lines"]), "quarantined": quarantined}
    logger.info("stock document booked", extra=told)


def _replan(message: Message, _: GoOn) -> None:
    done = replanning.replan(message["sku"], message["location_id"], now())
    if done.missing:
        metrics.add_metric("OversoldUnits", MetricUnit.Count, done.missing)
    logger.info("replanned", extra={"orders": len(done.orders), "missing": done.missing})


def _keep_part(message: Message, _: GoOn) -> None:
    """A part of a snapshot that a location sent is kept, or goes to quarantine."""
    try:
        parts.accept(*part_of(message))
    except InvalidMessage as error:
        cause = {"reason": error.reason, "field": error.field, "error": str(error)}
        received_at = datetime.fromisoformat(message["received_at"])
        quarantine.put(f"stock#{message['location_id']}", message["message_id"], received_at, cause, message, now())
        metrics.add_metric("OrdersQuarantined", MetricUnit.Count, 1)
        logger.warning("quarantined", extra={"reason": cause["reason"], "field": cause["field"]})


def _count_chunk(message: Message, go_on: GoOn) -> None:
    _told(counting.chunk(message["snapshot_id"], message["chunk"], now(), go_on))


def _read_file(message: Message, _: GoOn) -> None:
    _told(counting.file(message["snapshot_id"]))


def _carry_out(message: Message, _: GoOn) -> None:
    _told(counting.carry_out(message["snapshot_id"]))


def _told(head: Snapshot) -> None:
    counts = {outcome.value: rows for outcome, rows in head.counts.items() if rows}
    told = {"snapshot_id": head.snapshot_id, "status": head.status.value, "rows": counts}
    logger.info("counted", extra=told)


WORK: dict[str, Callable[[Message, GoOn], None]] = {
    "stock_document": _book,
    "replan": _replan,
    "snapshot_part": _keep_part,
    "snapshot_chunk": _count_chunk,
    "snapshot_object": _read_file,
    "snapshot_decision": _carry_out,
}
"""By what a message is."""
