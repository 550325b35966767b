"""Packing changes into transactions, and who goes out when a transaction is refused: for any changes whatever."""

from __future__ import annotations

from collections import Counter
from datetime import timedelta
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from oms.domain import stock
from oms.domain.changes import OrderChange
from oms.domain.stock import Bucket, StockPosition, required
from oms.stores.movements import Booking, shared_row
from oms.stores.packing import MAX_ACTIONS, MAX_BYTES, Pack, Position, Prepared, Role, halves, pack, together
from oms.stores.transactions import Shortage, book_after_count, served_first
from tests.unit.builders import NOON, line, received

ORDER = OrderChange(order=received(line("L1", "MUG")))
Change = Prepared[OrderChange]


def change(place: int, *skus: str, units: int = 1, others: int = 0, size: int = 0, **facts: Any) -> Change:
    """A change of an order that takes units of skus at one location, and writes other rows beside them."""
    moves = {(sku, "W"): [stock.commit(sku, "W", units)] for sku in skus}
    guards: list[Any] = [(Role.ORDER, {})]
    return Prepared(place, ORDER, moves, guards, [{}] * others, size=size, **facts)


def count(place: int, sku: str, *, moves: bool = True) -> Change:
    """A count: its position is its own, its row too."""
    made = change(place, *([sku] if moves else []), own=frozenset({(sku, "W")}), documented=True)
    made.guards.clear()
    return made


def actions(one: Pack[OrderChange]) -> int:
    """Actions of the transaction, counted by hand: documents, other rows, each position and each row of the ledger."""
    positions: set[Position] = set().union(*(change.positions for change in one.changes))
    shared: set[Position] = set().union(*(change.moves for change in one.changes if not change.documented))
    documented = sum(len(change.moves) for change in one.changes if change.documented)
    return sum(len(c.guards) + len(c.others) for c in one.changes) + len(positions) + len(shared) + documented


def places(packs: list[Pack[OrderChange]]) -> list[list[int]]:
    return [[one.place for one in made.changes] for made in packs]


# ------------------------------------------------------------------------------------------------ packing

SKUS = st.sampled_from(["A", "B", "C", "D", "E"])


@st.composite
def changes(draw: st.DrawFn) -> list[Change]:
    """Orders, counts and documents that move no stock, mixed."""
    made = []
    for place in range(draw(st.integers(1, 60))):
        kind = draw(st.sampled_from(["order", "order", "order", "count", "document"]))
        if kind == "count":
            made.append(count(place, draw(SKUS), moves=draw(st.booleans())))
        else:
            skus = sorted(draw(st.sets(SKUS, max_size=3))) if kind == "order" else []
            size = draw(st.sampled_from([0, 0, 3_000, MAX_BYTES // 2]))
            made.append(change(place, *skus, others=draw(st.sampled_from([0, 0, 1, 30])), size=size))
    return made


@given(changes())
def test_every_change_is_in_exactly_one_transaction_and_each_is_one_that_dynamodb_takes(given_: list[Change]) -> None:
    packs = pack(given_)
    assert sorted(place for made in places(packs) for place in made) == [one.place for one in given_]
    for made in packs:
        assert actions(made) == made.actions <= MAX_ACTIONS
        assert sum(one.size for one in made.changes) <= MAX_BYTES
        assert all(first.place < second.place for first, second in pairwise(made.changes))


@given(changes())
def test_nobody_else_touches_the_position_of_a_count_in_its_transaction(given_: list[Change]) -> None:
    for made in pack(given_):
        touched = Counter(position for one in made.changes for position in one.positions)
        assert all(touched[position] == 1 for one in made.changes for position in one.own)


@given(changes())
def test_a_document_alone_shares_its_write_with_nobody(given_: list[Change]) -> None:
    for made in pack(given_):
        assert len(made.changes) == 1 or not any(one.is_one_document for one in made.changes)


@given(changes())
def test_a_transaction_in_two_halves_is_the_same_changes_in_the_same_order(given_: list[Change]) -> None:
    for made in pack(given_):
        first, second = halves(made)
        assert first.changes + second.changes == made.changes
        assert abs(len(first.changes) - len(second.changes)) <= 1
        assert first.actions == actions(first)
        assert together(made.changes) == made


@pytest.mark.parametrize(
    ("made", "sizes"),
    [
        pytest.param([change(n, "A") for n in range(98)], [98], id="98 orders of one sku"),
        pytest.param([change(n, "A") for n in range(490)], [98] * 5, id="a batch of 490 of one sku"),
        pytest.param([change(n, f"A{n}", f"B{n}") for n in range(40)], [20, 20], id="two lines that share nothing"),
        pytest.param([change(n, "A", "B") for n in range(96)], [96], id="two lines of the same two skus"),
        pytest.param([change(n, "A", others=1) for n in range(98)], [49, 49], id="a row in the queue each"),
        pytest.param([change(n, "A", size=MAX_BYTES // 3) for n in range(7)], [3, 3, 1], id="large documents"),
        pytest.param([change(n) for n in range(3)], [1, 1, 1], id="documents alone"),
        pytest.param([change(n, "A", size=2 * MAX_BYTES) for n in range(2)], [1, 1], id="too large for any"),
        pytest.param([change(0, "A"), count(1, "A"), change(2, "A")], [1, 1, 1], id="a count between two orders"),
        pytest.param([count(0, "A", moves=False), count(1, "B", moves=False)], [2], id="counts that agree"),
        pytest.param([], [], id="nothing"),
    ],
)
def test_so_many_changes_share_a_transaction(made: list[Change], sizes: list[int]) -> None:
    assert [len(one.changes) for one in pack(made)] == sizes


def test_changes_of_one_position_come_in_the_order_they_were_given() -> None:
    made = [change(place, "A" if place % 3 else "B") for place in range(200)]
    order = [place for one in places(pack(made)) for place in one if place % 3]
    assert order == sorted(order)


# ------------------------------------------------------------------------------------------------ who goes out


def shortage(sku: str, there: int, wanting: list[Change]) -> Shortage[OrderChange]:
    position = StockPosition(sku=sku, location_id="W", on_hand=there, available=there)
    return Shortage((sku, "W"), position, [one for one in wanting if (sku, "W") in one.moves])


@given(
    st.lists(st.tuples(st.sets(st.sampled_from(["A", "B"]), min_size=1), st.integers(1, 4)), min_size=1, max_size=12),
    st.integers(0, 12),
    st.integers(0, 12),
)
def test_a_change_goes_out_only_if_what_the_kept_ones_before_it_leave_is_too_little(
    wanted: list[tuple[set[str], int]], there_a: int, there_b: int
) -> None:
    made = [change(place, *sorted(skus), units=units) for place, (skus, units) in enumerate(wanted)]
    there = {"A": there_a, "B": there_b}
    out = {one.place: short for one, short in served_first([shortage(sku, n, made) for sku, n in there.items()])}
    left = dict(there)
    for place, (skus, units) in enumerate(wanted):
        lacking = {sku for sku in skus if left[sku] < units}
        assert {where.position[0] for where in out.get(place, [])} == lacking
        if not lacking:
            left |= {sku: left[sku] - units for sku in skus}


def test_what_is_given_back_makes_room_for_those_after_it() -> None:
    back, taking = change(0, "A"), change(1, "A", units=2)
    back.moves["A", "W"] = [stock.release("A", "W", 2)]
    assert served_first([shortage("A", 0, [back, taking])]) == []


def test_where_nothing_was_ever_booked_nobody_is_served() -> None:
    wanting = [change(0, "A"), change(1, "A")]
    nowhere: Shortage[OrderChange] = Shortage(("A", "W"), None, wanting)
    assert [one.place for one, _ in served_first([nowhere])] == [0, 1]


# ------------------------------------------------------------------------------------------------ after a count


@pytest.mark.parametrize(("minutes", "turned"), [(-1, True), (0, True), (1, False), (None, False)])
def test_what_happened_before_the_position_was_counted_leaves_on_hand_alone(minutes: int | None, turned: bool) -> None:
    one = change(0, "A")
    when = None if minutes is None else NOON + timedelta(minutes=minutes)
    (moved,) = stock.by_position([stock.ship("A", "W", 1)]).values()
    one.moves["A", "W"] = [_dated(move, when) for move in moved]
    counted = StockPosition(sku="A", location_id="W", snapshot_as_of=NOON)
    assert book_after_count([one], ("A", "W"), counted) is turned
    (move,) = one.moves["A", "W"]
    on_hand = move.deltas.get(Bucket.ON_HAND, 0)
    assert on_hand == (0 if turned else -1)
    assert move.deltas[Bucket.COMMITTED] == -1
    assert required([move]) == {}


def test_what_was_booked_after_the_count_once_is_not_turned_again() -> None:
    one = change(0, "A")
    one.moves["A", "W"] = [_dated(stock.ship("A", "W", 1), NOON)]
    counted = StockPosition(sku="A", location_id="W", snapshot_as_of=NOON)
    assert book_after_count([one], ("A", "W"), counted)
    assert not book_after_count([one], ("A", "W"), counted)
    assert not book_after_count([one], ("A", "W"), None)


def _dated(move: stock.StockMove, when: Any) -> stock.StockMove:
    return stock.StockMove(
        sku=move.sku,
        location_id=move.location_id,
        kind=move.kind,
        quantity=move.quantity,
        deltas=move.deltas,
        effective_at=when,
    )


# ------------------------------------------------------------------------------------------------ the ledger's row


@given(st.lists(st.tuples(st.integers(-5, 5), st.integers(1, 3), st.booleans()), min_size=1, max_size=8))
def test_the_row_of_a_transaction_tells_what_changed_on_hand_after_any_moment(
    happened: list[tuple[int, int, bool]],
) -> None:
    """What an audit or a late count needs: the row's change, less that of entries which happened by then."""
    bookings, moves = [], []
    for number, (minutes, units, ships) in enumerate(happened):
        when = NOON + timedelta(minutes=minutes)
        move = _dated(stock.ship("A", "W", units) if ships else stock.commit("A", "W", units), when)
        moves.append(move)
        bookings.append(Booking({"order_id": f"o-{number}", "version": 3}, [move]))
    row = shared_row(bookings, NOON)
    latest = max(move.effective_at for move in moves if move.effective_at)
    assert row["effective_at"] == f"{latest:%Y-%m-%dT%H:%M:%SZ}"
    for minutes in range(-6, 5):
        as_of = NOON + timedelta(minutes=minutes)
        if as_of >= latest:
            continue
        text = f"{as_of:%Y-%m-%dT%H:%M:%SZ}"
        before = sum(one["on_hand"] for one in row["entries"] if one.get("effective_at", "9") <= text)
        after = sum(m.deltas.get(Bucket.ON_HAND, 0) for m in moves if m.effective_at and m.effective_at > as_of)
        assert row["changes"].get("on_hand", 0) - before == after
