"""Publishing: channels are told what they may sell, soon after it changed and once for many changes."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

from oms.domain.confirmations import code, why
from oms.domain.errors import InvariantBroken, NotSupported, Permanent, Retryable, WriteConflict
from oms.domain.listings import (
    AVAILABILITY_CHANGED,
    AvailabilityMessage,
    Failure,
    Listing,
    ListingKey,
    Telling,
    delivery_key,
)
from oms.usecases.circuits import Circuits

if TYPE_CHECKING:
    from oms.stores.deliveries import DeliveriesStore
    from oms.stores.listings import ListingsStore
    from oms.stores.reference_data import ProductsStore
    from oms.usecases.availability import Availabilities

MAX_TRIES = 3
"""Times a telling is begun anew because another one of the same listing was under way."""


@dataclass(frozen=True, slots=True)
class Publisher:
    """An account that is told what it may sell, so many figures at once.

    `publish` returns why not, by channel_sku, for those that the channel did not take; nothing for those that it may
    take later. Raises Retryable when none was taken, Permanent when the channel will not have them.
    """

    at_once: int
    publish: Callable[[Sequence[AvailabilityMessage]], Mapping[str, str]]


Results = dict[ListingKey, Telling | Failure]
_Refused = dict[str, tuple[Telling, str] | Failure]
"""By channel_sku, what becomes of a message that the channel did not take, and why."""

NOT_NOW = Failure("the channel did not say that it took it")


@dataclass(frozen=True, slots=True)
class Publishing:
    """Notes which listings have something new to tell, and that their channels are owed a message."""

    listings: ListingsStore
    deliveries: DeliveriesStore
    products: ProductsStore

    def mark_changed(self, skus: Iterable[str], now: datetime) -> int:
        """What may be sold of these skus may have changed: every listing of them, and of kits that contain them,
        is owed a message. Returns how many were not owed one before. Raises Retryable: then all comes again.

        The change is counted before the message is owed: who works on an older message sees that it is old.
        """
        owed = 0
        for sku in self._with_kits(skus):
            for listing in self.listings.of_sku(sku):
                if self.listings.mark_changed(listing, now):
                    owed += self.deliveries.owe(*delivery_key(listing), AVAILABILITY_CHANGED, now)
        return owed

    def tell_anew(self, keys: Iterable[ListingKey], now: datetime) -> None:
        """Has the figures of these listings told once more, even those that were told last: the channel may have
        changed them itself. Raises Retryable."""
        for key in keys:
            if self.listings.tell_anew(key, now):
                self.deliveries.owe(*delivery_key(key), AVAILABILITY_CHANGED, now)

    def _with_kits(self, skus: Iterable[str]) -> list[str]:
        changed = set(skus)
        kits = {kit for product in self.products.get_many(changed).values() for kit in product.part_of}
        return sorted(changed | kits)


@dataclass(frozen=True, slots=True)
class ChannelMessages:
    """Tells a channel the newest figures of its listings. Whatever makes it look, it looks at what is true now.

    Accounts without a publisher are not told: the message stays on its row.
    """

    listings: ListingsStore
    deliveries: DeliveriesStore
    availabilities: Availabilities
    publisher_of: Callable[[str], Publisher | None]
    circuits: Circuits

    def tell(self, channel_account: str, keys: Sequence[ListingKey], now: datetime) -> Results:
        """Tells an account the figures of these listings unless it knows them; what failed must come again.

        What changes while this works is owed again at the end.
        """
        results: Results = {}
        left, reason = list(dict.fromkeys(keys)), WriteConflict.__name__
        try:
            for _ in range(MAX_TRIES):
                left = self._round(channel_account, left, results, now)
                if not left:
                    return results
        except Retryable as error:
            reason = type(error).__name__
        return {key: results.get(key, Failure(reason)) for key in keys}

    def _round(
        self, channel_account: str, keys: Sequence[ListingKey], results: Results, now: datetime
    ) -> list[ListingKey]:
        """Looks at each listing as it is; returns those that somebody else has begun to tell of: look again."""
        found = self._found(keys, results, now)
        messages = self._messages(channel_account, found.values(), results, now)
        publisher = self.publisher_of(channel_account)
        untold: list[AvailabilityMessage] = []
        for message in messages:
            key = ListingKey(channel_account, message.channel_sku)
            if message.quantity == found[key].last_published_quantity:
                self._settle(key, Telling.UNCHANGED, message, results, now)
            elif publisher is None:
                self._settle(key, Telling.READY, message, results, now)
            else:
                untold.append(message)
        again: list[ListingKey] = []
        if publisher and untold:
            for start in range(0, len(untold), publisher.at_once):
                part = untold[start : start + publisher.at_once]
                again += self._tell(channel_account, publisher, part, results, now)
        versions = {ListingKey(channel_account, one.channel_sku): one.version for one in messages}
        settled = {key: version for key, version in versions.items() if isinstance(results.get(key), Telling)}
        self._owe_what_changed(settled, now)
        return again

    def _found(self, keys: Sequence[ListingKey], results: Results, now: datetime) -> dict[ListingKey, Listing]:
        """The listings of these that can be read; one that can't fails alone, one taken down is told nothing."""
        found = {}
        for key, listing in {**dict.fromkeys(keys), **self.listings.read_many(keys)}.items():
            if listing is None:
                self.deliveries.obsolete(*delivery_key(key), now)
                results[key] = Telling.OBSOLETE
            elif isinstance(listing, InvariantBroken):
                self._fail([key], InvariantBroken.__name__, results, now)
            else:
                found[key] = listing
        return found

    def _messages(
        self, channel_account: str, listings: Iterable[Listing], results: Results, now: datetime
    ) -> list[AvailabilityMessage]:
        """The figures are read after the versions: what a message says is never older than the version it bears. Goods
        whose books do not add up have none: they fail alone."""
        figures: dict[str, int | None] = {}
        messages = []
        for listing in listings:
            if listing.sku not in figures:
                figures[listing.sku] = self._figure(listing.sku, channel_account, now)
            quantity = figures[listing.sku]
            if quantity is None:
                self._fail([listing.key], InvariantBroken.__name__, results, now)
                continue
            messages.append(
                AvailabilityMessage(
                    channel_sku=listing.channel_sku,
                    sku=listing.sku,
                    quantity=quantity,
                    version=listing.change_version,
                    at=now,
                )
            )
        return messages

    def _figure(self, sku: str, channel_account: str, now: datetime) -> int | None:
        try:
            return self.availabilities.published(sku, channel_account, now)
        except InvariantBroken:
            return None

    def _tell(
        self,
        channel_account: str,
        publisher: Publisher,
        messages: Sequence[AvailabilityMessage],
        results: Results,
        now: datetime,
    ) -> list[ListingKey]:
        """Tells as many as the channel takes at once; returns those that somebody else, alive or not, has begun."""
        keys = {message.channel_sku: ListingKey(channel_account, message.channel_sku) for message in messages}
        if self.circuits.seconds_left(channel_account, AVAILABILITY_CHANGED, now):
            self._fail(keys.values(), "not called: it did not answer before", results, now)
            return []
        begun = [one for one in messages if self.listings.begin_telling(keys[one.channel_sku], one.version)]
        again = [key for sku, key in keys.items() if sku not in {one.channel_sku for one in begun}]
        for key in again:
            self.listings.tell_anew(key, now)
        if not begun:
            return again
        try:
            refused = _published(publisher, begun)
        except Retryable as error:
            self.circuits.failed(channel_account, AVAILABILITY_CHANGED, error, now)
            self._fail((keys[one.channel_sku] for one in begun), why(error), results, now)
            return again
        self.circuits.worked(channel_account, AVAILABILITY_CHANGED)
        for message in begun:
            self._note(keys[message.channel_sku], message, refused.get(message.channel_sku), results, now)
        return again

    def _note(
        self,
        key: ListingKey,
        message: AvailabilityMessage,
        refused: tuple[Telling, str] | Failure | None,
        results: Results,
        now: datetime,
    ) -> None:
        if refused is None:
            if not self.listings.note_told(key, message.version, message.quantity, now):
                self.listings.tell_anew(key, now)
            self._settle(key, Telling.SENT, message, results, now)
            return
        if isinstance(refused, Failure):
            self._fail([key], refused.reason, results, now)
            return
        telling, reason = refused
        self.deliveries.left_to_a_person(*delivery_key(key), telling.value, reason, now)
        results[key] = telling

    def _settle(
        self, key: ListingKey, telling: Telling, message: AvailabilityMessage, results: Results, now: datetime
    ) -> None:
        said = None if telling is Telling.UNCHANGED else message
        self.deliveries.settle(*delivery_key(key), telling.value, message.version, said, now)
        results[key] = telling

    def _fail(self, keys: Iterable[ListingKey], reason: str, results: Results, now: datetime) -> None:
        for key in keys:
            self.deliveries.failed(*delivery_key(key), reason, now)
            results[key] = Failure(reason)

    def _owe_what_changed(self, versions: Mapping[ListingKey, int], now: datetime) -> None:
        """After the rows are settled, not before: a change counted later finds them settled and owes by itself."""
        for key, listing in self.listings.read_many(versions).items():
            if isinstance(listing, Listing) and listing.change_version > versions[key]:
                self.deliveries.owe(*delivery_key(key), AVAILABILITY_CHANGED, now)


def _published(publisher: Publisher, messages: Sequence[AvailabilityMessage]) -> _Refused:
    """Tells the figures; those that the channel refuses as a whole are told in halves, so that one that it will never
    have keeps no other from being told. Raises Retryable."""
    try:
        refused = publisher.publish(messages)
    except NotSupported as error:
        return {one.channel_sku: (Telling.BY_HAND, why(error)) for one in messages}
    except Permanent as error:
        if len(messages) == 1:
            return {messages[0].channel_sku: (Telling.REFUSED, why(error))}
        half = len(messages) // 2
        return _published(publisher, messages[:half]) | _published(publisher, messages[half:])
    return {
        channel_sku: (Telling.REFUSED, code(reason)) if reason else NOT_NOW for channel_sku, reason in refused.items()
    }
