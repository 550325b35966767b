"""Who talks to the system in the end-to-end benchmark: shops with orders, and the warehouses and carriers after them.

Each client has one connection that it keeps, and begins its next order only when the last one has got where it should:
as many orders are under way as there are clients.
"""

from __future__ import annotations

import http.client
import itertools
import json
import queue
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import urlsplit
from uuid import uuid4

from oms.domain.order import OrderStatus
from tools import signing
from tools.bench_e2e_watch import State, Watch
from tools.local_stack import PROJECT
from tools.parcels import Parcel, tracker_event, tracking_number
from tools.shop import Shop
from tools.stand_ins import Outside, StandIns

API_ORDER = PROJECT / "events" / "api_orders" / "create_order.json"
WAIT_SECONDS = 120.0
ANSWER_SECONDS = 60.0
SHOWN = 200
JSON = "application/json"


@dataclass(frozen=True, slots=True)
class Post:
    """One request, ready to be sent; the order it is about, if that is known before the answer."""

    path: str
    headers: Mapping[str, str]
    body: bytes
    order_id: str = ""


@dataclass(frozen=True, slots=True)
class Timing:
    """How one order went: seconds from the client's send until it was seen where it should be; None if it was not."""

    seconds: float | None
    seen_at: float
    state: State = ("", "")
    order_id: str = ""
    trouble: str = ""

    @classmethod
    def failed(cls, trouble: str) -> Timing:
        """It did not get there."""
        return cls(None, time.monotonic(), trouble=trouble)


class Connection:
    """One kept connection to the HTTP API; made anew when the other side has closed it."""

    def __init__(self, base_url: str) -> None:
        parts = urlsplit(base_url)
        self._path = parts.path
        self._http = http.client.HTTPConnection(parts.hostname or "", parts.port, timeout=ANSWER_SECONDS)

    def send(self, post: Post) -> tuple[int, bytes]:
        """Status and body of the answer. Raises OSError or http.client.HTTPException when there was none."""
        for is_last in (False, True):
            try:
                self._http.request("POST", self._path + post.path, post.body, dict(post.headers))
                answer = self._http.getresponse()
                return answer.status, answer.read()
            except (http.client.RemoteDisconnected, BrokenPipeError, ConnectionResetError):
                self._http.close()
                if is_last:
                    raise
        raise AssertionError("a request is sent once or twice")


@dataclass(slots=True)
class Shops:
    """Makes orders for both doors; placed so long ago that the customer may change their mind until `release_at`."""

    shop: Shop
    token: str
    cancel_window: timedelta
    _keys: Iterator[int] = field(default_factory=lambda: itertools.count(time.time_ns()))

    def webhook(self, release_at: datetime) -> Post:
        """A signed storefront message of a two-line order."""
        identity = replace(self.shop.new_identity(), placed_at=release_at - self.cancel_window)
        message = self.shop.message("two_lines", identity)
        path = f"/webhooks/{self.shop.channel}/{self.shop.account}"
        return Post(path, message.headers, message.body, self.shop.order_id(identity))

    def api(self, release_at: datetime, only: str = "") -> Post:
        """`POST /orders` of a two-line order, or of one unit of one SKU."""
        order: dict[str, Any] = json.loads(json.loads(API_ORDER.read_text())["body"])
        del order["channel_order_id"]
        buyer = self.shop.new_identity().buyer["address"]
        order["ship_to"] |= {"city": buyer["city"], "region": buyer["province_code"], "postal_code": buyer["zip"]}
        order["placed_at"] = (release_at - self.cancel_window).isoformat()
        if only:
            line = {**order["lines"][0], "sku": only, "quantity": 1, "tax_minor": 0}
            order |= {"lines": [line], "total_minor": line["unit_price_minor"] + order["shipping_minor"]}
        headers = {
            "authorization": f"Bearer {self.token}",
            "content-type": JSON,
            "idempotency-key": f"bench-{next(self._keys)}",
        }
        return Post("/orders", headers, json.dumps(order).encode())


class Gate(StandIns):
    """The warehouses' end: takes requests as the stand-in does, and hands the work to the benchmark's clients."""

    def __init__(self, port: int, outside: Outside) -> None:
        super().__init__(port, outside, progress=_unseen)
        self.work: queue.SimpleQueue[tuple[str, dict[str, Any]]] = queue.SimpleQueue()

    def _work(self, location_id: str, request: dict[str, Any]) -> None:
        self.work.put((location_id, request))

    def shipped(self, location_id: str, request: dict[str, Any], parcel: Parcel) -> Post:
        """The location reports that the parcel left with everything in it."""
        now, message_id = datetime.now(UTC), f"msg_{uuid4().hex}"
        data = {
            "fulfillment_id": request["fulfillment_id"],
            "lines": [{"line_id": line["line_id"], "quantity": line["quantity"]} for line in request["lines"]],
            "shipment_id": f"{request['fulfillment_id']}-p1",
            "carrier": parcel.carrier,
            "service": "ground",
            "tracking_number": parcel.tracking_number,
        }
        envelope = {"id": message_id, "type": "fulfillment.shipped", "occurred_at": now.isoformat(), "data": data}
        body = json.dumps(envelope).encode()
        webhook = signing.StandardWebhook(message_id, int(now.timestamp()), body)
        headers = webhook.headers(self.outside.warehouse_secrets[location_id])
        return Post(f"/webhooks/warehouses/{location_id}", headers, body, request["order_id"])

    def delivered(self, order_id: str, parcel: Parcel) -> Post:
        """The carrier reports that the parcel is there."""
        body = json.dumps(tracker_event(parcel, "delivered", datetime.now(UTC))).encode()
        signature = signing.easypost_signature(self.outside.carrier_secret, body)
        return Post(
            "/webhooks/carriers/easypost/main", {"content-type": JSON, "X-Hmac-Signature": signature}, body, order_id
        )

    def parcel(self, location_id: str, request: dict[str, Any]) -> Parcel:
        """A parcel with the location's carrier."""
        carrier = self.outside.carriages[location_id].carrier
        return Parcel(carrier, tracking_number(carrier), request["ship_to"])


def _unseen(_: str) -> None:
    """Progress that nobody watches."""


@dataclass(frozen=True, slots=True)
class Clients:
    """So many clients at once, each with a connection of its own."""

    count: int
    base_url: str
    watch: Watch

    def place(self, posts: Iterable[Post], is_there: Callable[[State], bool]) -> list[Timing]:
        """Sends all orders; each is timed until it is there."""
        waiting: queue.SimpleQueue[Post] = queue.SimpleQueue()
        for post in posts:
            waiting.put(post)

        def serve(connection: Connection) -> Iterator[Timing]:
            while True:
                try:
                    post = waiting.get_nowait()
                except queue.Empty:
                    return
                yield self._follow(connection, post, is_there)

        return self._all(serve)

    def ship(self, gate: Gate, orders: int) -> list[Timing]:
        """Ships and delivers so many orders as their requests come in; timed from the report of the parcel."""
        left = itertools.count()
        lock = threading.Lock()

        def serve(connection: Connection) -> Iterator[Timing]:
            while True:
                with lock:
                    if next(left) >= orders:
                        return
                try:
                    location_id, request = gate.work.get(timeout=WAIT_SECONDS)
                except queue.Empty:
                    yield Timing.failed("no request came to a warehouse")
                    continue
                yield self._carry(connection, gate, location_id, request)

        return self._all(serve)

    def _carry(self, connection: Connection, gate: Gate, location_id: str, request: dict[str, Any]) -> Timing:
        parcel = gate.parcel(location_id, request)
        shipped = self._follow(connection, gate.shipped(location_id, request, parcel), has_reached(OrderStatus.SHIPPED))
        if shipped.seconds is None:
            return shipped
        delivered = self._follow(
            connection, gate.delivered(request["order_id"], parcel), has_reached(OrderStatus.DELIVERED)
        )
        if delivered.seconds is None:
            return delivered
        return replace(delivered, seconds=shipped.seconds + delivered.seconds)

    def _follow(self, connection: Connection, post: Post, is_there: Callable[[State], bool]) -> Timing:
        began = time.monotonic()
        try:
            status, body = connection.send(post)
        except (OSError, http.client.HTTPException) as error:
            return Timing.failed(repr(error))
        if not 200 <= status < 300:
            return Timing.failed(f"{status}: {body.decode(errors='replace')[:SHOWN]}")
        wish = self.watch.wish(post.order_id or json.loads(body)["order_id"], is_there)
        if wish.wait(WAIT_SECONDS):
            return Timing(wish.at - began, wish.at, wish.state, wish.order_id)
        self.watch.drop(wish)
        return Timing.failed(f"{wish.order_id} did not get there")

    def _all(self, serve: Callable[[Connection], Iterator[Timing]]) -> list[Timing]:
        timings: queue.SimpleQueue[Timing] = queue.SimpleQueue()

        def run() -> None:
            for timing in serve(Connection(self.base_url)):
                timings.put(timing)

        threads = [threading.Thread(target=run, daemon=True) for _ in range(self.count)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        return [timings.get() for _ in range(timings.qsize())]


def has_reached(status: OrderStatus) -> Callable[[State], bool]:
    """Whether an order has come so far, or farther."""
    reached = {one.value for one in list(OrderStatus)[list(OrderStatus).index(status) :]}
    return lambda state: state[0] in reached
