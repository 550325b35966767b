"""What a parcel costs, and by which card."""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from typing import Any

import msgspec
import pytest

from oms.domain.order import Capability, ShipTo
from oms.domain.rates import CarrierService, RateBand, RateCard, Tariff, compile_tariff, in_effect
from oms.domain.surcharges import Surcharge
from oms.stores.documents import from_document, to_document
from tests.unit.builders import NEW_YORK, location
from tests.unit.rate_cards import small_card, small_service, stored_card

NOTHING: frozenset[Capability] = frozenset()
HAZMAT = frozenset({Capability.HAZMAT})
BOTH = frozenset(Capability)
ANCHORAGE = ShipTo(country="US", region="AK", postal_prefix="995")


def tariff(
    *surcharges: Surcharge, zone: int = 1, ship_to: ShipTo = NEW_YORK, exchange: int = 10_000, **card: Any
) -> Tariff:
    """The small card's tariff with these surcharges."""
    service = small_service(surcharges=surcharges)
    return compile_tariff(service, zone, ship_to, small_card(services=(service,), **card), exchange)


def price_minor(card: RateCard, origin: str, ship_to: ShipTo, grams: int) -> int | None:
    zone = card.zone(location("wh", origin), ship_to)
    return (
        None if zone is None else compile_tariff(card.services[0], zone, ship_to, card).price_minor(grams, 0, NOTHING)
    )


@pytest.mark.parametrize(
    ("origin", "destination", "grams", "expected"),
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
    origin: str, destination: str, grams: int, expected: int | None
) -> None:
    assert price_minor(small_card(), origin, ShipTo(country="US", region=destination), grams) == expected


@pytest.mark.parametrize(("country", "expected"), [("CA", 900), ("FR", None), ("", None)])
def test_another_country_has_one_zone_or_is_not_served(country: str, expected: int | None) -> None:
    assert price_minor(small_card(), "NY", ShipTo(country=country), 100) == expected


def test_without_a_local_zone_a_parcel_within_a_state_costs_what_its_area_costs() -> None:
    assert price_minor(small_card(local_zone=None), "NY", NEW_YORK, 100) == 700


def test_a_service_without_a_price_per_further_kilogram_carries_nothing_above_its_last_band() -> None:
    service = small_service(extra_kg_minor=())
    priced = compile_tariff(service, 1, NEW_YORK, small_card(services=(service,)))
    assert (priced.price_minor(2000, 0, NOTHING), priced.price_minor(2001, 0, NOTHING)) == (800, None)


@pytest.mark.parametrize(
    ("grams", "cm3", "expected"),
    [
        pytest.param(400, 2500, 500, id="2.5 litres count as 500 grams"),
        pytest.param(400, 2501, 800, id="one cubic centimetre more counts as the gram it begins"),
        pytest.param(501, 2500, 800, id="the greater of weight and volume counts"),
        pytest.param(0, 0, 500, id="nothing known of either"),
        pytest.param(400, 10_001, 900, id="volume above the last band"),
    ],
)
def test_large_light_parcels_are_charged_by_their_volume(grams: int, cm3: int, expected: int) -> None:
    assert tariff(dim_cm3_per_kg=5000).price_minor(grams, cm3, NOTHING) == expected


def test_volume_counts_for_nothing_where_the_card_has_no_divisor() -> None:
    assert tariff().price_minor(400, 1_000_000, NOTHING) == 500


FUEL = Surcharge(name="FUEL", basis_points=750)
HEAVY = Surcharge(name="HEAVY", amount_minor=250, over_grams=1000)
ALASKA = Surcharge(name="ALASKA", amount_minor=900, countries=("US",), postal_prefixes=("995", "996"))
ABROAD = Surcharge(name="ABROAD", amount_minor=400, countries=("CA", "MX"))
DANGEROUS = Surcharge(name="DANGEROUS", amount_minor=1500, needs=(Capability.HAZMAT,))
DANGEROUS_AND_HEAVY = Surcharge(
    name="DANGEROUS AND HEAVY", basis_points=5000, over_grams=1000, needs=(Capability.HAZMAT,)
)
DANGEROUS_AND_LARGE = Surcharge(
    name="DANGEROUS AND LARGE", amount_minor=70, needs=(Capability.HAZMAT, Capability.OVERSIZED)
)


@pytest.mark.parametrize(
    ("surcharge", "ship_to", "grams", "needs", "expected"),
    [
        pytest.param(FUEL, NEW_YORK, 500, NOTHING, 538, id="7.5 percent of 5.00 are 37.5 cents, rounded up"),
        pytest.param(FUEL, NEW_YORK, 3000, NOTHING, 968, id="60 cents of 8.00 and 8 of a further kilogram for 1.00"),
        pytest.param(HEAVY, NEW_YORK, 1000, NOTHING, 800, id="as heavy as the limit"),
        pytest.param(HEAVY, NEW_YORK, 1001, NOTHING, 1050, id="heavier than the limit"),
        pytest.param(HEAVY, NEW_YORK, 5000, NOTHING, 1350, id="above the last band too"),
        pytest.param(ALASKA, ANCHORAGE, 1, NOTHING, 1400, id="a remote postal area"),
        pytest.param(ALASKA, NEW_YORK, 1, NOTHING, 500, id="a destination whose postal code is not known"),
        pytest.param(ALASKA, replace(ANCHORAGE, country="DE"), 1, NOTHING, 500, id="the same digits elsewhere"),
        pytest.param(ALASKA, replace(ANCHORAGE, postal_prefix="99"), 1, NOTHING, 500, id="too little of it is known"),
        pytest.param(ABROAD, ShipTo(country="CA"), 1, NOTHING, 900, id="one of some countries"),
        pytest.param(ABROAD, NEW_YORK, 1, NOTHING, 500, id="none of them"),
        pytest.param(DANGEROUS, NEW_YORK, 1, NOTHING, 500, id="a harmless parcel"),
        pytest.param(DANGEROUS, NEW_YORK, 1, HAZMAT, 2000, id="a dangerous one"),
        pytest.param(DANGEROUS, NEW_YORK, 2001, BOTH, 2400, id="dangerous, oversized and heavy"),
        pytest.param(DANGEROUS_AND_HEAVY, NEW_YORK, 1000, HAZMAT, 800, id="dangerous and light"),
        pytest.param(DANGEROUS_AND_HEAVY, NEW_YORK, 1001, HAZMAT, 1200, id="dangerous and heavy"),
        pytest.param(DANGEROUS_AND_HEAVY, NEW_YORK, 3500, HAZMAT, 1500, id="half of each further kilogram too"),
        pytest.param(DANGEROUS_AND_LARGE, NEW_YORK, 1, HAZMAT, 500, id="every need that is named must be there"),
        pytest.param(DANGEROUS_AND_LARGE, NEW_YORK, 1, BOTH, 570, id="every need that is named is there"),
    ],
)
def test_a_surcharge_is_charged_where_all_it_names_holds(
    surcharge: Surcharge, ship_to: ShipTo, grams: int, needs: frozenset[Capability], expected: int
) -> None:
    assert tariff(surcharge, ship_to=ship_to).price_minor(grams, 0, needs) == expected


def test_surcharges_add_up_and_none_is_charged_on_another() -> None:
    priced = tariff(FUEL, HEAVY, DANGEROUS, DANGEROUS_AND_HEAVY, ALASKA)
    assert priced.price_minor(1500, 0, HAZMAT) == 800 + 60 + 250 + 1500 + 400


def test_a_surcharge_that_begins_above_the_last_band_begins_there() -> None:
    priced = tariff(Surcharge(name="TWO MEN", amount_minor=5000, over_grams=4500))
    assert [priced.price_minor(grams, 0, NOTHING) for grams in (4000, 4500, 4501, 5000, 5001)] == [
        1000,
        1100,
        6100,
        6100,
        6200,
    ]


def test_prices_in_another_currency_are_exchanged_once_and_rounded_half_up() -> None:
    priced = tariff(FUEL, DANGEROUS, exchange=9_245)
    assert [priced.price_minor(grams, 0, NOTHING) for grams in (500, 2000, 3000)] == [497, 795, 795 + 100]
    assert priced.price_minor(500, 0, HAZMAT) == 497 + 1387


def test_a_stored_rate_card_reads_back_as_the_card_that_was_written() -> None:
    stored = {name: value for name, value in stored_card().items() if name != "kind"} | {"name": "small"}
    assert to_document(small_card()) == stored
    assert from_document(RateCard, stored) == small_card()


def test_a_card_that_could_not_price_a_parcel_is_refused_when_it_is_read_too() -> None:
    with pytest.raises(msgspec.ValidationError, match="currency"):
        from_document(RateCard, {**stored_card(), "name": "small", "currency": "dollars"})


BAND = RateBand(up_to_grams=500, prices_minor=(1, 2, 3))


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        pytest.param({"service": ""}, "service", id="no name"),
        pytest.param({"bands": ()}, "bands", id="no bands"),
        pytest.param({"bands": (BAND, BAND)}, "up_to_grams", id="bands that do not rise"),
        pytest.param({"bands": (replace(BAND, up_to_grams=0),)}, "up_to_grams", id="a band of nothing"),
        pytest.param({"bands": (replace(BAND, up_to_grams=2_000_000),)}, "up_to_grams", id="a band of two tonnes"),
        pytest.param({"bands": (BAND, RateBand(up_to_grams=900, prices_minor=(1, 2)))}, "prices_minor", id="no price"),
        pytest.param({"bands": (replace(BAND, prices_minor=()),)}, "prices_minor", id="no zone at all"),
        pytest.param({"bands": (replace(BAND, prices_minor=(1, 2, -3)),)}, "prices_minor", id="a negative price"),
        pytest.param(
            {"bands": (BAND, RateBand(up_to_grams=900, prices_minor=(1, 1, 3)))}, "900 grams", id="a price that falls"
        ),
        pytest.param({"extra_kg_minor": (1,)}, "extra_kg_minor", id="a price per kilogram for one zone of three"),
        pytest.param({"extra_kg_minor": (1, 2, -1)}, "extra_kg_minor", id="a negative price per kilogram"),
        pytest.param({"transit_days": (1, 2)}, "transit_days", id="days for two zones of three"),
        pytest.param({"transit_days": (1, 2, -1)}, "transit_days", id="negative days"),
        pytest.param({"surcharges": (FUEL, FUEL)}, "surcharges", id="one surcharge twice"),
    ],
)
def test_a_service_that_could_not_price_a_parcel_is_refused(changes: dict[str, Any], field: str) -> None:
    with pytest.raises(ValueError, match=field):
        small_service(**changes)


@pytest.mark.parametrize(
    ("facts", "field"),
    [
        pytest.param({"name": "", "amount_minor": 1}, "name", id="no name"),
        pytest.param({"name": "X"}, "amount_minor", id="nothing to charge"),
        pytest.param({"name": "X", "amount_minor": -1, "basis_points": 9}, "amount_minor", id="a discount"),
        pytest.param({"name": "X", "amount_minor": 9, "basis_points": -1}, "basis_points", id="a part of it off"),
        pytest.param({"name": "X", "amount_minor": 1, "over_grams": 0}, "over_grams", id="above nothing"),
        pytest.param({"name": "X", "amount_minor": 1, "countries": ("us",)}, "countries", id="no address is in us"),
        pytest.param({"name": "X", "amount_minor": 1, "postal_prefixes": ("995",)}, "postal_prefixes", id="of where"),
        pytest.param(
            {"name": "X", "amount_minor": 1, "countries": ("US", "CA"), "postal_prefixes": ("995",)},
            "postal_prefixes",
            id="postal areas of two countries",
        ),
        pytest.param(
            {"name": "X", "amount_minor": 1, "countries": ("GB",), "postal_prefixes": ("kw 1",)},
            "postal_prefixes",
            id="a postal area not as they are written",
        ),
    ],
)
def test_a_surcharge_that_makes_no_sense_is_refused(facts: dict[str, Any], field: str) -> None:
    with pytest.raises(ValueError, match=field):
        Surcharge(**facts)


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        pytest.param({"name": ""}, "name", id="no name"),
        pytest.param({"name": "a#b"}, "name", id="a name that holds a version"),
        pytest.param({"carrier": ""}, "carrier", id="no carrier"),
        pytest.param({"version": 0}, "version", id="version 0"),
        pytest.param({"currency": "usd"}, "currency", id="a currency in small letters"),
        pytest.param({"currency": "USDT"}, "currency", id="a currency of four letters"),
        pytest.param({"dim_cm3_per_kg": -1}, "dim_cm3_per_kg", id="a negative divisor"),
        pytest.param({"effective_from": "2026-02-30"}, "effective_from", id="a day that does not exist"),
        pytest.param({"effective_to": "20261231"}, "effective_to", id="a date without hyphens"),
        pytest.param(
            {"effective_from": "2026-02-01", "effective_to": "2026-02-01"}, "effective_from", id="never in effect"
        ),
        pytest.param({"holidays": ("Christmas",)}, "holidays", id="a holiday that is no date"),
        pytest.param({"working_days": (0,)}, "working_days", id="a day before Monday"),
        pytest.param({"working_days": (1, 1)}, "working_days", id="Monday twice"),
        pytest.param({"services": ()}, "services", id="no service"),
        pytest.param({"services": (small_service(), small_service())}, "services", id="one service twice"),
        pytest.param(
            {
                "services": (
                    small_service(),
                    CarrierService(service="AIR", bands=(RateBand(up_to_grams=1, prices_minor=(1,)),)),
                )
            },
            "services",
            id="services with different zones",
        ),
        pytest.param({"international": {"CA": 4}}, "international", id="a zone that has no price"),
        pytest.param({"local_zone": 0}, "local_zone", id="zone 0"),
    ],
)
def test_a_rate_card_that_makes_no_sense_is_refused(changes: dict[str, Any], field: str) -> None:
    with pytest.raises(ValueError, match=field):
        small_card(**changes)


FIRST = small_card(version=1, effective_to="2026-07-01")
SECOND = small_card(version=2, effective_from="2026-07-01")
PEAK = small_card(version=3, effective_from="2026-11-15", effective_to="2027-01-15")
OTHER = small_card(name="other")


@pytest.mark.parametrize(
    ("day", "expected"),
    [
        pytest.param(date(2026, 6, 30), (OTHER, FIRST), id="the last day of the old prices"),
        pytest.param(date(2026, 7, 1), (OTHER, SECOND), id="the first day of the new prices"),
        pytest.param(date(2026, 11, 15), (OTHER, PEAK), id="the newest version counts while it holds"),
        pytest.param(date(2027, 1, 15), (OTHER, SECOND), id="after it the version before counts again"),
    ],
)
def test_of_each_card_the_newest_version_that_holds_on_the_day_counts(
    day: date, expected: tuple[RateCard, ...]
) -> None:
    assert in_effect((SECOND, OTHER, PEAK, FIRST), day) == expected


def test_a_card_that_holds_no_more_prices_nothing() -> None:
    assert in_effect((FIRST,), date(2026, 7, 1)) == ()


def test_two_cards_of_one_name_and_version_are_an_error() -> None:
    with pytest.raises(ValueError, match="version 2 twice"):
        in_effect((SECOND, OTHER, replace(SECOND, carrier="fedex")), date(2026, 7, 1))
