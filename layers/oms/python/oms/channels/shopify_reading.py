"""Orders as Shopify's REST Admin API gives them: one by its id, or those that changed, page by page.

An app sees the orders of the last 60 days unless it has the scope `read_all_orders` ("Order").
"""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import Any
from urllib.parse import parse_qs, urlsplit

from oms.channels.client import ChannelApi, decimal_json, exact_json
from oms.channels.shopify_api import rest
from oms.channels.smaller_pages import first_that_fits
from oms.domain.channel_messages import PulledOrder, PulledPage, Window
from oms.domain.errors import NotFound, Unavailable
from oms.runtime.http import HttpAnswer

PAGE_SIZES = (100, 10, 1)
"""A page may hold 250 ("Paginate requests with REST"), but orders of many lines would outgrow one answer; where a
hundred do, fewer are asked for."""

FIELDS = (
    "admin_graphql_api_id",
    "billing_address",
    "cancel_reason",
    "cancelled_at",
    "contact_email",
    "created_at",
    "currency",
    "customer",
    "email",
    "financial_status",
    "fulfillments",
    "id",
    "line_items",
    "location_id",
    "name",
    "note",
    "note_attributes",
    "order_number",
    "original_total_additional_fees_set",
    "original_total_duties_set",
    "payment_gateway_names",
    "payment_terms",
    "phone",
    "presentment_currency",
    "processed_at",
    "refunds",
    "shipping_address",
    "shipping_lines",
    "source_name",
    "taxes_included",
    "test",
    "total_discounts",
    "total_price",
    "total_price_set",
    "total_shipping_price_set",
    "total_tax",
    "total_tip_received",
    "updated_at",
)
"""What is read of an order (`shopify_models.ShopifyOrder`), and so all that is asked for."""

_NEXT = re.compile(r'<([^<>]+)>\s*;\s*rel="next"')
_NUMBER = re.compile(r"[0-9]{1,30}")


def pull(api: ChannelApi, window: Window, token: str | None) -> PulledPage:
    """One page of the orders that changed within the window, whatever their state.

    Shopify's upper bound includes its moment, ours does not. The token is the page's `page_info`, beside which only the
    page's size and fields may be sent. Raises as `ChannelApi.call` does.
    """
    if token is None:
        query = {
            "status": "any",
            "order": "updated_at asc",
            "updated_at_min": _written(window.since),
            "updated_at_max": _written(window.until),
        }
    else:
        query = {"page_info": token}
    answer = first_that_fits(PAGE_SIZES, lambda size: _listed(api, query, size))
    orders = [_pulled(order) for order in _content(answer, "orders", list)]
    within = tuple(order for order in orders if window.since <= order.updated_at < window.until)
    return PulledPage(orders=within, next_token=_next_token(answer))


def fetch(api: ChannelApi, channel_order_id: str) -> PulledOrder:
    """The whole order as it is now. Raises NotFound, and what `ChannelApi.call` does."""
    if not _NUMBER.fullmatch(channel_order_id):
        raise NotFound("an order's id is a number at Shopify")
    answer = rest(api, f"orders/{channel_order_id}.json", {"fields": ",".join(FIELDS)})
    return _pulled(_content(answer, "order", dict))


def _listed(api: ChannelApi, query: dict[str, str], size: int) -> HttpAnswer:
    return rest(api, "orders.json", {**query, "limit": str(size), "fields": ",".join(FIELDS)})


def _written(moment: datetime) -> str:
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _content(answer: HttpAnswer, name: str, kind: type) -> Any:
    content = decimal_json(answer)
    found = content.get(name) if isinstance(content, dict) else None
    if not isinstance(found, kind):
        raise Unavailable(f"the answer holds no {name}")
    return found


def _pulled(order: Any) -> PulledOrder:
    """An order as `parse` reads it again: ids and amounts exact."""
    try:
        updated_at = datetime.fromisoformat(order["updated_at"]).astimezone(UTC)
        return PulledOrder(
            channel_order_id=str(int(order["id"])),
            updated_at=updated_at,
            body=exact_json(order),
        )
    except (KeyError, TypeError, ValueError) as error:
        raise Unavailable("the answer lists something that is no order") from error


def _next_token(answer: HttpAnswer) -> str | None:
    """The `page_info` of the next page, out of the Link header; the rest of that address is not followed."""
    found = _NEXT.search(answer.headers.get("link", ""))
    if found is None:
        return None
    pages = parse_qs(urlsplit(found.group(1)).query).get("page_info")
    if not pages:
        raise Unavailable("the next page has no page_info")
    return pages[0]
