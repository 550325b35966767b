"""What is true of every order, whatever happens to it and in whatever sequence."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import precondition, rule

from oms.domain.allocation import allocate
from oms.domain.backordering import cancel_rest, record_shortage, short_units
from oms.domain.cancellation import cancel
from oms.domain.catalog import BackorderRule
from oms.domain.changes import OrderChange
from oms.domain.decisions import add_note, place_hold, release_hold, request_review, resolve_review
from oms.domain.errors import FulfillmentNotFound, IllegalTransition, NoRoute, OutOfStock, TrackingNotFound
from oms.domain.fulfilling import apply_report
from oms.domain.incoming import Address, FulfillmentReport, IncomingLine, IncomingOrder
from oms.domain.intake_updates import update
from oms.domain.intake_wishes import Message
from oms.domain.order import Hold
from oms.domain.progress import TERMINAL, was_released
from oms.domain.release import may_release, release
from oms.domain.replanning import replan
from oms.domain.routing import RoutingPlan
from oms.domain.shipments import ShipmentStatus
from oms.domain.stock import snapshot
from oms.domain.tracking import apply_tracking
from tests.unit.builders import NOON, Candidate, context, location, plan, report, routed, tracking
from tests.unit.one_order import KIT, PLACES, PRODUCTS, SKUS, OneOrder, mostly, quantities

MAX_PARTS = 50

places = st.sampled_from(sorted(PLACES))
rarely = st.sampled_from([False, False, False, False, True])
shipment_ids = st.sampled_from(["s1", "s2", "s3"])


class AnyOrder(OneOrder):
    """One order, driven by anything that may happen to it."""

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
            chosen = routed(self.order, self._candidates())
        except OutOfStock as refusal:
            shortages = refusal.shortages
        except NoRoute as refusal:
            self.apply_if_any(request_review(self.order, "NO_ROUTE", str(refusal), self.now()))
        if chosen.assignments:
            self.apply(allocate(self.order, chosen, self.now()))
            assert not any(line.unallocated for line in self.order.lines)
        if shortages:
            assert set(shortages) <= set(SKUS)
            self._wait_or_lose_the_rest(short_units(self.order, shortages))

    def _wait_or_lose_the_rest(self, short: dict[str, int]) -> None:
        assert short
        if self.policy.backorder_rule is BackorderRule.CANCEL_REST:
            self.apply_if_any(cancel_rest(self.order, short, self.now(), "OUT_OF_STOCK"))
        else:
            self.apply_if_any(record_shortage(self.order, short, self.now()))
            assert record_shortage(self.order, short, self.now()) is None

    @rule(sku=st.sampled_from(SKUS), place=places, units=quantities)
    def promised_units_turn_out_to_be_too_many(self, sku: str, place: str, units: int) -> None:
        self.apply_if_any(replan(self.order, sku, place, units, self.now()))

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
        there = [self.stock[sku, place].available // units for sku, units in line.stock_units(1).items()]
        most = min(line.unallocated, *there)
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
        added=st.sampled_from([0, 0, 0, 1, 2]),
        service_level=st.sampled_from(["STANDARD", "STANDARD", "EXPRESS"]),
        cancelled=rarely,
        regretted=rarely,
        left=st.sampled_from([0, 0, 0, 0, 1]),
    )
    def the_channel_tells_a_newer_state(
        self,
        fewer: list[int],
        paid: str,
        region: str,
        added: int,
        service_level: str,
        cancelled: bool,
        regretted: bool,
        left: int,
    ) -> None:
        self.hours += 0.1
        lines = tuple(
            replace(line, current_quantity=max(0, line.quantity - fewer[at]), fulfilled_quantity=left)
            for at, line in enumerate(self.incoming.lines)
        )
        if added:
            lines += (IncomingLine(line_id="7", sku=KIT.sku, quantity=added, current_quantity=added),)
        now = self.now().now
        ship_to = Address(country="US", region=region)
        message = replace(
            self.incoming,
            lines=lines,
            channel_updated_at=now,
            payment_status=paid,
            contact=replace(self.incoming.contact, ship_to=ship_to),
            cancelled_at=now if cancelled else None,
            cancel_requested="REGRETTED" if regretted else "",
            service_level=service_level,
        )
        for _ in range(MAX_PARTS):
            change = update(self.order, self.told(message))
            if change is None:
                break
            self.apply(change)
        else:
            pytest.fail("an update that is applied again and again must end")
        older = replace(message, channel_updated_at=NOON, cancelled_at=NOON)
        assert update(self.order, self.told(older)) is None

    def told(self, incoming: IncomingOrder) -> Message:
        return Message(incoming=incoming, contact=self.contact, context=self.now(), products=PRODUCTS)

    def apply_if_any(self, change: OrderChange | None) -> None:
        if change:
            self.apply(change)


TestAnyOrder = AnyOrder.TestCase
TestAnyOrder.settings = settings(max_examples=200, stateful_step_count=40)
