"""Changes to commit by the dozen, and what a commit sent to DynamoDB."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from oms.domain.allocation import allocate
from oms.domain.changes import OrderChange
from oms.domain.order import Order
from oms.runtime import clients
from oms.stores.attribute_values import from_item
from oms.stores.group_commit import CommitResult, GroupCommit, Outcome
from tests.integration.faults import Faults, refusal
from tests.integration.stage import PREFIX, Stage
from tests.unit import builders

EAST, WEST = "WH-EAST", "WH-WEST"
HOT = "HOT-1"


def order_id(number: int) -> str:
    return f"shopify-main-{5000 + number}"


def placed(stage: Stage, number: int, units: Mapping[str, int] | None = None, **facts: Any) -> Order:
    """An order of sku → units, one of HOT if nothing is said, as it lies in its table right after intake."""
    lines = [builders.line(f"L{at}", sku, n) for at, (sku, n) in enumerate((units or {HOT: 1}).items(), start=1)]
    order = builders.received(*lines, order_id=order_id(number), channel_order_id=str(5000 + number), **facts)
    stage.put("orders", order)
    return order


def promising(order: Order, location_id: str = EAST, hours: float = 0) -> OrderChange:
    """The change that gives the whole order to one location."""
    units = {line.line_id: line.unallocated for line in order.lines if line.unallocated}
    return allocate(order, builders.plan(**{location_id: units}), builders.context(hours))


def hot_changes(stage: Stage, number: int, hours: float = 0) -> list[OrderChange]:
    """So many one-unit orders of the same sku, all of them to be promised."""
    return [promising(placed(stage, one), hours=hours) for one in range(number)]


def committing() -> GroupCommit:
    """A worker's commit that does not really pause."""
    return GroupCommit(clients.client("dynamodb"), PREFIX, sleep=lambda _: None)


def outcomes(results: Sequence[CommitResult[Any]]) -> Counter[Outcome]:
    return Counter(one.outcome for one in results)


@dataclass
class Sent:
    """The writes that were sent, in the order of their sending; transactions as lists of (table, action)."""

    stage: Stage
    transactions: list[list[tuple[str, dict[str, Any]]]] = field(default_factory=list)
    sizes: list[int] = field(default_factory=list)
    puts: int = 0

    def __post_init__(self) -> None:
        self.stage.hook("dynamodb", "before-send.dynamodb.TransactWriteItems", self._transaction)
        self.stage.hook("dynamodb", "before-send.dynamodb.PutItem", self._put)

    def _transaction(self, request: Any, **_: Any) -> None:
        self.sizes.append(len(request.body))
        self.transactions.append([target(action) for action in json.loads(request.body)["TransactItems"]])

    def _put(self, **_: Any) -> None:
        self.puts += 1

    def tables(self, transaction: int = 0) -> Counter[str]:
        """How many actions of a transaction are on which table."""
        return Counter(table for table, _ in self.transactions[transaction])


def target(action: Mapping[str, Any]) -> tuple[str, dict[str, Any]]:
    """The table of a transaction's action, and its item or key."""
    (what,) = action.values()
    return what["TableName"].removeprefix(PREFIX), from_item(what.get("Item") or what["Key"])


def strike(faults: Faults, table: str, key: Mapping[str, Any], code: str, *, times: int = 1_000_000) -> None:
    """Transactions that touch this item are cancelled for it, `times` times."""
    left = [times]

    def answer(request: Any) -> Any:
        targets = [target(action) for action in json.loads(request.body)["TransactItems"]]
        struck = [at for at, (name, item) in enumerate(targets) if name == table and key.items() <= item.items()]
        if not struck or not left[0]:
            return None
        left[0] -= 1
        reasons = [{"Code": "None"} for _ in targets]
        for at in struck:
            reasons[at] = {"Code": code, "Message": "told to"}
        return refusal(request, "TransactionCanceledException", CancellationReasons=reasons)

    faults.before("TransactWriteItems", answer, times=1_000_000)


def refuse_whole(faults: Faults, is_bad: Callable[[bytes], bool]) -> None:
    """Transactions that are bad in this way are not understood, and nothing says which action is to blame."""

    def answer(request: Any) -> Any:
        return refusal(request, "ValidationException") if is_bad(request.body) else None

    faults.before("TransactWriteItems", answer, times=1_000_000)
