"""DynamoDB within the process, for tests with many rows: moto copies a table for each action of a transaction."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from io import BytesIO
from types import SimpleNamespace
from typing import Any

import pytest
from botocore.awsrequest import AWSResponse
from ministack.services import dynamodb

from oms.runtime import clients
from tests.integration.faults import NOWHERE
from tests.integration.stage import SETTINGS, Stage, make_tables, seed


class _Body(BytesIO):
    """What botocore reads an answer from."""

    def stream(self, *_: Any, **__: Any) -> Iterator[bytes]:
        yield self.read()


@contextmanager
def fast_tables(patch: pytest.MonkeyPatch) -> Iterator[Stage]:
    """The stage with its tables and reference data; it has no other services."""
    for name, value in SETTINGS.items():
        patch.setenv(name, value)
    patch.setattr("botocore.endpoint.time", SimpleNamespace(sleep=lambda _: None))
    client: Any = clients.client.__wrapped__("dynamodb")
    client.meta.events.register("before-send.dynamodb", _answer)
    patch.setattr(clients, "client", lambda _: client)
    dynamodb.reset()
    make_tables()
    made = Stage()
    seed(made)
    yield made
    made.mend()
    dynamodb.reset()


def _answer(request: Any, **_: Any) -> AWSResponse | None:
    """MiniStack's answer to a request, unless a fault has answered it already."""
    if request.url == NOWHERE:
        return None
    headers = {name.lower(): _text(value) for name, value in request.headers.items()}
    call = dynamodb.handle_request("POST", "/", headers, request.body, {})
    try:
        call.send(None)
    except StopIteration as done:
        status, answer_headers, body = done.value
        return AWSResponse(request.url, status, answer_headers, _Body(body))
    raise AssertionError("MiniStack waits for something")


def _text(value: Any) -> str:
    return value.decode() if isinstance(value, bytes) else str(value)
