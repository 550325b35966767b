"""HTTP for the tools: the standard library's client, with statuses as values and bounded repeats."""

from __future__ import annotations

import http.client
import json
import urllib.error
import urllib.request
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import threading
    from collections.abc import Mapping

TIMEOUT_SECONDS = 30.0
ATTEMPTS = 6
FIRST_PAUSE_SECONDS = 0.5


@dataclass(frozen=True, slots=True)
class Answer:
    """Status and body; status 0 means that nobody answered, with the cause as the body."""

    status: int
    body: bytes

    @property
    def is_success(self) -> bool:
        return 200 <= self.status < 300

    def json(self) -> Any:
        """The body as JSON. Raises json.JSONDecodeError."""
        return json.loads(self.body)


def send(method: str, url: str, headers: Mapping[str, str], body: bytes | None = None) -> Answer:
    """One request; refusals come back as statuses."""
    request = urllib.request.Request(url, data=body, headers=dict(headers), method=method)
    try:
        with urllib.request.urlopen(request, timeout=TIMEOUT_SECONDS) as answer:
            return Answer(answer.status, answer.read())
    except urllib.error.HTTPError as error:
        with error:
            return Answer(error.code, error.read())
    except (urllib.error.URLError, http.client.HTTPException, ConnectionError, TimeoutError) as error:
        return Answer(0, str(error).encode())


def deliver(url: str, headers: Mapping[str, str], body: bytes, stopping: threading.Event) -> Answer:
    """POST, repeated with doubling pauses until a 2xx, at most ATTEMPTS times or until `stopping` is set."""
    answer = send("POST", url, headers, body)
    for attempt in range(ATTEMPTS - 1):
        if answer.is_success or stopping.wait(FIRST_PAUSE_SECONDS * 2**attempt):
            break
        answer = send("POST", url, headers, body)
    return answer
