"""Stock changes that no order causes: what was counted becomes the truth."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import TYPE_CHECKING

from oms.domain.errors import WriteConflict
from oms.domain.stock import snapshot

if TYPE_CHECKING:
    from oms.stores.stock import StockStore

MAX_ATTEMPTS = 10


def take_snapshot(stock: StockStore, location_id: str, counted: Mapping[str, int], now: datetime) -> int:
    """Sets on_hand of each sku at a location to what was counted; returns how many positions changed.

    What is promised stays promised; the difference is borne by `available`, which may turn negative.
    Raises WriteConflict when a position never stood still.
    """
    return sum(_count_one(stock, sku, location_id, units, now) for sku, units in sorted(counted.items()))


def _count_one(stock: StockStore, sku: str, location_id: str, units: int, now: datetime) -> bool:
    for _ in range(MAX_ATTEMPTS):
        position = stock.get(sku, location_id)
        move = snapshot(position, units)
        if move is None:
            return False
        if stock.book_count(move, position.on_hand, now):
            return True
    raise WriteConflict(f"{sku} at {location_id} never stood still")
