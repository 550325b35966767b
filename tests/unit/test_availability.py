"""What may be sold, term by term: the formula at a location, in the network, for kits and before arrival."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest

from oms.domain.availability import (
    FORMULA,
    Availability,
    Demand,
    Excluded,
    Market,
    NetworkFigures,
    of_kit,
    of_product,
)
from oms.domain.availability_rules import AvailabilityRule, AvailabilityRules, RuleScope
from oms.domain.catalog import KitComponent, Location, LocationStatus, Product
from oms.domain.stock import Incoming, StockPosition

NOON = datetime(2026, 11, 16, 12, tzinfo=UTC)
MUG = Product(sku="MUG", category="tableware")
EAST = Location(location_id="EAST", status=LocationStatus.ACTIVE, country="US", region="NJ")
WEST = Location(location_id="WEST", status=LocationStatus.ACTIVE, country="US", region="NV")
NOBODY = Demand()


def market(*rules: AvailabilityRule, locations: tuple[Location, ...] = (EAST, WEST), **facts: Any) -> Market:
    made = {
        "at": NOON,
        "rules": AvailabilityRules(rules=rules),
        "locations": {one.location_id: one for one in locations},
    }
    return Market(**(made | facts))


def rule(**facts: Any) -> AvailabilityRule:
    return AvailabilityRule(name="the rule", **facts)


def network(**facts: Any) -> AvailabilityRule:
    return rule(scope=RuleScope.NETWORK, **facts)


def units(location_id: str, available: int, sku: str = "MUG", **buckets: Any) -> StockPosition:
    on_hand = available + sum(value for value in buckets.values() if isinstance(value, int))
    return StockPosition(sku=sku, location_id=location_id, on_hand=on_hand, available=available, **buckets)


def mugs(
    *positions: StockPosition, demand: Demand = NOBODY, product: Product = MUG, at: Market | None = None
) -> Availability:
    return of_product(product, positions, demand, at or market())


def sellable(found: Availability) -> dict[str, int]:
    return {one.location_id: one.sellable for one in found.locations}


def test_without_rules_and_waiting_orders_all_that_is_available_may_be_sold() -> None:
    found = mugs(units("EAST", 10, committed=3), units("WEST", 5, damaged=1))
    assert sellable(found) == {"EAST": 10, "WEST": 5}
    assert (found.available_to_sell, found.network.raw) == (15, 15)
    assert [(one.on_hand, one.available, one.rule) for one in found.locations] == [(13, 10, None), (6, 5, None)]


def test_a_product_that_never_had_stock_has_nothing_to_sell() -> None:
    assert mugs() == Availability(sku="MUG")


@pytest.mark.parametrize(
    ("facts", "available", "left"),
    [
        pytest.param({"safety_stock": 3}, 10, 7, id="safety stock"),
        pytest.param({"buffer_units": 2}, 10, 8, id="fixed buffer"),
        pytest.param({"buffer_percent": 25}, 10, 7, id="a share, rounded up"),
        pytest.param({"safety_stock": 3, "buffer_units": 2, "buffer_percent": 25}, 10, 2, id="all three"),
        pytest.param({"safety_stock": 11}, 10, 0, id="more held back than there is"),
        pytest.param({"max_published": 4}, 10, 4, id="no more than a maximum"),
        pytest.param({"excluded": True}, 10, 0, id="excluded"),
        pytest.param({"location_id": "WEST", "safety_stock": 3}, 10, 10, id="a rule for another location"),
    ],
)
def test_a_rule_holds_back_units_at_each_location(facts: dict[str, Any], available: int, left: int) -> None:
    assert sellable(mugs(units("EAST", available), at=market(rule(**facts)))) == {"EAST": left}


def test_each_term_of_a_location_is_told_with_the_rule_it_comes_from() -> None:
    (east,) = mugs(units("EAST", 10), at=market(rule(safety_stock=3, buffer_units=1, buffer_percent=10))).locations
    assert (east.on_hand, east.available, east.safety_stock, east.buffer, east.sellable) == (10, 10, 3, 2, 5)
    assert (east.rule, east.excluded) == ("the rule", None)


def test_a_location_may_be_kept_out_of_one_channel_only() -> None:
    store = rule(channel="shopify#outlet", location_id="EAST", excluded=True)
    stock = (units("EAST", 10), units("WEST", 5))
    outlet = mugs(*stock, at=market(store, channel="shopify#outlet"))
    assert (outlet.available_to_sell, outlet.locations[0].excluded) == (5, Excluded.RULE)
    assert mugs(*stock, at=market(store, channel="shopify#main")).available_to_sell == 15
    assert mugs(*stock, at=market(store)).available_to_sell == 15


@pytest.mark.parametrize(
    ("demand", "raw", "shown"),
    [
        (Demand(backordered=4), 11, 11),
        (Demand(unallocated=2), 13, 13),
        (Demand(backordered=10, unallocated=5), 0, 0),
        (Demand(backordered=20, unallocated=5), -10, 0),
    ],
)
def test_units_that_orders_wait_for_are_not_sold_again(demand: Demand, raw: int, shown: int) -> None:
    found = mugs(units("EAST", 10), units("WEST", 5), demand=demand)
    assert (found.network.raw, found.available_to_sell) == (raw, shown)
    assert (found.network.backordered, found.network.unallocated) == (demand.backordered, demand.unallocated)


def test_units_promised_twice_at_one_location_are_taken_from_the_others() -> None:
    found = mugs(units("EAST", -3, committed=3), units("WEST", 5))
    assert sellable(found) == {"EAST": 0, "WEST": 5}
    assert (found.network.oversold, found.available_to_sell) == (3, 2)


def test_units_promised_twice_where_nothing_is_sold_from_are_taken_from_the_others_as_well() -> None:
    closed = replace(EAST, status=LocationStatus.CLOSED)
    found = mugs(units("EAST", -3, committed=3), units("WEST", 5), at=market(locations=(closed, WEST)))
    assert found.available_to_sell == 2


@pytest.mark.parametrize(
    ("facts", "raw", "shown"),
    [
        pytest.param({"safety_stock": 3}, 10, 10, id="safety stock of the sum"),
        pytest.param({"buffer_percent": 10}, 11, 11, id="a share of what is left of the sum"),
        pytest.param({"max_published": 5}, 13, 5, id="never more than this"),
        pytest.param({"excluded": True}, 13, 0, id="not sold on this channel"),
        pytest.param({"safety_stock": 99}, -86, 0, id="never below zero"),
    ],
)
def test_a_rule_for_the_network_is_applied_once_to_the_sum(facts: dict[str, Any], raw: int, shown: int) -> None:
    found = mugs(units("EAST", 10), units("WEST", 5), demand=Demand(backordered=2), at=market(network(**facts)))
    assert sellable(found) == {"EAST": 10, "WEST": 5}
    assert (found.network.raw, found.available_to_sell, found.network.rule) == (raw, shown, "the rule")


def test_every_term_of_the_network_adds_up_to_what_is_left() -> None:
    asked = market(network(safety_stock=1, buffer_units=1, buffer_percent=10))
    stock = (units("EAST", 20), units("WEST", -2, committed=2))
    sum_ = mugs(*stock, demand=Demand(backordered=3, unallocated=2), at=asked).network
    assert sum_ == NetworkFigures(
        sellable=20,
        oversold=2,
        backordered=3,
        unallocated=2,
        safety_stock=1,
        buffer=3,
        raw=20 - 2 - 3 - 2 - 1 - 3,
        rule="the rule",
    )


def test_the_published_formula_names_every_term_of_an_answer() -> None:
    words = " ".join((*FORMULA, *FORMULA.values()))
    terms = {*NetworkFigures.__slots__, "available_to_sell", "max_published", "buffer_percent", "buffer_units"}
    assert [term for term in sorted(terms) if term not in words] == []


SET = Product(
    sku="SET",
    category="gifts",
    kit_components=(KitComponent(sku="MUG", quantity=2), KitComponent(sku="LID", quantity=1)),
)


def sets(
    stock: dict[str, dict[str, int]], at: Market | None = None, demand: dict[str, Demand] | None = None
) -> Availability:
    """The kit's figures from units of its components by location."""
    asked = at or market()
    parts = {
        sku: of_product(
            Product(sku=sku),
            [units(place, n, sku) for place, n in here.items()],
            (demand or {}).get(sku, NOBODY),
            asked,
        )
        for sku, here in stock.items()
    }
    return of_kit(SET, parts, asked)


@pytest.mark.parametrize(
    ("stock", "by_location", "in_all"),
    [
        pytest.param({"MUG": {"EAST": 10}, "LID": {"EAST": 3}}, {"EAST": 3}, 3, id="the scarcer component decides"),
        pytest.param({"MUG": {"EAST": 5}, "LID": {"EAST": 9}}, {"EAST": 2}, 2, id="a mug left over makes no set"),
        pytest.param(
            {"MUG": {"EAST": 2, "WEST": 4}, "LID": {"EAST": 1, "WEST": 1}}, {"EAST": 1, "WEST": 1}, 2, id="two places"
        ),
        pytest.param({"MUG": {"EAST": 10}, "LID": {"WEST": 10}}, {}, 0, id="components that never meet"),
        pytest.param(
            {"MUG": {"EAST": 1, "WEST": 1}, "LID": {"EAST": 1, "WEST": 1}}, {"EAST": 0, "WEST": 0}, 0, id="half each"
        ),
        pytest.param({"MUG": {"EAST": 10}}, {}, 0, id="a component that is no product"),
        pytest.param({"MUG": {"EAST": -4}, "LID": {"EAST": 3}}, {"EAST": 0}, 0, id="a component promised twice"),
    ],
)
def test_a_kit_can_be_sold_as_often_as_one_location_has_all_of_it(
    stock: dict[str, dict[str, int]], by_location: dict[str, int], in_all: int
) -> None:
    found = sets(stock)
    assert (sellable(found), found.available_to_sell) == (by_location, in_all)


@pytest.mark.parametrize(
    ("demand", "in_all"),
    [
        ({"MUG": Demand(backordered=4)}, 2),
        ({"MUG": Demand(backordered=3)}, 2),
        ({"LID": Demand(unallocated=3)}, 1),
        ({"MUG": Demand(backordered=9)}, 0),
    ],
)
def test_what_orders_wait_for_of_a_component_makes_no_kits(demand: dict[str, Demand], in_all: int) -> None:
    stock = {"MUG": {"EAST": 4, "WEST": 4}, "LID": {"EAST": 2, "WEST": 2}}
    found = sets(stock, demand=demand)
    assert found.available_to_sell == found.network.components_make == in_all
    assert found.network.sellable == 4


@pytest.mark.parametrize(
    ("facts", "in_all"),
    [
        pytest.param({"sku": "MUG", "safety_stock": 4}, 3, id="a component's safety stock holds for kits"),
        pytest.param({"sku": "MUG", "excluded": True}, 0, id="a component kept out of a location"),
        pytest.param({"category": "gifts", "safety_stock": 1}, 4, id="a safety stock of kits"),
        pytest.param({"sku": "SET", "buffer_percent": 50}, 2, id="a share of the kits"),
        pytest.param({"sku": "SET", "max_published": 2}, 2, id="no more kits than this"),
        pytest.param({"sku": "MUG", "scope": RuleScope.NETWORK, "safety_stock": 4}, 3, id="held back of all mugs"),
        pytest.param({"sku": "MUG", "scope": RuleScope.NETWORK, "max_published": 1}, 5, id="mugs shown as fewer"),
        pytest.param({"sku": "MUG", "scope": RuleScope.NETWORK, "excluded": True}, 5, id="mugs not sold singly"),
        pytest.param({"sku": "SET", "scope": RuleScope.NETWORK, "max_published": 1}, 1, id="no more kits in all"),
    ],
)
def test_rules_for_components_and_for_the_kit_both_hold(facts: dict[str, Any], in_all: int) -> None:
    found = sets({"MUG": {"EAST": 10}, "LID": {"EAST": 9}}, at=market(rule(**facts)))
    assert found.available_to_sell == in_all


def test_a_kit_names_its_components_and_says_how_many_of_it_they_make() -> None:
    found = sets({"MUG": {"EAST": 10}, "LID": {"EAST": 3}})
    assert dict(found.components) == {"MUG": 2, "LID": 1}
    (east,) = found.locations
    assert (east.on_hand, east.available, east.sellable) == (3, 3, 3)


@pytest.mark.parametrize(
    "components",
    [
        pytest.param((KitComponent(sku="MUG", quantity=0),), id="none of a component"),
        pytest.param(tuple(KitComponent(sku=f"PART-{n}", quantity=1) for n in range(21)), id="too many components"),
    ],
)
def test_a_kit_that_no_order_could_hold_is_not_sold(components: tuple[KitComponent, ...]) -> None:
    kit = Product(sku="ODD", kit_components=components)
    parts = {one.sku: mugs(units("EAST", 10)) for one in components}
    assert of_kit(kit, parts, market()) == Availability(sku="ODD")


FRIDAY, MONDAY = NOON.replace(day=20), NOON.replace(day=23)
ON_ITS_WAY = (
    Incoming(reference="PO-2", quantity=8, expected_at=MONDAY),
    Incoming(reference="PO-1", quantity=5, expected_at=FRIDAY),
)
SOON = replace(MUG, preorder=True)


def preorders(found: Availability) -> list[tuple[str, int, int]]:
    return [(one.reference, one.quantity, one.available_to_sell) for one in found.preorder]


def test_what_is_on_its_way_adds_up_day_by_day_where_preorder_is_allowed() -> None:
    found = mugs(units("EAST", 2, incoming=ON_ITS_WAY), product=SOON)
    assert preorders(found) == [("PO-1", 5, 7), ("PO-2", 8, 15)]
    assert [one.expected_at for one in found.preorder] == [FRIDAY, MONDAY]
    assert found.available_to_sell == 2


def test_what_is_on_its_way_serves_those_who_wait_first() -> None:
    found = mugs(units("EAST", 2, incoming=ON_ITS_WAY), product=SOON, demand=Demand(backordered=9))
    assert preorders(found) == [("PO-1", 5, 0), ("PO-2", 8, 6)]


@pytest.mark.parametrize(
    ("product", "rules", "allowed"),
    [
        pytest.param(MUG, (), False, id="the product does not allow it"),
        pytest.param(SOON, (), True, id="the product allows it"),
        pytest.param(MUG, (rule(preorder=True),), True, id="a rule allows it"),
        pytest.param(SOON, (rule(preorder=False),), False, id="a rule forbids it"),
        pytest.param(SOON, (rule(safety_stock=1),), True, id="a rule that does not say leaves it to the product"),
        pytest.param(MUG, (network(preorder=True),), True, id="the network's rule allows it"),
        pytest.param(MUG, (rule(preorder=False), network(preorder=True)), False, id="the location's rule goes first"),
        pytest.param(SOON, (rule(excluded=True),), False, id="an excluded location"),
    ],
)
def test_preorder_is_for_products_and_rules_that_allow_it(
    product: Product, rules: tuple[AvailabilityRule, ...], allowed: bool
) -> None:
    found = mugs(units("EAST", 0, incoming=ON_ITS_WAY), product=product, at=market(*rules))
    assert bool(found.preorder) is allowed


def test_a_maximum_holds_for_what_is_sold_before_arrival_too() -> None:
    found = mugs(units("EAST", 2, incoming=ON_ITS_WAY), product=SOON, at=market(network(max_published=6)))
    assert [one.available_to_sell for one in found.preorder] == [6, 6]


def test_a_delivery_of_nothing_is_not_told() -> None:
    nothing = Incoming(reference="PO-3", quantity=0, expected_at=FRIDAY)
    assert mugs(units("EAST", 2, incoming=(nothing,)), product=SOON).preorder == ()
