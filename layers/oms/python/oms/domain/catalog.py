"""Reference data: what is sold, where it lies, who sells it, and by which rules we work."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import timedelta
from enum import StrEnum

from oms.domain.order import Method, WaitingFor


@dataclass(frozen=True, slots=True, kw_only=True)
class KitComponent:
    """Units of a component in one kit."""

    sku: str
    quantity: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Product:
    """What can be ordered. Weight of one unit in grams; `part_of` names the kits this is a component of."""

    sku: str
    title: str = ""
    grams: int = 0
    category: str = ""
    preorder: bool = False
    kit_components: tuple[KitComponent, ...] = ()
    part_of: tuple[str, ...] = ()


class LocationStatus(StrEnum):
    """Only ACTIVE locations get new work."""

    SETUP = "SETUP"
    ACTIVE = "ACTIVE"
    DRAINING = "DRAINING"
    CLOSED = "CLOSED"


@dataclass(frozen=True, slots=True, kw_only=True)
class Location:
    """A node that holds stock and does work: warehouse, store, 3PL, supplier."""

    location_id: str
    name: str = ""
    kind: str = "WAREHOUSE"
    status: LocationStatus = LocationStatus.SETUP
    country: str = ""
    region: str = ""
    postal_code: str = ""
    methods: tuple[Method, ...] = (Method.SHIP,)
    ships_to: tuple[str, ...] = ()
    carrier: str = ""
    service: str = ""
    endpoint_url: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class ChannelAccount:
    """One account of one channel: the currencies it may sell in (none named: any)."""

    currencies: tuple[str, ...] = ()


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
    """How the company works, from `settings`. Budgets say how long an order may wait for each thing (seconds)."""

    version: int = 1
    cancel_window_seconds: int = 30 * _MINUTE
    ship_within_seconds: int = 2 * _DAY
    max_parcels: int = 4
    unpaid_holds: bool = True
    backorder_rule: BackorderRule = BackorderRule.SHIP_TOGETHER
    backorder_limit_seconds: int = 30 * _DAY
    backorder_outcome: BackorderOutcome = BackorderOutcome.REVIEW
    state_budgets_seconds: dict[WaitingFor, int] = field(default_factory=_default_budgets)

    def budget(self, waiting_for: WaitingFor) -> timedelta:
        """How long an order may wait for this before it is overdue."""
        default = _default_budgets()[waiting_for]
        return timedelta(seconds=self.state_budgets_seconds.get(waiting_for, default))
