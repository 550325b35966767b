"""Which loads together are the order: the last step of the search.

Every piece gets a dual price, such that no load costs less than its pieces' prices sum to. What a load costs beyond
them is its excess: a plan costs the prices of all pieces and the excesses of its loads. Loads are tried by excess,
those with the rarest open item, so the first that can't beat the best plan known ends its branch.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import inf
from operator import attrgetter

from oms.domain.routing_loads import Loads

_EPSILON = 1e-6
"""Costs are whole numbers: a better plan is better by one. What sums of floats may lose is less than this."""

COLUMNS_PER_WORK = 16
"""Looking at so many columns that do not fit is work as pricing a load is."""


@dataclass(slots=True)
class Work:
    """How much a search has done, and how much it may."""

    limit: int
    spent: int = 0

    @property
    def is_over(self) -> bool:
        """Whether the search must end with what it has."""
        return self.spent >= self.limit


@dataclass(slots=True)
class Column:
    """A load at a site (by its place in the search), at its price. `excess` is what it costs beyond the dual prices of
    its pieces."""

    code: int
    site: int
    cost: int
    excess: float = 0.0

    @property
    def bit(self) -> int:
        """The site as `routing_loads` numbers them."""
        return 1 << self.site * 8


class Partition:
    """The cheapest set of at most `max_parcels` columns that has every piece once, if it costs less than `ceiling`.

    With `distinct`, no site may send two; else there must be only one column for each load. `bound`: no such set costs
    less.
    """

    def __init__(
        self, columns: Sequence[Column], loads: Loads, max_parcels: int, ceiling: float, work: Work, *, distinct: bool
    ) -> None:
        self.plan: list[Column] = []
        self.cost = ceiling
        self._guard = loads.guard
        self._work = work
        self._distinct = distinct
        self._by_code: dict[int, list[Column]] = {}
        self._by_item: list[list[Column]] = [[] for _ in loads.items]
        self._item_at = [at for at, item in enumerate(loads.items) for _ in range(item.pieces.bit_length() + 1)]
        self._seen: dict[tuple[int, int, int], float] = {}
        self.bound = self._price_pieces(columns, loads)
        for column in sorted(columns, key=attrgetter("excess", "cost")):
            self._by_code.setdefault(column.code, []).append(column)
            self._by_item[self._first(column.code)].append(column)
        self._search(loads.whole, self.bound, max_parcels, [])

    def _first(self, code: int) -> int:
        """The first item in the load."""
        return self._item_at[(code & -code).bit_length() - 1]

    def _price_pieces(self, columns: Sequence[Column], loads: Loads) -> float:
        """Sets the excesses; returns the dual prices of all pieces. First every piece takes its share of the cheapest
        load it is in, then, the rarest first, what those loads have left."""
        masks = list(enumerate(zip(loads.masks, loads.shifts, strict=True)))
        left = [float(column.cost) for column in columns]
        within: list[list[tuple[int, int]]] = [[] for _ in loads.items]
        for at, column in enumerate(columns):
            code = column.code
            for number, (mask, shift) in masks:
                if code & mask:
                    within[number].append((at, (code & mask) >> shift))
        shares = self._shares(columns, within)
        for number, holding in enumerate(within):
            share = shares[number]
            for at, pieces in holding:
                left[at] -= share * pieces
        for number, holding in enumerate(within):
            more = min([left[at] / pieces for at, pieces in holding], default=0.0)
            shares[number] += more
            for at, pieces in holding:
                left[at] -= more * pieces
        for column, excess in zip(columns, left, strict=True):
            column.excess = max(0.0, excess)
        return sum(share * item.pieces for share, item in zip(shares, loads.items, strict=True))

    def _shares(self, columns: Sequence[Column], within: Sequence[Sequence[tuple[int, int]]]) -> list[float]:
        """Per item the least that a piece costs if the pieces of a load share its price."""
        together = [0] * len(columns)
        for holding in within:
            for at, pieces in holding:
                together[at] += pieces
        return [min([columns[at].cost / together[at] for at, _ in holding], default=0.0) for holding in within]

    def _search(self, rest: int, bound: float, parcels: int, chosen: list[Column]) -> None:
        """`bound` is what the chosen columns and the dual prices of the rest cost together."""
        columns = self._by_item[self._first(rest)]
        self._work.spent += 1 + len(columns) // COLUMNS_PER_WORK
        guard, work, guarded = self._guard, self._work, rest | self._guard
        for column in columns:
            total = bound + column.excess
            if total > self.cost - 1 + _EPSILON or work.spent >= work.limit:
                return
            left = guarded - column.code
            if left & guard != guard or not self._is_free(column, chosen):
                continue
            work.spent += 1
            left ^= guard
            chosen.append(column)
            if not left:
                self._finish((column,), chosen[:-1])
            elif parcels == 2:
                self._finish(self._by_code.get(left, ()), chosen)
            elif parcels > 2 and self._is_new(left, total, parcels - 1, chosen):
                self._search(left, total, parcels - 1, chosen)
            chosen.pop()

    def _is_new(self, rest: int, bound: float, parcels: int, chosen: Sequence[Column]) -> bool:
        """Whether the same rest, with the same sites taken if that matters, was not come to before for as little."""
        key = (rest, parcels, sum([column.bit for column in chosen]) if self._distinct else 0)
        if self._seen.get(key, inf) <= bound + _EPSILON:
            return False
        self._seen[key] = bound
        return True

    def _is_free(self, column: Column, chosen: Sequence[Column]) -> bool:
        return not self._distinct or all(one.site != column.site for one in chosen)

    def _finish(self, last: Sequence[Column], chosen: Sequence[Column]) -> None:
        """The plan with the first of these columns that may be its last, if it is better than the best known."""
        for column in last:
            if self._is_free(column, chosen):
                cost = column.cost + sum([one.cost for one in chosen])
                if cost < self.cost:
                    self.plan, self.cost = [*chosen, column], cost
                return
