"""The account of a channel as its module calls it: signed in, within its limits, errors in our words.

What a channel answers is read by its module; nothing of an answer's text gets into an error, which gets into logs.
"""

from __future__ import annotations

import json
import math
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal, InvalidOperation
from typing import Any, Protocol
from urllib.parse import urlencode

from oms.domain.catalog import ChannelAccount
from oms.domain.errors import (
    ChannelRefused,
    CredentialsRefused,
    NotFound,
    OutOfTime,
    Retryable,
    Throttled,
    Unavailable,
)
from oms.runtime.http import AnswerTooLarge, HttpAnswer, HttpClient

LONGEST_WAIT_SECONDS = 2.0
"""A worker waits no longer for its turn; what must wait longer comes again later."""

SLOW_SECONDS, SILENCE_SECONDS = 5.0, 20.0
"""A channel that let a worker wait for at least so long, and then did not answer, is asked by nobody for a while: one
that hangs must not hold all workers."""

LONGEST_GUESS_SECONDS = 900.0
"""A channel that refuses call after call, and never says until when, is asked no less often than this: a day's calls
may be used up."""

MAX_TURNS = 5
EXPIRES_EARLY_SECONDS = 60.0
"""A token is not used any more this long before it expires."""

NO_JSON = (ValueError, RecursionError, InvalidOperation)
"""What reading JSON raises for what is none, or is nested without end."""

MAX_CODES, MAX_DEPTH = 10, 8
"""How many codes are kept of an error answer, and how deep they are looked for."""


_AWAY = frozenset({402, 408, 423})
"""Took too long there; or the shop has not paid, or is locked: it opens again, and what it is asked or told waits."""


@dataclass(frozen=True, slots=True)
class Limit:
    """How often an operation may be called by one account: `per_second` on average, `burst` at once.

    `rate_header` names the header in which answers tell the rate that is true now, `reset_header` the one in which a
    refusal tells the milliseconds until the next call, where it has no `Retry-After`.
    """

    name: str
    per_second: float
    burst: int
    rate_header: str = ""
    reset_header: str = ""


class Limits(Protocol):
    """Whose turn it is, across all workers. Buckets are named `<channel>#<account>#<operation>`."""

    def take(self, bucket: str, limit: Limit) -> float:
        """Takes a turn and returns 0, or takes none and returns the seconds until there is one."""
        ...

    def learn(self, bucket: str, limit: Limit, per_second: float) -> None:
        """The channel said how often it may be called."""
        ...

    def close(self, bucket: str, limit: Limit, seconds: float) -> None:
        """The channel wants nobody to call for so long."""
        ...


@dataclass(frozen=True, slots=True)
class AccessToken:
    """A token and how many seconds it is good for."""

    text: str = field(repr=False)
    seconds: float


Credentials = Callable[[bool], Mapping[str, str]]
"""The account's credentials, read anew if asked to. Raises CredentialsRefused where there are none."""

KeepCredential = Callable[[str, str, str], None]
"""Told a credential's name, the text that was used, and the one that the channel gave for next time. Raises nothing:
who signed in goes on."""

Headers = Callable[["ChannelApi"], Mapping[str, str]]


@dataclass(slots=True)
class ChannelApi:
    """One account of one channel. Make one per worker: it remembers tokens until they expire.

    `clock` counts seconds and never goes back, `now` is the time of day. Nothing is asked any more once the clock
    shows `ends_at`: a worker has to end in order, whatever a channel does.
    """

    channel: str
    account: str
    settings: ChannelAccount
    http: HttpClient
    limits: Limits
    read_credentials: Credentials
    now: Callable[[], datetime]
    keep_credential: KeepCredential = lambda *_: None
    clock: Callable[[], float] = time.monotonic
    sleep: Callable[[float], None] = time.sleep
    ends_at: float = math.inf
    _tokens: dict[str, tuple[str, float]] = field(default_factory=dict, repr=False)
    _notes: dict[str, float] = field(default_factory=dict, repr=False)
    _untold: dict[str, int] = field(default_factory=dict, repr=False)

    @property
    def credentials(self) -> Mapping[str, str]:
        """What the account signs in with. Raises CredentialsRefused where there is nothing."""
        return self.read_credentials(False)

    def option(self, name: str, default: str = "") -> str:
        """A setting that only this channel knows."""
        return self.settings.options.get(name, default)

    def token(self, name: str, obtain: Callable[[], AccessToken]) -> str:
        """The token of this name, obtained anew once it is about to expire."""
        text, until = self._tokens.get(name, ("", 0.0))
        if self.clock() < until:
            return text
        got = obtain()
        self._tokens[name] = (got.text, self.clock() + got.seconds - EXPIRES_EARLY_SECONDS)
        return got.text

    def note(self, name: str, seconds: float) -> None:
        """Remembers something about the account for so long, in this worker."""
        self._notes[name] = self.clock() + seconds

    def is_noted(self, name: str) -> bool:
        """Whether that was noted, and its time is not over."""
        return self.clock() < self._notes.get(name, -math.inf)

    def call(
        self,
        method: str,
        url: str,
        *,
        limit: Limit,
        headers: Headers,
        query: Mapping[str, str] | None = None,
        body: Any = None,
        form: Mapping[str, str] | None = None,
        expired: frozenset[int] = frozenset({401}),
    ) -> HttpAnswer:
        """Calls the channel and returns its 2xx answer; `body` goes as JSON, `form` as a form.

        `headers` are asked for once more, after tokens and credentials were forgotten, when the answer's status is one
        of `expired`: both may have been changed. Raises NotFound, ChannelRefused, or Retryable: Throttled,
        CredentialsRefused, Unavailable, OutOfTime.
        """
        full_url = f"{url}?{urlencode(query)}" if query else url
        answer = self._turn(method, full_url, limit, headers, body, form)
        if answer.status in expired:
            self._tokens.clear()
            self.read_credentials(True)
            answer = self._turn(method, full_url, limit, headers, body, form)
        return self._judged(answer, limit, expired)

    def _turn(self, method: str, url: str, limit: Limit, headers: Headers, body: Any, form: Any) -> HttpAnswer:
        sent, content = _content(body, form)
        signed = {**headers(self), **content}
        self._wait(limit)
        answer = self._answer(method, url, limit, sent, signed)
        told = _number(answer.headers.get(limit.rate_header.lower(), ""))
        if told > 0:
            with suppress(Retryable):  # the answer counts, and the next one tells it again
                self.limits.learn(self._bucket(limit), limit, told)
        return answer

    def _answer(
        self, method: str, url: str, limit: Limit, sent: bytes | None, headers: Mapping[str, str]
    ) -> HttpAnswer:
        began = self.clock()
        try:
            return self.http.request(method, url, body=sent, headers=headers, within_seconds=self._seconds_left())
        except AnswerTooLarge:
            raise
        except Unavailable as error:
            now = self.clock()
            if now >= self.ends_at:
                raise OutOfTime(f"{self.channel}#{self.account}: it was given too little time") from error
            if now - began >= SLOW_SECONDS:
                with suppress(Retryable):  # then others find out for themselves
                    self.limits.close(self._bucket(limit), limit, SILENCE_SECONDS)
            raise

    def _seconds_left(self) -> float:
        left = self.ends_at - self.clock()
        if left <= 0:
            raise OutOfTime(f"{self.channel}#{self.account}: no time left to ask")
        return left

    def _wait(self, limit: Limit) -> None:
        seconds = 0.0
        for _ in range(MAX_TURNS):
            seconds = self.limits.take(self._bucket(limit), limit)
            if not seconds:
                return
            if seconds > min(LONGEST_WAIT_SECONDS, self._seconds_left()):
                break
            self.sleep(seconds)
        raise Throttled(f"{self.channel}#{self.account}: {limit.name} is used up", retry_after_seconds=seconds)

    def _judged(self, answer: HttpAnswer, limit: Limit, expired: frozenset[int]) -> HttpAnswer:
        if 200 <= answer.status < 300:
            self._untold.pop(limit.name, None)
            return answer
        what = f"{self.channel}#{self.account}: {limit.name} answered {answer.status}"
        if answer.status == 429:
            seconds = self._pause_seconds(answer, limit)
            with suppress(Retryable):  # this caller waits in any case, and the next is told the same
                self.limits.close(self._bucket(limit), limit, seconds)
            raise Throttled(what, retry_after_seconds=seconds, status=answer.status)
        if answer.status in expired or answer.status in (401, 403):
            raise CredentialsRefused(what, status=answer.status)
        if answer.status == 404:
            raise NotFound(what)
        if answer.status in _AWAY or answer.status >= 500:
            raise Unavailable(what, retry_after_seconds=answer.retry_after_seconds, status=answer.status)
        raise ChannelRefused(what, status=answer.status, codes=error_codes(answer))

    def _pause_seconds(self, answer: HttpAnswer, limit: Limit) -> float:
        """How long the channel wants to be left alone. Where it does not say: for a turn, and for twice as long each
        time that it refuses again."""
        reset = max(0.0, _number(answer.headers.get(limit.reset_header.lower(), "")) / 1000)
        told = answer.retry_after_seconds or reset
        if told:
            return told
        refused = self._untold.get(limit.name, 0)
        turn = 1 / limit.per_second
        self._untold[limit.name] = refused + 1
        return max(turn, min(LONGEST_GUESS_SECONDS, turn * 2.0 ** min(refused, 20)))

    def _bucket(self, limit: Limit) -> str:
        return f"{self.channel}#{self.account}#{limit.name}"


def error_codes(answer: HttpAnswer) -> tuple[str, ...]:
    """The codes in an error answer: the values of `code`, `errorId` and `error`, wherever they stand, if they are
    short words or numbers. Never a text: those may quote what we sent."""
    try:
        content = json.loads(answer.body)
    except NO_JSON:
        return ()
    return tuple(dict.fromkeys(_codes(content, MAX_DEPTH)))[:MAX_CODES]


def decimal_json(answer: HttpAnswer) -> Any:
    """The answer's JSON with exact amounts. Raises Unavailable when it is none: somebody else answered."""
    try:
        return json.loads(answer.body, parse_float=Decimal)
    except NO_JSON:
        # no cause: it would carry the answer along
        raise Unavailable("the answer is no JSON") from None


def exact_json(content: Any) -> str:
    """What `decimal_json` read, as JSON again: amounts become their exact texts."""
    return json.dumps(content, separators=(",", ":"), ensure_ascii=False, default=str)


def _codes(content: Any, depth: int) -> list[str]:
    if isinstance(content, list) and depth:
        return [code for one in content[:MAX_CODES] for code in _codes(one, depth - 1)]
    if not isinstance(content, dict) or not depth:
        return []
    found = [str(content[name]) for name in ("code", "errorId", "error") if isinstance(content.get(name), (str, int))]
    short = [
        code for code in found if len(code) <= 60 and code.replace("_", "").replace("-", "").replace(".", "").isalnum()
    ]
    return short + [code for value in content.values() for code in _codes(value, depth - 1)]


def _content(body: Any, form: Mapping[str, str] | None) -> tuple[bytes | None, dict[str, str]]:
    if form is not None:
        return urlencode(form).encode(), {"content-type": "application/x-www-form-urlencoded"}
    if body is None:
        return None, {}
    text = json.dumps(body, separators=(",", ":"), ensure_ascii=False)
    return text.encode(), {"content-type": "application/json"}


def _number(text: str) -> float:
    try:
        number = float(text)
    except ValueError:
        return 0.0
    return number if math.isfinite(number) else 0.0
