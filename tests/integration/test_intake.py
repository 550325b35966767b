"""What a channel says of an order it has told us of before: cancelled units, new addresses, payments, edits."""

from __future__ import annotations

from dataclasses import replace

import pytest

from oms.domain.order import OrderStatus
from oms.usecases.intake import Taken
from tests.integration.company import (
    ADA,
    NEW_YORK,
    RENO,
    Worker,
    at,
    balance,
    everything,
    held_by_orders,
    incoming,
    line,
    order_id,
    released,
    shelve,
    story,
    worker,
)
from tests.integration.faults import CrashedError, Faults
from tests.integration.stage import Stage

MOVED = replace(ADA, ship_to=RENO)
NEXT_DOOR = replace(ADA, ship_to=replace(NEW_YORK, address1="3 Test Street"))


def allocated(made: Worker, lines: dict[str, int] | None = None) -> None:
    made.take(incoming(lines=lines))
    made.allocate(order_id())


def test_an_order_cancelled_before_release_gives_back_all_it_held(stage: Stage) -> None:
    made = worker()
    allocated(made)
    result = made.take(incoming(cancelled_at=at(1), cancel_reason="customer", channel_updated_at=at(1)), hours=1)
    assert result.taken is Taken.CHANGED
    assert stage.order(order_id()).status is OrderStatus.CANCELLED
    assert stage.position("MUG", "WH-EAST").available == 10
    balance(stage)


def test_units_cancelled_before_release_are_given_back_and_the_rest_stays(stage: Stage) -> None:
    made = worker()
    allocated(made)
    fewer = (line("L1", "MUG", 2, left=1), line("L2", "BOWL", 1))
    made.take(replace(incoming(channel_updated_at=at(1)), lines=fewer), hours=1)
    order = stage.order(order_id())
    assert (order.lines[0].cancelled, order.lines[0].in_fulfillment) == (1, 1)
    assert story(stage, order_id())[-1] == "LinesCancelled"
    balance(stage)


def test_a_backordered_order_that_is_cancelled_leaves_the_queue_of_its_sku(stage: Stage) -> None:
    made = worker()
    allocated(made, {"BOWL": 5})
    assert len(stage.rows("backorders")) == 1
    made.take(incoming(lines={"BOWL": 5}, cancelled_at=at(1), channel_updated_at=at(1)), hours=1)
    assert stage.rows("backorders") == []
    balance(stage)


def test_a_large_order_is_cancelled_in_parts_and_survives_a_crash_between_them(stage: Stage, faults: Faults) -> None:
    units = {f"SKU-{number:02}": 1 for number in range(45)}
    opening = shelve(stage, units)
    made = worker()
    allocated(made, units)
    gone = incoming(lines=units, cancelled_at=at(1), channel_updated_at=at(1))
    faults.crash_after()
    with pytest.raises(CrashedError):
        made.take(gone, hours=1)
    assert len(held_by_orders(stage)) == 45
    worker().take(gone, hours=1)
    assert stage.order(order_id()).status is OrderStatus.CANCELLED
    assert sum(held_by_orders(stage).values()) == 0
    balance(stage, opening)


def test_an_address_in_another_state_routes_the_order_again(stage: Stage) -> None:
    made = worker()
    allocated(made, {"MUG": 2})
    made.take(incoming(lines={"MUG": 2}, contact=MOVED, channel_updated_at=at(1)), hours=1)
    assert sum(held_by_orders(stage).values()) == 0
    assert made.lifecycle.evaluate(order_id(), at(2)) == stage.order(order_id())
    made.allocate(order_id(), hours=2)
    assert held_by_orders(stage)["MUG", "WH-WEST"] == 2
    assert stage.rows("contacts")[0]["ship_to"]["city"] == "Reno"
    balance(stage)


def test_an_address_next_door_changes_nothing_but_the_address(stage: Stage) -> None:
    made = worker()
    allocated(made)
    held = held_by_orders(stage)
    made.take(incoming(contact=NEXT_DOOR, channel_updated_at=at(1)), hours=1)
    assert held_by_orders(stage) == held
    assert stage.rows("contacts")[0]["ship_to"]["address1"] == "3 Test Street"
    balance(stage)


@pytest.mark.parametrize("what", ["cancelled", "address"])
def test_a_change_after_release_is_asked_once_and_not_again_once_decided(stage: Stage, what: str) -> None:
    made = worker()
    released(made)
    asked = incoming(
        cancelled_at=at(1) if what == "cancelled" else None,
        contact=MOVED if what == "address" else ADA,
        channel_updated_at=at(1),
    )
    for hours in (1, 2):
        made.take(asked, hours=hours)
    order = stage.order(order_id())
    assert order.review is not None
    assert order.review.reason == "CHANGE_AFTER_RELEASE"
    assert stage.rows("contacts")[0]["ship_to"]["city"] == "Albany"
    made.decisions.resolve_review(order_id(), "desk", at(3))
    made.take(asked, hours=4)
    assert stage.order(order_id()).review is None
    assert story(stage, order_id()).count("ReviewRequested") == 1
    balance(stage)


def test_a_cancellation_that_meets_the_release_ends_as_exactly_one_of_the_two(stage: Stage, faults: Faults) -> None:
    made, rival = worker(), worker()
    allocated(made)
    faults.meanwhile("TransactWriteItems", lambda: rival.lifecycle.evaluate(order_id(), at(1)))
    made.take(incoming(cancelled_at=at(1), channel_updated_at=at(1)), hours=1)
    order = stage.order(order_id())
    assert order.status is OrderStatus.RELEASED
    assert order.review is not None
    assert order.review.reason == "CHANGE_AFTER_RELEASE"
    balance(stage)


def test_a_release_that_meets_the_cancellation_never_happens(stage: Stage, faults: Faults) -> None:
    made, rival = worker(), worker()
    allocated(made)
    gone = incoming(cancelled_at=at(1), channel_updated_at=at(1))
    faults.meanwhile("TransactWriteItems", lambda: rival.take(gone, hours=1))
    made.lifecycle.evaluate(order_id(), at(1))
    assert stage.order(order_id()).status is OrderStatus.CANCELLED
    assert stage.rows("deliveries") == []
    balance(stage)


def test_units_the_channel_added_look_for_stock_and_the_rest_keeps_what_it_has(stage: Stage) -> None:
    made = worker()
    allocated(made)
    made.take(incoming(lines={"MUG": 4, "BOWL": 1}, channel_updated_at=at(1)), hours=1)
    order = stage.order(order_id())
    assert order.review is None
    assert (order.lines[0].in_fulfillment, order.lines[0].unallocated) == (2, 2)
    (edited,) = [event for event in order.events if event.type == "OrderEdited"]
    assert edited.data == {"added": {"L1": 2}, "total_minor": {"before": 3000, "after": 5000}}
    made.allocate(order_id(), hours=1)
    assert sum(held_by_orders(stage).values()) == 5
    balance(stage)


def test_a_payment_that_is_pending_holds_the_stock_and_paid_lets_it_go(stage: Stage) -> None:
    made = worker()
    made.take(incoming(payment_status="PENDING"))
    made.allocate(order_id())
    assert stage.order(order_id()).waiting_for == "HOLD"
    assert sum(held_by_orders(stage).values()) == 3
    made.take(incoming(channel_updated_at=at(1)), hours=1)
    assert stage.order(order_id()).waiting_for == "CANCEL_WINDOW"
    assert story(stage, order_id())[-2:] == ["PaymentChanged", "HoldReleased"]


def test_a_repeat_and_an_older_state_change_nothing(stage: Stage) -> None:
    made = worker()
    made.take(incoming())
    before = everything(stage)
    assert made.take(incoming(), hours=1).taken is Taken.UNCHANGED
    older = incoming(channel_updated_at=at(-1), cancelled_at=at(-1))
    assert made.take(older, hours=1).taken is Taken.STALE
    assert everything(stage) == before


@pytest.mark.parametrize("what", ["cancelled", "address", "units"])
def test_newer_messages_with_a_wish_that_was_decided_do_not_ask_again(stage: Stage, what: str) -> None:
    """A channel repeats an ungranted wish in every message it sends from then on."""
    made = worker()
    released(made)
    fewer = (line("L1", "MUG", 2, left=1), line("L2", "BOWL", 1))
    wish = {
        "cancelled": {"cancelled_at": at(1)},
        "address": {"contact": MOVED},
        "units": {"lines": fewer},
    }[what]
    made.take(replace(incoming(channel_updated_at=at(1)), **wish), hours=1)
    made.decisions.resolve_review(order_id(), "desk", at(2))
    for hours in (3, 4):
        made.take(replace(incoming(channel_updated_at=at(hours)), **wish), hours=hours)
    order = stage.order(order_id())
    assert order.review is None
    assert order.channel_updated_at == at(4)
    assert story(stage, order_id()).count("ReviewRequested") == 1


def test_a_second_new_address_after_release_is_asked_about_as_the_first_was(stage: Stage) -> None:
    made = worker()
    released(made)
    made.take(incoming(channel_updated_at=at(1), contact=MOVED), hours=1)
    made.decisions.resolve_review(order_id(), "desk", at(2))
    made.take(incoming(channel_updated_at=at(3), contact=NEXT_DOOR), hours=3)
    order = stage.order(order_id())
    assert order.review is not None
    assert order.review.detail == "change address"
    contact = stage.rows("contacts")[0]
    assert (contact["ship_to"]["city"], contact["asked_ship_to"]["address1"]) == ("Albany", "3 Test Street")


def test_a_new_address_for_more_positions_than_one_change_may_free_is_put_to_a_person(stage: Stage) -> None:
    many = {f"SKU-{number:03}": 1 for number in range(45)}
    shelve(stage, many)
    made = worker()
    allocated(made, many)
    held = held_by_orders(stage)
    result = made.take(incoming(lines=many, contact=MOVED, channel_updated_at=at(1)), hours=1)
    assert result.order.review is not None
    assert result.order.review.reason == "CHANNEL_EDIT"
    assert held_by_orders(stage) == held
