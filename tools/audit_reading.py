"""What an audit reads: rows as they lie in the tables, also where they are broken, and one sku as it is at one moment.

Tables are scanned while traffic goes on, so a scan is no snapshot. A sku is read for certain between two readings of
its movements: rows are only ever added, and no position, order or cart gains or loses units of the sku without one.
If both readings found the same rows, everything read between them belongs together.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import msgspec

from oms.domain.audit_facts import Entry, Holder, Movement, Picture, effect, queue_of
from oms.domain.changes import Backorder
from oms.domain.order import Order
from oms.domain.reservations import Reservation
from oms.domain.stock import Bucket, MoveKind
from oms.stores import backorders as backorders_module
from oms.stores import orders as orders_module
from oms.stores import reservations as reservations_module
from oms.stores.attribute_values import from_item, to_item
from oms.stores.backorders import BackordersStore
from oms.stores.batch_reads import get_many
from oms.stores.movements import MovementsStore
from oms.stores.orders import OrdersStore
from oms.stores.reservations import ReservationsStore
from oms.stores.stock import StockStore
from oms.stores.table import Table, our_errors

MAX_PAGES = 200_000
"""Of 1 MB each, as DynamoDB cuts them."""

MAX_LOOKS = 6
LOOK_AGAIN_SECONDS = 0.5
"""How often a sku is read whose stock moves meanwhile, and how long to wait in between."""

AS_SEEN = (*(bucket.value for bucket in Bucket), "on_hand_version", "updated_at", "snapshot_as_of")

Row = dict[str, Any]


class UnreadableError(Exception):
    """A row that is not what such rows are; `texts` is what of it can be read all the same."""

    def __init__(self, why: str, texts: Row | None = None) -> None:
        super().__init__(why)
        self.texts = texts or {}


class BusyError(Exception):
    """The stock of a sku moves too often to be read at one moment."""


@dataclass(frozen=True, slots=True)
class Look:
    """A sku at one moment. `seen` are its positions as they lie, by location: what a repair rests on."""

    picture: Picture
    seen: Mapping[str, Row]


@dataclass(frozen=True, slots=True)
class QueueLook:
    """An order and its rows in `backorders` at one moment."""

    order: Order | None
    rows: tuple[Backorder, ...]


class Tables:
    """The tables an audit reads, by the stores that know them."""

    def __init__(self, client: Any, prefix: str) -> None:
        self.client = client
        self.orders, self.reservations = OrdersStore(client, prefix), ReservationsStore(client, prefix)
        self.stock, self.movements = StockStore(client, prefix), MovementsStore(client, prefix)
        self.backorders = BackordersStore(client, prefix)


def plain(item: Mapping[str, Any]) -> Row:
    """The plain values of an item. Raises UnreadableError."""
    try:
        return from_item(item)
    except (TypeError, ValueError) as error:
        raise UnreadableError(str(error), {name: one["S"] for name, one in item.items() if "S" in one}) from error


def position_of(row: Row) -> dict[Bucket, int]:
    """The buckets of a position, whether they add up or not. Raises UnreadableError."""
    return {bucket: _whole(row, bucket.value) for bucket in Bucket}


def movement_of(row: Row) -> Movement:
    """A row of the ledger. Raises UnreadableError."""
    try:
        kinds = row["kinds"]
        return Movement(
            movement_id=row["movement_id"],
            location_id=row["location_id"],
            changes={Bucket(name): _whole(row["changes"], name) for name in row["changes"]},
            entries=tuple(_entry_of(one, kinds[0] if len(kinds) == 1 else "") for one in row["entries"]),
            is_correction=MoveKind.CORRECTION.value in kinds,
        )
    except (KeyError, TypeError, ValueError, IndexError, AttributeError) as error:
        raise UnreadableError(f"{type(error).__name__}: {error}") from error


def order_of(row: Row) -> Order:
    """An order. Raises UnreadableError."""
    try:
        return orders_module.decode(row)
    except msgspec.ValidationError as error:
        raise UnreadableError(str(error)) from error


def reservation_of(row: Row) -> Reservation:
    """A cart's hold. Raises UnreadableError."""
    try:
        return reservations_module.decode(row)
    except msgspec.ValidationError as error:
        raise UnreadableError(str(error)) from error


def backorder_of(row: Row) -> Backorder:
    """A row of a queue. Raises UnreadableError."""
    try:
        return backorders_module.decode(row)
    except msgspec.ValidationError as error:
        raise UnreadableError(str(error)) from error


def many(table: Table, keys: list[dict[str, Any]]) -> list[Row]:
    """The items there are of these keys, strongly consistent. Raises Retryable, UnreadableError."""
    try:
        return get_many(table, keys)
    except (TypeError, ValueError) as error:
        raise UnreadableError(f"{table.name}: {error}") from error


def all_of_sku(table: Table, sku: str) -> Iterator[Row]:
    """Every row of a sku, strongly consistent, however many there are. Raises Retryable, UnreadableError."""
    request = _of_sku(table, sku)
    for _ in range(MAX_PAGES):
        with our_errors():
            answer = table.client.query(**request)
        yield from map(plain, answer["Items"])
        if "LastEvaluatedKey" not in answer:
            return
        request["ExclusiveStartKey"] = answer["LastEvaluatedKey"]


@dataclass(frozen=True, slots=True)
class Looking:
    """Reads one sku, or one order's places in the queues, for certain."""

    tables: Tables
    sleep: Callable[[float], None] = field(default=time.sleep)

    def at_sku(self, sku: str, holders: Iterable[Holder]) -> Look:
        """The sku as it is at one moment, with these holders and whoever holds some of it by the ledger.

        Raises BusyError, Retryable; UnreadableError where a row of the ledger or a position can't be understood.
        """
        for attempt in range(MAX_LOOKS):
            if attempt:
                self.sleep(LOOK_AGAIN_SECONDS)
            movements = tuple(map(movement_of, all_of_sku(self.tables.movements.table, sku)))
            look = self._beside(sku, movements, {*holders, *_holders(movements)})
            if self._count(sku) == len(movements):
                return look
        raise BusyError(sku)

    def at_queue(self, order_id: str, keys: Iterable[tuple[str, str]]) -> QueueLook:
        """The order and its rows of these keys (sku, queue_key) at one moment. Raises as `at_sku`."""
        given = set(keys)
        for attempt in range(MAX_LOOKS):
            if attempt:
                self.sleep(LOOK_AGAIN_SECONDS)
            document = self._document(order_id)
            order = order_of(document) if document else None
            named = given | {(row.sku, row.queue_key) for row in (queue_of(order) if order else ())}
            wanted = [{"sku": sku, "queue_key": queue_key} for sku, queue_key in sorted(named)]
            rows = tuple(map(backorder_of, many(self.tables.backorders.table, wanted)))
            if self._document(order_id) == document:
                return QueueLook(order, rows)
        raise BusyError(order_id)

    def _document(self, order_id: str) -> Row | None:
        return next(iter(many(self.tables.orders.table, [{"order_id": order_id}])), None)

    def _beside(self, sku: str, movements: tuple[Movement, ...], holders: set[Holder]) -> Look:
        """What stands beside the movements: to be believed only if those are still the same afterwards."""
        seen = {row["location_id"]: row for row in all_of_sku(self.tables.stock.table, sku)}
        orders, told, broken = self._orders(sorted({one.order_id for one in holders if one.order_id}))
        carts = {one.reservation_id for one in holders if one.reservation_id}
        carts |= {order.reservation_id for order in orders.values() if order and order.reservation_id}
        reservations, unreadable = self._reservations(sorted(carts))
        picture = Picture(
            sku=sku,
            positions={location_id: position_of(row) for location_id, row in seen.items()},
            movements=movements,
            orders=orders,
            told=told,
            reservations=reservations,
            unreadable=broken | unreadable,
        )
        return Look(picture, seen)

    def _orders(
        self, order_ids: list[str]
    ) -> tuple[dict[str, Order | None], dict[str, frozenset[int]], frozenset[str]]:
        rows = many(self.tables.orders.table, [{"order_id": one} for one in order_ids])
        orders: dict[str, Order | None] = dict.fromkeys(order_ids)
        told, broken = {}, set()
        for row in rows:
            order_id = row["order_id"]
            try:
                order = order_of(row)
            except UnreadableError:
                broken.add(order_id)
                continue
            orders[order_id] = order
            told[order_id] = frozenset(self._versions(order))
        return orders, told, frozenset(broken)

    def _versions(self, order: Order) -> set[int]:
        """The versions that an order's history tells of, also what moved to `order_history`."""
        versions = {event.version for event in order.events}
        if order.events and order.events[0].sequence > 1:
            rows = self.tables.orders.history.query_all("#order_id = :o", {":o": order.order_id}, consistent=True)
            versions |= {event["version"] for row in rows for event in row["events"]}
        return versions

    def _reservations(self, ids: list[str]) -> tuple[dict[str, Reservation], frozenset[str]]:
        found, broken = {}, set()
        for row in many(self.tables.reservations.table, [{"reservation_id": one} for one in ids]):
            try:
                found[row["reservation_id"]] = reservation_of(row)
            except UnreadableError:
                broken.add(row["reservation_id"])
        return found, frozenset(broken)

    def _count(self, sku: str) -> int:
        """How many movements the sku has now."""
        table, counted = self.tables.movements.table, 0
        request = _of_sku(table, sku) | {"Select": "COUNT"}
        for _ in range(MAX_PAGES):
            with our_errors():
                answer = table.client.query(**request)
            counted += answer["Count"]
            if "LastEvaluatedKey" not in answer:
                break
            request["ExclusiveStartKey"] = answer["LastEvaluatedKey"]
        return counted


def _holders(movements: Iterable[Movement]) -> set[Holder]:
    """Who holds units at some location by the ledger alone."""
    held: Counter[tuple[str, Holder, Bucket]] = Counter()
    for movement in movements:
        for one in movement.entries:
            held[movement.location_id, one.holder, Bucket.COMMITTED] += one.committed
            held[movement.location_id, one.holder, Bucket.RESERVED] += one.reserved
    return {holder for (_, holder, _), units in held.items() if units}


def _entry_of(entry: Row, only_kind: str) -> Entry:
    """An entry of a movement. A correction says itself what it did; other kinds do what their kind does."""
    holder = Holder(entry.get("order_id", ""), entry.get("reservation_id", ""))
    kind = entry.get("kind", only_kind)
    committed, reserved = _whole(entry, "committed"), _whole(entry, "reserved")
    if kind and any(holder):
        moved = effect(kind, _whole(entry, "quantity"))
        committed, reserved = committed + moved[0], reserved + moved[1]
    return Entry(holder=holder, version=_whole(entry, "version"), committed=committed, reserved=reserved)


def _of_sku(table: Table, sku: str) -> dict[str, Any]:
    return {
        "TableName": table.name,
        "KeyConditionExpression": "sku = :sku",
        "ExpressionAttributeValues": to_item({":sku": sku}),
        "ConsistentRead": True,
    }


def _whole(row: Mapping[str, Any], name: str) -> int:
    value = row.get(name, 0)
    if not isinstance(value, int) or isinstance(value, bool):
        raise UnreadableError(f"{name} is {value!r}, not a whole number")
    return value
