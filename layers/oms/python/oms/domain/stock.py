"""Stock as a ledger: positions in buckets, and moves whose legs balance.

The bucket equation, true of every position at all times:
on_hand = available + committed + reserved + damaged + quality_control.
`committed` is promised to orders, `reserved` is held for carts. A move shifts units between buckets or in and out
of `on_hand`; its legs keep the equation, so the equation holds by construction.

What promises or hands out units needs them to be there (`required`); reports of the physical world need no
permission, they may drive `available` below zero. A report of something that happened before the position was last
counted leaves on_hand alone: the count has it already (`after_count`).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from enum import StrEnum

from oms.domain.errors import InvariantBroken

OVERSOLD = "OVERSOLD"
"""The problem of a position that promised more than there is (`available` below zero)."""


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
    RESERVE = "RESERVE"
    UNRESERVE = "UNRESERVE"
    EXPECT = "EXPECT"
    RECEIVE = "RECEIVE"
    RETURN = "RETURN"
    ADJUST = "ADJUST"
    MARK_DAMAGED = "MARK_DAMAGED"
    SCRAP = "SCRAP"
    QUALITY_HOLD = "QUALITY_HOLD"
    QUALITY_PASS = "QUALITY_PASS"  # noqa: S105 - units that passed an inspection
    QUALITY_FAIL = "QUALITY_FAIL"
    TRANSFER_OUT = "TRANSFER_OUT"
    TRANSFER_IN = "TRANSFER_IN"
    SNAPSHOT = "SNAPSHOT"
    CORRECTION = "CORRECTION"


class Disposition(StrEnum):
    """What becomes of units that came back from a customer."""

    SELLABLE = "SELLABLE"
    QUALITY_CONTROL = "QUALITY_CONTROL"
    DAMAGED = "DAMAGED"


@dataclass(frozen=True, slots=True, kw_only=True)
class Incoming:
    """Units on their way to a location: not on hand, counted only where preorder is allowed."""

    reference: str
    quantity: int
    expected_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class StockPosition:
    """Units of a sku at a location, by bucket. `available` may be negative: truth is never refused.

    `snapshot_as_of` is the moment of the last count that was booked here; `on_hand_version` rises whenever units
    come or go.
    """

    sku: str
    location_id: str
    on_hand: int = 0
    available: int = 0
    committed: int = 0
    reserved: int = 0
    damaged: int = 0
    quality_control: int = 0
    incoming: tuple[Incoming, ...] = ()
    on_hand_version: int = 0
    snapshot_as_of: datetime | None = None
    problem: str | None = None
    problem_since: datetime | None = None

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
    """Units of one sku at one location on their way between buckets. `deltas` must balance.

    `effective_at` is when it happened in the physical world, where that is not when it is written.
    """

    sku: str
    location_id: str
    kind: MoveKind
    quantity: int
    deltas: Mapping[Bucket, int] = field(default_factory=dict)
    effective_at: datetime | None = None

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


def reserve(sku: str, location_id: str, quantity: int) -> StockMove:
    """Hold available units for a cart."""
    return _move(MoveKind.RESERVE, sku, location_id, quantity, available=-1, reserved=1)


def unreserve(sku: str, location_id: str, quantity: int) -> StockMove:
    """The cart's hold ends: the units are available again."""
    return _move(MoveKind.UNRESERVE, sku, location_id, quantity, available=1, reserved=-1)


def receive(sku: str, location_id: str, quantity: int) -> StockMove:
    """Goods arrived and may be sold."""
    return _move(MoveKind.RECEIVE, sku, location_id, quantity, on_hand=1, available=1)


def return_(sku: str, location_id: str, quantity: int, disposition: Disposition) -> StockMove:
    """A customer's units came back; the disposition says what can be done with them."""
    bucket = _RETURNED_TO[disposition]
    return _move(MoveKind.RETURN, sku, location_id, quantity, **{Bucket.ON_HAND.value: 1, bucket.value: 1})


def adjust(sku: str, location_id: str, quantity: int) -> StockMove:
    """Correct what is on hand by a signed quantity, for a reason a person gives."""
    return _move(MoveKind.ADJUST, sku, location_id, quantity, on_hand=1, available=1)


def mark_damaged(sku: str, location_id: str, quantity: int) -> StockMove:
    """Unpromised units turned out to be damaged."""
    return _move(MoveKind.MARK_DAMAGED, sku, location_id, quantity, available=-1, damaged=1)


def scrap(sku: str, location_id: str, quantity: int) -> StockMove:
    """Damaged units leave the building for good."""
    return _move(MoveKind.SCRAP, sku, location_id, quantity, on_hand=-1, damaged=-1)


def quality_hold(sku: str, location_id: str, quantity: int) -> StockMove:
    """Units are set aside for inspection."""
    return _move(MoveKind.QUALITY_HOLD, sku, location_id, quantity, available=-1, quality_control=1)


def quality_pass(sku: str, location_id: str, quantity: int) -> StockMove:
    """Inspected units may be sold again."""
    return _move(MoveKind.QUALITY_PASS, sku, location_id, quantity, quality_control=-1, available=1)


def quality_fail(sku: str, location_id: str, quantity: int) -> StockMove:
    """Inspected units are damaged."""
    return _move(MoveKind.QUALITY_FAIL, sku, location_id, quantity, quality_control=-1, damaged=1)


def transfer(sku: str, from_location: str, to_location: str, quantity: int) -> tuple[StockMove, StockMove]:
    """Move available units to another location: both legs are written together or not at all."""
    out = _move(MoveKind.TRANSFER_OUT, sku, from_location, quantity, on_hand=-1, available=-1)
    return out, _move(MoveKind.TRANSFER_IN, sku, to_location, quantity, on_hand=1, available=1)


def snapshot(position: StockPosition, counted: int) -> StockMove | None:
    """Set on_hand to what was counted; the difference is borne by `available`. None if the count agrees."""
    difference = counted - position.on_hand
    if difference == 0:
        return None
    return _move(MoveKind.SNAPSHOT, position.sku, position.location_id, difference, on_hand=1, available=1)


def correction(sku: str, location_id: str, deltas: Mapping[Bucket, int]) -> StockMove:
    """Bring a position back to what its ledger and its orders say: an audit's repair. Zeros are left out."""
    moved = {bucket: delta for bucket, delta in deltas.items() if delta}
    quantity = sum(abs(delta) for bucket, delta in moved.items() if bucket is not Bucket.ON_HAND)
    return StockMove(sku=sku, location_id=location_id, kind=MoveKind.CORRECTION, quantity=quantity, deltas=moved)


def after_count(move: StockMove, counted_at: datetime) -> StockMove:
    """The move as it is booked at a position counted at `counted_at`: what happened before is in the count.

    Its other legs stand; what it would have changed on hand is borne by `available`. Moments are kept in whole
    seconds: what happened within the second of the count is in it.
    """
    on_hand = move.deltas.get(Bucket.ON_HAND, 0)
    if not on_hand or move.effective_at is None or move.effective_at.replace(microsecond=0) > counted_at:
        return move
    available = move.deltas.get(Bucket.AVAILABLE, 0) - on_hand
    deltas = {**move.deltas, Bucket.ON_HAND: 0, Bucket.AVAILABLE: available}
    return replace(move, deltas={bucket: delta for bucket, delta in deltas.items() if delta})


_RETURNED_TO = {
    Disposition.SELLABLE: Bucket.AVAILABLE,
    Disposition.QUALITY_CONTROL: Bucket.QUALITY_CONTROL,
    Disposition.DAMAGED: Bucket.DAMAGED,
}


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


_NEEDS = {
    Bucket.AVAILABLE: (
        MoveKind.COMMIT,
        MoveKind.RELEASE,
        MoveKind.RESERVE,
        MoveKind.UNRESERVE,
        MoveKind.TRANSFER_OUT,
    ),
    Bucket.QUALITY_CONTROL: (MoveKind.QUALITY_PASS, MoveKind.QUALITY_FAIL),
    Bucket.DAMAGED: (MoveKind.SCRAP,),
}


def required(moves: Iterable[StockMove]) -> dict[Bucket, int]:
    """Units that must be in a bucket before these moves of one position: what is taken, less what is given back.

    Reports of the physical world (ship, overship, not found, count, adjustment) need no permission and count
    for nothing.
    """
    moves = list(moves)
    needed = {}
    for bucket, kinds in _NEEDS.items():
        units = -sum(move.deltas.get(bucket, 0) for move in moves if move.kind in kinds)
        if units > 0:
            needed[bucket] = units
    return needed
