"""What Walmart is told of stock, sku by sku, and what it believes.

The feed for many skus at once is a file upload that is worked off later and takes ten uploads an hour; a call per sku
holds at once. The account's option `ship_node` names the node that our figures are for, where the seller has several.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from oms.channels.client import Limit
from oms.channels.json_answers import content_of, object_of, objects, units_of
from oms.channels.walmart_api import headers, url
from oms.domain.channel_messages import ListedPage
from oms.domain.errors import ChannelRefused, NotFound, Retryable

if TYPE_CHECKING:
    from oms.channels.client import ChannelApi
    from oms.domain.listings import AvailabilityMessage

MAX_PUBLISHED = 10
MAX_LISTED = 50
SHIP_NODE = "ship_node"
STOCK = Limit("stock", per_second=1.5, burst=20)
LISTED = Limit("listed", per_second=0.5, burst=10)


def publish(api: ChannelApi, messages: Sequence[AvailabilityMessage]) -> Mapping[str, str]:
    """Tells each figure; returns why not, by channel_sku, for those that Walmart did not take: nothing for those that
    it was not told of, since it would hear no more for now. Raises Retryable when that was the first."""
    refused: dict[str, str] = {}
    for number, message in enumerate(messages):
        try:
            _tell(api, message)
        except NotFound:
            refused[message.channel_sku] = "NOT_FOUND"
        except ChannelRefused as error:
            refused[message.channel_sku] = ",".join(error.codes) or str(error.status)
        except Retryable:
            if not number:
                raise
            return refused | {one.channel_sku: "" for one in messages[number:]}
    return refused


def _tell(api: ChannelApi, message: AvailabilityMessage) -> None:
    node = api.option(SHIP_NODE)
    query = {"sku": message.channel_sku, **({"shipNode": node} if node else {})}
    quantity = {"unit": "EACH", "amount": message.quantity}
    body = {"sku": message.channel_sku, "quantity": quantity}
    api.call("PUT", url(api, "/v3/inventory"), limit=STOCK, headers=headers, query=query, body=body)


def listed(api: ChannelApi, token: str | None) -> ListedPage:
    """One page of the figures Walmart holds: what it was told, before what its open orders take of that."""
    query = {"limit": str(MAX_LISTED), **({"nextCursor": token} if token else {})}
    try:
        content = content_of(api.call("GET", url(api, "/v3/inventories"), limit=LISTED, headers=headers, query=query))
    except NotFound:
        return ListedPage()
    items = objects(object_of(content.get("elements")).get("inventories"))
    quantities = {str(item.get("sku")): _units(item, api.option(SHIP_NODE)) for item in items}
    cursor = object_of(content.get("meta")).get("nextCursor")
    return ListedPage(quantities=quantities, next_token=str(cursor) if cursor and items and cursor != token else None)


def _units(item: Mapping[str, Any], ship_node: str) -> int:
    nodes = [node for node in objects(item.get("nodes")) if ship_node in ("", str(node.get("shipNode")))]
    return sum(units_of(object_of(node.get("inputQty")).get("amount")) for node in nodes)
