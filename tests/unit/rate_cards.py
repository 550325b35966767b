"""A small rate card for tests: two areas of the US, Canada, three zones."""

from __future__ import annotations

from typing import Any

from oms.domain.rates import RateBand, RateCard


def small_card(**changes: Any) -> RateCard:
    """Zone 1 within a state, 2 within an area, 3 across and to Canada; 5, 7, 9 dollars up to 500 g."""
    facts: dict[str, Any] = {
        "name": "small",
        "currency": "USD",
        "carrier": "ups",
        "service": "GROUND",
        "areas": {"US-NY": "EAST", "US-NJ": "EAST", "US-CA": "WEST", "US-NV": "WEST"},
        "zones": {"EAST": {"EAST": 2, "WEST": 3}, "WEST": {"WEST": 2}},
        "local_zone": 1,
        "international": {"CA": 3},
        "bands": (
            RateBand(up_to_grams=500, prices_minor=(500, 700, 900)),
            RateBand(up_to_grams=2000, prices_minor=(800, 1100, 1600)),
        ),
        "extra_kg_minor": (100, 150, 300),
    }
    return RateCard(**(facts | changes))


def stored_card() -> dict[str, Any]:
    """The same card as `settings` holds it: maps, lists, numbers and text only."""
    return {
        "name": "small",
        "version": 1,
        "currency": "USD",
        "carrier": "ups",
        "service": "GROUND",
        "areas": {"US-NY": "EAST", "US-NJ": "EAST", "US-CA": "WEST", "US-NV": "WEST"},
        "zones": {"EAST": {"EAST": 2, "WEST": 3}, "WEST": {"WEST": 2}},
        "local_zone": 1,
        "international": {"CA": 3},
        "bands": [
            {"up_to_grams": 500, "prices_minor": [500, 700, 900]},
            {"up_to_grams": 2000, "prices_minor": [800, 1100, 1600]},
        ],
        "extra_kg_minor": [100, 150, 300],
    }
