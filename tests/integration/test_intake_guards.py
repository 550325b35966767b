"""What intake must not be talked into: wrong goods, a time that is not yet, people written down again."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from oms.domain.channel_messages import PrivacyKind, PrivacyRequest
from oms.domain.errors import InvalidOrder, UnmappedSku
from oms.domain.incoming import IncomingOrder
from oms.domain.order import OrderStatus
from oms.usecases.intake import Taken
from oms.usecases.privacy import Privacy, Request
from tests.integration.company import (
    ADA,
    NOON,
    Worker,
    at,
    balance,
    held_by_orders,
    incoming,
    line,
    listed,
    order_id,
    worker,
)
from tests.integration.faults import Faults
from tests.integration.stage import Stage

ACCOUNT = "shopify#main"


def told(sku: str, hours: float, **changes: Any) -> IncomingOrder:
    made = incoming(channel_updated_at=at(hours), **changes)
    return replace(made, lines=(line("L1", sku, 2), made.lines[1]))


def held(stage: Stage) -> dict[str, int]:
    units: dict[str, int] = {}
    for (sku, _), quantity in held_by_orders(stage).items():
        units[sku] = units.get(sku, 0) + quantity
    return {sku: quantity for sku, quantity in units.items() if quantity}


def placed() -> Worker:
    made = worker()
    made.take(incoming())
    made.allocate(order_id())
    return made


def test_a_line_for_other_goods_ships_those_and_gives_back_the_old_ones(stage: Stage) -> None:
    listed(stage, "TEA KETTLE", "KETTLE")
    made = placed()
    made.take(told("TEA KETTLE", 1), hours=1)
    made.allocate(order_id(), hours=1)
    first = stage.order(order_id()).lines[0]
    assert (first.sku, first.channel_sku, first.unit_grams > 0) == ("KETTLE", "TEA KETTLE", True)
    assert held(stage) == {"KETTLE": 2, "BOWL": 1}
    balance(stage)


def test_a_line_for_a_kit_and_then_for_a_kettle_holds_what_it_is_made_of_and_nothing_else(stage: Stage) -> None:
    made = placed()
    for hours, sku, holds in ((1, "SET", {"MUG": 4, "BOWL": 1}), (2, "KETTLE", {"KETTLE": 2, "BOWL": 1})):
        made.take(told(sku, hours), hours=hours)
        made.allocate(order_id(), hours=hours)
        assert held(stage) == holds
    balance(stage)


def test_a_line_under_another_name_of_the_same_goods_stays_as_it_is(stage: Stage) -> None:
    listed(stage, "BIG MUG", "MUG")
    made = placed()
    made.take(told("BIG MUG", 1), hours=1)
    order = stage.order(order_id())
    assert (order.lines[0].in_fulfillment, order.lines[0].sku, order.review) == (2, "MUG", None)


def test_a_line_for_goods_nobody_knows_keeps_the_order_from_leaving_until_they_are_mapped(stage: Stage) -> None:
    made = placed()
    with pytest.raises(UnmappedSku) as refused:
        made.take(told("NEW THING", 1), hours=1)
    assert refused.value.skus == ("NEW THING",)
    order = stage.order(order_id())
    assert (order.reason_code, order.channel_updated_at, held(stage)) == ("UNMAPPED_SKU", NOON, {"MUG": 2, "BOWL": 1})
    listed(stage, "NEW THING", "KETTLE")
    made.take(told("NEW THING", 1), hours=2)
    order = stage.order(order_id())
    assert (order.review, order.lines[0].sku) == (None, "KETTLE")


def test_an_older_message_that_comes_late_does_not_let_go_what_waits_for_a_mapping(stage: Stage) -> None:
    made = placed()
    for hours in (2, 2, 4):
        with pytest.raises(UnmappedSku):
            made.take(told("NEW THING", hours), hours=5)
    late = made.take(told("MUG", 3), hours=5).order
    assert (late.reason_code, late.channel_updated_at) == ("UNMAPPED_SKU", at(3))
    assert made.take(told("MUG", 5), hours=5).order.review is None
    asked = [event for event in stage.order(order_id()).events if event.type == "ReviewRequested"]
    assert len(asked) == 2


def test_other_goods_that_meet_the_release_are_put_to_a_person(stage: Stage, faults: Faults) -> None:
    made, rival = placed(), worker()
    faults.meanwhile("TransactWriteItems", lambda: rival.lifecycle.evaluate(order_id(), at(1)))
    made.take(told("KETTLE", 1), hours=1)
    order = stage.order(order_id())
    assert (order.reason_code, order.lines[0].sku) == ("CHANGE_AFTER_RELEASE", "MUG")
    balance(stage)


def test_a_time_that_is_not_yet_is_refused_and_what_is_said_later_still_counts(stage: Stage) -> None:
    made = placed()
    for number in (1, 2):
        with pytest.raises(InvalidOrder) as refused:
            made.take(incoming(number, channel_updated_at=at(24.5)))
        assert (refused.value.reason, refused.value.field) == ("TIME_AHEAD", "channel_updated_at")
    assert stage.order(order_id()).channel_updated_at == NOON
    assert made.take(incoming(channel_updated_at=at(24), cancelled_at=at(1))).taken is Taken.CHANGED


@pytest.mark.usefixtures("stage")
def test_two_states_of_one_second_are_asked_about_once_for_each_message_and_never_by_the_answer() -> None:
    made = placed()
    other = told("MUG", 0, payment_status="REFUNDED")
    outcomes = []
    for _ in range(3):
        asked = made.intake.take(other, "shopify", at(1), can_fetch=True)
        answer = made.intake.take(other, "shopify", at(1), can_fetch=True, fetched=True)
        outcomes.append((asked.taken, answer.taken))
    first, *rest = outcomes
    assert first == (Taken.REFETCH, Taken.CHANGED)
    assert {answer for _, answer in rest} == {Taken.UNCHANGED}


@pytest.mark.parametrize(("can_fetch", "taken"), [(True, Taken.REFETCH), (False, Taken.STALE)])
def test_a_cancel_of_the_same_second_that_is_faster_is_not_undone(
    stage: Stage, faults: Faults, can_fetch: bool, taken: Taken
) -> None:
    made, rival = placed(), worker()
    gone = incoming(channel_updated_at=at(1), cancelled_at=at(1))
    faults.meanwhile("TransactWriteItems", lambda: rival.intake.take(gone, "shopify", at(1), can_fetch=can_fetch))
    faster = incoming(channel_updated_at=at(1), service_level="EXPRESS")
    assert made.intake.take(faster, "shopify", at(1), can_fetch=can_fetch).taken is taken
    order = stage.order(order_id())
    assert (faults.hits, order.status, held(stage)) == (1, OrderStatus.CANCELLED, {})
    balance(stage)


def test_of_two_edits_of_one_second_that_meet_the_channel_is_asked_which_holds(stage: Stage, faults: Faults) -> None:
    made, rival = placed(), worker()
    faster, slower = told("MUG", 1, service_level="EXPRESS"), told("KETTLE", 1)
    faults.meanwhile("TransactWriteItems", lambda: rival.intake.take(faster, "shopify", at(1), can_fetch=True))
    assert made.intake.take(slower, "shopify", at(1), can_fetch=True).taken is Taken.REFETCH
    order = stage.order(order_id())
    assert (order.service_level, order.lines[0].sku) == ("EXPRESS", "MUG")
    assert made.intake.take(slower, "shopify", at(1), fetched=True).taken is Taken.CHANGED
    assert stage.order(order_id()).lines[0].sku == "KETTLE"


def redact(made: Worker, *channel_order_ids: str) -> bool:
    asked = PrivacyRequest(
        kind=PrivacyKind.REDACT_CUSTOMER,
        channel="shopify",
        account="main",
        request_id="r1",
        channel_order_ids=channel_order_ids,
    )
    privacy = Privacy(made.orders, made.contacts, made.settings, made.commit, made.quarantine)
    request = Request(asked=asked, received_at=at(2), message={"message_id": "r1"})
    return privacy.take(request, "shopify", at(2))


def test_a_deletion_for_an_order_that_may_still_come_from_quarantine_is_put_to_a_person(stage: Stage) -> None:
    made = placed()
    assert not redact(made, "1", "77")
    made.quarantine.put(ACCOUNT, "m1", at(0), {"reason": "UNMAPPED_SKU"}, {"message_id": "m1"}, at(0))
    assert not redact(made, "1")
    assert redact(made, "1", "77")
    (row,) = [row for row in stage.rows("quarantine") if row["source"] == f"privacy#{ACCOUNT}"]
    assert row["reason"] == "REDACT_CUSTOMER"


def test_whoever_read_a_person_before_they_were_forgotten_does_not_write_them_down_again(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    made, rival = worker(), worker()
    made.take(incoming(cancelled_at=NOON))
    read = made.contacts.get(order_id())
    redact(rival, "1")
    monkeypatch.setattr(made.contacts, "get", lambda _: read)
    moved = replace(ADA, phone="+1 202 555 0177")
    made.take(incoming(cancelled_at=NOON, channel_updated_at=at(1), contact=moved), hours=1)
    assert stage.order(order_id()).forget_person
    assert stage.rows("contacts") == []


def test_a_forgotten_person_comes_back_with_the_order_alone_and_goes_with_it(stage: Stage) -> None:
    made = worker()
    made.take(incoming(cancelled_at=NOON))
    redact(made, "1")
    made.take(incoming(channel_updated_at=at(3)), hours=3)
    assert [row["order_id"] for row in stage.rows("contacts")] == [order_id()]
    made.take(incoming(channel_updated_at=at(4), cancelled_at=at(4)), hours=4)
    made.expiry.purge(at(4) + timedelta(days=1), go_on=lambda: True)
    assert stage.rows("contacts") == []
