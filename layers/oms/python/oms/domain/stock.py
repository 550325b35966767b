"""Stock as a ledger: positions in buckets, and moves whose legs balance.

The bucket equation, true of every position at all times:
on_hand = available + committed + reserved + damaged + quality_control.
`committed` is promised to orders, `reserved` is held for carts. A move shifts units between buckets or in and out
of `on_hand`; its legs keep the equation, so the equation holds by construction.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum

from oms.domain.errors import InvariantBroken


class Bucket(StrEnum):
    """Where the units of a position are counted."""

    ON_HAND = "on_hand"
    AVAILABLE = "available"
    COMMITTED = "committed"
    RESERVED = "reserved"
    DAMAGED = "damaged"
    QUALITY_CONTROL = "quality_control"


PARTS_OF_ON_HAND = tuple(bucket for bucket in Bucket if bucket is not Bucket.ON_HAND)


class MoveKind(StrEnum):
    """Why stock moved."""

    COMMIT = "COMMIT"
    RELEASE = "RELEASE"
    SHIP = "SHIP"
    OVERSHIP = "OVERSHIP"
    NOT_FOUND = "NOT_FOUND"
    DAMAGE = "DAMAGE"
    SNAPSHOT = "SNAPSHOT"


@dataclass(frozen=True, slots=True, kw_only=True)
class StockPosition:
    """Units of a sku at a location, by bucket. `available` may be negative: truth is never refused."""

    sku: str
    location_id: str
    on_hand: int = 0
    available: int = 0
    committed: int = 0
    reserved: int = 0
    damaged: int = 0
    quality_control: int = 0

    def __post_init__(self) -> None:
        """Raises InvariantBroken when the buckets do not add up to on_hand."""
        parts = sum(getattr(self, bucket) for bucket in PARTS_OF_ON_HAND)
        if self.on_hand != parts:
            raise InvariantBroken(f"{self.sku} at {self.location_id}: on_hand {self.on_hand}, buckets {parts}")

    def after(self, deltas: Mapping[Bucket, int]) -> StockPosition:
        """The position once these deltas are added."""
        return replace(self, **{bucket.value: getattr(self, bucket) + delta for bucket, delta in deltas.items()})


@dataclass(frozen=True, slots=True, kw_only=True)
class StockMove:
    """Units of one sku at one location on their way between buckets. `deltas` must balance."""

    sku: str
    location_id: str
    kind: MoveKind
    quantity: int
    deltas: Mapping[Bucket, int] = field(default_factory=dict)

    def __post_init__(self) -> None:
        """Raises InvariantBroken when the legs do not balance."""
        parts = sum(self.deltas.get(bucket, 0) for bucket in PARTS_OF_ON_HAND)
        if self.deltas.get(Bucket.ON_HAND, 0) != parts:
            raise InvariantBroken(f"{self.kind} of {self.sku} at {self.location_id} does not balance")


def commit(sku: str, location_id: str, quantity: int) -> StockMove:
    """Promise available units to an order."""
    return _move(MoveKind.COMMIT, sku, location_id, quantity, available=-1, committed=1)


def release(sku: str, location_id: str, quantity: int) -> StockMove:
    """Take a promise back: the units are available again."""
    return _move(MoveKind.RELEASE, sku, location_id, quantity, available=1, committed=-1)


def ship(sku: str, location_id: str, quantity: int) -> StockMove:
    """Promised units left the building."""
    return _move(MoveKind.SHIP, sku, location_id, quantity, on_hand=-1, committed=-1)


def overship(sku: str, location_id: str, quantity: int) -> StockMove:
    """Units left that were promised to nobody; `available` may go negative."""
    return _move(MoveKind.OVERSHIP, sku, location_id, quantity, on_hand=-1, available=-1)


def not_found(sku: str, location_id: str, quantity: int) -> StockMove:
    """Promised units are not where they should be: they leave the books."""
    return _move(MoveKind.NOT_FOUND, sku, location_id, quantity, on_hand=-1, committed=-1)


def damage(sku: str, location_id: str, quantity: int) -> StockMove:
    """Promised units turned out to be damaged; they stay on hand, but can't be sold."""
    return _move(MoveKind.DAMAGE, sku, location_id, quantity, committed=-1, damaged=1)


def snapshot(position: StockPosition, counted: int) -> StockMove | None:
    """Set on_hand to what was counted; the difference is borne by `available`. None if the count agrees."""
    difference = counted - position.on_hand
    if difference == 0:
        return None
    return _move(MoveKind.SNAPSHOT, position.sku, position.location_id, difference, on_hand=1, available=1)


def _move(kind: MoveKind, sku: str, location_id: str, quantity: int, **signs: int) -> StockMove:
    deltas = {Bucket(bucket): sign * quantity for bucket, sign in signs.items()}
    return StockMove(sku=sku, location_id=location_id, kind=kind, quantity=quantity, deltas=deltas)


def by_position(moves: Iterable[StockMove]) -> dict[tuple[str, str], list[StockMove]]:
    """The moves of each (sku, location_id), in a stable order."""
    grouped: dict[tuple[str, str], list[StockMove]] = {}
    for move in sorted(moves, key=lambda one: (one.sku, one.location_id)):
        grouped.setdefault((move.sku, move.location_id), []).append(move)
    return grouped


def net(moves: Iterable[StockMove]) -> dict[Bucket, int]:
    """The sum of the moves per bucket, without zeros."""
    total: dict[Bucket, int] = {}
    for move in moves:
        for bucket, delta in move.deltas.items():
            total[bucket] = total.get(bucket, 0) + delta
    return {bucket: delta for bucket, delta in total.items() if delta}


def taken(moves: Iterable[StockMove]) -> int:
    """Units that must be available before these moves: what promises take, less what moves give back.

    Reports of the physical world (ship, overship, not found, snapshot) need no permission and count for nothing.
    """
    guarded = [move for move in moves if move.kind in (MoveKind.COMMIT, MoveKind.RELEASE)]
    return max(0, -net(guarded).get(Bucket.AVAILABLE, 0))
