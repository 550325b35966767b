"""What could be promised before there is an order: the plan routing would choose, faster ones, or why there is none.

Routing itself answers. For a faster plan it is asked as if a day late cost more than anything else, so what is named
here is what the policy allows. Nothing is promised by it: stock and places in a day are taken by allocation only.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from copy import copy
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any

from oms.domain import intake
from oms.domain.catalog import ChannelAccount, Product
from oms.domain.changes import Context
from oms.domain.errors import NoRoute, OutOfStock
from oms.domain.holding import BEHIND_ALL
from oms.domain.incoming import Address, Contact, IncomingLine, IncomingOrder
from oms.domain.network import Network
from oms.domain.order import Order, Totals
from oms.domain.routing import Assignment, RoutingPlan, route
from oms.domain.routing_items import Stock

MAX_DATES = 31
"""Arrivals that are tried one after the other, soonest first."""

MAX_ALTERNATIVES = 3

MAX_REASONS_TOLD = 50
"""Locations that are named with why they ship nothing."""

LATE_DAY_MINOR = 100_000_000
"""What a day late costs where it must not be: above any plan, and exact in any sum of them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """Units by sku that somebody might order, where they would go, and how. `channel`: none named is any."""

    units: Mapping[str, int]
    ship_to: Address
    service_level: str = "STANDARD"
    channel: str = ""

    def alone(self, sku: str) -> Question:
        """The same of this sku only."""
        return replace(self, units={sku: self.units[sku]})


@dataclass(frozen=True, slots=True, kw_only=True)
class Quote:
    """The plan that routing would choose, and the fastest where that is another; without a plan, why there is none."""

    plan: RoutingPlan | None = None
    fastest: RoutingPlan | None = None
    why: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Quoted:
    """What could be promised of all of it as one order, and of each sku alone."""

    basket: Quote
    skus: Mapping[str, Quote]


def draft(question: Question, products: Mapping[str, Product], context: Context) -> Order:
    """The order that would come of it, behind every order that waits; in review where we would not take it as it is."""
    lines = tuple(
        IncomingLine(line_id=sku, sku=sku, quantity=units, current_quantity=units)
        for sku, units in question.units.items()
    )
    incoming = IncomingOrder(
        channel=question.channel,
        account="",
        channel_order_id="quote",
        placed_at=context.now,
        channel_updated_at=context.now,
        currency="",
        totals=Totals(),
        lines=lines,
        service_level=question.service_level,
        contact=Contact(ship_to=question.ship_to),
    )
    order = intake.receive(incoming, products, ChannelAccount(), context).order
    return replace(order, placed_at=BEHIND_ALL)


def why_not(refusal: NoRoute | OutOfStock) -> dict[str, Any]:
    """Why nothing can be promised: units missing by sku, or the reason of each location."""
    if isinstance(refusal, OutOfStock):
        return {"code": "OUT_OF_STOCK", "shortages": dict(sorted(refusal.shortages.items()))}
    reasons = sorted(refusal.reasons.items())[:MAX_REASONS_TOLD]
    return {"code": "NO_ROUTE", "reasons": {location_id: str(reason) for location_id, reason in reasons}}


def in_time(plan: RoutingPlan, moment: datetime) -> bool:
    """Whether all of it arrives by then."""
    return plan.deliver_by is None or plan.deliver_by <= moment


def arriving_by(order: Order, network: Network, stock: Stock, moment: datetime) -> RoutingPlan | None:
    """The cheapest plan that the policy allows and that arrives by then, or None."""
    try:
        plan = route(replace(order, promised_by=moment), _where_lateness_ruins(network), stock)
    except (NoRoute, OutOfStock):
        return None
    return plan if in_time(plan, moment) else None


def fastest(order: Order, network: Network, stock: Stock, best: RoutingPlan) -> RoutingPlan | None:
    """The plan that arrives first, the cheapest of several; None where none arrives before `best` does.

    `best` is the order's plan while nothing is promised.
    """
    return next(_sooner(order, network, stock, best), None)


def alternatives(
    order: Order, network: Network, stock: Stock, best: RoutingPlan, after: datetime
) -> tuple[RoutingPlan, ...]:
    """At most three plans that arrive later than `after`, soonest first, each cheaper than the one before: the
    fastest, the next, and the cheapest."""
    found: list[RoutingPlan] = []
    for plan in _sooner(order, network, stock, best, after):
        if not found or plan.cost_minor < found[-1].cost_minor:
            found.append(plan)
        if len(found) == MAX_ALTERNATIVES - 1:
            break
    if not found or best.cost_minor < found[-1].cost_minor:
        found.append(best)
    return tuple(found)


def told(plan: RoutingPlan) -> dict[str, Any]:
    """A plan as callers compare it: when, by which service the last parcel comes, at which cost of ours."""
    return {
        "deliver_by": as_text(plan.deliver_by) if plan.deliver_by else None,
        "service": last_parcel(plan).service if plan.assignments else None,
        "cost_minor": plan.cost_minor,
        "currency": plan.currency,
    }


def last_parcel(plan: RoutingPlan) -> Assignment:
    """The parcel that arrives last, of several the first by location_id."""
    return next(one for one in plan.assignments if one.deliver_by == plan.deliver_by)


def as_text(moment: datetime) -> str:
    """A moment (UTC) as documents and answers write it."""
    return moment.strftime("%Y-%m-%dT%H:%M:%SZ")


def _sooner(
    order: Order, network: Network, stock: Stock, best: RoutingPlan, after: datetime | None = None
) -> Iterator[RoutingPlan]:
    """The cheapest plan by each moment before `best` arrives, for each that has one."""
    moments = [one for one in _moments(order, best, stock) if after is None or one > after]
    for moment in moments[:MAX_DATES]:
        plan = arriving_by(order, network, stock, moment)
        if plan:
            yield plan


def _moments(order: Order, best: RoutingPlan, stock: Stock) -> list[datetime]:
    """When something that is there could arrive, before `best` does and not before some of every sku could."""
    if best.problem is None or best.deliver_by is None:
        return []
    offers = best.problem.reach.offers
    lines = [line for line in order.lines if line.requires_shipping and line.unallocated]
    arrivals: set[datetime] = set()
    first = datetime.min.replace(tzinfo=best.deliver_by.tzinfo)
    for sku in {sku for line in lines for sku in line.stock_units(1)}:
        having = [location_id for location_id, units in stock.get(sku, {}).items() if units > 0]
        of_sku = {one.deliver_by for having_it in having for one in offers.get(having_it, ()) if one.deliver_by}
        first = max(first, min(of_sku, default=first))
        arrivals |= of_sku
    return sorted(moment for moment in arrivals if first <= moment < best.deliver_by)


def _where_lateness_ruins(network: Network) -> Network:
    """The same network, and all it has worked out, under a policy to which nothing is worse than being late."""
    strict = copy(network)
    strict.policy = replace(network.policy, costs=replace(network.policy.costs, late_day_minor=LATE_DAY_MINOR))
    return strict
