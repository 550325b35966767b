"""Identity from outside: the same thing told twice has the same id, and two things never share one."""

from __future__ import annotations

import re

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from oms.domain import ids

names = st.text(max_size=80)
plain_names = st.from_regex(r"[a-z0-9]+(-[a-z0-9]+){0,3}", fullmatch=True)
numbers = st.from_regex(r"[0-9]{1,22}", fullmatch=True)
who_calls_it_what = st.tuples(st.one_of(plain_names, names), st.one_of(plain_names, names), st.one_of(numbers, names))


def test_the_id_of_an_ordinary_order_can_be_read() -> None:
    assert ids.order_id("shopify", "main-street-goods", "5001") == "shopify-main-street-goods-5001"


@given(who_calls_it_what)
def test_an_order_told_twice_has_one_id_that_every_table_and_execution_accepts(
    parts: tuple[str, str, str],
) -> None:
    order_id = ids.order_id(*parts)
    assert order_id == ids.order_id(*parts)
    assert re.fullmatch(r"[a-z0-9-]{1,64}", order_id)


@pytest.mark.parametrize("number", ["١", "²", "５"])  # noqa: RUF001
def test_an_order_number_in_another_script_still_makes_a_safe_id(number: str) -> None:
    assert re.fullmatch(r"[a-z0-9-]{1,64}", ids.order_id("shopify", "main", number))


@given(who_calls_it_what, who_calls_it_what)
def test_two_orders_never_share_an_id(one: tuple[str, str, str], other: tuple[str, str, str]) -> None:
    assume(one != other)
    assert ids.order_id(*one) != ids.order_id(*other)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        pytest.param(("a", "b-1", "2"), ("a-b", "1", "2"), id="a dash between channel and account"),
        pytest.param(("a", "b", "1-2"), ("a", "b-1", "2"), id="a dash between account and number"),
        pytest.param(("shop", "A", "1"), ("shop", "a", "1"), id="upper and lower case"),
        pytest.param(("shop", "a", "1"), ("shop", "a", "01"), id="a leading zero"),
        pytest.param(("shop", "a", "1"), ("shop", "a", "١"), id="a digit of another script"),  # noqa: RUF001
        pytest.param(("shop", "a", "1"), ("shop", "a", " 1"), id="a blank"),
        pytest.param(("shop", "a" * 60, "1"), ("shop", "a" * 61, "1"), id="long names"),
    ],
)
def test_names_that_look_alike_make_different_orders(one: tuple[str, str, str], other: tuple[str, str, str]) -> None:
    assert ids.order_id(*one) != ids.order_id(*other)


def test_an_order_id_that_is_readable_is_not_the_hashed_id_of_another_order() -> None:
    hashed = ids.order_id("shopify", "UPPER", "1")
    digest = hashed.removeprefix("shopify-")
    assert ids.order_id("shopify", digest, "1") != hashed
    assert ids.order_id("shopify", "a", digest) != hashed


@given(who_calls_it_what, st.integers(1, 9999))
def test_the_id_of_a_fulfillment_leads_back_to_its_order(parts: tuple[str, str, str], number: int) -> None:
    order_id = ids.order_id(*parts)
    assert ids.order_of_fulfillment(ids.fulfillment_id(order_id, number)) == order_id


@pytest.mark.parametrize(
    "text",
    ["", "f1", "-f1", "shop-1", "shop-1-f", "shop-1-fx", "SHOP-1-f1", "shop-1-f12345", "a" * 65 + "-f1"],
)
def test_what_is_no_fulfillment_id_of_ours_leads_to_no_order(text: str) -> None:
    assert ids.order_of_fulfillment(text) is None


@pytest.mark.parametrize(("carrier", "number"), [("UPS", "1z999aa1"), ("ups", " 1Z999AA1 "), ("Ups", "1Z 999 AA1")])
def test_a_tracking_number_is_found_however_it_is_typed(carrier: str, number: str) -> None:
    assert ids.tracking_reference(carrier, number) == "TRACKING#ups#1Z999AA1"


@pytest.mark.parametrize("number", ["#1001", "1001", " #1001 "])
def test_an_order_number_is_found_with_or_without_its_sign(number: str) -> None:
    assert ids.order_reference(number) == "ORDER#1001"


@given(st.lists(names, max_size=3), st.lists(names, max_size=3))
def test_a_hash_depends_on_where_one_part_ends_and_the_next_begins(one: list[str], other: list[str]) -> None:
    assert (ids.short_hash(*one) == ids.short_hash(*other)) == (one == other)
