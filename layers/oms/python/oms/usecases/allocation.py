"""Allocation: executions ask, in batches, for stock and locations; each gets an answer."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING

from oms.domain.allocation import allocate, record_shortage
from oms.domain.changes import Context, OrderChange
from oms.domain.errors import Cancelled, InReview, NoRoute, OmsError, OutOfStock, Retryable
from oms.domain.lifecycle import Answer, allocated, failure
from oms.domain.order import Order, OrderStatus
from oms.domain.progress import unallocated_units
from oms.usecases.changing import change_until_settled
from oms.usecases.sourcing import needed_skus

if TYPE_CHECKING:
    from oms.runtime.executions import Executions
    from oms.stores.group_commit import CommitResult, GroupCommit
    from oms.stores.orders import OrdersStore
    from oms.usecases.sourcing import Sourcing, StockView

MAX_ROUNDS = 20
"""Rounds of plan and commit: an order with the most lines takes 13, the rest is for conflicts."""

ACTOR = "allocation"


@dataclass(frozen=True, slots=True, kw_only=True)
class AllocationRequest:
    """An execution's question: allocate this order and answer this token. `message_id` is the queue's."""

    message_id: str
    order_id: str
    task_token: str


@dataclass(slots=True)
class _Batch:
    """What is known of a batch while it is worked on: orders still open, answers of those that are not, failures."""

    open: dict[str, Order] = field(default_factory=dict)
    answers: dict[str, Answer] = field(default_factory=dict)
    failed: dict[str, str] = field(default_factory=dict)

    def settle(self, order_id: str, answer: Answer) -> None:
        self.answers[order_id] = answer
        self.open.pop(order_id, None)

    @contextmanager
    def own_trouble(self, order_id: str) -> Iterator[None]:
        """Whatever goes wrong with an order makes its own messages come again, not those of the whole batch."""
        try:
            yield
        except Exception as error:  # noqa: BLE001 - a bug that one order shows must not stop the others
            self.failed[order_id] = str(error) if isinstance(error, OmsError) else type(error).__name__
            self.open.pop(order_id, None)

    def see(self, order: Order) -> None:
        """Takes over an order as it is now, and its answer where it needs no allocation any more."""
        self.open[order.order_id] = order
        answer = settled_answer(order)
        if answer:
            self.settle(order.order_id, answer)


@dataclass(frozen=True, slots=True)
class Allocation:
    """Allocates batches of orders: reads each sku once, plans on the stock as the batch consumes it, commits."""

    orders: OrdersStore
    sourcing: Sourcing
    commit: GroupCommit
    executions: Executions

    def allocate(self, requests: Sequence[AllocationRequest], now: datetime) -> dict[str, str]:
        """Message ids that must come again, and why; all others were answered. A duplicate gets the same answer."""
        batch = _Batch()
        for order_id in dict.fromkeys(request.order_id for request in requests):
            with batch.own_trouble(order_id):
                order = self.orders.get(order_id)
                if order is not None:
                    batch.see(order)
                else:
                    batch.settle(order_id, failure(Cancelled))
        self._allocate_open(batch, now)
        outcomes = {request.message_id: self._answer(request, batch) for request in requests}
        return {message_id: reason for message_id, reason in outcomes.items() if reason}

    def _allocate_open(self, batch: _Batch, now: datetime) -> None:
        context = Context(now=now, actor=ACTOR, policy=self.sourcing.settings.policy())
        view = self.sourcing.look(batch.open.values())
        for _ in range(MAX_ROUNDS):
            if not batch.open:
                return
            changes = self._plan(batch, view, context)
            for result in self.commit.commit(changes):
                with batch.own_trouble(result.change.order.order_id):
                    self._judge(batch, view, result)

    def _plan(self, batch: _Batch, view: StockView, context: Context) -> list[OrderChange]:
        """Changes of the open orders, oldest first; those that can't be allocated get their answer."""
        changes: list[OrderChange] = []
        for order in sorted(batch.open.values(), key=lambda one: (one.placed_at, one.order_id)):
            with batch.own_trouble(order.order_id):
                changes += self._plan_one(batch, order, view, context)
        return changes

    def _plan_one(self, batch: _Batch, order: Order, view: StockView, context: Context) -> list[OrderChange]:
        try:
            plan = self.sourcing.route(order, view)
        except OutOfStock as short:
            self._note_shortage(batch, order, short, context)
            return []
        except NoRoute:
            batch.settle(order.order_id, failure(NoRoute))
            return []
        change = allocate(order, plan, context)
        view.consume(order, plan)
        return [change]

    def _note_shortage(self, batch: _Batch, order: Order, short: OutOfStock, context: Context) -> None:
        """The shortage is in the document before the execution hears of it; the wait for stock reads stock again."""

        def decide(current: Order) -> OrderChange | None:
            unsettled = settled_answer(current) is None
            return record_shortage(current, short.shortages, context) if unsettled else None

        noted = change_until_settled(self.commit, order, decide)
        batch.settle(order.order_id, settled_answer(noted) or failure(OutOfStock))

    def _judge(self, batch: _Batch, view: StockView, result: CommitResult) -> None:
        """Commits are followed by the rest of the order, conflicts by another plan, failures by the message again."""
        order = result.change.order
        if result.committed:
            batch.see(order)
            # Only a part of the plan is committed: what the view counted as gone for the rest is still there.
            view.see(self.sourcing.stock.of_skus(needed_skus(order)))
        elif result.error:
            raise result.error
        elif result.image is not None:
            batch.see(result.image)
            view.see(self.sourcing.stock.of_skus(move.sku for move in result.change.moves))
        else:
            view.see(self.sourcing.stock.of_skus(move.sku for move in result.change.moves))

    def _answer(self, request: AllocationRequest, batch: _Batch) -> str:
        """Answers the execution; why it could not be answered, or nothing."""
        answer = batch.answers.get(request.order_id)
        if answer is None:
            return batch.failed.get(request.order_id, "rounds used up")
        try:
            self.executions.answer(request.task_token, answer)
        except Retryable as error:
            return str(error)
        return ""


def settled_answer(order: Order) -> Answer | None:
    """The answer of an order that is not to be allocated (any more); None while it is."""
    if order.status is OrderStatus.CANCELLED:
        return failure(Cancelled)
    if not unallocated_units(order):
        return allocated(order)
    return failure(InReview) if order.review else None
