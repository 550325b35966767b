"""The decision record: why an order was routed as it was.

The order's `OrderRouted` event carries the summary, never more than 300 bytes; the record itself lies in
`routing_decisions` under the event's `decision_id`. It holds what was decided and what it was decided upon, so that
the decision can be made again. Lists are bounded and say how long they were. Nothing in it is personal.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from typing import Any

from oms.domain.network import Ineligible, Network
from oms.domain.order import Method, Order, ShipTo
from oms.domain.routing import RoutingPlan, SplitReason
from oms.domain.routing_items import Stock
from oms.domain.routing_model import Instance, Site, Solution, contents, fits
from oms.domain.routing_policy import Relaxation
from oms.domain.routing_problem import Problem
from oms.domain.routing_search import solve
from oms.domain.routing_terms import ParcelTerms, cost_of, parcels_of, units_of

MAX_LOCATIONS_TOLD = 5
MAX_NEWS_BYTES = 300

MAX_ALTERNATIVES = 4
"""Locations of the plan that are done without, one after the other, to find the next best."""

ALTERNATIVE_WORK = 5_000
"""Work of one search for an alternative; it is bounded tighter than the decision itself."""

MAX_CANDIDATES_TOLD = 50
MAX_STOCK_TOLD = 2_500
"""Figures of stock in one record: with more SKUs, those of fewer locations are kept."""

MAX_ELIMINATED_TOLD = 100
"""Locations named per reason."""

MAX_DAYS_TOLD = 15
"""Days whose planned parcels are kept, counted back from the day a parcel would be made ready."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Alternative:
    """The cheapest plan that does `without` one of the locations chosen. No such plan costs less than its bound."""

    without: str
    cost_minor: int
    bound_minor: int
    parcels: tuple[ParcelTerms, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Decision:
    """One routing decision. Money in minor units of `currency`, `lines` are the units routed.

    `in_wave` says that orders routed at once got their plans together, and pay less together. `release_at` is the
    moment the order was taken to be released; `excluded` are locations by line. `stock` tells of
    each location, in the order of `skus`, how many units it could have promised; locations with none are left out.
    `alone_minor` is what each candidate would have cost that has everything. `places` are parcels planned by day and
    location where days are counted: those of the day a parcel would use, and full days before it.
    """

    order_id: str
    decision_id: str
    decided_at: datetime
    release_at: datetime
    policy_version: int = 0
    currency: str = ""
    cost_minor: int = 0
    bound_minor: int = 0
    work: int = 0
    deliver_by: datetime | None = None
    promised_by: datetime | None = None
    split_reason: SplitReason | None = None
    relaxed: tuple[Relaxation, ...] = ()
    in_wave: bool = False
    channel: str = ""
    method: Method = Method.SHIP
    service_level: str = "STANDARD"
    ship_to: ShipTo = field(default_factory=ShipTo)
    pickup_location_id: str | None = None
    lines: dict[str, int]
    excluded: dict[str, tuple[str, ...]] = field(default_factory=dict)
    parcels: tuple[ParcelTerms, ...]
    alternative: Alternative | None = None
    candidates: int = 0
    alone_minor: dict[str, int] = field(default_factory=dict)
    skus: tuple[str, ...] = ()
    stock: dict[str, str] = field(default_factory=dict)
    places: dict[str, dict[str, int]] = field(default_factory=dict)
    eliminated: dict[str, tuple[str, ...]] = field(default_factory=dict)
    eliminated_counts: dict[str, int] = field(default_factory=dict)
    warnings: dict[str, tuple[str, ...]] = field(default_factory=dict)
    cards: tuple[str, ...] = ()
    expires_at: int = 0

    @property
    def proven(self) -> bool:
        """Whether no other plan could have been cheaper."""
        return self.bound_minor >= self.cost_minor

    def units_at(self, location_id: str) -> dict[str, int]:
        """Units of each sku the location could have promised, as far as the record tells."""
        figures = self.stock.get(location_id, "").split()
        return {sku: int(units) for sku, units in zip(self.skus, figures, strict=bool(figures))}

    def why_eliminated(self, location_id: str) -> str | None:
        """The reason code, None where the location was a candidate or is not named."""
        return next((reason for reason, named in self.eliminated.items() if location_id in named), None)

    def is_told(self, reason: str) -> bool:
        """Whether every location with this reason is named."""
        return reason not in self.eliminated_counts


def decision_id(order: Order, plan: RoutingPlan) -> str:
    """The key of the record of the plan that makes the order's next version; the same for the same decision."""
    text = repr([(one.location_id, one.carrier, one.service, one.cost_minor, one.lines) for one in plan.assignments])
    digest = hashlib.blake2s(f"{order.order_id} {order.version} {text}".encode(), digest_size=4).hexdigest()
    return f"{order.version + 1:06}-{digest}"


def routed_news(order: Order, plan: RoutingPlan) -> dict[str, Any]:
    """What `OrderRouted` says: policy version, locations, cost, promise, why it was split, what was given up.

    It has at most MAX_NEWS_BYTES as JSON: where they don't fit, fewer locations are named and `parcels` counts them.
    """
    told = [one.location_id for one in plan.assignments][:MAX_LOCATIONS_TOLD]
    news: dict[str, Any] = {
        "decision_id": decision_id(order, plan),
        "policy_version": plan.policy_version,
        "locations": told,
        "cost_minor": plan.cost_minor,
    }
    if plan.deliver_by:
        news["deliver_by"] = plan.deliver_by.strftime("%Y-%m-%dT%H:%M:%SZ")
    if plan.split_reason:
        news["split_reason"] = plan.split_reason.value
    if plan.relaxed:
        news["relaxed"] = [one.value for one in plan.relaxed]
    if len(told) < len(plan.assignments):
        news["parcels"] = len(plan.assignments)
    while told and len(json.dumps(news)) > MAX_NEWS_BYTES:
        told.pop()
        news["parcels"] = len(plan.assignments)
    return news


def record(order: Order, plan: RoutingPlan, network: Network, stock: Stock) -> Decision | None:
    """The record of the plan, made for the order on this stock before it is taken; None where nothing was routed."""
    if plan.problem is None or plan.solution is None:
        return None
    return _Recording(order, plan, plan.problem, plan.solution, network, stock).decision()


class _Recording:
    """One plan being written down."""

    def __init__(
        self, order: Order, plan: RoutingPlan, problem: Problem, solution: Solution, network: Network, stock: Stock
    ) -> None:
        self.order = order
        self.plan = plan
        self.problem = problem
        self.solution = solution
        self.network = network
        self.instance = problem.instance
        self.reach = problem.reach
        self.items = problem.instance.items
        self.whole = tuple([item.pieces for item in self.items])
        self.skus = tuple(dict.fromkeys([sku for item in self.items for sku in item.stock]))
        self.columns = [stock.get(sku, {}) for sku in self.skus]
        self.release_at = network.moment(order.release_after)

    def decision(self) -> Decision:
        order, plan, network = self.order, self.plan, self.network
        eliminated = self._eliminated()
        alone = self._alone()
        alternative = self._alternative()
        named = self._candidates_told(alone, alternative)
        return Decision(
            order_id=order.order_id,
            decision_id=decision_id(order, plan),
            decided_at=network.now,
            release_at=self.release_at,
            policy_version=plan.policy_version,
            currency=plan.currency,
            cost_minor=plan.cost_minor,
            bound_minor=plan.bound_minor,
            work=self.solution.work,
            deliver_by=plan.deliver_by,
            promised_by=order.promised_by,
            split_reason=plan.split_reason,
            relaxed=plan.relaxed,
            in_wave=plan.in_wave,
            channel=order.channel,
            method=order.method,
            service_level=order.service_level,
            ship_to=order.ship_to,
            pickup_location_id=order.pickup_location_id,
            lines=units_of(self.items, self.whole),
            excluded=self._excluded(),
            parcels=parcels_of(self.items, self.solution.parcels),
            alternative=alternative,
            candidates=len(self.instance.sites),
            alone_minor={one: alone[one] for one in named if one in alone},
            skus=self.skus,
            stock=self._stock(named, eliminated.get(Ineligible.NO_STOCK, [])),
            places=self._places([*named, *eliminated.get(Ineligible.TOO_LATE, [])[:MAX_CANDIDATES_TOLD]]),
            eliminated={reason: tuple(ids[:MAX_ELIMINATED_TOLD]) for reason, ids in eliminated.items()},
            eliminated_counts={
                reason: len(ids) for reason, ids in eliminated.items() if len(ids) > MAX_ELIMINATED_TOLD
            },
            warnings=dict(plan.warnings),
            cards=tuple([f"{card.name}#{card.version}" for card in network.cards]),
            expires_at=int((network.now + timedelta(days=network.policy.record_days)).timestamp()),
        )

    def _excluded(self) -> dict[str, tuple[str, ...]]:
        """Locations that were excluded for a line that was routed."""
        if not any(item.excluded for item in self.items):
            return {}
        return {
            line_id: tuple(sorted(item.excluded)) for item in self.items if item.excluded for line_id, _ in item.lines
        }

    def _alone(self) -> dict[str, int]:
        """What each location that has everything would cost as one parcel."""
        grams, cm3, goods, needs = contents(self.items, self.whole)
        freights: dict[int, int | None] = {0: 0}
        alone: dict[str, int] = {}
        for site in self.instance.sites:
            if site.room != self.whole or (self.instance.shared and not self._has_all(site)):
                continue
            costs = []
            for offer in site.offers:
                tariff = offer.tariff
                key = id(tariff) if tariff else 0
                if key not in freights:
                    freights[key] = tariff.price_minor(grams, cm3, needs) if tariff else 0
                freight = freights[key]
                if freight is not None:
                    costs.append(freight + offer.fixed_minor)
            if costs:
                alone[site.location_id] = min(costs) + site.unit_minor * goods
        return alone

    def _has_all(self, site: Site) -> bool:
        return fits(self.items, self.whole, site.stock)

    def _alternative(self) -> Alternative | None:
        """The cheapest plan that does without one of the locations chosen."""
        best: tuple[Solution, str] | None = None
        for parcel in self.solution.parcels[:MAX_ALTERNATIVES]:
            without = parcel.site.location_id
            found = self._solved_without(without)
            if found and (best is None or found.cost_minor < best[0].cost_minor):
                best = found, without
        if best is None:
            return None
        parcels = parcels_of(self.items, best[0].parcels)
        cost_minor = cost_of(parcels)
        bound_minor = min(best[0].bound_minor, cost_minor)
        return Alternative(without=best[1], cost_minor=cost_minor, bound_minor=bound_minor, parcels=parcels)

    def _solved_without(self, location_id: str) -> Solution | None:
        instance = self.instance
        sites = [site for site in instance.sites if site.location_id != location_id]
        others = Instance(items=self.items, sites=sites, max_parcels=instance.max_parcels, shared=instance.shared)
        return solve(others, ALTERNATIVE_WORK)

    def _candidates_told(self, alone: Mapping[str, int], alternative: Alternative | None) -> list[str]:
        """The candidates the record names: those of the plans, those that could ship alone, then the cheapest."""
        sites = self.instance.sites
        most = min(MAX_CANDIDATES_TOLD, max(1, MAX_STOCK_TOLD // max(1, len(self.skus))))
        if len(sites) <= most:
            return [site.location_id for site in sites]
        used = [parcel.site.location_id for parcel in self.solution.parcels]
        used += [parcel.location_id for parcel in alternative.parcels] if alternative else []
        floors = sorted([(min([offer.floor_minor for offer in one.offers]), one.location_id) for one in sites])
        ranked = [*used, *sorted(alone, key=alone.__getitem__), *[location_id for _, location_id in floors]]
        return list(dict.fromkeys(ranked))[: max(most, len(set(used)))]

    def _stock(self, named: Sequence[str], without_enough: Sequence[str]) -> dict[str, str]:
        """Units of every sku at these locations, and at those that have some, but not enough of any line."""
        columns = self.columns
        told = {one: " ".join([str(column.get(one, 0)) for column in columns]) for one in named}
        for one in without_enough:
            if len(told) >= MAX_CANDIDATES_TOLD or len(told) * len(columns) >= MAX_STOCK_TOLD:
                break
            if any(column.get(one) for column in columns):
                told[one] = " ".join([str(column.get(one, 0)) for column in columns])
        return told

    def _places(self, named: Sequence[str]) -> dict[str, dict[str, int]]:
        """Parcels planned on the days that parcels from these locations would use, and on full days before."""
        counted = [one for one in named if self.reach.offers[one][0].capacity_day is not None]
        places: dict[str, dict[str, int]] = {}
        for location_id in counted:
            limit = self.network.locations[location_id].daily_capacity or 0
            last = max([offer.capacity_day or "" for offer in self.reach.offers[location_id]])
            for day in _days_until(last, self.release_at):
                parcels = self.network.parcels_planned(location_id, day)
                if parcels and (day == last or parcels >= limit):
                    places.setdefault(day, {})[location_id] = parcels
        return places

    def _eliminated(self) -> dict[str, list[str]]:
        """Location ids by the reason why they ship nothing of it."""
        by_reason: dict[str, list[str]] = {}
        for location_id, reason in self.plan.eliminated.items():
            by_reason.setdefault(str(reason), []).append(location_id)
        absent = self.reach.offers.keys() - {site.location_id for site in self.instance.sites}
        if absent:
            choosy = any(item.excluded or item.needs for item in self.items)
            for location_id in sorted(absent):
                reason = self._why_absent(location_id) if choosy else Ineligible.NO_STOCK
                reason = reason if location_id in self.problem.offers else Ineligible.TOO_LATE
                by_reason.setdefault(reason.value, []).append(location_id)
        without = by_reason.get(Ineligible.NO_STOCK, [])
        if len(without) > MAX_ELIMINATED_TOLD:  # whose stock is told is named with its reason
            without.sort(key=self._has_nothing)
        return by_reason

    def _has_nothing(self, location_id: str) -> bool:
        return not any(column.get(location_id) for column in self.columns)

    def _why_absent(self, location_id: str) -> Ineligible:
        """Why a location that may ship the order has room for nothing of it."""
        allowed = [item for item in self.items if location_id not in item.excluded]
        if not allowed:
            return Ineligible.EXCLUDED
        able = set(self.network.locations[location_id].capabilities)
        return Ineligible.NO_STOCK if any(item.needs <= able for item in allowed) else Ineligible.CANNOT_HANDLE


def _days_until(last: str, release_at: datetime) -> list[str]:
    """ISO dates from the day before the release (it may still be that day there) to the last."""
    end = date.fromisoformat(last)
    number = min(MAX_DAYS_TOLD, max(0, (end - release_at.date()).days + 1) + 1)
    return [(end - timedelta(days=back)).isoformat() for back in range(number - 1, -1, -1)]
