"""What a channel believes may be sold beside what it should: what is right, what drifted, what was never told."""

from __future__ import annotations

from dataclasses import replace

import pytest

from oms.domain.listings import Listing
from oms.domain.stock_compare import (
    MAX_NAMED,
    UNDER_WAY,
    Comparison,
    Found,
    Phase,
    counted,
    is_due,
    is_waiting,
    judge,
    judge_doubt,
    named,
)
from tests.integration.company import at


@pytest.mark.parametrize(
    ("told", "believed", "wanted", "changed_hours_ago", "found"),
    [
        pytest.param(15, 15, 15, 5, Found.RIGHT, id="it says what it was told"),
        pytest.param(15, 19, 15, 5, Found.DRIFTED, id="it says more than it was told"),
        pytest.param(15, 9, 15, 5, Found.DOUBTED, id="it says less than it was told, or has just sold some"),
        pytest.param(15, 9, 12, 5, Found.UNTOLD, id="it says less, and we never told it of a change"),
        pytest.param(15, 15, 9, 5, Found.UNTOLD, id="we never told it of a change"),
        pytest.param(None, 9, 15, 5, Found.UNTOLD, id="nobody knows what it was told last"),
        pytest.param(None, 15, 15, 5, Found.RIGHT, id="nobody knows what it was told, but it is right"),
        pytest.param(15, 15, 9, 0.1, Found.RIGHT, id="a change that is under way"),
        pytest.param(15, None, 15, 5, Found.RIGHT, id="it can't be asked and was told"),
        pytest.param(9, None, 15, 5, Found.UNTOLD, id="it can't be asked and was told something else"),
        pytest.param(None, None, 0, 5, Found.UNTOLD, id="it can't be asked and was never told, not even of nothing"),
    ],
)
def test_a_figure_of_the_channel_is_judged_by_what_is_true_and_what_it_was_told(
    told: int | None, believed: int | None, wanted: int, changed_hours_ago: float, found: Found
) -> None:
    listing = Listing(
        channel_account="bazaar#main",
        channel_sku="mug",
        sku="MUG",
        changed_at=at(10 - changed_hours_ago),
        last_published_quantity=told,
    )
    assert judge(listing, believed, wanted, at(10)) is found


def test_an_account_is_compared_once_a_day_and_what_was_begun_is_finished() -> None:
    done = Comparison(began_at=at(0), phase=Phase.DONE)
    assert is_due(None, at(0))
    assert not is_due(done, at(23))
    assert is_due(done, at(24))
    assert is_due(Comparison(began_at=at(0)), at(1))


@pytest.mark.parametrize(
    ("version", "wanted", "found"),
    [
        pytest.param(3, 15, Found.DRIFTED, id="nothing changed since: nothing was sold"),
        pytest.param(4, 14, Found.RIGHT, id="it was sold, and the newest figure is told"),
        pytest.param(3, 9, Found.RIGHT, id="it says what is true by now"),
        pytest.param(3, 8, Found.DRIFTED, id="it says more by now"),
    ],
)
def test_a_doubt_is_drift_if_no_change_was_heard_of_in_the_meantime(version: int, wanted: int, found: Found) -> None:
    listing = Listing(
        channel_account="bazaar#main",
        channel_sku="mug",
        sku="MUG",
        change_version=version,
        doubted_version=3,
        doubted_quantity=9,
    )
    assert judge_doubt(listing, wanted) is found


def test_a_listing_that_nobody_doubts_is_right() -> None:
    listing = Listing(channel_account="bazaar#main", channel_sku="mug", sku="MUG")
    assert judge_doubt(listing, 15) is Found.RIGHT


def test_doubts_are_looked_at_again_once_what_was_sold_must_have_been_heard_of() -> None:
    seen = counted(Comparison(began_at=at(0), phase=Phase.LISTINGS), {"a": Found.DOUBTED}, 0, at(1))
    assert (seen.compared, seen.drifted, seen.waits_until) == (1, 0, at(1) + UNDER_WAY)
    assert is_waiting(seen, at(1))
    assert not is_waiting(replace(seen, phase=Phase.CHANNEL), at(1)), "its other pages are read meanwhile"
    assert not is_waiting(seen, at(1.25))


def test_what_pages_found_adds_up_and_names_are_bounded() -> None:
    comparison = counted(Comparison(began_at=at(0)), {"a": Found.RIGHT, "b": Found.DRIFTED}, 3, at(0))
    comparison = counted(comparison, {"c": Found.UNTOLD}, 2, at(0))
    assert (comparison.compared, comparison.drifted, comparison.untold, comparison.units) == (3, 1, 1, 5)
    assert len(named(("a",), [str(number) for number in range(100)])) == MAX_NAMED
