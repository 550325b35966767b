"""Amazon's API: signing in, pulling orders page by page, and what becomes of its moods."""

from __future__ import annotations

import json
from datetime import datetime, timedelta
from types import SimpleNamespace
from typing import Any

import pytest

from oms.channels import amazon, amazon_pull
from oms.domain.channel_messages import Window
from oms.domain.errors import ChannelRefused, CredentialsRefused, NotFound, NotSupported, Throttled, Unavailable
from oms.domain.intake import totals_difference
from oms.runtime.http import HttpAnswer
from tests.integration.channels.amazon_account import (
    CREDENTIALS,
    FORBIDDEN,
    ROTATED,
    SEARCH,
    SEARCH_V0,
    SIGN_IN,
    UNTIL,
    WINDOW,
    amazon_with,
    limits_of,
    page,
    parsed,
    refusal,
    token,
)
from tests.scripted_server import NOON, Reply, account_api, in_order
from tests.unit.amazon_bodies import order


def test_the_refresh_token_is_exchanged_once_for_an_hour_of_calls() -> None:
    with amazon_with({SEARCH: page()}) as (server, api):
        amazon.pull(api, WINDOW, None)
        amazon.pull(api, WINDOW, None)
    (signed_in,) = server.of(SIGN_IN)
    assert signed_in.form == {"grant_type": "refresh_token", **CREDENTIALS}
    assert [one.headers["x-amz-access-token"] for one in server.of(SEARCH)] == ["Atza|1", "Atza|1"]
    assert server.of(SEARCH)[0].headers["user-agent"].startswith("oms/")


def test_an_access_token_that_expired_is_renewed_and_the_call_made_again() -> None:
    routes = {SIGN_IN: in_order(token("old"), token("new")), SEARCH: in_order(FORBIDDEN, page(order()))}
    with amazon_with(routes) as (server, api):
        assert len(amazon.pull(api, WINDOW, None).orders) == 1
    assert [one.headers["x-amz-access-token"] for one in server.of(SEARCH)] == ["old", "new"]


def test_a_refresh_token_that_was_replaced_is_read_anew() -> None:
    routes = {SIGN_IN: in_order(Reply(400, {"error": "invalid_grant"}), token()), SEARCH: page()}
    with amazon_with(routes, CREDENTIALS, ROTATED) as (server, api):
        amazon.pull(api, WINDOW, None)
    assert [one.form["refresh_token"] for one in server.of(SIGN_IN)] == ["Atzr|first", "Atzr|second"]


@pytest.mark.parametrize("answer", [Reply(400, {"error": "invalid_grant"}), Reply(401, {"error": "invalid_client"})])
@pytest.mark.parametrize(
    ("credentials", "tries"),
    [
        pytest.param((CREDENTIALS,), 2, id="once for each version of the API"),
        pytest.param((CREDENTIALS, ROTATED), 3, id="and once with those that replaced them"),
        pytest.param(({"client_id": "only"},), 0, id="incomplete"),
    ],
)
def test_credentials_that_amazon_refuses_wait_for_a_person(answer: Reply, credentials: Any, tries: int) -> None:
    with amazon_with({SIGN_IN: answer}, *credentials) as (server, api), pytest.raises(CredentialsRefused) as caught:
        amazon.pull(api, WINDOW, None)
    assert "Atzr" not in str(caught.value)
    assert len(server.of(SIGN_IN)) == tries
    assert not server.of("/orders")


@pytest.mark.parametrize("answer", [Reply(503), Reply(200, b"<html>"), Reply(200, {"token": 1}), Reply(hangs_up=True)])
def test_a_sign_in_that_gives_no_token_is_tried_later(answer: Reply) -> None:
    with amazon_with({SIGN_IN: answer}) as (_, api), pytest.raises(Unavailable):
        amazon.pull(api, WINDOW, None)


@pytest.mark.parametrize(
    ("region", "host"),
    [
        ("", "https://sellingpartnerapi-na.amazon.com"),
        ("eu", "https://sellingpartnerapi-eu.amazon.com"),
        ("fe", "https://sellingpartnerapi-fe.amazon.com"),
    ],
)
def test_each_region_has_its_own_host_and_one_sign_in(region: str, host: str) -> None:
    asked: list[str] = []

    def answer(method: str, url: str, **_: Any) -> HttpAnswer:
        asked.append(url)
        body = token().body if "token" in url else {"orders": []}
        return HttpAnswer(200, {}, json.dumps(body).encode())

    api = account_api("amazon", "", [CREDENTIALS], {"region": region} if region else {})
    api.http = SimpleNamespace(request=answer)  # type: ignore[assignment] - nothing goes out
    amazon.pull(api, WINDOW, None)
    assert asked[0] == "https://api.amazon.com/auth/o2/token"
    assert asked[1].startswith(f"{host}{SEARCH}?")


def test_an_unknown_region_is_told_to_whoever_set_it_up() -> None:
    with pytest.raises(NotSupported, match="region"):
        amazon.pull(account_api("amazon", "", [CREDENTIALS], {"region": "mars"}), WINDOW, None)


def test_a_pull_asks_for_the_sellers_own_orders_of_the_window_with_all_we_need() -> None:
    with amazon_with({SEARCH: page(order())}) as (server, api):
        found = amazon.pull(api, WINDOW, None)
    assert server.of(SEARCH)[0].query == {
        "lastUpdatedAfter": "2026-11-23T11:00:00Z",
        "lastUpdatedBefore": "2026-11-23T11:57:30Z",
        "fulfilledBy": "MERCHANT",
        "maxResultsPerPage": "100",
        "includedData": "BUYER,RECIPIENT,PROCEEDS,CANCELLATION,FULFILLMENT,TAX,PAYMENT",
        "marketplaceIds": "ATVPDKIKX0DER",
    }
    (pulled,) = found.orders
    assert found.next_token is None
    assert pulled.channel_order_id == "114-5550001-2220001"
    assert pulled.updated_at == datetime.fromisoformat("2026-11-22T16:35:02.417Z")
    assert parsed(pulled).contact.ship_to.city == "Columbus"


def test_every_page_of_a_window_is_asked_for_with_the_same_end() -> None:
    replies = in_order(page(order(), next_token="p2|x"), page(order(orderId="2"), next_token="p3"), page())
    with amazon_with({SEARCH: replies}) as (server, api):
        first = amazon.pull(api, WINDOW, None)
        api.now = lambda: NOON + timedelta(minutes=30)
        second = amazon.pull(api, WINDOW, first.next_token)
        third = amazon.pull(api, WINDOW, second.next_token)
    asked = [one.query for one in server.of(SEARCH)]
    assert [one.get("paginationToken") for one in asked] == [None, "p2|x", "p3"]
    assert len({one["lastUpdatedBefore"] for one in asked}) == 1
    assert third.next_token is None


def test_what_amazon_does_not_show_yet_is_left_to_the_next_window() -> None:
    with amazon_with({SEARCH: page()}) as (server, api):
        amazon.pull(api, Window(since=UNTIL - timedelta(seconds=1), until=NOON + timedelta(hours=1)), None)
        assert amazon.pull(api, Window(since=UNTIL, until=NOON), None).orders == ()
        early = Window(since=WINDOW.since, until=UNTIL - timedelta(minutes=5))
        amazon.pull(api, early, None)
    ends = [one.query["lastUpdatedBefore"] for one in server.of(SEARCH)]
    assert ends == ["2026-11-23T11:57:30Z", "2026-11-23T11:52:30Z"]


def test_several_marketplaces_are_asked_in_one_call_and_none_may_be_named() -> None:
    with amazon_with({SEARCH: page()}, marketplace_ids="ATVPDKIKX0DER, A2EUQ1WTGCTBG2") as (server, api):
        amazon.pull(api, WINDOW, None)
    assert server.of(SEARCH)[0].query["marketplaceIds"] == "ATVPDKIKX0DER,A2EUQ1WTGCTBG2"
    with amazon_with({SEARCH: page()}, marketplace_ids="") as (server, api):
        amazon.pull(api, WINDOW, None)
    assert "marketplaceIds" not in server.of(SEARCH)[0].query


@pytest.mark.parametrize(("headers", "seconds"), [({"retry-after": "7"}, 7.0), ({}, 1 / 0.0056)])
def test_too_many_pulls_close_the_search_for_a_while(headers: dict[str, str], seconds: float) -> None:
    with amazon_with({SEARCH: Reply(429, {"errors": []}, headers)}) as (_, api):
        with pytest.raises(Throttled) as caught:
            amazon.pull(api, WINDOW, None)
        assert caught.value.retry_after_seconds == pytest.approx(seconds)
        assert limits_of(api).closed == {"amazon#main#orders-search": pytest.approx(seconds)}


def test_the_rate_that_amazon_tells_is_learnt() -> None:
    with amazon_with({SEARCH: Reply(200, {"orders": []}, {"x-amzn-RateLimit-Limit": "0.0111"})}) as (_, api):
        amazon.pull(api, WINDOW, None)
        assert limits_of(api).learnt == {"amazon#main#orders-search": 0.0111}


@pytest.mark.parametrize(
    "reply",
    [
        Reply(500),
        Reply(503),
        Reply(hangs_up=True),
        Reply(200, b"<html>busy</html>"),
        Reply(200, []),
        Reply(200, {"orders": "none"}),
        Reply(200, {"orders": [{"lastUpdatedTime": "2026-11-22T16:35:02Z"}]}),
        Reply(200, {"orders": [{"orderId": "1", "lastUpdatedTime": "yesterday"}]}),
    ],
)
def test_an_answer_that_is_none_is_asked_for_again_later(reply: Reply) -> None:
    with amazon_with({SEARCH: reply}) as (_, api), pytest.raises(Unavailable):
        amazon.pull(api, WINDOW, None)


def test_a_moment_of_weakness_does_not_end_a_pull() -> None:
    with amazon_with({SEARCH: in_order(Reply(503), Reply(hangs_up=True), page(order()))}) as (_, api):
        assert len(amazon.pull(api, WINDOW, None).orders) == 1


@pytest.mark.parametrize("version", ["2026-01-01", "v0"])
def test_a_page_token_that_is_no_longer_good_begins_the_window_again(version: str) -> None:
    routes = {SEARCH: refusal(400, "InvalidInput"), SEARCH_V0: refusal(400, "InvalidInput")}
    with amazon_with(routes) as (server, api):
        with pytest.raises(ChannelRefused) as caught:
            amazon.pull(api, WINDOW, f"{version}|{UNTIL.isoformat()}|stale")
        assert caught.value.codes == ("InvalidInput",)
        for strange in (
            "somebody else's",
            f"{version}|2026-11-23T11:30:00|no zone",
            f"{version}|{WINDOW.since.isoformat()}|before the window",
            f"{version}|{(WINDOW.until + timedelta(seconds=1)).isoformat()}|beyond the window",
            f"v9|{UNTIL.isoformat()}|another version",
        ):
            with pytest.raises(ChannelRefused):
                amazon.pull(api, WINDOW, strange)
    assert len(server.of("/orders")) == 1


def test_one_order_is_fetched_whole() -> None:
    body = order()
    with amazon_with({f"{SEARCH}/": Reply(200, {"order": body})}) as (server, api):
        pulled = amazon.fetch(api, body["orderId"])
    (asked,) = server.of(f"{SEARCH}/")
    assert (asked.path, asked.query["includedData"]) == (f"{SEARCH}/{body['orderId']}", amazon_pull.INCLUDED)
    assert totals_difference(parsed(pulled)) == 0


def test_an_order_that_is_not_there_is_not_found() -> None:
    with amazon_with({}) as (server, api), pytest.raises(NotFound):
        amazon.fetch(api, "114-0000000-0000000")
    assert len(server.of(SEARCH_V0)) == 1
