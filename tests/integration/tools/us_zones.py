"""Zones of the US by distance, as CSV: between the middles of three-digit postal areas, along the great circle."""

from __future__ import annotations

import csv
from bisect import bisect_left
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from math import asin, cos, radians, sin, sqrt
from pathlib import Path

from oms.domain.zones import compressed

POSTAL_CODES = Path(__file__).resolve().parents[4] / "shared" / "payloads" / "dataset_us_zip" / "all_us_zipcodes.csv"
MILES = (150, 300, 600, 1000, 1400, 1800)
"""Up to so many: zone 2, 3, 4, 5, 6, 7; further: 8. The area of the origin itself: 1."""

EARTH_MILES = 3958.8
AREA_LENGTH = 3

Middle = tuple[float, float]


def middles() -> dict[str, Middle]:
    """Latitude and longitude of each three-digit area, the mean of its postal codes."""
    places = defaultdict(list)
    with POSTAL_CODES.open(encoding="utf-8", newline="") as file:
        for row in csv.DictReader(file):
            if row["lat"] and row["lon"]:
                places[row["code"][:AREA_LENGTH]].append((float(row["lat"]), float(row["lon"])))
    return {
        area: (sum(lat for lat, _ in some) / len(some), sum(lon for _, lon in some) / len(some))
        for area, some in sorted(places.items())
    }


def zone(areas: Mapping[str, Middle], origin: str, destination: str) -> int:
    """The zone by distance."""
    return 1 if origin == destination else 2 + bisect_left(MILES, miles(areas[origin], areas[destination]))


def miles(one: Middle, other: Middle) -> float:
    """The great-circle distance (haversine)."""
    (lat, lon), (to_lat, to_lon) = (tuple(map(radians, place)) for place in (one, other))
    half = sin((to_lat - lat) / 2) ** 2 + cos(lat) * cos(to_lat) * sin((to_lon - lon) / 2) ** 2
    return 2 * EARTH_MILES * asin(sqrt(half))


def zone_csv(areas: Mapping[str, Middle], origins: Iterable[str]) -> Iterator[str]:
    """The lines of a CSV file with the zones from these origins to everywhere."""
    yield "country,origin,first,last,zone\n"
    for origin in origins:
        for text, number in compressed([(area, zone(areas, origin, area)) for area in areas]).items():
            first, _, last = text.partition("-")
            yield f"US,{origin},{first},{last},{number}\n"
