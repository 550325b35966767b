"""Reports of locations and carriers on real tables: out of order, repeated, early, partial, contradicting the books."""

from __future__ import annotations

from datetime import timedelta
from itertools import permutations

import pytest

from oms.domain.order import OrderStatus, Request, WaitingFor, Work
from oms.domain.shipments import ShipmentStatus
from oms.runtime.clients import ATTEMPTS
from oms.stores.group_commit import MAX_ATTEMPTS
from tests.integration.company import (
    at,
    balance,
    everything,
    order_id,
    released,
    report,
    shelve,
    story,
    tracked,
    worker,
)
from tests.integration.faults import CrashedError, Faults
from tests.integration.stage import Stage


def test_accepted_picking_and_packed_of_one_batch_are_one_version_and_three_events(stage: Stage) -> None:
    made = worker()
    order = released(made)
    made.report(*(report(kind, order) for kind in ("accepted", "picking", "packed")))
    after = stage.order(order_id())
    assert after.version == order.version + 1
    assert story(stage, order_id())[-3:] == ["FulfillmentAccepted", "PickingStarted", "FulfillmentPacked"]
    assert after.waiting_for is WaitingFor.SHIP
    assert {event.version for event in after.events[-3:]} == {after.version}


@pytest.mark.parametrize("kinds", list(permutations(["accepted", "packed", "shipped"])), ids="-".join)
def test_in_whatever_order_reports_arrive_the_order_ends_shipped(stage: Stage, kinds: tuple[str, ...]) -> None:
    made = worker()
    order = released(made)
    for kind in kinds:
        assert not made.report(report(kind, order)).failed
    after = stage.order(order_id())
    assert after.status is OrderStatus.SHIPPED
    assert after.fulfillments[0].work is Work.SHIPPED
    assert stage.position("MUG", "WH-EAST").on_hand == 8
    balance(stage)


def test_repeated_reports_change_nothing(stage: Stage) -> None:
    made = worker()
    order = released(made)
    reports = [report(kind, order) for kind in ("accepted", "packed", "shipped")] + [tracked("DELIVERED")]
    made.report(*reports)
    before = everything(stage)
    assert made.report(*reports, hours=5).refused == 0
    assert made.report(*reports, *reports, hours=6).failed == {}
    assert everything(stage) == before


def test_forty_lines_that_leave_in_a_parcel_each_are_booked_from_one_batch(stage: Stage) -> None:
    made = worker()
    opening = shelve(stage, {f"SKU-{number}": 1 for number in range(1, 41)})
    order = released(made, lines={sku: 1 for sku, _ in opening})
    parcels = [
        report("shipped", order, shipment_id=f"p{number}", lines={line.line_id: 1})
        for number, line in enumerate(order.lines, start=1)
    ]
    assert not made.report(*parcels).failed
    after = stage.order(order_id())
    assert after.status is OrderStatus.SHIPPED
    assert len(after.fulfillments[0].shipments) == 40
    balance(stage, opening)


def test_two_parcels_ship_and_arrive_one_after_the_other(stage: Stage) -> None:
    made = worker()
    order = released(made)
    made.report(report("shipped", order, shipment_id="p1", lines={"L1": 1}))
    assert stage.order(order_id()).status is OrderStatus.PARTIALLY_SHIPPED
    made.report(report("shipped", order, shipment_id="p2", lines={"L1": 1, "L2": 1}))
    assert stage.order(order_id()).status is OrderStatus.SHIPPED
    made.report(tracked("DELIVERED", "p2"))
    assert stage.order(order_id()).status is OrderStatus.PARTIALLY_DELIVERED
    made.report(tracked("DELIVERED", "p1"))
    after = stage.order(order_id())
    assert after.status is OrderStatus.DELIVERED
    assert after.fulfillments[0].work is Work.DELIVERED
    assert after.work_queue is None
    balance(stage)


def test_a_short_pick_takes_the_units_off_the_books_and_the_rest_is_routed_elsewhere(stage: Stage) -> None:
    made = worker()
    order = released(made)
    made.report(report("short_picked", order, lines={"L1": 1}, reason_code="NOT_IN_STOCK"))
    short = stage.order(order_id())
    assert short.lines[0].excluded_locations == ("WH-EAST",)
    assert (short.lines[0].unallocated, short.lines[0].in_fulfillment) == (1, 1)
    assert stage.position("MUG", "WH-EAST").on_hand == 9
    balance(stage)
    made.allocate(order_id(), hours=2)
    again = made.lifecycle.evaluate(order_id(), order.updated_at)
    assert again is not None
    assert [(one.location_id, one.request) for one in again.fulfillments] == [
        ("WH-EAST", Request.SUBMITTED),
        ("WH-WEST", Request.SUBMITTED),
    ]
    balance(stage)


def test_damaged_units_stay_on_hand_and_can_not_be_sold(stage: Stage) -> None:
    made = worker()
    order = released(made)
    made.report(report("short_picked", order, lines={"L1": 2}, reason_code="DAMAGED"))
    position = stage.position("MUG", "WH-EAST")
    assert (position.on_hand, position.damaged, position.committed, position.available) == (10, 2, 0, 8)
    balance(stage)


def test_a_rejected_fulfillment_frees_its_stock_and_is_routed_elsewhere(stage: Stage) -> None:
    made = worker()
    order = released(made, lines={"MUG": 2})
    made.report(report("rejected", order, reason_code="OTHER"))
    rejected = stage.order(order_id())
    assert rejected.fulfillments[0].request is Request.REJECTED
    assert stage.position("MUG", "WH-EAST").available == 10
    made.allocate(order_id(), hours=2)
    assert [one.location_id for one in stage.order(order_id()).fulfillments] == ["WH-EAST", "WH-WEST"]
    balance(stage)


def test_more_units_than_were_asked_for_are_booked_and_a_person_looks(stage: Stage) -> None:
    made = worker()
    order = released(made, lines={"MUG": 2})
    made.report(report("shipped", order, lines={"L1": 5}))
    after = stage.order(order_id())
    assert after.review is not None
    assert after.review.reason == "OVERSHIPPED"
    assert (after.lines[0].shipped, after.fulfillments[0].shipments[0].lines[0].quantity) == (2, 5)
    assert stage.position("MUG", "WH-EAST").on_hand == 5
    balance(stage)


def test_news_of_a_parcel_nobody_knows_yet_wait_and_are_applied_when_it_is_booked(stage: Stage) -> None:
    made = worker()
    order = released(made)
    assert made.report(tracked("DELIVERED", hours=3)).failed == {}
    (kept,) = stage.rows("quarantine")
    assert (kept["source"], kept["reason"]) == ("TRACKING#ups#1Z-PARCEL-1", "UNKNOWN_TRACKING_NUMBER")
    made.report(report("shipped", order), hours=4)
    after = stage.order(order_id())
    assert after.status is OrderStatus.DELIVERED
    assert after.fulfillments[0].shipments[0].status is ShipmentStatus.DELIVERED
    assert stage.rows("quarantine") == []


def test_a_parcel_booked_just_before_its_news_are_kept_is_found_by_the_second_look(
    stage: Stage, faults: Faults
) -> None:
    made, rival = worker(), worker()
    order = released(made)
    faults.meanwhile("PutItem", lambda: rival.report(report("shipped", order)))
    made.report(tracked("DELIVERED"))
    assert stage.order(order_id()).status is OrderStatus.DELIVERED
    assert stage.rows("quarantine") == []


def test_news_kept_while_the_parcel_is_being_booked_are_found_by_who_booked_it(stage: Stage, faults: Faults) -> None:
    made, rival = worker(), worker()
    order = released(made)
    faults.meanwhile("TransactWriteItems", lambda: rival.report(tracked("DELIVERED")))
    made.report(report("shipped", order))
    assert stage.order(order_id()).status is OrderStatus.DELIVERED
    assert stage.rows("quarantine") == []


@pytest.mark.parametrize("operation", ["TransactWriteItems", "PutItem", "DeleteItem"])
@pytest.mark.parametrize("when", ["before", "after"])
def test_early_news_survive_a_crash_while_they_are_applied(
    stage: Stage, faults: Faults, operation: str, when: str
) -> None:
    made = worker()
    order = released(made)
    made.report(tracked("DELIVERED", hours=3))
    {"before": faults.crash_before, "after": faults.crash_after}[when](operation)
    with pytest.raises(CrashedError):
        made.report(report("shipped", order), hours=4)
    worker().report(report("shipped", order), hours=5)
    assert stage.order(order_id()).status is OrderStatus.DELIVERED
    assert stage.rows("quarantine") == []
    balance(stage)


def test_early_news_are_applied_even_if_the_answer_to_the_booking_was_lost(stage: Stage, faults: Faults) -> None:
    made = worker()
    order = released(made)
    made.report(tracked("DELIVERED", hours=3))
    faults.time_out_after(times=1)
    faults.time_out_before(times=1_000)
    assert made.report(report("shipped", order), hours=4).failed.keys() == {"message-0"}
    faults.mend()
    assert made.report(report("shipped", order), hours=5).failed == {}
    assert stage.order(order_id()).status is OrderStatus.DELIVERED
    balance(stage)


def test_reports_about_orders_and_work_nobody_knows_are_kept_with_their_cause(stage: Stage) -> None:
    made = worker()
    order = released(made)
    nowhere = report("accepted", order, fulfillment_id="shopify-main-404-f1", message_id="a")
    nobody = report("accepted", order, fulfillment_id=f"{order_id()}-f7", message_id="b")
    elsewhere = report("accepted", order, location_id="WH-WEST", message_id="c")
    unheard = report("accepted", order, lines={"L9": 1}, message_id="d")
    applied = made.report(nowhere, nobody, elsewhere, unheard, report("picking", order, message_id="e"))
    assert (applied.failed, applied.refused) == ({}, 4)
    causes = {row["message"]["message_id"]: row["reason"] for row in stage.rows("quarantine")}
    assert causes == {
        "a": "OrderNotFound",
        "b": "FulfillmentNotFound",
        "c": "FulfillmentNotFound",
        "d": "InvalidMessage",
    }
    assert stage.order(order_id()).fulfillments[0].work is Work.PICKING


def test_a_shipment_of_60_lines_is_booked_in_parts_and_survives_a_crash_between_them(
    stage: Stage, faults: Faults
) -> None:
    opening = shelve(stage, {f"SKU-{number:02}": 1 for number in range(60)})
    made = worker()
    order = released(made, lines={sku: 1 for sku, _ in opening})
    faults.crash_after()
    with pytest.raises(CrashedError):
        made.report(report("shipped", order))
    assert stage.order(order_id()).status is OrderStatus.PARTIALLY_SHIPPED
    worker().report(report("shipped", order))
    after = stage.order(order_id())
    assert after.status is OrderStatus.SHIPPED
    (parcel,) = after.fulfillments[0].shipments
    assert len(parcel.lines) == 60
    balance(stage, opening)


def test_a_report_that_meets_another_writer_is_judged_against_what_he_wrote(stage: Stage, faults: Faults) -> None:
    made, rival = worker(), worker()
    order = released(made)
    faults.meanwhile("PutItem", lambda: rival.report(report("packed", order)))
    made.report(report("accepted", order))
    after = stage.order(order_id())
    assert after.fulfillments[0].work is Work.PACKED
    assert story(stage, order_id())[-1] == "FulfillmentPacked"


def test_reports_the_table_has_no_room_for_come_again_and_the_others_are_done(stage: Stage, faults: Faults) -> None:
    made = worker()
    first, second = released(made, 1), released(made, 2)
    faults.refuse("PutItem", "ProvisionedThroughputExceededException", times=ATTEMPTS * MAX_ATTEMPTS)
    applied = made.report(report("accepted", first), report("accepted", second))
    assert applied.failed.keys() == {"message-0"}
    assert stage.order(order_id(2)).fulfillments[0].request is Request.ACCEPTED
    assert made.report(report("accepted", first)).failed == {}
    assert stage.order(order_id(1)).fulfillments[0].request is Request.ACCEPTED


def test_two_short_picks_alike_are_two_and_a_repeat_of_either_is_none(stage: Stage) -> None:
    made = worker()
    order = released(made, lines={"MUG": 3})
    first = report("short_picked", order, message_id="m-1", lines={"L1": 1}, reason_code="NOT_IN_STOCK")
    second = report("short_picked", order, message_id="m-2", lines={"L1": 1}, reason_code="NOT_IN_STOCK")
    made.report(first)
    made.report(second, first, second)
    line = stage.order(order_id()).fulfillments[0].lines[0]
    assert (line.shorted, line.open, line.shorted_by) == (2, 1, ("m-1", "m-2"))
    balance(stage)


def test_news_of_long_ago_is_kept_as_long_as_any_other(stage: Stage) -> None:
    made = worker()
    order = released(made)
    made.report(tracked("IN_TRANSIT", hours=-24 * 400), report("picking", order, location_id="WH-WEST"), hours=1)
    made.report(report("picking", order, location_id="WH-WEST", occurred_at=at(-24 * 400)), hours=1)
    rows = stage.rows("quarantine")
    assert len(rows) == 3
    assert {row["expires_at"] for row in rows} == {int((at(1) + timedelta(days=30)).timestamp())}


def test_a_document_that_can_not_be_read_costs_only_its_own_reports(stage: Stage) -> None:
    made = worker()
    broken, whole = released(made, 1), released(made, 2)
    document = made.orders.get_document(broken.order_id)
    assert document is not None
    stage.put("orders", document | {"placed_at": "not a time"})
    applied = made.report(report("accepted", broken), report("accepted", whole))
    assert list(applied.failed) == ["message-0"]
    assert "placed_at" in applied.failed["message-0"]
    assert stage.order(whole.order_id).fulfillments[0].request is Request.ACCEPTED
