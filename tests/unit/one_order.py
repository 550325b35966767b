"""An order in its surroundings, as the state machines of the tests drive it."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant

from oms.domain.catalog import BackorderRule, ChannelAccount, KitComponent, Policy, Product
from oms.domain.changes import Context, OrderChange
from oms.domain.incoming import Address, Contact, IncomingLine, IncomingOrder
from oms.domain.intake import receive
from oms.domain.order import Order, OrderStatus, Totals
from oms.domain.progress import TERMINAL
from oms.domain.shipments import ShipmentStatus
from oms.domain.stock import Bucket, StockPosition, by_position, net, required
from tests.unit.builders import NOON, context

SKUS = ("MUG", "TEE")
"""What lies on shelves."""

SOLD = (*SKUS, "SET")
PLACES = {"ny": "NY", "ca": "CA"}
KIT = Product(sku="SET", kit_components=(KitComponent(sku="MUG", quantity=2), KitComponent(sku="TEE", quantity=1)))
PRODUCTS = {sku: Product(sku=sku, grams=300) for sku in SKUS} | {KIT.sku: KIT}

quantities = st.integers(1, 3)
mostly = st.sampled_from([True, True, True, False])


class OneOrder(RuleBasedStateMachine):
    """One order, its stock and its rows in the queues, with what changes them and what must stay true of them."""

    order: Order
    incoming: IncomingOrder

    def __init__(self) -> None:
        super().__init__()
        self.hours = 0.0
        self.policy = Policy()
        self.stock: dict[tuple[str, str], StockPosition] = {}
        self.backordered: dict[tuple[str, str], int] = {}
        self.owed: set[str] = set()
        self.contact = Contact()

    @initialize(
        ordered=st.lists(st.tuples(st.sampled_from(SOLD), quantities, mostly), min_size=1, max_size=3),
        paid=st.sampled_from(["PAID", "PAID", "PENDING"]),
        on_hand=st.lists(st.integers(0, 6), min_size=4, max_size=4),
        backorder_rule=st.sampled_from(BackorderRule),
    )
    def place_order(
        self, ordered: list[tuple[str, int, bool]], paid: str, on_hand: list[int], backorder_rule: BackorderRule
    ) -> None:
        self.policy = Policy(backorder_rule=backorder_rule)
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
        return replace(context(self.hours), policy=self.policy)

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
            for bucket, units in required(moves).items():
                assert units <= max(0, getattr(self.stock[key], bucket))
            self.stock[key] = self.stock[key].after(net(moves))

    def _queue_backorders(self, change: OrderChange) -> None:
        for row in change.backorders_removed:
            del self.backordered[row.sku, row.queue_key]
        for row in change.backorders_added:
            self.backordered[row.sku, row.queue_key] = row.quantity

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
            for part in one.lines:
                units = (part.open, part.picked, part.shipped, part.shorted, part.cancelled)
                assert part.assigned == sum(units)
                assert min(units) >= 0
                at_work[part.line_id] += part.open + part.picked
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
        made_of = {line.line_id: line for line in self.order.lines}
        for one in self.order.fulfillments:
            for line in one.lines:
                for sku, units in made_of[line.line_id].stock_units(line.open + line.picked).items():
                    at_work[sku, one.location_id] += units
        for key, position in self.stock.items():
            assert getattr(position, Bucket.COMMITTED) == at_work[key]

    @invariant()
    def the_queue_of_a_sku_holds_exactly_the_backordered_units(self) -> None:
        waiting = [(line, line.backordered) for line in self.order.lines if line.backordered]
        expected = [(sku, units) for line, n in waiting for sku, units in line.stock_units(n).items()]
        assert sorted((sku, units) for (sku, _), units in self.backordered.items()) == sorted(expected)

    @invariant()
    def an_order_in_review_waits_in_no_queue(self) -> None:
        assert not (self.order.review and self.backordered)

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
