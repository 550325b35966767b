"""A shop's REST API v3: how we sign in, orders that changed, one order with all that belongs to it.

WooCommerce sets no limits of its own (the shop's host may); we hold back, since it is somebody's one small server.
"""

from __future__ import annotations

import base64
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from oms.channels.client import Limit, decimal_json, exact_json
from oms.domain.channel_messages import PulledOrder, PulledPage
from oms.domain.errors import CredentialsRefused, NotFound, Unavailable
from oms.runtime.http import AnswerTooLarge

if TYPE_CHECKING:
    from oms.channels.client import ChannelApi
    from oms.domain.channel_messages import Window

API = Limit("api", per_second=5, burst=20)
PAGE = 100
ORDERS = 50
"""Orders on a page: plugins write so much into them that a hundred could be more than an answer may hold."""

MAX_REFUND_PAGES = 5
MAX_LOOKED_UP = 20
"""Products of one order that are asked whether they are goods; of the others we believe it."""

THIN = "id,date_modified_gmt,date_created_gmt"
"""What is asked of orders that are more than an answer may hold all the same: each is fetched by itself then (WordPress
REST API, "Global parameters", `_fields`)."""

LISTED = ("any", "trash")
"""What is listed one after the other: "any" leaves out what lies in the bin."""

_EVERY_STEP = timedelta(seconds=1)


def call(api: ChannelApi, method: str, path: str, query: Mapping[str, str] | None = None, body: Any = None) -> Any:
    """What the shop answers under `/wp-json/wc/v3/`, as JSON with exact amounts. Raises as `ChannelApi.call` does."""
    url = f"{api.settings.base_url.rstrip('/')}/wp-json/wc/v3/{path}"
    return decimal_json(api.call(method, url, limit=API, headers=_signed_in, query=query, body=body))


def order_path(channel_order_id: str) -> str:
    """Where an order is."""
    return f"orders/{quote(channel_order_id, safe='')}"


def get_order(api: ChannelApi, channel_order_id: str) -> dict[str, Any]:
    """An order as the shop has it. Raises NotFound, Retryable, ChannelRefused."""
    return _object(call(api, "GET", order_path(channel_order_id)))


def objects(answer: Any) -> list[dict[str, Any]]:
    """The objects of a listing. Raises Unavailable when it is none."""
    if not isinstance(answer, list):
        raise Unavailable("the shop's listing is no list")
    return [_object(one) for one in answer]


def pull(api: ChannelApi, window: Window, token: str | None) -> PulledPage:
    """One page of the orders that changed within the window, oldest change first.

    The next page asks from the last change on, not for a page number: an order that changes while we read leaves the
    window, and the ones behind it would move up, past us. Orders of one and the same second are paged through.
    """
    status, since, page = _place(token, window)
    query = {
        "modified_after": _written(since - _EVERY_STEP),  # the parameter means later than
        "modified_before": _written(window.until),
        "dates_are_gmt": "true",
        "orderby": "modified",
        "order": "asc",
        "status": status,
        "per_page": str(ORDERS),
        "page": str(page),
    }
    try:
        orders = objects(call(api, "GET", "orders", query))
    except AnswerTooLarge:
        orders = objects(call(api, "GET", "orders", {**query, "_fields": THIN}))
    pulled = tuple(_pulled(order) for order in orders)
    if len(orders) < ORDERS:
        return PulledPage(orders=pulled, next_token=_token_after(status, window))
    last = pulled[-1].updated_at
    following = (last, 1) if last > since else (since, page + 1)
    return PulledPage(orders=pulled, next_token=_token(status, *following))


def fetch(api: ChannelApi, channel_order_id: str) -> PulledOrder:
    """The order, its refunds, and of an order with nothing said about shipping which products are virtual."""
    order = get_order(api, channel_order_id)
    refunds = _refunds(api, channel_order_id) if order.get("refunds") else []
    virtual = _virtual(api, order) if not _says_shipping(order) else []
    return PulledOrder(
        channel_order_id=channel_order_id, updated_at=_changed_at(order), body=_body(order, refunds, virtual)
    )


def _signed_in(api: ChannelApi) -> dict[str, str]:
    key, secret = api.credentials.get("consumer_key", ""), api.credentials.get("consumer_secret", "")
    if not key or not secret:
        raise CredentialsRefused("credentials need consumer_key and consumer_secret")
    token = base64.b64encode(f"{key}:{secret}".encode()).decode()
    return {"authorization": f"Basic {token}", "accept": "application/json"}


def _pulled(order: dict[str, Any]) -> PulledOrder:
    """An order that a listing does not tell whole is fetched by itself."""
    whole = not order.get("refunds") and _says_shipping(order)
    return PulledOrder(
        channel_order_id=str(order.get("id", "")),
        updated_at=_changed_at(order),
        body=_body(order, [], []) if whole else None,
    )


def _says_shipping(order: dict[str, Any]) -> bool:
    """As `woocommerce_orders.says_too_little` judges it."""
    address = order.get("shipping")
    parts = [address.get(name) for name in ("address_1", "city", "postcode")] if isinstance(address, dict) else []
    return bool(order.get("shipping_lines")) or any(parts)


def _refunds(api: ChannelApi, channel_order_id: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = []
    for page in range(1, MAX_REFUND_PAGES + 1):
        query = {"per_page": str(PAGE), "page": str(page)}
        refunds = objects(call(api, "GET", f"{order_path(channel_order_id)}/refunds", query))
        found += refunds
        if len(refunds) < PAGE:
            break
    return found


def _virtual(api: ChannelApi, order: dict[str, Any]) -> list[str]:
    lines = [line for line in order.get("line_items") or [] if isinstance(line, dict)]
    products = dict.fromkeys(str(line.get("variation_id") or line.get("product_id") or 0) for line in lines)
    return [one for one in list(products)[:MAX_LOOKED_UP] if one != "0" and _is_virtual(api, one)]


def _is_virtual(api: ChannelApi, product: str) -> bool:
    try:
        return _object(call(api, "GET", f"products/{quote(product, safe='')}")).get("virtual") is True
    except NotFound:
        return False  # sold and then deleted: a person looks at it if nobody knows its sku


def _body(order: dict[str, Any], refunds: list[dict[str, Any]], virtual: list[str]) -> str:
    return exact_json({"order": order, "refunds": refunds, "virtual": virtual})


def _object(answer: Any) -> dict[str, Any]:
    if not isinstance(answer, dict):
        raise Unavailable("the shop answered no object")
    return answer


def _changed_at(order: dict[str, Any]) -> datetime:
    """As `woocommerce_orders` reads it: an order never changed was last changed when it was placed."""
    try:
        told = str(order.get("date_modified_gmt") or order.get("date_created_gmt"))
        return datetime.fromisoformat(told).replace(tzinfo=UTC)
    except ValueError as error:
        raise Unavailable("the shop names an order without date_modified_gmt") from error


def _written(moment: datetime) -> str:
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S")


def _token(status: str, since: datetime, page: int) -> str:
    return f"{status} {_written(since)} {page}"


def _token_after(status: str, window: Window) -> str | None:
    following = LISTED[LISTED.index(status) + 1 :]
    return _token(following[0], window.since, 1) if following else None


def _place(token: str | None, window: Window) -> tuple[str, datetime, int]:
    """Status, since when, and the page that a token asks for."""
    if token is None:
        return LISTED[0], window.since.astimezone(UTC).replace(microsecond=0), 1
    status, since, page = token.split(" ")
    return status, datetime.fromisoformat(since).replace(tzinfo=UTC), int(page)
