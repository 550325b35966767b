"""An order's open lines as items that ship in pieces."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from oms.domain.order import Capability, Line, Order
from oms.domain.routing_model import Item

Stock = Mapping[str, Mapping[str, int]]
"""Units that could be promised, by sku and location_id."""

_NONE: frozenset[Capability] = frozenset()
_NOWHERE: frozenset[str] = frozenset()


def needed_units(order: Order) -> dict[str, int]:
    """Units of each stocked sku that the order still needs, summed over its lines."""
    units: dict[str, int] = {}
    for line in order.lines:
        if line.unallocated:
            for sku, quantity in line.stock_units(line.unallocated).items():
                units[sku] = units.get(sku, 0) + quantity
    return units


def items_of(lines: Sequence[Line]) -> list[Item]:
    """One item per line, in one piece; lines of one `together` mark are one item."""
    items: list[Item] = []
    groups: dict[str, list[Line]] = {}
    for line in lines:
        if not line.together:
            items.append(_item_of(line))
        elif line.together in groups:
            groups[line.together].append(line)
        else:
            groups[line.together] = [line]
    return items + [_item_together(group) for group in groups.values()]


def split_item(item: Item) -> Item:
    """The units of a line, each a piece of its own."""
    ((line_id, units),) = item.lines
    return Item(
        lines=((line_id, 1),),
        pieces=units,
        grams=item.grams // units,
        cm3=item.cm3 // units,
        goods=1,
        needs=item.needs,
        stock={sku: needed // units for sku, needed in item.stock.items()},
        excluded=item.excluded,
    )


def _item_of(line: Line) -> Item:
    units = line.unallocated
    return Item(
        lines=((line.line_id, units),),
        grams=line.unit_grams * units,
        cm3=line.unit_cm3 * units,
        goods=units,
        needs=frozenset(line.needs) if line.needs else _NONE,
        stock=line.stock_units(units),
        excluded=frozenset(line.excluded_locations) if line.excluded_locations else _NOWHERE,
    )


def _item_together(lines: Sequence[Line]) -> Item:
    items = [_item_of(line) for line in lines]
    stock: dict[str, int] = {}
    for item in items:
        for sku, units in item.stock.items():
            stock[sku] = stock.get(sku, 0) + units
    return Item(
        lines=tuple(line for item in items for line in item.lines),
        grams=sum(item.grams for item in items),
        cm3=sum(item.cm3 for item in items),
        goods=sum(item.goods for item in items),
        needs=frozenset(need for item in items for need in item.needs),
        stock=stock,
        excluded=frozenset(one for item in items for one in item.excluded),
        together=True,
    )
