"""Amazon's older API of orders: when we go back to it, and how an order is put together from it."""

from __future__ import annotations

from typing import Any

import pytest

from oms.channels import amazon, amazon_pull
from oms.domain.errors import (
    ChannelRefused,
    CredentialsRefused,
    InvalidOrder,
    NotFound,
    NotSupported,
    Throttled,
    Unavailable,
)
from oms.domain.intake import totals_difference
from tests.integration.channels.amazon_account import (
    FORBIDDEN,
    ORDER_ID,
    ORDER_V0,
    RESTRICTED,
    RESTRICTED_TOKEN,
    SEARCH,
    SEARCH_V0,
    UNTIL,
    WINDOW,
    amazon_with,
    items_v0,
    order_v0,
    page,
    page_v0,
    parsed,
    refusal,
)
from tests.scripted_server import Reply, in_order
from tests.unit.amazon_bodies import changed, sample


def routes_v0(**changes: Any) -> dict[str, Any]:
    return {ORDER_V0: Reply(200, {"payload": order_v0(**changes)}), f"{ORDER_V0}/orderItems": items_v0()}


@pytest.mark.parametrize("reply", [FORBIDDEN, refusal(404, "NotFound"), Reply(405), Reply(410)])
def test_a_pull_goes_on_with_v0_where_amazon_offers_nothing_newer(reply: Reply) -> None:
    listed = in_order(page_v0(order_v0(), next_token="n2"), page_v0(order_v0(AmazonOrderId="2")))
    with amazon_with({SEARCH: reply, SEARCH_V0: listed}) as (server, api):
        first = amazon.pull(api, WINDOW, None)
        second = amazon.pull(api, WINDOW, first.next_token)
    tries = 2 if reply is FORBIDDEN else 1
    assert len(server.of(SEARCH)) == tries
    assert [(one.channel_order_id, one.body) for one in first.orders + second.orders] == [(ORDER_ID, None), ("2", None)]
    asked = [one.query for one in server.of(SEARCH_V0)]
    assert asked[0] == {
        "LastUpdatedAfter": "2026-11-23T11:00:00Z",
        "LastUpdatedBefore": "2026-11-23T11:57:30Z",
        "FulfillmentChannels": "MFN",
        "MaxResultsPerPage": "100",
        "MarketplaceIds": "ATVPDKIKX0DER",
    }
    assert asked[1] == {**asked[0], "NextToken": "n2"}
    assert second.next_token is None


def test_an_account_that_has_only_v0_wastes_no_more_than_a_search_and_its_repeat_in_an_hour() -> None:
    """One in three minutes is allowed: refused twice by each pull, none would be left and no pull would get further."""
    clock = [1000.0]
    routes = {SEARCH: FORBIDDEN, SEARCH_V0: page_v0(), **routes_v0()}
    with amazon_with(routes) as (server, api):
        api.clock = lambda: clock[0]
        for _ in range(3):
            amazon.pull(api, WINDOW, None)
            amazon.fetch(api, ORDER_ID)
        assert (len(server.of(SEARCH)), len(server.of(SEARCH_V0)), len(server.of(RESTRICTED))) == (2, 3 + 6, 1)
        clock[0] += amazon_pull.V0_ONLY_SECONDS
        amazon.pull(api, WINDOW, None)
        assert len(server.of(SEARCH)) == 4


def test_single_orders_of_an_account_that_has_only_v0_are_not_asked_for_twice_each() -> None:
    with amazon_with({SEARCH: FORBIDDEN, **routes_v0()}) as (server, api):
        for _ in range(3):
            amazon.fetch(api, ORDER_ID)
        assert len(server.of(SEARCH)) == 2


def test_an_order_is_looked_for_in_v0_before_it_counts_as_gone() -> None:
    """Where Amazon has no newer version yet, all of its addresses are not found: pulled by one worker from v0, fetched
    by another, an order would be lost."""
    with amazon_with(routes_v0()) as (server, api):
        assert amazon.fetch(api, ORDER_ID).channel_order_id == ORDER_ID
        assert amazon_pull.state(api, ORDER_ID).status == "UNSHIPPED"
        amazon.fetch(api, ORDER_ID)
        assert len(server.of(SEARCH)) == 3


@pytest.mark.parametrize("reply", [refusal(404, "NotFound"), FORBIDDEN, Reply(410)])
def test_an_order_that_neither_version_has_is_gone(reply: Reply) -> None:
    with amazon_with({ORDER_V0: reply}) as (_, api), pytest.raises(NotFound):
        amazon.fetch(api, ORDER_ID)


def test_an_account_that_v0_refuses_too_goes_on_asking_for_the_newer_version() -> None:
    listed = in_order(FORBIDDEN, FORBIDDEN, page())
    with amazon_with({SEARCH: listed, SEARCH_V0: Reply(410)}) as (_, api):
        with pytest.raises(ChannelRefused):
            amazon.pull(api, WINDOW, None)
        assert amazon.pull(api, WINDOW, None).orders == ()


@pytest.mark.parametrize("reply", [refusal(400, "InvalidInput"), Reply(500), Reply(429)])
def test_a_pull_does_not_go_back_to_v0_for_anything_else(reply: Reply) -> None:
    with amazon_with({SEARCH: reply}) as (server, api), pytest.raises((ChannelRefused, Unavailable, Throttled)):
        amazon.pull(api, WINDOW, None)
    assert not server.of(SEARCH_V0)


def test_a_window_that_was_begun_is_not_gone_on_with_in_another_version() -> None:
    with amazon_with({SEARCH: FORBIDDEN}) as (server, api), pytest.raises(CredentialsRefused):
        amazon.pull(api, WINDOW, f"2026-01-01|{UNTIL.isoformat()}|p2")
    assert not server.of(SEARCH_V0)


def test_where_no_version_lets_us_in_the_account_waits_for_a_person() -> None:
    with amazon_with({SEARCH: FORBIDDEN, SEARCH_V0: FORBIDDEN}) as (_, api), pytest.raises(CredentialsRefused):
        amazon.pull(api, WINDOW, None)


def test_an_account_may_be_set_to_v0_and_must_name_its_marketplace() -> None:
    with amazon_with({SEARCH_V0: page_v0()}, orders_api="v0", marketplace_ids="") as (server, api):
        with pytest.raises(NotSupported, match="marketplace_ids"):
            amazon.pull(api, WINDOW, None)
        assert not server.of("/orders")
    with amazon_with({SEARCH_V0: page_v0()}, orders_api="v0") as (server, api):
        amazon.pull(api, WINDOW, None)
        assert [one.path for one in server.of("/orders")] == [SEARCH_V0]


def test_an_order_of_v0_is_fetched_with_its_items_by_a_token_for_peoples_data() -> None:
    with amazon_with(routes_v0(), orders_api="v0") as (server, api):
        pulled = amazon.fetch(api, ORDER_ID)
        amazon.fetch(api, ORDER_ID)
    (restricted,) = server.of(RESTRICTED)
    assert restricted.headers["x-amz-access-token"] == "Atza|1"
    assert [one["path"] for one in restricted.json["restrictedResources"]] == [
        "/orders/v0/orders/{orderId}",
        "/orders/v0/orders/{orderId}/orderItems",
        "/orders/v0/orders/{orderId}/address",
    ]
    asked = server.of(ORDER_V0)
    assert [one.path for one in asked] == [ORDER_V0, f"{ORDER_V0}/orderItems"] * 2
    assert {one.headers["x-amz-access-token"] for one in asked} == {"Atz.sprdt|1"}
    assert totals_difference(parsed(pulled)) == 0


def test_items_come_page_by_page() -> None:
    item = sample("order_v0")["items"][0]
    pages = in_order(items_v0(item, next_token="i2"), items_v0(changed(item, {"OrderItemId": "2"})))
    with amazon_with({**routes_v0(), f"{ORDER_V0}/orderItems": pages}, orders_api="v0") as (server, api):
        pulled = amazon.fetch(api, ORDER_ID)
    assert [line.line_id for line in parsed(pulled).lines] == [item["OrderItemId"], "2"]
    assert [one.query for one in server.of(f"{ORDER_V0}/orderItems")] == [{}, {"NextToken": "i2"}]


def test_items_without_end_are_given_up() -> None:
    endless = {**routes_v0(), f"{ORDER_V0}/orderItems": items_v0(next_token="again")}
    with amazon_with(endless, orders_api="v0") as (server, api), pytest.raises(Unavailable):
        amazon.fetch(api, ORDER_ID)
    assert len(server.of(f"{ORDER_V0}/orderItems")) == amazon_pull.MAX_ITEM_PAGES


@pytest.mark.parametrize(("status", "asked"), [("Unshipped", 1), ("Shipped", 1), ("Pending", 0), ("Canceled", 0)])
def test_an_address_that_did_not_come_along_is_asked_for_once_there_is_one(status: str, asked: int) -> None:
    address = Reply(200, {"payload": {"AmazonOrderId": ORDER_ID, "ShippingAddress": order_v0()["ShippingAddress"]}})
    routes = {**routes_v0(ShippingAddress=None, OrderStatus=status), f"{ORDER_V0}/address": address}
    with amazon_with(routes, orders_api="v0") as (server, api):
        read = parsed(amazon.fetch(api, ORDER_ID))
    assert len(server.of(f"{ORDER_V0}/address")) == asked
    assert read.contact.ship_to.city == ("Austin" if asked else "")
    assert read.contact.ship_to.country == "US"


def test_an_order_that_is_there_without_its_address_is_not_taken_for_one_that_is_gone() -> None:
    """A person sees that it can't be shipped. As gone it would only be counted, and never become an order."""
    routes = {**routes_v0(ShippingAddress=None), f"{ORDER_V0}/address": refusal(404, "NotFound")}
    with amazon_with(routes, orders_api="v0") as (_, api):
        pulled = amazon.fetch(api, ORDER_ID)
    with pytest.raises(InvalidOrder, match="needs its address"):
        parsed(pulled)


def test_an_order_whose_items_are_not_there_yet_is_asked_for_again() -> None:
    routes = {**routes_v0(), f"{ORDER_V0}/orderItems": refusal(404, "NotFound")}
    with amazon_with(routes, orders_api="v0") as (_, api), pytest.raises(Unavailable):
        amazon.fetch(api, ORDER_ID)


def test_a_restricted_token_that_expired_is_renewed() -> None:
    tokens = in_order(RESTRICTED_TOKEN, Reply(200, {"restrictedDataToken": "Atz.sprdt|2", "expiresIn": 3600}))
    answers = in_order(FORBIDDEN, Reply(200, {"payload": order_v0()}))
    with amazon_with({**routes_v0(), RESTRICTED: tokens, ORDER_V0: answers}, orders_api="v0") as (server, api):
        server.routes[f"{ORDER_V0}/orderItems"] = items_v0()
        amazon.fetch(api, ORDER_ID)
    used = [one.headers["x-amz-access-token"] for one in server.of(ORDER_V0)]
    assert used == ["Atz.sprdt|1", "Atz.sprdt|2", "Atz.sprdt|2"]


def test_an_app_without_the_role_for_addresses_waits_for_a_person() -> None:
    with amazon_with({**routes_v0(), RESTRICTED: FORBIDDEN}, orders_api="v0") as (server, api):
        with pytest.raises(CredentialsRefused):
            amazon.fetch(api, ORDER_ID)
        assert not server.of(ORDER_V0)


def test_a_fetch_falls_back_to_v0_as_a_pull_does() -> None:
    with amazon_with({**routes_v0(), SEARCH: FORBIDDEN}) as (_, api):
        assert amazon.fetch(api, ORDER_ID).channel_order_id == ORDER_ID
