"""Commit: the one way in which orders and the stock they hold change together.

A change is written whole or not at all: the order under its version, each stock position under "still available",
each movement once, and what is owed because of it. Callers hand over many changes and get one result each, in the
same order; today each change is a transaction of its own, and callers need not know.
"""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING, Any, cast

from botocore.exceptions import ClientError

from oms.domain.changes import OrderChange
from oms.domain.errors import InvariantBroken, OmsError, Retryable, Unavailable, WriteConflict
from oms.domain.order import Order
from oms.domain.retention import first_look
from oms.domain.stock import StockPosition, by_position
from oms.stores import orders as orders_module
from oms.stores import stock as stock_module
from oms.stores.attribute_values import from_item
from oms.stores.backorders import BackordersStore
from oms.stores.deliveries import DeliveriesStore
from oms.stores.orders import OrdersStore
from oms.stores.stock import StockStore
from oms.stores.table import ConditionFailedError, our_errors

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

    from oms.stores.contacts import ContactsStore

MAX_ACTIONS = 100
MAX_ATTEMPTS = 6
_BACKOFF_SECONDS = 0.05
_TRY_AGAIN = frozenset({"TransactionConflict", "ThrottlingError", "ProvisionedThroughputExceeded"})


class Outcome(StrEnum):
    """What became of a change."""

    COMMITTED = "COMMITTED"
    ORDER_CHANGED = "ORDER_CHANGED"
    STOCK_SHORT = "STOCK_SHORT"
    FAILED = "FAILED"


@dataclass(frozen=True, slots=True, kw_only=True)
class CommitResult:
    """`image` is the order as it is when somebody else changed it; `positions` are those that ran short;
    `error` says why nothing is known of a FAILED change: read the order again before the next try."""

    change: OrderChange
    outcome: Outcome
    image: Order | None = None
    positions: tuple[StockPosition, ...] = ()
    error: OmsError | None = None

    @property
    def committed(self) -> bool:
        """Whether the change is in the tables."""
        return self.outcome is Outcome.COMMITTED


@dataclass(frozen=True, slots=True)
class _Actions:
    """A transaction in the making: the order's put first, then stock updates, so that reasons can be told apart."""

    order: Any
    positions: list[Any] = field(default_factory=list)
    others: list[dict[str, Any]] = field(default_factory=list)

    def all(self) -> list[dict[str, Any]]:
        updates = [{"Update": action} for action in self.positions]
        return [{"Put": self.order}, *updates, *self.others]


class GroupCommit:
    """Writes changes. `contacts` is needed only where changes carry a person's data."""

    def __init__(
        self,
        client: DynamoDBClient,
        table_prefix: str,
        contacts: ContactsStore | None = None,
        *,
        sleep: Callable[[float], None] = time.sleep,
        jitter: Callable[[], float] = random.random,
    ) -> None:
        self._client = client
        self._orders = OrdersStore(client, table_prefix)
        self._stock = StockStore(client, table_prefix)
        self._deliveries = DeliveriesStore(client, table_prefix)
        self._backorders = BackordersStore(client, table_prefix)
        self._contacts = contacts
        self._sleep = sleep
        self._jitter = jitter

    def commit(self, changes: Sequence[OrderChange]) -> list[CommitResult]:
        """One result per change, in order. Changes of one call must be of different orders."""
        return [self._commit_alone(change) for change in changes]

    def _commit_alone(self, change: OrderChange) -> CommitResult:
        """As `commit_one`, but what DynamoDB refuses for a bug of ours is this change's failure and no other's."""
        try:
            return self.commit_one(change)
        except InvariantBroken as error:
            return CommitResult(change=change, outcome=Outcome.FAILED, error=error)
        except ClientError as error:
            reason = Unavailable(f"DynamoDB refused: {error.response['Error']['Code']}")
            return CommitResult(change=change, outcome=Outcome.FAILED, error=reason)

    def commit_one(self, change: OrderChange) -> CommitResult:
        """Commits a change, trying again with full jitter while others hold its items."""
        failed: Retryable = WriteConflict(f"{change.order.order_id}: always held by others")
        for attempt in range(MAX_ATTEMPTS):
            try:
                result = self._try(change)
            except Retryable as error:
                return CommitResult(change=change, outcome=Outcome.FAILED, error=error)
            if result is not None:
                return result
            self._sleep(self._jitter() * _BACKOFF_SECONDS * 2**attempt)
        return CommitResult(change=change, outcome=Outcome.FAILED, error=failed)

    def _try(self, change: OrderChange) -> CommitResult | None:
        """One attempt; None when it was cancelled for a reason that passes."""
        actions = self._actions(change)
        try:
            with our_errors():
                if change.order_only and not actions.others:
                    self._client.put_item(**actions.order)
                else:
                    self._client.transact_write_items(TransactItems=cast("Any", actions.all()))
        except ConditionFailedError as error:
            return _order_result(change, error.image)
        except WriteConflict:
            return None
        except ClientError as error:
            if error.response["Error"]["Code"] != "TransactionCanceledException":
                raise
            return _judge(change, error.response["CancellationReasons"], len(actions.positions))
        return CommitResult(change=change, outcome=Outcome.COMMITTED)

    def _actions(self, change: OrderChange) -> _Actions:
        now, order = change.order.updated_at, change.order
        put, others = self._orders.write_actions(change)
        puts = others + [self._deliveries.put_action(one, now) for one in change.deliveries]
        puts += [self._backorders.put_action(row) for row in change.backorders_added]
        deletes = [self._backorders.delete_action(row) for row in change.backorders_removed]
        if change.contact is not None:
            puts.append(self._contact_action(change))
        actions = _Actions(put)
        for moves in by_position(change.moves).values():
            actions.positions.append(self._stock.position_action(moves, now))
            puts.append(self._stock.movement_action(moves, [(order.order_id, order.version)], now))
        actions.others.extend({"Put": action} for action in puts)
        actions.others.extend({"Delete": action} for action in deletes)
        if len(actions.all()) > MAX_ACTIONS:
            raise InvariantBroken(f"{order.order_id}: a change of {len(actions.all())} actions")
        return actions

    def _contact_action(self, change: OrderChange) -> Any:
        if self._contacts is None or change.contact is None:
            raise InvariantBroken("this commit was not given the contacts table")
        return self._contacts.put_action(change.order.order_id, change.contact, first_look(change.order))


def _judge(change: OrderChange, reasons: Sequence[Any], positions: int) -> CommitResult | None:
    """What a cancelled transaction means; its reasons stand in the order of its actions."""
    if reasons[0]["Code"] == "ConditionalCheckFailed":
        image = reasons[0].get("Item")
        return _order_result(change, from_item(image) if image else None)
    short = [reason for reason in reasons[1 : 1 + positions] if reason["Code"] == "ConditionalCheckFailed"]
    if short:
        images = tuple(stock_module.decode(from_item(one["Item"])) for one in short if one.get("Item"))
        return CommitResult(change=change, outcome=Outcome.STOCK_SHORT, positions=images)
    if any(reason["Code"] in _TRY_AGAIN for reason in reasons):
        return None
    codes = ", ".join(sorted({str(reason["Code"]) for reason in reasons}))
    raise InvariantBroken(f"{change.order.order_id}: transaction refused: {codes}")


def _order_result(change: OrderChange, image: dict[str, Any] | None) -> CommitResult:
    """Somebody else changed the order; or we did, and never heard of it."""
    stored = orders_module.decode(image) if image else None
    if stored == change.order:
        return CommitResult(change=change, outcome=Outcome.COMMITTED)
    return CommitResult(change=change, outcome=Outcome.ORDER_CHANGED, image=stored)
