"""Etsy's API: what is asked of it, what it is told, and what becomes of its moods."""

from __future__ import annotations

import json

import pytest

from oms.channels import envelopes, etsy
from oms.channels.client import ChannelApi
from oms.domain.channel_messages import PulledOrder
from oms.domain.errors import CredentialsRefused, NotFound, Throttled, Unavailable
from oms.domain.incoming import Envelope
from tests.integration.channels.etsy_shop import (
    CREDENTIALS,
    RECEIPT_ID,
    RECEIPT_PATH,
    RECEIPTS_PATH,
    SINCE,
    TOKEN,
    TOKEN_PATH,
    WINDOW,
    account,
    receipt,
)
from tests.scripted_server import Asked, OpenLimits, Reply, ScriptedServer, account_api, in_order


class Receipts:
    """A shop with so many receipts in the window. Some leave it before the n-th page as planned."""

    def __init__(self, count: int, leaving: dict[int, int] | None = None) -> None:
        self.ids = list(range(1, count + 1))
        self.leaving = leaving or {}
        self.pages = 0

    def __call__(self, asked: Asked) -> Reply:
        self.ids = self.ids[self.leaving.get(self.pages, 0) :]
        self.pages += 1
        offset, limit = int(asked.query["offset"]), int(asked.query["limit"])
        found = [receipt(receipt_id=one) for one in self.ids[offset : offset + limit]]
        return Reply(200, {"count": len(self.ids), "results": found})


def pulled(api: ChannelApi) -> list[PulledOrder]:
    orders: list[PulledOrder] = []
    token = None
    for _ in range(20):
        page = etsy.pull(api, WINDOW, token)
        orders += page.orders
        token = page.next_token
        if token is None:
            return orders
    raise AssertionError("it never ends")


def test_a_thousand_receipts_are_ten_calls_and_one_for_a_token() -> None:
    with ScriptedServer({TOKEN_PATH: TOKEN, RECEIPTS_PATH: Receipts(1000)}) as server:
        orders = pulled(account(server))
        assert len({one.channel_order_id for one in orders}) == len(orders) == 1000
        assert len(server.asked) == 11
        first = server.of(RECEIPTS_PATH)[0].query
    assert first == {
        "min_last_modified": "1795431600",
        "max_last_modified": "1795435200",
        "limit": "100",
        "offset": "0",
        "sort_on": "created",
        "sort_order": "asc",
    }


@pytest.mark.parametrize("leaving", [{1: 1}, {1: 3, 2: 50}, {2: 99}, {1: 100}])
def test_no_receipt_is_passed_over_when_others_leave_the_window_while_it_is_read(leaving: dict[int, int]) -> None:
    """Each that leaves was changed just now: the next window finds it. Those that stay must all be found in this."""
    receipts = Receipts(201, leaving)
    with ScriptedServer({TOKEN_PATH: TOKEN, RECEIPTS_PATH: receipts}) as server:
        found = {one.channel_order_id for one in pulled(account(server))}
    assert {str(one) for one in receipts.ids} <= found


def test_what_was_pulled_is_parsed_as_the_order_it_is() -> None:
    page = Reply(200, {"count": 1, "results": [receipt(), None]})
    with ScriptedServer({TOKEN_PATH: TOKEN, RECEIPTS_PATH: page}) as server:
        (one,) = etsy.pull(account(server), WINDOW, None).orders
    assert one.body is not None
    read = etsy.parse(
        Envelope(
            channel="etsy",
            account="main",
            topic=envelopes.FETCHED,
            message_id="m",
            received_at=SINCE,
            body=one.body,
        )
    )
    assert read is not None
    assert (read.channel_order_id, read.channel_updated_at) == (one.channel_order_id, one.updated_at)


def test_a_receipt_is_fetched_by_its_id() -> None:
    with ScriptedServer({TOKEN_PATH: TOKEN, RECEIPT_PATH: Reply(200, receipt())}) as server:
        fetched = etsy.fetch(account(server), RECEIPT_ID)
    assert json.loads(fetched.body or "") == receipt()


def test_a_receipt_that_is_not_there_is_not_found() -> None:
    with ScriptedServer({TOKEN_PATH: TOKEN}) as server, pytest.raises(NotFound):
        etsy.fetch(account(server), "1")


def test_every_call_carries_the_applications_key_and_the_token() -> None:
    with ScriptedServer({TOKEN_PATH: TOKEN, RECEIPTS_PATH: Receipts(101)}) as server:
        pulled(account(server))
        (token,) = server.of(TOKEN_PATH)
        calls = server.of(RECEIPTS_PATH)
    assert token.form == {"grant_type": "refresh_token", "client_id": "keystring", "refresh_token": "88001.r"}
    assert {one.headers["x-api-key"] for one in calls} == {"keystring:shared"}
    assert {one.headers["authorization"] for one in calls} == {"Bearer 88001.t1"}


def test_a_token_that_expired_is_obtained_anew() -> None:
    tokens = in_order(TOKEN, Reply(200, {"access_token": "t2", "expires_in": 3600}))
    answers = in_order(Reply(401, {"error": "invalid_token"}), Reply(200, {"count": 0, "results": []}))
    with ScriptedServer({TOKEN_PATH: tokens, RECEIPTS_PATH: answers}) as server:
        etsy.pull(account(server), WINDOW, None)
        assert [one.headers["authorization"] for one in server.of(RECEIPTS_PATH)] == ["Bearer 88001.t1", "Bearer t2"]


@pytest.mark.parametrize("answer", [Reply(400, {"error": "invalid_grant"}), Reply(401), Reply(200, {})])
def test_credentials_that_are_refused_are_called_so(answer: Reply) -> None:
    with ScriptedServer({TOKEN_PATH: answer}) as server, pytest.raises(CredentialsRefused):
        etsy.pull(account(server), WINDOW, None)


@pytest.mark.parametrize(
    ("credentials", "options", "missing"),
    [
        ({"api_key": "k"}, {"shop_id": "1"}, "refresh_token"),
        ({"refresh_token": "r"}, {"shop_id": "1"}, "api_key"),
        (CREDENTIALS, {}, "shop_id"),
    ],
)
def test_an_account_that_is_not_set_up_says_what_is_missing(
    credentials: dict[str, str], options: dict[str, str], missing: str
) -> None:
    with ScriptedServer({}) as server, pytest.raises(CredentialsRefused, match=missing):
        etsy.pull(account_api("etsy", server.url, [credentials], options), WINDOW, None)


def test_too_many_calls_are_heeded_for_as_long_as_etsy_says() -> None:
    busy = Reply(429, {"error": "Exceeded quota"}, {"retry-after": "25"})
    with ScriptedServer({TOKEN_PATH: TOKEN, RECEIPTS_PATH: busy}) as server:
        api = account(server)
        with pytest.raises(Throttled) as caught:
            etsy.pull(api, WINDOW, None)
    assert caught.value.retry_after_seconds == 25
    assert isinstance(api.limits, OpenLimits)
    assert api.limits.closed == {"etsy#main#receipts": 25}


@pytest.mark.parametrize("answer", [Reply(500), Reply(503), Reply(hangs_up=True), Reply(200, b"<html>")])
def test_an_outage_is_worth_another_try(answer: Reply) -> None:
    with ScriptedServer({TOKEN_PATH: TOKEN, RECEIPTS_PATH: answer}) as server, pytest.raises(Unavailable):
        etsy.pull(account(server), WINDOW, None)
