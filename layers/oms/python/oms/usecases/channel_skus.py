"""What a channel calls our goods: by its listing, or by our own name where nothing is listed."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from oms.domain.errors import InvalidOrder, UnmappedSku

if TYPE_CHECKING:
    from oms.domain.catalog import Product
    from oms.domain.incoming import IncomingLine, IncomingOrder
    from oms.stores.listings import ListingsStore
    from oms.stores.reference_data import ProductsStore


@dataclass(frozen=True, slots=True)
class OurSkus:
    """A channel's order under our names for its goods, and the products that are known of it, with those that kits are
    made of."""

    incoming: IncomingOrder
    products: Mapping[str, Product]


@dataclass(frozen=True, slots=True)
class ChannelSkus:
    """Finds our names; `listings` is not needed where orders come in under them."""

    products: ProductsStore
    listings: ListingsStore | None = None

    def products_of(self, skus: Collection[str]) -> dict[str, Product]:
        """The products there are of these skus, and of the components of kits among them."""
        products = self.products.get_many(skus)
        return products | self.products.get_many(one.sku for kit in products.values() for one in kit.kit_components)

    def translate(self, incoming: IncomingOrder) -> OurSkus:
        """The order under our names; what is not listed keeps the channel's. Raises Throttled."""
        names = {line.sku for line in incoming.lines if line.sku}
        account = f"{incoming.channel}#{incoming.account}"
        skus = self.listings.skus_of(account, sorted(names)) if self.listings and names else {}
        lines = tuple(_renamed(line, skus.get(line.sku, line.sku)) for line in incoming.lines)
        return OurSkus(replace(incoming, lines=lines), self.products_of({line.sku for line in lines}))

    def require(self, told: IncomingOrder, ours: OurSkus, line_ids: Collection[str]) -> None:
        """Raises UnmappedSku, or InvalidOrder with NO_SKU, where one of these lines names no goods of ours. `told` is
        the order under the channel's own names."""
        if self.listings is None:
            return
        lines = list(zip(told.lines, ours.incoming.lines, strict=True))
        unknown = [
            (number, line.sku)
            for number, (line, our) in enumerate(lines)
            if line.line_id in line_ids and our.sku not in ours.products
        ]
        for number, sku in unknown:
            if not sku:
                raise InvalidOrder("a line names no goods", field=f"lines.{number}.sku", reason="NO_SKU")
        if unknown:
            names = tuple(dict.fromkeys(sku for _, sku in unknown))
            raise UnmappedSku(names, field=f"lines.{unknown[0][0]}.sku")


def _renamed(line: IncomingLine, sku: str) -> IncomingLine:
    return line if sku == line.sku else replace(line, sku=sku, channel_sku=line.sku)
