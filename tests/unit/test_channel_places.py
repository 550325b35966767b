"""A channel's names for places become ours by its account's options."""

from __future__ import annotations

import pytest

from oms.domain.channel_places import at_our_locations
from oms.domain.incoming import IncomingOrder
from oms.domain.order import Method
from tests.integration.company import incoming

OPTIONS = {"location:Harbour Street": "STORE-7", "location:655441491": "STORE-7", "shop": "main"}


def order(method: Method, place: str) -> IncomingOrder:
    return incoming(method=method, channel_location=place)


@pytest.mark.parametrize(
    ("place", "location_id"), [("Harbour Street", "STORE-7"), ("STORE-8", "STORE-8"), ("shop", "shop")]
)
def test_goods_are_collected_where_the_option_says_or_at_the_name_itself(place: str, location_id: str) -> None:
    assert at_our_locations(order(Method.PICKUP, place), OPTIONS).pickup_location_id == location_id


def test_what_was_carried_out_from_a_till_we_know_left_that_location() -> None:
    sale = at_our_locations(order(Method.CARRY_OUT, "655441491"), OPTIONS)
    assert (sale.method, sale.sold_at_location_id) == (Method.CARRY_OUT, "STORE-7")


def test_what_was_carried_out_from_a_till_nobody_named_had_left_elsewhere() -> None:
    sale = at_our_locations(order(Method.CARRY_OUT, "4711"), OPTIONS)
    assert (sale.method, sale.sold_at_location_id) == (Method.SHIP, "")
    assert all(line.fulfilled_quantity == line.current_quantity for line in sale.lines)


@pytest.mark.parametrize("method", list(Method))
def test_an_order_that_names_no_place_stays_as_it_is(method: Method) -> None:
    assert at_our_locations(order(method, ""), OPTIONS) == order(method, "")
