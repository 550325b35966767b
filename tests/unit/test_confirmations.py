"""What a channel is told of an order: of which events, of which units, and when it was the last parcel."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from oms.domain import confirmations, notices
from oms.domain.backing_off import LONGEST_SECONDS, seconds_to_wait
from oms.domain.changes import MAX_POSITIONS_PER_CHANGE
from oms.domain.channel_messages import AcknowledgementNotice, CancellationNotice, ShipmentNotice
from oms.domain.confirmations import NoticeKey, notice_of, owed_by, why
from oms.domain.errors import (
    ChannelRefused,
    CredentialsRefused,
    InvalidMessage,
    NotFound,
    NotSupported,
    OmsError,
    Throttled,
    Unavailable,
)
from oms.domain.events import Event, EventType
from oms.domain.fulfilling import apply_report
from oms.domain.order import Fulfillment, FulfillmentLine, Order, OrderStatus, Request
from tests.integration.bazaar import event, parcel, shipped_order
from tests.integration.company import at
from tests.unit.builders import context, line, order, report

NOW = at(2)
TOLD = {
    "order_id": "amazon-us-1",
    "channel": "amazon",
    "account": "us",
    "version": 4,
    "sequence": 6,
    "at": "2026-03-02T13:00:00Z",
    "type": "ShipmentShipped",
    "actor": "WH-RENO",
    "data": {"shipment_id": "P1"},
}


def shipment(order: Order, sequence: int) -> ShipmentNotice | None:
    found = notices.notice(order, order.events, NoticeKey(order.order_id, sequence, "shipment"))
    assert found is None or isinstance(found, ShipmentNotice)
    return found


def cancellation(order: Order, sequence: int) -> CancellationNotice | None:
    found = notices.notice(order, order.events, NoticeKey(order.order_id, sequence, "cancellation"))
    assert found is None or isinstance(found, CancellationNotice)
    return found


def acknowledgement(order: Order, sequence: int) -> AcknowledgementNotice | None:
    found = notices.notice(order, order.events, NoticeKey(order.order_id, sequence, "acknowledgement"))
    assert found is None or isinstance(found, AcknowledgementNotice)
    return found


def units(notice: ShipmentNotice | CancellationNotice | None) -> dict[str, int]:
    assert notice
    return {line.line_id: line.quantity for line in notice.lines}


@pytest.mark.parametrize(
    ("changes", "kind"),
    [
        pytest.param({}, "shipment", id="a parcel that left"),
        pytest.param(
            {"type": "OrderCancelled", "actor": "api", "data": {"reason": "X"}}, "cancellation", id="cancelled"
        ),
        pytest.param(
            {"type": "LinesCancelled", "actor": "allocation"}, "cancellation", id="units no stock was found for"
        ),
        pytest.param({"type": "OrderCancelled", "actor": "amazon"}, None, id="what the channel itself cancelled"),
        pytest.param(
            {"type": "OrderCancelled", "actor": "amazon", "data": {"reason": "BUYER_REQUEST"}},
            "cancellation",
            id="what its buyer asked for and was granted",
        ),
        pytest.param({"actor": "amazon"}, None, id="a parcel that the channel told us of"),
        pytest.param({"actor": "migration"}, None, id="a parcel of the old system"),
        pytest.param(
            {"type": "OrderCancelled", "actor": "api", "data": {"reason": "FULFILLED_ELSEWHERE"}},
            None,
            id="an order that somebody else shipped, as its channel knows",
        ),
        pytest.param({"type": "ShipmentDelivered"}, None, id="a parcel that arrived"),
        pytest.param({"type": "OrderReceived", "actor": "amazon"}, "acknowledgement", id="an order that came in"),
        pytest.param({"type": "OrderReceived", "actor": "migration"}, None, id="an order of the old system"),
        pytest.param({"at": "2026-01-02T13:00:00Z"}, None, id="history that is published again"),
        pytest.param({"channel": "web"}, "shipment", id="whether the channel can be told is another question"),
    ],
)
def test_which_events_give_cause_to_tell_the_channel(changes: dict[str, Any], kind: str | None) -> None:
    owed = owed_by(TOLD | changes, NOW)
    assert (owed.key if owed else None) == (NoticeKey("amazon-us-1", 6, kind) if kind else None)


@pytest.mark.parametrize("missing", ["order_id", "sequence", "channel", "account", "at"])
def test_an_event_with_a_part_missing_is_no_event(missing: str) -> None:
    with pytest.raises(InvalidMessage):
        owed_by({name: value for name, value in TOLD.items() if name != missing}, NOW)


@pytest.mark.parametrize(
    "key", ["", "a#1", "a#b#shipment", "#1#shipment", "a#1#present", "a#-1#shipment", "a#1#shipment#2"]
)
def test_a_key_that_names_no_notice_is_refused(key: str) -> None:
    with pytest.raises(InvalidMessage):
        notice_of(key)


def test_a_key_is_read_as_it_was_written() -> None:
    key = NoticeKey("amazon-us-1", 6, "shipment")
    assert notice_of(confirmations.message_key(key)) == key


@pytest.mark.parametrize("destination", ["location#WH-RENO", "channel#", "channel#amazon", "channel##us", "amazon#us"])
def test_a_destination_that_names_no_account_is_refused(destination: str) -> None:
    with pytest.raises(InvalidMessage):
        confirmations.account_of(destination)


@pytest.mark.parametrize("number", ["1Z9", ""], ids=["with one number", "without a number"])
def test_a_parcel_that_no_number_tells_from_earlier_ones_says_what_those_hold(number: str) -> None:
    parcels = [replace(one, tracking_number=number) for one in (parcel(1, L1=1, L2=1), parcel(3, L1=2))]
    order = shipped_order({"L1": 6, "L2": 1}, parcels[0], parcel(2, L1=2), parcels[1])
    first, second, third = shipment(order, 1), shipment(order, 2), shipment(order, 3)
    assert first
    assert second
    assert third
    assert first.told_before == second.told_before == ()
    assert {line.line_id: line.quantity for line in third.told_before} == {"L1": 1}


def test_only_the_last_of_several_parcels_completes_the_order() -> None:
    order = shipped_order({"L1": 2, "L2": 1}, parcel(1, L1=1), parcel(2, L1=1, L2=1))
    first, last = shipment(order, 1), shipment(order, 2)
    assert first
    assert last
    assert (units(first), first.completes, first.tracking_number) == ({"L1": 1}, False, "1Z1")
    assert (units(last), last.completes, last.tracking_number) == ({"L1": 1, "L2": 1}, True, "1Z2")
    assert first.message_id != last.message_id


def test_a_parcel_completes_an_order_whose_rest_was_cancelled() -> None:
    order = shipped_order({"L1": 2}, parcel(1, L1=1), cancelled={"L1": 1})
    told = shipment(order, 1)
    assert told
    assert told.completes


def test_lines_that_need_no_shipping_keep_no_order_incomplete() -> None:
    order = shipped_order({"L1": 1, "L2": 1}, parcel(1, L1=1))
    gift_card = replace(order.lines[1], requires_shipping=False, unallocated=0, shipped=1)
    told = shipment(replace(order, lines=(order.lines[0], gift_card)), 1)
    assert told
    assert told.completes


def test_no_more_units_are_told_than_were_ordered() -> None:
    order = shipped_order({"L1": 2}, parcel(1, L1=1), parcel(2, L1=3))
    assert units(shipment(order, 2)) == {"L1": 1}
    assert shipment(shipped_order({"L1": 1}, parcel(1, L1=1), parcel(2, L1=1)), 2) is None


def test_a_parcel_booked_in_parts_tells_of_each_part_once() -> None:
    order = shipped_order({"L1": 1, "L2": 2}, parcel(1, L1=1, L2=2))
    parts = tuple(
        event(number, EventType.SHIPMENT_SHIPPED, shipment_id="P1", lines=lines)
        for number, lines in enumerate(({"L1": 1}, {"L2": 2}), 1)
    )
    first, last = shipment(replace(order, events=parts), 1), shipment(replace(order, events=parts), 2)
    assert first
    assert last
    assert [(units(one), one.completes) for one in (first, last)] == [({"L1": 1}, False), ({"L2": 2}, True)]


def test_a_parcel_that_a_later_report_adds_lines_to_tells_of_them_too_whenever_it_is_told() -> None:
    shipped = shipped_order({"L1": 1, "L2": 2}, parcel(1, L1=1, L2=2))
    first = event(1, EventType.SHIPMENT_SHIPPED, shipment_id="P1")
    added = event(2, EventType.SHIPMENT_SHIPPED, shipment_id="P1", lines={"L2": 2})
    told = [shipment(replace(shipped, events=(first, added)), number) for number in (1, 2)]
    assert [units(one) for one in told] == [{"L1": 1}, {"L2": 2}]
    assert [one.completes for one in told if one] == [False, True]


def test_lines_say_how_many_of_their_units_were_told_of_so_far() -> None:
    order = shipped_order({"L1": 3}, parcel(1, L1=1), parcel(2, L1=2))
    told = [shipment(order, number) for number in (1, 2)]
    assert [line.so_far for one in told if one for line in one.lines] == [1, 3]
    gone = [event(number, EventType.LINES_CANCELLED, "api", reason="X", lines={"L1": 1}) for number in (1, 2)]
    ended = event(3, EventType.ORDER_CANCELLED, "api", reason="X")
    cancelled = [cancellation(cancelled_order(*gone, ended, L1=3, L2=2), number) for number in (1, 2, 3)]
    assert [[(line.quantity, line.so_far) for line in one.lines] for one in cancelled if one] == [
        [(1, 1)],
        [(1, 2)],
        [(1, 3), (2, 2)],
    ]


def test_units_that_the_order_came_in_without_count_as_told_of() -> None:
    gone = event(2, EventType.LINES_CANCELLED, "api", reason="X", lines={"L1": 1})
    told = cancellation(received_order(gone, L1=2), 2)
    assert told
    assert [(line.quantity, line.so_far) for line in told.lines] == [(1, 2)], "one was cancelled before we heard of it"


def test_a_cancellation_after_the_last_parcel_completes_the_order() -> None:
    left = event(1, EventType.SHIPMENT_SHIPPED, shipment_id="P1")
    gone = event(2, EventType.LINES_CANCELLED, "api", reason="CUSTOMER", lines={"L1": 1})
    order = replace(shipped_order({"L1": 2}, parcel(1, L1=1), cancelled={"L1": 1}), events=(left, gone))
    told = cancellation(order, 2)
    assert told
    assert (told.whole, told.completes) == (False, True)


@pytest.mark.parametrize("whole", [True, False], ids=["nothing of it ships", "a unit is still to ship"])
def test_a_cancellation_completes_no_order_of_which_nothing_or_not_all_has_shipped(whole: bool) -> None:
    gone = event(1, EventType.LINES_CANCELLED, "api", reason="X", lines={"L1": 3})
    told = cancellation(cancelled_order(gone, L1=3, L2=2 if whole else 0), 1)
    assert told
    assert (told.whole, told.completes) == (whole, False)


def test_a_parcel_of_more_lines_than_one_write_holds_is_told_line_by_line_once() -> None:
    names = [f"L{number}" for number in range(MAX_POSITIONS_PER_CHANGE + 20)]
    at_work = tuple(FulfillmentLine(line_id=name, sku=f"SKU-{name}", assigned=1, open=1) for name in names)
    work = Fulfillment(fulfillment_id="f1", location_id="WH-EAST", request=Request.ACCEPTED, lines=at_work)
    lines = (line(name, f"SKU-{name}", 1, unallocated=0, in_fulfillment=1) for name in names)
    shipped = order(*lines, fulfillments=(work,))
    said = report("shipped", "f1", "WH-EAST", lines=dict.fromkeys(names, 1))
    while change := apply_report(shipped, said, context(1)):
        shipped = change.order
    told = [shipment(shipped, one.sequence) for one in shipped.events if one.type is EventType.SHIPMENT_SHIPPED]
    assert sorted(name for one in told for name in units(one)) == sorted(names)
    assert [one.completes for one in told if one] == [False, True]


def test_a_parcel_that_is_on_the_order_no_more_is_not_told() -> None:
    order = shipped_order({"L1": 1}, parcel(1, L1=1))
    assert shipment(replace(order, fulfillments=()), 1) is None


def received_order(*later: Event, **cancelled: int) -> Order:
    return cancelled_order(event(1, EventType.ORDER_RECEIVED, "bazaar"), *later, **cancelled)


def test_an_order_that_came_in_is_acknowledged_under_the_channels_own_id() -> None:
    told = acknowledgement(received_order(), 1)
    assert told == AcknowledgementNotice(
        message_id="bazaar-main-7#1#acknowledgement", order_id="bazaar-main-7", channel_order_id="7"
    )


def test_an_order_of_which_a_part_was_cancelled_is_acknowledged() -> None:
    gone = event(2, EventType.LINES_CANCELLED, "bazaar", lines={"L1": 3})
    assert acknowledgement(received_order(gone, L1=3), 1)


def test_an_order_that_came_in_cancelled_or_was_cancelled_since_is_not_acknowledged() -> None:
    ended = event(2, EventType.ORDER_CANCELLED, "bazaar")
    assert acknowledgement(received_order(ended, L1=3, L2=2), 1) is None


def test_an_order_is_acknowledged_before_its_parcels_and_these_before_cancellations_of_the_same_time() -> None:
    keys = [NoticeKey("o", 2, "shipment"), NoticeKey("o", 3, "cancellation"), NoticeKey("o", 1, "acknowledgement")]
    assert [one.kind for one in sorted(keys)] == ["acknowledgement", "shipment", "cancellation"]


@pytest.mark.parametrize(
    ("sequence", "kind"), [(9, "shipment"), (1, "cancellation"), (1, "acknowledgement"), (9, "acknowledgement")]
)
def test_a_row_that_names_another_event_tells_nothing(sequence: int, kind: str) -> None:
    order = shipped_order({"L1": 1}, parcel(1, L1=1))
    assert notices.notice(order, order.events, NoticeKey(order.order_id, sequence, kind)) is None


def cancelled_order(*events: Event, **cancelled: int) -> Order:
    order = shipped_order({"L1": 3, "L2": 2}, cancelled=cancelled, events=events)
    whole = all(line.cancelled == line.ordered for line in order.lines)
    return replace(order, status=OrderStatus.CANCELLED if whole else OrderStatus.RECEIVED)


def test_units_that_will_not_ship_are_told_with_our_word_for_why() -> None:
    lines = event(1, EventType.LINES_CANCELLED, "allocation", reason="OUT_OF_STOCK", lines={"L1": 2})
    told = cancellation(cancelled_order(lines, L1=2), 1)
    assert told
    assert (units(told), told.reason, told.whole) == ({"L1": 2}, "NO_STOCK", False)
    assert told.cancelled_at == lines.at


def test_what_ends_an_order_cancels_what_was_left_of_it() -> None:
    lines = event(1, EventType.LINES_CANCELLED, "api", reason="CUSTOMER", lines={"L1": 2})
    rest = event(2, EventType.ORDER_CANCELLED, "api", reason="CUSTOMER")
    told = cancellation(cancelled_order(lines, rest, L1=3, L2=2), 2)
    assert told
    assert (units(told), told.reason, told.whole) == ({"L1": 1, "L2": 2}, "CUSTOMER", True)


@pytest.mark.parametrize("told_of", [1, 3])
def test_of_an_order_that_others_shipped_a_part_of_only_the_rest_is_cancelled(told_of: int) -> None:
    short = event(1, EventType.LINES_CANCELLED, "allocation", reason="OUT_OF_STOCK", lines={"L1": 1})
    theirs = event(2, EventType.LINES_CANCELLED, "api", reason="FULFILLED_ELSEWHERE", lines={"L1": 2})
    rest = event(3, EventType.ORDER_CANCELLED, "api", reason="REVIEW")
    told = cancellation(cancelled_order(short, theirs, rest, L1=3, L2=2), told_of)
    assert told
    assert [(one.line_id, one.quantity, one.so_far) for one in told.lines] == [
        ("L1", 1, 1) if told_of == 1 else ("L2", 2, 2)
    ]
    assert (told.whole, told.completes) == (False, True)


def test_units_that_came_back_and_were_cancelled_after_all_are_told() -> None:
    gone = event(1, EventType.LINES_CANCELLED, "api", reason="CUSTOMER", lines={"L1": 3, "L2": 2})
    again = event(3, EventType.ORDER_CANCELLED, "api", reason="CUSTOMER")
    told = cancellation(cancelled_order(gone, again, L1=3, L2=2), 3)
    assert told
    assert (units(told), told.whole) == ({"L1": 3, "L2": 2}, True)


def test_a_late_notice_says_of_the_order_how_it_is_now() -> None:
    lines = event(1, EventType.LINES_CANCELLED, "api", reason="CUSTOMER", lines={"L1": 2})
    rest = event(2, EventType.ORDER_CANCELLED, "api", reason="CUSTOMER")
    told = cancellation(cancelled_order(lines, rest, L1=3, L2=2), 1)
    assert told
    assert (units(told), told.whole) == ({"L1": 2}, True)


def test_a_row_keeps_of_a_refusal_the_status_and_the_codes() -> None:
    assert why(ChannelRefused("amazon#us: x answered 400", status=400, codes=("InvalidInput",))) == (
        "ChannelRefused 400 InvalidInput"
    )
    assert why(NotSupported("cancel it in Seller Central")) == "NotSupported: cancel it in Seller Central"


@pytest.mark.parametrize(
    ("error", "says"),
    [
        (Unavailable("dear Ruth, Elm Street 4"), "Unavailable"),
        (Unavailable("dear Ruth", status=503, body="dear Ruth"), "Unavailable 503"),
        (Throttled("dear Ruth", retry_after_seconds=3.0, status="dear Ruth"), "Throttled"),
        (CredentialsRefused("dear Ruth", status=403), "CredentialsRefused 403"),
        (NotFound("dear Ruth"), "NotFound"),
        (InvalidMessage("dear Ruth", field="Elm Street 4", reason="INVALID_FIELD"), "InvalidMessage INVALID_FIELD"),
        (
            ChannelRefused("dear Ruth", status=422, codes=("dear Ruth", "NoSuchLine")),
            "ChannelRefused 422 REFUSED NoSuchLine",
        ),
    ],
)
def test_a_row_never_quotes_what_somebody_answered(error: OmsError, says: str) -> None:
    assert why(error) == says


@pytest.mark.parametrize(
    ("reason", "says"),
    [
        ("INVALID,90220", "INVALID,90220"),
        ("woocommerce_rest_product_invalid_id", "woocommerce_rest_product_invalid_id"),
        ("400", "400"),
        ("Ruth of Elm Street", "REFUSED"),
        ("", "REFUSED"),
        ("x" * 201, "REFUSED"),
    ],
)
def test_a_reason_of_a_channel_is_shown_if_it_is_a_code(reason: str, says: str) -> None:
    assert confirmations.code(reason) == says


@given(
    st.lists(st.dictionaries(st.sampled_from(["L1", "L2"]), st.integers(1, 4), min_size=1), max_size=5),
    st.dictionaries(st.sampled_from(["L1", "L2"]), st.integers(0, 2)),
)
def test_all_parcels_together_tell_of_each_unit_at_most_once(
    parcels: list[dict[str, int]], cancelled: dict[str, int]
) -> None:
    ordered = {"L1": 6, "L2": 5}
    order = shipped_order(ordered, *(parcel(number, **lines) for number, lines in enumerate(parcels, 1)))
    lines = tuple(replace(line, cancelled=cancelled.get(line.line_id, 0)) for line in order.lines)
    order = replace(order, lines=lines)
    told = [shipment(order, number) for number in range(1, len(parcels) + 1)]
    for line_id, most in ordered.items():
        left = sum(one.get(line_id, 0) for one in parcels)
        assert sum(units(one).get(line_id, 0) for one in told if one) == min(most, left)
    completing = [one.completes for one in told if one]
    assert completing == sorted(completing), "once complete, always complete"


@given(st.integers(0, 50), st.none() | st.floats(0, 1e6), st.floats(0, 1))
def test_a_wait_is_what_was_asked_for_at_least_and_never_too_long(
    attempt: int, asked: float | None, chance: float
) -> None:
    wait = seconds_to_wait(attempt, asked, chance)
    assert min(asked or 0.0, LONGEST_SECONDS) <= wait <= LONGEST_SECONDS
    assert wait >= 5.0
    assert wait <= seconds_to_wait(attempt + 1, asked, chance)


def test_the_twelve_attempts_of_a_message_span_more_than_an_hour() -> None:
    spans = [sum(seconds_to_wait(attempt, None, chance) for attempt in range(1, 12)) for chance in (0.0, 1.0)]
    assert timedelta(minutes=40) < timedelta(seconds=spans[1]) < timedelta(seconds=spans[0]) < timedelta(hours=3)
