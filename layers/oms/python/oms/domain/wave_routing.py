"""Orders that were routed one after the other, routed together where they want the same stock."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from oms.domain.network import Network
from oms.domain.order import Order
from oms.domain.routing import RoutingPlan, plan_of
from oms.domain.routing_items import Stock, needed_units
from oms.domain.routing_model import Solution
from oms.domain.routing_problem import Problem, pose
from oms.domain.waves import WaveOrder, improve

MAX_ORDERS = 500
"""Orders of one wave; further ones keep their plans."""


@dataclass(frozen=True, slots=True)
class Routed:
    """An order and its plan."""

    order: Order
    plan: RoutingPlan


def contested(routed: Sequence[Routed], stock: Stock) -> list[Routed]:
    """The orders that want skus of which some location has less than all of them want."""
    wanted: dict[str, int] = {}
    for one in routed:
        for sku, units in needed_units(one.order).items():
            wanted[sku] = wanted.get(sku, 0) + units
    short = {sku for sku, units in wanted.items() if any(0 < there < units for there in stock.get(sku, {}).values())}
    competing = [one for one in routed if short & needed_units(one.order).keys()]
    return competing[:MAX_ORDERS] if len(competing) > 1 else []


def route_together(routed: Sequence[Routed], network: Network, stock: Stock) -> dict[str, RoutingPlan]:
    """Cheaper plans by order_id, for those that change; each order keeps having a plan, and all cost less together.

    `stock` is what there was before these orders took of it, the network counts their parcels already. Orders with a
    place in a day that costs more now, or is full, keep it.
    """
    problems: dict[str, Problem] = {}
    wave: list[WaveOrder] = []
    for one in routed:
        problem = _reopened(one, network, stock)
        if problem is not None and one.plan.solution is not None:
            problems[one.order.order_id] = problem
            wave.append(WaveOrder(key=one.order.order_id, instance=problem.instance, plan=one.plan.solution))
    left = _without(stock, [one for one in routed if one.order.order_id not in problems])
    held = [one for one in routed if one.order.order_id in problems]
    if len(wave) < 2:
        return {}
    result = improve(wave, left, _places(network, held))
    orders = {one.order.order_id: one.order for one in routed}
    return {
        key: plan_of(orders[key], network, problems[key], result.plans[key], in_wave=True) for key in result.changed
    }


def _reopened(one: Routed, network: Network, stock: Stock) -> Problem | None:
    """The order's problem on this stock, cut into pieces as in its plan; None where its parcels are not on offer."""
    plan = one.plan
    if plan.problem is None or plan.solution is None:
        return None
    pieces = plan.problem.instance.items
    splits = frozenset(item.lines[0][0] for item in pieces if item.pieces > 1)
    problem = pose(one.order, network, stock, plan.problem.rules, splits)
    same = [item.lines for item in problem.instance.items] == [item.lines for item in pieces]
    return problem if same and _is_on_offer(plan.solution, problem) else None


def _is_on_offer(solution: Solution, problem: Problem) -> bool:
    return all(parcel.offer in problem.offers.get(parcel.site.location_id, ()) for parcel in solution.parcels)


def _without(stock: Stock, fixed: Sequence[Routed]) -> Stock:
    """The stock without what these orders keep."""
    left = {sku: dict(there) for sku, there in stock.items()}
    for one in fixed:
        for (sku, location_id), units in taken(one).items():
            left[sku][location_id] -= units
    return left


def taken(one: Routed) -> dict[tuple[str, str], int]:
    """Units by sku and location that the plan takes."""
    lines = {line.line_id: line for line in one.order.lines}
    units: dict[tuple[str, str], int] = {}
    for assignment in one.plan.assignments:
        for line_id, quantity in assignment.lines:
            for sku, needed in lines[line_id].stock_units(quantity).items():
                units[sku, assignment.location_id] = units.get((sku, assignment.location_id), 0) + needed
    return units


def _places(network: Network, held: Sequence[Routed]) -> Mapping[tuple[str, str], int]:
    """Places left in the days of locations that count them, with those of these orders given back."""
    places = network.places_left()
    for one in held:
        for assignment in one.plan.assignments:
            if assignment.capacity_day:
                places[assignment.location_id, assignment.capacity_day] += 1
    return places
