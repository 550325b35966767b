"""Migration: open orders of the system before ours, checked, loaded and compared with what the file says."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING

from oms.domain import migration
from oms.domain.catalog import Product
from oms.domain.changes import Context, OrderChange
from oms.domain.errors import InvalidOrder, InvariantBroken, Unavailable, WriteConflict
from oms.domain.forgetting import forgotten_from_the_start
from oms.domain.migrated import Fault, MigratedOrder, faults, places, promised_units
from oms.domain.order import Order

if TYPE_CHECKING:
    from datetime import datetime

    from oms.domain.catalog import ChannelAccount
    from oms.stores.contacts import ContactsStore
    from oms.stores.group_commit import CommitResult, GroupCommit
    from oms.stores.orders import OrdersStore
    from oms.stores.reference_data import LocationsStore, ProductsStore, SettingsStore
    from oms.stores.stock import StockStore

MAX_PARTS = 40
"""Changes of one order: with the most lines it takes 13, the rest is for others who write it too."""

Units = Counter[tuple[str, str]]
"""Units by sku and location_id."""


class Loaded(StrEnum):
    """What became of an order of the file."""

    VALID = "VALID"
    LOADED = "LOADED"
    ALREADY = "ALREADY"
    EXISTS = "EXISTS"
    SHORT = "SHORT"
    REFUSED = "REFUSED"
    FAILED = "FAILED"


@dataclass(frozen=True, slots=True)
class Finding:
    """An order of the file with what became of it, or would, and why. `fulfillments` are the ids of its work."""

    migrated: MigratedOrder
    outcome: Loaded
    faults: tuple[Fault, ...] = ()
    fulfillments: Mapping[str, str] = field(default_factory=dict)


@dataclass(slots=True)
class Compared:
    """How the orders of the file are here now: how many of each status, and the units they hold by position."""

    statuses: Counter[str] = field(default_factory=Counter)
    said: Units = field(default_factory=Counter)
    held: Units = field(default_factory=Counter)
    findings: list[Finding] = field(default_factory=list)


@dataclass(slots=True)
class Migration:
    """Loads open orders. `route_short`: what is not where the file says is routed as any other order."""

    orders: OrdersStore
    contacts: ContactsStore
    products: ProductsStore
    locations: LocationsStore
    settings: SettingsStore
    stock: StockStore
    commit: GroupCommit
    route_short: bool = False
    _left: dict[str, dict[str, int]] = field(default_factory=dict)

    def check(self, batch: Sequence[MigratedOrder], now: datetime) -> list[Finding]:
        """What loading these orders would do, after those of earlier calls; nothing is written."""
        known = self.orders.read_many(one.order_id for one in batch)
        findings = []
        for one in batch:
            found = self._judged(one, known.get(one.order_id)) or self._refusal(one, now)
            findings.append(found or self._check_stock(one))
        return findings

    def load(self, batch: Sequence[MigratedOrder], now: datetime) -> list[Finding]:
        """Creates these orders with what is promised to them, in as few transactions as hold them. Those there already
        are completed, where a crash left them half way. Raises Retryable when they can't be read."""
        context = Context(now=now, actor=migration.ACTOR, policy=self.settings.policy())
        known = self.orders.read_many(one.order_id for one in batch)
        findings: dict[str, Finding] = {}
        firsts: list[tuple[MigratedOrder, OrderChange]] = []
        for one in batch:
            found = self._settled(one, known.get(one.order_id), context) or self._refusal(one, now)
            if found:
                findings[one.order_id] = found
            else:
                firsts.append((one, self._first(one, context)))
        results = self.commit.commit([change for _, change in firsts])
        for (one, _), result in zip(firsts, results, strict=True):
            findings[one.order_id] = self._after_first(one, result, context)
        return [findings[one.order_id] for one in batch]

    def compare(self, batch: Sequence[MigratedOrder], compared: Compared) -> None:
        """Adds how these orders are here now to `compared`, and tells of those that are not as the file says."""
        known = self.orders.read_many(one.order_id for one in batch)
        products = self._products(batch)
        for one in batch:
            order = known.get(one.order_id)
            if not isinstance(order, Order) or not migration.is_the_same(order, one):
                outcome = Loaded.EXISTS if order else Loaded.REFUSED
                compared.findings.append(Finding(one, outcome, (_not_loaded(bool(order)),)))
                continue
            compared.statuses[order.status.value] += 1
            said, held = promised_units(one, products), migration.held_units(order)
            compared.said += said
            compared.held += held
            missing = said - held
            if missing:
                compared.findings.append(Finding(one, Loaded.SHORT, tuple(_lacks(missing))))

    def _judged(self, one: MigratedOrder, order: Order | InvariantBroken | None) -> Finding | None:
        """What is to be said of an order that is there already."""
        if order is None:
            return None
        if isinstance(order, Order) and migration.is_the_same(order, one):
            return Finding(one, Loaded.ALREADY, fulfillments=_work_of(order))
        return Finding(one, Loaded.EXISTS, (_not_loaded(there=True),))

    def _settled(self, one: MigratedOrder, order: Order | InvariantBroken | None, context: Context) -> Finding | None:
        found = self._judged(one, order)
        if found and found.outcome is Loaded.ALREADY and isinstance(order, Order):
            return self._finish(one, order, context, Loaded.ALREADY)
        return found

    def _refusal(self, one: MigratedOrder, now: datetime) -> Finding | None:
        """Why the order can't be loaded, whatever the stock."""
        wrong = [*faults(one), *_from_the_future(one, now), *self._unknown(one)]
        if not wrong:
            context = Context(now=now, actor=migration.ACTOR, policy=self.settings.policy())
            review = self._create(one, context).order.review
            if review and review.reason in migration.REFUSED_REVIEWS:
                wrong.append(Fault(field="lines", reason=review.reason, problem=review.detail))
        return Finding(one, Loaded.REFUSED, tuple(wrong)) if wrong else None

    def _unknown(self, one: MigratedOrder) -> list[Fault]:
        """Accounts, products and locations that were never set up."""
        wrong = []
        incoming = one.incoming
        if self._account(one) is None:
            problem = f"settings has no channel_account {incoming.channel}#{incoming.account}"
            wrong.append(Fault(field="account", reason="UNKNOWN_ACCOUNT", problem=problem))
        products = self._products([one])
        wrong += [
            Fault(field=f"lines.{number}.sku", reason="UNKNOWN_SKU", problem=f"no product {line.sku}")
            for number, line in enumerate(incoming.lines)
            if line.requires_shipping and line.sku not in products
        ]
        known = {location.location_id for location in self.locations.all()}
        wrong += [
            Fault(field=named, reason="UNKNOWN_LOCATION", problem=f"no location {location_id}")
            for location_id, named in places(one).items()
            if location_id not in known
        ]
        return wrong

    def _check_stock(self, one: MigratedOrder) -> Finding:
        """Takes what the order needs out of what is left for the next."""
        wanted = promised_units(one, self._products([one]))
        for sku in sorted({sku for sku, _ in wanted} - self._left.keys()):
            self._left[sku] = {here.location_id: here.available for here in self.stock.of_sku(sku)}
        missing = Counter(
            {at: units - self._left[at[0]].get(at[1], 0) for at, units in wanted.items()},
        )
        if +missing:
            return Finding(one, Loaded.VALID if self.route_short else Loaded.SHORT, tuple(_lacks(+missing)))
        for (sku, location_id), units in wanted.items():
            self._left[sku][location_id] -= units
        return Finding(one, Loaded.VALID)

    def _after_first(self, one: MigratedOrder, result: CommitResult[OrderChange], context: Context) -> Finding:
        if result.committed:
            return self._finish(one, result.change.order, context, Loaded.LOADED)
        if result.image is not None:
            return self._settled(one, result.image, context) or Finding(one, Loaded.FAILED)
        if result.error is None:
            return self._after_shortage(one, tuple(_lacks_of(result)), context)
        if isinstance(result.error, InvalidOrder):
            fault = Fault(field=result.error.field, reason=result.error.reason, problem=str(result.error))
            return Finding(one, Loaded.REFUSED, (fault,))
        return Finding(one, Loaded.FAILED, (_failed(result.error),))

    def _after_shortage(self, one: MigratedOrder, lacks: tuple[Fault, ...], context: Context) -> Finding:
        """What is not where the file says is told; if so wished, the order is loaded to be routed as any other."""
        if not self.route_short:
            return Finding(one, Loaded.SHORT, lacks)
        result = self.commit.commit_one(self._first(migration.unplaced(one), context))
        if result.committed:
            return Finding(one, Loaded.LOADED, lacks)
        there = self._settled(one, result.image, context) if result.image else None
        return there or Finding(one, Loaded.FAILED, (_failed(result.error or WriteConflict("others wrote first")),))

    def _finish(self, one: MigratedOrder, order: Order, context: Context, outcome: Loaded) -> Finding:
        """Commits part after part until all of it is promised; what is not there is told, and routed if so wished."""
        for _ in range(MAX_PARTS):
            change = migration.next_part(order, one, context)
            if change is None:
                return Finding(one, outcome, fulfillments=_work_of(order))
            result = self.commit.commit_one(change)
            if result.error:
                return Finding(one, Loaded.FAILED, (_failed(result.error),))
            if result.committed:
                order = change.order
            elif result.image is not None:
                order = result.image
            elif self.route_short:
                return self._leave(one, order, context, tuple(_lacks_of(result)))
            else:
                return Finding(one, Loaded.SHORT, tuple(_lacks_of(result)))
        return Finding(one, Loaded.FAILED, (_failed(WriteConflict("others always wrote first")),))

    def _leave(self, one: MigratedOrder, order: Order, context: Context, lacks: tuple[Fault, ...]) -> Finding:
        change = migration.leave_the_rest(order, context)
        result = self.commit.commit_one(change) if change else None
        if result is None or result.committed:
            return Finding(one, Loaded.LOADED, lacks, _work_of(order))
        return Finding(one, Loaded.FAILED, (_failed(result.error or WriteConflict("others wrote first")),))

    def _first(self, one: MigratedOrder, context: Context) -> OrderChange:
        """Version 1 of the order, which knows if its person was to be forgotten before it came."""
        made = self._create(one, context)
        return forgotten_from_the_start(made) if self.contacts.is_forgotten(one.order_id) else made

    def _create(self, one: MigratedOrder, context: Context) -> OrderChange:
        return migration.create(one, self._products([one]), self._known_account(one), context)

    def _products(self, batch: Sequence[MigratedOrder]) -> dict[str, Product]:
        products = self.products.get_many(line.sku for one in batch for line in one.incoming.lines)
        return products | self.products.get_many(part.sku for one in products.values() for part in one.kit_components)

    def _account(self, one: MigratedOrder) -> ChannelAccount | None:
        return self.settings.channel_account(one.incoming.channel, one.incoming.account)

    def _known_account(self, one: MigratedOrder) -> ChannelAccount:
        account = self._account(one)
        if account is None:
            raise Unavailable(f"settings has lost {one.incoming.channel}#{one.incoming.account}")
        return account


def _from_the_future(one: MigratedOrder, now: datetime) -> list[Fault]:
    """Until that day came, whatever its channel says of the order would be taken for older."""
    if one.incoming.channel_updated_at <= now:
        return []
    return [Fault(field="channel_updated_at", reason="IN_THE_FUTURE", problem="the channel has not said that yet")]


def _work_of(order: Order) -> dict[str, str]:
    """The ids of the work still to do, by location: a location that works on it already reports by them."""
    return {
        one.location_id: one.fulfillment_id
        for one in order.fulfillments
        if any(line.open or line.picked for line in one.lines)
    }


def _not_loaded(there: bool) -> Fault:
    problem = "it came another way, or was loaded with another content" if there else "it was not loaded"
    return Fault(field="channel_order_id", reason="EXISTS" if there else "MISSING", problem=problem)


def _failed(error: Exception) -> Fault:
    return Fault(field="", reason=type(error).__name__, problem=str(error))


def _lacks(missing: Mapping[tuple[str, str], int]) -> list[Fault]:
    return [
        Fault(field="lines", reason="STOCK_SHORT", problem=f"{sku} at {location_id}: {units} too few")
        for (sku, location_id), units in sorted(missing.items())
    ]


def _lacks_of(result: CommitResult[OrderChange]) -> list[Fault]:
    """What the commit found short, as it is now."""
    return [
        Fault(field="lines", reason="STOCK_SHORT", problem=f"{one.sku} at {one.location_id}: {one.available} available")
        for one in result.positions
    ] or [Fault(field="lines", reason="STOCK_SHORT", problem="nothing was ever booked there")]
