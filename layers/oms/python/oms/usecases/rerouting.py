"""Rerouting: every few minutes the orders that wait for their release are routed again, all together.

Stock comes and goes while they wait. Who would now be cheaper elsewhere, by more than the policy asks for, is moved
with its stock; the promise is kept. Orders for what others wait for, or what is oversold, stay where they are.

Looking at an order costs 1 read unit, and each SKU of the run 2; moving one of two lines 32 write units (8 for the
order and its decision, 12 per line that moves).
"""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from oms.domain.changes import Context, OrderChange
from oms.domain.errors import InvariantBroken
from oms.domain.order import Order, WaitingFor
from oms.domain.rerouting import RELEASE_MARGIN, WAITING_IN, held_units, may_move, reopened, reroute
from oms.domain.rerouting_plans import Move, with_held, worthwhile
from oms.domain.routing_items import needed_units
from oms.domain.routing_record import record

if TYPE_CHECKING:
    from oms.stores.group_commit import GroupCommit
    from oms.stores.orders import OrdersStore
    from oms.stores.routing_decisions import RoutingDecisionsStore
    from oms.usecases.sourcing import Sourcing, StockView

ORDERS_PER_QUEUE = 250
"""Half of them those due first, half from a random moment on: each gets its turn where there are more."""

ACTOR = "rerouting"


@dataclass(slots=True)
class Rerouted:
    """What a run did: the orders it looked at, those it moved and what that saved. `failed` maps orders whose move was
    not written, though nothing stood against it, to the class of the error; they keep their plans."""

    looked_at: int = 0
    saved_minor: int = 0
    moved: list[str] = field(default_factory=list)
    failed: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Rerouting:
    """Moves waiting orders to cheaper plans. Twice, late or at once it does no harm: an order that anybody has touched
    since it was read is left alone."""

    orders: OrdersStore
    sourcing: Sourcing
    commit: GroupCommit
    decisions: RoutingDecisionsStore
    pick: Callable[[], float] = random.random

    def run(self, now: datetime, *, go_on: Callable[[], bool]) -> Rerouted:
        """Looks at the waiting orders once, and moves groups of them while `go_on` says there is time. Raises
        Retryable where it can't read."""
        done = Rerouted()
        candidates = self._candidates(now)
        view = self.sourcing.look([reopened(order) for order in candidates], now)
        candidates = [order for order in candidates if _is_free(order, view)]
        done.looked_at = len(candidates)
        free = with_held(candidates, view.stock)
        context = Context(now=now, actor=ACTOR, policy=self.sourcing.settings.policy())
        for group in worthwhile(candidates, view.network, view.stock):
            if not go_on():
                break
            changes = [reroute(move.order, move.plan, move.saved_minor, context) for move in group]
            whole = [change for change in changes if change is not None]
            if len(whole) == len(group) and self._recorded(group, view, free, done):
                self._write(group, whole, done)
        return done

    def _candidates(self, now: datetime) -> list[Order]:
        """Orders that may be moved, as they are now."""
        due = [order_id for queue in WAITING_IN for order_id in self._waiting(queue, now)]
        found = self.orders.read_many(dict.fromkeys(due)).values() if due else ()
        return [order for order in found if not isinstance(order, InvariantBroken) and may_move(order, now)]

    def _waiting(self, queue: WaitingFor, now: datetime) -> list[str]:
        """Ids of orders in the queue, those due first, and where there are more, some from a random moment on."""
        policy = self.sourcing.settings.policy()
        first = now + RELEASE_MARGIN if queue is WaitingFor.CANCEL_WINDOW else None
        last = now + policy.budget(queue) + timedelta(seconds=policy.cancel_window_seconds)
        half = ORDERS_PER_QUEUE // 2
        oldest = self.orders.due(queue, last, after=first, limit=half)
        if len(oldest) < half:
            return [one.order_id for one in oldest]
        since = datetime.fromisoformat(oldest[-1].due_at)
        start = since + timedelta(seconds=1 + max(0.0, (last - since).total_seconds()) * self.pick())
        return [one.order_id for one in oldest + self.orders.due(queue, last, after=start, limit=half)]

    def _recorded(
        self, group: Sequence[Move], view: StockView, free: dict[str, dict[str, int]], done: Rerouted
    ) -> bool:
        """Whether the decisions of the whole group are kept: what is written can always be explained."""
        made = [record(move.opened, move.plan, view.network, free) for move in group]
        unkept = self.decisions.keep(decision for decision in made if decision)
        for one in unkept:
            done.failed |= dict.fromkeys(one.order_ids, type(one.error).__name__)
        return not unkept

    def _write(self, group: Sequence[Move], changes: Sequence[OrderChange], done: Rerouted) -> None:
        """One commit each, in the group's order. Whoever finds it otherwise than it was read ends the group: all its
        orders have their stock, those behind keep their plans."""
        for move, change in zip(group, changes, strict=True):
            result = self.commit.commit_one(change)
            if result.error is not None:
                done.failed[move.order.order_id] = type(result.error).__name__
            if not result.committed:
                return
            done.moved.append(move.order.order_id)
            done.saved_minor += move.saved_minor


def _is_free(order: Order, view: StockView) -> bool:
    """Whether its stock adds up, nobody waits for it, and none of what it holds is promised to more than one."""
    skus = needed_units(reopened(order))
    if any(sku in view.unreadable or view.queues.get(sku) for sku in skus):
        return False
    return all(view.stock.get(sku, {}).get(location_id, -1) >= 0 for sku, location_id in held_units(order))
