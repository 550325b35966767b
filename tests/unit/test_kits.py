"""Kits: ordered and reported as one thing, promised, shipped and given back as what lies on shelves."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from oms.domain.allocation import allocate
from oms.domain.backordering import record_shortage
from oms.domain.cancellation import cancel, deallocate, held_positions, open_units
from oms.domain.catalog import BackorderRule, ChannelAccount, KitComponent, Policy, Product
from oms.domain.changes import MAX_POSITIONS_PER_CHANGE, Context, OrderChange, touches
from oms.domain.events import EventType
from oms.domain.explanation import explain
from oms.domain.fulfilling import apply_report
from oms.domain.incoming import Contact, IncomingLine, IncomingOrder
from oms.domain.intake import receive
from oms.domain.kits import MAX_KIT_COMPONENTS
from oms.domain.order import Component, Line, Order, Totals
from oms.domain.release import release
from oms.domain.stock import MoveKind
from oms.usecases.outbound import request_data
from tests.unit.builders import NOON, context, line, plan, received, report

F1 = "shopify-main-1-f1"
TEA_SET = (Component(sku="CUP", quantity=2), Component(sku="POT", quantity=1))


def kit(**changes: Any) -> Product:
    parts = (KitComponent(sku="CUP", quantity=2), KitComponent(sku="POT", quantity=1))
    return Product(sku="TEA", **({"kit_components": parts} | changes))


CATALOGUE = {one.sku: one for one in (kit(), Product(sku="CUP", grams=200), Product(sku="POT", grams=900))}


def taken_in(catalogue: dict[str, Product], skus: tuple[str, ...] = ("TEA",), policy: Policy | None = None) -> Order:
    lines = tuple(IncomingLine(line_id=str(n), sku=sku, quantity=3, current_quantity=3) for n, sku in enumerate(skus))
    incoming = IncomingOrder(
        channel="shopify",
        account="main",
        channel_order_id="1",
        placed_at=NOON,
        channel_updated_at=NOON,
        currency="USD",
        totals=Totals(),
        lines=lines,
    )
    return receive(
        incoming, catalogue, ChannelAccount(), Context(now=NOON, actor="test", policy=policy or Policy())
    ).order


def sets(quantity: int = 3, line_id: str = "1", **changes: Any) -> Line:
    return line(line_id, "TEA", quantity, components=TEA_SET, **changes)


def moved(change: OrderChange | None) -> dict[tuple[str, MoveKind], int]:
    assert change is not None
    return {(move.sku, move.kind): move.quantity for move in change.moves}


def waiting(change: OrderChange | None) -> dict[str, int]:
    assert change is not None
    return {row.sku: row.quantity for row in change.backorders_added}


def allocated(order: Order, **units: dict[str, int]) -> Order:
    return allocate(order, plan(**units), context()).order


# --- taken in


def test_an_order_keeps_the_components_of_a_kit_as_they_were_when_it_came_in() -> None:
    order = taken_in(CATALOGUE)
    assert order.review is None
    assert order.lines[0].components == TEA_SET
    assert order.lines[0].stock_units(3) == {"CUP": 6, "POT": 3}


def test_a_component_named_twice_counts_as_one() -> None:
    twice = kit(kit_components=(KitComponent(sku="CUP", quantity=2), KitComponent(sku="CUP", quantity=1)))
    assert taken_in(CATALOGUE | {"TEA": twice}).lines[0].components == (Component(sku="CUP", quantity=3),)


@pytest.mark.parametrize(
    ("grams", "weight"),
    [
        pytest.param(0, 1300, id="the sum of its components where the kit names none"),
        pytest.param(1500, 1500, id="its own where it names one"),
    ],
)
def test_a_kit_weighs(grams: int, weight: int) -> None:
    assert taken_in(CATALOGUE | {"TEA": kit(grams=grams)}).lines[0].unit_grams == weight


MANY = tuple(KitComponent(sku=f"P{n}", quantity=1) for n in range(MAX_KIT_COMPONENTS + 1))


@pytest.mark.parametrize(
    ("changed", "reason", "detail"),
    [
        pytest.param(
            {"POT": Product(sku="POT", kit_components=(KitComponent(sku="LID", quantity=1),))},
            "KIT_ORDERED",
            "POT in TEA",
            id="whose component is a kit itself",
        ),
        pytest.param(
            {"TEA": kit(kit_components=(KitComponent(sku="LID", quantity=1),))},
            "UNKNOWN_SKU",
            "LID in TEA",
            id="with a component nobody knows",
        ),
        pytest.param(
            {"TEA": kit(kit_components=(KitComponent(sku="CUP", quantity=0),))},
            "KIT_ORDERED",
            "TEA",
            id="with nothing of a component",
        ),
        pytest.param(
            {one.sku: Product(sku=one.sku) for one in MANY} | {"TEA": kit(kit_components=MANY)},
            "KIT_ORDERED",
            "TEA",
            id="of more components than one change may touch",
        ),
    ],
)
def test_a_person_decides_on_a_kit(changed: dict[str, Product], reason: str, detail: str) -> None:
    review = taken_in(CATALOGUE | changed).review
    assert review is not None
    assert (review.reason, review.detail) == (reason, detail)


@pytest.mark.parametrize(
    ("rule", "together"),
    [(BackorderRule.SHIP_TOGETHER, True), (BackorderRule.SHIP_AVAILABLE, False), (BackorderRule.CANCEL_REST, True)],
)
def test_whether_an_order_ships_complete_is_the_policy_of_the_day_it_came_in(
    rule: BackorderRule, together: bool
) -> None:
    assert taken_in(CATALOGUE, policy=Policy(backorder_rule=rule)).ship_complete is together


# --- promised, shipped, given back


def test_kits_that_ship_take_their_components_off_the_shelves() -> None:
    order = allocated(received(sets(3)), ny={"1": 3})
    change = apply_report(order, report("shipped", F1, "ny", lines={"1": 2}), context(2))
    assert moved(change) == {("CUP", MoveKind.SHIP): 4, ("POT", MoveKind.SHIP): 2}
    assert change is not None
    assert (change.order.lines[0].shipped, change.order.lines[0].in_fulfillment) == (2, 1)


def test_more_kits_shipped_than_promised_take_their_components_too() -> None:
    order = allocated(received(sets(3)), ny={"1": 1})
    change = apply_report(order, report("shipped", F1, "ny", lines={"1": 2}), context(2))
    assert moved(change) == {
        ("CUP", MoveKind.SHIP): 2,
        ("POT", MoveKind.SHIP): 1,
        ("CUP", MoveKind.OVERSHIP): 2,
        ("POT", MoveKind.OVERSHIP): 1,
    }


@pytest.mark.parametrize(
    ("reason_code", "kind"),
    [("NOT_IN_STOCK", MoveKind.NOT_FOUND), ("DAMAGED", MoveKind.DAMAGE), ("TOO_BUSY", MoveKind.RELEASE)],
)
@pytest.mark.parametrize("type_", ["short_picked", "rejected"])
def test_kits_that_a_location_does_not_ship_give_up_their_components(
    type_: str, reason_code: str, kind: MoveKind
) -> None:
    order = allocated(received(sets(3)), ny={"1": 3})
    order = release(order, context(1)).order
    told = report(type_, F1, "ny", lines={"1": 2}, reason_code=reason_code)
    change = apply_report(order, told, context(2))
    assert moved(change) == {("CUP", kind): 4, ("POT", kind): 2}
    assert change is not None
    assert (change.order.lines[0].unallocated, change.order.lines[0].in_fulfillment) == (2, 1)


def test_what_happened_on_the_shelves_happened_when_the_location_says() -> None:
    order = allocated(received(line("1", "MUG", 3)), ny={"1": 2})
    for type_, reason in (("shipped", ""), ("short_picked", "NOT_IN_STOCK"), ("short_picked", "DAMAGED")):
        told = report(type_, F1, "ny", lines={"1": 3}, reason_code=reason, occurred_at=NOON + timedelta(hours=1))
        change = apply_report(order, told, context(2))
        assert change is not None
        assert {move.effective_at for move in change.moves} == {NOON + timedelta(hours=1)}


def test_a_location_whose_clock_is_fast_reports_what_happened_by_now() -> None:
    order = allocated(received(line("1", "MUG")), ny={"1": 1})
    change = apply_report(order, report("shipped", F1, "ny", occurred_at=NOON + timedelta(days=9)), context(2))
    assert change is not None
    assert [move.effective_at for move in change.moves] == [context(2).now]


def test_a_promise_taken_back_is_taken_back_now() -> None:
    order = release(allocated(received(line("1", "MUG")), ny={"1": 1}), context(1)).order
    change = apply_report(order, report("rejected", F1, "ny", reason_code="TOO_BUSY"), context(2))
    assert change is not None
    assert [move.effective_at for move in change.moves] == [None]


def test_kits_that_are_cancelled_give_their_components_back() -> None:
    order = allocated(received(sets(3), line("2", "CUP", 1)), ny={"1": 3, "2": 1})
    assert held_positions(order) == 2
    assert moved(cancel(order, {"1": 2}, context(), "CUSTOMER")) == {
        ("CUP", MoveKind.RELEASE): 4,
        ("POT", MoveKind.RELEASE): 2,
    }


def test_an_order_that_is_routed_again_gives_all_components_back() -> None:
    order = allocated(received(sets(3)), ny={"1": 2}, ca={"1": 1})
    assert held_positions(order) == 4
    change = deallocate(order, context(), (EventType.ADDRESS_CHANGED, {}))
    assert sum(move.quantity for move in change.moves) == 9
    assert change.order.lines[0].unallocated == 3


def test_kits_wait_in_the_queue_of_every_component_and_leave_them_all() -> None:
    change = record_shortage(received(sets(3)), {"1": 2}, context())
    assert waiting(change) == {"CUP": 4, "POT": 2}
    assert change is not None
    fewer = cancel(change.order, {"1": 2}, context(), "CUSTOMER")
    assert waiting(fewer) == {"CUP": 2, "POT": 1}
    assert fewer is not None
    none = cancel(fewer.order, {"1": 1}, context(), "CUSTOMER")
    assert none is not None
    assert {row.sku for row in none.backorders_removed} == {"CUP", "POT"}


def test_what_a_location_is_asked_for_says_what_a_kit_is_made_of() -> None:
    order = allocated(received(sets(3), line("2", "MUG")), ny={"1": 2, "2": 1})
    asked = request_data(order, order.fulfillments[0], Contact())
    made_of = [{"sku": "CUP", "quantity": 2}, {"sku": "POT", "quantity": 1}]
    assert asked["lines"] == [
        {"line_id": "1", "sku": "TEA", "quantity": 2, "components": made_of},
        {"line_id": "2", "sku": "MUG", "quantity": 1},
    ]


def test_who_asks_what_is_missing_of_a_kit_hears_what_it_is_made_of() -> None:
    change = record_shortage(received(sets(3), line("2", "MUG")), {"1": 1, "2": 1}, context())
    assert change is not None
    assert explain(change.order, NOON).cause == "There is not enough stock of TEA (CUP, POT), MUG."


# --- within the bounds of one change


def large(number: int, parts: int, **changes: Any) -> Line:
    components = tuple(Component(sku=f"P{number}-{part}", quantity=1) for part in range(parts))
    return line(str(number), f"KIT{number}", 2, components=components, **changes)


def in_parts(order: Order, change_of: Any) -> tuple[Order, int]:
    """The order once nothing is left to change, and how many changes that took; each fits."""
    for count in range(100):
        change = change_of(order)
        if change is None:
            return order, count
        assert 0 < touches(change) <= MAX_POSITIONS_PER_CHANGE
        order = change.order
    pytest.fail("it must end")


def many_kits() -> Order:
    """Six kits of 15 components at one location, two of them units short."""
    order = received(*(large(number, 15) for number in range(6)))
    for number in range(6):
        order = allocated(order, ny={str(number): 1 if number < 2 else 2})
    change = record_shortage(order, {"0": 1, "1": 1}, context())
    assert change is not None
    return change.order


def test_many_kits_are_cancelled_in_parts_that_fit_one_change() -> None:
    order, count = in_parts(many_kits(), lambda order: cancel(order, open_units(order), context(), "CUSTOMER"))
    assert all(line.cancelled == 2 for line in order.lines)
    assert count > 1


def test_many_kits_ship_in_parts_that_fit_one_change() -> None:
    told = report("shipped", F1, "ny", lines={str(n): 2 for n in range(2, 6)})
    order, count = in_parts(many_kits(), lambda order: apply_report(order, told, context(2)))
    assert [line.shipped for line in order.lines] == [0, 0, 2, 2, 2, 2]
    assert count == 2


def test_many_kits_are_given_back_in_parts_that_fit_one_change() -> None:
    told = report("short_picked", F1, "ny", reason_code="NOT_IN_STOCK")
    order, count = in_parts(many_kits(), lambda order: apply_report(order, told, context(2)))
    assert all(line.unallocated == 2 for line in order.lines)
    assert count == 3


def test_a_kit_of_the_most_components_that_is_short_in_part_is_cancelled_at_once() -> None:
    order = allocated(received(large(0, MAX_KIT_COMPONENTS)), ny={"0": 1})
    change = record_shortage(order, {"0": 1}, context())
    assert change is not None
    order, count = in_parts(change.order, lambda order: cancel(order, open_units(order), context(), "CUSTOMER"))
    assert (order.lines[0].cancelled, count) == (2, 1)
