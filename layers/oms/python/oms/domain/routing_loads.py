"""Loads: what may lie in a parcel, which sites have it, and what it weighs.

The pieces of a load are one whole number, its code, with a field of bits per item. A field holds the pieces of its
item and one guard bit above them, always zero in a load: so adding and taking away loads is adding and taking away
numbers, and one load is part of another if no guard bit is borrowed. Sites are one byte each of another number, 1
where the site has room: the sites of two loads together are the `&` of theirs.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import partial
from typing import NamedTuple

from oms.domain.order import Capability
from oms.domain.routing_model import Item

NOTHING: frozenset[Capability] = frozenset()


class Having:
    """Which sites have how many pieces of an item: `rooms` are those of each item, site by site."""

    def __init__(self, rooms: Sequence[Sequence[int]]) -> None:
        self._rooms = rooms
        self.one = [int.from_bytes(bytes(map(bool, room)), "little") for room in rooms]
        self._known: dict[tuple[int, int], int] = {}

    def sites(self, item: int, pieces: int) -> int:
        """The sites with room for so many pieces of the item."""
        if pieces == 1:
            return self.one[item]
        known = self._known.get((item, pieces))
        if known is None:
            known = int.from_bytes(bytes(map(pieces.__le__, self._rooms[item])), "little")
            self._known[item, pieces] = known
        return known


class Load(NamedTuple):
    """Pieces, the sites that have them, and what prices ask for."""

    code: int
    sites: int
    grams: int
    cm3: int
    goods: int
    needs: frozenset[Capability]


_new_load = partial(tuple.__new__, Load)
"""As `Load`, in a third of the time."""


class Loads:
    """The loads of an order's items, in the order given."""

    def __init__(self, items: Sequence[Item]) -> None:
        self.items = items
        self.shifts: list[int] = []
        self.masks: list[int] = []
        self.whole = self.guard = at = 0
        for item in items:
            width = item.pieces.bit_length()
            self.shifts.append(at)
            self.masks.append((1 << width) - 1 << at)
            self.whole |= item.pieces << at
            self.guard |= 1 << at + width
            at += width + 1

    def parts(self, code: int) -> Iterator[tuple[int, int]]:
        """(item, pieces) of every item in the load."""
        for number, (mask, shift) in enumerate(zip(self.masks, self.shifts, strict=True)):
            if code & mask:
                yield number, (code & mask) >> shift

    def pieces(self, code: int) -> tuple[int, ...]:
        """How many pieces of each item are in the load."""
        return tuple((code & mask) >> shift for mask, shift in zip(self.masks, self.shifts, strict=True))

    def code(self, pieces: Sequence[int]) -> int:
        """The load with so many pieces of each item."""
        return sum(number << shift for number, shift in zip(pieces, self.shifts, strict=True))

    def fits(self, code: int, rest: int) -> bool:
        """Whether the load is part of the rest."""
        return ((rest | self.guard) - code) & self.guard == self.guard

    def sharing(self) -> list[tuple[str, list[tuple[int, int, int]]]]:
        """The skus that several items are made of, with (mask, shift, units in one piece) of each of these items."""
        takers: dict[str, list[tuple[int, int, int]]] = {}
        for item, mask, shift in zip(self.items, self.masks, self.shifts, strict=True):
            for sku, units in item.stock.items():
                takers.setdefault(sku, []).append((mask, shift, units))
        return [(sku, of_sku) for sku, of_sku in takers.items() if len(of_sku) > 1]

    def load(self, code: int, having: Having) -> Load:
        """The load with this code; its sites are those with room for each item alone."""
        grams = cm3 = goods = 0
        sites, needs = -1, NOTHING
        for number, pieces in self.parts(code):
            item = self.items[number]
            grams += item.grams * pieces
            cm3 += item.cm3 * pieces
            goods += item.goods * pieces
            needs |= item.needs
            sites &= having.sites(number, pieces)
        return Load(code, sites, grams, cm3, goods, needs)

    def listed(self, having: Having, most: int) -> list[Load] | None:
        """Every load but the empty one that some site has room for; None if they are more than `most`."""
        loads = [Load(0, -1, 0, 0, 0, NOTHING)]
        for number, (item, shift) in enumerate(zip(self.items, self.shifts, strict=True)):
            needs, base = item.needs, loads[:]
            for pieces in range(1, item.pieces + 1):
                row = having.sites(number, pieces)
                if not row:
                    break
                step, grams, cm3, goods = pieces << shift, item.grams * pieces, item.cm3 * pieces, item.goods * pieces
                loads += [
                    _new_load((code + step, both, weight + grams, volume + cm3, units + goods, asked | needs))
                    for code, sites, weight, volume, units, asked in base
                    if (both := sites & row)
                ]
                if len(loads) > most:
                    return None
        return loads[1:]


def first_site(sites: int) -> int:
    """The number of the first of these sites."""
    return (sites & -sites).bit_length() - 1 >> 3
