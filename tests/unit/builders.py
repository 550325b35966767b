"""Locations, lines and orders for tests, with what a test does not care about filled in."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any

from oms.domain import progress
from oms.domain.catalog import Location, LocationStatus, Policy
from oms.domain.changes import Context
from oms.domain.events import EventType
from oms.domain.incoming import FulfillmentReport, TrackingUpdate
from oms.domain.network import Network
from oms.domain.order import Line, Order, ShipTo, Totals
from oms.domain.rates import RateCard
from oms.domain.routing import Assignment, RoutingPlan, route
from oms.domain.routing_policy import RoutingPolicy
from tests.unit.rate_cards import small_card

NOON = datetime(2026, 3, 2, 12, tzinfo=UTC)
NEW_YORK = ShipTo(country="US", region="NY")


def location(location_id: str, region: str = "NY", **changes: Any) -> Location:
    facts: dict[str, Any] = {"status": LocationStatus.ACTIVE, "country": "US", "region": region}
    return Location(location_id=location_id, **(facts | changes))


@dataclass(frozen=True, kw_only=True)
class Candidate:
    """A location with the units it could promise."""

    location: Location
    available: Mapping[str, int]


def candidate(location_id: str, region: str = "NY", /, **available: int) -> Candidate:
    return Candidate(location=location(location_id, region), available=available)


def stock_of(candidates: Iterable[Candidate]) -> dict[str, dict[str, int]]:
    """Units by sku and location, as routing asks for them."""
    stock: dict[str, dict[str, int]] = {}
    for one in candidates:
        for sku, units in one.available.items():
            stock.setdefault(sku, {})[one.location.location_id] = units
    return stock


def network(
    locations: Iterable[Location],
    *cards: RateCard,
    policy: RoutingPolicy | None = None,
    now: datetime = NOON,
    planned: Mapping[tuple[str, str], int] | None = None,
) -> Network:
    """What there is to ship from; without a card, the small one."""
    return Network(locations, cards or (small_card(),), policy or RoutingPolicy(), now, planned=planned)


def routed(
    order: Order,
    candidates: Sequence[Candidate],
    *cards: RateCard,
    policy: RoutingPolicy | None = None,
    planned: Mapping[tuple[str, str], int] | None = None,
    **rules: Any,
) -> RoutingPlan:
    """The plan for the order on this stock, by this policy or one of the defaults, but for these constraints."""
    policy = policy or RoutingPolicy()
    policy = replace(policy, constraints=replace(policy.constraints, **rules))
    known = network((one.location for one in candidates), *cards, policy=policy, planned=planned)
    return route(order, known, stock_of(candidates))


def shipped(plan: RoutingPlan) -> dict[str, dict[str, int]]:
    """What a plan ships: location_id → line_id → units."""
    return {one.location_id: dict(one.lines) for one in plan.assignments}


def line(line_id: str, sku: str, quantity: int = 1, **changes: Any) -> Line:
    facts: dict[str, Any] = {"ordered": quantity, "unallocated": quantity, "unit_grams": 100}
    return Line(line_id=line_id, sku=sku, **(facts | changes))


def order(*lines: Line, **changes: Any) -> Order:
    facts: dict[str, Any] = {
        "order_id": "shopify-main-1",
        "version": 1,
        "channel": "shopify",
        "account": "main",
        "channel_order_id": "1",
        "channel_updated_at": NOON,
        "placed_at": NOON,
        "updated_at": NOON,
        "currency": "USD",
        "totals": Totals(),
        "ship_to": NEW_YORK,
        "lines": lines,
    }
    return Order(**(facts | changes))


def context(hours: float = 0) -> Context:
    """What a decision knows, so many hours after NOON."""
    return Context(now=NOON + timedelta(hours=hours), actor="test", policy=Policy())


def received(*lines: Line, **facts: Any) -> Order:
    """An order as it is right after intake, at NOON, with an hour to cancel."""
    facts = {"release_after": NOON + timedelta(hours=1), "ship_by": NOON + timedelta(days=2)} | facts
    return progress.first(order(*lines, **facts), context(), (EventType.ORDER_RECEIVED, {}))


def plan(**units: dict[str, int]) -> RoutingPlan:
    """A plan from location → line_id → units; what it costs does not matter."""
    return RoutingPlan(
        assignments=tuple(
            Assignment(location_id=one, carrier="ups", service="GROUND", cost_minor=500, lines=tuple(lines.items()))
            for one, lines in units.items()
        )
    )


def report(type_: str, fulfillment_id: str, location_id: str, **facts: Any) -> FulfillmentReport:
    facts = {"message_id": "m", "occurred_at": NOON, "carrier": "UPS", "service": "GROUND"} | facts
    if type_ == "shipped":
        facts = {"shipment_id": "s1", "tracking_number": f"1Z-{facts.get('shipment_id', 's1')}"} | facts
    return FulfillmentReport(
        type=f"fulfillment.{type_}", fulfillment_id=fulfillment_id, location_id=location_id, **facts
    )


def tracking(status: str | None, shipment_id: str = "s1", hours: float = 0) -> TrackingUpdate:
    return TrackingUpdate(
        message_id="m",
        provider="easypost",
        carrier="ups",
        tracking_number=f"1Z-{shipment_id}",
        status=status,
        carrier_status=(status or "unknown").lower(),
        occurred_at=NOON + timedelta(hours=hours),
    )
