"""Pages counted by rows: whatever leaves the list while it is read, what stays is read."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from oms.channels.counted_pages import position
from oms.domain.errors import InvalidMessage

MOST_PAGES = 200


@given(st.integers(0, 40), st.integers(1, 7), st.lists(st.sets(st.integers(0, 39), max_size=6), max_size=12))
def test_what_stays_is_read_whatever_leaves_between_the_pages(count: int, size: int, leaving: list[set[int]]) -> None:
    rows = list(range(count))
    read: set[int] = set()
    token = None
    for page in range(MOST_PAGES):
        at = position(token)
        found = rows[at.offset : at.offset + size]
        read.update(found)
        token = at.following(len(found), len(rows))
        if token is None:
            break
        gone = leaving[page] if page < len(leaving) else set()
        rows = [row for row in rows if row not in gone]
    assert token is None
    assert set(rows) <= read


def test_a_list_that_loses_a_row_with_every_page_is_read_to_its_end_all_the_same() -> None:
    rows, read, token = list(range(1_000)), set[int](), None
    for _ in range(15):
        at = position(token)
        found = rows[at.offset : at.offset + 100]
        read.update(found)
        token = at.following(len(found), len(rows))
        if token is None:
            break
        rows = rows[1:]
    assert token is None
    assert set(rows) <= read


def test_a_list_that_stands_still_is_read_once() -> None:
    tokens = ["0:0"]
    while (token := position(tokens[-1]).following(2, 6)) is not None:
        tokens.append(token)
    assert tokens == ["0:0", "2:6", "4:6"]


def test_a_list_that_does_not_tell_its_total_ends_with_an_empty_page() -> None:
    assert position("4:0").following(2, None) == "6:0"
    assert position("6:0").following(0, None) is None


@pytest.mark.parametrize("token", ["", "x", "1", "-1:4", "1:x", "1:2:x", "1:2:3:4", "1:2:"])
def test_a_token_of_another_kind_is_refused(token: str) -> None:
    with pytest.raises(InvalidMessage):
        position(token)
