"""Promises: what could be promised of some skus now, and whether a promise that a shop has made can be kept."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from oms.domain.changes import Context, queue_place
from oms.domain.errors import InvalidOrder, NoRoute, OutOfStock, PromiseNotKept
from oms.domain.promise_quotes import (
    Question,
    Quote,
    Quoted,
    alternatives,
    arriving_by,
    as_text,
    draft,
    fastest,
    in_time,
    told,
    why_not,
)

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from datetime import datetime

    from oms.domain.catalog import Product
    from oms.domain.changes import Backorder
    from oms.domain.order import Order
    from oms.domain.reservations import Reservation
    from oms.domain.routing import RoutingPlan
    from oms.stores.reference_data import ProductsStore
    from oms.stores.reservations import ReservationsStore
    from oms.usecases.sourcing import Sourcing, StockView

ACTOR = "quote"


@dataclass(frozen=True, slots=True)
class Quotes:
    """Asks routing what it would choose for an order that came now; reads everything once."""

    products: ProductsStore
    sourcing: Sourcing

    def quote(self, question: Question, now: datetime) -> Quoted:
        """The plans for all of it together and for each sku alone. Raises InvariantBroken, Retryable."""
        context = Context(now=now, actor=ACTOR, policy=self.sourcing.settings.policy())
        products = self.products.get_many(question.units)
        products |= self.products.get_many(one.sku for kit in products.values() for one in kit.kit_components)
        whole = draft(question, products, context)
        view = self.sourcing.look([whole], now)
        basket = self._quote(whole, view)
        if len(question.units) == 1:
            return Quoted(basket=basket, skus=dict.fromkeys(question.units, basket))
        alone = {sku: self._alone(question, sku, products, context, view) for sku in question.units}
        return Quoted(basket=basket, skus=alone)

    def _alone(
        self, question: Question, sku: str, products: Mapping[str, Product], context: Context, view: StockView
    ) -> Quote:
        return self._quote(draft(question.alone(sku), products, context), view)

    def _quote(self, order: Order, view: StockView) -> Quote:
        if order.review:
            return Quote(why={"code": order.review.reason, "detail": order.review.detail})
        try:
            plan = self.sourcing.route(order, view)
        except (NoRoute, OutOfStock) as refusal:
            return Quote(why=why_not(refusal))
        return Quote(plan=plan, fastest=fastest(order, view.network, view.stock, plan))


@dataclass(frozen=True, slots=True)
class PromiseCheck:
    """Whether what a shop told its customer can be kept. It takes no stock: allocation does, and knows the promise."""

    sourcing: Sourcing
    reservations: ReservationsStore

    def require(self, order: Order, reservation_id: str | None, now: datetime) -> None:
        """Nothing, where some plan that the policy allows arrives by the order's `promised_by`, or it names none.

        What a cart holds for the order is its own. Raises PromiseNotKept, InvalidOrder for a moment that has passed.
        """
        promised_by = order.promised_by
        if promised_by is None:
            return
        if promised_by <= now:
            raise InvalidOrder("promised_by has passed already", field="promised_by", reason="IN_THE_PAST")
        view = self.sourcing.look([order], now)
        hold = self.reservations.get(reservation_id) if reservation_id else None
        if hold and hold.is_active:
            _take_for_its_own(view, hold, queue_place(order))
        unpromised = replace(order, promised_by=None)
        best = self._best(unpromised, view, promised_by)
        if in_time(best, promised_by) or arriving_by(order, view.network, view.stock, promised_by):
            return
        later = alternatives(unpromised, view.network, view.stock, best, promised_by)
        raise PromiseNotKept(
            f"nothing arrives by {as_text(promised_by)}",
            promised_by=as_text(promised_by),
            alternatives=[told(plan) for plan in later],
        )

    def _best(self, order: Order, view: StockView, promised_by: datetime) -> RoutingPlan:
        try:
            return self.sourcing.route(order, view)
        except (NoRoute, OutOfStock) as refusal:
            raise PromiseNotKept(
                "nothing can be promised now",
                promised_by=as_text(promised_by),
                alternatives=[],
                why=why_not(refusal),
            ) from refusal


def _take_for_its_own(view: StockView, hold: Reservation, place: str) -> None:
    """Shows the view the units of the hold as there for this order: those who wait get none of them."""
    held = hold.by_location()
    for sku in {sku for here in held.values() for sku in here}:
        before = (row for row in view.queues.get(sku, ()) if row.queue_key < place)
        view.queues[sku] = list(_as_far_as(before, view.total(sku)))
    for location_id, here in held.items():
        for sku, units in here.items():
            shelf = view.stock.setdefault(sku, {})
            shelf[location_id] = max(0, shelf.get(location_id, 0)) + units


def _as_far_as(rows: Iterable[Backorder], units: int) -> Iterable[Backorder]:
    """The rows with no more than so many units, which the first get."""
    for row in rows:
        yield replace(row, quantity=min(row.quantity, units))
        units -= min(row.quantity, units)
