"""A routing plan in the making: what each location has taken on, and what is still open.

Stock is counted by what lies on shelves: a unit of a kit takes units of all its components, from one location, and
lines that share a sku share its stock.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import islice

from oms.domain.catalog import Location
from oms.domain.order import Line
from oms.domain.rates import RateCard

MAX_KIT_PLACEMENTS = 200
"""How many ways to place the kits of an order are tried at most, where lines compete for the same components."""

MAX_KIT_PLACES = 100
"""With how many pairs of a kit line and a location."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Site:
    """A location that may ship the order, with the units it could promise, by stocked sku.

    `zone` is None where nothing travels and nothing is paid.
    """

    location: Location
    available: Mapping[str, int]
    card: RateCard
    zone: int | None

    @property
    def location_id(self) -> str:
        """The location's id."""
        return self.location.location_id

    def may_ship(self, line: Line) -> bool:
        """Whether this location was not excluded for the line."""
        return self.location_id not in line.excluded_locations

    def has(self, needed: Mapping[str, int]) -> bool:
        """Whether the location has these units of every sku."""
        return all(self.available.get(sku, 0) >= units for sku, units in needed.items())

    def price_minor(self, grams: int) -> int:
        """The price of one parcel from here."""
        return 0 if self.zone is None else self.card.zone_price_minor(self.zone, grams)


def splittable(lines: Iterable[Line], sites: Sequence[Site]) -> frozenset[str]:
    """The ids of the lines that no location has whole: only these are split across locations."""
    return frozenset(line.line_id for line in lines if not _someone_has_whole(line, sites))


def _someone_has_whole(line: Line, sites: Sequence[Site]) -> bool:
    needed = line.stock_units(line.unallocated)
    return any(site.may_ship(line) and site.has(needed) for site in sites)


class Draft:
    """What each location took (`taken`: location_id → line_id → units) and what is `open` (line_id → units)."""

    def __init__(self, lines: Iterable[Line], sites: Iterable[Site], split: frozenset[str] = frozenset()) -> None:
        """`split` names the lines that may be split across locations."""
        self.lines = {line.line_id: line for line in lines}
        self.sites = {site.location_id: site for site in sites}
        self.open = {line_id: line.unallocated for line_id, line in self.lines.items()}
        self.taken: dict[str, Counter[str]] = {}
        self._used: Counter[tuple[str, str]] = Counter()
        self._split = split

    @property
    def is_complete(self) -> bool:
        """Whether nothing is open."""
        return not any(self.open.values())

    @property
    def cost_minor(self) -> int:
        """The sum of the prices of all parcels."""
        return sum(self.price_minor(location_id, units) for location_id, units in self.taken.items())

    @property
    def missing(self) -> dict[str, int]:
        """Units of each stocked sku in what is still open."""
        missing: dict[str, int] = {}
        for line_id, units in self.open.items():
            if units:
                _add(missing, self.lines[line_id].stock_units(units))
        return missing

    def price_minor(self, location_id: str, units: Mapping[str, int]) -> int:
        """The price of one parcel with these units (by line_id) from the location."""
        grams = sum(self.lines[line_id].unit_grams * quantity for line_id, quantity in units.items())
        return self.sites[location_id].price_minor(grams)

    def offer(self, site: Site) -> dict[str, int]:
        """What the location can add: whole lines first, then parts of lines that no location has whole."""
        open_lines = [line for line in self.lines.values() if self.open[line.line_id] and site.may_ship(line)]
        used: dict[str, int] = {}
        offered: dict[str, int] = {}
        for line in sorted(open_lines, key=lambda line: line.line_id in self._split):
            wanted = self.open[line.line_id]
            units = min(wanted, self.room(site, line, used))
            if units and (units == wanted or line.line_id in self._split):
                offered[line.line_id] = units
                _add(used, line.stock_units(units))
        return offered

    def take(self, location_id: str, units: Mapping[str, int]) -> None:
        """Give these open units (by line_id) to the location; units below zero are taken back from it."""
        for line_id, quantity in units.items():
            self._move(location_id, line_id, quantity)
            self.open[line_id] -= quantity

    def complete_by_moving(self) -> None:
        """Place what is still open by moving units of the same sku aside, as far as there is stock at all.

        Needed only where several lines of one sku compete, perhaps with different excluded locations. This is
        the augmenting path method (Ford and Fulkerson): without kits, what stays open afterwards is really short.
        Kits, which need several skus at once, are placed first and are not moved.
        """
        for line in sorted(self.lines.values(), key=lambda line: not line.components):
            while self.open[line.line_id]:
                placed = self._place(line, self.open[line.line_id], {line.line_id})
                if not placed:
                    break
                self.open[line.line_id] -= placed

    def _place(self, line: Line, units: int, seen: set[str]) -> int:
        """Find room for up to `units` of the line, locations in use first; returns the units placed."""
        allowed = [site for site in self.sites.values() if site.may_ship(line)]
        allowed.sort(key=lambda site: (not self.room(site, line), site.location_id not in self.taken))
        for site in allowed:
            placed = min(units, self.room(site, line)) or self._displace(site, line, units, seen)
            if placed:
                self._move(site.location_id, line.line_id, placed)
                return placed
        return 0

    def _displace(self, site: Site, line: Line, units: int, seen: set[str]) -> int:
        """Move another line of the sku from this location to elsewhere; returns the units freed here."""
        here = self.taken.get(site.location_id, Counter())
        rivals = [self.lines[one] for one, n in here.items() if n and one not in seen]
        for rival in [one for one in rivals if one.sku == line.sku and not (one.components or line.components)]:
            seen.add(rival.line_id)
            freed = self._place(rival, min(units, here[rival.line_id]), seen)
            if freed:
                self._move(site.location_id, rival.line_id, -freed)
                return freed
        return 0

    def room(self, site: Site, line: Line, used: Mapping[str, int] | None = None) -> int:
        """Units of the line that the location has stock for; `used` is stock promised beside what was taken."""
        if not line.components:
            return self._left(site, line.sku, used)
        return min(self._left(site, one.sku, used) // one.quantity for one in line.components)

    def _left(self, site: Site, sku: str, used: Mapping[str, int] | None) -> int:
        left = site.available.get(sku, 0) - self._used[site.location_id, sku]
        return max(0, left - used.get(sku, 0) if used else left)

    def _move(self, location_id: str, line_id: str, quantity: int) -> None:
        for sku, units in self.lines[line_id].stock_units(quantity).items():
            self._used[location_id, sku] += units
        here = self.taken.setdefault(location_id, Counter())
        here[line_id] += quantity
        if not here[line_id]:
            del here[line_id]
        if not here:
            del self.taken[location_id]


def demand(lines: Iterable[Line]) -> dict[str, int]:
    """Units of each stocked sku that the open units of the lines take together."""
    wanted: dict[str, int] = {}
    for line in lines:
        _add(wanted, line.stock_units(line.unallocated))
    return wanted


def _add(total: dict[str, int], units: Mapping[str, int]) -> None:
    for sku, quantity in units.items():
        total[sku] = total.get(sku, 0) + quantity


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


def fitted(lines: Sequence[Line], sites: Sequence[Site]) -> Draft | None:
    """A draft that has everything in it, whatever it costs; None if no way to place the kits leaves enough.

    Tries at most MAX_KIT_PLACEMENTS ways at MAX_KIT_PLACES, so with many it may miss one.
    """
    blank = Draft(lines, sites)
    kits = (line for line in lines if line.components)
    places = [(kit, site) for kit in kits for site in sites if site.may_ship(kit) and blank.room(site, kit)]
    for placement in islice(_placements(blank, places[:MAX_KIT_PLACES]), MAX_KIT_PLACEMENTS):
        draft = Draft(lines, sites)
        for location_id, units in placement.items():
            draft.take(location_id, units)
        draft.complete_by_moving()
        if draft.is_complete:
            return draft
    return None


def _placements(draft: Draft, places: Sequence[tuple[Line, Site]]) -> Iterator[dict[str, dict[str, int]]]:
    """Ways to give the open kits to these locations, as many units to the first as it can take."""
    if not places:
        yield {location_id: dict(units) for location_id, units in draft.taken.items()}
        return
    (line, site), later = places[0], places[1:]
    most = min(draft.open[line.line_id], draft.room(site, line))
    for units in range(most, -1, -1):
        draft.take(site.location_id, {line.line_id: units})
        yield from _placements(draft, later)
        draft.take(site.location_id, {line.line_id: -units})
