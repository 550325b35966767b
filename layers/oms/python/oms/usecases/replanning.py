"""Re-planning: a position that promised more than there is gives units back, the latest-due demand first.

Truth is never refused, so a count or a short delivery may leave `available` below zero. Whoever is due last then
looks for stock elsewhere, or waits for it, until nothing is missing or all that is left was handed to the location.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from oms.domain.changes import Context, OrderChange
from oms.domain.order import Order
from oms.domain.replanning import replan
from oms.usecases.changing import change_until_settled

if TYPE_CHECKING:
    from oms.domain.projection import OpenLine
    from oms.stores.group_commit import GroupCommit
    from oms.stores.open_lines import OpenLinesStore
    from oms.stores.orders import OrdersStore
    from oms.stores.reference_data import SettingsStore
    from oms.stores.stock import StockStore

ACTOR = "replanning"

MAX_PAGES = 25
"""Pages of open lines looked through at a position."""

MAX_ORDERS = 200
"""Orders one run takes units back from; the sweep asks for the next run."""

_NEVER = datetime.max.replace(tzinfo=UTC)


@dataclass(slots=True)
class Replanned:
    """What a run did: the orders it took units back from, and the units that are missing still."""

    orders: list[str] = field(default_factory=list)
    missing: int = 0


@dataclass(frozen=True, slots=True)
class Replanning:
    """Takes promises back from work not released yet, and never more than is missing when it looks."""

    orders: OrdersStore
    stock: StockStore
    open_lines: OpenLinesStore
    settings: SettingsStore
    commit: GroupCommit

    def replan(self, sku: str, location_id: str, now: datetime) -> Replanned:
        """Takes units back until none is missing or none is left to take. Again, late or at once does no harm.

        The position is read before each change: two runs at once take back at most what both saw missing.
        Raises Retryable.
        """
        run = _Run(self.stock, sku, location_id)
        if not run.look():
            if run.marked:
                self.stock.clear_problem(sku, location_id)
            return run.done
        context = Context(now=now, actor=ACTOR, policy=self.settings.policy())
        for order_id in self._latest_due(sku, location_id):
            if not run.done.missing:
                break
            order = self.orders.get(order_id)
            if order is not None and run.take_back(self.commit, order, context):
                run.done.orders.append(order_id)
        return run.done

    def _latest_due(self, sku: str, location_id: str) -> list[str]:
        """Orders that hold units there and may give some, those due last first.

        The rows may be seconds old: an order they miss is found when the sweep asks again.
        """
        rows, cursor = self.open_lines.at(sku, location_id)
        for _ in range(MAX_PAGES):
            if cursor is None:
                break
            more, cursor = self.open_lines.at(sku, location_id, cursor=cursor)
            rows = rows + more
        rows = sorted((row for row in rows if not row.released), key=_due, reverse=True)
        return list(dict.fromkeys(row.order_id for row in rows))[:MAX_ORDERS]


@dataclass(slots=True)
class _Run:
    """One run at one position, and what it knows of it."""

    stock: StockStore
    sku: str
    location_id: str
    marked: bool = False
    done: Replanned = field(default_factory=Replanned)

    def look(self) -> int:
        """Units that are missing at the position now."""
        position = self.stock.get(self.sku, self.location_id)
        self.marked = position.problem is not None
        self.done.missing = max(0, -position.available)
        return self.done.missing

    def take_back(self, commit: GroupCommit, order: Order, context: Context) -> bool:
        """Takes from the order what is missing, as far as it has it; whether it had any."""

        def decide(current: Order) -> OrderChange | None:
            missing = self.look()
            return replan(current, self.sku, self.location_id, missing, context) if missing else None

        return change_until_settled(commit, order, decide).version > order.version


def _due(row: OpenLine) -> tuple[datetime, datetime, str]:
    """Promises are days: of those due the same day the one placed last is due last."""
    return row.due_at or _NEVER, row.placed_at or _NEVER, row.line_key
