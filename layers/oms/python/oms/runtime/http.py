"""The one HTTP client: short time-outs, no redirects, bounded answers, nothing of them in logs."""

from __future__ import annotations

from collections.abc import Mapping
from urllib.parse import urlsplit

import urllib3

from oms.domain.errors import Unavailable

CONNECT_SECONDS = 3
READ_SECONDS = 10
_LOOPBACK = frozenset({"127.0.0.1", "localhost"})


class HttpClient:
    """Posts JSON. Plain http is spoken to this very machine only, and only where `allow_loopback` says so."""

    def __init__(self, *, allow_loopback: bool = False) -> None:
        self._pool = urllib3.PoolManager(
            num_pools=50,
            maxsize=10,
            retries=False,
            timeout=urllib3.Timeout(connect=CONNECT_SECONDS, read=READ_SECONDS),
        )
        self._allow_loopback = allow_loopback

    def post(self, url: str, body: bytes, headers: Mapping[str, str]) -> None:
        """Posts a body and wants a 2xx answer. Raises Unavailable for anything else."""
        self._check(url)
        try:
            answer = self._pool.request("POST", url, body=body, headers=dict(headers), redirect=False)
        except urllib3.exceptions.HTTPError as error:
            raise Unavailable(f"no answer: {type(error).__name__}") from error
        if not 200 <= answer.status < 300:
            raise Unavailable(f"answered {answer.status}")

    def _check(self, url: str) -> None:
        parts = urlsplit(url)
        loopback = parts.hostname in _LOOPBACK
        if parts.scheme == "https" and not loopback:
            return
        if not (loopback and self._allow_loopback and parts.scheme in ("http", "https")):
            raise Unavailable("only https to another machine is spoken")
