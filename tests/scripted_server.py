"""A server that answers as a test tells it to, and remembers what it was asked: a vendor in miniature."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Self
from urllib.parse import parse_qsl, urlsplit

from oms.channels.client import ChannelApi, Limit
from oms.domain.catalog import ChannelAccount
from oms.runtime.http import HttpClient

NOON = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Asked:
    """A request as it came. Header names are in lower case."""

    method: str
    path: str
    query: dict[str, str]
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        """The body as JSON."""
        return json.loads(self.body)

    @property
    def form(self) -> dict[str, str]:
        """The body as a form."""
        return dict(parse_qsl(self.body.decode()))


@dataclass(frozen=True, slots=True)
class Reply:
    """What to answer. `body` goes out as JSON unless it is bytes; `hangs_up`: the connection ends without an answer."""

    status: int = 200
    body: Any = None
    headers: Mapping[str, str] = field(default_factory=dict)
    hangs_up: bool = False


Script = Callable[[Asked], Reply]


def in_order(*replies: Reply) -> Script:
    """Answers one after the other, the last one for ever."""
    left = list(replies)
    return lambda _: left.pop(0) if len(left) > 1 else left[0]


class ScriptedServer:
    """Use it with `with`: it listens on loopback, on a port of its own. `routes` are tried by the path's beginning,
    longest first; what none of them fits is answered 404."""

    def __init__(self, routes: Mapping[str, Script | Reply]) -> None:
        self.routes = dict(routes)
        self.asked: list[Asked] = []
        self._lock = threading.Lock()
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        self._server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}"

    def __enter__(self) -> Self:
        threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()

    def of(self, beginning: str, method: str | None = None) -> list[Asked]:
        """What was asked under a path, oldest first."""
        return [one for one in self.asked if one.path.startswith(beginning) and method in (None, one.method)]

    def _reply(self, asked: Asked) -> Reply:
        with self._lock:
            self.asked.append(asked)
            for beginning in sorted(self.routes, key=len, reverse=True):
                if asked.path.startswith(beginning):
                    script = self.routes[beginning]
                    return script if isinstance(script, Reply) else script(asked)
        return Reply(404, {"errors": [{"code": "NotFound"}]})

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        reply_to = self._reply

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def handle_any(self) -> None:
                parts = urlsplit(self.path)
                length = int(self.headers.get("content-length") or 0)
                headers = {name.lower(): text for name, text in self.headers.items()}
                query = dict(parse_qsl(parts.query, keep_blank_values=True))
                reply = reply_to(Asked(self.command, parts.path, query, headers, self.rfile.read(length)))
                if reply.hangs_up:
                    self.close_connection = True
                    return
                body = reply.body if isinstance(reply.body, bytes) else _encoded(reply.body)
                self.send_response(reply.status)
                for name, text in {"content-type": "application/json", **reply.headers}.items():
                    self.send_header(name, text)
                self.send_header("content-length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = handle_any  # noqa: N815 - the base class asks for these

            def log_message(self, *_: Any) -> None:
                """Tests look at what was asked, not at a log."""

        return Handler


def _encoded(body: Any) -> bytes:
    return b"" if body is None else json.dumps(body).encode()


@dataclass
class OpenLimits:
    """Limits that are never reached: they note who took a turn, what was learnt, who closed."""

    taken: list[str] = field(default_factory=list)
    learnt: dict[str, float] = field(default_factory=dict)
    closed: dict[str, float] = field(default_factory=dict)

    def take(self, bucket: str, limit: Limit) -> float:
        self.taken.append(bucket)
        return 0.0

    def learn(self, bucket: str, limit: Limit, per_second: float) -> None:
        self.learnt[bucket] = per_second

    def close(self, bucket: str, limit: Limit, seconds: float) -> None:
        self.closed[bucket] = seconds


def account_api(
    channel: str,
    url: str,
    credentials: Sequence[Mapping[str, str]] = ({},),
    options: Mapping[str, str] | None = None,
    **settings: Any,
) -> ChannelApi:
    """An account of a channel that lives at `url`. Of several credentials the next come when they are read anew."""
    left = list(credentials)

    def read(anew: bool) -> Mapping[str, str]:
        if anew and len(left) > 1:
            left.pop(0)
        return left[0]

    return ChannelApi(
        channel=channel,
        account="main",
        settings=ChannelAccount(base_url=url, options=dict(options or {}), **settings),
        http=HttpClient(allow_loopback=True, sleep=lambda _: None),
        limits=OpenLimits(),
        read_credentials=read,
        now=lambda: NOON,
        sleep=lambda _: None,
    )
