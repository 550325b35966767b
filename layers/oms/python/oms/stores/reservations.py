"""`reservations`: holds on stock for carts, each one document. Writes go through the commit, guarded by the version."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import TYPE_CHECKING, Any

from oms.domain.reservations import Reservation
from oms.stores.batch_reads import get_many
from oms.stores.documents import format_time, from_document, to_document
from oms.stores.table import Page, Table

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

IS_NEW = "attribute_not_exists(reservation_id)"
IS_UNCHANGED = "#version = :expected_version"


class ReservationsStore:
    """The reservation documents. A document changes only together with the stock it holds."""

    def __init__(self, client: DynamoDBClient, table_prefix: str) -> None:
        self.table = Table(client, f"{table_prefix}reservations")

    def get(self, reservation_id: str) -> Reservation | None:
        """The reservation as it is now (strongly consistent), or None."""
        item = self.table.get({"reservation_id": reservation_id})
        return decode(item) if item else None

    def read_many(self, reservation_ids: Iterable[str]) -> list[Reservation]:
        """The reservations there are of these ids, as they are now, in no order."""
        return [decode(item) for item in get_many(self.table, ({"reservation_id": one} for one in reservation_ids))]

    def write_action(self, reservation: Reservation) -> Any:
        """The put of this version, refused unless the stored one is the version before it (or none, for the first)."""
        document = to_document(reservation)
        if reservation.version == 1:
            return self.table.put_action(document, IS_NEW)
        return self.table.put_action(document, IS_UNCHANGED, {":expected_version": reservation.version - 1})

    def due(self, hour: str, before: datetime, *, limit: int, cursor: str | None = None) -> Page:
        """One page of the keys of active reservations that end in this hour (`2026-11-27T06`), no later than `before`.

        The index follows the table by moments: read each reservation again before ending it.
        """
        condition = "#expiry_hour = :hour AND #expires_at <= :before"
        values = {":hour": hour, ":before": format_time(before)}
        return self.table.query(condition, values, index="by_expiry", limit=limit, cursor=cursor)


def decode(item: dict[str, Any]) -> Reservation:
    """The reservation of a stored item."""
    return from_document(Reservation, item)
