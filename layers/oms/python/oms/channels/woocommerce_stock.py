"""What a WooCommerce shop may sell: telling it, and asking what it believes.

Stock is written by product id, in batches: one of products, and one per product of its variations. The ids are looked
up by sku each time, in the one call that also sees what was renamed or deleted.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from oms.channels.woocommerce_api import PAGE, call, objects
from oms.domain.channel_messages import ListedPage
from oms.domain.errors import NotFound

if TYPE_CHECKING:
    from oms.channels.client import ChannelApi
    from oms.domain.listings import AvailabilityMessage

MAX_PUBLISHED = 50
"""Names of so many skus fit into the address of a look-up; a batch could take 100."""

PRODUCTS_LISTED = 20
"""Products on a page of `listed`: each may need calls for its variations."""

MAX_VARIATION_PAGES = 5
_BY_ID = ("product:", "variant:")
NOT_LISTED = "NOT_LISTED"


def publish(api: ChannelApi, messages: Sequence[AvailabilityMessage]) -> Mapping[str, str]:
    """Sets the stock of each listing; returns why not for those that the shop does not know or did not take.

    Raises ChannelRefused for a batch that it will not have: others may have been taken by then.
    """
    found = _found(api, [message.channel_sku for message in messages])
    refused = {message.channel_sku: NOT_LISTED for message in messages if message.channel_sku not in found}
    by_parent: dict[int, list[AvailabilityMessage]] = defaultdict(list)
    for message in messages:
        if message.channel_sku in found:
            by_parent[found[message.channel_sku][0]].append(message)
    for parent, told in by_parent.items():
        refused |= _told(api, parent, {found[one.channel_sku][1]: one for one in told})
    return refused


def listed(api: ChannelApi, token: str | None) -> ListedPage:
    """Twenty products and their variations, as far as the shop counts their stock."""
    page = int(token or "1")
    query = {"per_page": str(PRODUCTS_LISTED), "page": str(page), "orderby": "id", "order": "asc"}
    products = objects(call(api, "GET", "products", query))
    quantities = _counted(products)
    for product in products:
        if product.get("variations"):
            quantities |= _variations(api, product)
    return ListedPage(quantities=quantities, next_token=str(page + 1) if len(products) == PRODUCTS_LISTED else None)


def _found(api: ChannelApi, skus: Sequence[str]) -> dict[str, tuple[int, int]]:
    """(id of the product it is a variation of, or 0; its own id) by sku."""
    by_name = [sku for sku in skus if not sku.startswith(_BY_ID) and "," not in sku]
    products = _with_skus(api, ",".join(by_name)) if by_name else []
    for sku in skus:
        if sku.startswith(_BY_ID):
            products += _with_id(api, sku)
        elif "," in sku:  # the list of skus is separated by commas
            products += _with_skus(api, sku)
    wanted = set(skus)
    return {
        name: (int(one.get("parent_id") or 0), int(one["id"])) for one in products if (name := _name(one)) in wanted
    }


def _name(product: dict[str, Any]) -> str:
    return str(product.get("asked_as") or product.get("sku") or "")


def _with_skus(api: ChannelApi, skus: str) -> list[dict[str, Any]]:
    return objects(call(api, "GET", "products", {"sku": skus, "per_page": str(PAGE)}))


def _with_id(api: ChannelApi, name: str) -> list[dict[str, Any]]:
    try:
        (product,) = objects([call(api, "GET", f"products/{quote(name.partition(':')[2], safe='')}")])
    except NotFound:
        return []
    return [{**product, "asked_as": name}]


def _told(api: ChannelApi, parent: int, messages: Mapping[int, AvailabilityMessage]) -> dict[str, str]:
    """Sets the stock of products, or of one product's variations, by id; returns why not by sku."""
    path = f"products/{parent}/variations/batch" if parent else "products/batch"
    update = [{"id": one, "manage_stock": True, "stock_quantity": told.quantity} for one, told in messages.items()]
    answer = call(api, "POST", path, body={"update": update})
    items = answer.get("update") if isinstance(answer, dict) else None
    errors = {item.get("id"): item["error"] for item in objects(items or []) if isinstance(item.get("error"), dict)}
    return {
        message.channel_sku: str(errors[one].get("code", "REFUSED"))[:100]
        for one, message in messages.items()
        if one in errors
    }


def _variations(api: ChannelApi, product: dict[str, Any]) -> dict[str, int]:
    quantities: dict[str, int] = {}
    for page in range(1, MAX_VARIATION_PAGES + 1):
        query = {"per_page": str(PAGE), "page": str(page), "orderby": "id", "order": "asc"}
        variations = objects(call(api, "GET", f"products/{int(product['id'])}/variations", query))
        quantities |= _counted(variations, "variant")
        if len(variations) < PAGE:
            break
    return quantities


def _counted(products: Sequence[dict[str, Any]], kind: str = "product") -> dict[str, int]:
    """Units of what is counted, by sku or, without one, by id as order lines name it. `manage_stock` is "parent" where
    another product's stock counts."""
    return {
        str(one.get("sku") or f"{kind}:{one.get('id')}"): int(one["stock_quantity"])
        for one in products
        if one.get("manage_stock") is True and one.get("stock_quantity") is not None
    }
