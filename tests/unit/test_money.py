"""Money in minor units: no cent lost or made."""

from __future__ import annotations

from decimal import Decimal
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from oms.domain import money


@pytest.mark.parametrize(
    ("amount", "currency", "minor"),
    [
        ("19.99", "USD", 1999),
        ("19.9", "USD", 1990),
        ("19.990", "USD", 1999),
        ("-0.01", "EUR", -1),
        ("0", "USD", 0),
        (7, "GBP", 700),
        (Decimal("1E+2"), "USD", 10000),
        ("500", "JPY", 500),
        ("1.234", "KWD", 1234),
        ("90071992547409.93", "USD", 9007199254740993),
    ],
)
def test_an_amount_is_read_exactly_in_the_minor_unit_of_its_currency(
    amount: str | int | Decimal, currency: str, minor: int
) -> None:
    assert money.to_minor(amount, currency) == minor


@pytest.mark.parametrize(
    ("amount", "currency"),
    [
        pytest.param("19.999", "USD", id="a fraction of a cent"),
        pytest.param("0.5", "JPY", id="a fraction of a yen"),
        pytest.param("1.2345", "KWD", id="a fraction of a fils"),
        pytest.param("", "USD", id="nothing"),
        pytest.param("1,999.00", "USD", id="a thousands separator"),
        pytest.param("free", "USD", id="a word"),
        pytest.param("NaN", "USD", id="not a number"),
        pytest.param("Infinity", "USD", id="infinity"),
    ],
)
def test_what_is_no_whole_number_of_minor_units_is_refused(amount: str, currency: str) -> None:
    with pytest.raises(ValueError, match="is not a"):
        money.to_minor(amount, currency)


@pytest.mark.parametrize(
    ("minor", "currency", "text"),
    [
        (1999, "USD", "19.99 USD"),
        (5, "USD", "0.05 USD"),
        (-1999, "USD", "-19.99 USD"),
        (500, "JPY", "500 JPY"),
        (1234, "KWD", "1.234 KWD"),
    ],
)
def test_an_amount_is_shown_with_the_decimals_of_its_currency(minor: int, currency: str, text: str) -> None:
    assert money.format_minor(minor, currency) == text


@given(st.integers(-(10**12), 10**12), st.sampled_from(["USD", "JPY", "KWD"]))
def test_an_amount_shown_reads_back_as_the_same_amount(minor: int, currency: str) -> None:
    assert money.to_minor(money.format_minor(minor, currency).split()[0], currency) == minor


@pytest.mark.parametrize(
    ("amount_minor", "weights", "shares"),
    [
        pytest.param(100, [1, 1, 1], [34, 33, 33], id="the first of equals gets the odd cent"),
        pytest.param(-100, [1, 1, 1], [-34, -33, -33], id="a refund splits like the charge"),
        pytest.param(1000, [3, 0, 1], [750, 0, 250], id="what costs nothing bears nothing"),
        pytest.param(5, [0, 0], [3, 2], id="among free things the shares are equal"),
        pytest.param(2, [1, 3, 3], [0, 1, 1], id="the largest remainders come first"),
        pytest.param(0, [5, 7], [0, 0], id="nothing to share"),
        pytest.param(999, [4], [999], id="one takes it all"),
    ],
)
def test_an_amount_is_split_by_weight(amount_minor: int, weights: list[int], shares: list[int]) -> None:
    assert money.split(amount_minor, weights) == shares


@pytest.mark.parametrize("weights", [[], [1, -1]])
def test_an_amount_is_not_split_without_weights_or_by_negative_ones(weights: list[int]) -> None:
    with pytest.raises(ValueError, match="weights"):
        money.split(100, weights)


amounts = st.integers(-(10**9), 10**9)
weightings = st.lists(st.integers(0, 10**6), min_size=1, max_size=20)


@given(amounts, weightings)
def test_the_shares_of_a_split_add_up_to_the_cent(amount_minor: int, weights: list[int]) -> None:
    assert sum(money.split(amount_minor, weights)) == amount_minor


@given(amounts, weightings)
def test_no_share_is_a_whole_cent_off_its_exact_part(amount_minor: int, weights: list[int]) -> None:
    fair = weights if any(weights) else [1] * len(weights)
    for share, weight in zip(money.split(amount_minor, weights), fair, strict=True):
        assert abs(share - Fraction(amount_minor * weight, sum(fair))) < 1
