"""How far an order is and what it waits for: derived from its facts, never set."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from functools import reduce

import pytest

from oms.domain.allocation import allocate
from oms.domain.backordering import record_shortage, short_units
from oms.domain.cancellation import cancel
from oms.domain.decisions import place_hold, release_hold, request_review, resolve_review
from oms.domain.errors import InvariantBroken
from oms.domain.events import EventType
from oms.domain.fulfilling import apply_report
from oms.domain.order import Hold, Order, OrderStatus, WaitingFor
from oms.domain.progress import check, first, step
from oms.domain.release import may_release, release
from oms.domain.tracking import apply_tracking
from tests.unit.builders import NOON, context, line, plan, received, report, tracking
from tests.unit.builders import order as raw_order

Step = Callable[[Order], Order]
F1, F2 = "shopify-main-1-f1", "shopify-main-1-f2"


def two_lines() -> Order:
    return received(line("1", "MUG", 2), line("2", "TEE", 1))


def after(order: Order, *steps: Step) -> Order:
    return reduce(lambda so_far, next_step: next_step(so_far), steps, order)


def allocating(**units: dict[str, int]) -> Step:
    return lambda order: allocate(order, plan(**units), context()).order


def short(**shortages: int) -> Step:
    return lambda order: _order(record_shortage(order, short_units(order, shortages), context()))


def cancelling(**units: int) -> Step:
    return lambda order: _order(cancel(order, {key[1:]: n for key, n in units.items()}, context(), "CUSTOMER"))


def reporting(type_: str, fulfillment_id: str = F1, location_id: str = "ny", /, **facts: object) -> Step:
    told = report(type_, fulfillment_id, location_id, **facts)
    return lambda order: _order(apply_report(order, told, context(2)))


def tracked(status: str, shipment_id: str = "s1") -> Step:
    return lambda order: _order(apply_tracking(order, tracking(status, shipment_id, hours=3), context(3)))


def held(order: Order) -> Order:
    hold = Hold(hold_id="h1", type="FRAUD", placed_by="test", placed_at=NOON)
    return _order(place_hold(order, hold, context()))


def unheld(order: Order) -> Order:
    return release_hold(order, "h1", context()).order


def in_review(order: Order) -> Order:
    return _order(request_review(order, "UNKNOWN_SKU", "MUG", context()))


def decided(order: Order) -> Order:
    return resolve_review(order, context()).order


def released(order: Order) -> Order:
    assert may_release(order, context(1).now)
    return release(order, context(1)).order


def _order(change: object) -> Order:
    assert change is not None
    return change.order  # type: ignore[attr-defined, no-any-return]


whole = allocating(ny={"1": 2, "2": 1})
in_two = allocating(ny={"1": 2}, ca={"2": 1})
S, W = OrderStatus, WaitingFor


@pytest.mark.parametrize(
    ("steps", "status", "waiting_for", "location_id"),
    [
        pytest.param([], S.RECEIVED, W.ALLOCATION, None, id="a new order waits for allocation"),
        pytest.param([in_review], S.RECEIVED, W.REVIEW, None, id="a review comes before everything"),
        pytest.param([in_review, held], S.RECEIVED, W.REVIEW, None, id="a review comes before a hold"),
        pytest.param([in_review, decided], S.RECEIVED, W.ALLOCATION, None, id="a decided review waits for no one"),
        pytest.param([held], S.RECEIVED, W.HOLD, None, id="a hold comes before allocation"),
        pytest.param([short(MUG=1)], S.RECEIVED, W.STOCK, None, id="a shortage waits for stock"),
        pytest.param(
            [allocating(ny={"1": 1})],
            S.PARTIALLY_ALLOCATED,
            W.ALLOCATION,
            None,
            id="some units have a location",
        ),
        pytest.param([whole], S.ALLOCATED, W.CANCEL_WINDOW, "ny", id="all units have a location"),
        pytest.param([whole, held], S.ALLOCATED, W.HOLD, None, id="a hold keeps allocated stock from release"),
        pytest.param([whole, held, unheld], S.ALLOCATED, W.CANCEL_WINDOW, "ny", id="the hold is gone"),
        pytest.param([whole, released], S.RELEASED, W.LOCATION_ANSWER, "ny", id="the location has been asked"),
        pytest.param([whole, released, held], S.RELEASED, W.LOCATION_ANSWER, "ny", id="a hold comes too late"),
        pytest.param([whole, released, reporting("accepted")], S.RELEASED, W.PICK, "ny", id="it accepted"),
        pytest.param([whole, released, reporting("picking")], S.RELEASED, W.PICK, "ny", id="it picks"),
        pytest.param([whole, released, reporting("packed")], S.RELEASED, W.SHIP, "ny", id="it packed"),
        pytest.param(
            [whole, released, reporting("shipped", lines={"1": 1})],
            S.PARTIALLY_SHIPPED,
            W.PICK,
            "ny",
            id="one unit left the building",
        ),
        pytest.param([whole, released, reporting("shipped")], S.SHIPPED, W.DELIVERY, None, id="all units left"),
        pytest.param(
            [whole, released, reporting("shipped"), tracked("IN_TRANSIT")],
            S.SHIPPED,
            W.DELIVERY,
            None,
            id="the parcel travels",
        ),
        pytest.param(
            [whole, released, reporting("shipped"), tracked("DELIVERED")],
            S.DELIVERED,
            None,
            None,
            id="it arrived",
        ),
        pytest.param(
            [in_two, released, reporting("shipped"), tracked("DELIVERED")],
            S.PARTIALLY_DELIVERED,
            W.LOCATION_ANSWER,
            "ca",
            id="one of two parcels arrived, the other location has not answered",
        ),
        pytest.param(
            [whole, released, reporting("rejected", reason_code="TOO_BUSY")],
            S.RECEIVED,
            W.ALLOCATION,
            None,
            id="the location refused and the order is routed again",
        ),
        pytest.param(
            [whole, released, reporting("short_picked", lines={"1": 1}, reason_code="NOT_IN_STOCK")],
            S.RELEASED,
            W.ALLOCATION,
            None,
            id="a unit was not found and is routed again",
        ),
        pytest.param([cancelling(_1=2)], S.RECEIVED, W.ALLOCATION, None, id="one line is cancelled"),
        pytest.param([cancelling(_1=2, _2=1)], S.CANCELLED, None, None, id="all lines are cancelled"),
        pytest.param([whole, cancelling(_1=2, _2=1)], S.CANCELLED, None, None, id="cancelled after allocation"),
        pytest.param([held, cancelling(_1=2, _2=1)], S.CANCELLED, None, None, id="a cancelled order waits for no hold"),
        pytest.param(
            [in_review, cancelling(_1=2, _2=1)],
            S.CANCELLED,
            None,
            None,
            id="a cancelled order waits for no review",
        ),
        pytest.param(
            [whole, cancelling(_1=2), released, reporting("shipped"), tracked("DELIVERED")],
            S.DELIVERED,
            None,
            None,
            id="what is left of the order arrived",
        ),
    ],
)
def test_status_and_what_an_order_waits_for_follow_from_what_happened(
    steps: list[Step], status: OrderStatus, waiting_for: WaitingFor | None, location_id: str | None
) -> None:
    order = after(two_lines(), *steps)
    assert (order.status, order.waiting_for, order.waiting_location_id) == (status, waiting_for, location_id)


def test_an_order_of_gift_cards_is_delivered_on_receipt() -> None:
    order = received(line("1", "GIFT-CARD", 2, unallocated=0, shipped=2, requires_shipping=False))
    assert (order.status, order.waiting_for) == (OrderStatus.DELIVERED, None)


def test_a_gift_card_does_not_make_the_rest_of_the_order_look_shipped() -> None:
    order = received(line("1", "GIFT-CARD", 1, unallocated=0, shipped=1, requires_shipping=False), line("2", "MUG", 1))
    assert (order.status, order.waiting_for) == (OrderStatus.RECEIVED, WaitingFor.ALLOCATION)


def test_units_shipped_too_many_do_not_stand_in_for_a_line_that_never_left() -> None:
    order = after(two_lines(), in_two, released, reporting("shipped", lines={"1": 3}), tracked("DELIVERED"))
    assert order.status is OrderStatus.PARTIALLY_DELIVERED


def test_a_parcel_of_something_that_needed_no_shipping_does_not_deliver_the_rest() -> None:
    card = line("1", "GIFT-CARD", 3, unallocated=0, shipped=3, requires_shipping=False)
    order = after(
        received(card, line("2", "MUG", 3)),
        allocating(ny={"2": 3}),
        released,
        reporting("shipped", lines={"1": 3}),
        tracked("DELIVERED"),
    )
    assert (order.status, order.waiting_for) == (OrderStatus.RELEASED, WaitingFor.REVIEW)


def test_an_order_is_overdue_when_the_time_for_what_it_waits_for_has_passed() -> None:
    policy = context().policy
    new = two_lines()
    assert new.due_at == NOON + policy.budget(WaitingFor.ALLOCATION)
    asked = after(new, whole, released)
    assert asked.due_at == NOON + timedelta(hours=1) + policy.budget(WaitingFor.LOCATION_ANSWER)


def test_the_time_to_release_an_order_starts_when_the_cancel_window_ends() -> None:
    order = after(two_lines(), whole)
    budget = context().policy.budget(WaitingFor.CANCEL_WINDOW)
    assert order.due_at == NOON + timedelta(hours=1) + budget


def test_waiting_for_the_same_thing_does_not_start_the_clock_again() -> None:
    order = two_lines()
    later = step(order, context(5), (EventType.NOTE_ADDED, {}))
    assert (later.waiting_since, later.due_at) == (order.waiting_since, order.due_at)
    assert later.status_since == order.status_since == NOON
    accepted = after(order, whole, released, reporting("accepted"))
    assert (accepted.waiting_since, accepted.status_since) == (context(2).now, context(1).now)


def test_an_order_that_has_ended_is_in_no_work_queue() -> None:
    order = after(two_lines(), whole, released, reporting("shipped"), tracked("DELIVERED"))
    open_fields = (
        order.waiting_since,
        order.due_at,
        order.reason_code,
        order.work_queue,
        order.unshipped_account,
    )
    assert open_fields == (None, None, None, None, None)


def test_an_order_counts_as_unshipped_for_its_account_until_the_last_unit_left() -> None:
    order = after(two_lines(), in_two, released, reporting("shipped"))
    assert order.unshipped_account == "shopify#main"
    assert after(order, reporting("shipped", F2, "ca", shipment_id="s2")).unshipped_account is None


def test_an_order_whose_first_parcel_arrived_counts_as_unshipped_while_the_second_has_not_left() -> None:
    order = after(two_lines(), in_two, released, reporting("shipped"), tracked("DELIVERED"))
    assert order.unshipped_account == "shopify#main"


@pytest.mark.parametrize(
    "steps",
    [
        pytest.param([], id="nothing is allocated"),
        pytest.param([allocating(ny={"1": 2})], id="a line has no location"),
        pytest.param([whole, held], id="a hold"),
        pytest.param([whole, in_review], id="a review"),
        pytest.param([whole, cancelling(_1=2, _2=1)], id="it is cancelled"),
        pytest.param([whole, released], id="it is released already"),
    ],
)
def test_an_order_is_not_released_while(steps: list[Step]) -> None:
    assert not may_release(after(two_lines(), *steps), context(24).now)


def test_an_order_is_released_from_the_end_of_the_cancel_window_on() -> None:
    order = after(two_lines(), whole)
    assert not may_release(order, context(0.999).now)
    assert may_release(order, context(1).now)


def test_an_order_whose_quantities_do_not_add_up_is_never_written() -> None:
    order = after(two_lines(), whole)
    first, second = order.lines
    work = order.fulfillments[0]
    broken = [
        {"lines": (replace(first, unallocated=1), second)},
        {"lines": (replace(first, in_fulfillment=3, unallocated=-1), second)},
        {"lines": (replace(first, backordered=1), second)},
        {"fulfillments": (replace(work, lines=(replace(work.lines[0], open=1), work.lines[1])),)},
        {"fulfillments": ()},
    ]
    check(order)
    for facts in broken:
        with pytest.raises(InvariantBroken):
            step(order, context(), (EventType.NOTE_ADDED, {}), **facts)


def test_events_of_one_change_are_numbered_one_after_another_and_the_last_tells_the_new_status() -> None:
    happened = [(EventType.ORDER_RECEIVED, {}), (EventType.REVIEW_REQUESTED, {})]
    order = first(raw_order(line("1", "MUG")), context(), *happened)
    told = [(event.version, event.sequence, event.status) for event in order.events]
    assert told == [(1, 1, None), (1, 2, "RECEIVED")]


def test_a_short_pick_told_twice_is_booked_once() -> None:
    shorted = report("short_picked", F1, "ny", lines={"1": 1}, reason_code="NOT_IN_STOCK")
    order = after(two_lines(), whole, released, reporting("short_picked", lines={"1": 1}))
    assert apply_report(order, shorted, context(2)) is None


def test_late_news_of_the_road_does_not_take_back_a_delivery() -> None:
    order = after(two_lines(), whole, released, reporting("shipped"), tracked("DELIVERED"))
    assert apply_tracking(order, tracking("IN_TRANSIT", hours=9), context(9)) is None


def test_a_review_outlives_the_delivery_until_a_person_has_answered_it() -> None:
    one = allocating(ny={"1": 2, "2": 1})
    order = after(two_lines(), one, released, in_review, reporting("shipped"), tracked("DELIVERED"))
    assert order.status is OrderStatus.DELIVERED
    assert order.waiting_for is WaitingFor.REVIEW
    assert after(order, decided).waiting_for is None


def test_cancelling_all_of_an_order_answers_its_review() -> None:
    order = after(two_lines(), in_review, cancelling(_1=2, _2=1))
    assert (order.status, order.review, order.waiting_for) == (OrderStatus.CANCELLED, None, None)
