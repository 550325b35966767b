"""Routing decisions in words: why a location was left out, and what would have had to be true for it to ship."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from oms.domain.money import format_minor
from oms.domain.network import Destination, Ineligible
from oms.domain.routing_policy import Relaxation

REASONS: Mapping[str, str] = {
    Ineligible.NOT_ACTIVE: "it was not active",
    Ineligible.METHOD_UNSUPPORTED: "it does not do {method}",
    Ineligible.COUNTRY_NOT_SERVED: "it does not ship to {country}",
    Ineligible.OTHER_PICKUP_LOCATION: "the customer chose to collect at {pickup}",
    Ineligible.SEGMENT: "the routing policy keeps such orders from it",
    Ineligible.NO_RATE: "none of its carriers has a rate from there to {region}",
    Ineligible.NO_SERVICE: "none of its carriers has a service for {service_level}",
    Ineligible.NO_EXCHANGE_RATE: "its carriers' prices are in a currency the routing policy has no exchange rate for",
    Ineligible.NO_CAPACITY: "it makes no parcels, or all its days were full",
    Ineligible.EXCLUDED: "it had refused the lines before, or was short of them",
    Ineligible.CANNOT_HANDLE: "it can't handle {needs}",
    Ineligible.TOO_LATE: "it would have missed the promised day",
    Ineligible.NO_STOCK: "it had not enough of any line",
    Ineligible.NOT_TOGETHER: "lines that must stay together fit nowhere together",
    Ineligible.TOO_MANY_PARCELS: "no plan with so few parcels used it",
}
"""By reason code, said of a location."""

WISHES: Mapping[str, str] = {
    Ineligible.NOT_ACTIVE: "status of the location must be ACTIVE",
    Ineligible.METHOD_UNSUPPORTED: "methods of the location must name {method}",
    Ineligible.COUNTRY_NOT_SERVED: "ships_to of the location must name {country}",
    Ineligible.OTHER_PICKUP_LOCATION: "the customer must choose it",
    Ineligible.NO_RATE: "a rate card of one of its carriers must have a zone for {region}",
    Ineligible.NO_SERVICE: "a rate card of one of its carriers must have a service for {service_level}",
    Ineligible.NO_EXCHANGE_RATE: "costs.exchange_rates of the routing policy must name that currency",
    Ineligible.NO_CAPACITY: "daily_capacity of the location must leave room on a day",
    Ineligible.EXCLUDED: "the lines must be free to ship from it again",
    Ineligible.CANNOT_HANDLE: "capabilities of the location must name {needs}",
}
"""What would have had to be true, by reason code; for the others it takes figures."""

GIVEN_UP: Mapping[str, str] = {
    Relaxation.ALLOW_LATE: "being in time",
    Relaxation.SPLIT_LINES: "keeping lines whole",
    Relaxation.MORE_PARCELS: "the limit of parcels",
    Relaxation.ANY_SEGMENT: "the policy's segments",
}

TERM_WORDS: Mapping[str, str] = {
    "freight_minor": "freight",
    "handling_minor": "handling of parcels",
    "units_minor": "handling of units",
    "capacity_minor": "nearly full days",
    "late_minor": "lateness",
    "preference_minor": "preferences",
}


def words_for(destination: Destination, needs: Iterable[str] = ()) -> dict[str, str]:
    """What stands in the gaps of REASONS and WISHES for an order to this destination."""
    return {
        "method": destination.method.value,
        "country": destination.ship_to.country,
        "region": f"{destination.ship_to.country}-{destination.ship_to.region}".removesuffix("-"),
        "pickup": destination.pickup_location_id or "another location",
        "service_level": destination.service_level,
        "needs": ", ".join(sorted(set(needs))) or "what the lines need",
    }


def money(minor: int, currency: str) -> str:
    """`12.34 USD`; without a currency where none is known."""
    return format_minor(minor, currency).strip()


def terms_in_words(differences: Mapping[str, int], currency: str) -> str:
    """`freight 2.00 USD more, handling of units 0.20 USD less`."""
    return ", ".join(
        f"{TERM_WORDS[term]} {money(abs(minor), currency)} {'more' if minor > 0 else 'less'}"
        for term, minor in differences.items()
    )
