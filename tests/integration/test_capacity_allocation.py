"""Locations whose days are full: orders get the first day that has room, however far away it is."""

from __future__ import annotations

from datetime import timedelta

from oms.usecases.sourcing import DAYS_AHEAD
from tests.integration.company import NOON, incoming, order_id, worker
from tests.integration.stage import Stage

PARCELS, FULL_DAYS = 40, DAYS_AHEAD + 4


def test_an_order_gets_the_first_free_day_even_where_all_days_that_are_read_are_full(stage: Stage) -> None:
    for row in stage.rows("locations"):
        stage.put("locations", row | {"daily_capacity": PARCELS, "working_days": [1, 2, 3, 4, 5, 6, 7]})
    for row in stage.rows("locations"):
        for number in range(-1, FULL_DAYS):
            day = (NOON + timedelta(days=number)).date().isoformat()
            stage.put("capacity", {"location_id": row["location_id"], "day": day, "parcels": PARCELS})
    made = worker()
    made.take(incoming())
    assert made.allocate(order_id()) == []
    (work,) = stage.order(order_id()).fulfillments
    assert work.capacity_day == (NOON + timedelta(days=FULL_DAYS)).date().isoformat()
