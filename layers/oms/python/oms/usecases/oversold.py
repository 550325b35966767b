"""Oversold: a position whose `available` fell below zero shows in `by_problem` until it has recovered."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import datetime
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from oms.runtime.queues import Queue
    from oms.stores.stock import StockStore

REPLAN = "replan"
"""The kind of message on the stock queue that asks for re-planning at a position."""

PAGE = 100
MAX_POSITIONS = 1_000
"""Oversold positions that one sweep has planned anew."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """How a position changed as its stream tells it: `available` before and after, and whether it is marked.

    Several changes seen together are one, and nothing that happened in between is lost: who began to wait after the
    units were gone gains by their coming back, though there are no more of them than at first.
    """

    sku: str
    location_id: str
    before: int
    available: int
    marked: bool = False
    incoming_changed: bool = False
    rose_earlier: bool = False
    fell_short_earlier: bool = False
    sellable_changed_earlier: bool = False

    def then(self, later: Seen) -> Seen:
        """This change and a later one of the same position as one."""
        return replace(
            later,
            rose_earlier=self.rose,
            fell_short_earlier=self.fell_short,
            sellable_changed_earlier=self.sellable_changed,
        )

    @property
    def rose(self) -> bool:
        """Whether at some moment there was more to promise than just before."""
        return self.rose_earlier or self.available > self.before

    @property
    def fell_short(self) -> bool:
        """Whether it lost units that it has promised, or more of them."""
        return self.fell_short_earlier or self.available < min(0, self.before)

    @property
    def sellable_changed(self) -> bool:
        """Whether what may be sold of it could be another figure than it was at some moment."""
        return self.sellable_changed_earlier or self.available != self.before or self.incoming_changed


@dataclass(frozen=True, slots=True)
class Oversold:
    """Marks positions, and has what they can't keep planned anew."""

    stock: StockStore
    queue: Queue

    def look(self, seen: Seen, now: datetime) -> None:
        """Marks or clears the position by what is true of it now, however late it is seen. Raises Retryable."""
        if seen.available < 0 and not seen.marked:
            self.stock.mark_problem(seen.sku, seen.location_id, now)
        elif seen.available >= 0 and seen.marked:
            self.stock.clear_problem(seen.sku, seen.location_id)
        if seen.fell_short:
            self.ask_to_replan(seen.sku, seen.location_id)

    def ask_to_replan(self, sku: str, location_id: str) -> None:
        """Queues the re-planning of a position. Raises Retryable."""
        self.queue.send({"kind": REPLAN, "sku": sku, "location_id": location_id}, sku)

    def still(self) -> Iterator[tuple[str, str]]:
        """The positions (sku, location_id) that are oversold, the longest so first; at most MAX_POSITIONS."""
        cursor: str | None = None
        for _ in range(MAX_POSITIONS // PAGE):
            page = self.stock.with_problem(limit=PAGE, cursor=cursor)
            yield from ((item["sku"], item["location_id"]) for item in page.items)
            cursor = page.cursor
            if cursor is None:
                return
