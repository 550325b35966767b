"""A past for backtests: orders that were routed one after the other, with their documents and decision records."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any

from oms.domain import progress
from oms.domain.allocation import allocate
from oms.domain.backtest_orders import first_decisions, past_decision
from oms.domain.backtesting import Company, PastDecision
from oms.domain.catalog import Policy
from oms.domain.changes import Context
from oms.domain.events import EventType
from oms.domain.order import Line, Order
from oms.domain.routing import route
from oms.domain.routing_policy import Costs, RoutingPolicy
from oms.domain.routing_record import Decision, record
from oms.domain.wave_routing import Routed, taken
from tests.unit.builders import NOON, line, location, order
from tests.unit.rate_cards import small_card

EAST = location("EAST", "NY", tags=("east",))
WEST = location("WEST", "CA", tags=("west",))
COMPANY = Company(locations=(EAST, WEST), cards=(small_card(),))


def preferring(tag: str, **facts: Any) -> RoutingPolicy:
    """A policy that ships from locations with the tag wherever it can."""
    others = {"east", "west"} - {tag}
    return RoutingPolicy(version=2, costs=Costs(preferences_minor=dict.fromkeys(others, 100_000)), **facts)


@dataclass
class Past:
    """Orders routed by the policy of the time, on stock that they use up."""

    stock: dict[str, dict[str, int]]
    company: Company = COMPANY
    policy: RoutingPolicy = field(default_factory=RoutingPolicy)
    planned: Counter[tuple[str, str]] = field(default_factory=Counter)
    kept: list[tuple[Order, Decision]] = field(default_factory=list)

    def routed(self, minutes: float, *lines: Line, **facts: Any) -> Order:
        """An order, routed so many minutes after NOON; it is the newest, and kept. Raises NoRoute, OutOfStock."""
        at = NOON + timedelta(minutes=minutes)
        number = str(len(self.kept) + 1)
        ids = {"order_id": f"shopify-main-{number}", "channel_order_id": number, "version": 0}
        times = {"placed_at": at, "updated_at": at, "channel_updated_at": at, "release_after": at}
        new = order(*(lines or (line("L1", "MUG"),)), **{**ids, **times, **facts})
        received = progress.first(new, _context(at), (EventType.ORDER_RECEIVED, {}))
        network = self.company.network(self.policy, at, self.planned)
        plan = route(received, network, self.stock)
        decision = record(received, plan, network, self.stock)
        assert decision is not None
        for (sku, location_id), units in taken(Routed(received, plan)).items():
            self.stock[sku][location_id] -= units
        self.planned.update((one.location_id, one.capacity_day) for one in plan.assignments if one.capacity_day)
        allocated = allocate(received, plan, _context(at)).order
        self.kept.append((allocated, decision))
        return allocated

    def decisions(self) -> list[PastDecision]:
        """All of it, to be decided again."""
        ids = [one.location_id for one in self.company.locations]
        return [
            past_decision(document, decision, units, ids, {})
            for document, record_ in self.kept
            for decision, units in first_decisions(document, [record_])
        ]


def with_capacity(limit: int, company: Company = COMPANY) -> Company:
    """The company with so many parcels a day at each location."""
    return replace(company, locations=tuple(replace(one, daily_capacity=limit) for one in company.locations))


def shelves(**by_sku: Mapping[str, int]) -> dict[str, dict[str, int]]:
    """Units by sku and location, to be used up."""
    return {sku: dict(there) for sku, there in by_sku.items()}


def from_where(outcomes: Iterable[Any]) -> list[list[str]]:
    """The locations that each order ships from."""
    return [sorted(parcel.location_id for parcel in one.parcels) for one in outcomes]


def _context(at: datetime) -> Context:
    return Context(now=at, actor="test", policy=Policy())
