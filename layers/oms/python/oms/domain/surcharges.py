"""Surcharges: what some parcels cost more than the list price of their weight and zone.

Those that ask for nothing a parcel must be known for are part of a tariff's prices; the others are added by parcel.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from oms.domain.order import Capability, ShipTo
from oms.domain.zones import area_of, is_country

MAX_GRAMS = 1_000_000
_WHOLE = 10_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Surcharge:
    """What some parcels cost more: an amount, or basis points of the price without surcharges, or both.

    It is charged where everything it names holds: billable weight above `over_grams`, all of `needs` among the
    parcel's, destination in one of `countries`, its postal code, as far as it is known (orders keep three characters),
    beginning with one of `postal_prefixes`.
    """

    name: str
    amount_minor: int = 0
    basis_points: int = 0
    over_grams: int | None = None
    needs: tuple[Capability, ...] = ()
    countries: tuple[str, ...] = ()
    postal_prefixes: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if not self.name:
            raise ValueError("surcharge.name must be given")
        if min(self.amount_minor, self.basis_points) < 0 or self.amount_minor + self.basis_points == 0:
            raise ValueError(f"surcharge {self.name}: amount_minor or basis_points must be above zero, neither below")
        if self.over_grams is not None and not 0 < self.over_grams <= MAX_GRAMS:
            raise ValueError(f"surcharge {self.name}: over_grams must be from 1 to {MAX_GRAMS}")
        if not all(is_country(country) for country in self.countries):
            raise ValueError(f"surcharge {self.name}: countries must be two capitals each (ISO 3166)")
        if self.postal_prefixes and len(self.countries) != 1:
            raise ValueError(f"surcharge {self.name}: postal_prefixes must come with the one country they are of")
        if any(not prefix or prefix != area_of(prefix) for prefix in self.postal_prefixes):
            raise ValueError(f"surcharge {self.name}: postal_prefixes must be capitals and digits without spaces")

    def holds_for(self, ship_to: ShipTo) -> bool:
        """Whether the destination is one it is charged for."""
        if self.countries and ship_to.country not in self.countries:
            return False
        return not self.postal_prefixes or area_of(ship_to.postal_prefix).startswith(self.postal_prefixes)

    def amount_of(self, price_minor: int) -> int:
        """What it adds to this price; half a minor unit counts as a whole one."""
        return self.amount_minor + rounded(price_minor * self.basis_points)


@dataclass(frozen=True, slots=True, kw_only=True)
class NeedSurcharge:
    """What parcels with all of `needs` cost more: per step of the tariff, and per kilogram begun above the last."""

    needs: frozenset[Capability]
    amounts: tuple[int, ...]
    extra_kg_minor: int = 0


def added_minor(surcharges: Iterable[Surcharge], price_minor: int, grams: int) -> int:
    """What these add to the list price of so many grams, the parcel's needs given."""
    return sum(one.amount_of(price_minor) for one in surcharges if one.over_grams is None or grams > one.over_grams)


def added_per_kg_minor(surcharges: Iterable[Surcharge], extra_kg_minor: int) -> int:
    """What these add to the price of a further kilogram."""
    return sum(rounded(extra_kg_minor * one.basis_points) for one in surcharges)


def rounded(ten_thousandths: int) -> int:
    """Whole units of so many ten-thousandths, half a unit up."""
    return (ten_thousandths + _WHOLE // 2) // _WHOLE
