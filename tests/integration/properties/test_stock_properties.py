"""Orders, locations, documents, counts and re-planning, interleaved call by call and cut off anywhere."""

from __future__ import annotations

from datetime import timedelta
from typing import Any, NamedTuple

from hypothesis import strategies as st
from hypothesis.stateful import initialize, precondition, rule

from oms.domain.incoming import IncomingOrder
from oms.domain.order import Order, Request
from oms.domain.snapshots import Decision
from oms.domain.stock import Disposition
from oms.stores.documents import format_time, from_document
from oms.usecases.oversold import Seen
from tests.integration.company import NOON, at, incoming, order_id
from tests.integration.desk import LOST, header, line
from tests.integration.properties import staff
from tests.integration.properties.conftest import Play
from tests.integration.properties.engine import Engine, Row
from tests.integration.properties.machine import MAX_AT_ONCE, Company
from tests.integration.properties.staff import Message

ORDERS = 4
BASKETS = ({"MUG": 4}, {"MUG": 2, "BOWL": 1}, {"SET": 3}, {"KETTLE": 2, "MUG": 3}, {"BOWL": 2}, {"MUG": 9, "SET": 1})
PLACES = (("MUG", "WH-EAST"), ("MUG", "WH-WEST"), ("BOWL", "WH-EAST"), ("KETTLE", "WH-WEST"))
DOCUMENTS: tuple[tuple[str, int, dict[str, Any]], ...] = (
    ("ADJUST", 1, {"reason_code": LOST}),
    ("ADJUST", -1, {"reason_code": LOST}),
    ("RECEIVE", 1, {}),
    ("RETURN", 1, {"disposition": Disposition.SELLABLE}),
    ("RETURN", 1, {"disposition": Disposition.DAMAGED}),
    ("MARK_DAMAGED", 1, {}),
    ("SCRAP", 1, {}),
    ("QUALITY_HOLD", 1, {}),
    ("QUALITY_PASS", 1, {}),
    ("QUALITY_FAIL", 1, {}),
    ("EXPECT", 1, {"reference": "PO-1", "expected_at": at(48)}),
    ("RECEIVE", 1, {"reference": "PO-1"}),
)
MEETING = ("next_step", "next_step", "report", "cancel", "edit", *["document"] * 4, *["count"] * 4, "replan")
TRANSFER: dict[str, Any] = {"sku": "MUG", "location_id": "WH-EAST", "to_location_id": "WH-WEST"}


class Asked(NamedTuple):
    """What is asked: `kind` of the n-th order, at a position, of so many units; it happened so many minutes ago."""

    kind: str
    order: int
    place: tuple[str, str]
    units: int
    ago: int
    detail: int
    flag: bool


def asked(*kinds: str) -> st.SearchStrategy[Asked]:
    """Anything of these kinds."""
    return st.builds(
        Asked,
        kind=st.sampled_from(kinds),
        order=st.integers(1, ORDERS),
        place=st.sampled_from(PLACES),
        units=st.integers(1, 6),
        ago=st.integers(0, 6),
        detail=st.integers(0, 11),
        flag=st.booleans(),
    )


class StockCompany(Company):
    """Everybody who moves stock, but carts."""

    def __init__(self, engine: Engine) -> None:
        super().__init__(engine)
        self.placed: dict[str, IncomingOrder] = {}

    @initialize(orders=st.lists(asked("place"), max_size=3), steps=st.integers(0, 2))
    def day_begins(self, orders: list[Asked], steps: int) -> None:
        """Some orders came in before, and have got somewhere."""
        for one in orders:
            self.do(self.ask_place(one))
            for _ in range(steps):
                self.do(self.ask_next_step(one._replace(order=1)))

    @precondition(lambda self: len(self.tasks) < MAX_AT_ONCE)
    @rule(one=asked(*["next_step"] * 6, "place", "allocate", "evaluate", "report", "report", "cancel", "edit", "wait"))
    def order_is_worked_on(self, one: Asked) -> None:
        """A message about orders comes."""
        self.begin(self.ask(one))

    @precondition(lambda self: len(self.tasks) < MAX_AT_ONCE)
    @rule(one=asked("document", "document", "count", "count", "replan", "look", "wake"))
    def stock_is_told_of(self, one: Asked) -> None:
        """A message about stock comes."""
        self.begin(self.ask(one))

    @precondition(lambda self: len(self.tasks) < MAX_AT_ONCE - 1)
    @rule(one=asked(*MEETING), other=asked(*MEETING), calls=st.integers(1, 14), same=st.booleans())
    def two_want_the_same(self, one: Asked, other: Asked, calls: int, same: bool) -> None:
        """In the middle of one's work another does his: on the same position, the same order, or the same message."""
        other = other._replace(place=one.place, order=one.order, ago=one.ago + other.ago)
        message = self.ask(one)
        self.meet(message, calls, lambda: message if same else self.ask(other))

    def ask(self, one: Asked) -> Message | None:
        """The message that asks for it."""
        message: Message | None = getattr(self, f"ask_{one.kind}")(one)
        return message

    def at_rest(self) -> None:
        """Once all is planned anew, only work that locations have already may want what is not there."""
        for sku, location_id in PLACES:
            self.do(staff.replan(sku, location_id, self.placed))
        for row in self.engine.rows("stock"):
            key = (row["sku"], row["location_id"])
            assert row["available"] >= 0 or not self._could_give(*key), key
            self.do(staff.look(_seen(row, marked=True)))
            self.do(staff.look(_seen(row, marked=False)))
        for row in self.engine.rows("stock"):
            assert ("problem" in row) == (row["available"] < 0), row

    def _could_give(self, sku: str, location_id: str) -> bool:
        """Whether an order holds units there that nobody was asked to send."""
        orders = [from_document(Order, row) for row in self.engine.rows("orders")]
        return any(
            part.open and sku in line.stock_units(1)
            for order in orders
            for one in order.fulfillments
            if one.location_id == location_id and one.request is Request.UNSUBMITTED
            for part in one.lines
            for line in order.lines
            if line.line_id == part.line_id
        )

    def name(self, one: Asked) -> str:
        """One of the last orders that were placed."""
        return order_id(max(1, len(self.placed) + 1 - one.order))

    def ask_place(self, one: Asked) -> Message:
        """Another order, express or not."""
        basket, number = BASKETS[one.detail % len(BASKETS)], len(self.placed) + 1
        facts: dict[str, Any] = {"placed_at": NOON + timedelta(minutes=self.minutes)}
        if one.flag:
            facts["service_level"] = "EXPRESS"
        self.placed[order_id(number)] = incoming(number, dict(basket), **facts)
        return staff.take(self.placed[order_id(number)])

    def ask_edit(self, one: Asked) -> Message | None:
        order = self.placed.get(self.name(one))
        return staff.take(staff.with_less(order, one.units, at(self.hours))) if order else None

    def ask_allocate(self, one: Asked) -> Message:
        return staff.allocate(sorted(self.placed) if one.flag else [self.name(one)])

    def ask_evaluate(self, one: Asked) -> Message:
        return staff.evaluate(self.name(one))

    def ask_wait(self, one: Asked) -> Message:
        return staff.await_stock(self.name(one), f"token-{self.minutes}", self.hours)

    def ask_cancel(self, one: Asked) -> Message:
        return staff.cancel(self.name(one))

    def ask_report(self, one: Asked) -> Message | None:
        order = self.order(self.name(one))
        return self.report(order, one.detail, one.ago) if order else None

    def ask_next_step(self, one: Asked) -> Message | None:
        """The order gets on, the first of all comes in."""
        if not self.placed:
            return self.ask_place(one)
        return self.next_step(self.name(one), one.detail, one.ago)

    def ask_document(self, one: Asked) -> Message:
        """A line of its own, and often a transfer beside it."""
        (sku, location_id), (type_, sign, facts) = one.place, DOCUMENTS[one.detail]
        lines = [line(type_, sign * one.units, 1, sku, location_id=location_id, **facts)]
        if one.flag:
            lines.append(line("TRANSFER", 2, 2, **TRANSFER))
        name, happened = f"document-{self.next_number()}", self.ago(one.ago)
        told = header(len(lines), self.hours, document_id=name, effective_at=happened)
        return staff.document(told, lines)

    def ask_count(self, one: Asked) -> Message:
        """One location is counted: one sku, or all it has, most of them as the books say."""
        location_id, number = one.place[1], self.next_number()
        as_of = self.ago(one.ago) + timedelta(seconds=number)
        positions = [row for row in self.engine.rows("stock") if row["location_id"] == location_id]
        here = {row["sku"]: max(0, row["on_hand"]) for row in positions}
        rows = here if one.flag else {}
        rows[one.place[0]] = max(0, here.get(one.place[0], 0) + one.detail - 6)
        self.books.counted[location_id, format_time(as_of)] = rows
        return staff.count(
            rows,
            Decision.APPROVE if one.units > 2 else Decision.REJECT,
            snapshot_id=f"count-{number}",
            location_id=location_id,
            as_of=as_of,
            received_at=as_of,
            complete=one.units > 4,
        )

    def ask_replan(self, one: Asked) -> Message:
        return staff.replan(*one.place, self.placed)

    def ask_look(self, one: Asked) -> Message:
        """What the stream tells may be old when it is heard."""
        rows = {(row["sku"], row["location_id"]): row for row in self.engine.rows("stock")}
        row = rows[one.place]
        return staff.look(_seen(row, marked="problem" in row))

    def ask_wake(self, one: Asked) -> Message:
        return staff.wake(one.place[0])


def _seen(row: Row, *, marked: bool) -> Seen:
    """A position as its stream tells of it."""
    sku, location_id, available = row["sku"], row["location_id"], row["available"]
    return Seen(sku=sku, location_id=location_id, before=0, available=available, marked=marked)


def test_stock_is_true_whoever_does_what_and_dies_where(play: Play) -> None:
    play(StockCompany)
