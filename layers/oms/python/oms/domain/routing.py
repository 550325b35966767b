"""Routing: which locations ship an order, by which services, at what cost, by when.

    minimise   freight + handling + capacity penalty + lateness penalty + preference      (see `routing_model`)
    so that    every unit of every open line is shipped once, from stock that is there,
               a line's units from one location unless the policy lets it be split,
               lines of one `together` mark from one location, a kit's components from one location,
               only from locations that may and can: active, country, method, segment, capabilities, carrier service,
               not excluded for the line, in time where the policy forbids lateness,
               in at most `max_parcels` parcels, what is collected in one.

The policy's fallbacks are given up one after the other until something fits. Store pickup and shipping from stores
are the same model: what is collected has one offer per location, without a carrier. Equal costs are decided by
location_id, so the same data always gives the same plan.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from enum import StrEnum

from oms.domain.errors import NoRoute, OutOfStock
from oms.domain.network import Ineligible, Network
from oms.domain.order import Line, Order
from oms.domain.routing_items import Stock
from oms.domain.routing_model import Instance, Parcel, Solution
from oms.domain.routing_policy import Lateness, Relaxation
from oms.domain.routing_problem import Problem, open_lines, pose
from oms.domain.routing_rules import FREE, ever_laxer
from oms.domain.routing_search import solve
from oms.domain.shortages import Shelf, shortage


class SplitReason(StrEnum):
    """Why an order ships in several parcels."""

    NO_LOCATION_HAS_ALL = "NO_LOCATION_HAS_ALL"
    CHEAPER = "CHEAPER"


@dataclass(frozen=True, slots=True, kw_only=True)
class Assignment:
    """One parcel from one location: `lines` are (line_id, quantity). Cost in the policy's currency.

    `capacity_day` is the location's day it takes a place of, of `capacity_limit`; None where days are not counted.
    """

    location_id: str
    carrier: str
    service: str
    cost_minor: int
    lines: tuple[tuple[str, int], ...]
    deliver_by: datetime | None = None
    capacity_day: str | None = None
    capacity_limit: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class RoutingPlan:
    """Who ships what, at the sum of the costs; `eliminated` maps location_id to reason code.

    No plan costs less than `bound_minor`. `relaxed` was given up to find any; `warnings` are what had to be assumed
    of the locations chosen; `in_wave` says that orders routed at once got it, who pay less together. What was decided
    upon stays with it for the decision record.
    """

    assignments: tuple[Assignment, ...] = ()
    cost_minor: int = 0
    bound_minor: int = 0
    currency: str = ""
    policy_version: int = 0
    deliver_by: datetime | None = None
    split_reason: SplitReason | None = None
    relaxed: tuple[Relaxation, ...] = ()
    in_wave: bool = False
    eliminated: Mapping[str, str] = field(default_factory=dict)
    warnings: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    problem: Problem | None = None
    solution: Solution | None = None


def route(order: Order, network: Network, stock: Stock) -> RoutingPlan:
    """Choose locations for the unallocated units of the lines that need shipping.

    `stock` is what could be promised: units by sku and location_id. Nothing to ship gives an empty plan; lines of one
    sku share its stock, kits that of their components.

    Raises NoRoute when no location may ship some line, or no plan of so many parcels was found; OutOfStock when the
    locations that may ship have too little together: it names what lies on shelves, so of a kit its components, all
    of them where each is there but never together.
    """
    if not open_lines(order):
        return RoutingPlan()
    laxest: Problem | None = None
    for rules in ever_laxer(network.policy):
        laxest = pose(order, network, stock, rules)
        solution = _solved(laxest.instance)
        if solution is not None:
            return plan_of(order, network, laxest, solution)
    raise _refusal(order, network, stock, laxest) if laxest else NoRoute({})


def plan_of(
    order: Order, network: Network, problem: Problem, solution: Solution, *, in_wave: bool = False
) -> RoutingPlan:
    """The solution as a plan for the order's lines."""
    assignments = tuple(_assignment(order, network, problem.instance, parcel) for parcel in solution.parcels)
    chosen = [one.location_id for one in assignments]
    return RoutingPlan(
        assignments=assignments,
        cost_minor=solution.cost_minor,
        bound_minor=solution.bound_minor,
        currency=network.currency,
        policy_version=network.policy.version,
        deliver_by=max((one.deliver_by for one in assignments if one.deliver_by), default=None),
        split_reason=_split_reason(problem.instance, solution),
        relaxed=problem.rules.relaxed,
        in_wave=in_wave,
        eliminated=problem.reach.eliminated,
        warnings={one: problem.reach.warnings[one] for one in chosen if one in problem.reach.warnings},
        problem=problem,
        solution=solution,
    )


def _assignment(order: Order, network: Network, instance: Instance, parcel: Parcel) -> Assignment:
    location_id = parcel.site.location_id
    units = {
        line_id: quantity * pieces
        for item, pieces in zip(instance.items, parcel.pieces, strict=True)
        if pieces
        for line_id, quantity in item.lines
    }
    return Assignment(
        location_id=location_id,
        carrier=parcel.offer.carrier,
        service=parcel.offer.service,
        cost_minor=parcel.cost_minor,
        lines=tuple((line.line_id, units[line.line_id]) for line in order.lines if line.line_id in units),
        deliver_by=parcel.offer.deliver_by,
        capacity_day=parcel.offer.capacity_day,
        capacity_limit=network.locations[location_id].daily_capacity,
    )


def _split_reason(instance: Instance, solution: Solution) -> SplitReason | None:
    if len(solution.parcels) < 2:
        return None
    whole = tuple(item.pieces for item in instance.items)
    able = any(site.room == whole for site in instance.sites)
    return SplitReason.CHEAPER if able else SplitReason.NO_LOCATION_HAS_ALL


def _solved(instance: Instance) -> Solution | None:
    """The cheapest plan, if the sites have room for every item, each taken alone, and then for all."""
    room = [sum(column) for column in zip(*[site.room for site in instance.sites], strict=True)]
    if not room or any(there < item.pieces for there, item in zip(room, instance.items, strict=True)):
        return None
    return solve(instance)


def _refusal(order: Order, network: Network, stock: Stock, problem: Problem) -> NoRoute | OutOfStock:
    """Why there is no plan: nobody may ship some line, there is too little of it, or it never fits the rules."""
    lines, eliminated = open_lines(order), dict(problem.reach.eliminated)
    skus = {sku for line in lines for sku in line.stock_units(1)}
    shelves = [
        Shelf(location=network.locations[one], available={sku: stock.get(sku, {}).get(one, 0) for sku in skus})
        for one in problem.reach.offers
    ]
    for line in lines:
        if not any(shelf.may_ship(line) for shelf in shelves):
            return NoRoute(eliminated | {shelf.location_id: _why_not(shelf, line) for shelf in shelves})
    missing = shortage(lines, shelves)
    if missing:
        return OutOfStock(missing)
    if any(line.components for line in lines):
        free = pose(order, network, stock, replace(FREE, relaxed=problem.rules.relaxed))
        apart = {} if _solved(free.instance) else shortage(lines, shelves, kits_whole=True)
        if apart:
            return OutOfStock(apart)
    return NoRoute(eliminated | dict.fromkeys(problem.reach.offers, _obstacle(order, network, stock, problem)))


def _obstacle(order: Order, network: Network, stock: Stock, problem: Problem) -> Ineligible:
    """Which rule it is that no plan fits, where there is stock enough: the first without which there is one."""
    late = replace(problem.rules, constraints=replace(problem.rules.constraints, lateness=Lateness.PENALISED))
    if late != problem.rules and _solved(pose(order, network, stock, late).instance):
        return Ineligible.TOO_LATE
    apart = replace(order, lines=tuple(replace(line, together="") for line in order.lines))
    if apart != order and _solved(pose(apart, network, stock, problem.rules).instance):
        return Ineligible.NOT_TOGETHER
    return Ineligible.TOO_MANY_PARCELS


def _why_not(shelf: Shelf, line: Line) -> Ineligible:
    return Ineligible.EXCLUDED if shelf.location_id in line.excluded_locations else Ineligible.CANNOT_HANDLE
