"""What people wrote into an order, bounded: it goes to `contacts`, where a person is one item of at most 400 KB."""

from __future__ import annotations

from oms.domain.errors import InvalidOrder

MAX_WRITTEN_BYTES = 200_000
"""Half of what an item may have."""


def bounded(written: dict[str, str], field: str) -> dict[str, str]:
    """The texts, by what they are about. Raises InvalidOrder naming the `field` that most of them come from."""
    if sum(len(text.encode()) for text in written.values()) > MAX_WRITTEN_BYTES:
        message = f"notes and messages of more than {MAX_WRITTEN_BYTES} bytes"
        raise InvalidOrder(message, field=field, reason="TOO_LARGE")
    return written
