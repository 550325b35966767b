"""Parcels told to Shopify.

Shopify splits an order into fulfillment orders, each at one of the shop's locations; a fulfillment takes units of those
at one location ("fulfillmentCreate"). Which location Shopify chose is no matter of ours: the units are taken wherever
they are open. Option `notify_customer`: "true" if Shopify is to write to the customer.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from oms.channels.client import ChannelApi
from oms.channels.shopify_api import gid, graphql, is_on, number_of, order_of, refuse
from oms.domain.channel_messages import ShipmentNotice
from oms.domain.errors import ChannelRefused, Unavailable

MAX_PAGES = 60
"""Pages of one list: 600 fulfillment orders, or 3,000 lines of one."""

OPEN = frozenset({"OPEN", "IN_PROGRESS"})
ENDED = frozenset({"CLOSED", "CANCELLED", "INCOMPLETE"})
GONE = frozenset({"CANCELLED", "ERROR", "FAILURE"})
NOTHING_LEFT = "NOTHING_LEFT_TO_FULFILL"
CARRIERS = {
    "ups": "UPS",
    "usps": "USPS",
    "fedex": "FedEx",
    "dhl": "DHL Express",
    "dhl_express": "DHL Express",
    "ontrac": "OnTrac",
    "canada_post": "Canada Post",
    "royal_mail": "Royal Mail",
    "gls": "GLS",
}
"""As Shopify spells them; from these it makes the link by which a customer follows the parcel."""

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


def confirm_shipment(api: ChannelApi, notice: ShipmentNotice) -> None:
    """Makes a fulfillment of the parcel's units with its tracking number.

    Units that a fulfillment with this number has already are not told again, so a notice may come twice, or go on
    where it was killed; of what two workers made at the same time the later one is taken back. Raises ChannelRefused
    with Shopify's status of the fulfillment orders (ON_HOLD, SCHEDULED, …) when units can't be fulfilled there now,
    with NOTHING_LEFT_TO_FULFILL when somebody else did it; what else could be told is told then. Without a tracking
    number the latter is no error: our own notice may have done it. Raises NotFound for an order that Shopify does not
    have, and what `ChannelApi.call` does.
    """
    before = _numbered_there(api, notice)
    owed = _owed(api, notice, before)
    parts = _to_fulfill(api, notice) if owed else []
    made: list[str] = []
    try:
        for chosen in _by_location(owed, parts):
            now_there = _fulfill(api, notice, chosen, made)
            if set(now_there) - {*before, *made}:
                _withdraw_surplus(api, notice, now_there, made)
    except ChannelRefused:
        # another worker may have told the same notice since we looked: then nothing is owed any more
        if _owed(api, notice, _numbered_there(api, notice)):
            raise
        return
    if +owed and not _is_told_without_number(notice, parts):
        waiting = {part.status for part in parts if owed[part.line_id] > 0 and part.status not in OPEN | ENDED}
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
    raise Unavailable("an order of more fulfillment orders than are read")


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
    raise Unavailable("a list of more lines than are read")


def _wanted(notice: ShipmentNotice) -> Counter[str]:
    wanted: Counter[str] = Counter()
    for line in notice.lines:
        wanted[line.line_id] += line.quantity
    return wanted


def _owed(api: ChannelApi, notice: ShipmentNotice, numbered: list[str]) -> Counter[str]:
    """Units of the parcel, by line, that no fulfillment with its number has yet."""
    owed = _wanted(notice)
    for identifier in numbered:
        owed.subtract(_units_of(api, identifier))
    return +owed


def _units_of(api: ChannelApi, fulfillment: str) -> Counter[str]:
    units: Counter[str] = Counter()
    unread = {"nodes": [], "pageInfo": {"hasNextPage": True, "endCursor": None}}
    path = ("fulfillment", "fulfillmentLineItems")
    for node in _all_nodes(api, unread, _FULFILLED_LINES, fulfillment, path):
        units[number_of(node["lineItem"]["id"])] += node["quantity"]
    return units


def _numbered_there(api: ChannelApi, notice: ShipmentNotice) -> list[str]:
    """The fulfillments that have the parcel's tracking number."""
    if not notice.tracking_number:
        return []
    answer = graphql(api, _FULFILLMENTS, {"order": gid("Order", notice.channel_order_id)})
    return _numbered(order_of(answer)["fulfillments"], notice.tracking_number)


def _numbered(fulfillments: list[dict[str, Any]], tracking_number: str) -> list[str]:
    return [
        one["id"]
        for one in fulfillments
        if one["status"] not in GONE and tracking_number in {info["number"] for info in one["trackingInfo"]}
    ]


def _by_location(owed: Counter[str], parts: list[_Part]) -> list[list[tuple[_Part, int]]]:
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
    if notice.tracking_number:
        company = CARRIERS.get(notice.carrier.lower(), notice.carrier)
        content["trackingInfo"] = {"company": company, "number": notice.tracking_number}
    answer = graphql(api, _FULFILL, {"fulfillment": content})["fulfillmentCreate"]
    refuse(answer["userErrors"])
    made.append(answer["fulfillment"]["id"])
    if not notice.tracking_number:
        return []
    return _numbered(answer["fulfillment"]["order"]["fulfillments"], notice.tracking_number)


def _withdraw_surplus(api: ChannelApi, notice: ShipmentNotice, numbered: list[str], made: list[str]) -> None:
    """Takes back what two workers told at the same time: the older fulfillments count, and each worker takes back what
    it made beyond the parcel's units."""
    left = _wanted(notice)
    for identifier in sorted(numbered, key=lambda one: int(number_of(one))):
        units = _units_of(api, identifier)
        if identifier in made and all(left[line_id] <= 0 for line_id in units):
            refuse(graphql(api, _WITHDRAW, {"id": identifier})["fulfillmentCancel"]["userErrors"])
            made.remove(identifier)
        else:
            left.subtract(units)


def _is_told_without_number(notice: ShipmentNotice, parts: list[_Part]) -> bool:
    """Whether a notice that no number tells from others may have been told before: nothing of its lines is left."""
    lines = {line.line_id for line in notice.lines}
    return not notice.tracking_number and not any(part.remaining for part in parts if part.line_id in lines)
