"""The use cases at work in the test stage: orders to place, workers to run, and books that must balance."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from oms.domain import stock as stock_moves
from oms.domain.catalog import Product
from oms.domain.changes import StockChange
from oms.domain.errors import Unavailable
from oms.domain.incoming import Address, Contact, FulfillmentReport, IncomingLine, IncomingOrder, TrackingUpdate
from oms.domain.lifecycle import Answer, Wait
from oms.domain.order import Order, Totals
from oms.domain.stock import Bucket, StockPosition
from oms.runtime import clients
from oms.stores.backorders import BackordersStore
from oms.stores.capacity import CapacityStore
from oms.stores.contacts import ContactsStore
from oms.stores.deliveries import DeliveriesStore
from oms.stores.group_commit import GroupCommit
from oms.stores.listings import ListingsStore
from oms.stores.open_lines import OpenLinesStore
from oms.stores.orders import OrdersStore
from oms.stores.quarantine import QuarantineStore
from oms.stores.reference_data import LocationsStore, ProductsStore, SettingsStore
from oms.stores.routing_decisions import RoutingDecisionsStore
from oms.stores.stock import StockStore
from oms.stores.waits import WaitsStore
from oms.usecases.allocation import Allocation, AllocationRequest
from oms.usecases.decisions import Decisions
from oms.usecases.expiry import Expiry
from oms.usecases.fulfillment import Applied, Fulfilling, Report, Reported
from oms.usecases.intake import Intake, IntakeResult
from oms.usecases.lifecycle import Lifecycle
from oms.usecases.oversold import Oversold
from oms.usecases.replanning import Replanning
from oms.usecases.sourcing import Sourcing
from oms.usecases.sweep import Sweep
from oms.usecases.waking import Waking
from tests.integration.capacity_days import days_add_up
from tests.integration.stage import HASH_KEY, PREFIX, STOCK, Stage

NOON = datetime(2026, 3, 2, 12, tzinfo=UTC)
NEW_YORK = Address(name="Ada Example", address1="1 Test Street", city="Albany", region="NY", country="US")
RENO = Address(name="Ada Example", address1="9 Desert Road", city="Reno", region="NV", country="US")
ADA = Contact(name="Ada Example", email="ada@example.com", phone="+1 775 555 0100", ship_to=NEW_YORK)


def at(hours: float) -> datetime:
    """So many hours after NOON."""
    return NOON + timedelta(hours=hours)


@dataclass
class Notebook:
    """The state machine's executions as a note pad: what was started, what each token was told."""

    running: dict[tuple[str, int], str] = field(default_factory=dict)
    started: list[tuple[str, int]] = field(default_factory=list)
    told: dict[str, list[Answer]] = field(default_factory=dict)
    deaf: int = 0
    """The next so many answers can't be delivered."""

    def start(self, order_id: str, generation: int) -> None:
        self.started.append((order_id, generation))
        self.running.setdefault((order_id, generation), "RUNNING")

    def status(self, order_id: str, generation: int) -> str | None:
        return self.running.get((order_id, generation))

    def answer(self, task_token: str, answer: Answer) -> None:
        if self.deaf:
            self.deaf -= 1
            raise Unavailable("Step Functions did not do what was asked")
        self.told.setdefault(task_token, []).append(answer)

    def first(self, token: str) -> Answer | None:
        """What the execution heard: later answers to a token reach nobody."""
        return self.told[token][0] if token in self.told else None


@dataclass
class QueueDouble:
    """A queue that only remembers."""

    sent: list[tuple[Any, str]] = field(default_factory=list)

    def send(self, message: Any, group: str) -> None:
        self.sent.append((message, group))


@dataclass
class Worker:
    """One worker's use cases, with memories of its own, as another Lambda has them."""

    notebook: Notebook
    outbound: QueueDouble = field(default_factory=QueueDouble)
    stock_queue: QueueDouble = field(default_factory=QueueDouble)

    def __post_init__(self) -> None:
        client: Any = clients.client("dynamodb")
        self.orders, self.stock = OrdersStore(client, PREFIX), StockStore(client, PREFIX)
        self.contacts = ContactsStore(client, PREFIX, hash_key=lambda: HASH_KEY)
        self.settings, self.waits = SettingsStore(client, PREFIX), WaitsStore(client, PREFIX)
        self.quarantine, self.deliveries = QuarantineStore(client, PREFIX), DeliveriesStore(client, PREFIX)
        self.commit = GroupCommit(client, PREFIX, self.contacts, sleep=lambda _: None)
        self.locations = LocationsStore(client, PREFIX)
        sourcing = Sourcing(
            self.stock, self.locations, self.settings, BackordersStore(client, PREFIX), CapacityStore(client, PREFIX)
        )
        executions: Any = self.notebook
        queue: Any = self.outbound
        stock_queue: Any = self.stock_queue
        self.listings = ListingsStore(client, PREFIX)
        self.intake = Intake(
            self.orders,
            self.contacts,
            ProductsStore(client, PREFIX),
            self.settings,
            self.commit,
            locations=self.locations,
            listings=self.listings,
        )
        self.allocation = Allocation(
            self.orders, sourcing, self.commit, executions, RoutingDecisionsStore(client, PREFIX)
        )
        self.fulfilling = Fulfilling(self.orders, self.commit, self.quarantine, self.settings)
        self.lifecycle = Lifecycle(self.orders, self.waits, self.commit, sourcing, executions)
        self.decisions = Decisions(self.orders, self.commit, self.settings)
        self.oversold = Oversold(self.stock, stock_queue)
        self.replanning = Replanning(
            self.orders, self.stock, OpenLinesStore(client, PREFIX), self.settings, self.commit
        )
        self.waking = Waking(self.orders, self.waits, sourcing, executions)
        self.sweep = Sweep(self.orders, self.lifecycle, queue, self.oversold, pick=lambda: 0.5)
        self.expiry = Expiry(self.orders, self.contacts)

    def take(self, incoming: IncomingOrder, hours: float = 0) -> IntakeResult:
        """Takes in an order as its channel has it."""
        return self.intake.take(incoming, actor=incoming.channel, now=at(hours))

    def allocate(self, *order_ids: str, hours: float = 0) -> list[str]:
        """Asks for stock for all of them in one batch, each with its own id as token; returns who must come again."""
        asked = [AllocationRequest(message_id=one, order_id=one, task_token=one) for one in order_ids]
        return list(self.allocation.allocate(asked, at(hours)))

    def wait(self, order_id: str, state: str, token: str, *, hours: float = 0, reason: str = "", **more: Any) -> None:
        """The order's execution enters a waiting state."""
        self.lifecycle.begin_wait(entry(order_id, state, token, hours=hours, **more), reason, at(hours))

    def report(self, *reports: Report, hours: float = 1) -> Applied:
        """Applies what locations and carriers report, as one batch."""
        batch = [
            Reported(message_id=f"message-{number}", report=one, raw=raw_message(one))
            for number, one in enumerate(reports)
        ]
        return self.fulfilling.apply(batch, at(hours))


def entry(order_id: str, state: str, token: str, *, hours: float = 0, generation: int = 1, retry: int = 0) -> Wait:
    """A waiting entry of an execution."""
    return Wait(
        order_id=order_id,
        state=state,
        generation=generation,
        entered_at=at(hours),
        retry_count=retry,
        task_token=token,
    )


def worker(notebook: Notebook | None = None) -> Worker:
    """A worker that has just started."""
    return Worker(notebook or Notebook())


def incoming(number: int = 1, lines: dict[str, int] | None = None, **changes: Any) -> IncomingOrder:
    """An order of sku → units as the channel has it; its lines are called L1, L2, …"""
    wanted = {"MUG": 2, "BOWL": 1} if lines is None else lines
    made = tuple(line(f"L{place}", sku, units) for place, (sku, units) in enumerate(wanted.items(), start=1))
    facts: dict[str, Any] = {
        "channel": "shopify",
        "account": "main",
        "channel_order_id": str(number),
        "order_number": f"#{1000 + number}",
        "placed_at": NOON,
        "channel_updated_at": NOON,
        "currency": "USD",
        "lines": made,
        "totals": Totals(goods_minor=_goods(made), total_minor=_goods(made)),
        "payment_status": "PAID",
        "contact": ADA,
    }
    return IncomingOrder(**(facts | changes))


def listed(stage: Stage, channel_sku: str, sku: str) -> None:
    """What the channel of these orders sells under a name of its own."""
    stage.put("listings", {"channel_account": "shopify#main", "channel_sku": channel_sku, "sku": sku})


def line(line_id: str, sku: str, units: int, left: int | None = None) -> IncomingLine:
    """A line of the channel's order; `left` of its units are still wanted."""
    current = units if left is None else left
    return IncomingLine(line_id=line_id, sku=sku, quantity=units, current_quantity=current, unit_price_minor=1000)


def _goods(lines: tuple[IncomingLine, ...]) -> int:
    return sum(one.unit_price_minor * one.quantity for one in lines)


def order_id(number: int = 1) -> str:
    return f"shopify-main-{number}"


def work_of(order: Order, number: int = 1) -> tuple[str, str]:
    """(fulfillment_id, location_id) of the order's n-th work."""
    one = order.fulfillments[number - 1]
    return one.fulfillment_id, one.location_id


def report(kind: str, order: Order, number: int = 1, **facts: Any) -> FulfillmentReport:
    """What the location of the order's n-th work says of it."""
    fulfillment_id, location_id = work_of(order, number)
    if kind == "shipped":
        shipment_id = facts.get("shipment_id", "parcel-1")
        all_left = {one.line_id: one.open + one.picked for one in order.fulfillments[number - 1].lines}
        facts = {
            "shipment_id": shipment_id,
            "carrier": "ups",
            "tracking_number": f"1Z-{shipment_id}",
            "lines": {line_id: units for line_id, units in all_left.items() if units},
        } | facts
    made = {
        "message_id": f"{kind}-{facts.get('shipment_id', '')}",
        "occurred_at": at(1),
        "fulfillment_id": fulfillment_id,
        "location_id": location_id,
    }
    return FulfillmentReport(type=f"fulfillment.{kind}", **(made | facts))


def tracked(status: str, shipment_id: str = "parcel-1", hours: float = 2, **facts: Any) -> TrackingUpdate:
    """What the carrier says of a parcel."""
    made = {"carrier": "ups", "tracking_number": f"1Z-{shipment_id}", "carrier_status": status.lower()} | facts
    return TrackingUpdate(
        message_id=f"{status}-{shipment_id}", provider="easypost", status=status, occurred_at=at(hours), **made
    )


def raw_message(one: Report) -> dict[str, Any]:
    """The queue message that brings a report."""
    if isinstance(one, TrackingUpdate):
        return {"kind": "tracking_update", **one.as_message()}
    fields = {name: getattr(one, name) for name in FulfillmentReport.__slots__}
    return {"kind": "fulfillment_report", **fields, "occurred_at": one.occurred_at.isoformat()}


def released(made: Worker, number: int = 1, lines: dict[str, int] | None = None, **changes: Any) -> Order:
    """An order that has come all the way to its locations."""
    name = made.take(incoming(number, lines, **changes)).order.order_id
    assert made.allocate(name) == []
    order = made.lifecycle.evaluate(name, at(0.5))
    assert order is not None
    return order


def activate_routing_policy(stage: Stage, **document: Any) -> None:
    """Version 3 is what routing works by; a worker keeps it once it has read it."""
    row = {"version": 3, "revision": 1, "status": "ACTIVE", "author": "ops", "created_at": "2026-03-01T00:00:00Z"}
    stage.put("settings", {"kind": "routing_policy", "name": "active", **row, "document": document})


def received(sku: str, location_id: str, units: int, hours: float = 0, change_id: str = "receipt-1") -> StockChange:
    """Goods that arrive at a location."""
    moves = (stock_moves.receive(sku, location_id, units),)
    return StockChange(change_id=change_id, effective_at=at(hours), at=at(hours), actor="test", moves=moves)


def shelve(stage: Stage, units: dict[str, int], location_id: str = "WH-EAST") -> dict[tuple[str, str], int]:
    """Puts products and stock on a location's shelves; returns the opening stock for `balance`."""
    for sku, quantity in units.items():
        stage.put("products", Product(sku=sku, grams=100))
        stage.put("stock", StockPosition(sku=sku, location_id=location_id, on_hand=quantity, available=quantity))
    return {(sku, location_id): quantity for sku, quantity in units.items()}


def balance(
    stage: Stage, opening: dict[tuple[str, str], int] | None = None, *, only: Collection[str] | None = None
) -> None:
    """Every position is what it opened with plus its movements, and holds committed what the orders hold; every day of
    a location counts the places that the orders hold.

    `only` these skus are looked at, all without it.
    """
    opening = STOCK | (opening or {})
    moved: dict[tuple[str, str], Counter[str]] = {}
    for row in stage.rows("stock_movements"):
        moved.setdefault((row["sku"], row["location_id"]), Counter()).update(row["changes"])
    held = held_by_orders(stage)
    positions = {(row["sku"], row["location_id"]): row for row in stage.rows("stock")}
    assert set(moved) | set(+held) <= set(positions)
    for key, row in ((key, row) for key, row in positions.items() if only is None or key[0] in only):
        changes = moved.get(key, Counter())
        stands = {bucket.value: row.get(bucket.value, 0) for bucket in Bucket}
        began = Counter({"on_hand": opening.get(key, 0), "available": opening.get(key, 0)})
        assert stands == {name: began[name] + changes[name] for name in stands}, key
        assert stands["committed"] == held[key], key
    days_add_up(stage)


def held_by_orders(stage: Stage) -> Counter[tuple[str, str]]:
    """Units that locations hold for orders, by (sku, location_id)."""
    held: Counter[tuple[str, str]] = Counter()
    for row in stage.rows("orders"):
        kits = {line["line_id"]: line["components"] for line in row["lines"] if "components" in line}
        for one in row.get("fulfillments", []):
            for part in one["lines"]:
                units = part.get("open", 0) + part.get("picked", 0)
                for stocked in kits.get(part["line_id"], [{"sku": part["sku"], "quantity": 1}]):
                    held[stocked["sku"], one["location_id"]] += units * stocked["quantity"]
    return held


def story(stage: Stage, name: str) -> list[str]:
    """The types of an order's events, oldest first; their sequences must have no gap."""
    row = next(one for one in stage.rows("orders") if one["order_id"] == name)
    assert [event["sequence"] for event in row["events"]] == list(range(1, len(row["events"]) + 1))
    return [event["type"] for event in row["events"]]


def everything(stage: Stage) -> dict[str, list[dict[str, Any]]]:
    """All rows of all tables that flows write: to tell whether anything changed."""
    tables = (
        "orders", "order_references", "order_history", "contacts", "waits", "stock",
        "stock_movements", "stock_documents", "backorders", "deliveries", "quarantine", "capacity",
    )  # fmt: skip
    return {table: stage.rows(table) for table in tables}
