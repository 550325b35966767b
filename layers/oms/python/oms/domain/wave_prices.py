"""Prices of what a wave competes for: high enough that the orders, each for itself, no longer want too much of it.

Lagrangian relaxation. With any prices, what all orders would pay, each for itself, less what all that is there would
bring, is a bound: no joint plan costs less. Prices rise where too much is wanted and fall where something is left,
reckoned on the plans known so far; then every order is asked for its best plan at these prices, and so on.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from oms.domain.routing_partition import Work
from oms.domain.wave_seekers import Seeker

ROUNDS = 8
"""Times all orders are asked at new prices."""

STEPS = 30
"""Corrections of the prices between two rounds."""

SHARE = 3
"""Prices take one of so many parts of the work that is left."""

COMPARED = 2
"""Plans whose cost is added up in one unit of work."""

PATIENCE = 4
"""Corrections that may fail before they are made smaller."""


@dataclass(slots=True)
class Prices:
    """Prices per unit of each supply, and the bound they prove."""

    of: list[int]
    bound: float


def find_prices(seekers: Sequence[Seeker], limits: Sequence[int], ceiling: float, work: Work) -> Prices:
    """Prices under which asking the orders gives the highest bound found; `ceiling` is the cost of a joint plan."""
    best = Prices([0] * len(limits), float(sum(seeker.bound for seeker in seekers)))
    at: Sequence[float] = best.of
    enough = work.spent + (work.limit - work.spent) // SHARE
    for _ in range(ROUNDS):
        if work.spent >= enough or best.bound > ceiling - 1:
            break
        at, hoped = _corrected(seekers, limits, at, ceiling)
        work.spent += STEPS * sum(len(seeker.choices) for seeker in seekers) // COMPARED
        whole = [round(price) for price in at]
        bound = sum(seeker.ask(whole, work) for seeker in seekers) - _worth(whole, limits)
        if bound > best.bound:
            best = Prices(whole, bound)
        if bound >= hoped - 1:
            break
    return best


def _corrected(
    seekers: Sequence[Seeker], limits: Sequence[int], start: Sequence[float], ceiling: float
) -> tuple[list[float], float]:
    """The best prices on the plans known, by subgradient steps, and the bound if there were no other plans."""
    best, bound, prices, pace, failed = list(start), float("-inf"), list(start), 1.0, 0
    for _ in range(STEPS):
        over = [-float(limit) for limit in limits]
        value = -_worth(prices, limits)
        for seeker in seekers:
            cost, choice = min((one.priced(prices), one) for one in seeker.choices)
            value += cost
            for supply, units in choice.uses:
                over[supply] += units
        if value > bound:
            best, bound, failed = list(prices), value, 0
        else:
            failed += 1
            if failed >= PATIENCE:
                pace, failed, prices = pace / 2, 0, list(best)
        wrong = [more if more > 0 or price > 0 else 0.0 for more, price in zip(over, prices, strict=True)]
        length = sum(more * more for more in wrong)
        if not length:
            break
        step = pace * max(ceiling - value, 1.0) / length
        prices = [max(0.0, price + step * more) for price, more in zip(prices, wrong, strict=True)]
    return best, bound


def _worth(prices: Sequence[float], limits: Sequence[int]) -> float:
    return sum(price * limit for price, limit in zip(prices, limits, strict=True))
