"""Walmart's API: what is asked of it, what it is told, and what becomes of its moods."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from oms.channels import envelopes, walmart
from oms.channels.client import ChannelApi
from oms.domain.channel_messages import Window
from oms.domain.errors import CredentialsRefused, InvalidMessage, NotFound, Throttled, Unavailable
from oms.domain.incoming import Envelope
from tests.integration.channels.walmart_seller import ORDER_ID, ORDER_PATH, SINCE, TOKEN, WINDOW, account, order
from tests.scripted_server import Asked, OpenLimits, Reply, ScriptedServer, in_order


def page(*orders: Any, cursor: str | None = None) -> Reply:
    meta = {"totalCount": len(orders), "limit": 200, **({"nextCursor": cursor} if cursor else {})}
    return Reply(200, {"list": {"meta": meta, "elements": {"order": list(orders)}}})


def test_a_window_is_read_page_by_page_to_its_end() -> None:
    cursor = "?limit=200&hasMoreElements=true&soIndex=2&poIndex=1&partnerId=1&lastModifiedStartDate=2026-11-23"
    pages = in_order(page(order(), cursor=cursor), page(order(purchaseOrderId="2087000000102")))
    with ScriptedServer({"/v3/token": TOKEN, "/v3/orders": pages}) as server:
        api = account(server)
        first = walmart.pull(api, WINDOW, None)
        assert (first.next_token or "").endswith(cursor[1:])
        last = walmart.pull(api, WINDOW, first.next_token)
        asked = server.of("/v3/orders")
    assert [one.channel_order_id for one in (*first.orders, *last.orders)] == [ORDER_ID, "2087000000102"]
    assert last.next_token is None
    assert first.orders[0].updated_at == datetime(2026, 11, 23, 13, 5, tzinfo=UTC)
    assert asked[0].query == {
        "lastModifiedStartDate": "2026-11-23T10:59:59Z",
        "lastModifiedEndDate": "2026-11-23T12:00:00Z",
        "createdStartDate": "2026-05-28T12:00:00Z",
        "shipNodeType": "SellerFulfilled",
        "replacementInfo": "true",
        "limit": "200",
    }
    assert asked[1].query["soIndex"] == "2"


def test_an_order_that_its_buyer_wants_to_cancel_counts_as_changed_though_no_time_in_it_says_so() -> None:
    old, wished, fresh = (order(purchaseOrderId=str(number)) for number in range(3))
    for one in (old, wished):
        one["orderDate"] = 1
        for line in one["orderLines"]["orderLine"]:
            line["statusDate"] = 1
    wished["orderLines"]["orderLine"][1]["intentToCancel"] = "true"
    fresh["orderLines"]["orderLine"][1]["intentToCancel"] = "true"
    with ScriptedServer({"/v3/token": TOKEN, "/v3/orders": page(old, wished, fresh)}) as server:
        found = walmart.pull(account(server), WINDOW, None)
    assert [one.updated_at for one in found.orders] == [
        datetime(1970, 1, 1, tzinfo=UTC),
        WINDOW.since,
        datetime(2026, 11, 23, 13, 5, tzinfo=UTC),
    ]


def test_an_old_window_asks_for_no_orders_that_are_too_old_to_be_asked_for() -> None:
    past = Window(since=SINCE - timedelta(days=20), until=SINCE - timedelta(days=19))
    with ScriptedServer({"/v3/token": TOKEN, "/v3/orders": Reply(404)}) as server:
        walmart.pull(account(server), past, None)
        (asked,) = server.of("/v3/orders")
    assert asked.query["createdStartDate"] == "2026-05-28T12:00:00Z"


class Orders:
    """A Walmart with so many orders in the window, whose cursors count them. Some leave before the n-th page."""

    def __init__(self, count: int, leaving: dict[int, int] | None = None) -> None:
        self.ids = [str(number) for number in range(count)]
        self.leaving = leaving or {}
        self.pages = 0

    def __call__(self, asked: Asked) -> Reply:
        self.ids = self.ids[self.leaving.get(self.pages, 0) :]
        self.pages += 1
        at = int(asked.query.get("poIndex", "0"))
        found = [order(purchaseOrderId=one) for one in self.ids[at : at + 200]]
        if not found:
            return Reply(404)
        end = at + len(found)
        meta = {"totalCount": len(self.ids), "limit": 200}
        cursor = {"nextCursor": f"?limit=200&soIndex={len(self.ids)}&poIndex={end}"} if end < len(self.ids) else {}
        return Reply(200, {"list": {"meta": {**meta, **cursor}, "elements": {"order": found}}})


def pulled(api: ChannelApi) -> set[str]:
    ids: set[str] = set()
    token = None
    for _ in range(20):
        found = walmart.pull(api, WINDOW, token)
        ids |= {one.channel_order_id for one in found.orders}
        token = found.next_token
        if token is None:
            return ids
    raise AssertionError("it never ends")


@pytest.mark.parametrize("leaving", [{1: 1}, {1: 3, 2: 50}, {2: 199}, {1: 200}, {2: 1, 3: 1}])
def test_no_order_is_passed_over_when_others_leave_the_window_while_it_is_read(leaving: dict[int, int]) -> None:
    """Each that leaves was changed just now: the next window finds it. Those that stay must all be found in this."""
    orders = Orders(401, leaving)
    with ScriptedServer({"/v3/token": TOKEN, "/v3/orders": orders}) as server:
        found = pulled(account(server))
    assert set(orders.ids) <= found


def test_a_window_that_never_stands_still_is_read_three_times_and_no_more() -> None:
    orders = Orders(900, dict.fromkeys(range(1, 30), 1))
    with ScriptedServer({"/v3/token": TOKEN, "/v3/orders": orders}) as server:
        pulled(account(server))
    assert orders.pages == 15


@pytest.mark.parametrize("token", ["limit=200", "1:2:3:limit=200", ""])
def test_a_page_is_asked_for_only_by_a_token_of_ours(token: str) -> None:
    with ScriptedServer({}) as server, pytest.raises(InvalidMessage):
        walmart.pull(account(server), WINDOW, token)


def test_what_was_pulled_is_parsed_as_the_order_it_is() -> None:
    with ScriptedServer({"/v3/token": TOKEN, "/v3/orders": page(order())}) as server:
        pulled = walmart.pull(account(server), WINDOW, None).orders[0]
    assert pulled.body is not None
    read = walmart.parse(
        Envelope(
            channel="walmart",
            account="main",
            topic=envelopes.FETCHED,
            message_id="m",
            received_at=SINCE,
            body=pulled.body,
        )
    )
    assert read is not None
    assert (read.channel_order_id, read.channel_updated_at) == (pulled.channel_order_id, pulled.updated_at)


def test_a_window_without_orders_is_answered_404_and_is_empty() -> None:
    nothing = Reply(404, {"errors": {"error": [{"code": "CONTENT_NOT_FOUND.GMP_ORDER_API"}]}})
    with ScriptedServer({"/v3/token": TOKEN, "/v3/orders": nothing}) as server:
        found = walmart.pull(account(server), WINDOW, None)
    assert (found.orders, found.next_token) == ((), None)


def test_a_thousand_orders_are_five_calls_and_one_for_a_token() -> None:
    left = [page(*[order()] * 200, cursor="?soIndex=1") for _ in range(4)]
    with ScriptedServer({"/v3/token": TOKEN, "/v3/orders": in_order(*left, page(*[order()] * 200))}) as server:
        api = account(server)
        orders, token = 0, None
        for _ in range(10):
            found = walmart.pull(api, WINDOW, token)
            orders, token = orders + len(found.orders), found.next_token
            if token is None:
                break
        assert (orders, len(server.asked)) == (1000, 6)


def test_every_call_carries_the_token_and_an_id_of_its_own() -> None:
    with ScriptedServer({"/v3/token": TOKEN, "/v3/orders": page()}) as server:
        api = account(server)
        walmart.pull(api, WINDOW, None)
        walmart.pull(api, WINDOW, None)
        token, one, other = server.asked
    assert token.form == {"grant_type": "client_credentials"}
    assert token.headers["authorization"] == "Basic aWQ6c2VjcmV0"
    assert one.headers["wm_sec.access_token"] == "t1"
    assert one.headers["wm_svc.name"]
    assert one.headers["wm_qos.correlation_id"] != other.headers["wm_qos.correlation_id"]


def test_a_token_that_expired_is_obtained_anew() -> None:
    tokens = in_order(TOKEN, Reply(200, {"access_token": "t2", "expires_in": 900}))
    with ScriptedServer({"/v3/token": tokens, "/v3/orders": in_order(Reply(401), page(order()))}) as server:
        assert walmart.pull(account(server), WINDOW, None).orders
        assert [one.headers["wm_sec.access_token"] for one in server.of("/v3/orders")] == ["t1", "t2"]


@pytest.mark.parametrize("answer", [Reply(400, {"error": [{"code": "INVALID_CLIENT"}]}), Reply(401), Reply(200, {})])
def test_credentials_that_are_refused_are_called_so(answer: Reply) -> None:
    with ScriptedServer({"/v3/token": answer}) as server, pytest.raises(CredentialsRefused):
        walmart.pull(account(server), WINDOW, None)


def test_too_many_calls_are_heeded_for_as_long_as_walmart_says() -> None:
    busy = Reply(429, {}, {"retry-after": "40"})
    with ScriptedServer({"/v3/token": TOKEN, "/v3/orders": busy}) as server:
        api = account(server)
        with pytest.raises(Throttled) as caught:
            walmart.pull(api, WINDOW, None)
    assert caught.value.retry_after_seconds == 40
    assert isinstance(api.limits, OpenLimits)
    assert api.limits.closed == {"walmart#main#orders": 40}


@pytest.mark.parametrize("answer", [Reply(500), Reply(503), Reply(hangs_up=True), Reply(200, b"<html>")])
def test_an_outage_is_worth_another_try(answer: Reply) -> None:
    with ScriptedServer({"/v3/token": TOKEN, "/v3/orders": answer}) as server, pytest.raises(Unavailable):
        walmart.pull(account(server), WINDOW, None)


def test_an_order_is_fetched_by_its_id() -> None:
    with ScriptedServer({"/v3/token": TOKEN, ORDER_PATH: Reply(200, {"order": order()})}) as server:
        fetched = walmart.fetch(account(server), ORDER_ID)
    assert json.loads(fetched.body or "") == order()


def test_an_order_that_is_not_there_is_not_found() -> None:
    with ScriptedServer({"/v3/token": TOKEN}) as server, pytest.raises(NotFound):
        walmart.fetch(account(server), "1")
