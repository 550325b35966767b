"""`capacity`: the parcels planned per location and day. A day changes only with the order that takes or gives back."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from oms.domain.capacity import DayChange, LocationDay
from oms.domain.errors import InvariantBroken
from oms.stores.batch_reads import get_many
from oms.stores.documents import format_time
from oms.stores.table import Table

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

KEPT_DAYS = 30
"""Days that a row is kept after its own."""

MAX_DAYS_READ = 22_000
"""Rows of one reading: two thousand locations over eleven days."""


class CapacityStore:
    """One row per location and day on which somebody took a place."""

    def __init__(self, client: DynamoDBClient, table_prefix: str) -> None:
        self.table = Table(client, f"{table_prefix}capacity")

    def load(self, location_ids: Iterable[str], days: Iterable[str]) -> dict[LocationDay, int]:
        """Parcels planned at each of these locations on each of these days (ISO dates); 0 where nobody took a place.

        Raises Throttled, or InvariantBroken beyond MAX_DAYS_READ.
        """
        wanted_days = set(days)
        loads = {(location_id, day): 0 for location_id in set(location_ids) for day in wanted_days}
        if len(loads) > MAX_DAYS_READ:
            raise InvariantBroken(f"capacity of {len(loads)} days asked for at once, at most {MAX_DAYS_READ}")
        for row in get_many(self.table, map(_key, loads)):
            loads[row["location_id"], row["day"]] = parcels(row)
        return loads

    def update_action(self, day: LocationDay, change: DayChange, now: datetime) -> Any:
        """The update that adds parcels to a day, refused if it takes more than are left below the limit."""
        sets = ["#updated_at = :now", "#expires_at = :expires_at"]
        values = {":parcels": change.parcels, ":now": format_time(now), ":expires_at": _expires_at(day)}
        condition = ""
        if change.limit is not None:
            room = change.limit - change.parcels
            sets.append("#limit = :limit")
            values |= {":limit": change.limit, ":room": room}
            condition = "#parcels <= :room" if room < 0 else "(attribute_not_exists(#parcels) OR #parcels <= :room)"
        return self.table.update_action(_key(day), f"ADD #parcels :parcels SET {', '.join(sets)}", values, condition)


def parcels(row: dict[str, Any] | None) -> int:
    """Parcels planned by a stored row, or by none."""
    return int(row["parcels"]) if row else 0


def _key(day: LocationDay) -> dict[str, str]:
    return dict(zip(("location_id", "day"), day, strict=True))


def _expires_at(day: LocationDay) -> int:
    """When the row may go, in epoch seconds."""
    return int((datetime.fromisoformat(day[1]).replace(tzinfo=UTC) + timedelta(days=KEPT_DAYS + 1)).timestamp())
