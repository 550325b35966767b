"""Orders that wait for stock and the stock they wait for; who acts in between, and what looking at them costs."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from typing import Any

from oms.domain.changes import Backorder
from oms.domain.lifecycle import AWAIT_STOCK, Answer
from oms.domain.order import OrderStatus
from oms.stores import backorders
from tests.integration.company import Worker, at, incoming, order_id, received, shelve, worker
from tests.integration.stage import Stage

SKU, PLACE = "TRAY", "WH-EAST"
FOREVER: Callable[[], bool] = lambda: True  # noqa: E731


def take(made: Worker, number: int, lines: dict[str, int], **facts: Any) -> None:
    """An order placed at its number's hour."""
    moment = at(number)
    made.take(incoming(number, lines, placed_at=moment, channel_updated_at=moment, **facts), number)


def waits(made: Worker, number: int, units: int | dict[str, int], hours: float = 30) -> None:
    """An order that asked for stock, was told that there is too little, and whose execution waits: token `t1`, …"""
    take(made, number, units if isinstance(units, dict) else {SKU: units})
    assert made.allocate(order_id(number), hours=hours) == []
    enter(made, number, hours)


def enter(made: Worker, number: int, hours: float = 30) -> None:
    """The execution of the order enters AwaitStock."""
    made.wait(order_id(number), AWAIT_STOCK, f"t{number}", hours=hours)


def gain(made: Worker, units: int, name: str = "1", sku: str = SKU, location_id: str = PLACE) -> None:
    """So many units arrive; their record is still in the stream."""
    assert made.commit.commit_one(received(sku, location_id, units, 40, f"receipt-{name}")).committed


def woken(made: Worker) -> set[str]:
    """The tokens that were told to ask again."""
    return {token for token, told in made.notebook.told.items() if token.startswith("t") and told[0] == Answer()}


def rows(stage: Stage, number: int) -> list[Backorder]:
    """What the order stands for in the queues."""
    return [backorders.decode(row) for row in stage.rows("backorders") if row["order_id"] == order_id(number)]


def allocated(stage: Stage, *numbers: int) -> list[int]:
    return [one for one in numbers if stage.order(order_id(one)).status is OrderStatus.ALLOCATED]


def made_with_nothing(stage: Stage) -> Worker:
    """A worker; of what everybody wants nothing is there."""
    shelve(stage, {SKU: 0})
    return worker()


class Moment:
    """Somebody else acts just before the n-th call to DynamoDB from now on."""

    def __init__(self, stage: Stage, nth: int, act: Callable[[], None]) -> None:
        self.calls, self.nth, self.act = 0, nth, act
        self.acted = False
        stage.hook("dynamodb", "before-call.dynamodb", self._hook)

    def _hook(self, **_: Any) -> None:
        self.calls += 1
        if self.calls == self.nth:
            self.now()

    def now(self) -> None:
        if not self.acted:
            self.acted = True
            self.act()


class Reads:
    """Counts the calls of every operation from now on."""

    def __init__(self, stage: Stage) -> None:
        self.calls: Counter[str] = Counter()
        stage.hook("dynamodb", "before-call.dynamodb", lambda model, **_: self.calls.update([model.name]))

    def of(self, operation: str) -> int:
        return self.calls[operation]
