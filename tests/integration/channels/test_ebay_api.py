"""eBay's API: what is asked of it, what it is told, and what becomes of its moods."""

from __future__ import annotations

import json

import pytest

from oms.channels import ebay, envelopes
from oms.channels.client import ChannelApi
from oms.domain.channel_messages import PulledOrder
from oms.domain.errors import (
    CredentialsRefused,
    InvalidMessage,
    NotFound,
    Throttled,
    Unavailable,
)
from oms.domain.incoming import Envelope
from tests.integration.channels.ebay_seller import (
    ORDER_PATH,
    ORDERS_PATH,
    SINCE,
    TOKEN,
    TOKEN_PATH,
    WINDOW,
    account,
    order,
)
from tests.scripted_server import Asked, OpenLimits, Reply, ScriptedServer, account_api, in_order


class Orders:
    """An eBay with so many orders in the window, oldest first. Orders leave it before the n-th page as planned."""

    def __init__(self, count: int, leaving: dict[int, int] | None = None) -> None:
        self.ids = [f"12-{number:05d}" for number in range(count)]
        self.leaving = leaving or {}
        self.pages = 0

    def __call__(self, asked: Asked) -> Reply:
        self.ids = self.ids[self.leaving.get(self.pages, 0) :]
        self.pages += 1
        offset, limit = int(asked.query["offset"]), int(asked.query["limit"])
        found = [order(orderId=one) for one in self.ids[offset : offset + limit]]
        return Reply(200, {"total": len(self.ids), "offset": offset, "limit": limit, "orders": found})


def pulled(api: ChannelApi) -> list[PulledOrder]:
    orders: list[PulledOrder] = []
    token = None
    for _ in range(20):
        page = ebay.pull(api, WINDOW, token)
        orders += page.orders
        token = page.next_token
        if token is None:
            return orders
    raise AssertionError("it never ends")


def test_a_thousand_orders_are_five_calls_and_one_for_a_token() -> None:
    with ScriptedServer({TOKEN_PATH: TOKEN, ORDERS_PATH: Orders(1000)}) as server:
        orders = pulled(account(server))
        assert len({one.channel_order_id for one in orders}) == len(orders) == 1000
        assert len(server.asked) == 6
        first = server.of(ORDERS_PATH)[0].query
    assert first == {
        "filter": "lastmodifieddate:[2026-11-23T11:00:00.000Z..2026-11-23T12:00:00.000Z]",
        "limit": "200",
        "offset": "0",
        "fieldGroups": "TAX_BREAKDOWN",
    }


@pytest.mark.parametrize("leaving", [{1: 1}, {1: 3, 2: 50}, {2: 199}, {1: 200}, {2: 1, 3: 1}])
def test_no_order_is_passed_over_when_others_leave_the_window_while_it_is_read(leaving: dict[int, int]) -> None:
    """Each that leaves was changed just now: the next window finds it. Those that stay must all be found in this."""
    orders = Orders(401, leaving)
    with ScriptedServer({TOKEN_PATH: TOKEN, ORDERS_PATH: orders}) as server:
        found = {one.channel_order_id for one in pulled(account(server))}
    assert set(orders.ids) <= found


def test_an_empty_window_is_one_page() -> None:
    with ScriptedServer({TOKEN_PATH: TOKEN, ORDERS_PATH: Orders(0)}) as server:
        assert pulled(account(server)) == []


def test_what_was_pulled_is_parsed_as_the_order_it_is() -> None:
    with ScriptedServer({TOKEN_PATH: TOKEN, ORDERS_PATH: Orders(1)}) as server:
        (one,) = pulled(account(server))
    assert one.body is not None
    read = ebay.parse(
        Envelope(
            channel="ebay",
            account="main",
            topic=envelopes.FETCHED,
            message_id="m",
            received_at=SINCE,
            body=one.body,
        )
    )
    assert read is not None
    assert (read.channel_order_id, read.channel_updated_at) == (one.channel_order_id, one.updated_at)


def test_an_order_with_a_wish_to_cancel_is_fetched_since_a_list_leaves_the_wish_out() -> None:
    wished = order(cancelStatus={"cancelState": "IN_PROGRESS", "cancelRequests": []})
    page = Reply(200, {"total": 1, "orders": [wished]})
    with ScriptedServer({TOKEN_PATH: TOKEN, ORDERS_PATH: page, ORDER_PATH: Reply(200, wished)}) as server:
        api = account(server)
        (one,) = ebay.pull(api, WINDOW, None).orders
        fetched = ebay.fetch(api, one.channel_order_id)
        assert server.asked[-1].query == {"fieldGroups": "TAX_BREAKDOWN"}
    assert one.body is None
    assert json.loads(fetched.body or "") == wished


def test_the_refresh_token_is_changed_for_an_access_token_once() -> None:
    with ScriptedServer({TOKEN_PATH: TOKEN, ORDERS_PATH: Orders(201)}) as server:
        pulled(account(server))
        (token,) = server.of(TOKEN_PATH)
        assert {one.headers["authorization"] for one in server.of(ORDERS_PATH)} == {"Bearer t1"}
    assert token.headers["authorization"] == "Basic aWQ6c2VjcmV0"
    assert (token.form["grant_type"], token.form["refresh_token"]) == ("refresh_token", "v^1.1#r")
    assert "sell.fulfillment" in token.form["scope"]


def test_a_token_that_expired_is_obtained_anew() -> None:
    tokens = in_order(TOKEN, Reply(200, {"access_token": "t2", "expires_in": 7200}))
    answers = in_order(Reply(401), Reply(200, {"total": 0, "orders": []}))
    with ScriptedServer({TOKEN_PATH: tokens, ORDERS_PATH: answers}) as server:
        ebay.pull(account(server), WINDOW, None)
        assert [one.headers["authorization"] for one in server.of(ORDERS_PATH)] == ["Bearer t1", "Bearer t2"]


@pytest.mark.parametrize("answer", [Reply(400, {"error": "invalid_grant"}), Reply(401), Reply(200, {})])
def test_credentials_that_are_refused_are_called_so(answer: Reply) -> None:
    with ScriptedServer({TOKEN_PATH: answer}) as server, pytest.raises(CredentialsRefused):
        ebay.pull(account(server), WINDOW, None)


def test_an_account_without_a_refresh_token_says_so() -> None:
    with ScriptedServer({}) as server, pytest.raises(CredentialsRefused, match="refresh_token"):
        ebay.pull(account_api("ebay", server.url, [{"client_id": "a", "client_secret": "b"}]), WINDOW, None)


def test_too_many_calls_are_heeded_for_as_long_as_ebay_says() -> None:
    busy = Reply(429, {"errors": [{"errorId": 2001}]}, {"retry-after": "30"})
    with ScriptedServer({TOKEN_PATH: TOKEN, ORDERS_PATH: busy}) as server:
        api = account(server)
        with pytest.raises(Throttled) as caught:
            ebay.pull(api, WINDOW, None)
    assert caught.value.retry_after_seconds == 30
    assert isinstance(api.limits, OpenLimits)
    assert api.limits.closed == {"ebay#main#orders": 30}


@pytest.mark.parametrize("answer", [Reply(500), Reply(503), Reply(hangs_up=True), Reply(200, b"<html>")])
def test_an_outage_is_worth_another_try(answer: Reply) -> None:
    with ScriptedServer({TOKEN_PATH: TOKEN, ORDERS_PATH: answer}) as server, pytest.raises(Unavailable):
        ebay.pull(account(server), WINDOW, None)


@pytest.mark.parametrize("token", ["x", "1", "-1:4", "1:x"])
def test_a_page_is_asked_for_only_by_a_token_of_ours(token: str) -> None:
    with ScriptedServer({}) as server, pytest.raises(InvalidMessage):
        ebay.pull(account(server), WINDOW, token)


def test_an_order_that_is_not_there_is_not_found() -> None:
    with ScriptedServer({TOKEN_PATH: TOKEN}) as server, pytest.raises(NotFound):
        ebay.fetch(account(server), "1")
