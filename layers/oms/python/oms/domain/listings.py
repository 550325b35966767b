"""Listings: what a channel calls a sku, and how far it was told what may be sold.

Every change of what could be sold raises `change_version`; the message that is owed says the newest figure, however
many changes it stands for. Of two messages the one of the higher version counts, whichever is written last.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import NamedTuple

from oms.domain.errors import InvalidMessage

AVAILABILITY_CHANGED = "availability.changed"
"""The kind of a message that tells a channel how many units of a listing it may sell."""

_DESTINATION, _MESSAGE = "channel#", "availability#"


class Telling(StrEnum):
    """How a message to a channel ended, which is the status of its row too.

    READY: it waits on its row, since this channel is not told. OBSOLETE: nobody wants it told any more. REFUSED: the
    channel will not have it, and BY_HAND: it offers no way to be told: a person acts.
    """

    SENT = "SENT"
    READY = "READY"
    UNCHANGED = "UNCHANGED"
    OBSOLETE = "OBSOLETE"
    REFUSED = "REFUSED"
    BY_HAND = "BY_HAND"


class ListingKey(NamedTuple):
    """Which listing: the account (`shopify#main`) and the channel's own name for the sku."""

    channel_account: str
    channel_sku: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Listing:
    """A sku on a channel. What it was last told is there only once it was told anything.

    `listed_at` is the comparison in which the channel named it last; `doubted_*`, if there, is what the channel said
    in it and at which version, where it said less than it was told.
    """

    channel_account: str
    channel_sku: str
    sku: str
    change_version: int = 0
    changed_at: datetime | None = None
    published_version: int = 0
    last_published_quantity: int | None = None
    last_published_at: datetime | None = None
    listed_at: datetime | None = None
    doubted_version: int | None = None
    doubted_quantity: int | None = None

    @property
    def key(self) -> ListingKey:
        """Which listing this is."""
        return ListingKey(self.channel_account, self.channel_sku)


@dataclass(frozen=True, slots=True)
class Failure:
    """A message that was not told, and must come again; `reason` holds nothing of anybody's answer."""

    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class AvailabilityMessage:
    """What a channel is told: this many units of the listing may be sold, as of `at`.

    A message of a lower version than one it had before is old news to the channel.
    """

    channel_sku: str
    sku: str
    quantity: int
    version: int
    at: datetime


def delivery_key(listing: ListingKey) -> tuple[str, str]:
    """(destination, message_key) of the one row in `deliveries` that owes a listing its newest figure."""
    return f"{_DESTINATION}{listing.channel_account}", f"{_MESSAGE}{listing.channel_sku}"


def is_availability(message_key: str) -> bool:
    """Whether this is the key of a row that `delivery_key` names."""
    return message_key.startswith(_MESSAGE)


def listing_of(destination: str, message_key: str) -> ListingKey:
    """The listing that a row of `deliveries` is about. Raises InvalidMessage for a key that is none."""
    key = ListingKey(destination.removeprefix(_DESTINATION), message_key.removeprefix(_MESSAGE))
    if delivery_key(key) != (destination, message_key) or not all(key):
        raise InvalidMessage("not the key of a listing's message", field="message_key")
    return key
