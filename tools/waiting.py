"""Waiting for a condition or a deadline: the only way the tools and the end-to-end tests wait."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

PAUSE_SECONDS = 0.2


def wait_until(condition: Callable[[], bool], seconds: float, meanwhile: Callable[[], None] | None = None) -> bool:
    """True as soon as `condition()` holds, False when `seconds` have passed without it.

    `meanwhile` runs after each look that failed (progress for people).
    """
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() >= deadline:
            return False
        if meanwhile is not None:
            meanwhile()
        time.sleep(PAUSE_SECONDS)
    return True
