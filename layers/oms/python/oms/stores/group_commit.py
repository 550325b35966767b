"""Group commit: the one way in which orders, carts and stock documents change stock.

Callers hand over many changes and get one result each. The changes are packed into few transactions, one stock
update per position in each; what a transaction's cancellation says of one change is that change's matter alone: it is
taken out and the others are committed without it.

    guard failed          the order (cart, stock document) is not what the change rests on: out, with what is stored;
                          if that is just what we meant to write, a try of ours went through unheard: committed
    position ran short    those given last go out, with the position as it is; those given first are committed
    day full              likewise, with the parcels planned at the location that day
    counted meanwhile     what happened before the count is booked as the count demands, nobody goes out
    conflict, throttled   the same transaction again after a pause, with full jitter; who stays in the way goes out
    malformed             the transaction in two halves, until the change that is not understood stands alone
    no answer             the same transaction with the same token; if nobody ever answers, all in it have FAILED,
                          and whoever reads the order again sees whether it was written
"""

from __future__ import annotations

import random
import time
import uuid
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING, Any, Generic, cast

from botocore.exceptions import ClientError

from oms.domain.capacity import DayLoad, by_day
from oms.domain.changes import OrderChange, StockChange
from oms.domain.errors import InvariantBroken, OmsError, Retryable, Throttled, Unavailable, WriteConflict
from oms.domain.order import Order
from oms.domain.reservations import Reservation
from oms.domain.retention import first_look
from oms.domain.stock import StockPosition, by_position
from oms.stores import orders as orders_module
from oms.stores import reservations as reservations_module
from oms.stores.attribute_values import from_item
from oms.stores.backorders import BackordersStore
from oms.stores.capacity import CapacityStore
from oms.stores.deliveries import DeliveriesStore
from oms.stores.movements import MovementsStore
from oms.stores.orders import OrdersStore
from oms.stores.packing import MAX_ACTIONS, C, Pack, Prepared, Role, halves, pack, together
from oms.stores.reservations import ReservationsStore
from oms.stores.stock import StockStore
from oms.stores.table import ConditionFailedError, our_errors
from oms.stores.transactions import FullDay, Part, Refusal, Shortage, Transaction, lacks_of, served_first

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

    from oms.stores.contacts import ContactsStore

MAX_ATTEMPTS = 6
"""Tries of one transaction while others hold its items."""

MAX_UNANSWERED = 2
"""Tries of one transaction that nobody answers; each is itself tried again by the client."""

MAX_ROUNDS = 20
"""Rounds of writing what is left after some were taken out; each takes out at least one or books it otherwise."""

_BACKOFF_SECONDS = 0.05
_BYTES_OF_A_LINE = 700
_BYTES_OF_AN_EVENT = 400
_BYTES_OF_A_DOCUMENT = 2_000


class Outcome(StrEnum):
    """What became of a change."""

    COMMITTED = "COMMITTED"
    ORDER_CHANGED = "ORDER_CHANGED"
    RESERVATION_CHANGED = "RESERVATION_CHANGED"
    POSITION_CHANGED = "POSITION_CHANGED"
    STOCK_SHORT = "STOCK_SHORT"
    CAPACITY_FULL = "CAPACITY_FULL"
    DUPLICATE = "DUPLICATE"
    FAILED = "FAILED"


@dataclass(frozen=True, slots=True, kw_only=True)
class CommitResult(Generic[C]):
    """`image` is the order, `reservation` the cart as it is when somebody else changed it; `positions` are those
    that ran short or changed, `full` the days without room for it; `error` says why nothing is known of a FAILED
    change: read again before the next try.
    """

    change: C
    outcome: Outcome
    image: Order | None = None
    reservation: Reservation | None = None
    positions: tuple[StockPosition, ...] = ()
    full: tuple[DayLoad, ...] = ()
    error: OmsError | None = None

    @property
    def committed(self) -> bool:
        """Whether the change is in the tables."""
        return self.outcome is Outcome.COMMITTED


@dataclass(slots=True)
class Counts:
    """What a commit has done so far: for metrics and benchmarks."""

    transactions: int = 0
    rounds: int = 0
    conflicts: int = 0
    evictions: int = 0


@dataclass(slots=True)
class _Work(Generic[C]):
    """The changes of one call: those that can be written, and the results so far."""

    ready: list[Prepared[C]] = field(default_factory=list)
    results: dict[int, CommitResult[C]] = field(default_factory=dict)

    def settle(self, one: Prepared[C], outcome: Outcome, **more: Any) -> None:
        self.results[one.place] = CommitResult(change=one.change, outcome=outcome, **more)

    def fail(self, changes: Iterable[Prepared[C]], error: OmsError) -> None:
        for one in changes:
            self.settle(one, Outcome.FAILED, error=error)


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
        self._reservations = ReservationsStore(client, table_prefix)
        self._stock = StockStore(client, table_prefix)
        self._movements = MovementsStore(client, table_prefix)
        self._deliveries = DeliveriesStore(client, table_prefix)
        self._backorders = BackordersStore(client, table_prefix)
        self._capacity = CapacityStore(client, table_prefix)
        self._contacts = contacts
        self._sleep = sleep
        self._jitter = jitter
        self.counts = Counts()

    def commit_one(self, change: C) -> CommitResult[C]:
        """Commits one change."""
        return self.commit([change])[0]

    def commit(self, changes: Sequence[C]) -> list[CommitResult[C]]:
        """One result per change, in order; in each transaction those given first are served first. Changes of one call
        must be of different orders."""
        work: _Work[C] = _Work()
        for place, change in enumerate(changes):
            self._prepare(place, change, work)
        rounds = [self._write(one, work) for one in pack(work.ready)]
        self.counts.rounds += max(rounds, default=0)
        return [work.results[place] for place in range(len(changes))]

    def _prepare(self, place: int, change: C, work: _Work[C]) -> None:
        """Makes ready what the change writes; what can't be written is this change's failure and no other's."""
        claims = {(claim.sku, claim.location_id): claim.quantity for claim in change.claims}
        one: Prepared[C] = Prepared(place, change, by_position(change.moves), claims=claims)
        try:
            if isinstance(change, OrderChange):
                self._prepare_order(one, change)
            else:
                self._prepare_stock(one, change)
        except OmsError as error:
            work.fail([one], error)
        else:
            work.ready.append(one)

    def _prepare_order(self, one: Prepared[OrderChange], change: OrderChange) -> None:
        order, now = change.order, change.order.updated_at
        one.days = by_day(change.capacity)
        put, others = self._orders.write_actions(change)
        one.guards.append((Role.ORDER, put))
        if change.reservation:
            one.guards.append((Role.RESERVATION, self._reservations.write_action(change.reservation)))
        puts = others + [self._deliveries.put_action(row, now) for row in change.deliveries]
        puts += [self._backorders.put_action(row) for row in change.backorders_added]
        if change.contact is not None:
            puts.append(self._contact_action(change))
        one.others += [{"Put": action} for action in puts]
        one.others += [{"Delete": self._backorders.delete_action(row)} for row in change.backorders_removed]
        parts = len(order.lines) + sum(len(work.lines) for work in order.fulfillments)
        one.size = _BYTES_OF_A_DOCUMENT + _BYTES_OF_A_LINE * parts + _BYTES_OF_AN_EVENT * len(order.events)
        if one.actions > MAX_ACTIONS:
            raise InvariantBroken(f"{order.order_id}: a change of {one.actions} actions")

    def _prepare_stock(self, one: Prepared[StockChange], change: StockChange) -> None:
        if change.reservation:
            one.guards.append((Role.RESERVATION, self._reservations.write_action(change.reservation)))
        one.documented = change.reservation is None
        basis = change.count or change.expectation
        if basis:
            one.own = frozenset({(basis.sku, basis.location_id)})
        if not one.guards and not one.positions:
            raise InvariantBroken(f"{change.change_id} changes nothing")
        if one.actions > MAX_ACTIONS:
            raise InvariantBroken(f"{change.change_id}: too many positions for one change")

    def _contact_action(self, change: OrderChange) -> Any:
        if self._contacts is None or change.contact is None:
            raise InvariantBroken("this commit was not given the contacts table")
        order, knows = change.order, change.order.forget_person
        return self._contacts.put_action(order.order_id, change.contact, first_look(order), knows_forgotten=knows)

    def _write(self, changes: Pack[C], work: _Work[C]) -> int:
        """Writes a transaction, and what is left of it without those in the way before any other: those given first
        are served first. Returns how many rounds that took."""
        for number in range(1, MAX_ROUNDS + 1):
            left = self._try(changes, work)
            if not left:
                return number
            changes = together(left)
        work.fail(changes.changes, WriteConflict("its stock never stood still"))
        return MAX_ROUNDS

    def _try(self, changes: Pack[C], work: _Work[C]) -> list[Prepared[C]]:
        """Tries one transaction until it is through or says who is in the way; returns those left to be written."""
        transaction = Transaction(changes, self._stock, self._movements, self._capacity)
        token, unanswered = str(uuid.uuid4()), 0
        refusal: Refusal[C] = Refusal()
        for attempt in range(MAX_ATTEMPTS):
            try:
                refused = self._send(transaction, token)
            except Throttled:
                refused = Refusal()
            except Retryable as error:
                unanswered += 1
                if unanswered == MAX_UNANSWERED:
                    work.fail(changes.changes, error)
                    return []
                continue
            except ClientError as error:
                self._not_understood(changes, error, work)
                return []
            except InvariantBroken as error:
                self._split(changes, error, work)
                return []
            if refused is None:
                for one in changes.changes:
                    work.settle(one, Outcome.COMMITTED)
                return []
            if refused.guards or refused.positions or refused.days or refused.malformed:
                return self._take_out(changes, refused, work)
            refusal = refused
            self.counts.conflicts += 1
            self._sleep(self._jitter() * _BACKOFF_SECONDS * 2**attempt)
        return _give_way(changes, refusal, work)

    def _send(self, transaction: Transaction[C], token: str) -> Refusal[C] | None:
        """One attempt; None when it is written. A document alone needs no transaction, at half the price."""
        self.counts.transactions += 1
        actions = transaction.actions
        try:
            with our_errors():
                if len(actions) == 1 and "Put" in actions[0]:
                    self._client.put_item(**actions[0]["Put"])
                else:
                    self._client.transact_write_items(TransactItems=cast("Any", actions), ClientRequestToken=token)
        except ConditionFailedError as error:
            refusal: Refusal[C] = Refusal()
            refusal.add(transaction.parts[0], error.image)
            return refusal
        except WriteConflict:
            return Refusal()
        except ClientError as error:
            if error.response["Error"]["Code"] != "TransactionCanceledException":
                raise
            return transaction.refusal(error.response["CancellationReasons"])
        return None

    def _take_out(self, changes: Pack[C], refusal: Refusal[C], work: _Work[C]) -> list[Prepared[C]]:
        """Settles every change that stands in the way; returns the others."""
        for one, part, stored in refusal.guards:
            if one.place not in work.results:
                _settle_guard(one, part, stored, work)
        _settle_lacks(refusal, work)
        left = [one for one in changes.changes if one.place not in work.results]
        self.counts.evictions += len(changes.changes) - len(left)
        if refusal.malformed and len(left) == len(changes.changes):
            self._split(changes, InvariantBroken("DynamoDB refused a part of it"), work)
            return []
        return left

    def _not_understood(self, changes: Pack[C], error: ClientError, work: _Work[C]) -> None:
        """DynamoDB refused the transaction whole."""
        code = error.response["Error"]["Code"]
        if code != "ValidationException":
            work.fail(changes.changes, Unavailable(f"DynamoDB refused: {code}"))
        else:
            self._split(changes, InvariantBroken("DynamoDB does not understand it"), work)

    def _split(self, changes: Pack[C], error: OmsError, work: _Work[C]) -> None:
        """Half by half, those that are to blame are found; they alone fail."""
        if len(changes.changes) == 1:
            work.fail(changes.changes, error)
            return
        for half in halves(changes):
            self._write(half, work)


def _give_way(changes: Pack[C], refusal: Refusal[C], work: _Work[C]) -> list[Prepared[C]]:
    """Others held on too long: who wants what they hold fails; returns the rest."""
    wanting = [one for part in refusal.passing for one in part.wanted_by] or changes.changes
    blamed = {one.place for one in wanting}
    work.fail((one for one in changes.changes if one.place in blamed), WriteConflict("always held by others"))
    return [one for one in changes.changes if one.place not in blamed]


def _settle_guard(one: Prepared[C], part: Part[C], stored: dict[str, Any] | None, work: _Work[C]) -> None:
    """Somebody else was first; or we were, and never heard of it."""
    ours = stored is not None and stored == from_item(part.action["Put"]["Item"])
    if part.role is Role.MOVEMENT:
        if one.documented:
            work.settle(one, Outcome.COMMITTED if ours else Outcome.DUPLICATE)
    elif part.role is Role.OTHER:  # of these only the person's data has a condition: see ContactsStore.put_action
        work.fail([one], WriteConflict("its person was to be forgotten meanwhile"))
    elif ours:
        work.settle(one, Outcome.COMMITTED)
    elif part.role is Role.RESERVATION:
        reservation = reservations_module.decode(stored) if stored else None
        work.settle(one, Outcome.RESERVATION_CHANGED, reservation=reservation)
    elif isinstance(one.change, OrderChange):
        work.settle(one, Outcome.ORDER_CHANGED, image=orders_module.decode(stored) if stored else None)


def _settle_lacks(refusal: Refusal[C], work: _Work[C]) -> None:
    """What refused positions and days mean for those who want them: nothing, where it is only booked another way."""
    for position, stored, everyone in refusal.positions:
        basing = next((one for one in everyone if one.place not in work.results), None)
        if basing and position in basing.own:
            work.settle(basing, Outcome.POSITION_CHANGED, positions=(stored,) if stored else ())
    for one, lacking in served_first(lacks_of(refusal, work.results)):
        positions = tuple(lack.stored for lack in lacking if isinstance(lack, Shortage) and lack.stored)
        full = tuple(DayLoad(*lack.day, lack.parcels) for lack in lacking if isinstance(lack, FullDay))
        outcome = Outcome.CAPACITY_FULL if len(full) == len(lacking) else Outcome.STOCK_SHORT
        work.settle(one, outcome, positions=positions, full=full)
