"""Which of its known plans each order takes: from plans that fit together to cheaper ones that do.

An order that has not its best plan is put together with the orders that hold what this plan lacks, and with those that
hold what these would take instead; all combinations of the group's plans are searched while the others stay.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence

from oms.domain.routing_partition import Work
from oms.domain.wave_combinations import cheapest
from oms.domain.wave_seekers import Choice, Seeker

MAX_SWEEPS = 40
"""Times all orders are looked at."""

MAX_SETTLING = 5
"""Times every order may move to what costs it least with prices."""

MAX_HOLDERS = 3
"""Orders asked to give way for one supply."""

GROUPING = 1
"""Work of an order in a group, beside the search itself."""

MAX_WISHES = 4
"""Plans an order tries to get."""


class Exchange:
    """Orders, the plan each has, and what is left of the supplies."""

    def __init__(self, seekers: Sequence[Seeker], limits: Sequence[int], prices: Sequence[float], work: Work) -> None:
        self.has: list[Choice] = [seeker.first for seeker in seekers]
        self._left = list(limits)
        self._seekers = seekers
        self._prices = prices
        self._work = work
        self._options: list[list[Choice]] = [[] for _ in seekers]
        self._holders: list[set[int]] = [set() for _ in limits]
        for order, choice in enumerate(self.has):
            self._hold(order, choice)
            self._rate(order)

    @property
    def cost(self) -> int:
        """What the plans cost together."""
        return sum(choice.cost for choice in self.has)

    def start(self, has: Sequence[Choice]) -> None:
        """Gives every order this plan, whatever it had."""
        for order in range(len(has)):
            self._release(order)
        for order, choice in enumerate(has):
            self._hold(order, choice)

    def undo_needless(self, first: Sequence[Choice]) -> None:
        """Gives every order the plan it came with where that is there and costs no more than what it has."""
        for order, choice in enumerate(first):
            has = self.has[order]
            self._release(order)
            self._hold(order, choice if choice.cost <= has.cost and self._fits(choice) else has)

    def settle(self) -> None:
        """Moves every order to what costs it least with prices among what fits: not cheaper, but nearer to what the
        prices say, and so another place to start from."""
        for _ in range(MAX_SETTLING):
            before = list(self.has)
            for order in self._by_regret():
                has = self.has[order]
                self._release(order)
                self._hold(order, next((one for one in self._options[order] if self._fits(one)), has))
            if self.has == before:
                break

    def run(self, sizes: Sequence[int]) -> None:
        """Exchanges in groups of the first size until nothing gets better, then of the next."""
        stage = 0
        for sweep in range(MAX_SWEEPS):
            better = [self._regroup(self._group(order, sizes[stage], sweep)) for order in self._by_regret()]
            if self._work.is_over:
                break
            if not any(better):
                for order in self._by_regret():
                    self._look_around(order)
                stage += 1
                if stage == len(sizes):
                    break

    def _by_regret(self) -> list[int]:
        """The orders that have not their best plan, those first whose plan is worst; and those whose plan is as good
        as any, while another would use something that has a price and lies idle."""
        regrets = [(self._regret(order), order) for order in range(len(self.has))]
        worst_first = sorted(regrets, key=lambda one: (-one[0], one[1]))
        return [order for regret, order in worst_first if regret > 0 or self._could_use_what_is_left(order)]

    def _regret(self, order: int) -> float:
        """What the order's plan costs beyond its best, with prices."""
        return self.has[order].priced(self._prices) - self._options[order][0].priced(self._prices)

    def _could_use_what_is_left(self, order: int) -> bool:
        return any(
            self._prices[supply] and self._left[supply] > 0 for one in self._wishes(order) for supply, _ in one.uses
        )

    def _look_around(self, order: int) -> None:
        """The order learns the best plan that the others leave it."""
        if not self._work.is_over:
            left = list(self._left)
            for supply, units in self.has[order].uses:
                left[supply] += units
            self._seekers[order].ask_within(left, self._work)
            self._rate(order)

    def _rate(self, order: int) -> None:
        """Sorts the plans the order knows, the cheapest with prices first."""
        choices = self._seekers[order].choices
        self._options[order] = sorted(choices, key=lambda one: (one.priced(self._prices), one.cost, one.uses))

    def _group(self, order: int, size: int, turn: int) -> list[int]:
        """The order, who holds what it wishes, and who holds what those would take instead.

        Of many holders each turn asks others first.
        """
        group = [order]
        wishes = deque((order, wish) for wish in self._wishes(order))
        while wishes and len(group) < size:
            one, wish = wishes.popleft()
            for supply in self._lacking(one, wish):
                giving = self._giving_way(supply, group)
                first = turn % len(giving) if giving else 0
                for other in (giving[first:] + giving[:first])[: min(MAX_HOLDERS, size - len(group))]:
                    group.append(other)
                    wishes += [(other, instead) for instead in self._wishes(other)]
        self._work.spent += GROUPING * len(group)
        return group

    def _wishes(self, order: int) -> list[Choice]:
        """The first plans the order would like to have."""
        has = self.has[order]
        return [one for one in self._options[order][:MAX_WISHES] if one is not has]

    def _lacking(self, order: int, wish: Choice) -> list[int]:
        """The supplies of which the order would need more than it has and is left."""
        own = dict(self.has[order].uses)
        return [supply for supply, units in wish.uses if units > self._left[supply] + own.get(supply, 0)]

    def _giving_way(self, supply: int, group: Sequence[int]) -> list[int]:
        """Who holds the supply and could do with less of it, those first whom it costs least."""
        found = []
        for order in self._holders[supply].difference(group):
            has = self.has[order]
            held = dict(has.uses)[supply]
            instead = [one for one in self._options[order] if dict(one.uses).get(supply, 0) < held]
            if instead:
                found.append((instead[0].priced(self._prices) - has.priced(self._prices), order))
        return [order for _, order in sorted(found)]

    def _regroup(self, group: Sequence[int]) -> bool:
        """Gives the group's orders the plans that cost least together; whether that is less than before."""
        if self._work.is_over:
            return False
        before = [self.has[order] for order in group]
        for order in group:
            self._release(order)
        options = [[one for one in self._options[order] if self._fits(one)] for order in group]
        cost = sum(one.cost for one in before)
        chosen = cheapest(options, self._left, self._prices, cost, self._work)
        for order, choice in zip(group, chosen or before, strict=True):
            self._hold(order, choice)
        return bool(chosen)

    def _fits(self, choice: Choice) -> bool:
        return all(units <= self._left[supply] for supply, units in choice.uses)

    def _hold(self, order: int, choice: Choice) -> None:
        self.has[order] = choice
        for supply, units in choice.uses:
            self._left[supply] -= units
            self._holders[supply].add(order)

    def _release(self, order: int) -> None:
        for supply, units in self.has[order].uses:
            self._left[supply] += units
            self._holders[supply].discard(order)
