"""How long to leave somebody alone who did not take what we had for him."""

from __future__ import annotations

FIRST_SECONDS = 10.0
LONGEST_SECONDS = 900.0
"""Nobody is left alone for longer than this, whatever he asks for: he may be there again long before."""

JITTER = 0.5
"""The part of a wait that is left to chance, so that those who failed together do not come again together."""

_MOST_DOUBLINGS = 10


def seconds_to_wait(attempt: int, retry_after_seconds: float | None, chance: float) -> float:
    """Seconds until the next attempt, after so many (1, 2, …) that failed. `chance` is from 0 to 1.

    Doubles with every attempt. What the other side asked for is the least it gets.
    """
    doubled = FIRST_SECONDS * (1 << min(max(attempt, 1) - 1, _MOST_DOUBLINGS))
    wait = min(doubled, LONGEST_SECONDS) * (1 - JITTER * chance)
    return min(max(wait, retry_after_seconds or 0.0), LONGEST_SECONDS)
