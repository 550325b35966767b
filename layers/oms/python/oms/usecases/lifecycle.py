"""Lifecycle: release when it is time, and tell waiting executions how their state ends.

Evaluating is one use case for everyone who may notice that something has changed: the state that begins to wait
(`task_await`), the order that changed (`stream_orders`), and the sweep, for what the other two missed. The token
is stored before the order is read, and the wait is read before the order, so no change falls between them.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

from oms.domain.backordering import BACKORDER_LIMIT, backordered_units, cancel_rest, wait_is_over
from oms.domain.catalog import BackorderOutcome
from oms.domain.changes import Context, OrderChange
from oms.domain.decisions import request_review
from oms.domain.errors import InvariantBroken, NoRoute, OutOfStock
from oms.domain.lifecycle import AWAIT_STOCK, REVIEW, Answer, Stored, Wait, answer
from oms.domain.order import Order
from oms.domain.progress import TERMINAL
from oms.domain.release import may_release, release
from oms.domain.unroutable import NO_ROUTE, cancel_is_due, unrouted_units, waits_for_route
from oms.usecases.changing import change_once, change_until_settled

if TYPE_CHECKING:
    from oms.runtime.executions import Executions
    from oms.stores.group_commit import GroupCommit
    from oms.stores.orders import OrdersStore
    from oms.stores.waits import WaitsStore
    from oms.usecases.sourcing import Sourcing

ACTOR = "lifecycle"
FIRST_GENERATION = 1
_NO_REVIEW_OF_ITS_OWN = frozenset({"", "InReview"})


@dataclass(frozen=True, slots=True)
class OrderSeen:
    """An order as it was read, and what waited for it just before."""

    order: Order | InvariantBroken
    wait: Wait | None


@dataclass(frozen=True, slots=True)
class Lifecycle:
    """Keeps executions and orders in step; the order is always right."""

    orders: OrdersStore
    waits: WaitsStore
    commit: GroupCommit
    sourcing: Sourcing
    executions: Executions

    def begin_wait(self, wait: Wait, reason: str, now: datetime) -> None:
        """A state of the execution begins to wait: keep its token, then see whether it need wait at all.

        `reason` is why the execution came to Review; the order says so too from now on.
        """
        stored = self.waits.put(wait)
        if stored is Stored.SUPERSEDED:
            return
        if stored is Stored.NEWEST and wait.state == REVIEW and reason not in _NO_REVIEW_OF_ITS_OWN:
            self._request_review(wait.order_id, reason, now)
        self.evaluate(wait.order_id, now)

    def evaluate(self, order_id: str, now: datetime) -> Order | None:
        """Releases the order if it may be, and answers its waiting execution if its condition holds.

        Returns the order as it is then, None if there is none. Doing it twice, late or at once changes nothing.
        """
        wait = self.waits.get(order_id)
        order = self.orders.get(order_id)
        return self._evaluate(order, wait, now) if order else None

    def look_at(self, order_ids: Iterable[str]) -> dict[str, OrderSeen]:
        """Many orders as they are now, those there are, each with what waited just before. Raises Retryable."""
        wanted = list(order_ids)
        waits = self.waits.get_many(wanted)
        return {
            order_id: OrderSeen(order, waits.get(order_id)) for order_id, order in self.orders.read_many(wanted).items()
        }

    def evaluate_seen(self, seen: OrderSeen, now: datetime) -> None:
        """As `evaluate`, upon what was seen. Raises InvariantBroken for a document that can't be read."""
        if isinstance(seen.order, InvariantBroken):
            raise seen.order
        self._evaluate(seen.order, seen.wait, now)

    def _evaluate(self, order: Order, wait: Wait | None, now: datetime) -> Order:
        if may_release(order, now):
            order = self._release(order, now)
        if wait_is_over(order, self.sourcing.settings.policy(), now):
            order = self._end_wait_for_stock(order, now)
        if order.unroutable_since is not None:
            order = self._end_wait_for_route(order, now)
        told = self._answer(order, wait.state, now) if wait else None
        if wait and told:
            self.executions.answer(wait.task_token, told)
        return order

    def start(self, order_id: str) -> None:
        """Starts the first execution of a new order."""
        self.executions.start(order_id, FIRST_GENERATION)

    def keep_alive(self, order: Order) -> bool:
        """Starts an execution where none is alive; returns whether it did. Only the open orders have one."""
        if order.status in TERMINAL:
            return False
        generation = self.waits.generation(order.order_id)
        status = self.executions.status(order.order_id, generation)
        if status == "RUNNING":
            return False
        if status is not None:
            if not self.waits.next_generation(order.order_id, generation):
                return False
            generation += 1
        self.executions.start(order.order_id, generation)
        return True

    def _release(self, order: Order, now: datetime) -> Order:
        context = Context(now=now, actor=ACTOR, policy=self.sourcing.settings.policy())

        def decide(current: Order) -> OrderChange | None:
            return release(current, context) if may_release(current, now) else None

        return change_once(self.commit, order, decide)

    def _end_wait_for_stock(self, order: Order, now: datetime) -> Order:
        """The policy's limit is reached: a person decides, or what is still short is cancelled."""
        context = Context(now=now, actor=ACTOR, policy=self.sourcing.settings.policy())

        def decide(current: Order) -> OrderChange | None:
            if not wait_is_over(current, context.policy, now):
                return None
            if context.policy.backorder_outcome is BackorderOutcome.CANCEL_REST:
                return cancel_rest(current, backordered_units(current), context, BACKORDER_LIMIT)
            return request_review(current, BACKORDER_LIMIT, "", context)

        return change_until_settled(self.commit, order, decide)

    def _end_wait_for_route(self, order: Order, now: datetime) -> Order:
        """Where the policy says so and long enough has passed, what no location may ship even now is cancelled."""
        context = Context(now=now, actor=ACTOR, policy=self.sourcing.settings.policy())
        routing_policy = self.sourcing.settings.routing_policy()

        def decide(current: Order) -> OrderChange | None:
            if not cancel_is_due(current, routing_policy, now) or self._has_a_route(current, now):
                return None
            return cancel_rest(current, unrouted_units(current), context, NO_ROUTE)

        return change_until_settled(self.commit, order, decide)

    def _has_a_route(self, order: Order, now: datetime) -> bool:
        """Whether some location may ship the order, with stock or without: what was noted may be days old."""
        try:
            self.sourcing.route(order, self.sourcing.look([order], now, hopeful=True))
        except OutOfStock:
            return True
        except NoRoute:
            return False
        return True

    def _answer(self, order: Order, state: str, now: datetime) -> Answer | None:
        told = answer(order, state)
        if told is None and state == AWAIT_STOCK and self._could_allocate(order, now):
            return Answer()
        return told

    def _could_allocate(self, order: Order, now: datetime) -> bool:
        """Whether the allocation worker would succeed on the stock as it is now; no route is its answer to give."""
        try:
            self.sourcing.route(order, self.sourcing.look([order], now, hopeful=True))
        except OutOfStock:
            return False
        except NoRoute:
            return not waits_for_route(self.sourcing.settings.routing_policy())
        return True

    def _request_review(self, order_id: str, reason: str, now: datetime) -> None:
        order = self.orders.get(order_id)
        if order is None:
            return
        context = Context(now=now, actor=ACTOR, policy=self.sourcing.settings.policy())
        code = reason_code(reason)
        change_once(self.commit, order, lambda current: request_review(current, code, "", context))


def reason_code(error: str) -> str:
    """An error's class name as the reason of a review: `NoRoute` is `NO_ROUTE`."""
    name = error.rsplit(".", 1)[-1]
    spaced = "".join(f"_{letter}" if letter.isupper() else letter for letter in name)
    return name if name.isupper() else spaced.strip("_").upper()
