"""A complete snapshot among shipments and receipts, told before, during or after it: on_hand is what is there."""

from __future__ import annotations

from dataclasses import dataclass, replace
from itertools import count

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from oms.domain import stock
from oms.domain.catalog import Location, LocationStatus, Product
from oms.domain.changes import StockChange
from oms.domain.stock import Bucket, StockPosition
from tests.integration.company import Worker, at, worker
from tests.integration.counting import CountDesk
from tests.integration.faults import Faults
from tests.integration.stage import Stage

EXAMPLES = 15
COUNTED_AT = 10
BOOKS = {"received": stock.receive, "sold": stock.overship}
NUMBERS = count(1)


@dataclass(frozen=True)
class Fact:
    """So many units of a sku came or went at an hour; `told` is 0 before, 1 while, 2 after the snapshot is booked."""

    sku: int
    kind: str
    units: int
    hour: int
    told: int

    @property
    def change(self) -> int:
        return self.units if self.kind == "received" else -self.units


facts = st.builds(
    Fact,
    sku=st.integers(0, 1),
    kind=st.sampled_from(sorted(BOOKS)),
    units=st.integers(1, 4),
    hour=st.integers(COUNTED_AT - 2, COUNTED_AT + 2),
    told=st.integers(0, 2),
)


def tell(made: Worker, location_id: str, number: int, fact: Fact) -> None:
    move = BOOKS[fact.kind](f"{location_id}-{fact.sku}", location_id, fact.units)
    change = StockChange(
        change_id=f"{location_id}-{number}",
        effective_at=at(fact.hour),
        at=at(COUNTED_AT + 3),
        actor="test",
        moves=(replace(move, effective_at=at(fact.hour)),),
    )
    assert made.commit.commit_one(change).committed


@settings(max_examples=EXAMPLES, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(on_books=st.integers(0, 6), told=st.lists(facts, max_size=6))
def test_after_any_interleaving_on_hand_is_what_is_there(
    stage: Stage, faults: Faults, on_books: int, told: list[Fact]
) -> None:
    location_id, began = f"WH-{next(NUMBERS)}", 20
    skus = [f"{location_id}-{number}" for number in (0, 1)]
    stage.put("locations", Location(location_id=location_id, status=LocationStatus.ACTIVE))
    for sku in skus:
        stage.put("products", Product(sku=sku))
        stage.put("stock", StockPosition(sku=sku, location_id=location_id, on_hand=on_books, available=on_books))
    # Of the second sku there is nothing on the shelf when it is counted: the snapshot leaves it out.
    upto = sum(fact.change for fact in told if fact.sku == 0 and fact.hour <= COUNTED_AT)
    counted = {skus[0]: began + upto}
    since = {
        number: sum(one.change for one in told if one.sku == number and one.hour > COUNTED_AT) for number in (0, 1)
    }
    desk, made, numbered = CountDesk(), worker(), list(enumerate(told))

    def tell_all(phase: int) -> None:
        for number, fact in numbered:
            if fact.told == phase:
                tell(made, location_id, number, fact)

    tell_all(0)
    facts_of_snapshot = {"snapshot_id": location_id, "location_id": location_id, "complete": True}
    desk.send(counted, as_of=at(COUNTED_AT), received_at=at(COUNTED_AT + 3), **facts_of_snapshot)
    faults.meanwhile("TransactWriteItems", lambda: tell_all(1))
    desk.work(at(COUNTED_AT + 3))
    faults.mend()
    tell_all(2)
    positions = [stage.position(sku, location_id) for sku in skus]
    assert [one.on_hand for one in positions] == [counted[skus[0]] + since[0], since[1]]
    ledger = [row for row in stage.rows("stock_movements") if row["location_id"] == location_id]
    for one in positions:
        moved = sum(row["changes"].get(Bucket.ON_HAND.value, 0) for row in ledger if row["sku"] == one.sku)
        assert one.on_hand == on_books + moved
