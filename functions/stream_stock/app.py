"""The streams of stock and of the queues for it: who waits is woken, what is oversold shows, channels are owed news."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from aws_lambda_powertools.metrics import MetricUnit

from oms import wiring, wiring_orders
from oms.domain.changes import Backorder
from oms.runtime.batches import BatchAnswer, Record, together
from oms.runtime.clients import client
from oms.runtime.clock import now
from oms.runtime.functions import environment, lambda_handler, metrics, table_prefix
from oms.runtime.queues import Queue
from oms.stores import backorders
from oms.stores.attribute_values import from_item
from oms.stores.orders import OrdersStore
from oms.stores.stock import StockStore
from oms.stores.waits import WaitsStore
from oms.usecases.oversold import Oversold, Seen
from oms.usecases.waking import Waking

RESERVE_MILLISECONDS = 10_000

dynamodb, prefix = client("dynamodb"), table_prefix()
oversold = Oversold(stock=StockStore(dynamodb, prefix), queue=Queue(client("sqs"), environment("STOCK_QUEUE_URL")))
publishing = wiring.publishing()
waking = Waking(
    orders=OrdersStore(dynamodb, prefix),
    waits=WaitsStore(dynamodb, prefix),
    sourcing=wiring_orders.sourcing(),
    executions=wiring_orders.executions(),
)


@lambda_handler
def handler(event: dict[str, Any], context: Any) -> BatchAnswer:
    """All news of a sku in the batch is one: first everything is noted, then orders are woken while there is time."""

    def wake(records: list[Record]) -> None:
        _wake(records, lambda: context.get_remaining_time_in_millis() > RESERVE_MILLISECONDS)

    return together(event, _sku, _note, wake)


def _note(records: list[Record]) -> None:
    changes = _changes(records)
    for seen in changes:
        oversold.look(seen, now())
    if any(seen.sellable_changed for seen in changes):
        publishing.mark_changed([_sku(records[0])], now())


def _wake(records: list[Record], go_on: Callable[[], bool]) -> None:
    sku, gone = _sku(records[0]), _gone(records)
    if any(seen.rose for seen in _changes(records)):
        woken = waking.wake(sku, now(), go_on=go_on)
    elif gone:
        woken = waking.close_up(sku, gone, now(), go_on=go_on)
    else:
        return
    metrics.add_metric("OrdersWoken", MetricUnit.Count, woken)


def _changes(records: Iterable[Record]) -> list[Seen]:
    """What became of each position."""
    changes: dict[str, Seen] = {}
    for record in records:
        if _is_position(record):
            seen = _seen(record)
            before = changes.get(seen.location_id)
            changes[seen.location_id] = before.then(seen) if before else seen
    return list(changes.values())


def _gone(records: Iterable[Record]) -> list[Backorder]:
    """The rows that wait no more, or for fewer units."""
    gone = []
    for record in records:
        if not _is_position(record):
            old, new = _image(record, "OldImage"), _image(record, "NewImage")
            if old and old["quantity"] > new.get("quantity", 0):
                gone.append(backorders.decode(old))
    return gone


def _seen(record: Record) -> Seen:
    old, new = _image(record, "OldImage"), _image(record, "NewImage")
    return Seen(
        sku=new["sku"],
        location_id=new["location_id"],
        before=old.get("available", 0),
        available=new.get("available", 0),
        marked="problem" in new,
        incoming_changed=old.get("incoming", []) != new.get("incoming", []),
    )


def _sku(record: Record) -> str:
    return str(record["dynamodb"]["Keys"]["sku"]["S"])


def _is_position(record: Record) -> bool:
    return "location_id" in record["dynamodb"]["Keys"]


def _image(record: Record, name: str) -> dict[str, Any]:
    return from_item(record["dynamodb"].get(name, {}))
