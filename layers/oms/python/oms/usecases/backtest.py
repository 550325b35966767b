"""Backtest: a draft of the routing policy beside the one in force, on orders of the past or made up. Reads only."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from itertools import islice
from typing import TYPE_CHECKING

from oms.domain.backtest_figures import MAX_CHANGES_TOLD, MIN_ORDERS, Comparison, Pair, compare, judge
from oms.domain.backtest_orders import (
    Ledger,
    Units,
    decision_ids,
    first_decisions,
    past_decision,
    skus_of,
    untold,
)
from oms.domain.backtesting import Company, PastDecision, replay
from oms.domain.catalog import LocationStatus
from oms.domain.changes import queue_place
from oms.domain.errors import InvalidMessage, InvariantBroken
from oms.domain.order import Order
from oms.domain.policy_versions import Verdict
from oms.domain.routing_items import Stock
from oms.domain.routing_policy import RoutingPolicy
from oms.domain.routing_record import Decision
from oms.usecases.generated_orders import generated

if TYPE_CHECKING:
    from random import Random

    from oms.stores.orders import OrdersStore
    from oms.stores.past_orders import PastOrdersStore
    from oms.stores.reference_data import LocationsStore, ProductsStore, SettingsStore
    from oms.stores.stock import StockStore

MAX_ORDERS = 10_000
"""Orders that are tried unless more are asked for; of a longer period the newest."""

MAX_ORDERS_EVER = 100_000
MAX_DAYS = 92
MAX_PRODUCTS = 500
"""Products that made-up orders are for."""

READERS = 8
_CHUNK = 500

NEVER_ROUTED = "NEVER_ROUTED"
NO_RECORD = "NO_RECORD"
UNREADABLE = "UNREADABLE"

Days = tuple[datetime, timedelta]
"""When made-up orders begin, and over how long they come in."""

Told = Callable[[str, int, int], None]
"""Told how far it is: what is done, how many are, how many there are about."""


def _tell_nobody(what: str, done: int, total: int) -> None:
    """Nobody watches."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Period:
    """Orders placed from `start` until before `end`. Raises InvalidMessage where that is no period, or too long."""

    start: datetime
    end: datetime

    def __post_init__(self) -> None:
        if not timedelta() < self.end - self.start <= timedelta(days=MAX_DAYS):
            raise InvalidMessage(f"a period goes forward, over at most {MAX_DAYS} days", field="period")

    def days(self) -> Iterator[str]:
        """Its days (ISO dates, UTC), the newest first."""
        last = (self.end - timedelta(microseconds=1)).date()
        return ((last - timedelta(days=back)).isoformat() for back in range((last - self.start.date()).days + 1))


@dataclass(slots=True, kw_only=True)
class Tried:
    """The decisions to be made again, in the order they were made, and how many orders are left out for what.

    `truncated`: the period had more orders than were to be tried.
    """

    decisions: list[PastDecision] = field(default_factory=list)
    left_out: Counter[str] = field(default_factory=Counter)
    truncated: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """What came of it."""

    comparison: Comparison
    verdict: Verdict
    left_out: dict[str, int]
    truncated: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Backtest:
    """Tries policies on the orders of one stage."""

    past: PastOrdersStore
    orders: OrdersStore
    stock: StockStore
    locations: LocationsStore
    products: ProductsStore
    settings: SettingsStore
    told: Told = _tell_nobody

    def company(self) -> Company:
        """The locations and rate cards as they are now."""
        return Company(
            locations=tuple(self.locations.all()),
            cards=self.settings.rate_cards(),
            zone_tables=self.settings.zone_tables(),
        )

    def past_orders(self, period: Period, company: Company, most: int = MAX_ORDERS) -> Tried:
        """The orders placed in the period that were routed, the newest where there are more. Raises Retryable."""
        tried = Tried()
        found = self._found(period)
        placed = list(islice(found, min(most, MAX_ORDERS_EVER)))
        tried.truncated = next(found, None) is not None
        routed: list[tuple[Order, Decision, Units]] = []
        for start in range(0, len(placed), _CHUNK):
            routed += self._routed(placed[start : start + _CHUNK], tried)
            self.told("orders read", min(start + _CHUNK, len(placed)), len(placed))
        location_ids = [one.location_id for one in company.locations if one.status is LocationStatus.ACTIVE]
        ledgers = self._ledgers(routed, location_ids)
        routed.sort(key=lambda one: (one[1].decided_at, queue_place(one[0])))
        tried.decisions = [past_decision(*one, location_ids, ledgers) for one in routed]
        return tried

    def made_up_orders(
        self, number: int, random: Random, company: Company, days: Days, stock: Stock | None = None
    ) -> Tried:
        """So many orders on the products there are now, and on this stock, by default that of now. Raises Retryable."""
        known = {one.sku: one for one in self.past.some_products(MAX_PRODUCTS)}
        known |= self.products.get_many(part.sku for one in known.values() for part in one.kit_components)
        there = self._stock_now(known) if stock is None else stock
        found = generated(min(number, MAX_ORDERS_EVER), random, company, known, there, *days)
        return Tried(decisions=list(found))

    def compare(
        self,
        tried: Tried,
        company: Company,
        active: RoutingPolicy,
        draft: RoutingPolicy,
        now: datetime,
        *,
        min_orders: int = MIN_ORDERS,
        most_changes: int = MAX_CHANGES_TOLD,
    ) -> Report:
        """Routes them all by the active policy and by the draft, and judges the draft by its own guards."""
        pairs: list[Pair] = []
        total = len(tried.decisions)
        both = zip(replay(tried.decisions, active, company), replay(tried.decisions, draft, company), strict=True)
        for done, (before, after) in enumerate(both, start=1):
            pairs.append(Pair(before, after))
            if done % _CHUNK == 0 or done == total:
                self.told("orders routed", done, total)
        comparison = compare(pairs, (active.version, draft.version), most_changes)
        return Report(
            comparison=comparison,
            verdict=judge(comparison, draft.guards, now, min_orders),
            left_out=dict(tried.left_out),
            truncated=tried.truncated,
        )

    def _stock_now(self, skus: Iterable[str]) -> Stock:
        """Units that could be promised; skus whose positions don't add up have none."""
        return {
            sku: {one.location_id: one.available for one in found if one.available > 0}
            for sku, found in self.stock.read_skus(skus).items()
            if not isinstance(found, InvariantBroken)
        }

    def _found(self, period: Period) -> Iterator[str]:
        """Ids of the orders placed in the period, day by day, the newest day first."""
        start, end = (moment.strftime("%Y-%m-%dT%H:%M:%SZ") for moment in (period.start, period.end))
        accounts = self.past.accounts()
        for day in period.days():
            for account in accounts:
                for one in self.past.of_day(account, day):
                    if start <= one.placed_at < end:
                        yield one.order_id

    def _routed(self, order_ids: Sequence[str], tried: Tried) -> list[tuple[Order, Decision, Units]]:
        """The decisions of these orders, and the units each is about; counts the orders that have none to be tried."""
        orders: list[Order] = []
        for found in self.orders.read_many(order_ids).values():
            if isinstance(found, InvariantBroken):
                tried.left_out[UNREADABLE] += 1
            elif not decision_ids(found):
                tried.left_out[NEVER_ROUTED] += 1
            else:
                orders.append(found)
        records = self.past.decisions_of((one.order_id, key) for one in orders for key in decision_ids(one))
        routed = []
        for order in orders:
            first = list(first_decisions(order, records.get(order.order_id, ())))
            routed += [(order, decision, units) for decision, units in first]
            tried.left_out[NO_RECORD] += not first
        tried.left_out = +tried.left_out
        return routed

    def _ledgers(
        self, routed: Iterable[tuple[Order, Decision, Units]], location_ids: Sequence[str]
    ) -> dict[str, Ledger]:
        """How stock moved, of the skus that were decided about without a look at some location's stock."""
        since: dict[str, datetime] = {}
        for order, decision, units in routed:
            if untold(decision, location_ids):
                for sku in skus_of(order, units):
                    since[sku] = min(since.get(sku, decision.decided_at), decision.decided_at)
        skus = sorted(since)
        with ThreadPoolExecutor(READERS) as readers:
            found = readers.map(lambda sku: self._ledger(sku, since[sku]), skus)
            ledgers: dict[str, Ledger] = {}
            for done, (sku, ledger) in enumerate(zip(skus, found, strict=True), start=1):
                if ledger:
                    ledgers[sku] = ledger
                self.told("skus looked up", done, len(skus))
        return ledgers

    def _ledger(self, sku: str, since: datetime) -> Ledger | None:
        """The sku's ledger back to a moment; None where its positions don't add up, or it moved too often. It errs by
        what moves between the two readings."""
        try:
            now = {one.location_id: one.available for one in self.stock.of_sku(sku)}
            return Ledger(now, self.past.changes_since(sku, since))
        except InvariantBroken:
            return None
