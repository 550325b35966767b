"""Allocation: executions ask, in batches, for stock and locations; each gets an answer."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import TYPE_CHECKING

from oms.domain.allocation import allocate
from oms.domain.backordering import (
    OUT_OF_STOCK,
    cancel_rest,
    record_shortage,
    short_units,
    waits_only_for_stock,
    what_is_there,
)
from oms.domain.catalog import BackorderRule
from oms.domain.changes import MAX_POSITIONS_PER_CHANGE, Context, OrderChange, backorders, fold, queue_place, touches
from oms.domain.errors import Cancelled, InReview, InvariantBroken, NoRoute, OmsError, OutOfStock, Retryable
from oms.domain.handover import hand_over
from oms.domain.lifecycle import Answer, allocated, failure
from oms.domain.order import Order, OrderStatus
from oms.domain.progress import unallocated_units
from oms.domain.routing_items import needed_units
from oms.domain.routing_record import Decision, record
from oms.domain.unroutable import note_unroutable, waits_for_route
from oms.domain.wave_routing import Routed
from oms.usecases.sourcing import exchange_plans, given_back

if TYPE_CHECKING:
    from oms.domain.network import Network
    from oms.domain.routing import RoutingPlan
    from oms.domain.routing_items import Stock
    from oms.runtime.executions import Executions
    from oms.stores.group_commit import CommitResult, GroupCommit
    from oms.stores.orders import OrdersStore
    from oms.stores.routing_decisions import RoutingDecisionsStore
    from oms.usecases.sourcing import Sourcing, StockView

MAX_ROUNDS = 20
"""Rounds of plan and commit: an order with the most lines takes 13, the rest is for conflicts."""

MAX_EXCHANGES = 2
"""Rounds in which the batch's plans are exchanged, seconds each for a large one; later ones are left to conflicts."""

MAX_NARROWINGS = 5
"""Times an order that is short is routed with less and less of it, before it waits as it is."""

ANSWERERS = 8
"""Executions that are answered at the same time."""

ACTOR = "allocation"


@dataclass(frozen=True, slots=True, kw_only=True)
class AllocationRequest:
    """An execution's question: allocate this order and answer this token. `message_id` is the queue's."""

    message_id: str
    order_id: str
    task_token: str


@dataclass(slots=True)
class _Batch:
    """What is known of a batch while it is worked on: orders still open, answers of those that are not, failures.

    `short` orders had their shortage planned for; `again` are skus to be read again before the next round; `decisions`
    are the records of the round's plans, by order.
    """

    open: dict[str, Order] = field(default_factory=dict)
    answers: dict[str, Answer] = field(default_factory=dict)
    failed: dict[str, str] = field(default_factory=dict)
    short: set[str] = field(default_factory=set)
    again: set[str] = field(default_factory=set)
    decisions: dict[str, Decision] = field(default_factory=dict)

    def settle(self, order_id: str, answer: Answer) -> None:
        self.answers[order_id] = answer
        self.open.pop(order_id, None)

    @contextmanager
    def own_trouble(self, order_id: str) -> Iterator[None]:
        """Whatever goes wrong with an order makes its own messages come again, not those of the whole batch."""
        try:
            yield
        except Exception as error:  # noqa: BLE001 - a bug that one order shows must not stop the others
            self.fail(order_id, str(error) if isinstance(error, OmsError) else type(error).__name__)

    def fail(self, order_id: str, reason: str) -> None:
        """The order's messages must come again."""
        self.failed[order_id] = reason
        self.open.pop(order_id, None)

    def note(self, order: Order, plan: RoutingPlan, network: Network, stock: Stock) -> None:
        """Writes down why the order gets this plan, on the stock there was for it."""
        decision = record(order, plan, network, stock)
        if decision:
            self.decisions[order.order_id] = decision

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
    decisions: RoutingDecisionsStore

    def allocate(self, requests: Sequence[AllocationRequest], now: datetime) -> dict[str, str]:
        """Message ids that must come again, and why; all others were answered. A duplicate gets the same answer."""
        batch = _Batch()
        asked = dict.fromkeys(request.order_id for request in requests)
        self._read(batch, asked)
        for order_id in asked:
            if order_id not in batch.open and order_id not in batch.answers and order_id not in batch.failed:
                batch.settle(order_id, failure(Cancelled))
        self._allocate_open(batch, now)
        return self._answer_all(requests, batch)

    def _read(self, batch: _Batch, order_ids: Iterable[str]) -> None:
        for order_id, found in self.orders.read_many(order_ids).items():
            with batch.own_trouble(order_id):
                if isinstance(found, InvariantBroken):
                    raise found
                batch.see(found)

    def _allocate_open(self, batch: _Batch, now: datetime) -> None:
        if not batch.open:
            return
        context = Context(now=now, actor=ACTOR, policy=self.sourcing.settings.policy())
        view = self.sourcing.look(batch.open.values(), now)
        for number in range(MAX_ROUNDS):
            changes = self._plan(batch, view, context, together=number < MAX_EXCHANGES)
            if not changes:
                return
            for result in self.commit.commit(self._recorded(batch, changes)):
                # full days may lie beyond those that are read
                view.network.see_planned({(one.location_id, one.day): one.parcels for one in result.full})
                with batch.own_trouble(result.change.order.order_id):
                    _judge(batch, result)
            if batch.again:
                self.sourcing.look_again(view, batch.again)
                self.sourcing.look_at_days(view)
                batch.again.clear()

    def _recorded(self, batch: _Batch, changes: Sequence[OrderChange]) -> list[OrderChange]:
        """The changes whose decisions are kept: what is committed can always be explained. A record of a plan that
        comes to nothing is named by no order."""
        unkept = self.decisions.keep(batch.decisions.values())
        batch.decisions.clear()
        lost = {order_id: str(one.error) for one in unkept for order_id in one.order_ids}
        for change in changes:
            if change.order.order_id in lost:
                batch.fail(change.order.order_id, lost[change.order.order_id])
                batch.again |= {move.sku for move in change.moves}
        return [change for change in changes if change.order.order_id not in lost]

    def _plan(self, batch: _Batch, view: StockView, context: Context, *, together: bool) -> list[OrderChange]:
        """Changes of the open orders, as they stand in the queue; those without one get their answer. `together`:
        their plans are exchanged where that saves."""
        planned: list[Routed | OrderChange] = []
        for order in sorted(batch.open.values(), key=queue_place):
            with batch.own_trouble(order.order_id):
                found = self._plan_one(batch, order, view, context)
                planned += [found] if found else []
        routed = [one for one in planned if isinstance(one, Routed)]
        better = exchange_plans(routed, view) if together else {}
        changes: list[OrderChange] = []
        for one in planned:
            if isinstance(one, Routed):
                with batch.own_trouble(one.order.order_id):
                    plan = better.get(one.order.order_id)
                    if plan:
                        batch.note(one.order, plan, view.network, given_back([Routed(one.order, plan)], view))
                    changes.append(_taking(one.order, plan or one.plan, view, context))
            else:
                changes.append(one)
        return changes

    def _plan_one(self, batch: _Batch, order: Order, view: StockView, context: Context) -> Routed | OrderChange | None:
        """The order with its plan, which the view has consumed; what is done of an order that has none whole, or that
        the customer carried out."""
        carried_out = hand_over(order, context)
        if carried_out:
            return carried_out
        try:
            plan = self.sourcing.route(order, view)
        except OutOfStock as short:
            return self._plan_short(batch, order, short_units(order, short.shortages), view, context)
        except NoRoute as refusal:
            return self._plan_unroutable(batch, order, refusal, context)
        batch.note(order, plan, view.network, view.stock)
        view.consume(order, plan)
        return Routed(order, plan)

    def _plan_unroutable(self, batch: _Batch, order: Order, refusal: NoRoute, context: Context) -> OrderChange | None:
        """A person decides, or the order notes since when it waits for a route, and waits like one short of stock."""
        if not waits_for_route(self.sourcing.settings.routing_policy()):
            batch.settle(order.order_id, failure(NoRoute))
            return None
        change = note_unroutable(order, refusal.reasons, context)
        if change is None:
            batch.settle(order.order_id, failure(OutOfStock))
        return change

    def _plan_short(
        self, batch: _Batch, order: Order, short: Mapping[str, int], view: StockView, context: Context
    ) -> OrderChange | None:
        """Takes what is there, and notes or cancels the rest; in one change where it fits one."""
        view.leave(order)
        taken, short = self._take_what_is_there(batch, order, short, view, context)
        rest = _settle_rest(taken.order if taken else order, short, context)
        batch.short.add(order.order_id)
        if rest:
            view.join(rest.backorders_added)
        if taken and rest:
            whole = fold([taken, rest])
            return whole if touches(whole) <= MAX_POSITIONS_PER_CHANGE else taken
        if not taken and not rest:
            view.join(row for line in order.lines if line.backordered for row in backorders(order, line))
            batch.settle(order.order_id, failure(OutOfStock))
        return taken or rest

    def _take_what_is_there(
        self, batch: _Batch, order: Order, short: Mapping[str, int], view: StockView, context: Context
    ) -> tuple[OrderChange | None, Mapping[str, int]]:
        """The change that takes what is there, if anything is, and the units per line that are short all in all:
        where kits are left over whose parts lie apart, less is there than there seemed to be."""
        for _ in range(MAX_NARROWINGS):
            part = what_is_there(order, short)
            if not unallocated_units(part):
                break
            try:
                plan = self.sourcing.route(part, view)
            except OutOfStock as error:
                more = short_units(part, error.shortages)
                short = {**short, **{line_id: short.get(line_id, 0) + units for line_id, units in more.items()}}
            except NoRoute:
                break
            else:
                batch.note(order, plan, view.network, view.stock)
                view.consume(order, plan)
                return _taking(order, plan, view, context), short
        return None, short

    def _answer_all(self, requests: Sequence[AllocationRequest], batch: _Batch) -> dict[str, str]:
        """Answers the executions side by side: each is a call of its own, and they wait for each other's time only."""
        with ThreadPoolExecutor(ANSWERERS) as answerers:
            outcomes = answerers.map(lambda request: self._answer(request, batch), requests)
            told = zip(requests, outcomes, strict=True)
            return {request.message_id: reason for request, reason in told if reason}

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


def _taking(order: Order, plan: RoutingPlan, view: StockView, context: Context) -> OrderChange:
    """The change that takes what the plan says and the view has consumed, and leaves what older orders wait for."""
    change = allocate(order, plan, context)
    return replace(change, claims=view.claims(change.moves, queue_place(order)))


def _settle_rest(order: Order, short: Mapping[str, int], context: Context) -> OrderChange | None:
    if context.policy.backorder_rule is BackorderRule.CANCEL_REST:
        return cancel_rest(order, short, context, OUT_OF_STOCK)
    return record_shortage(order, short, context)


def _judge(batch: _Batch, result: CommitResult[OrderChange]) -> None:
    """Commits are followed by the rest of the order, conflicts by another plan, failures by the message again."""
    order = result.change.order
    if result.committed:
        batch.see(order)
        if order.order_id in batch.open and order.order_id in batch.short and waits_only_for_stock(order):
            batch.settle(order.order_id, failure(OutOfStock))
        if order.order_id not in batch.open:
            return
    # What was planned is not all that happened: what the view counts as gone may be there, or the other way round.
    batch.again |= {move.sku for move in result.change.moves} | set(needed_units(order))
    batch.short.discard(order.order_id)
    if result.error:
        raise result.error
    if result.image is not None:
        batch.see(result.image)


def settled_answer(order: Order) -> Answer | None:
    """The answer of an order that is not to be allocated (any more); None while it is."""
    if order.status is OrderStatus.CANCELLED:
        return failure(Cancelled)
    if not unallocated_units(order):
        return allocated(order)
    return failure(InReview) if order.review else None
