"""Privacy: what a channel asks about people's data is done where the orders say how, and put to a person where not.

A deletion is written on the order before the data goes. Whoever was about to write the data again finds the order
changed, and the data gone. Of an order that is not here a note is kept: its message may still wait somewhere.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import TYPE_CHECKING, Any

from oms.domain import ids
from oms.domain.changes import Context
from oms.domain.channel_messages import PrivacyKind, PrivacyRequest
from oms.domain.errors import WriteConflict
from oms.domain.forgetting import forget_person
from oms.domain.retention import next_look, purge_day
from oms.usecases.changing import change_once

if TYPE_CHECKING:
    from oms.stores.contacts import ContactsStore
    from oms.stores.group_commit import GroupCommit
    from oms.stores.orders import OrdersStore
    from oms.stores.quarantine import QuarantineStore
    from oms.stores.reference_data import SettingsStore

SOURCE = "privacy#"
"""What the source of a row in `quarantine` begins with that asks a person about people's data."""

MAX_ORDERS = 200
"""Orders of one request that are done at once; a longer request is put to a person."""

AHEAD_DAYS = 60
"""So long it is remembered whom to forget of orders that are not here: longer than their messages can wait in queues,
dead letters and quarantine together."""


class Forgotten(StrEnum):
    """What became of an order's person: the data is gone, goes when the order has ended, or there is no such order
    yet."""

    GONE = "GONE"
    WHEN_ENDED = "WHEN_ENDED"
    NOT_HERE = "NOT_HERE"


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """A request as the queue brought it: kept for a person as it came."""

    asked: PrivacyRequest
    received_at: datetime
    message: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Privacy:
    """Forgets people of orders; all else that is asked about people's data becomes a row that a person sees. So does
    the deletion for an order that is not here while messages of its account are in quarantine, and one that came to
    another account than the one that it is about."""

    orders: OrdersStore
    contacts: ContactsStore
    settings: SettingsStore
    commit: GroupCommit
    quarantine: QuarantineStore

    def take(self, request: Request, actor: str, now: datetime) -> bool:
        """Does what was asked; returns whether a person must. Doing it again changes nothing. Raises Retryable."""
        asked = request.asked
        can_be_done = asked.kind is PrivacyKind.REDACT_CUSTOMER and len(asked.channel_order_ids) <= MAX_ORDERS
        if can_be_done and self._is_about_its_account(asked):
            order_ids = (ids.order_id(asked.channel, asked.account, one) for one in asked.channel_order_ids)
            forgotten = self.forget(order_ids, actor, now)
            if Forgotten.NOT_HERE not in forgotten.values() or not self._is_something_kept_back(asked):
                return False
        source = f"{SOURCE}{asked.channel}#{asked.account}"
        cause = {"reason": asked.kind.value, "about": asked.about}
        self.quarantine.put(source, asked.request_id, request.received_at, cause, request.message, now)
        return True

    def _is_about_its_account(self, asked: PrivacyRequest) -> bool:
        """Whether it came to the account that it is about; one that does not say what it is, is believed."""
        account = self.settings.channel_account(asked.channel, asked.account)
        options = account.options if account else {}
        return all(options.get(name, "").lower() in ("", value) for name, value in asked.about.items())

    def _is_something_kept_back(self, asked: PrivacyRequest) -> bool:
        """Whether messages of the account are in quarantine: an order that is not here may come from there."""
        return bool(self.quarantine.of_source(f"{asked.channel}#{asked.account}", limit=1).items)

    def forget(self, order_ids: Iterable[str], actor: str, now: datetime) -> dict[str, Forgotten]:
        """Forgets the people of these orders: at once where the order has ended, and as soon as it has where not; of
        one that is not here if it comes."""
        return {order_id: self._forget(order_id, actor, now) for order_id in order_ids}

    def _forget(self, order_id: str, actor: str, now: datetime) -> Forgotten:
        order = self.orders.get(order_id)
        if order is None and self.contacts.forget_ahead(order_id, (now + timedelta(days=AHEAD_DAYS)).date()):
            return Forgotten.NOT_HERE
        order = order or self.orders.get(order_id)
        if order is None:
            raise WriteConflict(f"{order_id}: its person is here and the order is not")
        context = Context(now=now, actor=actor, policy=self.settings.policy())
        order = change_once(self.commit, order, lambda current: forget_person(current, context))
        if purge_day(order) is None:
            self.contacts.look_at_on(order_id, next_look(order, now.date()))
            return Forgotten.WHEN_ENDED
        self.contacts.forget(order_id)
        return Forgotten.GONE
