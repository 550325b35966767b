"""Messages: what somebody may be asked to do, with all its facts, so that any worker may get it, and get it again."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from datetime import datetime
from typing import Any

from oms.domain.errors import Unavailable
from oms.domain.incoming import FulfillmentReport, IncomingOrder
from oms.domain.snapshots import Decision, SnapshotStatus
from oms.domain.stock_documents import StockDocument
from oms.domain.stock_lines import DocumentLine
from oms.runtime import clients
from oms.stores.open_lines import OpenLinesStore
from oms.usecases.oversold import Seen
from oms.usecases.projection import Projection
from tests.integration import carts, desk
from tests.integration.company import Notebook, Worker, at, entry
from tests.integration.counting import CountDesk
from tests.integration.stage import PREFIX

HOURS_BACK = 4


class Staff:
    """A worker with all use cases that move stock, and memories of his own."""

    def __init__(self, notebook: Notebook) -> None:
        client: Any = clients.client("dynamodb")
        self.made = Worker(notebook)
        self.carts = carts.Desk(self.made)
        self.documents = desk.Desk()
        self.projection = Projection(self.made.orders, OpenLinesStore(client, PREFIX))


Message = Callable[[Staff, float], Any]
"""The work of a message, by whoever gets it, so many hours after noon. Raises Retryable when it must come again."""


def take(order: IncomingOrder) -> Message:
    """A channel tells of its order."""
    return lambda staff, hours: staff.made.take(order, hours)


def allocate(order_ids: Iterable[str]) -> Message:
    """Executions ask for stock, as one batch."""
    asked = tuple(order_ids)
    return lambda staff, hours: _all_done(staff.made.allocate(*asked, hours=hours))


def evaluate(order_id: str) -> Message:
    """Something happened to the order: perhaps it may be released."""
    return lambda staff, hours: staff.made.lifecycle.evaluate(order_id, at(hours))


def await_stock(order_id: str, token: str, since: float) -> Message:
    """The order's execution waits for stock from now on."""
    wait = entry(order_id, "AwaitStock", token, hours=since)
    return lambda staff, hours: staff.made.lifecycle.begin_wait(wait, "", at(hours))


def cancel(order_id: str) -> Message:
    """Somebody cancels the order, if nobody works on it yet."""
    return lambda staff, hours: staff.made.decisions.cancel(order_id, "CUSTOMER", "api:shop", at(hours))


def report(one: FulfillmentReport) -> Message:
    """A location reports of its work."""
    return lambda staff, hours: _all_done(staff.made.report(one, hours=hours).failed)


def document(header: StockDocument, lines: Iterable[DocumentLine]) -> Message:
    """Stock moves though no order asks."""
    told = tuple(lines)
    return lambda staff, hours: staff.documents.adjusting.adjust(header, told, at(hours))


def count(rows: Mapping[str, int], decision: Decision, **head: Any) -> Message:
    """A location was counted; a person decides about what looks strange."""

    def work(_: Staff, hours: float) -> None:
        counting = CountDesk()
        counting.send(dict(rows), **head)
        counting.work(at(hours))
        snapshot = counting.store.get(head["snapshot_id"])
        if snapshot is not None and snapshot.status in (SnapshotStatus.AWAITING_APPROVAL, SnapshotStatus.DECIDED):
            counting.door.decide(snapshot.snapshot_id, snapshot.decision or decision, "api:boss", at(hours))
            counting.counting.carry_out(snapshot.snapshot_id)
            counting.work(at(hours))

    return work


def replan(sku: str, location_id: str, order_ids: Iterable[str]) -> Message:
    """A position is oversold: whoever is due last gives units back."""
    known = tuple(order_ids)

    def work(staff: Staff, hours: float) -> None:
        _all_done(staff.projection.project(known, at(hours)).failed)
        staff.made.replanning.replan(sku, location_id, at(hours))

    return work


def look(seen: Seen) -> Message:
    """The stream of stock tells of a position."""
    return lambda staff, hours: staff.made.oversold.look(seen, at(hours))


def wake(sku: str) -> Message:
    """There may be more of a sku."""
    return lambda staff, hours: staff.made.waking.wake(sku, at(hours), go_on=lambda: True)


def hold(name: str, lines: Iterable[tuple[str, int]], minutes: int) -> Message:
    """A cart is to be held."""
    wanted = tuple(lines)
    return lambda staff, hours: staff.carts.hold(*wanted, reservation_id=name, minutes=minutes, hours=hours)


def give_back(name: str) -> Message:
    """The customer leaves his cart."""
    return lambda staff, hours: staff.carts.release(name, hours=hours)


def order_cart(number: int, lines: Mapping[str, int], name: str) -> Message:
    """The customer orders, and names his cart's hold."""
    return lambda staff, hours: staff.carts.place(number, dict(lines), name, hours=hours)


def expire() -> Message:
    """The schedule ends holds that are overdue."""
    return lambda staff, hours: _all_done(range(staff.carts.end_overdue(hours=hours, hours_back=HOURS_BACK).failed))


def with_less(order: IncomingOrder, units: int, now: datetime) -> IncomingOrder:
    """The channel's order once the buyer wants so many units less of its first line."""
    first = order.lines[0]
    fewer = replace(first, current_quantity=max(0, first.quantity - units))
    return replace(order, lines=(fewer, *order.lines[1:]), channel_updated_at=now)


def _all_done(failed: Iterable[Any]) -> None:
    left = list(failed)
    if left:
        raise Unavailable(f"must come again: {left}")
