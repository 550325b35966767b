"""Stock as a ledger: buckets always add up, moves balance, and only promises need permission."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from oms.domain import stock
from oms.domain.errors import InvariantBroken
from oms.domain.stock import Bucket, MoveKind, StockMove, StockPosition

MOVES = (stock.commit, stock.release, stock.ship, stock.overship, stock.not_found, stock.damage)
Make = Callable[[str, str, int], StockMove]


def position(**buckets: int) -> StockPosition:
    return StockPosition(sku="MUG", location_id="ny", **buckets)


@pytest.mark.parametrize(
    ("make", "after"),
    [
        pytest.param(
            stock.commit,
            position(on_hand=10, available=3, committed=7),
            id="a promise moves units from available to committed",
        ),
        pytest.param(
            stock.release,
            position(on_hand=10, available=7, committed=3),
            id="a promise taken back moves them back",
        ),
        pytest.param(
            stock.ship,
            position(on_hand=8, available=5, committed=3),
            id="shipping takes promised units off the books",
        ),
        pytest.param(
            stock.overship,
            position(on_hand=8, available=3, committed=5),
            id="shipping unpromised units takes them from available",
        ),
        pytest.param(
            stock.not_found,
            position(on_hand=8, available=5, committed=3),
            id="units not found leave the books and are promised no more",
        ),
        pytest.param(
            stock.damage,
            position(on_hand=10, available=5, committed=3, damaged=2),
            id="damaged units stay on hand, but can't be sold",
        ),
    ],
)
def test_a_move_shifts_units_between_buckets(make: Make, after: StockPosition) -> None:
    before = position(on_hand=10, available=5, committed=5)
    assert before.after(make("MUG", "ny", 2).deltas) == after


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
        pytest.param([stock.commit("MUG", "ny", 3)], 3, id="a promise needs its units"),
        pytest.param([stock.commit("MUG", "ny", 3), stock.commit("MUG", "ny", 2)], 5, id="two promises need both"),
        pytest.param(
            [stock.commit("MUG", "ny", 3), stock.release("MUG", "ny", 2)],
            1,
            id="what is given back may be promised",
        ),
        pytest.param([stock.release("MUG", "ny", 2)], 0, id="giving back needs nothing"),
        pytest.param([stock.overship("MUG", "ny", 9)], 0, id="what left the building asks no permission"),
        pytest.param([stock.not_found("MUG", "ny", 9), stock.commit("MUG", "ny", 1)], 1, id="nor does what is missing"),
        pytest.param([], 0, id="no moves"),
    ],
)
def test_only_promises_need_available_units(moves: list[StockMove], needed: int) -> None:
    assert stock.taken(moves) == needed


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
def test_a_promise_kept_to_what_is_available_never_sells_what_is_not_there(moves: list[StockMove]) -> None:
    """Promises refused where `taken` exceeds `available`: then nothing but the physical world makes it negative."""
    here = position(on_hand=50, available=50)
    surprises = 0
    for move in moves:
        if stock.taken([move]) <= here.available:
            here = here.after(move.deltas)
            surprises += move.quantity if move.kind is MoveKind.OVERSHIP else 0
    assert here.available >= -surprises


def test_moves_that_cancel_each_other_out_net_to_nothing() -> None:
    assert stock.net([stock.commit("MUG", "ny", 3), stock.release("MUG", "ny", 3)]) == {}
