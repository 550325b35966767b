"""`listings`: a channel's name for a sku, how often what it may sell has changed, and what it was last told."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import TYPE_CHECKING, Any

import msgspec

from oms.domain.errors import InvariantBroken
from oms.domain.listings import Listing, ListingKey
from oms.stores.batch_reads import get_many
from oms.stores.documents import format_time, from_document
from oms.stores.reference_data import Kept
from oms.stores.table import ConditionFailedError, Table

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

NOT_LISTED = "attribute_not_exists(channel_sku)"
STILL_BEFORE = "#sku = :before"
STILL_LISTED = "attribute_exists(channel_sku)"
NOT_BEGUN = f"{STILL_LISTED} AND (attribute_not_exists(published_version) OR #published_version < :version)"
NOT_OVERTAKEN = f"{STILL_LISTED} AND #published_version = :version"


class ListingsStore:
    """One row per account and name of the channel; several may sell one sku."""

    def __init__(self, client: DynamoDBClient, table_prefix: str) -> None:
        self.table = Table(client, f"{table_prefix}listings")
        self._skus = Kept()

    def of_sku(self, sku: str) -> list[ListingKey]:
        """Every listing that sells this sku, on all channels."""
        rows = self.table.query_all("#sku = :sku", {":sku": sku}, index="by_sku")
        return [ListingKey(row["channel_account"], row["channel_sku"]) for row in rows]

    def get(self, key: ListingKey) -> Listing | None:
        """The listing as it is now, or None when it was taken down."""
        item = self.table.get(key._asdict())
        return from_document(Listing, item) if item else None

    def get_many(self, keys: Iterable[ListingKey]) -> dict[ListingKey, Listing]:
        """The listings there are of these, as they are now. Raises Throttled, InvariantBroken."""
        found = {}
        for key, listing in self.read_many(keys).items():
            if isinstance(listing, InvariantBroken):
                raise listing
            found[key] = listing
        return found

    def read_many(self, keys: Iterable[ListingKey]) -> dict[ListingKey, Listing | InvariantBroken]:
        """The listings there are of these, as they are now; one that can't be read is told as an error. Raises
        Throttled."""
        items = get_many(self.table, (key._asdict() for key in keys))
        return {ListingKey(item["channel_account"], item["channel_sku"]): _decoded(item) for item in items}

    def skus_of(self, channel_account: str, channel_skus: Iterable[str]) -> dict[str, str]:
        """Our sku for each of the channel's that is listed; believed for a minute. What is not listed is asked for
        again each time: what is mapped now must work now. Raises Throttled."""
        keys = [ListingKey(channel_account, name) for name in dict.fromkeys(channel_skus) if name]
        known = {key: self._skus.get("#".join(key))[1] for key in keys}
        found = self.get_many(key for key in keys if known[key] is None)
        known |= {key: self._skus.put("#".join(key), listing.sku) for key, listing in found.items()}
        return {key.channel_sku: sku for key, sku in known.items() if sku is not None}

    def of_account(self, channel_account: str, cursor: str | None, limit: int) -> tuple[list[Listing], str | None]:
        """One page of what an account sells, and where the next one begins. What can't be read is left out."""
        condition, values = "#channel_account = :account", {":account": channel_account}
        page = self.table.query(condition, values, limit=limit, cursor=cursor)
        listings = (_decoded(item) for item in page.items)
        return [one for one in listings if isinstance(one, Listing)], page.cursor

    def map(self, key: ListingKey, sku: str, before: str | None) -> bool:
        """Says what the channel's name stands for, where it stood for `before` (None: there was no listing); False when
        somebody else mapped it meanwhile. What the channel was told stays as it is: see `tell_anew`."""
        values: dict[str, object] = {":sku": sku}
        values |= {":before": before} if before is not None else {}
        return self._update(key, "SET #sku = :sku", values, STILL_BEFORE if before is not None else NOT_LISTED)

    def mark_changed(self, key: ListingKey, now: datetime) -> bool:
        """Counts a change of what may be sold; False when the listing was taken down."""
        expression = "SET #changed_at = :now ADD #change_version :one"
        return self._update(key, expression, {":now": format_time(now), ":one": 1}, STILL_LISTED)

    def begin_telling(self, key: ListingKey, version: int) -> bool:
        """Notes that the channel is about to be told of this version; False when it was begun before, or a newer.

        From now on until `note_told` nobody knows what the channel believes.
        """
        expression = "SET #published_version = :version REMOVE #last_published_quantity"
        return self._update(key, expression, {":version": version}, NOT_BEGUN)

    def note_told(self, key: ListingKey, version: int, quantity: int, now: datetime) -> bool:
        """Notes what the channel was told; False when another telling was begun meanwhile: theirs may have come
        before ours."""
        expression = "SET #last_published_quantity = :quantity, #last_published_at = :now"
        values = {":version": version, ":quantity": quantity, ":now": format_time(now)}
        return self._update(key, expression, values, NOT_OVERTAKEN)

    def tell_anew(self, key: ListingKey, now: datetime) -> bool:
        """Counts a change that every telling now under way is older than: the next one is not left out."""
        expression = (
            "SET #changed_at = :now ADD #change_version :two, #published_version :one REMOVE #last_published_quantity"
        )
        return self._update(key, expression, {":one": 1, ":two": 2, ":now": format_time(now)}, STILL_LISTED)

    def note_listed(self, key: ListingKey, moment: datetime, doubted: tuple[int, int] | None = None) -> bool:
        """Notes that the channel named it in the comparison begun at this moment; where it said less than it was told,
        at which version of ours, and what it said."""
        values: dict[str, object] = {":at": format_time(moment)}
        if doubted is None:
            expression = "SET #listed_at = :at REMOVE #doubted_version, #doubted_quantity"
        else:
            expression = "SET #listed_at = :at, #doubted_version = :version, #doubted_quantity = :quantity"
            values |= {":version": doubted[0], ":quantity": doubted[1]}
        return self._update(key, expression, values, STILL_LISTED)

    def _update(self, key: ListingKey, expression: str, values: dict[str, object], condition: str) -> bool:
        try:
            self.table.update(key._asdict(), expression, values, condition)
        except ConditionFailedError:
            return False
        return True


def _decoded(item: dict[str, Any]) -> Listing | InvariantBroken:
    try:
        return from_document(Listing, item)
    except msgspec.ValidationError as error:
        return InvariantBroken(f"listings: {item['channel_account']} {item['channel_sku']}: {error}")
