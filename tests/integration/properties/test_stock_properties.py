"""Orders, locations, documents, counts and re-planning, interleaved call by call and cut off anywhere: stock is true."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import NamedTuple

from hypothesis import strategies as st
from hypothesis.stateful import precondition, rule

from oms.domain.incoming import FulfillmentReport, IncomingOrder
from oms.domain.order import Order, Request
from oms.domain.snapshots import Decision
from oms.domain.stock import Disposition
from oms.stores.documents import format_time, from_document
from oms.usecases.oversold import Seen
from tests.integration.company import NOON, at, incoming, order_id
from tests.integration.desk import LOST, header, line
from tests.integration.properties import staff
from tests.integration.properties.conftest import Play
from tests.integration.properties.machine import MAX_AT_ONCE, Company
from tests.integration.properties.staff import Message

ORDERS = 4
BASKETS = ({"MUG": 4}, {"MUG": 2, "BOWL": 1}, {"SET": 3}, {"KETTLE": 2, "MUG": 3}, {"BOWL": 2}, {"MUG": 9, "SET": 1})
PLACES = (("MUG", "WH-EAST"), ("MUG", "WH-WEST"), ("BOWL", "WH-EAST"), ("KETTLE", "WH-WEST"))
DOCUMENTS = (
    "ADJUST", "LOSE", "RECEIVE", "TRANSFER", "RETURN", "MARK_DAMAGED", "SCRAP",
    "QUALITY_HOLD", "QUALITY_PASS", "QUALITY_FAIL", "EXPECT", "ARRIVE",
)  # fmt: skip
REPORTS = ("accepted", "packed", "shipped", "shipped", "partly shipped", "overshipped", "short", "damaged", "rejected")


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

    def __init__(self, *args: object) -> None:
        super().__init__(*args)  # type: ignore[arg-type]
        self.placed: dict[str, IncomingOrder] = {}
        self.told = 0

    @precondition(lambda self: len(self.tasks) < MAX_AT_ONCE)
    @rule(one=asked("place", "place", "allocate", "allocate", "evaluate", "report", "report", "cancel", "edit", "wait"))
    def order_is_worked_on(self, one: Asked) -> None:
        """A message about orders comes."""
        self.begin(getattr(self, f"ask_{one.kind}")(one))

    @precondition(lambda self: len(self.tasks) < MAX_AT_ONCE)
    @rule(one=asked("document", "document", "count", "count", "replan", "look", "wake"))
    def stock_is_told_of(self, one: Asked) -> None:
        """A message about stock comes."""
        self.begin(getattr(self, f"ask_{one.kind}")(one))

    def at_rest(self) -> None:
        """Once all is planned anew, only work that locations have already may want what is not there."""
        for sku, location_id in PLACES:
            self.do(staff.replan(sku, location_id, self.placed))
        for row in self.engine.rows("stock"):
            key = (row["sku"], row["location_id"])
            assert row["available"] >= 0 or not self._could_give(*key), key
            self.do(staff.look(Seen(sku=key[0], location_id=key[1], before=0, available=row["available"], marked=True)))
            self.do(staff.look(Seen(sku=key[0], location_id=key[1], before=0, available=row["available"])))
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

    def ask_place(self, one: Asked) -> Message:
        basket = BASKETS[one.detail % len(BASKETS)]
        facts = {"placed_at": NOON + timedelta(minutes=self.minutes)}
        order = self.placed.setdefault(order_id(one.order), incoming(one.order, dict(basket), **facts))
        return staff.take(order)

    def ask_edit(self, one: Asked) -> Message | None:
        order = self.placed.get(order_id(one.order))
        return staff.take(staff.with_less(order, one.units, at(self.hours))) if order else None

    def ask_allocate(self, one: Asked) -> Message:
        return staff.allocate(sorted(self.placed) if one.flag else [order_id(one.order)])

    def ask_evaluate(self, one: Asked) -> Message:
        return staff.evaluate(order_id(one.order))

    def ask_wait(self, one: Asked) -> Message:
        return staff.await_stock(order_id(one.order), f"token-{self.minutes}", self.hours)

    def ask_cancel(self, one: Asked) -> Message:
        return staff.cancel(order_id(one.order))

    def ask_report(self, one: Asked) -> Message | None:
        """Of work the location was asked to do, as it knows it now."""
        rows = {row["order_id"]: row for row in self.engine.rows("orders")}
        order = from_document(Order, rows[order_id(one.order)]) if order_id(one.order) in rows else None
        works = [work for work in order.fulfillments if work.request is not Request.UNSUBMITTED] if order else []
        if not works:
            return None
        work = works[one.units % len(works)]
        kind = REPORTS[one.detail % len(REPORTS)]
        left = {part.line_id: part.open + part.picked for part in work.lines}
        facts = {
            "shipped": ("shipped", {line_id: units for line_id, units in left.items() if units}, ""),
            "partly shipped": ("shipped", {line_id: 1 for line_id in list(left)[:1]}, ""),
            "overshipped": ("shipped", {line_id: units + 1 for line_id, units in left.items()}, ""),
            "short": ("short_picked", {line_id: one.units for line_id in left}, "NOT_IN_STOCK"),
            "damaged": ("short_picked", {line_id: 1 for line_id in left}, "DAMAGED"),
            "rejected": ("rejected", {}, ""),
        }
        type_, lines, reason = facts.get(kind, (kind, {}, ""))
        shipment = {"shipment_id": f"parcel-{self._next()}", "carrier": "ups"} if type_ == "shipped" else {}
        if shipment and not lines:
            return None
        told = FulfillmentReport(
            message_id=f"report-{self._next()}",
            type=f"fulfillment.{type_}",
            occurred_at=self._ago(one.ago),
            location_id=work.location_id,
            fulfillment_id=work.fulfillment_id,
            lines=lines,
            reason_code=reason,
            tracking_number=f"1Z-{self.told}" if shipment else "",
            **shipment,
        )
        return staff.report(told)

    def ask_document(self, one: Asked) -> Message:
        kind, (sku, location_id) = DOCUMENTS[one.detail % len(DOCUMENTS)], one.place
        other = "WH-WEST" if location_id == "WH-EAST" else "WH-EAST"
        types: dict[str, dict[str, object]] = {
            "ADJUST": {"reason_code": LOST},
            "LOSE": {"reason_code": LOST},
            "TRANSFER": {"to_location_id": other},
            "RETURN": {"disposition": list(Disposition)[one.units % len(Disposition)]},
            "EXPECT": {"reference": "PO-1", "expected_at": at(48)},
            "ARRIVE": {"reference": "PO-1"},
        }
        name = {"LOSE": "ADJUST", "ARRIVE": "RECEIVE"}.get(kind, kind)
        units = -one.units if kind == "LOSE" else one.units
        facts = {"sku": sku, "location_id": location_id} | types.get(kind, {})
        lines = [line(name, units, 1, **facts)]  # type: ignore[arg-type]
        if one.flag:
            lines.append(line("TRANSFER", 2, 2, sku="MUG", location_id="WH-EAST", to_location_id="WH-WEST"))
        happened = self._ago(one.ago)
        return staff.document(
            header(
                len(lines), document_id=f"document-{self._next()}", effective_at=happened, received_at=at(self.hours)
            ),
            lines,
        )

    def ask_count(self, one: Asked) -> Message:
        """One location is counted: one sku, or all it has, most of them as the books say."""
        location_id, number = one.place[1], self._next()
        as_of = self._ago(one.ago) + timedelta(seconds=number)
        here = {
            row["sku"]: max(0, row["on_hand"]) for row in self.engine.rows("stock") if row["location_id"] == location_id
        }
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
        facts = {"before": 0, "available": row["available"], "marked": "problem" in row}
        return staff.look(Seen(sku=one.place[0], location_id=one.place[1], **facts))

    def ask_wake(self, one: Asked) -> Message:
        return staff.wake(one.place[0])

    def _ago(self, minutes: int) -> datetime:
        return at(max(0, self.minutes - minutes) / 60)

    def _next(self) -> int:
        self.told += 1
        return self.told


def test_stock_is_true_whoever_does_what_and_dies_where(play: Play) -> None:
    play(StockCompany)
