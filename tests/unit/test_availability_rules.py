"""Which rule holds back how much of the stock: the first that fits, in its scope, at its time."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from oms.domain.availability_rules import AvailabilityRule, AvailabilityRules, RuleScope
from oms.domain.catalog import Product

NOON = datetime(2026, 11, 16, 12, tzinfo=UTC)
MUG = Product(sku="MUG", category="tableware")
NETWORK = {"scope": RuleScope.NETWORK}


def rule(name: str, **facts: Any) -> AvailabilityRule:
    return AvailabilityRule(name=name, **facts)


def fits(*rules: AvailabilityRule, channel: str | None = "shopify#main", at: datetime = NOON) -> str:
    """The name of the rule that counts for mugs at WH-EAST."""
    return AvailabilityRules(rules=rules).at_location(MUG, "WH-EAST", channel, at).name


@pytest.mark.parametrize(
    "named",
    [
        pytest.param({}, id="a rule that names nothing"),
        pytest.param({"channel": "shopify#main"}, id="the channel"),
        pytest.param({"location_id": "WH-EAST"}, id="the location"),
        pytest.param({"category": "tableware"}, id="the category"),
        pytest.param({"sku": "MUG"}, id="the sku"),
        pytest.param({"valid_from": NOON}, id="a rule that begins right now"),
        pytest.param({"valid_until": NOON.replace(hour=13)}, id="a rule that has not ended"),
        pytest.param({"channel": "shopify#main", "sku": "MUG", "location_id": "WH-EAST"}, id="all of them"),
    ],
)
def test_a_rule_fits_what_it_names_and_whatever_it_does_not_name(named: dict[str, Any]) -> None:
    assert fits(rule("fitting", **named)) == "fitting"


@pytest.mark.parametrize(
    "named",
    [
        pytest.param({"channel": "shopify#outlet"}, id="another account"),
        pytest.param({"channel": "shopify"}, id="a channel without its account"),
        pytest.param({"location_id": "WH-WEST"}, id="another location"),
        pytest.param({"category": "candles"}, id="another category"),
        pytest.param({"category": ""}, id="products without a category"),
        pytest.param({"sku": "BOWL"}, id="another sku"),
        pytest.param({"valid_from": NOON.replace(hour=13)}, id="a rule that has not begun"),
        pytest.param({"valid_until": NOON}, id="a rule that ends right now"),
        pytest.param({"sku": "MUG", "channel": "shopify#outlet"}, id="one of two things that do not fit"),
        pytest.param(NETWORK, id="a rule for the sum of all locations"),
    ],
)
def test_a_rule_that_names_something_else_does_not_fit(named: dict[str, Any]) -> None:
    assert fits(rule("other", **named)) == ""


def test_the_first_rule_that_fits_counts_and_no_other() -> None:
    rules = (rule("outlet", channel="shopify#outlet"), rule("mugs", sku="MUG"), rule("all"))
    assert fits(*rules) == "mugs"


def test_without_a_channel_no_rule_of_a_channel_fits() -> None:
    assert fits(rule("main", channel="shopify#main"), rule("all"), channel=None) == "all"


def test_the_sum_of_all_locations_has_rules_of_its_own() -> None:
    rules = AvailabilityRules(rules=(rule("here"), rule("in all", scope=RuleScope.NETWORK)))
    assert rules.of_network(MUG, None, NOON).name == "in all"
    assert rules.at_location(MUG, "WH-EAST", None, NOON).name == "here"


@pytest.mark.parametrize(
    ("facts", "units", "held_back"),
    [
        pytest.param({}, 7, 0, id="nothing"),
        pytest.param({"buffer_units": 2}, 7, 2, id="fixed"),
        pytest.param({"buffer_percent": 10}, 70, 7, id="a whole share"),
        pytest.param({"buffer_percent": 10}, 71, 8, id="part of a unit counts as a whole one"),
        pytest.param({"buffer_percent": 1}, 1, 1, id="the smallest share of the smallest stock"),
        pytest.param({"buffer_percent": 100}, 7, 7, id="everything"),
        pytest.param({"buffer_percent": 33, "buffer_units": 1}, 10, 5, id="both"),
        pytest.param({"buffer_percent": 50}, -4, 0, id="no share of what is not there"),
        pytest.param({"buffer_percent": 29}, 100, 29, id="exact where fractions of binary numbers are not"),
    ],
)
def test_a_buffer_rounds_so_that_never_more_is_shown_than_is_exact(
    facts: dict[str, Any], units: int, held_back: int
) -> None:
    assert rule("buffer", **facts).buffer(units) == held_back


@pytest.mark.parametrize(
    ("facts", "units", "shown"),
    [
        ({}, 7, 7),
        ({}, -3, 0),
        ({"max_published": 5}, 7, 5),
        ({"max_published": 5}, 3, 3),
        ({"max_published": 0}, 7, 0),
        ({"max_published": 5}, -3, 0),
        ({"excluded": True}, 7, 0),
    ],
)
def test_what_is_shown_is_never_below_zero_nor_above_the_maximum(facts: dict[str, Any], units: int, shown: int) -> None:
    assert rule("shown", **facts).published(units) == shown


@pytest.mark.parametrize(
    "facts",
    [
        {"safety_stock": -1},
        {"buffer_units": -1},
        {"max_published": -1},
        {"buffer_percent": -1},
        {"buffer_percent": 101},
        {"scope": RuleScope.NETWORK, "location_id": "WH-EAST"},
    ],
)
def test_a_rule_that_makes_no_sense_is_refused(facts: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="nonsense"):
        rule("nonsense", **facts)


def test_the_list_of_rules_is_bounded() -> None:
    with pytest.raises(ValueError, match="at most 500"):
        AvailabilityRules(rules=(rule("one"),) * 501)
