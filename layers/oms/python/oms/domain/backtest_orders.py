"""What a backtest tries: the decisions of past orders, as their documents and decision records tell of them."""

from __future__ import annotations

from bisect import bisect_left
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import datetime

from oms.domain.backtesting import PastDecision, Position
from oms.domain.events import EventType
from oms.domain.network import Ineligible
from oms.domain.order import Line, Order, OrderStatus
from oms.domain.routing_record import Decision

Units = Mapping[str, int]
"""Units by line_id."""


class Ledger:
    """Units of one sku that could be promised, at each location and at any moment since the ledger was read back to.

    It begins with what there is now; `changes` are (recorded_at, location_id, units more).
    """

    def __init__(self, now: Mapping[str, int], changes: Iterable[tuple[datetime, str, int]]) -> None:
        self._now = now
        self._times: dict[str, list[datetime]] = {}
        self._sums: dict[str, list[int]] = {}
        for at, location_id, units in sorted(changes):
            sums = self._sums.setdefault(location_id, [0])
            self._times.setdefault(location_id, []).append(at)
            sums.append(sums[-1] + units)

    def before(self, moment: datetime, location_id: str) -> int:
        """Units there before what was recorded at the moment, or later."""
        units, times = self._now.get(location_id, 0), self._times.get(location_id)
        if times is None:
            return units
        sums = self._sums[location_id]
        return units - (sums[-1] - sums[bisect_left(times, moment)])


def decision_ids(order: Order) -> list[str]:
    """The decisions that were carried out, oldest first."""
    routed = (event.data.get("decision_id") for event in order.events if event.type is EventType.ORDER_ROUTED)
    return [str(one) for one in routed if one]


def first_decisions(order: Order, decisions: Iterable[Decision]) -> Iterator[tuple[Decision, Units]]:
    """The order's decisions, each with the units it routed first. What was routed again, because it came back or did
    not fit one write, is no decision about other units."""
    left = {line.line_id: line.ordered for line in order.lines}
    for decision in sorted(decisions, key=lambda one: (one.decided_at, one.decision_id)):
        units = {line_id: min(routed, left.get(line_id, 0)) for line_id, routed in decision.lines.items()}
        units = {line_id: number for line_id, number in units.items() if number > 0}
        for line_id, number in units.items():
            left[line_id] -= number
        if units:
            yield decision, units


def untold(decision: Decision, location_ids: Iterable[str]) -> list[str]:
    """Locations of whose stock the record does not tell: they were ruled out by something else, or were too many.
    Those it names for having none have none."""
    without = set(decision.eliminated.get(Ineligible.NO_STOCK, ()))
    return [one for one in location_ids if one not in decision.stock and one not in without]


def skus_of(order: Order, units: Units) -> set[str]:
    """The skus that these units are made of."""
    return {sku for line in order.lines if line.line_id in units for sku in line.stock_units(1)}


def past_decision(
    order: Order, decision: Decision, units: Units, location_ids: Sequence[str], ledgers: Mapping[str, Ledger]
) -> PastDecision:
    """The decision about these units, to be made again. `ledgers` tell what the record does not."""
    places = Counter((one.location_id, one.capacity_day) for one in decision.parcels if one.capacity_day)
    planned = {(one, day): parcels for day, there in decision.places.items() for one, parcels in there.items()}
    if decision.in_wave:  # such a record counts the order's own places
        planned = {day: parcels - places[day] for day, parcels in planned.items()}
    skus = skus_of(order, units)
    return PastDecision(
        order=_as_it_was(order, decision, units),
        decided_at=decision.decided_at,
        stock={sku: _shelf(sku, decision, location_ids, ledgers.get(sku)) for sku in skus},
        planned=planned,
        taken=_taken(order, decision, units),
        places=places,
        given_back_at=_cancelled_at(order),
    )


def _as_it_was(order: Order, decision: Decision, units: Units) -> Order:
    """The order before the decision, without what routing does not ask for."""
    lines = tuple(_open_line(line, decision, units) for line in order.lines if line.line_id in units)
    return Order(
        order_id=order.order_id,
        version=order.version,
        channel=decision.channel or order.channel,
        account=order.account,
        channel_order_id=order.channel_order_id,
        channel_updated_at=order.channel_updated_at,
        placed_at=order.placed_at,
        updated_at=order.updated_at,
        currency=order.currency,
        totals=order.totals,
        ship_to=decision.ship_to,
        service_level=decision.service_level,
        method=decision.method,
        pickup_location_id=decision.pickup_location_id,
        promised_by=decision.promised_by,
        release_after=decision.release_at,
        lines=lines,
    )


def _open_line(line: Line, decision: Decision, units: Units) -> Line:
    return replace(
        line,
        ordered=units[line.line_id],
        unallocated=units[line.line_id],
        in_fulfillment=0,
        shipped=0,
        cancelled=0,
        backordered=0,
        excluded_locations=decision.excluded.get(line.line_id, ()),
    )


def _shelf(sku: str, decision: Decision, location_ids: Sequence[str], ledger: Ledger | None) -> dict[str, int]:
    """Units of the sku by location that could have been promised."""
    shelf = {one: decision.units_at(one).get(sku, 0) for one in decision.stock}
    if ledger:
        shelf |= {one: ledger.before(decision.decided_at, one) for one in untold(decision, location_ids)}
    return {one: units for one, units in shelf.items() if units > 0}


def _taken(order: Order, decision: Decision, units: Units) -> Counter[Position]:
    """What the order really got of these units."""
    lines, left = {line.line_id: line for line in order.lines}, dict(units)
    got: Counter[Position] = Counter()
    for parcel in decision.parcels:
        for line_id, quantity in parcel.lines.items():
            number = min(quantity, left.get(line_id, 0))
            if number:
                left[line_id] -= number
                for sku, needed in lines[line_id].stock_units(number).items():
                    got[sku, parcel.location_id] += needed
    return got


def _cancelled_at(order: Order) -> datetime | None:
    """When all of the order was cancelled, if it was."""
    if order.status is not OrderStatus.CANCELLED:
        return None
    return next((event.at for event in reversed(order.events) if event.type is EventType.ORDER_CANCELLED), None)
