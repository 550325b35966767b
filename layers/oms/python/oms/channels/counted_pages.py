"""Pages that are counted by rows, of a list that shrinks while it is read.

A list of what changed within a window that is over loses what changes again; what is behind that moves up, and the next
page would begin too late. By as many rows as the list lost, the next page therefore begins earlier: some rows are read
twice, none is passed over.
"""

from __future__ import annotations

from typing import NamedTuple

from oms.domain.errors import InvalidMessage


class Position(NamedTuple):
    """Where a page begins, how many rows the whole list had one page before, and how many rows before the first unread
    one it begins: as many may be lost meanwhile and nothing is passed over."""

    offset: int = 0
    total_before: int = 0
    margin: int = 0

    def following(self, found: int, total: object) -> str | None:
        """The token of the next page, after one of `found` rows from a list that now has `total`; None at the end.

        A list that does not tell its total ends with an empty page. A list that loses rows all the time is read on all
        the same: the next page begins early by what was lost last, so that it need not be read twice.
        """
        if not isinstance(total, int):
            return f"{self.offset + found}:{self.total_before}" if found else None
        lost = max(0, self.total_before - total)
        missed = max(0, lost - self.margin)
        unread = self.offset - missed if missed else self.offset + found
        if unread >= total or not (found or missed):
            return None
        margin = min(max(lost, self.margin // 2), found // 2, max(0, unread))
        return _token(Position(max(0, unread) - margin, total, margin))


def position(token: str | None) -> Position:
    """The position that a token stands for. Raises InvalidMessage when it is none of ours."""
    if token is None:
        return Position()
    numbers = token.split(":")
    if len(numbers) not in (2, 3) or not all(one.isascii() and one.isdigit() for one in numbers):
        raise InvalidMessage("a token of another kind", field="token", reason="INVALID_FIELD")
    return Position(*map(int, numbers))


def _token(at: Position) -> str:
    return f"{at.offset}:{at.total_before}" + (f":{at.margin}" if at.margin else "")
