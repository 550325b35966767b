"""Whether what an order names is set up: its account, its skus, its locations."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple

from oms.domain.incoming import IncomingOrder
from oms.domain.listings import ListingKey
from oms.stores.listings import ListingsStore
from oms.stores.reference_data import LocationsStore, ProductsStore, SettingsStore


class Unknown(NamedTuple):
    """What of an order is not known, by field."""

    field: str
    reason: str
    message: str


@dataclass(frozen=True, slots=True)
class Known:
    """The reference data of a stage, as orders name it."""

    products: ProductsStore
    listings: ListingsStore
    locations: LocationsStore
    settings: SettingsStore

    def faults(self, order: IncomingOrder) -> Iterator[Unknown]:
        """Everything the order names that was never set up. Raises Retryable."""
        yield from self._unknown_account(order)
        yield from self._unknown_skus(order)
        yield from self._unknown_places(order)

    def _unknown_account(self, order: IncomingOrder) -> Iterator[Unknown]:
        if self.settings.channel_account(order.channel, order.account) is None:
            message = f"settings has no channel_account {order.channel}#{order.account}"
            yield Unknown("account", "UNKNOWN_ACCOUNT", message)

    def _unknown_skus(self, order: IncomingOrder) -> Iterator[Unknown]:
        known = self.products.get_many(line.sku for line in order.lines)
        for number, line in enumerate(order.lines):
            listing = ListingKey(f"{order.channel}#{order.account}", line.sku)
            if line.requires_shipping and line.sku not in known and self.listings.get(listing) is None:
                message = f"no product {line.sku}, and no listing of the account"
                yield Unknown(f"lines.{number}.sku", "UNKNOWN_SKU", message)

    def _unknown_places(self, order: IncomingOrder) -> Iterator[Unknown]:
        known = {one.location_id for one in self.locations.all()}
        named = {"pickup_location_id": order.pickup_location_id, "sold_at_location_id": order.sold_at_location_id}
        for name, location_id in named.items():
            if location_id and location_id not in known:
                yield Unknown(name, "UNKNOWN_LOCATION", f"no location {location_id}")
