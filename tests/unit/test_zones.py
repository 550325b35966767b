"""How far, in zones, a parcel travels."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from oms.domain.order import ShipTo
from oms.domain.zones import ZoneRow, ZoneTable, compressed, stretches, tables_of
from oms.stores.documents import from_document, to_document
from tests.unit.builders import location
from tests.unit.rate_cards import small_card

FROM_NEW_YORK = ZoneRow(
    table="us-2026", country="US", origin="100", ranges={"005-099": 2, "100-102": 1, "1011": 3, "900-961": 8}
)
FROM_ALBANY = ZoneRow(table="us-2026", country="US", origin="122", ranges={"005-199": 2})
FROM_MANHATTAN = ZoneRow(table="us-2026", country="US", origin="1000", ranges={"005-961": 4})
TABLE = ZoneTable((FROM_NEW_YORK, FROM_ALBANY, FROM_MANHATTAN))


@pytest.mark.parametrize(
    ("origin", "destination", "zone"),
    [
        pytest.param("10050", "10001", 1, id="the first area of a range"),
        pytest.param("10050", "10201", 1, id="the last area of a range"),
        pytest.param("10050", "005", 2, id="only the beginning of the destination is known"),
        pytest.param("10050", "10301", None, id="between two ranges"),
        pytest.param("10050", "001", None, id="before the first range"),
        pytest.param("10050", "99501", None, id="after the last range"),
        pytest.param("10050", "10119", 3, id="the longest area that the destination begins with counts"),
        pytest.param("10050", "101", 1, id="too little is known of the destination for the longest area"),
        pytest.param("10050", "90", None, id="too little is known of the destination for any area"),
        pytest.param("12207", "10001", 2, id="another origin"),
        pytest.param("10001", "10001", 4, id="the longest area that the origin begins with counts"),
        pytest.param("60601", "10001", None, id="an origin the table has not"),
        pytest.param("", "10001", None, id="an origin without a postal code"),
        pytest.param("100 50-1234", " 9000 1", 8, id="spaces and hyphens mean nothing"),
    ],
)
def test_the_zone_of_two_postal_codes(origin: str, destination: str, zone: int | None) -> None:
    assert TABLE.zone("US", origin, destination) == zone


def test_a_table_says_nothing_of_another_country() -> None:
    assert (TABLE.zone("US", "10050", "90001"), TABLE.zone("DE", "10050", "90001")) == (8, None)


def test_letters_are_areas_too() -> None:
    table = ZoneTable((ZoneRow(table="gb", country="GB", origin="SW", ranges={"SW1": 1, "AB-KW": 3}),))
    assert table.zone("GB", "sw1a 1aa", "SW1A 2AB") == 1
    assert table.zone("GB", "SW1A 1AA", "iv27 4pp") == 3


@pytest.mark.parametrize(
    ("origin", "ship_to", "zone"),
    [
        pytest.param("10050", ShipTo(country="US", region="CA", postal_prefix="100"), 1, id="the table comes first"),
        pytest.param(
            "10050", ShipTo(country="US", region="NJ", postal_prefix="400"), 2, id="else the areas of regions"
        ),
        pytest.param("10050", ShipTo(country="US", region="NY"), 1, id="else the local zone"),
        pytest.param(
            "10050", ShipTo(country="US", region="CA", postal_prefix="900"), None, id="a zone without a price"
        ),
        pytest.param("10050", ShipTo(country="CA", postal_prefix="100"), 3, id="another country is not the table's"),
    ],
)
def test_a_card_with_a_zone_table_asks_it_first(origin: str, ship_to: ShipTo, zone: int | None) -> None:
    assert small_card(zone_table="us-2026").zone(location("wh", "NY", postal_code=origin), ship_to, TABLE) == zone


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        pytest.param({"table": ""}, "table", id="no name"),
        pytest.param({"table": "us#1"}, "table", id="a name with a mark that separates"),
        pytest.param({"country": ""}, "country", id="no country"),
        pytest.param({"country": "us"}, "country", id="a country in small letters, which no address has"),
        pytest.param({"country": "USA"}, "country", id="a country that is no ISO 3166 code of two letters"),
        pytest.param({"origin": ""}, "origin", id="no origin"),
        pytest.param({"origin": "sw1"}, "origin", id="an origin in small letters"),
        pytest.param({"ranges": {}}, "ranges", id="no ranges"),
        pytest.param({"ranges": {"100-1029": 1}}, "100-1029", id="a range of areas of different length"),
        pytest.param({"ranges": {"102-100": 1}}, "102-100", id="a range that ends before it begins"),
        pytest.param({"ranges": {"100": 0}}, "zone", id="zone 0"),
        pytest.param({"ranges": {"10 0": 1}}, "10 0", id="an area with a space"),
        pytest.param({"ranges": {"100-102": 1, "102-104": 2}}, "overlap", id="an area in two ranges"),
        pytest.param({"ranges": {"100-102": 1, "101": 1}}, "overlap", id="a range within another"),
    ],
)
def test_a_row_that_could_not_be_right_is_refused(changes: dict[str, Any], field: str) -> None:
    with pytest.raises(ValueError, match=field):
        replace(FROM_NEW_YORK, **changes)


@pytest.mark.parametrize(
    ("rows", "field"),
    [
        pytest.param((), "table", id="no row"),
        pytest.param((FROM_NEW_YORK, replace(FROM_ALBANY, table="us-2027")), "table", id="rows of two tables"),
        pytest.param((FROM_NEW_YORK, replace(FROM_ALBANY, country="CA")), "country", id="rows of two countries"),
        pytest.param((FROM_NEW_YORK, FROM_NEW_YORK), "origin", id="two rows of one origin"),
    ],
)
def test_rows_that_do_not_belong_together_are_refused(rows: tuple[ZoneRow, ...], field: str) -> None:
    with pytest.raises(ValueError, match=field):
        ZoneTable(rows)


def test_rows_are_put_together_by_table() -> None:
    other = replace(FROM_NEW_YORK, table="us-2027")
    assert tables_of([FROM_NEW_YORK, other, FROM_ALBANY]) == {
        "us-2026": ZoneTable((FROM_NEW_YORK, FROM_ALBANY)),
        "us-2027": ZoneTable((other,)),
    }


def test_a_stored_row_reads_back_as_the_row_that_was_written() -> None:
    stored = {"kind": "zone_table", "name": FROM_NEW_YORK.name, **to_document(FROM_NEW_YORK)}
    assert stored["name"] == "us-2026#100"
    assert from_document(ZoneRow, stored) == FROM_NEW_YORK


@given(st.dictionaries(st.from_regex(r"[0-9]{3}", fullmatch=True), st.integers(1, 8), min_size=1, max_size=60))
def test_ranges_are_the_areas_they_were_made_of_and_what_lies_between(zones: dict[str, int]) -> None:
    ranges = compressed(sorted(zones.items()))
    table = ZoneTable((ZoneRow(table="t", country="US", origin="100", ranges=ranges),))
    assert {area: table.zone("US", "100", area) for area in zones} == zones
    assert all(before[2] != after[2] for before, after in zip(stretches(ranges), stretches(ranges)[1:], strict=False))
