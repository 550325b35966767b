"""What a parcel costs."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import msgspec
import pytest

from oms.domain.order import ShipTo
from oms.domain.rates import RateBand, RateCard
from tests.unit.builders import NEW_YORK, location
from tests.unit.rate_cards import small_card, stored_card


@pytest.mark.parametrize(
    ("origin", "destination", "grams", "price_minor"),
    [
        pytest.param("NY", "NY", 500, 500, id="the last gram of a band has the price of the band"),
        pytest.param("NY", "NY", 501, 800, id="one gram more has the price of the next band"),
        pytest.param("NY", "NJ", 1, 700, id="within an area"),
        pytest.param("NY", "CA", 1, 900, id="across areas"),
        pytest.param("CA", "NY", 1, 900, id="across areas in the other direction"),
        pytest.param("NY", "NY", 0, 500, id="a product without a weight costs the first band"),
        pytest.param("NY", "CA", 2000, 1600, id="the last band"),
        pytest.param("NY", "CA", 2001, 1900, id="above the last band a kilogram begun is paid in full"),
        pytest.param("NY", "CA", 4000, 2200, id="two kilograms above the last band"),
        pytest.param("NY", "HI", 1, None, id="a state in no area is not served"),
        pytest.param("", "", 1, None, id="no state is not the same state"),
    ],
)
def test_a_parcel_costs_what_its_zone_and_weight_say(
    origin: str, destination: str, grams: int, price_minor: int | None
) -> None:
    ship_to = ShipTo(country="US", region=destination)
    assert small_card().price_minor(location("wh", origin), ship_to, grams) == price_minor


@pytest.mark.parametrize(("country", "price_minor"), [("CA", 900), ("FR", None), ("", None)])
def test_another_country_has_one_zone_or_is_not_served(country: str, price_minor: int | None) -> None:
    assert small_card().price_minor(location("wh"), ShipTo(country=country), 100) == price_minor


def test_without_a_local_zone_a_parcel_within_a_state_costs_what_its_area_costs() -> None:
    assert small_card(local_zone=None).price_minor(location("wh"), NEW_YORK, 100) == 700


def test_a_stored_rate_card_reads_back_as_the_card_that_was_written() -> None:
    assert msgspec.convert(stored_card(), RateCard) == small_card()
    assert msgspec.to_builtins(small_card()) == {
        **stored_card(),
        "bands": tuple({**band, "prices_minor": tuple(band["prices_minor"])} for band in stored_card()["bands"]),
        "extra_kg_minor": tuple(stored_card()["extra_kg_minor"]),
    }


BAND = RateBand(up_to_grams=500, prices_minor=(1, 2, 3))


@pytest.mark.parametrize(
    "changes",
    [
        pytest.param({"bands": ()}, id="no bands"),
        pytest.param({"bands": (BAND, BAND)}, id="bands that do not rise"),
        pytest.param({"bands": (replace(BAND, up_to_grams=0),)}, id="a band of nothing"),
        pytest.param({"bands": (replace(BAND, prices_minor=(1, 2)),)}, id="a band without a price for a zone"),
        pytest.param({"bands": (replace(BAND, prices_minor=(1, 2, -3)),)}, id="a negative price"),
        pytest.param({"extra_kg_minor": ()}, id="no price above the last band"),
        pytest.param({"international": {"CA": 4}}, id="a zone that has no price"),
        pytest.param({"local_zone": 0}, id="zone 0"),
    ],
)
def test_a_rate_card_that_could_not_price_a_parcel_is_refused(changes: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="must"):
        small_card(**changes)
