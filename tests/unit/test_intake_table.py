"""The table of intake: every state of an order against everything a channel's message may ask, on real documents."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from oms.domain.allocation import allocate
from oms.domain.cancellation import cancel
from oms.domain.catalog import ChannelAccount, Policy, Product
from oms.domain.changes import Context
from oms.domain.confirmations import BUYER_REQUEST
from oms.domain.decisions import request_review
from oms.domain.events import EventType
from oms.domain.fulfilling import apply_report
from oms.domain.incoming import Address, Contact, IncomingLine, IncomingOrder
from oms.domain.intake import receive
from oms.domain.intake_rules import TABLE, Age, Ask, State, Verdict, Version, judge_version, state_of
from oms.domain.intake_updates import update
from oms.domain.intake_wishes import Message, wishes
from oms.domain.order import Order, OrderStatus, Request, ShippingLine, Totals
from oms.domain.release import release
from oms.domain.tracking import apply_tracking
from tests.unit.builders import NOON, context, plan, report, tracking

PRODUCTS = {sku: Product(sku=sku, grams=300) for sku in ("MUG", "TEE", "HAT")}
HOME = Contact(
    name="Ada", email="ada@example.com", ship_to=Address(address1="1 Test Street", country="US", region="NY")
)
ELSEWHERE = replace(HOME, ship_to=Address(address1="9 Desert Road", country="US", region="CA"))
LATER = NOON + timedelta(hours=9)


def line(line_id: str, sku: str, units: int, left: int | None = None, **more: Any) -> IncomingLine:
    current = units if left is None else left
    return IncomingLine(
        line_id=line_id, sku=sku, quantity=units, current_quantity=current, unit_price_minor=1000, **more
    )


def told(*lines: IncomingLine, **changes: Any) -> IncomingOrder:
    """The order as its channel has it: three mugs and a tee if nothing is said."""
    lines = lines or (line("1", "MUG", 3), line("2", "TEE", 1))
    total = sum(one.unit_price_minor * one.quantity for one in lines)
    facts: dict[str, Any] = {
        "channel": "shopify",
        "account": "main",
        "channel_order_id": "1",
        "placed_at": NOON,
        "channel_updated_at": NOON,
        "currency": "USD",
        "totals": Totals(total_minor=total),
        "lines": tuple(lines),
        "payment_status": "PAID",
        "contact": HOME,
    }
    return IncomingOrder(**(facts | changes))


def received(**changes: Any) -> Order:
    return receive(told(**changes), PRODUCTS, ChannelAccount(), context()).order


def allocated() -> Order:
    return allocate(received(), plan(ny={"1": 3, "2": 1}), context()).order


def released() -> Order:
    return release(allocated(), context(1)).order


def shipped(units: dict[str, int]) -> Order:
    change = apply_report(released(), report("shipped", "shopify-main-1-f1", "ny", lines=units), context(2))
    assert change is not None
    return change.order


def delivered() -> Order:
    change = apply_tracking(shipped({"1": 3, "2": 1}), tracking("DELIVERED", "s1", 3), context(3))
    assert change is not None
    return change.order


def cancelled_here() -> Order:
    change = cancel(allocated(), {"1": 3, "2": 1}, context(1), "DESK")
    assert change is not None
    return change.order


def cancelled_there() -> Order:
    gone = told(cancelled_at=NOON, channel_updated_at=NOON + timedelta(hours=1))
    change = update(allocated(), message(gone))
    assert change is not None
    return change.order


def in_review(order: Order) -> Order:
    change = request_review(order, "ASKED", "", context(2))
    assert change is not None
    return change.order


ORDERS: dict[State, Callable[[], Order]] = {
    State.OPEN: allocated,
    State.OPEN_IN_REVIEW: lambda: in_review(allocated()),
    State.RELEASED: released,
    State.RELEASED_IN_REVIEW: lambda: in_review(released()),
    State.PARTLY_SHIPPED: lambda: shipped({"1": 2}),
    State.SHIPPED: lambda: shipped({"1": 3, "2": 1}),
    State.DELIVERED: delivered,
    State.CANCELLED_THERE: cancelled_there,
    State.CANCELLED_HERE: cancelled_here,
}

MESSAGES: dict[Ask, IncomingOrder] = {
    Ask.NOTHING: told(),
    Ask.CANCEL_ALL: told(cancelled_at=LATER),
    Ask.CANCEL_UNITS: told(line("1", "MUG", 3, left=1), line("2", "TEE", 1)),
    Ask.ADD_UNITS: told(line("1", "MUG", 5), line("2", "TEE", 1)),
    Ask.ADD_LINE: told(line("1", "MUG", 3), line("2", "TEE", 1), line("3", "HAT", 2)),
    Ask.RESTORE: told(),
    Ask.OTHER_GOODS: told(line("1", "HAT", 3), line("2", "TEE", 1)),
    Ask.CURRENCY: told(currency="CAD"),
    Ask.MONEY: told(
        totals=Totals(shipping_minor=500, total_minor=4500),
        shipping_lines=(ShippingLine(title="Fast", price_minor=500),),
    ),
    Ask.ADDRESS: told(contact=ELSEWHERE),
    Ask.SERVICE: told(service_level="EXPRESS"),
    Ask.PAYMENT: told(payment_status="PARTIALLY_REFUNDED"),
    Ask.UNPAID: told(payment_status="VOIDED"),
    Ask.BUYER_CANCEL: told(cancel_requested="changed their mind"),
    Ask.FULFILLED_THERE: told(line("1", "MUG", 3, fulfilled_quantity=3), line("2", "TEE", 1, fulfilled_quantity=1)),
    Ask.DEADLINES: told(ship_by=NOON + timedelta(days=1), deliver_by=NOON + timedelta(days=4)),
    Ask.PERSON: told(contact=replace(HOME, phone="+1 202 555 0177")),
}


def message(incoming: IncomingOrder, *, contact: Contact | None = HOME, **policy: Any) -> Message:
    asking: Context = replace(context(9), actor="shopify", policy=replace(Policy(), **policy))
    return Message(incoming=incoming, contact=contact, context=asking, products=PRODUCTS, content="digest")


def settled(order: Order, asking: Message) -> Order:
    """The order once the message was applied until nothing is left to do, each step a version of its own."""
    for _ in range(5):
        change = update(order, asking)
        if change is None:
            return order
        assert change.order.version == order.version + 1
        order = change.order
        asking = replace(asking, contact=change.contact or asking.contact)
    raise AssertionError("a message that is applied again and again must end")


def asked_of(state: State, ask: Ask) -> tuple[Order, IncomingOrder]:
    """An order in this state, and a newer message that asks just this of it."""
    order = ORDERS[state]()
    if ask is Ask.RESTORE and state is not State.CANCELLED_THERE:
        marked = replace(order.lines[0], ordered=4, cancelled=order.lines[0].cancelled + 1, cancelled_by_channel=1)
        work = tuple(replace(one, request=Request.SUBMITTED) for one in order.fulfillments)
        order = replace(order, lines=(marked, *order.lines[1:]))
        order = replace(order, fulfillments=work) if state is State.CANCELLED_HERE else order
        asking = told(line("1", "MUG", 4), line("2", "TEE", 1))
    else:
        asking = MESSAGES[ask]
    if state is State.CANCELLED_THERE and ask in _STILL_CANCELLED:
        asking = replace(asking, cancelled_at=LATER)
    return order, replace(asking, channel_updated_at=LATER)


_STILL_CANCELLED = (
    Ask.NOTHING,
    Ask.CURRENCY,
    Ask.OTHER_GOODS,
    Ask.MONEY,
    Ask.PAYMENT,
    Ask.UNPAID,
    Ask.DEADLINES,
    Ask.PERSON,
    Ask.FULFILLED_THERE,
)
"""Any other word on an order that its channel had cancelled says that it is not cancelled any more."""

LETTERS = {
    "C": Verdict.CREATE,
    "A": Verdict.APPLY,
    "G": Verdict.GRANT,
    "R": Verdict.REVIEW,
    "N": Verdict.NOTE,
    "-": Verdict.IGNORE,
}
WANTED = {
    # not here, open, open in review, released, released in review, partly shipped, shipped, delivered, cancelled there,
    # cancelled here
    Ask.NOTHING: "C NN NNN N N NN",
    Ask.CANCEL_ALL: "C AA RRR R - --",
    Ask.CANCEL_UNITS: "C AA RRR R - --",
    Ask.ADD_UNITS: "C AA RRR R R AR",
    Ask.ADD_LINE: "C AA RRR R R AR",
    Ask.RESTORE: "C AA RRR R R AR",
    Ask.OTHER_GOODS: "C AA RRR R - --",
    Ask.CURRENCY: "C RR RRR R R --",
    Ask.MONEY: "C AA NNN N N NN",
    Ask.ADDRESS: "C AA RRR R - A-",
    Ask.SERVICE: "C AA RRR - - A-",
    Ask.PAYMENT: "C NN NNN N N NN",
    Ask.UNPAID: "C NN RRR N N NN",
    Ask.BUYER_CANCEL: "C GG RRR - - --",
    Ask.FULFILLED_THERE: "C RR RRR - - --",
    Ask.DEADLINES: "C NN NNN N - --",
    Ask.PERSON: "C NN NNN N N NN",
}
"""The table once more, as the people who run orders agreed on it: whoever changes one must change the other."""

CELLS = list(itertools.product((state for state in State if state is not State.NOT_HERE), Ask))


def test_the_table_has_one_rule_with_a_reason_for_every_state_and_every_wish() -> None:
    assert set(TABLE) == set(itertools.product(State, Ask))
    assert all(len(rule.why) > 10 for rule in TABLE.values())
    assert all(rule.reason for rule in TABLE.values() if rule.verdict in (Verdict.REVIEW, Verdict.GRANT))


@pytest.mark.parametrize("ask", Ask)
def test_the_table_says_what_was_agreed_on(ask: Ask) -> None:
    agreed = [LETTERS[letter] for letter in WANTED[ask] if letter != " "]
    assert [TABLE[state, ask].verdict for state in State] == agreed


@pytest.mark.parametrize("state", ORDERS)
def test_the_documents_of_these_tests_are_in_the_states_they_stand_for(state: State) -> None:
    assert state_of(ORDERS[state]()) is state
    assert state_of(None) is State.NOT_HERE


@pytest.mark.parametrize(("state", "ask"), CELLS)
def test_what_a_message_asks_is_done_put_to_a_person_noted_or_ignored_as_the_table_says(state: State, ask: Ask) -> None:
    order, asking = asked_of(state, ask)
    if ask in (Ask.CANCEL_ALL, Ask.CANCEL_UNITS, Ask.BUYER_CANCEL) and order.status is OrderStatus.CANCELLED:
        assert ask not in wishes(order, asking, HOME)
        return
    if ask is Ask.BUYER_CANCEL and state in (State.SHIPPED, State.DELIVERED):
        assert ask not in wishes(order, asking, HOME)
        return
    if ask is Ask.OTHER_GOODS and order.status is OrderStatus.CANCELLED:
        assert ask not in wishes(order, asking, HOME)
        return
    if ask is Ask.CURRENCY and state is State.CANCELLED_THERE:
        assert ask not in wishes(order, asking, HOME)
        return
    if ask is Ask.FULFILLED_THERE and state in (State.SHIPPED, State.DELIVERED, State.CANCELLED_THERE):
        assert ask not in wishes(order, asking, HOME)
        return
    rule = TABLE[state, ask]
    assert ask in wishes(order, asking, HOME)
    after = settled(order, message(asking))
    _CHECKS[rule.verdict](ask, order, after)
    assert after.channel_updated_at == LATER
    assert update(after, message(asking, contact=_contact_after(ask, rule.verdict))) is None


def _contact_after(ask: Ask, verdict: Verdict) -> Contact:
    if ask is Ask.PERSON:
        return replace(HOME, phone="+1 202 555 0177")
    if ask is not Ask.ADDRESS:
        return HOME
    return ELSEWHERE if verdict is Verdict.APPLY else replace(HOME, asked_ship_to=ELSEWHERE.ship_to)


def _nothing_moved(before: Order, after: Order) -> None:
    units = [(one.ordered, one.cancelled, one.shipped, one.in_fulfillment, one.unallocated) for one in before.lines]
    assert units == [(o.ordered, o.cancelled, o.shipped, o.in_fulfillment, o.unallocated) for o in after.lines]
    assert (after.fulfillments, after.ship_to, after.service_level) == (
        before.fulfillments,
        before.ship_to,
        before.service_level,
    )


def _is_done(ask: Ask, before: Order, after: Order) -> None:
    review = after.review.reason if after.review else None
    assert review in (None, before.review.reason if before.review else None)
    live = {one.line_id: one.ordered - one.cancelled for one in after.lines}
    totals = (after.totals.total_minor, after.status)
    expected: dict[Ask, bool] = {
        Ask.CANCEL_ALL: after.status is OrderStatus.CANCELLED,
        Ask.BUYER_CANCEL: after.status is OrderStatus.CANCELLED and after.events[-1].data == {"reason": BUYER_REQUEST},
        Ask.CANCEL_UNITS: live == {"1": 1, "2": 1},
        Ask.ADD_UNITS: live == {"1": 5, "2": 1} and after.line("1").unallocated in (2, 5),  # type: ignore[union-attr]
        Ask.ADD_LINE: live == {"1": 3, "2": 1, "3": 2} and after.lines[2].unit_grams == 300,
        Ask.RESTORE: live in ({"1": 3, "2": 1}, {"1": 4, "2": 1}) and after.status is not OrderStatus.CANCELLED,
        Ask.OTHER_GOODS: (after.lines[0].sku, after.lines[0].unallocated, after.lines[0].in_fulfillment)
        == ("HAT", 3, 0),
        Ask.MONEY: totals == (4500, before.status),
        Ask.ADDRESS: after.ship_to.region == "CA" and not any(one.in_fulfillment for one in after.lines),
        Ask.SERVICE: after.service_level == "EXPRESS" and not any(one.in_fulfillment for one in after.lines),
    }
    assert expected[ask], after


def _is_put_to_a_person(ask: Ask, before: Order, after: Order) -> None:
    _nothing_moved(before, after)
    assert after.review is not None
    assert ask.value in after.review.detail
    state = state_of(before)
    assert after.review.reason == (before.review.reason if before.review else TABLE[state, ask].reason)
    asked = [event for event in after.events if event.type is EventType.REVIEW_REQUESTED]
    assert ask.value in asked[-1].data["asked"]
    assert after.totals == before.totals


def _is_noted(ask: Ask, before: Order, after: Order) -> None:
    _nothing_moved(before, after)
    assert after.review == before.review
    said = {
        Ask.MONEY: after.totals.total_minor == 4500,
        Ask.PAYMENT: after.payments[0].status == "PARTIALLY_REFUNDED",
        Ask.UNPAID: after.payments[0].status == "VOIDED",
        Ask.DEADLINES: (after.ship_by, after.promised_by) == (NOON + timedelta(days=1), NOON + timedelta(days=4)),
    }
    assert said.get(ask, True)
    assert after.version == before.version + 1


def _is_ignored(ask: Ask, before: Order, after: Order) -> None:
    _nothing_moved(before, after)
    assert after.review == before.review
    assert (after.ship_by, after.promised_by) == (before.ship_by, before.promised_by)


_CHECKS = {
    Verdict.APPLY: _is_done,
    Verdict.GRANT: _is_done,
    Verdict.REVIEW: _is_put_to_a_person,
    Verdict.NOTE: _is_noted,
    Verdict.IGNORE: _is_ignored,
}


@pytest.mark.parametrize("ask", [ask for ask in Ask if ask is not Ask.RESTORE])
def test_the_first_word_of_an_order_makes_it_as_it_says(ask: Ask) -> None:
    asking = MESSAGES[ask]
    order = receive(asking, PRODUCTS, ChannelAccount(), context()).order
    live = sum(one.ordered - one.cancelled for one in order.lines)
    assert live == (0 if asking.cancelled_at else sum(one.current_quantity for one in asking.lines))
    assert order.review is None
    assert (order.status is OrderStatus.DELIVERED) == (ask is Ask.FULFILLED_THERE)
    assert (order.deliver_by, order.promised_by) == (asking.deliver_by, asking.deliver_by)


def test_a_buyers_wish_is_put_to_a_person_where_the_policy_grants_none() -> None:
    asking = message(replace(MESSAGES[Ask.BUYER_CANCEL], channel_updated_at=LATER), grant_buyer_cancels=False)
    after = settled(allocated(), asking)
    assert after.review is not None
    assert (after.review.reason, after.status) == ("CANCEL_REQUESTED", OrderStatus.ALLOCATED)


def test_an_order_that_its_channel_revives_after_we_had_cancelled_it_is_put_to_a_person() -> None:
    echoed = settled(cancelled_here(), message(replace(MESSAGES[Ask.CANCEL_ALL], channel_updated_at=LATER)))
    assert state_of(echoed) is State.CANCELLED_HERE
    again = settled(echoed, message(told(channel_updated_at=LATER + timedelta(hours=1))))
    assert (again.status, again.reason_code) == (OrderStatus.CANCELLED, "CHANGE_AFTER_CANCEL")


def test_a_wish_that_was_decided_is_not_asked_again_and_another_one_is() -> None:
    fewer = replace(MESSAGES[Ask.CANCEL_UNITS], channel_updated_at=LATER)
    decided = replace(settled(released(), message(fewer)), review=None)
    again = replace(fewer, channel_updated_at=LATER + timedelta(hours=1))
    assert settled(decided, message(again)).review is None
    more = replace(MESSAGES[Ask.ADD_LINE], lines=(*fewer.lines, line("3", "HAT", 2)), channel_updated_at=LATER)
    review = settled(decided, message(replace(more, channel_updated_at=LATER + timedelta(hours=2)))).review
    assert review is not None
    assert review.detail == "add a line"


def test_a_new_wish_for_an_order_in_review_is_added_to_what_the_person_sees() -> None:
    fewer = replace(MESSAGES[Ask.CANCEL_UNITS], channel_updated_at=LATER)
    asked = settled(released(), message(fewer))
    gone = replace(MESSAGES[Ask.CANCEL_ALL], channel_updated_at=LATER + timedelta(hours=1))
    review = settled(asked, message(gone)).review
    assert review is not None
    assert (review.reason, review.detail) == ("CHANGE_AFTER_RELEASE", "cancel units; cancel")


@pytest.mark.parametrize(
    ("age", "same_content", "fetched", "can_fetch", "expected"),
    [
        (Age.OLDER, False, True, True, Version.STALE),
        (Age.OLDER, True, False, False, Version.STALE),
        (Age.SAME, True, False, True, Version.UNCHANGED),
        (Age.SAME, True, True, True, Version.UNCHANGED),
        (Age.SAME, False, False, True, Version.REFETCH),
        (Age.SAME, False, True, True, Version.COUNTS),
        (Age.SAME, False, False, False, Version.COUNTS),
        (Age.NEWER, True, False, True, Version.COUNTS),
        (Age.NEWER, False, False, False, Version.COUNTS),
    ],
)
def test_of_two_messages_the_newer_counts_and_of_two_in_one_second_the_channel_is_asked(
    age: Age, same_content: bool, fetched: bool, can_fetch: bool, expected: Version
) -> None:
    assert judge_version(age, same_content=same_content, fetched=fetched, can_fetch=can_fetch) is expected
