"""What a channel believes may be sold beside what it should: what is right, what drifted, what was never told."""

from __future__ import annotations

import pytest

from oms.domain.listings import Listing
from oms.domain.stock_compare import MAX_NAMED, Comparison, Found, Phase, counted, is_due, judge, named
from tests.integration.company import at


@pytest.mark.parametrize(
    ("told", "believed", "wanted", "changed_hours_ago", "found"),
    [
        pytest.param(15, 15, 15, 5, Found.RIGHT, id="it says what it was told"),
        pytest.param(15, 9, 15, 5, Found.DRIFTED, id="it says other than it was told"),
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


def test_what_pages_found_adds_up_and_names_are_bounded() -> None:
    comparison = counted(Comparison(began_at=at(0)), {"a": Found.RIGHT, "b": Found.DRIFTED}, 3)
    comparison = counted(comparison, {"c": Found.UNTOLD}, 2)
    assert (comparison.compared, comparison.drifted, comparison.untold, comparison.units) == (3, 1, 1, 5)
    assert len(named(("a",), [str(number) for number in range(100)])) == MAX_NAMED
