"""Walmart's API: signing in, its limits, and reading orders.

Every call carries a token that lasts 15 minutes, the name of the service and an id of its own (Authentication API).
Limits differ by call and by seller ("Rate limiting"): the rates here are cautious guesses, a 429 tells better.
"""

from __future__ import annotations

import json
import re
import uuid
from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, NamedTuple
from urllib.parse import quote

from oms.channels.client import AccessToken, Limit
from oms.channels.json_answers import content_of, moment_of, object_of, objects
from oms.channels.oauth_tokens import REFUSED, access_token, basic
from oms.domain.channel_messages import PulledOrder, PulledPage
from oms.domain.errors import InvalidMessage, NotFound, Unavailable

if TYPE_CHECKING:
    from oms.channels.client import ChannelApi
    from oms.domain.channel_messages import Window

HOST = "https://marketplace.walmartapis.com"
MAX_ORDERS = 200
MAX_READINGS = 3
MAX_TOTAL = 999_999_999
OLDEST = timedelta(days=179)
"""Orders older than 180 days can't be asked for; unless told otherwise, Walmart looks only at those of 7 days."""

TOKENS = Limit("tokens", per_second=0.5, burst=10)
ORDERS = Limit("orders", per_second=1.0, burst=20)
ORDER = Limit("order", per_second=1.0, burst=20)
ORDER_CHANGES = Limit("order_changes", per_second=1.0, burst=20)
TOKEN_SECONDS = 900
_TOKEN = re.compile(r"([0-9]{1,2}):([0-9]{1,9}):([01]):(.{0,4000})")
_NO = frozenset({"", "false", "no", "n", "none", "null", "0"})


def url(api: ChannelApi, path: str) -> str:
    """The address of a path in the account's API."""
    return f"{(api.settings.base_url or HOST).rstrip('/')}{path}"


def order_url(api: ChannelApi, channel_order_id: str, action: str = "") -> str:
    """The address of an order, or of what can be done to it."""
    return url(api, f"/v3/orders/{quote(channel_order_id, safe='')}{action}")


def headers(api: ChannelApi) -> Mapping[str, str]:
    """What every call carries. The description names the token a bearer; Walmart reads its own header."""
    token = api.token("access", lambda: _sign_in(api))
    return {**_common(), "wm_sec.access_token": token, "authorization": f"Bearer {token}"}


def _common() -> dict[str, str]:
    return {
        "accept": "application/json",
        "wm_svc.name": "Walmart Marketplace",
        "wm_qos.correlation_id": str(uuid.uuid4()),
    }


def _sign_in(api: ChannelApi) -> AccessToken:
    form = {"grant_type": "client_credentials"}
    answer = api.call("POST", url(api, "/v3/token"), limit=TOKENS, headers=_basic, form=form, expired=REFUSED)
    return access_token(api, answer, TOKEN_SECONDS)


def _basic(api: ChannelApi) -> Mapping[str, str]:
    return {**_common(), "authorization": basic(api)}


class Place(NamedTuple):
    """Where a window is being read: for the how-manieth time, how many orders it held one page before, whether it lost
    any since this reading began, and Walmart's `nextCursor`, a ready query."""

    reading: int = 1
    total: int = 0
    lost_some: bool = False
    cursor: str = ""

    @classmethod
    def of(cls, token: str | None) -> Place:
        """The place that a token stands for. Raises InvalidMessage when it is none of ours."""
        if token is None:
            return cls()
        match = _TOKEN.fullmatch(token)
        if match is None:
            raise InvalidMessage("a token of another kind", field="token", reason="INVALID_FIELD")
        return cls(int(match[1]), int(match[2]), match[3] == "1", match[4])

    def following(self, total: object, cursor: object) -> str | None:
        """The token of the next page; None at the end.

        Cursors count orders, and an order that changes again leaves the window: those behind it move up, and one may
        be passed over. A window that lost some is therefore read once more, MAX_READINGS times at most.
        """
        rows = min(max(total, 0), MAX_TOTAL) if isinstance(total, int) else self.total
        lost_some = self.lost_some or rows < self.total
        if isinstance(cursor, str) and cursor:
            return f"{self.reading}:{rows}:{int(lost_some)}:{cursor.removeprefix('?')}"
        return f"{self.reading + 1}:0:0:" if lost_some and self.reading < MAX_READINGS else None


def pull(api: ChannelApi, window: Window, token: str | None) -> PulledPage:
    """One page of the orders that changed within the window."""
    place = Place.of(token)
    query = None if place.cursor else _query(api, window)
    path = f"/v3/orders?{place.cursor}" if place.cursor else "/v3/orders"
    try:
        content = content_of(api.call("GET", url(api, path), limit=ORDERS, headers=headers, query=query))
    except NotFound:
        # nothing found is answered with 404, CONTENT_NOT_FOUND.GMP_ORDER_API
        return PulledPage(orders=(), next_token=place.following(0, None))
    page = object_of(content.get("list"))
    meta = object_of(page.get("meta"))
    found = objects(object_of(page.get("elements")).get("order"))
    next_token = place.following(meta.get("totalCount"), meta.get("nextCursor") if found else None)
    return PulledPage(orders=tuple(_listed(order, window.since) for order in found), next_token=next_token)


def _query(api: ChannelApi, window: Window) -> dict[str, str]:
    """A second earlier than the window, since Walmart gives what changed after a time, not what changed at it."""
    return {
        "lastModifiedStartDate": _text(window.since - timedelta(seconds=1)),
        "lastModifiedEndDate": _text(window.until),
        "createdStartDate": _text(api.now() - OLDEST),
        "shipNodeType": "SellerFulfilled",
        "replacementInfo": "true",
        "limit": str(MAX_ORDERS),
    }


def fetch(api: ChannelApi, channel_order_id: str) -> PulledOrder:
    """The whole order as it is now. Raises NotFound, Retryable, ChannelRefused."""
    return _pulled(order_now(api, channel_order_id))


def order_now(api: ChannelApi, channel_order_id: str) -> dict[str, Any]:
    """The order as Walmart has it now."""
    query = {"replacementInfo": "true"}
    answer = api.call("GET", order_url(api, channel_order_id), limit=ORDER, headers=headers, query=query)
    order = content_of(answer).get("order")
    if not isinstance(order, dict):
        raise Unavailable("the answer holds no order")
    return order


def lines_of(order: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The lines of an order."""
    return objects(object_of(order.get("orderLines")).get("orderLine"))


def statuses_of(line: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The statuses of a line: each with the units that are in it."""
    return objects(object_of(line.get("orderLineStatuses")).get("orderLineStatus"))


def is_yes(flag: str) -> bool:
    """Whether a flag that Walmart writes as a text is set."""
    return flag.strip().lower() not in _NO


def asks_to_cancel(line: Mapping[str, Any]) -> bool:
    """Whether the customer wants the line cancelled."""
    return is_yes(str(line.get("intentToCancel") or ""))


def _listed(order: dict[str, Any], since: datetime) -> PulledOrder:
    """An order of a window. A wish to cancel changes the order but none of the times it shows: it came in the window,
    or what was read before it would be taken for all there is."""
    pulled = _pulled(order)
    wished = any(asks_to_cancel(line) for line in lines_of(order))
    return replace(pulled, updated_at=max(pulled.updated_at, since)) if wished else pulled


def _pulled(order: dict[str, Any]) -> PulledOrder:
    times = [order.get("orderDate"), *(line.get("statusDate") for line in lines_of(order))]
    newest = max((one // 1000 for one in times if isinstance(one, int)), default=0)
    return PulledOrder(
        channel_order_id=str(order.get("purchaseOrderId", "")),
        updated_at=moment_of(newest),
        body=json.dumps(order, separators=(",", ":"), ensure_ascii=False),
    )


def _text(moment: datetime) -> str:
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
