"""A store's APIs: how we sign in, orders that changed, one order with all that belongs to it.

One call brings an order whole: its lines, addresses and fees come inside it as `consignments` (BigCommerce docs,
"Orders V2", `include`). BigCommerce allows 150 calls in 30 seconds on its smaller plans ("Rate limits").
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from oms.channels.client import Limit, decimal_json, exact_json
from oms.channels.smaller_pages import first_that_fits
from oms.domain.channel_messages import PulledOrder, PulledPage
from oms.domain.errors import CredentialsRefused, NotFound, Unavailable

if TYPE_CHECKING:
    from oms.channels.client import ChannelApi
    from oms.domain.channel_messages import Window

VENDOR = "https://api.bigcommerce.com"
API = Limit("api", per_second=5, burst=50, reset_header="X-Rate-Limit-Time-Reset-Ms")
PAGE_SIZES = (50, 5, 1)
"""Orders on a page: whole ones, of which an answer may hold only so many; fewer where that is too much."""

_WHOLE = {"include": "consignments.line_items,fees", "consignment_structure": "object"}
_EVERY_STEP = timedelta(seconds=1)


def call(api: ChannelApi, method: str, path: str, query: Mapping[str, str] | None = None, body: Any = None) -> Any:
    """What the store answers under `/stores/<store_hash>/`, as JSON with exact amounts; None for an empty answer.

    Raises as `ChannelApi.call` does.
    """
    root = api.settings.base_url or f"{VENDOR}/stores/{quote(api.option('store_hash'), safe='')}"
    answer = api.call(method, f"{root.rstrip('/')}/{path}", limit=API, headers=_signed_in, query=query, body=body)
    return decimal_json(answer) if answer.body else None


def order_path(channel_order_id: str) -> str:
    """Where an order is."""
    return f"v2/orders/{quote(channel_order_id, safe='')}"


def objects(answer: Any) -> list[dict[str, Any]]:
    """The objects of a listing; an empty one comes as nothing at all. Raises Unavailable for anything else."""
    if answer is None:
        return []
    if not isinstance(answer, list) or not all(isinstance(one, dict) for one in answer):
        raise Unavailable("the store's listing is no list of objects")
    return answer


def pull(api: ChannelApi, window: Window, token: str | None) -> PulledPage:
    """One page of the orders that changed within the window, whole, by ascending id.

    The next page asks from the last id on, not for a page number: an order that changes while we read leaves the
    window, and the ones behind it would move up, past us.
    """
    query = {
        "min_date_modified": _written(window.since - _EVERY_STEP),
        "max_date_modified": _written(window.until + _EVERY_STEP),
        "sort": "id",
        **({"min_id": token} if token else {}),
        **_WHOLE,
    }
    size, orders = first_that_fits(PAGE_SIZES, lambda size: (size, _listed(api, query, size)))
    pulled = tuple(_pulled(order) for order in orders)
    ids = [int(one.channel_order_id) for one in pulled]
    if ids != sorted(ids):
        raise Unavailable("the store lists orders in another order than by id")
    return PulledPage(orders=pulled, next_token=str(ids[-1] + 1) if len(ids) >= size else None)


def _listed(api: ChannelApi, query: Mapping[str, str], size: int) -> list[dict[str, Any]]:
    return objects(call(api, "GET", "v2/orders", {**query, "limit": str(size)}))


def fetch(api: ChannelApi, channel_order_id: str) -> PulledOrder:
    """The order with its lines, addresses and fees. Raises NotFound, Retryable, ChannelRefused."""
    order = call(api, "GET", order_path(channel_order_id), _WHOLE)
    if order is None:
        raise NotFound("the store has no such order")
    if not isinstance(order, dict):
        raise Unavailable("the store answered no order")
    return _pulled(order)


def _signed_in(api: ChannelApi) -> dict[str, str]:
    token = api.credentials.get("access_token", "")
    if not token:
        raise CredentialsRefused("credentials need access_token")
    return {"x-auth-token": token, "accept": "application/json", "content-type": "application/json"}


def _pulled(order: dict[str, Any]) -> PulledOrder:
    try:
        changed_at = parsedate_to_datetime(str(order.get("date_modified") or order.get("date_created")))
        channel_order_id = str(int(order.get("id", "")))
    except (ValueError, TypeError) as error:
        raise Unavailable("the store names an order without id or time") from error
    return PulledOrder(
        channel_order_id=channel_order_id,
        updated_at=changed_at.astimezone(UTC),
        body=exact_json(order),
    )


def _written(moment: datetime) -> str:
    return moment.astimezone(UTC).isoformat(timespec="seconds")
