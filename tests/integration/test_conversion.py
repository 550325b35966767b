"""An order takes over a cart's hold: exactly once, in the write that makes the order, or not at all."""

from __future__ import annotations

import json
from contextlib import suppress
from dataclasses import replace
from datetime import timedelta

import pytest

from oms.domain.errors import OutOfStock, ReservationConsumed, ReservationNotFound, Retryable
from oms.domain.reservations import ReservationStatus
from oms.usecases.intake import Placed
from tests.integration.carts import Desk, held_by_carts, reserved
from tests.integration.company import ADA, NEW_YORK, RENO, balance, story
from tests.integration.faults import CrashedError, Faults
from tests.integration.machine import System
from tests.integration.samples import NOW, MainStreet
from tests.integration.stage import LOCATIONS, Stage

EAST, WEST = ("MUG", "WH-EAST"), ("MUG", "WH-WEST")


@pytest.fixture
def desk(stage: Stage) -> Desk:
    return Desk()


def committed(stage: Stage) -> dict[tuple[str, str], int]:
    rows = stage.rows("stock")
    return {(row["sku"], row["location_id"]): row["committed"] for row in rows if row.get("committed")}


def agrees(stage: Stage) -> None:
    balance(stage)
    assert reserved(stage) == held_by_carts(stage)


def test_the_held_units_become_the_orders_in_the_write_that_makes_it(stage: Stage, desk: Desk) -> None:
    desk.hold(("MUG", 2))
    placed = desk.place()
    order = placed.order
    assert (placed.created, order.version, order.status.value, order.reservation_id) == (True, 1, "ALLOCATED", "cart-1")
    assert story(stage, order.order_id) == ["OrderReceived", "OrderRouted", "OrderAllocated"]
    (row,) = stage.rows("reservations")
    assert (row["status"], row["order_id"]) == ("CONSUMED", order.order_id)
    assert (committed(stage), reserved(stage)) == ({EAST: 2}, {})
    agrees(stage)


def test_the_orders_execution_finds_it_allocated(stage: Stage, desk: Desk) -> None:
    desk.hold(("MUG", 2))
    order = desk.place().order
    assert desk.allocated(order) == order
    assert desk.made.notebook.told[order.order_id][0].output is not None
    released = desk.made.lifecycle.evaluate(order.order_id, order.updated_at)
    assert released is not None
    assert released.status.value == "RELEASED"


def test_nobody_else_gets_units_between_the_hold_and_the_order(stage: Stage, desk: Desk, faults: Faults) -> None:
    desk.hold(("BOWL", 3))
    faults.meanwhile("TransactWriteItems", lambda: _in_vain(("BOWL", 1)))
    order = desk.place(lines={"BOWL": 3}).order
    assert (faults.hits, order.status.value) == (1, "ALLOCATED")
    agrees(stage)


def _in_vain(line: tuple[str, int]) -> None:
    with pytest.raises(OutOfStock):
        Desk().hold(line, reservation_id="rival")


def test_what_the_order_does_not_need_is_available_again(stage: Stage, desk: Desk) -> None:
    desk.hold(("MUG", 6), ("BOWL", 2))
    desk.place(lines={"MUG": 1})
    assert (committed(stage), reserved(stage)) == ({EAST: 1}, {})
    assert stage.position("BOWL", "WH-EAST").available == 3
    agrees(stage)


def test_what_the_hold_does_not_cover_is_allocated_as_ever(stage: Stage, desk: Desk) -> None:
    desk.hold(("MUG", 2))
    order = desk.place(lines={"MUG": 3, "BOWL": 1}).order
    assert (order.status.value, order.waiting_for) == ("PARTIALLY_ALLOCATED", "ALLOCATION")
    order = desk.allocated(order)
    assert order.status.value == "ALLOCATED"
    assert committed(stage) == {EAST: 3, ("BOWL", "WH-EAST"): 1}
    agrees(stage)


def test_a_kit_takes_over_its_components(stage: Stage, desk: Desk) -> None:
    desk.hold(("SET", 1))
    assert desk.place(lines={"SET": 1}).order.status.value == "ALLOCATED"
    assert (committed(stage), reserved(stage)) == ({EAST: 2}, {})


def test_a_location_that_does_not_serve_the_destination_gives_its_units_back(stage: Stage, desk: Desk) -> None:
    stage.put("locations", replace(LOCATIONS[1], ships_to=("CA",)))
    desk.hold(("MUG", 2, "WH-WEST"))
    order = desk.place().order
    assert (order.status.value, order.reservation_id, desk.status().value) == ("RECEIVED", "cart-1", "CONSUMED")
    assert (committed(stage), reserved(stage)) == ({}, {})
    assert desk.allocated(order).fulfillments[0].location_id == "WH-EAST"
    agrees(stage)


def test_of_two_locations_the_one_that_serves_the_destination_keeps_its_units(stage: Stage, desk: Desk) -> None:
    stage.put("locations", replace(LOCATIONS[1], ships_to=("CA",)))
    desk.hold(("MUG", 1, "WH-WEST"), ("MUG", 1, "WH-EAST"))
    order = desk.place().order
    assert (order.status.value, committed(stage)) == ("PARTIALLY_ALLOCATED", {EAST: 1})
    assert desk.allocated(order).status.value == "ALLOCATED"
    agrees(stage)


def test_an_order_is_sent_from_where_its_units_are_held_though_another_place_is_nearer(
    stage: Stage, desk: Desk
) -> None:
    desk.hold(("MUG", 2, "WH-EAST"))
    order = desk.place(contact=replace(ADA, ship_to=RENO)).order
    assert order.fulfillments[0].location_id == "WH-EAST"


def test_an_order_that_goes_to_review_gives_the_hold_back(stage: Stage, desk: Desk) -> None:
    desk.hold(("MUG", 2))
    order = desk.place(lines={"MUG": 2, "UNHEARD-OF": 1}).order
    assert (order.review is not None, desk.status().value) == (True, "CONSUMED")
    assert (committed(stage), reserved(stage)) == ({}, {})
    agrees(stage)


def test_an_empty_hold_is_consumed_all_the_same(stage: Stage, desk: Desk) -> None:
    desk.hold()
    order = desk.place().order
    assert (order.reservation_id, desk.status().value) == ("cart-1", "CONSUMED")
    assert desk.allocated(order).status.value == "ALLOCATED"


@pytest.mark.parametrize("end", ["release", "end_overdue"])
def test_an_order_whose_hold_has_ended_is_placed_without_it(stage: Stage, desk: Desk, end: str) -> None:
    desk.hold(("MUG", 2))
    getattr(desk, end)(hours=1)
    order = desk.place(hours=1.1).order
    assert (order.reservation_id, order.status.value, order.version) == (None, "RECEIVED", 1)
    assert desk.allocated(order).status.value == "ALLOCATED"
    agrees(stage)


def test_an_overdue_hold_that_nobody_ended_is_still_good_for_an_order(stage: Stage, desk: Desk) -> None:
    desk.hold(("MUG", 2))
    assert desk.place(hours=2).order.status.value == "ALLOCATED"
    assert desk.end_overdue(hours=2, hours_back=3) == (0, 0)
    agrees(stage)


def test_a_hold_that_another_order_has_is_refused_and_no_order_is_made(stage: Stage, desk: Desk) -> None:
    desk.hold(("MUG", 2))
    first = desk.place(1).order
    with pytest.raises(ReservationConsumed) as consumed:
        desk.place(2)
    assert consumed.value.details == {"order_id": first.order_id}
    assert [row["order_id"] for row in stage.rows("orders")] == [first.order_id]


def test_a_hold_nobody_made_is_refused_and_no_order_is_made(stage: Stage, desk: Desk) -> None:
    with pytest.raises(ReservationNotFound):
        desk.place(reservation_id="never-made")
    assert stage.rows("orders") == []


def test_the_same_request_again_is_the_same_order_and_consumes_nothing_twice(stage: Stage, desk: Desk) -> None:
    desk.hold(("MUG", 2))
    order = desk.place().order
    again = Desk().place(hours=0.4)
    assert (again.created, again.order) == (False, order)
    assert committed(stage) == {EAST: 2}
    agrees(stage)


def test_the_same_request_twice_at_once_is_one_order(stage: Stage, desk: Desk, faults: Faults) -> None:
    desk.hold(("MUG", 2))
    rival: list[Placed] = []
    faults.meanwhile("TransactWriteItems", lambda: rival.append(Desk().place(hours=0.3)))
    placed = desk.place()
    assert (placed.created, rival[0].created, placed.order) == (False, True, rival[0].order)
    assert committed(stage) == {EAST: 2}
    agrees(stage)


def test_two_orders_at_once_for_one_hold_leave_one_order(stage: Stage, desk: Desk, faults: Faults) -> None:
    desk.hold(("MUG", 2))
    faults.meanwhile("TransactWriteItems", lambda: Desk().place(2))
    with pytest.raises(ReservationConsumed):
        desk.place(1)
    assert [row["order_id"] for row in stage.rows("orders")] == ["web-main-2"]
    agrees(stage)


@pytest.mark.parametrize("fault", ["crash_before", "crash_after", "time_out_before", "time_out_after"])
def test_an_order_that_was_interrupted_consumes_the_hold_once(
    stage: Stage, desk: Desk, faults: Faults, fault: str
) -> None:
    desk.hold(("MUG", 2))
    getattr(faults, fault)("TransactWriteItems")
    with suppress(CrashedError, Retryable):
        desk.place()
    order = Desk().place(hours=0.4).order
    assert (faults.hits, order.status.value, order.version) == (1, "ALLOCATED", 1)
    assert (committed(stage), desk.status().value) == ({EAST: 2}, "CONSUMED")
    agrees(stage)


def test_time_that_runs_out_while_the_order_is_written_leaves_an_order_without_a_hold(
    stage: Stage, desk: Desk, faults: Faults
) -> None:
    desk.hold(("MUG", 2))
    faults.meanwhile("TransactWriteItems", lambda: Desk().end_overdue())
    order = desk.place(hours=1).order
    assert (order.reservation_id, order.status.value, desk.status().value) == (None, "RECEIVED", "EXPIRED")
    agrees(stage)


def test_an_order_written_while_the_time_runs_out_has_the_hold(stage: Stage, desk: Desk, faults: Faults) -> None:
    desk.hold(("MUG", 2))
    faults.meanwhile("TransactWriteItems", lambda: Desk().place(hours=1))
    assert desk.end_overdue() == (0, 0)
    assert (desk.status().value, committed(stage)) == ("CONSUMED", {EAST: 2})
    agrees(stage)


def test_a_customer_who_gives_back_while_the_order_is_written_gets_the_order_without_a_hold(
    stage: Stage, desk: Desk, faults: Faults
) -> None:
    desk.hold(("MUG", 2))
    faults.meanwhile("TransactWriteItems", lambda: Desk().release())
    order = desk.place().order
    assert (order.reservation_id, desk.status()) == (None, ReservationStatus.RELEASED)
    agrees(stage)


def test_an_expiry_of_many_holds_ends_all_but_the_one_that_an_order_took(
    stage: Stage, desk: Desk, faults: Faults
) -> None:
    for number in range(1, 4):
        desk.hold(("MUG", 2), reservation_id=f"cart-{number}")
    faults.meanwhile("TransactWriteItems", lambda: Desk().place(reservation_id="cart-2", hours=1))
    assert desk.end_overdue() == (2, 0)
    assert [desk.status(f"cart-{number}").value for number in range(1, 4)] == ["EXPIRED", "CONSUMED", "EXPIRED"]
    agrees(stage)


def test_an_order_from_two_places_takes_both_holds_over(stage: Stage, desk: Desk) -> None:
    desk.hold(("MUG", 1, "WH-WEST"), ("MUG", 1, "WH-EAST"))
    order = desk.place(contact=replace(ADA, ship_to=NEW_YORK)).order
    assert (order.status.value, len(order.fulfillments)) == ("ALLOCATED", 2)
    assert committed(stage) == {EAST: 1, WEST: 1}
    agrees(stage)


def test_an_order_from_a_cart_goes_all_the_way_and_asks_for_stock_no_more(stage: Stage) -> None:
    company = MainStreet(stage)
    assert company.play("api_stock", "hold_a_cart")["statusCode"] == 201
    placed = company.play("api_orders", "create_order_from_a_cart")
    assert placed["statusCode"] == 201
    order_id = json.loads(placed["body"])["order_id"]
    company.now = NOW + timedelta(hours=1)
    System(company).run()
    assert stage.order(order_id).status.value == "RELEASED"
    assert [type_ for type_ in story(stage, order_id) if type_ == "OrderAllocated"] == ["OrderAllocated"]
    assert (reserved(stage), held_by_carts(stage)) == ({}, {})
