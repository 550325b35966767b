"""Intake: a channel's order becomes an order here, or changes to the one we have. The same for every door."""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import StrEnum
from typing import TYPE_CHECKING

from oms.domain import ids, intake
from oms.domain.changes import Context, OrderChange
from oms.domain.errors import InvalidOrder, InvariantBroken, KeyReused, OrderExists, WriteConflict
from oms.domain.incoming import IncomingOrder
from oms.domain.order import Order
from oms.domain.requests import REQUEST_CONTENT, REQUEST_KEY, ApiRequest
from oms.usecases.changing import change_until_settled, order_after

if TYPE_CHECKING:
    from datetime import datetime

    from oms.stores.contacts import ContactsStore
    from oms.stores.group_commit import CommitResult, GroupCommit
    from oms.stores.orders import OrdersStore
    from oms.stores.reference_data import ProductsStore, SettingsStore
    from oms.usecases.conversion import Conversion
    from oms.usecases.promises import PromiseCheck

MAX_CONVERSIONS = 10
"""Tries of one order upon a cart's hold while others write it."""


class Taken(StrEnum):
    """What became of a message."""

    CREATED = "CREATED"
    CHANGED = "CHANGED"
    UNCHANGED = "UNCHANGED"
    STALE = "STALE"


@dataclass(frozen=True, slots=True)
class IntakeResult:
    """The order as it is now, and what the message did to it."""

    order: Order
    taken: Taken


@dataclass(frozen=True, slots=True)
class Placed:
    """The order as it is now, and whether this very request made it."""

    order: Order
    created: bool


@dataclass(frozen=True, slots=True)
class Intake:
    """Takes in canonical orders, whichever channel they come from. `conversion` is needed where they name a hold,
    `promises` where they bring a promise."""

    orders: OrdersStore
    contacts: ContactsStore
    products: ProductsStore
    settings: SettingsStore
    commit: GroupCommit
    conversion: Conversion | None = None
    promises: PromiseCheck | None = None

    def take(self, incoming: IncomingOrder, actor: str, now: datetime, trace_id: str | None = None) -> IntakeResult:
        """Creates the order, or brings it to what the channel says now; a repeat changes nothing.

        Raises InvalidOrder for an account never set up or an order too large, Retryable when it must be tried again.
        """
        context = Context(now=now, actor=actor, policy=self.settings.policy())
        incoming = intake.in_whole_seconds(incoming)
        order, created = self._find_or_create(incoming, context, trace_id)
        return IntakeResult(order, Taken.CREATED) if created else self._bring_up_to_date(order, incoming, context)

    def place(
        self,
        incoming: IncomingOrder,
        request: ApiRequest,
        actor: str,
        now: datetime,
        *,
        trace_id: str | None = None,
        reservation_id: str | None = None,
    ) -> Placed:
        """Creates an order placed with us directly, or finds it when the same request did so before.

        Such a request says it once and never brings changes, even where nobody heard of the first try. The order
        consumes the cart's hold it names, if that is still there, and comes about only if its promise can be kept.
        Raises OrderExists, KeyReused, ReservationNotFound, ReservationConsumed, PromiseNotKept, InvalidOrder as `take`
        does or for a promise that has passed, Retryable.
        """
        context = Context(now=now, actor=actor, policy=self.settings.policy())
        marked = replace(incoming, external_ids={**incoming.external_ids, **request.marks()})
        order, created = self._find_or_create(intake.in_whole_seconds(marked), context, trace_id, reservation_id)
        if not created:
            _check_same(order, request)
        return Placed(order, created)

    def _find_or_create(
        self, incoming: IncomingOrder, context: Context, trace_id: str | None, reservation_id: str | None = None
    ) -> tuple[Order, bool]:
        """The order as it is now, and whether this very call made it."""
        order = self.orders.get(order_id_of(incoming))
        if order is not None:
            return order, False
        first = self._first(incoming, context, trace_id)
        if first.order.promised_by is not None and not first.order.review:
            self._require_promise(first.order, reservation_id, context)
        if reservation_id is None:
            result = self.commit.commit_one(first)
        else:
            result = self._commit_upon(reservation_id, first, context)
        return order_after(result), result.committed

    def _require_promise(self, order: Order, reservation_id: str | None, context: Context) -> None:
        if self.promises is None:
            raise InvariantBroken("this intake was not given what promises are checked by")
        self.promises.require(order, reservation_id, context.now)

    def _commit_upon(self, reservation_id: str, first: OrderChange, context: Context) -> CommitResult[OrderChange]:
        """Makes the order upon the hold, judged again on the hold as it is whenever somebody else wrote it."""
        if self.conversion is None:
            raise InvariantBroken("this intake was not given the reservations")
        for _ in range(MAX_CONVERSIONS):
            result = self.commit.commit_one(self.conversion.upon(first, reservation_id, context))
            if result.committed or result.error or result.image:
                return result
        raise WriteConflict(f"reservation {reservation_id}: others always wrote first")

    def _first(self, incoming: IncomingOrder, context: Context, trace_id: str | None) -> OrderChange:
        account = self.settings.channel_account(incoming.channel, incoming.account)
        if account is None:
            raise InvalidOrder(
                f"settings has no channel_account {incoming.channel}#{incoming.account}",
                field="account",
                reason="UNKNOWN_ACCOUNT",
            )
        products = self.products.get_many(line.sku for line in incoming.lines)
        products |= self.products.get_many(one.sku for kit in products.values() for one in kit.kit_components)
        return intake.receive(incoming, products, account, context, trace_id)

    def _bring_up_to_date(self, order: Order, incoming: IncomingOrder, context: Context) -> IntakeResult:
        if intake.is_stale(order, incoming.channel_updated_at):
            return IntakeResult(order, Taken.STALE)

        def decide(current: Order) -> OrderChange | None:
            return intake.update(current, incoming, self.contacts.get(order.order_id), context)

        settled = change_until_settled(self.commit, order, decide)
        taken = Taken.UNCHANGED if settled.version == order.version else Taken.CHANGED
        return IntakeResult(settled, taken)


def order_id_of(incoming: IncomingOrder) -> str:
    """The id the order has here, known before it exists."""
    return ids.order_id(incoming.channel, incoming.account, incoming.channel_order_id)


def _check_same(order: Order, request: ApiRequest) -> None:
    marks = request.marks()
    if order.external_ids.get(REQUEST_KEY) != marks[REQUEST_KEY]:
        raise OrderExists(f"{order.order_id} was placed by another request", order_id=order.order_id)
    if order.external_ids.get(REQUEST_CONTENT) != marks[REQUEST_CONTENT]:
        raise KeyReused
