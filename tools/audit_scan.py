"""The first pass of an audit: every table once, to find what is worth a second look.

Movements are read first and add up what everybody should hold; orders and carts, read after them, take theirs off,
so that what is left at the end does not agree, or changed in between. Kept in memory: about 200 bytes for each sku of
each order, until its order was read.
"""

from __future__ import annotations

import threading
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any

from oms.domain import audit_words as words
from oms.domain.audit_facts import Holder, adds_up, held_by_cart, held_by_order, queue_of
from oms.domain.auditing import Drift, DriftKind
from oms.domain.order import Order
from oms.domain.stock import Bucket
from oms.stores.table import Table
from tools.audit_reading import (
    MAX_PAGES,
    Row,
    Tables,
    UnreadableError,
    all_of_sku,
    backorder_of,
    movement_of,
    order_of,
    plain,
    position_of,
    reservation_of,
)

MAX_VERSION = 100_000
"""No order has as many; a movement that names a later one gets its second look."""

Position = tuple[str, str]
Told = Callable[[str, int, int], None]
"""Told how far a table is: its name, rows read, rows there are about."""


@dataclass(slots=True)
class Suspects:
    """What is worth a second look: skus with whoever may hold some, orders with rows in queues; and rows nobody
    can read, which need none."""

    skus: dict[str, set[Holder]] = field(default_factory=lambda: defaultdict(set))
    queues: dict[str, set[tuple[str, str]]] = field(default_factory=lambda: defaultdict(set))
    unreadable: list[Drift] = field(default_factory=list)


class Sums:
    """What the tables say, added up against each other as their rows come in. `only` one sku, or all."""

    def __init__(self, only: str | None = None) -> None:
        self._only = only
        self._positions: dict[Position, Counter[Bucket]] = defaultdict(Counter)
        self._held: Counter[tuple[Position, Bucket]] = Counter()
        self._holders: dict[tuple[Position, Holder, Bucket], int] = {}
        self._versions: dict[tuple[str, str], int] = {}
        self._gave_back: dict[str, dict[Position, int]] = defaultdict(dict)
        self._rows: dict[tuple[str, str, str], int] = {}
        self._found = Suspects()

    def movement(self, row: Row) -> None:
        """Adds a row of the ledger."""
        sku = row["sku"]
        one = movement_of(row)
        position = (sku, one.location_id)
        self._positions[position].subtract(one.changes)
        if not one.is_even:
            self._found.skus[sku].add(Holder())
        for entry in one.entries:
            order_id = entry.holder.order_id
            self._add(position, entry.holder, Bucket.COMMITTED, entry.committed)
            if order_id and entry.reserved:
                given = self._gave_back[order_id]
                given[position] = given.get(position, 0) + entry.reserved
            else:
                self._add(position, entry.holder, Bucket.RESERVED, entry.reserved)
            if order_id and entry.version:
                key = (sku, order_id)
                self._versions[key] = self._versions.get(key, 0) | 1 << min(entry.version, MAX_VERSION)

    def order(self, row: Row) -> None:
        """Takes off what an order holds, and the versions it tells of."""
        order = order_of(row)
        holder = Holder(order_id=order.order_id)
        for position, units in held_by_order(order).items():
            if self._wants(position[0]):
                self._held[position, Bucket.COMMITTED] += units
                self._add(position, holder, Bucket.COMMITTED, -units)
        cart = Holder(reservation_id=order.reservation_id) if order.reservation_id else holder
        for position, units in self._gave_back.pop(order.order_id, {}).items():
            self._add(position, cart, Bucket.RESERVED, units)
        for wanted in queue_of(order):
            if self._wants(wanted.sku):
                self._queue((order.order_id, wanted.sku, wanted.queue_key), -wanted.quantity)
        self._tell(order)

    def reservation(self, row: Row) -> None:
        """Takes off what a cart holds."""
        cart = reservation_of(row)
        for position, units in held_by_cart(cart).items():
            if self._wants(position[0]):
                self._held[position, Bucket.RESERVED] += units
                self._add(position, Holder(reservation_id=cart.reservation_id), Bucket.RESERVED, -units)

    def backorder(self, row: Row) -> None:
        """Adds a row of a queue."""
        one = backorder_of(row)
        if self._wants(one.sku):
            self._queue((one.order_id, one.sku, one.queue_key), one.quantity)

    def position(self, row: Row) -> None:
        """Adds a position."""
        stands = position_of(row)
        self._positions[row["sku"], row["location_id"]].update(stands)
        for bucket in (Bucket.COMMITTED, Bucket.RESERVED):
            self._held[(row["sku"], row["location_id"]), bucket] -= stands[bucket]
        if not adds_up(stands):
            self._found.skus[row["sku"]].add(Holder())

    def unreadable(self, table: str, row: Row, error: UnreadableError) -> None:
        """Notes a row that can't be understood; what it should say will be missing elsewhere."""
        names = ("order_id", "reservation_id", "location_id", "movement_id", "queue_key", "sku")
        key = {name: str(row[name]) for name in names if name in row}
        says, advice = words.unreadable(table, " ".join(key.values()) or "a row", str(error))
        orders = (key["order_id"],) if "order_id" in key else ()
        movements = (key["movement_id"],) if "movement_id" in key else ()
        self._found.unreadable.append(
            Drift(
                kind=DriftKind.UNREADABLE,
                sku=key.get("sku", ""),
                location_id=key.get("location_id", ""),
                says=says,
                advice=advice,
                orders=orders,
                movements=movements,
            )
        )

    def suspects(self) -> Suspects:
        """What did not come out even."""
        found = self._found
        for (sku, _), left in self._positions.items():
            if any(left.values()):
                found.skus[sku].add(Holder())
        for ((sku, _), _), units in self._held.items():
            if units:
                found.skus[sku].add(Holder())
        for (sku, _), holder, _ in self._holders:
            found.skus[sku].add(holder)
        for sku, order_id in self._versions:
            found.skus[sku].add(Holder(order_id=order_id))
        for order_id, given in self._gave_back.items():
            for sku, _ in given:
                found.skus[sku].add(Holder(order_id=order_id))
        for order_id, sku, queue_key in self._rows:
            found.queues[order_id].add((sku, queue_key))
        return found

    def _wants(self, sku: str) -> bool:
        return self._only in (None, sku)

    def _add(self, position: Position, holder: Holder, bucket: Bucket, units: int) -> None:
        if any(holder):
            _count(self._holders, (position, holder, bucket), units)

    def _queue(self, key: tuple[str, str, str], units: int) -> None:
        _count(self._rows, key, units)

    def _tell(self, order: Order) -> None:
        """The order's versions need no second look if the document itself tells of all that moved its stock."""
        told = 0
        for event in order.events:
            told |= 1 << event.version if event.version <= order.version else 0
        for sku in {sku for line in order.lines for sku in line.stock_units(1)}:
            if not self._versions.get((sku, order.order_id), 0) & ~told:
                self._versions.pop((sku, order.order_id), None)


def _count(sums: dict[Any, int], key: Any, units: int) -> None:
    """Adds up, and forgets what comes out even."""
    total = sums.get(key, 0) + units
    if total:
        sums[key] = total
    else:
        sums.pop(key, None)


@dataclass(frozen=True, slots=True)
class Scan:
    """Reads every table, each in parts at the same time, in the order that makes the fewest suspects."""

    tables: Tables
    segments: int
    told: Told
    sku: str | None = None
    lock: threading.Lock = field(default_factory=threading.Lock)

    def run(self) -> Suspects:
        """Every table once; a given sku always gets its second look."""
        sums, tables = Sums(self.sku), self.tables
        self._read("movements", tables.movements.table, sums, sums.movement, by_sku=True)
        self._read("orders", tables.orders.table, sums, sums.order)
        self._read("reservations", tables.reservations.table, sums, sums.reservation)
        self._read("backorders", tables.backorders.table, sums, sums.backorder, by_sku=True)
        self._read("positions", tables.stock.table, sums, sums.position, by_sku=True)
        suspects = sums.suspects()
        if self.sku is not None:
            suspects.skus[self.sku].add(Holder())
        return suspects

    def _read(self, name: str, table: Table, sums: Sums, take: Callable[[Row], None], *, by_sku: bool = False) -> None:
        total, counted = table.client.describe_table(TableName=table.name)["Table"]["ItemCount"], 0

        def take_all(rows: Iterable[Row | UnreadableError]) -> None:
            nonlocal counted
            with self.lock:
                for row in rows:
                    counted += 1
                    try:
                        take(_readable(row))
                    except UnreadableError as error:
                        sums.unreadable(name, error.texts if row is error else _readable(row), error)
                self.told(name, counted, total)

        if by_sku and self.sku is not None:
            take_all(all_of_sku(table, self.sku))
            return
        with ThreadPoolExecutor(self.segments) as threads:
            list(threads.map(lambda part: self._segment(table, part, take_all), range(self.segments)))

    def _segment(self, table: Table, part: int, take_all: Callable[[Iterable[Row | UnreadableError]], None]) -> None:
        for page in _pages(table, part, self.segments):
            take_all(page)


def _readable(row: Row | UnreadableError) -> Row:
    if isinstance(row, UnreadableError):
        raise row
    return row


def _plain(item: Any) -> Row | UnreadableError:
    try:
        return plain(item)
    except UnreadableError as error:
        return error


def _pages(table: Table, segment: int, segments: int) -> Iterator[list[Row | UnreadableError]]:
    """One segment of a table, page by page, strongly consistent."""
    request: Any = {"TableName": table.name, "ConsistentRead": True, "Segment": segment, "TotalSegments": segments}
    for _ in range(MAX_PAGES):
        answer = table.client.scan(**request)
        yield [_plain(item) for item in answer["Items"]]
        if "LastEvaluatedKey" not in answer:
            return
        request["ExclusiveStartKey"] = answer["LastEvaluatedKey"]
