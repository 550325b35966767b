"""Workers that stop before each request they send, and what may become of a request."""

from __future__ import annotations

import json
from collections.abc import Callable
from enum import StrEnum
from typing import Any

from botocore.exceptions import ReadTimeoutError

from tests.integration import interleaving
from tests.integration.faults import NOWHERE, CrashedError, refusal


class Fault(StrEnum):
    """What becomes of a request. What the client tries again by itself is another request of the actor."""

    NONE = "NONE"
    CONFLICT = "CONFLICT"
    """Others hold an item of it: nothing is written, and it may go through a moment later."""
    THROTTLED = "THROTTLED"
    """A transaction is too fast for one of its items; nothing is written."""
    REFUSED = "REFUSED"
    """It is refused, and so is each of the client's own tries."""
    LOST = "LOST"
    """The connection breaks before it arrives; the client tries again."""
    ANSWER_LOST = "ANSWER_LOST"
    """It is carried out, and the connection breaks; the client tries again."""
    NEVER_HEARD = "NEVER_HEARD"
    """It is carried out, and the client gives up without an answer."""
    DIES_BEFORE = "DIES_BEFORE"
    DIES_AFTER = "DIES_AFTER"

    @property
    def is_death(self) -> bool:
        """Whether the worker is gone."""
        return self in (Fault.DIES_BEFORE, Fault.DIES_AFTER)


FAULTS = tuple(fault for fault in Fault if fault is not Fault.NONE)
_CODES = {
    (Fault.CONFLICT, True): "TransactionConflict",
    (Fault.THROTTLED, True): "ThrottlingError",
    (Fault.CONFLICT, False): "TransactionConflictException",
    (Fault.THROTTLED, False): "ProvisionedThroughputExceededException",
}
_READS = frozenset({"GetItem", "BatchGetItem", "Query", "Scan"})


class Actor(interleaving.Actor):
    """Somebody at work on one message. `undone`: it died, or its message must come again."""

    fault = Fault.NONE
    place = 0
    refused = False

    def __init__(self, work: Callable[[], Any]) -> None:
        super().__init__(work)
        self.go(Fault.NONE)

    def go(self, fault: Fault, place: int = 0) -> None:
        """Lets the request it stands before meet this fault, a transaction's at so many actions in."""
        self.fault, self.place = fault, place
        self.go_on(die=fault is Fault.DIES_BEFORE)

    def before(self, request: Any, operation: str) -> Any:
        """Stops; then the answer that stands in for the engine's, None for the engine's own."""
        if self.refused:
            return _instead(request, refusal(request, "InternalServerError"))
        self.stop_here()
        if self.fault is Fault.LOST:
            raise ReadTimeoutError(endpoint_url=request.url)
        if self.fault is Fault.REFUSED:
            self.refused = True
            return _instead(request, refusal(request, "InternalServerError"))
        is_transaction = operation == "TransactWriteItems"
        code = _CODES.get((self.fault, is_transaction))
        if code is None or (self.fault is Fault.CONFLICT and operation in _READS):
            return None
        return _instead(request, _cancelled(request, code, self.place) if is_transaction else refusal(request, code))

    def carried_out(self, request: Any) -> None:
        """The answer is there; whether the actor lives to hear it."""
        if self.fault is Fault.DIES_AFTER:
            raise CrashedError
        if self.fault is Fault.ANSWER_LOST:
            raise ReadTimeoutError(endpoint_url=request.url)

    def told(self) -> None:
        """The call has ended."""
        self.refused = False
        if self.fault is Fault.NEVER_HEARD:
            self.fault = Fault.NONE
            raise ReadTimeoutError(endpoint_url=NOWHERE)


def _instead(request: Any, answer: Any) -> Any:
    request.url = NOWHERE  # the engine sees by it that somebody has answered
    return answer


def _cancelled(request: Any, code: str, place: int) -> Any:
    actions = len(json.loads(request.body)["TransactItems"])
    reasons = [{"Code": "None"}] * actions
    reasons[place % actions] = {"Code": code, "Message": "told to"}
    return refusal(request, "TransactionCanceledException", CancellationReasons=reasons)
