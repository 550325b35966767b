"""Stock of the company: each run restores what lies where by a snapshot (full count), through the ledger."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from oms.domain import stock
from oms.stores.stock import StockStore
from tools import seed

if TYPE_CHECKING:
    from collections.abc import Callable

POSITIONS_PER_TRANSACTION = 50


def restore_stock(client: Callable[[str], Any], stage: str) -> int:
    """Sets on_hand of every seeded position to its seed count; what is promised to orders stays promised.

    Returns how many positions were counted.
    """
    tables = client("dynamodb")
    store = StockStore(tables, f"oms-{stage}-")
    counts = seed.load("stock")
    moves = [
        move
        for sku, held in counts.items()
        for location_id, counted in held.items()
        if (move := stock.snapshot(store.get(sku, location_id), counted)) is not None
    ]
    for start in range(0, len(moves), POSITIONS_PER_TRANSACTION):
        _book(tables, store, moves[start : start + POSITIONS_PER_TRANSACTION])
    return sum(len(held) for held in counts.values())


def _book(tables: Any, store: StockStore, moves: list[stock.StockMove]) -> None:
    now = datetime.now(UTC)
    actions = []
    for move in moves:
        actions.append({"Update": store.position_action([move], now)})
        actions.append({"Put": store.movement_action([move], [], now)})
    tables.transact_write_items(TransactItems=actions)
