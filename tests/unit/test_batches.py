"""Records of a stream worked on together by what they are about: what fails comes again, and nothing is skipped."""

from __future__ import annotations

from typing import Any

import pytest

from oms.domain.errors import Unavailable
from oms.runtime.batches import Record, together


def batch(keys: str) -> dict[str, Any]:
    """A record for each letter, numbered from 1."""
    return {"Records": [{"key": key, "dynamodb": {"SequenceNumber": str(n)}} for n, key in enumerate(keys, start=1)]}


def key(record: Record) -> str:
    return str(record["key"])


def numbers(records: list[Record]) -> str:
    return "".join(record["dynamodb"]["SequenceNumber"] for record in records)


def test_all_records_of_a_key_are_worked_on_at_once_and_each_work_sees_every_key_before_the_next_begins() -> None:
    done: list[tuple[str, str]] = []

    def first(records: list[Record]) -> None:
        done.append(("first", numbers(records)))

    def second(records: list[Record]) -> None:
        done.append(("second", numbers(records)))

    assert together(batch("abaca"), key, first, second) == {"batchItemFailures": []}
    assert done == [
        ("first", "135"),
        ("first", "2"),
        ("first", "4"),
        ("second", "135"),
        ("second", "2"),
        ("second", "4"),
    ]


@pytest.mark.parametrize(
    ("keys", "fails", "again"),
    [
        pytest.param("abc", "b", "2", id="from the record that failed on"),
        pytest.param("abab", "b", "2", id="from the first of its key, though others of it came later"),
        pytest.param("abc", "ca", "1", id="from the first of all that failed"),
    ],
)
@pytest.mark.parametrize("error", [Unavailable("not now"), ValueError("a bug")])
def test_what_failed_comes_again_and_the_other_keys_are_done(
    keys: str, fails: str, again: str, error: Exception
) -> None:
    done = set()

    def work(records: list[Record]) -> None:
        if key(records[0]) in fails:
            raise error
        done.add(key(records[0]))

    assert together(batch(keys), key, work) == {"batchItemFailures": [{"itemIdentifier": again}]}
    assert done == set(keys) - set(fails)


def test_a_key_whose_first_work_failed_gets_the_second_all_the_same() -> None:
    done: list[str] = []

    def fail(_: list[Record]) -> None:
        raise Unavailable("not now")

    together(batch("ab"), key, fail, lambda records: done.append(key(records[0])))
    assert done == ["a", "b"]
