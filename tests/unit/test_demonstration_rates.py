"""The demonstration's locations and rate cards fit together."""

from __future__ import annotations

from datetime import date

import pytest

from oms.domain.catalog import Location, Product
from oms.domain.order import ShipTo
from oms.domain.rates import CarrierService, RateCard, compile_tariff, in_effect
from oms.stores.documents import from_document
from tools import seed

CARDS = tuple(
    from_document(RateCard, card | {"name": name.partition("#")[0], "version": int(name.partition("#")[2])})
    for name, card in seed.load("settings")["rate_card"].items()
)
LOCATIONS = tuple(from_document(Location, one) for one in seed.load("locations"))
STATES = sorted(area.removeprefix("US-") for area in CARDS[0].areas)


def card_of(location: Location) -> RateCard:
    (card,) = (card for card in in_effect(CARDS, date(2026, 11, 23)) if card.carrier in location.carriers)
    return card


def service_for(card: RateCard, service_level: str) -> CarrierService:
    (service,) = (one for one in card.services if service_level in one.service_levels)
    return service


@pytest.mark.parametrize("location", LOCATIONS, ids=lambda location: location.location_id)
def test_every_location_ships_every_order_to_every_state_by_one_service(location: Location) -> None:
    card = card_of(location)
    for state in STATES:
        ship_to = ShipTo(country="US", region=state)
        zone = card.zone(location, ship_to)
        assert zone is not None
        standard, express = (
            compile_tariff(service_for(card, level), zone, ship_to, card) for level in ("STANDARD", "EXPRESS")
        )
        assert 0 < standard.floor_minor < express.floor_minor
        assert (service_for(card, "EXPRESS").days_in(zone) or 9) <= (service_for(card, "STANDARD").days_in(zone) or 0)


def test_the_carriers_charge_the_same_so_that_the_nearest_zone_ships() -> None:
    for level in ("STANDARD", "EXPRESS"):
        bands = {service_for(card, level).bands for card in CARDS}
        assert len(bands) == 1
    assert len({(location.handling_per_parcel_minor, location.kind) for location in LOCATIONS}) == 2


@pytest.mark.parametrize("location", LOCATIONS, ids=lambda location: location.location_id)
def test_every_location_says_when_it_works_and_when_its_carrier_comes(location: Location) -> None:
    assert set(location.pickups) == set(location.carriers)
    assert all(location.opens_at < time <= location.closes_at for time in location.pickups[location.carriers[0]])
    assert location.opens_at < location.cut_off < location.closes_at
    assert location.working_days
    assert location.time_zone.startswith("America/")


def test_every_product_says_how_large_it_is() -> None:
    for document in seed.load("products"):
        product = from_document(Product, document)
        assert min(product.grams, product.cm3) > 0, product.sku
