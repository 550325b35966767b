"""Packing: many changes into few transactions, with one stock update per position in each.

A transaction of DynamoDB takes 100 actions and names an item once. A change brings its own actions (its order, what
is owed because of it) and touches positions; changes that touch the same positions share their updates and movement
rows. 98 one-line orders of one sku are one transaction: 98 orders, one position, one movement.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Generic, TypeVar

from oms.domain.capacity import DayChange, LocationDay
from oms.domain.changes import OrderChange, StockChange
from oms.domain.stock import StockMove

MAX_ACTIONS = 100
MAX_BYTES = 3_500_000
"""DynamoDB takes 4 MB a transaction; sizes here are estimates."""

C = TypeVar("C", OrderChange, StockChange)
Action = dict[str, Any]
Position = tuple[str, str]


class Role(StrEnum):
    """What an action of a transaction is for."""

    ORDER = "ORDER"
    RESERVATION = "RESERVATION"
    MOVEMENT = "MOVEMENT"
    POSITION = "POSITION"
    DAY = "DAY"
    OTHER = "OTHER"


@dataclass(slots=True)
class Prepared(Generic[C]):
    """A change with all that it writes beside shared stock, made once however often it is packed.

    `guards` are its documents, each put under a condition; `others` need none. `own` positions (a count, an
    expectation) are updated for this change alone; `documented` changes have movement rows of their own. `claims`
    are the units that must stay available at a position; `days` what is added to the days of locations.
    """

    place: int
    change: C
    moves: dict[Position, list[StockMove]]
    guards: list[tuple[Role, Action]] = field(default_factory=list)
    others: list[Action] = field(default_factory=list)
    own: frozenset[Position] = frozenset()
    claims: dict[Position, int] = field(default_factory=dict)
    days: dict[LocationDay, DayChange] = field(default_factory=dict)
    documented: bool = False
    size: int = 0

    @property
    def positions(self) -> set[Position]:
        """Every position it touches or must leave something at."""
        return {*self.moves, *self.own, *self.claims}

    @property
    def is_one_document(self) -> bool:
        """Whether it writes a single document: that needs no transaction, at half the price."""
        return len(self.guards) == 1 and not (self.others or self.positions or self.days)

    @property
    def actions(self) -> int:
        """How many actions it takes where it shares none."""
        shared = len(self.moves) + len(self.positions) + len(self.days)
        return len(self.guards) + len(self.others) + shared


@dataclass(slots=True)
class Pack(Generic[C]):
    """Changes that go into one transaction, in the order they were given."""

    changes: list[Prepared[C]] = field(default_factory=list)
    positions: set[Position] = field(default_factory=set)
    owned: set[Position] = field(default_factory=set)
    shared_rows: set[Position] = field(default_factory=set)
    days: set[LocationDay] = field(default_factory=set)
    actions: int = 0
    size: int = 0

    def takes(self, one: Prepared[C]) -> bool:
        """Whether the change fits; the first always does, so that DynamoDB itself may say it is too large."""
        if not self.changes:
            return True
        if one.is_one_document or self.changes[0].is_one_document:
            return False
        if one.own & self.positions or one.positions & self.owned:
            return False
        return self.actions + self._adds(one) <= MAX_ACTIONS and self.size + one.size <= MAX_BYTES

    def add(self, one: Prepared[C]) -> None:
        """Takes the change in."""
        self.actions += self._adds(one)
        self.size += one.size
        self.changes.append(one)
        self.positions |= one.positions
        self.owned |= one.own
        if not one.documented:
            self.shared_rows |= set(one.moves)
        self.days |= one.days.keys()

    def _adds(self, one: Prepared[C]) -> int:
        rows = len(one.moves) if one.documented else len(set(one.moves) - self.shared_rows)
        shared = len(one.positions - self.positions) + len(one.days.keys() - self.days)
        return len(one.guards) + len(one.others) + shared + rows


def pack(changes: Sequence[Prepared[C]]) -> list[Pack[C]]:
    """The changes in as few transactions as a single pass finds, those of the same position side by side."""
    popular = Counter(position for one in changes for position in one.positions)
    packs: list[Pack[C]] = []
    for one in sorted(changes, key=lambda one: _cluster(one, popular)):
        if not packs or not packs[-1].takes(one):
            packs.append(Pack())
        packs[-1].add(one)
    for made in packs:
        made.changes.sort(key=lambda one: one.place)
    return packs


def halves(one: Pack[C]) -> list[Pack[C]]:
    """The same changes in two transactions."""
    middle = len(one.changes) // 2
    return [together(one.changes[:middle]), together(one.changes[middle:])]


def together(changes: Iterable[Prepared[C]]) -> Pack[C]:
    """Changes that were in one transaction before, in one again."""
    made: Pack[C] = Pack()
    for one in changes:
        made.add(one)
    return made


def _cluster(one: Prepared[Any], popular: Counter[Position]) -> tuple[int, Position, int]:
    """Sorts by the most wanted position it touches, then as given."""
    if not one.positions:
        return 0, ("", ""), one.place
    most = max(one.positions, key=lambda position: (popular[position], position))
    return -popular[most], most, one.place
