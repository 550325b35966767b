"""The audit of stock: what does not agree, who is believed, and that a repair makes all of it agree."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from oms.domain.audit_facts import Entry, Figures, Holder, Movement, Picture, adds_up, effect, held_by_order
from oms.domain.auditing import Drift, DriftKind, Repair, Trust, examine, examine_queue
from oms.domain.changes import backorders
from oms.domain.order import Component, Fulfillment, FulfillmentLine, Order
from oms.domain.reservations import Reservation, ReservationStatus, ReservedLine
from oms.domain.stock import Bucket
from tests.unit import builders

SKU, PLACE, ORDER, CART = "MUG", "WH-EAST", "order-1", "cart-1"


def figures(on_hand: int, available: int, committed: int = 0, reserved: int = 0, **others: int) -> Figures:
    made = {"on_hand": on_hand, "available": available, "committed": committed, "reserved": reserved} | others
    return {bucket: made.get(bucket.value, 0) for bucket in Bucket}


def holding(units: int, order_id: str = ORDER) -> Order:
    """An order that holds so many units here."""
    part = FulfillmentLine(line_id="L1", sku=SKU, assigned=units, open=units)
    work = Fulfillment(fulfillment_id="F1", location_id=PLACE, lines=(part,))
    return builders.order(builders.line("L1", SKU, units), order_id=order_id, fulfillments=(work,), version=3)


def cart(units: int) -> Reservation:
    return Reservation(
        reservation_id=CART,
        version=1,
        status=ReservationStatus.ACTIVE,
        created_at=builders.NOON,
        expires_at=builders.NOON,
        lines=(ReservedLine(sku=SKU, location_id=PLACE, quantity=units),),
    )


def row(changes: Figures, *entries: Entry, name: str = "m1") -> Movement:
    return Movement(movement_id=name, location_id=PLACE, changes=changes, entries=entries)


def promised(units: int, version: int = 2) -> Entry:
    return Entry(holder=Holder(order_id=ORDER), version=version, committed=units)


def picture(
    stands: Figures | None, came: int | None = 10, ledger: int = 0, order: int = 0, in_cart: int = 0, carted: int = 0
) -> Picture:
    """Units came in (or nothing ever did), the ledger promised some to an order and held some for a cart; the order
    and the cart hold what their documents say."""
    rows = [row(figures(came, came), name="m0")] if came is not None else []
    if ledger:
        rows.append(row(figures(0, -ledger, ledger), promised(ledger)))
    if carted:
        entry = Entry(holder=Holder(reservation_id=CART), version=1, reserved=carted)
        rows.append(row(figures(0, -carted, 0, carted), entry, name="m2"))
    return Picture(
        sku=SKU,
        positions={PLACE: stands} if stands else {},
        movements=tuple(rows),
        orders={ORDER: holding(order)},
        told={ORDER: frozenset({1, 2, 3})},
        reservations={CART: cart(in_cart)},
    )


def repaired(seen: Picture, drift: Drift, repair: Repair) -> Picture:
    """What stands once the repair is written."""
    stands = seen.positions.get(PLACE, {})
    after = {bucket: stands.get(bucket, 0) + repair.position.get(bucket, 0) for bucket in Bucket}
    entries = tuple(Entry(holder=one.holder, **{one.bucket.value: one.missing}) for one in repair.shares)
    correction = replace(row(repair.ledger, *entries, name="audit"), is_correction=True)
    return replace(seen, positions={PLACE: after}, movements=(*seen.movements, correction))


CASES = {
    "all agree": (picture(figures(10, 8, 2), ledger=2, order=2), None, None, ()),
    "nothing was ever there": (picture(None, came=None), None, None, ()),
    "a position was changed, ledger and orders agree": (
        picture(figures(10, 9, 1), ledger=2, order=2), DriftKind.LEDGER_DIFFERS, Trust.LEDGER, ("LEDGER", "POSITION")),
    "a position lost units, and all else agrees": (
        picture(figures(9, 7, 2), ledger=2, order=2), DriftKind.LEDGER_DIFFERS, Trust.LEDGER, ("LEDGER", "POSITION")),
    "a position does not add up": (
        picture(figures(10, 9, 2), ledger=2, order=2), DriftKind.UNBALANCED, Trust.LEDGER, ("LEDGER",)),
    "a position is gone": (
        picture(None, ledger=2, order=2), DriftKind.LEDGER_DIFFERS, Trust.LEDGER, ("LEDGER", "POSITION")),
    "a movement of an order is gone": (
        picture(figures(10, 8, 2), order=2), DriftKind.LEDGER_DIFFERS, Trust.POSITION, ("LEDGER", "POSITION")),
    "a movement of a cart is gone": (
        picture(figures(10, 7, 0, 3), in_cart=3), DriftKind.LEDGER_DIFFERS, Trust.POSITION, ("LEDGER", "POSITION")),
    "stock was put without a movement": (
        picture(figures(7, 7), came=None), DriftKind.LEDGER_DIFFERS, Trust.POSITION, ("LEDGER", "POSITION")),
    "stock that does not add up was put without a movement": (
        picture(figures(7, 6), came=None), DriftKind.UNBALANCED, None, ("LEDGER",)),
    "the ledger has no beginning": (
        picture(figures(10, 8, 2), came=None, ledger=2, order=2), DriftKind.LEDGER_DIFFERS, None,
        ("LEDGER", "POSITION")),
    "all three differ": (
        picture(figures(10, 9, 1), ledger=2, order=3), DriftKind.LEDGER_DIFFERS, None, ("LEDGER", "POSITION")),
    "the order says less than position and ledger": (
        picture(figures(10, 8, 2), ledger=2, order=1), DriftKind.HOLDERS_DIFFER, None, ("ORDERS",)),
    "the cart says more than position and ledger": (
        picture(figures(10, 9, 0, 1), carted=1, in_cart=2), DriftKind.HOLDERS_DIFFER, None, ("ORDERS",)),
    "more is promised than there is, and all say so": (
        picture(figures(1, -1, 2), came=1, ledger=2, order=2), None, None, ()),
}  # fmt: skip


@pytest.mark.parametrize(("seen", "kind", "safe", "possible"), CASES.values(), ids=CASES)
def test_what_does_not_agree_is_told_with_who_may_be_believed(
    seen: Picture, kind: DriftKind | None, safe: Trust | None, possible: tuple[str, ...]
) -> None:
    drifts = examine(seen)
    assert [one.kind for one in drifts] == ([kind] if kind else [])
    for one in drifts:
        assert (one.safe.trust if one.safe else None) is safe
        assert tuple(repair.trust for repair in one.repairs) == possible


units = st.integers(0, 4)


@given(
    stands=st.fixed_dictionaries({bucket: st.integers(-2, 6) for bucket in Bucket}),
    balanced=st.booleans(),
    came=st.none() | units,
    ledger=units,
    order=units,
    carted=units,
    in_cart=units,
)
def test_what_a_machine_may_repair_is_in_order_afterwards_and_the_rest_in_two_steps(
    stands: dict[Bucket, int], balanced: bool, came: int | None, ledger: int, order: int, carted: int, in_cart: int
) -> None:
    if balanced:
        stands[Bucket.ON_HAND] = sum(units for bucket, units in stands.items() if bucket is not Bucket.ON_HAND)
    seen = picture(stands, came, ledger, order, in_cart, carted)
    for drift in examine(seen):
        if drift.safe:
            assert examine(repaired(seen, drift, drift.safe)) == []
        for repair in drift.repairs:
            after = repaired(seen, drift, repair)
            assert adds_up(after.positions[PLACE])
            left = examine(after)
            assert all(one.kind is DriftKind.HOLDERS_DIFFER for one in left)
            for one in left:
                assert examine(repaired(after, one, one.repairs[0])) == []


@given(st.integers(-3, 3), units, units, units)
def test_commits_between_the_look_and_the_repair_take_nothing_from_it(
    off: int, ledger: int, order: int, more: int
) -> None:
    """A commit adds the same to position, ledger and order, so what a repair adds is right before and after it."""
    seen = picture(figures(10, 10 - ledger - off, ledger + off), ledger=ledger, order=order)
    commit = row(figures(0, -more, more), Entry(holder=Holder(order_id=ORDER), version=3, committed=more), name="m9")
    for drift in examine(seen):
        if drift.safe:
            stands = {**seen.positions[PLACE]}
            stands[Bucket.AVAILABLE] -= more
            stands[Bucket.COMMITTED] += more
            went_on = replace(
                seen,
                positions={PLACE: stands},
                movements=(*seen.movements, commit),
                orders={ORDER: holding(order + more)},
            )
            assert examine(repaired(went_on, drift, drift.safe)) == []


def test_the_missing_half_names_its_order() -> None:
    (drift,) = examine(picture(figures(10, 8, 2), order=2))
    assert drift.orders == (ORDER,)
    assert "stands at on_hand 10, available 8, committed 2" in drift.says
    assert "orders hold 2, carts 0" in drift.says
    assert f"Order {ORDER} holds 2 by its document, 0 were promised to it by the movements" in drift.says
    assert "Safe to repair" in drift.advice
    assert drift.safe is not None
    assert [one.missing for one in drift.safe.shares] == [2]


@pytest.mark.parametrize(
    ("entry", "order", "kind"),
    [
        (promised(0, version=3), holding(0), None),
        (promised(0, version=4), holding(0), DriftKind.UNKNOWN_VERSION),
        (promised(0, version=2), replace(holding(0), version=1), DriftKind.UNKNOWN_VERSION),
        (promised(0, version=2), None, DriftKind.UNKNOWN_ORDER),
        (promised(0, version=0), holding(0), None),
    ],
)
def test_movements_name_orders_and_versions_that_there_were(
    entry: Entry, order: Order | None, kind: DriftKind | None
) -> None:
    seen = Picture(
        sku=SKU,
        positions={},
        movements=(row({}, entry),),
        orders={ORDER: order},
        told={ORDER: frozenset({1, 2, 3})},
    )
    assert [one.kind for one in examine(seen)] == ([kind] if kind else [])


def test_an_order_nobody_read_is_not_judged() -> None:
    seen = Picture(sku=SKU, positions={}, movements=(row({}, promised(0, version=9)),))
    assert examine(seen) == []


@pytest.mark.parametrize(
    ("movement", "even"),
    [
        (row(figures(5, 5)), True),
        (row(figures(5, 4)), False),
        (row(figures(0, -2, 2), promised(2)), True),
        (row(figures(0, -2, 2), promised(1)), False),
        (row(figures(0, 0), promised(1)), False),
    ],
)
def test_a_movement_that_does_not_add_up_in_itself_is_uneven(movement: Movement, even: bool) -> None:
    assert movement.is_even is even


@pytest.mark.parametrize(
    ("kind", "moved"),
    [
        ("COMMIT", (3, 0)),
        ("RELEASE", (-3, 0)),
        ("SHIP", (-3, 0)),
        ("NOT_FOUND", (-3, 0)),
        ("DAMAGE", (-3, 0)),
        ("OVERSHIP", (0, 0)),
        ("RESERVE", (0, 3)),
        ("UNRESERVE", (0, -3)),
        ("RECEIVE", (0, 0)),
    ],
)
def test_what_a_move_promises_or_holds_follows_from_its_kind(kind: str, moved: tuple[int, int]) -> None:
    assert effect(kind, 3) == moved


def test_units_given_back_by_the_order_that_took_the_cart_over_are_the_carts() -> None:
    taken = Entry(holder=Holder(reservation_id=CART), version=1, reserved=2)
    over = Entry(holder=Holder(order_id=ORDER), version=1, reserved=-2)
    seen = replace(
        picture(figures(10, 10), in_cart=0),
        movements=(
            row(figures(10, 10), name="m0"),
            row(figures(0, -2, 0, 2), taken, name="m1"),
            row(figures(0, 2, 0, -2), over, name="m2"),
        ),
        orders={ORDER: replace(holding(0), reservation_id=CART)},
    )
    assert examine(seen) == []
    assert [one.kind for one in examine(replace(seen, orders={ORDER: holding(0)}))] == [DriftKind.HOLDERS_DIFFER]


def test_a_kit_holds_its_components_not_itself() -> None:
    kit = builders.line("L1", "SET", 3, components=(Component(sku=SKU, quantity=2),))
    part = FulfillmentLine(line_id="L1", sku="SET", assigned=3, open=1, picked=1, shipped=1)
    work = Fulfillment(fulfillment_id="F1", location_id=PLACE, lines=(part,))
    assert held_by_order(builders.order(kit, fulfillments=(work,))) == {(SKU, PLACE): 4}


def test_a_queue_has_the_rows_of_what_its_orders_wait_for_and_no_others() -> None:
    waiting = builders.order(builders.line("L1", SKU, 3, backordered=2))
    (row_of_it,) = backorders(waiting, waiting.lines[0])
    assert examine_queue(waiting.order_id, waiting, [row_of_it]) == []
    (missing,) = examine_queue(waiting.order_id, waiting, [])
    assert "waits for 2 of MUG" in missing.says
    assert "put the row" in missing.advice
    (wrong,) = examine_queue(waiting.order_id, waiting, [replace(row_of_it, quantity=1)])
    assert "waits for 1" in wrong.says
    (stray,) = examine_queue(waiting.order_id, None, [row_of_it])
    assert "delete the row" in stray.advice


def test_what_cannot_be_read_is_not_guessed() -> None:
    seen = replace(picture(figures(10, 8, 2), ledger=2), orders={ORDER: None}, unreadable=frozenset({ORDER}))
    (drift,) = examine(seen)
    assert (drift.kind, drift.repairs, drift.safe) == (DriftKind.HOLDERS_DIFFER, (), None)
    assert f"{ORDER} can't be read" in drift.advice
