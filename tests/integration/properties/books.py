"""What must be true of the tables after every single write, whoever made it and whatever became of him.

Read anew from the rows, without the code that wrote them: positions and ledger, orders, queues, carts' holds. `look`
also compares with the rows before the write: what may never change, and what may only change in one way.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from oms.domain.changes import backorders
from oms.domain.incoming import FulfillmentReport
from oms.domain.order import Order
from oms.stores.documents import from_document
from tests.integration.properties.engine import Engine, Row

BUCKETS = ("on_hand", "available", "committed", "reserved", "damaged", "quality_control")
TABLES = ("stock", "stock_movements", "orders", "backorders", "reservations")
TAKEN_FROM_AVAILABLE = {"COMMIT": -1, "RELEASE": 1, "RESERVE": -1, "UNRESERVE": 1, "TRANSFER_OUT": -1}
"""What asks for units that must be there, and what gives such units back. All else is told, and never refused."""

HELD_FOR_ORDERS = {"COMMIT": 1, "RELEASE": -1, "SHIP": -1, "NOT_FOUND": -1, "DAMAGE": -1}
MISSING = {"fulfillment.short_picked", "fulfillment.rejected"}
ENDED = {"CONSUMED", "RELEASED", "EXPIRED"}

Key = tuple[str, str]


@dataclass
class Books:
    """The tables as they were last seen, and what was told: counted units by (location_id, as_of), and reports."""

    engine: Engine
    counted: dict[Key, Mapping[str, int]] = field(default_factory=dict)
    reports: list[FulfillmentReport] = field(default_factory=list)
    before: dict[str, dict[Any, Row]] = field(default_factory=dict)
    opening: dict[Key, int] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.before = self._read()
        self.opening = {key: row["on_hand"] for key, row in self.before["stock"].items()}

    def look(self) -> None:
        """Checks everything. AssertionError names what is wrong."""
        now = self._read()
        self._append_only(now)
        self._one_step_at_a_time(now)
        self._nothing_taken_that_is_not_there(now)
        self._ledger(now)
        self._counts(now)
        self._orders(now)
        self._holds(now)
        self.before = now

    def _read(self) -> dict[str, dict[Any, Row]]:
        return {table: {_key(table, row): row for row in self.engine.rows(table)} for table in TABLES}

    def _append_only(self, now: dict[str, dict[Any, Row]]) -> None:
        """The ledger is never rewritten, a hold that ended stays as it is, what happened to an order stays told."""
        assert self.before["stock_movements"].items() <= now["stock_movements"].items()
        ended = {key: row for key, row in self.before["reservations"].items() if row["status"] in ENDED}
        assert ended.items() <= now["reservations"].items()
        for key, row in self.before["orders"].items():
            told = row["events"]
            assert now["orders"][key]["events"][: len(told)] == told, key

    def _one_step_at_a_time(self, now: dict[str, dict[Any, Row]]) -> None:
        """Every version rests on the one before, and its events follow without a gap."""
        for table in ("orders", "reservations"):
            for key, row in now[table].items():
                was = self.before[table].get(key)
                assert row == was or row["version"] == (was["version"] if was else 0) + 1, (table, key)
        for key, row in now["orders"].items():
            known = len(self.before["orders"][key]["events"]) if key in self.before["orders"] else 0
            assert [event["sequence"] for event in row["events"]] == list(range(1, len(row["events"]) + 1)), key
            assert {event["version"] for event in row["events"][known:]} <= {row["version"]}, key
        for key, row in now["stock"].items():
            was = self.before["stock"].get(key, {})
            if row["on_hand"] != was.get("on_hand", 0):
                assert row["on_hand_version"] > was.get("on_hand_version", 0), key
            assert row.get("snapshot_as_of", "") >= was.get("snapshot_as_of", ""), key

    def _nothing_taken_that_is_not_there(self, now: dict[str, dict[Any, Row]]) -> None:
        """Only what is told of the physical world drives `available` below zero: no promise does."""
        taken: Counter[Key] = Counter()
        for key in now["stock_movements"].keys() - self.before["stock_movements"].keys():
            row = now["stock_movements"][key]
            taken[row["sku"], row["location_id"]] += _taken(row)
        for place, units in taken.items():
            if units < 0:
                assert self.before["stock"].get(place, {}).get("available", 0) + units >= 0, place

    def _ledger(self, now: dict[str, dict[Any, Row]]) -> None:
        """Position = opening + movements, bucket by bucket; and the bucket equation."""
        moved: dict[Key, Counter[str]] = {key: Counter() for key in now["stock"]}
        for row in now["stock_movements"].values():
            moved[row["sku"], row["location_id"]].update(row["changes"])
        for key, row in now["stock"].items():
            began = self.opening.get(key, 0)
            sums = {"on_hand": began + moved[key]["on_hand"], "available": began + moved[key]["available"]}
            sums |= {bucket: moved[key][bucket] for bucket in BUCKETS[2:]}
            stands = {bucket: row.get(bucket, 0) for bucket in BUCKETS}
            assert stands == sums, key
            assert stands["on_hand"] == sum(stands[bucket] for bucket in BUCKETS[1:]), key
            assert min(stands[bucket] for bucket in BUCKETS[2:]) >= 0, key

    def _counts(self, now: dict[str, dict[Any, Row]]) -> None:
        """On hand is what was counted last, and what came and went since, however late it was told."""
        for key, row in now["stock"].items():
            as_of = row.get("snapshot_as_of")
            if not as_of:
                continue
            since = sum(
                _on_hand_after(one, as_of)
                for one in now["stock_movements"].values()
                if (one["sku"], one["location_id"]) == key and one["kinds"] != ["SNAPSHOT"]
            )
            assert row["on_hand"] == self.counted[row["location_id"], as_of].get(row["sku"], 0) + since, key

    def _orders(self, now: dict[str, dict[Any, Row]]) -> None:
        """What locations hold for an order is what the ledger gave it, and what it waits for stands in the queues."""
        held: Counter[tuple[str, str, str]] = Counter()
        queues: dict[Key, Row] = {}
        for row in now["orders"].values():
            order = from_document(Order, row)
            _quantities(order)
            self._told_once(order)
            held.update(_held(order))
            for line in order.lines:
                waits = backorders(order, line) if line.backordered else ()
                queues |= {(one.sku, one.queue_key): _waiting(one) for one in waits}
        assert {key: _waiting_row(row) for key, row in now["backorders"].items()} == queues
        booked = _booked(now["stock_movements"].values(), "order_id", HELD_FOR_ORDERS)
        assert +held == +booked
        assert min(booked.values(), default=0) >= 0
        committed: Counter[Key] = Counter()
        for (_, sku, location_id), units in held.items():
            committed[sku, location_id] += units
        assert +committed == _bucket(now["stock"], "committed")

    def _told_once(self, order: Order) -> None:
        """However often a location's report comes: no more is missing, and no more is in a parcel, than it told."""
        for one in order.fulfillments:
            told = [report for report in self.reports if report.fulfillment_id == one.fulfillment_id]
            missing = [report.lines for report in told if report.type in MISSING]
            for part in one.lines:
                most = sum(lines.get(part.line_id, 0) if lines else part.assigned for lines in missing)
                assert part.shorted <= most, (order.order_id, part)
            parcels = {report.shipment_id: report.lines for report in told}
            for parcel in one.shipments:
                packed = {line.line_id: line.quantity for line in parcel.lines}
                assert packed.items() <= parcels[parcel.shipment_id].items(), (order.order_id, parcel)

    def _holds(self, now: dict[str, dict[Any, Row]]) -> None:
        """A hold ends as exactly one of consumed, released, expired; it took its units once and gave them back once."""
        reserved: Counter[Key] = Counter()
        given_to: dict[str, str] = {}
        rows = now["stock_movements"].values()
        taken = _booked(rows, "reservation_id", {"RESERVE": 1})
        given_back = _booked(rows, "reservation_id", {"UNRESERVE": 1})
        handed_over = _booked(rows, "order_id", {"UNRESERVE": 1})
        for name, row in now["reservations"].items():
            lines = Counter({(one["sku"], one["location_id"]): one["quantity"] for one in row.get("lines", ())})
            assert _of(taken, name) == lines, name
            assert _of(given_back, name) == (lines if row["status"] in ("RELEASED", "EXPIRED") else Counter()), name
            assert (row["status"] == "ACTIVE") == ("expiry_hour" in row) == ("ended_at" not in row), name
            assert (row["status"] == "CONSUMED") == ("order_id" in row), name
            if row["status"] == "ACTIVE":
                reserved.update(lines)
            if row["status"] == "CONSUMED":
                given_to[row["order_id"]] = name
                assert _of(handed_over, row["order_id"]) == lines, name
        assert +reserved == _bucket(now["stock"], "reserved")
        orders = now["orders"].items()
        assert given_to == {name: row["reservation_id"] for name, row in orders if row.get("reservation_id")}
        assert {name for name, _, _ in handed_over} <= set(given_to)


def _key(table: str, row: Row) -> Any:
    names = {
        "stock": ("sku", "location_id"),
        "stock_movements": ("sku", "movement_id"),
        "backorders": ("sku", "queue_key"),
        "orders": ("order_id",),
        "reservations": ("reservation_id",),
    }[table]
    return row[names[0]] if len(names) == 1 else tuple(row[name] for name in names)


def _bucket(positions: Mapping[Key, Row], bucket: str) -> Counter[Key]:
    return +Counter({key: row.get(bucket, 0) for key, row in positions.items()})


def _kinds(row: Row) -> Iterable[tuple[str, Row]]:
    return ((entry.get("kind", row["kinds"][0]), entry) for entry in row["entries"])


def _taken(row: Row) -> int:
    """What a row changed of `available` by asking for it. A document's row says it as a whole."""
    if "change_id" in row:
        return int(row["changes"].get("available", 0)) if row["kinds"] == ["TRANSFER_OUT"] else 0
    return sum(TAKEN_FROM_AVAILABLE.get(kind, 0) * entry["quantity"] for kind, entry in _kinds(row))


def _on_hand_after(row: Row, as_of: str) -> int:
    """What a row changed on hand after a moment."""
    apart = [entry for entry in row["entries"] if "effective_at" in entry]
    if row["effective_at"] > as_of:
        early = sum(entry["on_hand"] for entry in apart if entry["effective_at"] <= as_of)
        return int(row["changes"].get("on_hand", 0) - early)
    return sum(entry["on_hand"] for entry in apart if entry["effective_at"] > as_of)


def _booked(rows: Iterable[Row], who: str, signs: Mapping[str, int]) -> Counter[tuple[str, str, str]]:
    """Units by (whose, sku, location_id), as the entries of the ledger tell them."""
    units: Counter[tuple[str, str, str]] = Counter()
    for row in rows:
        for kind, entry in _kinds(row):
            if who in entry and kind in signs:
                units[entry[who], row["sku"], row["location_id"]] += signs[kind] * entry["quantity"]
    return units


def _of(booked: Counter[tuple[str, str, str]], name: str) -> Counter[Key]:
    return Counter({(sku, location_id): units for (one, sku, location_id), units in booked.items() if one == name})


def _quantities(order: Order) -> None:
    """Nothing is promised twice: every unit ordered is in one place, and every unit assigned."""
    at_work: Counter[str] = Counter()
    for one in order.fulfillments:
        for part in one.lines:
            units = (part.open, part.picked, part.shipped, part.shorted, part.cancelled)
            assert part.assigned == sum(units), (order.order_id, part)
            assert min(units) >= 0, (order.order_id, part)
            at_work[part.line_id] += part.open + part.picked
    for line in order.lines:
        parts = (line.unallocated, line.in_fulfillment, line.shipped, line.cancelled)
        assert line.ordered == sum(parts), (order.order_id, line)
        assert min(parts) >= 0, (order.order_id, line)
        assert line.in_fulfillment == at_work[line.line_id], (order.order_id, line)
        assert 0 <= line.backordered <= line.unallocated, (order.order_id, line)


def _held(order: Order) -> Counter[tuple[str, str, str]]:
    held: Counter[tuple[str, str, str]] = Counter()
    lines = {line.line_id: line for line in order.lines}
    for one in order.fulfillments:
        for part in one.lines:
            for sku, units in lines[part.line_id].stock_units(part.open + part.picked).items():
                held[order.order_id, sku, one.location_id] += units
    return held


def _waiting(row: Any) -> Row:
    return {name: getattr(row, name) for name in ("sku", "queue_key", "order_id", "line_id", "quantity")}


def _waiting_row(row: Row) -> Row:
    return {name: row[name] for name in ("sku", "queue_key", "order_id", "line_id", "quantity")}
