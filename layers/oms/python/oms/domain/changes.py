"""A change: what is written together or not at all.

An `OrderChange` is the next version of an order with the stock it moves; a `StockChange` moves stock that no order
asks for: a line of a stock document, a count, a cart's hold.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from oms.domain.capacity import CapacityMove, by_day
from oms.domain.catalog import Policy
from oms.domain.incoming import Contact
from oms.domain.order import Line, Order
from oms.domain.reservations import Reservation
from oms.domain.stock import Incoming, StockMove

MAX_POSITIONS_PER_CHANGE = 40
"""A change touches no more stock positions, backorder rows and days of locations together than this; the rest goes in
parts.

A position takes two of the 100 actions of a transaction (the position and its movement), the others one.
"""


MAX_CLAIMS = 15
"""Positions that a change may have to leave something at, beside those it takes from."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Context:
    """Who acts, when, and by which rules: all that a decision may know beside the order."""

    now: datetime
    actor: str
    policy: Policy


@dataclass(frozen=True, slots=True, kw_only=True)
class Delivery:
    """A message owed to a destination: `location#WH-1`. What it says is read from the order when it is sent."""

    destination: str
    message_key: str
    kind: str
    order_id: str
    fulfillment_id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Backorder:
    """Units of an order line that wait for stock; `queue_key` sorts the queue of a sku.

    What lies at its `excluded_locations` is not what it waits for.
    """

    sku: str
    queue_key: str
    order_id: str
    line_id: str
    quantity: int
    excluded_locations: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Claim:
    """Units that must stay available at a position when a change is written: older orders wait for them."""

    sku: str
    location_id: str
    quantity: int


@dataclass(frozen=True, slots=True, kw_only=True)
class OrderChange:
    """One step of one order. It is committed only if the stored version is still `order.version - 1`.

    `reservation` is the next version of the cart's hold that the order consumes, under the same rule. `claims` are
    what it must leave to others; no more than MAX_CLAIMS. `capacity` are the places it takes in locations' days and
    gives back.
    """

    order: Order
    moves: tuple[StockMove, ...] = ()
    capacity: tuple[CapacityMove, ...] = ()
    claims: tuple[Claim, ...] = ()
    deliveries: tuple[Delivery, ...] = ()
    references: tuple[str, ...] = ()
    backorders_added: tuple[Backorder, ...] = ()
    backorders_removed: tuple[Backorder, ...] = ()
    contact: Contact | None = None
    reservation: Reservation | None = None

    @property
    def creates(self) -> bool:
        """Whether this is the order's first version."""
        return self.order.version == 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Count:
    """What a count of a position rests on: the moment that was counted, and the position's on_hand as it was read.

    `on_hand_version` is the position's: it rises with every change of on_hand, so that one up and one down between
    reading and writing are not taken for nothing.
    """

    sku: str
    location_id: str
    on_hand_version: int
    as_of: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Expectation:
    """A new list of what is on its way to a position, and the list it rests on."""

    sku: str
    location_id: str
    before: tuple[Incoming, ...]
    after: tuple[Incoming, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class StockChange:
    """Stock moved though no order asks. Booked at most once: `change_id` and `effective_at` are its identity.

    `at` is when it is written. With a `reservation` (its next version), the reservation's version is its identity.
    A `count` or an `expectation` is booked only on the position as it was read. `claims` as in OrderChange.
    """

    change_id: str
    effective_at: datetime
    at: datetime
    actor: str
    moves: tuple[StockMove, ...] = ()
    claims: tuple[Claim, ...] = ()
    reason_code: str = ""
    count: Count | None = None
    expectation: Expectation | None = None
    reservation: Reservation | None = None


def queue_place(order: Order) -> str:
    """Where an order stands in every queue for stock: express first, then oldest. Sorts as text."""
    priority = 1 if order.service_level == "EXPRESS" else 5
    return f"{priority}#{order.placed_at:%Y-%m-%dT%H:%M:%SZ}#{order.order_id}"


def backorders(order: Order, line: Line) -> tuple[Backorder, ...]:
    """The rows that the backordered units of this line have: one in the queue of each sku they are made of."""
    return tuple(
        Backorder(
            sku=sku,
            queue_key=f"{queue_place(order)}#{line.line_id}",
            order_id=order.order_id,
            line_id=line.line_id,
            quantity=units,
            excluded_locations=line.excluded_locations,
        )
        for sku, units in line.stock_units(line.backordered).items()
    )


def queue_rows(before: Order, after: Order) -> tuple[tuple[Backorder, ...], tuple[Backorder, ...]]:
    """The rows (put, deleted) that bring the queues from what one version waits for to what the next waits for."""
    put: list[Backorder] = []
    deleted: list[Backorder] = []
    for was, line in zip(before.lines, after.lines, strict=True):
        if was.backordered != line.backordered:
            put += backorders(after, line) if line.backordered else ()
            deleted += () if line.backordered else backorders(before, was)
    return tuple(put), tuple(deleted)


def touches(change: OrderChange) -> int:
    """Stock positions, backorder rows and days the change writes to: see MAX_POSITIONS_PER_CHANGE."""
    positions = {(move.sku, move.location_id) for move in change.moves}
    rows = len(change.backorders_added) + len(change.backorders_removed)
    return len(positions) + rows + len(by_day(change.capacity))


def fold(changes: Sequence[OrderChange]) -> OrderChange:
    """Changes of one order, each made upon the one before, as one change of one version.

    What happened stays told event by event; only the versions in between were never written.
    """
    first_version = changes[0].order.version
    last = changes[-1].order
    events = tuple(
        replace(event, version=first_version) if event.version > first_version else event for event in last.events
    )
    contacts = [change.contact for change in changes if change.contact is not None]
    rows: dict[tuple[str, str], tuple[Backorder, bool]] = {}
    for change in changes:
        rows |= {(row.sku, row.queue_key): (row, False) for row in change.backorders_removed}
        rows |= {(row.sku, row.queue_key): (row, True) for row in change.backorders_added}
    return OrderChange(
        order=replace(last, version=first_version, events=events),
        moves=tuple(move for change in changes for move in change.moves),
        capacity=tuple(move for change in changes for move in change.capacity),
        claims=next((change.claims for change in reversed(changes) if change.claims), ()),
        deliveries=tuple(one for change in changes for one in change.deliveries),
        references=tuple(dict.fromkeys(one for change in changes for one in change.references)),
        backorders_added=tuple(row for row, waits in rows.values() if waits),
        backorders_removed=tuple(row for row, waits in rows.values() if not waits),
        contact=contacts[-1] if contacts else None,
        reservation=next((change.reservation for change in changes if change.reservation), None),
    )
