"""What may be sold to where: as routing would decide, location by location."""

from __future__ import annotations

from dataclasses import replace

import pytest

from oms.domain.availability import Excluded
from oms.domain.catalog import Location, LocationStatus
from oms.domain.order import Method, ShipTo
from oms.domain.zones import ZoneRow, ZoneTable
from tests.unit.rate_cards import small_card
from tests.unit.test_availability import EAST, WEST, market, mugs, sellable, units


@pytest.mark.parametrize(
    ("location", "ship_to", "why"),
    [
        pytest.param(replace(EAST, status=LocationStatus.DRAINING), None, Excluded.NOT_ACTIVE, id="draining"),
        pytest.param(replace(EAST, methods=(Method.PICKUP,)), None, Excluded.METHOD_UNSUPPORTED, id="pickup only"),
        pytest.param(
            replace(EAST, ships_to=("CA",)), ShipTo(country="US"), Excluded.COUNTRY_NOT_SERVED, id="another country"
        ),
        pytest.param(EAST, ShipTo(country="FR"), Excluded.NO_RATE, id="no rate abroad"),
        pytest.param(EAST, ShipTo(country="US", region="HI"), Excluded.NO_RATE, id="no rate to a region"),
        pytest.param(EAST, ShipTo(country="US"), None, id="a country served, its region not told"),
        pytest.param(EAST, ShipTo(country="US", region="NY"), None, id="a region served"),
        pytest.param(
            replace(EAST, carriers=("fedex", "ups")), ShipTo(country="US", region="NY"), None, id="a carrier it may use"
        ),
        pytest.param(
            replace(EAST, carriers=("fedex",)), ShipTo(country="US", region="NY"), Excluded.NO_RATE, id="a foreign card"
        ),
        pytest.param(replace(EAST, ships_to=("CA",)), None, None, id="nobody asked where to"),
        pytest.param(replace(EAST, location_id="ELSEWHERE"), None, Excluded.UNKNOWN_LOCATION, id="nobody knows it"),
    ],
)
def test_a_location_that_would_not_ship_it_sells_nothing_and_says_why(
    location: Location, ship_to: ShipTo | None, why: Excluded | None
) -> None:
    asked = market(locations=(location,), ship_to=ship_to, cards=(small_card(),))
    (east,) = mugs(units("EAST", 10), at=asked).locations
    assert (east.excluded, east.sellable) == (why, 0 if why else 10)
    assert east.available == 10


def test_a_second_carrier_makes_up_for_what_the_first_does_not_serve() -> None:
    to_france = small_card(name="abroad", carrier="dhl", international={"FR": 3})
    east = replace(EAST, carriers=("dhl",))
    asked = market(locations=(east, WEST), ship_to=ShipTo(country="FR"), cards=(small_card(), to_france))
    assert sellable(mugs(units("EAST", 10), units("WEST", 5), at=asked)) == {"EAST": 10, "WEST": 5}
    without = replace(asked, cards=(small_card(),))
    assert sellable(mugs(units("EAST", 10), units("WEST", 5), at=without)) == {"EAST": 0, "WEST": 0}
    only_dhl = replace(asked, locations={"EAST": east, "WEST": replace(WEST, carriers=("ups",))})
    assert sellable(mugs(units("EAST", 10), units("WEST", 5), at=only_dhl)) == {"EAST": 10, "WEST": 0}


def test_where_no_carrier_has_a_price_nothing_is_offered() -> None:
    (east,) = mugs(units("EAST", 10), at=market(ship_to=ShipTo(country="US", region="NY"), cards=())).locations
    assert (east.excluded, east.sellable) == (Excluded.NO_RATE, 0)


def test_a_zone_table_decides_which_postal_areas_are_served() -> None:
    rows = (ZoneRow(table="by-mail", country="US", origin="070", ranges={"100-149": 2, "900-961": 9}),)
    card = small_card(zone_table="by-mail", areas={}, zones={}, local_zone=None)
    east = replace(EAST, postal_code="07030")
    asked = market(locations=(east,), cards=(card,), zone_tables={"by-mail": ZoneTable(rows)})
    excluded = {}
    for prefix in ("100", "500", "941"):
        ship_to = ShipTo(country="US", region="NY", postal_prefix=prefix)
        (figures,) = mugs(units("EAST", 10), at=replace(asked, ship_to=ship_to)).locations
        excluded[prefix] = figures.excluded
    assert excluded == {"100": None, "500": Excluded.NO_RATE, "941": Excluded.NO_RATE}
