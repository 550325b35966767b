"""Which waiting orders are worth moving, and in which order that can be done.

All of them are routed at once on the stock there is with what they hold themselves. An order may take what another
gives back, so orders that depend on each other form a group: it is moved where its orders save more than the policy's
`reroute_saving_minor` for each of them, together. One of them may so become dearer, never one alone. Costs are today's,
of the plan that is there as of the new one.

Each order is written by itself. A group is put in an order in which every one finds its stock; whoever stops in the
middle of it leaves all orders with their stock, and loses a saving.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from oms.domain.network import Network
from oms.domain.order import Fulfillment, Order
from oms.domain.rerouting import held_units, live_work, reopened
from oms.domain.routing import RoutingPlan, plan_of
from oms.domain.routing_items import Stock
from oms.domain.routing_model import Instance, Parcel, Site, Solution, contents
from oms.domain.routing_policy import Lateness
from oms.domain.routing_problem import Problem, pose
from oms.domain.routing_rules import Rules
from oms.domain.wave_routing import Routed, taken
from oms.domain.wave_supplies import Supply
from oms.domain.waves import WaveOrder, improve

WORK_LIMIT = 300_000
"""Work of routing all the candidates again, once; about half a second."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Move:
    """An order and the plan it should have. `opened` is what was routed: the order with its work given back."""

    order: Order
    opened: Order
    plan: RoutingPlan
    saved_minor: int

    def changes(self) -> Counter[Supply]:
        """What it takes of each supply (units, places), less what it gives back."""
        changes: Counter[Supply] = Counter()
        for (sku, location_id), units in taken(Routed(self.opened, self.plan)).items():
            changes[Supply(location_id, sku=sku)] += units
        for (sku, location_id), units in held_units(self.order).items():
            changes[Supply(location_id, sku=sku)] -= units
        for assignment in self.plan.assignments:
            if assignment.capacity_day:
                changes[Supply(assignment.location_id, day=assignment.capacity_day)] += 1
        for one in live_work(self.order):
            if one.capacity_day:
                changes[Supply(one.location_id, day=one.capacity_day)] -= 1
        return changes


@dataclass(frozen=True, slots=True)
class _Present:
    """An order on today's terms: its problem, and the plan that is there as its solution."""

    order: Order
    opened: Order
    problem: Problem
    solution: Solution


def worthwhile(orders: Iterable[Order], network: Network, stock: Stock) -> list[list[Move]]:
    """Groups of moves that save enough, each in an order in which it can be written. `stock` is what is free now.

    The network counts the orders' parcels. Orders whose plan is no longer on offer, or late, keep it.
    """
    orders = list(orders)
    free = with_held(orders, stock)
    presents = [one for order in orders if (one := _present(order, network, free))]
    moves = _moves(presents, network, _without_others(orders, presents, free))
    left = _left(stock, network)
    threshold = network.policy.reroute_saving_minor
    groups = [one for one in _groups(moves, left) if _saves(one, threshold)]
    return [ordered for group in groups if (ordered := _in_order(group, left))]


def with_held(orders: Iterable[Order], stock: Stock) -> dict[str, dict[str, int]]:
    """The stock with what these orders hold."""
    free = {sku: dict(there) for sku, there in stock.items()}
    for order in orders:
        for (sku, location_id), units in held_units(order).items():
            there = free.setdefault(sku, {})
            there[location_id] = there.get(location_id, 0) + units
    return free


def _present(order: Order, network: Network, free: Stock) -> _Present | None:
    """The order's problem with its promise to be kept; None where its plan isn't possible on today's terms."""
    opened, work = reopened(order), live_work(order)
    by = order.promised_by or max((one.deliver_by for one in work if one.deliver_by), default=None)
    if by is None:
        return None
    rules = Rules(replace(network.policy.constraints, lateness=Lateness.FORBIDDEN))
    lines = Counter(part.line_id for one in work for part in one.lines if part.open)
    splits = frozenset(line_id for line_id, parcels in lines.items() if parcels > 1)
    problem = pose(replace(opened, promised_by=by), network, free, rules, splits)
    parcels = [_parcel(one, problem.instance) for one in work]
    found = tuple(one for one in parcels if one is not None)
    if len(found) < len(work) or len({one.site.location_id for one in found}) < len(found):
        return None
    solution = Solution(parcels=found, cost_minor=sum(one.cost_minor for one in found), bound_minor=0)
    return _Present(order, opened, problem, solution)


def _parcel(one: Fulfillment, instance: Instance) -> Parcel | None:
    """The work as a parcel of the instance, at today's price."""
    site = next((site for site in instance.sites if site.location_id == one.location_id), None)
    pieces = _pieces(one, instance)
    if site is None or pieces is None or any(part > room for part, room in zip(pieces, site.room, strict=True)):
        return None
    return _priced(one, instance, site, pieces)


def _priced(one: Fulfillment, instance: Instance, site: Site, pieces: tuple[int, ...]) -> Parcel | None:
    grams, cm3, goods, needs = contents(instance.items, pieces)
    for offer in site.offers:
        if (offer.carrier, offer.service, offer.capacity_day) == (one.carrier, one.service, one.capacity_day):
            price = offer.price_minor(grams, cm3, needs)
            if price is not None:
                return Parcel(site=site, offer=offer, pieces=pieces, cost_minor=price + site.unit_minor * goods)
    return None


def _pieces(one: Fulfillment, instance: Instance) -> tuple[int, ...] | None:
    """Pieces of each item that make up the work; None where it isn't made of whole pieces."""
    units = Counter({part.line_id: part.open for part in one.lines})
    pieces = []
    for item in instance.items:
        line_id, quantity = item.lines[0]
        number = units[line_id] // quantity
        if any(units[line] != number * each for line, each in item.lines):
            return None
        pieces.append(number)
    return tuple(pieces)


def _without_others(orders: Iterable[Order], presents: Sequence[_Present], free: Stock) -> Stock:
    """The stock without what those orders hold that keep it in any case."""
    routed = {one.order.order_id for one in presents}
    left = {sku: dict(there) for sku, there in free.items()}
    for order in orders:
        for (sku, location_id), units in held_units(order).items() if order.order_id not in routed else ():
            left[sku][location_id] -= units
    return left


def _moves(presents: Sequence[_Present], network: Network, stock: Stock) -> list[Move]:
    """The orders that should have another plan."""
    places = network.places_left()
    for present in presents:
        for work in live_work(present.order):
            if work.capacity_day:
                place = (work.location_id, work.capacity_day)
                places[place] = places.get(place, 0) + 1
    wave = [WaveOrder(key=one.order.order_id, instance=one.problem.instance, plan=one.solution) for one in presents]
    if not wave:
        return []
    result = improve(wave, stock, places, WORK_LIMIT)
    return [
        _move(one, network, result.plans[one.order.order_id])
        for one in presents
        if one.order.order_id in result.changed
    ]


def _move(one: _Present, network: Network, solution: Solution) -> Move:
    plan = plan_of(one.opened, network, one.problem, solution, in_wave=True)
    saved = one.solution.cost_minor - solution.cost_minor
    return Move(order=one.order, opened=one.opened, plan=plan, saved_minor=saved)


def _left(stock: Stock, network: Network) -> dict[Supply, int]:
    """What there is of every supply before anything is given back; days not named have room for anybody."""
    left = {Supply(one, sku=sku): units for sku, there in stock.items() for one, units in there.items()}
    return left | {Supply(one, day=day): places for (one, day), places in network.places_left().items()}


def _groups(moves: Sequence[Move], left: Mapping[Supply, int]) -> list[list[Move]]:
    """The moves, together with those that they need to give something back."""
    changes = [move.changes() for move in moves]
    wanted: Counter[Supply] = Counter()
    for change in changes:
        wanted.update({supply: units for supply, units in change.items() if units > 0})
    short = {supply for supply, units in wanted.items() if units > left.get(supply, units)}
    groups: list[tuple[set[Supply], list[Move]]] = []
    for move, change in zip(moves, changes, strict=True):
        needs, members = {supply for supply in short if change[supply]}, [move]
        for group in [one for one in groups if one[0] & needs]:
            groups.remove(group)
            needs, members = needs | group[0], group[1] + members
        groups.append((needs, members))
    return [members for _, members in groups]


def _saves(group: Sequence[Move], threshold_minor: int) -> bool:
    saved = sum(move.saved_minor for move in group)
    return saved > 0 and saved > threshold_minor * len(group)


def _in_order(group: Sequence[Move], left: Mapping[Supply, int]) -> list[Move]:
    """The group's moves so that each finds what it takes; none where they would all wait for each other."""
    there = dict(left)
    waiting = [(move, move.changes()) for move in group]
    ordered: list[Move] = []
    while waiting:
        ready = next((one for one in waiting if _finds(one[1], there)), None)
        if ready is None:
            return []
        waiting.remove(ready)
        ordered.append(ready[0])
        for supply, units in ready[1].items():
            if supply in there:
                there[supply] -= units
    return ordered


def _finds(change: Mapping[Supply, int], there: Mapping[Supply, int]) -> bool:
    return all(units <= there.get(supply, units if supply.day else 0) for supply, units in change.items() if units > 0)
