"""A promise a shop made is judged before the order exists: kept by some plan, or refused with what could be instead."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from oms.domain.errors import InvalidOrder, InvariantBroken, PromiseNotKept, Retryable
from oms.domain.incoming import Address
from oms.domain.promise_quotes import Question
from oms.domain.reservations import ReservationStatus
from oms.domain.routing_policy import Constraints, Lateness, RoutingPolicy
from oms.domain.stock import StockPosition
from oms.runtime import clients
from oms.stores.reference_data import ProductsStore
from oms.usecases.intake import Placed
from oms.usecases.promises import PromiseCheck, Quotes
from tests.integration.carts import Desk, held_by_carts, reserved
from tests.integration.company import ADA, NEW_YORK, balance, everything, shelve, story
from tests.integration.faults import CrashedError, Faults
from tests.integration.queueing import Reads, waits
from tests.integration.stage import PREFIX, Stage
from tests.unit.rate_cards import small_card, small_service

# The cart's order comes on Monday, 2 March, at 12:12. From the east it is there on Wednesday, from the west on Friday.
WEDNESDAY, FRIDAY = datetime(2026, 3, 4, 23, 59, 59, tzinfo=UTC), datetime(2026, 3, 6, 23, 59, 59, tzinfo=UTC)
TUESDAY = WEDNESDAY - timedelta(days=1)
EAST, WEST = ("MUG", "WH-EAST"), ("MUG", "WH-WEST")
BY_WEDNESDAY = {"deliver_by": "2026-03-04T23:59:59Z", "service": "GROUND", "currency": "USD"}
BY_FRIDAY = {"deliver_by": "2026-03-06T23:59:59Z", "service": "GROUND", "currency": "USD"}
FRANCE = replace(ADA, ship_to=Address(name="Ada Example", address1="1 Rue Test", city="Lyon", country="FR"))


@pytest.fixture
def desk(stage: Stage) -> Desk:
    return checking()


def checking() -> Desk:
    """A worker that checks promises."""
    made = Desk()
    made.intake = replace(made.intake, promises=PromiseCheck(made.made.allocation.sourcing, made.store))
    return made


def order(
    desk: Desk, promised_by: datetime | None, lines: dict[str, int] | None = None, number: int = 1, **changes: Any
) -> Placed:
    """An order without a cart, promised by then."""
    return desk.place(number, lines, changes.pop("reservation_id", None), promised_by=promised_by, **changes)


def refusal(desk: Desk, promised_by: datetime, lines: dict[str, int] | None = None, **changes: Any) -> dict[str, Any]:
    """What the shop is told instead of an order."""
    with pytest.raises(PromiseNotKept) as refused:
        order(desk, promised_by, lines, **changes)
    return refused.value.details


def put_mugs(stage: Stage, east: int, west: int) -> None:
    for (sku, location_id), units in {EAST: east, WEST: west}.items():
        stage.put("stock", StockPosition(sku=sku, location_id=location_id, on_hand=units, available=units))


# --- kept


@pytest.mark.parametrize("promised_by", [WEDNESDAY, FRIDAY])
def test_a_promise_that_can_be_kept_stands_on_the_order_from_its_first_version(
    stage: Stage, desk: Desk, promised_by: datetime
) -> None:
    placed = order(desk, promised_by)
    assert placed.created
    stored = stage.order(placed.order.order_id)
    assert (stored.version, stored.promised_by, stored.original_promised_by) == (1, promised_by, promised_by)
    routed = desk.allocated(stored)
    assert (routed.promised_by, routed.fulfillments[0].deliver_by) == (promised_by, WEDNESDAY)
    assert "PromiseChanged" not in story(stage, stored.order_id)


def test_an_order_without_a_promise_gets_that_of_its_first_plan(stage: Stage, desk: Desk) -> None:
    placed = order(desk, None)
    assert (placed.order.promised_by, placed.order.original_promised_by) == (None, None)
    routed = desk.allocated(placed.order)
    assert (routed.promised_by, routed.original_promised_by) == (WEDNESDAY, WEDNESDAY)


def test_a_dearer_service_that_keeps_the_promise_counts(stage: Stage, desk: Desk) -> None:
    air = small_service(service="AIR", transit_days=(1, 1, 1))
    dear = tuple(replace(band, prices_minor=tuple(9 * one for one in band.prices_minor)) for band in air.bands)
    stage.put(
        "settings", small_card(services=(small_service(), replace(air, bands=dear))), kind="rate_card", name="small#1"
    )
    assert order(desk, TUESDAY).created


def test_the_check_takes_nothing_and_what_is_gone_later_moves_the_promise_with_its_cause(
    stage: Stage, desk: Desk
) -> None:
    placed = order(desk, WEDNESDAY)
    assert held_by_carts(stage) == reserved(stage)
    put_mugs(stage, east=0, west=5)
    routed = desk.allocated(placed.order)
    assert (routed.promised_by, routed.original_promised_by) == (FRIDAY, WEDNESDAY)
    moved = next(one for one in routed.events if one.type.value == "PromiseChanged")
    assert moved.data == {"from": "2026-03-04T23:59:59Z", "to": "2026-03-06T23:59:59Z", "cause": "NO_FASTER_ROUTE"}


# --- not kept


def test_a_promise_that_no_plan_keeps_is_refused_with_what_could_be_and_nothing_is_written(
    stage: Stage, desk: Desk
) -> None:
    before = everything(stage)
    told = refusal(desk, TUESDAY)
    assert told == {
        "promised_by": "2026-03-03T23:59:59Z",
        "alternatives": [BY_WEDNESDAY | {"cost_minor": 1100}],
    }
    assert everything(stage) == before


def test_what_arrives_later_is_offered_soonest_first_and_only_where_it_costs_less(stage: Stage, desk: Desk) -> None:
    cheap = {"handling_per_parcel_minor": 2_000}
    (east,) = (row for row in stage.rows("locations") if row["location_id"] == "WH-EAST")
    stage.put("locations", east | cheap)
    assert refusal(desk, TUESDAY)["alternatives"] == [
        BY_WEDNESDAY | {"cost_minor": 3100},
        BY_FRIDAY | {"cost_minor": 1600},
    ]


def test_what_is_not_there_can_not_be_promised_for_any_day(stage: Stage, desk: Desk) -> None:
    told = refusal(desk, FRIDAY, {"MUG": 20, "BOWL": 4})
    assert (told["alternatives"], told["why"]) == (
        [],
        {"code": "OUT_OF_STOCK", "shortages": {"BOWL": 1, "MUG": 5}},
    )
    assert stage.rows("orders") == []


def test_where_nobody_ships_nothing_can_be_promised_and_each_location_says_why(stage: Stage, desk: Desk) -> None:
    told = refusal(desk, FRIDAY, contact=FRANCE)
    assert (told["alternatives"], told["why"]) == (
        [],
        {"code": "NO_ROUTE", "reasons": {"WH-EAST": "NO_RATE", "WH-WEST": "NO_RATE"}},
    )


def test_units_that_older_orders_wait_for_keep_no_promise(stage: Stage, desk: Desk) -> None:
    shelve(stage, {"TRAY": 0})
    waits(desk.made, 1, {"TRAY": 3})
    shelve(stage, {"TRAY": 4})
    young: dict[str, Any] = {"lines": {"TRAY": 2}, "number": 7, "placed_at": FRIDAY, "hours": 100}
    assert refusal(desk, FRIDAY + timedelta(days=9), **young)["why"]["shortages"] == {"TRAY": 1}
    assert order(desk, FRIDAY + timedelta(days=9), **young | {"lines": {"TRAY": 1}}).created


def test_a_promise_that_has_passed_is_a_mistake_of_the_caller(stage: Stage, desk: Desk) -> None:
    for passed in (datetime(2026, 3, 2, 12, 11, 59, tzinfo=UTC), datetime(2026, 3, 2, 12, 12, tzinfo=UTC)):
        with pytest.raises(InvalidOrder) as refused:
            order(desk, passed)
        assert (refused.value.field, refused.value.reason) == ("promised_by", "IN_THE_PAST")
    assert stage.rows("orders") == []


def test_where_lateness_is_forbidden_the_same_promises_are_kept_and_refused(stage: Stage, desk: Desk) -> None:
    strict = RoutingPolicy(version=1, constraints=Constraints(lateness=Lateness.FORBIDDEN), fallbacks=())
    desk.intake.promises.sourcing.settings._kept.put("routing_policy/active", strict)  # type: ignore[union-attr]
    assert refusal(desk, TUESDAY)["alternatives"] == [BY_WEDNESDAY | {"cost_minor": 1100}]
    assert order(desk, WEDNESDAY).created


def test_an_intake_without_a_check_takes_no_promises(stage: Stage) -> None:
    with pytest.raises(InvariantBroken):
        order(Desk(), WEDNESDAY)
    assert stage.rows("orders") == []


# --- a cart's hold


def test_what_a_cart_holds_is_the_orders_own(stage: Stage, desk: Desk) -> None:
    put_mugs(stage, east=2, west=0)
    desk.hold(("MUG", 2))
    assert refusal(desk, FRIDAY)["why"]["shortages"] == {"MUG": 2}
    placed = order(desk, WEDNESDAY, reservation_id="cart-1")
    assert (placed.order.status.value, placed.order.promised_by) == ("ALLOCATED", WEDNESDAY)
    balance(stage, {EAST: 2, WEST: 0})


def test_a_cart_keeps_its_units_though_others_wait_for_all_the_rest(stage: Stage, desk: Desk) -> None:
    shelve(stage, {"TRAY": 2})
    desk.hold(("TRAY", 2), hours=0)
    waits(desk.made, 1, {"TRAY": 9})
    shelve(stage, {"TRAY": 3})
    held = StockPosition(sku="TRAY", location_id="WH-EAST", on_hand=5, available=3, reserved=2)
    stage.put("stock", held)
    much: dict[str, Any] = {"number": 7, "placed_at": FRIDAY, "hours": 100}
    late = FRIDAY + timedelta(days=9)
    assert refusal(desk, late, {"TRAY": 1}, **much)["why"]["shortages"] == {"TRAY": 1}
    assert refusal(desk, late, {"TRAY": 3}, reservation_id="cart-1", **much)["why"]["shortages"] == {"TRAY": 1}
    assert order(desk, late, {"TRAY": 2}, reservation_id="cart-1", **much).order.status.value == "ALLOCATED"


def test_a_hold_that_is_too_far_away_for_the_promise_is_given_back_for_units_that_are_nearer(
    stage: Stage, desk: Desk
) -> None:
    desk.hold(("MUG", 2, "WH-WEST"))
    placed = order(desk, WEDNESDAY, reservation_id="cart-1").order
    assert (placed.status.value, desk.status()) == ("RECEIVED", ReservationStatus.CONSUMED)
    routed = desk.allocated(placed)
    assert [one.location_id for one in routed.fulfillments] == ["WH-EAST"]
    assert routed.promised_by == WEDNESDAY
    assert reserved(stage) == held_by_carts(stage) == {}
    balance(stage)


def test_of_a_hold_at_two_places_the_part_that_is_in_time_is_kept(stage: Stage, desk: Desk) -> None:
    desk.hold(("MUG", 1, "WH-WEST"), ("MUG", 1, "WH-EAST"))
    placed = order(desk, WEDNESDAY, reservation_id="cart-1").order
    assert placed.status.value == "PARTIALLY_ALLOCATED"
    assert {one.location_id for one in desk.allocated(placed).fulfillments} == {"WH-EAST"}


def test_a_hold_far_away_is_taken_where_the_promise_leaves_time(stage: Stage, desk: Desk) -> None:
    desk.hold(("MUG", 2, "WH-WEST"))
    placed = order(desk, FRIDAY, reservation_id="cart-1").order
    assert [one.location_id for one in placed.fulfillments] == ["WH-WEST"]
    assert placed.promised_by == FRIDAY


def test_a_hold_that_was_given_back_is_nobodys_own(stage: Stage, desk: Desk) -> None:
    put_mugs(stage, east=2, west=0)
    desk.hold(("MUG", 2))
    desk.release()
    assert order(desk, WEDNESDAY, {"MUG": 2}, reservation_id="cart-1").created
    other = refusal(desk, WEDNESDAY, {"MUG": 3}, number=2, reservation_id="cart-1")
    assert other["why"]["shortages"] == {"MUG": 1}


# --- repeats, faults and what it costs


def test_a_repeat_after_a_refusal_tries_anew(stage: Stage, desk: Desk) -> None:
    put_mugs(stage, east=0, west=5)
    assert refusal(desk, WEDNESDAY)["alternatives"] == [BY_FRIDAY | {"cost_minor": 1600}]
    put_mugs(stage, east=2, west=5)
    assert order(desk, WEDNESDAY).created


def test_a_repeat_finds_its_order_whatever_has_become_of_the_stock_and_the_day(stage: Stage, desk: Desk) -> None:
    first = order(desk, WEDNESDAY).order
    put_mugs(stage, east=0, west=0)
    again = order(checking(), WEDNESDAY, hours=999)
    assert (again.created, again.order) == (False, first)


def test_an_order_whose_worker_died_after_it_was_written_is_found_and_judged_no_more(
    stage: Stage, desk: Desk, faults: Faults
) -> None:
    faults.crash_after()
    with pytest.raises(CrashedError):
        order(desk, WEDNESDAY)
    faults.mend()
    put_mugs(stage, east=0, west=0)
    assert not order(checking(), WEDNESDAY).created
    assert len(stage.rows("orders")) == 1


def test_while_the_stock_can_not_be_read_nothing_is_promised_and_nothing_written(stage: Stage, desk: Desk) -> None:
    stage.fail("dynamodb", "Query", "ProvisionedThroughputExceededException")
    with pytest.raises(Retryable):
        order(desk, WEDNESDAY)
    assert stage.rows("orders") == []
    stage.mend()
    assert order(desk, WEDNESDAY).created


def test_an_order_without_a_promise_reads_no_stock_no_location_and_no_price(stage: Stage, desk: Desk) -> None:
    counted = Reads(stage)
    order(desk, None)
    assert counted.calls == {
        "GetItem": 4,  # the policy, the order that is not there, the account, whether its person is to be forgotten
        "BatchGetItem": 1,  # products
        "TransactWriteItems": 1,
    }


def test_a_promise_is_checked_on_one_reading_of_the_stock(stage: Stage, desk: Desk) -> None:
    warm = order(desk, WEDNESDAY, {"MUG": 1, "BOWL": 1})
    assert warm.created
    counted = Reads(stage)
    refusal(desk, TUESDAY, {"MUG": 2, "BOWL": 1}, number=2)
    assert counted.of("Query") == 4  # the positions and the queue of each sku
    assert (counted.of("Scan"), counted.of("TransactWriteItems"), counted.of("PutItem")) == (0, 0, 0)


# --- what could be promised


def quotes(desk: Desk) -> Quotes:
    client: Any = clients.client("dynamodb")
    return Quotes(ProductsStore(client, PREFIX), desk.made.allocation.sourcing)


def test_what_is_told_of_a_product_is_what_its_order_gets(stage: Stage, desk: Desk) -> None:
    lines = {"MUG": 2, "KETTLE": 1}
    now = datetime(2026, 3, 2, 12, 12, tzinfo=UTC)
    plan = quotes(desk).quote(Question(units=lines, ship_to=NEW_YORK), now).basket.plan
    assert plan is not None
    placed = order(desk, plan.deliver_by, lines, placed_at=now)
    routed = desk.allocated(placed.order)
    assert {one.location_id: one.cost_minor for one in routed.fulfillments} == {
        one.location_id: one.cost_minor for one in plan.assignments
    }
    assert routed.promised_by == plan.deliver_by == FRIDAY
    assert "PromiseChanged" not in story(stage, routed.order_id)


def test_a_question_writes_nothing(stage: Stage, desk: Desk) -> None:
    before = everything(stage)
    counted = Reads(stage)
    found = quotes(desk).quote(Question(units={"MUG": 1, "SET": 1}, ship_to=NEW_YORK), WEDNESDAY)
    assert set(found.skus) == {"MUG", "SET"}
    assert everything(stage) == before
    assert not counted.calls.keys() & {"PutItem", "UpdateItem", "TransactWriteItems", "DeleteItem"}


def test_an_order_that_a_person_must_look_at_is_taken_whatever_was_promised(stage: Stage, desk: Desk) -> None:
    placed = order(desk, TUESDAY, {"NOT-IN-THE-CATALOGUE": 1})
    assert placed.order.reason_code == "UNKNOWN_SKU"
    assert placed.order.promised_by == TUESDAY
