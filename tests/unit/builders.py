"""Locations, lines and orders for tests, with what a test does not care about filled in."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from oms.domain import progress
from oms.domain.catalog import Location, LocationStatus, Policy
from oms.domain.changes import Context
from oms.domain.events import EventType
from oms.domain.incoming import FulfillmentReport, TrackingUpdate
from oms.domain.order import Line, Order, ShipTo, Totals
from oms.domain.routing import Assignment, Candidate, RoutingPlan

NOON = datetime(2026, 3, 2, 12, tzinfo=UTC)
NEW_YORK = ShipTo(country="US", region="NY")


def location(location_id: str, region: str = "NY", **changes: Any) -> Location:
    facts: dict[str, Any] = {"status": LocationStatus.ACTIVE, "country": "US", "region": region}
    return Location(location_id=location_id, **(facts | changes))


def candidate(location_id: str, region: str = "NY", /, **available: int) -> Candidate:
    return Candidate(location=location(location_id, region), available=available)


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
