"""The one HTTP client: short time-outs, no redirects, bounded answers, few retries. Logs hear host, path and status."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from urllib.parse import SplitResult, unquote, urlsplit

import urllib3

from oms.domain.errors import OutOfTime, Unavailable
from oms.runtime.functions import logger

CONNECT_SECONDS = 3
READ_SECONDS = 10
ANSWER_SECONDS = 30
"""One that drips in is given up after this, however fast each drop comes."""

MAX_ANSWER_BYTES = 8_000_000
MAX_TRIES = 3
"""Tries of a request that changes nothing. One that may change something is sent once: its caller knows what to do."""

PAUSE_SECONDS = 0.2
_CHUNK_BYTES = 65_536
_SAFE = frozenset({"GET", "HEAD"})
_TRY_AGAIN = frozenset({502, 503, 504})
_DOTS = frozenset({".", ".."})
_LOOPBACK = frozenset({"127.0.0.1", "localhost"})


@dataclass(frozen=True, slots=True)
class HttpAnswer:
    """An answer of whatever status. Header names are in lower case. It does not show its content: that may be
    people's data, and what shows gets into logs."""

    status: int
    headers: Mapping[str, str] = field(repr=False)
    body: bytes = field(repr=False)

    @property
    def retry_after_seconds(self) -> float | None:
        """What `Retry-After` says, in seconds or as a date (RFC 9110, 10.2.3); None where it says nothing."""
        text = self.headers.get("retry-after", "").strip()
        try:
            seconds = float(text)
        except ValueError:
            return _seconds_until(text)
        return max(0.0, seconds) if math.isfinite(seconds) else None


class AnswerTooLarge(Unavailable):
    """More than MAX_ANSWER_BYTES: who asked for a list may ask for less of it."""


class HttpClient:
    """Speaks HTTPS. Plain http is spoken to this very machine only, and only where `allow_loopback` says so."""

    def __init__(
        self,
        *,
        allow_loopback: bool = False,
        sleep: Callable[[float], None] = time.sleep,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._pool = urllib3.PoolManager(num_pools=50, maxsize=10, retries=False)
        self._allow_loopback = allow_loopback
        self._sleep = sleep
        self._clock = clock

    def post(self, url: str, body: bytes, headers: Mapping[str, str]) -> None:
        """Posts a body and wants a 2xx answer. Raises Unavailable for anything else."""
        answer = self.request("POST", url, body=body, headers=headers)
        if not 200 <= answer.status < 300:
            raise Unavailable(f"answered {answer.status}")

    def request(
        self,
        method: str,
        url: str,
        *,
        body: bytes | None = None,
        headers: Mapping[str, str] | None = None,
        within_seconds: float = math.inf,
    ) -> HttpAnswer:
        """Sends a request and returns the answer, whatever its status.

        What changes nothing is tried again after a broken connection or a 502, 503, 504 that names no time, as long as
        there is time `within_seconds`; not after one that only hangs. Raises Unavailable without an answer, with one
        that is too large or too slow, or for an address that is not spoken to; OutOfTime when no time is left at all.
        """
        parts = self._check(url)
        answer = self._tried(method, url, body, headers or {}, self._clock() + within_seconds)
        if answer.status >= 400:
            told = {"method": method, "host": parts.hostname, "path": parts.path, "status": answer.status}
            logger.warning("not answered well", extra=told)
        return answer

    def _tried(
        self, method: str, url: str, body: bytes | None, headers: Mapping[str, str], ends_at: float
    ) -> HttpAnswer:
        tries = MAX_TRIES if method in _SAFE else 1
        for left in range(tries - 1, -1, -1):
            try:
                answer = self._once(method, url, body, headers, ends_at)
            except urllib3.exceptions.ReadTimeoutError as error:  # it would only hang again, and hold the worker
                raise Unavailable(f"no answer: {type(error).__name__}") from error
            except urllib3.exceptions.HTTPError as error:
                if not left or self._clock() >= ends_at:
                    raise Unavailable(f"no answer: {type(error).__name__}") from error
            except ValueError:
                # no cause: it would carry the header along, which may be a key
                raise Unavailable("a header or the address is not of a form that can be sent") from None
            else:
                is_worth_it = answer.status in _TRY_AGAIN and answer.retry_after_seconds is None
                if not left or not is_worth_it or self._clock() >= ends_at:
                    return answer
            self._sleep(PAUSE_SECONDS * (tries - left))
        raise Unavailable("no answer")

    def _once(
        self, method: str, url: str, body: bytes | None, headers: Mapping[str, str], ends_at: float
    ) -> HttpAnswer:
        left = ends_at - self._clock()
        if left <= 0:
            raise OutOfTime("no time left to ask")
        total = min(CONNECT_SECONDS + READ_SECONDS, left)
        patience = urllib3.Timeout(total, connect=min(CONNECT_SECONDS, left), read=min(READ_SECONDS, left))
        answer = self._pool.request(
            method, url, body=body, headers=dict(headers), redirect=False, preload_content=False, timeout=patience
        )
        content = self._content(answer, min(ends_at, self._clock() + ANSWER_SECONDS))
        return HttpAnswer(answer.status, {name.lower(): text for name, text in answer.headers.itermerged()}, content)

    def _content(self, answer: urllib3.BaseHTTPResponse, ends_at: float) -> bytes:
        """The whole of an answer, read as it comes, so that the time is looked at after each drop; a connection whose
        answer was not read to its end is not used again."""
        content = bytearray()
        try:
            while chunk := answer.read1(_CHUNK_BYTES, decode_content=True):
                content += chunk
                if len(content) > MAX_ANSWER_BYTES:
                    answer.close()
                    raise AnswerTooLarge(f"answered more than {MAX_ANSWER_BYTES} bytes")
                if self._clock() >= ends_at:
                    answer.close()
                    raise Unavailable("answers too slowly")
        finally:
            answer.release_conn()
        return bytes(content)

    def _check(self, url: str) -> SplitResult:
        try:
            parts = urlsplit(url)
        except ValueError as error:
            raise Unavailable("the address is none") from error
        if any(unquote(part) in _DOTS for part in parts.path.split("/")):
            raise Unavailable("an id in the address leads elsewhere")
        loopback = parts.hostname in _LOOPBACK
        if parts.scheme == "https" and not loopback:
            return parts
        if not (loopback and self._allow_loopback and parts.scheme in ("http", "https")):
            raise Unavailable("only https to another machine is spoken")
        return parts


def _seconds_until(text: str) -> float | None:
    try:
        moment = parsedate_to_datetime(text)
    except (ValueError, OverflowError):
        return None
    if moment.tzinfo is None:
        return None
    return max(0.0, (moment - datetime.now(UTC)).total_seconds())
