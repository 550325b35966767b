"""Stock of the company: each run restores what lies where by a snapshot (full count), through the ledger."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from oms.runtime.clock import now
from oms.stores.group_commit import GroupCommit
from oms.stores.snapshots import Readings
from oms.usecases.counting import Booking, take_snapshot
from tools import seed

if TYPE_CHECKING:
    from collections.abc import Callable


def restore_stock(client: Callable[[str], Any], stage: str) -> int:
    """Sets on_hand of every seeded position to its seed count; what is promised to orders stays promised.

    Returns how many positions were counted.
    """
    dynamodb, prefix, moment = client("dynamodb"), f"oms-{stage}-", now()
    booking = Booking(Readings.of(dynamodb, prefix), GroupCommit(dynamodb, prefix))
    counts = counts_by_location()
    for location_id, counted in counts.items():
        take_snapshot(booking, location_id, counted, moment)
    return sum(len(counted) for counted in counts.values())


def counts_by_location() -> dict[str, dict[str, int]]:
    """Seeded units of each sku, by the location that counts them."""
    counts: dict[str, dict[str, int]] = {}
    for sku, held in seed.load("stock").items():
        for location_id, units in held.items():
            counts.setdefault(location_id, {})[sku] = units
    return counts
