"""What a channel's messages put to a person: asked once, with what the answer needs, and no longer than there is
something to decide.
"""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from oms.domain.allocation import allocate
from oms.domain.catalog import ChannelAccount
from oms.domain.decisions import resolve_review
from oms.domain.events import EventType
from oms.domain.fulfilling import apply_report
from oms.domain.incoming import IncomingLine, IncomingOrder
from oms.domain.intake import receive
from oms.domain.intake_questions import await_mapping
from oms.domain.order import Method, Order, OrderStatus, Totals
from oms.domain.release import release
from tests.unit.builders import context, plan, report
from tests.unit.test_intake_table import (
    LATER,
    PRODUCTS,
    allocated,
    delivered,
    line,
    message,
    released,
    settled,
    shipped,
    told,
)


def at(hours: float, *lines: IncomingLine, **changes: Any) -> IncomingOrder:
    return told(*lines, channel_updated_at=LATER + timedelta(hours=hours), **changes)


def decided(order: Order) -> Order:
    """A person says: go on as it is."""
    return resolve_review(order, context(10)).order


def left(order: Order, units: dict[str, int], shipment_id: str = "s1") -> Order:
    """The location reports a parcel."""
    told_of = report("shipped", "shopify-main-1-f1", "ny", lines=units, shipment_id=shipment_id)
    change = apply_report(order, told_of, context(10))
    assert change is not None
    return change.order


def asked(order: Order) -> list[dict[str, Any]]:
    return [one.data["asked"] for one in order.events if "asked" in one.data and one.type == "ReviewRequested"]


def shows(order: Order) -> str:
    return order.review.detail if order.review else ""


SHIPPED_THERE = (line("1", "MUG", 3, fulfilled_quantity=3), line("2", "TEE", 1, fulfilled_quantity=1))
PARTLY_THERE = (line("1", "MUG", 3, fulfilled_quantity=2), line("2", "TEE", 1))
FEWER = (line("1", "MUG", 3, left=0), line("2", "TEE", 1))


def first_heard_of(*lines: IncomingLine, **changes: Any) -> Order:
    return receive(told(*lines, **changes), PRODUCTS, ChannelAccount(), context()).order


def test_an_order_that_had_left_altogether_when_we_first_heard_of_it_is_kept_as_such_and_asks_nobody() -> None:
    order = first_heard_of(*SHIPPED_THERE, line("3", "CARD", 1, requires_shipping=False))
    assert (order.status, order.review, order.waiting_for) == (OrderStatus.DELIVERED, None, None)
    assert [event.data for event in order.events] == [{"lines": 3, "shipped_elsewhere": 4}]
    assert [one.location_id for one in order.fulfillments] == ["SHIPPED-ELSEWHERE"]
    assert settled(order, message(at(0, *SHIPPED_THERE, payment_status="REFUNDED"))).review is None


def test_goods_that_nobody_knows_are_nothing_to_decide_once_they_have_left() -> None:
    old = line("1", "NOT-SOLD-ANY-MORE", 2, fulfilled_quantity=2)
    assert first_heard_of(old).review is None
    off = first_heard_of(old, totals=Totals(total_minor=1))
    assert (off.status, off.reason_code) == (OrderStatus.DELIVERED, "TOTALS_MISMATCH")


def test_an_order_of_which_a_part_left_before_we_heard_of_it_waits_for_a_person() -> None:
    order = first_heard_of(*PARTLY_THERE)
    assert (order.status, order.reason_code, shows(order)) == (OrderStatus.RECEIVED, "FULFILLED_ELSEWHERE", "2 units")


def test_an_order_that_comes_in_with_another_fault_as_well_says_that_a_part_of_it_has_left() -> None:
    order = first_heard_of(*PARTLY_THERE, totals=Totals(total_minor=3999))
    assert (order.reason_code, shows(order)) == ("TOTALS_MISMATCH", "off by -0.01 USD; shipped by somebody else")
    assert asked(order) == [{"shipped by somebody else": {"1": 2}}]
    unknown = first_heard_of(*PARTLY_THERE, line("3", "NOT-SOLD-ANY-MORE" * 20, 1))
    assert unknown.reason_code == "UNKNOWN_SKU"
    assert shows(unknown).endswith("; shipped by somebody else")
    mended = settled(order, message(at(0, *PARTLY_THERE)))
    assert (mended.review, len(asked(mended))) == (order.review, 1)
    assert settled(mended, message(at(1))).review is None


def test_goods_carried_out_of_a_shop_that_the_channel_counts_as_shipped_are_nothing_to_decide() -> None:
    sale = {"method": Method.CARRY_OUT, "sold_at_location_id": "ny"}
    order = first_heard_of(*SHIPPED_THERE, **sale)
    assert (order.status, order.review) == (OrderStatus.DELIVERED, None)
    unknown = first_heard_of(line("1", "NOT-SOLD-ANY-MORE", 1, fulfilled_quantity=1), **sale)
    assert unknown.reason_code == "UNKNOWN_SKU"
    assert asked(unknown) == []


def test_who_let_an_order_go_on_that_came_in_as_shipped_elsewhere_is_not_asked_again() -> None:
    order = first_heard_of(*PARTLY_THERE)
    assert asked(order) == [{"shipped by somebody else": {"1": 2}}]
    repeated = settled(order, message(at(0, *PARTLY_THERE)))
    assert (shows(repeated), len(asked(repeated))) == ("2 units", 1)
    assert settled(decided(repeated), message(at(1, *PARTLY_THERE))).review is None


def test_an_order_shipped_elsewhere_waits_no_longer_once_the_channel_says_that_it_was_not() -> None:
    after = settled(first_heard_of(*PARTLY_THERE), message(at(0)))
    assert (after.review, [event.type for event in after.events[-2:]]) == (None, ["RequestWithdrawn", "ReviewResolved"])
    again = settled(after, message(at(1, *PARTLY_THERE)))
    assert (again.reason_code, shows(again)) == ("FULFILLED_ELSEWHERE", "shipped by somebody else")


def test_an_order_that_waits_for_more_than_what_was_shipped_elsewhere_goes_on_waiting() -> None:
    both = settled(released(), message(at(0, *SHIPPED_THERE, service_level="EXPRESS")))
    after = settled(both, message(at(1, service_level="EXPRESS")))
    asked_at_first = "change service, shipped by somebody else"
    assert shows(after) == f"{asked_at_first}; taken back: shipped by somebody else"


def test_a_parcel_that_the_channel_heard_of_before_us_is_nothing_to_decide_once_we_have() -> None:
    early = settled(released(), message(at(0, *SHIPPED_THERE)))
    assert (early.reason_code, shows(early)) == ("FULFILLED_ELSEWHERE", "shipped by somebody else")
    parted = settled(left(early, {"1": 2}), message(at(1, *SHIPPED_THERE)))
    assert (shows(parted), len(asked(parted))) == ("shipped by somebody else", 1)
    whole = left(parted, {"1": 1, "2": 1}, "s2")
    story = ["ShipmentShipped", "RequestWithdrawn", "ReviewResolved"]
    assert (whole.review, [event.type for event in whole.events[-3:]]) == (None, story)
    again = settled(whole, message(at(2, *SHIPPED_THERE)))
    assert (again.review, len(asked(again))) == (None, 1)


def test_only_parcels_that_left_since_account_for_what_the_channel_says_has_left() -> None:
    one_gone = left(released(), {"1": 1})
    early = settled(one_gone, message(at(0, *PARTLY_THERE[1:], line("1", "MUG", 3, fulfilled_quantity=2))))
    assert asked(early) == [{"shipped by somebody else": {"1": 1}}]
    assert left(early, {"2": 1}, "s2").reason_code == "FULFILLED_ELSEWHERE"
    assert left(early, {"1": 1}, "s2").review is None


def test_more_that_left_than_our_parcels_account_for_is_asked_again() -> None:
    early = settled(released(), message(at(0, *PARTLY_THERE)))
    ended = left(early, {"1": 2})
    assert ended.review is None
    more = settled(ended, message(at(1, *SHIPPED_THERE)))
    assert (more.reason_code, asked(more)[-1]) == (
        "FULFILLED_ELSEWHERE",
        {"shipped by somebody else": {"1": 1, "2": 1}},
    )


def test_a_parcel_ends_no_review_of_other_things_and_none_of_more_than_was_promised() -> None:
    both = settled(released(), message(at(0, *SHIPPED_THERE, service_level="EXPRESS")))
    assert left(both, {"1": 3, "2": 1}).review == both.review
    early = settled(released(), message(at(0, *SHIPPED_THERE)))
    over = left(early, {"1": 4, "2": 1})
    assert over.review == early.review
    assert settled(over, message(at(1, *SHIPPED_THERE))).review == early.review


def test_a_channel_that_calls_an_order_shipped_at_its_first_parcel_says_nothing_of_the_rest_once_ours_left() -> None:
    as_a_whole = at(0, *SHIPPED_THERE, tells_shipped_as_a_whole=True)
    assert settled(left(released(), {"1": 2}), message(as_a_whole)).review is None
    assert settled(released(), message(as_a_whole)).reason_code == "FULFILLED_ELSEWHERE"
    card = line("3", "CARD", 1, requires_shipping=False)
    with_card = release(
        allocate(
            first_heard_of(line("1", "MUG", 3), line("2", "TEE", 1), card), plan(ny={"1": 3, "2": 1}), context()
        ).order,
        context(1),
    ).order
    told_with_card = at(0, *SHIPPED_THERE, card, tells_shipped_as_a_whole=True)
    assert settled(with_card, message(told_with_card)).reason_code == "FULFILLED_ELSEWHERE"


def test_a_buyer_who_asks_too_late_is_not_granted_what_the_channel_says_has_left() -> None:
    after = settled(allocated(), message(at(0, *SHIPPED_THERE, cancel_requested="too late")))
    assert (after.status, after.reason_code) == (OrderStatus.ALLOCATED, "CANCEL_REQUESTED")
    assert shows(after) == "buyer asks to cancel, shipped by somebody else"


def test_a_buyers_cancel_leaves_nothing_to_decide() -> None:
    after = settled(allocated(), message(at(0, cancel_requested="changed their mind", currency="CAD")))
    assert (after.status, after.review) == (OrderStatus.CANCELLED, None)


def test_units_that_left_since_a_person_declined_to_stop_them_are_no_new_question() -> None:
    order = left(decided(settled(released(), message(at(0, *FEWER)))), {"1": 2})
    rest = (line("1", "MUG", 3, left=2, fulfilled_quantity=2), line("2", "TEE", 1))
    assert settled(order, message(at(1, *rest))).review is None
    more = (*rest[:1], line("2", "TEE", 1, left=0))
    assert asked(settled(order, message(at(1, *more))))[-1] == {"cancel units": {"1": 1, "2": 1}}


def test_a_cancel_that_came_too_late_was_not_taken_back() -> None:
    order = left(settled(released(), message(at(0, *FEWER))), {"1": 3, "2": 1})
    gone = (line("1", "MUG", 3, fulfilled_quantity=3), line("2", "TEE", 1, fulfilled_quantity=1))
    after = settled(order, message(at(1, *gone)))
    assert (shows(after), after.events[-1].type) == ("cancel units", EventType.SHIPMENT_SHIPPED)


@pytest.mark.parametrize(
    "change",
    [{"lines": (line("1", "MUG", 3, left=0, fulfilled_quantity=3), *SHIPPED_THERE[1:])}, {"cancelled_at": LATER}],
    ids=["a line", "all of it"],
)
def test_what_is_given_back_for_goods_that_left_as_both_know_is_nothing_to_decide(change: dict[str, Any]) -> None:
    for order in (shipped({"1": 3, "2": 1}), delivered()):
        after = settled(order, message(at(0, *SHIPPED_THERE, **({"payment_status": "REFUNDED"} | change))))
        assert (after.review, after.status) == (None, order.status)
        assert after.events[-1].data == {"payment": "REFUNDED"}


def test_a_cancel_of_what_left_before_the_channel_knew_is_put_to_a_person() -> None:
    after = settled(shipped({"1": 3, "2": 1}), message(at(0, *FEWER)))
    assert (after.reason_code, asked(after)) == ("CHANGE_AFTER_RELEASE", [{"cancel units": {"1": 3}}])


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"service_level": "EXPRESS"}, {"change service": {"service_level": "EXPRESS"}}),
        (
            {"method": Method.PICKUP, "pickup_location_id": "STORE-1"},
            {"change service": {"method": "PICKUP", "pickup_location_id": "STORE-1"}},
        ),
        ({"cancelled_at": LATER, "cancel_reason": "fraud"}, {"cancel": {"reason": "FRAUD"}}),
        ({"cancelled_at": LATER}, {"cancel": True}),
    ],
)
def test_a_person_who_is_asked_reads_in_the_event_what_is_wanted(change: dict[str, Any], says: dict[str, Any]) -> None:
    after = settled(released(), message(at(0, **change)))
    assert asked(after) == [says]
    assert settled(decided(after), message(at(1, **change))).review is None


def test_a_person_who_is_asked_for_another_line_reads_what_goods_it_is_of() -> None:
    lines = (line("1", "MUG", 3), line("2", "TEE", 1), line("3", "HAT", 2))
    after = settled(released(), message(at(0, *lines)))
    assert asked(after) == [{"add a line": {"3": {"sku": "HAT", "quantity": 2}}}]
    assert settled(decided(after), message(at(1, *lines))).review is None


@pytest.mark.parametrize("status", ["VOIDED", "EXPIRED", "REFUNDED"])
def test_goods_at_work_whose_payment_is_gone_are_put_to_a_person_once(status: str) -> None:
    after = settled(released(), message(at(0, payment_status=status)))
    assert (after.reason_code, asked(after)) == ("PAYMENT_LOST", [{"not paid any more": status}])
    assert after.payments[0].status == status
    assert settled(decided(after), message(at(1, payment_status=status))).review is None


def test_a_payment_that_came_back_and_is_gone_again_is_asked_about_again() -> None:
    gone = settled(released(), message(at(0, payment_status="VOIDED")))
    assert shows(settled(gone, message(at(1, payment_status="VOIDED", ship_by=LATER)))) == "not paid any more"
    back = settled(gone, message(at(1)))
    assert shows(back) == "not paid any more; taken back: not paid any more"
    again = settled(decided(back), message(at(2, payment_status="VOIDED")))
    assert again.reason_code == "PAYMENT_LOST"


def test_a_payment_that_is_gone_is_only_noted_where_nothing_can_be_stopped_or_unpaid_orders_ship() -> None:
    lost = at(0, payment_status="REFUNDED")
    for order in (shipped({"1": 3, "2": 1}), delivered()):
        assert settled(order, message(lost)).review is None
    assert settled(released(), message(lost, unpaid_holds=False)).review is None
    assert [hold.type for hold in settled(allocated(), message(lost)).holds] == ["AWAITING_PAYMENT"]


def waits_for_mapping(order: Order, hours: float) -> Order | None:
    change = await_mapping(order, ("NEW",), LATER + timedelta(hours=hours), context())
    return change.order if change else None


def test_an_order_in_review_for_something_else_shows_that_a_message_waits_for_a_mapping_too() -> None:
    off = settled(allocated(), message(at(0, totals=Totals(total_minor=3999))))
    assert off.reason_code == "TOTALS_MISMATCH"
    waiting = waits_for_mapping(off, 2)
    assert waiting is not None
    assert (waiting.reason_code, shows(waiting)) == ("TOTALS_MISMATCH", "off by -0.01 USD; not mapped: NEW")
    assert waits_for_mapping(waiting, 2) is None
    late = settled(waiting, message(at(1)))
    assert late.review == waiting.review
    assert settled(late, message(at(2))).review is None


def test_who_let_an_order_go_without_what_is_not_mapped_is_not_asked_by_a_repeat() -> None:
    waiting = waits_for_mapping(allocated(), 0)
    assert waiting is not None
    assert (waiting.reason_code, shows(waiting)) == ("UNMAPPED_SKU", "NEW")
    assert waits_for_mapping(decided(waiting), 0) is None
    assert waits_for_mapping(decided(waiting), 1) is not None


@pytest.mark.parametrize(
    ("change", "shown"),
    [
        ({"lines": PARTLY_THERE}, "shipped by somebody else"),
        ({"currency": "CAD"}, "change currency"),
        ({"cancel_requested": "too late", "cancel_requested_lines": ("1",)}, "buyer asks to cancel"),
    ],
    ids=["units that left", "currency", "a buyer's cancel"],
)
@pytest.mark.parametrize("cause", ["TOTALS_MISMATCH", "UNMAPPED_SKU"])
def test_a_message_that_mends_an_order_and_asks_something_leaves_it_with_a_person(
    cause: str, change: dict[str, Any], shown: str
) -> None:
    off = settled(allocated(), message(at(0, totals=Totals(total_minor=3999))))
    before = off if cause == "TOTALS_MISMATCH" else waits_for_mapping(allocated(), 1)
    assert before is not None
    assert before.reason_code == cause
    after = settled(before, message(at(1, **change)))
    assert (after.reason_code, shows(after)) == (cause, f"{shows(before)}; {shown}")
    assert decided(after).review is None
    assert settled(after, message(at(2))).review is None  # the channel takes it back


def test_an_order_whose_goods_are_mapped_by_now_is_still_judged_by_what_it_adds_up_to() -> None:
    waiting = waits_for_mapping(allocated(), 1)
    assert waiting is not None
    off = settled(waiting, message(at(1, totals=Totals(total_minor=3999))))
    assert (off.reason_code, shows(off)) == ("TOTALS_MISMATCH", "off by -0.01 USD")
    assert settled(off, message(at(2))).review is None
