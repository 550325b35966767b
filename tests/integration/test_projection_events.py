"""The events that the rule of the bus lets through are all that `open_lines` needs to follow any order."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace

import pytest

from oms.domain import stock as moves
from oms.domain.catalog import Policy
from oms.domain.changes import Context, StockChange
from oms.domain.events import EventType
from oms.domain.projection import open_lines
from oms.domain.rerouting import reroute
from oms.runtime import clients
from oms.stores.open_lines import OpenLinesStore
from oms.usecases.projection import Projection
from tests.integration.company import ADA, RENO, Worker, at, incoming, line, order_id, report, worker
from tests.integration.stage import PREFIX, Stage, template
from tests.unit import builders

Step = Callable[[Worker], object]
MOVED = replace(ADA, ship_to=RENO)
FEWER = (line("L1", "MUG", 2, left=1), line("L2", "BOWL", 1))


def lets_through() -> set[str]:
    """The events of the template's rule."""
    pattern = template()["Resources"]["ProjectionRule"]["Properties"]["EventPattern"]
    return set(pattern["detail-type"])


def take(**changes: object) -> Step:
    return lambda made: made.take(incoming(**changes), hours=1)  # type: ignore[arg-type]


def take_fewer(made: Worker) -> None:
    """The channel cancelled one of the two mugs."""
    made.take(replace(incoming(channel_updated_at=at(1)), lines=FEWER), hours=1)


def take_shipped_by_somebody_else(made: Worker) -> None:
    """The channel says that two mugs have left which left no location."""
    told = incoming(lines={"MUG": 2, "BOWL": 9}, channel_updated_at=at(1))
    gone = replace(told.lines[0], fulfilled_quantity=2)
    made.take(replace(told, lines=(gone, *told.lines[1:])), hours=1)


def allocate(made: Worker) -> None:
    made.allocate(order_id(), hours=1)


def take_after_the_last_bowl(made: Worker) -> None:
    """Another order has all the bowls."""
    made.take(incoming(2, {"BOWL": 3}))
    made.allocate(order_id(2))
    made.take(incoming(lines={"BOWL": 1}), hours=1)


def move_west(made: Worker) -> None:
    """Its work goes to the other warehouse before it is released."""
    order = made.orders.get(order_id())
    assert order is not None
    plan = builders.plan(**{"WH-WEST": {"L1": 1}})
    change = reroute(order, plan, 100, Context(now=at(2), actor="test", policy=Policy()))
    assert change is not None
    assert made.commit.commit_one(change).committed


def release(made: Worker) -> None:
    made.lifecycle.evaluate(order_id(), at(1))


def cancel(made: Worker) -> None:
    made.decisions.cancel(order_id(), "CUSTOMER", "desk", at(2))


def reported(kind: str, **facts: object) -> Step:
    def tell(made: Worker) -> None:
        order = made.orders.get(order_id())
        assert order is not None
        made.report(report(kind, order, **facts))

    return tell


def lose_mugs(made: Worker) -> None:
    """A count finds no mug at WH-EAST, and what was promised of them is planned anew."""
    position = made.stock.get("MUG", "WH-EAST")
    gone = moves.adjust("MUG", "WH-EAST", -position.on_hand)
    change = StockChange(change_id="count-1", effective_at=at(1), at=at(1), actor="count", moves=(gone,))
    assert made.commit.commit_one(change).committed
    made.replanning.replan("MUG", "WH-EAST", at(2))


STORIES: dict[str, tuple[set[EventType], tuple[Step, ...]]] = {
    "cancelled before it is released": ({EventType.ORDER_CANCELLED}, (take(), allocate, cancel)),
    "units cancelled by the channel": (
        {EventType.LINES_CANCELLED},
        (take(), allocate, take_fewer),
    ),
    "moved to another address": (
        {EventType.ADDRESS_CHANGED},
        (take(), allocate, take(contact=MOVED, channel_updated_at=at(1)), allocate),
    ),
    "wholly short of stock": ({EventType.ORDER_BACKORDERED}, (take_after_the_last_bowl, allocate)),
    "short of stock, then put in review": (
        {EventType.ORDER_BACKORDERED, EventType.REVIEW_REQUESTED},
        (take(lines={"MUG": 2, "BOWL": 9}), allocate, take_shipped_by_somebody_else),
    ),
    "short of stock, then added to": (
        {EventType.ORDER_BACKORDERED, EventType.ORDER_EDITED},
        (
            take(lines={"MUG": 2, "BOWL": 9}),
            allocate,
            take(lines={"MUG": 2, "BOWL": 9, "KETTLE": 1}, channel_updated_at=at(1)),
        ),
    ),
    "for other goods than it was": (
        {EventType.ORDER_EDITED},
        (take(), allocate, take(lines={"KETTLE": 2, "BOWL": 1}, channel_updated_at=at(1)), allocate),
    ),
    "promised for another day by its marketplace": (
        {EventType.PROMISE_CHANGED},
        (take(deliver_by=at(100)), allocate, take(deliver_by=at(200), channel_updated_at=at(1))),
    ),
    "planned anew when a count finds nothing": (
        {EventType.LINES_REPLANNED, EventType.ORDER_ALLOCATED},
        (take(lines={"MUG": 2}), allocate, lose_mugs, allocate),
    ),
    "moved to where it ships cheaper": (
        {EventType.ORDER_REROUTED},
        (take(lines={"MUG": 1}), allocate, move_west),
    ),
    "rejected by its location": (
        {EventType.FULFILLMENT_REJECTED, EventType.ORDER_RELEASED},
        (take(), allocate, release, reported("rejected", reason_code="NO_CAPACITY")),
    ),
    "short picked": (
        {EventType.LINES_SHORTED},
        (take(), allocate, release, reported("short_picked", lines={"L1": 1}, reason_code="NOT_FOUND"), allocate),
    ),
    "shipped in two parcels": (
        {EventType.SHIPMENT_SHIPPED},
        (
            take(),
            allocate,
            release,
            reported("shipped", lines={"L1": 1}),
            reported("shipped", shipment_id="parcel-2"),
        ),
    ),
}


@dataclass
class Follower:
    """Reads the bus through the rule, and looks only at orders it heard of."""

    made: Worker
    wanted: set[str] = field(default_factory=lets_through)
    heard: int = 0
    told: set[EventType] = field(default_factory=set)

    def follow(self) -> None:
        order = self.made.orders.get(order_id())
        assert order is not None
        news = {event.type for event in order.events if event.sequence > self.heard}
        self.heard, self.told = order.last_sequence, self.told | news
        if news & {EventType(one) for one in self.wanted}:
            store = OpenLinesStore(clients.client("dynamodb"), PREFIX)
            assert not Projection(self.made.orders, store).project([order_id()], at(3)).failed


def stands(stage: Stage) -> dict[tuple[str, str], tuple[int, int, bool]]:
    """Key to (units, backordered, released) of the rows that are open."""
    return {
        (row["sku"], row["line_key"]): (row["quantity"], row.get("backordered", 0), row["released"])
        for row in stage.rows("open_lines")
        if row["quantity"]
    }


def says(made: Worker) -> dict[tuple[str, str], tuple[int, int, bool]]:
    order = made.orders.get(order_id())
    assert order is not None
    return {row.key: (row.quantity, row.backordered, row.released) for row in open_lines(order) if row.quantity}


@pytest.mark.parametrize("story", STORIES)
def test_after_every_step_of_an_order_the_rows_say_what_it_says(stage: Stage, story: str) -> None:
    expected, steps = STORIES[story]
    follower = Follower(worker())
    for step in steps:
        step(follower.made)
        follower.follow()
        assert stands(stage) == says(follower.made)
    assert expected <= follower.told


def test_every_event_of_the_rule_is_in_one_of_the_stories() -> None:
    told = set().union(*(expected for expected, _ in STORIES.values())) | {EventType.ORDER_RECEIVED}
    assert lets_through() == {one.value for one in told}
