"""What AWS does to a caller now and then, made to order on a botocore client.

A fault sits before a request is sent (nothing is written) or after it was answered (it is written, and the caller
never hears of it). Neither moto nor a quiet table brings any of this about by itself.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from io import BytesIO
from typing import Any

from botocore.awsrequest import AWSResponse
from botocore.exceptions import ReadTimeoutError

from oms.runtime import clients

ERROR_PREFIX = "com.amazonaws.dynamodb.v20120810#"
NOWHERE = "https://nowhere.invalid/"
Hook = Callable[..., Any]


class CrashedError(BaseException):
    """The worker is gone: no handler of ours may catch this."""


class _Body(BytesIO):
    """What botocore reads an answer from."""

    def stream(self, *_: Any, **__: Any) -> Any:
        yield self.read()


@dataclass
class Faults:
    """Faults of DynamoDB, each for the next `times` calls of an operation; `mend` ends them all.

    `hits` counts how often one struck.
    """

    service: str = "dynamodb"
    hits: int = 0
    _hooks: list[tuple[str, Hook]] = field(default_factory=list)

    def cancel(self, code: str = "TransactionConflict", *, at: int = 0, times: int = 1) -> None:
        """Transactions are cancelled by this reason at their `at`-th action; nothing is written."""

        def answer(request: Any) -> AWSResponse:
            actions = len(json.loads(request.body)["TransactItems"])
            reasons = [{"Code": "None"}] * actions
            reasons[min(at, actions - 1)] = {"Code": code, "Message": "told to"}
            return refusal(request, "TransactionCanceledException", CancellationReasons=reasons)

        self.before("TransactWriteItems", answer, times=times)

    def refuse(self, operation: str, code: str, *, times: int = 1) -> None:
        """The operation is refused with an error of the service; nothing is written."""
        self.before(operation, lambda request: refusal(request, code), times=times)

    def time_out_before(self, operation: str = "TransactWriteItems", *, times: int = 1) -> None:
        """The connection is lost before the request arrives."""

        def lose(request: Any) -> None:
            raise ReadTimeoutError(endpoint_url=request.url)

        self.before(operation, lose, times=times)

    def time_out_after(self, operation: str = "TransactWriteItems", *, times: int = 1) -> None:
        """The request is carried out, and its answer is lost for good."""

        def lose() -> None:
            raise ReadTimeoutError(endpoint_url="https://dynamodb")

        self.after(operation, lose, times=times)

    def crash_before(self, operation: str = "TransactWriteItems", *, nth: int = 1) -> None:
        """The worker dies before its n-th request of this kind is sent."""
        self.before(operation, _crash, nth=nth)

    def crash_after(self, operation: str = "TransactWriteItems", *, nth: int = 1) -> None:
        """The worker dies right after its n-th request of this kind was carried out."""
        self.after(operation, _crash, nth=nth)

    def meanwhile(self, operation: str, action: Callable[[], Any], *, nth: int = 1) -> None:
        """Somebody else does this just before the n-th request of this kind is sent."""

        def act(_: Any) -> None:
            action()

        self.before(operation, act, nth=nth)

    def before(self, operation: str, act: Callable[[Any], Any], *, nth: int = 1, times: int = 1) -> None:
        """Acts on `times` requests from the n-th on; what it returns is the answer, None lets the request pass."""
        due = _Due(nth, times)

        def hook(request: Any, **_: Any) -> Any:
            if not due.now():
                return None
            self.hits += 1
            answer = act(request)
            if answer is not None:
                request.url = NOWHERE  # botocore asks whoever else would answer all the same
            return answer

        self._register(f"before-send.{self.service}.{operation}", hook)

    def after(self, operation: str, act: Callable[[], Any], *, nth: int = 1, times: int = 1) -> None:
        """Acts after `times` requests that were carried out, from the n-th on."""
        due = _Due(nth, times)

        def hook(http_response: Any, **_: Any) -> None:
            if http_response.status_code < 300 and due.now():
                self.hits += 1
                act()

        self._register(f"after-call.{self.service}.{operation}", hook)

    def mend(self) -> None:
        """Ends all faults."""
        for event, hook in self._hooks:
            clients.client(self.service).meta.events.unregister(event, hook)
        self._hooks.clear()

    def _register(self, event: str, hook: Hook) -> None:
        clients.client(self.service).meta.events.register_first(event, hook)
        self._hooks.append((event, hook))


@dataclass
class _Due:
    """Whether it is this call's turn: `times` calls from the n-th on. A call made by a fault's own act has none."""

    nth: int
    times: int
    seen: int = 0

    def now(self) -> bool:
        self.seen += 1
        return self.nth <= self.seen < self.nth + self.times


def refusal(request: Any, code: str, **more: Any) -> AWSResponse:
    """An error as DynamoDB answers it."""
    body = json.dumps({"__type": ERROR_PREFIX + code, "message": "told to", **more}).encode()
    return AWSResponse(request.url, 400, {"content-type": "application/x-amz-json-1.0"}, _Body(body))


def _crash(*_: Any) -> None:
    raise CrashedError
