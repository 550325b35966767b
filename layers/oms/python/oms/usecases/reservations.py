"""Reservations: hold stock for a cart, give it back, and hand it over to the order that comes of it."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from oms.domain import stock
from oms.domain.catalog import LocationStatus
from oms.domain.changes import Claim, Context, queue_place
from oms.domain.errors import (
    InvalidMessage,
    KeyReused,
    NoRoute,
    NotFound,
    OutOfStock,
    ReservationConsumed,
    WriteConflict,
)
from oms.domain.holding import Cart, Shelves, booking, draft, held, hold_most, hold_named, hold_routed
from oms.domain.network import Ineligible
from oms.domain.reservations import (
    RESERVATION_ID,
    Reservation,
    ReservationStatus,
    ReservedLine,
    giving_back,
    release,
    reserve,
    taking,
)
from oms.domain.routing_items import needed_units

if TYPE_CHECKING:
    from datetime import datetime

    from oms.domain.order import Order
    from oms.stores.group_commit import GroupCommit
    from oms.stores.reference_data import ProductsStore
    from oms.stores.reservations import ReservationsStore
    from oms.usecases.sourcing import Sourcing, StockView

MAX_TRIES = 10
"""Tries of one hold while others take its stock, or write its reservation."""

_SHOWN = 64


@dataclass(frozen=True, slots=True)
class Held:
    """The reservation as it is now, and whether this very request made it."""

    reservation: Reservation
    created: bool


@dataclass(frozen=True, slots=True)
class Reservations:
    """Holds of carts. A hold and the stock it takes are one write, and so are its end and what it gives back."""

    reservations: ReservationsStore
    products: ProductsStore
    sourcing: Sourcing
    commit: GroupCommit

    def hold(self, cart: Cart, actor: str, now: datetime) -> Held:
        """Holds all lines of the cart, or finds the hold when the same was asked before.

        Raises OutOfStock, NoRoute, KeyReused for another cart of this id, InvalidMessage, Retryable.
        """
        for _ in range(MAX_TRIES):
            known = self.reservations.get(cart.reservation_id)
            if known is not None:
                return Held(_same(known, cart), created=False)
            made, claims = self._plan(cart, Context(now=now, actor=actor, policy=self.sourcing.settings.policy()))
            result = self.commit.commit_one(replace(booking(made, taking(made), actor, now), claims=claims))
            if result.error:
                raise result.error
            if result.committed:
                return Held(made, created=True)
        raise WriteConflict(f"reservation {cart.reservation_id}: others always took the stock first")

    def read(self, reservation_id: str) -> Reservation:
        """The reservation as it is now. Raises NotFound."""
        known = self.reservations.get(reservation_id)
        if known is None:
            raise NotFound("there is no such reservation", reservation_id=reservation_id)
        return known

    def release(self, reservation_id: str, actor: str, now: datetime) -> Reservation:
        """Ends the hold; one that has ended without an order stays as it is.

        Raises NotFound, ReservationConsumed when an order has it, Retryable.
        """
        for _ in range(MAX_TRIES):
            known = self.read(reservation_id)
            if known.status is ReservationStatus.CONSUMED:
                message = f"order {known.order_id} has this reservation"
                raise ReservationConsumed(message, order_id=known.order_id)
            if not known.is_active:
                return known
            ended = release(known, now)
            result = self.commit.commit_one(booking(ended, giving_back(known), actor, now))
            if result.error:
                raise result.error
            if result.committed:
                return ended
        raise WriteConflict(f"reservation {reservation_id}: others always wrote first")

    def _plan(self, cart: Cart, context: Context) -> tuple[Reservation, tuple[Claim, ...]]:
        """The hold, and what it must leave to those who wait."""
        lines, claims = self._choose(cart, context) if cart.lines else ((), ())
        made = reserve(
            cart.reservation_id, lines, minutes=cart.minutes, content_hash=cart.content_hash, now=context.now
        )
        return made, claims

    def _choose(self, cart: Cart, context: Context) -> tuple[tuple[ReservedLine, ...], tuple[Claim, ...]]:
        """The positions to hold, on the stock as it is, and what is to be left there."""
        active = self._active_locations(cart)
        products = self.products.get_many(line.sku for line in cart.lines)
        products |= self.products.get_many(one.sku for kit in products.values() for one in kit.kit_components)
        order = draft(cart, products, context)
        view = self.sourcing.look([order], context.now)
        spare = {sku: view.spare(sku, queue_place(order)) for sku in needed_units(order)}
        shelves = Shelves(_by_location(view, active), spare)
        self._fill(cart, order, view, shelves)
        lines = held(shelves)
        moves = [stock.reserve(line.sku, line.location_id, line.quantity) for line in lines]
        return lines, _with_stock(view, shelves).claims(moves, queue_place(order))

    def _active_locations(self, cart: Cart) -> set[str]:
        """Where units may be held. Raises InvalidMessage or NoRoute for a named location that is none of these."""
        locations = {one.location_id: one for one in self.sourcing.locations.all()}
        active = {one for one, location in locations.items() if location.status is LocationStatus.ACTIVE}
        named = {line.location_id: number for number, line in enumerate(cart.lines) if line.location_id is not None}
        for location_id, number in named.items():
            if location_id not in locations:
                message = f"no location {location_id}"
                raise InvalidMessage(message, field=f"lines.{number}.location_id", reason="UNKNOWN_LOCATION")
        closed = sorted(named.keys() - active)
        if closed:
            raise NoRoute(dict.fromkeys(closed, Ineligible.NOT_ACTIVE.value))
        return active

    def _fill(self, cart: Cart, order: Order, view: StockView, shelves: Shelves) -> None:
        """Takes what the cart wants from the shelves, or leaves them short."""
        others = hold_named(cart, order, shelves)
        if cart.ship_to is None:
            hold_most(others, shelves)
            return
        rest = replace(order, lines=tuple(others))
        try:
            hold_routed(rest, self.sourcing.route(rest, _with_stock(view, shelves)), shelves)
        except OutOfStock as short:
            shelves.short.update(short.shortages)


def _by_location(view: StockView, active: set[str]) -> dict[str, dict[str, int]]:
    """The view's stock by location and sku, at the locations where units may be held."""
    stock: dict[str, dict[str, int]] = {}
    for sku, here in view.stock.items():
        for location_id, units in here.items():
            if location_id in active:
                stock.setdefault(location_id, {})[sku] = units
    return stock


def _with_stock(view: StockView, shelves: Shelves) -> StockView:
    """The view with what is left on the shelves."""
    stock: dict[str, dict[str, int]] = {}
    for location_id, here in shelves.left.items():
        for sku, units in here.items():
            stock.setdefault(sku, {})[location_id] = units
    return replace(view, stock=stock)


def known_reservation(reservation_id: str) -> str:
    """The id, if it is one that a reservation could have. Raises NotFound: no look-up is needed to know."""
    if not re.fullmatch(RESERVATION_ID, reservation_id):
        raise NotFound("there is no such reservation", reservation_id=reservation_id[:_SHOWN])
    return reservation_id


def _same(known: Reservation, cart: Cart) -> Reservation:
    """The hold, if it was asked for by the same request. Raises KeyReused."""
    if known.content_hash != cart.content_hash:
        raise KeyReused
    return known
