"""Confirmations: channels are owed notices of what came in, what shipped and what was cancelled, and told them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any

from oms.domain.channel_messages import OrderNotice
from oms.domain.confirmations import (
    CANCELLATION,
    OPERATIONS,
    WANTED,
    NoticeKey,
    Owed,
    account_of,
    destination,
    message_key,
    notice_of,
    owed_by,
    why,
)
from oms.domain.errors import InvariantBroken, NotSupported, OmsError, Permanent, Retryable
from oms.domain.listings import Failure, Telling
from oms.domain.notices import event_of, listings_cancelled, notice
from oms.domain.order import Order
from oms.usecases.circuits import Circuits

if TYPE_CHECKING:
    from oms.stores.deliveries import DeliveriesStore
    from oms.stores.orders import OrdersStore
    from oms.stores.reference_data import SettingsStore
    from oms.usecases.publishing import Publishing

OWED_STATUSES = frozenset({"PENDING", "FAILED"})
"""A row of another status is settled: what makes it be looked at again came twice, or late."""

Results = dict[str, Telling | Failure]
"""By message_key."""


@dataclass(frozen=True, slots=True)
class Owing:
    """Notes what an order's channel is owed, each notice once, however often its event comes.

    `can` says whether the file of a channel has an operation.
    """

    deliveries: DeliveriesStore
    settings: SettingsStore
    can: Callable[[str, str], bool]

    def owe(self, event: Mapping[str, Any], now: datetime) -> bool:
        """Owes the channel what an event, as the bus tells it, gives cause to; False if nothing or long since.

        Raises InvalidMessage for what is no event, Retryable.
        """
        owed = owed_by(event, now)
        if owed is None or not self._is_told(owed):
            return False
        key = owed.key
        return self.deliveries.owe_once(
            destination(owed.channel_account), message_key(key), key.kind, key.order_id, now
        )

    def _is_told(self, owed: Owed) -> bool:
        kind, channel = owed.key.kind, owed.channel_account.partition("#")[0]
        return self.can(channel, OPERATIONS[kind]) and is_told(self.settings, owed.channel_account, kind)


def is_told(settings: SettingsStore, channel_account: str, kind: str) -> bool:
    """Whether the account wants notices of this kind."""
    channel, _, account = channel_account.partition("#")
    found = settings.channel_account(channel, account)
    return found is not None and WANTED[kind] in found.tells


@dataclass(frozen=True, slots=True)
class Confirmations:
    """Tells an account its notices, one by one, as the orders are now.

    `run` runs an operation of the channel's file on an account: `run("amazon#us", "confirm_shipment", notice)`. Some
    channels put cancelled units on sale again, or take the goods off sale, whatever figure they were told before: after
    a cancellation they are told it once more.
    """

    orders: OrdersStore
    deliveries: DeliveriesStore
    settings: SettingsStore
    run: Callable[..., Any]
    circuits: Circuits
    publishing: Publishing

    def tell(self, channel_account: str, message_keys: Iterable[str], now: datetime) -> Results:
        """Tells those that are still owed, an order's oldest first; what failed must come again.

        Raises InvalidMessage for a key that is none, Retryable when rows or orders can't be read.
        """
        keys = sorted({notice_of(one) for one in message_keys})
        rows = self.deliveries.get_many((destination(channel_account), message_key(key)) for key in keys)
        orders = self.orders.read_many({key.order_id for key in keys})
        results: Results = {}
        held_up: set[str] = set()
        for key in keys:
            row = rows.get((destination(channel_account), message_key(key)))
            order = orders.get(key.order_id)
            if key.order_id in held_up:
                told: Telling | Failure = self._failed(row, "an earlier notice of the order failed", now)
            else:
                told = self._tell(channel_account, key, row, order, now)
            results[message_key(key)] = told
            if isinstance(told, Failure):
                held_up.add(key.order_id)
        return results

    def _tell(
        self,
        channel_account: str,
        key: NoticeKey,
        row: dict[str, Any] | None,
        order: Order | InvariantBroken | None,
        now: datetime,
    ) -> Telling | Failure:
        if row is None or row["status"] not in OWED_STATUSES:
            return Telling.UNCHANGED
        if isinstance(order, InvariantBroken):
            return self._failed(row, InvariantBroken.__name__, now)
        try:
            said = self._notice(order, key) if order else None
            if order is None or said is None or self._is_unwanted(channel_account, key.kind):
                self.deliveries.obsolete(row["destination"], row["message_key"], now)
                return Telling.OBSOLETE
            ended = self._call(channel_account, key, row, said, now)
            if ended is Telling.SENT:
                self._note_told(order, key, row, now)
            return ended
        except Retryable as error:
            return Failure(type(error).__name__)  # a table does not answer: the row stays as it is

    def _is_unwanted(self, channel_account: str, kind: str) -> bool:
        """An account that nobody set up is not one that wants nothing: its notices wait until somebody has."""
        channel, _, account = channel_account.partition("#")
        is_set_up = self.settings.channel_account(channel, account) is not None
        return is_set_up and not is_told(self.settings, channel_account, kind)

    def _notice(self, order: Order, key: NoticeKey) -> OrderNotice | None:
        """What is told, with the events that moved out of the document where it does not reach back far enough."""
        moved = bool(order.events) and order.events[0].sequence > 1
        before = [event_of(one) for one in self.orders.events_before(order.order_id)] if moved else []
        first = order.events[0].sequence if order.events else 1
        return notice(order, [*(one for one in before if one.sequence < first), *order.events], key)

    def _call(
        self,
        channel_account: str,
        key: NoticeKey,
        row: dict[str, Any],
        said: OrderNotice,
        now: datetime,
    ) -> Telling | Failure:
        if self.circuits.seconds_left(channel_account, key.kind, now):
            return self._failed(row, "not called: it did not answer before", now)
        try:
            self.run(channel_account, OPERATIONS[key.kind], said)
        except Retryable as error:
            self.circuits.failed(channel_account, key.kind, error, now)
            return self._failed(row, why(error), now)
        except NotSupported as error:
            return self._left_to_a_person(row, Telling.BY_HAND, error, now)
        except Permanent as error:
            return self._left_to_a_person(row, Telling.REFUSED, error, now)
        except Exception as error:  # noqa: BLE001 - a bug that one notice shows must not stop the others
            return self._failed(row, type(error).__name__, now)
        self.circuits.worked(channel_account, key.kind)
        return Telling.SENT

    def _note_told(self, order: Order, key: NoticeKey, row: dict[str, Any], now: datetime) -> None:
        """The row last: who dies before it tells the channel again, and loses no figure."""
        if key.kind == CANCELLATION:
            self.publishing.tell_anew(listings_cancelled(order), now)
        self.deliveries.told(row, now)

    def _left_to_a_person(self, row: dict[str, Any], telling: Telling, error: OmsError, now: datetime) -> Telling:
        self.circuits.worked(account_of(row["destination"]), row["kind"])
        key, owings = (row["destination"], row["message_key"]), row.get("owings", 0)
        self.deliveries.left_to_a_person(*key, telling.value, why(error), now, owings=owings)
        return telling

    def _failed(self, row: dict[str, Any] | None, reason: str, now: datetime) -> Failure:
        if row is not None and row["status"] in OWED_STATUSES:
            self.deliveries.failed(row["destination"], row["message_key"], reason, now)
        return Failure(reason)
