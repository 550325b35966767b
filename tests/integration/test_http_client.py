"""The one HTTP client, whatever is at the other end: slow, hostile, or only written down wrongly."""

from __future__ import annotations

import io
from dataclasses import dataclass
from typing import Any

import pytest
import urllib3

from oms.domain.errors import Unavailable
from oms.runtime.http import ANSWER_SECONDS, MAX_ANSWER_BYTES, AnswerTooLarge, HttpAnswer, HttpClient
from tests.scripted_server import Reply, ScriptedServer


@dataclass
class Dripping(io.RawIOBase):
    """An answer of which one byte comes each second of the clock."""

    seconds: float = 0.0
    left: int = 100_000

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        self.seconds += 1
        self.left -= 1
        buffer[:1] = b"x"
        return 1 if self.left else 0


def test_an_answer_that_drips_in_is_given_up_however_small_its_drops(monkeypatch: pytest.MonkeyPatch) -> None:
    dripping = Dripping()

    def request(*_: Any, **__: Any) -> urllib3.HTTPResponse:
        return urllib3.HTTPResponse(body=io.BufferedReader(dripping), status=200, preload_content=False)

    monkeypatch.setattr(urllib3.PoolManager, "request", request)
    with pytest.raises(Unavailable, match="slowly"):
        HttpClient(clock=lambda: dripping.seconds).request("POST", "https://shop.example/")
    assert dripping.seconds <= ANSWER_SECONDS + 1


def test_connecting_and_waiting_take_no_longer_together_than_there_is_time(monkeypatch: pytest.MonkeyPatch) -> None:
    patience: list[urllib3.Timeout] = []

    def request(*_: Any, timeout: urllib3.Timeout, **__: Any) -> urllib3.HTTPResponse:
        patience.append(timeout)
        return urllib3.HTTPResponse(body=io.BytesIO(b"{}"), status=200, preload_content=False)

    monkeypatch.setattr(urllib3.PoolManager, "request", request)
    for within_seconds in (5.0, float("inf")):
        HttpClient(clock=lambda: 0.0).request("GET", "https://shop.example/", within_seconds=within_seconds)
    assert [(one.total, one.connect_timeout) for one in patience] == [(5.0, 3), (13, 3)]


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("7", 7.0),
        ("-7", 0.0),
        ("nan", None),
        ("inf", None),
        ("1e400", None),
        ("Mon, 23 Nov 99999999999999999999 12:02:00 GMT", None),
        ("Mon, 23 Nov 2026 12:02:00 +99999999999999999999", None),
        ("Mon, 23 Nov 2026 12:02:00", None),
        ("Mon, 23 Nov 1970 12:02:00 GMT", 0.0),
        ("٣ Monde", None),
    ],
)
def test_a_pause_is_some_seconds_or_none_whatever_is_written_there(text: str, seconds: float | None) -> None:
    assert HttpAnswer(429, {"retry-after": text}, b"").retry_after_seconds == seconds


def test_a_header_that_comes_in_parts_is_read_whole(monkeypatch: pytest.MonkeyPatch) -> None:
    def request(*_: Any, **__: Any) -> urllib3.HTTPResponse:
        headers = urllib3.HTTPHeaderDict([("Link", "<a>; rel=previous"), ("LINK", "<b>; rel=next")])
        return urllib3.HTTPResponse(body=io.BytesIO(b"{}"), headers=headers, status=200, preload_content=False)

    monkeypatch.setattr(urllib3.PoolManager, "request", request)
    answer = HttpClient().request("GET", "https://shop.example/")
    assert answer.headers["link"] == "<a>; rel=previous, <b>; rel=next"


def test_an_answer_that_is_too_large_is_told_from_other_trouble() -> None:
    reply = Reply(body=b"x" * (MAX_ANSWER_BYTES + 1))
    with ScriptedServer({"/orders": reply}) as server, pytest.raises(AnswerTooLarge):
        HttpClient(allow_loopback=True).request("GET", f"{server.url}/orders")
    assert len(server.asked) == 1


@pytest.mark.parametrize(
    ("path", "headers"),
    [
        pytest.param("/orders", {"authorization": "k1\r\nx-evil: 1"}, id="a key with a line end"),
        pytest.param("/orders", {"authorization": "schlüssel \u20ac"}, id="a key of other letters"),
        pytest.param("/orders", {"x\r\ny": "1"}, id="a name with a line end"),
    ],
)
def test_what_can_not_be_sent_is_not_sent_and_not_quoted(path: str, headers: dict[str, str]) -> None:
    with ScriptedServer({"/orders": Reply()}) as server, pytest.raises(Unavailable) as told:
        HttpClient(allow_loopback=True).request("GET", f"{server.url}{path}", headers=headers)
    assert server.asked == []
    assert told.value.__cause__ is None
    assert "k1" not in str(told.value)


def test_who_hangs_once_is_not_asked_to_hang_again(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[str] = []

    def request(pool: Any, method: str, url: str, **_: Any) -> urllib3.HTTPResponse:
        asked.append(method)
        raise urllib3.exceptions.ReadTimeoutError(pool, url, "hangs")

    monkeypatch.setattr(urllib3.PoolManager, "request", request)
    with pytest.raises(Unavailable, match="ReadTimeoutError"):
        HttpClient(sleep=lambda _: None).request("GET", "https://shop.example/")
    assert asked == ["GET"]


@pytest.mark.parametrize("url", ["https://[", "https://shop.example:port/", "https:///orders", ""])
def test_an_address_that_is_none_is_not_spoken_to(url: str) -> None:
    with pytest.raises(Unavailable):
        HttpClient().request("GET", url)


@pytest.mark.parametrize("path", ["/orders/..", "/orders/../shop", "/orders/./1", "/orders/%2e%2E/shop"])
def test_an_id_that_leads_elsewhere_leads_nowhere(path: str) -> None:
    with ScriptedServer({"/": Reply()}) as server:
        with pytest.raises(Unavailable):
            HttpClient(allow_loopback=True).request("GET", f"{server.url}{path}")
        assert server.asked == []
        HttpClient(allow_loopback=True).request("GET", f"{server.url}/orders/1..2/.3?since=../..")
    assert [one.path for one in server.asked] == ["/orders/1..2/.3"]


def test_a_line_end_in_an_address_makes_no_header() -> None:
    with ScriptedServer({"/orders": Reply()}) as server:
        HttpClient(allow_loopback=True).request("GET", f"{server.url}/orders/1 HTTP/1.1\r\nx-evil: 1\r\n/")
    assert "x-evil" not in server.asked[0].headers
