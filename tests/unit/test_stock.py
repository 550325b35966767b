"""Stock as a ledger: buckets always add up, moves balance, and only promises need permission."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from oms.domain import stock
from oms.domain.errors import InvariantBroken
from oms.domain.stock import Bucket, Disposition, MoveKind, StockMove, StockPosition

Make = Callable[[str, str, int], StockMove]
COUNTED_AT = datetime(2026, 3, 2, 12, tzinfo=UTC)


def returned(disposition: Disposition) -> Make:
    return lambda sku, location_id, quantity: stock.return_(sku, location_id, quantity, disposition)


def transferred(leg: int) -> Make:
    """One leg of a transfer from `ny` or to it."""
    places = ("ny", "ca") if leg == 0 else ("ca", "ny")
    return lambda sku, _, quantity: stock.transfer(sku, *places, quantity)[leg]


MOVES: tuple[Make, ...] = (
    stock.commit,
    stock.release,
    stock.ship,
    stock.overship,
    stock.not_found,
    stock.damage,
    stock.reserve,
    stock.unreserve,
    stock.receive,
    *(returned(disposition) for disposition in Disposition),
    stock.adjust,
    stock.mark_damaged,
    stock.scrap,
    stock.quality_hold,
    stock.quality_pass,
    stock.quality_fail,
    transferred(0),
    transferred(1),
)
PHYSICAL = (MoveKind.OVERSHIP, MoveKind.ADJUST, MoveKind.MARK_DAMAGED, MoveKind.QUALITY_HOLD)
"""Reports that may take from `available` what is not there."""


def position(**buckets: Any) -> StockPosition:
    return StockPosition(sku="MUG", location_id="ny", **buckets)


@pytest.mark.parametrize(
    ("make", "change"),
    [
        pytest.param(
            stock.commit, {"available": -2, "committed": 2}, id="a promise moves units from available to committed"
        ),
        pytest.param(stock.release, {"available": 2, "committed": -2}, id="a promise taken back moves them back"),
        pytest.param(stock.ship, {"on_hand": -2, "committed": -2}, id="shipping takes promised units off the books"),
        pytest.param(
            stock.overship, {"on_hand": -2, "available": -2}, id="shipping unpromised units takes them from available"
        ),
        pytest.param(
            stock.not_found,
            {"on_hand": -2, "committed": -2},
            id="units not found leave the books and are promised no more",
        ),
        pytest.param(stock.damage, {"committed": -2, "damaged": 2}, id="damaged units stay on hand, but can't be sold"),
        pytest.param(stock.reserve, {"available": -2, "reserved": 2}, id="a cart holds units that were available"),
        pytest.param(
            stock.unreserve, {"available": 2, "reserved": -2}, id="a cart's hold ends and they are available again"
        ),
        pytest.param(stock.receive, {"on_hand": 2, "available": 2}, id="goods that arrive may be sold"),
        pytest.param(
            returned(Disposition.SELLABLE),
            {"on_hand": 2, "available": 2},
            id="a return in good order may be sold again",
        ),
        pytest.param(
            returned(Disposition.QUALITY_CONTROL),
            {"on_hand": 2, "quality_control": 2},
            id="a doubtful return waits for inspection",
        ),
        pytest.param(
            returned(Disposition.DAMAGED),
            {"on_hand": 2, "damaged": 2},
            id="a broken return is on hand and can't be sold",
        ),
        pytest.param(
            stock.adjust, {"on_hand": 2, "available": 2}, id="an adjustment changes what is on hand and may be sold"
        ),
        pytest.param(stock.mark_damaged, {"available": -2, "damaged": 2}, id="unpromised units turn out to be damaged"),
        pytest.param(stock.scrap, {"on_hand": -2, "damaged": -2}, id="scrapped units leave the books"),
        pytest.param(
            stock.quality_hold,
            {"available": -2, "quality_control": 2},
            id="units set aside for inspection can't be sold",
        ),
        pytest.param(
            stock.quality_pass, {"available": 2, "quality_control": -2}, id="inspected units may be sold again"
        ),
        pytest.param(stock.quality_fail, {"damaged": 2, "quality_control": -2}, id="inspected units are damaged"),
        pytest.param(transferred(0), {"on_hand": -2, "available": -2}, id="a transfer takes units from one location"),
        pytest.param(transferred(1), {"on_hand": 2, "available": 2}, id="and brings them to the other"),
    ],
)
def test_a_move_shifts_units_between_buckets(make: Make, change: dict[str, int]) -> None:
    assert make("MUG", "ny", 2).deltas == change


def test_an_adjustment_may_also_take_units_away() -> None:
    after = position(on_hand=5, available=5).after(stock.adjust("MUG", "ny", -2).deltas)
    assert after == position(on_hand=3, available=3)


def test_a_transfer_moves_the_same_units_out_of_one_location_and_into_the_other() -> None:
    out, into = stock.transfer("MUG", "ny", "ca", 3)
    assert (out.location_id, into.location_id) == ("ny", "ca")
    assert stock.net([out, into]) == {}


def test_a_position_whose_buckets_do_not_add_up_cannot_exist() -> None:
    with pytest.raises(InvariantBroken):
        position(on_hand=10, available=5, committed=4)


def test_a_move_whose_legs_do_not_balance_cannot_exist() -> None:
    with pytest.raises(InvariantBroken):
        StockMove(sku="MUG", location_id="ny", kind=MoveKind.SHIP, quantity=1, deltas={Bucket.COMMITTED: -1})


def test_more_may_leave_the_building_than_the_books_say() -> None:
    after = position(on_hand=1, available=1).after(stock.overship("MUG", "ny", 3).deltas)
    assert (after.on_hand, after.available) == (-2, -2)


@pytest.mark.parametrize(
    ("counted", "available"),
    [
        pytest.param(12, 7, id="more than the books say"),
        pytest.param(7, 2, id="less than the books say"),
        pytest.param(2, -3, id="less than is promised"),
        pytest.param(0, -5, id="nothing at all"),
    ],
)
def test_a_count_sets_what_is_on_hand_and_leaves_promises_alone(counted: int, available: int) -> None:
    before = position(on_hand=10, available=5, committed=4, reserved=1)
    move = stock.snapshot(before, counted)
    assert move is not None
    after = before.after(move.deltas)
    assert after == position(on_hand=counted, available=available, committed=4, reserved=1)


def test_a_count_that_agrees_with_the_books_moves_nothing() -> None:
    assert stock.snapshot(position(on_hand=3, available=3), 3) is None


@pytest.mark.parametrize(
    ("moves", "needed"),
    [
        pytest.param([stock.commit("MUG", "ny", 3)], {"available": 3}, id="a promise needs its units"),
        pytest.param(
            [stock.commit("MUG", "ny", 3), stock.reserve("MUG", "ny", 2)],
            {"available": 5},
            id="an order and a cart need both theirs",
        ),
        pytest.param(
            [stock.commit("MUG", "ny", 3), stock.release("MUG", "ny", 2)],
            {"available": 1},
            id="what is given back may be promised",
        ),
        pytest.param(
            [stock.unreserve("MUG", "ny", 2), stock.commit("MUG", "ny", 2)],
            {},
            id="a cart that becomes an order needs no more than it held",
        ),
        pytest.param([stock.release("MUG", "ny", 2)], {}, id="giving back needs nothing"),
        pytest.param([transferred(0)("MUG", "ny", 2)], {"available": 2}, id="nothing leaves for elsewhere unpromised"),
        pytest.param([transferred(1)("MUG", "ny", 2)], {}, id="what arrives needs nothing"),
        pytest.param([stock.scrap("MUG", "ny", 2)], {"damaged": 2}, id="only damaged units are scrapped"),
        pytest.param(
            [stock.quality_pass("MUG", "ny", 2), stock.quality_fail("MUG", "ny", 1)],
            {"quality_control": 3},
            id="only units under inspection are inspected",
        ),
        pytest.param([stock.overship("MUG", "ny", 9)], {}, id="what left the building asks no permission"),
        pytest.param(
            [stock.not_found("MUG", "ny", 9), stock.commit("MUG", "ny", 1)],
            {"available": 1},
            id="nor does what is missing",
        ),
        pytest.param([stock.adjust("MUG", "ny", -9), stock.mark_damaged("MUG", "ny", 9)], {}, id="nor what is seen"),
        pytest.param([], {}, id="no moves"),
    ],
)
def test_only_what_is_promised_or_handed_out_must_be_there(moves: list[StockMove], needed: dict[str, int]) -> None:
    assert stock.required(moves) == needed


@pytest.mark.parametrize(
    ("make", "before_count", "after_count"),
    [
        pytest.param(
            stock.ship,
            {"committed": -2, "available": 2},
            {"committed": -2, "on_hand": -2},
            id="shipped before the count: the promise ends and the count stands",
        ),
        pytest.param(stock.overship, {}, {"available": -2, "on_hand": -2}, id="too much shipped before the count"),
        pytest.param(
            stock.not_found,
            {"committed": -2, "available": 2},
            {"committed": -2, "on_hand": -2},
            id="missed before the count",
        ),
        pytest.param(stock.receive, {}, {"available": 2, "on_hand": 2}, id="received before the count"),
        pytest.param(
            stock.damage,
            {"committed": -2, "damaged": 2},
            {"committed": -2, "damaged": 2},
            id="damaged goods are on hand as before",
        ),
    ],
)
def test_what_happened_before_a_count_is_in_the_count_already(
    make: Make, before_count: dict[str, int], after_count: dict[str, int]
) -> None:
    def booked(seconds: int) -> dict[Bucket, int]:
        move = replace(make("MUG", "ny", 2), effective_at=COUNTED_AT + timedelta(seconds=seconds))
        return dict(stock.after_count(move, COUNTED_AT).deltas)

    assert booked(-1) == before_count
    assert booked(0) == before_count
    assert booked(1) == after_count


def test_a_move_that_says_no_time_happens_now_and_so_after_any_count() -> None:
    move = stock.ship("MUG", "ny", 2)
    assert stock.after_count(move, COUNTED_AT) is move


def test_a_correction_brings_a_position_to_what_its_ledger_says() -> None:
    move = stock.correction("MUG", "ny", {Bucket.COMMITTED: -2, Bucket.AVAILABLE: 2, Bucket.ON_HAND: 0})
    assert move.deltas == {Bucket.COMMITTED: -2, Bucket.AVAILABLE: 2}
    assert move.quantity == 4
    with pytest.raises(InvariantBroken):
        stock.correction("MUG", "ny", {Bucket.COMMITTED: -2})


def test_moves_are_gathered_by_position_whatever_order_they_come_in() -> None:
    moves = [stock.commit("TEE", "ny", 1), stock.ship("MUG", "ny", 2), stock.commit("MUG", "ca", 3)]
    expected = {("MUG", "ca"): [moves[2]], ("MUG", "ny"): [moves[1]], ("TEE", "ny"): [moves[0]]}
    for given_order in (moves, moves[::-1]):
        grouped = stock.by_position(given_order)
        assert grouped == expected
        assert list(grouped) == list(expected)


a_move = st.builds(lambda make, quantity: make("MUG", "ny", quantity), st.sampled_from(MOVES), st.integers(0, 100))


@given(st.lists(a_move, max_size=20))
def test_after_any_moves_the_buckets_still_add_up_and_equal_the_net_of_the_moves(
    moves: list[StockMove],
) -> None:
    one_by_one = position(on_hand=50, available=50)
    for move in moves:
        one_by_one = one_by_one.after(move.deltas)
    assert one_by_one == position(on_hand=50, available=50).after(stock.net(moves))


@given(st.lists(a_move, max_size=20))
def test_what_is_refused_where_it_is_not_there_never_sells_what_is_not_there(moves: list[StockMove]) -> None:
    """Refused where `required` exceeds a bucket: then nothing but the physical world makes `available` negative."""
    here = position(on_hand=60, available=40, damaged=10, quality_control=10)
    surprises = 0
    for move in moves:
        if all(units <= getattr(here, bucket) for bucket, units in stock.required([move]).items()):
            here = here.after(move.deltas)
            surprises += move.quantity if move.kind in PHYSICAL else 0
    assert here.available >= -surprises
    assert min(here.damaged, here.quality_control) >= 0


@given(a_move, st.integers(-2, 2))
def test_a_late_report_leaves_what_was_counted_alone_and_still_balances(move: StockMove, seconds: int) -> None:
    dated = replace(move, effective_at=COUNTED_AT + timedelta(seconds=seconds))
    booked = stock.after_count(dated, COUNTED_AT)
    unpromised = (Bucket.ON_HAND, Bucket.AVAILABLE)
    for bucket in Bucket:
        if bucket not in unpromised:
            assert booked.deltas.get(bucket, 0) == move.deltas.get(bucket, 0)
    assert booked.deltas.get(Bucket.ON_HAND, 0) == (move.deltas.get(Bucket.ON_HAND, 0) if seconds > 0 else 0)


def test_moves_that_cancel_each_other_out_net_to_nothing() -> None:
    assert stock.net([stock.commit("MUG", "ny", 3), stock.release("MUG", "ny", 3)]) == {}
