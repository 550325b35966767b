"""Parcels told to Shopify.

Shopify splits an order into fulfillment orders, each at one of the shop's locations; a fulfillment takes units of those
at one location ("fulfillmentCreate"). Which location Shopify chose is no matter of ours: the units are taken wherever
they are open. Option `notify_customer`: "true" if Shopify is to write to the customer.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from oms.channels.carrier_names import by_letters
from oms.channels.client import ChannelApi
from oms.channels.shopify_api import gid, graphql, is_on, number_of, order_of, refuse
from oms.domain.channel_messages import NoticeLine, ShipmentNotice
from oms.domain.errors import ChannelRefused, NotSupported, Unavailable

MAX_PAGES = 60
"""Pages of one list: 600 fulfillment orders, or 3,000 lines of one."""

MAX_LOOKS = 3
"""How often an order is looked at anew because it was changed there meanwhile."""

OPEN = frozenset({"OPEN", "IN_PROGRESS"})
ENDED = frozenset({"CLOSED", "CANCELLED", "INCOMPLETE"})
GONE = frozenset({"CANCELLED", "ERROR", "FAILURE"})
NOTHING_LEFT = "NOTHING_LEFT_TO_FULFILL"
TOO_MANY = "TOO_MANY_TO_READ"
CARRIERS = {
    "ups": "UPS",
    "usps": "USPS",
    "fedex": "FedEx",
    "dhl": "DHL Express",
    "dhlexpress": "DHL Express",
    "dhlecommerce": "DHL eCommerce",
    "ontrac": "OnTrac",
    "lasership": "LaserShip",
    "purolator": "Purolator",
    "canadapost": "Canada Post",
    "australiapost": "Australia Post",
    "royalmail": "Royal Mail",
    "evri": "Evri",
    "dpd": "DPD",
    "gls": "GLS",
    "tnt": "TNT",
}
"""By their letters, as Shopify spells them: only from that spelling it makes the link by which a customer follows the
parcel ("FulfillmentTrackingInput")."""

# A query may cost 1,000 points, a point for each thing that its lists could hold ("GraphQL Admin API rate limits").
_FULFILLMENTS = """
query Fulfillments($order: ID!) {
  order(id: $order) { fulfillments(first: 250) { id status trackingInfo(first: 2) { number } } }
}
"""
_TO_FULFILL = """
query ToFulfill($order: ID!, $after: String) {
  order(id: $order) {
    fulfillmentOrders(first: 10, after: $after) {
      nodes {
        id
        status
        assignedLocation { location { id } }
        lineItems(first: 20) {
          nodes { id remainingQuantity lineItem { id } }
          pageInfo { hasNextPage endCursor }
        }
      }
      pageInfo { hasNextPage endCursor }
    }
  }
}
"""
_MORE_LINES = """
query MoreLines($id: ID!, $after: String) {
  fulfillmentOrder(id: $id) {
    lineItems(first: 50, after: $after) {
      nodes { id remainingQuantity lineItem { id } }
      pageInfo { hasNextPage endCursor }
    }
  }
}
"""
_FULFILLED_LINES = """
query FulfilledLines($id: ID!, $after: String) {
  fulfillment(id: $id) {
    fulfillmentLineItems(first: 50, after: $after) {
      nodes { quantity lineItem { id } }
      pageInfo { hasNextPage endCursor }
    }
  }
}
"""
_FULFILL = """
mutation Fulfill($fulfillment: FulfillmentInput!) {
  fulfillmentCreate(fulfillment: $fulfillment) {
    fulfillment {
      id
      order { fulfillments(first: 250) { id status trackingInfo(first: 2) { number } } }
    }
    userErrors { field message }
  }
}
"""
_WITHDRAW = """
mutation Withdraw($id: ID!) {
  fulfillmentCancel(id: $id) { userErrors { field message } }
}
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Part:
    """Units of an order line in a fulfillment order, still to be fulfilled."""

    fulfillment_order_id: str
    status: str
    location_id: str
    part_id: str
    line_id: str
    remaining: int


@dataclass(frozen=True, slots=True, kw_only=True)
class _Look:
    """What is there: the fulfillments with the parcel's number, its units that none of them has, and what is open."""

    numbered: tuple[str, ...]
    owed: Counter[str]
    parts: tuple[_Part, ...]


def confirm_shipment(api: ChannelApi, notice: ShipmentNotice) -> None:
    """Makes a fulfillment of the parcel's units with its tracking number.

    Units that a fulfillment with this number has already are not told again, so a notice may come twice, or go on
    where it was killed; of what two workers made at the same time the later one is taken back. Parcels without a number
    are told from each other by what went before. Where Shopify refuses something because the order is another by now,
    it is looked at again. Raises ChannelRefused with Shopify's status of the fulfillment orders (ON_HOLD, SCHEDULED, …)
    when units can't be fulfilled there now, with NOTHING_LEFT_TO_FULFILL when somebody else did it; what else could be
    told is told then. Raises NotFound for an order that Shopify does not have, NotSupported where a person must take
    back what was told twice, and what `ChannelApi.call` does.
    """
    made: list[str] = []
    look = _look(api, notice)
    for _ in range(MAX_LOOKS):
        if not look.owed:
            return
        try:
            _tell(api, notice, look, made)
        except ChannelRefused:
            before, look = look, _look(api, notice)
            if look == before:
                raise
        else:
            return
    raise Unavailable("the order changes there each time it is looked at")


def _look(api: ChannelApi, notice: ShipmentNotice) -> _Look:
    answer = graphql(api, _FULFILLMENTS, {"order": gid("Order", notice.channel_order_id)})
    numbered = _numbered(order_of(answer)["fulfillments"], notice)
    owed = _owed(api, notice, numbered)
    parts = _to_fulfill(api, notice) if owed else []
    return _Look(numbered=tuple(numbered), owed=owed, parts=tuple(parts))


def _tell(api: ChannelApi, notice: ShipmentNotice, look: _Look, made: list[str]) -> None:
    """Fulfills what is owed as far as it is open; raises ChannelRefused for what is not."""
    owed = look.owed.copy()
    for chosen in _by_location(owed, look.parts):
        now_there = _fulfill(api, notice, chosen, made)
        if set(now_there) - {*look.numbered, *made}:
            _withdraw_surplus(api, notice, now_there, made)
    if +owed:
        waiting = {part.status for part in look.parts if owed[part.line_id] > 0 and part.status not in OPEN | ENDED}
        raise ChannelRefused("units are not open there", status=200, codes=tuple(sorted(waiting)) or (NOTHING_LEFT,))


def _to_fulfill(api: ChannelApi, notice: ShipmentNotice) -> list[_Part]:
    parts: list[_Part] = []
    after = None
    for _ in range(MAX_PAGES):
        answer = graphql(api, _TO_FULFILL, {"order": gid("Order", notice.channel_order_id), "after": after})
        page = order_of(answer)["fulfillmentOrders"]
        for one in page["nodes"]:
            parts += _parts(api, one)
        if not page["pageInfo"]["hasNextPage"]:
            return parts
        after = page["pageInfo"]["endCursor"]
    raise ChannelRefused("an order of more fulfillment orders than are read", status=200, codes=(TOO_MANY,))


def _parts(api: ChannelApi, fulfillment_order: dict[str, Any]) -> list[_Part]:
    location = (fulfillment_order.get("assignedLocation") or {}).get("location") or {}
    first = fulfillment_order["lineItems"]
    return [
        _Part(
            fulfillment_order_id=fulfillment_order["id"],
            status=fulfillment_order["status"],
            location_id=location.get("id", ""),
            part_id=line["id"],
            line_id=number_of(line["lineItem"]["id"]),
            remaining=line["remainingQuantity"],
        )
        for line in _all_nodes(api, first, _MORE_LINES, fulfillment_order["id"], ("fulfillmentOrder", "lineItems"))
    ]


def _all_nodes(
    api: ChannelApi, first: dict[str, Any], document: str, identifier: str, path: tuple[str, str]
) -> Iterator[dict[str, Any]]:
    """The nodes of a list, of which the first page is at hand."""
    page = first
    for _ in range(MAX_PAGES):
        yield from page["nodes"]
        if not page["pageInfo"]["hasNextPage"]:
            return
        answer = graphql(api, document, {"id": identifier, "after": page["pageInfo"]["endCursor"]})
        page = (answer[path[0]] or {})[path[1]]
    raise ChannelRefused("a list of more lines than are read", status=200, codes=(TOO_MANY,))


def _units(lines: Iterable[NoticeLine]) -> Counter[str]:
    units: Counter[str] = Counter()
    for line in lines:
        units[line.line_id] += line.quantity
    return units


def _owed(api: ChannelApi, notice: ShipmentNotice, numbered: list[str]) -> Counter[str]:
    """Units of the parcel, by line, that no fulfillment with its number has, those of earlier parcels with it aside."""
    wanted = _units(notice.lines)
    owed = wanted + _units(notice.told_before)
    for identifier in numbered:
        owed.subtract(_units_of(api, identifier))
    return owed & wanted


def _units_of(api: ChannelApi, fulfillment: str) -> Counter[str]:
    units: Counter[str] = Counter()
    unread = {"nodes": [], "pageInfo": {"hasNextPage": True, "endCursor": None}}
    path = ("fulfillment", "fulfillmentLineItems")
    for node in _all_nodes(api, unread, _FULFILLED_LINES, fulfillment, path):
        units[number_of(node["lineItem"]["id"])] += node["quantity"]
    return units


def _numbered(fulfillments: list[dict[str, Any]], notice: ShipmentNotice) -> list[str]:
    """The fulfillments that stand and have the parcel's number; those without any, where it has none."""
    number = _number(notice)
    numbers = {one["id"]: {info["number"] for info in one["trackingInfo"]} - {None, ""} for one in fulfillments}
    return [
        one["id"]
        for one in fulfillments
        if one["status"] not in GONE and (number in numbers[one["id"]] if number else not numbers[one["id"]])
    ]


def _number(notice: ShipmentNotice) -> str:
    return notice.tracking_number.strip()


def _by_location(owed: Counter[str], parts: Sequence[_Part]) -> list[list[tuple[_Part, int]]]:
    """What to fulfill of which part, a group for each location; lowers `owed` by it."""
    chosen: dict[str, list[tuple[_Part, int]]] = defaultdict(list)
    for part in parts:
        quantity = min(owed[part.line_id], part.remaining)
        if part.status in OPEN and quantity > 0:
            owed[part.line_id] -= quantity
            chosen[part.location_id].append((part, quantity))
    return list(chosen.values())


def _fulfill(api: ChannelApi, notice: ShipmentNotice, chosen: list[tuple[_Part, int]], made: list[str]) -> list[str]:
    """Makes one fulfillment, notes it in `made`, and returns all that have the parcel's number now."""
    lines: dict[str, list[dict[str, Any]]] = defaultdict(list)
    for part, quantity in chosen:
        lines[part.fulfillment_order_id].append({"id": part.part_id, "quantity": quantity})
    content: dict[str, Any] = {
        "lineItemsByFulfillmentOrder": [
            {"fulfillmentOrderId": identifier, "fulfillmentOrderLineItems": units}
            for identifier, units in lines.items()
        ],
        "notifyCustomer": is_on(api, "notify_customer"),
    }
    if _number(notice):
        company = CARRIERS.get(by_letters(notice.carrier), notice.carrier)
        content["trackingInfo"] = {"company": company, "number": _number(notice)}
    answer = graphql(api, _FULFILL, {"fulfillment": content})["fulfillmentCreate"]
    refuse(answer["userErrors"])
    made.append(answer["fulfillment"]["id"])
    return _numbered(answer["fulfillment"]["order"]["fulfillments"], notice)


def _withdraw_surplus(api: ChannelApi, notice: ShipmentNotice, numbered: list[str], made: list[str]) -> None:
    """Takes back what two workers told at the same time: the older fulfillments count, and each worker takes back what
    it made beyond the parcel's units."""
    left = _units([*notice.told_before, *notice.lines])
    for identifier in sorted(numbered, key=lambda one: int(number_of(one))):
        units = _units_of(api, identifier)
        if identifier in made and all(left[line_id] <= 0 for line_id in units):
            _withdraw(api, identifier)
            made.remove(identifier)
        else:
            left.subtract(units)


def _withdraw(api: ChannelApi, identifier: str) -> None:
    if graphql(api, _WITHDRAW, {"id": identifier})["fulfillmentCancel"]["userErrors"]:
        raise NotSupported("two fulfillments hold this parcel: cancel the later one in Shopify's admin")
