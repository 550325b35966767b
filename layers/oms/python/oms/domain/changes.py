"""A change: the next version of an order, and everything that is written with it or not at all."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from oms.domain.catalog import Policy
from oms.domain.incoming import Contact
from oms.domain.order import Line, Order
from oms.domain.stock import StockMove

MAX_POSITIONS_PER_CHANGE = 40
"""A change touches no more stock positions and backorder rows together than this; the rest goes in parts.

A position takes two of the 100 actions of a transaction (the position and its movement), a backorder row one.
"""


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
    """Units of an order line that wait for stock; `queue_key` sorts the queue of a sku."""

    sku: str
    queue_key: str
    order_id: str
    line_id: str
    quantity: int


@dataclass(frozen=True, slots=True, kw_only=True)
class OrderChange:
    """One step of one order. It is committed only if the stored version is still `order.version - 1`."""

    order: Order
    moves: tuple[StockMove, ...] = ()
    deliveries: tuple[Delivery, ...] = ()
    references: tuple[str, ...] = ()
    backorders_added: tuple[Backorder, ...] = ()
    backorders_removed: tuple[Backorder, ...] = ()
    contact: Contact | None = None

    @property
    def creates(self) -> bool:
        """Whether this is the order's first version."""
        return self.order.version == 1

    @property
    def order_only(self) -> bool:
        """Whether nothing but the document is written."""
        return self.contact is None and not (
            self.moves or self.deliveries or self.references or self.backorders_added or self.backorders_removed
        )


def backorder(order: Order, line: Line) -> Backorder:
    """The row that the backordered units of this line have in the queue of its sku: express first, then oldest."""
    priority = 1 if order.service_level == "EXPRESS" else 5
    placed_at = order.placed_at.strftime("%Y-%m-%dT%H:%M:%SZ")
    return Backorder(
        sku=line.sku,
        queue_key=f"{priority}#{placed_at}#{order.order_id}#{line.line_id}",
        order_id=order.order_id,
        line_id=line.line_id,
        quantity=line.backordered,
    )


def touches(change: OrderChange) -> int:
    """Stock positions and backorder rows the change writes to: see MAX_POSITIONS_PER_CHANGE."""
    positions = {(move.sku, move.location_id) for move in change.moves}
    return len(positions) + len(change.backorders_added) + len(change.backorders_removed)


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
    return OrderChange(
        order=replace(last, version=first_version, events=events),
        moves=tuple(move for change in changes for move in change.moves),
        deliveries=tuple(one for change in changes for one in change.deliveries),
        references=tuple(dict.fromkeys(one for change in changes for one in change.references)),
        backorders_added=tuple(row for change in changes for row in change.backorders_added),
        backorders_removed=tuple(row for change in changes for row in change.backorders_removed),
        contact=contacts[-1] if contacts else None,
    )
