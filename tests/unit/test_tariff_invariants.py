"""What holds for every tariff, whatever the card says."""

from __future__ import annotations

from fractions import Fraction
from math import ceil, floor
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from oms.domain.order import Capability
from oms.domain.rates import CarrierService, RateBand, compile_tariff
from oms.domain.surcharges import Surcharge
from tests.unit.builders import NEW_YORK
from tests.unit.rate_cards import small_card

ONE_ZONE: dict[str, Any] = {"zones": {}, "local_zone": 1, "international": {}}
AMOUNTS = st.integers(0, 30)


@st.composite
def bands(draw: st.DrawFn) -> tuple[RateBand, ...]:
    steps = draw(st.lists(st.tuples(st.integers(1, 900), AMOUNTS), min_size=1, max_size=5))
    limits = [sum(grams for grams, _ in steps[: at + 1]) for at in range(len(steps))]
    prices = [sum(more for _, more in steps[: at + 1]) for at in range(len(steps))]
    return tuple(
        RateBand(up_to_grams=limit, prices_minor=(price,)) for limit, price in zip(limits, prices, strict=True)
    )


@st.composite
def surcharges(draw: st.DrawFn) -> tuple[Surcharge, ...]:
    number = draw(st.integers(0, 3))
    return tuple(
        Surcharge(
            name=str(at),
            amount_minor=draw(st.integers(1, 4000)),
            basis_points=draw(st.sampled_from((0, 750, 3333))),
            over_grams=draw(st.none() | st.integers(1, 6000)),
            needs=tuple(draw(st.sets(st.sampled_from(Capability)))),
            countries=draw(st.sampled_from(((), ("US",), ("CA",)))),
        )
        for at in range(number)
    )


SERVICES = st.builds(
    CarrierService,
    service=st.just("GROUND"),
    bands=bands(),
    extra_kg_minor=st.just(()) | st.tuples(AMOUNTS),
    surcharges=surcharges(),
)
PARCELS = st.tuples(st.integers(0, 9000), st.frozensets(st.sampled_from(Capability)))
MILLIONTH = Fraction(1, 1_000_000)


def slow_price(service: CarrierService, grams: int, needs: frozenset[Capability], exchange: int) -> Fraction | None:
    """The price of the parcel by the words of the card, nothing rounded."""
    listed = service.list_price_minor(1, grams)
    if listed is None:
        return None
    price = Fraction(listed)
    for one in service.surcharges:
        heavy = one.over_grams is None or grams > one.over_grams
        if heavy and needs.issuperset(one.needs) and "CA" not in one.countries:
            price += one.amount_minor + Fraction(listed * one.basis_points, 10_000)
    return price * exchange / 10_000


@given(SERVICES, PARCELS, st.sampled_from((10_000, 9_245, 11_111)))
def test_a_tariff_says_what_the_card_says_but_for_what_is_rounded(
    service: CarrierService, parcel: tuple[int, frozenset[Capability]], exchange: int
) -> None:
    grams, needs = parcel
    priced = compile_tariff(service, 1, NEW_YORK, small_card(**ONE_ZONE, services=(service,)), exchange)
    exact, price = slow_price(service, grams, needs, exchange), priced.price_minor(grams, 0, needs)
    if exact is None or price is None:
        assert exact == price
    else:
        further_kg = max(0, ceil((grams - priced.breaks[-1]) / 1000))
        assert abs(price - exact) <= (1 + further_kg) * (Fraction(1, 2) + len(service.surcharges) * Fraction(11, 10))


@given(SERVICES, PARCELS, PARCELS)
def test_a_heavier_parcel_with_more_needs_never_costs_less(
    service: CarrierService, one: tuple[int, frozenset[Capability]], other: tuple[int, frozenset[Capability]]
) -> None:
    priced = compile_tariff(service, 1, NEW_YORK, small_card(**ONE_ZONE, services=(service,)))
    light = priced.price_minor(min(one[0], other[0]), 0, one[1] & other[1])
    heavy = priced.price_minor(max(one[0], other[0]), 0, one[1] | other[1])
    assert heavy is None or (light is not None and light <= heavy)


@given(SERVICES, PARCELS)
def test_no_parcel_costs_less_than_the_floor_and_the_line_that_rises_from_it(
    service: CarrierService, parcel: tuple[int, frozenset[Capability]]
) -> None:
    priced = compile_tariff(service, 1, NEW_YORK, small_card(**ONE_ZONE, services=(service,)))
    price = priced.price_minor(parcel[0], 0, parcel[1])
    line = priced.floor_minor + Fraction(priced.rise) * max(0, parcel[0] - priced.flat_grams)
    assert price is None or price >= floor(line - MILLIONTH)
