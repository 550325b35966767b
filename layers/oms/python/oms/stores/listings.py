"""`listings`: a channel's name for a sku, how often what it may sell has changed, and what it was last told."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import TYPE_CHECKING

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
        """The listings there are of these, as they are now. Raises Throttled."""
        listings = (from_document(Listing, item) for item in get_many(self.table, (key._asdict() for key in keys)))
        return {listing.key: listing for listing in listings}

    def skus_of(self, channel_account: str, channel_skus: Iterable[str]) -> dict[str, str]:
        """Our sku for each of the channel's that is listed; believed for a minute. What is not listed is asked for
        again each time: what is mapped now must work now. Raises Throttled."""
        keys = [ListingKey(channel_account, name) for name in dict.fromkeys(channel_skus) if name]
        known = {key: self._skus.get("#".join(key))[1] for key in keys}
        found = self.get_many(key for key in keys if known[key] is None)
        known |= {key: self._skus.put("#".join(key), listing.sku) for key, listing in found.items()}
        return {key.channel_sku: sku for key, sku in known.items() if sku is not None}

    def of_account(self, channel_account: str, cursor: str | None, limit: int) -> tuple[list[Listing], str | None]:
        """One page of what an account sells, and where the next one begins."""
        condition, values = "#channel_account = :account", {":account": channel_account}
        page = self.table.query(condition, values, limit=limit, cursor=cursor)
        return [from_document(Listing, item) for item in page.items], page.cursor

    def map(self, key: ListingKey, sku: str, before: str | None) -> bool:
        """Says what the channel's name stands for, where it stood for `before` (None: there was no listing); False when
        somebody else mapped it meanwhile. How often it changed and what the channel was told stay as they are."""
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

    def note_listed(self, key: ListingKey, moment: datetime) -> bool:
        """Notes that the channel named it in the comparison begun at this moment."""
        return self._update(key, "SET #listed_at = :at", {":at": format_time(moment)}, STILL_LISTED)

    def _update(self, key: ListingKey, expression: str, values: dict[str, object], condition: str) -> bool:
        try:
            self.table.update(key._asdict(), expression, values, condition)
        except ConditionFailedError:
            return False
        return True
