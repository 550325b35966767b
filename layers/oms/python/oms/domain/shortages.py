"""Shortages: which units the locations that may ship an order don't have, however it is shared out among them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from oms.domain.catalog import Location
from oms.domain.order import Line


@dataclass(frozen=True, slots=True, kw_only=True)
class Shelf:
    """What a location that may ship the order could promise now, by stocked sku."""

    location: Location
    available: Mapping[str, int]

    @property
    def location_id(self) -> str:
        """The location's id."""
        return self.location.location_id

    def may_ship(self, line: Line) -> bool:
        """Whether this location can handle the line and was not excluded for it."""
        able = not line.needs or set(line.needs).issubset(self.location.capabilities)
        return able and self.location_id not in line.excluded_locations


def shortage(lines: Sequence[Line], shelves: Sequence[Shelf], *, kits_whole: bool = False) -> dict[str, int]:
    """Units of each stocked sku that are short in all; nothing where there is enough.

    A kit's components may lie apart, unless `kits_whole`: then what its units want is short that can't be put together
    at any location, all components of it.
    """
    sharing = _Sharing(lines if kits_whole else parts(lines), shelves)
    sharing.complete()
    return sharing.missing


def parts(lines: Iterable[Line]) -> list[Line]:
    """The lines with every kit taken apart, as if its components could ship from different locations."""
    taken_apart: list[Line] = []
    for line in lines:
        if line.components:
            taken_apart += [
                replace(line, line_id=f"{line.line_id}/{sku}", sku=sku, unallocated=units, components=())
                for sku, units in line.stock_units(line.unallocated).items()
            ]
        else:
            taken_apart.append(line)
    return taken_apart


class _Sharing:
    """What each location took (`taken`: location_id → line_id → units) and what is `open` (line_id → units)."""

    def __init__(self, lines: Iterable[Line], shelves: Iterable[Shelf]) -> None:
        self.lines = {line.line_id: line for line in lines}
        self.shelves = list(shelves)
        self.open = {line_id: line.unallocated for line_id, line in self.lines.items()}
        self.taken: dict[str, Counter[str]] = {}
        self._used: Counter[tuple[str, str]] = Counter()

    @property
    def missing(self) -> dict[str, int]:
        """Units of each stocked sku in what is still open."""
        missing: dict[str, int] = {}
        for line_id, units in self.open.items():
            if units:
                for sku, needed in self.lines[line_id].stock_units(units).items():
                    missing[sku] = missing.get(sku, 0) + needed
        return missing

    def complete(self) -> None:
        """Places what is open, moving units of the same sku aside, as far as there is stock at all.

        This is the augmenting path method (Ford and Fulkerson): without kits, what stays open is really short. Kits,
        which need several skus at once, are placed first and are not moved.
        """
        for line in sorted(self.lines.values(), key=lambda line: not line.components):
            while self.open[line.line_id]:
                placed = self._place(line, self.open[line.line_id], {line.line_id})
                if not placed:
                    break
                self.open[line.line_id] -= placed

    def _place(self, line: Line, units: int, seen: set[str]) -> int:
        """Finds room for up to `units` of the line; returns the units placed."""
        allowed = [shelf for shelf in self.shelves if shelf.may_ship(line)]
        for shelf in sorted(allowed, key=lambda shelf: not self._room(shelf, line)):
            placed = min(units, self._room(shelf, line)) or self._displace(shelf, line, units, seen)
            if placed:
                self._move(shelf.location_id, line, placed)
                return placed
        return 0

    def _displace(self, shelf: Shelf, line: Line, units: int, seen: set[str]) -> int:
        """Moves another line of the sku from this location to elsewhere; returns the units freed here."""
        here = self.taken.get(shelf.location_id, Counter())
        rivals = [self.lines[one] for one, n in here.items() if n and one not in seen]
        for rival in [one for one in rivals if one.sku == line.sku and not (one.components or line.components)]:
            seen.add(rival.line_id)
            freed = self._place(rival, min(units, here[rival.line_id]), seen)
            if freed:
                self._move(shelf.location_id, rival, -freed)
                return freed
        return 0

    def _room(self, shelf: Shelf, line: Line) -> int:
        """Units of the line that the location has stock for."""
        return max(0, min(self._left(shelf, sku) // needed for sku, needed in line.stock_units(1).items()))

    def _left(self, shelf: Shelf, sku: str) -> int:
        return shelf.available.get(sku, 0) - self._used[shelf.location_id, sku]

    def _move(self, location_id: str, line: Line, quantity: int) -> None:
        for sku, units in line.stock_units(quantity).items():
            self._used[location_id, sku] += units
        here = self.taken.setdefault(location_id, Counter())
        here[line.line_id] += quantity
