"""Availability: reads every term of the formula as it is now, and lets the domain count."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

from oms.domain.availability import Availability, Demand, Market, of_kit, of_product
from oms.domain.catalog import Product
from oms.domain.errors import NotFound
from oms.domain.kits import components_of
from oms.domain.order import ShipTo
from oms.domain.rates import in_effect

if TYPE_CHECKING:
    from oms.stores.backorders import BackordersStore
    from oms.stores.open_lines import OpenLinesStore
    from oms.stores.reference_data import LocationsStore, ProductsStore, SettingsStore
    from oms.stores.stock import StockStore


@dataclass(frozen=True, slots=True)
class Availabilities:
    """What may be sold. Stock and what waits for it are read strongly; orders without a location yet, and the
    company's rules, products and locations may be seconds old."""

    stock: StockStore
    backorders: BackordersStore
    open_lines: OpenLinesStore
    products: ProductsStore
    locations: LocationsStore
    settings: SettingsStore

    def of_skus(
        self, skus: Collection[str], now: datetime, *, channel: str | None = None, ship_to: ShipTo | None = None
    ) -> dict[str, Availability]:
        """The figures of these skus and of the components of the kits among them.

        Raises NotFound naming an account that was never set up, or the skus that are no products.
        """
        if channel is not None:
            self._require_account(channel)
        products = self.products.get_many(skus)
        unknown = sorted(set(skus) - set(products))
        if unknown:
            raise NotFound("there is no such product", sku=unknown)
        return self._figures(products, self._market(now, channel, ship_to))

    def published(self, sku: str, channel: str, now: datetime) -> int:
        """Units of the sku that the channel is told it may sell; none of a sku that is no product any more."""
        products = self.products.get_many([sku])
        return self._figures(products, self._market(now, channel, None))[sku].available_to_sell if products else 0

    def _figures(self, products: Mapping[str, Product], market: Market) -> dict[str, Availability]:
        kits = {sku: product for sku, product in products.items() if product.kit_components}
        components = self.products.get_many(one.sku for kit in kits.values() for one in components_of(kit))
        stocked = {sku: one for sku, one in {**components, **products}.items() if not one.kit_components}
        figures = {sku: self._of_stocked(product, market) for sku, product in stocked.items()}
        return figures | {sku: of_kit(kit, figures, market) for sku, kit in kits.items()}

    def _of_stocked(self, product: Product, market: Market) -> Availability:
        """Waiting orders are read before the stock: units that one of them gets meanwhile count twice, not never."""
        known = self.open_lines.unallocated(product.sku)
        demand = Demand(
            backordered=sum(row.quantity for row in self.backorders.of_sku(product.sku)),
            unallocated=max(0, known.total - known.backordered),
        )
        return of_product(product, self.stock.of_sku(product.sku), demand, market)

    def _market(self, now: datetime, channel: str | None, ship_to: ShipTo | None) -> Market:
        return Market(
            at=now,
            channel=channel,
            ship_to=ship_to,
            rules=self.settings.availability_rules(),
            locations={one.location_id: one for one in self.locations.all()},
            cards=in_effect(self.settings.rate_cards(), now.date()) if ship_to else (),
            zone_tables=self.settings.zone_tables() if ship_to else {},
        )

    def _require_account(self, channel_account: str) -> None:
        channel, _, account = channel_account.partition("#")
        if self.settings.channel_account(channel, account) is None:
            raise NotFound("there is no such channel account", channel=channel_account)
