"""Whether intake will take an order: what it names is set up, its time has come; and what would put it in review."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import NamedTuple

from oms.domain.errors import InvalidOrder
from oms.domain.incoming import IncomingOrder
from oms.domain.intake import require_past, totals_difference
from oms.domain.intake_rules import TOTALS_MISMATCH, WRONG_CURRENCY
from oms.domain.listings import ListingKey
from oms.domain.money import format_minor
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

    def faults(self, order: IncomingOrder, now: datetime) -> Iterator[Unknown]:
        """Everything that intake would refuse: what was never set up, a time that is not yet. Raises Retryable."""
        yield from _not_yet(order, now)
        yield from self._unknown_account(order)
        yield from self._unknown_skus(order)
        yield from self._unknown_places(order)

    def doubt(self, order: IncomingOrder) -> Unknown | None:
        """What will put the order in review once it is taken, the first that intake would name. Raises Retryable."""
        account = self.settings.channel_account(order.channel, order.account)
        if account and account.currencies and order.currency not in account.currencies:
            message = f"not a currency of {order.channel}#{order.account}: the order will be in review"
            return Unknown("currency", WRONG_CURRENCY, message)
        difference = totals_difference(order)
        if not difference:
            return None
        message = f"off by {format_minor(difference, order.currency)}: the order will be in review"
        return Unknown("total_minor", TOTALS_MISMATCH, message)

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


def _not_yet(order: IncomingOrder, now: datetime) -> Iterator[Unknown]:
    """An imported order is as of the time at which it was placed."""
    try:
        require_past(order, now)
    except InvalidOrder as error:
        yield Unknown("placed_at", error.reason, "a time that is not yet: look at its date and its offset")
