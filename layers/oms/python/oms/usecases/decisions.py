"""What people decide: cancel, hold, note, review. Each is one versioned change of the order."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

from oms.domain import cancellation, decisions
from oms.domain.changes import Context, OrderChange
from oms.domain.confirmations import SHIPPED_BY_OTHERS
from oms.domain.errors import IllegalTransition, OrderNotFound
from oms.domain.intake_questions import left_elsewhere
from oms.domain.order import Hold, Order, OrderStatus
from oms.usecases.changing import change_once, change_until_settled

if TYPE_CHECKING:
    from oms.stores.group_commit import GroupCommit
    from oms.stores.orders import OrdersStore
    from oms.stores.reference_data import SettingsStore


@dataclass(frozen=True, slots=True)
class Decisions:
    """Decisions of operations and support. Every method raises OrderNotFound and Retryable."""

    orders: OrdersStore
    commit: GroupCommit
    settings: SettingsStore

    def cancel(self, order_id: str, reason: str, actor: str, now: datetime) -> Order:
        """Cancels all that is not released; again is a no-op. Raises IllegalTransition after release."""
        context = self._context(actor, now)

        def decide(order: Order) -> OrderChange | None:
            return None if order.status is OrderStatus.CANCELLED else _cancel_all(order, context, reason)

        return change_until_settled(self.commit, self._order(order_id), decide)

    def place_hold(self, order_id: str, hold_id: str, type_: str, reason: str, actor: str, now: datetime) -> Order:
        """Stops the release until the hold is released; the same hold_id again is a no-op."""
        hold = Hold(hold_id=hold_id, type=type_, reason=reason, placed_by=actor, placed_at=now)
        return self._once(order_id, actor, now, lambda order, by: decisions.place_hold(order, hold, by))

    def release_hold(self, order_id: str, hold_id: str, actor: str, now: datetime) -> Order:
        """Takes one hold away. Raises NotFound when the order has no such hold."""
        return self._once(order_id, actor, now, lambda order, by: decisions.release_hold(order, hold_id, by))

    def resolve_review(self, order_id: str, actor: str, now: datetime) -> Order:
        """Ends the review: the order goes on as it is. Raises IllegalTransition when it is not in review."""
        return self._once(order_id, actor, now, decisions.resolve_review)

    def cancel_in_review(self, order_id: str, reason: str, actor: str, now: datetime) -> Order:
        """Ends the review by cancelling, as `cancel`; of a cancelled order, which stays so, by that alone. Raises
        IllegalTransition when the order is not in review.

        Units that somebody else shipped, as the review asked, are cancelled for that reason, which their channel does
        not hear.
        """
        order = self._order(order_id)
        if order.review is None and order.status is not OrderStatus.CANCELLED:
            raise IllegalTransition("the order is not in review", status=order.status.value)
        context = self._context(actor, now)

        def decide(current: Order) -> OrderChange | None:
            if current.status is OrderStatus.CANCELLED:
                return decisions.resolve_review(current, context) if current.review else None
            theirs = left_elsewhere(current)
            if theirs:
                return cancellation.cancel(current, theirs, context, SHIPPED_BY_OTHERS)
            return _cancel_all(current, context, reason)

        return change_until_settled(self.commit, order, decide)

    def add_note(self, order_id: str, text: str, actor: str, now: datetime) -> Order:
        """Keeps a note."""
        return self._once(order_id, actor, now, lambda order, by: decisions.add_note(order, text, by))

    def _once(
        self, order_id: str, actor: str, now: datetime, decide: Callable[[Order, Context], OrderChange | None]
    ) -> Order:
        context = self._context(actor, now)
        return change_once(self.commit, self._order(order_id), lambda order: decide(order, context))

    def _order(self, order_id: str) -> Order:
        order = self.orders.get(order_id)
        if order is None:
            raise OrderNotFound(f"no order {order_id}", order_id=order_id)
        return order

    def _context(self, actor: str, now: datetime) -> Context:
        return Context(now=now, actor=actor, policy=self.settings.policy())


def _cancel_all(order: Order, context: Context, reason: str) -> OrderChange:
    change = cancellation.cancel(order, cancellation.open_units(order), context, reason)
    if change is None:
        raise IllegalTransition("nothing is left to cancel", status=order.status.value)
    return change
