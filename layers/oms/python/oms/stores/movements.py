"""`stock_movements`: the ledger. Every change of a position has its row here, written in the same transaction.

Moves of orders and carts that one transaction makes at a position share a row, which lists them; a stock document's
line has a row of its own, whose id follows from the line, so that booking it twice is refused.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any

from oms.domain.changes import StockChange
from oms.domain.ids import short_hash
from oms.domain.stock import Bucket, StockMove, net
from oms.stores.documents import format_time
from oms.stores.table import Table

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

NOT_BOOKED_YET = "attribute_not_exists(sku)"


@dataclass(frozen=True, slots=True)
class Booking:
    """Moves at one position, and whose they are: `who` names the order or reservation, `version` its new version."""

    who: dict[str, Any]
    moves: Sequence[StockMove]


class MovementsStore:
    """The rows of the ledger, append only."""

    def __init__(self, client: DynamoDBClient, table_prefix: str) -> None:
        self.table = Table(client, f"{table_prefix}stock_movements")

    def put_action(self, row: dict[str, Any]) -> Any:
        """The put of a row, refused if it is there."""
        return self.table.put_action(row, NOT_BOOKED_YET)


def shared_row(bookings: Sequence[Booking], now: datetime) -> dict[str, Any]:
    """The row of what orders and carts moved at one position in one transaction.

    Its `effective_at` is the latest of theirs; an entry that happened at another time says when, and what it
    changed on hand.
    """
    moves = [move for booking in bookings for move in booking.moves]
    effective_at = max(move.effective_at or now for move in moves)
    identity = sorted("@".join(map(str, booking.who.values())) for booking in bookings)
    row = _row(moves, effective_at, now, short_hash(*identity))
    several_kinds = len(row["kinds"]) > 1
    row["entries"] = [
        booking.who | _entry(move, effective_at, now, several_kinds) for booking in bookings for move in booking.moves
    ]
    return row


def document_row(change: StockChange, moves: Sequence[StockMove]) -> dict[str, Any]:
    """The row of one line of a stock document at one position."""
    row = _row(moves, change.effective_at, change.at, short_hash(change.change_id))
    row |= {"change_id": change.change_id, "actor": change.actor}
    if change.reason_code:
        row["reason_code"] = change.reason_code
    row["entries"] = [{"change_id": change.change_id, "quantity": sum(move.quantity for move in moves)}]
    return row


def _row(moves: Sequence[StockMove], effective_at: datetime, now: datetime, identity: str) -> dict[str, Any]:
    sku, location_id, at = moves[0].sku, moves[0].location_id, format_time(effective_at)
    return {
        "sku": sku,
        "movement_id": f"{at}#{location_id}#{identity}",
        "location_id": location_id,
        "location_day": f"{location_id}#{at[:10]}",
        "effective_at": at,
        "recorded_at": format_time(now),
        "kinds": sorted({move.kind.value for move in moves}),
        "changes": changes_of(moves),
    }


def changes_of(moves: Iterable[StockMove]) -> dict[str, int]:
    """Net change per bucket, without zeros."""
    return {bucket.value: delta for bucket, delta in net(moves).items()}


def _entry(move: StockMove, row_effective_at: datetime, now: datetime, several_kinds: bool) -> dict[str, Any]:
    entry: dict[str, Any] = {"quantity": move.quantity}
    if several_kinds:
        entry["kind"] = move.kind.value
    effective_at = move.effective_at or now
    if effective_at != row_effective_at:
        entry["effective_at"] = format_time(effective_at)
        entry["on_hand"] = move.deltas.get(Bucket.ON_HAND, 0)
    return entry
