"""Many changes in few transactions: who shares one, what the ledger says of it, and where a transaction ends."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest
from ministack.services.dynamodb import _item_size_bytes

from oms.domain import stock as moves
from oms.domain.changes import Count, OrderChange, StockChange
from oms.domain.fulfilling import apply_report
from oms.domain.order import Order
from oms.domain.reservations import Reservation, ReservationStatus, ReservedLine, consume, reserve, taking
from oms.domain.stock import StockPosition
from oms.stores.attribute_values import to_item
from oms.stores.group_commit import Outcome
from tests.integration.commits import (
    EAST,
    HOT,
    WEST,
    Sent,
    committing,
    hot_changes,
    order_id,
    outcomes,
    placed,
    promising,
)
from tests.integration.company import NOON, at, balance, received, shelve
from tests.integration.fast_tables import fast_tables
from tests.integration.faults import Faults
from tests.integration.stage import Stage
from tests.unit import builders

MAX_ROW_BYTES = 8_000
MAX_REQUEST_BYTES = 4_000_000


@pytest.fixture
def stage(monkeypatch: pytest.MonkeyPatch) -> Iterator[Stage]:
    with fast_tables(monkeypatch) as made:
        yield made


@pytest.fixture
def sent(stage: Stage) -> Sent:
    return Sent(stage)


def all_committed(*results: Any) -> bool:
    return all(one.committed for one in results)


# ------------------------------------------------------------------------------------------------ how many share one


def test_98_orders_of_one_sku_are_one_transaction_with_one_update_of_its_stock(stage: Stage, sent: Sent) -> None:
    opening = shelve(stage, {HOT: 100})
    assert all_committed(*committing().commit(hot_changes(stage, 98)))
    assert len(sent.transactions) == 1
    assert sent.tables() == {"orders": 98, "stock": 1, "stock_movements": 1}
    balance(stage, opening)


def test_the_ledger_lists_all_98_orders_in_one_small_row(stage: Stage) -> None:
    shelve(stage, {HOT: 100})
    committing().commit(hot_changes(stage, 98))
    (row,) = stage.rows("stock_movements")
    listed = row.pop("entries")
    assert listed == [{"order_id": order_id(number), "version": 2, "quantity": 1} for number in range(98)]
    assert row == {
        "sku": HOT,
        "movement_id": row["movement_id"],
        "location_id": EAST,
        "location_day": f"{EAST}#2026-03-02",
        "effective_at": "2026-03-02T12:00:00Z",
        "recorded_at": "2026-03-02T12:00:00Z",
        "kinds": ["COMMIT"],
        "changes": {"available": -98, "committed": 98},
    }
    assert row["movement_id"].startswith(f"2026-03-02T12:00:00Z#{EAST}#")
    assert _item_size_bytes(to_item(row | {"entries": listed})) < MAX_ROW_BYTES


def test_the_99th_order_opens_a_transaction_of_its_own(stage: Stage, sent: Sent) -> None:
    opening = shelve(stage, {HOT: 100})
    assert all_committed(*committing().commit(hot_changes(stage, 99)))
    assert [len(one) for one in sent.transactions] == [100, 3]
    balance(stage, opening)


def test_twenty_orders_of_two_lines_that_share_nothing_fit_a_transaction(stage: Stage, sent: Sent) -> None:
    skus = {f"APART-{number:02}": 1 for number in range(80)}
    opening, names = shelve(stage, skus), sorted(skus)
    orders = [placed(stage, at, {names[2 * at]: 1, names[2 * at + 1]: 1}) for at in range(40)]
    assert all_committed(*committing().commit([promising(one) for one in orders]))
    assert [len(one) for one in sent.transactions] == [100, 100]
    assert [sent.tables(number)["orders"] for number in range(2)] == [20, 20]
    balance(stage, opening)


def test_orders_of_one_sku_find_together_however_they_are_mixed_with_those_of_another(stage: Stage, sent: Sent) -> None:
    opening = shelve(stage, {HOT: 60, "HOT-2": 60})
    orders = [placed(stage, at, {HOT if at % 2 else "HOT-2": 1}) for at in range(120)]
    assert all_committed(*committing().commit([promising(one) for one in orders]))
    assert [len(one) for one in sent.transactions] == [100, 26]
    rows = Counter(row["sku"] for row in stage.rows("stock_movements"))
    assert sorted(rows.values()) == [1, 2]
    balance(stage, opening)


def test_orders_that_move_no_stock_are_written_one_by_one_without_a_transaction(stage: Stage, sent: Sent) -> None:
    changes = [replace(one, moves=()) for one in hot_changes(stage, 3)]
    sent.puts = 0
    assert all_committed(*committing().commit(changes))
    assert (len(sent.transactions), sent.puts) == (0, 3)


def test_large_documents_are_spread_over_transactions_that_dynamodb_takes(stage: Stage, sent: Sent) -> None:
    """16 orders of 400 lines, most of them gift cards, are more than DynamoDB takes at once."""
    shelve(stage, {HOT: 20})
    cards = [builders.line(f"G{at}", "GIFT", title="A" * 520, unallocated=0, shipped=1) for at in range(400)]
    orders = [builders.received(builders.line("L1", HOT), *cards, order_id=order_id(number)) for number in range(16)]
    for order in orders:
        stage.put("orders", order)
    assert all_committed(*committing().commit([promising(one) for one in orders]))
    assert len(sent.transactions) == 2
    assert sum(sent.sizes) > MAX_REQUEST_BYTES > max(sent.sizes)
    assert stage.position(HOT, EAST).committed == 16
    assert sum(len(row["entries"]) for row in stage.rows("stock_movements")) == 16


# ------------------------------------------------------------------------------------------------ stock documents


def booked(sku: str, number: int, *moved: moves.StockMove, hours: float = 0) -> StockChange:
    """A line of a stock document."""
    moved = moved or (moves.receive(sku, EAST, 1),)
    return StockChange(change_id=f"doc-1#{number}", effective_at=at(0), at=at(hours), actor="desk", moves=moved)


def test_lines_of_a_document_share_transactions_and_each_has_its_own_row_in_the_ledger(
    stage: Stage, sent: Sent
) -> None:
    skus = {f"SKU-{number:02}": 5 for number in range(60)}
    opening = shelve(stage, skus)
    lines = [booked(sku, number) for number, sku in enumerate(sorted(skus))]
    assert all_committed(*committing().commit(lines))
    assert [len(one) for one in sent.transactions] == [100, 20]
    assert sorted(row["change_id"] for row in stage.rows("stock_movements")) == sorted(one.change_id for one in lines)
    balance(stage, opening)


def test_lines_at_one_position_are_one_update_and_a_row_each(stage: Stage, sent: Sent) -> None:
    opening = shelve(stage, {HOT: 5})
    assert all_committed(*committing().commit([booked(HOT, number) for number in range(99)]))
    assert [sent.tables(0)[table] for table in ("stock", "stock_movements")] == [1, 99]
    balance(stage, opening)


def test_a_line_booked_before_is_called_a_duplicate_and_holds_up_no_other(stage: Stage, sent: Sent) -> None:
    opening = shelve(stage, {HOT: 5})
    assert committing().commit_one(booked(HOT, 1)).committed
    again = [booked(HOT, number, hours=1) for number in range(3)]
    results = committing().commit(again)
    assert [one.outcome for one in results] == [Outcome.COMMITTED, Outcome.DUPLICATE, Outcome.COMMITTED]
    assert stage.position(HOT, EAST).on_hand == 8
    assert len(sent.transactions) == 3
    balance(stage, opening)


def test_both_legs_of_a_transfer_are_written_or_none(stage: Stage) -> None:
    opening = shelve(stage, {HOT: 5}) | {(HOT, WEST): 0}
    well = booked(HOT, 1, *moves.transfer(HOT, EAST, WEST, 5))
    late = booked(HOT, 2, *moves.transfer(HOT, EAST, WEST, 1))
    results = committing().commit([well, late])
    assert [one.outcome for one in results] == [Outcome.COMMITTED, Outcome.STOCK_SHORT]
    assert (stage.position(HOT, EAST).on_hand, stage.position(HOT, WEST).on_hand) == (0, 5)
    balance(stage, opening)


# ------------------------------------------------------------------------------------------------ counts


def counted(stage: Stage, units: int, hours: float, *, read: StockPosition | None = None) -> StockChange:
    """A count of HOT that rests on the position as it was read."""
    position = read or stage.position(HOT, EAST)
    move = moves.snapshot(position, units)
    basis = Count(sku=HOT, location_id=EAST, on_hand_version=position.on_hand_version, as_of=at(hours))
    return StockChange(
        change_id=f"count-{hours}",
        effective_at=at(hours),
        at=at(hours),
        actor="counter",
        moves=(move,) if move else (),
        count=basis,
    )


def shipping(stage: Stage, number: int, hours: float) -> OrderChange:
    """The change of an order whose parcel left at this hour and is told of only much later."""
    order: Order = stage.order(order_id(number))
    (work,) = order.fulfillments
    told = builders.report(
        "shipped", work.fulfillment_id, EAST, occurred_at=at(hours), shipment_id=f"parcel-{number}", lines={"L1": 1}
    )
    change = apply_report(order, told, builders.context(9))
    assert change is not None
    return change


def test_what_left_before_the_count_is_in_it_and_what_left_after_is_not(stage: Stage, sent: Sent) -> None:
    """Of 10 two are packed; one parcel leaves, 9 are counted, then the other leaves. Both are told of late, at once."""
    opening = shelve(stage, {HOT: 10})
    assert all_committed(*committing().commit(hot_changes(stage, 2)))
    assert committing().commit_one(counted(stage, 9, hours=2)).committed
    assert stage.position(HOT, EAST).available == 7
    sent.transactions.clear()
    assert all_committed(*committing().commit([shipping(stage, 0, hours=1), shipping(stage, 1, hours=3)]))
    position = stage.position(HOT, EAST)
    assert (position.on_hand, position.available, position.committed) == (8, 8, 0)
    assert [sent.tables(number)["orders"] for number in range(2)] == [2, 2]
    (row,) = [row for row in stage.rows("stock_movements") if row["kinds"] == ["SHIP"]]
    assert row["changes"] == {"available": 1, "committed": -2, "on_hand": -1}
    assert row["effective_at"] == "2026-03-02T15:00:00Z"
    assert row["entries"][0]["effective_at"] == "2026-03-02T13:00:00Z"
    assert row["entries"][0]["on_hand"] == 0
    assert "effective_at" not in row["entries"][1]
    balance(stage, opening)


@pytest.mark.parametrize(("seconds", "available"), [(-0.5, 10), (0.0, 10), (0.5, 10), (1.0, 9)])
def test_a_parcel_that_left_within_the_second_of_the_count_is_taken_to_be_in_it(
    stage: Stage, seconds: float, available: int
) -> None:
    """Moments are kept in whole seconds."""
    opening = shelve(stage, {HOT: 10})
    assert all_committed(*committing().commit(hot_changes(stage, 1)))
    assert committing().commit_one(counted(stage, 10, hours=2)).committed
    assert committing().commit_one(shipping(stage, 0, hours=2 + seconds / 3600)).committed
    assert stage.position(HOT, EAST).available == available
    balance(stage, opening)


def test_a_count_never_overwrites_a_newer_one(stage: Stage) -> None:
    opening = shelve(stage, {HOT: 10})
    assert committing().commit_one(counted(stage, 8, hours=3)).committed
    older = committing().commit_one(counted(stage, 10, hours=2))
    assert older.outcome is Outcome.POSITION_CHANGED
    assert [one.on_hand for one in older.positions] == [8]
    assert stage.position(HOT, EAST).snapshot_as_of == at(3)
    balance(stage, opening)


@pytest.mark.parametrize("units", [9, 10], ids=["with a difference", "without one"])
def test_units_that_came_and_went_while_a_count_was_judged_are_noticed(stage: Stage, units: int) -> None:
    opening = shelve(stage, {HOT: 10})
    read = stage.position(HOT, EAST)
    assert committing().commit_one(received(HOT, EAST, 1)).committed
    assert committing().commit_one(booked(HOT, 7, moves.adjust(HOT, EAST, -1))).committed
    assert stage.position(HOT, EAST).on_hand == read.on_hand
    judged = committing().commit_one(counted(stage, units, hours=2, read=read))
    assert judged.outcome is Outcome.POSITION_CHANGED
    assert committing().commit_one(counted(stage, units, hours=2)).committed
    assert stage.position(HOT, EAST).on_hand == units
    balance(stage, opening)


def test_promises_made_while_a_count_is_judged_do_not_disturb_it(stage: Stage) -> None:
    opening = shelve(stage, {HOT: 10})
    count = counted(stage, 9, hours=2)
    assert all_committed(*committing().commit(hot_changes(stage, 3)))
    assert committing().commit_one(count).committed
    position = stage.position(HOT, EAST)
    assert (position.on_hand, position.available, position.committed) == (9, 6, 3)
    balance(stage, opening)


def test_a_count_and_other_lines_at_the_same_position_go_one_after_the_other(stage: Stage, sent: Sent) -> None:
    opening = shelve(stage, {HOT: 10})
    lines = [counted(stage, 9, hours=2), booked(HOT, 1, moves.mark_damaged(HOT, EAST, 1))]
    assert all_committed(*committing().commit(lines))
    assert [len(one) for one in sent.transactions] == [2, 2]
    assert stage.position(HOT, EAST).damaged == 1
    balance(stage, opening)


# ------------------------------------------------------------------------------------------------ carts


def cart(stage: Stage, number: int = 1, units: int = 2) -> Reservation:
    """A cart's hold, in its table."""
    lines = (ReservedLine(sku=HOT, location_id=EAST, quantity=units),)
    held = reserve(f"cart-{number}", lines, minutes=30, content_hash="h", now=NOON)
    assert committing().commit_one(of_cart(held, *taking(held))).committed
    return held


def of_cart(reservation: Reservation, *moved: moves.StockMove) -> StockChange:
    return StockChange(
        change_id=reservation.reservation_id,
        effective_at=NOON,
        at=NOON,
        actor="cart",
        moves=moved,
        reservation=reservation,
    )


def test_an_order_takes_over_the_hold_of_its_cart_in_one_transaction(stage: Stage, sent: Sent) -> None:
    opening = shelve(stage, {HOT: 2})
    held = cart(stage)
    order = placed(stage, 1, {HOT: 2})
    change = promising(order)
    both = (moves.unreserve(HOT, EAST, 2), *change.moves)
    taken = replace(change, moves=both, reservation=consume(held, order.order_id, NOON))
    assert committing().commit_one(taken).committed
    assert sent.tables(-1) == {"orders": 1, "reservations": 1, "stock": 1, "stock_movements": 1}
    assert stage.position(HOT, EAST).committed == 2
    (row,) = stage.rows("reservations")
    assert row["status"] == "CONSUMED"
    balance(stage, opening)


def test_a_hold_that_ended_meanwhile_is_told_as_it_is_and_the_order_is_not_written(stage: Stage) -> None:
    opening = shelve(stage, {HOT: 2})
    held = cart(stage)
    ended = replace(held, version=2, status=ReservationStatus.EXPIRED, expiry_hour=None, ended_at=at(1))
    assert committing().commit_one(of_cart(ended, moves.unreserve(HOT, EAST, 2))).committed
    order = placed(stage, 1, {HOT: 2})
    taken = replace(
        promising(order), moves=(moves.unreserve(HOT, EAST, 2),), reservation=consume(held, order.order_id, NOON)
    )
    result = committing().commit_one(taken)
    assert (result.outcome, result.reservation) == (Outcome.RESERVATION_CHANGED, ended)
    assert stage.order(order.order_id) == order
    balance(stage, opening)


def test_the_carts_of_a_rush_share_a_transaction_and_the_last_ones_find_nothing_left(stage: Stage, sent: Sent) -> None:
    opening = shelve(stage, {HOT: 30})
    lines = (ReservedLine(sku=HOT, location_id=EAST, quantity=1),)
    holds = [reserve(f"cart-{at:02}", lines, minutes=30, content_hash="h", now=NOON) for at in range(40)]
    results = committing().commit([of_cart(one, *taking(one)) for one in holds])
    assert [one.committed for one in results] == [True] * 30 + [False] * 10
    assert outcomes(results) == {Outcome.COMMITTED: 30, Outcome.STOCK_SHORT: 10}
    assert len(sent.transactions) == 2
    assert stage.position(HOT, EAST).reserved == 30
    balance(stage, opening)


def test_a_cart_whose_answer_was_lost_is_held_once(stage: Stage, faults: Faults) -> None:
    opening = shelve(stage, {HOT: 2})
    faults.time_out_after(times=1)
    cart(stage)
    assert faults.hits == 1
    assert stage.position(HOT, EAST).reserved == 2
    balance(stage, opening)
