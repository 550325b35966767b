"""Telling Amazon what may be sold, and reading what it believes: Listings Items 2021-08-01.

Each figure is a patch of its own, answered at once. A feed would take thousands, but Amazon works on it minutes later,
possibly after a newer figure that a patch brought: the older would win, and we would oversell. Patches come at five a
second; what a call does not take is told by the next.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from oms.channels.amazon_signin import RATE_HEADER, call, required_marketplaces, seller_id
from oms.channels.client import ChannelApi, Limit, decimal_json
from oms.channels.json_answers import objects, units_of
from oms.domain.channel_messages import ListedPage
from oms.domain.errors import ChannelRefused, NotFound, Unavailable

if TYPE_CHECKING:
    from oms.domain.listings import AvailabilityMessage

MAX_PUBLISHED = 25
PATCH = Limit("patch-listing", per_second=5, burst=5, rate_header=RATE_HEADER)
SEARCH = Limit("search-listings", per_second=5, burst=5, rate_header=RATE_HEADER)
OURS = "DEFAULT"
"""The fulfilment channel of the seller's own stock; every other is Amazon's."""

PAGE_SIZE = 20
MAX_FOUND = 1000
"""Amazon pages through no more than this of a search: beyond, we search on from the last one's creation."""

MAX_CODES = 3
_TAKEN = frozenset({"ACCEPTED", "VALID"})


def publish(api: ChannelApi, messages: Sequence[AvailabilityMessage]) -> Mapping[str, str]:
    """Tells what may be sold of each listing; returns why not, by channel_sku, for those that Amazon did not take.

    When it fails halfway, as Retryable, those that came first were told: told twice is told once.
    """
    refused: dict[str, str] = {}
    for message in messages:
        why_not = _patch(api, message)
        if why_not:
            refused[message.channel_sku] = why_not
    return refused


def listed(api: ChannelApi, token: str | None) -> ListedPage:
    """One page of the listings of the account's first marketplace that are sold from the seller's own stock.

    A token is `<created after>|<Amazon's token>`. Raises Retryable, ChannelRefused, NotSupported.
    """
    created_after, _, page = (token or "").partition("|")
    query = {
        "marketplaceIds": required_marketplaces(api)[0],
        "includedData": "summaries,fulfillmentAvailability",
        "sortBy": "createdDate",
        "sortOrder": "ASC",
        "pageSize": str(PAGE_SIZE),
    }
    query |= {"createdAfter": created_after} if created_after else {}
    query |= {"pageToken": page} if page else {}
    path = f"/listings/2021-08-01/items/{quote(seller_id(api), safe='')}"
    content = decimal_json(call(api, "GET", path, SEARCH, query=query))
    items = content.get("items") if isinstance(content, dict) else None
    if not isinstance(items, list):
        raise Unavailable("the answer lists no items")
    counted = {str(item["sku"]): _quantity(item) for item in items if isinstance(item, dict) and item.get("sku")}
    found = {sku: quantity for sku, quantity in counted.items() if quantity is not None}
    return ListedPage(quantities=found, next_token=_next(content, items, created_after))


def _patch(api: ChannelApi, message: AvailabilityMessage) -> str:
    """Why the figure was not taken; empty when it was. `merge` leaves restock dates and lead times alone."""
    path = f"/listings/2021-08-01/items/{quote(seller_id(api), safe='')}/{quote(message.channel_sku, safe='')}"
    value = [{"fulfillment_channel_code": OURS, "quantity": max(0, message.quantity)}]
    patch = {"op": "merge", "path": "/attributes/fulfillment_availability", "value": value}
    body = {"productType": "PRODUCT", "patches": [patch]}
    query = {"marketplaceIds": required_marketplaces(api)[0]}
    try:
        answer = decimal_json(call(api, "PATCH", path, PATCH, query=query, body=body))
    except NotFound:
        return "NOT_LISTED"
    except ChannelRefused as error:
        return ",".join(error.codes[:MAX_CODES]) or f"REFUSED_{error.status}"
    status = str(answer.get("status")) if isinstance(answer, dict) else ""
    return "" if status in _TAKEN else _issues(answer)


def _issues(answer: Any) -> str:
    issues = objects(answer.get("issues")) if isinstance(answer, dict) else []
    codes = [str(one.get("code", "")) for one in issues if one.get("severity") == "ERROR"]
    return ",".join(["INVALID", *codes[:MAX_CODES]])


def _quantity(item: Mapping[str, Any]) -> int | None:
    """What Amazon believes we have of a listing; None for one that Amazon fulfils."""
    stocks = objects(item.get("fulfillmentAvailability"))
    ours = [one for one in stocks if one.get("fulfillmentChannelCode") == OURS]
    return units_of(ours[0].get("quantity")) if ours else None


def _next(content: Mapping[str, Any], items: Sequence[Any], created_after: str) -> str | None:
    pagination = content.get("pagination")
    page = pagination.get("nextToken") if isinstance(pagination, dict) else None
    if page:
        return f"{created_after}|{page}"
    cut_off = units_of(content.get("numberOfResults")) > MAX_FOUND
    last = _created(items[-1]) if cut_off and items else ""
    return f"{last}|" if last and last != created_after else None


def _created(item: Any) -> str:
    """When the listing was made, in the form that the search takes; empty where Amazon does not say."""
    summaries = item.get("summaries") if isinstance(item, dict) else None
    first = summaries[0] if isinstance(summaries, list) and summaries else None
    text = first.get("createdDate") if isinstance(first, dict) else None
    try:
        return datetime.fromisoformat(str(text)).astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    except ValueError:
        return ""
