"""Publishing: channels are told what they may sell, soon after it changed and once for many changes."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

from oms.domain.errors import Retryable, Unavailable, WriteConflict
from oms.domain.listings import (
    AVAILABILITY_CHANGED,
    AvailabilityMessage,
    Listing,
    ListingKey,
    Telling,
    delivery_key,
    listing_of,
)

if TYPE_CHECKING:
    from oms.stores.deliveries import DeliveriesStore
    from oms.stores.listings import ListingsStore
    from oms.stores.reference_data import ProductsStore
    from oms.usecases.availability import Availabilities

MAX_TRIES = 3
"""Times a telling is begun anew because another one of the same listing was under way."""

Push = Callable[[str, AvailabilityMessage], None]
"""Tells an account (`main`) of a channel what it may sell. Raises Retryable when it was not taken."""


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

    def _with_kits(self, skus: Iterable[str]) -> list[str]:
        changed = set(skus)
        kits = {kit for product in self.products.get_many(changed).values() for kit in product.part_of}
        return sorted(changed | kits)


@dataclass(frozen=True, slots=True)
class ChannelMessages:
    """Tells a channel the newest figure of a listing. Whatever makes it look, it looks at what is true now.

    `pushes` are the channels that can be told, by name. For the others the message stays on its row.
    """

    listings: ListingsStore
    deliveries: DeliveriesStore
    availabilities: Availabilities
    pushes: Mapping[str, Push]

    def send(self, destination: str, message_key: str, now: datetime) -> Telling | None:
        """Tells the channel unless it knows; None when the listing was taken down.

        What changes while this works is owed again at the end. Raises InvalidMessage for a key that is none,
        Retryable when the channel did not take it or others were always faster.
        """
        key = listing_of(destination, message_key)
        for _ in range(MAX_TRIES):
            listing = self.listings.get(key)
            if listing is None:
                self.deliveries.obsolete(destination, message_key, now)
                return None
            message = self._message(listing, now)
            telling = self._tell(listing, message, now)
            if telling is not None:
                said = None if telling is Telling.UNCHANGED else message
                self.deliveries.settle(destination, message_key, telling.value, message.version, said, now)
                self._owe_what_changed(key, message.version, now)
                return telling
        raise WriteConflict(f"listing {key.channel_sku}: told by others at the same time")

    def _message(self, listing: Listing, now: datetime) -> AvailabilityMessage:
        quantity = self.availabilities.published(listing.sku, listing.channel_account, now)
        return AvailabilityMessage(
            channel_sku=listing.channel_sku,
            sku=listing.sku,
            quantity=quantity,
            version=listing.change_version,
            at=now,
        )

    def _tell(self, listing: Listing, message: AvailabilityMessage, now: datetime) -> Telling | None:
        """How it went; None if somebody else has begun to tell of this version, alive or not: look again."""
        if message.quantity == listing.last_published_quantity:
            return Telling.UNCHANGED
        channel, _, account = listing.channel_account.partition("#")
        push = self.pushes.get(channel)
        if push is None:
            return Telling.READY
        if not self.listings.begin_telling(listing.key, message.version):
            self.listings.tell_anew(listing.key, now)
            return None
        try:
            push(account, message)
        except Retryable as error:
            self.deliveries.failed(*delivery_key(listing.key), f"{type(error).__name__}: {error}", now)
            raise Unavailable(str(error)) from error
        if not self.listings.note_told(listing.key, message.version, message.quantity, now):
            self.listings.tell_anew(listing.key, now)
        return Telling.SENT

    def _owe_what_changed(self, key: ListingKey, version: int, now: datetime) -> None:
        """After the row is settled, not before: a change counted later finds it settled and owes it by itself."""
        listing = self.listings.get(key)
        if listing is not None and listing.change_version > version:
            self.deliveries.owe(*delivery_key(key), AVAILABILITY_CHANGED, now)
