"""One transaction: its actions, whose they are, and what its cancellation reasons mean for each change in it."""

from __future__ import annotations

from collections.abc import Container, Iterable, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import TYPE_CHECKING, Any, Generic

from oms.domain.capacity import DayChange, LocationDay, total
from oms.domain.changes import Count, Expectation, OrderChange, StockChange
from oms.domain.errors import InvariantBroken
from oms.domain.stock import Bucket, StockMove, StockPosition, after_count, required
from oms.stores import capacity as capacity_module
from oms.stores import stock as stock_module
from oms.stores.attribute_values import from_item
from oms.stores.movements import Booking, MovementsStore, document_row, shared_row
from oms.stores.packing import Action, C, Pack, Position, Prepared, Role

if TYPE_CHECKING:
    from oms.stores.capacity import CapacityStore
    from oms.stores.stock import StockStore

FAILED_CONDITION = "ConditionalCheckFailed"
PASSING = frozenset({"TransactionConflict", "ThrottlingError", "ProvisionedThroughputExceeded"})
"""Reasons that say nothing of the content: the same transaction may go through a moment later."""


@dataclass(frozen=True, slots=True)
class Part(Generic[C]):
    """An action, and the changes that want it."""

    role: Role
    action: Action
    wanted_by: list[Prepared[C]]
    position: Position | None = None
    day: LocationDay | None = None


@dataclass(slots=True)
class Refusal(Generic[C]):
    """Why a transaction was cancelled: failed guards with the stored item, positions with theirs, full days, and what
    passes."""

    guards: list[tuple[Prepared[C], Part[C], dict[str, Any] | None]] = field(default_factory=list)
    positions: list[tuple[Position, StockPosition | None, list[Prepared[C]]]] = field(default_factory=list)
    days: list[FullDay[C]] = field(default_factory=list)
    passing: list[Part[C]] = field(default_factory=list)
    malformed: list[Part[C]] = field(default_factory=list)

    def add(self, part: Part[C], stored: dict[str, Any] | None) -> None:
        """A condition failed on what is stored."""
        if part.position and part.role is Role.POSITION:
            position = stock_module.decode(stored) if stored else None
            self.positions.append((part.position, position, part.wanted_by))
        elif part.day:
            self.days.append(FullDay(part.day, capacity_module.parcels(stored), part.wanted_by))
        else:
            self.guards += [(one, part, stored) for one in part.wanted_by]


class Transaction(Generic[C]):
    """The actions of a pack, each with its role, in the order DynamoDB will answer in."""

    def __init__(self, changes: Pack[C], stock: StockStore, movements: MovementsStore, capacity: CapacityStore) -> None:
        self._changes: list[Prepared[C]] = changes.changes
        self._stock = stock
        self._movements = movements
        self._capacity = capacity
        self._now = max(_written_at(one.change) for one in self._changes)
        self._claims = _last_claims(self._changes)
        self.parts = [*self._guards(), *self._positions(), *self._rows(), *self._days(), *self._others()]

    @property
    def actions(self) -> list[Action]:
        """For TransactWriteItems."""
        return [part.action for part in self.parts]

    def refusal(self, reasons: Sequence[Any]) -> Refusal[C]:
        """The cancellation's reasons, sorted by what they are about."""
        refusal: Refusal[C] = Refusal()
        for part, reason in zip(self.parts, reasons, strict=True):
            code = reason["Code"]
            if code == "None":
                continue
            if code in PASSING:
                refusal.passing.append(part)
            elif code != FAILED_CONDITION:
                refusal.malformed.append(part)
            else:
                image = reason.get("Item")
                refusal.add(part, from_item(image) if image else None)
        return refusal

    def _guards(self) -> Iterable[Part[C]]:
        for one in self._changes:
            for role, put in one.guards:
                yield Part(role, {"Put": put}, [one])

    def _others(self) -> Iterable[Part[C]]:
        for one in self._changes:
            for other in one.others:
                yield Part(Role.OTHER, other, [one])

    def _positions(self) -> Iterable[Part[C]]:
        for position, wanting in self._by_position().items():
            moves = [move for one in wanting for move in one.moves.get(position, [])]
            if moves or any(position in one.own for one in wanting):
                action = self._position_action(position, wanting, moves)
                yield Part(Role.POSITION, {"Update": action}, wanting, position)
            elif self._claims.get(position):
                check = self._stock.claim_action(position, self._claims[position])
                yield Part(Role.POSITION, {"ConditionCheck": check}, wanting, position)

    def _position_action(self, position: Position, wanting: list[Prepared[C]], moves: list[StockMove]) -> Action:
        basis = next((_basis(one.change) for one in wanting if position in one.own), None)
        action: Action
        if isinstance(basis, Count):
            action = self._stock.count_action(basis, moves, self._now)
        elif isinstance(basis, Expectation):
            action = self._stock.expectation_action(basis, moves, self._now)
        else:
            action = self._stock.update_action(position, moves, self._now, self._claims.get(position, 0))
        return action

    def _rows(self) -> Iterable[Part[C]]:
        for position, wanting in self._by_position().items():
            moving = [one for one in wanting if one.moves.get(position)]
            sharing = [one for one in moving if not one.documented]
            if sharing:
                bookings = [Booking(_who(one.change), one.moves[position]) for one in sharing]
                row = shared_row(bookings, self._now)
                yield Part(Role.MOVEMENT, {"Put": self._movements.put_action(row)}, sharing, position)
            for one in moving:
                if one.documented:
                    row = document_row(_document_line(one.change), one.moves[position])
                    yield Part(Role.MOVEMENT, {"Put": self._movements.put_action(row)}, [one], position)

    def _days(self) -> Iterable[Part[C]]:
        wanting: dict[LocationDay, list[Prepared[C]]] = {}
        for one in self._changes:
            for day in one.days:
                wanting.setdefault(day, []).append(one)
        for day, ones in wanting.items():
            change = total(one.days[day] for one in ones)
            if change.parcels:
                action = self._capacity.update_action(day, change, self._now)
                yield Part(Role.DAY, {"Update": action}, ones, day=day)

    def _by_position(self) -> dict[Position, list[Prepared[C]]]:
        wanting: dict[Position, list[Prepared[C]]] = {}
        for one in self._changes:
            for position in sorted(one.positions):
                wanting.setdefault(position, []).append(one)
        return wanting


def _last_claims(changes: Iterable[Prepared[Any]]) -> dict[Position, int]:
    """What must stay available once all are written: what the last to take of a sku must leave. Those who wait before
    an earlier one wait before it too."""
    claims: dict[Position, int] = {}
    for one in changes:
        skus = {sku for sku, _ in one.claims}
        claims = {position: units for position, units in claims.items() if position[0] not in skus} | one.claims
    return claims


def book_after_count(wanting: Iterable[Prepared[C]], position: Position, stored: StockPosition | None) -> bool:
    """Turns the moves of what happened before the position was counted; whether there were any."""
    if stored is None or stored.snapshot_as_of is None:
        return False
    turned = False
    for one in wanting:
        before = one.moves.get(position, [])
        after = [after_count(move, stored.snapshot_as_of) for move in before]
        if after != before:
            one.moves[position] = after
            turned = True
    return turned


@dataclass(frozen=True, slots=True)
class Shortage(Generic[C]):
    """A position that refused what was wanted of it, as it is; None where nothing was ever booked. `served` are the
    changes that get their units all the same."""

    position: Position
    stored: StockPosition | None
    wanted_by: list[Prepared[C]]
    served: list[Prepared[C]] = field(default_factory=list)

    def is_asked_by(self, one: Prepared[C]) -> bool:
        """Whether the change takes of the position or must leave something at it."""
        return self.position in one.positions

    def has_room(self, one: Prepared[C]) -> bool:
        """Whether the position as it is bears this change beside those served, and leaves what it must leave."""
        moves = [move for other in self.served for move in other.moves.get(self.position, [])]
        claimed = one.claims.get(self.position, 0)
        there = {bucket: getattr(self.stored, bucket) if self.stored else 0 for bucket in Bucket}
        there[Bucket.AVAILABLE] -= claimed
        needed = {Bucket.AVAILABLE: 0} if claimed else {}
        needed |= required(moves + one.moves.get(self.position, []))
        return all(units <= there[bucket] for bucket, units in needed.items())


@dataclass(frozen=True, slots=True)
class FullDay(Generic[C]):
    """A location's day that refused the places wanted of it, with the parcels it has, and the changes `served`."""

    day: LocationDay
    parcels: int
    wanted_by: list[Prepared[C]]
    served: list[Prepared[C]] = field(default_factory=list)

    def is_asked_by(self, one: Prepared[C]) -> bool:
        """Whether the change takes or gives back a place."""
        return self.day in one.days

    def has_room(self, one: Prepared[C]) -> bool:
        """Whether the day as it is bears this change beside those served."""
        changes: list[DayChange] = [other.days[self.day] for other in self.served]
        return total([*changes, one.days[self.day]]).fits(self.parcels)


Lack = Shortage[C] | FullDay[C]


def lacks_of(refusal: Refusal[C], settled: Container[int]) -> list[Lack[C]]:
    """What refused positions and days lack for those who want them and have no result yet. What a position refused
    for a count alone is booked otherwise by this."""
    lacks: list[Lack[C]] = []
    for position, stored, everyone in refusal.positions:
        wanting = [one for one in everyone if one.place not in settled]
        book_after_count(wanting, position, stored)
        lacks.append(Shortage(position, stored, wanting))
    for full in refusal.days:
        lacks.append(replace(full, wanted_by=[one for one in full.wanted_by if one.place not in settled]))
    return lacks


def served_first(lacks: Sequence[Lack[C]]) -> list[tuple[Prepared[C], list[Lack[C]]]]:
    """The changes that find too little, and where; those given first are served first, in all they want or nothing.

    Exact: a change goes out only if what is left by the kept ones before it does not suffice.
    """
    wanting = {one.place: one for lack in lacks for one in lack.wanted_by}
    out = []
    for _, one in sorted(wanting.items()):
        asked = [lack for lack in lacks if lack.is_asked_by(one)]
        lacking = [lack for lack in asked if not lack.has_room(one)]
        if lacking:
            out.append((one, lacking))
        else:
            for lack in asked:
                lack.served.append(one)
    return out


def _who(change: OrderChange | StockChange) -> dict[str, Any]:
    """Whose moves they are, as a movement row names them."""
    if isinstance(change, OrderChange):
        return {"order_id": change.order.order_id, "version": change.order.version}
    if change.reservation is None:
        return {"change_id": change.change_id}
    return {"reservation_id": change.reservation.reservation_id, "version": change.reservation.version}


def _basis(change: OrderChange | StockChange) -> Count | Expectation | None:
    """What a change of stock rests on, where it is booked only on the position as it was read."""
    return (change.count or change.expectation) if isinstance(change, StockChange) else None


def _document_line(change: OrderChange | StockChange) -> StockChange:
    if isinstance(change, OrderChange):
        raise InvariantBroken("an order has no movement row of its own")
    return change


def _written_at(change: OrderChange | StockChange) -> datetime:
    return change.order.updated_at if isinstance(change, OrderChange) else change.at
