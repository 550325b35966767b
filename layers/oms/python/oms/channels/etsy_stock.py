"""What Etsy is told of stock, listing by listing, and what it believes.

Etsy takes the inventory of a listing only as a whole: it is read, the figures are changed, it is written back. What the
seller changes in between, in that second, is written over; the next full compare shows it. An active listing must have
something to sell: one that has nothing left is made inactive, and a person makes it active again.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from oms.channels.client import Limit
from oms.channels.counted_pages import position
from oms.channels.etsy_api import headers, shop_url, url
from oms.channels.json_answers import content_of, object_of, objects, units_of
from oms.domain.channel_messages import ListedPage
from oms.domain.errors import ChannelRefused, NotFound, Unavailable

if TYPE_CHECKING:
    from oms.channels.client import ChannelApi
    from oms.domain.listings import AvailabilityMessage

MAX_PUBLISHED = 10
MAX_LISTED = 100
MAX_QUANTITY = 999
"""Etsy refuses more of a product."""

STOCK = Limit("stock", per_second=0.04, burst=200)
ACTIVE = "active"
_VARIED = ("price_on_property", "quantity_on_property", "sku_on_property")


def publish(api: ChannelApi, messages: Sequence[AvailabilityMessage]) -> Mapping[str, str]:
    """Tells the figures, listing by listing; returns why not, by channel_sku, for those that Etsy did not take.

    Raises Retryable when it was told to wait: figures that were taken are then told again, which changes nothing.
    """
    by_listing: defaultdict[str, dict[str, AvailabilityMessage]] = defaultdict(dict)
    for message in messages:
        listing_id, _, sku = message.channel_sku.partition(":")
        by_listing[listing_id][sku] = message
    refused: dict[str, str] = {}
    for listing_id, by_sku in by_listing.items():
        quantities = {sku: min(message.quantity, MAX_QUANTITY) for sku, message in by_sku.items()}
        why = _tell(api, listing_id, quantities)
        refused.update({by_sku[sku].channel_sku: reason for sku, reason in why.items()})
    return refused


def _tell(api: ChannelApi, listing_id: str, quantities: Mapping[str, int]) -> dict[str, str]:
    """Why not, by sku."""
    if not listing_id.isdigit():
        return dict.fromkeys(quantities, "NO_LISTING_ID")
    try:
        return _told(api, listing_id, quantities)
    except NotFound:
        return dict.fromkeys(quantities, "NOT_FOUND")
    except ChannelRefused as error:
        return dict.fromkeys(quantities, ",".join(error.codes) or str(error.status))


def _told(api: ChannelApi, listing_id: str, quantities: Mapping[str, int]) -> dict[str, str]:
    address = url(api, f"/listings/{listing_id}/inventory")
    answer = api.call("GET", address, limit=STOCK, headers=headers, query={"includes": "Listing"})
    inventory = content_of(answer)
    products = [one for one in objects(inventory.get("products")) if not one.get("is_deleted")]
    varies = bool(inventory.get("quantity_on_property"))
    refused = _unknown(products, quantities, varies)
    wanted = {sku: quantity for sku, quantity in quantities.items() if sku not in refused}
    if not wanted:
        return refused
    changed = [_product(one, _figure(one, wanted, varies)) for one in products]
    state = object_of(inventory.get("listing")).get("state") or ACTIVE
    if not any(offer["quantity"] and offer["is_enabled"] for one in changed for offer in one["offerings"]):
        if state == ACTIVE:
            _deactivate(api, listing_id)
        return refused
    if changed != [_product(one, None) for one in products]:
        body = {"products": changed, **{name: inventory.get(name) or [] for name in _VARIED}}
        api.call("PUT", address, limit=STOCK, headers=headers, body=body)
    return refused if state == ACTIVE else {**refused, **dict.fromkeys(wanted, f"LISTING_{str(state).upper()}")}


def _unknown(products: Sequence[Mapping[str, Any]], quantities: Mapping[str, int], varies: bool) -> dict[str, str]:
    """Skus that the listing does not have, or that several of its products share though each has stock of its own."""
    skus = [str(one.get("sku") or "") for one in products]
    missing = {sku: "NO_SUCH_SKU" for sku in quantities if sku not in skus}
    shared = {sku: "SKU_NOT_UNIQUE" for sku in quantities if varies and skus.count(sku) > 1}
    return {**missing, **shared}


def _figure(product: Mapping[str, Any], wanted: Mapping[str, int], varies: bool) -> int | None:
    """The units of a product. Where they do not vary, Etsy has one figure for all: the least of what was told."""
    return wanted.get(str(product.get("sku") or "")) if varies else min(wanted.values())


def _product(product: Mapping[str, Any], quantity: int | None) -> dict[str, Any]:
    """A product as it is written: without the ids and the sums that Etsy adds when it is read."""
    offerings = [one for one in objects(product.get("offerings")) if not one.get("is_deleted")]
    return {
        "sku": product.get("sku") or "",
        "property_values": [_value(one) for one in objects(product.get("property_values"))],
        "offerings": [_offering(one, quantity) for one in offerings],
    }


def _value(value: Mapping[str, Any]) -> dict[str, Any]:
    names = ("property_id", "property_name", "scale_id", "value_ids", "values")
    return {name: value[name] for name in names if value.get(name) is not None}


def _offering(offering: Mapping[str, Any], quantity: int | None) -> dict[str, Any]:
    written = {
        "price": _price(offering),
        "quantity": units_of(offering.get("quantity")) if quantity is None else quantity,
        "is_enabled": offering.get("is_enabled") is not False,
    }
    ready = offering.get("readiness_state_id")
    return {**written, "readiness_state_id": ready} if ready is not None else written


def _price(offering: Mapping[str, Any]) -> float:
    """What it costs, as Etsy wants it written. Nothing may be written without it: that would give the goods away."""
    price = object_of(offering.get("price"))
    amount, divisor = price.get("amount"), price.get("divisor")
    if type(amount) is not int or type(divisor) is not int or amount < 0 or divisor < 1:
        raise Unavailable("the answer holds an offering without a price")
    return amount / divisor


def _deactivate(api: ChannelApi, listing_id: str) -> None:
    address = shop_url(api, f"/listings/{listing_id}")
    api.call("PATCH", address, limit=STOCK, headers=headers, form={"state": "inactive"})


def listed(api: ChannelApi, token: str | None) -> ListedPage:
    """One page of the active listings: the units of each of their skus."""
    at = position(token)
    query = {"state": ACTIVE, "limit": str(MAX_LISTED), "offset": str(at.offset), "includes": "Inventory"}
    content = content_of(api.call("GET", shop_url(api, "/listings"), limit=STOCK, headers=headers, query=query))
    found = objects(content.get("results"))
    quantities: dict[str, int] = {}
    for listing in found:
        quantities.update(_quantities(str(listing.get("listing_id")), object_of(listing.get("inventory"))))
    return ListedPage(quantities=quantities, next_token=at.following(len(found), content.get("count")))


def _quantities(listing_id: str, inventory: Mapping[str, Any]) -> dict[str, int]:
    quantities: defaultdict[str, int] = defaultdict(int)
    varies = bool(inventory.get("quantity_on_property"))
    for one in objects(inventory.get("products")):
        enabled = [offer for offer in objects(one.get("offerings")) if offer.get("is_enabled")]
        units = sum(units_of(offer.get("quantity")) for offer in enabled)
        name = f"{listing_id}:{one.get('sku') or ''}"
        quantities[name] = quantities[name] + units if varies else max(quantities[name], units)
    return dict(quantities)
