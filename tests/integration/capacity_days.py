"""Locations that count their parcels per day: orders that hold places, and the days as they are counted."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from oms.domain.cancellation import cancel
from oms.domain.capacity import taken
from oms.domain.changes import OrderChange
from oms.domain.order import Order
from oms.stores.group_commit import Outcome
from tests.integration.commits import EAST, committing, outcomes, placed, promising
from tests.integration.stage import Stage
from tests.unit import builders

DAY = "2026-03-03"


def taking(change: OrderChange, limit: int | None, day: str = DAY) -> OrderChange:
    """An allocation at a location that makes `limit` parcels a day: its new work holds a place on the day."""
    new = [one.fulfillment_id for one in change.order.fulfillments if not any(line.shorted for line in one.lines)]
    fulfillments = tuple(
        replace(one, capacity_day=day) if one.fulfillment_id in new and one.capacity_day is None else one
        for one in change.order.fulfillments
    )
    moves = tuple(move for one in fulfillments if one.fulfillment_id in new for move in taken(one, limit))
    return replace(change, order=replace(change.order, fulfillments=fulfillments), capacity=moves)


def day_changes(
    stage: Stage, number: int, limit: int | None, *, first: int = 0, units: Mapping[str, int] | None = None
) -> list[OrderChange]:
    """So many orders to be promised, each with a place on the day of one location."""
    return [taking(promising(placed(stage, first + one, units)), limit) for one in range(number)]


def cancelling(order: Order, hours: float = 1) -> OrderChange:
    """The change that cancels the whole order."""
    made = cancel(order, {line.line_id: line.ordered for line in order.lines}, builders.context(hours), "CUSTOMER")
    assert made is not None
    return made


def allocated(stage: Stage, number: int, limit: int | None = 100, first: int = 500) -> list[Order]:
    """Orders that hold places already."""
    results = committing().commit(day_changes(stage, number, limit, first=first))
    assert outcomes(results) == {Outcome.COMMITTED: number}
    return [one.change.order for one in results]


def planned(stage: Stage, day: str = DAY, location_id: str = EAST) -> int | None:
    """The parcels that are counted for a day; None where there is no row."""
    rows = (row for row in stage.rows("capacity") if (row["location_id"], row["day"]) == (location_id, day))
    return next((row["parcels"] for row in rows), None)


def held_places(stage: Stage) -> Counter[tuple[str, str]]:
    """Places that orders hold by their documents, by (location_id, day)."""
    held: Counter[tuple[str, str]] = Counter()
    for row in stage.rows("orders"):
        for one in row.get("fulfillments", []):
            if "capacity_day" in one and any(_makes_parcel(part) for part in one["lines"]):
                held[one["location_id"], one["capacity_day"]] += 1
    return held


def _makes_parcel(part: Mapping[str, Any]) -> bool:
    return any(part.get(state) for state in ("open", "picked", "shipped"))


def days_add_up(stage: Stage) -> None:
    """What is counted of every day is what the orders hold there."""
    counted = {(row["location_id"], row["day"]): row["parcels"] for row in stage.rows("capacity")}
    assert {day: parcels for day, parcels in counted.items() if parcels} == held_places(stage)
