"""`products`, `locations` and `settings`: small tables that change rarely, kept for a minute by each worker."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any, TypeVar

import msgspec

from oms.domain.availability_rules import AvailabilityRules
from oms.domain.catalog import ChannelAccount, Location, Policy, Product
from oms.domain.errors import InvariantBroken, Throttled
from oms.domain.rates import RateCard
from oms.domain.routing_policy import RoutingPolicy
from oms.domain.snapshots import StockPolicy
from oms.domain.zones import ZoneRow, ZoneTable, tables_of
from oms.stores import routing_policies
from oms.stores.attribute_values import from_item, to_item
from oms.stores.documents import from_document
from oms.stores.table import Table, our_errors

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

KEPT_SECONDS = 60.0
MAX_KEPT = 10_000
_BATCH = 100
_MAX_ROUNDS = 5

T = TypeVar("T")


class Kept:
    """A bounded memory of what was read; entries are believed for KEPT_SECONDS."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._entries: dict[str, tuple[float, Any]] = {}

    def get(self, key: str) -> tuple[bool, Any]:
        """Whether the key is known and fresh, and its value (None is a value)."""
        entry = self._entries.get(key)
        fresh = entry is not None and self._clock() - entry[0] < KEPT_SECONDS
        return (True, entry[1]) if fresh and entry else (False, None)

    def put(self, key: str, value: T) -> T:
        """Keeps the value; when full, all is forgotten."""
        if len(self._entries) >= MAX_KEPT:
            self._entries.clear()
        self._entries[key] = (self._clock(), value)
        return value


class ProductsStore:
    """What is sold."""

    def __init__(self, client: DynamoDBClient, table_prefix: str) -> None:
        self.table = Table(client, f"{table_prefix}products")
        self._kept = Kept()

    def get_many(self, skus: Iterable[str]) -> dict[str, Product]:
        """The products of these skus; unknown skus are left out. Raises Throttled."""
        wanted = sorted({sku for sku in skus if sku})
        kept = {sku: self._kept.get(sku)[1] for sku in wanted}
        products = {sku: product for sku, product in kept.items() if product}
        missing = [sku for sku in wanted if sku not in products]
        for start in range(0, len(missing), _BATCH):
            found = self._read(missing[start : start + _BATCH])
            products |= {sku: self._kept.put(sku, product) for sku, product in found.items()}
        return products

    def _read(self, skus: list[str]) -> dict[str, Product]:
        request: Any = {self.table.name: {"Keys": [to_item({"sku": sku}) for sku in skus]}}
        products: dict[str, Product] = {}
        for _ in range(_MAX_ROUNDS):
            with our_errors():
                answer = self.table.client.batch_get_item(RequestItems=request)
            for item in answer["Responses"].get(self.table.name, []):
                product = from_document(Product, from_item(item))
                products[product.sku] = product
            request = answer.get("UnprocessedKeys")
            if not request:
                return products
        raise Throttled("products: keys left unread")


class LocationsStore:
    """Where stock lies and work is done."""

    def __init__(self, client: DynamoDBClient, table_prefix: str) -> None:
        self.table = Table(client, f"{table_prefix}locations")
        self._kept = Kept()

    def all(self) -> list[Location]:
        """Every location, whatever its status."""
        known, locations = self._kept.get("all")
        if known:
            return list(locations)
        return self._kept.put("all", [from_document(Location, item) for item in self.table.scan_all()])

    def get(self, location_id: str) -> Location | None:
        """One location as it is now, or None."""
        item = self.table.get({"location_id": location_id}, consistent=False)
        return from_document(Location, item) if item else None


class SettingsStore:
    """How the company works: policies, rate cards, channel accounts."""

    def __init__(self, client: DynamoDBClient, table_prefix: str) -> None:
        self.table = Table(client, f"{table_prefix}settings")
        self._kept = Kept()

    def policy(self) -> Policy:
        """The active policy; the defaults of `Policy` where none was written."""
        return self._one("policy", "active", Policy) or Policy()

    def rate_cards(self) -> tuple[RateCard, ...]:
        """Every version of every rate card; which are in effect, `in_effect` says."""
        return self._all("rate_card", lambda items: tuple(_rate_card(item) for item in items)) or ()

    def zone_tables(self) -> dict[str, ZoneTable]:
        """Every zone table, by name."""
        return self._all("zone_table", lambda items: tables_of(_setting(ZoneRow, item) for item in items)) or {}

    def channel_account(self, channel: str, account: str) -> ChannelAccount | None:
        """The account of a channel, or None when it was never set up."""
        return self._one("channel_account", f"{channel}#{account}", ChannelAccount)

    def channel_accounts(self) -> dict[str, ChannelAccount | InvariantBroken]:
        """Every account of every channel, by name (`shopify#main`); one that can't be read is told as an error."""
        return self._all("channel_account", lambda items: {item["name"]: _account(item) for item in items}) or {}

    def stock_policy(self) -> StockPolicy:
        """When a counted difference needs a person; the defaults of `StockPolicy` where none was written."""
        return self._one("stock_policy", "active", StockPolicy) or StockPolicy()

    def availability_rules(self) -> AvailabilityRules:
        """How much of the stock channels may not sell; without any rule they may sell all."""
        return self._one("availability", "rules", AvailabilityRules) or AvailabilityRules()

    def routing_policy(self) -> RoutingPolicy:
        """What routing works by; `RoutingPolicy()`, version 0, where none was activated."""
        return self._routing_policy(routing_policies.ACTIVE) or RoutingPolicy()

    def routing_policy_version(self, version: int) -> RoutingPolicy | None:
        """The policy an order was routed by, or None where there is no such version."""
        return self._routing_policy(routing_policies.row_name(version)) if version else RoutingPolicy()

    def _all(self, kind: str, shape: Callable[[list[dict[str, Any]]], T]) -> T | None:
        """What all items of a kind make; None where there is none. A kind holds few items: tens of cards, and a row
        of a zone table per area that goods leave from."""
        known, value = self._kept.get(kind)
        if known:
            return value  # type: ignore[no-any-return]
        items = self.table.query_all("#kind = :kind", {":kind": kind})
        return self._kept.put(kind, shape(items)) if items else None  # not kept: what is set up now must work now

    def _routing_policy(self, name: str) -> RoutingPolicy | None:
        known, value = self._kept.get(f"{routing_policies.KIND}/{name}")
        if known:
            return value  # type: ignore[no-any-return]
        item = self.table.get({"kind": routing_policies.KIND, "name": name}, consistent=False)
        if item is None:
            return None  # not kept: what is activated now must hold now
        return self._kept.put(f"{routing_policies.KIND}/{name}", routing_policies.decode(item).document)

    def _one(self, kind: str, name: str, shape: type[T]) -> T | None:
        known, value = self._kept.get(f"{kind}/{name}")
        if known:
            return value  # type: ignore[no-any-return]
        item = self.table.get({"kind": kind, "name": name}, consistent=False)
        if item is None:
            return None  # not kept: what is set up now must work now
        return self._kept.put(f"{kind}/{name}", _setting(shape, item))


def _account(item: dict[str, Any]) -> ChannelAccount | InvariantBroken:
    """What is wrong with one account is no reason to leave the others alone."""
    try:
        return _setting(ChannelAccount, item)
    except InvariantBroken as error:
        return error


def _rate_card(item: dict[str, Any]) -> RateCard:
    """The card of an item named `<name>#<version>`. Raises InvariantBroken for another name."""
    name, _, version = item["name"].rpartition("#")
    if not (version.isascii() and version.isdigit()):
        raise InvariantBroken(f"settings: rate_card {item['name']!r} is not named <name>#<version>")
    return _setting(RateCard, item, name=name, version=int(version))


def _setting(shape: type[T], item: dict[str, Any], **parts: Any) -> T:
    """What an item of `settings` says, with other `parts` of it where given. Raises InvariantBroken naming the item:
    routing by the others alone would be wrong without anybody noticing."""
    try:
        return from_document(shape, item | parts)
    except msgspec.ValidationError as error:
        raise InvariantBroken(f"settings: {item['kind']} {item['name']!r} can't be read: {error}") from error
