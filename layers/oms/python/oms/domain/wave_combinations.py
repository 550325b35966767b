"""The cheapest combination of plans of a few orders that fits into what is left to them.

Branch and bound over the orders, those first that would lose most without their best plan. Two bounds end a branch:
what the plans still to choose cost at least; and what all cost at least with prices, less what all that is left brings.
"""

from __future__ import annotations

from collections.abc import Sequence

from oms.domain.routing_partition import Work
from oms.domain.wave_seekers import Choice

MAX_NODES = 1_000
"""Plans tried in one search."""

_EPSILON = 1e-6


def cheapest(
    options: Sequence[Sequence[Choice]], left: list[int], prices: Sequence[float], ceiling: int, work: Work
) -> list[Choice]:
    """One of each order's options, together within `left` and cheaper than `ceiling`; nothing where none was found.

    Each order's options are sorted by their cost with prices, and fit by themselves.
    """
    if not all(options):
        return []
    rated = [[(one.priced(prices), one) for one in row] for row in options]
    order = sorted(range(len(rated)), key=lambda at: (-_lead(rated[at]), at))
    search = _Search([rated[at] for at in order], left, ceiling)
    search.go(0, -_worth(options, left, prices), [])
    work.spent += search.nodes
    places = {at: number for number, at in enumerate(order)}
    return [search.best[places[at]] for at in range(len(order))] if search.best else []


def _lead(rated: Sequence[tuple[float, Choice]]) -> float:
    """How much dearer with prices the second option is than the first."""
    return rated[1][0] - rated[0][0] if len(rated) > 1 else float("inf")


def _worth(options: Sequence[Sequence[Choice]], left: Sequence[int], prices: Sequence[float]) -> float:
    """What all that is left and could be used would bring at these prices."""
    usable: dict[int, int] = {}
    for row in options:
        most: dict[int, int] = {}
        for one in row:
            for supply, units in one.uses:
                most[supply] = max(most.get(supply, 0), units)
        for supply, units in most.items():
            usable[supply] = usable.get(supply, 0) + units
    return sum(prices[supply] * min(units, max(0, left[supply])) for supply, units in usable.items())


class _Search:
    """Depth first; `left` is what the chosen plans leave, and as it was at the end."""

    def __init__(self, rated: Sequence[Sequence[tuple[float, Choice]]], left: list[int], ceiling: int) -> None:
        self.best: list[Choice] = []
        self.nodes = 0
        self._rated = rated
        self._left = left
        self._ceiling = ceiling
        self._rest, self._rest_priced = [0], [0.0]
        for row in reversed(rated):
            self._rest.append(self._rest[-1] + min(one.cost for _, one in row))
            self._rest_priced.append(self._rest_priced[-1] + row[0][0])

    def go(self, cost: int, priced: float, chosen: list[Choice]) -> None:
        """Tries what the next order may have; `cost` and `priced` are those of the chosen plans."""
        todo = len(self._rated) - len(chosen)
        if not todo:
            self.best, self._ceiling = list(chosen), cost
            return
        rest, rest_priced = self._rest[todo - 1], self._rest_priced[todo - 1]
        for with_prices, choice in self._rated[len(chosen)]:
            if priced + with_prices + rest_priced > self._ceiling - 1 + _EPSILON or self.nodes >= MAX_NODES:
                return
            if cost + choice.cost + rest >= self._ceiling:
                continue
            self.nodes += 1
            if self._take(choice):
                chosen.append(choice)
                self.go(cost + choice.cost, priced + with_prices, chosen)
                chosen.pop()
                self._give_back(choice)

    def _take(self, choice: Choice) -> bool:
        """Takes what the plan uses if all of it is left."""
        for supply, units in choice.uses:
            if units > self._left[supply]:
                return False
        for supply, units in choice.uses:
            self._left[supply] -= units
        return True

    def _give_back(self, choice: Choice) -> None:
        for supply, units in choice.uses:
            self._left[supply] += units
