"""A basket is had whole or not: lines of one sku, kits and their components draw on the same units."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime

import pytest

from oms.domain.availability import Availability, Demand, Market, of_kit, of_product
from oms.domain.availability_rules import AvailabilityRule, AvailabilityRules, RuleScope
from oms.domain.baskets import Wanted, missing
from oms.domain.catalog import KitComponent, Location, LocationStatus, Product
from oms.domain.stock import StockPosition

NOON = datetime(2026, 11, 16, 12, tzinfo=UTC)
LOCATIONS = {name: Location(location_id=name, status=LocationStatus.ACTIVE) for name in ("EAST", "WEST")}
STOCK = {"MUG": {"EAST": 3, "WEST": 2}, "LID": {"EAST": 4, "WEST": 0}, "TRAY": {"EAST": 9, "WEST": 9}}
KITS = {"PAIR": {"MUG": 2}, "CUP": {"MUG": 1, "LID": 1}, "SERVICE": {"MUG": 1, "TRAY": 1}}


def figures(
    stock: Mapping[str, Mapping[str, int]] = STOCK,
    rules: tuple[AvailabilityRule, ...] = (),
    waiting: Mapping[str, int] | None = None,
) -> dict[str, Availability]:
    """The figures of everything that is sold, alone or as a kit."""
    market = Market(at=NOON, rules=AvailabilityRules(rules=rules), locations=LOCATIONS)
    found = {
        sku: of_product(
            Product(sku=sku),
            [StockPosition(sku=sku, location_id=place, on_hand=n, available=n) for place, n in here.items()],
            Demand(backordered=(waiting or {}).get(sku, 0)),
            market,
        )
        for sku, here in stock.items()
    }
    kits = {
        kit: Product(sku=kit, kit_components=tuple(KitComponent(sku=sku, quantity=n) for sku, n in parts.items()))
        for kit, parts in KITS.items()
    }
    return found | {kit: of_kit(product, found, market) for kit, product in kits.items()}


@pytest.mark.parametrize(
    ("basket", "short"),
    [
        pytest.param([], {}, id="nothing wanted"),
        pytest.param([("MUG", 5)], {}, id="all there is, from two places"),
        pytest.param([("MUG", 6)], {"MUG": 1}, id="one too many"),
        pytest.param([("MUG", 3), ("MUG", 3)], {"MUG": 1}, id="two lines of one sku"),
        pytest.param([("PAIR", 2)], {}, id="a pair in each place"),
        pytest.param([("PAIR", 3)], {"MUG": 1, "PAIR": 1}, id="three pairs of five mugs"),
        pytest.param([("PAIR", 2), ("MUG", 1)], {}, id="the mug that is left over"),
        pytest.param([("PAIR", 2), ("MUG", 2)], {"MUG": 1}, id="a kit and its component are short together"),
        pytest.param([("CUP", 3), ("MUG", 2)], {}, id="a kit where all of it lies, mugs from elsewhere"),
        pytest.param([("CUP", 4)], {"CUP": 1}, id="lids lie where mugs are few"),
        pytest.param([("CUP", 2), ("PAIR", 2)], {"MUG": 1}, id="two kits share a component"),
        pytest.param([("CUP", 3), ("SERVICE", 2)], {}, id="kits that find their places"),
        pytest.param([("CUP", 2), ("PAIR", 1)], {}, id="a pair where cups have left mugs"),
        pytest.param([("NOTHING", 1)], {"NOTHING": 1}, id="a sku without figures"),
    ],
)
def test_a_basket_says_what_it_lacks(basket: list[tuple[str, int]], short: dict[str, int]) -> None:
    assert missing([Wanted(*line) for line in basket], figures()) == short


def test_kits_that_would_need_the_same_units_of_one_place_do_not_both_pass() -> None:
    """Each alone can be had twice, and there are four mugs; but both are made in the east only, of two."""
    stock = {"MUG": {"EAST": 2, "WEST": 2}, "LID": {"EAST": 2}, "TRAY": {"EAST": 2}}
    assert missing([Wanted("CUP", 2)], figures(stock)) == {}
    assert missing([Wanted("SERVICE", 2)], figures(stock)) == {}
    assert missing([Wanted("CUP", 2), Wanted("SERVICE", 2)], figures(stock)) == {"SERVICE": 2}


def test_units_that_orders_wait_for_are_in_no_basket() -> None:
    assert missing([Wanted("MUG", 3), Wanted("CUP", 1)], figures(waiting={"MUG": 2})) == {"MUG": 1}


def test_a_maximum_shown_of_a_sku_bounds_its_own_lines_not_the_kits_made_of_it() -> None:
    shown = AvailabilityRule(name="few", scope=RuleScope.NETWORK, sku="MUG", max_published=1)
    assert missing([Wanted("MUG", 1), Wanted("PAIR", 2)], figures(rules=(shown,))) == {}
    assert missing([Wanted("MUG", 2)], figures(rules=(shown,))) == {"MUG": 1}
