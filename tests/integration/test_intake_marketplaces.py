"""What marketplaces demand and leave open: deadlines, unpaid orders, buyers who ask to cancel, two edits a second."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from oms.domain.catalog import Policy
from oms.domain.incoming import Address, Contact, IncomingOrder
from oms.domain.order import OrderStatus
from oms.usecases.intake import Taken
from tests.integration.company import (
    ADA,
    NEW_YORK,
    NOON,
    at,
    balance,
    held_by_orders,
    incoming,
    line,
    order_id,
    released,
    story,
    worker,
)
from tests.integration.faults import CrashedError, Faults
from tests.integration.stage import Stage

NOWHERE_YET = Contact(ship_to=Address(country="US"))
SHIP_BY, DELIVER_BY = NOON + timedelta(days=1), NOON + timedelta(days=5)


def test_the_marketplaces_deadlines_are_the_orders_and_its_promise(stage: Stage) -> None:
    made = worker()
    made.take(incoming(ship_by=SHIP_BY, deliver_by=DELIVER_BY))
    order = stage.order(order_id())
    assert (order.ship_by, order.deliver_by, order.promised_by) == (SHIP_BY, DELIVER_BY, DELIVER_BY)
    later = DELIVER_BY + timedelta(days=2)
    made.take(incoming(ship_by=SHIP_BY, deliver_by=later, channel_updated_at=at(1)), hours=1)
    order = stage.order(order_id())
    assert (order.promised_by, order.original_promised_by) == (later, DELIVER_BY)
    assert story(stage, order_id())[-1] == "PromiseChanged"


def test_a_pending_order_commits_stock_by_its_country_and_is_routed_again_when_the_address_comes(stage: Stage) -> None:
    made = worker()
    made.take(incoming(lines={"MUG": 2}, payment_status="PENDING", contact=NOWHERE_YET))
    made.allocate(order_id())
    order = stage.order(order_id())
    assert [hold.type for hold in order.holds] == ["AWAITING_PAYMENT", "AWAITING_ADDRESS"]
    assert sum(held_by_orders(stage).values()) == 2
    paid = incoming(lines={"MUG": 2}, channel_updated_at=at(1), contact=NOWHERE_YET)
    made.take(paid, hours=1)
    assert made.lifecycle.evaluate(order_id(), at(2)) == stage.order(order_id())
    assert stage.order(order_id()).reason_code == "AWAITING_ADDRESS"
    made.take(incoming(lines={"MUG": 2}, channel_updated_at=at(2)), hours=2)
    assert (stage.order(order_id()).holds, sum(held_by_orders(stage).values())) == ((), 0)
    made.allocate(order_id(), hours=2)
    assert held_by_orders(stage)["MUG", "WH-EAST"] == 2
    order = made.lifecycle.evaluate(order_id(), at(3)) or order
    assert order.status is OrderStatus.RELEASED
    balance(stage)


def test_an_answer_without_the_address_leaves_the_one_we_have(stage: Stage) -> None:
    made = worker()
    made.take(incoming())
    told_in_part = Contact(ship_to=Address(region="NY", country="US"))
    made.take(incoming(contact=told_in_part, channel_updated_at=at(1)), hours=1)
    (person,) = stage.rows("contacts")
    assert (person["ship_to"]["address1"], person["email"]) == (NEW_YORK.address1, ADA.email)
    assert "AddressChanged" not in story(stage, order_id())


@pytest.mark.parametrize("first", ["created", "asked"])
def test_a_buyer_who_asks_before_release_is_granted_it_at_once(stage: Stage, first: str) -> None:
    made = worker()
    asking = incoming(cancel_requested="BUYER_CHANGED_MIND", channel_updated_at=at(1))
    if first == "created":
        made.take(incoming())
        made.allocate(order_id())
    made.take(asking, hours=1)
    order = stage.order(order_id())
    assert (order.status, order.events[-1].data) == (OrderStatus.CANCELLED, {"reason": "BUYER_REQUEST"})
    assert made.take(asking, hours=2).taken is Taken.UNCHANGED
    balance(stage)


def test_a_buyers_wish_that_came_with_the_order_is_granted_though_the_worker_died_in_between(
    stage: Stage, faults: Faults
) -> None:
    asking = incoming(cancel_requested="MISTAKE")
    faults.crash_after("TransactWriteItems")
    with pytest.raises(CrashedError):
        worker().take(asking)
    assert stage.order(order_id()).status is OrderStatus.RECEIVED
    worker().take(asking, hours=1)
    assert stage.order(order_id()).status is OrderStatus.CANCELLED


def test_a_buyer_who_asks_for_some_lines_only_is_put_to_a_person_and_nothing_is_cancelled(stage: Stage) -> None:
    asking = incoming(cancel_requested="MISTAKE", cancel_requested_lines=("L2",))
    worker().take(asking)
    order = stage.order(order_id())
    assert (order.reason_code, [one.cancelled for one in order.lines]) == ("CANCEL_REQUESTED", [0, 0])
    (asked,) = [event.data["asked"] for event in order.events if event.type == "ReviewRequested"]
    assert asked == {"buyer asks to cancel": ["L2"]}


def test_a_buyer_who_asks_after_release_is_put_to_a_person_once(stage: Stage) -> None:
    made = worker()
    released(made)
    for hours in (1, 2):
        made.take(incoming(cancel_requested="MISTAKE", channel_updated_at=at(hours)), hours=hours)
    order = stage.order(order_id())
    assert (order.status, order.reason_code) == (OrderStatus.RELEASED, "CANCEL_REQUESTED")
    assert story(stage, order_id()).count("ReviewRequested") == 1


def test_a_buyer_who_asks_is_put_to_a_person_where_the_policy_says_so(stage: Stage) -> None:
    stage.put("settings", Policy(cancel_window_seconds=0, grant_buyer_cancels=False), kind="policy", name="active")
    worker().take(incoming(cancel_requested="MISTAKE"))
    assert stage.order(order_id()).reason_code == "CANCEL_REQUESTED"


def test_units_that_somebody_else_shipped_keep_the_order_from_shipping_twice(stage: Stage) -> None:
    gone = replace(line("L1", "MUG", 2), fulfilled_quantity=2)
    worker().take(replace(incoming(), lines=(gone, line("L2", "BOWL", 1))))
    assert stage.order(order_id()).reason_code == "FULFILLED_ELSEWHERE"


def partly_gone(hours: float = 0) -> IncomingOrder:
    gone = replace(line("L1", "MUG", 2), fulfilled_quantity=2)
    return replace(incoming(channel_updated_at=at(hours)), lines=(gone, line("L2", "BOWL", 1)))


def cancels(stage: Stage) -> list[tuple[str, dict[str, object]]]:
    events = stage.order(order_id()).events
    return [(event.type.value, event.data) for event in events if event.type.value.endswith("Cancelled")]


def test_who_cancels_what_somebody_else_shipped_cancels_it_here_and_not_at_the_channel(stage: Stage) -> None:
    made = worker()
    made.take(incoming())
    made.allocate(order_id())
    all_gone = tuple(replace(one, fulfilled_quantity=one.quantity) for one in incoming().lines)
    made.take(replace(incoming(channel_updated_at=at(1)), lines=all_gone), hours=1)
    for hours in (2, 3):
        made.decisions.cancel_in_review(order_id(), "REVIEW", "desk", at(hours))
    assert cancels(stage) == [("OrderCancelled", {"reason": "FULFILLED_ELSEWHERE"})]
    assert (stage.order(order_id()).review, sum(held_by_orders(stage).values())) == (None, 0)
    assert made.take(replace(incoming(channel_updated_at=at(4)), lines=all_gone), hours=4).order.review is None
    balance(stage)


@pytest.mark.parametrize("dies", [False, True])
def test_of_an_order_that_somebody_else_shipped_a_part_of_the_channel_hears_that_the_rest_is_cancelled(
    stage: Stage, faults: Faults, dies: bool
) -> None:
    made = worker()
    made.take(partly_gone())
    if dies:
        faults.crash_after("PutItem")
        with pytest.raises(CrashedError):
            made.decisions.cancel_in_review(order_id(), "NO_CARRIER", "desk", at(1))
    made.decisions.cancel_in_review(order_id(), "NO_CARRIER", "desk", at(2))
    theirs = ("LinesCancelled", {"reason": "FULFILLED_ELSEWHERE", "lines": {"L1": 2}})
    assert cancels(stage) == [theirs, ("OrderCancelled", {"reason": "NO_CARRIER"})]
    balance(stage)


def test_an_earlier_answer_about_what_left_elsewhere_does_not_count_for_a_later_question(stage: Stage) -> None:
    made = worker()
    made.take(partly_gone())
    made.decisions.resolve_review(order_id(), "desk", at(1))
    other = replace(partly_gone(2), currency="CAD")
    made.take(other, hours=2)
    made.decisions.cancel_in_review(order_id(), "WRONG_CURRENCY", "desk", at(3))
    assert cancels(stage) == [("OrderCancelled", {"reason": "WRONG_CURRENCY"})]


def test_who_confirms_that_a_cancelled_order_stays_so_ends_its_review_once(stage: Stage) -> None:
    made = worker()
    made.take(incoming())
    made.decisions.cancel(order_id(), "DESK", "desk", at(1))
    more = replace(incoming(channel_updated_at=at(2)), lines=(line("L1", "MUG", 9), line("L2", "BOWL", 1)))
    assert made.take(more, hours=2).order.reason_code == "CHANGE_AFTER_CANCEL"
    for hours in (3, 4):
        order = made.decisions.cancel_in_review(order_id(), "REVIEW", "desk", at(hours))
        assert (order.status, order.review, order.waiting_for) == (OrderStatus.CANCELLED, None, None)
    assert story(stage, order_id()).count("ReviewResolved") == 1
    assert story(stage, order_id())[-1] == "ReviewResolved"


def fewer(hours: float) -> IncomingOrder:
    left = (line("L1", "MUG", 2, left=1), line("L2", "BOWL", 1))
    return replace(incoming(channel_updated_at=at(hours)), lines=left)


def test_of_two_states_of_one_second_the_channel_is_asked_and_its_answer_holds(stage: Stage) -> None:
    made = worker()
    made.take(incoming())
    take = made.intake.take
    assert take(fewer(0), "shopify", at(1), can_fetch=True).taken is Taken.REFETCH
    assert stage.order(order_id()).version == 1
    assert take(fewer(0), "shopify", at(1), can_fetch=True, fetched=True).taken is Taken.CHANGED
    assert stage.order(order_id()).lines[0].cancelled == 1
    assert take(fewer(0), "shopify", at(2), can_fetch=True, fetched=True).taken is Taken.UNCHANGED


def test_of_two_states_of_one_second_the_last_one_holds_where_the_channel_cannot_be_asked(stage: Stage) -> None:
    made = worker()
    made.take(incoming())
    assert made.take(fewer(0), hours=1).taken is Taken.CHANGED


def test_a_second_address_within_the_second_is_another_state(stage: Stage) -> None:
    made = worker()
    made.take(incoming())
    moved = incoming(contact=replace(ADA, ship_to=replace(NEW_YORK, address1="3 Test Street")))
    assert made.intake.take(moved, "shopify", at(1), can_fetch=True).taken is Taken.REFETCH


def test_what_the_customer_paid_in_is_kept_beside_what_the_shop_reckons_in(stage: Stage) -> None:
    worker().take(incoming(presentment_currency="EUR", presentment_total_minor=2790))
    order = stage.order(order_id())
    assert (order.presentment_currency, order.presentment_total_minor, order.currency) == ("EUR", 2790, "USD")
