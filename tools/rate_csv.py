"""Rate cards and zone tables out of CSV files, with every bad cell named by line, column and reason.

Prices of the services of one card, money in minor units of its currency:

    service,record,up_to_grams,zone_1,zone_2,zone_3
    GROUND,PRICE,500,560,595,630          a parcel of at most 500 g, per zone
    GROUND,PRICE,1000,640,695,750
    GROUND,EXTRA_KG,,40,48,60             each kilogram begun above the last PRICE; may be left out
    GROUND,TRANSIT_DAYS,,1,2,3            working days of the carrier; may be left out

Zones of one table; `last` may be empty, then the range is one area:

    country,origin,first,last,zone
    US,100,100,102,1
    US,100,005,099,2
"""

from __future__ import annotations

import csv
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, fields
from itertools import pairwise
from typing import Any

import msgspec

from oms.domain.rates import CarrierService, RateCard
from oms.domain.surcharges import MAX_GRAMS, Surcharge
from oms.domain.zones import MAX_RANGES, ZoneRow
from oms.stores.documents import from_document

MAX_LINES = 2_000_000
MAX_ZONES = 100
HEADER = 1
PRICE, EXTRA_KG, TRANSIT_DAYS = "PRICE", "EXTRA_KG", "TRANSIT_DAYS"
ZONE_COLUMNS = ("country", "origin", "first", "last", "zone")
_RECORDS = (PRICE, EXTRA_KG, TRANSIT_DAYS)
_RATE_COLUMNS = ("service", "record", "up_to_grams")

Row = Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Problem:
    """What is wrong with a cell. Line 1 is the header, which also stands for the file as a whole."""

    line: int
    column: str
    reason: str


@dataclass(slots=True)
class Sheet:
    """A CSV file read once: its rows, and the problems found so far."""

    lines: Iterable[str]
    columns: tuple[str, ...] = ()
    problems: list[Problem] = field(default_factory=list)

    def report(self, line: int, column: str, reason: str) -> None:
        """Notes a problem."""
        self.problems.append(Problem(line, column, reason))

    def rows(self) -> Iterator[tuple[int, Row]]:
        """Each row with its line, `columns` set before; rows with too many or too few cells are problems instead."""
        reader = csv.reader(self.lines, strict=True)
        try:
            self.columns = tuple(cell.strip() for cell in next(reader, []))
            for cells in reader:
                if reader.line_num > MAX_LINES:
                    return self.report(reader.line_num, "", f"the file has more than {MAX_LINES} lines")
                if len(cells) == len(self.columns):
                    yield reader.line_num, dict(zip(self.columns, (cell.strip() for cell in cells), strict=True))
                elif cells:
                    self.report(reader.line_num, "", f"{len(cells)} cells, not {len(self.columns)} as in the header")
        except csv.Error as error:
            self.report(reader.line_num, "", str(error))
        return None

    def number(self, line: int, row: Row, column: str, lowest: int, highest: int) -> int | None:
        """The whole number in a cell; None, and a problem, where there is none within the limits."""
        text = row[column]
        if text.isascii() and text.isdigit() and len(text) <= len(str(highest)) and lowest <= int(text) <= highest:
            return int(text)
        self.report(line, column, f"{text!r} is not a whole number from {lowest} to {highest}")
        return None


_Lines = dict[tuple[str, str, int], tuple[int, tuple[int, ...]]]
"""Line and numbers of each (service, record, up_to_grams)."""

MAX_MINOR = 10**9


def read_rates(lines: Iterable[str], head: Mapping[str, Any]) -> tuple[RateCard | None, list[Problem]]:
    """The card of which `head` is all but the prices (as a document: its services name themselves and, if they like,
    service levels and surcharges), or None and the problems."""
    sheet = Sheet(lines)
    services = [one.get("service", "") for one in head.get("services", ())]
    found = _rate_lines(sheet, services)
    _check_rising(sheet, found)
    for service in services:
        if not sheet.problems and not any(key[:2] == (service, PRICE) for key in found):
            sheet.report(HEADER, "service", f"{service} is a service of the card and has no {PRICE}")
    if sheet.problems:
        return None, sheet.problems
    document = {**head, "services": [one | _prices(found, one["service"]) for one in head.get("services", ())]}
    try:
        card = from_document(RateCard, document)
    except msgspec.ValidationError as error:
        return None, [Problem(HEADER, "card", str(error))]
    unknown = [Problem(HEADER, "card", f"{name} is no field of a rate card") for name in _unknown(head)]
    return (None, unknown) if unknown else (card, [])


def _unknown(head: Mapping[str, Any]) -> list[str]:
    """Names in a card's head that mean nothing, which a slip of the pen would be."""
    services = head.get("services", ())
    surcharges = [one for service in services for one in service.get("surcharges", ())]
    levels: tuple[tuple[type[Any], Any], ...] = (
        (RateCard, [head]),
        (CarrierService, services),
        (Surcharge, surcharges),
    )
    return [
        name
        for kind, some in levels
        for one in some
        for name in one
        if name not in {field.name for field in fields(kind)}
    ]


def _rate_lines(sheet: Sheet, services: list[str]) -> _Lines:
    found: _Lines = {}
    zones: tuple[str, ...] = ()
    for line, row in sheet.rows():
        zones = zones or _zone_columns(sheet)
        if not zones:
            break
        key = _key(sheet, line, row, services)
        numbers = [sheet.number(line, row, zone, 0, MAX_MINOR) for zone in zones]
        if key is None or None in numbers:
            continue
        if key in found:
            sheet.report(line, "record", f"the same as on line {found[key][0]}")
        else:
            found[key] = line, tuple(number for number in numbers if number is not None)
    if not found and not sheet.problems:
        sheet.report(HEADER, "", "the file has no rows")
    return found


def _zone_columns(sheet: Sheet) -> tuple[str, ...]:
    """The columns of the zones; none, and a problem, where the header is not as it must be."""
    zones = sheet.columns[len(_RATE_COLUMNS) :]
    expected = tuple(f"zone_{number}" for number in range(1, min(len(zones), MAX_ZONES) + 1))
    if sheet.columns == _RATE_COLUMNS + expected and zones:
        return zones
    sheet.report(HEADER, "", f"the columns must be {', '.join(_RATE_COLUMNS)}, zone_1, zone_2 and so on")
    return ()


def _key(sheet: Sheet, line: int, row: Row, services: list[str]) -> tuple[str, str, int] | None:
    before = len(sheet.problems)
    service, record, grams = row["service"], row["record"], 0
    if service not in services:
        sheet.report(
            line, "service", f"{service!r} is no service of the card, which has {', '.join(services) or 'none'}"
        )
    if record not in _RECORDS:
        sheet.report(line, "record", f"{record!r} is none of {', '.join(_RECORDS)}")
    elif record == PRICE:
        grams = sheet.number(line, row, "up_to_grams", 1, MAX_GRAMS) or 0
    elif row["up_to_grams"]:
        sheet.report(line, "up_to_grams", f"must be empty on a line of {record}")
    return (service, record, grams) if len(sheet.problems) == before else None


def _check_rising(sheet: Sheet, found: _Lines) -> None:
    for lighter, heavier in pairwise(sorted(key for key in found if key[1] == PRICE)):
        line, prices = found[heavier]
        for zone, (less, more) in enumerate(zip(found[lighter][1], prices, strict=True), 1):
            if lighter[0] == heavier[0] and less > more:
                sheet.report(line, f"zone_{zone}", f"{more} is less than the {less} of a parcel of {lighter[2]} grams")


def _prices(found: _Lines, service: str) -> dict[str, Any]:
    """What the file says of a service, as a document."""
    bands = sorted((key[2], numbers) for key, (_, numbers) in found.items() if key[:2] == (service, PRICE))
    return {
        "bands": [{"up_to_grams": grams, "prices_minor": list(numbers)} for grams, numbers in bands],
        "extra_kg_minor": list(found.get((service, EXTRA_KG, 0), (0, ()))[1]),
        "transit_days": list(found.get((service, TRANSIT_DAYS, 0), (0, ()))[1]),
    }


def read_zones(
    lines: Iterable[str], table: str, origins: frozenset[str] = frozenset()
) -> tuple[list[ZoneRow], list[Problem]]:
    """The rows of a zone table (those of these origins only, if any are given), or none and the problems."""
    sheet = Sheet(lines)
    found: dict[tuple[str, str], list[tuple[str, int, int]]] = {}
    for line, row in sheet.rows():
        if sheet.columns != ZONE_COLUMNS:
            sheet.report(HEADER, "", f"the columns must be {', '.join(ZONE_COLUMNS)}")
            break
        zone = sheet.number(line, row, "zone", 1, MAX_ZONES)
        areas = f"{row['first']}-{row['last'] or row['first']}"
        if zone and _makes_a_row(sheet, line, row, table, areas) and (not origins or row["origin"] in origins):
            found.setdefault((row["country"], row["origin"]), []).append((areas, zone, line))
    for ranges in found.values():
        _check_apart(sheet, ranges)
    _check_countries(sheet, found)
    if not found and not sheet.problems:
        sheet.report(HEADER, "", "the file has no rows" + (" of these origins" if origins else ""))
    if sheet.problems:
        return [], sheet.problems
    return [
        ZoneRow(table=table, country=country, origin=origin, ranges={areas: zone for areas, zone, _ in ranges})
        for (country, origin), ranges in found.items()
    ], []


def _makes_a_row(sheet: Sheet, line: int, row: Row, table: str, areas: str) -> bool:
    try:
        ZoneRow(table=table, country=row["country"], origin=row["origin"], ranges={areas: 1})
    except ValueError as error:
        column = next((name for name in ("country", "origin") if str(error).startswith(name)), "first")
        sheet.report(line, column, str(error))
        return False
    return True


def _check_apart(sheet: Sheet, ranges: list[tuple[str, int, int]]) -> None:
    """Reports ranges of one origin that overlap, and an origin with more than a row may hold."""
    if len(ranges) > MAX_RANGES:
        sheet.report(ranges[MAX_RANGES][2], "origin", f"more than {MAX_RANGES} ranges of one origin")
    ordered = sorted((areas.split("-"), line) for areas, _, line in ranges)
    ordered.sort(key=lambda one: len(one[0][0]))
    for ((_, last), line), ((first, _), line_after) in pairwise(ordered):
        if len(first) == len(last) and first <= last:
            sheet.report(max(line, line_after), "first", f"overlaps the range on line {min(line, line_after)}")


def _check_countries(sheet: Sheet, found: Mapping[tuple[str, str], list[tuple[str, int, int]]]) -> None:
    countries = sorted({(ranges[0][2], country) for (country, _), ranges in found.items()})
    for line, country in countries[1:]:
        if country != countries[0][1]:
            sheet.report(
                line, "country", f"{country} is another country than the {countries[0][1]} above: a table has one"
            )
