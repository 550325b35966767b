"""A recorded decision put again: the order, the network and the stock as the record has them.

Rate cards keep their versions and so does the policy; locations and zone tables are those of today. Where the parcels
decided upon do not come to their recorded cost any more, what they rest on has changed since.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime

from oms.domain.catalog import Location
from oms.domain.network import Network
from oms.domain.order import Line, Order
from oms.domain.rates import RateCard
from oms.domain.routing_model import Offer
from oms.domain.routing_policy import RoutingPolicy
from oms.domain.routing_problem import Problem, pose
from oms.domain.routing_record import Decision
from oms.domain.routing_rules import Rules, ever_laxer
from oms.domain.routing_terms import ParcelTerms
from oms.domain.zones import ZoneTable


@dataclass(frozen=True, slots=True, kw_only=True)
class Reference:
    """What there is to put a decision again: locations and zone tables of today, every version of the rate cards, the
    policy that routed it (None: it is not kept)."""

    locations: Sequence[Location]
    cards: Sequence[RateCard]
    policy: RoutingPolicy | None
    zone_tables: Mapping[str, ZoneTable] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Replay:
    """The decision as a problem. `changed` says that it would not cost today what it did."""

    decision: Decision
    order: Order
    reference: Reference
    network: Network
    stock: dict[str, dict[str, int]]
    rules: Rules
    problem: Problem
    changed: bool

    def network_of(self, location: Location, now: datetime, *, free: bool) -> Network:
        """The location alone at another moment; `free`: no day of it is full."""
        return _network(self.decision, self.reference, [location], now, free=free)


def replay(decision: Decision, order: Order, reference: Reference) -> Replay:
    """The decision about the order, put again."""
    then = order_then(decision, order)
    network = _network(decision, reference, reference.locations, decision.decided_at)
    stock: dict[str, dict[str, int]] = {}
    for location_id in decision.stock:
        for sku, units in decision.units_at(location_id).items():
            stock.setdefault(sku, {})[location_id] = units
    rules = _rules(network.policy, decision)
    problem = pose(then, network, stock, rules)
    known = reference.policy is not None and len(network.cards) == len(decision.cards)
    changed = not known or not all(_costs_the_same(one, decision, then, network, problem) for one in decision.parcels)
    return Replay(
        decision=decision,
        order=then,
        reference=reference,
        network=network,
        stock=stock,
        rules=rules,
        problem=problem,
        changed=changed,
    )


def _network(
    decision: Decision, reference: Reference, locations: Sequence[Location], now: datetime, *, free: bool = False
) -> Network:
    planned = {(one, day): parcels for day, there in decision.places.items() for one, parcels in there.items()}
    return Network(
        locations,
        [card for card in reference.cards if f"{card.name}#{card.version}" in decision.cards],
        reference.policy or RoutingPolicy(),
        now,
        zone_tables=reference.zone_tables,
        planned={} if free else planned,
    )


def order_then(decision: Decision, order: Order) -> Order:
    """The order as it was routed: its open units, where it went and by when it was promised."""
    return replace(
        order,
        lines=tuple(_line_then(line, decision) for line in order.lines if line.line_id in decision.lines),
        release_after=decision.release_at,
        promised_by=decision.promised_by,
        channel=decision.channel,
        method=decision.method,
        service_level=decision.service_level,
        ship_to=decision.ship_to,
        pickup_location_id=decision.pickup_location_id,
    )


def needed(order: Order) -> dict[str, int]:
    """Units of each stocked sku that its lines need."""
    units: dict[str, int] = {}
    for line in order.lines:
        for sku, quantity in line.stock_units(line.unallocated).items():
            units[sku] = units.get(sku, 0) + quantity
    return units


def _line_then(line: Line, decision: Decision) -> Line:
    excluded = decision.excluded.get(line.line_id, ())
    return replace(line, unallocated=decision.lines[line.line_id], excluded_locations=excluded)


def _rules(policy: RoutingPolicy, decision: Decision) -> Rules:
    """The rules it was routed by; the strictest where the policy has no such step any more."""
    steps = list(ever_laxer(policy))
    return next((rules for rules in steps if rules.relaxed == decision.relaxed), steps[0])


def _costs_the_same(parcel: ParcelTerms, decision: Decision, order: Order, network: Network, problem: Problem) -> bool:
    """Whether the parcel would cost today what it did. Of a wave, how full the days were is not known exactly."""
    location = network.locations.get(parcel.location_id)
    if location is None:
        return False
    lines = [(line, parcel.lines[line.line_id]) for line in order.lines if line.line_id in parcel.lines]
    grams = sum(line.unit_grams * units for line, units in lines)
    cm3 = sum(line.unit_cm3 * units for line, units in lines)
    needs = frozenset(need for line, _ in lines for need in line.needs)
    units_minor = location.handling_per_unit_minor * sum(units for _, units in lines)
    costs = set()
    for offer in problem.offers.get(parcel.location_id, ()):
        cost = offer.price_minor(grams, cm3, needs) if _is_by(offer, parcel) else None
        if cost is not None:
            costs.add(cost + units_minor - (offer.capacity_minor if decision.in_wave else 0))
    return parcel.cost_minor - (parcel.capacity_minor if decision.in_wave else 0) in costs


def _is_by(offer: Offer, parcel: ParcelTerms) -> bool:
    return (offer.carrier, offer.service, offer.zone) == (parcel.carrier, parcel.service, parcel.zone)
