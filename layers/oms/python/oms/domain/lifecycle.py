"""What a waiting execution is told: pure answers to "is this state's condition true of this order?"."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum

from oms.domain.errors import Cancelled, InReview, OmsError, Rerouted
from oms.domain.order import Order, OrderStatus
from oms.domain.progress import unallocated_units

AWAIT_STOCK, FULFILL, DELIVER, REVIEW, ALLOCATE = "AwaitStock", "Fulfill", "Deliver", "Review", "Allocate"
"""State names of `order_lifecycle.asl.json`. They are an interface: running executions keep the old file."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Wait:
    """An execution waiting in a state for its task token to be answered.

    Entries of one order are ordered by (generation, entered_at, retry_count): the newest entry wins.
    """

    order_id: str
    state: str
    generation: int
    entered_at: datetime
    retry_count: int
    task_token: str


class Stored(StrEnum):
    """What became of an entry: it is the newest, it was stored before, or a newer one is there."""

    NEWEST = "NEWEST"
    SAME = "SAME"
    SUPERSEDED = "SUPERSEDED"


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What the execution is told: an error name to catch, or an output to go on with."""

    error: str | None = None
    cause: str = ""
    output: dict[str, str] = field(default_factory=dict)


def failure(error: type[OmsError]) -> Answer:
    """The execution's state ends with this error, caught by its class name."""
    return Answer(error=error.__name__)


def execution_name(order_id: str, generation: int) -> str:
    """The name of an order's n-th execution, unique for ever: `shopify-main-5001-1`."""
    return f"{order_id}-{generation}"


def answer(order: Order, state: str) -> Answer | None:
    """What to tell an execution that waits in `state`, by the order alone; None: it must wait on.

    AwaitStock's remaining question, whether the stock suffices now, needs the stock: see the use case.
    """
    if order.status is OrderStatus.CANCELLED:
        return failure(Cancelled)
    return _ANSWERS[state](order)


def allocated(order: Order) -> Answer:
    """What Allocate is told once every unit has its location."""
    release_after = order.release_after or order.placed_at
    return Answer(output={"release_after": release_after.strftime("%Y-%m-%dT%H:%M:%SZ")})


def _fulfill(order: Order) -> Answer | None:
    if unallocated_units(order):
        return None if order.review else failure(Rerouted)
    return None if any(line.in_fulfillment for line in order.lines) else Answer()


def _deliver(order: Order) -> Answer | None:
    return Answer() if order.status is OrderStatus.DELIVERED else None


def _await_stock(order: Order) -> Answer | None:
    """An order that was edited while it waited was never judged as it is: it is allocated anew."""
    if order.review:
        return failure(InReview)
    return Answer() if not unallocated_units(order) or not _was_judged(order) else None


def _was_judged(order: Order) -> bool:
    """Whether allocation has said why units have no location: they are short, or there is no route."""
    return order.unroutable_since is not None or any(line.backordered for line in order.lines)


def _review(order: Order) -> Answer | None:
    if order.review:
        return None
    if unallocated_units(order):
        return Answer(output={"next": ALLOCATE})
    working = any(line.in_fulfillment for line in order.lines)
    return Answer(output={"next": FULFILL if working else DELIVER})


_ANSWERS = {FULFILL: _fulfill, DELIVER: _deliver, AWAIT_STOCK: _await_stock, REVIEW: _review}
