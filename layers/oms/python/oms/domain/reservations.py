"""Reservations: stock held for a cart for a while, and what ends the hold: an order, the customer, or time.

A hold past its time that nobody has ended yet still holds its units: an order may consume it, or expiry end it,
whichever is written first.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import StrEnum

from oms.domain import stock
from oms.domain.errors import InvariantBroken
from oms.domain.stock import StockMove

MAX_MINUTES = 1_440
RESERVATION_ID = r"^[A-Za-z0-9-]{1,64}$"


class ReservationStatus(StrEnum):
    """A reservation is ACTIVE, then exactly one of the others, for good."""

    ACTIVE = "ACTIVE"
    CONSUMED = "CONSUMED"
    RELEASED = "RELEASED"
    EXPIRED = "EXPIRED"


@dataclass(frozen=True, slots=True, kw_only=True)
class ReservedLine:
    """Units of a sku held at a location."""

    sku: str
    location_id: str
    quantity: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Reservation:
    """A cart's hold on stock. `expiry_hour` stands in `by_expiry` only while the hold is ACTIVE."""

    reservation_id: str
    version: int
    status: ReservationStatus
    created_at: datetime
    expires_at: datetime
    expiry_hour: str | None = None
    content_hash: str = ""
    lines: tuple[ReservedLine, ...] = ()
    order_id: str | None = None
    ended_at: datetime | None = None

    @property
    def is_active(self) -> bool:
        """Whether it still holds its units."""
        return self.status is ReservationStatus.ACTIVE

    def by_location(self) -> dict[str, dict[str, int]]:
        """The units held, by location_id and sku."""
        held: dict[str, dict[str, int]] = {}
        for line in self.lines:
            here = held.setdefault(line.location_id, {})
            here[line.sku] = here.get(line.sku, 0) + line.quantity
        return held


def expiry_hour(moment: datetime) -> str:
    """The hour of a moment as `by_expiry` knows it: `2026-11-27T06`."""
    return f"{moment:%Y-%m-%dT%H}"


def reserve(
    reservation_id: str, lines: tuple[ReservedLine, ...], *, minutes: int, content_hash: str, now: datetime
) -> Reservation:
    """Version 1 of a hold that lasts so many minutes from now."""
    expires_at = now + timedelta(minutes=minutes)
    return Reservation(
        reservation_id=reservation_id,
        version=1,
        status=ReservationStatus.ACTIVE,
        created_at=now,
        expires_at=expires_at,
        expiry_hour=expiry_hour(expires_at),
        content_hash=content_hash,
        lines=lines,
    )


def consume(reservation: Reservation, order_id: str, now: datetime) -> Reservation:
    """The hold's last version: this order has it."""
    return replace(_ended(reservation, ReservationStatus.CONSUMED, now), order_id=order_id)


def release(reservation: Reservation, now: datetime) -> Reservation:
    """The hold's last version: the customer gave it back."""
    return _ended(reservation, ReservationStatus.RELEASED, now)


def expire(reservation: Reservation, now: datetime) -> Reservation:
    """The hold's last version: its time is over."""
    return _ended(reservation, ReservationStatus.EXPIRED, now)


def taking(reservation: Reservation) -> tuple[StockMove, ...]:
    """The moves that hold its units."""
    return tuple(stock.reserve(one.sku, one.location_id, one.quantity) for one in reservation.lines)


def giving_back(reservation: Reservation) -> tuple[StockMove, ...]:
    """The moves that make all its units available again."""
    return tuple(stock.unreserve(one.sku, one.location_id, one.quantity) for one in reservation.lines)


def _ended(reservation: Reservation, status: ReservationStatus, now: datetime) -> Reservation:
    if not reservation.is_active:
        raise InvariantBroken(f"reservation {reservation.reservation_id} has ended already: {reservation.status}")
    return replace(reservation, version=reservation.version + 1, status=status, expiry_hour=None, ended_at=now)
