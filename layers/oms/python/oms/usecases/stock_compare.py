"""The full comparison: once a day each account is asked what it believes may be sold, and told anew where it errs.

It also finds what got lost on the way: rows that failed and that nobody tries any more each hour, rows that were never
tried with the comparison.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from oms.domain.catalog import ChannelAccount, Notice
from oms.domain.confirmations import destination
from oms.domain.errors import InvariantBroken, Permanent, Throttled
from oms.domain.listings import Listing, ListingKey
from oms.domain.polling import Poll
from oms.domain.stock_compare import (
    Comparison,
    Found,
    Phase,
    counted,
    is_due,
    is_heard_of,
    is_waiting,
    judge,
    judge_doubt,
    named,
)

if TYPE_CHECKING:
    from oms.stores.deliveries import DeliveriesStore
    from oms.stores.listings import ListingsStore
    from oms.stores.polls import PollsStore
    from oms.stores.reference_data import SettingsStore
    from oms.stores.stock_compares import StockComparesStore
    from oms.usecases.availability import Availabilities
    from oms.usecases.publishing import Publishing

PAGE = 100
MAX_PAGES = 10_000
"""Of the channel, of listings and of rows in one run; a comparison of more goes on in the next."""

MAX_OWED_ANEW = 10_000
"""Rows of an account that one run owes anew: the oldest, the others in the next. As many as an outage of a day leaves:
its parcels are late already once the channel is there again."""

MAX_ATTEMPTS = 1_000
"""A row that failed more often is left to a person: it failed for more than a week."""

UNTOUCHED = timedelta(hours=1)
"""Nobody tries a row any more that has failed, or waited, for so long: messages are tried every quarter of an hour."""

LISTED, PUBLISH = "listed", "publish"


@dataclass(slots=True)
class Compared:
    """What a run did, by account: comparisons as far as they are, rows owed anew, errors of those that failed."""

    comparisons: dict[str, Comparison] = field(default_factory=dict)
    owed_anew: dict[str, int] = field(default_factory=dict)
    failed: dict[str, str] = field(default_factory=dict)


@dataclass(slots=True)
class _UnderWay:
    """A comparison in this run, and whether it has got anywhere."""

    channel_account: str
    steps: Iterator[Comparison]
    moved: bool = False


@dataclass(frozen=True, slots=True)
class StockCompare:
    """Compares accounts, a page of each in turn. `can` and `run` are those of the accounts of channels; `at_most` are
    the units that a channel takes of a listing."""

    settings: SettingsStore
    listings: ListingsStore
    deliveries: DeliveriesStore
    compares: StockComparesStore
    pulls: PollsStore
    availabilities: Availabilities
    publishing: Publishing
    can: Callable[[str, str], bool]
    run: Callable[..., Any]
    at_most: Callable[[str], int]

    def all(self, now: datetime, go_on: Callable[[], bool], *, anew: bool = False) -> Compared:
        """Looks after every account that is told anything; one that fails, or is large, keeps no other from its turn.

        `anew` begins comparisons that are not due yet. What there is no time for goes on in the next run.
        """
        result = Compared()
        under_way: deque[_UnderWay] = deque()
        accounts = self.settings.channel_accounts()
        for channel_account, settings in sorted(accounts.items(), key=lambda one: one[0]):
            if not isinstance(settings, ChannelAccount):
                result.failed[channel_account] = type(settings).__name__
            elif settings.tells and go_on():
                begun = self._look_after(channel_account, settings, now, go_on, result, anew)
                if begun:
                    result.comparisons[channel_account] = begun
                    under_way.append(_UnderWay(channel_account, self._steps(channel_account, begun, now, go_on)))
        while under_way:
            one = under_way.popleft()
            if self._goes_on(one, result):
                under_way.append(one)
        return result

    def _look_after(
        self,
        channel_account: str,
        settings: ChannelAccount,
        now: datetime,
        go_on: Callable[[], bool],
        result: Compared,
        anew: bool,
    ) -> Comparison | None:
        """Owes anew what failed; returns the comparison to go on with, if one is due."""
        try:
            result.owed_anew[channel_account] = self._owe_failed(channel_account, now, go_on)
            last = self.compares.get(channel_account)
            due = anew or is_due(last, now)
            if anew and last is not None and is_waiting(last, now):
                last = replace(last, phase=Phase.DONE)
            return self._begun(channel_account, settings, last, now) if due else None
        except Exception as error:  # noqa: BLE001 - one account's bug must not keep the others from their turn
            result.failed[channel_account] = type(error).__name__
            return None

    def _goes_on(self, one: _UnderWay, result: Compared) -> bool:
        """Takes one step; False when there is no other in this run. Who got somewhere before the channel asked to be
        called less often has not failed."""
        try:
            step = next(one.steps, None)
        except Exception as error:  # noqa: BLE001 - one account's bug must not keep the others from their turn
            if not (isinstance(error, Throttled) and one.moved):
                result.failed[one.channel_account] = type(error).__name__
            return False
        if step is not None:
            result.comparisons[one.channel_account] = step
            one.moved = True
        return step is not None

    def _begun(
        self, channel_account: str, settings: ChannelAccount, last: Comparison | None, now: datetime
    ) -> Comparison | None:
        """The comparison to go on with; None when somebody else has just begun one."""
        told = Notice.AVAILABILITY in settings.tells and self.can(channel_account, PUBLISH)
        if last is not None and last.phase is not Phase.DONE:
            # figures are no longer compared of an account that is no longer told any
            return last if told or last.phase is Phase.ROWS else replace(last, phase=Phase.ROWS, token="")
        first = Phase.ROWS if not told else Phase.CHANNEL if self.can(channel_account, LISTED) else Phase.LISTINGS
        began = Comparison(began_at=now.replace(microsecond=0), phase=first, revision=last.revision if last else 0)
        return self.compares.put(channel_account, began)

    def _steps(
        self, channel_account: str, comparison: Comparison, now: datetime, go_on: Callable[[], bool]
    ) -> Iterator[Comparison]:
        """Page by page, each written down before the next one is asked for."""
        works = {Phase.CHANNEL: self._channel, Phase.LISTINGS: self._listings, Phase.ROWS: self._rows}
        for number in range(MAX_PAGES):
            if comparison.phase is Phase.DONE or is_waiting(comparison, now) or not go_on():
                return
            try:
                done = works[comparison.phase](channel_account, comparison, now)
            except Permanent:
                if number or not comparison.token or comparison.phase is not Phase.CHANNEL:
                    raise
                # a token of an earlier run means nothing any more: its pages from the first
                done = replace(comparison, token="", compared=0, unlisted=0, unlisted_names=())
            written = self.compares.put(channel_account, done)
            if written is None:
                return
            comparison = written
            yield comparison

    def _channel(self, channel_account: str, comparison: Comparison, now: datetime) -> Comparison:
        page = self.run(channel_account, LISTED, comparison.token or None)
        keys = [ListingKey(channel_account, sku) for sku in page.quantities]
        read = self.listings.read_many(keys)
        known = {key: listing for key, listing in read.items() if isinstance(listing, Listing)}
        unlisted = [key.channel_sku for key in keys if key not in read]
        found, units = self._judged(known.values(), page.quantities, now)
        found |= {key.channel_sku: Found.UNREADABLE for key in read if key not in known}
        for key, listing in known.items():
            says = page.quantities[key.channel_sku]
            doubted = (listing.change_version, says) if found[key.channel_sku] is Found.DOUBTED else None
            self.listings.note_listed(key, comparison.began_at, doubted)
        done = counted(comparison, found, units, now)
        return replace(
            done,
            unlisted=done.unlisted + len(unlisted),
            unlisted_names=named(done.unlisted_names, unlisted),
            token=page.next_token or "",
            phase=Phase.CHANNEL if page.next_token else Phase.LISTINGS,
        )

    def _listings(self, channel_account: str, comparison: Comparison, now: datetime) -> Comparison:
        """Where the channel was asked, the listings that it did not name or that are in doubt; otherwise, what it was
        told last."""
        page, cursor = self.listings.of_account(channel_account, comparison.token or None, PAGE)
        if self.can(channel_account, LISTED):
            missing = [one.channel_sku for one in page if one.listed_at != comparison.began_at]
            doubted = [one for one in page if one.listed_at == comparison.began_at and one.doubted_quantity is not None]
            can_tell = bool(doubted) and self._has_heard(channel_account, comparison)
            drifted, units = self._drifted(doubted if can_tell else (), now)
            done = replace(
                comparison,
                missing=comparison.missing + len(missing),
                missing_names=named(comparison.missing_names, missing),
                drifted=comparison.drifted + drifted,
                units=comparison.units + units,
            )
        else:
            done = counted(comparison, *self._judged(page, None, now), now)
        return replace(done, token=cursor or "", phase=Phase.LISTINGS if cursor else Phase.ROWS)

    def _rows(self, channel_account: str, comparison: Comparison, now: datetime) -> Comparison:
        """Rows that are owed for long, and that nobody has tried to tell: their triggers are lost."""
        page = self.deliveries.of_destination(destination(channel_account), cursor=comparison.token or None)
        lost = [row for row in page.items if row["status"] == "PENDING" and _since(row) < now - UNTOUCHED]
        owed = sum(self.deliveries.owe_anew(row, now) for row in lost)
        return replace(
            comparison,
            owed_anew=comparison.owed_anew + owed,
            token=page.cursor or "",
            phase=Phase.ROWS if page.cursor else Phase.DONE,
            ended_at=None if page.cursor else now,
        )

    def _judged(
        self, listings: Iterable[Listing], believed: Mapping[str, int] | None, now: datetime
    ) -> tuple[dict[str, Found], int]:
        """What each figure is, and by how many units they are wrong; those that are wrong are told anew."""
        found: dict[str, Found] = {}
        units = 0
        for listing in listings:
            says = believed[listing.channel_sku] if believed is not None else None
            wanted = self._wanted(listing, now, capped=says is not None)
            if wanted is None:
                found[listing.channel_sku] = Found.UNREADABLE
                continue
            found[listing.channel_sku] = judge(listing, says, wanted, now)
            if found[listing.channel_sku] in (Found.RIGHT, Found.DOUBTED):
                continue
            units += abs(wanted - (says if says is not None else listing.last_published_quantity or 0))
            self.publishing.tell_anew([listing.key], now)
        return found, units

    def _wanted(self, listing: Listing, now: datetime, *, capped: bool = True) -> int | None:
        """Units that may be sold, `capped` at what the channel takes; None where our own books do not add up."""
        try:
            units = self.availabilities.published(listing.sku, listing.channel_account, now)
        except InvariantBroken:
            return None
        return min(units, self.at_most(listing.channel_account)) if capped else units

    def _has_heard(self, channel_account: str, comparison: Comparison) -> bool:
        """Whether doubts can be told from drift: not while the pull of an account's orders is behind. What it sold
        meanwhile would be put on sale again."""
        channel, _, account = channel_account.partition("#")
        settings = self.settings.channel_account(channel, account)
        if settings is None or not settings.poll_seconds:
            return True
        pull = self.pulls.all().get(channel_account)
        return is_heard_of(comparison, pull.cursor if isinstance(pull, Poll) else None)

    def _drifted(self, listings: Iterable[Listing], now: datetime) -> tuple[int, int]:
        """How many figures that were in doubt have drifted, and by how many units; they are told anew."""
        drifted = units = 0
        for listing in listings:
            wanted = self._wanted(listing, now)
            if wanted is not None and judge_doubt(listing, wanted) is Found.DRIFTED:
                drifted, units = drifted + 1, units + abs(wanted - (listing.doubted_quantity or 0))
                self.publishing.tell_anew([listing.key], now)
        return drifted, units

    def _owe_failed(self, channel_account: str, now: datetime, go_on: Callable[[], bool]) -> int:
        """Owes anew what failed and is not tried any more: its message is among the dead letters, or lost."""
        owed, cursor = 0, None
        for _ in range(MAX_PAGES):
            page = self.deliveries.failed_of(destination(channel_account), cursor=cursor, limit=PAGE)
            old = [row for row in page.items if datetime.fromisoformat(row["failed_at"]) < now - UNTOUCHED]
            tried = [row for row in old if row["status"] == "FAILED" and row.get("attempts", 0) < MAX_ATTEMPTS]
            owed += sum(self.deliveries.owe_anew(row, now) for row in tried)
            cursor = page.cursor
            if cursor is None or owed >= MAX_OWED_ANEW or len(old) < len(page.items) or not go_on():
                break
        return owed


def _since(row: dict[str, Any]) -> datetime:
    return datetime.fromisoformat(row.get("owed_at") or row["created_at"])
