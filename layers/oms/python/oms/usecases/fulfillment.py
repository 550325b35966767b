"""Fulfillment: what locations and carriers report becomes changes of the orders, many reports in one write."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING, Any

from oms.domain import ids
from oms.domain.changes import MAX_POSITIONS_PER_CHANGE, Context, OrderChange, fold, touches
from oms.domain.errors import InvariantBroken, OmsError, OrderNotFound, Permanent, Retryable, WriteConflict
from oms.domain.fulfilling import apply_report
from oms.domain.incoming import FulfillmentReport, TrackingUpdate
from oms.domain.order import Order
from oms.domain.tracking import apply_tracking
from oms.usecases.changing import order_after

if TYPE_CHECKING:
    from oms.stores.group_commit import GroupCommit
    from oms.stores.orders import OrdersStore
    from oms.stores.quarantine import QuarantineStore
    from oms.stores.reference_data import SettingsStore

MAX_ROUNDS = 20
MAX_EARLY_UPDATES = 50
ACTOR = "locations"

Report = FulfillmentReport | TrackingUpdate


@dataclass(frozen=True, slots=True, kw_only=True)
class Reported:
    """A report as its queue message brought it; `raw` is kept should it not be understood."""

    message_id: str
    report: Report
    raw: dict[str, Any]


@dataclass(slots=True)
class _Work:
    """One order and what is reported of it, oldest message first; `refused` are those that no order understands."""

    reports: list[Reported] = field(default_factory=list)
    refused: list[tuple[Reported, Permanent]] = field(default_factory=list)
    order: Order | None = None
    trouble: Exception | None = None

    @contextmanager
    def own_trouble(self) -> Iterator[None]:
        """Whatever goes wrong with an order makes its own reports come again, not those of the whole batch."""
        try:
            yield
        except Exception as error:  # noqa: BLE001 - a bug that one order shows must not stop the others
            self.trouble = error


@dataclass(slots=True)
class Applied:
    """What became of a batch: message ids that must come again and why, and how many reports went to quarantine."""

    failed: dict[str, str] = field(default_factory=dict)
    refused: int = 0


@dataclass(frozen=True, slots=True)
class Fulfilling:
    """Applies reports, judged against the document: a repeat, or one that comes late, changes nothing."""

    orders: OrdersStore
    commit: GroupCommit
    quarantine: QuarantineStore
    settings: SettingsStore

    def apply(self, reports: Sequence[Reported], now: datetime) -> Applied:
        """Applies a batch: reports of one order are one write wherever they fit one, and orders share their writes."""
        applied = Applied()
        works = self._by_order(reports, applied, now)
        self._read(works)
        self._bring_up_to_date(works.values(), now)
        for order_id, work in works.items():
            if work.trouble is None:
                with work.own_trouble():
                    self._finish(order_id, work, now)
            if work.trouble is None:
                applied.refused += len(work.refused)
            else:
                applied.failed |= dict.fromkeys((one.message_id for one in work.reports), _reason(work.trouble))
        return applied

    def _read(self, works: Mapping[str, _Work]) -> None:
        for order_id, found in self.orders.read_many(works).items():
            if isinstance(found, InvariantBroken):
                works[order_id].trouble = found
            else:
                works[order_id].order = found

    def _by_order(self, reports: Iterable[Reported], applied: Applied, now: datetime) -> dict[str, _Work]:
        grouped: dict[str, _Work] = {}
        for reported in reports:
            try:
                for order_id in self._orders_of(reported, now):
                    grouped.setdefault(order_id, _Work()).reports.append(reported)
            except Retryable as error:
                applied.failed[reported.message_id] = str(error)
        return grouped

    def _orders_of(self, reported: Reported, now: datetime) -> list[str]:
        """The orders a report is about; a parcel nobody knows yet waits in quarantine for its shipment."""
        report = reported.report
        if isinstance(report, FulfillmentReport):
            return [ids.order_of_fulfillment(report.fulfillment_id) or report.fulfillment_id]
        reference = ids.tracking_reference(report.carrier, report.tracking_number)
        known = self.orders.find(reference)
        if known:
            return known
        # First keep it, then look again: whoever books the shipment writes the reference first, then looks here.
        cause = {"reason": "UNKNOWN_TRACKING_NUMBER"}
        kept = self.quarantine.put(reference, report.message_id, report.occurred_at, cause, reported.raw, now)
        known = self.orders.find(reference)
        if known:
            self.quarantine.delete(reference, kept)
        return known

    def _finish(self, order_id: str, work: _Work, now: datetime) -> None:
        if work.order is None:
            work.refused = [(reported, OrderNotFound(f"no order {order_id}")) for reported in work.reports]
        else:
            self._catch_up(work.order, work, now)
        for reported, error in work.refused:
            self._refuse(reported, type(error).__name__, now)

    def _bring_up_to_date(self, works: Iterable[_Work], now: datetime) -> None:
        """Commits until every order says what is reported of it; those in trouble are left behind with it."""
        context = Context(now=now, actor=ACTOR, policy=self.settings.policy())
        going_on = [work for work in works if work.trouble is None]
        for _ in range(MAX_ROUNDS):
            pending = self._next_changes(going_on, context)
            if not pending:
                return
            results = self.commit.commit([change for _, change in pending])
            going_on = [work for work, _ in pending]
            for work, result in zip(going_on, results, strict=True):
                with work.own_trouble():
                    work.order = order_after(result)
            going_on = [work for work in going_on if work.trouble is None]
        for work in going_on:
            work.trouble = WriteConflict(f"not settled after {MAX_ROUNDS} rounds")

    def _next_changes(self, works: Iterable[_Work], context: Context) -> list[tuple[_Work, OrderChange]]:
        pending = []
        for work in works:
            with work.own_trouble():
                change = self._next_change(work.order, work, context) if work.order else None
                pending += [(work, change)] if change else []
        return pending

    def _next_change(self, order: Order, work: _Work, context: Context) -> OrderChange | None:
        """As many of the reports as fit one change, folded into one; None once the order says it all."""
        steps: list[OrderChange] = []
        room = MAX_POSITIONS_PER_CHANGE
        work.refused.clear()
        for reported in work.reports:
            try:
                step = _decide(order, reported.report, context)
            except Permanent as error:
                work.refused.append((reported, error))
                continue
            if step is None:
                continue
            needed = touches(step) + len(step.references)
            if steps and needed > room:
                break
            room -= needed
            steps.append(step)
            order = step.order
        return fold(steps) if steps else None

    def _catch_up(self, order: Order, work: _Work, now: datetime) -> None:
        """Carrier updates that came before their shipment was booked have their turn now.

        They are forgotten only once the order holds them: if this worker dies, the report of the shipment comes
        again and finds them.
        """
        early = [
            (reference, row)
            for reference in _parcels_reported(order, work)
            for row in self.quarantine.of_source(reference, limit=MAX_EARLY_UPDATES).items
        ]
        if not early:
            return
        kept = [row["message"] for _, row in early]
        early_reports = [Reported(message_id="", report=tracking_update(one), raw=one) for one in kept]
        updates = _Work(early_reports, order=order)
        self._bring_up_to_date([updates], now)
        if updates.trouble:
            raise updates.trouble
        work.refused += updates.refused
        for reference, row in early:
            self.quarantine.delete(reference, row["received_key"])

    def _refuse(self, reported: Reported, reason: str, now: datetime) -> None:
        report = reported.report
        at = report.location_id if isinstance(report, FulfillmentReport) else report.provider
        self.quarantine.put(
            f"report#{at}", report.message_id, report.occurred_at, {"reason": reason}, reported.raw, now
        )


def _reason(error: Exception) -> str:
    return str(error) if isinstance(error, OmsError) else type(error).__name__


def _decide(order: Order, report: Report, context: Context) -> OrderChange | None:
    by = report.location_id if isinstance(report, FulfillmentReport) else report.provider
    told = Context(now=context.now, actor=by, policy=context.policy)
    if isinstance(report, FulfillmentReport):
        return apply_report(order, report, told)
    return apply_tracking(order, report, told)


def _parcels_reported(order: Order, work: _Work) -> list[str]:
    """References of the parcels that these reports booked, or had booked before."""
    told = {reported.report.shipment_id for reported in work.reports if isinstance(reported.report, FulfillmentReport)}
    parcels = [parcel for one in order.fulfillments for parcel in one.shipments if parcel.shipment_id in told]
    return [ids.tracking_reference(parcel.carrier, parcel.tracking_number) for parcel in parcels]


def fulfillment_report(message: dict[str, Any]) -> FulfillmentReport:
    """The report in a queue message."""
    fields = {name: value for name, value in message.items() if name != "kind"}
    return FulfillmentReport(**fields | {"occurred_at": datetime.fromisoformat(message["occurred_at"])})


def tracking_update(message: dict[str, Any]) -> TrackingUpdate:
    """The update in a queue message."""
    fields = {name: value for name, value in message.items() if name != "kind"}
    return TrackingUpdate(**fields | {"occurred_at": datetime.fromisoformat(message["occurred_at"])})


def reported(message_id: str, message: dict[str, Any]) -> Reported:
    """What a queue message reports."""
    parse = fulfillment_report if message["kind"] == "fulfillment_report" else tracking_update
    return Reported(message_id=message_id, report=parse(message), raw=message)
