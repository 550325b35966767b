"""An order on the stock and the network as they are, put as a problem in numbers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from oms.domain.network import Destination, Network, Reach
from oms.domain.order import Line, Method, Order
from oms.domain.promise import late_days
from oms.domain.routing_items import Stock, items_of, split_item
from oms.domain.routing_model import Instance, Item, Offer, Site
from oms.domain.routing_policy import Lateness, LineSplit, Relaxation
from oms.domain.routing_rules import Rules

Offers = Mapping[str, tuple[Offer, ...]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Problem:
    """What is decided upon: the instance, what was within reach under which rules, and what of it is in time."""

    instance: Instance
    reach: Reach
    offers: Offers
    rules: Rules


def open_lines(order: Order) -> tuple[Line, ...]:
    """The lines of which something is to be routed."""
    return tuple(line for line in order.lines if line.requires_shipping and line.unallocated > 0)


def pose(order: Order, network: Network, stock: Stock, rules: Rules, splits: frozenset[str] = frozenset()) -> Problem:
    """The problem of the order's open lines. Lines in `splits` are in units whatever the rules say of them."""
    reach = network.reach(Destination.of(order, Relaxation.ANY_SEGMENT in rules.relaxed), order.release_after)
    offers = _timely(order, network, reach, rules)
    posing = _Posing(network, stock, offers)
    items = items_of(open_lines(order))
    rooms = [posing.room(item) for item in items]
    for at, (item, room) in enumerate(zip(items, rooms, strict=True)):
        if _may_split(item, room, rules, splits):
            items[at] = split_item(item)
            rooms[at] = posing.room(items[at])
    parcels = rules.constraints.max_parcels if order.method is Method.SHIP else 1
    return Problem(instance=posing.instance(items, rooms, parcels), reach=reach, offers=offers, rules=rules)


@dataclass(frozen=True, slots=True)
class _Posing:
    network: Network
    stock: Stock
    offers: Offers

    def room(self, item: Item) -> dict[str, int]:
        """Pieces of the item at each location that may and can ship it and has any."""
        room: dict[str, int] = {}
        (first, units), *others = item.stock.items()
        able = self._able(item)
        for location_id, there in self.stock.get(first, {}).items():
            if there >= units and location_id in able:
                pieces = there // units
                for sku, needed in others:
                    pieces = min(pieces, self.stock.get(sku, {}).get(location_id, 0) // needed)
                if pieces > 0:
                    room[location_id] = min(pieces, item.pieces)
        return room

    def _able(self, item: Item) -> Offers | set[str]:
        """The locations that may ship the item and can handle it."""
        able: Offers | set[str] = self.offers
        if item.excluded:
            able = self.offers.keys() - item.excluded
        if item.needs:
            locations = self.network.locations
            able = {one for one in able if item.needs.issubset(locations[one].capabilities)}
        return able

    def instance(self, items: Sequence[Item], rooms: Sequence[Mapping[str, int]], max_parcels: int) -> Instance:
        """The items, and the sites that have room for any of them."""
        by_site: dict[str, list[int]] = {}
        for at, room in enumerate(rooms):
            for location_id, pieces in room.items():
                if location_id not in by_site:
                    by_site[location_id] = [0] * len(items)
                by_site[location_id][at] = pieces
        skus = [sku for item in items for sku in item.stock]
        shared = len(set(skus)) < len(skus)
        offers, units = self.offers, self.network.unit_minor
        sites = [
            Site(location_id=one, offers=offers[one], unit_minor=units[one], room=tuple(room))
            for one, room in sorted(by_site.items())  # of plans that cost the same, the stock's order must not choose
        ]
        for site in sites if shared else ():
            site.stock = {sku: self.stock.get(sku, {}).get(site.location_id, 0) for sku in skus}
        return Instance(items=items, sites=sites, max_parcels=max_parcels, shared=shared)


def _may_split(item: Item, room: Mapping[str, int], rules: Rules, splits: frozenset[str]) -> bool:
    """Whether the units of the item may ship from several locations; `room` is for the item whole."""
    if len(item.lines) > 1 or item.lines[0][1] == 1 or item.together:
        return False
    allowed = rules.constraints.line_split
    if item.lines[0][0] in splits or allowed is LineSplit.ALWAYS:
        return True
    return allowed is LineSplit.WHEN_SHORT and not room


def _timely(order: Order, network: Network, reach: Reach, rules: Rules) -> Offers:
    """The offers with what lateness costs, or without those that are late where that is forbidden."""
    promised_by = order.promised_by
    if promised_by is None:
        return reach.offers
    timely: dict[str, tuple[Offer, ...]] = {}
    for location_id, offers in reach.offers.items():
        if all(offer.deliver_by is None or offer.deliver_by <= promised_by for offer in offers):
            timely[location_id] = offers
        elif kept := tuple(one for offer in offers if (one := _judged(offer, promised_by, network, rules))):
            timely[location_id] = kept
    return timely


def _judged(offer: Offer, promised_by: datetime, network: Network, rules: Rules) -> Offer | None:
    days = late_days(offer.deliver_by, promised_by) if offer.deliver_by else 0
    if not days:
        return offer
    if rules.constraints.lateness is Lateness.FORBIDDEN:
        return None
    return replace(offer, late_days=days, late_minor=days * network.policy.costs.late_day_minor)
