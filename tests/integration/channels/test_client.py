"""The account of a channel as its file calls it: signed in, within its limits, whatever the channel answers."""

from __future__ import annotations

import json
from collections.abc import Mapping
from io import StringIO
from typing import Any

import pytest

from oms.channels.client import AccessToken, ChannelApi, Limit, decimal_json, error_codes
from oms.domain.errors import ChannelRefused, CredentialsRefused, NotFound, OutOfTime, Retryable, Throttled, Unavailable
from oms.runtime.functions import logger
from oms.runtime.http import MAX_ANSWER_BYTES, HttpAnswer, HttpClient
from tests.scripted_server import NOON, Asked, OpenLimits, Reply, ScriptedServer, account_api, in_order

ORDERS = Limit("orders", per_second=2, burst=10, rate_header="X-Rate-Limit")


def key_of(api: ChannelApi) -> Mapping[str, str]:
    return {"authorization": f"key {api.credentials['key']}"}


def token_of(api: ChannelApi) -> Mapping[str, str]:
    """Signs in with a token that is good for an hour."""

    def obtain() -> AccessToken:
        answer = api.call("POST", f"{api.settings.base_url}/token", limit=ORDERS, headers=key_of, form={"grant": "all"})
        return AccessToken(decimal_json(answer)["token"], 3600)

    return {"authorization": f"token {api.token('main', obtain)}"}


def get(api: ChannelApi, **options: Any) -> HttpAnswer:
    return api.call("GET", f"{api.settings.base_url}/orders", limit=ORDERS, headers=key_of, **options)


def api_of(server: ScriptedServer, *keys: str) -> ChannelApi:
    return account_api("shopify", server.url, [{"key": key} for key in keys or ("k1",)])


def limits_of(api: ChannelApi) -> OpenLimits:
    assert isinstance(api.limits, OpenLimits)
    return api.limits


def test_a_call_is_signed_takes_its_turn_and_brings_the_answer() -> None:
    with ScriptedServer({"/orders": Reply(body={"total": 19.99})}) as server:
        api = api_of(server)
        answer = get(api, query={"since": "2026-11-23T12:00:00+00:00"})
        assert str(decimal_json(answer)["total"]) == "19.99"
        assert server.asked[0].headers["authorization"] == "key k1"
        assert server.asked[0].query == {"since": "2026-11-23T12:00:00+00:00"}
        assert limits_of(api).taken == ["shopify#main#orders"]


def test_a_key_that_was_changed_is_read_anew_and_the_call_made_once_more() -> None:
    def open_to_k2(asked: Asked) -> Reply:
        return Reply(body={}) if asked.headers["authorization"] == "key k2" else Reply(401)

    with ScriptedServer({"/orders": open_to_k2}) as server:
        get(api_of(server, "k1", "k2"))
        assert [one.headers["authorization"] for one in server.asked] == ["key k1", "key k2"]


@pytest.mark.parametrize("status", [401, 403])
def test_credentials_that_are_refused_wait_for_a_person(status: int) -> None:
    with ScriptedServer({"/orders": Reply(status)}) as server, pytest.raises(CredentialsRefused):
        get(api_of(server, "k1", "k2"), expired=frozenset({401, 403}))
    assert len(server.asked) == 2


def test_a_token_is_obtained_once_and_again_only_when_it_is_refused() -> None:
    tokens = iter(["t1", "t2"])
    good = {"t1"}

    def orders(asked: Asked) -> Reply:
        return Reply(body={}) if asked.headers["authorization"].removeprefix("token ") in good else Reply(401)

    routes = {"/token": lambda _: Reply(body={"token": next(tokens)}), "/orders": orders}
    with ScriptedServer(routes) as server:
        api = api_of(server)
        for _ in range(2):
            api.call("GET", f"{server.url}/orders", limit=ORDERS, headers=token_of)
        assert len(server.of("/token")) == 1
        good.clear()
        good.add("t2")
        api.call("GET", f"{server.url}/orders", limit=ORDERS, headers=token_of)
        assert len(server.of("/token")) == 2


def test_a_token_that_is_about_to_expire_is_obtained_anew() -> None:
    seconds = [0.0]
    tokens = iter(["t1", "t2"])
    routes = {"/token": lambda _: Reply(body={"token": next(tokens)}), "/orders": Reply(body={})}
    with ScriptedServer(routes) as server:
        api = api_of(server)
        api.clock = lambda: seconds[0]
        for moment in (0.0, 3539.0, 3541.0):
            seconds[0] = moment
            api.call("GET", f"{server.url}/orders", limit=ORDERS, headers=token_of)
        assert [one.headers["authorization"] for one in server.of("/orders")] == ["token t1", "token t1", "token t2"]


@pytest.mark.parametrize(
    ("retry_after", "seconds"),
    [
        pytest.param("7", 7.0, id="in seconds"),
        pytest.param("Mon, 23 Nov 2026 12:02:00 GMT", None, id="as a date"),
        pytest.param("soon", 0.5, id="as nobody can read it"),
        pytest.param("", 0.5, id="not at all"),
    ],
)
def test_a_channel_that_is_asked_too_often_closes_its_operation_for_everybody(
    retry_after: str, seconds: float | None
) -> None:
    with ScriptedServer({"/orders": Reply(429, headers={"retry-after": retry_after})}) as server:
        api = api_of(server)
        with pytest.raises(Throttled) as told:
            get(api)
        closed = limits_of(api).closed["shopify#main#orders"]
        assert closed == told.value.retry_after_seconds
        assert closed == seconds if seconds is not None else closed >= 0
        assert len(server.asked) == 1


def test_a_date_to_come_back_at_is_so_many_seconds_away(monkeypatch: pytest.MonkeyPatch) -> None:
    class Noon:
        @staticmethod
        def now(_: Any) -> Any:
            return NOON

    monkeypatch.setattr("oms.runtime.http.datetime", Noon)
    headers = {"retry-after": "Mon, 23 Nov 2026 12:02:00 GMT"}
    assert HttpAnswer(429, headers, b"").retry_after_seconds == 120


def test_a_rate_that_the_channel_tells_is_learnt() -> None:
    with ScriptedServer({"/orders": in_order(Reply(headers={"x-rate-limit": "0.5"}), Reply())}) as server:
        api = api_of(server)
        get(api)
        get(api)
        assert limits_of(api).learnt == {"shopify#main#orders": 0.5}


@pytest.mark.parametrize("text", ["many", "-1", "0", "inf", "nan"])
def test_a_rate_that_is_none_is_not_learnt(text: str) -> None:
    with ScriptedServer({"/orders": Reply(headers={"x-rate-limit": text})}) as server:
        api = api_of(server)
        get(api)
        assert limits_of(api).learnt == {}


def test_what_the_channel_did_counts_even_if_its_rate_can_not_be_written_down() -> None:
    class Broken(OpenLimits):
        def learn(self, bucket: str, limit: Limit, per_second: float) -> None:
            raise Unavailable("no table")

        def close(self, bucket: str, limit: Limit, seconds: float) -> None:
            raise Unavailable("no table")

    replies = in_order(Reply(headers={"x-rate-limit": "0.5"}), Reply(429, headers={"retry-after": "9"}))
    with ScriptedServer({"/orders": replies}) as server:
        api = api_of(server)
        api.limits = Broken()
        assert get(api).status == 200
        with pytest.raises(Throttled) as told:
            get(api)
        assert told.value.retry_after_seconds == 9


def test_a_turn_that_comes_soon_is_waited_for_and_a_late_one_is_not() -> None:
    waits = [0.5, 1.5, 0.0, 30.0]

    class Busy(OpenLimits):
        def take(self, bucket: str, limit: Limit) -> float:
            return waits.pop(0)

    slept: list[float] = []
    with ScriptedServer({"/orders": Reply()}) as server:
        api = api_of(server)
        api.limits, api.sleep = Busy(), slept.append
        get(api)
        assert slept == [0.5, 1.5]
        with pytest.raises(Throttled) as told:
            get(api)
        assert (told.value.retry_after_seconds, slept, len(server.asked)) == (30.0, [0.5, 1.5], 1)


def test_who_never_gets_a_turn_gives_up() -> None:
    class Crowded(OpenLimits):
        def take(self, bucket: str, limit: Limit) -> float:
            return 0.1

    with ScriptedServer({"/orders": Reply()}) as server:
        api = api_of(server)
        api.limits = Crowded()
        with pytest.raises(Throttled):
            get(api)
        assert server.asked == []


@pytest.mark.parametrize(
    ("reply", "error", "asked"),
    [
        pytest.param(Reply(404), NotFound, 1, id="no such thing"),
        pytest.param(Reply(400), ChannelRefused, 1, id="refused"),
        pytest.param(Reply(301, headers={"location": "https://elsewhere.example"}), ChannelRefused, 1, id="moved"),
        pytest.param(Reply(402), Unavailable, 1, id="the shop has not paid"),
        pytest.param(Reply(408), Unavailable, 1, id="took too long there"),
        pytest.param(Reply(423), Unavailable, 1, id="the shop is locked"),
        pytest.param(Reply(500), Unavailable, 1, id="broken there"),
        pytest.param(Reply(503), Unavailable, 3, id="busy there, asked again"),
        pytest.param(Reply(503, headers={"retry-after": "20"}), Unavailable, 1, id="busy there, and says until when"),
        pytest.param(Reply(hangs_up=True), Unavailable, 3, id="hangs up"),
    ],
)
def test_an_answer_that_is_none_becomes_an_error_of_ours(reply: Reply, error: type[Exception], asked: int) -> None:
    with ScriptedServer({"/orders": reply}) as server, pytest.raises(error):
        get(api_of(server))
    assert len(server.asked) == asked


def test_what_may_have_changed_something_is_not_sent_twice() -> None:
    with ScriptedServer({"/orders": in_order(Reply(hangs_up=True), Reply())}) as server, pytest.raises(Unavailable):
        api_of(server).call("POST", f"{server.url}/orders", limit=ORDERS, headers=key_of, body={"a": 1})
    assert len(server.asked) == 1


def test_a_pause_the_channel_asked_for_is_told_with_the_error() -> None:
    reply = Reply(503, headers={"retry-after": "20"})
    with ScriptedServer({"/orders": reply}) as server, pytest.raises(Retryable) as told:
        get(api_of(server))
    assert told.value.retry_after_seconds == 20


def test_a_refusal_tells_the_codes_of_the_channel_and_none_of_its_texts() -> None:
    body = {"errors": [{"code": "InvalidSku", "message": "no sku for Ada Example"}, {"error": "bad request of Ada"}]}
    with ScriptedServer({"/orders": Reply(422, body)}) as server, pytest.raises(ChannelRefused) as told:
        get(api_of(server))
    assert (told.value.status, told.value.codes) == (422, ("InvalidSku",))
    assert "Ada" not in repr(told.value) + str(told.value) + str(told.value.details)


def test_codes_are_looked_for_so_deep_and_no_deeper() -> None:
    nested: Any = {"code": "DEEP"}
    for _ in range(100):
        nested = {"inner": nested, "code": "SHALLOW"}
    assert error_codes(HttpAnswer(400, {}, json.dumps(nested).encode())) == ("SHALLOW",)
    assert error_codes(HttpAnswer(400, {}, b"\xff<html>")) == ()
    assert error_codes(HttpAnswer(400, {}, b"[" * 200_000)) == ()


def test_neither_keys_nor_tokens_show_where_an_account_is_written_down() -> None:
    with ScriptedServer({"/token": Reply(body={"token": "secret-token"}), "/orders": Reply(body={})}) as server:
        api = api_of(server, "secret-key")
        api.call("GET", f"{server.url}/orders", limit=ORDERS, headers=token_of)
    assert "secret" not in repr(api) + repr(AccessToken("secret-token", 60))


@pytest.mark.parametrize("body", [b"<html>Ada Example</html>", b"\xff\xfe", b"", b"[" * 200_000, b"1" * 5_000])
def test_an_answer_that_is_no_json_comes_from_somebody_else_and_is_not_quoted(body: bytes) -> None:
    with ScriptedServer({"/orders": Reply(body=body)}) as server:
        answer = get(api_of(server))
    with pytest.raises(Unavailable) as told:
        decimal_json(answer)
    assert told.value.__cause__ is None
    assert "Ada" not in str(told.value)


def test_the_log_hears_of_a_bad_answer_where_it_came_from_and_nothing_else(monkeypatch: pytest.MonkeyPatch) -> None:
    written = StringIO()
    monkeypatch.setattr(logger.registered_handler, "stream", written)
    reply = Reply(400, {"email": "ada@example.com"})
    with ScriptedServer({"/orders": reply}) as server, pytest.raises(ChannelRefused):
        get(api_of(server), query={"email": "ada@example.com"})
    line = written.getvalue()
    assert '"path":"/orders"' in line
    assert "ada@" not in line
    assert "k1" not in line


def test_nothing_is_asked_once_the_worker_must_end() -> None:
    with ScriptedServer({"/orders": Reply()}) as server:
        api = api_of(server)
        api.clock, api.ends_at = (lambda: 100.0), 100.0
        with pytest.raises(OutOfTime):
            get(api)
        assert server.asked == []


def test_a_worker_that_must_end_soon_does_not_try_again() -> None:
    seconds = [0.0]

    def slow(_: Asked) -> Reply:
        seconds[0] += 20
        return Reply(503)

    with ScriptedServer({"/orders": slow}) as server:
        http = HttpClient(allow_loopback=True, sleep=lambda _: None, clock=lambda: seconds[0])
        assert http.request("GET", f"{server.url}/orders", within_seconds=30).status == 503
        assert len(server.asked) == 2


def test_an_answer_that_drips_in_is_given_up() -> None:
    seconds = iter(range(0, 10_000, 10))
    with ScriptedServer({"/orders": Reply(body=b"x" * 1_000_000)}) as server:
        http = HttpClient(allow_loopback=True, clock=lambda: float(next(seconds)))
        with pytest.raises(Unavailable, match="slowly"):
            http.request("POST", f"{server.url}/orders")


def test_an_answer_without_end_is_given_up() -> None:
    reply = Reply(body=b"x" * (MAX_ANSWER_BYTES + 1))
    with ScriptedServer({"/orders": reply}) as server, pytest.raises(Unavailable, match="more than"):
        HttpClient(allow_loopback=True).request("GET", f"{server.url}/orders")


@pytest.mark.parametrize(
    "url", ["http://example.com/", "ftp://example.com/", "https://localhost/", "http://127.0.0.1/"]
)
def test_only_https_to_another_machine_is_spoken(url: str) -> None:
    with pytest.raises(Unavailable, match="only https"):
        HttpClient().request("GET", url)
