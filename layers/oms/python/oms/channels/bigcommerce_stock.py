"""What a BigCommerce store may sell: telling it, and asking what it believes.

Figures are absolute and belong to one of the store's own locations: option `location_id`, else its first. What is
compared is the figure that we set, before the store owner's safety stock.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from oms.channels.bigcommerce_api import call, objects
from oms.domain.channel_messages import ListedPage
from oms.domain.errors import Unavailable

if TYPE_CHECKING:
    from oms.channels.client import ChannelApi
    from oms.domain.listings import AvailabilityMessage

MAX_PUBLISHED = 50
"""A call could take 2,000; but it is refused whole for one figure, and then told in halves until that one is found."""

LISTED = 250
_BY_ID = {"variant": "variant_id", "product": "product_id"}


def publish(api: ChannelApi, messages: Sequence[AvailabilityMessage]) -> Mapping[str, str]:
    """Sets the stock of each listing. Raises ChannelRefused when the store will not have one of them: then it has taken
    none."""
    body = {"reason": "availability", "items": [_item(api, message) for message in messages]}
    call(api, "PUT", "v3/inventory/adjustments/absolute", body=body)
    return {}


def listed(api: ChannelApi, token: str | None) -> ListedPage:
    """One page of what the store has at the location."""
    page = int(token or "1")
    path = f"v3/inventory/locations/{_location_id(api)}/items"
    answer = call(api, "GET", path, {"page": str(page), "limit": str(LISTED)})
    if not isinstance(answer, dict):
        raise Unavailable("the store answered no listing")
    items = objects(answer.get("data"))
    quantities = {name: int(item.get("total_inventory_onhand") or 0) for item in items if (name := _name(item))}
    return ListedPage(quantities=quantities, next_token=str(page + 1) if len(items) >= LISTED else None)


def _item(api: ChannelApi, message: AvailabilityMessage) -> dict[str, Any]:
    kind, _, number = message.channel_sku.partition(":")
    known = {_BY_ID[kind]: int(number)} if kind in _BY_ID and number.isdecimal() else {"sku": message.channel_sku}
    return {"location_id": _location_id(api), **known, "quantity": message.quantity}


def _location_id(api: ChannelApi) -> int:
    return int(api.option("location_id", "1"))


def _name(item: dict[str, Any]) -> str:
    """The sku or, without one, the id as order lines name it."""
    identity = item.get("identity")
    if not isinstance(identity, dict):
        return ""
    return str(identity.get("sku") or (f"variant:{identity['variant_id']}" if identity.get("variant_id") else ""))
