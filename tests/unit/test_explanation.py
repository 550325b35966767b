"""Why has it not shipped: one sentence, who can help, and only actions that would not be refused."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta

import pytest

from oms.domain import explanation
from oms.domain.cancellation import cancel, open_units
from oms.domain.decisions import MAX_HOLDS, add_note, place_hold, release_hold, request_review, resolve_review
from oms.domain.errors import OmsError
from oms.domain.events import EventType
from oms.domain.explanation import Action, Unblocker, explain
from oms.domain.intake import AWAITING_PAYMENT
from oms.domain.network import Ineligible
from oms.domain.order import Hold, Order, OrderStatus, WaitingFor, Work
from oms.domain.progress import step
from oms.domain.unroutable import note_unroutable
from tests.unit.builders import NOON, context, line, received
from tests.unit.test_order_status import (
    after,
    allocating,
    held,
    in_review,
    released,
    reporting,
    short,
    tracked,
    two_lines,
)

ALLOCATED = allocating(ny={"1": 2, "2": 1})
CANCEL_OR_HOLD = (Action.CANCEL, Action.PLACE_HOLD, Action.ADD_NOTE)
NOTE_ONLY = (Action.ADD_NOTE,)


def ready_for_pickup(order: Order) -> Order:
    work = tuple(replace(one, work=Work.READY_FOR_PICKUP) for one in order.fulfillments)
    return step(order, context(2), (EventType.FULFILLMENT_PACKED, {}), fulfillments=work)


def unpaid(order: Order) -> Order:
    hold = Hold(hold_id="payment", type=AWAITING_PAYMENT, placed_by="x", placed_at=NOON)
    change = place_hold(order, hold, context())
    assert change is not None
    return change.order


def unroutable(order: Order) -> Order:
    change = note_unroutable(order, {"ny": Ineligible.NO_RATE, "shop": Ineligible.METHOD_UNSUPPORTED}, context())
    assert change is not None
    return change.order


def cancelled(order: Order) -> Order:
    change = cancel(order, open_units(order), context(), "X")
    assert change is not None
    return change.order


HELD = (Action.CANCEL, Action.PLACE_HOLD, Action.RELEASE_HOLD, Action.ADD_NOTE)
REVIEWED = (Action.CANCEL, Action.PLACE_HOLD, Action.CONTINUE_REVIEW, Action.CANCEL_REVIEW, Action.ADD_NOTE)
WORKING = (ALLOCATED, released, reporting("accepted"))
SHIPPED = (*WORKING, reporting("shipped"))

CASES: dict[str, tuple[tuple[Callable[[Order], Order], ...], WaitingFor | None, str, Unblocker, tuple[Action, ...]]] = {
    "just received": ((), WaitingFor.ALLOCATION, "are being chosen", Unblocker.SYSTEM, CANCEL_OR_HOLD),
    "in review": ((in_review,), WaitingFor.REVIEW, "not in the catalogue: MUG.", Unblocker.OPERATIONS, REVIEWED),
    "on hold": ((held,), WaitingFor.HOLD, "on hold: FRAUD.", Unblocker.OPERATIONS, HELD),
    "not paid": ((unpaid,), WaitingFor.HOLD, "The payment is not confirmed yet.", Unblocker.CUSTOMER, HELD),
    "out of stock": ((short(MUG=1, TEE=1),), WaitingFor.STOCK, "of MUG, TEE.", Unblocker.PURCHASING, CANCEL_OR_HOLD),
    "without a route": (
        (unroutable,),
        WaitingFor.ALLOCATION,
        "(ny: none of its carriers has a rate from there to US-NY; shop: it does not do SHIP)",
        Unblocker.OPERATIONS,
        CANCEL_OR_HOLD,
    ),
    "in the cancel window": (
        (ALLOCATED,),
        WaitingFor.CANCEL_WINDOW,
        "until 2026-03-02 13:00:00 UTC.",
        Unblocker.SYSTEM,
        CANCEL_OR_HOLD,
    ),
    "asked for": (
        (ALLOCATED, released),
        WaitingFor.LOCATION_ANSWER,
        "ny has not answered",
        Unblocker.LOCATION,
        NOTE_ONLY,
    ),
    "accepted": (WORKING, WaitingFor.PICK, "ny has accepted the work", Unblocker.LOCATION, NOTE_ONLY),
    "packed": (
        (*WORKING, reporting("packed")),
        WaitingFor.SHIP,
        "ny has packed it",
        Unblocker.LOCATION,
        NOTE_ONLY,
    ),
    "ready to collect": (
        (*WORKING, ready_for_pickup),
        WaitingFor.COLLECTION,
        "It is ready at ny",
        Unblocker.CUSTOMER,
        NOTE_ONLY,
    ),
    "shipped": (SHIPPED, WaitingFor.DELIVERY, "has not been delivered yet", Unblocker.CARRIER, NOTE_ONLY),
    "delivered": (
        (*SHIPPED, tracked("DELIVERED")),
        None,
        "Everything was delivered.",
        Unblocker.NOBODY,
        NOTE_ONLY,
    ),
    "cancelled": ((cancelled,), None, "The order was cancelled.", Unblocker.NOBODY, NOTE_ONLY),
}


@pytest.mark.parametrize("case", CASES)
def test_every_state_is_explained_with_who_can_help_and_what_can_be_done(case: str) -> None:
    steps, waiting_for, cause, unblocker, actions = CASES[case]
    told = explain(after(two_lines(), *steps), NOON)
    assert (told.waiting_for, told.who_can_unblock, told.supported_actions) == (waiting_for, unblocker, actions)
    assert cause in told.cause
    assert re.fullmatch(r"[A-Za-z][^{}]*\.", told.cause)


def test_no_state_is_left_without_an_explanation() -> None:
    assert {waiting_for for _, waiting_for, *_ in CASES.values()} == {*WaitingFor, None}


DECISIONS: dict[Action, Callable[[Order], object]] = {
    Action.CANCEL: lambda order: cancel(order, open_units(order), context(4), "X"),
    Action.CANCEL_REVIEW: lambda order: order.review and cancel(order, open_units(order), context(4), "X"),
    Action.PLACE_HOLD: lambda order: place_hold(
        order, Hold(hold_id="new", type="X", placed_by="x", placed_at=NOON), context(4)
    ),
    Action.RELEASE_HOLD: lambda order: release_hold(order, order.holds[0].hold_id, context(4)),
    Action.CONTINUE_REVIEW: lambda order: resolve_review(order, context(4)),
    Action.ADD_NOTE: lambda order: add_note(order, "x", context(4)),
}


@pytest.mark.parametrize("case", CASES)
def test_what_is_said_to_be_possible_is_not_refused(case: str) -> None:
    order = after(two_lines(), *CASES[case][0])
    for action in explain(order, NOON).supported_actions:
        assert DECISIONS[action](order)


@pytest.mark.parametrize("case", CASES)
@pytest.mark.parametrize("action", [Action.CANCEL, Action.CANCEL_REVIEW, Action.CONTINUE_REVIEW, Action.RELEASE_HOLD])
def test_what_is_not_said_to_be_possible_would_be_refused_or_change_nothing(case: str, action: Action) -> None:
    order = after(two_lines(), *CASES[case][0])
    if action in explain(order, NOON).supported_actions:
        return
    try:
        changed = DECISIONS[action](order)
    except (OmsError, IndexError):
        return
    assert not changed


def test_no_more_holds_are_offered_than_an_order_may_have() -> None:
    holds = tuple(Hold(hold_id=str(n), type="X", placed_by="x", placed_at=NOON) for n in range(MAX_HOLDS))
    order = replace(held(two_lines()), holds=holds)
    assert Action.PLACE_HOLD not in explain(order, NOON).supported_actions


def test_an_order_is_overdue_only_after_its_due_time() -> None:
    order = two_lines()
    assert order.due_at is not None
    assert not explain(order, order.due_at).overdue
    assert explain(order, order.due_at + timedelta(seconds=1)).overdue
    assert explain(order, NOON).since == NOON


def test_many_missing_skus_are_counted_not_listed() -> None:
    order = received(*(line(str(n), f"SKU{n}") for n in range(1, 9)))
    told = explain(after(order, short(**{f"SKU{n}": 1 for n in range(1, 9)})), NOON)
    assert told.cause == "There is not enough stock of SKU1, SKU2, SKU3, SKU4, SKU5 and 3 more."


@pytest.mark.parametrize("reason", [*explanation._REASONS, "SOMETHING_NEW"])
def test_every_reason_of_a_review_makes_a_sentence_with_and_without_detail(reason: str) -> None:
    for detail in ("", "braces {x} and all"):
        change = request_review(two_lines(), reason, detail, context())
        assert change is not None
        told = explain(change.order, NOON)
        assert (told.reason_code, told.status) == (reason, OrderStatus.RECEIVED)
        assert told.cause.endswith(".")
        assert detail in told.cause or "{detail}" not in explanation._REASONS.get(reason, ("",))[0]
