"""Kits: what is sold as one thing and lies on shelves as several.

A kit is taken apart once, when the order comes in: its line keeps the components from then on.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from oms.domain.catalog import Product
from oms.domain.order import Capability, Component

MAX_KIT_COMPONENTS = 19
"""Positions and backorder rows of all components of a line, and the location's day, must fit one change (see
MAX_POSITIONS_PER_CHANGE)."""


def components_of(product: Product) -> tuple[Component, ...]:
    """The components of a kit, each sku once. None for what is no kit, or a kit that can't be taken apart."""
    units: dict[str, int] = {}
    for one in product.kit_components:
        units[one.sku] = units.get(one.sku, 0) + one.quantity
    if len(units) > MAX_KIT_COMPONENTS or any(quantity < 1 for quantity in units.values()):
        return ()
    return tuple(Component(sku=sku, quantity=quantity) for sku, quantity in units.items())


def grams_of(product: Product, products: Mapping[str, Product]) -> int:
    """The weight of one unit; of a kit that names none, the sum of its components, as far as they are known."""
    if product.grams or not product.kit_components:
        return product.grams
    return sum(one.grams * units for one, units in _known_components(product, products))


def cm3_of(product: Product, products: Mapping[str, Product]) -> int:
    """The packed volume of one unit; of a kit that names none, the sum of its components, as far as they are known."""
    if product.cm3 or not product.kit_components:
        return product.cm3
    return sum(one.cm3 * units for one, units in _known_components(product, products))


def needs_of(product: Product, products: Mapping[str, Product]) -> tuple[Capability, ...]:
    """What a location must be able to handle to ship it: of a kit, also what its components need."""
    needs = {*product.needs, *(need for one, _ in _known_components(product, products) for need in one.needs)}
    return tuple(sorted(needs))


def product_facts(sku: str, products: Mapping[str, Product]) -> dict[str, Any]:
    """What an order line keeps of its product; nothing of one that is not in the catalogue."""
    product = products.get(sku)
    if product is None:
        return {}
    return {
        "unit_grams": grams_of(product, products),
        "unit_cm3": cm3_of(product, products),
        "needs": needs_of(product, products),
        "components": components_of(product),
    }


def _known_components(product: Product, products: Mapping[str, Product]) -> list[tuple[Product, int]]:
    """The components that are in the catalogue, with their units in one kit."""
    return [(products[one.sku], one.quantity) for one in components_of(product) if one.sku in products]


def unknown_components(kits: Iterable[Product], products: Mapping[str, Product]) -> list[str]:
    """Components that are not in the catalogue, as a person reads them: `LID in SET`."""
    return [f"{one.sku} in {kit.sku}" for kit in kits for one in kit.kit_components if one.sku not in products]


def inseparable(kits: Iterable[Product], products: Mapping[str, Product]) -> list[str]:
    """What keeps kits from being taken apart: a component that is a kit, or components that no order can hold."""
    found = []
    for kit in kits:
        nested = [one.sku for one in kit.kit_components if one.sku in products and products[one.sku].kit_components]
        found += [f"{sku} in {kit.sku}" for sku in nested]
        if kit.kit_components and not components_of(kit):
            found.append(kit.sku)
    return found
