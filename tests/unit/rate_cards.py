"""A small rate card for tests: two areas of the US, Canada, three zones, one service."""

from __future__ import annotations

from typing import Any

from oms.domain.rates import CarrierService, RateBand, RateCard


def small_service(**changes: Any) -> CarrierService:
    """5, 7, 9 dollars up to 500 g, 8, 11, 16 up to 2 kg, then 1, 1.50, 3 per kilogram; 1, 2, 4 days."""
    facts: dict[str, Any] = {
        "service": "GROUND",
        "bands": (
            RateBand(up_to_grams=500, prices_minor=(500, 700, 900)),
            RateBand(up_to_grams=2000, prices_minor=(800, 1100, 1600)),
        ),
        "extra_kg_minor": (100, 150, 300),
        "transit_days": (1, 2, 4),
    }
    return CarrierService(**(facts | changes))


def small_card(**changes: Any) -> RateCard:
    """Zone 1 within a state, 2 within an area, 3 across and to Canada."""
    facts: dict[str, Any] = {
        "name": "small",
        "currency": "USD",
        "carrier": "ups",
        "areas": {"US-NY": "EAST", "US-NJ": "EAST", "US-CA": "WEST", "US-NV": "WEST"},
        "zones": {"EAST": {"EAST": 2, "WEST": 3}, "WEST": {"WEST": 2}},
        "local_zone": 1,
        "international": {"CA": 3},
        "services": (small_service(),),
    }
    return RateCard(**(facts | changes))


def stored_card() -> dict[str, Any]:
    """The same card as `settings` holds it, its name and version in the item's name: maps, lists, numbers, text."""
    return {
        "kind": "rate_card",
        "name": "small#1",
        "currency": "USD",
        "carrier": "ups",
        "areas": {"US-NY": "EAST", "US-NJ": "EAST", "US-CA": "WEST", "US-NV": "WEST"},
        "zones": {"EAST": {"EAST": 2, "WEST": 3}, "WEST": {"WEST": 2}},
        "local_zone": 1,
        "international": {"CA": 3},
        "services": [
            {
                "service": "GROUND",
                "bands": [
                    {"up_to_grams": 500, "prices_minor": [500, 700, 900]},
                    {"up_to_grams": 2000, "prices_minor": [800, 1100, 1600]},
                ],
                "extra_kg_minor": [100, 150, 300],
                "transit_days": [1, 2, 4],
            }
        ],
    }
