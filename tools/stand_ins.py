"""A warehouse and a carrier on loopback: they take real signed requests and answer over the signed webhooks.
Beside them, under paths of their own, the channels of `channel_stand_ins`.

The warehouse takes `fulfillment.requested`, reports accepted, picking and packed at once, and shipped when
the truck leaves; the carrier scans the parcel and delivers it. Repeats are known by the fulfillment id.
"""

from __future__ import annotations

import json
import re
import threading
import time
from dataclasses import dataclass, field
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any, Self
from urllib.parse import urlsplit
from uuid import uuid4

from tools import processes, signing, web
from tools.parcels import Parcel, tracker_event, tracking_number
from tools.timetable import Timetable

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from tools.channel_stand_ins import AmazonSeller, WooCommerceShop

PORT_VARIABLE = "OMS_STAND_IN_PORT"
WAREHOUSE_PATH = re.compile(r"/warehouses/(?P<location_id>[A-Za-z0-9-]{1,64})")
MAX_REQUEST_BYTES = 1_000_000
SECONDS_TO_DEPARTURE = 2.5
SECONDS_ON_THE_ROAD = 2.5


@dataclass(frozen=True, slots=True)
class Carriage:
    """What a location ships with."""

    carrier: str
    service: str


@dataclass
class Outside:
    """What the stand-ins know: where to report, the secrets (of warehouses: by location id), the channels' orders."""

    base_url: str
    warehouse_secrets: Mapping[str, str]
    carrier_secret: str
    carriages: Mapping[str, Carriage]
    woocommerce: WooCommerceShop
    amazon: AmazonSeller
    requested: dict[str, dict[str, Any]] = field(default_factory=dict)
    problems: list[str] = field(default_factory=list)


class StandIns:
    """The server and its timetable. Use as a context manager. Raises PortBusyError when the port is taken."""

    def __init__(self, port: int, outside: Outside, progress: Callable[[str], None]) -> None:
        processes.require_free_port(port, PORT_VARIABLE)
        self.outside = outside
        self._progress = progress
        self._timetable = Timetable(outside.problems.append)
        self._lock = threading.Lock()
        self._server = ThreadingHTTPServer(("127.0.0.1", port), _handler_for(self))
        self._thread = threading.Thread(target=self._server.serve_forever, name="stand-ins", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._timetable.close()
        self._thread.join()

    def receive(self, location_id: str, headers: Mapping[str, str], body: bytes) -> int:
        """The warehouse's answer to one request: an HTTP status. New work is begun on the timetable."""
        secret = self.outside.warehouse_secrets.get(location_id)
        if secret is None:
            return 404
        if not signing.is_genuine(headers, body, secret, time.time()):
            self.outside.problems.append(f"{location_id} refused a request with a wrong signature")
            return 401
        message = json.loads(body)
        if message["type"] != "fulfillment.requested":
            return 422
        request = message["data"]
        with self._lock:
            is_new = request["fulfillment_id"] not in self.outside.requested
            self.outside.requested[request["fulfillment_id"]] = request
        if is_new:
            self._timetable.after(0, lambda: self._work(location_id, request))
        return 200

    def _work(self, location_id: str, request: dict[str, Any]) -> None:
        for step in ("accepted", "picking", "packed"):
            self._report(location_id, f"fulfillment.{step}", _work_data(request))
        self._timetable.after(SECONDS_TO_DEPARTURE, lambda: self._ship(location_id, request))

    def _ship(self, location_id: str, request: dict[str, Any]) -> None:
        carriage = self.outside.carriages[location_id]
        parcel = Parcel(carriage.carrier, tracking_number(carriage.carrier), request["ship_to"])
        shipment = {
            "shipment_id": f"{request['fulfillment_id']}-p1",
            "carrier": carriage.carrier,
            "service": carriage.service,
            "tracking_number": parcel.tracking_number,
        }
        self._report(location_id, "fulfillment.shipped", {**_work_data(request), **shipment})
        self._progress(f"{location_id} shipped {request['order_id']} with {carriage.carrier}")
        self._timetable.after(SECONDS_ON_THE_ROAD, lambda: self._carry(parcel))

    def _carry(self, parcel: Parcel) -> None:
        for status in ("in_transit", "out_for_delivery", "delivered"):
            body = json.dumps(tracker_event(parcel, status, datetime.now(UTC))).encode()
            signature = signing.easypost_signature(self.outside.carrier_secret, body)
            headers = {"content-type": "application/json", "X-Hmac-Signature": signature}
            self._deliver("/webhooks/carriers/easypost/main", headers, body)

    def _report(self, location_id: str, kind: str, data: dict[str, Any]) -> None:
        now = datetime.now(UTC)
        message_id = f"msg_{uuid4().hex}"
        envelope = {"id": message_id, "type": kind, "occurred_at": now.isoformat(), "data": data}
        body = json.dumps(envelope).encode()
        webhook = signing.StandardWebhook(message_id, int(now.timestamp()), body)
        headers = webhook.headers(self.outside.warehouse_secrets[location_id])
        self._deliver(f"/webhooks/warehouses/{location_id}", headers, body)

    def _deliver(self, path: str, headers: Mapping[str, str], body: bytes) -> None:
        answer = web.deliver(self.outside.base_url + path, headers, body, self._timetable.stopping)
        if not answer.is_success and not self._timetable.stopping.is_set():
            text = answer.body.decode(errors="replace")
            self.outside.problems.append(f"POST {path} was answered {answer.status}: {text}")


def _work_data(request: dict[str, Any]) -> dict[str, Any]:
    lines = [{"line_id": line["line_id"], "quantity": line["quantity"]} for line in request["lines"]]
    return {"fulfillment_id": request["fulfillment_id"], "lines": lines}


def _handler_for(stand_ins: StandIns) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        """POST /warehouses/{location_id}, and the channels' APIs; everything else is 404."""

        def _any(self) -> None:
            length = int(self.headers.get("content-length", "0"))
            if length > MAX_REQUEST_BYTES:
                self._answer(413)
                return
            body = self.rfile.read(length)
            headers = {name.lower(): value for name, value in self.headers.items()}
            try:
                self._answer(*self._answered(urlsplit(self.path).path, headers, body))
            except (KeyError, TypeError, json.JSONDecodeError) as error:
                stand_ins.outside.problems.append(f"a request could not be understood: {error!r}")
                self._answer(422)

        def _answered(self, path: str, headers: dict[str, str], body: bytes) -> tuple[int, Any]:
            warehouse = WAREHOUSE_PATH.fullmatch(path)
            if warehouse and self.command == "POST":
                return stand_ins.receive(warehouse["location_id"], headers, body), None
            for channel in (stand_ins.outside.woocommerce, stand_ins.outside.amazon):
                if path.startswith(f"/{channel.name}/"):
                    return channel.answer(self.command, path.removeprefix(f"/{channel.name}"), headers, body)
            return 404, None

        do_GET = do_POST = do_PUT = do_PATCH = _any  # noqa: N815 - the base class asks for these

        def _answer(self, status: int, content: Any = None) -> None:
            body = b"" if content is None else json.dumps(content).encode()
            self.send_response(status)
            self.send_header("content-type", "application/json")
            self.send_header("content-length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the name of the overridden one
            """Silence: the demonstration reports for the stand-ins."""

    return Handler
