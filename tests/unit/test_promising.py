"""What a plan means for the promise: the first makes it, later ones move it with a cause, or leave it alone."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

import pytest

from oms.domain import progress
from oms.domain.events import EventType
from oms.domain.order import Fulfillment, FulfillmentLine, Method, Order
from oms.domain.promising import PromiseCause, promised
from oms.domain.routing import RoutingPlan
from tests.unit.builders import NOON, context, line, plan, received

if TYPE_CHECKING:
    from oms.domain.progress import Happening

SOON, LATE, LATEST = (NOON + timedelta(days=days) for days in (2, 4, 6))


def arriving(moment: datetime | None) -> RoutingPlan:
    return replace(plan(wh={"1": 1}), deliver_by=moment)


def told(*news: EventType, promised_by: datetime | None = SOON, original: datetime | None = SOON) -> Order:
    """An order with a promise to which this happened, in this order."""
    made = received(line("1", "MUG"), promised_by=promised_by, original_promised_by=original)
    happened: list[Happening] = [(one, {}) for one in news]
    return progress.step(made, context(1), *happened) if news else made


def test_an_order_without_a_promise_gets_that_of_its_plan() -> None:
    facts, news = promised(told(promised_by=None, original=None), arriving(LATE))
    assert (facts, news) == ({"promised_by": LATE, "original_promised_by": LATE}, [])


def test_the_first_promise_counts_what_is_already_on_its_way_and_not_what_was_taken_back() -> None:
    made = told(promised_by=None, original=None)
    there = Fulfillment(
        fulfillment_id="FUL-1",
        location_id="WH-1",
        method=Method.SHIP,
        deliver_by=LATE,
        lines=(FulfillmentLine(line_id="1", sku="MUG", assigned=1, open=1),),
    )
    back = replace(there, deliver_by=LATEST, lines=(FulfillmentLine(line_id="1", sku="MUG", assigned=1, cancelled=1),))
    facts, _ = promised(replace(made, fulfillments=(there, back)), arriving(SOON))
    assert facts == {"promised_by": LATE, "original_promised_by": LATE}


@pytest.mark.parametrize("moment", [SOON, SOON - timedelta(days=1)])
def test_a_plan_that_keeps_the_promise_or_is_earlier_changes_nothing(moment: datetime) -> None:
    assert promised(told(), arriving(moment)) == ({}, [])


def test_a_plan_without_a_day_changes_nothing() -> None:
    assert promised(told(promised_by=None, original=None), arriving(None)) == ({}, [])
    assert promised(told(), arriving(None)) == ({}, [])


def test_a_plan_that_can_not_keep_it_moves_the_promise_and_tells_from_when_to_when_and_why() -> None:
    facts, news = promised(told(EventType.FULFILLMENT_REJECTED), arriving(LATE))
    assert facts == {"promised_by": LATE, "original_promised_by": SOON}
    moved = {"from": "2026-03-04T12:00:00Z", "to": "2026-03-06T12:00:00Z", "cause": "REJECTED"}
    assert news == [(EventType.PROMISE_CHANGED, moved)]


def test_what_was_promised_first_stays_however_often_it_is_moved() -> None:
    facts, news = promised(told(promised_by=LATE, original=SOON), arriving(LATEST))
    assert facts == {"promised_by": LATEST, "original_promised_by": SOON}
    assert news[0][1]["from"] == "2026-03-06T12:00:00Z"


@pytest.mark.parametrize(
    ("news", "cause"),
    [
        pytest.param([], PromiseCause.NO_FASTER_ROUTE, id="nothing happened: no plan was faster"),
        pytest.param([EventType.FULFILLMENT_REJECTED], PromiseCause.REJECTED, id="a location refused the work"),
        pytest.param([EventType.LINES_SHORTED], PromiseCause.SHORT_PICK, id="a location did not find it all"),
        pytest.param([EventType.LINES_REPLANNED], PromiseCause.OVERSOLD, id="more was promised than there was"),
        pytest.param([EventType.ORDER_BACKORDERED], PromiseCause.BACKORDER, id="it waited for stock"),
        pytest.param(
            [EventType.ORDER_BACKORDERED, EventType.LINES_SHORTED], PromiseCause.SHORT_PICK, id="the last one counts"
        ),
        pytest.param(
            [EventType.LINES_SHORTED, EventType.NOTE_ADDED], PromiseCause.SHORT_PICK, id="what is no cause is passed by"
        ),
        pytest.param(
            [EventType.LINES_SHORTED, EventType.ORDER_ALLOCATED],
            PromiseCause.NO_FASTER_ROUTE,
            id="what an allocation has settled is no cause any more",
        ),
    ],
)
def test_the_cause_is_what_made_the_order_be_routed_again(news: list[EventType], cause: PromiseCause) -> None:
    _, ((_, moved),) = promised(told(*news), arriving(LATE))
    assert moved["cause"] == cause.value
