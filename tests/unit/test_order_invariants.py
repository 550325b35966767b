"""What is true of every order, whatever happens to it and in whatever sequence."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from oms.domain.allocation import allocate, record_shortage
from oms.domain.cancellation import cancel
from oms.domain.catalog import ChannelAccount, Product
from oms.domain.changes import Context, OrderChange
from oms.domain.decisions import add_note, place_hold, release_hold, request_review, resolve_review
from oms.domain.errors import FulfillmentNotFound, IllegalTransition, NoRoute, OutOfStock, TrackingNotFound
from oms.domain.fulfilling import apply_report
from oms.domain.incoming import Address, Contact, FulfillmentReport, IncomingLine, IncomingOrder
from oms.domain.intake import receive, update
from oms.domain.order import Hold, Order, OrderStatus, ShipmentStatus, Totals
from oms.domain.progress import TERMINAL, was_released
from oms.domain.release import may_release, release
from oms.domain.routing import Candidate, RoutingPlan, RoutingPolicy, route
from oms.domain.stock import Bucket, StockPosition, by_position, net, snapshot, taken
from oms.domain.tracking import apply_tracking
from tests.unit.builders import NOON, context, location, plan, report, tracking
from tests.unit.rate_cards import small_card

SKUS = ("MUG", "TEE")
PLACES = {"ny": "NY", "ca": "CA"}
ROUTING = RoutingPolicy(rate_card=small_card(), max_parcels=4)
PRODUCTS = {sku: Product(sku=sku, grams=300) for sku in SKUS}
MAX_PARTS = 50

quantities = st.integers(1, 3)
places = st.sampled_from(sorted(PLACES))
mostly = st.sampled_from([True, True, True, False])
rarely = st.sampled_from([False, False, False, False, True])
shipment_ids = st.sampled_from(["s1", "s2", "s3"])


class AnyOrder(RuleBasedStateMachine):
    """One order, its stock and its backorder rows, driven by anything that may happen to it."""

    order: Order
    incoming: IncomingOrder

    def __init__(self) -> None:
        super().__init__()
        self.hours = 0.0
        self.stock: dict[tuple[str, str], StockPosition] = {}
        self.backordered: dict[tuple[str, str], int] = {}
        self.owed: set[str] = set()
        self.contact = Contact()

    @initialize(
        ordered=st.lists(st.tuples(st.sampled_from(SKUS), quantities, mostly), min_size=1, max_size=3),
        paid=st.sampled_from(["PAID", "PAID", "PENDING"]),
        on_hand=st.lists(st.integers(0, 6), min_size=4, max_size=4),
    )
    def place_order(self, ordered: list[tuple[str, int, bool]], paid: str, on_hand: list[int]) -> None:
        positions = [(sku, place) for sku in SKUS for place in PLACES]
        for (sku, place), units in zip(positions, on_hand, strict=True):
            self.stock[sku, place] = StockPosition(sku=sku, location_id=place, on_hand=units, available=units)
        lines = [
            IncomingLine(line_id=str(at), sku=sku, quantity=n, current_quantity=n, requires_shipping=ships)
            for at, (sku, n, ships) in enumerate(ordered)
        ]
        self.contact = Contact(ship_to=Address(country="US", region="NY"))
        self.incoming = IncomingOrder(
            channel="shopify",
            account="main",
            channel_order_id="1",
            placed_at=NOON,
            channel_updated_at=NOON,
            currency="USD",
            totals=Totals(),
            lines=tuple(lines),
            payment_status=paid,
            contact=self.contact,
        )
        account = ChannelAccount()
        self.order = receive(self.incoming, PRODUCTS, account, self.now()).order
        assert (self.order.version, self.order.events[0].sequence) == (1, 1)

    def now(self) -> Context:
        return context(self.hours)

    def apply(self, change: OrderChange) -> None:
        """Commit a change as the stores do, and check all that must be true of every change."""
        before, self.order = self.order, change.order
        assert self.order.version == before.version + 1
        new = self.order.events[len(before.events) :]
        assert self.order.events[: len(before.events)] == before.events
        assert {event.version for event in new} <= {self.order.version}
        told = [event.status for event in new if event.status is not None]
        assert told == ([] if self.order.status is before.status else [self.order.status.value])
        self._move_stock(change)
        self._queue_backorders(change)
        keys = {owed.message_key for owed in change.deliveries}
        assert len(keys) == len(change.deliveries)
        assert not keys & self.owed
        self.owed |= keys
        self.contact = change.contact or self.contact

    def _move_stock(self, change: OrderChange) -> None:
        for key, moves in by_position(change.moves).items():
            assert taken(moves) <= max(0, self.stock[key].available)
            self.stock[key] = self.stock[key].after(net(moves))

    def _queue_backorders(self, change: OrderChange) -> None:
        for row in change.backorders_removed:
            self.backordered.pop((row.sku, row.queue_key), None)
        for row in change.backorders_added:
            self.backordered[row.sku, row.queue_key] = row.quantity

    # --- what may happen

    @rule(data=st.data())
    def it_goes_on_as_it_should(self, data: st.DataObject) -> None:
        """The next step of an undisturbed order, so that runs get far enough to be disturbed late."""
        if self.order.review:
            self.someone_decides_the_review()
        elif self.order.holds:
            self.someone_releases_a_hold()
        elif any(line.unallocated for line in self.order.lines):
            self.it_is_routed_and_allocated()
        elif may_release(self.order, context(self.hours + 1).now):
            self.it_is_released_if_it_may_be(patient=True)
        elif any(line.in_fulfillment for line in self.order.lines):
            self._some_units_ship(data)
        elif any(one.shipments for one in self.order.fulfillments):
            self.a_carrier_reports(data, "DELIVERED")

    def _some_units_ship(self, data: st.DataObject) -> None:
        at_work = [one for one in self.order.fulfillments if any(line.open + line.picked for line in one.lines)]
        one = data.draw(st.sampled_from(at_work))
        units = {line.line_id: data.draw(st.integers(0, line.open + line.picked)) for line in one.lines}
        shipment_id = f"{data.draw(shipment_ids)}-{one.location_id}"
        facts = {"lines": {key: n for key, n in units.items() if n}, "shipment_id": shipment_id}
        self._report(report("shipped", one.fulfillment_id, one.location_id, **facts))

    @rule(hours=st.sampled_from([0.1, 1, 30]))
    def time_passes(self, hours: float) -> None:
        self.hours += hours

    @rule(sku=st.sampled_from(SKUS), place=places, counted=st.integers(0, 8))
    def stock_is_counted(self, sku: str, place: str, counted: int) -> None:
        move = snapshot(self.stock[sku, place], counted)
        if move:
            self.stock[sku, place] = self.stock[sku, place].after(move.deltas)
        assert self.stock[sku, place].on_hand == counted

    @precondition(lambda self: self.order.review is None)
    @rule()
    def it_is_routed_and_allocated(self) -> None:
        shortages: dict[str, int] = {}
        chosen = RoutingPlan()
        try:
            chosen = route(self.order, self._candidates(), ROUTING)
        except OutOfStock as refusal:
            shortages = refusal.shortages
        except NoRoute as refusal:
            self.apply_if_any(request_review(self.order, "NO_ROUTE", str(refusal), self.now()))
        if chosen.assignments:
            self.apply(allocate(self.order, chosen, self.now()))
            assert not any(line.unallocated for line in self.order.lines)
        if shortages:
            self.apply_if_any(record_shortage(self.order, shortages, self.now()))
            assert record_shortage(self.order, shortages, self.now()) is None

    def _candidates(self) -> list[Candidate]:
        return [
            Candidate(
                location=location(place, region),
                available={sku: self.stock[sku, place].available for sku in SKUS},
            )
            for place, region in PLACES.items()
        ]

    @rule(data=st.data(), place=places)
    def some_units_are_allocated(self, data: st.DataObject, place: str) -> None:
        open_lines = [line for line in self.order.lines if line.unallocated]
        if not open_lines or self.order.review:
            return
        line = data.draw(st.sampled_from(open_lines))
        most = min(line.unallocated, self.stock[line.sku, place].available)
        if most > 0:
            units = data.draw(st.integers(1, most))
            self.apply(allocate(self.order, plan(**{place: {line.line_id: units}}), self.now()))

    @precondition(lambda self: self.order.fulfillments and not was_released(self.order))
    @rule(patient=mostly)
    def it_is_released_if_it_may_be(self, patient: bool) -> None:
        self.hours += 1 if patient else 0
        if may_release(self.order, self.now().now):
            self.apply(release(self.order, self.now()))
            assert was_released(self.order)
        assert not may_release(self.order, self.now().now)

    @rule(units=st.dictionaries(st.sampled_from(["0", "1", "2", "9"]), st.integers(0, 2), max_size=2))
    def units_are_cancelled(self, units: dict[str, int]) -> None:
        if was_released(self.order):
            with pytest.raises(IllegalTransition):
                cancel(self.order, units, self.now(), "CUSTOMER")
            return
        before = {line.line_id: line for line in self.order.lines}
        self.apply_if_any(cancel(self.order, units, self.now(), "CUSTOMER"))
        for line in self.order.lines:
            was = before[line.line_id]
            could = was.unallocated + was.in_fulfillment
            assert line.cancelled - was.cancelled == min(could, units.get(line.line_id, 0))

    @precondition(lambda self: self.order.fulfillments)
    @rule(
        data=st.data(),
        type_=st.sampled_from(["accepted", "picking", "packed", "shipped", "shipped", "rejected", "short_picked"]),
        lines=st.dictionaries(st.sampled_from(["0", "1", "2"]), st.integers(1, 4), max_size=2),
        shipment_id=shipment_ids,
        reason_code=st.sampled_from(["NOT_IN_STOCK", "DAMAGED", "TOO_BUSY", ""]),
    )
    def a_location_reports(
        self, data: st.DataObject, type_: str, lines: dict[str, int], shipment_id: str, reason_code: str
    ) -> None:
        one = data.draw(st.sampled_from(self.order.fulfillments))
        known = {line.line_id for line in self.order.lines}
        lines = {line_id: units for line_id, units in lines.items() if line_id in known}
        facts = {"lines": lines, "shipment_id": f"{shipment_id}-{one.location_id}", "reason_code": reason_code}
        self._report(report(type_, one.fulfillment_id, one.location_id, **facts))

    def _report(self, told: FulfillmentReport) -> None:
        for _ in range(MAX_PARTS):
            change = apply_report(self.order, told, self.now())
            if change is None:
                return
            self.apply(change)
        pytest.fail("a report that is applied again and again must end")

    @rule(number=st.integers(1, 5), place=st.sampled_from(["ny", "ca", "mars"]))
    def a_location_reports_work_that_is_not_its_own(self, number: int, place: str) -> None:
        told = report("shipped", f"{self.order.order_id}-f{number}", place)
        one = self.order.fulfillment(told.fulfillment_id)
        if one is None or one.location_id != place:
            with pytest.raises(FulfillmentNotFound):
                apply_report(self.order, told, self.now())

    @precondition(lambda self: any(one.shipments for one in self.order.fulfillments))
    @rule(
        data=st.data(),
        status=st.sampled_from(["DELIVERED", "DELIVERED", *(one.value for one in ShipmentStatus), None]),
    )
    def a_carrier_reports(self, data: st.DataObject, status: str | None) -> None:
        parcels = [parcel for one in self.order.fulfillments for parcel in one.shipments]
        told = tracking(status, data.draw(st.sampled_from(parcels)).shipment_id, self.hours)
        self.apply_if_any(apply_tracking(self.order, told, self.now()))
        assert apply_tracking(self.order, told, self.now()) is None

    @rule()
    def a_carrier_reports_a_parcel_that_is_not_ours(self) -> None:
        with pytest.raises(TrackingNotFound):
            apply_tracking(self.order, tracking("DELIVERED", "s9"), self.now())

    @rule(really=rarely)
    def someone_places_a_hold(self, really: bool) -> None:
        if not really:
            return
        hold = Hold(hold_id="h1", type="FRAUD", placed_by="test", placed_at=self.now().now)
        if self.order.status in TERMINAL and not self.order.holds:
            with pytest.raises(IllegalTransition):
                place_hold(self.order, hold, self.now())
        elif self.order.status not in TERMINAL:
            self.apply_if_any(place_hold(self.order, hold, self.now()))

    @precondition(lambda self: self.order.holds)
    @rule()
    def someone_releases_a_hold(self) -> None:
        self.apply(release_hold(self.order, self.order.holds[0].hold_id, self.now()))

    @rule(really=rarely)
    def someone_asks_for_a_review(self, really: bool) -> None:
        if really:
            self.apply_if_any(request_review(self.order, "ASKED", "", self.now()))

    @precondition(lambda self: self.order.review is not None)
    @rule()
    def someone_decides_the_review(self) -> None:
        self.apply(resolve_review(self.order, self.now()))

    @rule()
    def someone_writes_a_note(self) -> None:
        self.apply(add_note(self.order, "called", self.now()))

    @rule(
        fewer=st.lists(st.sampled_from([0, 0, 0, 1, -1]), min_size=3, max_size=3),
        paid=st.sampled_from(["PAID", "PENDING", "REFUNDED"]),
        region=st.sampled_from(["NY", "CA"]),
        cancelled=rarely,
    )
    def the_channel_tells_a_newer_state(self, fewer: list[int], paid: str, region: str, cancelled: bool) -> None:
        self.hours += 0.1
        lines = tuple(
            replace(line, current_quantity=max(0, line.quantity - fewer[at]))
            for at, line in enumerate(self.incoming.lines)
        )
        now = self.now().now
        ship_to = Address(country="US", region=region)
        message = replace(
            self.incoming,
            lines=lines,
            channel_updated_at=now,
            payment_status=paid,
            contact=replace(self.incoming.contact, ship_to=ship_to),
            cancelled_at=now if cancelled else None,
        )
        for _ in range(MAX_PARTS):
            change = update(self.order, message, self.contact, self.now())
            if change is None:
                break
            self.apply(change)
        else:
            pytest.fail("an update that is applied again and again must end")
        older = replace(message, channel_updated_at=NOON, cancelled_at=NOON)
        assert update(self.order, older, self.contact, self.now()) is None

    def apply_if_any(self, change: OrderChange | None) -> None:
        if change:
            self.apply(change)

    # --- what is always true

    @invariant()
    def every_ordered_unit_is_in_exactly_one_place(self) -> None:
        for line in self.order.lines:
            parts = (line.unallocated, line.in_fulfillment, line.shipped, line.cancelled)
            assert line.ordered == sum(parts)
            assert min(parts) >= 0
            assert 0 <= line.backordered <= line.unallocated

    @invariant()
    def every_assigned_unit_is_in_exactly_one_place(self) -> None:
        at_work: Counter[str] = Counter()
        for one in self.order.fulfillments:
            for line in one.lines:
                parts = (line.open, line.picked, line.shipped, line.shorted, line.cancelled)
                assert line.assigned == sum(parts)
                assert min(parts) >= 0
                at_work[line.line_id] += line.open + line.picked
        for line in self.order.lines:
            assert line.in_fulfillment == at_work[line.line_id]

    @invariant()
    def events_are_numbered_without_gaps(self) -> None:
        events = self.order.events
        assert [event.sequence for event in events] == list(range(1, len(events) + 1))
        assert [event.version for event in events] == sorted(event.version for event in events)
        assert events[-1].version <= self.order.version
        told = [event.status for event in events if event.status]
        assert told[-1] == self.order.status.value

    @invariant()
    def stock_is_committed_exactly_for_the_units_at_work(self) -> None:
        at_work: Counter[tuple[str, str]] = Counter()
        for one in self.order.fulfillments:
            for line in one.lines:
                at_work[line.sku, one.location_id] += line.open + line.picked
        for key, position in self.stock.items():
            assert getattr(position, Bucket.COMMITTED) == at_work[key]

    @invariant()
    def the_queue_of_a_sku_holds_exactly_the_backordered_units(self) -> None:
        backordered = [line.backordered for line in self.order.lines if line.backordered]
        assert sorted(self.backordered.values()) == sorted(backordered)

    @invariant()
    def the_status_says_no_more_than_the_facts(self) -> None:
        order, lines = self.order, self.order.lines
        open_units = sum(line.unallocated + line.in_fulfillment for line in lines)
        arrived = self._arrived()
        gone = all(line.cancelled == line.ordered for line in lines)
        assert (order.status is OrderStatus.CANCELLED) == gone
        if order.status in (OrderStatus.SHIPPED, OrderStatus.DELIVERED):
            assert open_units == 0
        if order.status is OrderStatus.DELIVERED:
            assert all(arrived[line.line_id] >= line.shipped for line in lines if line.requires_shipping)
        if order.status in (OrderStatus.RECEIVED, OrderStatus.ALLOCATED):
            assert not any(line.shipped for line in lines if line.requires_shipping)

    def _arrived(self) -> Counter[str]:
        arrived: Counter[str] = Counter()
        for one in self.order.fulfillments:
            for parcel in one.shipments:
                if parcel.status is ShipmentStatus.DELIVERED:
                    arrived.update({line.line_id: line.quantity for line in parcel.lines})
        return arrived

    @invariant()
    def an_order_waits_for_something_exactly_until_it_has_ended(self) -> None:
        order = self.order
        ended = order.status in TERMINAL and order.review is None
        assert (order.waiting_for is None) == ended
        for value in (order.waiting_since, order.due_at, order.work_queue):
            assert (value is None) == ended
        assert order.status_since is not None


TestAnyOrder = AnyOrder.TestCase
TestAnyOrder.settings = settings(max_examples=200, stateful_step_count=40)
