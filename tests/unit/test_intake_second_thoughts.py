"""Channels that change their mind or what they talk of: other goods, another currency, the same wish anew."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from oms.domain.allocation import allocate
from oms.domain.backordering import record_shortage
from oms.domain.cancellation import cancel
from oms.domain.catalog import ChannelAccount, KitComponent, Product
from oms.domain.changes import MAX_POSITIONS_PER_CHANGE, OrderChange
from oms.domain.events import EventType
from oms.domain.forgetting import forget_person
from oms.domain.incoming import IncomingLine, IncomingOrder
from oms.domain.intake import receive
from oms.domain.intake_updates import needs_goods, update
from oms.domain.intake_wishes import Message
from oms.domain.order import Order, OrderStatus, Totals
from oms.domain.projection import open_lines, outdated
from oms.domain.stock import Bucket, by_position, net
from tests.unit.builders import context, plan
from tests.unit.test_intake_table import (
    HOME,
    LATER,
    PRODUCTS,
    allocated,
    cancelled_there,
    delivered,
    line,
    message,
    received,
    released,
    settled,
    told,
)


def at(hours: float, *lines: IncomingLine, **changes: object) -> IncomingOrder:
    return told(*lines, channel_updated_at=LATER + timedelta(hours=hours), **changes)


def applied(order: Order, asking: Message) -> OrderChange:
    change = update(order, asking)
    assert change is not None
    return change


HATS = (line("1", "HAT", 3), line("2", "TEE", 1))


def test_a_line_that_is_for_other_goods_now_frees_the_old_ones_and_looks_for_the_new() -> None:
    change = applied(allocated(), message(at(0, *HATS)))
    first = change.order.lines[0]
    assert (first.sku, first.ordered, first.unallocated, first.in_fulfillment) == ("HAT", 3, 3, 0)
    freed = {position: net(moves) for position, moves in by_position(change.moves).items()}
    assert freed == {("MUG", "ny"): {Bucket.AVAILABLE: 3, Bucket.COMMITTED: -3}}
    assert change.order.lines[1].in_fulfillment == 1
    assert change.order.events[-1].type is EventType.ORDER_EDITED
    assert change.order.events[-1].data == {"exchanged": {"1": {"before": "MUG", "after": "HAT"}}}
    assert settled(change.order, message(at(0, *HATS))) == change.order


def test_a_line_for_other_goods_leaves_the_queue_of_the_old_ones() -> None:
    short = record_shortage(received(), {"1": 3}, context())
    assert short is not None
    change = applied(short.order, message(at(0, *HATS)))
    assert [(row.sku, row.line_id) for row in change.backorders_removed] == [("MUG", "1")]
    assert (change.backorders_added, change.order.lines[0].backordered) == ((), 0)


def test_the_rows_of_what_is_open_of_the_old_goods_are_closed() -> None:
    before = allocated()
    present = open_lines(before)
    after = applied(before, message(at(0, *HATS))).order
    fetched = {row.key for row in open_lines(after)}
    assert {row.key for row in present} <= fetched
    told = {(row.sku, row.location_id): row.quantity for row in outdated(after, present)}
    assert (told["MUG", "ny"], told["HAT", None]) == (0, 3)
    assert applied(after, message(at(1))).order.lines[0].formerly == ("HAT",)


def test_a_line_that_is_for_something_else_again_and_again_is_put_to_a_person() -> None:
    order, products = allocated(), dict(PRODUCTS)
    for number in range(45):
        sku = f"SKU-{number}"
        products[sku] = Product(sku=sku)
        asked = at(number, line("1", sku, 3), line("2", "TEE", 1))
        order = settled(order, replace(message(asked), products=products))
    assert order.review is not None
    assert (order.review.reason, len(order.lines[0].formerly)) == ("CHANNEL_EDIT", 40)


def test_other_goods_forget_which_locations_could_not_ship_the_old_ones() -> None:
    order = received()
    refused = replace(order, lines=(replace(order.lines[0], excluded_locations=("ny",)), order.lines[1]))
    assert applied(refused, message(at(0, *HATS))).order.lines[0].excluded_locations == ()


def test_other_goods_in_fewer_units_are_only_as_many_as_the_channel_says() -> None:
    after = settled(allocated(), message(at(0, line("1", "HAT", 3, left=1), line("2", "TEE", 1))))
    first = after.lines[0]
    assert (first.sku, first.ordered, first.cancelled, first.unallocated) == ("HAT", 3, 2, 1)


def test_once_a_location_works_on_it_a_person_hears_which_other_goods_are_wanted() -> None:
    after = settled(released(), message(at(0, *HATS)))
    assert after.review is not None
    assert (after.review.reason, after.review.detail) == ("CHANGE_AFTER_RELEASE", "change goods")
    assert after.events[-1].data["asked"] == {"change goods": {"1": "HAT"}}
    assert after.lines[0].sku == "MUG"
    assert settled(replace(after, review=None), message(at(1, *HATS))).review is None


def test_another_name_of_the_same_goods_changes_nothing() -> None:
    named = line("1", "MUG", 3, channel_sku="BIG MUG")
    order = allocate(receive(told(named), PRODUCTS, ChannelAccount(), context()).order, plan(ny={"1": 3}), context())
    assert order.order.lines[0].channel_sku == "BIG MUG"
    same = at(0, line("1", "BIG MUG", 3))
    assert needs_goods(order.order, message(same)) == frozenset()
    after = settled(order.order, message(same))
    assert (after.lines[0].sku, after.lines[0].in_fulfillment) == ("MUG", 3)
    renamed = at(0, line("1", "MUG", 3, channel_sku="CUP OF JOY"))
    assert settled(order.order, message(renamed)).lines[0].in_fulfillment == 3


def test_goods_under_a_name_that_the_line_did_not_have_must_be_known() -> None:
    assert needs_goods(allocated(), message(at(0, *HATS))) == {"1"}
    assert needs_goods(delivered(), message(at(0, *HATS))) == frozenset()


def test_a_kit_that_no_order_can_hold_is_put_to_a_person_when_it_is_added() -> None:
    inner = Product(sku="INNER", kit_components=(KitComponent(sku="MUG", quantity=1),))
    outer = Product(sku="OUTER", kit_components=(KitComponent(sku="INNER", quantity=1),))
    lost = Product(sku="LOST", kit_components=(KitComponent(sku="GONE", quantity=1),))
    products = PRODUCTS | {"INNER": inner, "OUTER": outer, "LOST": lost}
    for sku, shows in (("OUTER", "KIT_ORDERED"), ("LOST", "UNKNOWN_SKU")):
        added = at(0, line("1", "MUG", 3), line("2", "TEE", 1), line("3", sku, 1))
        after = settled(allocated(), replace(message(added), products=products))
        assert after.review is not None
        assert after.review.reason == shows


def test_prices_in_another_currency_are_never_taken_for_our_own() -> None:
    dear = at(0, line("1", "MUG", 3), line("2", "TEE", 1), currency="JPY", totals=Totals(total_minor=600_000))
    for order in (allocated(), released()):
        after = settled(order, message(dear))
        assert after.review is not None
        assert (after.review.reason, after.review.detail) == ("WRONG_CURRENCY", "change currency")
        assert (after.currency, after.totals, after.lines[0].unit_price_minor) == ("USD", order.totals, 1000)
        assert after.payments == order.payments


def test_an_order_cancelled_in_another_currency_is_cancelled_all_the_same() -> None:
    gone = at(0, currency="JPY", cancelled_at=LATER, totals=Totals(total_minor=9))
    after = settled(allocated(), message(gone))
    assert (after.status, after.totals.total_minor, after.review) == (OrderStatus.CANCELLED, 4000, None)


def test_a_cancel_that_was_taken_back_and_asked_again_is_asked_again() -> None:
    gone, back = at(0, cancelled_at=LATER), at(1)
    asked = settled(released(), message(gone))
    declined = settled(replace(asked, review=None), message(back))
    assert (declined.review, declined.events[-1].type) == (None, EventType.REQUEST_WITHDRAWN)
    assert declined.events[-1].data == {"asked": ["cancel"]}
    again = settled(declined, message(at(2, cancelled_at=LATER)))
    assert again.review is not None
    assert again.review.detail == "cancel"


def test_a_person_who_has_not_decided_yet_sees_that_the_wish_was_taken_back() -> None:
    asked = settled(released(), message(at(0, cancel_requested="too late")))
    back = settled(asked, message(at(1)))
    assert back.review is not None
    assert back.review.detail == "buyer asks to cancel; taken back: buyer asks to cancel"
    assert settled(back, message(at(2))).review == back.review


def test_a_wish_that_grows_is_not_taken_back() -> None:
    fewer = settled(released(), message(at(0, line("1", "MUG", 3, left=1), line("2", "TEE", 1))))
    all_of_it = settled(fewer, message(at(1, cancelled_at=LATER)))
    assert EventType.REQUEST_WITHDRAWN not in [event.type for event in all_of_it.events]


def test_what_is_taken_out_after_a_person_has_cancelled_as_many_is_asked_anew() -> None:
    asked = settled(released(), message(at(0, line("1", "MUG", 3, left=2), line("2", "TEE", 1))))
    first = replace(asked.lines[0], in_fulfillment=2, cancelled=1)
    work = asked.fulfillments[0]
    parts = (replace(work.lines[0], open=2, cancelled=1), *work.lines[1:])
    event = replace(asked.events[-1], type=EventType.LINES_CANCELLED, data={"lines": {"1": 1}})
    done = replace(
        asked,
        review=None,
        lines=(first, *asked.lines[1:]),
        fulfillments=(replace(work, lines=parts),),
        events=(*asked.events, replace(event, sequence=event.sequence + 1)),
    )
    one_more = settled(done, message(at(1, line("1", "MUG", 3, left=1), line("2", "TEE", 1))))
    assert one_more.review is not None
    assert one_more.review.detail == "cancel units"


def test_an_order_that_comes_back_unpaid_waits_for_its_payment() -> None:
    gone = settled(allocated(), message(at(0, cancelled_at=LATER, payment_status="VOIDED")))
    assert (gone.status, gone.holds) == (OrderStatus.CANCELLED, ())
    back = settled(gone, message(at(1, payment_status="VOIDED")))
    assert [hold.type for hold in back.holds] == ["AWAITING_PAYMENT"]
    assert settled(back, message(at(2, payment_status="PAID"))).holds == ()


@pytest.mark.parametrize(
    "lines",
    [
        (line("1", "MUG", 3), line("2", "TEE", 1)),
        (line("1", "MUG", 3, left=0), line("2", "TEE", 1, left=0), line("3", "HAT", 2)),
        (line("1", "MUG", 3, left=0), line("2", "TEE", 5)),
    ],
    ids=["restored", "a line added", "units added"],
)
def test_whoever_brings_an_order_back_to_life_brings_the_person_it_goes_to(lines: tuple[IncomingLine, ...]) -> None:
    for known in (None, HOME):
        change = applied(cancelled_there(), message(at(1, *lines), contact=known))
        assert change.order.status is not OrderStatus.CANCELLED
        assert change.contact == HOME


def test_a_person_who_is_to_be_forgotten_is_not_written_down_again_once_the_order_has_ended() -> None:
    forgotten = forget_person(delivered(), context(4))
    assert forgotten is not None
    moved = at(1, contact=replace(HOME, phone="+1 202 555 0177"))
    change = update(forgotten.order, message(moved))
    assert change is None or change.contact is None
    cancelled = cancel(allocated(), {"1": 3, "2": 1}, context(1), "DESK")
    assert cancelled is not None
    ended = forget_person(cancelled.order, context(4))
    assert ended is not None
    change = update(ended.order, message(moved))
    assert change is None or change.contact is None


def test_units_taken_out_in_parts_come_back_even_if_the_last_part_was_never_taken_out() -> None:
    lines = tuple(line(str(number), f"SKU{number}", 1) for number in range(MAX_POSITIONS_PER_CHANGE + 5))
    order = received(lines=lines)
    for start in range(0, len(lines), 20):
        part = {one.line_id: 1 for one in lines[start : start + 20]}
        order = allocate(order, plan(**{f"at{start}": part}), context()).order
    first_part = applied(order, message(at(0, *lines, cancelled_at=LATER))).order
    assert sum(one.cancelled for one in first_part.lines) == MAX_POSITIONS_PER_CHANGE
    after = settled(first_part, message(at(1, *lines)))
    assert [one.cancelled for one in after.lines] == [0] * len(lines)
