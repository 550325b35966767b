"""Messages of one order in any sequence, each any number of times: the order ends as if they had come one by one."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from oms.domain.allocation import allocate
from oms.domain.catalog import ChannelAccount, Product
from oms.domain.changes import Context, touches
from oms.domain.incoming import Address, Contact, IncomingLine, IncomingOrder
from oms.domain.intake import receive
from oms.domain.intake_rules import Version, judge_version
from oms.domain.intake_updates import update
from oms.domain.intake_wishes import Message, age_of, content_of
from oms.domain.order import Order, Totals
from oms.domain.progress import unallocated_units
from tests.unit.builders import NOON, context, plan

SKUS = ("MUG", "TEE", "HAT")
PRODUCTS = {sku: Product(sku=sku, grams=300) for sku in SKUS}
MAX_STEPS = 10

units = st.tuples(st.integers(0, 4), st.integers(0, 4))
"""Units of a line that were ordered and units that are left of it."""


@st.composite
def states(draw: st.DrawFn) -> dict[str, Any]:
    """What the channel says of the order at one moment."""
    wanted = draw(st.lists(units, min_size=3, max_size=3).filter(lambda lines: any(left for _, left in lines)))
    prices = draw(st.lists(st.sampled_from([900, 1000]), min_size=3, max_size=3))
    lines = tuple(
        IncomingLine(
            line_id=sku,
            sku=sku,
            quantity=max(ordered, left),
            current_quantity=left,
            unit_price_minor=price,
        )
        for sku, (ordered, left), price in zip(SKUS, wanted, prices, strict=True)
        if ordered or left
    )
    goods = sum(line.unit_price_minor * line.quantity for line in lines)
    return {
        "lines": lines,
        "totals": Totals(total_minor=goods + draw(st.sampled_from([0, 0, 0, 7]))),
        "contact": Contact(
            name=draw(st.sampled_from(["Ada", "Grace"])),
            ship_to=Address(address1="1 Test Street", country="US", region=draw(st.sampled_from(["NY", "CA"]))),
        ),
        "payment_status": draw(st.sampled_from(["PAID", "PENDING"])),
        "service_level": draw(st.sampled_from(["STANDARD", "STANDARD", "EXPRESS"])),
        "ship_by": NOON + timedelta(days=draw(st.integers(1, 3))),
        "deliver_by": NOON + timedelta(days=draw(st.integers(4, 6))),
        "cancelled_at": draw(st.sampled_from([None, None, None, NOON])),
    }


def message(number: int, state: dict[str, Any]) -> IncomingOrder:
    return IncomingOrder(
        channel="shopify",
        account="main",
        channel_order_id="1",
        placed_at=NOON,
        channel_updated_at=NOON + timedelta(minutes=number),
        currency="USD",
        **state,
    )


class Desk:
    """One order and its person's data, as messages bring them about."""

    def __init__(self) -> None:
        self.order: Order | None = None
        self.contact: Contact | None = None
        self.hours = 1.0

    def take(self, incoming: IncomingOrder) -> None:
        self.hours += 0.1
        content = content_of(incoming)
        if self.order is None:
            self.order = receive(incoming, PRODUCTS, ChannelAccount(), self.now(), content=content).order
            self.contact = incoming.contact
            return
        age = age_of(self.order, incoming.channel_updated_at)
        same = content == self.order.channel_content
        if judge_version(age, same_content=same, fetched=False, can_fetch=False) is Version.COUNTS:
            self._bring_up_to_date(incoming, content)

    def now(self) -> Context:
        return replace(context(self.hours), actor="shopify")

    def _bring_up_to_date(self, incoming: IncomingOrder, content: str) -> None:
        assert self.order is not None
        for _ in range(MAX_STEPS):
            asking = Message(
                incoming=incoming,
                contact=self.contact,
                context=self.now(),
                products=PRODUCTS,
                content=content,
            )
            change = update(self.order, asking)
            if change is None:
                return
            assert change.order.version == self.order.version + 1
            assert touches(change) <= 40
            self.order, self.contact = change.order, change.contact or self.contact
        raise AssertionError("a message that is applied again and again must end")

    def allocate(self) -> None:
        if self.order and unallocated_units(self.order) and not self.order.review:
            wanted = {line.line_id: line.unallocated for line in self.order.lines if line.unallocated}
            self.order = allocate(self.order, plan(ny=wanted), context(self.hours)).order

    def ends_as(self) -> Any:
        """What the order says, how it came to it left aside."""
        order = self.order
        assert order is not None
        open_work = [line for one in order.fulfillments for line in one.lines if line.open]
        live = {one.line_id: (one.ordered - one.cancelled, one.unit_price_minor) for one in order.lines}
        return (
            {line_id: one for line_id, one in live.items() if one[0]},
            {line.line_id: sum(one.open for one in open_work if one.line_id == line.line_id) for line in open_work},
            [one.type for one in order.holds] if order.waiting_for else None,
            (order.status, order.review.reason if order.review else None, order.totals, order.payments),
            (order.ship_by, order.deliver_by, order.promised_by) if order.waiting_for else None,
            (order.ship_to, order.service_level, self.contact) if order.waiting_for else None,
            (order.channel_updated_at, order.channel_content),
        )


@settings(max_examples=400)
@given(st.data())
def test_messages_in_any_sequence_with_repeats_end_as_messages_one_by_one(data: st.DataObject) -> None:
    history = [
        message(number, state) for number, state in enumerate(data.draw(st.lists(states(), min_size=1, max_size=5)))
    ]
    shuffled = data.draw(st.permutations(history + data.draw(st.lists(st.sampled_from(history), max_size=4))))
    one_by_one, as_they_came = Desk(), Desk()
    for incoming in history:
        one_by_one.take(incoming)
    for incoming in shuffled:
        as_they_came.take(incoming)
        if data.draw(st.booleans()):
            as_they_came.allocate()
    one_by_one.allocate()
    as_they_came.allocate()
    assert as_they_came.ends_as() == one_by_one.ends_as()


def test_units_that_we_cancelled_ourselves_do_not_come_back_with_the_channels_next_word() -> None:
    desk = Desk()
    lines = (IncomingLine(line_id="MUG", sku="MUG", quantity=3, current_quantity=3),)
    first = message(0, {"lines": lines, "totals": Totals()})
    desk.take(first)
    assert desk.order is not None
    short = replace(desk.order.lines[0], unallocated=2, cancelled=1)
    desk.order = replace(desk.order, lines=(short,))
    desk.take(replace(first, channel_updated_at=NOON + timedelta(minutes=1)))
    assert desk.order.lines[0].cancelled == 1
    told = (replace(lines[0], current_quantity=2),)
    desk.take(replace(first, lines=told, channel_updated_at=NOON + timedelta(minutes=2)))
    assert (desk.order.lines[0].cancelled, desk.order.lines[0].cancelled_by_channel) == (1, 1)
    desk.take(replace(first, channel_updated_at=NOON + timedelta(minutes=3)))
    assert (desk.order.lines[0].cancelled, desk.order.lines[0].unallocated) == (0, 3)
