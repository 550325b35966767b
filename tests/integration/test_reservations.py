"""Holds of carts over the real tables: taken once, ended once, whoever crashes, repeats or comes at the same time."""

from __future__ import annotations

from contextlib import suppress

import pytest

from oms.domain.catalog import LocationStatus
from oms.domain.errors import (
    InvalidMessage,
    KeyReused,
    NoRoute,
    NotFound,
    OutOfStock,
    ReservationConsumed,
    Retryable,
)
from oms.domain.incoming import Address
from oms.domain.reservations import ReservationStatus
from oms.domain.stock import Bucket, StockPosition
from tests.integration.carts import NEW_JERSEY, Desk, held_by_carts, reserved
from tests.integration.company import at, balance, incoming, order_id, shelve
from tests.integration.faults import CrashedError, Faults
from tests.integration.stage import LOCATIONS, Stage

EAST, WEST = ("MUG", "WH-EAST"), ("MUG", "WH-WEST")


@pytest.fixture
def desk(stage: Stage) -> Desk:
    return Desk()


def agrees(stage: Stage) -> None:
    """The ledger balances, and the reserved units are those of the active holds."""
    balance(stage)
    assert reserved(stage) == held_by_carts(stage)


def test_a_hold_takes_its_units_out_of_what_is_available_and_the_ledger_tells(stage: Stage, desk: Desk) -> None:
    made = desk.hold(("MUG", 4), ("BOWL", 1))
    assert made.created
    assert held_by_carts(stage) == {EAST: 4, ("BOWL", "WH-EAST"): 1}
    position = stage.position(*EAST)
    assert (position.on_hand, position.available, position.reserved) == (10, 6, 4)
    rows = [row for row in stage.rows("stock_movements") if row["sku"] == "MUG"]
    assert [(row["kinds"], row["changes"]) for row in rows] == [(["RESERVE"], {"available": -4, "reserved": 4})]
    assert rows[0]["entries"][0]["reservation_id"] == "cart-1"
    agrees(stage)


def test_all_lines_are_held_or_none(stage: Stage, desk: Desk) -> None:
    with pytest.raises(OutOfStock) as short:
        desk.hold(("MUG", 4), ("BOWL", 5))
    assert short.value.shortages == {"BOWL": 2}
    assert (stage.rows("reservations"), stage.rows("stock_movements")) == ([], [])


def test_an_empty_cart_holds_nothing_and_is_a_hold_all_the_same(stage: Stage, desk: Desk) -> None:
    assert desk.hold().created
    assert not desk.hold().created
    assert desk.release().status is ReservationStatus.RELEASED
    assert stage.rows("stock_movements") == []


def test_a_kit_is_held_as_its_components(stage: Stage, desk: Desk) -> None:
    desk.hold(("SET", 2))
    assert held_by_carts(stage) == {EAST: 4}
    agrees(stage)


@pytest.mark.parametrize(("country", "region", "location"), [("US", "NY", "WH-EAST"), ("US", "NV", "WH-WEST")])
def test_a_hold_for_a_known_destination_lies_where_the_order_would_be_sent_from(
    stage: Stage, desk: Desk, country: str, region: str, location: str
) -> None:
    desk.hold(("MUG", 2), ship_to=Address(country=country, region=region))
    assert held_by_carts(stage) == {("MUG", location): 2}


def test_named_lines_stay_where_they_are_named_and_the_rest_is_routed(stage: Stage, desk: Desk) -> None:
    desk.hold(("MUG", 2, "WH-WEST"), ("MUG", 1), ship_to=NEW_JERSEY)
    assert held_by_carts(stage) == {WEST: 2, EAST: 1}


def test_a_destination_nobody_serves_has_no_route(desk: Desk) -> None:
    with pytest.raises(NoRoute):
        desk.hold(("MUG", 1), ship_to=Address(country="DE"))


def test_what_is_short_for_a_known_destination_is_named(desk: Desk) -> None:
    with pytest.raises(OutOfStock) as short:
        desk.hold(("BOWL", 4, "WH-EAST"), ("MUG", 16), ship_to=NEW_JERSEY)
    assert short.value.shortages == {"BOWL": 1, "MUG": 1}


def test_what_a_named_line_took_is_not_there_for_the_line_that_is_routed(stage: Stage, desk: Desk) -> None:
    desk.hold(("MUG", 8, "WH-EAST"), ("MUG", 3), ship_to=NEW_JERSEY)
    assert held_by_carts(stage) == {EAST: 8, WEST: 3}
    agrees(stage)


def test_a_location_that_takes_no_work_holds_nothing(stage: Stage, desk: Desk) -> None:
    stage.put("locations", LOCATIONS[0].__class__(location_id="WH-OLD", status=LocationStatus.CLOSED))
    stage.put("stock", StockPosition(sku="MUG", location_id="WH-OLD", on_hand=90, available=90))
    with pytest.raises(OutOfStock):
        desk.hold(("MUG", 16))
    with pytest.raises(NoRoute) as closed:
        desk.hold(("MUG", 1, "WH-OLD"))
    assert closed.value.reasons == {"WH-OLD": "NOT_ACTIVE"}


@pytest.mark.parametrize(
    ("line", "field", "reason"),
    [(("NOTHING", 1), "lines.1.sku", "UNKNOWN_SKU"), (("MUG", 1, "WH-X"), "lines.1.location_id", "UNKNOWN_LOCATION")],
)
def test_what_is_not_known_is_named(desk: Desk, line: tuple[str, int], field: str, reason: str) -> None:
    with pytest.raises(InvalidMessage) as error:
        desk.hold(("MUG", 1), line)
    assert (error.value.field, error.value.reason) == (field, reason)


def test_the_same_request_again_finds_the_hold_and_takes_nothing(stage: Stage, desk: Desk) -> None:
    first = desk.hold(("MUG", 4))
    again = Desk().hold(("MUG", 4), hours=0.2)
    assert (again.created, again.reservation) == (False, first.reservation)
    assert held_by_carts(stage) == {EAST: 4}


def test_the_same_id_for_another_cart_is_refused(stage: Stage, desk: Desk) -> None:
    desk.hold(("MUG", 4))
    with pytest.raises(KeyReused):
        desk.hold(("MUG", 5))
    assert held_by_carts(stage) == {EAST: 4}


def test_two_at_once_make_one_hold(stage: Stage, desk: Desk, faults: Faults) -> None:
    faults.meanwhile("TransactWriteItems", lambda: Desk().hold(("MUG", 4), hours=0.01))
    assert not desk.hold(("MUG", 4)).created
    assert held_by_carts(stage) == {EAST: 4}
    agrees(stage)


@pytest.mark.parametrize("fault", ["crash_before", "crash_after", "time_out_before", "time_out_after"])
def test_a_hold_that_was_interrupted_is_made_once_by_the_repeat(
    stage: Stage, desk: Desk, faults: Faults, fault: str
) -> None:
    getattr(faults, fault)("TransactWriteItems")
    with suppress(CrashedError, Retryable):
        desk.hold(("MUG", 4))
    Desk().hold(("MUG", 4), hours=0.1)
    assert faults.hits == 1
    assert held_by_carts(stage) == {EAST: 4}
    agrees(stage)


def test_stock_taken_meanwhile_is_looked_for_elsewhere(stage: Stage, desk: Desk, faults: Faults) -> None:
    faults.meanwhile("TransactWriteItems", lambda: Desk().hold(("MUG", 8, "WH-EAST"), reservation_id="rival"))
    desk.hold(("MUG", 4))
    assert held_by_carts(stage) == {EAST: 8, WEST: 4}
    agrees(stage)


def test_the_last_units_go_to_one_of_two_carts(stage: Stage, desk: Desk, faults: Faults) -> None:
    faults.meanwhile("TransactWriteItems", lambda: Desk().hold(("BOWL", 3), reservation_id="rival"))
    with pytest.raises(OutOfStock) as short:
        desk.hold(("BOWL", 1))
    assert short.value.shortages == {"BOWL": 1}
    agrees(stage)


@pytest.mark.parametrize(("at_location", "ship_to"), [(None, None), ("WH-EAST", None), (None, NEW_JERSEY)])
def test_a_cart_does_not_take_what_older_orders_wait_for(
    stage: Stage, desk: Desk, at_location: str | None, ship_to: Address | None
) -> None:
    waiting = desk.made.take(incoming(1, {"BOWL": 5})).order
    desk.made.allocate(waiting.order_id)
    position = stage.position("BOWL", "WH-EAST")
    stage.put("stock", position.after({Bucket.ON_HAND: 6, Bucket.AVAILABLE: 6}))
    assert sum(row["quantity"] for row in stage.rows("backorders")) == 2
    free = position.available + 6 - 2
    with pytest.raises(OutOfStock) as short:
        desk.hold(("BOWL", free + 1, at_location), ship_to=ship_to)
    assert short.value.shortages == {"BOWL": 1}
    desk.hold(("BOWL", free, at_location), ship_to=ship_to)
    assert held_by_carts(stage) == {("BOWL", "WH-EAST"): free}


def test_a_released_hold_gives_all_back_once(stage: Stage, desk: Desk) -> None:
    desk.hold(("MUG", 4))
    first = desk.release()
    assert (first.status, first.expiry_hour) == (ReservationStatus.RELEASED, None)
    assert desk.release(hours=0.3) == first
    assert stage.position(*EAST).available == 10
    agrees(stage)


def test_a_hold_nobody_made_cannot_be_released(desk: Desk) -> None:
    with pytest.raises(NotFound):
        desk.release("cart-unknown")


def test_a_hold_that_an_order_has_cannot_be_released(stage: Stage, desk: Desk) -> None:
    desk.hold(("MUG", 2))
    order = desk.place().order
    with pytest.raises(ReservationConsumed) as consumed:
        desk.release()
    assert consumed.value.details == {"order_id": order.order_id}
    assert stage.position(*EAST).committed == 2


@pytest.mark.parametrize("fault", ["crash_before", "crash_after", "time_out_before", "time_out_after"])
def test_a_release_that_was_interrupted_is_done_once_by_the_repeat(
    stage: Stage, desk: Desk, faults: Faults, fault: str
) -> None:
    desk.hold(("MUG", 4))
    getattr(faults, fault)("TransactWriteItems")
    with suppress(CrashedError, Retryable):
        desk.release()
    assert Desk().release(hours=0.2).status is ReservationStatus.RELEASED
    assert faults.hits == 1
    agrees(stage)


def test_holds_end_when_their_time_is_over_and_not_before(stage: Stage, desk: Desk) -> None:
    for name, minutes in (("short", 10), ("next-hour", 70), ("long", 600)):
        desk.hold(("MUG", 1), reservation_id=name, minutes=minutes)
    assert desk.end_overdue(hours=0.1) == (0, 0)
    assert desk.end_overdue(hours=1.2) == (2, 0)
    assert desk.end_overdue(hours=1.2) == (0, 0)
    assert [desk.status(name).value for name in ("short", "next-hour", "long")] == ["EXPIRED", "EXPIRED", "ACTIVE"]
    agrees(stage)


def test_what_an_outage_left_behind_is_found_by_looking_further_back(desk: Desk) -> None:
    desk.hold(("MUG", 1))
    assert desk.end_overdue(hours=30, hours_back=1) == (0, 0)
    assert desk.end_overdue(hours=30, hours_back=48) == (1, 0)


def test_many_holds_end_in_few_writes_page_by_page(
    stage: Stage, desk: Desk, faults: Faults, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("oms.usecases.expiry.PAGE", 5)
    for number in range(7):
        desk.hold(("MUG", 1), reservation_id=f"cart-{number}")
    faults.before("TransactWriteItems", lambda _: None, times=100)
    assert desk.end_overdue() == (7, 0)
    assert faults.hits == 2
    agrees(stage)


def test_without_time_left_no_hold_is_ended(desk: Desk) -> None:
    desk.hold(("MUG", 1))
    assert desk.expiry.end_overdue(at(1), hours_back=1, go_on=lambda: False) == (0, 0)
    assert desk.status() is ReservationStatus.ACTIVE


def test_a_hold_whose_end_is_not_written_is_counted_and_found_by_the_next_run(
    stage: Stage, desk: Desk, faults: Faults
) -> None:
    desk.hold(("MUG", 1))
    faults.refuse("TransactWriteItems", "InternalServerError", times=100)
    assert desk.end_overdue() == (0, 1)
    faults.mend()
    assert Desk().end_overdue() == (1, 0)
    agrees(stage)


@pytest.mark.parametrize("fault", ["crash_before", "crash_after", "time_out_before", "time_out_after"])
def test_an_expiry_that_was_interrupted_is_done_once_by_the_next_run(
    stage: Stage, desk: Desk, faults: Faults, fault: str
) -> None:
    desk.hold(("MUG", 4))
    getattr(faults, fault)("TransactWriteItems")
    with suppress(CrashedError):
        desk.end_overdue()
    Desk().end_overdue(hours=1.1)
    assert (faults.hits, desk.status()) == (1, ReservationStatus.EXPIRED)
    agrees(stage)


def test_a_customer_who_gives_back_while_the_time_runs_out_ends_the_hold_first(
    stage: Stage, desk: Desk, faults: Faults
) -> None:
    desk.hold(("MUG", 4))
    faults.meanwhile("TransactWriteItems", lambda: Desk().release(hours=1))
    assert desk.end_overdue() == (0, 0)
    assert desk.status() is ReservationStatus.RELEASED
    agrees(stage)


def test_a_hold_that_runs_out_while_the_customer_gives_it_back_has_run_out(
    stage: Stage, desk: Desk, faults: Faults
) -> None:
    desk.hold(("MUG", 4))
    faults.meanwhile("TransactWriteItems", lambda: Desk().end_overdue())
    assert desk.release(hours=1).status is ReservationStatus.EXPIRED
    agrees(stage)


def test_a_hold_of_forty_positions_comes_and_goes_in_one_write_each(stage: Stage, desk: Desk) -> None:
    opening = shelve(stage, {f"SKU-{number:02}": 2 for number in range(40)})
    desk.hold(*((sku, 1) for sku, _ in opening))
    placed = desk.place(lines={sku: 1 for sku, _ in opening}).order
    assert (placed.version, placed.status.value, placed.order_id) == (
        1,
        "ALLOCATED",
        order_id().replace("shopify", "web"),
    )
    balance(stage, opening)
    assert reserved(stage) == {}


def test_holds_whose_ids_are_numbers_are_told_apart_in_the_ledger(stage: Stage, desk: Desk) -> None:
    desk.hold(("MUG", 1), reservation_id="1")
    desk.hold(("MUG", 1), reservation_id="2", hours=0.1)
    desk.release("1", hours=0.1)
    assert held_by_carts(stage) == {EAST: 1}
    agrees(stage)
