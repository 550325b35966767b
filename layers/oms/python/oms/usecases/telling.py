"""Telling: what a batch of triggers owes channels is told account by account; nobody waits for the others' channels."""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from oms.domain.confirmations import account_of, notice_of
from oms.domain.errors import InvalidMessage, Retryable
from oms.domain.listings import AVAILABILITY_CHANGED, Failure, Telling, is_availability, listing_of
from oms.usecases.circuits import Circuits

if TYPE_CHECKING:
    from oms.usecases.confirmations import Confirmations
    from oms.usecases.publishing import ChannelMessages

NO_TIME = "no time left"

NOTICES_FIRST = 10
"""Orders whose notices go before an account's figures; the others come after them. A marketplace counts the hours until
it hears of a parcel, and sells what is gone until it hears of that."""

Endings = dict[str, Telling | Failure]
"""How each message ended, by message_key."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Trigger:
    """A message of the queue: which row to look at, and how often the queue has handed it out (1, 2, …)."""

    message_id: str
    destination: str
    message_key: str
    receives: int = 1


@dataclass(slots=True)
class Told:
    """What came of a batch: how often each ending, and what must come again, after how many seconds and why."""

    endings: Counter[Telling] = field(default_factory=Counter)
    again: dict[str, float] = field(default_factory=dict)
    reasons: Counter[str] = field(default_factory=Counter)


@dataclass(frozen=True, slots=True)
class _Part:
    """Triggers of one account that are worked off together, and how."""

    triggers: Sequence[Trigger]
    tell: Callable[[str, Sequence[str], datetime], Endings]


@dataclass(frozen=True, slots=True)
class ChannelsTold:
    """Tells channels: notices first, but many of them keep no account from hearing its figures."""

    confirmations: Confirmations
    messages: ChannelMessages
    circuits: Circuits

    def tell(self, triggers: Sequence[Trigger], now: Callable[[], datetime], go_on: Callable[[], bool]) -> Told:
        """Works off a batch, next always the account that took least time so far: a slow one holds up itself.

        What there is no time for comes again.
        """
        told = Told()
        waiting = {account: self._parts(group) for account, group in _by_account(triggers, told).items()}
        spent = dict.fromkeys(waiting, timedelta())
        while waiting:
            account = min(waiting, key=spent.__getitem__)
            began = now()
            self._work(account, waiting[account].popleft(), told, now, go_on)
            spent[account] += now() - began
            if not waiting[account]:
                del waiting[account]
        return told

    def _parts(self, triggers: Sequence[Trigger]) -> deque[_Part]:
        """What an account is told at a time: an order's notices, order by order, and all figures."""
        notices = [one for one in triggers if not is_availability(one.message_key)]
        figures = [one for one in triggers if is_availability(one.message_key)]
        parts = deque(_Part(one, self._notices) for one in _by_order(notices))
        if figures:
            parts.insert(min(NOTICES_FIRST, len(parts)), _Part(figures, self._figures))
        return parts

    def _work(
        self, channel_account: str, part: _Part, told: Told, now: Callable[[], datetime], go_on: Callable[[], bool]
    ) -> None:
        results: Endings = {}
        reason = NO_TIME
        if go_on():
            try:
                results = part.tell(channel_account, [one.message_key for one in part.triggers], now())
            except Retryable as error:
                reason = type(error).__name__
            except Exception as error:  # noqa: BLE001 - what one account shows must not stop the others
                reason = f"bug: {type(error).__name__}"
        for one in part.triggers:
            ended = results.get(one.message_key, Failure(reason))
            if isinstance(ended, Telling):
                told.endings[ended] += 1
                continue
            told.reasons[ended.reason.partition(":")[0]] += 1
            wait = self.circuits.seconds_to_wait(channel_account, _kind(one.message_key), one.receives, now())
            told.again[one.message_id] = wait

    def _notices(self, channel_account: str, keys: Sequence[str], now: datetime) -> Endings:
        return self.confirmations.tell(channel_account, keys, now)

    def _figures(self, channel_account: str, keys: Sequence[str], now: datetime) -> Endings:
        listings = {listing_of(f"channel#{channel_account}", key): key for key in keys}
        told = self.messages.tell(channel_account, list(listings), now)
        return {listings[key]: ending for key, ending in told.items()}


def _by_account(triggers: Sequence[Trigger], told: Told) -> dict[str, list[Trigger]]:
    """Triggers by account; those that name no row of a channel fail until they are dead letters."""
    groups: dict[str, list[Trigger]] = {}
    for one in triggers:
        try:
            account = account_of(one.destination)
            if is_availability(one.message_key):
                listing_of(one.destination, one.message_key)
            else:
                notice_of(one.message_key)
        except InvalidMessage as error:
            told.again[one.message_id] = 0.0
            told.reasons[type(error).__name__] += 1
            continue
        groups.setdefault(account, []).append(one)
    return groups


def _kind(message_key: str) -> str:
    return AVAILABILITY_CHANGED if is_availability(message_key) else notice_of(message_key).kind


def _by_order(notices: Sequence[Trigger]) -> list[list[Trigger]]:
    """Notices of one order belong together: the time is looked at between orders."""
    orders: dict[str, list[Trigger]] = {}
    for one in notices:
        orders.setdefault(notice_of(one.message_key).order_id, []).append(one)
    return list(orders.values())
