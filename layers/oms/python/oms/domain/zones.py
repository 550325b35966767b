"""Zone tables: how far, in zones of a carrier, a parcel travels between two postal areas of one country.

A table has a row per area of origin; a row says which destinations are in which zone. Stored in `settings` as kind
`zone_table`, one item per row, name `<table>#<area of origin>`:

    {"table": "us-2026", "country": "US", "origin": "100", "ranges": {"005-009": 2, "100-102": 1, "900-961": 8}}

An area is the beginning of a postal code, in capitals and without spaces; a range names its first and its last area,
which are of equal length. The longest area that a postal code begins with counts, of origins and of destinations.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from itertools import pairwise

MAX_RANGES = 20_000
"""Ranges of one row: some 300 KB, below what an item may hold."""

MAX_AREA_LENGTH = 8

_Stretch = tuple[str, str, int]
_ByLength = dict[int, tuple[list[str], list[_Stretch]]]


@dataclass(frozen=True, slots=True, kw_only=True)
class ZoneRow:
    """The zones of all parcels from one postal area, as stored. Raises ValueError for a row that can't be right."""

    table: str
    country: str
    origin: str
    ranges: dict[str, int]

    def __post_init__(self) -> None:
        for name in ("table", "country", "origin"):
            if not getattr(self, name):
                raise ValueError(f"{name} must be given")
        if "#" in self.table:
            raise ValueError("table must not contain #")
        if not is_country(self.country):
            raise ValueError("country must be two capitals (ISO 3166)")
        _require_area(self.origin, "origin")
        if not 0 < len(self.ranges) <= MAX_RANGES:
            raise ValueError(f"ranges must be given, at most {MAX_RANGES}")
        stretches(self.ranges)

    @property
    def name(self) -> str:
        """The row's name in `settings`."""
        return f"{self.table}#{self.origin}"


@dataclass(frozen=True, slots=True)
class ZoneTable:
    """All rows of one table, ready to be asked. Raises ValueError for rows of several tables or countries, and for
    two rows of one origin."""

    rows: tuple[ZoneRow, ...]
    country: str = field(init=False)
    _by_origin: dict[str, _ByLength] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        for name in ("table", "country"):
            if len({getattr(row, name) for row in self.rows}) != 1:
                raise ValueError(f"{name} must be the same in all rows of a table")
        expanded = {row.origin: _by_length(row) for row in self.rows}
        if len(expanded) != len(self.rows):
            raise ValueError("origin must differ from row to row")
        object.__setattr__(self, "country", self.rows[0].country)
        object.__setattr__(self, "_by_origin", expanded)

    def zone(self, country: str, origin: str, destination: str) -> int | None:
        """The zone between two postal codes (or beginnings of them) of a country; None where the table does not say."""
        if country != self.country:
            return None
        origin, destination = area_of(origin), area_of(destination)
        for length in range(min(len(origin), MAX_AREA_LENGTH), 0, -1):
            row = self._by_origin.get(origin[:length])
            if row is not None:
                return _zone_in(row, destination)
        return None


def area_of(postal_code: str) -> str:
    """A postal code as areas are written: capitals, without spaces and hyphens."""
    return postal_code.replace(" ", "").replace("-", "").upper()


def is_country(text: str) -> bool:
    """Whether this is how addresses name a country: two capitals (ISO 3166). Another spelling would never be met."""
    return len(text) == 2 and text.isascii() and text.isalpha() and text.isupper()


def stretches(ranges: dict[str, int]) -> list[_Stretch]:
    """Ranges as (first area, last area, zone), by length and then in order. Raises ValueError for a range that is
    none, for a zone below 1 and for two ranges that overlap."""
    found = sorted((_stretch(text, zone) for text, zone in ranges.items()), key=lambda one: (len(one[0]), one[0]))
    for before, after in pairwise(found):
        if len(before[0]) == len(after[0]) and after[0] <= before[1]:
            raise ValueError(f"ranges must not overlap: {_text(before)} and {_text(after)}")
    return found


def compressed(zones: Sequence[tuple[str, int]]) -> dict[str, int]:
    """Ranges of areas of equal length that follow each other in `zones` with one zone: what a row stores of them."""
    ranges: list[_Stretch] = []
    for area, zone in zones:
        if ranges and ranges[-1][2] == zone and len(ranges[-1][0]) == len(area):
            ranges[-1] = (ranges[-1][0], area, zone)
        else:
            ranges.append((area, area, zone))
    return {_text(one): one[2] for one in ranges}


def tables_of(rows: Iterable[ZoneRow]) -> dict[str, ZoneTable]:
    """The rows as tables, by name. Raises ValueError as ZoneTable does."""
    by_table: dict[str, list[ZoneRow]] = {}
    for row in rows:
        by_table.setdefault(row.table, []).append(row)
    return {table: ZoneTable(tuple(some)) for table, some in by_table.items()}


def _stretch(text: str, zone: int) -> _Stretch:
    first, _, last = text.partition("-")
    last = last or first
    _require_area(first, f"ranges {text!r}")
    _require_area(last, f"ranges {text!r}")
    if len(first) != len(last) or first > last:
        raise ValueError(f"ranges {text!r} must go from an area to a later one of the same length")
    if zone < 1:
        raise ValueError(f"ranges {text!r} must have a zone from 1")
    return first, last, zone


def _require_area(area: str, name: str) -> None:
    if not (area.isascii() and area.isalnum() and area == area.upper() and len(area) <= MAX_AREA_LENGTH):
        raise ValueError(f"{name} must be 1 to {MAX_AREA_LENGTH} digits and capitals, the beginning of a postal code")


def _text(stretch: _Stretch) -> str:
    first, last, _ = stretch
    return first if first == last else f"{first}-{last}"


def _by_length(row: ZoneRow) -> _ByLength:
    """The row's ranges by the length of their areas, longest first, with where each begins."""
    by_length: dict[int, list[_Stretch]] = {}
    for one in reversed(stretches(row.ranges)):
        by_length.setdefault(len(one[0]), []).insert(0, one)
    return {length: ([one[0] for one in some], some) for length, some in by_length.items()}


def _zone_in(row: _ByLength, destination: str) -> int | None:
    for length, (firsts, some) in row.items():
        area = destination[:length]
        at = bisect_right(firsts, area) - 1
        if len(area) == length and at >= 0 and area <= some[at][1]:
            return some[at][2]
    return None
