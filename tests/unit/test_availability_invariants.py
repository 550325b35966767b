"""Whatever the stock, the rules and those who wait: no more is shown than could really be sold."""

from __future__ import annotations

import itertools
from datetime import UTC, datetime
from typing import Any

from hypothesis import given
from hypothesis import strategies as some

from oms.domain.availability import Availability, Demand, Market, of_kit, of_product
from oms.domain.availability_rules import AvailabilityRule, AvailabilityRules, RuleScope
from oms.domain.baskets import Wanted, missing
from oms.domain.catalog import KitComponent, Location, LocationStatus, Product
from oms.domain.stock import StockPosition

NOON = datetime(2026, 11, 16, 12, tzinfo=UTC)
PLACES = ("EAST", "WEST", "STORE")
SKUS = ("A", "B", "C")
KITS = {"AB": {"A": 1, "B": 2}, "AC": {"A": 2, "C": 1}, "AA": {"A": 2}}
Shelves = dict[tuple[str, str], int]

units = some.integers(min_value=-4, max_value=12)
shelves = some.fixed_dictionaries({(sku, place): units for sku in SKUS for place in PLACES})
waiting = some.fixed_dictionaries({sku: some.integers(min_value=0, max_value=8) for sku in SKUS})
statuses = some.fixed_dictionaries({place: some.sampled_from(LocationStatus) for place in PLACES})
rules = some.lists(
    some.builds(
        AvailabilityRule,
        name=some.just("any"),
        scope=some.just(RuleScope.LOCATION),
        location_id=some.sampled_from((None, *PLACES)),
        sku=some.sampled_from((None, *SKUS, *KITS)),
        channel=some.sampled_from((None, "shopify#main", "shopify#outlet")),
        safety_stock=some.integers(min_value=0, max_value=3),
        buffer_units=some.integers(min_value=0, max_value=3),
        buffer_percent=some.integers(min_value=0, max_value=100),
        excluded=some.booleans(),
        max_published=some.none() | some.integers(min_value=0, max_value=6),
    )
    | some.builds(
        AvailabilityRule,
        name=some.just("in all"),
        scope=some.just(RuleScope.NETWORK),
        sku=some.sampled_from((None, *SKUS, *KITS)),
        safety_stock=some.integers(min_value=0, max_value=3),
        buffer_percent=some.integers(min_value=0, max_value=100),
        max_published=some.none() | some.integers(min_value=0, max_value=6),
    ),
    max_size=4,
).map(tuple)
baskets = some.lists(
    some.builds(Wanted, some.sampled_from((*SKUS, *KITS)), some.integers(min_value=1, max_value=6)), max_size=4
)


def figures(shelf: Shelves, wanted: dict[str, int], market: Market) -> dict[str, Availability]:
    """The figures of all skus and kits."""
    found = {
        sku: of_product(
            Product(sku=sku),
            [
                StockPosition(sku=sku, location_id=place, on_hand=max(0, n), available=n, committed=max(0, -n))
                for (one, place), n in shelf.items()
                if one == sku
            ],
            Demand(backordered=wanted[sku]),
            market,
        )
        for sku in SKUS
    }
    kits = {
        kit: Product(sku=kit, kit_components=tuple(KitComponent(sku=sku, quantity=n) for sku, n in parts.items()))
        for kit, parts in KITS.items()
    }
    return found | {kit: of_kit(product, found, market) for kit, product in kits.items()}


def asked(status: dict[str, LocationStatus], *ruled: AvailabilityRule) -> Market:
    places = {place: Location(location_id=place, status=status[place]) for place in PLACES}
    return Market(at=NOON, channel="shopify#main", rules=AvailabilityRules(rules=ruled), locations=places)


def open_units(shelf: Shelves, status: dict[str, LocationStatus], sku: str) -> int:
    """What could really be sold at most: all that active locations have, less what orders will take of it."""
    return sum(
        max(0, n) if status[place] is LocationStatus.ACTIVE else 0 for (one, place), n in shelf.items() if one == sku
    ) - sum(max(0, -n) for (one, _), n in shelf.items() if one == sku)


@given(shelves, waiting, statuses, rules)
def test_never_more_is_shown_than_nobody_waits_for(
    shelf: Shelves, wanted: dict[str, int], status: dict[str, LocationStatus], ruled: tuple[AvailabilityRule, ...]
) -> None:
    found = figures(shelf, wanted, asked(status, *ruled))
    for sku in SKUS:
        real = max(0, open_units(shelf, status, sku) - wanted[sku])
        assert 0 <= found[sku].available_to_sell <= real


@given(shelves, waiting, statuses, rules)
def test_every_kit_that_is_shown_can_be_put_together_beside_what_orders_wait_for(
    shelf: Shelves, wanted: dict[str, int], status: dict[str, LocationStatus], ruled: tuple[AvailabilityRule, ...]
) -> None:
    found = figures(shelf, wanted, asked(status, *ruled))
    for kit, parts in KITS.items():
        active = [place for place in PLACES if status[place] is LocationStatus.ACTIVE]
        whole = sum(min(max(0, shelf[sku, place]) // n for sku, n in parts.items()) for place in active)
        left = min((open_units(shelf, status, sku) - wanted[sku]) // n for sku, n in parts.items())
        assert 0 <= found[kit].available_to_sell <= max(0, min(whole, left))


@given(shelves, waiting, statuses, rules, some.sampled_from(sorted(itertools.product(SKUS, PLACES))))
def test_one_unit_more_on_a_shelf_never_shows_less(
    shelf: Shelves,
    wanted: dict[str, int],
    status: dict[str, LocationStatus],
    ruled: tuple[AvailabilityRule, ...],
    where: tuple[str, str],
) -> None:
    market = asked(status, *ruled)
    before = figures(shelf, wanted, market)
    after = figures(shelf | {where: shelf[where] + 1}, wanted, market)
    assert all(after[sku].available_to_sell >= before[sku].available_to_sell for sku in before)


@given(shelves, waiting, statuses, rules)
def test_without_rules_never_less_is_shown_than_with_them(
    shelf: Shelves, wanted: dict[str, int], status: dict[str, LocationStatus], ruled: tuple[AvailabilityRule, ...]
) -> None:
    free, held = figures(shelf, wanted, asked(status)), figures(shelf, wanted, asked(status, *ruled))
    assert all(held[sku].available_to_sell <= free[sku].available_to_sell for sku in free)


@given(shelves, waiting, statuses, baskets)
def test_a_basket_that_passes_can_be_taken_off_the_shelves(
    shelf: Shelves, wanted: dict[str, int], status: dict[str, LocationStatus], basket: list[Wanted]
) -> None:
    """Tried by hand, every way to spread the kits over the locations."""
    short = missing(basket, figures(shelf, wanted, asked(status)))
    if not short:
        assert _serves(shelf, wanted, status, basket)


@given(shelves, waiting, statuses, rules, baskets, some.data())
def test_what_a_basket_lacks_it_lacks_with_more_in_it_too(
    shelf: Shelves,
    wanted: dict[str, int],
    status: dict[str, LocationStatus],
    ruled: tuple[AvailabilityRule, ...],
    basket: list[Wanted],
    data: Any,
) -> None:
    found = figures(shelf, wanted, asked(status, *ruled))
    parts = data.draw(some.permutations(basket)) if basket else []
    assert missing(parts, found) == missing(basket, found)
    if missing(basket, found):
        assert missing([*basket, Wanted("B", 1)], found)


def _serves(shelf: Shelves, wanted: dict[str, int], status: dict[str, LocationStatus], basket: list[Wanted]) -> bool:
    kits = [sku for sku, quantity in basket if sku in KITS for _ in range(quantity)]
    singles = {sku: sum(line.quantity for line in basket if line.sku == sku) for sku in SKUS}
    left = {
        place: {sku: max(0, shelf[sku, place]) for sku in SKUS}
        for place in PLACES
        if status[place] is LocationStatus.ACTIVE
    }
    for sku in SKUS:
        needed = singles[sku] + sum(KITS[kit].get(sku, 0) for kit in kits)
        if needed and open_units(shelf, status, sku) - wanted[sku] < needed:
            return False
    return _placed(sorted(kits), left)


def _placed(kits: list[str], left: dict[str, dict[str, int]]) -> bool:
    """Whether the kits find places; what they take of each place is given back where one does not."""
    if not kits:
        return True
    kit, rest = kits[0], kits[1:]
    for here in left.values():
        if all(here[sku] >= n for sku, n in KITS[kit].items()):
            for sku, n in KITS[kit].items():
                here[sku] -= n
            if _placed(rest, left):
                return True
            for sku, n in KITS[kit].items():
                here[sku] += n
    return False
