"""What an audit of stock looks at: movements with what they did for whom, and what orders and carts hold by their
own documents. Movements and positions are taken as they lie, also where they do not add up.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

from oms.domain import stock
from oms.domain.changes import Backorder, backorders
from oms.domain.order import Order
from oms.domain.reservations import Reservation
from oms.domain.stock import PARTS_OF_ON_HAND, Bucket, MoveKind

Figures = Mapping[Bucket, int]
HELD = (Bucket.COMMITTED, Bucket.RESERVED)
NOTHING: Figures = dict.fromkeys(Bucket, 0)

_OF_ONE_UNIT = {
    move.kind: move.deltas
    for make in (stock.commit, stock.release, stock.ship, stock.not_found, stock.damage, stock.reserve, stock.unreserve)
    for move in (make("", "", 1),)
}


class Holder(NamedTuple):
    """Who holds units: an order, or a cart by its reservation."""

    order_id: str = ""
    reservation_id: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """What a movement did for one order or cart; `version` is 0 where it names none."""

    holder: Holder
    version: int = 0
    committed: int = 0
    reserved: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Movement:
    """A row of the ledger. What a correction says of orders and carts need not be what it did to the sums."""

    movement_id: str
    location_id: str
    changes: Figures
    entries: tuple[Entry, ...] = ()
    is_correction: bool = False

    @property
    def is_even(self) -> bool:
        """Whether its legs balance, and its entries add up to what it promised and held."""
        if self.is_correction:
            return adds_up(self.changes)
        committed = sum(one.committed for one in self.entries)
        reserved = sum(one.reserved for one in self.entries)
        listed = (self.changes.get(Bucket.COMMITTED, 0), self.changes.get(Bucket.RESERVED, 0))
        return adds_up(self.changes) and listed == (committed, reserved)


@dataclass(frozen=True, slots=True, kw_only=True)
class Picture:
    """Everything about one sku at one moment. Only orders that were read are judged; None: there is no such order.

    `told` are the versions that an order's history tells of. Who is in `unreadable` can't be judged.
    """

    sku: str
    positions: Mapping[str, Figures]
    movements: tuple[Movement, ...] = ()
    orders: Mapping[str, Order | None] = field(default_factory=dict)
    told: Mapping[str, frozenset[int]] = field(default_factory=dict)
    reservations: Mapping[str, Reservation] = field(default_factory=dict)
    unreadable: frozenset[str] = frozenset()


def adds_up(figures: Figures) -> bool:
    """Whether the bucket equation holds; true of a movement as of a position."""
    return figures.get(Bucket.ON_HAND, 0) == sum(figures.get(bucket, 0) for bucket in PARTS_OF_ON_HAND)


def effect(kind: str, quantity: int) -> tuple[int, int]:
    """Units (committed, reserved) that a move of this kind and quantity adds for whom it was made."""
    deltas = _OF_ONE_UNIT.get(MoveKind(kind), {})
    return quantity * deltas.get(Bucket.COMMITTED, 0), quantity * deltas.get(Bucket.RESERVED, 0)


def held_by_order(order: Order) -> Counter[tuple[str, str]]:
    """Units of stocked skus that locations hold for an order, by (sku, location_id)."""
    held: Counter[tuple[str, str]] = Counter()
    for one in order.fulfillments:
        for part in one.lines:
            units, line = part.open + part.picked, order.line(part.line_id)
            for sku, quantity in (line.stock_units(units) if line else {part.sku: units}).items():
                held[sku, one.location_id] += quantity
    return +held


def held_by_cart(reservation: Reservation) -> Counter[tuple[str, str]]:
    """Units that a cart holds, by (sku, location_id); none once the hold has ended."""
    held: Counter[tuple[str, str]] = Counter()
    for line in reservation.lines if reservation.is_active else ():
        held[line.sku, line.location_id] += line.quantity
    return held


def queue_of(order: Order) -> list[Backorder]:
    """The rows that an order must have in the queues for stock."""
    return [row for line in order.lines if line.backordered for row in backorders(order, line)]
