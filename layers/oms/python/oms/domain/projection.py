"""What of an order is still open, line by line and place by place: the rows of the read model `open_lines`.

A row is a function of the document alone. What is no longer open keeps a row of quantity 0 for a while, so that
a late look at an older document finds that it is late.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime

from oms.domain.order import Fulfillment, Line, Order
from oms.domain.progress import is_released

UNALLOCATED = "UNALLOCATED"
"""Stands for the location of units that no location holds yet."""

RowKey = tuple[str, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenLine:
    """Units of a stocked sku that an order line holds at a location, or still looks for (no location).

    Of units without a location, `backordered` are known to be short of stock. `released` means that all the work
    was submitted to the location. `due_at` is the day the customer was told, or else the day it must ship.
    `source_version` is the document's version that the row was made of.
    """

    sku: str
    line_key: str
    order_id: str
    line_id: str
    location_id: str | None = None
    quantity: int
    backordered: int = 0
    released: bool
    due_at: datetime | None = None
    placed_at: datetime | None = None
    channel: str
    account: str
    source_version: int

    @property
    def key(self) -> RowKey:
        """(sku, line_key), the key of the row."""
        return self.sku, self.line_key


@dataclass(frozen=True, slots=True)
class _Held:
    """Line units at one place."""

    units: int = 0
    backordered: int = 0
    released: bool = True

    def add(self, units: int, *, released: bool) -> _Held:
        return _Held(self.units + units, 0, self.released and (released or not units))


def line_key(location_id: str | None, order_id: str, line_id: str) -> str:
    """The row's key within its sku: rows of one location lie together."""
    return f"{location_id or UNALLOCATED}#{order_id}#{line_id}"


def open_lines(order: Order) -> tuple[OpenLine, ...]:
    """A row for every place where units of the order are or have been; those with nothing left there are closed."""
    places = _places(order.fulfillments)
    rows = []
    for line in order.lines:
        looking = _Held(line.unallocated, line.backordered, released=False)
        for location_id, held in ((None, looking), *places.get(line.line_id, {}).items()):
            rows += _rows(order, line, location_id, line.stock_units(held.units), held)
            rows += _rows(order, line, location_id, dict.fromkeys(line.formerly, 0), _Held())
    return tuple(rows)


def outdated(order: Order, present: Iterable[OpenLine]) -> tuple[OpenLine, ...]:
    """The rows to write so that the present rows of this order become what the document says.

    A present row made of a newer version stays: who wrote it knew more. One that the document does not know at
    all is closed.
    """
    stands = {row.key: row for row in present}
    wanted = {row.key: row for row in open_lines(order)}
    wanted |= {key: _closed(order, row) for key, row in stands.items() if key not in wanted}
    return tuple(row for key, row in wanted.items() if _differs(row, stands.get(key)))


def _differs(row: OpenLine, stands: OpenLine | None) -> bool:
    if stands is None:
        return row.quantity > 0
    if stands.source_version > row.source_version:
        return False
    return replace(stands, source_version=row.source_version) != row


def _places(fulfillments: Iterable[Fulfillment]) -> dict[str, dict[str, _Held]]:
    """Per line and location, the units that have not left; several works at one location count together."""
    places: dict[str, dict[str, _Held]] = {}
    for one in fulfillments:
        for line in one.lines:
            at = places.setdefault(line.line_id, {})
            before = at.get(one.location_id, _Held())
            at[one.location_id] = before.add(line.open + line.picked, released=is_released(one))
    return places


def _rows(order: Order, line: Line, location_id: str | None, stocked: Mapping[str, int], held: _Held) -> list[OpenLine]:
    backordered = line.stock_units(held.backordered)
    return [
        OpenLine(
            sku=sku,
            line_key=line_key(location_id, order.order_id, line.line_id),
            order_id=order.order_id,
            line_id=line.line_id,
            location_id=location_id,
            quantity=units,
            backordered=backordered.get(sku, 0),
            released=bool(units) and held.released,
            due_at=(order.deliver_by or order.promised_by or order.ship_by) if units else None,
            placed_at=order.placed_at if units else None,
            channel=order.channel,
            account=order.account,
            source_version=order.version,
        )
        for sku, units in stocked.items()
    ]


def _closed(order: Order, row: OpenLine) -> OpenLine:
    return replace(
        row, quantity=0, backordered=0, released=False, due_at=None, placed_at=None, source_version=order.version
    )
