"""The routing policy: what routing may do, what things cost beside the carrier's price, and what happens when nothing
fits. A versioned document; `RoutingPolicy()` is what holds where none was written."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum

MAX_PARCELS_EVER = 10


class LineSplit(StrEnum):
    """When the units of one line may ship from several locations."""

    NEVER = "NEVER"
    WHEN_SHORT = "WHEN_SHORT"
    """Only where no eligible location has the whole line."""
    ALWAYS = "ALWAYS"


class Lateness(StrEnum):
    """What to do with a plan that misses the promised day."""

    FORBIDDEN = "FORBIDDEN"
    PENALISED = "PENALISED"


class Relaxation(StrEnum):
    """What may be given up, one after the other, when nothing fits."""

    ALLOW_LATE = "ALLOW_LATE"
    SPLIT_LINES = "SPLIT_LINES"
    MORE_PARCELS = "MORE_PARCELS"
    ANY_SEGMENT = "ANY_SEGMENT"


class Unroutable(StrEnum):
    """What becomes of an order that no location may ship, whatever was given up."""

    BACKORDER = "BACKORDER"
    """It waits and is tried again."""
    REVIEW = "REVIEW"
    CANCEL = "CANCEL"
    """It waits and is tried again until `cancel_after_hours` have passed, then it is cancelled."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Segment:
    """Orders of these channels, countries and service levels (none named: any) may ship only from locations with one
    of `only_tags` (none named: any) and none of `never_tags`."""

    name: str
    channels: tuple[str, ...] = ()
    countries: tuple[str, ...] = ()
    service_levels: tuple[str, ...] = ()
    only_tags: tuple[str, ...] = ()
    never_tags: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Constraints:
    """What no plan may break."""

    max_parcels: int = 4
    line_split: LineSplit = LineSplit.WHEN_SHORT
    lateness: Lateness = Lateness.PENALISED
    segments: tuple[Segment, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Costs:
    """Money beside the carrier's price and the location's handling, in minor units of the policy's currency.

    `late_day_minor`: per parcel and day late. `capacity_minor`: per parcel at a location whose day is full, rising in
    a straight line from nothing at `capacity_from_percent` full. `preferences_minor`: per parcel from locations with
    the tag. `exchange_rates`: minor units of the policy's currency for 10,000 of another's.
    """

    late_day_minor: int = 500
    capacity_minor: int = 300
    capacity_from_percent: int = 80
    preferences_minor: dict[str, int] = field(default_factory=dict)
    exchange_rates: dict[str, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Guards:
    """What a new policy may do to past orders and still become active (percent; None: not guarded)."""

    max_cost_increase_percent: float | None = 2.0
    max_split_percent: float | None = None
    max_late_percent: float | None = None
    max_location_share_percent: float | None = None
    max_unrouted_percent: float | None = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class RoutingPolicy:
    """One version. `time_zone` (IANA; none: UTC) is the company's: promised days end there. `reroute_saving_minor` is
    what moving an unreleased order must save; `default_transit_days` is reckoned with where a service does not say.
    An order keeps the version that routed it.
    """

    version: int = 0
    currency: str = ""
    time_zone: str = ""
    constraints: Constraints = field(default_factory=Constraints)
    costs: Costs = field(default_factory=Costs)
    fallbacks: tuple[Relaxation, ...] = (Relaxation.ALLOW_LATE, Relaxation.SPLIT_LINES)
    unroutable: Unroutable = Unroutable.REVIEW
    cancel_after_hours: int = 72
    reroute_saving_minor: int = 100
    default_transit_days: int = 5
    record_days: int = 90
    guards: Guards = field(default_factory=Guards)
