"""Reference data: what is sold, where it lies, who sells it, and by which rules we work."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import timedelta
from enum import StrEnum

from oms.domain.order import Capability, Method, WaitingFor


@dataclass(frozen=True, slots=True, kw_only=True)
class KitComponent:
    """Units of a component in one kit."""

    sku: str
    quantity: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Product:
    """What can be ordered. Weight and packed size of one unit; `needs` is what a location must be able to handle to
    ship it; `part_of` names the kits this is a component of."""

    sku: str
    title: str = ""
    grams: int = 0
    length_mm: int = 0
    width_mm: int = 0
    height_mm: int = 0
    needs: tuple[Capability, ...] = ()
    category: str = ""
    preorder: bool = False
    kit_components: tuple[KitComponent, ...] = ()
    part_of: tuple[str, ...] = ()

    @property
    def cm3(self) -> int:
        """Packed volume of one unit in cubic centimetres, rounded up; 0 where a side is not known."""
        return -(-self.length_mm * self.width_mm * self.height_mm // 1000)


class LocationStatus(StrEnum):
    """Only ACTIVE locations get new work."""

    SETUP = "SETUP"
    ACTIVE = "ACTIVE"
    DRAINING = "DRAINING"
    CLOSED = "CLOSED"


@dataclass(frozen=True, slots=True, kw_only=True)
class Location:
    """A node that holds stock and does work: warehouse, store, 3PL, supplier.

    Times of day are "HH:MM" in its `time_zone` (IANA), days ISO weekdays (1 Monday … 7 Sunday), holidays ISO dates.
    Orders in by `cut_off` are begun the same working day and ready after `processing_hours` of opening hours;
    `pickups` says when each carrier collects. `daily_capacity` is how many parcels it makes ready in a day, `tags`
    are what policies choose locations by; `ships_to` and `carriers`: none named means any.
    """

    location_id: str
    name: str = ""
    kind: str = "WAREHOUSE"
    status: LocationStatus = LocationStatus.SETUP
    country: str = ""
    region: str = ""
    postal_code: str = ""
    methods: tuple[Method, ...] = (Method.SHIP,)
    ships_to: tuple[str, ...] = ()
    carriers: tuple[str, ...] = ()
    capabilities: tuple[Capability, ...] = ()
    tags: tuple[str, ...] = ()
    endpoint_url: str = ""
    time_zone: str = ""
    working_days: tuple[int, ...] = ()
    opens_at: str = ""
    closes_at: str = ""
    holidays: tuple[str, ...] = ()
    cut_off: str = ""
    processing_hours: int = 0
    pickups: dict[str, tuple[str, ...]] = field(default_factory=dict)
    daily_capacity: int | None = None
    handling_per_parcel_minor: int = 0
    handling_per_unit_minor: int = 0


class Notice(StrEnum):
    """What a channel can be told of."""

    ACKNOWLEDGEMENTS = "ACKNOWLEDGEMENTS"
    SHIPMENTS = "SHIPMENTS"
    CANCELLATIONS = "CANCELLATIONS"
    AVAILABILITY = "AVAILABILITY"


@dataclass(frozen=True, slots=True, kw_only=True)
class ChannelAccount:
    """One account of one channel: the currencies it may sell in (none named: any), and how it is reached.

    `base_url` takes the place of the vendor's own address. Orders are pulled every `poll_seconds` (0: never), from
    `overlap_seconds` before the last pull, and compared with the channel's over the last `reconcile_hours` (0: never).
    `tells` is what the channel hears from us; `options` are settings that only this channel knows. Credentials are no
    settings: they are in the secret `oms/<stage>/channels/<channel>/<account>`.
    """

    currencies: tuple[str, ...] = ()
    country: str = ""
    base_url: str = ""
    poll_seconds: int = 0
    overlap_seconds: int = 300
    reconcile_hours: int = 0
    tells: tuple[Notice, ...] = ()
    options: dict[str, str] = field(default_factory=dict)

    @property
    def is_called(self) -> bool:
        """Whether anything says how the channel is reached: one that only calls us is asked nothing."""
        return bool(self.base_url or self.options or self.poll_seconds or self.reconcile_hours or self.tells)


class BackorderRule(StrEnum):
    """What becomes of an order that is short of stock: it waits and ships together, ships what is there and waits
    for the rest, or loses the rest."""

    SHIP_TOGETHER = "SHIP_TOGETHER"
    SHIP_AVAILABLE = "SHIP_AVAILABLE"
    CANCEL_REST = "CANCEL_REST"


class BackorderOutcome(StrEnum):
    """What ends a wait for stock that has lasted too long."""

    REVIEW = "REVIEW"
    CANCEL_REST = "CANCEL_REST"


_MINUTE, _HOUR, _DAY = 60, 3600, 86400


def _default_budgets() -> dict[WaitingFor, int]:
    return {
        WaitingFor.REVIEW: 4 * _HOUR,
        WaitingFor.HOLD: _DAY,
        WaitingFor.ALLOCATION: 5 * _MINUTE,
        WaitingFor.STOCK: 2 * _DAY,
        WaitingFor.CANCEL_WINDOW: 5 * _MINUTE,
        WaitingFor.LOCATION_ANSWER: 30 * _MINUTE,
        WaitingFor.PICK: 8 * _HOUR,
        WaitingFor.SHIP: 8 * _HOUR,
        WaitingFor.COLLECTION: 3 * _DAY,
        WaitingFor.DELIVERY: 7 * _DAY,
    }


@dataclass(frozen=True, slots=True, kw_only=True)
class Policy:
    """How the company works, from `settings`. Budgets say how long an order may wait for each thing (seconds).

    `grant_buyer_cancels`: a buyer who asks before the release is granted it at once; else a person decides.
    """

    version: int = 1
    cancel_window_seconds: int = 30 * _MINUTE
    ship_within_seconds: int = 2 * _DAY
    unpaid_holds: bool = True
    grant_buyer_cancels: bool = True
    backorder_rule: BackorderRule = BackorderRule.SHIP_TOGETHER
    backorder_limit_seconds: int = 30 * _DAY
    backorder_outcome: BackorderOutcome = BackorderOutcome.REVIEW
    state_budgets_seconds: dict[WaitingFor, int] = field(default_factory=_default_budgets)

    def budget(self, waiting_for: WaitingFor) -> timedelta:
        """How long an order may wait for this before it is overdue."""
        default = _default_budgets()[waiting_for]
        return timedelta(seconds=self.state_budgets_seconds.get(waiting_for, default))
