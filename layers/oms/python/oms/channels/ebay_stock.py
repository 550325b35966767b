"""What eBay is told of stock, and what it believes: the units of an inventory item that ship to homes.

A listing may be revised 250 times a day (bulkUpdatePriceQuantity): beyond that eBay refuses it until tomorrow.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from oms.channels.client import Limit
from oms.channels.ebay_api import headers, url
from oms.channels.json_answers import content_of, object_of, objects, units_of
from oms.domain.channel_messages import ListedPage
from oms.domain.errors import ChannelRefused, InvalidMessage, NotFound, Unavailable

if TYPE_CHECKING:
    from oms.channels.client import ChannelApi
    from oms.domain.listings import AvailabilityMessage

MAX_PUBLISHED = 25
MAX_LISTED = 200
INVENTORY_PATH = "/sell/inventory/v1"
STOCK = Limit("stock", per_second=10.0, burst=50)
_REFUSED, _FAILED = 400, 500


def publish(api: ChannelApi, messages: Sequence[AvailabilityMessage]) -> Mapping[str, str]:
    """Tells the figures in one call; returns why not, by channel_sku, for those that eBay did not take, and nothing for
    those of which it could not say.

    A call refused as a whole is made again figure by figure, so that one odd sku holds up no other.
    """
    try:
        return _told(api, messages)
    except ChannelRefused as error:
        if len(messages) == 1:
            return {messages[0].channel_sku: ",".join(error.codes) or str(error.status)}
    refused: dict[str, str] = {}
    for message in messages:
        refused.update(publish(api, [message]))
    return refused


def _told(api: ChannelApi, messages: Sequence[AvailabilityMessage]) -> dict[str, str]:
    requests = [{"sku": one.channel_sku, "shipToLocationAvailability": {"quantity": one.quantity}} for one in messages]
    address = url(api, f"{INVENTORY_PATH}/bulk_update_price_quantity")
    answer = api.call("POST", address, limit=STOCK, headers=headers, body={"requests": requests})
    answered = {str(one.get("sku")): one for one in objects(content_of(answer).get("responses"))}
    statuses = {one.channel_sku: _status(answered.get(one.channel_sku)) for one in messages}
    if all(status >= _FAILED for status in statuses.values()):
        raise Unavailable(f"{api.channel}#{api.account}: none of the figures was taken")
    refused = {sku: status for sku, status in statuses.items() if status >= _REFUSED}
    return {
        sku: "" if status >= _FAILED else _codes(answered.get(sku)) or str(status) for sku, status in refused.items()
    }


def _status(response: Mapping[str, Any] | None) -> int:
    status = response.get("statusCode") if response else None
    return status if isinstance(status, int) else _FAILED


def _codes(response: Mapping[str, Any] | None) -> str:
    return ",".join(str(one.get("errorId")) for one in objects((response or {}).get("errors")))


def listed(api: ChannelApi, token: str | None) -> ListedPage:
    """One page of the inventory items; eBay counts pages here, not items."""
    if token is not None and not token.isdigit():
        raise InvalidMessage("a token of another kind", field="token", reason="INVALID_FIELD")
    page = int(token or 0)
    query = {"limit": str(MAX_LISTED), "offset": str(page)}
    try:
        answer = api.call(
            "GET", url(api, f"{INVENTORY_PATH}/inventory_item"), limit=STOCK, headers=headers, query=query
        )
    except NotFound:
        return ListedPage()
    content = content_of(answer)
    items = objects(content.get("inventoryItems"))
    quantities = {str(item["sku"]): _units(item) for item in items if item.get("sku")}
    return ListedPage(quantities=quantities, next_token=str(page + 1) if content.get("next") and items else None)


def _units(item: Mapping[str, Any]) -> int:
    available = object_of(object_of(item.get("availability")).get("shipToLocationAvailability"))
    return units_of(available.get("quantity"))
