"""A channel made for tests, `bazaar`: a small module over a scripted server that remembers what it was told."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from types import ModuleType
from typing import Any

import pytest

from oms.channels import registry
from oms.channels.client import ChannelApi, Limit, decimal_json
from oms.domain.catalog import ChannelAccount, Notice
from oms.domain.channel_messages import (
    AcknowledgementNotice,
    CancellationNotice,
    ListedPage,
    NoticeLine,
    ShipmentNotice,
)
from oms.domain.errors import NotSupported
from oms.domain.events import Event, EventType
from oms.domain.listings import AvailabilityMessage
from oms.domain.order import Fulfillment, FulfillmentLine, Order, Request, Work
from oms.domain.shipments import Shipment, ShipmentLine, ShipmentStatus
from oms.runtime import clients
from oms.runtime.http import HttpClient
from oms.stores.deliveries import DeliveriesStore
from tests.integration.company import at
from tests.integration.stage import PREFIX, LambdaContext, Stage
from tests.scripted_server import Asked, OpenLimits, Reply, ScriptedServer
from tests.unit.builders import line, order

LIMIT = Limit("all", 1000.0, 1000)
AT_ONCE = 100
EVERYTHING = (Notice.ACKNOWLEDGEMENTS, Notice.SHIPMENTS, Notice.CANCELLATIONS, Notice.AVAILABILITY)
MAIN, OTHER = "bazaar#main", "bazaar#other"


def headers(_: ChannelApi) -> Mapping[str, str]:
    return {}


def acknowledge(api: ChannelApi, notice: AcknowledgementNotice) -> None:
    url = f"{api.settings.base_url}/acknowledgements/{notice.channel_order_id}"
    api.call("POST", url, limit=LIMIT, headers=headers, body={"id": notice.message_id})


def confirm_shipment(api: ChannelApi, notice: ShipmentNotice) -> None:
    said = {"id": notice.message_id, "tracking_number": notice.tracking_number, "lines": _units(notice.lines)}
    url = f"{api.settings.base_url}/shipments/{notice.channel_order_id}"
    api.call("POST", url, limit=LIMIT, headers=headers, body=said | {"completes": notice.completes})


def confirm_cancellation(api: ChannelApi, notice: CancellationNotice) -> None:
    if api.option("cancels") == "never":
        raise NotSupported("cancel it in the bazaar's own pages")
    said = {"id": notice.message_id, "reason": notice.reason, "lines": _units(notice.lines), "whole": notice.whole}
    url = f"{api.settings.base_url}/cancellations/{notice.channel_order_id}"
    api.call("POST", url, limit=LIMIT, headers=headers, body=said)


def publish(api: ChannelApi, messages: Sequence[AvailabilityMessage]) -> Mapping[str, str]:
    said = {one.channel_sku: one.quantity for one in messages}
    refused: dict[str, str] = decimal_json(
        api.call("PUT", f"{api.settings.base_url}/stock", limit=LIMIT, headers=headers, body=said)
    )
    return refused


def listed(api: ChannelApi, token: str | None) -> ListedPage:
    answer = decimal_json(
        api.call("GET", f"{api.settings.base_url}/stock", limit=LIMIT, headers=headers, query={"page": token or "0"})
    )
    return ListedPage(quantities=answer["quantities"], next_token=answer["next"])


def _units(lines: Sequence[NoticeLine]) -> dict[str, int]:
    return {one.line_id: one.quantity for one in lines}


@dataclass
class Bazaar:
    """The other side. `troubles` are answered first, one after the other; `during` happens while it is told. It refuses
    some figures by name, and all that come together with `spoiler`."""

    notices: list[dict[str, Any]] = field(default_factory=list)
    stock: dict[str, int] = field(default_factory=dict)
    refuses: dict[str, str] = field(default_factory=dict)
    spoiler: str = ""
    troubles: list[Reply] = field(default_factory=list)
    calls: list[Asked] = field(default_factory=list)
    during: list[Callable[[], Any]] = field(default_factory=list)
    page: int = 100
    url: str = ""

    def answer(self, asked: Asked) -> Reply:
        self.calls.append(asked)
        if self.during:
            self.during.pop(0)()
        if self.troubles:
            return self.troubles.pop(0)
        if asked.method == "GET":
            return self._listed(int(asked.query["page"]))
        if asked.path == "/stock" and self.spoiler in asked.json:
            return Reply(400, {"code": "BadSku"})
        if asked.path == "/stock":
            self.stock |= {sku: n for sku, n in asked.json.items() if sku not in self.refuses}
            return Reply(200, {sku: why for sku, why in self.refuses.items() if sku in asked.json})
        self.notices.append(asked.json)
        return Reply(201, {})

    def _listed(self, page: int) -> Reply:
        skus = sorted(self.stock)
        part, more = skus[page * self.page :][: self.page], len(skus) > (page + 1) * self.page
        quantities = {sku: self.stock[sku] for sku in part}
        return Reply(200, {"quantities": quantities, "next": str(page + 1) if more else None})


@contextmanager
def bazaar(monkeypatch: pytest.MonkeyPatch, *left_out: str) -> Iterator[Bazaar]:
    """The channel, as if its file were there; `left_out` are operations that its file has not."""
    module: Any = ModuleType("oms.channels.bazaar")
    for operation in (acknowledge, confirm_shipment, confirm_cancellation, publish, listed):
        if operation.__name__ not in left_out:
            setattr(module, operation.__name__, operation)
    module.MAX_PUBLISHED = AT_ONCE
    monkeypatch.setitem(sys.modules, "oms.channels.bazaar", module)
    monkeypatch.setattr(registry, "CHANNELS", registry.CHANNELS | {"bazaar"})
    made = Bazaar()
    with ScriptedServer({"/": made.answer}) as server:
        made.url = server.url
        yield made


def open_account(stage: Stage, url: str, name: str = MAIN, **settings: Any) -> None:
    """An account of the bazaar that is told everything, with its secret."""
    account = ChannelAccount(**{"base_url": url, "tells": EVERYTHING, **settings})
    stage.put("settings", account, kind="channel_account", name=name)


class Worker:
    """A worker of queue_channels, just started; `postponed` are the waits that it asked the queue for."""

    def __init__(self, stage: Stage, hours: float = 2) -> None:
        self.stage, self.now, self.postponed = stage, at(hours), list[float]()
        self.app = stage.function("queue_channels")
        self.app.now = lambda: self.now
        self.app.accounts.http = HttpClient(allow_loopback=True, sleep=lambda _: None)
        self.app.accounts.limits = OpenLimits()
        self.app.accounts.credentials_of = lambda *_: {"key": "secret"}
        self.app.circuits.chance = lambda: 0.0
        note: Any = lambda params, **_: self.postponed.extend(  # noqa: E731
            one["VisibilityTimeout"] for one in params["Entries"]
        )
        stage.hook("sqs", "before-parameter-build.sqs.ChangeMessageVisibilityBatch", note)

    def work(self, *rows: tuple[str, str], receives: int = 1, context: LambdaContext | None = None) -> list[int]:
        """Works off one batch of triggers; returns which of them, by number, must come again."""
        records = [
            {
                "messageId": str(number),
                "receiptHandle": f"receipt-{number}",
                "body": f'{{"destination":"{destination}","message_key":"{message_key}"}}',
                "attributes": {
                    "ApproximateReceiveCount": str(receives),
                    "SentTimestamp": str(int(at(2).timestamp() * 1000)),
                },
            }
            for number, (destination, message_key) in enumerate(rows)
        ]
        context = context or LambdaContext(remaining_millis=100_000)
        answer = self.app.handler({"Records": records}, context)
        return [int(one["itemIdentifier"]) for one in answer["batchItemFailures"]]

    def later(self, minutes: float) -> Worker:
        self.now += timedelta(minutes=minutes)
        return self


def pending(stage: Stage) -> list[tuple[str, str]]:
    """The keys of all rows that are owed, as the stream would have queued them."""
    return [(row["destination"], row["message_key"]) for row in stage.rows("deliveries") if row["status"] == "PENDING"]


def statuses(stage: Stage) -> dict[str, str]:
    return {row["message_key"]: row["status"] for row in stage.rows("deliveries")}


def deliveries() -> DeliveriesStore:
    return DeliveriesStore(clients.client("dynamodb"), PREFIX)


def event(sequence: int, kind: EventType, actor: str = "WH-EAST", hours: float = 1, **data: Any) -> Event:
    return Event(version=sequence, sequence=sequence, type=kind, at=at(hours), actor=actor, data=data)


def parcel(number: int, moment: datetime | None = None, **units: int) -> Shipment:
    return Shipment(
        shipment_id=f"P{number}",
        carrier="ups",
        service="ground",
        tracking_number=f"1Z{number}",
        status=ShipmentStatus.HANDED_OVER,
        status_at=moment or at(1),
        handed_over_at=moment or at(1),
        lines=tuple(ShipmentLine(line_id=line_id, quantity=quantity) for line_id, quantity in units.items()),
    )


def shipped_order(
    ordered: Mapping[str, int], *parcels: Shipment, cancelled: Mapping[str, int] | None = None, **changes: Any
) -> Order:
    """An order of the bazaar whose parcels left WH-EAST one after the other, as events 1, 2, 3 …"""
    gone = dict.fromkeys(ordered, 0)
    for one in parcels:
        for part in one.lines:
            gone[part.line_id] = min(ordered[part.line_id], gone[part.line_id] + part.quantity)
    less = {line_id: (cancelled or {}).get(line_id, 0) for line_id in ordered}
    lines = [
        line(name, "MUG", units, shipped=gone[name], cancelled=less[name], unallocated=units - gone[name] - less[name])
        for name, units in ordered.items()
    ]
    work = Fulfillment(
        fulfillment_id="f1",
        location_id="WH-EAST",
        request=Request.ACCEPTED,
        work=Work.SHIPPED,
        lines=tuple(
            FulfillmentLine(line_id=name, sku="MUG", assigned=units, shipped=units) for name, units in gone.items()
        ),
        shipments=parcels,
    )
    events = tuple(
        event(number, EventType.SHIPMENT_SHIPPED, shipment_id=one.shipment_id) for number, one in enumerate(parcels, 1)
    )
    facts = {
        "order_id": "bazaar-main-7",
        "channel": "bazaar",
        "account": "main",
        "channel_order_id": "7",
        "fulfillments": (work,),
        "events": events,
    }
    return order(*lines, **(facts | changes))
