"""The running company as the tests touch it: customers, operators, and what lies in its tables."""

from __future__ import annotations

import json
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from oms.stores.attribute_values import from_item, to_item
from oms.stores.group_commit import GroupCommit
from oms.stores.snapshots import Readings
from oms.usecases.counting import Booking, take_snapshot
from tools import orders_view, signing, web
from tools.local_stack import PROJECT
from tools.shop import SIGNATURE_HEADER, Identity, Message
from tools.system import System
from tools.waiting import wait_until
from tools.world import token

API_ORDER = PROJECT / "events" / "api_orders" / "create_order.json"
POP_UP = "shopify#pop-up"
"""A shop whose first message comes before it is set up."""
CLOSED_PORT = 9
PRICE_MINOR = 1_000
LONG_STORY = 640
LONG_DOCUMENT_BYTES, LARGEST_DOCUMENT_BYTES = 300_000, 390_000
USUAL_SECONDS = 60.0
LONG_SECONDS = 120.0
FAR_AHEAD = timedelta(days=60)
"""Longer than any wait's budget: a sweep that looks so far ahead looks after every open order."""

Document = dict[str, Any]
Change = Callable[[dict[str, Any]], None]


@dataclass(frozen=True, slots=True)
class Sent:
    """An order's webhook as it was sent, and the id the order has here."""

    identity: Identity
    order_id: str
    message: Message


@dataclass
class Company:
    """Everything a test may do to the running system, and see of it."""

    system: System
    _tokens: dict[str, str] = field(default_factory=dict)

    # what customers and their shop do

    def order(self, case: str, change: Change | None = None) -> Sent:
        """A new order of a sample of events/webhook_storefront, changed before it is signed, not sent yet."""
        shop = self.system.world.shop
        identity = shop.new_identity()
        message = shop.message(case, identity)
        if change is not None:
            body = json.loads(message.body)
            change(body)
            message = self.signed(message, json.dumps(body, separators=(",", ":")).encode())
        return Sent(identity, shop.order_id(identity), message)

    def signed(self, message: Message, body: bytes) -> Message:
        """The message with another body, signed by the shop."""
        signature = signing.shopify_signature(self.system.world.shop.secret, body)
        return Message(body, {**message.headers, SIGNATURE_HEADER: signature})

    def place(self, case: str, change: Change | None = None) -> Sent:
        """A new order whose webhook was accepted."""
        sent = self.order(case, change)
        self.deliver(sent.message)
        return sent

    def deliver(self, message: Message) -> None:
        """A webhook that must be accepted."""
        answer = self.system.world.shop.send(message)
        assert answer.status == 200, answer.body

    # what people with a token do

    def call(
        self, method: str, path: str, body: Any = None, *, client: str = "operations", key: str | None = None
    ) -> web.Answer:
        """One request to the API with a token of its own."""
        if client not in self._tokens:
            self._tokens[client] = token(self.system.description, client)
        headers = {"authorization": f"Bearer {self._tokens[client]}", "content-type": "application/json"}
        if key is not None:
            headers["idempotency-key"] = key
        data = None if body is None else json.dumps(body).encode()
        return web.send(method, self.system.description["base_url"] + path, headers, data)

    def direct_order(self) -> dict[str, Any]:
        """The body of an order placed with us directly, named by its Idempotency-Key."""
        body: dict[str, Any] = json.loads(json.loads(API_ORDER.read_text())["body"])
        del body["channel_order_id"]
        return body

    def buy(self, sku: str, units: int, **facts: Any) -> str:
        """An order of our own shop for units of one sku; returns its id."""
        lines = [{"sku": sku, "quantity": units, "unit_price_minor": PRICE_MINOR}]
        sums = {"lines": lines, "shipping_minor": 0, "total_minor": units * PRICE_MINOR}
        answer = self.call("POST", "/orders", self.direct_order() | sums | facts, key=fresh("key"))
        assert answer.status == 201, answer.body
        return str(answer.json()["order_id"])

    def receive(self, sku: str, location_id: str, units: int) -> None:
        """An operator books units that came in."""
        line = {"type": "RECEIVE", "sku": sku, "location_id": location_id, "quantity": units}
        answer = self.call("POST", "/stock/adjustments", {"lines": [line]}, key=fresh("receipt"))
        assert answer.status == 200, answer.body
        assert answer.json()["booked"] == 1, answer.body

    # what locations do

    def report(self, location_id: str, kind: str, data: Mapping[str, Any], *, at: int | None = None) -> web.Answer:
        """A signed webhook of a location, of this moment unless another is named."""
        now, message_id = datetime.now(UTC), fresh("report")
        body = json.dumps({"id": message_id, "type": kind, "occurred_at": now.isoformat(), "data": data}).encode()
        webhook = signing.StandardWebhook(message_id, at or int(now.timestamp()), body)
        headers = webhook.headers(self.system.outside.warehouse_secrets[location_id])
        return web.send(
            "POST", f"{self.system.description['base_url']}/webhooks/warehouses/{location_id}", headers, body
        )

    # what operations do

    def product(self, **facts: Any) -> str:
        """A new product, of which nothing lies anywhere yet; returns its sku."""
        sku = fresh("SKU")
        self.put("products", {"sku": sku, "title": sku, "grams": 400} | facts)
        return sku

    def sweep(self) -> dict[str, int]:
        """Runs the sweep over every open order, whenever it is due; returns its counts."""
        due_before = (datetime.now(UTC) + FAR_AHEAD).isoformat()
        return self.invoke("schedule-sweep", {"due_before": due_before})

    def sweep_until(self, what: str, condition: Callable[[], bool]) -> None:
        """Sweeps again and again, as the schedule does every minute, until the condition holds."""
        swept = wait_until(condition, LONG_SECONDS, meanwhile=self.sweep)
        assert swept, f"no sweep made it happen that {what}"

    @contextmanager
    def down(self, location_id: str) -> Iterator[None]:
        """Nobody answers at the location's address."""
        (location,) = self.query("locations", location_id=location_id)
        self.put("locations", location | {"endpoint_url": f"http://127.0.0.1:{CLOSED_PORT}/"})
        try:
            yield
        finally:
            self.put("locations", location)

    def nobody_wakes(self) -> AbstractContextManager[None]:
        """The stream's first reader, which starts and wakes executions, is switched off."""
        return self._off("stream-orders")

    def nobody_books(self) -> AbstractContextManager[None]:
        """What is told of stock lies in its queue, and nothing is planned anew."""
        return self._off("queue-stock")

    @contextmanager
    def _off(self, function: str) -> Iterator[None]:
        """Nothing of what the function is fed by reaches it."""
        client = self.client("lambda")
        name = f"{self.system.stack.stack_name}-{function}"
        (mapping,) = client.list_event_source_mappings(FunctionName=name)["EventSourceMappings"]
        client.update_event_source_mapping(UUID=mapping["UUID"], Enabled=False)
        try:
            yield
        finally:
            client.update_event_source_mapping(UUID=mapping["UUID"], Enabled=True)

    @contextmanager
    def nobody_sweeps(self) -> Iterator[None]:
        """The schedule that looks after orders past due is switched off."""
        client = self.client("scheduler")
        names = [one["Name"] for one in client.list_schedules()["Schedules"]]
        found = [client.get_schedule(Name=name) for name in names]
        (schedule,) = (one for one in found if one["Target"]["Arn"].endswith("-schedule-sweep"))
        told = ("Name", "GroupName", "ScheduleExpression", "FlexibleTimeWindow", "Target")
        kept = {name: schedule[name] for name in told}
        client.update_schedule(**kept, State="DISABLED")
        try:
            yield
        finally:
            client.update_schedule(**kept, State="ENABLED")

    def waits_in(self, order_id: str) -> str:
        """The state in which the order's execution waits; empty before the first."""
        rows = self.query("waits", order_id=order_id)
        return str(rows[0].get("state", "")) if rows else ""

    def count(self, sku: str, location_id: str, units: int) -> None:
        """Somebody counted so many units of a SKU at a location."""
        tables, prefix = self.system.world.tables, f"{self.system.stack.stack_name}-"
        booking = Booking(Readings.of(tables, prefix), GroupCommit(tables, prefix))
        take_snapshot(booking, location_id, {sku: units}, datetime.now(UTC))

    def lengthen(self, order_id: str) -> int:
        """Makes the order's document as long as after hundreds of notes; returns how many events it has then."""
        (document,) = self.query("orders", order_id=order_id)
        version, at = document["version"] + 1, document["updated_at"]
        note = {"type": "NoteAdded", "at": at, "actor": "test", "version": version, "data": {"filler": "x" * 400}}
        first = len(document["events"]) + 1
        document["events"] += [note | {"sequence": place} for place in range(first, LONG_STORY)]
        assert LONG_DOCUMENT_BYTES < len(json.dumps(document)) < LARGEST_DOCUMENT_BYTES
        self.put("orders", document | {"version": version})
        return len(document["events"])

    def invoke(self, function: str, event: Mapping[str, Any]) -> Any:
        """The answer of a function invoked by hand."""
        answer = self.client("lambda").invoke(
            FunctionName=f"{self.system.stack.stack_name}-{function}", Payload=json.dumps(event).encode()
        )
        payload = json.loads(answer["Payload"].read())
        assert "FunctionError" not in answer, payload
        return payload

    def client(self, service: str) -> Any:
        """An administrator's client."""
        return self.system.stack.client(service)

    # what lies in the tables

    def orders(self, sent: Iterable[Sent]) -> list[Document]:
        """The documents of these orders, those that exist."""
        wanted = [one.order_id for one in sent]
        found = orders_view.read_orders(self.system.world.tables, self.table("orders"), wanted)
        return [found[order_id] for order_id in wanted if order_id in found]

    def document(self, sent: Sent) -> Document:
        """The order's document; empty while there is none."""
        return next(iter(self.orders([sent])), {})

    def table(self, name: str) -> str:
        """The physical name of a table."""
        return str(self.system.description["tables"][name])

    def query(self, table: str, index: str = "", **key: str) -> list[Document]:
        """The rows of a partition, strongly read; of an index as far as it has followed."""
        (name, value), *_ = key.items()
        answer = self.system.world.tables.query(
            TableName=self.table(table),
            KeyConditionExpression="#key = :value",
            ExpressionAttributeNames={"#key": name},
            ExpressionAttributeValues={":value": {"S": value}},
            **({"IndexName": index} if index else {"ConsistentRead": True}),
        )
        assert "LastEvaluatedKey" not in answer
        return [from_item(item) for item in answer["Items"]]

    def read(self, order_id: str) -> Document:
        """The order's document."""
        (document,) = self.query("orders", order_id=order_id)
        return document

    def position(self, sku: str, location_id: str) -> Document:
        """What lies of a sku at a location; empty before the first unit came."""
        return next((row for row in self.query("stock", sku=sku) if row["location_id"] == location_id), {})

    def waiting(self, sku: str) -> list[tuple[str, int]]:
        """Who waits for how many units of a sku, in the order in which they are served."""
        return [(row["order_id"], row["quantity"]) for row in self.query("backorders", sku=sku)]

    def moved(self, order_id: str, sku: str) -> Counter[str]:
        """Units of a SKU that the ledger says moved for an order, by kind of movement."""
        units: Counter[str] = Counter()
        for row in self.query("stock_movements", sku=sku):
            for entry in row["entries"]:
                if entry.get("order_id") == order_id:
                    units[entry.get("kind", row["kinds"][0])] += entry["quantity"]
        return units

    def put(self, table: str, item: Mapping[str, Any]) -> None:
        """Writes an item as an administrator would."""
        self.system.world.tables.put_item(TableName=self.table(table), Item=to_item(dict(item)))

    def delete(self, table: str, **key: str) -> None:
        """Removes an item as an administrator would."""
        self.system.world.tables.delete_item(TableName=self.table(table), Key=to_item(key))

    def committed(self, *skus: str) -> int:
        """Units of these SKUs that are promised to orders, over all locations."""
        return sum(row.get("committed", 0) for sku in skus for row in self.query("stock", sku=sku))

    # executions

    def executions(self, sent: Iterable[Sent]) -> list[dict[str, Any]]:
        """Executions of these orders, all generations, oldest first."""
        wanted = {one.order_id for one in sent}
        pages = self.system.world.states.get_paginator("list_executions").paginate(
            stateMachineArn=self.system.description["state_machines"]["order_lifecycle"]
        )
        found = [one for page in pages for one in page["executions"] if one["name"].rsplit("-", 1)[0] in wanted]
        return sorted(found, key=lambda one: (one["startDate"], one["name"]))

    def stop_executions(self, sent: Iterable[Sent]) -> int:
        """Stops every running execution of these orders; returns how many there were."""
        running = [one for one in self.executions(sent) if one["status"] == "RUNNING"]
        for one in running:
            self.system.world.states.stop_execution(executionArn=one["executionArn"])
        return len(running)

    # waiting

    def until(self, what: str, condition: Callable[[], bool], seconds: float = USUAL_SECONDS) -> None:
        """Waits until the condition holds; fails saying what did not happen."""
        assert wait_until(condition, seconds), f"within {seconds:.0f} s it did not happen that {what}"

    def until_it_has(self, order_id: str, seconds: float = USUAL_SECONDS, **wanted: Any) -> None:
        """Waits until the order has these attributes."""
        if not wait_until(lambda: wanted.items() <= self.read(order_id).items(), seconds):
            raise AssertionError(f"wanted {wanted}, has {_brief(self.read(order_id))}")

    def all_have(self, sent: Iterable[Sent], **wanted: Any) -> bool:
        """Whether all these orders exist with these attributes."""
        followed = list(sent)
        documents = self.orders(followed)
        return len(documents) == len(followed) and all(
            document.get(name) == value for document in documents for name, value in wanted.items()
        )

    def until_all(self, sent: Iterable[Sent], seconds: float = USUAL_SECONDS, **wanted: Any) -> None:
        """Waits until all these orders have these attributes."""
        followed = list(sent)
        if not wait_until(lambda: self.all_have(followed, **wanted), seconds):
            raise AssertionError(f"wanted {wanted}, have {[_brief(one) for one in self.orders(followed)]}")

    def quarantined(self, source: str, message_id: str) -> Document | None:
        """The row of a message in quarantine, or None."""
        rows = self.query("quarantine", source=source)
        return next((row for row in rows if row["received_key"].endswith(f"#{message_id}")), None)


def fresh(name: str) -> str:
    """A name nobody has used in this or an earlier run."""
    return f"{name}-{time.time_ns()}"


def _brief(document: Document) -> dict[str, Any]:
    names = ("order_id", "status", "waiting_for", "reason_code", "version")
    return {name: document.get(name) for name in names}
