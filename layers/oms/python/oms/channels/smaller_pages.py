"""Pages that outgrow one answer: fewer rows are asked for. A page that can't be read would be the end of reading."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import TypeVar

from oms.runtime.http import AnswerTooLarge

T = TypeVar("T")


def first_that_fits(sizes: Sequence[int], ask: Callable[[int], T]) -> T:
    """What `ask` answers for the first of these sizes, largest first, with which its answer is not too large.

    Raises as `ask` does; AnswerTooLarge when even the last size is too much.
    """
    *larger, smallest = sizes
    for size in larger:
        with suppress(AnswerTooLarge):
            return ask(size)
    return ask(smallest)
