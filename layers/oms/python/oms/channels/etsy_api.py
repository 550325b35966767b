"""Etsy's API: signing in, its limits, and reading receipts.

Every call carries the application's key beside a token of one hour, for which a refresh token of 90 days is changed;
the answer brings a new one, whose 90 days begin then ("Authentication"). The key is the account's credential
`api_key`, where Etsy asks for it with the shared secret behind a colon. An application has 10 calls a second and 10,000
a day unless it was given more ("Rate limits"): the rates here share a day out.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from oms.channels.client import Limit
from oms.channels.counted_pages import position
from oms.channels.json_answers import content_of, moment_of, objects
from oms.channels.oauth_tokens import REFRESH_TOKEN, credential, renewed
from oms.domain.channel_messages import PulledOrder, PulledPage
from oms.domain.errors import CredentialsRefused

if TYPE_CHECKING:
    from oms.channels.client import AccessToken, ChannelApi
    from oms.domain.channel_messages import Window
    from oms.runtime.http import HttpAnswer

HOST = "https://openapi.etsy.com"
TOKEN_HOST = "https://api.etsy.com"  # noqa: S105 - an address
APPLICATION = "/v3/application"
SHOP_ID = "shop_id"
"""The account's option that names the shop."""

MAX_RECEIPTS = 100
TOKENS = Limit("tokens", per_second=0.01, burst=10)
RECEIPTS = Limit("receipts", per_second=0.04, burst=40)
TOKEN_SECONDS = 3600


def url(api: ChannelApi, path: str) -> str:
    """The address of a path in the account's API."""
    return f"{(api.settings.base_url or HOST).rstrip('/')}{APPLICATION}{path}"


def shop_url(api: ChannelApi, path: str) -> str:
    """The address of a path in the account's shop."""
    shop_id = api.option(SHOP_ID)
    if not shop_id:
        raise CredentialsRefused(f"{api.channel}#{api.account}: its options have no {SHOP_ID}")
    return url(api, f"/shops/{quote(shop_id, safe='')}{path}")


def receipt_url(api: ChannelApi, channel_order_id: str, action: str = "") -> str:
    """The address of a receipt, or of what can be done to it."""
    return shop_url(api, f"/receipts/{quote(channel_order_id, safe='')}{action}")


def headers(api: ChannelApi) -> Mapping[str, str]:
    """What every call carries."""
    token = api.token("access", lambda: _sign_in(api))
    return {
        "accept": "application/json",
        "x-api-key": credential(api, "api_key"),
        "authorization": f"Bearer {token}",
    }


def _sign_in(api: ChannelApi) -> AccessToken:
    address = f"{(api.settings.base_url or TOKEN_HOST).rstrip('/')}/v3/public/oauth/token"

    def exchange(credentials: Mapping[str, str]) -> HttpAnswer:
        form = {
            "grant_type": "refresh_token",
            "client_id": credential(api, "api_key", credentials).partition(":")[0],
            "refresh_token": credential(api, REFRESH_TOKEN, credentials),
        }
        return api.call("POST", address, limit=TOKENS, headers=_accept, form=form, expired=frozenset())

    return renewed(api, exchange, TOKEN_SECONDS)


def _accept(_: ChannelApi) -> Mapping[str, str]:
    return {"accept": "application/json"}


def pull(api: ChannelApi, window: Window, token: str | None) -> PulledPage:
    """One page of the receipts that changed within the window, both ends included; the oldest order comes first.

    Receipts that change while it is read leave it: see `counted_pages`.
    """
    at = position(token)
    query = {
        "min_last_modified": str(int(window.since.timestamp())),
        "max_last_modified": str(int(window.until.timestamp())),
        "limit": str(MAX_RECEIPTS),
        "offset": str(at.offset),
        "sort_on": "created",
        "sort_order": "asc",
    }
    address = shop_url(api, "/receipts")
    content = content_of(api.call("GET", address, limit=RECEIPTS, headers=headers, query=query))
    found = objects(content.get("results"))
    orders = tuple(_pulled(receipt) for receipt in found)
    return PulledPage(orders=orders, next_token=at.following(len(found), content.get("count")))


def fetch(api: ChannelApi, channel_order_id: str) -> PulledOrder:
    """The whole receipt as it is now. Raises NotFound, Retryable, ChannelRefused."""
    return _pulled(receipt_now(api, channel_order_id))


def receipt_now(api: ChannelApi, channel_order_id: str) -> dict[str, Any]:
    """The receipt as Etsy has it now."""
    return content_of(api.call("GET", receipt_url(api, channel_order_id), limit=RECEIPTS, headers=headers))


def _pulled(receipt: dict[str, Any]) -> PulledOrder:
    names = ("updated_timestamp", "update_timestamp", "created_timestamp", "create_timestamp")
    changed_at = next((receipt[name] for name in names if isinstance(receipt.get(name), int)), None)
    return PulledOrder(
        channel_order_id=str(receipt.get("receipt_id", "")),
        updated_at=moment_of(changed_at),
        body=json.dumps(receipt, separators=(",", ":"), ensure_ascii=False),
    )
