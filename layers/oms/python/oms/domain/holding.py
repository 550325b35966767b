"""Where a cart's units are held: at the location the caller names, where an order would be routed, or where most is.

All lines of a cart are held or none. A kit is held as its components, each kit whole at one location.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime

from oms.domain import intake
from oms.domain.catalog import ChannelAccount, Product
from oms.domain.changes import MAX_POSITIONS_PER_CHANGE, Context, StockChange
from oms.domain.errors import InvalidMessage, OutOfStock
from oms.domain.incoming import Address, Contact, IncomingLine, IncomingOrder
from oms.domain.order import Line, Order, Totals
from oms.domain.reservations import Reservation, ReservedLine
from oms.domain.routing import RoutingPlan
from oms.domain.stock import StockMove

MAX_CART_LINES = 100
BEHIND_ALL = datetime.max.replace(tzinfo=UTC)

Available = Mapping[str, Mapping[str, int]]
"""Units by location_id and sku."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CartLine:
    """Units of a product a customer is about to order; `location_id` where they must come from there."""

    sku: str
    quantity: int
    location_id: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Cart:
    """What is to be held, for how long, and where it would be sent, as far as known.

    `content_hash` stands for who asks and all he said: it tells a repeat from another cart of the same id.
    """

    reservation_id: str
    content_hash: str
    minutes: int
    lines: tuple[CartLine, ...] = ()
    ship_to: Address | None = None


class Shelves:
    """Units that lie ready by location, and what was taken of them; `short` counts what was not there, by sku.

    Of a sku that others wait for, no more than its `spare` units are taken from all locations together.
    """

    def __init__(self, available: Available, spare: Mapping[str, int] | None = None) -> None:
        self.left = {one: {sku: max(0, units) for sku, units in here.items()} for one, here in available.items()}
        self.spare = dict(spare or {})
        self.taken: Counter[tuple[str, str]] = Counter()
        self.short: Counter[str] = Counter()

    def fit(self, line: Line, location_id: str) -> int:
        """Units of the line that the location could still give, kits whole."""
        each = line.stock_units(1)
        return min(self.there(sku, [location_id]) // units for sku, units in each.items())

    def there(self, sku: str, location_ids: Iterable[str]) -> int:
        """Units of the sku that may still be taken from these locations."""
        units = sum(self.left.get(one, {}).get(sku, 0) for one in location_ids)
        return min(units, self.spare.get(sku, units))

    def take(self, line: Line, location_id: str, quantity: int) -> None:
        """Takes units of the line there."""
        for sku, units in line.stock_units(quantity).items():
            self.left[location_id][sku] -= units
            self.taken[sku, location_id] += units
            if sku in self.spare:
                self.spare[sku] -= units

    def take_up_to(self, line: Line, wanted: int, location_ids: Iterable[str]) -> int:
        """Takes as many of the wanted units as these locations have, first come first; returns how many."""
        open_units = wanted
        for location_id in location_ids:
            units = min(open_units, self.fit(line, location_id))
            if units:
                self.take(line, location_id, units)
                open_units -= units
        return wanted - open_units

    def want(self, line: Line, location_ids: Sequence[str]) -> None:
        """Takes all units of the line, and counts as short what these locations lack of them."""
        missing = line.unallocated - self.take_up_to(line, line.unallocated, location_ids)
        if missing:
            needed = line.stock_units(missing)
            there = {sku: self.there(sku, location_ids) for sku in needed}
            # Of a kit, name the component that is missing; if each is there, but never all in one place, all of them.
            self.short.update({sku: n - there[sku] for sku, n in needed.items() if n > there[sku]} or needed)

    def held(self) -> tuple[ReservedLine, ...]:
        """What was taken, by position."""
        return tuple(
            ReservedLine(sku=sku, location_id=location_id, quantity=units)
            for (sku, location_id), units in sorted(self.taken.items())
        )


def draft(cart: Cart, products: Mapping[str, Product], context: Context) -> Order:
    """The cart as the order it would become, behind every order that waits; its n-th line is called n.

    Raises InvalidMessage naming what is not known, or what no order could be made of.
    """
    for number, line in enumerate(cart.lines):
        if line.sku not in products:
            raise InvalidMessage(f"no product {line.sku}", field=f"lines.{number}.sku", reason="UNKNOWN_SKU")
    incoming = IncomingOrder(
        channel="cart",
        account="cart",
        channel_order_id=cart.reservation_id,
        placed_at=context.now,
        channel_updated_at=context.now,
        currency="",
        totals=Totals(),
        lines=tuple(_line(number, line) for number, line in enumerate(cart.lines)),
        contact=Contact(ship_to=cart.ship_to or Address()),
    )
    order = intake.receive(incoming, products, ChannelAccount(), context).order
    if order.review:
        raise InvalidMessage(order.review.detail, field="lines", reason=order.review.reason)
    _check_size(order)
    return replace(order, placed_at=BEHIND_ALL)


def hold_named(cart: Cart, order: Order, shelves: Shelves) -> list[Line]:
    """Takes the lines that name their location there; returns the others."""
    others = []
    for asked, line in zip(cart.lines, order.lines, strict=True):
        if asked.location_id is None:
            others.append(line)
        else:
            shelves.want(line, [asked.location_id])
    return others


def hold_most(lines: Sequence[Line], shelves: Shelves) -> None:
    """Takes lines that may come from anywhere: all from one location that has all, else each where most of it is."""
    home = _home(lines, shelves)
    for line in lines:
        order = sorted(shelves.left, key=lambda one: (-shelves.fit(line, one), one))
        shelves.want(line, [home] if home is not None else order)


def hold_routed(order: Order, plan: RoutingPlan, shelves: Shelves) -> None:
    """Takes what the plan would send."""
    lines = {line.line_id: line for line in order.lines}
    for assignment in plan.assignments:
        for line_id, quantity in assignment.lines:
            shelves.take(lines[line_id], assignment.location_id, quantity)


def held(shelves: Shelves) -> tuple[ReservedLine, ...]:
    """What was taken, if that is all. Raises OutOfStock, or InvalidMessage when it lies at too many positions."""
    if shelves.short:
        raise OutOfStock(dict(sorted(shelves.short.items())))
    positions = shelves.held()
    _check_positions(len(positions))
    return positions


def _home(lines: Sequence[Line], shelves: Shelves) -> str | None:
    """The location that has all of these lines, of several the one that has most of them."""
    wanted: Counter[str] = Counter()
    for line in lines:
        wanted.update(line.stock_units(line.unallocated))
    able = [one for one in shelves.left if all(shelves.there(sku, [one]) >= units for sku, units in wanted.items())]
    return min(able, key=lambda one: (-sum(shelves.left[one].get(sku, 0) for sku in wanted), one), default=None)


def _line(number: int, line: CartLine) -> IncomingLine:
    return IncomingLine(line_id=str(number + 1), sku=line.sku, quantity=line.quantity, current_quantity=line.quantity)


def _check_size(order: Order) -> None:
    _check_positions(len({sku for line in order.lines for sku in line.stock_units(1)}))


def _check_positions(count: int) -> None:
    if count > MAX_POSITIONS_PER_CHANGE:
        message = f"held at {count} stock positions, at most {MAX_POSITIONS_PER_CHANGE} are possible"
        raise InvalidMessage(message, field="lines", reason="TOO_MANY_POSITIONS")


def booking(reservation: Reservation, moves: tuple[StockMove, ...], actor: str, now: datetime) -> StockChange:
    """The change that writes this version of a hold together with the stock it takes or gives back."""
    return StockChange(
        change_id=f"reservation-{reservation.reservation_id}@{reservation.version}",
        effective_at=now,
        at=now,
        actor=actor,
        moves=moves,
        reservation=reservation,
    )
