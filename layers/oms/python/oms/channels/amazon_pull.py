"""Reading orders from Amazon: Orders 2026-01-01, or v0 where the app or the account has no other.

2026-01-01 tells all of an order in one answer. v0 lists orders thinly: each must be fetched, its items and its address
with it. Amazon takes v0's reading away in 2027 ("Orders API Migration Guide"), and shows nothing in either until two
minutes after it happened. Both are asked for the seller's own orders only, not for those that Amazon fulfils.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from typing import Any, NamedTuple, TypeVar
from urllib.parse import quote

from oms.channels.amazon_orders import STATUSES_V0
from oms.channels.amazon_signin import (
    RATE_HEADER,
    call,
    marketplace_ids,
    required_marketplaces,
    signed,
    signed_for_people,
)
from oms.channels.client import ChannelApi, Headers, Limit, decimal_json
from oms.domain.channel_messages import PulledOrder, PulledPage, Window
from oms.domain.errors import ChannelRefused, CredentialsRefused, NotFound, OmsError, Unavailable

T = TypeVar("T")
CURRENT, V0 = "2026-01-01", "v0"
LAG_SECONDS = 150
"""Amazon wants the end of a window at least two minutes in the past; half a minute more for clocks that differ."""

PAGE_SIZE = 100
MAX_ITEM_PAGES = 20
INCLUDED = "BUYER,RECIPIENT,PROCEEDS,CANCELLATION,FULFILLMENT,TAX,PAYMENT"

# Usage plans as the two specifications state them; answers tell the true rate.
SEARCH = Limit("orders-search", per_second=0.0056, burst=20, rate_header=RATE_HEADER)
ORDER = Limit("order", per_second=0.5, burst=30, rate_header=RATE_HEADER)
SEARCH_V0 = Limit("orders-v0-search", per_second=0.0167, burst=20, rate_header=RATE_HEADER)
ORDER_V0 = Limit("order-v0", per_second=0.5, burst=30, rate_header=RATE_HEADER)
ITEMS_V0 = Limit("order-v0-items", per_second=0.5, burst=30, rate_header=RATE_HEADER)
ADDRESS_V0 = Limit("order-v0-address", per_second=0.5, burst=30, rate_header=RATE_HEADER)

V0_ONLY = "orders-v0-only"
V0_ONLY_SECONDS = 3600.0
"""So long after v0 answered where 2026-01-01 was refused, only v0 is asked: of the newer one's searches, one in three
minutes, none can be spared for being refused."""

_NOT_OFFERED = frozenset({405, 410})
_WITHOUT_ADDRESS = frozenset({"Pending", "PendingAvailability", "Canceled"})


class _Place(NamedTuple):
    """Where in a window a pull is. Every page repeats the window's end as the first one named it: Amazon takes a page
    token only with the parameters it was made for."""

    version: str
    until: datetime
    page: str

    def next(self, page: str | None) -> str | None:
        return f"{self.version}|{self.until.isoformat()}|{page}" if page else None


class State(NamedTuple):
    """How far an order is at Amazon, its status as 2026-01-01 names it; v0 tells no packages."""

    status: str
    marketplace_id: str
    packages: tuple[Mapping[str, Any], ...] = ()


def pull(api: ChannelApi, window: Window, token: str | None) -> PulledPage:
    """One page of the orders that changed within the window; the orders of v0 come without a body.

    What changed in the last LAG_SECONDS is not told even if the window reaches further: the next window has to begin
    before it. The first page goes to v0 when Amazon does not offer 2026-01-01. Raises as `call` does; ChannelRefused
    for a page token that is no longer good: begin the window again.
    """
    place = _place(api, window, token)
    if place.until <= window.since:
        return PulledPage(orders=())
    if place.version == V0:
        return _page_v0(api, window, place)
    try:
        return _page(api, window, place)
    except (NotFound, ChannelRefused, CredentialsRefused) as error:
        if place.page or not (_not_offered(error) or isinstance(error, NotFound)):
            raise
    page = _page_v0(api, window, place._replace(version=V0))
    api.note(V0_ONLY, V0_ONLY_SECONDS)
    return page


def fetch(api: ChannelApi, channel_order_id: str) -> PulledOrder:
    """The whole order as it is now. Raises NotFound, Retryable, ChannelRefused."""
    return _from_either(
        api,
        lambda: _pulled(_now(api, channel_order_id, INCLUDED)),
        lambda: _fetched_v0(api, channel_order_id),
    )


def state(api: ChannelApi, channel_order_id: str) -> State:
    """How far the order is, without anything of people. Raises as `fetch` does."""
    return _from_either(
        api,
        lambda: _state(_now(api, channel_order_id, "FULFILLMENT,PACKAGES")),
        lambda: _state_v0(_now_v0(api, channel_order_id, signed)),
    )


def _state_v0(order: Mapping[str, Any]) -> State:
    return State(STATUSES_V0.get(str(order.get("OrderStatus")), ""), str(order.get("MarketplaceId") or ""))


def _state(order: Mapping[str, Any]) -> State:
    fulfillment, sold_on = order.get("fulfillment"), order.get("salesChannel")
    packages = order.get("packages")
    return State(
        str(fulfillment.get("fulfillmentStatus") or "") if isinstance(fulfillment, dict) else "",
        str(sold_on.get("marketplaceId") or "") if isinstance(sold_on, dict) else "",
        tuple(one for one in packages if isinstance(one, dict)) if isinstance(packages, list) else (),
    )


def _from_either(api: ChannelApi, newer: Callable[[], T], older: Callable[[], T]) -> T:
    """What 2026-01-01 says of an order; what v0 says, where the newer version is not offered or does not have it: where
    it is not there at all, that looks the same. Gone is an order that v0 does not have either, or can't tell of."""
    if _is_v0(api):
        return older()
    try:
        return newer()
    except NotFound:
        with suppress(NotFound, ChannelRefused, CredentialsRefused):
            return older()
        raise
    except (ChannelRefused, CredentialsRefused) as error:
        if not _not_offered(error):
            raise
    found = older()
    api.note(V0_ONLY, V0_ONLY_SECONDS)
    return found


def _now(api: ChannelApi, channel_order_id: str, included: str) -> Mapping[str, Any]:
    """The order as 2026-01-01 has it, with these of its parts."""
    path = f"/orders/2026-01-01/orders/{quote(channel_order_id, safe='')}"
    content = decimal_json(call(api, "GET", path, ORDER, query={"includedData": included}))
    return _mapping(_mapping(content, "the answer").get("order"), "order")


def _now_v0(api: ChannelApi, channel_order_id: str, headers: Headers) -> Mapping[str, Any]:
    path = f"/orders/v0/orders/{quote(channel_order_id, safe='')}"
    return _payload(decimal_json(call(api, "GET", path, ORDER_V0, headers=headers)))


def _pulled(order: Mapping[str, Any]) -> PulledOrder:
    """An order of 2026-01-01 as intake gets it."""
    return PulledOrder(
        channel_order_id=_text(order, "orderId"),
        updated_at=_time(order, "lastUpdatedTime"),
        body=_body({"api": CURRENT, "order": order}),
    )


def _is_v0(api: ChannelApi) -> bool:
    return api.option("orders_api", CURRENT) == V0 or api.is_noted(V0_ONLY)


def _not_offered(error: OmsError) -> bool:
    """Whether an answer means that this app may not call this operation. A token that merely expired was renewed
    before, so a 403 that is left is about a role, or about credentials that v0 refuses just the same."""
    return isinstance(error, CredentialsRefused) or (isinstance(error, ChannelRefused) and error.status in _NOT_OFFERED)


def _place(api: ChannelApi, window: Window, token: str | None) -> _Place:
    if token is None:
        latest = api.now() - timedelta(seconds=LAG_SECONDS)
        return _Place(V0 if _is_v0(api) else CURRENT, min(window.until, latest), "")
    version, _, rest = token.partition("|")
    until, _, page = rest.partition("|")
    try:
        place = _Place(version, datetime.fromisoformat(until), page)
        if version in (CURRENT, V0) and window.since < place.until <= window.until:
            return place
    except (ValueError, TypeError):  # no time, or one of no zone
        pass
    raise ChannelRefused("this page token is none of ours", status=400)


def _page(api: ChannelApi, window: Window, place: _Place) -> PulledPage:
    query = {
        "lastUpdatedAfter": _moment(window.since),
        "lastUpdatedBefore": _moment(place.until),
        "fulfilledBy": "MERCHANT",
        "maxResultsPerPage": str(PAGE_SIZE),
        "includedData": INCLUDED,
    }
    markets = marketplace_ids(api)
    query |= {"marketplaceIds": ",".join(markets)} if markets else {}
    query |= {"paginationToken": place.page} if place.page else {}
    content = _mapping(decimal_json(call(api, "GET", "/orders/2026-01-01/orders", SEARCH, query=query)), "the answer")
    page = _mapping(content.get("pagination") or {}, "pagination").get("nextToken")
    return PulledPage(orders=tuple(map(_pulled, _listed(content, "orders"))), next_token=place.next(page))


def _page_v0(api: ChannelApi, window: Window, place: _Place) -> PulledPage:
    query = {
        "LastUpdatedAfter": _moment(window.since),
        "LastUpdatedBefore": _moment(place.until),
        "FulfillmentChannels": "MFN",
        "MaxResultsPerPage": str(PAGE_SIZE),
        "MarketplaceIds": ",".join(required_marketplaces(api)),
    }
    query |= {"NextToken": place.page} if place.page else {}
    content = _payload(decimal_json(call(api, "GET", "/orders/v0/orders", SEARCH_V0, query=query)))
    orders = tuple(_pulled_v0(order) for order in _listed(content, "Orders"))
    return PulledPage(orders=orders, next_token=place.next(content.get("NextToken")))


def _pulled_v0(order: Mapping[str, Any], body: str | None = None) -> PulledOrder:
    updated_at = _time(order, "LastUpdateDate")
    return PulledOrder(channel_order_id=_text(order, "AmazonOrderId"), updated_at=updated_at, body=body)


def _fetched_v0(api: ChannelApi, channel_order_id: str) -> PulledOrder:
    order = _now_v0(api, channel_order_id, signed_for_people)
    content: dict[str, Any] = {"api": V0, "order": order}
    if not order.get("ShippingAddress") and str(order.get("OrderStatus")) not in _WITHOUT_ADDRESS:
        path = f"/orders/v0/orders/{quote(channel_order_id, safe='')}/address"
        with suppress(NotFound):  # the order is there: what it lacks is for a person to see
            content["address"] = _payload(decimal_json(call(api, "GET", path, ADDRESS_V0, headers=signed_for_people)))
    content["items"] = _items_v0(api, channel_order_id)
    return _pulled_v0(order, _body(content))


def _items_v0(api: ChannelApi, channel_order_id: str) -> list[Mapping[str, Any]]:
    items: list[Mapping[str, Any]] = []
    query: dict[str, str] = {}
    path = f"/orders/v0/orders/{quote(channel_order_id, safe='')}/orderItems"
    for _ in range(MAX_ITEM_PAGES):
        try:
            answer = call(api, "GET", path, ITEMS_V0, headers=signed_for_people, query=query)
        except NotFound as error:
            raise Unavailable("an order whose items are not there") from error
        content = _payload(decimal_json(answer))
        items += _listed(content, "OrderItems")
        if not content.get("NextToken"):
            return items
        query = {"NextToken": str(content["NextToken"])}
    raise Unavailable(f"an order of more than {MAX_ITEM_PAGES} pages of items")


def _payload(content: Any) -> Mapping[str, Any]:
    return _mapping(_mapping(content, "the answer").get("payload"), "payload")


def _mapping(content: Any, name: str) -> Mapping[str, Any]:
    if not isinstance(content, dict):
        raise Unavailable(f"{name} is no object: somebody else answered")
    return content


def _listed(content: Mapping[str, Any], name: str) -> list[Mapping[str, Any]]:
    found = content.get(name)
    if not isinstance(found, list):
        raise Unavailable(f"the answer has no list of {name}")
    return [_mapping(one, name) for one in found]


def _text(order: Mapping[str, Any], name: str) -> str:
    found = order.get(name)
    if not isinstance(found, str) or not found:
        raise Unavailable(f"an order in the answer has no {name}")
    return found


def _time(order: Mapping[str, Any], name: str) -> datetime:
    try:
        found = datetime.fromisoformat(_text(order, name))
    except ValueError as error:
        raise Unavailable(f"an order in the answer has no time as {name}") from error
    return found if found.tzinfo else found.replace(tzinfo=UTC)


def _moment(moment: datetime) -> str:
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _body(content: Mapping[str, Any]) -> str:
    return json.dumps(content, separators=(",", ":"), ensure_ascii=False, default=str)
