"""Why did it ship from there? Reads an order's routing decisions, and answers what would have had to be otherwise."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, NoReturn

from oms.domain import ids
from oms.domain.counterfactuals import Counterfactual, why_not
from oms.domain.errors import InvalidMessage, NotFound
from oms.domain.events import EventType
from oms.domain.routing_account import RoutingAccount, account_of
from oms.domain.routing_replay import Reference, replay

if TYPE_CHECKING:
    from oms.domain.order import Order
    from oms.domain.routing_record import Decision
    from oms.stores.orders import OrdersStore
    from oms.stores.reference_data import LocationsStore, SettingsStore
    from oms.stores.routing_decisions import RoutingDecisionsStore
    from oms.usecases.reading import Reading


@dataclass(frozen=True, slots=True)
class RoutingDecisions:
    """Answers questions about routing; changes nothing."""

    reading: Reading
    orders: OrdersStore
    decisions: RoutingDecisionsStore
    locations: LocationsStore
    settings: SettingsStore

    def account(self, order_id: str, decision_id: str | None, location_id: str | None) -> RoutingAccount:
        """One decision of the order, the newest unless another is named; with a location, why it was not that one.

        Raises OrderNotFound, NotFound where the order was never routed, has no such decision or its record is no
        longer kept, InvalidMessage for a location that nobody knows.
        """
        order = self.reading.order(order_id)
        made = self._made(order)
        if not made:
            raise _never_routed(order)
        wanted = decision_id or made[-1]
        kept = {one.decision_id: one for one in self.decisions.of_order(order_id) if one.decision_id in made}
        decision = kept.get(wanted) or (self.decisions.get(order_id, wanted) if wanted in made else None)
        if decision is None:
            _refuse(wanted, made, list(kept))
        answer = self._why_not(order, decision, location_id) if location_id else None
        return account_of(decision, kept.values(), answer)

    def _made(self, order: Order) -> list[str]:
        """The ids of the decisions that were carried out, oldest first."""
        told = [event.data for event in order.events if event.type is EventType.ORDER_ROUTED]
        if order.events and order.events[0].sequence > 1:
            before = self.orders.events_before(order.order_id)
            told = [one.get("data", {}) for one in before if one["type"] == EventType.ORDER_ROUTED] + told
        return list(dict.fromkeys(data["decision_id"] for data in told if "decision_id" in data))

    def _why_not(self, order: Order, decision: Decision, location_id: str) -> Counterfactual:
        locations = self.locations.all()
        named = {one.location_id for one in locations} | decision.stock.keys()
        if location_id not in named.union(*decision.eliminated.values()):
            message = f"there is no location {location_id[: ids.MAX_ID_LENGTH]}: its location_id is asked for"
            raise InvalidMessage(message, field="why_not", reason="UNKNOWN_LOCATION")
        reference = Reference(
            locations=locations,
            cards=self.settings.rate_cards(),
            policy=self.settings.routing_policy_version(decision.policy_version),
            zone_tables=self.settings.zone_tables(),
        )
        return why_not(replay(decision, order, reference), location_id)


def _never_routed(order: Order) -> NotFound:
    waits = f": it waits for {order.waiting_for}" if order.waiting_for else ""
    return NotFound(f"the order was never routed{waits}", order_id=order.order_id, waiting_for=order.waiting_for)


def _refuse(wanted: str, made: list[str], kept: list[str]) -> NoReturn:
    if wanted in made:
        message = f"the record of decision {wanted} is not kept: what is left of it is the order's event OrderRouted"
        raise NotFound(message, decision_id=wanted, kept=kept)
    raise NotFound(f"the order has no decision {wanted}", decision_id=wanted, kept=kept)
