"""Open orders of another system: what they may say, and what becomes of them here."""

from __future__ import annotations

from dataclasses import asdict, replace
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from oms.domain import confirmations, migration, notices, progress
from oms.domain.catalog import ChannelAccount, KitComponent, Product
from oms.domain.channel_messages import ShipmentNotice
from oms.domain.events import EventType
from oms.domain.fulfilling import apply_report
from oms.domain.incoming import IncomingLine, IncomingOrder
from oms.domain.migrated import BEFORE_US, MigratedOrder, Parcel, faults, promised_units
from oms.domain.order import Method, Order, OrderStatus, Request, Totals, WaitingFor, Work
from oms.domain.publication import detail
from oms.domain.release import release
from oms.domain.stock import MoveKind
from tests.unit.builders import NOON, context, report

PRODUCTS = {
    "MUG": Product(sku="MUG", grams=350),
    "TEE": Product(sku="TEE", grams=200),
    "SET": Product(
        sku="SET", kit_components=(KitComponent(sku="MUG", quantity=2), KitComponent(sku="TEE", quantity=1))
    ),
}
LONG_AGO = NOON - timedelta(days=9)


def line(line_id: str, sku: str, quantity: int, cancelled: int = 0, **more: Any) -> IncomingLine:
    return IncomingLine(
        line_id=line_id, sku=sku, quantity=quantity, current_quantity=quantity - cancelled, unit_price_minor=0, **more
    )


def old(*lines: IncomingLine, incoming: dict[str, Any] | None = None, **facts: Any) -> MigratedOrder:
    order = IncomingOrder(
        channel="shopify",
        account="main",
        channel_order_id="5001",
        placed_at=LONG_AGO,
        channel_updated_at=NOON - timedelta(days=1),
        currency="USD",
        totals=Totals(),
        lines=lines or (line("1", "MUG", 5),),
        **(incoming or {}),
    )
    return MigratedOrder(incoming=order, content="abc", **facts)


def parcel(units: dict[str, int], **facts: Any) -> Parcel:
    told = {"shipment_id": "P-1", "carrier": "UPS", "tracking_number": "1Z9", "shipped_at": LONG_AGO}
    return Parcel(lines=units, **(told | facts))


def loaded(migrated: MigratedOrder) -> Order:
    """The order once all its parts are in."""
    order = migration.create(migrated, PRODUCTS, ChannelAccount(), context()).order
    for _ in range(20):
        change = migration.next_part(order, migrated, context())
        if change is None:
            return order
        order = change.order
    raise AssertionError("it is never done")


def test_units_are_promised_where_the_file_says_and_the_rest_is_to_be_routed() -> None:
    change = migration.create(
        old(line("1", "MUG", 5, cancelled=1), allocated={"EAST": {"1": 2}, "WEST": {"1": 1}}),
        PRODUCTS,
        ChannelAccount(),
        context(),
    )
    (one,) = change.order.lines
    assert (one.ordered, one.cancelled, one.in_fulfillment, one.unallocated) == (5, 1, 3, 1)
    assert [(move.kind, move.sku, move.location_id, move.quantity) for move in change.moves] == [
        (MoveKind.COMMIT, "MUG", "EAST", 2),
        (MoveKind.COMMIT, "MUG", "WEST", 1),
    ]
    assert change.order.version == 1
    assert change.order.waiting_for is WaitingFor.ALLOCATION
    assert {one.request for one in change.order.fulfillments} == {Request.UNSUBMITTED}


def test_what_shipped_before_moves_no_stock_and_its_parcel_is_found_by_its_number() -> None:
    migrated = old(
        line("1", "MUG", 3),
        shipped={"1": 2},
        parcels=(parcel({"1": 2}, location_id="EAST"),),
        allocated={"EAST": {"1": 1}},
    )
    change = migration.create(migrated, PRODUCTS, ChannelAccount(), context())
    order = change.order
    assert sum(move.quantity for move in change.moves) == 1
    assert "TRACKING#ups#1Z9" in change.references
    before, open_work = order.fulfillments
    assert (before.work, before.request, open_work.work, open_work.request) == (
        Work.SHIPPED,
        Request.ACCEPTED,
        Work.OPEN,
        Request.UNSUBMITTED,
    )
    assert order.status is OrderStatus.PARTIALLY_SHIPPED


def test_shipped_units_of_which_no_parcel_is_known_count_as_delivered() -> None:
    order = loaded(old(line("1", "MUG", 3), shipped={"1": 2}))
    (before,) = order.fulfillments
    assert (before.location_id, before.work, order.status) == (
        BEFORE_US,
        Work.DELIVERED,
        OrderStatus.PARTIALLY_DELIVERED,
    )


def test_an_order_that_is_only_on_its_way_waits_for_its_delivery() -> None:
    order = loaded(old(line("1", "MUG", 2), shipped={"1": 2}, parcels=(parcel({"1": 2}),)))
    assert (order.status, order.waiting_for) == (OrderStatus.SHIPPED, WaitingFor.DELIVERY)


def test_a_location_that_works_on_it_already_is_not_asked_again() -> None:
    order = loaded(old(allocated={"EAST": {"1": 5}}, asked=frozenset({"EAST"})))
    (work,) = order.fulfillments
    assert (work.request, order.waiting_for) == (Request.ACCEPTED, WaitingFor.PICK)


def test_what_happened_before_is_in_its_history_and_nobody_is_told() -> None:
    migrated = old(
        line("1", "MUG", 5, cancelled=2), shipped={"1": 1}, parcels=(parcel({"1": 1}),), allocated={"EAST": {"1": 2}}
    )
    told = replace(context(), actor=migration.ACTOR)
    order = migration.create(migrated, PRODUCTS, ChannelAccount(), told).order
    assert [(event.type, event.version, event.actor) for event in order.events] == [
        (EventType.ORDER_RECEIVED, 1, "migration"),
        (EventType.LINES_CANCELLED, 1, "migration"),
        (EventType.SHIPMENT_SHIPPED, 1, "migration"),
        (EventType.ORDER_ALLOCATED, 1, "migration"),
    ]
    document = {"order_id": order.order_id, "channel": "shopify", "account": "main"}
    for event in order.events:
        news = {**asdict(event), "at": event.at.isoformat(), "type": event.type.value}
        assert confirmations.owed_by(detail(document, news), NOON) is None


def test_its_last_parcel_completes_the_order_for_the_channel() -> None:
    migrated = old(
        line("1", "MUG", 5, cancelled=2), shipped={"1": 1}, parcels=(parcel({"1": 1}),), allocated={"EAST": {"1": 2}}
    )
    order = released(loaded(migrated))
    left = report("shipped", "shopify-main-5001-f2", "EAST", shipment_id="P-2", carrier="ups", tracking_number="2")
    change = apply_report(order, left, context(2))
    assert change is not None
    key = confirmations.NoticeKey(order.order_id, change.order.last_sequence, confirmations.SHIPMENT)
    notice = notices.notice(change.order, change.order.events, key)
    assert isinstance(notice, ShipmentNotice)
    assert (notice.completes, [(one.line_id, one.quantity) for one in notice.lines]) == (True, [("1", 2)])


def released(order: Order) -> Order:
    return release(order, context(1)).order


def test_a_kit_is_promised_as_its_components() -> None:
    migrated = old(line("1", "SET", 2), allocated={"EAST": {"1": 2}})
    change = migration.create(migrated, PRODUCTS, ChannelAccount(), context())
    assert {(move.sku, move.quantity) for move in change.moves} == {("MUG", 4), ("TEE", 2)}
    assert promised_units(migrated, PRODUCTS) == {("MUG", "EAST"): 4, ("TEE", "EAST"): 2}
    assert migration.held_units(change.order) == promised_units(migrated, PRODUCTS)


def test_an_order_of_more_positions_than_fit_a_change_is_not_routed_before_all_of_it_is_there() -> None:
    lines = [line(str(number), f"SKU-{number}", 1) for number in range(90)]
    products = {one.sku: Product(sku=one.sku) for one in lines}
    migrated = old(*lines, allocated={"EAST": {one.line_id: 1 for one in lines}})
    order = migration.create(migrated, products, ChannelAccount(), context()).order
    seen = []
    while (change := migration.next_part(order, migrated, context())) is not None:
        assert order.waiting_for is WaitingFor.REVIEW
        assert len({(move.sku, move.location_id) for move in change.moves}) <= 40
        order = change.order
        seen.append(order.version)
    assert (seen, order.review, order.waiting_for) == ([2, 3], None, WaitingFor.CANCEL_WINDOW)
    assert len(order.fulfillments) == 1


def test_what_could_not_be_promised_is_left_to_be_routed() -> None:
    lines = [line(str(number), f"SKU-{number}", 1) for number in range(50)]
    products = {one.sku: Product(sku=one.sku) for one in lines}
    migrated = old(*lines, allocated={"EAST": {one.line_id: 1 for one in lines}})
    order = migration.create(migrated, products, ChannelAccount(), context()).order
    left = migration.leave_the_rest(order, context())
    assert left is not None
    assert (left.order.review, left.order.waiting_for) == (None, WaitingFor.ALLOCATION)
    assert migration.next_part(left.order, migrated, context()) is None


@pytest.mark.parametrize(
    ("migrated", "field", "reason"),
    [
        pytest.param(old(shipped={"1": 5}), "lines", "NOT_OPEN", id="all of it delivered"),
        pytest.param(old(line("1", "MUG", 5, cancelled=5)), "lines", "NOT_OPEN", id="all of it cancelled"),
        pytest.param(old(line("1", "MUG", 5, cancelled=6)), "lines.0", "TOO_MANY_UNITS", id="more cancelled"),
        pytest.param(old(shipped={"1": 6}), "lines.0", "TOO_MANY_UNITS", id="more shipped than ordered"),
        pytest.param(
            old(shipped={"1": 3}, allocated={"EAST": {"1": 3}}), "lines.0", "TOO_MANY_UNITS", id="more than is left"
        ),
        pytest.param(old(parcels=(parcel({"1": 1}),)), "lines.0.shipped", "TOO_MANY_UNITS", id="a parcel of nothing"),
        pytest.param(
            old(shipped={"1": 1}, parcels=(parcel({"9": 1}),)), "shipments", "UNKNOWN_LINE", id="a parcel of no line"
        ),
        pytest.param(
            old(line("1", "CARD", 1, requires_shipping=False), line("2", "MUG", 1), allocated={"EAST": {"1": 1}}),
            "lines.0",
            "INVALID_FIELD",
            id="a download that lies somewhere",
        ),
        pytest.param(
            old(shipped={"1": 2}, parcels=(parcel({"1": 1}), parcel({"1": 1}))),
            "shipments.1.shipment_id",
            "DUPLICATE_SHIPMENT",
            id="two parcels of one name",
        ),
        pytest.param(
            old(incoming={"method": Method.CARRY_OUT, "sold_at_location_id": "S"}),
            "method",
            "NOT_OPEN",
            id="carried out",
        ),
    ],
)
def test_what_can_not_be_is_refused_by_its_field(migrated: MigratedOrder, field: str, reason: str) -> None:
    assert [(one.field, one.reason) for one in faults(migrated)] == [(field, reason)]


@st.composite
def orders(draw: st.DrawFn) -> MigratedOrder:
    """Orders that may well be: every unit is cancelled, shipped, lies somewhere or is to be routed."""
    lines, shipped, parcelled = [], {}, {}
    allocated: dict[str, dict[str, int]] = {}
    for number in range(draw(st.integers(1, 60))):
        name = str(number)
        cancelled, gone, east, west, rest = (draw(st.integers(0, 3)) for _ in range(5))
        quantity = max(1, cancelled + gone + east + west + rest)
        lines.append(line(name, f"SKU-{number % 45}", quantity, cancelled))
        shipped[name] = gone
        parcelled[name] = draw(st.integers(0, gone))
        for place, units in (("EAST", east), ("WEST", west)):
            if units:
                allocated.setdefault(place, {})[name] = units
    in_parcel = {name: quantity for name, quantity in parcelled.items() if quantity}
    parcels = (parcel(in_parcel),) if in_parcel else ()
    return old(*lines, shipped=shipped, parcels=parcels, allocated=allocated)


@given(migrated=orders())
def test_every_unit_of_an_order_ends_where_the_file_says(migrated: MigratedOrder) -> None:
    if faults(migrated):
        return
    products = {one.sku: Product(sku=one.sku) for one in migrated.incoming.lines}
    first = migration.create(migrated, products, ChannelAccount(), context())
    order, moved = first.order, list(first.moves)
    for _ in range(10):
        change = migration.next_part(order, migrated, context())
        if change is None:
            break
        order = change.order
        moved += change.moves
    progress.check(order)
    for told, here in zip(migrated.incoming.lines, order.lines, strict=True):
        placed = sum(units.get(told.line_id, 0) for units in migrated.allocated.values())
        gone = migrated.shipped[told.line_id]
        assert (here.ordered, here.shipped, here.in_fulfillment) == (told.quantity, gone, placed)
        assert here.cancelled == told.quantity - told.current_quantity
    assert migration.held_units(order) == promised_units(migrated, products)
    assert {move.kind for move in moved} <= {MoveKind.COMMIT}
    assert sum(move.quantity for move in moved) == promised_units(migrated, products).total()
    assert order.review is None
    assert migration.is_the_same(order, migrated)
