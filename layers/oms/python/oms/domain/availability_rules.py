"""Availability rules: how much of the stock a channel may not sell. Written in `settings` as `availability` `rules`.

    {"rules": [
        {"name": "Outlet keeps out of the stores", "channel": "shopify#outlet", "location_id": "STORE-1",
         "excluded": true},
        {"name": "Holidays", "category": "candles", "valid_from": "2026-12-01T00:00:00Z",
         "valid_until": "2027-01-01T00:00:00Z", "safety_stock": 2, "buffer_percent": 10},
        {"name": "Never show more than 50", "scope": "NETWORK", "channel": "shopify#main", "max_published": 50}]}

The rules of scope LOCATION (the default) are gone through for each location, those of scope NETWORK once for the sum
of all locations. In each scope the first rule counts that fits, and no other: `channel`, `location_id`, `category`
and `sku` must be those asked about, `valid_from` <= now < `valid_until`; what a rule does not name fits anything. A
question without a channel is fitted by no rule that names one.

What a rule holds back: `safety_stock` and `buffer_units` units, and `buffer_percent` of the stock, rounded up.
`excluded` sells nothing. `max_published` sells no more than this. `preorder` allows or forbids to sell what is still
on its way; where no rule says it, the product does.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from oms.domain.catalog import Product

MAX_RULES = 500
_HUNDRED = 100


class RuleScope(StrEnum):
    """What a rule is applied to: the stock of each location, or the sum of all."""

    LOCATION = "LOCATION"
    NETWORK = "NETWORK"


@dataclass(frozen=True, slots=True, kw_only=True)
class AvailabilityRule:
    """One rule, as the module describes it. Raises ValueError for one that makes no sense."""

    name: str
    scope: RuleScope = RuleScope.LOCATION
    channel: str | None = None
    location_id: str | None = None
    category: str | None = None
    sku: str | None = None
    valid_from: datetime | None = None
    valid_until: datetime | None = None
    safety_stock: int = 0
    buffer_percent: int = 0
    buffer_units: int = 0
    excluded: bool = False
    preorder: bool | None = None
    max_published: int | None = None

    def __post_init__(self) -> None:
        if min(self.safety_stock, self.buffer_units, self.max_published or 0) < 0:
            raise ValueError(f"{self.name}: safety_stock, buffer_units and max_published are not negative")
        if not 0 <= self.buffer_percent <= _HUNDRED:
            raise ValueError(f"{self.name}: buffer_percent is 0 to 100")
        if self.scope is RuleScope.NETWORK and self.location_id is not None:
            raise ValueError(f"{self.name}: a rule of scope NETWORK names no location_id")

    def buffer(self, units: int) -> int:
        """What is held back of so many units beside the safety stock; parts of a unit count as whole ones."""
        return self.buffer_units - (-max(0, units) * self.buffer_percent // _HUNDRED)

    def published(self, units: int) -> int:
        """What may be shown of a computed figure, which may be below zero."""
        if self.excluded:
            return 0
        return max(0, units) if self.max_published is None else min(max(0, units), self.max_published)


NO_RULE = AvailabilityRule(name="")
"""Holds nothing back: where no rule fits."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AvailabilityRules:
    """All rules, in the order in which they are tried. Raises ValueError above MAX_RULES."""

    rules: tuple[AvailabilityRule, ...] = ()

    def __post_init__(self) -> None:
        if len(self.rules) > MAX_RULES:
            raise ValueError(f"at most {MAX_RULES} rules")

    def at_location(self, product: Product, location_id: str, channel: str | None, at: datetime) -> AvailabilityRule:
        """The rule for this product at this location."""
        rules = (rule for rule in self.rules if rule.location_id in (None, location_id))
        return _first(rules, RuleScope.LOCATION, product, channel, at)

    def of_network(self, product: Product, channel: str | None, at: datetime) -> AvailabilityRule:
        """The rule for the sum of this product's stock."""
        return _first(self.rules, RuleScope.NETWORK, product, channel, at)


def _first(
    rules: Iterable[AvailabilityRule], scope: RuleScope, product: Product, channel: str | None, at: datetime
) -> AvailabilityRule:
    fitting = (rule for rule in rules if rule.scope is scope and _fits(rule, product, channel, at))
    return next(fitting, NO_RULE)


def _fits(rule: AvailabilityRule, product: Product, channel: str | None, at: datetime) -> bool:
    started = rule.valid_from is None or rule.valid_from <= at
    ended = rule.valid_until is not None and rule.valid_until <= at
    return (
        started
        and not ended
        and rule.channel in (None, channel)
        and rule.category in (None, product.category)
        and rule.sku in (None, product.sku)
    )
