"""Placing: an order that is placed with us directly. A request says it once and never brings changes."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from oms.domain.changes import Context
from oms.domain.incoming import IncomingOrder
from oms.domain.order import Order
from oms.domain.requests import REQUEST_CONTENT, REQUEST_KEY, ApiRequest, KeyReused, OrderExists
from oms.usecases.changing import order_after
from oms.usecases.intake import Intake, order_id_of

if TYPE_CHECKING:
    from datetime import datetime


@dataclass(frozen=True, slots=True)
class Placed:
    """The order as it is now, and whether this very call made it."""

    order: Order
    created: bool


class Placing(Intake):
    """Intake for orders of our own channels, with the same rules for what an order must be."""

    __slots__ = ()

    def place(
        self, incoming: IncomingOrder, request: ApiRequest, actor: str, now: datetime, trace_id: str | None = None
    ) -> Placed:
        """Creates the order, or finds it when the same request did so before, even if nobody heard of it.

        Raises OrderExists, KeyReused, InvalidOrder for an account that was never set up, Retryable.
        """
        marked = replace(incoming, external_ids={**incoming.external_ids, **request.marks()})
        order = self.orders.get(order_id_of(marked))
        if order is None:
            context = Context(now=now, actor=actor, policy=self.settings.policy())
            result = self.commit.commit_one(self._first(marked, context, trace_id))
            if result.committed:
                return Placed(result.change.order, created=True)
            order = order_after(result)
        _check_same(order, request)
        return Placed(order, created=False)


def _check_same(order: Order, request: ApiRequest) -> None:
    marks = request.marks()
    if order.external_ids.get(REQUEST_KEY) != marks[REQUEST_KEY]:
        raise OrderExists(f"{order.order_id} was placed by another request", order_id=order.order_id)
    if order.external_ids.get(REQUEST_CONTENT) != marks[REQUEST_CONTENT]:
        raise KeyReused
