"""What may be sold, told to Shopify and read from it: the available units at one of the shop's locations.

Option `location_id` names that location, which stands for all of ours. The figures are set, not changed by so much:
here is the source of truth, so nothing is compared before (`changeFromQuantity` null; "inventorySetQuantities").
"""

from __future__ import annotations

import uuid
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from oms.channels.client import ChannelApi
from oms.channels.shopify_api import gid, graphql, number_of, refuse, user_codes
from oms.domain.channel_messages import ListedPage
from oms.domain.errors import ChannelRefused, NotSupported, Unavailable
from oms.domain.listings import AvailabilityMessage

MAX_PUBLISHED = 250
"""The most that a list in a request may hold ("Shopify API limits", input arrays)."""

MAX_ROUNDS = 3
"""Shopify takes all rows or none, so what it took exception to is left out and the rest told again."""

SKUS_AT_ONCE = 25
MAX_PAGES = 20
MAX_REMEMBERED = 100_000
REMEMBERED_SECONDS = 600.0
"""A sku may be given to another item: what it was is believed no longer than this."""

VARIANT = "variant:"
UNKNOWN_SKU = "UNKNOWN_SKU"
TOO_MANY_REFUSED = "TOO_MANY_REFUSED"
HIGHEST = 1_000_000_000
_AGAIN = frozenset({"IDEMPOTENCY_CONCURRENT_REQUEST", "IDEMPOTENCY_PREVIOUS_ATTEMPT_FAILED"})

_SET = """
mutation SetAvailable($input: InventorySetQuantitiesInput!, $key: String!) {
  inventorySetQuantities(input: $input) @idempotent(key: $key) {
    userErrors { code field message }
  }
}
"""
_ITEMS = """
query Items($query: String!, $after: String) {
  inventoryItems(first: 100, query: $query, after: $after) {
    nodes { id sku }
    pageInfo { hasNextPage endCursor }
  }
}
"""
_VARIANTS = """
query Variants($ids: [ID!]!) {
  nodes(ids: $ids) { ... on ProductVariant { id inventoryItem { id } } }
}
"""
_LEVELS = """
query Levels($location: ID!, $after: String) {
  location(id: $location) {
    inventoryLevels(first: 100, after: $after) {
      nodes { quantities(names: ["available"]) { quantity } item { sku variants(first: 1) { nodes { id } } } }
      pageInfo { hasNextPage endCursor }
    }
  }
}
"""

Items = tuple[str, ...]


class Row(NamedTuple):
    """A figure for one inventory item."""

    channel_sku: str
    item: str
    quantity: int


_remembered: dict[tuple[str, str, str], tuple[Items, float]] = {}
"""Inventory items by account, address and channel_sku, and until when on the worker's clock."""


def publish(api: ChannelApi, messages: Sequence[AvailabilityMessage]) -> Mapping[str, str]:
    """Sets what may be sold; a sku that several variants have is set on all of them.

    Returns why not, by channel_sku: UNKNOWN_SKU, or Shopify's code (ITEM_NOT_STOCKED_AT_LOCATION, …). A message told
    again sets the same figure again. Raises NotSupported without the option `location_id`, ChannelRefused where Shopify
    takes exception to all of it, and what `ChannelApi.call` does.
    """
    location = _location(api)
    newest = {message.channel_sku: message for message in sorted(messages, key=lambda one: one.version)}
    recalled = {channel_sku for channel_sku in newest if _recalled(api, channel_sku)}
    refusals = _publish(api, location, newest)
    # what was refused by memory may have become another item by now: its sku was forgotten, and is asked for
    again = {channel_sku: newest[channel_sku] for channel_sku in refusals if channel_sku in recalled}
    final = {channel_sku: code for channel_sku, code in refusals.items() if channel_sku not in again}
    return final | _publish(api, location, again)


def _publish(api: ChannelApi, location: str, messages: Mapping[str, AvailabilityMessage]) -> dict[str, str]:
    items = _items(api, list(messages))
    refusals = {channel_sku: UNKNOWN_SKU for channel_sku in messages if not items[channel_sku]}
    rows = [Row(sku, item, messages[sku].quantity) for sku in messages for item in items[sku]]
    for some in _slices(rows, MAX_PUBLISHED):
        refusals |= _set(api, location, some)
    return refusals


def listed(api: ChannelApi, token: str | None) -> ListedPage:
    """One page of the units that Shopify may sell at the location.

    Where variants share a sku the highest figure counts: it is the one that can oversell. Raises as `publish` does.
    """
    answer = graphql(api, _LEVELS, {"location": _location(api), "after": token})["location"]
    if answer is None:
        raise ChannelRefused("Shopify has no such location", status=200, codes=("INVALID_LOCATION",))
    quantities: dict[str, int] = {}
    for level in answer["inventoryLevels"]["nodes"]:
        sku, figures = _channel_sku(level["item"]), level["quantities"]
        if sku and figures:
            quantities[sku] = max(figures[0]["quantity"], quantities.get(sku, figures[0]["quantity"]))
    page = answer["inventoryLevels"]["pageInfo"]
    return ListedPage(quantities=quantities, next_token=page["endCursor"] if page["hasNextPage"] else None)


def _channel_sku(item: dict[str, Any]) -> str:
    """What orders call the item: its sku, or the variant it is of."""
    variants = (item["variants"] or {}).get("nodes") or []
    return _trimmed(item["sku"]) or (VARIANT + number_of(variants[0]["id"]) if variants else "")


def _location(api: ChannelApi) -> str:
    location_id = api.option("location_id")
    if not location_id:
        raise NotSupported(
            "stock goes to one of the shop's locations: set its id as option `location_id` of the account"
        )
    return gid("Location", location_id)


def _set(api: ChannelApi, location: str, rows: Sequence[Row]) -> dict[str, str]:
    """Sets the rows and returns why not, by channel_sku, for the refused ones."""
    refusals: dict[str, str] = {}
    left = list(rows)
    for _ in range(MAX_ROUNDS):
        errors = _told(api, location, left) if left else []
        if not errors:
            return refusals
        refused = _refused_rows(errors, left)
        for number, code in refused.items():
            refusals[left[number].channel_sku] = code
            _remembered.pop(_name(api, left[number].channel_sku), None)
        left = [row for number, row in enumerate(left) if number not in refused]
    if left:
        # told in halves by the caller, so that each half is refused fewer rows
        raise ChannelRefused("Shopify takes exception to more rows each time", status=200, codes=(TOO_MANY_REFUSED,))
    return refusals


def _told(api: ChannelApi, location: str, rows: Sequence[Row]) -> list[dict[str, Any]]:
    """Sends rows. The key is another each time: a figure set again after a drift is no repeat of the first."""
    quantities = [
        {
            "inventoryItemId": row.item,
            "locationId": location,
            "quantity": min(max(0, row.quantity), HIGHEST),
            "changeFromQuantity": None,
        }
        for row in rows
    ]
    content = {"name": "available", "reason": "correction", "quantities": quantities}
    answer = graphql(api, _SET, {"input": content, "key": str(uuid.uuid4())})
    errors: list[dict[str, Any]] = answer["inventorySetQuantities"]["userErrors"]
    if _AGAIN & set(user_codes(errors)):
        raise Unavailable("Shopify is still busy with such a request")
    return errors


def _refused_rows(errors: list[dict[str, Any]], rows: Sequence[Row]) -> dict[int, str]:
    """Why not, by the number of the row, from errors that name it: `["input", "quantities", "3", …]`."""
    refused: dict[int, str] = {}
    for error in errors:
        numbers = [int(part) for part in map(str, error.get("field") or []) if part.isdecimal()]
        if not numbers or numbers[0] >= len(rows):
            refuse(errors)
        refused[numbers[0]] = (user_codes([error]) or ("REFUSED",))[0]
    return refused


def _items(api: ChannelApi, channel_skus: Sequence[str]) -> dict[str, Items]:
    """The inventory items of each sku, asked for where this worker does not know them."""
    known = {sku: _recalled(api, sku) for sku in channel_skus}
    unknown = [sku for sku in channel_skus if not known[sku]]
    found: dict[str, list[str]] = {}
    for some in _slices([sku for sku in unknown if not sku.startswith(VARIANT)], SKUS_AT_ONCE):
        for sku, item in _items_by_sku(api, some):
            found.setdefault(sku, []).append(item)
    for some in _slices([sku for sku in unknown if sku.startswith(VARIANT)], MAX_PUBLISHED):
        found |= _items_of_variants(api, some)
    for sku, items in found.items():
        known[sku] = tuple(dict.fromkeys(items))
    _remember(api, {sku: known[sku] for sku in found})
    return known


def _recalled(api: ChannelApi, channel_sku: str) -> Items:
    items, until = _remembered.get(_name(api, channel_sku), ((), 0.0))
    return items if api.clock() < until else ()


def _remember(api: ChannelApi, found: Mapping[str, Items]) -> None:
    if len(_remembered) > MAX_REMEMBERED:
        _remembered.clear()
    until = api.clock() + REMEMBERED_SECONDS
    _remembered.update({_name(api, sku): (items, until) for sku, items in found.items()})


def _items_by_sku(api: ChannelApi, skus: Sequence[str]) -> list[tuple[str, str]]:
    """Items with their skus. Shopify's search finds more than the very words, so what it finds is compared; where it
    finds more than is read, fewer skus are asked for at once, so that one keeps no other from being found."""
    query = " OR ".join(f"sku:{_quoted(sku)}" for sku in skus)
    found: list[tuple[str, str]] = []
    after = None
    for _ in range(MAX_PAGES):
        page = graphql(api, _ITEMS, {"query": query, "after": after})["inventoryItems"]
        found += [(_trimmed(node["sku"]), node["id"]) for node in page["nodes"] if _trimmed(node["sku"]) in skus]
        if not page["pageInfo"]["hasNextPage"]:
            return found
        after = page["pageInfo"]["endCursor"]
    if len(skus) == 1:
        return found
    half = len(skus) // 2
    return _items_by_sku(api, skus[:half]) + _items_by_sku(api, skus[half:])


def _trimmed(sku: str | None) -> str:
    """A sku as orders name it: shops leave blanks around it."""
    return (sku or "").strip()


def _items_of_variants(api: ChannelApi, channel_skus: Sequence[str]) -> dict[str, list[str]]:
    ids = {gid("ProductVariant", sku.removeprefix(VARIANT)): sku for sku in channel_skus}
    nodes = graphql(api, _VARIANTS, {"ids": list(ids)})["nodes"]
    return {ids[node["id"]]: [node["inventoryItem"]["id"]] for node in nodes if node and node.get("id") in ids}


def _quoted(sku: str) -> str:
    """A sku as a phrase of Shopify's search syntax ("Shopify API search syntax")."""
    return '"' + sku.replace("\\", "\\\\").replace('"', '\\"') + '"'


def _name(api: ChannelApi, channel_sku: str) -> tuple[str, str, str]:
    return api.account, api.settings.base_url or api.option("shop"), channel_sku


def _slices(rows: Sequence[Any], size: int) -> Iterator[Sequence[Any]]:
    for start in range(0, len(rows), size):
        yield rows[start : start + size]
