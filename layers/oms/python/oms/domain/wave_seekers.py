"""An order that competes with others: the plans known of it, and how it finds more."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from heapq import heappop, heappush
from typing import NamedTuple

from oms.domain.routing_model import Instance, Parcel, Solution
from oms.domain.routing_partition import Work
from oms.domain.routing_search import WORK_LIMIT, solve
from oms.domain.wave_supplies import Reach, Supply, Uses, uses_of

ASKING = 80
"""Work of asking an order, beside the search itself."""


class Choice(NamedTuple):
    """A plan of one order: its own cost, and what it uses of the supplies that could run short."""

    cost: int
    uses: Uses
    parcels: tuple[Parcel, ...]

    def priced(self, prices: Sequence[float]) -> float:
        """Its cost together with what it uses."""
        cost: float = self.cost
        for supply, units in self.uses:
            cost += prices[supply] * units
        return cost


class Seeker:
    """One order. Of plans that use the same only the cheapest is known.

    `first` is the plan it came with; `bound` is what no plan of it costs less than.
    """

    def __init__(self, instance: Instance, parcels: Sequence[Parcel], numbers: Mapping[Supply, int]) -> None:
        self.bound = 0
        self.choices: list[Choice] = []
        self._numbers = numbers
        self._asked: tuple[int, ...] | None = None
        self._answered: float = 0
        self._reach = Reach(instance, numbers)
        self.first = self._learn(parcels)

    @property
    def competes(self) -> bool:
        """Whether it could use anything that could run short."""
        return bool(self._reach.supplies)

    def ask(self, prices: Sequence[int], work: Work) -> float:
        """Learns the best plan at these prices; returns what none costs less than at them."""
        own = tuple(prices[supply] for supply in self._reach.supplies)
        if own != self._asked:
            solution = self._solve(self._reach.priced(prices), work)
            self._asked, self._answered = own, self.bound if solution is None else solution.bound_minor
        return self._answered

    def ask_within(self, left: Sequence[int], work: Work) -> None:
        """Learns the best plan that uses no more than this."""
        self._solve(self._reach.limited(left), work)

    def explore(self, prices: Sequence[int], most: int, reach: int, work: Work) -> None:
        """Learns plans that cost up to `reach` more at these prices than the best, doing without what that uses, then
        without what those use that are found so. `most` are asked for, the most promising first."""
        best = min(self.choices, key=lambda one: (one.priced(prices), one.uses))
        floor = best.priced(prices)
        todo: list[tuple[float, tuple[int, ...]]] = [(0.0, (supply,)) for supply, _ in best.uses]
        seen = {without for _, without in todo}
        for _ in range(most):
            if not todo or work.is_over:
                break
            _, without = heappop(todo)
            dearer = list(prices)
            for supply in without:
                dearer[supply] += reach + 1
            solution = self._solve(self._reach.priced(dearer), work)
            more = float("inf") if solution is None else solution.cost_minor - floor
            if solution is None or more > reach:
                continue
            for supply, _ in uses_of(self._reach.instance.items, solution.parcels, self._numbers):
                further = tuple(sorted({*without, supply}))
                if further not in seen:
                    seen.add(further)
                    heappush(todo, (more, further))

    def _solve(self, instance: Instance, work: Work) -> Solution | None:
        """The best plan of an instance made from the order's own; it is known from now on."""
        solution = solve(instance, min(WORK_LIMIT, max(1, work.limit - work.spent)))
        work.spent += ASKING + (solution.work if solution else 0)
        if solution is not None:
            self._learn(self._reach.as_given(solution.parcels))
        return solution

    def _learn(self, parcels: Sequence[Parcel]) -> Choice:
        uses = uses_of(self._reach.instance.items, parcels, self._numbers)
        found = Choice(sum(parcel.cost_minor for parcel in parcels), uses, tuple(parcels))
        known = next((one for one in self.choices if one.uses == uses), None)
        if known is None or found.cost < known.cost:
            self.choices = [*(one for one in self.choices if one is not known), found]
        return found
