"""eBay's API: signing in, its limits, and reading orders.

A refresh token of the seller, good for 18 months, is changed for an access token of two hours (OAuth, "Refresh token
grant"). The daily limits ("API call limits": 100,000 calls to Fulfillment, 50,000 refreshes) are kept as rates.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from oms.channels.client import Limit
from oms.channels.counted_pages import position
from oms.channels.json_answers import EPOCH, content_of, object_of, objects
from oms.channels.oauth_tokens import REFRESH_TOKEN, basic, credential, renewed
from oms.domain.channel_messages import PulledOrder, PulledPage

if TYPE_CHECKING:
    from oms.channels.client import AccessToken, ChannelApi
    from oms.domain.channel_messages import Window
    from oms.runtime.http import HttpAnswer

HOST = "https://api.ebay.com"
ORDERS_PATH = "/sell/fulfillment/v1/order"
SCOPES = "https://api.ebay.com/oauth/api_scope/sell.fulfillment https://api.ebay.com/oauth/api_scope/sell.inventory"
MAX_ORDERS = 200
TAXES = {"fieldGroups": "TAX_BREAKDOWN"}
"""Only so does a total hold the tax that eBay remits, which the buyer paid."""

TOKENS = Limit("tokens", per_second=0.5, burst=10)
ORDERS = Limit("orders", per_second=1.0, burst=50)
NO_REQUEST = "NONE_REQUESTED"
TOKEN_SECONDS = 7200


def url(api: ChannelApi, path: str) -> str:
    """The address of a path in the account's API."""
    return f"{(api.settings.base_url or HOST).rstrip('/')}{path}"


def order_url(api: ChannelApi, channel_order_id: str, action: str = "") -> str:
    """The address of an order, or of what can be done to it."""
    return url(api, f"{ORDERS_PATH}/{quote(channel_order_id, safe='')}{action}")


def headers(api: ChannelApi) -> Mapping[str, str]:
    """What every call carries."""
    token = api.token("access", lambda: _sign_in(api))
    return {"accept": "application/json", "authorization": f"Bearer {token}"}


def _sign_in(api: ChannelApi) -> AccessToken:
    address = url(api, "/identity/v1/oauth2/token")

    def exchange(credentials: Mapping[str, str]) -> HttpAnswer:
        token = credential(api, REFRESH_TOKEN, credentials)
        form = {"grant_type": "refresh_token", "refresh_token": token, "scope": SCOPES}
        return api.call("POST", address, limit=TOKENS, headers=_basic, form=form, expired=frozenset())

    return renewed(api, exchange, TOKEN_SECONDS)


def _basic(api: ChannelApi) -> Mapping[str, str]:
    return {"accept": "application/json", "authorization": basic(api)}


def pull(api: ChannelApi, window: Window, token: str | None) -> PulledPage:
    """One page of the orders that changed within the window, both ends included.

    Orders that change while it is read leave it: see `counted_pages`.
    """
    at = position(token)
    query = {
        "filter": f"lastmodifieddate:[{time_text(window.since)}..{time_text(window.until)}]",
        "limit": str(MAX_ORDERS),
        "offset": str(at.offset),
        **TAXES,
    }
    content = content_of(api.call("GET", url(api, ORDERS_PATH), limit=ORDERS, headers=headers, query=query))
    found = objects(content.get("orders"))
    orders = tuple(_listed(order) for order in found)
    return PulledPage(orders=orders, next_token=at.following(len(found), content.get("total")))


def _listed(order: dict[str, Any]) -> PulledOrder:
    """An order of a list. One with a wish to cancel must be fetched: a list leaves out whose wish it is."""
    pulled = _pulled(order)
    state = object_of(order.get("cancelStatus")).get("cancelState") or NO_REQUEST
    if state == NO_REQUEST:
        return pulled
    return PulledOrder(channel_order_id=pulled.channel_order_id, updated_at=pulled.updated_at)


def _pulled(order: dict[str, Any]) -> PulledOrder:
    return PulledOrder(
        channel_order_id=str(order.get("orderId", "")),
        updated_at=_moment(order.get("lastModifiedDate") or order.get("creationDate")),
        body=json.dumps(order, separators=(",", ":"), ensure_ascii=False),
    )


def fetch(api: ChannelApi, channel_order_id: str) -> PulledOrder:
    """The whole order as it is now. Raises NotFound, Retryable, ChannelRefused."""
    return _pulled(order_now(api, channel_order_id))


def order_now(api: ChannelApi, channel_order_id: str) -> dict[str, Any]:
    """The order as eBay has it now."""
    address = order_url(api, channel_order_id)
    return content_of(api.call("GET", address, limit=ORDERS, headers=headers, query=TAXES))


def time_text(moment: datetime) -> str:
    """A time as eBay writes it."""
    utc = moment.astimezone(UTC)
    return f"{utc:%Y-%m-%dT%H:%M:%S}.{utc.microsecond // 1000:03d}Z"


def _moment(text: object) -> datetime:
    """The time in an order, in whole seconds."""
    try:
        return datetime.fromisoformat(str(text)).astimezone(UTC).replace(microsecond=0)
    except (ValueError, OverflowError):
        return EPOCH
