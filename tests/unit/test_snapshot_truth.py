"""Whatever the books said and however late things are told: after one complete snapshot on_hand is what is there."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from oms.domain import stock
from oms.domain.counted_rows import CountedRow
from oms.domain.snapshots import Reading, Snapshot, StockPolicy, Terms, judge
from oms.domain.stock import Bucket, StockMove, StockPosition, after_count, net

SKUS = ("MUG", "TEE")
KINDS = {"shipped": stock.ship, "sold over the counter": stock.overship, "received": stock.receive}
NOON = datetime(2026, 3, 2, 12, tzinfo=UTC)


def minute(number: int) -> datetime:
    return NOON + timedelta(minutes=number)


@dataclass(frozen=True)
class Fact:
    """Something that moved units at one minute and is told at another."""

    sku: str
    kind: str
    units: int
    happened: int
    told: int


@dataclass
class Books:
    """Positions with their ledger, as a commit keeps them."""

    positions: dict[str, StockPosition]
    ledger: list[tuple[str, datetime, int]] = field(default_factory=list)

    def tell(self, fact: Fact) -> None:
        move = replace(KINDS[fact.kind](fact.sku, "ny", fact.units), effective_at=minute(fact.happened))
        counted_at = self.positions[fact.sku].snapshot_as_of
        self._book(after_count(move, counted_at) if counted_at else move, minute(fact.happened))

    def count(self, as_of: datetime, counted: Counter[str]) -> None:
        """Books a complete snapshot: what it leaves out is none."""
        head = Snapshot(
            snapshot_id="S1", version=1, location_id="ny", as_of=as_of, received_at=as_of, actor="counter", chunks=1
        )
        for number, sku in enumerate(self.positions, start=1):
            terms = Terms(policy=StockPolicy(), now=as_of, approved=True, left_out=sku not in counted)
            made = judge(head, CountedRow(row=number, sku=sku, on_hand=counted[sku]), self._reading(sku, as_of), terms)
            if made.change:
                for move in made.change.moves:
                    self._book(move, as_of)
                self.positions[sku] = replace(self.positions[sku], snapshot_as_of=as_of)

    def _reading(self, sku: str, as_of: datetime) -> Reading:
        moved = sum(units for one, happened, units in self.ledger if one == sku and happened > as_of)
        return Reading(position=self.positions[sku], moved_after=moved)

    def _book(self, move: StockMove, happened: datetime) -> None:
        self.positions[move.sku] = self.positions[move.sku].after(net([move]))
        self.ledger.append((move.sku, happened, move.deltas.get(Bucket.ON_HAND, 0)))


def what_is_there(shelves: dict[str, int], facts: Iterable[Fact], until: int) -> Counter[str]:
    """Units by sku at the end of a minute: only physics, no books."""
    there = Counter(shelves)
    for fact in facts:
        if fact.happened <= until:
            there[fact.sku] += fact.units if fact.kind == "received" else -fact.units
    return +there


def possible(shelves: dict[str, int], facts: Iterable[Fact]) -> list[Fact]:
    """The facts in the order they happened, without those that would take what is not there."""
    there, kept = Counter(shelves), []
    for fact in sorted(facts, key=lambda one: one.happened):
        change = fact.units if fact.kind == "received" else -fact.units
        if there[fact.sku] + change >= 0:
            there[fact.sku] += change
            kept.append(fact)
    return kept


minutes = st.integers(0, 20)
a_fact = st.builds(
    lambda sku, kind, units, happened, late: Fact(sku, kind, units, happened, happened + late),
    st.sampled_from(SKUS),
    st.sampled_from(sorted(KINDS)),
    st.integers(1, 5),
    minutes,
    minutes,
)
units_by_sku = st.fixed_dictionaries({sku: st.integers(0, 8) for sku in SKUS})


@given(units_by_sku, units_by_sku, st.lists(a_fact, max_size=12), minutes, minutes, st.booleans())
def test_after_one_complete_snapshot_on_hand_is_what_is_there(
    shelves: dict[str, int], on_books: dict[str, int], told: list[Fact], counted_at: int, late: int, twice: bool
) -> None:
    facts = possible(shelves, told)
    counted = what_is_there(shelves, facts, until=counted_at)
    made = {sku: StockPosition(sku=sku, location_id="ny", on_hand=n, available=n) for sku, n in on_books.items()}
    books = Books(made)
    before = [fact for fact in facts if fact.told <= counted_at + late]
    for fact in sorted(before, key=lambda one: one.told):
        books.tell(fact)
    for _ in range(2 if twice else 1):
        books.count(minute(counted_at), counted)
    for fact in sorted((one for one in facts if one not in before), key=lambda one: one.told):
        books.tell(fact)
    in_the_end = what_is_there(shelves, facts, until=40)
    assert {sku: position.on_hand for sku, position in books.positions.items()} == {
        sku: in_the_end[sku] for sku in SKUS
    }


@given(units_by_sku, st.lists(a_fact, max_size=8), st.lists(minutes, min_size=2, max_size=2, unique=True))
def test_of_two_counts_the_later_one_stands_whichever_is_told_first(
    shelves: dict[str, int], told: list[Fact], moments: list[int]
) -> None:
    facts = possible(shelves, told)
    books = Books({sku: StockPosition(sku=sku, location_id="ny", on_hand=99, available=99) for sku in SKUS})
    for fact in facts:
        books.tell(fact)
    for moment in moments:
        wrong = Counter({"MUG": 77}) if moment == min(moments) else what_is_there(shelves, facts, until=moment)
        books.count(minute(moment), wrong)
    in_the_end = what_is_there(shelves, facts, until=40)
    assert {sku: position.on_hand for sku, position in books.positions.items()} == {
        sku: in_the_end[sku] for sku in SKUS
    }
