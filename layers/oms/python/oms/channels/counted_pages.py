"""Pages that are counted by rows, of a list that shrinks while it is read.

A list of what changed within a window that is over loses what changes again; what is behind that moves up, and the next
page would begin too late. By as many rows as the list lost, the next page therefore begins earlier: some rows are read
twice, none is passed over.
"""

from __future__ import annotations

from typing import NamedTuple

from oms.domain.errors import InvalidMessage


class Position(NamedTuple):
    """Where a page begins, and how many rows the whole list had one page before."""

    offset: int = 0
    total_before: int = 0

    def following(self, found: int, total: object) -> str | None:
        """The token of the next page, after one of `found` rows from a list that now has `total`; None at the end.

        A list that does not tell its total ends with an empty page.
        """
        if not isinstance(total, int):
            return f"{self.offset + found}:{self.total_before}" if found else None
        lost = max(0, self.total_before - total)
        offset = max(0, self.offset - lost) if lost else self.offset + found
        if offset >= total or not (found or lost):
            return None
        return f"{offset}:{total}"


def position(token: str | None) -> Position:
    """The position that a token stands for. Raises InvalidMessage when it is none of ours."""
    if token is None:
        return Position()
    offset, _, total = token.partition(":")
    if not (offset.isdigit() and total.isdigit()):
        raise InvalidMessage("a token of another kind", field="token", reason="INVALID_FIELD")
    return Position(int(offset), int(total))
